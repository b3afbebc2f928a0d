"""What is known of precursors, films and materials: names, kinds, limits, vapour pressures, growth per cycle.

Read from `recipes/chemistry/*.yaml`; every fact there carries its source and how far to trust it.
"""

from __future__ import annotations

import math
from bisect import bisect
from collections.abc import Callable
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from ald_controller import units
from ald_controller.curves import ZERO_K, Monotone, activated
from ald_controller.reactortable import ReactorTable, load_reactor
from ald_controller.sourced import Confidence, Provenance, Sourced
from ald_controller.yamlfile import Document, Problem, Problems, Strict, read, validate

Kind = Literal["metal-organic", "protic", "oxidising", "halide", "acid chloride", "isocyanate"]
_WEAKEST: tuple[Provenance, ...] = ("read", "calculated", "seed", "unverified default")
LITHIUM, NOTHING = "lithium", "nothing"  # materials that the code knows by their names
BOLTZMANN_EV_K = 8.617333262e-5
# in code, as the lithium limits are: a table that a site edits cannot take a metal that burns off its guard
ALKALI_METALS = frozenset({LITHIUM, "sodium", "potassium", "rubidium", "caesium"})

_FORMS: dict[str, tuple[int, Callable[..., float]]] = {
    "log10 P = A - B/T": (2, lambda t, a, b: 10 ** (a - b / t)),
    "log10 P = A - B/(T + C)": (3, lambda t, a, b, c: 10 ** (a - b / (t + c))),
    "ln P = A - B/(T + C)": (3, lambda t, a, b, c: math.exp(a - b / (t + c))),
    "ln P = A + B/T + C ln T + D 1e-18 T^6": (
        4,
        lambda t, a, b, c, d: math.exp(a + b / t + c * math.log(t) + d * 1e-18 * t**6),
    ),
}


class VapourPressure(Strict):
    """Saturation pressure over the bottle as an equation in T (kelvins); `range` is where it was fitted."""

    form: str
    unit: Literal["Pa", "Torr"]
    coefficients: list[int | float]
    range: list[units.Celsius] | None = Field(default=None, min_length=2, max_length=2)

    @model_validator(mode="after")
    def _known(self) -> Self:
        if self.form not in _FORMS:
            raise ValueError(f"'form' must be one of: {'; '.join(_FORMS)}")
        if len(self.coefficients) != _FORMS[self.form][0]:
            raise ValueError(f"'{self.form}' takes {_FORMS[self.form][0]} coefficients")
        return self

    def pa(self, celsius: float) -> float:
        """Saturation pressure in Pa at a temperature in °C."""
        value = float(_FORMS[self.form][1](celsius + 273.15, *self.coefficients))
        return value * (units.TORR_PA if self.unit == "Torr" else 1.0)


class Bottle(Strict):
    """Temperatures that a bottle of this precursor may be set to."""

    min: units.Celsius | None = None
    max: units.Celsius | None = None


class OnLithium(Strict):
    """What dosing it over lithium deserves, and why."""

    verdict: Literal["refuse", "warn"]
    why: str


class Pyrophoric(Strict):
    """Whether it catches fire by itself in air, and who says so."""

    verdict: Literal["yes", "no", "unknown"]
    source: str


def _must_rise(at: list[float]) -> None:
    """Raises ValueError unless these temperatures rise."""
    if at != sorted(set(at)):
        raise ValueError("'points' must rise in temperature")


class Vapour(Sourced):
    """What a bottle gives, where it is not its formula at the pressure of its equation; recovery of its headspace."""

    molar_mass_g_per_mol: float | None = Field(default=None, gt=0)
    monomers: int = Field(default=1, ge=1, le=8)
    stands_at: units.Pascals | None = Field(default=None, gt=0)
    recovery: units.Seconds = Field(gt=0)


class StickingPoint(Strict):
    at: units.Celsius
    probability: float = Field(gt=0, le=1)


