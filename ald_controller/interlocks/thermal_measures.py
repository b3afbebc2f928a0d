"""What the rows look at in a zone's sensors: the hottest, those that are lost, that jump, stand still or part.

A measure of one reading moves on with a new reading, and only then. From an input that cannot be believed nothing is
concluded here but in `Blind`, on which row T7 acts.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from math import exp, inf, nan
from typing import Any, ClassVar

from msgspec import Struct
from msgspec.structs import replace

from ald_controller.interlocks.measures import Input, Moves, Sample, Samples, Taken, worst

MOVED_PERCENT = 10.0  # power that moves by more than this must move a reading

Points = tuple[tuple[float, float], ...]  # (time in s, value), oldest first


def believed(source: Input, samples: Samples, now_s: float) -> float | None:
    """The value of a signal, or None when it cannot be believed."""
    sample = samples.get(source.signal)
    return None if sample is None or source.fault(sample, now_s) else sample.value


def sorted_out(
    sources: tuple[Input, ...], samples: Samples, now_s: float
) -> tuple[list[Sample], list[tuple[str, str]]]:
    """The believable samples, and why which others are not: (fault, signal)."""
    read: list[Sample] = []
    lost: list[tuple[str, str]] = []
    for source in sources:
        sample = samples.get(source.signal)
        fault = source.fault(sample, now_s)
        if fault or sample is None:
            lost.append((fault, source.signal))
        else:
            read.append(sample)
    return read, lost


@dataclass(frozen=True, slots=True)
class Hottest:
    """The hottest of a zone's believable sensors, plus what its hottest place is commissioned to have more, in °C."""

    moves_with: ClassVar[Moves] = "values"
    inputs: tuple[Input, ...]
    more_k: float

    def take(self, memory: Any, samples: Samples, now_s: float) -> Taken:
        read, lost = sorted_out(self.inputs, samples, now_s)
        if not read:
            return Taken(nan, None, *lost[0])
        hottest = max(sample.value for sample in read)
        return Taken(hottest + self.more_k, None, "", "", worst(sample.quality for sample in read))


@dataclass(frozen=True, slots=True)
class Blind:
    """How blind a zone is: 0 = it is seen; 1 = a sensor of several, or its power, is lost; 2 = every sensor is lost.

    A lost sensor counts as back only when all are believable and within `agree_k` of each other.
    """

    moves_with: ClassVar[Moves] = "values"
    sensors: tuple[Input, ...]
    duty: Input
    agree_k: float

    @property
    def inputs(self) -> tuple[Input, ...]:
        return (*self.sensors, self.duty)

    def take(self, memory: bool | None, samples: Samples, now_s: float) -> Taken:
        read, lost = sorted_out(self.sensors, samples, now_s)
        values = [sample.value for sample in read]
        if lost:
            return Taken(1.0 if values else 2.0, True, *lost[0])
        if memory and max(values) - min(values) > self.agree_k:
            last = self.sensors[-1].signal
            return Taken(1.0, True, f"is back but more than {self.agree_k:g} K from the other sensor", last)
        fault = self.duty.fault(samples.get(self.duty.signal), now_s)
        return Taken(1.0, False, fault, self.duty.signal) if fault else Taken(0.0, False)


class Looked(Struct, frozen=True, gc=False):
    """What one reading gave, so that scans until the next one only repeat it."""

    at_s: float
    number: float
    memory: Any


@dataclass(frozen=True, slots=True)
class OfReading(ABC):
    """Looks once at each new reading of one sensor."""

    moves_with: ClassVar[Moves] = "samples"
    input: Input

    @property
    def inputs(self) -> tuple[Input, ...]:
        return (self.input,)

    def take(self, memory: Looked | None, samples: Samples, now_s: float) -> Taken:
        source = self.input
        sample = samples.get(source.signal)
        fault = source.fault(sample, now_s)
        if fault or sample is None:
            blind = memory and Looked(-inf, nan, self.forget(memory.memory))
            return Taken(nan, blind, fault, source.signal)
        if memory is None or sample.at_s != memory.at_s:
            number, remembered = self.look(memory.memory if memory else None, sample, samples, now_s)
            memory = Looked(sample.at_s, number, remembered)
        return Taken(memory.number, memory, "", source.signal, sample.quality)

    def forget(self, memory: Any) -> Any:
        """What is left after a reading that could not be believed: nothing, unless a measure says otherwise."""
        return None

    @abstractmethod
    def look(self, memory: Any, sample: Sample, samples: Samples, now_s: float) -> tuple[float, Any]:
        """The number of a new reading, and what to remember; `memory` is None at the first one."""


class _Jumps(Struct, frozen=True, gc=False):
    points: Points  # of the last second, and the last one in any case
    size_k: float  # of the jump that stands, 0 = none


_NO_JUMPS = _Jumps((), 0.0)


