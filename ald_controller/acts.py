"""The acts between segments: what a screen calls them, and how fast the pump may be."""

from __future__ import annotations

from dataclasses import dataclass

from ald_controller.plan import FlowStep, HeatStep, Leaf, PumpStep, RiseStep, SegmentStep, SettleStep
from ald_controller.units import PRESSURE_RATE


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
