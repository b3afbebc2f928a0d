"""What the plant knows of films: growth per cycle, sites and masses of each step, against temperature.

Read from `recipes/chemistry/films.yaml`, where every number has its source. The first reading of a film counts, unless
another is asked for.
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
class Growth:
    """Growth of a saturated cycle against temperature, by one reading of the literature."""

    curve: Pchip
    logarithmic: bool

    def __call__(self, celsius: float) -> float:
        """In nm; beyond the outer points the outer value."""
        return exp(self.curve(celsius)) if self.logarithmic else self.curve(celsius)


@dataclass(frozen=True)
class Soft:
    """A second class of sites: their share, and how fast first steps go there beside the others."""

    share: float
    factor: float


@dataclass(frozen=True)
class Film:
    """One film: `steps` of its cycle, `gains` of each in g/mol of formula units, molecules that `leave` in each
    for one of its precursor.

    `per_nm2` goes with the growth by the first reading; `grows` is that by the one in use.
    """

    name: str
    steps: tuple[str, ...]
    gains: tuple[float, ...]
    leave: tuple[float, ...]
    grows: Growth
    first: Growth
    per_nm2: Pchip
    soft: Soft | None = None

    @property
    def growth(self) -> Pchip:
        """The points of the reading in use."""
        return self.grows.curve

    def gpc_nm(self, celsius: float) -> float:
        """Growth of a saturated cycle in nm; beyond the outer points the outer value (see `covers`)."""
        return self.grows(celsius)

    def covers(self, celsius: float) -> bool:
        """Whether the temperature lies between the points; outside of them the growth is an extrapolation."""
        return self.growth.covers(celsius)

    def sites_m2(self, celsius: float) -> float:
        """Formula units that a saturated cycle adds per m²; of one point they go with the growth per cycle.

        By another reading than the first there are as many more or fewer as it says of growth: of the same density.
        """
        if len(self.per_nm2.x) > 1:
            return self.per_nm2(celsius) * 1e18 * (self.grows(celsius) / self.first(celsius))
        return self.per_nm2.y[0] * 1e18 * self.grows(celsius) / self.first(self.per_nm2.x[0])

    def density_g_cm3(self, celsius: float) -> float:
        """Mass over thickness of a saturated cycle."""
        return sum(self.gains) * self.sites_m2(celsius) * NG_CM2 / self.gpc_nm(celsius) / 100.0

    def gain_ng_cm2(self, step: int, celsius: float) -> float:
        """Mass that a saturated `step` (from 0) adds."""
        return self.gains[step] * self.sites_m2(celsius) * NG_CM2


Readings = tuple[tuple[str, int], ...]  # film -> which reading of the literature it grows by, from 1; the others: 1


@cache
def films(readings: Readings = ()) -> dict[str, Film]:
    """Every film by its name; raises KeyError for a film or a precursor that no table has, IndexError for a reading."""
    chosen, entries = dict(readings), table("films")
    if unknown := chosen.keys() - entries.keys():
        raise KeyError(f"there is no film '{min(unknown)}' in films.yaml")
    return {name: _film(name, entry, chosen.get(name, 1)) for name, entry in entries.items()}


def _film(name: str, entry: dict[str, Any], number: int) -> Film:
    if not 1 <= number <= len(entry["readings"]):
        raise IndexError(f"'{name}' has {len(entry['readings'])} readings in films.yaml, not {number}")
    gains = tuple(float(gain) for gain in entry["gains"]["g_per_mol"])
    steps = tuple(_known(one) for one in entry["precursors"])
    grows, first = (_growth(entry["readings"][i]) for i in (number - 1, 0))
    soft = Soft(float(entry["soft"]["share"]), float(entry["soft"]["factor"])) if "soft" in entry else None
    leave = tuple(float(count) for count in entry["gains"]["leave"])
    return Film(name, steps, gains, leave, grows, first, Pchip(*points(entry["sites"], "per_nm2")), soft)


def _growth(reading: dict[str, Any]) -> Growth:
    celsius, growth_nm = points(reading, "gpc")
    logarithmic = reading.get("between") == "log"
    return Growth(Pchip(celsius, tuple(log(nm) for nm in growth_nm) if logarithmic else growth_nm), logarithmic)


def _known(precursor: str) -> str:
    name = named(precursor)
    if name is None:
        raise KeyError(f"there is no precursor '{precursor}' in precursors.yaml")
    return name
