"""A run that is paused, held, starved, extended, resumed in any order: record and valves tell one story (I15, I16).

The real sequencer, tool and engine over the simulated module; nothing polls, so that a walk takes milliseconds. What is
judged is the trace of the module's outputs against the intents that were durable before.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from ald_controller.chamber import Chamber
from ald_controller.engineconfig import engine_config
from ald_controller.journal import JournalError
from ald_controller.plan import Dose
from ald_controller.sequencer import Run
from ald_controller.states import Misplaced
from ald_controller.tool import Tool
from ald_controller.valves import wire
from ald_controller.valves.inline import InlineValves
from ald_controller.walk import with_turns
from drivers.line import memory_line
from simulators.virtualtime import VirtualLoop
from simulators.world import build
from tests.machines import walks
from tests.recipe_bench import chemistry, loaded, plan, recipe, tool

CYCLES, MOST = 3, 5
TEXT = recipe(
    f"- repeat: {{times: {CYCLES}, name: c, steps: ["
    "{pulse: {precursor: LiOtBu, time: 400 ms}}, {purge: 1500 ms}, "
    "{pulse: {precursor: glycerol, time: 200 ms}}, {purge: 1500 ms}]}",
    prepare="prepare:\n  - flow: {carrier: 20 sccm}\n",
    finish="finish: [{purge: 1 s}]\n",
).replace("  - - repeat", "  - repeat")
PLAN = plan(TEXT)
REGISTERS = loaded("lithium")
SOURCES = {"LTB": 4, "GL": 8}
WIDTH_S = {"LTB": 0.4, "GL": 0.2}
BEAT_S = 0.25
LEASE_S = 1.0


class Intents:
    """The record as the sequencer sees it; `full` = the disk takes nothing."""

    def __init__(self) -> None:
        self.intents: list[tuple[float, int, int, tuple[str, ...]]] = []  # (at s, half, cycle, sources dosed)
        self.events: list[str] = []
        self.steps: list[int] = []  # the cycle of each step that has begun
        self.full = False

    async def intent(self, id: wire.SegmentId, label: str, doses: tuple[Dose, ...], cycle: int, part: str) -> None:
        if self.full:
            raise JournalError("the disk is full")
        sources = tuple(dose.source for dose in doses)
        self.intents.append((asyncio.get_running_loop().time(), id.half, cycle, sources))

    def edge(self, edge: wire.Edge) -> None:
        return None

    def event(self, kind: str, **fields: object) -> None:
        self.events.append(kind)
        if kind == "step":
            self.steps.append(int(str(fields["cycle"] or 0)))


class ARun(RuleBasedStateMachine):
    """One run of three cycles or more, and everything that people, interlocks and a disk may do to it."""

    @initialize()
    def start(self) -> None:
        self.loop = VirtualLoop()
        self.openings: list[tuple[float, str]] = []
        self.widths: list[tuple[str, float]] = []
        self.word, self.beats = 0, 0
        self.may_open, self.stopped_in, self.cycles = True, 0, CYCLES
        self.do(self._begin())

    async def _begin(self) -> None:
        loop = asyncio.get_running_loop()
        file = tool()
        world = build(file.path, at_s=loop.time(), warm=None, bottles=REGISTERS.rack())
        world.plant.valve_word = self.outputs  # type: ignore[method-assign]
        valves = file.config.valves
        self.valves = InlineValves(world.coupler_a, driver=valves.driver, coils=valves.coils)
        self.tool = Tool(file, lambda name, config: memory_line(name, world.face(name)), self.valves)
        self.tool.chamber = Chamber("VACUUM")
        await self.valves.start(engine_config(file, REGISTERS, chemistry()))
        self.tool.isolate(False)  # rests as the chamber says
        self.valves.clear()
        self.beat()
        self.journal = Intents()
        self.run = Run("r", PLAN, self.tool, self.journal, lambda text: None)
        self.run.move("start") if self.run.state == "IDLE" else None
        self.listener = asyncio.ensure_future(self.listen())
        self.task: asyncio.Task[Any] = asyncio.ensure_future(self.run.execute())

    async def listen(self) -> None:
        async for message in self.valves.events():
            self.run.hear(message)

    def do(self, work: Any) -> Any:
        asyncio.set_event_loop(self.loop)
        return self.loop.run_until_complete(work)

    def outputs(self, at_s: float, word: int) -> None:
        """What the module did with its outputs."""
        for source, mask in SOURCES.items():
            if word & mask and not self.word & mask:
                self.opened(at_s, source)
            if self.word & mask and not word & mask:
                began_s = next(t for t, s in reversed(self.openings) if s == source)
                self.widths.append((source, at_s - began_s))
        self.word = word

    def opened(self, at_s: float, source: str) -> None:
        assert self.may_open, f"{source} opened while the run was held or had lost its lease"
        self.openings.append((at_s, source))
        earlier = [i for i in self.journal.intents if i[0] <= at_s and source in i[3]]
        assert len(earlier) >= sum(s == source for _, s in self.openings), "opened without an intent of its own"

    def beat(self) -> None:
        self.beats += 1
        self.valves.beat(0x3F)

    async def pass_time(self, seconds: float, *, beaten: bool = True) -> None:
        left_s = seconds
        while left_s > 1e-9:
            if beaten:
                self.beat()
            await asyncio.sleep(min(left_s, BEAT_S))
            left_s -= BEAT_S

    # --- what happens ----------------------------------------------------------------------------------------------

    @rule(seconds=st.sampled_from([0.05, 0.2, 0.5, 1.0, 2.0, 4.0]))
    def time_passes(self, seconds: float) -> None:
        self.do(self.pass_time(seconds))

    @rule(now=st.booleans())
    def somebody_pauses(self, now: bool) -> None:
        self.do(self._act(lambda: self._pause(now)))

    def _pause(self, now: bool) -> None:
        self.run.pause(now=now)
        self.may_open = self.may_open and not now

    @rule()
    def an_interlock_holds(self) -> None:
        self.do(self._act(self._hold))

    def _hold(self) -> None:
        if not self.task.done():
            self.may_open = False
            self.valves.hold("an interlock")
            self.run.hold("an interlock")

    @rule()
    def the_guard_is_late(self) -> None:
        """Longer than the lease: the engine shuts and rests by itself."""
        self.do(self.pass_time(LEASE_S, beaten=False))
        self.may_open = self.may_open and self.task.done()
        self.do(self.pass_time(0.3, beaten=False))

    @rule(full=st.booleans())
    def the_disk_is_full_or_not(self, full: bool) -> None:
        self.journal.full = full

    @rule()
    def somebody_resumes(self) -> None:
        if self.run.state in ("PAUSED", "PAUSING"):
            self.do(self._act(self._resume))

    def _resume(self) -> None:
        self._let_go()
        self.run.resume()

    @precondition(lambda self: not self.stopped_in)
    @rule()
    def somebody_stops(self) -> None:
        self.do(self._act(self._stop))

    def _stop(self) -> None:
        before = self.run.state
        self.run.stop()
        if before == "PAUSED":
            self._let_go()
        self.stopped_in = max([1, *self.journal.steps, *(cycle for _, _, cycle, _ in self.journal.intents)])

    @precondition(lambda self: self.cycles < MOST)
    @rule()
    def somebody_extends(self) -> None:
        self.do(self._act(self._extend))

    def _extend(self) -> None:
        run = self.run
        longer = with_turns(run.plan, run.extendable(), 1)  # one that is over, or being stopped, refuses it
        run.extend(replace(longer, cycles=run.plan.cycles + 1, doses=run.plan.doses + 2))
        self.cycles += 1

    def _let_go(self) -> None:
        """As the console does it: the guard beats, the engine is cleared, and only then it may open again."""
        self.beat()
        self.valves.clear()
        self.may_open = True

    async def _act(self, act: Callable[[], None]) -> None:
        """One act of a person or an interlock; what does not fit the state is refused and changes nothing."""
        before = (self.run.state, self.may_open, self.stopped_in)
        try:
            act()
        except Misplaced:
            assert before == (self.run.state, self.may_open, self.stopped_in)
        await self.pass_time(0.05)

    # --- what holds always -----------------------------------------------------------------------------------------

    @invariant()
    def halves_and_cycles_follow_one_another(self) -> None:  # I15
        if not hasattr(self, "journal"):
            return
        halves = [half for _, half, _, _ in self.journal.intents]
        assert all(0 <= b - a <= 1 for a, b in pairwise(halves))
        cycles = [cycle for _, _, cycle, _ in self.journal.intents if cycle]
        assert all(0 <= b - a <= 1 for a, b in pairwise(cycles))
        assert all(1 <= cycle <= self.cycles for cycle in cycles) and (not cycles or cycles[0] == 1)

    @invariant()
    def no_dose_is_done_twice(self) -> None:  # I15
        if hasattr(self, "widths"):
            for source, width_s in WIDTH_S.items():
                whole = [w for s, w in self.widths if s == source and w >= width_s - 0.005]
                assert len(whole) <= self.cycles

    @invariant()
    def after_a_stop_no_further_cycle_begins(self) -> None:
        if getattr(self, "stopped_in", 0):
            assert max((cycle for _, _, cycle, _ in self.journal.intents), default=0) <= self.stopped_in

    @invariant()
    def one_source_at_a_time(self) -> None:
        assert bin(getattr(self, "word", 0) & 0x3F).count("1") <= 1  # I1

    def teardown(self) -> None:
        """Liveness: with a disk, a guard and somebody who resumes, every run comes to its end, each dose done once."""
        if hasattr(self, "loop"):
            try:
                self._to_the_end()
            finally:
                self.do(self.finish())
                self.loop.close()

    def _to_the_end(self) -> None:
        self.journal.full = False
        for _ in range(40):
            if self.task.done():
                break
            self.somebody_resumes()
            self.do(self.pass_time(4.0))
        assert self.task.done(), f"a run that never ends: {self.run.state} {self.run.why_paused}"
        assert self.task.result() == ("stopped" if self.stopped_in else "completed")
        if not self.stopped_in:
            for source, width_s in WIDTH_S.items():
                whole = [w for s, w in self.widths if s == source and w >= width_s - 0.005]
                assert len(whole) == self.cycles, f"{source}: {self.widths}"

    async def finish(self) -> None:
        self.task.cancel()
        await asyncio.wait({self.task})
        await self.valves.close()
        self.listener.cancel()
        await self.tool.close()


ARun.TestCase.settings = walks()
TestARun = ARun.TestCase
