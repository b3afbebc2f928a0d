"""The C sender: the same job in a program of one file, compiled on this computer when it is measured."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterable
from itertools import chain
from pathlib import Path

from ald_controller.valves.process import PRIORITY, SPIN_NS
from tests.bench.contenders.program import run
from tests.bench.contenders.pulses import (
    DRIFT_CYCLES,
    DRIFT_PAUSE_MS,
    DRIFT_WIDTH_MS,
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
)
from tests.bench.machine import real_time_allowed

SOURCE = Path(__file__).parent / "sender.c"


class CSender:
    """sender.c at the priority of the valve process, and spinning as long."""

    name = "C sender"
    shows = SHOWN

    def missing(self) -> str:
        """Why it cannot take part, "" when it can."""
        return "" if shutil.which("cc") else "there is no C compiler (apt install gcc libc6-dev)"

    def turn(self, folder: Path) -> Iterable[Figure]:
        """One fresh program on one fresh coupler."""
        edges, found = self._run(folder, QUICK, PAUSE_MS)
        openings = [edge for edge in edges[::2] if not edge.sent_ns]
        late = (Figure(0, LEFT_OUT, (edge.confirmed_ns - edge.due_ns) / 1e6) for edge in openings)
        return chain(figures(found), late)

    def drift(self, folder: Path) -> Iterable[Figure]:
        """The same cycles as the valve process."""
        edges, found = self._run(folder, {DRIFT_WIDTH_MS: DRIFT_CYCLES + 1}, DRIFT_PAUSE_MS)
        numbers = [number for number, opening in enumerate(edges[::2]) if opening.sent_ns]
        return drift(zip(numbers, (pulse.opened_ms for pulse in found), strict=True))

    def note(self) -> str:
        """What a reader must know beside the figures."""
        return "" if real_time_allowed() else "C sender without real-time priority"

    def _run(self, folder: Path, series: dict[int, int], pause_ms: int) -> tuple[list[Sent], list[Pulse]]:
        told, words = run(folder, [str(_compiled(folder))], series, pause_ms)
        edges = [Sent(*edge) for edge in told["edges"]]
        planned = [width_ms for width_ms, count in series.items() for _ in range(count)]
        widths = [width_ms for width_ms, opening in zip(planned, edges[::2], strict=True) if opening.sent_ns]
        return edges, pulses(widths, [edge for edge in edges if edge.sent_ns], words)


def _compiled(folder: Path) -> Path:
    program = folder / "sender"
    if not program.exists():
        constants = (f"-DPRIORITY={PRIORITY}", f"-DSPIN_NS={SPIN_NS}LL")
        command = ["cc", "-O2", *constants, "-o", str(program), str(SOURCE)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"sender.c was not compiled: {done.stderr.strip()}")
    return program
