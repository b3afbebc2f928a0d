"""What a bottle gives while its valve is open, and how its headspace recovers afterwards."""

from __future__ import annotations

from dataclasses import dataclass
from math import exp, expm1

from ald_controller.chemistry import Precursor
from ald_controller.config import Port
from ald_controller.curves import ZERO_K
from ald_controller.foresight.vessel import GAS_CONSTANT, MOL_S_PER_SCCM, Vessel, through_valve_mol_s


@dataclass(slots=True)
class Bottle:
    """One bottle at one temperature: its vapour leaves by itself, or with gas that is pushed or bubbled through."""

    saturated_pa: float
    kelvin: float
    g_per_mol: float
    recovery_s: float
    carried: bool  # gas takes it along
    bubbled: bool
    headspace_pa: float
    vessel: Vessel  # that it hangs at

    @property
    def share(self) -> float:
        """Of saturation, in its headspace."""
        return self.headspace_pa / self.saturated_pa if self.saturated_pa > 0.0 else 0.0

    def rest(self, dt_s: float) -> None:
        """Refill with the valve shut."""
        self.headspace_pa += (self.saturated_pa - self.headspace_pa) * -expm1(-dt_s / self.recovery_s)

    def give(self, dt_s: float, chamber_pa: float, gas_sccm: float) -> float:
        """Moles into the chamber in a short step with the valve open."""
        if self.carried:
            above = max(chamber_pa + self.vessel.push_drop_pa, 1.5 * self.saturated_pa) - self.saturated_pa
            return gas_sccm * MOL_S_PER_SCCM * self.saturated_pa / above * self.vessel.pickup * dt_s
        flow = through_valve_mol_s(self.vessel.valve_cv, self.headspace_pa, chamber_pa, self.kelvin, self.g_per_mol)
        if flow <= 0.0:
            self.rest(dt_s)
            return 0.0
        per_pa = flow / self.headspace_pa  # mol/s: the flow goes with the pressure
        emptying, filling = per_pa * GAS_CONSTANT * self.kelvin / self.vessel.headspace_m3, 1.0 / self.recovery_s
        rate = emptying + filling
        level = self.saturated_pa * filling / rate
        before = self.headspace_pa
        self.headspace_pa = level + (before - level) * exp(-rate * dt_s)
        return per_pa * (level * dt_s + (before - self.headspace_pa) / rate)


def bottle_of(entry: Precursor, port: Port, celsius: float, vessel: Vessel) -> Bottle:
    """The bottle of a precursor at a port; one whose vapour pressure nobody knows gives nothing."""
    saturated = entry.saturated_pa(celsius) or 0.0
    carried = port.delivery in ("pushed", "bubbled")
    return Bottle(
        saturated, celsius + ZERO_K, entry.vapour_g_per_mol, entry.vapour.recovery, carried,
        port.delivery == "bubbled", saturated, vessel,
    )  # fmt: skip
