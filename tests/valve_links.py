"""A valve process whose link and module are made to fail: what its daemon was told, and what the module saw.

Opening words bear a number in spare coils, so that each one that the module received is compared with the very edge
that the daemon was told of. Both clocks are CLOCK_MONOTONIC.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
import socket
import time
from collections.abc import AsyncIterator, Callable
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from functools import partial
from math import inf
from pathlib import Path

from ald_controller.valves.client import ValveClient
from ald_controller.valves.wire import (
    Anchored,
    Edge,
    Ended,
    Fault,
    FromEngine,
    Held,
    Missed,
    Refused,
    Segment,
    SegmentId,
    ValveError,
)
from tests.valve_rig import CONFIG, H2O, LTB, MS, SOURCES, TMA, Coupler, beat_for_ever, coupler

NUMBER_AT, NUMBERS = 9, 128  # the seven coils that neither valve nor lamp hangs on
NUMBERED = replace(CONFIG, segment_mask=CONFIG.segment_mask | (NUMBERS - 1) << NUMBER_AT)

OWN = TMA | LTB  # what the valve process opens here; H2O is for the second writer

CONFIRM_S, LATE_S, WATCHDOG_S, LEASE_S = 0.020, 0.005, 0.5, 1.0
ROUND_S = 0.1  # within this time every coil is read back and written again
PAUSE_S = 0.020  # between one connection and the next
RECONNECT_S = PAUSE_S + 0.020  # and an attempt that may fail
MARGIN_S = 0.25  # this machine is shared: what is promised is far less, and printed
STAMP_S = 0.001  # by which the module's stamps and the valve process's may disagree
TICK_S = 0.004
COUNT, PERIOD_NS = 7, 40 * MS


@dataclass(frozen=True, slots=True)
class Opening:
    """One opening as the module received it, with the edge that the daemon was told of."""

    at_s: float
    edge: Edge

    @property
    def late_s(self) -> float:
        return self.at_s - self.edge.due_ns / 1e9


class Links:
    """One module, the valve process that writes to it, and a daemon that beats and keeps what it is told."""

    def __init__(self, module: Coupler, folder: Path) -> None:
        self.module, self._folder = module, folder
        self.client = self._new()
        self.told: list[FromEngine] = []
        self.gone: ValveError | None = None  # what the daemon was told when its valve process was gone
        self._seen = 0  # lines of the trace of which `mark` has disposed
        self._number = self._run = 0
        self._tasks: list[asyncio.Task[None]] = []

    async def fresh(self) -> None:
        """End the valve process, if there is one, and start another, which comes up latched; reset it."""
        await self.close()
        self.client, self.gone = self._new(), None
        await self.client.start(NUMBERED)
        self._tasks = [asyncio.create_task(beat_for_ever(self.client)), asyncio.create_task(self._listen())]
        self.client.state("VACUUM")
        await asyncio.sleep(0)  # the first beat
        self.client.clear()
        await self.until(lambda: self.held == "", "it is not cleared")
        self.mark()

    def _new(self) -> ValveClient:
        return ValveClient("127.0.0.1", self.module.port, lock_dir=self._folder)

    async def close(self) -> None:
        """End the valve process; a module that stays open is an error, one that cannot be reached is none."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks.clear()
        await self.client.close()

    async def _listen(self) -> None:
        try:
            async for message in self.client.events():
                self.told.append(message)
        except ValveError as error:
            self.gone = error

    async def until(self, what: Callable[[], object], why: str, timeout_s: float = 5.0) -> None:
        """Wait for something to be so; the error says what had been told and seen."""
        end_s = time.monotonic() + timeout_s
        while not what():
            if time.monotonic() > end_s:
                raise AssertionError(f"{why}; held {self.held!r}, told {self.told[-6:]}, seen {self.lines()[-8:]}")
            await asyncio.sleep(TICK_S)

    # --- what is done ----------------------------------------------------------------------------------------------

    def mark(self) -> None:
        """Forget what was told and seen so far."""
        self.told.clear()
        self._seen = len(self.module.lines())

    def _numbered(self, word: int) -> int:
        self._number = (self._number + 1) % NUMBERS
        return word | self._number << NUMBER_AT

    def segment(self, word: int, width_ns: int, *, count: int = 1, period_ns: int = 0) -> Segment:
        """Openings of a source one after the other, as a run of its own."""
        edges: list[tuple[int, int]] = []
        for at_ns in range(10 * MS, 10 * MS + count * max(period_ns, 1), max(period_ns, 1)):
            edges += [(at_ns, self._numbered(word)), (at_ns + width_ns, 0)]
        self._run += 1
        return Segment(SegmentId(f"run-{self._run}", 1, 0), tuple(edges), edges[-1][0] + 20 * MS)

    async def pulses(self, width_ns: int = 15 * MS, count: int = COUNT, period_ns: int = PERIOD_NS) -> None:
        """Load a run of short doses."""
        await self.client.load(self.segment(TMA, width_ns, count=count, period_ns=period_ns))

    async def announced(self, segment: Segment) -> float:
        """Load a segment; returns when its first edge is due."""
        self.told.clear()
        await self.client.load(segment)
        await self.until(lambda: any(isinstance(each, Anchored) for each in self.told), "it is not accepted")
        at_ns = next(each.at_ns for each in self.told if isinstance(each, Anchored))
        return (at_ns + segment.edges[0][0]) / 1e9

    async def dose(self, width_ns: int, timeout_s: float = 5.0) -> None:
        """Load one long dose, and wait until the module has opened.

        On a starved computer an opening may come too late to be made: the dose is then loaded once more, when its
        segment has ended. The third in a row would hold the engine, as it should.
        """
        if not (await self._opens(width_ns, timeout_s) or await self._opens(width_ns, timeout_s)):
            raise AssertionError(f"two openings running came too late to be made: {self.told}")

    async def _opens(self, width_ns: int, timeout_s: float) -> bool:
        """Load a dose; False when its opening came too late, and its segment has ended."""
        before, told = len(self.opened()), len(self.told)
        late = partial(self._was_told, Missed, told)
        await self.client.load(self.segment(LTB, width_ns))
        await self.until(lambda: len(self.opened()) > before or late(), "the dose did not open", timeout_s)
        if late():
            await self.until(partial(self._was_told, Ended, told), "the segment does not end", timeout_s)
        return not late()

    def _was_told(self, what: type[FromEngine], since: int) -> bool:
        """Whether such a message has come behind the first `since`."""
        return any(isinstance(each, what) for each in self.told[since:])

    async def fail(self, fault: str, **how: float) -> float:
        """Let a fault begin; returns when it had begun."""
        self.module.fail(fault, **how)
        await self.until(lambda: self._when(fault, on=True), f"{fault} did not begin")
        return self._when(fault, on=True)[-1]

    async def over(self, fault: str) -> float:
        """Wait for the end of a fault; returns when it ended."""
        await self.until(lambda: self._when(fault, on=False), f"{fault} did not end")
        return self._when(fault, on=False)[-1]

    # --- what was told ---------------------------------------------------------------------------------------------

    @property
    def held(self) -> str | None:
        """Why the engine is held, by its newest status."""
        return None if self.client.status is None else self.client.status.held

    def faults(self) -> list[Fault]:
        return [message for message in self.told if isinstance(message, Fault)]

    async def fault(self, what: str) -> Fault:
        """The first fault that says so."""
        await self.until(lambda: any(what in fault.what for fault in self.faults()), f"no fault says '{what}'")
        return next(fault for fault in self.faults() if what in fault.what)

    async def linked(self, since_s: float) -> bool:
        """Wait for the module to be reached again; False if it had tripped meanwhile, as its count says."""
        await self.until(lambda: self._proven(since_s) or self._tripped, "the module is not reached")
        return not self._tripped

    def _proven(self, since_s: float) -> bool:
        status = self.client.status
        return status is not None and status.connected and status.at_ns / 1e9 > since_s

    @property
    def _tripped(self) -> bool:
        return any("the module's watchdog tripped" in fault.what for fault in self.faults())

    async def refuses_to_clear(self, why: str) -> None:
        """A reset is asked for and refused for this reason."""
        before = len(self.told)
        self.client.clear()
        await self.until(lambda: any(isinstance(each, Refused) for each in self.told[before:]), "nothing is refused")
        refused = next(each.why for each in self.told[before:] if isinstance(each, Refused))
        assert why in refused, refused

    async def goes_on(self) -> None:
        """A reset is enough: the module is proven again, and a run that is loaded anew goes."""
        self.client.clear()
        await self.until(lambda: self.held == "", "it is not cleared")
        self.mark()
        await self.pulses(count=2)
        await self.until(lambda: any(isinstance(each, Ended) for each in self.told), "the new run does not end")
        assert len(self.openings()) == 2 and not self.open

    async def recovered(self) -> bool:
        """What a person does: a reset, or a fresh valve process where it is refused; returns whether it was enough."""
        asked_s = time.monotonic()
        try:
            await self.until(lambda: self._proven(asked_s), "the module is not reached", 1.0)
        except AssertionError:
            if self.gone is None:
                await self.refuses_to_clear("not cleared: ")
            await self.fresh()
        enough = time.monotonic() - asked_s < 1.0
        await self.goes_on()
        return enough

    # --- what was seen ---------------------------------------------------------------------------------------------

    def lines(self) -> list[dict[str, object]]:
        """The trace since the mark."""
        return self.module.lines()[self._seen :]

    def changes(self) -> list[tuple[float, int, str]]:
        """Time, word and cause of each change since the mark."""
        return [(each["t"], each["word"], each["cause"]) for each in self.lines() if "word" in each]  # type: ignore[misc]

    def _when(self, fault: str, *, on: bool) -> list[float]:
        return [each["t"] for each in self.lines() if each.get("fault") == fault and each["on"] is on]  # type: ignore[misc]

    @property
    def open(self) -> bool:
        """Whether a source is open now, as the module sees it."""
        changes = self.changes()
        return bool(changes) and bool(changes[-1][1] & SOURCES)

    @property
    def closed_alone(self) -> bool:
        """Whether the module's watchdog has closed a source since the mark."""
        return any(cause == "watchdog" for _, _, cause in self.changes())

    def shut_at_s(self) -> float:
        """When the module closed last."""
        assert not self.open
        before, shut_s = 0, 0.0
        for at_s, word, _ in self.changes():
            if before & SOURCES and not word & SOURCES:
                shut_s = at_s
            before = word
        return shut_s

    async def shut(self, timeout_s: float = 5.0) -> float:
        """Wait until the module is shut; returns when it closed last."""
        await self.until(lambda: not self.open, "the module stays open", timeout_s)
        return self.shut_at_s()

    def opened(self) -> list[tuple[float, int]]:
        """Time and word of every opening of TMA and LTB that the module received since the mark."""
        changes = self.changes()
        words = [0, *(word for _, word, _ in changes)]
        return [(at_s, word) for (at_s, word, _), before in zip(changes, words, strict=False) if word & OWN & ~before]

    def openings(self) -> list[Opening]:
        """The same with what the daemon was told of each; one that it was not told of, or wrongly, is an error."""
        edges = {edge.word >> NUMBER_AT: edge for edge in self.told if isinstance(edge, Edge) and edge.word & SOURCES}
        found = []
        for at_s, word in self.opened():
            edge = edges.get(word >> NUMBER_AT)
            assert edge is not None and edge.sent_ns, f"an opening that nobody was told of: {at_s} {word:#06x}"
            until_s = edge.confirmed_ns / 1e9 if edge.confirmed_ns else inf
            # `sent` is stamped when the call has returned, late by a process that is held up: due is what counts
            assert edge.due_ns / 1e9 - STAMP_S <= at_s <= until_s + STAMP_S, f"received at {at_s}, told as {edge}"
            found.append(Opening(at_s, edge))
        return found

    def widths_s(self) -> list[float]:
        """How long a source was open, each time since the mark."""
        since_s, widths = None, []
        for at_s, word, _ in self.changes():
            if word & SOURCES and since_s is None:
                since_s = at_s
            elif not word & SOURCES and since_s is not None:
                widths.append(at_s - since_s)
                since_s = None
        return widths

    def told_widths_s(self) -> list[float]:
        """The same as the daemon was told, between the edges as they were sent."""
        sent_s = [each.sent_ns / 1e9 for each in self.told if isinstance(each, Edge)]
        return [closed_s - opened_s for opened_s, closed_s in zip(sent_s[::2], sent_s[1::2], strict=True)]

    def stayed_shut(self) -> None:
        """After it was held nothing opened, whatever was loaded or lay in some queue."""
        held_s = min(each.at_ns for each in self.told if isinstance(each, Held)) / 1e9
        after = [opening for opening in self.openings() if opening.at_s > held_s]
        assert not after, f"held at {held_s}, and then opened: {after}"


