"""The chamber, as commissioned where it was, and as engineers assume it where nobody has measured."""

from __future__ import annotations

from math import sqrt
from typing import NamedTuple

from ald_controller.registers import Registers

GAS_CONSTANT = 8.314462618
AVOGADRO, BOLTZMANN = 6.02214076e23, 1.380649e-23
MOL_S_PER_SCCM = 101_325.0 * 1e-6 / 60.0 / (GAS_CONSTANT * 273.15)
LANGMUIR_PA_S = 101_325.0 / 760.0 * 1e-6  # 1 L = 1e-6 Torr·s
WALL_SHARE = 0.2  # what walls hold in equilibrium beside the gas: fitted to the purges of Groner 2004
CV = 0.27  # flow coefficient of a dosing valve
HEADSPACE_M3 = 25e-6
PICKUP = 0.7  # share of saturation that gas pushed through a bottle takes along
PUSH_DROP_PA = 530.0  # a pushed bottle stands 4 Torr above the chamber
FLOW_LAG_S = 0.5  # of a flow controller
STOP_LAG_S = 0.3  # of the exposure stop valve, within its closing time
ULTIMATE_PA = 0.1
AIR_G_PER_MOL = 28.97
_VALVE_MOL_S = 6950.0 * CV / 1e5 / 60.0 / 22.414  # makers' equation: standard L/min at 1 bar and 1 K, as mol/s


class Vessel(NamedTuple):
    """One chamber with what lies in it."""

    volume_m3: float = 0.5e-3
    pumping_m3_s: float = 1.3e-3
    wall_m2: float = 0.05
    sample_m2: float = 0.002
    aspect: float = 0.0
    past_stop_m3_s: float = 1e-7  # what still gets past the shut stop valve
    leak_pa_m3_s: float = 2e-6
    assumed: tuple[str, ...] = ()  # figures that nobody has measured at this tool

    @property
    def decay_s(self) -> float:
        """V/S: how fast the pump alone empties it."""
        return self.volume_m3 / self.pumping_m3_s


def vessel_of(registers: Registers, area_m2: float | None = None, aspect: float | None = None) -> Vessel:
    """The chamber of this tool around a sample."""
    constants, standard = registers.constants, Vessel()
    assumed = ["area of the walls", "flow coefficient of the dosing valves", "headspace of the bottles"]
    if constants.volume_m3 is None:
        assumed.append("volume of the chamber")
    if constants.pumping_m3_s is None:
        assumed.append("pumping speed")
    if area_m2 is None:
        assumed.append("area of the sample")
    return Vessel(
        constants.volume_m3 or standard.volume_m3,
        constants.pumping_m3_s or standard.pumping_m3_s,
        sample_m2=standard.sample_m2 if area_m2 is None else area_m2,
        aspect=float(aspect or 0.0),
        assumed=tuple(assumed),
    )


def through_valve_mol_s(above_pa: float, below_pa: float, kelvin: float, g_per_mol: float) -> float:
    """What an open dosing valve passes, choked or not; nothing against a higher pressure."""
    if above_pa <= below_pa:
        return 0.0
    fall = 1.0 - below_pa / above_pa
    shape = 0.471 if fall > 0.5 else (1.0 - fall / 1.5) * sqrt(fall)
    return _VALVE_MOL_S * above_pa * shape / sqrt(g_per_mol / AIR_G_PER_MOL * kelvin)
