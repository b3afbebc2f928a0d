"""The peers: what people write today, each a program of its own at ordinary priority, as its users run it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

from tests.bench.contenders.program import run
from tests.bench.contenders.pulses import PAUSE_MS, SHOWN, SLOW, Figure, Sent, figures, pulses
from tests.bench.machine import ROOT

PROGRAMS = Path(__file__).parent / "peers"
MAKE = ROOT / "deploy" / "bench-environment"
BENCH_PYTHON = ROOT / ".venv-bench" / "bin" / "python"


class Peer:
    """One program of peers/, and the Python that runs it."""

    name = ""
    shows = SHOWN
    program = ""
    python = Path(sys.executable)

    def __init__(self) -> None:
        self._versions = ""

    def missing(self) -> str:
        """Why it cannot take part, "" when it can."""
        return ""

    def turn(self, folder: Path) -> Iterable[Figure]:
        """One fresh process on one fresh coupler."""
        told, words = run(folder, [str(self.python), "-I", str(PROGRAMS / self.program)], SLOW, PAUSE_MS)
        self._versions = told["versions"]
        widths = [width_ms for width_ms, count in SLOW.items() for _ in range(count)]
        return figures(pulses(widths, [Sent(round(due_s * 1e9)) for due_s in told["due_s"]], words))

    def drift(self, folder: Path) -> Iterable[Figure]:
        """A peer waits from edge to edge, so that it drifts by what it is late: that is in its rows already."""
        return ()

    def note(self) -> str:
        """What a reader must know beside the figures."""
        return f"{self.name}: {self._versions}" if self._versions else ""


class AsyncioPeer(Peer):
    name = "asyncio + pymodbus"
    program = "asyncio_pymodbus.py"


class SleepPeer(Peer):
    name = "time.sleep + pymodbus"
    program = "sleep_pymodbus.py"


class BlueskyPeer(Peer):
    """bluesky lives in an environment of its own, which is made when it is first asked for."""

    name = "bluesky + pymodbus"
    program = "bluesky_pymodbus.py"
    python = BENCH_PYTHON

    def missing(self) -> str:
        """Why it cannot take part, "" when it can; making the environment takes a while the first time."""
        done = subprocess.run([str(MAKE)], stderr=subprocess.PIPE, text=True, check=False)
        said = done.stderr.strip().splitlines()
        return "" if done.returncode == 0 else (said or ["deploy/bench-environment failed"])[-1]
