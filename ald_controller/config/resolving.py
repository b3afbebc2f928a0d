"""Whether an analogue channel can carry the limits that its readings are compared with. Pure.

It must reach them, and its error must leave them apart from zero and from each other: a limit that a channel cannot
tell from a healthy reading guards nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Protocol

from ald_controller import units
from ald_controller.config.model import Limits

GLOVEBOX_LIMITS = ("glovebox_warn", "glovebox_block", "glovebox_trip")
BOX_LIMITS = ("box_pressure_warn", "box_pressure_trip")
MARGIN = 2.0  # a limit nearer than this many errors to its neighbour is not one that the channel can tell


@dataclass(frozen=True, slots=True)
class Carried:
    """The limits of one signal, the smallest first, and the dimension of its channel; `both` = to either side of 0."""

    limits: tuple[str, ...]
    dimension: units.Dimension
    both: bool


CARRIED = {
    "glovebox_o2": Carried(GLOVEBOX_LIMITS, units.FRACTION, both=False),
    "glovebox_h2o": Carried(GLOVEBOX_LIMITS, units.FRACTION, both=False),
    "box_pressure": Carried(BOX_LIMITS, units.PRESSURE, both=True),
    "delta_p": Carried(("gate_delta_p",), units.PRESSURE, both=True),
}  # fmt: skip


class Channel(Protocol):
    """An analogue channel of a driver's settings: what its ends mean and its error, in the unit that its name has."""

    @property
    def channel(self) -> str: ...
    @property
    def at_low(self) -> float: ...
    @property
    def at_high(self) -> float: ...
    @property
    def error(self) -> float: ...


def unresolved(carried: Carried, limits: Limits, one: Channel) -> Iterator[tuple[str, str]]:
    """What is wrong with a channel for its limits: the key of its settings, and a sentence."""
    suffix = one.channel.rpartition("_")[2].lower()
    unit = next((name for name in carried.dimension.units if name.lower() == suffix), None)
    if unit is None:  # a channel in another unit is refused as such
        return
    factor = carried.dimension.units[unit][0]
    found = [(name, float(getattr(limits, name)) / factor) for name in carried.limits]
    if why := _too_coarse(one.error, found, unit):
        yield "error", why
    if why := _too_narrow(one, found[-1], unit, both=carried.both):
        yield "at_high", why


def _too_coarse(error: float, limits: list[tuple[str, float]], unit: str) -> str:
    """Why an error cannot tell these limits from zero and from each other; "" when it can."""
    pairs = list(pairwise([("zero", 0.0), *limits]))
    for (low, below), (high, above) in pairs:
        if 0 < above - below < MARGIN * error * (1 - 1e-9):  # the wrong order is said at the limits
            most = min(b - a for (_, a), (_, b) in pairs) / MARGIN
            told = f"an error of {error:g} {unit} cannot tell {high}, {above:g} {unit}, from {low}"
            return f"{told}: {most:g} {unit} at most carries these limits"
    return ""


def _too_narrow(one: Channel, limit: tuple[str, float], unit: str, *, both: bool) -> str:
    """Why a channel never reaches its highest limit; "" when it does. Its very end is a reading above every limit."""
    name, value = limit
    if value <= (min(one.at_high, -one.at_low) if both else one.at_high):
        return ""
    return f"a channel from {one.at_low:g} to {one.at_high:g} {unit} does not reach {name}, {value:g} {unit}"
