"""The chamber, as commissioned where it was, and as engineers assume it where nobody has measured."""

from __future__ import annotations

from math import sqrt
from typing import NamedTuple

from ald_controller.reactortable import Reactor
from ald_controller.registers import Registers

GAS_CONSTANT = 8.314462618
AVOGADRO, BOLTZMANN = 6.02214076e23, 1.380649e-23
MOL_S_PER_SCCM = 101_325.0 * 1e-6 / 60.0 / (GAS_CONSTANT * 273.15)
LANGMUIR_PA_S = 101_325.0 / 760.0 * 1e-6  # 1 L = 1e-6 Torr·s
AIR_G_PER_MOL = 28.97
# makers' equation: standard L/min at 1 bar and 1 K, Cv of 1, as mol/s. 6950 is N9 of IEC 60534 for litres of 15 °C
_VALVE_MOL_S = 6950.0 / 1e5 / 60.0 / 23.645


class Vessel(NamedTuple):
    """One chamber with what lies in it; what nobody can measure of it is told in `reactortable`."""

    volume_m3: float
    pumping_m3_s: float
    wall_m2: float
    sample_m2: float
    aspect: float
    past_stop_m3_s: float
    leak_pa_m3_s: float
    ultimate_pa: float
    flow_lag_s: float
    stop_lag_s: float
    valve_cv: float
    headspace_m3: float
    pickup: float
    push_drop_pa: float
    wall_share: float
    assumed: tuple[str, ...] = ()  # figures that nobody has measured at this tool

    @property
    def decay_s(self) -> float:
        """V/S: how fast the pump alone empties it."""
        return self.volume_m3 / self.pumping_m3_s


def vessel_of(
    registers: Registers, standard: Reactor, area_m2: float | None = None, aspect: float | None = None
) -> Vessel:
    """The chamber of this tool around a sample; `standard` is taken where neither register nor recipe says more."""
    constants = registers.constants
    assumed = ["area of the walls", "flow coefficient of the dosing valves", "headspace of the bottles"]
    if constants.volume_m3 is None:
        assumed.append("volume of the chamber")
    if constants.pumping_m3_s is None:
        assumed.append("pumping speed")
    if area_m2 is None:
        assumed.append("area of the sample")
    return Vessel(
        constants.volume_m3 or standard.volume.value, constants.pumping_m3_s or standard.pumping.value,
        standard.walls.value, standard.sample.value if area_m2 is None else area_m2, float(aspect or 0.0),
        standard.past_stop.value, standard.leak.value, standard.ultimate.value, standard.flow_lag.value,
        standard.stop_lag.value, standard.valve_cv.value, standard.headspace.value, standard.pickup.value,
        standard.push_drop.value, standard.wall_share.value, tuple(assumed),
    )  # fmt: skip


def through_valve_mol_s(cv: float, above_pa: float, below_pa: float, kelvin: float, g_per_mol: float) -> float:
    """What an open dosing valve passes, choked or not; nothing against a higher pressure."""
    if above_pa <= below_pa:
        return 0.0
    fall = 1.0 - below_pa / above_pa
    shape = 0.471 if fall > 0.5 else (1.0 - fall / 1.5) * sqrt(fall)
    return cv * _VALVE_MOL_S * above_pa * shape / sqrt(g_per_mol / AIR_G_PER_MOL * kelvin)
