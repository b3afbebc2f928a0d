"""Whether a device is there, and is the one that was there before: what comes back as another one is none. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from drivers.base import DeviceFault, Identity


@dataclass(slots=True)
class Health:
    """What is known of one device between two polls."""

    failures: int = 0
    error: str = "has not answered yet"
    present: bool = False
    probe_at_s: float = 0.0
    losses: int = 0  # of its line, when it last said who it is: after another one it says so anew
    known: Identity | None = None  # who answered first
    other: Identity | None = None  # who answers instead since, until a person takes it for the one meant
    instead: str = ""  # what is said of that


@dataclass(frozen=True, slots=True)
class Absent:
    """A device that does not count as present, and why."""

    device: str
    why: str


def recognise(name: str, health: Health, found: Identity) -> None:
    """Raises DeviceFault when a device comes back as another one; one without a serial number may be a twin."""
    if health.known is not None and who(found) != who(health.known):
        changed = f"it was {who(health.known)} and came back as {who(found)}"
        health.other, health.instead = found, f"another device answers: {changed}. Look, and reset if that is meant"
        raise DeviceFault(name, health.instead)
    health.known = found


def who(one: Identity) -> str:
    """What tells one device from another."""
    serial = f", serial number {one.serial}" if one.serial else ", which tells no serial number"
    return f"{one.model}{serial}" + (f", firmware {one.firmware}" if one.firmware else "")


def accept_others(health: Mapping[str, Health]) -> str:
    """Whoever answers instead of a device known before is the one meant from now on: a sentence of it, "" for none."""
    taken = [name for name, one in health.items() if one.other is not None]
    for one in (health[name] for name in taken):
        one.known, one.other, one.error = None, None, "another one was accepted; it is being read"
    what = "is now the one meant: reset again once it has been read"
    return f"What answers as {', '.join(taken)} {what}" if taken else ""
