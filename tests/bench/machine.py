"""The computer that is measured on, as the bench sees it: the code in hand, rights, and heavier loads."""

from __future__ import annotations

import ctypes
import hashlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

from ald_controller.cli import machine as computer
from ald_controller.cli.machine import as_found

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent

# What a figure of the bench depends on; the rest of the repository may change between two rounds.
MEASURED = (
    "ald_controller", "drivers", "simulators", "tests/bench", "tests/valve_rig.py", "requirements.lock",
    "requirements-bench.lock",
)  # fmt: skip
STRESS_STARTS_S = 0.5
LONGEST_S = 900  # no load outlives its bench by more

# Writes through to the disk that holds temporary files, until the parent that it is told of has ended; its file has no
# name and ends with it.
_WRITE = """import os, sys, tempfile
p, block = int(sys.argv[1]), bytes(1 << 20)
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
    return computer.facts() | {"real_time": real_time_allowed()}


def sentence(machine: dict[str, Any]) -> str:
    """The facts in a line for people."""
    timing = "real-time priority" if machine["real_time"] else "DEGRADED TIMING: no real-time priority here"
    return f"{computer.sentence(machine)}, {timing}"


def commit() -> str:
    """The commit in hand, with "+" when what is measured differs from it."""
    head = _git("rev-parse", "--short", "HEAD")
    return (head or "unknown") + ("+" if _git("status", "--porcelain", "--", *MEASURED) else "")


def changes() -> str:
    """A digest of everything in which what is measured differs from the commit."""
    digest = hashlib.sha256(_git("diff", "HEAD", "--", *MEASURED).encode())
    for path in _git("ls-files", "--others", "--exclude-standard", "--", *MEASURED).splitlines():
        digest.update((ROOT / path).read_bytes())
    return digest.hexdigest()


def identity() -> str:
    """A digest by which this computer is known again."""
    try:
        return hashlib.sha256(Path("/etc/machine-id").read_bytes()).hexdigest()
    except FileNotFoundError:
        return ""


def _git(*arguments: str) -> str:
    try:
        done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return ""
    return done.stdout.strip()


def end_with_parent() -> None:
    """In a child before its program: SIGTERM should the bench die without a word (PR_SET_PDEATHSIG of prctl(2))."""
    ctypes.CDLL(None).prctl(1, signal.SIGTERM)


def busy_kind() -> str:
    """What keeps every processor busy here."""
    count = len(os.sched_getaffinity(0))
    if not shutil.which("stress-ng"):
        return f"{count} Python loops (apt install stress-ng for the usual load)"
    said = subprocess.run(["stress-ng", "--version"], capture_output=True, text=True, check=False).stdout.split()
    return f"stress-ng {said[2].rstrip(',')} --cpu {count}"


def busy() -> AbstractContextManager[None]:
    """Every processor computes without a pause at ordinary priority, until the block ends."""
    count = len(os.sched_getaffinity(0))
    return _stressed(count) if shutil.which("stress-ng") else computer.busy()


@contextmanager
def _stressed(count: int) -> Iterator[None]:
    """stress-ng ends its own children when it is asked to end."""
    command = ["stress-ng", "--quiet", "--cpu", str(count), "--timeout", str(LONGEST_S)]
    process = subprocess.Popen(command, cwd=tempfile.gettempdir(), preexec_fn=end_with_parent, start_new_session=True)
    try:
        time.sleep(STRESS_STARTS_S)
        if process.poll() is not None:
            raise RuntimeError(f"stress-ng ended at once with {process.returncode}")
        yield
        if process.poll() is not None:
            raise RuntimeError(f"stress-ng ended with {process.returncode} before what was measured under it")
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


@contextmanager
def disk() -> Iterator[None]:
    """A process writes to the disk, and waits for it, without a pause, until the block ends."""
    process = subprocess.Popen([sys.executable, "-S", "-c", _WRITE, str(os.getpid())])
    try:
        yield
    finally:
        process.kill()
        process.wait()


Loads = dict[str, Callable[[], AbstractContextManager[None]]]
LOADS: Loads = {"as found": as_found, "busy": busy}
