"""What a look has found, in a row for tests."""

from __future__ import annotations

from math import isnan
from typing import Any

from ald_controller.interlocks.measures import Quality, Taken


def found(taken: Taken) -> tuple[float, Any]:
    """The number and what is remembered."""
    return taken.number, taken.memory


def lost(taken: Taken) -> tuple[str, str]:
    """Why there is no number, and whose fault it is."""
    return taken.fault, taken.signal


def nothing(taken: Taken) -> tuple[Any, str, str, Quality]:
    """What else there is of a look without a number."""
    assert isnan(taken.number)
    return taken.memory, taken.fault, taken.signal, taken.quality