class Sticking(Sourced):
    """Probability that a molecule reacts on a free site, against temperature."""

    points: list[StickingPoint] = Field(min_length=1)
    activation_ev: float | None = Field(default=None, ge=0)

    @model_validator(mode="after")
    def _one_with_activation(self) -> Self:
        if self.activation_ev is not None and len(self.points) != 1:
            raise ValueError("'activation_ev' takes one point, from which it is reckoned")
        _must_rise([p.at for p in self.points])
        return self

    def on(self, celsius: float) -> float:
        """Probability at a temperature of the surface."""
        first = self.points[0]
        if self.activation_ev is None:
            return activated([(p.at, p.probability) for p in self.points], celsius)
        cooler = 1.0 / (first.at + ZERO_K) - 1.0 / (celsius + ZERO_K)
        return first.probability * math.exp(self.activation_ev / BOLTZMANN_EV_K * cooler)


class WallPoint(Strict):
    at: units.Celsius
    stay: units.Seconds = Field(gt=0)


class Walls(Sourced):
    """How long a molecule stays on a wall, against the wall's temperature."""

    points: list[WallPoint] = Field(min_length=1)

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        _must_rise([p.at for p in self.points])
        return self

    def stay_s(self, celsius: float) -> float:
        """Time constant of desorption from a wall of this temperature."""
        return activated([(p.at, p.stay) for p in self.points], celsius)


class Precursor(Strict):
    """One precursor; times in s, temperatures in °C. Its own `source` and `provenance` are of the vapour pressure."""

    aliases: list[str] = Field(default=[])
    formula: str
    state: Literal["solid", "liquid", "gas"]
    kind: Kind
    pyrophoric: Pyrophoric
    molar_mass_g_per_mol: float = Field(gt=0)
    longest_opening: units.Seconds = Field(gt=0, le=60)
    clear: units.Seconds = Field(ge=60)
    bottle: Bottle = Bottle()
    stable_below: units.Celsius | None = None
    vapour_pressure: VapourPressure | None = None
    lithium: OnLithium | None = None
    source: str
    confidence: Confidence
    provenance: Provenance
    vapour: Vapour
    sticking: Sticking
    walls: Walls

    def saturated_pa(self, celsius: float) -> float | None:
        """Pressure over a bottle at this temperature: its regulator's, or that of its equation; None without either."""
        if self.vapour.stands_at is not None:
            return self.vapour.stands_at
        return self.vapour_pressure.pa(celsius) if self.vapour_pressure else None

    @property
    def vapour_g_per_mol(self) -> float:
        """Of a molecule of its vapour, which may be several of its formula."""
        return self.vapour.molar_mass_g_per_mol or self.molar_mass_g_per_mol

    @property
    def may_ignite(self) -> bool:
        """Whether it must be held for pyrophoric: it does unless somebody is known to say that it is not."""
        return self.pyrophoric.verdict != "no"


class Point(Strict):
    at: units.Celsius
    gpc: units.Nanometres = Field(gt=0)
    provenance: Provenance | None = None  # where it is not that of its reading


class Reading(Strict):
    """One reading of the literature: growth per cycle (nm) against substrate temperature (°C)."""

    points: list[Point] = Field(min_length=1)
    between: Literal["linear", "log"] = "linear"
    source: str
    confidence: Confidence
    provenance: Provenance

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        _must_rise([p.at for p in self.points])
        return self

    @cached_property
    def _curve(self) -> Monotone:
        grown = [math.log(p.gpc) if self.between == "log" else p.gpc for p in self.points]
        return Monotone(tuple(p.at for p in self.points), tuple(grown))

    def gpc_nm(self, celsius: float) -> float:
        """Growth per cycle in nm; beyond the outer points the outer value (see `covers`)."""
        value = self._curve(celsius)
        return math.exp(value) if self.between == "log" else value

    def provenance_at(self, celsius: float) -> Provenance:
        """That of the point at this temperature, or the weaker one of both beside it."""
        beside = [p for p in self.points if p.at == celsius]
        if not beside:
            at = bisect([p.at for p in self.points], celsius)
            beside = self.points[max(at - 1, 0) : at + 1]
        return max((p.provenance or self.provenance for p in beside), key=_WEAKEST.index)

    def covers(self, celsius: float) -> bool:
        """Whether the temperature lies between the outer points, to 5 K."""
        return self.points[0].at - 5 <= celsius <= self.points[-1].at + 5


