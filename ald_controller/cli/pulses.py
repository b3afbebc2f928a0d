"""Doses of known widths through a valve process, and what the module's stamps say of them.

The measuring loop of everything that looks at edges. A module whose stamps are not the kernel's would show its own
lateness; `simulators.coupler` is one that has them.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from ald_controller.valves.client import ValveClient
from ald_controller.valves.inline import InlineValves
from ald_controller.valves.wire import (
    Edge,
    Ended,
    EngineConfig,
    FromEngine,
    Held,
    Missed,
    Segment,
    SegmentId,
    SegmentRefused,
    Source,
    ValveError,
)

MS = 1_000_000
SOURCE, ALIVE = 1, 256
CONFIG = EngineConfig(
    sources=(Source("TEST", SOURCE, "test", 10_000 * MS),), segment_mask=SOURCE, aux_mask=0, alive_mask=ALIVE,
    rest_words={"UNKNOWN": 0}, min_closed_ns=0,
)  # fmt: skip

PAUSES_MS = (10, 30)
GOLDEN = 0.6180339887498949
SEGMENTS_AHEAD = 2  # with the engine at any time, as in a run
EARLY_NS = 1 * MS  # what a stamp may be wrong by
BEAT_S = 0.1
SILENCE_S = 10.0
CLEAR_S = 0.25  # the valve process says how it is ten times a second
MOST_HOLDS = 20

Valves = ValveClient | InlineValves


@dataclass(frozen=True, slots=True)
class Dose:
    """A dose that was executed; times in ms behind what was planned, at the module and where they were sent."""

    width_ms: float
    opening_late_ms: float
    closing_late_ms: float
    opening_sent_ms: float
    closing_sent_ms: float

    @property
    def width_error_ms(self) -> float:
        """How much longer, or shorter, than planned the module's output was on."""
        return self.closing_late_ms - self.opening_late_ms


@dataclass(frozen=True, slots=True)
class MissedDose:
    """A dose that was not given because its opening was so many ms late."""

    width_ms: float
    late_ms: float


@dataclass(frozen=True, slots=True)
class Played:
    """What became of doses: those executed, those missed, why the engine held.

    `unmeasured` doses were cut by a hold, or never confirmed by the module.
    """

    doses: tuple[Dose, ...] = ()
    missed: tuple[MissedDose, ...] = ()
    holds: tuple[str, ...] = ()
    unmeasured: int = 0

    def of(self, width_ms: float) -> Played:
        """The doses of one width alone."""
        return Played(
            tuple(dose for dose in self.doses if dose.width_ms == width_ms),
            tuple(dose for dose in self.missed if dose.width_ms == width_ms),
        )

    def __add__(self, other: Played) -> Played:
        return Played(
            self.doses + other.doses, self.missed + other.missed, self.holds + other.holds,
            self.unmeasured + other.unmeasured,
        )  # fmt: skip


# --- what is played ------------------------------------------------------------------------------------------------


def segment(number: int, widths_ms: Sequence[int], run: str = "measured") -> Segment:
    """One segment with a dose of each width; no two pauses have a common measure, from dose to dose and on.

    So edges meet whatever the valve process and the computer do at fixed times in every phase of it.
    """
    edges, at_ns = [(0, 0)], 0
    for i, width_ms in enumerate(widths_ms, number * len(widths_ms)):
        at_ns += _pause_ns(i)
        edges += [(at_ns, SOURCE), (at_ns + width_ms * MS, 0)]
        at_ns += width_ms * MS
    return Segment(SegmentId(run, number + 1, number), tuple(edges), at_ns + PAUSES_MS[0] * MS)


def _pause_ns(number: int) -> int:
    shortest, longest = PAUSES_MS
    return round((shortest + (number * GOLDEN % 1.0) * (longest - shortest)) * MS)


def mean_length_s(widths_ms: Sequence[int]) -> float:
    """How long a segment of these widths takes, about."""
    return (sum(widths_ms) + len(widths_ms) * sum(PAUSES_MS) / 2 + PAUSES_MS[0]) / 1e3


# --- playing ---------------------------------------------------------------------------------------------------------


@asynccontextmanager
async def started(port: int, folder: Path) -> AsyncIterator[ValveClient]:
    """A valve process of its own on the module at this port of loopback, cleared and beaten until the block ends.

    `folder` takes its lock, so that it meets nobody. Raises ValveError.
    """
    client = ValveClient("127.0.0.1", port, lock_dir=folder)
    await client.start(CONFIG)
    try:
        async with cleared(client):
            yield client
    finally:
        await client.close()


@asynccontextmanager
async def cleared(valves: Valves) -> AsyncIterator[None]:
    """Valves that were started take segments, and are beaten until the block ends; raises ValveError."""
    beats = asyncio.create_task(_beat(valves))
    try:
        await _clear(valves)
        yield
    finally:
        beats.cancel()
        with suppress(asyncio.CancelledError, ValveError):
            await beats


async def _beat(valves: Valves) -> None:
    while True:
        valves.beat(SOURCE)
        await asyncio.sleep(BEAT_S)


