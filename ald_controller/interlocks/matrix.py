"""The hazard matrix: every row with who guards it, its target, and whether an owner may override it.

A row guarded by RULES is evaluated by `step`. The others are guarded elsewhere and stand here so that nobody has to ask
where: in the valve process, by the planner, by the doors, or by hardware beside the computer. Words for people (cause,
consequence, action) lie in `deploy/alarms.yaml`, where a technician can edit them.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Guard(Enum):
    """Who acts on a row."""

    RULES = "rules"  # the table of this package, in the daemon's guard
    VALVES = "valve process"  # the engine and the module's watchdog
    PLANNER = "planner"  # the recipe is refused before anything moves
    DOORS = "doors"  # the command is refused, or the record says so
    HARDWARE = "hardware"  # beside this software; a contact may tell us of it


@dataclass(frozen=True, slots=True)
class Hazard:
    """One row. `target_s` = from the threshold at the terminal to the command of the final element; None = no clock."""

    id: str
    guard: Guard
    target_s: float | None = None
    override: bool = False  # by an owner, with a reason, for at most an hour, never with lithium or pyrophorics


def _row(id: str, guard: Guard, target_s: float | None = None, override: bool = False) -> tuple[str, Hazard]:
    return id, Hazard(id, guard, target_s, override)


_R, _V, _P, _D, _H = Guard.RULES, Guard.VALVES, Guard.PLANNER, Guard.DOORS, Guard.HARDWARE

MATRIX: dict[str, Hazard] = dict(
    [
        _row("T1", _R, 2.0),
        _row("T2", _R, 15.0),
        _row("T3", _R, 30.0),
        _row("T4", _R, 15.0),
        _row("T5", _R, 2.0),  # after the detection
        _row("T6", _R, 5.0),
        _row("T7", _R, 1.0),
        _row("T8", _R, 5.0, override=True),  # the cold side only
        _row("C1", _R, 0.25),
        _row("C2", _R, 1.0),
        _row("C3", _R, 1.0),
        _row("C4", _R, None, override=True),  # within one cycle
        _row("C5", _V, 1.0),
        _row("C6", _R, None),  # within one pulse
        _row("C7", _R, 0.8),
        _row("C8", _R, 0.5),
        _row("C9", _R, 1.0),
        _row("C10", _R, 0.5),
        _row("C11", _R, None),
        _row("C12", _H, None),
        _row("C13", _H, 3.0),
        _row("C14", _R, None),
        _row("C15", _R, 1.0),
        _row("G1", _R, 15.0, override=True),
        _row("G2", _R, 15.0),
        _row("G3", _R, None),
        _row("G4", _H, None),
        _row("G5", _R, None),
        _row("G6", _R, 3.0),
        _row("G7", _R, 15.0, override=True),
        _row("G8", _R, 5.0),
        _row("G9", _H, None),
        _row("K1", _R, 1.2),
        _row("K2", _R, 1.0),
        _row("K3", _R, 1.0),
        _row("K4", _R, 1.0),
        _row("K5", _R, None),
        _row("K6", _R, 1.0),
        _row("K7", _R, None),
        _row("K8", _R, None),  # within one cycle
        _row("K9", _R, None),
        _row("K10", _D, None),
        _row("K11", _R, None),
        _row("K12", _D, None),
        _row("K13", _P, None),
        _row("K14", _R, 1.0),
        _row("K15", _R, None),
        _row("K16", _R, None),
        _row("K17", _R, 1.0),
        _row("K18", _R, 0.4),
        _row("K19", _R, None),
        _row("K20", _H, 1.0),
    ]
)
