"""What was measured on this one reactor and signed for: the commissioned constants that the rows compute with.

None = never commissioned. A row that needs one and has none blocks the start; nothing is ever put in its place.
"""

from __future__ import annotations

from bisect import bisect
from collections.abc import Mapping
from dataclasses import dataclass, field

Curve = tuple[tuple[float, float], ...]  # points (x, y), x rising


def along(curve: Curve, x: float) -> float:
    """The curve at `x`, straight between its points and level beyond its ends; raises ValueError without points."""
    if not curve:
        raise ValueError("a curve needs at least one point")
    xs = [point[0] for point in curve]
    at = bisect(xs, x)
    if at in (0, len(curve)):
        return curve[min(at, len(curve) - 1)][1]
    (x0, y0), (x1, y1) = curve[at - 1], curve[at]
    return y0 + (y1 - y0) * (x - x0) / (x1 - x0)


@dataclass(frozen=True, slots=True)
class Heater:
    """One heated zone as commissioned.

    `slope_k_per_s` at full power against temperature in °C; `lag_s` of its sensor; `second_k` = second sensor minus
    the first, and `second_later_s` = its lag minus the first one's; `hottest_k` = the hottest place that lithium can
    touch minus the hottest sensor.
    """

    slope_k_per_s: Curve
    lag_s: float
    second_k: float = 0.0
    second_later_s: float = 0.0
    hottest_k: float = 0.0


@dataclass(frozen=True, slots=True)
class Base:
    """The settled pressure through the open stop valve: curves of Pa against total flow in sccm, by wall in °C."""

    curves: tuple[tuple[float, Curve], ...]  # temperatures rising

    def pa(self, flow_sccm: float, wall_c: float) -> float:
        """p0(flow, T), straight between the measured temperatures and level beyond them."""
        return along(tuple((c, along(curve, flow_sccm)) for c, curve in self.curves), wall_c)


@dataclass(frozen=True, slots=True)
class Constants:
    """The commissioned constants of one reactor.

    `base` = the settled pressure p0 against total flow and temperature of the wall; `volume_m3` of the chamber;
    `pumping_m3_s` at the chamber; `stop_s` = the stop valve's travel; `settling_s` of a flow controller by device;
    `leak_pa_m3_s` = the largest leak that this tool may have.
    """

    heaters: Mapping[str, Heater] = field(default_factory=dict)  # by zone
    base: Base | None = None
    volume_m3: float | None = None
    pumping_m3_s: float | None = None
    stop_s: float | None = None
    settling_s: Mapping[str, float] = field(default_factory=dict)  # by flow controller
    leak_pa_m3_s: float | None = None

    @property
    def decay_s(self) -> float | None:
        """The time constant V/S of pumping, in s; None when either is not commissioned."""
        if self.volume_m3 is None or self.pumping_m3_s is None:
            return None
        return self.volume_m3 / self.pumping_m3_s


NOTHING_COMMISSIONED = Constants()