class SitesPoint(Strict):
    at: units.Celsius
    per_nm2: float = Field(gt=0)


class Sites(Sourced):
    """Formula units that a saturated cycle adds per nm², against temperature."""

    points: list[SitesPoint] = Field(min_length=1)

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        _must_rise([p.at for p in self.points])
        return self


class Gains(Sourced):
    """What each step of a cycle adds, in g per mol of formula units; less than 0 where ligands outweigh it.

    `leave` is how many molecules of gas each step gives off for each one of its precursor that reacts.
    """

    g_per_mol: list[int | float]
    leave: list[Annotated[int | float, Field(ge=0)]]


class Window(Sourced):
    """Temperatures of the substrate between which the process is published to work."""

    min: units.Celsius | None = None
    max: units.Celsius | None = None


class Soft(Sourced):
    """A second class of sites: their share, and how fast the first step goes there beside the others."""

    share: float = Field(gt=0, lt=1)
    factor: float = Field(gt=0, le=1)


class FilmOnLithium(Sourced):
    """Whether it goes on lithium: it is refused there, or over bare lithium alone and not over a film beneath."""

    verdict: Literal["refuse", "barrier"]
    why: str


class Supercycle(Sourced):
    """How many cycles of which films make one turn of it, in their order: its growth is their sum."""

    films: dict[str, Annotated[int, Field(ge=1, le=1000)]] = Field(min_length=2)


class Film(Strict):
    """The steps of its cycle in order, and what the literature says of its growth."""

    precursors: list[str] = Field(min_length=2, max_length=3)
    readings: list[Reading] = Field(min_length=1)
    sites: Sites
    gains: Gains
    window: Window | None = None
    soft: Soft | None = None
    lithium: FilmOnLithium | None = None
    unload: str | None = None  # what has to be known when it leaves the chamber

    @model_validator(mode="after")
    def _a_gain_each(self) -> Self:
        if len(self.gains.g_per_mol) != len(self.precursors):
            raise ValueError("'gains' must have a number for each of 'precursors'")
        if len(self.gains.leave) != len(self.precursors):
            raise ValueError("'leave' of 'gains' must have a number for each of 'precursors'")
        return self

    def sites_m2(self, celsius: float) -> float:
        """Formula units that a saturated cycle adds per m²; of one point they go with the growth per cycle."""
        points, first = self.sites.points, self.readings[0]
        if len(points) == 1:
            return points[0].per_nm2 * 1e18 * first.gpc_nm(celsius) / first.gpc_nm(points[0].at)
        return Monotone(tuple(p.at for p in points), tuple(p.per_nm2 for p in points))(celsius) * 1e18


class Nucleation(Sourced):
    """How growth begins on a material: the first cycle's share of a layer, and over how many cycles it comes in."""

    first: float = Field(gt=0, le=1)
    cycles: int = Field(gt=0)

    def layers(self, before: int, count: int) -> float:
        """How many whole layers `count` cycles grow after `before` others, as growth comes in."""
        near = min(count, max(0, 30 * self.cycles - before))  # beyond that all of it has come
        late = sum(1.0 - (1.0 - self.first) * math.exp(-(before + n + 0.5) / self.cycles) for n in range(near))
        return (count - near) + late


