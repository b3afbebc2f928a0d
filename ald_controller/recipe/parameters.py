"""Parameters of a recipe: values that may be chosen at the start, within the range that the owner approved."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from pydantic import TypeAdapter, model_validator

from ald_controller import units
from ald_controller.yamlfile import Document, Location, Mark, Problem, Strict, attempt

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,31}\Z")
_REFERENCE = re.compile(r"\$([A-Za-z_][A-Za-z0-9_]*)\Z")
_INT = re.compile(r"-?(0|[1-9][0-9]{0,17})\Z")
_DIMENSIONS = (
    units.TIME, units.DIFFERENCE, units.TEMPERATURE, units.RAMP, units.PRESSURE, units.PRESSURE_RATE, units.FLOW,
    units.THICKNESS, units.MASS,
)  # fmt: skip


class Parameter(Strict):
    """A value that may be chosen at the start, within the range that the owner approved."""

    default: int | str
    min: int | str | None = None
    max: int | str | None = None

    @model_validator(mode="after")
    def _sound(self) -> Parameter:
        low, value, high = (None if v is None else self.number(v) for v in (self.min, self.default, self.max))
        if value is None or (low is not None and low > value) or (high is not None and value > high):
            raise ValueError(f"the default {self.default} is not between min {self.min} and max {self.max}")
        return self

    def number(self, value: int | str) -> float:
        """`value` in the kind of quantity that the default, min and max are; raises ValueError."""
        given = [v for v in (self.default, self.min, self.max) if v is not None]
        if all(isinstance(v, int) for v in given):
            if not isinstance(value, int):
                raise ValueError(f"'{value}' is not a whole number like the default {self.default}")
            return value
        for dimension in _DIMENSIONS:
            if all(_is(dimension, v) for v in given):
                return dimension.parse(value)
        raise ValueError(
            "default, min and max are whole numbers, or quantities of one kind with their units, for example "
            "{default: 1 s, min: 0.2 s, max: 8 s}"
        )


def _is(dimension: units.Dimension, value: object) -> bool:
    try:
        dimension.parse(value)
    except units.UnitError:
        return False
    return True


_TABLE: TypeAdapter[dict[str, Any]] = TypeAdapter(dict[str, Any])
_ONE = TypeAdapter(Parameter)
PARAMETERS = TypeAdapter(dict[str, Parameter])  # as a schema tells it


def values_of(
    document: Document, raw: Any, given: Mapping[str, str], problems: list[Problem]
) -> tuple[dict[str, int | str], set[str], dict[str, Parameter]]:
    """The values in effect, the names of the parameters that have none because something is wrong, and all of them."""
    values: dict[str, int | str] = {}
    failed: set[str] = set()
    known: dict[str, Parameter] = {}
    table = attempt(problems, document, ("parameters",), raw, _TABLE) or {}
    for name, body in table.items():
        at = ("parameters", name)
        if not _NAME.match(name):
            message = f"'{name[:40]}' is no name of a parameter: letters, digits and '_', for example li_dose"
            problems.append(Problem(document.mark(at, True), message))
        parameter = attempt(problems, document, at, body, _ONE)
        value = None if parameter is None else _value(document, at, name, parameter, given, problems)
        if parameter is not None:
            known[name] = parameter
        if value is None:
            failed.add(name)
        else:
            values[name] = value
    for name in given:
        if name not in table:
            names = ", ".join(table) or "none"
            message = f"there is no parameter '{name[:40]}'; this recipe has: {names}"
            problems.append(Problem(document.mark(("parameters",), True), message))
    return values, failed, known


def _value(
    document: Document,
    at: Location,
    name: str,
    parameter: Parameter,
    given: Mapping[str, str],
    problems: list[Problem],
) -> int | str | None:
    """The given value or the default, within the range; None with a problem when it is not."""
    if name not in given:
        return parameter.default
    value: int | str = int(given[name]) if _INT.match(given[name]) else given[name]
    why = outside(name, parameter, value)
    if why:
        problems.append(Problem(document.mark(at, True), why))
        return None
    return value


def outside(name: str, parameter: Parameter, value: int | str) -> str:
    """Why a value is none that the owner approved, or ""."""
    try:
        number = parameter.number(value)
        low, high = (None if v is None else parameter.number(v) for v in (parameter.min, parameter.max))
    except ValueError as error:
        return f"{name}: {error}"
    if (low is None or number >= low) and (high is None or number <= high):
        return ""
    span = f"from {parameter.min} to {parameter.max}" if None not in (low, high) else _one_end(parameter)
    return f"{name}: {value} is outside of its approved range, {span}"


def _one_end(parameter: Parameter) -> str:
    return f"at least {parameter.min}" if parameter.min is not None else f"at most {parameter.max}"


class Substitute:
    """Replaces every text that is `$name` by the value of the parameter; remembers which were used."""

    def __init__(
        self, document: Document, values: dict[str, int | str], failed: set[str], problems: list[Problem]
    ) -> None:
        self.document, self.values, self.failed, self.problems = document, values, failed, problems
        self.used: set[str] = set()
        self.blind: set[Mark] = set()
        self.placed: dict[Location, str] = {}  # where a parameter stands -> its name

    def __call__(self, value: Any, at: Location) -> Any:
        if isinstance(value, dict):
            return {k: self(v, (*at, k)) for k, v in value.items()}
        if isinstance(value, list):
            return [self(v, (*at, i)) for i, v in enumerate(value)]
        if isinstance(value, str) and (reference := _REFERENCE.match(value)):
            return self._one(value, reference[1], at)
        return value

    def _one(self, text: str, name: str, at: Location) -> int | str:
        self.used.add(name)
        self.placed[at] = name
        if name in self.values:
            return self.values[name]
        mark = self.document.mark(at)
        self.blind.add(mark)
        if name not in self.failed:
            known = ", ".join(self.values) or "none"
            message = f"there is no parameter '{name[:40]}'; this recipe has: {known}"
            self.problems.append(Problem(mark, message))
        return text
