"""Bottles: a headspace that empties through a dosing valve and refills, and takes in gas where the chamber's is higher.

Units: Pa, m³, mol, K, seconds. Flow through a valve by the Cv equations of the valve makers, with 6950 L/min per bar at
Cv 1 and 1 K. A step is exact for the valve's conductance at its end, which is that of its beginning while it chokes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from math import exp, expm1, sqrt

from simulators.plant.gas import R
from simulators.plant.sources import Vapour

LAST_SHARE = 1e-3  # of a solid's grams: below it its surface shrinks no more
INERT_G = 39.95  # argon; nitrogen would pass 1.2 times as fast
# calculated: 4 L²/(π² D), what vapour takes through a headspace of 3 cm, with D P = 1 Pa·m²/s (0.1 cm²/s at 1 atm)
THROUGH_GAS_S_PA = 3.4e-4
CHOKED, CHOKED_DROP, HALVINGS = 0.471, 0.5, 20
LEAST_PA = 0.5  # between bottle and chamber: below it nothing streams that is worth counting
_CV = 0.27
_VALVE_MOL_S = 6950.0 * _CV / 1e5 / 60.0 / 23.645  # litres of 15 °C: 6950 is N9 of IEC 60534 for these
_AIR_G = 28.97


def through_valve_mol_s(upstream_pa: float, downstream_pa: float, upstream_k: float, molar_g: float) -> float:
    """Molar flow through one open dosing valve, choked or not; zero against a higher pressure."""
    if upstream_pa <= downstream_pa:
        return 0.0
    return _VALVE_MOL_S * upstream_pa / sqrt(molar_g / _AIR_G * upstream_k) * _opening(upstream_pa, downstream_pa)


def _opening(upstream_pa: float, downstream_pa: float) -> float:
    """The shape of the Cv equations: what passes, beside a valve into vacuum that did not choke."""
    drop = (upstream_pa - downstream_pa) / upstream_pa
    if drop > CHOKED_DROP:
        return CHOKED
    return (1.0 - 2.0 * drop / 3.0) * sqrt(drop) if drop > 0.0 else 0.0


def _meeting(passes: Callable[[float], float], most: float) -> float:
    """The conductance that is that of the end which it leads to: less empties less, and so leaves more to pass."""
    if passes(most) >= most:
        return most
    low, high = 0.0, most
    for _ in range(HALVINGS):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if passes(middle) > middle else (low, middle)
    return 0.5 * (low + high)


@dataclass(slots=True)
class Bottle:
    """One bottle with its headspace; what it gives is taken from its grams.

    `foreign_pa` is what streamed in from the chamber and has not left again: carrier, and whatever else was there, for
    a bottle is no place where one tells them apart. `backflow_mol` counts all that ever did.
    """

    key: str
    vapour: Vapour
    grams: float
    headspace_pa: float  # of its own vapour
    shut_s: float  # when its valve shut: it recovers since then
    headspace_m3: float = 25e-6
    push_drop_pa: float = 530.0  # a pushed bottle stands about 4 Torr above the chamber
    pickup: float = 0.7
    foreign_pa: float = 0.0
    backflow_mol: float = 0.0
    full_g: float = field(init=False)  # what it held when it was hung

    def __post_init__(self) -> None:
        self.full_g = self.grams

    @property
    def total_pa(self) -> float:
        return self.headspace_pa + self.foreign_pa

    @property
    def recovery_s(self) -> float:
        """Time constant of the headspace; that of a solid grows as its grains, and so its surface, shrink.

        Vapour has to find its way through gas that is not its own.
        """
        through_s = THROUGH_GAS_S_PA * self.foreign_pa
        if not self.vapour.solid or self.grams >= self.full_g:
            return self.vapour.recovery_s + through_s
        shrunk: float = (self.full_g / max(self.grams, LAST_SHARE * self.full_g)) ** (2.0 / 3.0)
        return self.vapour.recovery_s * shrunk + through_s

    def rest(self, dt_s: float, temperature_c: float) -> None:
        """Refill the headspace towards saturation with the valve shut."""
        saturated = self._saturated_pa(temperature_c)
        self.headspace_pa = saturated + (self.headspace_pa - saturated) * exp(-dt_s / self.recovery_s)

    def draw(
        self, dt_s: float, temperature_c: float, downstream_pa: float, share: float, chamber: float
    ) -> tuple[float, float]:
        """Moles of vapour, and of what had streamed in, that leave in `dt_s` (a few ms) through the open valve.

        `share` is what the valve lets through of a healthy open one's flow; `chamber` how many times as much gas as the
        headspace the chamber holds at one pressure.
        """
        before_pa = self.total_pa
        if before_pa - downstream_pa < LEAST_PA:
            self.rest(dt_s, temperature_c)
            return 0.0, 0.0
        kelvin, filling = temperature_c + 273.15, 1.0 / self.recovery_s
        saturated, own_pa, foreign_pa = self._saturated_pa(temperature_c), self.headspace_pa, self.foreign_pa
        molar_g = (own_pa * self.vapour.molar_g + foreign_pa * INERT_G) / before_pa
        widest = share * _VALVE_MOL_S / sqrt(molar_g / _AIR_G * kelvin) * R * kelvin / self.headspace_m3  # per s

        def left_pa(per_s: float) -> tuple[float, float]:
            steady = saturated * filling / (per_s + filling)
            return steady + (own_pa - steady) * exp(-(per_s + filling) * dt_s), foreign_pa * exp(-per_s * dt_s)

        def passes(per_s: float) -> float:
            end_pa = sum(left_pa(per_s))
            return widest * _opening(end_pa, downstream_pa + max(before_pa - end_pa, 0.0) / chamber)

        emptying = _meeting(passes, CHOKED * widest)
        rate = emptying + filling
        steady = saturated * filling / rate
        mean = steady + (own_pa - steady) * -expm1(-rate * dt_s) / (rate * dt_s)
        per_pa = self.headspace_m3 / (R * kelvin)
        self.headspace_pa, self.foreign_pa = left_pa(emptying)
        return self._spend(emptying * mean * dt_s * per_pa), (foreign_pa - self.foreign_pa) * per_pa

    def take_in(
        self, dt_s: float, temperature_c: float, upstream_pa: float, upstream_k: float, share: float, chamber: float,
        own: float,
    ) -> float:  # fmt: skip
        """Moles that stream in from a chamber of higher pressure, until both have the same; `own` is its own vapour."""
        gap_pa = upstream_pa - self.total_pa
        if gap_pa < LEAST_PA:
            return 0.0
        kelvin = temperature_c + 273.15
        per_pa = self.headspace_m3 / (R * kelvin)
        most = gap_pa * per_pa * chamber / (chamber + 1.0)
        moles = min(share * through_valve_mol_s(upstream_pa, self.total_pa, upstream_k, INERT_G) * dt_s, most)
        self.headspace_pa += own * moles / per_pa
        self.foreign_pa += (1.0 - own) * moles / per_pa
        self.grams += own * moles * self.vapour.molar_g
        self.backflow_mol += moles
        return moles

    def push(self, dt_s: float, temperature_c: float, downstream_pa: float, carrier_mol_s: float) -> float:
        """Moles that `carrier_mol_s` of gas through the bottle takes along in `dt_s`."""
        saturated = self._saturated_pa(temperature_c)
        bottle_pa = max(downstream_pa + self.push_drop_pa, 1.5 * saturated)
        return self._spend(carrier_mol_s * saturated / (bottle_pa - saturated) * self.pickup * dt_s)

    def _saturated_pa(self, temperature_c: float) -> float:
        return self.vapour.pressure_pa(temperature_c) if self.grams > 0.0 else 0.0

    def _spend(self, moles: float) -> float:
        moles = min(moles, self.grams / self.vapour.molar_g)
        self.grams -= moles * self.vapour.molar_g
        return moles
