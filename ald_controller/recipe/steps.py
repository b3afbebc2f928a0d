"""The verbs of the recipe language: one model per verb, chosen by the verb, so that one mistake gives one error."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Self

from pydantic import (
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    TypeAdapter,
    WithJsonSchema,
    model_validator,
)

from ald_controller import units
from ald_controller.units import PARAMETER
from ald_controller.yamlfile import Strict

SHORTEST_OPENING_S = 0.010  # a pneumatic ALD valve moves in 5 to 10 ms; below, the dose is an accident
MOST_SHOTS = 1000
MOST_TURNS = 100_000
DAY_S = 86_400.0
LEAST_OF_BASE, MOST_OF_BASE = 1.01, 10.0  # times the base pressure: closer than a gauge is faithful nobody can wait for

VERBS = ("pump", "flow", "heat", "wait", "pulse", "expose", "purge", "repeat", "use")
ELSEWHERE = {
    "vent": "procedures",
    "fill": "procedures",
    "leakcheck": "procedures",
    "clear": "procedures",
    "ask": "procedures",
    "form": "procedures",
    "learn": "procedures",
    "mark": "procedures",
    "pulse out": "procedures",
}
_KNOW = f"recipes know: {', '.join(VERBS)}"

Word = Annotated[str, Field(min_length=1, max_length=80)]
Otherwise = Literal["hold", "finish", "alarm"]


def quantity(dimension: units.Dimension, low: float, high: float, unit: str) -> tuple[Any, Any]:
    """What makes a float of the dimension's fixed unit, within [low, high]; messages speak `unit`."""

    between = f"between {dimension.show(low, unit)} and {dimension.show(high, unit)}"

    def parse(value: object) -> float:
        number = dimension.parse(value)
        if not low <= number <= high:
            raise ValueError(f"'{value}' is out of range: {between} is expected")
        return number

    return BeforeValidator(parse), WithJsonSchema(dimension.schema(between))


def count(low: int, high: int) -> tuple[Any, Any]:
    """What makes a whole number within [low, high]."""

    def check(value: object) -> object:
        if isinstance(value, int) and not isinstance(value, bool) and not low <= value <= high:
            raise ValueError(f"{value} is out of range: a whole number from {low} to {high} is expected")
        return value

    whole = {"type": "integer", "minimum": low, "maximum": high}
    return BeforeValidator(check), WithJsonSchema({"anyOf": [whole, PARAMETER]})


def choice(*allowed: str) -> Any:
    def check(value: object) -> object:
        if value not in allowed or not isinstance(value, str):
            raise ValueError(f"'{str(value)[:40]}' is not one of: {', '.join(allowed)}")
        return value

    return BeforeValidator(check)


Opening = Annotated[float, *quantity(units.TIME, SHORTEST_OPENING_S, 60, "s")]
Pause = Annotated[float, *quantity(units.TIME, 0, DAY_S, "h")]
Patience = Annotated[float, *quantity(units.TIME, 1, 7 * DAY_S, "h")]
Temperature = Annotated[float, *quantity(units.TEMPERATURE, -20, 500, "°C")]
Band = Annotated[float, *quantity(units.DIFFERENCE, 0.1, 20, "K")]
Ramp = Annotated[float, *quantity(units.RAMP, 0.1 / 60, 1, "K/min")]
Flow = Annotated[float, *quantity(units.FLOW, 0, 1000, "sccm")]
Pressure = Annotated[float, *quantity(units.PRESSURE, 0.1, 1e5, "mTorr")]
PressureRate = Annotated[float, *quantity(units.PRESSURE_RATE, 1e-3, 1e5, "Torr/s")]
Rise = Annotated[float, *quantity(units.PRESSURE_RATE, 1e-4, 10, "mTorr/min")]
Shots = Annotated[int, *count(1, MOST_SHOTS)]
Turns = Annotated[int, *count(1, MOST_TURNS)]
Else = Annotated[Otherwise, choice("hold", "finish", "alarm")]


def _one_precursor(value: object) -> object:
    if isinstance(value, list):
        raise ValueError("one precursor is expected: at most one source may be open at any time, so doses come in turn")
    return value


PrecursorName = Annotated[Word, BeforeValidator(_one_precursor)]


def _target(value: object) -> float | str:
    if value in ("off", "standby", "room"):
        return str(value)
    try:
        number = units.TEMPERATURE.parse(value)
    except units.UnitError as error:
        raise ValueError(f"{error}; or write off, standby or room") from None
    if not -20 <= number <= 500:
        raise ValueError(f"'{value}' is out of range: between -20 °C and 500 °C is expected")
    return number


