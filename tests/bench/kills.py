"""From the end, or the silence, of whoever holds the valves' socket to the moment at which the module was shut.

A small process with some ballast says what memory costs, as the kernel frees that before it closes a socket; the
running controller says what holds.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path

from tests.bench.figures import Row
from tests.bench.machine import LOADS, ROOT
from tests.bench.stage import Served, daemon_over, simulated_tool
from tests.bench.watched_daemon import HANG_S, HANG_SIGNAL
from tests.valve_rig import LTB, SOURCES, Coupler, coupler

PART = "kill"
KILLS = 10
BALLAST_MB = (0, 100)
LIVES = 5
RECIPE = Path(__file__).parent / "long-dose.yaml"
WATER = 2
LEASE_S = 1.0  # of every tool: EngineConfig.lease_ns


def measure(folder: Path) -> list[Row]:
    """The small process first, then the controller in the midst of a long dose."""
    return [*_small(folder), *_controller(folder)]


# --- a small process with ballast ------------------------------------------------------------------------------------


def _small(folder: Path) -> list[Row]:
    """One row a size of the killed process; the sizes take turns."""
    values_ms: dict[int, list[float]] = {size: [] for size in BALLAST_MB}
    rss_mb: dict[int, float] = {}
    with tempfile.TemporaryDirectory(dir=folder) as own, coupler(Path(own)) as module:
        for _ in range(KILLS):
            for size in BALLAST_MB:
                after_ms, rss_mb[size] = _kill_small(module, Path(own), size)
                values_ms[size].append(after_ms)
    return [
        Row(PART, f"process of {rss_mb[size]:.0f} MB killed -> shut", "ms", values_ms[size]) for size in BALLAST_MB
    ]  # fmt: skip


def _kill_small(module: Coupler, folder: Path, ballast_mb: int) -> tuple[float, float]:
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
        return _shut_ms(module, pid, signal.SIGKILL), rss_mb
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def _shut_ms(module: Coupler, pid: int, number: int) -> float:
    """ms from a signal to the word that shuts every source; raises RuntimeError when none was open."""
    if not module.words()[-1][1] & SOURCES:
        raise RuntimeError("no source was open: nothing has been measured")
    sent_s = time.monotonic()
    os.kill(pid, number)
    return (module.wait_for_word(0) - sent_s) * 1e3


def _rss_mb(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text("ascii")
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS")) / 1024


# --- the running controller ------------------------------------------------------------------------------------------


def _controller(folder: Path) -> list[Row]:
    """Killed under every load; stopped, and hung, as found: a silent one is closed by the valve process's own clock."""
    found: dict[str, list[float]] = defaultdict(list)
    rss_mb = 0.0
    with simulated_tool(folder, RECIPE) as module:
        for _ in range(LIVES):
            for load in LOADS:
                with daemon_over(folder, module) as served:
                    served.prepare("silicon wafer")
                    if load == "as found":
                        _silence(served, found)
                    served.in_a_dose(RECIPE, WATER)
                    with LOADS[load]():
                        time.sleep(random.uniform(0.4, 0.6))
                        rss_mb = max(rss_mb, _rss_mb(served.daemon.pid))
                        found[load].append(_shut_ms(module, served.daemon.pid, signal.SIGKILL))
    killed = [Row(PART, f"controller of {rss_mb:.0f} MB killed -> shut, {load}", "ms", found[load]) for load in LOADS]
    return [*killed, *(Row(PART, what, "ms", found[what]) for what in found if what not in LOADS)]


def _silence(served: Served, found: dict[str, list[float]]) -> None:
    """Stop the controller, then hang it in a system call: until shut, and how long after the lease of its last beat."""
    for what, number in (("stopped (SIGSTOP)", signal.SIGSTOP), ("hung in a system call", HANG_SIGNAL)):
        run = served.in_a_dose(RECIPE, WATER)
        time.sleep(random.uniform(0.3, 0.5))
        found[f"controller {what} -> shut"].append(_shut_ms(served.module, served.daemon.pid, number))
        shut_s = served.module.wait_for_word(0)
        beat_s = max(at_s for at_s in served.scans_at() if at_s < shut_s)
        found[f"controller {what}: shut after its lease"].append((shut_s - beat_s - LEASE_S) * 1e3)
        served.daemon.send_signal(signal.SIGCONT)
        time.sleep(HANG_S)
        served.ask("abort")
        served.until_reported(run)
