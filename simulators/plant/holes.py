"""How deep a half-cycle coats a hole: Gordon's exposure for one that takes every molecule, and that of a flat surface.

An aspect ratio here is a = depth x perimeter / (4 x cross-section): depth over diameter of a round hole, half of depth
over width of a trench. Sources: Gordon et al. 2003, Chem. Vap. Depos. 9, 73; checked against machball 0.3.0 (within 8 %
for sticking of up to 0.1) and the holes of Hausmann 2002.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import exp, log, sqrt

from simulators.plant.films import Film, Soft
from simulators.plant.sources import AVOGADRO, Vapour

COATED = 0.95  # the coverage that counts as coated


def aspect_of_hole(depth_m: float, perimeter_m: float, section_m2: float) -> float:
    return depth_m * perimeter_m / (4.0 * section_m2)


def aspect_of_trench(depth_m: float, width_m: float) -> float:
    return 0.5 * depth_m / width_m


def gordon(aspect: float) -> float:
    """What transport asks, in units of the exposure that brings one molecule to each site of a flat surface."""
    return 1.0 + 4.75 * aspect + 1.5 * aspect * aspect


def flat(soft: Soft | None = None) -> float:
    """How many times the exposure that leaves 1/e of its sites free a flat surface asks, with soft sites among them."""
    few = -log(1.0 - COATED)
    if soft is None:
        return few
    low, high = few, few / soft.factor
    for _ in range(60):
        x = 0.5 * (low + high)
        free = (1.0 - soft.share) * exp(-x) + soft.share * exp(-soft.factor * x)
        low, high = (x, high) if free > 1.0 - COATED else (low, x)
    return high


def needed(sticking: float, aspect: float, soft: Soft | None = None) -> float:
    """What a hole asks in the same units, with a surface that takes only some of what hits it."""
    return flat(soft) / sticking + gordon(aspect)


def reached(sticking: float, exposure: float, soft: Soft | None = None) -> float:
    """The aspect ratio that an exposure in the same units coats; 0 when a flat surface is not coated yet."""
    rest = exposure - flat(soft) / sticking
    return max((-4.75 + sqrt(4.75 * 4.75 + 6.0 * (rest - 1.0))) / 3.0, 0.0) if rest > 1.0 else 0.0


@dataclass(frozen=True)
class Half:
    """One precursor on the sites of one film at a temperature."""

    vapour: Vapour
    film: Film
    celsius: float

    @property
    def unit_pa_s(self) -> float:
        """The exposure (Pa·s) that brings one molecule to each site."""
        sticking = self.vapour.sticking(self.celsius)
        return self.film.sites_m2(self.celsius) * sticking / self.vapour.reacting_per_m2(self.celsius)

    def needed_pa_s(self, aspect: float) -> float:
        """The exposure that coats a hole of this aspect ratio to its bottom."""
        return self.unit_pa_s * needed(self.vapour.sticking(self.celsius), aspect, self._soft)

    def reached(self, exposure_pa_s: float) -> float:
        """The aspect ratio that an exposure coats."""
        return reached(self.vapour.sticking(self.celsius), exposure_pa_s / self.unit_pa_s, self._soft)

    @property
    def _soft(self) -> Soft | None:
        """Soft sites are slow to take the first step only."""
        return self.film.soft if self.vapour.name == self.film.steps[0] else None

    def supply_mol(self, area_m2: float) -> float:
        """Molecules of vapour, in mol, that `area_m2` takes: however long the exposure, no fewer will do."""
        return area_m2 * self.film.sites_m2(self.celsius) / self.vapour.monomers / AVOGADRO


@dataclass(slots=True)
class Holes:
    """Exposures by half-cycle: one begins with the first opening of a precursor after another's."""

    precursor: str = ""
    exposure_pa_s: dict[str, float] = field(default_factory=dict)  # of the half-cycle that runs, and the last of others

    def opens(self, precursor: str) -> None:
        """A source opened."""
        if precursor != self.precursor:
            self.precursor = precursor
            self.exposure_pa_s[precursor] = 0.0

    def exposed(self, key: str, pa_s: float) -> None:
        """Only the precursor of the running half-cycle counts: what is left of another coats no deeper."""
        if key == self.precursor:
            self.exposure_pa_s[key] += pa_s