@asynccontextmanager
async def links(folder: Path) -> AsyncIterator[Links]:
    """A module, a cleared valve process and a beating daemon."""
    with ExitStack() as stack:
        made = Links(await asyncio.to_thread(stack.enter_context, coupler(folder)), folder)
        try:
            await made.fresh()
            yield made
        finally:
            await made.close()


async def stopped(made: Links, ms: float) -> tuple[float, float]:
    """Stop the valve process for so long; returns when it stopped and when it went on."""
    assert made.client.pid is not None
    stopped_s = time.monotonic()
    os.kill(made.client.pid, signal.SIGSTOP)
    await asyncio.sleep(ms / 1e3)
    on_s = time.monotonic()
    os.kill(made.client.pid, signal.SIGCONT)
    return stopped_s, on_s


async def write_beside(made: Links) -> float:
    """A second writer opens H2O over a connection of its own; returns when the module had done it."""
    with socket.create_connection(("127.0.0.1", made.module.port)) as foreign:
        foreign.sendall(bytes.fromhex("0001 0000 0006 01 05 0001 ff00"))
        await made.until(lambda: any(word & H2O for _, word, _ in made.changes()), "it did not open")
    return next(at_s for at_s, word, _ in made.changes() if word & H2O)


# --- cuts at random --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Cut:
    """The cable was out once, at a random moment of short doses or of a long one."""

    long: bool
    dark_s: float
    at_s: float
    fault: str  # "": nobody noticed, because nothing was on the wire meanwhile, or it came through in time
    tripped: bool
    open_s: float  # from the cut until the module was shut for good; 0 when it was shut before
    light_s: float  # from the end of the cut until then
    late_s: tuple[float, ...]  # of every opening word that the module received
    off_s: tuple[float, ...]  # width errors of the doses, where nobody noticed

    def __str__(self) -> str:
        kind, how = "dose" if self.long else "pulses", "trip" if self.tripped else self.fault or "unnoticed"
        return f"{kind}, dark {self.dark_s * 1e3:.1f} ms, shut {self.open_s * 1e3:.1f} ms after the cut, {how}"


