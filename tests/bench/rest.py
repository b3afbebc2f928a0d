"""What the daemon and its valve process take of a processor, at rest and in a run."""

from __future__ import annotations

import time
from pathlib import Path

from tests.bench.figures import Row
from tests.bench.stage import Served, served_tool

PART = "rest"
SECONDS = 10
RECIPE = Path(__file__).parent / "dosing.yaml"


def measure(folder: Path) -> list[Row]:
    """Percent of one processor, a value a second, by the kernel's account of every thread."""
    with served_tool(folder, RECIPE) as served:
        served.prepare("silicon wafer")
        rows = _rows(served, "at rest")
        served.start(RECIPE)
        served.until(lambda: served.ask("status")["run"]["doses_confirmed"] > 0, 120.0)
        return [*rows, *_rows(served, "in a run")]


def _rows(served: Served, when: str) -> list[Row]:
    daemon = served.daemon.pid
    (valve_process,) = _children(daemon)
    names = {daemon: "daemon", valve_process: "valve process"}
    values: dict[int, list[float]] = {pid: [] for pid in names}
    for _ in range(SECONDS):
        before, start_ns = {pid: _cpu_ns(pid) for pid in names}, time.monotonic_ns()
        time.sleep(1.0)
        took_ns = time.monotonic_ns() - start_ns
        for pid in names:
            values[pid].append(100 * (_cpu_ns(pid) - before[pid]) / took_ns)
    return [Row(PART, f"{names[pid]} {when}", "% cpu", values[pid]) for pid in names]


def _children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text("ascii").split()]


def _cpu_ns(pid: int) -> int:
    threads = Path(f"/proc/{pid}/task").iterdir()
    return sum(int((thread / "schedstat").read_text("ascii").split()[0]) for thread in threads)
