"""One line of a proof test on the live tool: the inputs put in place, the final elements read back, and no other hand.

Samples of quality TEST stand in for real ones where the guard judges them, and nowhere else: what drives the tool goes
on reading its instruments. Nothing here opens a source.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace

from ald_controller import interlocks as il
from ald_controller.guard import Guard
from ald_controller.proof import lines as pt
from ald_controller.proof.drive import Drive, Scene, Shape, inputs_of
from ald_controller.proof.twin import RealTwin
from ald_controller.tool import Tool

LOOK_S = 0.05
AFTER_S = 0.35  # taking an input away can trip, too: a reading that jumps back
ARM_S = 2.0
BY_ITSELF = "the tool has tripped by itself"


@dataclass(frozen=True, slots=True)
class Injection:
    """What the guard sees instead of the tool while a line is driven."""

    drive: Drive
    began_s: float

    def samples(self, real: il.Samples, now_s: float) -> il.Samples:
        return self.drive.over(real, self.began_s, now_s)

    def facts(self, real: il.Facts) -> il.Facts:
        return self.drive.pretend(real)


class Ended(Exception):
    """The test cannot go on; says why."""


Driven = tuple[pt.Item, Drive]
Id = tuple[int, int]


class LiveLine:
    """The guard and the valve word of one tool, as one line after another drives and reads them."""

    def __init__(self, tool: Tool, guard: Guard) -> None:
        self._tool, self._guard = tool, guard
        self._mask = tool.config.valves.mask("contactor")
        self._driven = Drive(())  # the line in hand, or the one before
        self._twin: RealTwin

    def scene(self) -> Scene:
        """The tool as it is now."""
        return Scene(dict(self._tool.samples), self._guard.facts, asyncio.get_running_loop().time())

    async def drive(self, batch: list[Driven]) -> dict[Id, tuple[float | None, str]]:
        """Put the inputs in place, wait for the final elements, take the inputs away; what each line has shown."""
        if batch[0][0].level.reaction >= il.Reaction.HOLD:
            await self.arm()
        self._guard.begin_anew()  # what was looked at meanwhile is no part of the line
        await asyncio.sleep(AFTER_S)
        shapes = tuple(shape for _, drive in batch for shape in drive.shapes)
        began_s, self._driven = asyncio.get_running_loop().time(), Drive(shapes, batch[0][1].facts)
        self._guard.trial = Injection(self._driven, began_s)
        try:
            return await self.watched(batch, began_s)
        finally:
            self._guard.trial = None

    def expects(self, signal: str) -> float:
        """What this contact does by a person's hand from now on is of the test; how it stands now."""
        before = self._tool.samples[signal]
        self._driven = Drive(((signal, Shape(before.value)),))
        self._twin.moved = {signal: before}
        return before.value

    def expects_no_more(self) -> None:
        self._twin.moved = {}

    async def watched(self, batch: list[Driven], began_s: float) -> dict[Id, tuple[float | None, str]]:
        """When each line's final elements read as they have to, and what was wrong with those that never did."""
        loop = asyncio.get_running_loop()
        after: dict[Id, tuple[float | None, str]] = {item.id: (None, "") for item, _ in batch}
        until_s = began_s + max(d.should_s for _, d in batch) + max(item.allowed_s for item, _ in batch) + 1.0
        while loop.time() < until_s and any(at_s is None for at_s, _ in after.values()):
            await asyncio.sleep(LOOK_S)
            self.still_ours()
            for item, _ in batch:
                if after[item.id][0] is None:
                    wrong = self._against(item)
                    after[item.id] = (None, wrong) if wrong else (loop.time() - began_s, "")
        return after

    def _against(self, item: pt.Item) -> str:
        """What is not yet as this level asks for it, "" = all is."""
        state, level = self._guard.state, item.level
        own = (x for x in state.latched if x.check == item.index or (x.row, x.name) == (item.row, item.check.name))
        latched = any(x.reaction >= level.reaction for x in own)
        if not latched and not self.stands(item):
            return "the live rule did not trip"
        if level.reaction >= il.Reaction.HOLD and not latched:
            return "it did not latch"
        return self._wanted(level).missing(self._seen(self._blocked(item)))

    def _wanted(self, level: il.Level) -> pt.Effect:
        """What has to be seen; where the same inputs trip a row that isolates as well, the most severe wins."""
        wanted, safing = pt.effect(level, self._guard.facts), self._guard.safing
        isolated = self._guard.state.level > il.Reaction.ABORT_PURGE or (safing is not None and safing.isolates)
        return replace(wanted, stop_shut=True) if wanted.stop_shut is False and isolated else wanted

    def _blocked(self, item: pt.Item) -> il.Blocks:
        """What may not begin; of a level that only blocks, by its own cause: every simulated input blocks as well."""
        state = self._guard.state
        if item.level.reaction >= il.Reaction.HOLD:
            return state.blocked
        own = (cause.blocks for cause in state.active if cause.check == item.index and cause.row == item.row)
        return next(own, il.Blocks.NOTHING) & state.blocked

    def stands(self, item: pt.Item) -> bool:
        watches = self._guard.state.watches
        return item.index < len(watches) and bool(watches[item.index].standing >> item.bit & 1)

    def _seen(self, blocked: il.Blocks) -> pt.Seen:
        """Read back from the valve process, never from what was written."""
        status, valves = self._tool.valves.status, self._tool.config.valves
        word = status.word if status is not None else -1
        return pt.Seen(
            held=bool(status is not None and status.held), sources=bool(word & self._tool.config.source_mask),
            contactor=bool(word & self._mask), stop_shut=bool(word & valves.mask("stop")), blocked=blocked,
        )  # fmt: skip

    async def until(self, true: Callable[[], bool], within_s: float) -> bool:
        loop = asyncio.get_running_loop()
        give_up_s = loop.time() + within_s
        while not true():
            self.still_ours()
            if loop.time() >= give_up_s:
                return False
            await asyncio.sleep(LOOK_S)
        return True

    def begin(self) -> None:
        """From here on what trips the tool without the test ends it."""
        self._guard.twin = self._twin = RealTwin(self._guard.state)

    def still_ours(self) -> None:
        """Raises Ended where a person has aborted, or the tool has tripped by itself.

        The guard's twin finds that. Beside it: what latches on inputs that no line drives, with no fact pretended.
        """
        if self._guard.twin is not self._twin:
            first = self._guard.state.first_out
            raise Ended(f"{BY_ITSELF}: {first.cause.row} {first.cause.detail}" if first else self._guard.why_latched)
        signals = {signal for signal, _ in self._driven.shapes}
        for cause in self._guard.state.latched:
            read = inputs_of(self._guard.rules.checks[cause.check].measure) if cause.check >= 0 else []
            if not self._driven.facts and not any(source.signal in signals for source in read):
                raise Ended(f"{BY_ITSELF}: {cause.row} {cause.detail}")

    async def arm(self) -> None:
        """The contactor closed, so that it can be seen to open; a line says so itself where it does not."""
        self._tool.valves.aux(self._mask, self._mask)
        await self.until(lambda: self._seen(il.Blocks.NOTHING).contactor, ARM_S)

    def leave(self) -> None:
        """The tool's own inputs again, and its contactor open; what is latched keeps its safe sequence."""
        self._guard.trial = self._guard.twin = None
        self._tool.valves.aux(self._mask, 0)
        if not self._guard.latched:
            self._guard.end_safing("the end of the proof test")
