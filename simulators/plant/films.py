"""What the plant knows of films: growth per cycle, sites and masses of each step, against temperature.

Read from `recipes/chemistry/films.yaml`, where every number has its source. The first reading of a film counts.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from math import exp, log
from typing import Any

from simulators.plant.curve import Pchip
from simulators.plant.sources import named
from simulators.plant.tables import points, table

NG_CM2 = 1e5 / 6.02214076e23  # of one g/mol per m²


@dataclass(frozen=True)
class Film:
    """One film: `steps` of its cycle, `gains` of each in g/mol of formula units."""

    name: str
    steps: tuple[str, ...]
    gains: tuple[float, ...]
    growth: Pchip
    logarithmic: bool
    per_nm2: Pchip

    def gpc_nm(self, celsius: float) -> float:
        """Growth of a saturated cycle in nm; beyond the outer points the outer value (see `covers`)."""
        return exp(self.growth(celsius)) if self.logarithmic else self.growth(celsius)

    def covers(self, celsius: float) -> bool:
        """Whether the temperature lies between the points; outside of them the growth is an extrapolation."""
        return self.growth.covers(celsius)

    def sites_m2(self, celsius: float) -> float:
        """Formula units that a saturated cycle adds per m²; of one point they go with the growth per cycle."""
        if len(self.per_nm2.x) > 1:
            return self.per_nm2(celsius) * 1e18
        return self.per_nm2.y[0] * 1e18 * self.gpc_nm(celsius) / self.gpc_nm(self.per_nm2.x[0])

    def density_g_cm3(self, celsius: float) -> float:
        """Mass over thickness of a saturated cycle."""
        return sum(self.gains) * self.sites_m2(celsius) * NG_CM2 / self.gpc_nm(celsius) / 100.0

    def gain_ng_cm2(self, step: int, celsius: float) -> float:
        """Mass that a saturated `step` (from 0) adds."""
        return self.gains[step] * self.sites_m2(celsius) * NG_CM2


@cache
def films() -> dict[str, Film]:
    """Every film by its name; raises KeyError for a precursor that is not in the other table."""
    return {name: _film(name, entry) for name, entry in table("films").items()}


def _film(name: str, entry: dict[str, Any]) -> Film:
    reading = entry["readings"][0]
    celsius, growth_nm = points(reading, "gpc")
    logarithmic = reading.get("between") == "log"
    growth = Pchip(celsius, tuple(log(nm) for nm in growth_nm) if logarithmic else growth_nm)
    gains = tuple(float(gain) for gain in entry["gains"]["g_per_mol"])
    steps = tuple(_known(one) for one in entry["precursors"])
    return Film(name, steps, gains, growth, logarithmic, Pchip(*points(entry["sites"], "per_nm2")))


def _known(precursor: str) -> str:
    name = named(precursor)
    if name is None:
        raise KeyError(f"there is no precursor '{precursor}' in precursors.yaml")
    return name
