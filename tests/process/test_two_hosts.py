"""The engine on its two hosts: the real-time process and its twin on the virtual clock write the same words at the same
offsets, whatever is loaded, trimmed, and refused."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random

from ald_controller.valves.client import ValveClient
from ald_controller.valves.face import ValveFace
from ald_controller.valves.inline import InlineValves
from ald_controller.valves.wire import Anchored, Edge, Ended, Missed, Segment, SegmentId, SegmentRefused
from simulators.valve_beckhoff import CouplerA
from simulators.virtualtime import run_virtual
from tests.valve_rig import CONFIG, H2O, LTB, MS, SOURCES, STOP, TMA, beat_for_ever, coupler

QUICK = replace(CONFIG, min_closed_ns=30 * MS, late_ns=400 * MS)  # nothing is missed on a machine that stands still
RUNS, SEGMENTS = 12, 4
ILLEGAL = (1 << 9, TMA | H2O, STOP)  # no output, two sources, not the rest word
Said = list[tuple[str, int, int, int]]  # what, number of the segment, number of the edge or offset, word


@dataclass(frozen=True)
class Script:
    """Segments of one run, the refused ones included."""

    name: str
    segments: tuple[Segment, ...]


def scripts(seed: int) -> Iterator[Script]:
    """Runs of doses in random order, width and distance; every third segment or so breaks a rule."""
    random = Random(seed)
    for run in range(RUNS):
        segments = []
        for half in range(SEGMENTS):
            edges, at = [], random.choice((0, 3, 40)) * MS
            for _ in range(random.randint(0, 3)):
                over = random.choice((0, STOP))
                word, width = random.choice((TMA, H2O, LTB)) | over, random.choice((2, 15, 40)) * MS
                edges += [(at, over), (at, word), (at + width, over), (at + width, 0)]
                at += width + random.choice((10, 30, 55)) * MS
            if edges and random.random() < 0.3:
                edges[-1] = (edges[-1][0], random.choice(ILLEGAL))
            segments.append(Segment(SegmentId(f"run {run}", 1, half), tuple(edges), at + 5 * MS))
        yield Script(f"run {run}", tuple(segments))


async def played(valves: ValveFace, script: Script) -> Said:
    """Load every segment of a script as it comes, wait for the end of the last, and tell what the engine told."""
    said: Said = []
    accepted: list[SegmentId] = []
    for segment in script.segments:
        try:
            await valves.load(segment)
            accepted.append(segment.id)
        except SegmentRefused as refused:
            said.append((f"refused: {refused}", segment.id.half, 0, 0))
    anchors: dict[SegmentId, int] = {}
    while accepted:
        message = await anext(aiter(valves.events()))
        if isinstance(message, Anchored):
            anchors[message.id] = message.at_ns
        elif isinstance(message, Edge):
            said.append(("edge", message.id.half, message.due_ns - anchors[message.id], message.word))
        elif isinstance(message, Missed):
            raise AssertionError(f"this machine stood still for {message.late_ns / 1e6:.0f} ms")
        elif isinstance(message, Ended) and message.id == accepted[-1]:
            break
    return said


async def hosted(valves: ValveFace, start: Callable[[], Awaitable[object]], seed: int) -> list[Said]:
    """Every script on one host."""
    await start()
    beats = asyncio.create_task(beat_for_ever(valves))
    try:
        valves.state("VACUUM")
        await asyncio.sleep(0)  # the first beat
        valves.clear()
        return [await played(valves, script) for script in scripts(seed)]
    finally:
        beats.cancel()
        with suppress(asyncio.CancelledError):
            await beats


def on_the_virtual_clock(seed: int) -> list[Said]:
    async def run() -> list[Said]:
        valves = InlineValves(CouplerA())
        try:
            return await hosted(valves, lambda: valves.start(QUICK), seed)
        finally:
            await valves.close()

    return run_virtual(run())


async def test_the_process_and_its_twin_write_the_same_words_at_the_same_offsets(tmp_path: Path) -> None:
    seed = 20261
    twin = await asyncio.to_thread(on_the_virtual_clock, seed)
    with coupler(tmp_path) as module:
        client = ValveClient("127.0.0.1", module.port, lock_dir=tmp_path)
        process = await hosted(client, lambda: client.start(QUICK), seed)
        await client.close()
        words = [word & (SOURCES | STOP) for _, word in module.words()]
    assert process == twin
    edges = [said for script in twin for said in script if said[0] == "edge"]
    refused = [said for script in twin for said in script if said[0].startswith("refused")]
    assert len(edges) > 100 and len(refused) > 5, "the scripts say something"
    assert sum(bool(word & SOURCES) for word in words) == sum(bool(word & SOURCES) for _, _, _, word in edges)
