"""What is known of precursors, films and materials: names, kinds, limits, vapour pressures, growth per cycle.

Read from `recipes/chemistry/*.yaml`; every fact there carries its source and how far to trust it.
"""

from __future__ import annotations

import math
from bisect import bisect
from collections.abc import Callable
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field, model_validator

from ald_controller import units
from ald_controller.yamlfile import Document, Problem, Problems, Strict, read, validate

Kind = Literal["metal-organic", "protic", "oxidising", "halide", "acid chloride", "isocyanate"]
Confidence = Literal["high", "medium", "low", "unknown"]
Provenance = Literal["read", "seed", "calculated", "unverified default"]
LITHIUM, NOTHING = "lithium", "nothing"  # materials that the code knows by their names
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


class Sourced(Strict):
    """Where a number comes from, and how far that goes."""

    source: str
    provenance: Provenance


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

    def gpc_nm(self, celsius: float) -> float:
        """Growth per cycle in nm; beyond the outer points the outer value (see `covers`)."""
        points = self.points
        i = bisect([p.at for p in points], celsius)
        if i in (0, len(points)):
            return points[min(i, len(points) - 1)].gpc
        low, high = points[i - 1], points[i]
        share = (celsius - low.at) / (high.at - low.at)
        if self.between == "log":
            return float(low.gpc * (high.gpc / low.gpc) ** share)
        return low.gpc + share * (high.gpc - low.gpc)

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
    """What each step of a cycle adds, in g per mol of formula units; less than 0 where ligands outweigh it."""

    g_per_mol: list[int | float]


class Film(Strict):
    """The steps of its cycle in order, and what the literature says of its growth."""

    precursors: list[str] = Field(min_length=2, max_length=3)
    readings: list[Reading] = Field(min_length=1)
    sites: Sites
    gains: Gains

    @model_validator(mode="after")
    def _a_gain_each(self) -> Self:
        if len(self.gains.g_per_mol) != len(self.precursors):
            raise ValueError("'gains' must have a number for each of 'precursors'")
        return self


class Nucleation(Sourced):
    """How growth begins on a material: the first cycle's share of a layer, and over how many cycles it comes in."""

    first: float = Field(gt=0, le=1)
    cycles: int = Field(gt=0)


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


class _Materials(Strict):
    materials: dict[str, Material]


@dataclass(frozen=True)
class Chemistry:
    """The tables, with every alias resolved."""

    precursors: dict[str, Precursor]
    films: dict[str, Film]
    materials: dict[str, Material]
    names: dict[str, str]  # name or alias -> the name of a precursor
    material_names: dict[str, str]  # lower case name or alias -> the name of a material

    def name(self, written: str) -> str | None:
        """The one name of a precursor from any of its names; None when it is not known."""
        return self.names.get(written)

    def material(self, written: str) -> str | None:
        """The one name of a material from any of its names in any case; None when it is not known."""
        return self.material_names.get(written.strip().lower())

    def unlike(self, one: str, other: str) -> bool:
        """Whether two precursors (by name) are of different kinds, so that they must never meet in the gas."""
        return self.precursors[one].kind != self.precursors[other].kind

    def film_of(self, one: str, other: str) -> str | None:
        """The film that alternating doses of two precursors (by name) grow, if it is known."""
        pair = {one, other}
        return next((n for n, f in self.films.items() if {self.names[p] for p in f.precursors} == pair), None)


def close(written: str, names: Any) -> str:
    """' - did you mean …?' for a message, or nothing."""
    near = get_close_matches(written, [str(n) for n in names], n=1, cutoff=0.6)
    return f"; did you mean '{near[0]}'?" if near else ""


def load_chemistry(folder: Path) -> Chemistry:
    """Read precursors.yaml, films.yaml and materials.yaml of `folder`; raises Problems."""
    first, second, third = (read(folder / f"{name}.yaml") for name in ("precursors", "films", "materials"))
    precursors = validate(first, _Precursors).precursors
    films = validate(second, _Films).films
    materials = validate(third, _Materials).materials
    names = _names(first, "precursors", precursors)
    for film, entry in films.items():
        for i, precursor in enumerate(entry.precursors):
            if precursor not in names:
                mark = second.mark(("films", film, "precursors", i))
                raise Problems([Problem(mark, f"there is no precursor '{precursor}' in {first.name}")])
    if LITHIUM not in materials:
        raise Problems([Problem(third.mark(("materials",)), f"'{LITHIUM}' is missing: it stands for what is unknown")])
    lower = {name.lower(): one for name, one in _names(third, "materials", materials).items()}
    return Chemistry(precursors, films, materials, names, lower)


def _names(document: Document, table: str, entries: dict[str, Any]) -> dict[str, str]:
    """Every name and alias to the one name; refuses an alias that means two things."""
    out: dict[str, str] = {}
    for name, entry in entries.items():
        for alias in (name, *entry.aliases):
            if out.setdefault(alias, name) != name:
                mark = document.mark((table, name), of_key=True)
                raise Problems([Problem(mark, f"'{alias}' already means {out[alias]}")])
    return out
