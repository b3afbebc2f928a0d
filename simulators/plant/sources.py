"""What the plant knows of precursors: vapour pressure, mass, how fast a headspace refills, how they stick.

Read from `recipes/chemistry/precursors.yaml`, where every number has its source.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from math import exp, inf, log, pi, sqrt
from typing import Any

from simulators.plant.curve import ZERO_K, Activated
from simulators.plant.tables import TORR_PA, number, points, table

__all__ = ["TORR_PA", "Vapour", "named", "vapours"]

BOLTZMANN, AVOGADRO, ELECTRON_V = 1.380649e-23, 6.02214076e23, 1.602176634e-19
_FORMS: dict[str, Callable[..., float]] = {
    "log10 P = A - B/T": lambda t, a, b: 10.0 ** (a - b / t),
    "log10 P = A - B/(T + C)": lambda t, a, b, c: 10.0 ** (a - b / (t + c)),
    "ln P = A - B/(T + C)": lambda t, a, b, c: exp(a - b / (t + c)),
    "ln P = A + B/T + C ln T + D 1e-18 T^6": lambda t, a, b, c, d: exp(a + b / t + c * log(t) + d * 1e-18 * t**6),
}


@dataclass(frozen=True)
class Vapour:
    """One precursor as the plant sees it.

    `molar_g` is of the vapour at the source, `formula_g` of one of the `monomers` in its molecule; `recovery_s` of its
    headspace; `stay_s` on a wall against its temperature; `breaks_c`: it decomposes on surfaces from here on.
    """

    name: str
    saturated: Callable[[float], float]  # kelvins -> Pa
    molar_g: float
    formula_g: float
    monomers: int
    recovery_s: float
    sticks: Activated
    activation_ev: float
    stay_s: Activated
    breaks_c: float
    solid: bool

    def pressure_pa(self, temperature_c: float) -> float:
        """Saturated vapour pressure in Pa."""
        return self.saturated(temperature_c + ZERO_K)

    def sticking(self, temperature_c: float) -> float:
        """Probability that a molecule reacts where it hits a free site."""
        at_k, then_k = temperature_c + ZERO_K, self.sticks.celsius[0] + ZERO_K
        slower = exp(self.activation_ev * ELECTRON_V / BOLTZMANN * (1.0 / then_k - 1.0 / at_k))
        return self.sticks(temperature_c) * slower if self.activation_ev else self.sticks(temperature_c)

    def reacting_per_m2(self, temperature_c: float) -> float:
        """Monomers that react per m², Pa and second on a surface of free sites: sticking times impingement."""
        thermal = sqrt(2.0 * pi * self.formula_g * 1e-3 / AVOGADRO * BOLTZMANN * (temperature_c + ZERO_K))
        return self.sticking(temperature_c) * self.monomers / thermal


@cache
def vapours() -> dict[str, Vapour]:
    """Every precursor by its one name."""
    return {name: _vapour(name, entry) for name, entry in table("precursors").items()}


@cache
def _names() -> dict[str, str]:
    return {alias: name for name, entry in table("precursors").items() for alias in (name, *entry["aliases"])}


def named(name: str) -> str | None:
    """The table's name of a precursor, following aliases; None when the plant knows no such precursor."""
    return _names().get(name)


def _vapour(name: str, entry: dict[str, Any]) -> Vapour:
    vapour, sticking, formula_g = entry["vapour"], entry["sticking"], float(entry["molar_mass_g_per_mol"])
    return Vapour(
        name, _saturated(entry), float(vapour.get("molar_mass_g_per_mol", formula_g)), formula_g,
        int(vapour.get("monomers", 1)), number(vapour["recovery"]), Activated(*points(sticking, "probability")),
        float(sticking.get("activation_ev", 0.0)), Activated(*points(entry["walls"], "stay")),
        number(entry["stable_below"]) if "stable_below" in entry else inf, entry["state"] == "solid",
    )  # fmt: skip


def _saturated(entry: dict[str, Any]) -> Callable[[float], float]:
    """Saturated pressure in Pa from kelvins: a regulator's or a fixed one goes before the equation."""
    stands_at = entry["vapour"].get("stands_at")
    if stands_at is not None:
        fixed = number(stands_at)
        return lambda kelvin: fixed
    equation = entry["vapour_pressure"]
    form, coefficients = _FORMS[equation["form"]], tuple(float(c) for c in equation["coefficients"])
    unit = {"Torr": TORR_PA, "Pa": 1.0}[equation["unit"]]
    return lambda kelvin: float(form(kelvin, *coefficients)) * unit