async def cut(made: Links, dice: random.Random) -> Cut:
    """Cut the link at a random moment, check what is promised, and bring the tool back as a person would."""
    made.mark()
    long = dice.random() < 0.4
    width_ns = COUNT * PERIOD_NS if long else dice.choice((5, 15)) * MS
    await (made.dose(width_ns) if long else made.pulses(width_ns))
    await asyncio.sleep(dice.uniform(0.0, 0.9 * COUNT * PERIOD_NS / 1e9))
    dark_s = 0.005 * 120 ** dice.random()  # as many from 5 to 12 ms as from 250 to 600 ms
    on_s = await made.fail("dark", ms=dark_s * 1e3)
    off_s = await made.over("dark")
    await made.until(lambda: any(isinstance(each, Held | Ended) for each in made.told), "neither an end nor a fault")
    shut_s = await made.shut()
    fault = next((fault.what for fault in made.faults()), "")
    openings = made.openings()
    late_s = tuple(opening.late_s for opening in openings)
    assert all(0 <= late <= CONFIRM_S + LATE_S for late in late_s), f"opened late by {max(late_s)} s"
    tripped = bool(fault) and not await made.linked(off_s)
    if fault:
        assert shut_s <= min(off_s + CONFIRM_S + RECONNECT_S, on_s + WATCHDOG_S) + MARGIN_S, f"shut at {shut_s}"
        await _held(made, tripped)
    off = () if fault else tuple(width - width_ns / 1e9 for width in made.widths_s())
    assert fault or len(openings) == (1 if long else COUNT), "a dose is missing and nobody was told"
    return Cut(long, dark_s, on_s, fault, tripped, max(0.0, shut_s - on_s), max(0.0, shut_s - off_s), late_s, off)


async def _held(made: Links, tripped: bool) -> None:
    """Nothing goes on by itself; a reset is enough unless the module has closed alone."""
    await asyncio.sleep(0.12)  # more than two periods: a run that went on would show
    made.stayed_shut()
    assert made.held is not None and made.held.startswith("fault: ")
    assert tripped or not made.closed_alone
    if tripped:
        await made.refuses_to_clear("the module's watchdog tripped")
        await made.fresh()
    await made.goes_on()


def quantiles(what: str, values_s: list[float]) -> str:
    """One line of figures in ms."""
    ordered = sorted(values_s) or [0.0]
    at = {"p50": 0.5, "p90": 0.9, "p99": 0.99, "max": 1.0}
    picked = (
        f"{name} {ordered[min(len(ordered) - 1, int(len(ordered) * share))] * 1e3:.2f}" for name, share in at.items()
    )
    return f"{what}: n {len(values_s)}, {', '.join(picked)} ms"
