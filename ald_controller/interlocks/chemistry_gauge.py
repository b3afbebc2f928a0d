"""C8 by the gauges themselves: a reading that nobody can believe proves no vacuum, and guards nothing.

A gauge that reports an error is BAD at once. One that has died without a word reads what cannot be: less than the flow
makes of a pumped chamber, another decade than the second gauge, or the same digit through dose after dose.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from typing import Any, NamedTuple

from ald_controller.interlocks.chemistry_measures import FAITHFUL, Known, OfGas
from ald_controller.interlocks.measures import OfSeveral, Sample, Samples, Value
from ald_controller.interlocks.setting import always
from ald_controller.interlocks.table import Blocks, Facts, Level, Reaction, Reset

MEAGRE, MEAGRE_S = 4.0, 5.0  # times below p0: half the flow is row C7, and no pump is twice as good as commissioned
APART, APART_S = 10.0, 5.0  # a Pirani set to another gas is off by less
STILL = 5.0  # doses running
NOT_THE_GATE = Blocks.PULSE | Blocks.START  # a chamber at the box is known by its transducer, not by this gauge


def at_work(facts: Facts) -> bool:
    """A run is in hand."""
    return facts.part != ""


def depositing(facts: Facts) -> bool:
    """Doses are being given."""
    return facts.part == "deposit"


def untrusted(limit: float, clear: float, persist_s: float = 0.0) -> tuple[Level, ...]:
    """What cannot be believed begins nothing, and isolates what has begun."""
    return (
        Level("C8", Reaction.BLOCK, limit, clear, Reset.AUTO, always, persist_s, NOT_THE_GATE),
        Level("C8", Reaction.ABORT_ISOLATE, limit, clear, Reset.L1, at_work, persist_s),
    )


class Readable(Value):
    """0 while the value can be believed."""

    __slots__ = ()

    def number(self, memory: Any, sample: Sample, now_s: float) -> tuple[float, Any]:
        return 0.0, memory


class Meagre(OfGas):
    """How many times the reading lies below p0, with flows settled and the stop valve open; else what it was before.

    0 where nothing flows, as in an isolated chamber, and where p0 is too small for the gauge.
    """

    __slots__ = ()

    def look(
        self, memory: tuple[Known | None, float] | None, values: list[float], samples: Samples, now_s: float
    ) -> tuple[float, Any]:
        pressure, flow, stop, _, quiet_s = values
        known, before = memory or (None, 0.0)
        if flow <= 0.0:
            return 0.0, (known, 0.0)
        if stop or quiet_s < self.settle_s:
            return before, memory
        known = self.gas.usual(known, flow, samples, now_s)
        number = 0.0
        if known is not None and known.pa > FAITHFUL * self.gas.error_pa:
            reading_pa = pressure * self.gas.pa
            number = known.pa / reading_pa if reading_pa > 0.0 else inf
        return number, (known, number)


@dataclass(frozen=True, slots=True)
class Apart(OfSeveral):
    """How many times the second gauge is above the first; 0 where the first is at its end and can say no more.

    Of both gauges; `pa` and `second_pa` are per unit of their channels, and below `floor_pa` the first says nothing.
    """

    pa: float
    second_pa: float
    floor_pa: float
    end: float  # of the first one, in its unit

    def look(self, memory: Any, values: list[float], samples: Samples, now_s: float) -> tuple[float, Any]:
        first, second = values
        if first >= self.end:
            return 0.0, None
        return second * self.second_pa / max(first * self.pa, self.floor_pa), None


class _Stood(NamedTuple):
    value: float
    shut_s: float
    doses: float


class Still(OfSeveral):
    """How many doses have begun since the reading last moved at all, of the gauge and of s since a source was open."""

    __slots__ = ()

    def look(self, memory: _Stood | None, values: list[float], samples: Samples, now_s: float) -> tuple[float, _Stood]:
        value, shut_s = values
        if memory is None or memory.value != value:
            return 0.0, _Stood(value, shut_s, 0.0)
        doses = memory.doses + float(shut_s < memory.shut_s)
        return doses, _Stood(value, shut_s, doses)