_TARGETS = {"anyOf": [{"enum": ["off", "standby", "room"]}, units.TEMPERATURE.schema("between -20 °C and 500 °C")]}
Target = Annotated[float | str, BeforeValidator(_target), WithJsonSchema(_TARGETS)]


class Pump(Strict):
    """Pump down to a pressure, no faster than the powder or foil can stand."""

    to: Pressure
    no_faster_than: PressureRate | None = None
    timeout: Patience
    otherwise: Else = Field(alias="else")
    provenance: Word | None = None


class SetFlow(Strict):
    """Set the carrier; returns at once."""

    carrier: Flow
    provenance: Word | None = None


class Heat(Strict):
    """Targets by zone or by precursor (°C, off, standby, room); returns at once."""

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, Target]

    ramp: Ramp | None = None
    provenance: Word | None = None

    @property
    def targets(self) -> dict[str, float | str]:
        return self.__pydantic_extra__

    @model_validator(mode="after")
    def _something(self) -> Self:
        if not self.targets:
            raise ValueError("nothing to heat: name a zone or a precursor, for example {substrate: 150 °C}")
        return self


class WaitForLeak(Strict):
    """Wait until the shut chamber rises slowly enough: the rise is measured again and again."""

    what: Literal["leak"] = Field(alias="for")
    below: Rise
    timeout: Patience
    otherwise: Else = Field(alias="else")
    provenance: Word | None = None


class Wait(Strict):
    """Wait for all temperatures to be steady, or for one zone to fall below one."""

    what: Word = Field(alias="for")
    within: Band | None = None
    stay: Pause | None = None
    below: Temperature | None = None
    timeout: Patience
    otherwise: Else = Field(alias="else")
    provenance: Word | None = None

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        if self.what == "pressure":
            raise ValueError("a recipe waits for a pressure with 'pump', or at the end of a purge with 'and'")
        steady = self.within is not None and self.stay is not None and self.below is None
        falling = self.below is not None and self.within is None and self.stay is None
        if self.what == "temperatures" and not steady:
            raise ValueError("'for: temperatures' takes 'within' and 'stay', for example within: 1 K, stay: 30 min")
        if self.what != "temperatures" and not falling:
            raise ValueError("waiting for one zone takes 'below', for example {for: substrate, below: 60 °C}")
        return self


class Pulse(Strict):
    """Open one source for a time into the pumped chamber; `times` shots, `every` period."""

    precursor: PrecursorName
    time: Opening
    times: Shots = 1
    every: Pause | None = None
    provenance: Word | None = None

    @model_validator(mode="after")
    def _spacing(self) -> Self:
        _spaced(self.times, self.every, self.time)
        return self


class Expose(Strict):
    """Dose into the shut chamber and hold: flow down, stop valve shut, shots, hold, open, flow back.

    With `to` the shots are the most that it gives: they end once the chamber has this pressure.
    """

    precursor: PrecursorName
    pulse: Opening
    hold: Pause
    flow: Flow
    times: Shots = 1
    every: Pause | None = None
    to: Pressure | None = None
    otherwise: Annotated[Otherwise | None, choice("hold", "finish", "alarm")] = Field(default=None, alias="else")
    provenance: Word | None = None

    @model_validator(mode="after")
    def _whole(self) -> Self:
        _spaced(self.times, self.every, self.pulse)
        if (self.to is None) != (self.otherwise is None):
            raise ValueError("'to' and 'else' go together, for example to: 500 mTorr, else: hold")
        return self


def _spaced(times: int, every: float | None, width: float) -> None:
    if times == 1:
        if every is not None:
            raise ValueError("'every' goes with 'times' above 1")
        return
    if every is None:
        raise ValueError("'times' needs 'every', the time from one opening to the next, for example every: 2 s")
    if every < width + SHORTEST_OPENING_S:
        raise ValueError(f"'every' must leave the valve shut between shots: more than {units.TIME.show(width)}")


@dataclass(frozen=True, slots=True)
class Settled:
    """A pressure to come down to: `times_base` of the commissioned base pressure, or `pa`."""

    times_base: float | None = None
    pa: float | None = None


_SETTLED = re.compile(r"pressure below (.+?)( base)?\Z")
_TIMES_BASE = re.compile(r"[0-9]{1,2}(\.[0-9]{1,4})?\Z")


def _settled(value: object) -> Settled:
    match = _SETTLED.match(value) if isinstance(value, str) else None
    if match is None:
        raise ValueError("'pressure below 1.05 base' or 'pressure below 300 mTorr' is expected")
    if not match[2]:
        return Settled(pa=TypeAdapter(Pressure).validate_python(match[1]))
    if not _TIMES_BASE.match(match[1]) or not LEAST_OF_BASE <= float(match[1]) <= MOST_OF_BASE:
        raise ValueError(
            f"'{match[1][:20]}' times the base pressure is not between {LEAST_OF_BASE:g} and {MOST_OF_BASE:g}"
        )
    return Settled(times_base=float(match[1]))


