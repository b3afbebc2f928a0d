"""Gas: one well-mixed chamber and its pump. Every step is exact for constant inflow and pumping speed.

Units: Pa, m³, mol/s, K, seconds. Source: reactor figures of a 0.5 L cross-flow tool (20 sccm give 0.30 Torr at 150 °C).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import exp, expm1, inf

from simulators.plant.sources import TORR_PA

R = 8.314462618
SCCM_MOL_S = 101_325.0 * 1e-6 / 60.0 / (R * 273.15)
TRACE_PA = 1e-4
STEADY_SHARE, STEP_SHARE = 0.02, 0.5  # of the pressure: may change at one speed of the pump; at most in a step
ALIKE = 1e-3  # pressures so near to each other are pumped alike


@dataclass(slots=True)
class Lag:
    """A value that follows its target to first order."""

    tau_s: float
    value: float
    target: float
    near: float  # within this of the target it has arrived

    def advance(self, dt_s: float) -> float:
        """Move `dt_s` on and return the mean value on the way."""
        gap = self.target - self.value
        if abs(gap) <= self.near:  # the last of it comes at once, so that none is lost
            self.value = self.target
            return self.target - gap * self.tau_s / dt_s
        decay = exp(-dt_s / self.tau_s)
        self.value = self.target - gap * decay
        return self.target - gap * (1.0 - decay) * self.tau_s / dt_s


@dataclass(frozen=True, slots=True)
class Vessel:
    """The chamber's constants: volume, walls, pump and the line to it, what leaks past the shut stop valve, leak rate.

    `narrow_m3_s` and `wide_m3_s_pa` are the conductance of 1 m of DN 40 to the pump, 12.1 D³/L + 182 D⁴ P/L (L/s; cm,
    Torr), with the stop valve in it; an engineering value. `pumping_m3_s` is the pump's own speed, such that both make
    1.3 L/s of 20 sccm at 150 °C. As the line is wide, the stop valve throttles only near the end of its travel:
    `stop_tau_s` is that of its travel, during which as much is pumped as in 0.3 s of an open one: the quick end of 0.3
    to 1 s.
    """

    volume_m3: float = 0.5e-3
    wall_m2: float = 0.05
    pumping_m3_s: float = 1.315e-3
    narrow_m3_s: float = 12.1 * 4.0**3 / 100.0 * 1e-3  # of molecules that meet walls only
    wide_m3_s_pa: float = 182.0 * 4.0**4 / 100.0 * 1e-3 / TORR_PA  # of those that meet each other
    past_stop_m3_s: float = 1e-7
    stop_tau_s: float = 0.065
    leak_pa_m3_s: float = 2e-6
    ultimate_pa: float = 0.1
    vent_m3_s: float = 0.5e-3 / 15.0
    vent_pa: float = 110_000.0
    gate_m3_s: float = 0.5e-3 / 0.3
    relief_pa: float = 150_000.0

    def pumped_m3_s(self, pressure_pa: float, opening: float) -> float:
        """Speed at the chamber, `opening` being that of the stop valve, on all that is above `ultimate_pa`.

        1/S = 1/S_p + 1/C with S_p = S_0 (1 - P_ult/P). What is pumped is S P = S_0 C/(S_p + C) (P - P_ult): that is
        this speed, so that nothing is pumped at the ultimate pressure.
        """
        line = opening * (self.narrow_m3_s + self.wide_m3_s_pa * pressure_pa)
        at_pump = self.pumping_m3_s * (1.0 - self.ultimate_pa / pressure_pa) if pressure_pa > self.ultimate_pa else 0.0
        both = at_pump + line
        return (self.pumping_m3_s * line / both if both > 0.0 else 0.0) + self.past_stop_m3_s

    def inlets(self, vent: bool, box_pa: float | None) -> tuple[float, float]:
        """What goes in and out by an open vent, and by a gate that is open to a box: a speed in m³/s, and Pa/s."""
        speed, inert = (self.vent_m3_s, self.vent_m3_s * self.vent_pa) if vent else (0.0, 0.0)
        if box_pa is not None:
            speed, inert = speed + self.gate_m3_s, inert + self.gate_m3_s * box_pa
        return speed, inert / self.volume_m3


class Pump:
    """How fast it pumps while the pressure changes: over a step, as at the mean pressure of its way."""

    def __init__(self) -> None:
        self.longest_s = 0.05  # how long the next step may be: the pressure may change by `STEP_SHARE`
        self._vessel: Vessel | None = None
        self._pa = self._opening = self._speed = -1.0  # the last that was reckoned

    def speed_m3_s(
        self, vessel: Vessel, opening: float, pa: float, other_m3_s: float, fed_pa_s: float, dt_s: float
    ) -> float:
        """The speed for a step from `pa`, with another way out and what is fed beside it."""
        volume_m3, ultimate_pa = vessel.volume_m3, vessel.ultimate_pa
        if abs(pa - self._pa) > ALIKE * pa or opening != self._opening or vessel is not self._vessel:
            self._pa, self._opening, self._vessel = pa, opening, vessel
            self._speed = vessel.pumped_m3_s(pa, opening)
        pumped = self._speed
        rate = (pumped + other_m3_s) / volume_m3
        change = (fed_pa_s + pumped * ultimate_pa / volume_m3) / (pa or TRACE_PA) - rate  # as a share, per second
        if abs(change) * dt_s > STEADY_SHARE and rate > 0.0:
            way = rate * dt_s
            pumped = vessel.pumped_m3_s(pa * (1.0 + change / rate * (1.0 + expm1(-way) / way)), opening)
        fastest = min(abs(change), pumped / volume_m3)
        self.longest_s = STEP_SHARE / fastest if fastest > 1e-3 else inf
        return pumped


@dataclass(slots=True)
class Contents:
    """What is in the chamber: inert gas, what reactions gave off, and every vapour, as partial pressures.

    `walls_pa` is what the walls hold of each vapour.
    What they hold counts as the pressure that it would make (Pa).
    """

    inert_pa: float
    vapours_pa: dict[str, float] = field(default_factory=dict)
    walls_pa: dict[str, float] = field(default_factory=dict)
    given_off_pa: float = 0.0

    @property
    def total_pa(self) -> float:
        return self.inert_pa + self.reactive_pa

    @property
    def reactive_pa(self) -> float:
        """All that is not inert: vapours, and what their reactions gave off."""
        return sum(self.vapours_pa.values(), self.given_off_pa) if self.vapours_pa else self.given_off_pa

    def advance_inert(self, dt_s: float, rate: float, fed_pa_s: float) -> None:
        """Feed and pump (`rate` per s) for `dt_s`."""
        filled, left = -expm1(-rate * dt_s) / rate if rate > 1e-12 else dt_s, exp(-rate * dt_s)
        self.inert_pa = self.inert_pa * left + fed_pa_s * filled
        if self.given_off_pa:
            self.given_off_pa = self.given_off_pa * left if self.given_off_pa * left > TRACE_PA else 0.0

    def give_off(self, pa: float, dt_s: float, rate: float) -> None:
        """Reactions give off so much in a step that ends now, evenly; what is pumped of it meanwhile is gone."""
        self.given_off_pa += pa * -expm1(-rate * dt_s) / (rate * dt_s) if rate > 1e-12 else pa

    def lose(self, pa: float) -> None:
        """So much of the whole streams out elsewhere, of each gas its share."""
        left = 1.0 - pa / self.total_pa
        self.inert_pa *= left
        self.given_off_pa *= left
        for key in self.vapours_pa:
            self.vapours_pa[key] *= left

    def settle(self, key: str, gas_pa: float, wall_pa: float) -> None:
        """Set one vapour after a step; the last traces are forgotten."""
        if gas_pa < TRACE_PA and wall_pa < TRACE_PA:
            self.vapours_pa.pop(key, None)
            self.walls_pa.pop(key, None)
        else:
            self.vapours_pa[key], self.walls_pa[key] = max(gas_pa, 0.0), wall_pa
