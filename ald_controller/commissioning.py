"""The commissioned constants as people write them into registers, and as the interlocks compute with them. Pure.

Each is a register of its own, `constant.NAME`, dated and signed like every register. One that is not there stays
unknown: nothing takes its place.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, Any

from pydantic import AfterValidator, Field, TypeAdapter

from ald_controller import units
from ald_controller.commissioned import Base, Constants, Curve, Heater
from ald_controller.yamlfile import Strict

PREFIX = "constant."


def _curve(points: Mapping[str, float], key: Callable[[object], float]) -> Curve:
    """Points in rising order of their keys, which are quantities; raises ValueError."""
    return tuple(sorted((key(at), value) for at, value in points.items()))


def _by_celsius(points: dict[str, float]) -> dict[str, float]:
    _curve(points, units.TEMPERATURE.parse)
    return points


def _by_sccm(points: dict[str, float]) -> dict[str, float]:
    _curve(points, units.FLOW.parse)
    return points


def _by_wall(curves: dict[str, dict[str, float]]) -> dict[str, dict[str, float]]:
    for at in curves:
        units.TEMPERATURE.parse(at)
    return curves


_Rate = Annotated[units.KelvinsPerSecond, Field(ge=0, le=20)]
_Pressure = Annotated[units.Pascals, Field(ge=0)]
_Slope = Annotated[dict[str, _Rate], Field(min_length=2), AfterValidator(_by_celsius)]
_Flows = Annotated[dict[str, _Pressure], Field(min_length=2), AfterValidator(_by_sccm)]
_Base = Annotated[dict[str, _Flows], Field(min_length=1), AfterValidator(_by_wall)]


class HeaterConstants(Strict):
    """One zone as commissioned.

    `slope` at full power by temperature, `lag` of its sensor, `second` = second sensor minus the first when both stand
    still, `second_later` = its lag minus the first one's (from a ramp), `hottest` = the hottest place that lithium can
    touch minus the hottest sensor.
    """

    slope: _Slope
    lag: Annotated[units.Seconds, Field(gt=0, le=120)]
    second: Annotated[units.Kelvins, Field(ge=-30, le=30)]
    second_later: Annotated[units.Seconds, Field(ge=-120, le=120)]
    hottest: Annotated[units.Kelvins, Field(ge=0, le=30)]

    @property
    def heater(self) -> Heater:
        return Heater(
            _curve(self.slope, units.TEMPERATURE.parse), self.lag, self.second, self.second_later, self.hottest
        )


# register -> what it holds, and an example for people
_EXACT: dict[str, tuple[Any, str]] = {
    "volume": (Annotated[units.CubicMetres, Field(gt=0)], "0.5 L"),
    "pumping": (Annotated[units.CubicMetresPerSecond, Field(gt=0)], "1.3 L/s"),
    "stop": (Annotated[units.Seconds, Field(gt=0, le=10)], "1 s"),
    "leak": (Annotated[units.PascalCubicMetresPerSecond, Field(gt=0)], "0.0001 mbar L/s"),
    "base": (_Base, "{25 °C: {0 sccm: 1 mTorr, 20 sccm: 213 mTorr}, 150 °C: {0 sccm: 1 mTorr, 20 sccm: 300 mTorr}}"),
}
_NAMED: dict[str, tuple[Any, str]] = {
    "heater": (
        HeaterConstants,
        "{slope: {25 °C: 0.25 K/s, 150 °C: 0.17 K/s}, lag: 3 s, second: 0.4 K, second_later: 2 s, hottest: 1 K}",
    ),
    "settling": (Annotated[units.Seconds, Field(gt=0, le=60)], "3 s"),
}
EXAMPLES = {PREFIX + name: example for name, (_, example) in _EXACT.items()} | {
    f"{PREFIX}{kind}.NAME": example for kind, (_, example) in _NAMED.items()
}


def kind_of(register: str) -> TypeAdapter[Any] | None:
    """What a register `constant.*` holds; None when there is no such constant."""
    name = register.removeprefix(PREFIX)
    if name == register:
        return None
    kind, dot, of = name.partition(".")
    found = _NAMED.get(kind) if dot and of else _EXACT.get(name)
    return TypeAdapter(found[0]) if found else None


def constants_of(values: Mapping[str, Any]) -> Constants:
    """The constants among register values as read: register name -> value."""
    own = {name.removeprefix(PREFIX): value for name, value in values.items() if name.startswith(PREFIX)}
    base = own.get("base")
    return Constants(
        heaters={name: value.heater for name, value in _of("heater.", own).items()},
        base=_base(base) if base else None,
        volume_m3=own.get("volume"),
        pumping_m3_s=own.get("pumping"),
        stop_s=own.get("stop"),
        settling_s=_of("settling.", own),
        leak_pa_m3_s=own.get("leak"),
    )


def _base(curves: Mapping[str, Mapping[str, float]]) -> Base:
    by_wall = ((units.TEMPERATURE.parse(at), _curve(points, units.FLOW.parse)) for at, points in curves.items())
    return Base(tuple(sorted(by_wall)))


def _of(prefix: str, own: Mapping[str, Any]) -> dict[str, Any]:
    return {name.removeprefix(prefix): value for name, value in own.items() if name.startswith(prefix)}
