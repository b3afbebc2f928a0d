"""What the rows of the glovebox look at: analysers with an end, pressures to either side of zero, contacts of the gate.

A transmitter stops at the ends of its range, and a terminal as it is delivered clips there without a word: a value at
an end is no measurement. Sources: NE 43 (3.6 mA and below is a failure), KL305x (0x7FF8 is the highest value of twelve
bits).
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from typing import Any, ClassVar

from msgspec.structs import replace

from ald_controller.config import END, ToolConfig, end_of, span_of
from ald_controller.interlocks.measures import (
    RANGE,
    UNTIMELY,
    Input,
    Moves,
    OfSeveral,
    Sample,
    Samples,
    Taken,
    Unchanged,
    Value,
)

FAILED = 0.025  # of the range below its beginning: 3.6 mA
HOUR_S = 3600.0
AT_END = "stands at the end of its range"


def one_sided(config: ToolConfig, signal: str, max_age_s: float) -> Input:
    """A channel that counts up from its low end, believed down to 3.6 mA and up to just below its high end."""
    span = span_of(config, signal)
    if span is None:
        return Input(signal, -inf, inf, max_age_s)
    width = span.high - span.low
    return Input(signal, span.low - FAILED * width, end_of(config, signal), max_age_s)


def two_sided(config: ToolConfig, signal: str, max_age_s: float) -> Input:
    """A channel to either side of zero, believed just inside both its ends."""
    span = span_of(config, signal)
    if span is None:
        return Input(signal, -inf, inf, max_age_s)
    width = span.high - span.low
    return Input(signal, span.low + (1 - END) * width, end_of(config, signal), max_age_s)


class Within(Value):
    """The value, and a word of its own for one that stands at the end of its range."""

    __slots__ = ()

    def take(self, memory: Any, samples: Samples, now_s: float) -> Taken:
        taken = Value.take(self, memory, samples, now_s)
        beyond = taken.fault == RANGE and samples[self.input.signal].value > self.input.high
        return replace(taken, fault=AT_END) if beyond else taken


@dataclass(frozen=True, slots=True)
class Magnitude(Value):
    """How far a value lies from zero, to either side, times `factor`."""

    factor: float = 1.0

    def number(self, memory: Any, sample: Sample, now_s: float) -> tuple[float, Any]:
        return abs(sample.value) * self.factor, memory


class OrBeyond(Value):
    """The value; without end when a fresh one stands at the end of its range, whatever its terminal says of it then."""

    __slots__ = ()

    def take(self, memory: Any, samples: Samples, now_s: float) -> Taken:
        sample = samples.get(self.input.signal)
        fresh = sample is not None and self.input.fault(sample, now_s) not in UNTIMELY
        if fresh and sample is not None and sample.value > self.input.high:
            return Taken(inf, memory, "", self.input.signal)
        return Value.take(self, memory, samples, now_s)


class StillHours(Unchanged):
    """Hours since a value last changed by so much as a digit."""

    __slots__ = ()

    def number(self, memory: Any, sample: Sample, now_s: float) -> tuple[float, Any]:
        still_s, memory = Unchanged.number(self, memory, sample, now_s)
        return still_s / HOUR_S, memory


@dataclass(frozen=True, slots=True)
class BothOpen(OfSeveral):
    """1 while gate and stop valve both read open: the first reads 1 while it is shut, the second while it is open."""

    moves_with: ClassVar[Moves] = "values"

    def look(self, memory: Any, values: list[float], samples: Samples, now_s: float) -> tuple[float, Any]:
        gate_shut, stop_open = values
        return (1.0 if gate_shut != 1 and stop_open != 0 else 0.0), memory
