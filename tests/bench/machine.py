"""The computer that is measured on: what it is, how busy it is, and how to make it busier."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent

# One per processor at ordinary priority; ends with its parent however that one ends.
_BUSY = "import os\np = os.getppid()\nwhile os.getppid() == p:\n    for _ in range(100_000): pass"

# Writes through to the disk that holds temporary files; its file has no name and ends with it.
_WRITE = """import os, tempfile
p, block = os.getppid(), bytes(1 << 20)
with tempfile.TemporaryFile(buffering=0) as file:
    while os.getppid() == p:
        file.seek(0)
        for _ in range(128): file.write(block)
        os.fsync(file)"""


def real_time_allowed() -> bool:
    """Whether a process started from here may take real-time priority."""
    try:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
    except PermissionError:
        return False
    os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
    return True


def facts() -> dict[str, Any]:
    """What a figure depends on, without the computer's name."""
    cpuinfo = Path("/proc/cpuinfo").read_text("utf-8")
    model = [line.partition(":")[2].strip() for line in cpuinfo.splitlines() if line.startswith("model name")]
    return {
        "processor": model[0] if model else platform.machine(),
        "processors": len(os.sched_getaffinity(0)),
        "virtual": " hypervisor" in cpuinfo,
        "kernel": ".".join(platform.release().split(".")[:2]),
        "preempt": next((word for word in platform.version().split() if word.startswith("PREEMPT")), "none"),
        "python": platform.python_version(),
        "real_time": real_time_allowed(),
    }


def sentence(machine: dict[str, Any]) -> str:
    """The facts in a line for people."""
    kind = "virtual machine" if machine["virtual"] else "computer"
    timing = "real-time priority" if machine["real_time"] else "DEGRADED TIMING: no real-time priority here"
    return (
        f"{kind} with {machine['processors']} × {machine['processor']}, Linux {machine['kernel']} "
        f"({machine['preempt']}), Python {machine['python']}, {timing}"
    )


def load() -> str:
    """The load averages over 1, 5 and 15 minutes."""
    return " ".join(f"{one:.2f}" for one in os.getloadavg())


def commit() -> str:
    """The commit in hand, with "+" when the code that is measured differs from it."""
    code = ("ald_controller", "drivers", "simulators")
    head = _git("rev-parse", "--short", "HEAD")
    return (head or "unknown") + ("+" if _git("status", "--porcelain", "--", *code) else "")


def _git(*arguments: str) -> str:
    try:
        done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return ""
    return done.stdout.strip()


@contextmanager
def as_found() -> Iterator[None]:
    """Whatever else runs here runs on."""
    yield


def busy() -> AbstractContextManager[None]:
    """Every processor has a Python loop that never sleeps, until the block ends."""
    return _running(_BUSY, len(os.sched_getaffinity(0)))


def disk() -> AbstractContextManager[None]:
    """A process writes to the disk, and waits for it, without a pause, until the block ends."""
    return _running(_WRITE, 1)


@contextmanager
def _running(program: str, count: int) -> Iterator[None]:
    processes = [subprocess.Popen([sys.executable, "-S", "-c", program]) for _ in range(count)]
    try:
        yield
    finally:
        for process in processes:
            process.kill()
        for process in processes:
            process.wait()


Loads = dict[str, Callable[[], AbstractContextManager[None]]]
LOADS: Loads = {"as found": as_found, "busy": busy}
