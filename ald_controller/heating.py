"""Set-points of all zones over time: ramps, and the order of heat between lines and sources. Pure.

A line stays at or above its source + margin at every moment: sources wait for the line on the way up, and the line
waits for its sources on the way down, even when it was switched off.
"""

from __future__ import annotations

from dataclasses import dataclass

from ald_controller.config import ToolConfig

_LEAD_K = 0.5  # a line runs this far above the bare margin: its source overshoots, and both regulate
_COOL_C = 45.0  # below this nothing condenses in a line, whatever its source does


@dataclass(frozen=True, slots=True)
class Ramp:
    """From `start_c` at `since_s` towards `goal_c` at `rate_k_per_s`; a goal of None is off."""

    goal_c: float | None
    start_c: float
    since_s: float
    rate_k_per_s: float

    def at(self, now_s: float) -> float | None:
        """The set-point now in °C, None when off."""
        if self.goal_c is None:
            return None
        travelled = self.rate_k_per_s * (now_s - self.since_s)
        if self.goal_c >= self.start_c:
            return min(self.goal_c, self.start_c + travelled)
        return self.goal_c  # downwards the zone cools by itself; a set-point held above it would heat on the way


def setpoints(
    config: ToolConfig, ramps: dict[str, Ramp], measured_c: dict[str, float | None], now_s: float
) -> dict[str, float | None]:
    """The set-point of every commanded zone now, in °C (None = off), with lines and sources in their order.

    `measured_c` holds None for a zone whose reading is not to be believed: then its partner gets the cautious answer
    (a source off, a line at its own goal).
    """
    out = {zone: ramp.at(now_s) for zone, ramp in ramps.items()}
    margin = config.limits.margin
    lines = config.zones_of("line")
    sources = config.zones_of("source")
    coldest_line = min((_or_low(measured_c.get(line)) for line in lines), default=None)
    for source in sources:
        wanted = out.get(source)
        if wanted is not None and coldest_line is not None:
            limit = coldest_line - margin
            out[source] = min(wanted, limit) if limit > 0 else None
    hot = [t for t in (measured_c.get(s) for s in sources) if t is not None and t > _COOL_C]
    if hot:
        floor = max(hot) + margin + _LEAD_K
        for line in lines:
            if line in ramps:
                own = out[line]
                out[line] = min(config.zones[line].limit, max(floor, own if own is not None else floor))
    return out


def _or_low(value: float | None) -> float:
    return value if value is not None else -273.15
