"""The one place with wall time: everything else lives on the loop's clock and is converted through an Anchor."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


VIRTUAL = "virtual"  # the boot of a run on virtual time


@dataclass(frozen=True, slots=True)
class Anchor:
    """One moment on both clocks of one boot: unix seconds (UTC) and loop seconds (CLOCK_MONOTONIC)."""

    utc_s: float
    monotonic_s: float
    boot_id: str

    def utc(self, at_s: float) -> float:
        """The unix seconds of loop time `at_s`, seconds; valid within this boot only."""
        return self.utc_s + (at_s - self.monotonic_s)


def utc_now() -> float:
    """Unix seconds, UTC, as the system's clock has them now."""
    return time.time()


def boot_id() -> str:
    """The kernel's name for this boot; raises OSError where there is no Linux kernel to ask."""
    return _BOOT_ID.read_text("ascii").strip()


def anchor(monotonic_s: float, boot: str | None = None) -> Anchor:
    """An Anchor for now, given the loop's time in seconds; `boot` replaces the kernel's id (virtual time has none)."""
    return Anchor(utc_now(), monotonic_s, boot_id() if boot is None else boot)


def iso(utc_s: float) -> str:
    """Unix seconds as ISO 8601 in UTC to the millisecond: 2031-05-04T12:30:00.250Z."""
    return datetime.fromtimestamp(utc_s, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def seconds(text: str) -> float | None:
    """Unix seconds of a time as `iso` writes it; None for what is no such time, or is in no known zone."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return None
    return None if at.tzinfo is None else at.timestamp()
