"""Set-points of all zones over time: ramps, and the order of heat between lines and sources. Pure.

A line stays at or above its source + margin at every moment: sources wait for the line on the way up, and the line
waits for its sources on the way down, even when it was switched off.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from ald_controller.config import ToolConfig

_LEAD_K = 0.5  # a line runs this far above the bare margin: its source overshoots, and both regulate
_LOW_C = -273.15  # of a line that cannot be read
_COOL_C = 45.0  # below this nothing condenses in a line, whatever its source does

Measured = Callable[[str], float | None]  # a zone's temperature in °C, None where its reading is not to be believed


@dataclass(frozen=True, slots=True)
class Ramp:
    """From `start_c` at `since_s` towards `goal_c` at `rate_k_per_s`; a goal of None is off."""

    goal_c: float | None
    start_c: float
    since_s: float
    rate_k_per_s: float

    def at(self, now_s: float) -> float | None:
        """The set-point now in °C, None when off."""
        goal_c = self.goal_c
        if goal_c is None or goal_c < self.start_c:
            return goal_c  # downwards the zone cools by itself; a set-point held above it would heat on the way
        climbed_c = self.start_c + self.rate_k_per_s * (now_s - self.since_s)
        return climbed_c if climbed_c < goal_c else goal_c


@dataclass(frozen=True, slots=True)
class Order:
    """Lines and sources of one tool, as its file fixes them.

    Where a reading is not to be believed its partner gets the cautious answer: a source off, a line at its own goal.
    """

    sources: tuple[str, ...]
    lines_limit_c: Mapping[str, float]
    margin_k: float

    def setpoints(self, ramps: Mapping[str, Ramp], measured_c: Measured, now_s: float) -> dict[str, float | None]:
        """The set-point of every commanded zone now, in °C (None = off)."""
        most_c, least_c = self._most_c(measured_c), self._least_c(measured_c)
        return {zone: self._between(zone, ramp.at(now_s), most_c, least_c) for zone, ramp in ramps.items()}

    def setpoint(self, zone: str, ramp: Ramp, measured_c: Measured, now_s: float) -> float | None:
        """The same of one commanded zone; it looks at no reading that this zone does not depend on."""
        most_c = self._most_c(measured_c) if zone in self.sources else math.inf
        least_c = self._least_c(measured_c) if zone in self.lines_limit_c else None
        return self._between(zone, ramp.at(now_s), most_c, least_c)

    def _most_c(self, measured_c: Measured) -> float:
        """What a source may have at most: its coldest line less the margin."""
        coldest_c = math.inf
        for line in self.lines_limit_c:
            read_c = measured_c(line)
            coldest_c = min(coldest_c, _LOW_C if read_c is None else read_c)
        return coldest_c - self.margin_k

    def _least_c(self, measured_c: Measured) -> float | None:
        """What a line has at least: its hottest source and more; None while no source is hot."""
        hottest_c = _COOL_C
        for source in self.sources:
            read_c = measured_c(source)
            if read_c is not None and read_c > hottest_c:
                hottest_c = read_c
        return hottest_c + self.margin_k + _LEAD_K if hottest_c > _COOL_C else None

    def _between(self, zone: str, own_c: float | None, most_c: float, least_c: float | None) -> float | None:
        if zone in self.sources and own_c is not None:
            return min(own_c, most_c) if most_c > 0 else None
        if zone in self.lines_limit_c and least_c is not None:
            return min(self.lines_limit_c[zone], max(least_c, own_c if own_c is not None else least_c))
        return own_c


def order_of(config: ToolConfig) -> Order:
    """The order of heat of this tool."""
    limits_c = {name: zone.limit for name, zone in config.zones_of("line").items()}
    return Order(tuple(config.zones_of("source")), limits_c, config.limits.margin)
