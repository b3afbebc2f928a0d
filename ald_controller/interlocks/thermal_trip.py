"""Which lithium trip a heater allows: the steeper it heats and the later its sensor tells, the lower.

Between trip and melting point (180.5 °C) 2.2 K belong to the sensor and 2 K to what the stage is hotter elsewhere; the
rest has to hold what full power adds until the contactor is open.
"""

from __future__ import annotations

from dataclasses import dataclass

from ald_controller.commissioned import Heater, along
from ald_controller.config import LITHIUM_CLAMP_C

# Trip in °C, and the steepest slope in K/s that it carries with a lag in s: at 5 s and at 10 s. Between and beyond them
# slope x (lag + reaction) stays what it is there; below 5 s nothing steeper is allowed.
_CARRIED = ((170.0, 1.0, 0.57), (165.0, 1.9, 1.0))
_LAGS_S = (5.0, 10.0)
ROUNDING = 1e-9


@dataclass(frozen=True, slots=True)
class Trip:
    """The lithium trip of one zone in °C, and why no run may start with this heater ("" = it may)."""

    at_c: float
    refused: str = ""


def trip_for(wanted_c: float, heater: Heater | None) -> Trip:
    """The trip that the owner wants, or the lower one that this heater needs; an unknown heater gets the lowest."""
    *_, (lowest_c, *of_lowest) = _CARRIED
    if heater is None:
        why = "its slope, its lag and its offsets were never commissioned; set the register constant.heater"
        return Trip(min(wanted_c, lowest_c), why)
    slope = along(heater.slope_k_per_s, LITHIUM_CLAMP_C)
    for trip_c, at_5_s, at_10_s in _CARRIED:
        if slope <= _steepest(heater.lag_s, at_5_s, at_10_s) + ROUNDING:
            return Trip(min(wanted_c, trip_c))
    most = _steepest(heater.lag_s, *of_lowest)
    why = (
        f"{slope:.2g} K/s at full power and {LITHIUM_CLAMP_C:g} °C are too steep for a sensor that lags "
        f"{heater.lag_s:g} s: cap its power so that it heats by at most {most:.2g} K/s"
    )
    return Trip(min(wanted_c, lowest_c), why)


def _steepest(lag_s: float, at_5_s: float, at_10_s: float) -> float:
    short_s, long_s = _LAGS_S
    reaction_s = (at_10_s * long_s - at_5_s * short_s) / (at_5_s - at_10_s)
    return at_5_s * (short_s + reaction_s) / (max(lag_s, short_s) + reaction_s)
