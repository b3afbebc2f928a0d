"""From SIGKILL on the process that holds the valves' socket to the moment at which the module was shut."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.bench.figures import Row
from tests.bench.machine import ROOT
from tests.valve_rig import LTB, SOURCES, Coupler, coupler

PART = "kill"
KILLS = 12
BALLAST_MB = (0, 100)


def measure(folder: Path) -> list[Row]:
    """One row a size of the killed process; the sizes take turns."""
    values_ms: dict[int, list[float]] = {size: [] for size in BALLAST_MB}
    rss_mb: dict[int, float] = {}
    with tempfile.TemporaryDirectory(dir=folder) as own, coupler(Path(own)) as module:
        for _ in range(KILLS):
            for size in BALLAST_MB:
                after_ms, rss_mb[size] = _kill(module, Path(own), size)
                values_ms[size].append(after_ms)
    return [
        Row(PART, f"daemon of {rss_mb[size]:.0f} MB killed -> shut", "ms", values_ms[size]) for size in BALLAST_MB
    ]  # fmt: skip


def _kill(module: Coupler, folder: Path, ballast_mb: int) -> tuple[float, float]:
    """ms until the module was shut, and the killed process's resident memory in MB."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.bench.parent", str(module.port), str(folder), str(ballast_mb)],
        cwd=ROOT, stdout=subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout is not None
    try:
        pid = json.loads(process.stdout.readline())["pid"]
        module.wait_for_word(LTB, SOURCES)
        rss_mb = _rss_mb(pid)
        killed_s = time.monotonic()
        os.kill(pid, signal.SIGKILL)
        return (module.wait_for_word(0) - killed_s) * 1e3, rss_mb
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def _rss_mb(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text("ascii")
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS")) / 1024