async def _clear(valves: Valves) -> None:
    """Until the engine takes segments; raises ValveError when it does not."""
    for _ in range(round(SILENCE_S / CLEAR_S)):
        await asyncio.sleep(0)  # a beat comes first
        valves.clear()
        await asyncio.sleep(CLEAR_S)
        if valves.status is not None and not valves.status.held:
            return
    raise ValveError(f"the valve engine stays held: {valves.status.held if valves.status else 'it says nothing'}")


async def play(
    valves: Valves, segments: Iterable[Segment], told: Callable[[], None] = lambda: None
) -> list[FromEngine]:
    """Everything that the engine said while it played these segments; `told` is called at the end of each.

    A hold loses what was queued, and the rest is played after it. Raises ValveError when there is no going on.
    """
    player = _Player(valves, iter(segments), told)
    await player.run()
    return player.seen


class _Player:
    def __init__(self, valves: Valves, segments: Iterator[Segment], told: Callable[[], None]) -> None:
        self._valves, self._segments, self._told = valves, segments, told
        self._queued = 0
        self._refused = False  # because of a hold that has not been heard of yet
        self._cleared_ns = 0
        self._holds = 0
        self.seen: list[FromEngine] = []

    async def run(self) -> None:
        events = self._valves.events()
        await self._fill()
        while self._queued or self._refused:
            try:
                async with asyncio.timeout(SILENCE_S):
                    message = await anext(events)
            except TimeoutError:
                raise ValveError(f"the valve process said nothing for {SILENCE_S:g} s") from None
            self.seen.append(message)
            if isinstance(message, Ended):
                self._queued -= 1
                self._told()
            elif isinstance(message, Held) and message.at_ns > self._cleared_ns:
                await self._go_on(message.why)
            if not self._refused:
                await self._fill()

    async def _fill(self) -> None:
        while self._queued < SEGMENTS_AHEAD and (following := next(self._segments, None)) is not None:
            try:
                await self._valves.load(following)
            except SegmentRefused as error:
                if "the engine is held" not in str(error):
                    raise
                self._refused = True
                return
            self._queued += 1

    async def _go_on(self, why: str) -> None:
        self._holds += 1
        if self._holds > MOST_HOLDS:
            raise ValveError(f"the valve engine held {self._holds} times, the last time because of '{why}'")
        await _clear(self._valves)
        self._cleared_ns = round(asyncio.get_running_loop().time() * 1e9)
        self._queued, self._refused = 0, False


# --- what became of it -----------------------------------------------------------------------------------------------


def judged(seen: Iterable[FromEngine], words: Iterable[tuple[float, int]], widths_ms: Sequence[int]) -> Played:
    """What the engine said of segments of these widths, with the stamps (seconds, word) of the module's outputs."""
    heard, stamps = list(seen), _Stamps(words)
    doses, unmeasured = [], 0
    edges = [message for message in heard if isinstance(message, Edge)]
    for opening, closing in _pairs(edges):
        width_ms = (closing.due_ns - opening.due_ns) / MS
        opened_ns, closed_ns = stamps.of(opening), stamps.of(closing)
        if width_ms not in widths_ms or opened_ns is None or closed_ns is None:
            unmeasured += 1
            continue
        late = [(at_ns - edge.due_ns) / 1e6 for edge, at_ns in ((opening, opened_ns), (closing, closed_ns))]
        sent = [(edge.sent_ns - edge.due_ns) / 1e6 for edge in (opening, closing)]
        doses.append(Dose(width_ms, *late, *sent))
    missed = tuple(
        MissedDose(widths_ms[(message.index - 1) // 2], message.late_ns / 1e6)
        for message in heard if isinstance(message, Missed)
    )  # fmt: skip
    holds = tuple(message.why for message in heard if isinstance(message, Held))
    return Played(tuple(doses), missed, holds, unmeasured)


def _pairs(edges: Iterable[Edge]) -> Iterator[tuple[Edge, Edge]]:
    """Every opening with its closing."""
    opening: Edge | None = None
    for edge in edges:
        if opening is None and edge.word & SOURCE:
            opening = edge
        elif opening is not None and not edge.word & SOURCE:
            yield opening, edge
            opening = None


class _Stamps:
    """When the source's output changed at the module, asked for in the order of time."""

    def __init__(self, words: Iterable[tuple[float, int]]) -> None:
        self._changes: list[tuple[int, int]] = []
        before = 0
        for at_s, word in words:
            if (word ^ before) & SOURCE:
                self._changes.append((round(at_s * 1e9), word & SOURCE))
            before = word
        self._next = 0

    def of(self, edge: Edge) -> int | None:
        """The stamp of the change that this edge made, in ns; None where the module saw none of it."""
        changes = self._changes
        while self._next < len(changes) and changes[self._next][0] < edge.due_ns - EARLY_NS:
            self._next += 1
        if self._next == len(changes) or not edge.confirmed_ns:
            return None
        at_ns, bit = changes[self._next]
        if bit != edge.word & SOURCE or at_ns > edge.confirmed_ns + EARLY_NS:
            return None
        self._next += 1
        return at_ns
