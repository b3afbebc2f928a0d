"""Which signals the rules read, in which unit each is, and how people write a value of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields, is_dataclass
from typing import Any

from ald_controller import units
from ald_controller.interlocks import Input, RuleSet

# the ending of a channel's name -> dimension, and the unit that the channel counts in
_SCALES: dict[str, tuple[units.Dimension, str]] = {
    "c": (units.TEMPERATURE, "°C"),
    "pa": (units.PRESSURE, "Pa"),
    "torr": (units.PRESSURE, "Torr"),
    "mbar": (units.PRESSURE, "mbar"),
    "bar": (units.PRESSURE, "bar"),
    "ppm": (units.FRACTION, "ppm"),
    "sccm": (units.FLOW, "sccm"),
    "percent": (units.PERCENT, "%"),
    "k": (units.DIFFERENCE, "K"),
    "s": (units.TIME, "s"),
}


@dataclass(frozen=True, slots=True)
class Scale:
    """How a channel counts; without a dimension it is a contact, a count or a ratio."""

    unit: str = ""
    dimension: units.Dimension | None = None

    def read(self, text: str) -> float:
        """`text`, a bare number or a quantity, in the channel's unit; raises ValueError with a sentence."""
        try:
            return float(text)
        except ValueError:
            pass
        if self.dimension is None:
            raise ValueError(
                f"'{text[:40]}' is no number; this channel has no unit (a contact is 1 while it is closed)"
            )
        factor, offset = self.dimension.units[self.unit]
        return (self.dimension.parse(text) - offset) / factor


def scale_of(signal: str) -> Scale:
    """The scale of a signal, by the ending of its name."""
    known = _SCALES.get(signal.rpartition(".")[2].rpartition("_")[2]) if "_" in signal else None
    return Scale(known[1], known[0]) if known else Scale()


def signals_of(rules: RuleSet) -> dict[str, set[str]]:
    """Every signal that the rules read -> the rows that it can cause, also where a measure only looks at it."""
    out: dict[str, set[str]] = {source.signal: set() for source in rules.gate}
    for check in rules.checks:
        for source in (*check.measure.inputs, *_within(check.measure)):
            out.setdefault(source.signal, set()).update(level.row for level in check.levels)
    return dict(sorted(out.items()))


def _within(value: Any) -> Iterator[Input]:
    """Every input anywhere in a measure."""
    if isinstance(value, Input):
        yield value
    elif isinstance(value, tuple | list | frozenset):
        for each in value:
            yield from _within(each)
    elif is_dataclass(value):
        for field in fields(value):
            yield from _within(getattr(value, field.name))
