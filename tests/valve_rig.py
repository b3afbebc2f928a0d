"""The simulated coupler as a process, a daemon that can be killed, and the words of the tool that both speak of."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ald_controller.valves.client import ValveClient
from ald_controller.valves.wire import EngineConfig, FromEngine, Segment, SegmentId, Source

ROOT = Path(__file__).resolve().parents[1]
MS = 1_000_000
S = 1_000_000_000
TMA, H2O, LTB, STOP, CONTACTOR, ALIVE = 1, 2, 4, 64, 128, 256
SOURCES = TMA | H2O | LTB

CONFIG = EngineConfig(
    sources=(
        Source("TMA", TMA, "metal-organic", 1 * S),
        Source("H2O", H2O, "protic", 5 * S),
        Source("LTB", LTB, "metal-organic", 12 * S),
    ),
    segment_mask=SOURCES | STOP,
    aux_mask=CONTACTOR,
    alive_mask=ALIVE,
    rest_words={"VACUUM": 0, "AT_BOX": STOP, "UNKNOWN": STOP},
    min_closed_ns=1 * S,
)


def dose(half: int, word: int, width_ns: int, length_ns: int, *, run: str = "r", start_ns: int = 0) -> Segment:
    """A segment of one dose."""
    edges = ((0, 0), (start_ns, word), (start_ns + width_ns, 0))
    return Segment(SegmentId(run, half + 1, half), edges, length_ns)


@dataclass
class Coupler:
    """A running simulated coupler, and its trace: one line per change of the outputs, on CLOCK_MONOTONIC."""

    process: subprocess.Popen[bytes]
    port: int
    trace: Path
    _lines: list[dict[str, Any]] = field(default_factory=list)
    _read: int = 0

    def lines(self) -> list[dict[str, Any]]:
        """Every line so far but the first."""
        with self.trace.open("rb") as trace:
            trace.seek(self._read)
            whole = trace.read().rpartition(b"\n")[0]
        if whole:
            self._read += len(whole) + 1
            self._lines += [json.loads(line) for line in whole.split(b"\n")]
        return self._lines[1:]

    def fail(self, fault: str, **how: float) -> None:
        """Let a fault begin: `simulators/coupler_faults.py` has the list."""
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps({"fault": fault, **how}).encode() + b"\n")
        self.process.stdin.flush()

    def words(self) -> list[tuple[float, int]]:
        return [(line["t"], line["word"]) for line in self.lines() if "word" in line]

    def widths_ms(self, bit: int) -> list[float]:
        """How long a coil was on, each time."""
        since, widths = None, []
        for at_s, word in self.words():
            if word & bit and since is None:
                since = at_s
            elif not word & bit and since is not None:
                widths.append((at_s - since) * 1e3)
                since = None
        return widths

    def wait_for_word(self, wanted: int, mask: int = SOURCES, timeout_s: float = 5.0) -> float:
        """When the outputs under `mask` became `wanted`, waiting for it if need be."""
        end_s = time.monotonic() + timeout_s
        while time.monotonic() < end_s:
            words = self.words()
            if words and words[-1][1] & mask == wanted:
                at_s = words[-1][0]
                for before_s, word in reversed(words):
                    if word & mask != wanted:
                        return at_s
                    at_s = before_s
                return at_s
            time.sleep(0.005)
        raise AssertionError(f"the outputs never became {wanted:#x}: {self.lines()[-5:]}")


@contextmanager
def coupler(folder: Path, *, before: tuple[str, ...] = (), driver: str = "beckhoff_bk9050") -> Iterator[Coupler]:
    """The simulated coupler as a process of its own; ends with the block. `before` is put before its command."""
    trace = folder / "trace"
    own = ["--driver", driver, "--quiet", hex(ALIVE), "--trace", str(trace)]
    process = subprocess.Popen(
        [*before, sys.executable, "-m", "simulators.coupler", *own],
        cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    )  # fmt: skip
    assert process.stdin is not None and process.stdout is not None
    try:
        yield Coupler(process, json.loads(process.stdout.readline())["port"], trace)
    finally:
        process.stdin.close()
        process.stdout.close()
        process.wait(5)


@asynccontextmanager
async def valves(
    port: int, folder: Path, config: EngineConfig = CONFIG, *, driver: str = "beckhoff_bk9050", watchdog_ms: int = 500
) -> AsyncIterator[ValveClient]:
    """A started client on a cleared engine in VACUUM, beaten ten times a second until the block ends."""
    client = ValveClient("127.0.0.1", port, lock_dir=folder, driver=driver, watchdog_ms=watchdog_ms)
    await client.start(config)
    beats = asyncio.create_task(beat_for_ever(client))
    try:
        client.state("VACUUM")
        await asyncio.sleep(0)  # the first beat
        client.clear()
        yield client
    finally:
        beats.cancel()
        with suppress(asyncio.CancelledError):
            await beats
        await client.close()


async def beat_for_ever(client: ValveClient, permit: int = SOURCES) -> None:
    while True:
        client.beat(permit)
        await asyncio.sleep(0.1)


async def until(client: ValveClient, kind: type[FromEngine], count: int = 1) -> list[FromEngine]:
    """Every event up to and including the `count`-th of this kind."""
    seen: list[FromEngine] = []
    async with asyncio.timeout(10):
        async for message in client.events():
            seen.append(message)
            if sum(isinstance(each, kind) for each in seen) == count:
                break
    return seen


def alive(pid: int) -> bool:
    """Whether a process is there and not a zombie."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


def real_time_allowed() -> bool:
    return os.geteuid() == 0
