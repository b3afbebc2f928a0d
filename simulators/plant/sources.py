"""What the plant knows of precursors: vapour pressure, mass, how fast a headspace refills, which film a pair grows.

Vapour pressures are log10(p/Torr) = A - B/(T + C), T in kelvin. Sources: Academic Press Encyclopedia table (TMA);
Poling via `chemicals` (H2O, EDA); Perry 2-8 (EG: three points of its five-term equation at 25, 80 and 120 °C);
Landolt-Börnstein via `chemicals` (GL, TEA, TMPO, TTIP, HD); Hausmann 2002 (TDMAZ). LTB is an estimate of low
confidence: 0.1 Torr at 110 °C and 105 kJ/mol. DEZ, TDMAT, TiCl4, ZTB, HQ, PDIC and AC rest on one or two remembered
points each.
"""

from __future__ import annotations

from dataclasses import dataclass

TORR_PA = 101_325.0 / 760.0


@dataclass(frozen=True, slots=True)
class Vapour:
    """One precursor as the plant sees it; `molar_g` is of the vapour at the source, `recovery_s` of its headspace."""

    a: float
    b: float
    c: float
    molar_g: float
    recovery_s: float
    metal: bool
    per_pa_s: float = 0.3  # reaction probability times impingement, lumped: 10 Pa s saturate to 95 %

    def pressure_pa(self, temperature_c: float) -> float:
        """Saturated vapour pressure in Pa."""
        return float(10.0 ** (self.a - self.b / (temperature_c + 273.15 + self.c))) * TORR_PA


LIQUID_S, SOLID_S = 0.3, 4.0

VAPOURS: dict[str, Vapour] = {
    "TMA": Vapour(8.224, 2134.83, 0.0, 144.17, LIQUID_S, True),  # the dimer: that is what a bottle gives
    "H2O": Vapour(7.99074, 1687.537, -42.98, 18.015, LIQUID_S, False),
    "EG": Vapour(8.53197, 2344.388, -53.585, 62.068, LIQUID_S, False),
    "GL": Vapour(8.43826, 2672.383, -81.155, 92.094, LIQUID_S, False),
    "TEA": Vapour(8.56002, 2968.072, -85.959, 149.188, LIQUID_S, False),
    "LTB": Vapour(13.315, 5484.8, 0.0, 320.2, SOLID_S, True),  # the tetramer
    "DEZ": Vapour(8.280, 2109.0, 0.0, 123.5, LIQUID_S, True),
    "TDMAT": Vapour(8.60, 2850.0, 0.0, 224.17, LIQUID_S, True),
    "TDMAZ": Vapour(11.505, 4028.6, 0.0, 267.53, SOLID_S, True),
    "TTIP": Vapour(7.00788, 1650.089, -100.8, 284.22, LIQUID_S, True),
    "TiCl4": Vapour(7.64433, 1947.6, 0.0, 189.68, LIQUID_S, True),
    "ZTB": Vapour(9.428, 3170.0, 0.0, 383.68, LIQUID_S, True),
    "HQ": Vapour(13.394, 5432.0, 0.0, 110.11, SOLID_S, False),
    "TMPO": Vapour(7.51762, 1992.120, -36.06, 140.075, LIQUID_S, False),
    "EDA": Vapour(7.31481, 1427.523, -68.119, 60.098, LIQUID_S, False),
    "PDIC": Vapour(7.525, 2476.0, 0.0, 160.13, SOLID_S, True),  # plays the first half of its pair
    "AC": Vapour(8.856, 3104.0, 0.0, 183.03, LIQUID_S, True),  # likewise
    "HD": Vapour(7.84095, 2190.149, -31.035, 116.2, SOLID_S, False),
}

ALIASES = {
    "trimethylaluminium": "TMA", "water": "H2O", "ethylene glycol": "EG", "glycerol": "GL", "triethanolamine": "TEA",
    "LiOtBu": "LTB", "lithium tert-butoxide": "LTB", "diethylzinc": "DEZ", "hydroquinone": "HQ",
}  # fmt: skip

GROWTH_NM: dict[tuple[str, str], float] = {  # per saturated cycle, from the seed paper's table where it has one
    ("LTB", "GL"): 2.7,
    ("LTB", "TEA"): 0.35,
    ("TMA", "H2O"): 0.13,
    ("TMA", "EG"): 0.40,
    ("TMA", "HQ"): 0.41,
    ("DEZ", "H2O"): 0.20,
    ("TDMAT", "H2O"): 0.05,
    ("TiCl4", "H2O"): 0.05,
    ("TTIP", "H2O"): 0.025,
    ("TDMAZ", "H2O"): 0.096,
    ("ZTB", "EG"): 0.1,
    ("PDIC", "EDA"): 0.4,
    ("AC", "HD"): 0.38,
}


def named(name: str) -> str | None:
    """The table's name of a precursor, following aliases; None when the plant knows no such precursor."""
    key = ALIASES.get(name, name)
    return key if key in VAPOURS else None