_UNTIL = {"type": "string", "pattern": "^pressure below .+$", "description": "for example pressure below 1.05 base"}


class Purge(Strict):
    """Carrier and pump with every source shut, for a time; then on until a pressure is reached, where one is given."""

    time: Pause
    until: Annotated[Settled | None, BeforeValidator(_settled), WithJsonSchema(_UNTIL)] = Field(
        default=None, alias="and"
    )
    timeout: Patience | None = None
    otherwise: Annotated[Otherwise | None, choice("hold", "finish", "alarm")] = Field(default=None, alias="else")
    provenance: Word | None = None

    @model_validator(mode="after")
    def _whole(self) -> Self:
        given = [self.until is not None, self.timeout is not None, self.otherwise is not None]
        if any(given) and not all(given):
            raise ValueError("'and', 'timeout' and 'else' go together, for example "
                             "and: pressure below 1.05 base, timeout: 5 min, else: hold")  # fmt: skip
        return self


def _short_purge(value: object) -> object:
    return value if isinstance(value, dict) else {"time": value}


def _one_types(value: object) -> object:
    if isinstance(value, str) and not (value.isprintable() and value == value.strip()):
        message = "is no name that can be typed after --at: no blank at its ends, and no sign that is not printed"
        raise ValueError(f"{value[:40]!r} {message}")
    return value


RepeatName = Annotated[Word, BeforeValidator(_one_types)]


class Repeat(Strict):
    """`steps` (a list, or the name of a `define`) `times` over; the steps are read one by one."""

    times: Turns
    name: RepeatName | None = None
    steps: Any


class Use(Strict):
    """The steps of a block that the tool owns, `with` what its `heat: $with` is to do."""

    block: Word
    heating: Heat | None = Field(default=None, alias="with")


class PumpVerb(Strict):
    pump: Pump


class FlowVerb(Strict):
    flow: SetFlow


class HeatVerb(Strict):
    heat: Heat


def _kind_of_wait(value: object) -> str:
    what = value.get("for") if isinstance(value, dict) else getattr(value, "what", None)
    return "for leak" if what == "leak" else "for heat"


class WaitVerb(Strict):
    wait: Annotated[
        Annotated[WaitForLeak, Tag("for leak")] | Annotated[Wait, Tag("for heat")], Discriminator(_kind_of_wait)
    ]


class PulseVerb(Strict):
    pulse: Pulse


class ExposeVerb(Strict):
    expose: Expose


class PurgeVerb(Strict):
    purge: Annotated[Purge, BeforeValidator(_short_purge)]  # in a schema also a time alone


class RepeatVerb(Strict):
    repeat: Repeat


class UseVerb(Strict):
    use: Use


Verb = Pump | SetFlow | Heat | Wait | WaitForLeak | Pulse | Expose | Purge | Repeat | Use


def _one_verb(value: object) -> object:
    """A mapping with exactly one key, which is a verb of recipes; anything else is refused by name."""
    if not isinstance(value, dict) or len(value) != 1:
        raise ValueError(f"one step is expected, a verb and what it takes ({_KNOW})")
    verb = next(iter(value))
    if verb in ELSEWHERE:
        instead = "an exposure fills to a pressure with 'to'; " if verb == "fill" else ""
        raise ValueError(f"'{verb}' belongs to {ELSEWHERE[verb]} and is no verb of a recipe; {instead}{_KNOW}")
    if verb not in VERBS:
        raise ValueError(f"'{verb[:40]}' is not a verb; {_KNOW}")
    return value


def _tag(value: dict[str, object]) -> str:
    return f"verb {next(iter(value))}"


_AnyVerb = Annotated[
    Annotated[PumpVerb, Tag("verb pump")]
    | Annotated[FlowVerb, Tag("verb flow")]
    | Annotated[HeatVerb, Tag("verb heat")]
    | Annotated[WaitVerb, Tag("verb wait")]
    | Annotated[PulseVerb, Tag("verb pulse")]
    | Annotated[ExposeVerb, Tag("verb expose")]
    | Annotated[PurgeVerb, Tag("verb purge")]
    | Annotated[RepeatVerb, Tag("verb repeat")]
    | Annotated[UseVerb, Tag("verb use")],
    Discriminator(_tag),
    BeforeValidator(_one_verb),
]
STEP: TypeAdapter[Any] = TypeAdapter(_AnyVerb)


def verb_of(step: Any) -> tuple[str, Verb]:
    """The verb and its body from what STEP made of one step."""
    verb = next(iter(type(step).model_fields))
    return verb, getattr(step, verb)
