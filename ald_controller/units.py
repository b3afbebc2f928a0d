"""Quantities with units, as people write them, to floats in one fixed unit per dimension, and back.

The fixed units are in the names of the code: `_s`, `_c`, `_k`, `_k_per_s`, `_pa`, `_pa_per_s`, `_sccm`, `_nm`, `_g`,
`_ppm`, `_v`, `_w`, `_w_k`, `_percent`, `_m2`, `_m3`, `_m3_s`, `_pa_m3_s`. A bare number is refused, and
so is arithmetic.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import BeforeValidator, WithJsonSchema

_PRODUCT = r"(?:mbar|mTorr|Pa) \S+"  # of a pressure and a volume in a time: the one kind of unit with a space in it
_NUMBER = re.compile(rf"\s*([+-]?[0-9]{{1,15}}(?:\.[0-9]{{1,15}})?)\s*({_PRODUCT}|[A-Za-z°%µÅ]\S*)?\s*\Z")
_SAME = str.maketrans({"\u03bc": "\u00b5", "\u212b": "\u00c5"})  # micro and ångström each have two characters
TORR_PA = 101_325.0 / 760.0  # definition of the torr

PARAMETER: dict[str, Any] = {"type": "string", "pattern": r"^\$[A-Za-z_][A-Za-z0-9_]*$", "description": "a parameter"}


class UnitError(ValueError):
    """The text is not a quantity of this dimension; the message says what would be."""


@dataclass(frozen=True, slots=True)
class Dimension:
    """One kind of quantity: its units as factor and offset to the fixed unit (the first one), and an example."""

    name: str
    units: dict[str, tuple[float, float]]
    example: str

    def parse(self, text: object) -> float:
        """The value in the fixed unit; raises UnitError."""
        if isinstance(text, bool) or not isinstance(text, str | int | float):
            raise UnitError(f"a {self.name} with its unit is expected, for example {self.example}")
        if isinstance(text, int | float):
            raise UnitError(f"'{text}' has no unit: write one of {self._names()}, for example {self.example}")
        match = _NUMBER.match(text.translate(_SAME))
        if not match:
            raise UnitError(
                f"'{text[:40]}' is not a {self.name}: write a number and a unit, for example {self.example}"
            )
        if match[2] is None:
            raise UnitError(f"'{text}' has no unit: write one of {self._names()}, for example {self.example}")
        if match[2] not in self.units:
            wrong = f"'{match[2][:20]}' is not a unit of {self.name}"
            raise UnitError(f"{wrong}: write one of {self._names()}, as in {self.example}")
        factor, offset = self.units[match[2]]
        return float(match[1]) * factor + offset

    def show(self, value: float, unit: str | None = None) -> str:
        """`value` (fixed unit) for people, in `unit` or the fixed one, to four significant figures."""
        unit = unit or next(iter(self.units))
        factor, offset = self.units[unit]
        number = f"{(value - offset) / factor:.4g}"
        return f"{float(number):g} {unit}" if "e" not in number else f"{number} {unit}"

    def schema(self, more: str = "") -> dict[str, Any]:
        """What an editor is told of such a text, or of a `$parameter` in its place."""
        units = "|".join(re.escape(name) for name in self.units)
        told = f"{self.name}{', ' + more if more else ''}, for example {self.example}"
        text = {"type": "string", "pattern": rf"^\s*[+-]?[0-9]+(\.[0-9]+)?\s*({units})\s*$", "description": told}
        return {"anyOf": [text, PARAMETER]}

    def _names(self) -> str:
        return ", ".join(self.units)


def _linear(**units: float) -> dict[str, tuple[float, float]]:
    return {name: (factor, 0.0) for name, factor in units.items()}


TIME = Dimension("time", _linear(s=1.0, ms=1e-3, min=60.0, h=3600.0), "'20 s'")
TEMPERATURE = Dimension(
    "temperature", {"°C": (1.0, 0.0), "C": (1.0, 0.0), "degC": (1.0, 0.0), "K": (1.0, -273.15)}, "'150 °C'"
)
DIFFERENCE = Dimension("temperature difference", _linear(K=1.0), "'1 K'")
RAMP = Dimension("ramp", {"K/s": (1.0, 0.0), "K/min": (1 / 60, 0.0)}, "'3 K/min'")
PRESSURE = Dimension(
    "pressure", _linear(Pa=1.0, mbar=100.0, hPa=100.0, bar=1e5, Torr=TORR_PA, mTorr=TORR_PA / 1000), "'100 mTorr'"
)
PRESSURE_RATE = Dimension(
    "pressure rate",
    {"Pa/s": (1.0, 0.0), "Torr/s": (TORR_PA, 0.0), "mbar/s": (100.0, 0.0), "mTorr/min": (TORR_PA / 60_000, 0.0)},
    "'10 Torr/s'",
)
FLOW = Dimension("flow", _linear(sccm=1.0, slm=1000.0), "'20 sccm'")
THICKNESS = Dimension("thickness", {"nm": (1.0, 0.0), "Å": (0.1, 0.0), "µm": (1000.0, 0.0)}, "'162 nm'")
MASS = Dimension("mass", {"g": (1.0, 0.0), "mg": (1e-3, 0.0), "µg": (1e-6, 0.0)}, "'1 g'")
FRACTION = Dimension("concentration", _linear(ppm=1.0, ppb=1e-3), "'1 ppm'")
AREA = Dimension("area", {"m2": (1.0, 0.0), "m²": (1.0, 0.0), "cm2": (1e-4, 0.0), "cm²": (1e-4, 0.0)}, "'20 cm2'")
VOLTAGE = Dimension("voltage", {"V": (1.0, 0.0), "mV": (1e-3, 0.0)}, "'10 V'")
VOLUME = Dimension("volume", {"m3": (1.0, 0.0), "m³": (1.0, 0.0), "L": (1e-3, 0.0), "mL": (1e-6, 0.0)}, "'0.5 L'")
SPEED = Dimension(
    "pumping speed",
    {"m3/s": (1.0, 0.0), "L/s": (1e-3, 0.0), "m3/h": (1 / 3600, 0.0), "m³/h": (1 / 3600, 0.0)},
    "'1.3 L/s'",
)
LEAK = Dimension(
    "leak rate",
    {"Pa m3/s": (1.0, 0.0), "Pa m³/s": (1.0, 0.0), "mbar L/s": (0.1, 0.0), "mTorr L/s": (TORR_PA * 1e-6, 0.0)},
    "'0.0001 mbar L/s'",
)
POWER = Dimension("power", {"W": (1.0, 0.0), "kW": (1000.0, 0.0)}, "'150 W'")
CONDUCTANCE = Dimension("heat per kelvin", {"W/K": (1.0, 0.0)}, "'0.4 W/K'")
PERCENT = Dimension("share", {"%": (1.0, 0.0)}, "'50 %'")


def _field(dimension: Dimension) -> Any:
    def parse(value: object) -> float:
        return dimension.parse(value)

    return (BeforeValidator(parse), WithJsonSchema(dimension.schema()))


Seconds = Annotated[float, *_field(TIME)]
Celsius = Annotated[float, *_field(TEMPERATURE)]
Kelvins = Annotated[float, *_field(DIFFERENCE)]
KelvinsPerSecond = Annotated[float, *_field(RAMP)]
Pascals = Annotated[float, *_field(PRESSURE)]
PascalsPerSecond = Annotated[float, *_field(PRESSURE_RATE)]
Sccm = Annotated[float, *_field(FLOW)]
Nanometres = Annotated[float, *_field(THICKNESS)]
Grams = Annotated[float, *_field(MASS)]
Ppm = Annotated[float, *_field(FRACTION)]
SquareMetres = Annotated[float, *_field(AREA)]
CubicMetres = Annotated[float, *_field(VOLUME)]
CubicMetresPerSecond = Annotated[float, *_field(SPEED)]
PascalCubicMetresPerSecond = Annotated[float, *_field(LEAK)]
Watts = Annotated[float, *_field(POWER)]
WattsPerKelvin = Annotated[float, *_field(CONDUCTANCE)]
Volts = Annotated[float, *_field(VOLTAGE)]
