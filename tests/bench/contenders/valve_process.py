"""The valve process as the daemon uses it, against the simulated coupler as a process of its own."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path
from time import monotonic

from ald_controller.valves.client import ValveClient
from ald_controller.valves.wire import Edge, Ended, FromEngine, Held, Missed, Segment, SegmentId
from tests.bench.contenders.program import LONGEST_S
from tests.bench.contenders.pulses import (
    DRIFT_CYCLES,
    DRIFT_PAUSE_MS,
    DRIFT_WIDTH_MS,
    HELD,
    LEFT_OUT,
    PAUSE_MS,
    QUICK,
    SHOWN,
    Figure,
    Pulse,
    Sent,
    drift,
    figures,
    pulses,
    toggles,
)
from tests.bench.machine import real_time_allowed
from tests.valve_rig import MS, TMA, coupler, valves

PER_SEGMENT = 10
TRIES = 3  # of a turn in which this computer stood still for longer than a word may stay unconfirmed
DEGRADED = {200: 10}  # shorter doses are refused


class ValveProcess:
    """Doses of a few widths, the next segment always queued in time."""

    name = "valve process"
    shows = SHOWN

    def __init__(self) -> None:
        self._degraded = not real_time_allowed()

    def missing(self) -> str:
        """It is always here."""
        return ""

    def turn(self, folder: Path) -> Iterable[Figure]:
        """One fresh valve process on one fresh coupler."""
        series = DEGRADED if self._degraded else QUICK
        seen, found, held = _run(folder, list(_segments(series, PAUSE_MS)))
        late = (Figure(0, LEFT_OUT, each.late_ns / 1e6) for each in seen if isinstance(each, Missed))
        return chain(figures(found), late, held)

    def drift(self, folder: Path) -> Iterable[Figure]:
        """One opening more than cycles, in segments that follow one another without a gap."""
        if self._degraded:
            return ()
        segments = list(_segments({DRIFT_WIDTH_MS: DRIFT_CYCLES + 1}, DRIFT_PAUSE_MS))
        seen, found, held = _run(folder, segments)
        return chain(drift(zip(_numbers(seen), (pulse.opened_ms for pulse in found), strict=True)), held)

    def note(self) -> str:
        """What a reader must know beside the figures."""
        return "DEGRADED TIMING: doses of 200 ms alone" if self._degraded else ""


class _Held(Exception):
    """The engine held: `after_ms` behind the start of the turn."""

    def __init__(self, why: str, after_ms: float) -> None:
        super().__init__(f"the valve process held: {why}")
        self.after_ms = after_ms


def _run(folder: Path, segments: list[Segment]) -> tuple[list[FromEngine], list[Pulse], list[Figure]]:
    """What the engine said, every pulse that it executed, and a figure for every turn that was lost to a hold."""
    held: list[Figure] = []
    while True:
        try:
            return *_once(folder, segments), held
        except _Held as error:
            held.append(Figure(0, HELD, error.after_ms))
            print(f"    {error}", flush=True)
            if len(held) == TRIES:
                raise


def _once(folder: Path, segments: list[Segment]) -> tuple[list[FromEngine], list[Pulse]]:
    with tempfile.TemporaryDirectory(dir=folder) as own, coupler(Path(own)) as module:
        seen = asyncio.run(_pulse(module.port, Path(own), segments))
        words = module.words()
    told = [edge for edge, _ in toggles((each, each.word) for each in seen if isinstance(each, Edge))]
    widths = [edge.id.cycle for edge in told if edge.word & TMA]
    return seen, pulses(widths, [Sent(edge.due_ns, edge.sent_ns, edge.confirmed_ns) for edge in told], words)


async def _pulse(port: int, folder: Path, segments: list[Segment]) -> list[FromEngine]:
    async with asyncio.timeout(LONGEST_S), valves(port, folder) as client:
        return await _feed(client, segments)


async def _feed(client: ValveClient, segments: list[Segment]) -> list[FromEngine]:
    """Two segments are with the engine at any time, as in a run. Raises _Held."""
    start_s = monotonic()
    seen: list[FromEngine] = []
    waiting = iter(segments[2:])
    for segment in segments[:2]:
        await client.load(segment)
    async for message in client.events():
        seen.append(message)
        if isinstance(message, Held):
            raise _Held(message.why, (monotonic() - start_s) * 1e3)
        if isinstance(message, Ended):
            if message.id == segments[-1].id:
                break
            if (following := next(waiting, None)) is not None:
                await client.load(following)
    return seen


def _segments(series: dict[int, int], pause_ms: int) -> Iterator[Segment]:
    """Ten doses a segment, one width after the other; the cycle's number says the width."""
    number = 0
    for width_ms, count in series.items():
        while count > 0:
            doses = min(count, PER_SEGMENT)
            yield _segment(number, width_ms, pause_ms, doses)
            number, count = number + 1, count - doses


def _segment(number: int, width_ms: int, pause_ms: int, doses: int) -> Segment:
    edges = [(0, 0)]
    for at_ms in range(0, doses * (width_ms + pause_ms), width_ms + pause_ms):
        at_ns = at_ms * MS + pause_ms * MS // 2
        edges += [(at_ns, TMA), (at_ns + width_ms * MS, 0)]
    return Segment(SegmentId("bench", width_ms, number), tuple(edges), doses * (width_ms + pause_ms) * MS)


def _numbers(seen: Iterable[FromEngine]) -> Iterator[int]:
    """The number of every dose that was executed, counting those missed: openings are the odd edges of a segment."""
    edges = (each for each in seen if isinstance(each, Edge) and each.word & TMA)
    return (edge.id.half * PER_SEGMENT + edge.index // 2 for edge in edges)
