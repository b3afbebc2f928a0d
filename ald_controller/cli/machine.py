"""The computer that is measured on: what it is, how busy it is, and how to make it busier."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

# At ordinary priority; it ends with the parent that it is told of, however and whenever that one ends.
_BUSY = "import os, sys\nwhile os.getppid() == int(sys.argv[1]):\n    for _ in range(100_000): pass"


def facts() -> dict[str, Any]:
    """What a figure depends on, without the computer's name."""
    cpuinfo = Path("/proc/cpuinfo").read_text("utf-8")
    models = [line.partition(":")[2].strip() for line in cpuinfo.splitlines() if line.startswith("model name")]
    return {
        "processor": models[0] if models else platform.machine(),
        "processors": len(os.sched_getaffinity(0)),
        "virtual": " hypervisor" in cpuinfo,
        "kernel": ".".join(platform.release().split(".")[:2]),
        "preempt": next((word for word in platform.version().split() if word.startswith("PREEMPT")), "none"),
        "python": platform.python_version(),
    }


def sentence(machine: dict[str, Any]) -> str:
    """The facts in a line for people."""
    kind = "virtual machine" if machine["virtual"] else "computer"
    return (
        f"{kind} with {machine['processors']} × {machine['processor']}, Linux {machine['kernel']} "
        f"({machine['preempt']}), Python {machine['python']}"
    )


def load_average() -> str:
    """The load averages over 1, 5 and 15 minutes."""
    return " ".join(f"{one:.2f}" for one in os.getloadavg())


@contextmanager
def as_found() -> Iterator[None]:
    """Whatever else runs here runs on."""
    yield


@contextmanager
def busy() -> Iterator[None]:
    """Every processor has a Python loop that never sleeps, until the block ends."""
    command = [sys.executable, "-I", "-S", "-c", _BUSY, str(os.getpid())]
    processes = [subprocess.Popen(command, start_new_session=True) for _ in os.sched_getaffinity(0)]
    try:
        yield
    finally:
        for process in processes:
            process.kill()
        for process in processes:
            process.wait()
