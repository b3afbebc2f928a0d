"""Between which bounds the owner may set a limit: they are in the code, and no file may leave them (row K15)."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from ald_controller import units
from ald_controller.config import LITHIUM_CEILING_C, ToolConfig
from ald_controller.interlocks.glovebox import GLOVE_CEILING_C, SEVERE_PPM

# limit of the tool file -> at least, at most, and the unit to say it in
BOUNDS: dict[str, tuple[float, float, str]] = {
    "lithium_warn": (20, 165, "°C"),
    "lithium_trip": (20, LITHIUM_CEILING_C, "°C"),
    "lithium_clear": (20, 160, "°C"),
    "glovebox_warn": (0.01, 5, "ppm"),
    "glovebox_block": (0.01, 10, "ppm"),
    "glovebox_trip": (0.01, SEVERE_PPM, "ppm"),
    "box_pressure_warn": (1, 1200, "Pa"),
    "box_pressure_trip": (1, 1240, "Pa"),  # a bubbler opens at 1244 Pa
    "gate_delta_p": (1, 500, "Pa"),
    "glove": (40, GLOVE_CEILING_C, "°C"),
    "margin": (5, 50, "K"),
    "vacuum": (1, 10 * units.TORR_PA, "Pa"),  # what is called vacuum lets sources open
}
_RISING = (
    ("lithium_clear", "lithium_warn", "lithium_trip"),
    ("glovebox_warn", "glovebox_block", "glovebox_trip"),
    ("box_pressure_warn", "box_pressure_trip"),
)
ZONE_CEILING_C = 400.0  # where a believable temperature ends


def out_of_bounds(config: ToolConfig) -> Iterator[str]:
    """A sentence for every limit that leaves its bounds, or contradicts another one; NaN is outside of everything."""
    limits = config.limits
    for name, (least, most, unit) in BOUNDS.items():
        value = getattr(limits, name)
        if not least <= value <= most:
            yield f"limits: {name} is {value:g} {unit}: at least {least:g} and at most {most:g} {unit} is allowed"
    for names in _RISING:
        if not all(getattr(limits, low) < getattr(limits, high) for low, high in pairwise(names)):
            yield f"limits: {' < '.join(names)} is needed, each below the next"
    for name, zone in config.zones.items():
        if not zone.limit <= ZONE_CEILING_C:
            yield f"zones: the limit of {name} is {zone.limit:g} °C: at most {ZONE_CEILING_C:g} °C is allowed"