class Material(Strict):
    """What may lie in the chamber, and the highest set-point of the zones that touch it (°C)."""

    aliases: list[str] = Field(default=[])
    limit: units.Celsius
    why: str = ""
    nucleation: Nucleation | None = None


class _Precursors(Strict):
    precursors: dict[str, Precursor]


class _Films(Strict):
    films: dict[str, Film]
    supercycles: dict[str, Supercycle] = Field(default={})


class _Materials(Strict):
    materials: dict[str, Material]


@dataclass(frozen=True)
class Chemistry:
    """The tables, with every alias resolved."""

    precursors: dict[str, Precursor]
    films: dict[str, Film]
    supercycles: dict[str, Supercycle]
    materials: dict[str, Material]
    names: dict[str, str]  # name or alias -> the name of a precursor
    material_names: dict[str, str]  # lower case name or alias -> the name of a material
    reactor: ReactorTable  # what is assumed of a reactor where nobody has measured it

    def name(self, written: str) -> str | None:
        """The one name of a precursor from any of its names; None when it is not known."""
        return self.names.get(written)

    def material(self, written: str) -> str | None:
        """The one name of a material from any of its names in any case; None when it is not known."""
        return self.material_names.get(written.strip().lower())

    def unlike(self, one: str, other: str) -> bool:
        """Whether two precursors (by name) are of different kinds, so that they must never meet in the gas."""
        return self.precursors[one].kind != self.precursors[other].kind

    def film_of(self, *doses: str) -> str | None:
        """The film that turns of these doses (precursors by name) grow, if it is known.

        A cycle may be begun at any of its steps, but its order counts: a film of three is a ring with a direction.
        """
        return next((n for n, f in self.films.items() if _turned([self.names[p] for p in f.precursors], doses)), None)


def _turned(steps: list[str], doses: tuple[str, ...]) -> bool:
    return any([*steps[i:], *steps[:i]] == list(doses) for i in range(len(steps)))


def close(written: str, names: Any) -> str:
    """' - did you mean …?' for a message, or nothing."""
    near = get_close_matches(written, [str(n) for n in names], n=1, cutoff=0.6)
    return f"; did you mean '{near[0]}'?" if near else ""


def load_chemistry(folder: Path) -> Chemistry:
    """Read precursors.yaml, films.yaml, materials.yaml and reactor.yaml of `folder`; raises Problems."""
    first, second, third = (read(folder / f"{name}.yaml") for name in ("precursors", "films", "materials"))
    precursors = validate(first, _Precursors).precursors
    grown = validate(second, _Films)
    films = grown.films
    materials = validate(third, _Materials).materials
    names = _names(first, "precursors", precursors)
    for film, entry in films.items():
        for i, precursor in enumerate(entry.precursors):
            if precursor not in names:
                mark = second.mark(("films", film, "precursors", i))
                raise Problems([Problem(mark, f"there is no precursor '{precursor}' in {first.name}")])
    for name, supercycle in grown.supercycles.items():
        for film in supercycle.films.keys() - films.keys():
            raise Problems([Problem(second.mark(("supercycles", name, "films")), f"there is no film '{film}' here")])
    if LITHIUM not in materials:
        raise Problems([Problem(third.mark(("materials",)), f"'{LITHIUM}' is missing: it stands for what is unknown")])
    lower = {name.lower(): one for name, one in _names(third, "materials", materials).items()}
    return Chemistry(precursors, films, grown.supercycles, materials, names, lower, load_reactor(folder))


def _names(document: Document, table: str, entries: dict[str, Any]) -> dict[str, str]:
    """Every name and alias to the one name; refuses an alias that means two things."""
    out: dict[str, str] = {}
    for name, entry in entries.items():
        for alias in (name, *entry.aliases):
            if out.setdefault(alias, name) != name:
                mark = document.mark((table, name), of_key=True)
                raise Problems([Problem(mark, f"'{alias}' already means {out[alias]}")])
    return out
