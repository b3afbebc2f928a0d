"""What forecasts assume of a reactor where nobody has measured it, as `recipes/chemistry/reactor.yaml` has it."""

from __future__ import annotations

from pathlib import Path
from typing import Self, get_args

from pydantic import Field, model_validator

from ald_controller import units
from ald_controller.sourced import Confidence, Sourced
from ald_controller.yamlfile import Strict, read, validate


class _Assumed(Sourced):
    confidence: Confidence


class Volume(_Assumed):
    value: units.CubicMetres = Field(gt=0)


class Area(_Assumed):
    value: units.SquareMetres = Field(gt=0)


class Speed(_Assumed):
    value: units.CubicMetresPerSecond = Field(gt=0)


class Leak(_Assumed):
    value: units.PascalCubicMetresPerSecond = Field(ge=0)


class Pressure(_Assumed):
    value: units.Pascals = Field(gt=0)


class Time(_Assumed):
    value: units.Seconds = Field(gt=0)


class Number(_Assumed):
    value: float = Field(gt=0)


class Reactor(Strict):
    """One well-mixed chamber with its pump, valves and bottles."""

    volume: Volume
    pumping: Speed
    walls: Area
    sample: Area
    past_stop: Speed  # what still gets past the shut stop valve
    leak: Leak
    ultimate: Pressure  # of the pump
    flow_lag: Time  # of a flow controller
    stop_lag: Time  # of the exposure stop valve
    valve_cv: Number  # flow coefficient of a dosing valve
    headspace: Volume
    pickup: Number  # share of saturation that gas through a bottle takes along
    push_drop: Pressure  # of a pushed bottle above the chamber
    wall_share: Number  # what walls hold in equilibrium, beside the gas


class Bands(_Assumed):
    """Error bands of a thickness, as shares to either side."""

    shares: dict[Confidence, float]
    extrapolated: float = Field(ge=0)

    @model_validator(mode="after")
    def _one_each(self) -> Self:
        if missing := [name for name in get_args(Confidence) if name not in self.shares]:
            raise ValueError(f"'shares' must have a band for each confidence; missing: {', '.join(missing)}")
        return self


class ReactorTable(Strict):
    reactor: Reactor
    bands: Bands


def load_reactor(folder: Path) -> ReactorTable:
    """Read reactor.yaml of `folder`; raises Problems."""
    return validate(read(folder / "reactor.yaml"), ReactorTable)
