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


_R, _V, _P, _D, _H = Guard.RULES, Guard.VALVES, Guard.PLANNER, Guard.DOORS, Guard.HARDWARE

MATRIX: dict[str, Hazard] = {
    row.id: row
    for row in (
        Hazard("T1", _R, 2.0),
        Hazard("T2", _R, 15.0),
        Hazard("T3", _R, 30.0),
        Hazard("T4", _R, 15.0),
        Hazard("T5", _R, 2.0),  # after the detection
        Hazard("T6", _R, 5.0),
        Hazard("T7", _R, 1.0),
        Hazard("T8", _R, 5.0, override=True),  # the cold side only
        Hazard("C1", _R, 0.25),
        Hazard("C2", _R, 1.0),
        Hazard("C3", _R, 1.0),
        Hazard("C4", _R, None, override=True),  # within one cycle
        Hazard("C5", _V, 1.0),
        Hazard("C6", _R, None),  # within one pulse
        Hazard("C7", _R, 0.8),
        Hazard("C8", _R, 0.5),
        Hazard("C9", _R, 1.0),
        Hazard("C10", _R, 0.5),
        Hazard("C11", _R, None),
        Hazard("C12", _H, None),
        Hazard("C13", _H, 3.0),
        Hazard("C14", _R, None),
        Hazard("C15", _R, 1.0),
        Hazard("G1", _R, 15.0, override=True),
        Hazard("G2", _R, 15.0),
        Hazard("G3", _R, None),
        Hazard("G4", _H, None),
        Hazard("G5", _R, None),
        Hazard("G6", _R, 3.0),
        Hazard("G7", _R, 15.0, override=True),
        Hazard("G8", _R, 5.0),
        Hazard("G9", _H, None),
        Hazard("K1", _R, 1.2),
        Hazard("K2", _R, 1.0),
        Hazard("K3", _R, 1.0),
        Hazard("K4", _R, 1.0),
        Hazard("K5", _R, None),
        Hazard("K6", _R, 1.0),
        Hazard("K7", _R, None),
        Hazard("K8", _R, None),  # within one cycle
        Hazard("K9", _R, None),
        Hazard("K10", _D, None),
        Hazard("K11", _R, None),
        Hazard("K12", _D, None),
        Hazard("K13", _P, None),
        Hazard("K14", _R, 1.0),
        Hazard("K15", _R, None),
        Hazard("K16", _R, None),
        Hazard("K17", _R, 1.0),
        Hazard("K18", _R, 0.4),
        Hazard("K19", _R, None),
        Hazard("K20", _H, 1.0),
    )
}
