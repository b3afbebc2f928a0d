"""The acts between segments: what a screen calls them, and how fast the pump may be."""

from __future__ import annotations

from dataclasses import dataclass

from ald_controller.plan import FlowStep, HeatStep, Leaf, PumpStep, RiseStep, SegmentStep, SettleStep
from ald_controller.units import PRESSURE, PRESSURE_RATE

BLIND_S = 0.5  # a gauge that could not be believed for so long does not let a chamber be filled any further


@dataclass(slots=True)
class PumpSpeed:
    """Watches how fast the pressure falls; no throttle obeys it here, so it can only tell, once."""

    limit_pa_per_s: float | None
    before: tuple[float, float] | None = None  # pressure in Pa, loop time in s
    told: bool = False

    def look(self, pressure_pa: float, now_s: float) -> str:
        """A sentence the first time that the limit is passed, else ""."""
        before, self.before = self.before, (pressure_pa, now_s)
        if self.limit_pa_per_s is None or self.told or before is None or now_s <= before[1]:
            return ""
        speed = (before[0] - pressure_pa) / (now_s - before[1])
        if speed <= self.limit_pa_per_s:
            return ""
        self.told = True
        return f"pumped at {speed:.3g} Pa/s, faster than the {self.limit_pa_per_s:.3g} Pa/s that the recipe allows"


@dataclass(slots=True)
class FillWatch:
    """Watches the pressure of a chamber that is being filled; says once that it is enough, and then why."""

    to_pa: float
    pressure_pa: float | None = None  # as read last
    reached: bool = False
    over: bool = False
    blind_since_s: float | None = None

    def ends(self, shots: int, pressure_pa: float | None, now_s: float) -> bool:
        """Whether this look ends the filling, `shots` of which have begun; before the first one nothing does."""
        self.pressure_pa = pressure_pa
        self.blind_since_s = None if pressure_pa is not None else now_s if self.blind_since_s is None else (
            self.blind_since_s
        )  # fmt: skip
        if self.over or not shots:
            return False
        self.reached = pressure_pa is not None and pressure_pa >= self.to_pa
        blind = self.blind_since_s is not None and now_s - self.blind_since_s >= BLIND_S
        self.over = self.reached or blind
        return self.over

    @property
    def why(self) -> str:
        """Why it ended without its pressure."""
        if self.over:
            return "the gauge could not be believed, so no further shot was given"
        read = "nothing" if self.pressure_pa is None else PRESSURE.show(self.pressure_pa, "mTorr")
        return f"after all of its shots the gauge shows {read}"


def leaf_label(leaf: Leaf) -> str:
    """What a screen calls this step."""
    if isinstance(leaf, SegmentStep):
        return leaf.label
    if isinstance(leaf, FlowStep):
        return "flow " + ", ".join(f"{d} {q:g} sccm" for d, q in leaf.flows_sccm.items())
    if isinstance(leaf, HeatStep):
        return "heat " + ", ".join(f"{z} {_celsius(t)}" for z, t in leaf.targets_c.items())
    if isinstance(leaf, PumpStep):
        return f"pump to {leaf.to_pa:.3g} Pa"
    if isinstance(leaf, SettleStep):
        return f"purge until below {leaf.below_pa:.3g} Pa"
    if isinstance(leaf, RiseStep):
        return f"wait for a rise below {PRESSURE_RATE.show(leaf.below_pa_per_s, 'mTorr/min')}"
    return "wait for " + ", ".join(leaf.zones)


def _celsius(value: float | None) -> str:
    return "off" if value is None else f"{value:g} °C"