@dataclass(frozen=True, slots=True)
class Jump(OfReading):
    """K by which a sensor changed within a second, up or down.

    A jump of `limit_k` stands until the sensor agrees within `agree_k` with a believable witness again.
    """

    witness: Input | None
    limit_k: float
    agree_k: float

    def forget(self, memory: Any) -> Any:
        return memory and _Jumps((), memory.size_k)

    def look(self, memory: _Jumps | None, sample: Sample, samples: Samples, now_s: float) -> tuple[float, _Jumps]:
        at_s, value = sample.at_s, sample.value
        memory = memory or _NO_JUMPS
        points, size_k = memory.points, memory.size_k
        changed = 0.0
        for then_s, then_k in points:
            passed_s = at_s - then_s
            change = abs(value - then_k) / (passed_s if passed_s > 1.0 else 1.0)
            changed = change if change > changed else changed
        if changed >= self.limit_k:
            size_k = max(size_k, changed)
        elif size_k and self._back(value, samples, now_s):
            size_k = 0.0
        first = 0
        while first < len(points) and at_s - points[first][0] >= 1.0:
            first += 1
        return max(size_k, changed), _Jumps((*points[first:], (at_s, value)), size_k)

    def _back(self, value: float, samples: Samples, now_s: float) -> bool:
        if self.witness is None:
            return True
        other = believed(self.witness, samples, now_s)
        return other is not None and abs(value - other) <= self.agree_k


class _Still(Struct, frozen=True, gc=False):
    value: float
    since_s: float
    least: float  # of the duty since then
    most: float


@dataclass(frozen=True, slots=True)
class Frozen(OfReading):
    """Seconds since a reading last changed, once the power of its zone has moved by more than 10 % meanwhile."""

    duty: Input

    def look(self, memory: _Still | None, sample: Sample, samples: Samples, now_s: float) -> tuple[float, _Still]:
        duty = believed(self.duty, samples, now_s)
        if memory is None or memory.value != sample.value:
            least, most = (inf, -inf) if duty is None else (duty, duty)
            return 0.0, _Still(sample.value, sample.at_s, least, most)
        if duty is not None and not memory.least <= duty <= memory.most:
            memory = replace(memory, least=min(memory.least, duty), most=max(memory.most, duty))
        moved = memory.most - memory.least > MOVED_PERCENT
        return (sample.at_s - memory.since_s if moved else 0.0), memory


@dataclass(frozen=True, slots=True)
class Apart:
    """K between the second sensor and what it should read beside the first, by commissioning.

    It reads `second_k` more and comes `later_s` later (before, if negative): the quicker one is slowed down as much,
    but by no more than `most_k`, what full power makes of that lag. So a lag never excuses a fault.
    """

    moves_with: ClassVar[Moves] = "samples"
    first: Input
    second: Input
    second_k: float
    later_s: float
    most_k: float

    @property
    def inputs(self) -> tuple[Input, ...]:
        return (self.first, self.second)

    def take(self, memory: tuple[float, float] | None, samples: Samples, now_s: float) -> Taken:
        read: list[Sample] = []
        for source in (self.first, self.second):
            sample = samples.get(source.signal)
            fault = source.fault(sample, now_s)
            if fault or sample is None:
                return Taken(nan, None, fault, source.signal)
            read.append(sample)
        first, second = read
        if self.later_s >= 0:
            memory = self._slowed(memory, first)
            apart = second.value - memory[1]
        else:
            memory = self._slowed(memory, second)
            apart = memory[1] - first.value
        quality = first.quality if first.quality is second.quality else worst((first.quality, second.quality))
        return Taken(abs(apart - self.second_k), memory, "", self.second.signal, quality)

    def _slowed(self, memory: tuple[float, float] | None, quick: Sample) -> tuple[float, float]:
        """When the quicker sensor was last read, and what it would read if it were as slow as the other."""
        if memory is None or not self.later_s:
            return quick.at_s, quick.value
        before_s, slow_c = memory
        elapsed_s = max(quick.at_s - before_s, 0.0)
        slow_c += (quick.value - slow_c) * (1.0 - exp(-elapsed_s / abs(self.later_s)))
        return quick.at_s, min(max(slow_c, quick.value - self.most_k), quick.value + self.most_k)


@dataclass(frozen=True, slots=True)
class Cold(OfReading):
    """K by which a zone is colder than it may be; below zero while it is warm enough."""

    least_c: float

    def look(self, memory: Any, sample: Sample, samples: Samples, now_s: float) -> tuple[float, Any]:
        return self.least_c - sample.value, None


@dataclass(frozen=True, slots=True)
class Uncommissioned:
    """1 for ever: a constant is missing, or fits no limit."""

    moves_with: ClassVar[Moves] = "time"
    inputs: tuple[Input, ...] = ()

    def take(self, memory: Any, samples: Samples, now_s: float) -> Taken:
        return Taken(1.0, None)
