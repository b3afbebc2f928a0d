"""Which processes hold a lock, so that a refusal can name them. Standard library only; Linux alone, by proc(5)."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from ald_controller.valves.lock import identity, seen

_PROC = Path("/proc")


def holders(path: Path) -> list[tuple[int, str]]:
    """Process id and what it is, of every process that holds the lock and that we may look at; least id first."""
    file = seen(path)
    if file is None:
        return []
    pids = sorted(int(entry.name) for entry in _PROC.iterdir() if entry.name.isdigit())
    found = [pid for pid in pids if pid != os.getpid() and _holds(_PROC / str(pid), file)]
    return [(pid, what(_PROC / str(pid))) for pid in found or _taken_by(file)]


def _holds(process: Path, file: tuple[int, int]) -> bool:
    """Whether a process has the file open and locked; no for one that we may not look at."""
    with suppress(OSError):
        for entry in (process / "fd").iterdir():
            with suppress(OSError):
                if identity(entry.stat()) == file and "FLOCK" in (process / "fdinfo" / entry.name).read_text():
                    return True
    return False


def _taken_by(file: tuple[int, int]) -> list[int]:
    """Who once took the lock, for somebody who may not look into other processes."""
    device, inode = file
    place = f"{os.major(device):02x}:{os.minor(device):02x}:{inode}"
    with suppress(OSError):
        rows = [line.split() for line in (_PROC / "locks").read_text().splitlines()]
        return sorted({int(row[4]) for row in rows if row[1:2] == ["FLOCK"] and row[5:6] == [place]} - {0})
    return []


def what(process: Path) -> str:
    """What a process of /proc is, in a few words."""
    try:
        words = (process / "cmdline").read_bytes().split(b"\0")
        state = (process / "stat").read_text().rsplit(")", 1)[1].split()[0]
    except OSError:
        return "ended"
    name = Path(words[0].decode(errors="replace")).name
    if any(b"ald_controller.valves.process" in word for word in words):
        name = "valve process"
    elif b"daemon" in words:
        name = "controller"
    return f"{name}, stopped" if state in "tT" else name
