"""C2 to C15: precursors, carrier, pump, stop valve, leaks, and the gas that must be argon."""

from __future__ import annotations

from ald_controller.interlocks.setting import Setting
from ald_controller.interlocks.table import Check


def chemistry(setting: Setting) -> list[Check]:
    """The rows of chemistry."""
    return []


def chemistry_absent(setting: Setting) -> list[str]:
    """One sentence per row, or part of a row, whose input this tool does not have."""
    return [
        "C3, C4, C6: stuck valves, empty and wrong bottles are not recognised while a run is on.",
        "C7-C11: carrier, pump, stop-valve position, chamber over-pressure and leaks trip nothing.",
        "C12, C13, C15: gas monitors, exhaust and compressed air are left to the hardware.",
    ]
