"""The valve process as the daemon uses it, against the simulated coupler as a process of its own."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Iterable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import TypeVar

from ald_controller.valves.client import ValveClient
from ald_controller.valves.wire import Edge, Ended, FromEngine, Missed, Segment, SegmentId
from tests.bench.machine import real_time_allowed
from tests.valve_rig import MS, TMA, coupler, valves

PAUSE_MS = 20
PER_SEGMENT = 10
SEGMENTS = {5: 10, 15: 10, 100: 6}  # width of the doses in ms -> segments of a turn
SEGMENTS_DEGRADED = {200: 4}  # shorter doses are refused

T = TypeVar("T")


class ValveProcess:
    """Doses of a few widths, the next segment always queued in time; the widths are those of the kernel's stamps."""

    name = "valve process"

    def __init__(self) -> None:
        self._segments = SEGMENTS if real_time_allowed() else SEGMENTS_DEGRADED
        self._missed_ms: list[float] = []

    def missing(self) -> str:
        """It is always here."""
        return ""

    def turn(self, folder: Path) -> Iterable[tuple[str, float]]:
        """One fresh valve process on one fresh coupler."""
        with tempfile.TemporaryDirectory(dir=folder) as own, coupler(Path(own)) as module:
            edges = asyncio.run(self._pulse(module.port, Path(own)))
            stamps_ms = [at_s * 1e3 for at_s, _ in _toggles(module.words())]
        if len(edges) != len(stamps_ms):
            raise RuntimeError(f"the valve process told {len(edges)} edges, the module saw {len(stamps_ms)}")
        return _figures(list(zip(edges, stamps_ms, strict=True)))

    def note(self) -> str:
        """What a reader must know beside the figures."""
        if not self._missed_ms:
            return ""
        return f"not in these rows: {len(self._missed_ms)} missed doses, up to {max(self._missed_ms):.1f} ms late"

    async def _pulse(self, port: int, folder: Path) -> list[Edge]:
        async with valves(port, folder) as client:
            seen = await _feed(client, list(_segments(self._segments)))
        self._missed_ms += [each.late_ns / 1e6 for each in seen if isinstance(each, Missed)]
        return [edge for edge, _ in _toggles((each, each.word) for each in seen if isinstance(each, Edge))]


async def _feed(client: ValveClient, segments: list[Segment]) -> list[FromEngine]:
    """Two segments are with the engine at any time, as in a run; everything that it says."""
    seen: list[FromEngine] = []
    waiting = iter(segments[2:])
    for segment in segments[:2]:
        await client.load(segment)
    async for message in client.events():
        seen.append(message)
        if isinstance(message, Ended):
            if message.id == segments[-1].id:
                break
            if (following := next(waiting, None)) is not None:
                await client.load(following)
    return seen


def _segments(doses: dict[int, int]) -> Iterator[Segment]:
    """Ten doses a segment, one width after the other; the cycle's number says the width."""
    widths = [width_ms for width_ms, count in doses.items() for _ in range(count)]
    for number, width_ms in enumerate(widths):
        edges = [(0, 0)]
        for dose in range(PER_SEGMENT):
            at_ns = (PAUSE_MS // 2 + dose * (width_ms + PAUSE_MS)) * MS
            edges += [(at_ns, TMA), (at_ns + width_ms * MS, 0)]
        length_ns = PER_SEGMENT * (width_ms + PAUSE_MS) * MS
        yield Segment(SegmentId("bench", width_ms, number), tuple(edges), length_ns)


def _figures(edges: list[tuple[Edge, float]]) -> Iterator[tuple[str, float]]:
    """Openings and closings take turns, and an opening that is missed takes its closing along."""
    for (opening, opened_ms), (closing, closed_ms) in list(pairwise(edges))[::2]:
        width_ms = opening.id.cycle
        for edge, stamp_ms in ((opening, opened_ms), (closing, closed_ms)):
            yield f"{width_ms} ms pulse: edge sent after due", (edge.sent_ns - edge.due_ns) / 1e6
            yield f"{width_ms} ms pulse: edge at the module after due", stamp_ms - edge.due_ns / 1e6
            yield "any pulse: answer of the module after sent", (edge.confirmed_ns - edge.sent_ns) / 1e6
        yield f"{width_ms} ms pulse: error of its width at the module", abs(closed_ms - opened_ms - width_ms)


def _toggles(words: Iterable[tuple[T, int]]) -> list[tuple[T, int]]:
    """The entries at which the source opened or closed."""
    before, found = 0, []
    for at, word in words:
        if (word ^ before) & TMA:
            found.append((at, word))
        before = word
    return found
