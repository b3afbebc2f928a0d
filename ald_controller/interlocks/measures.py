"""What the interlocks look at: samples that know their age and quality, and the measures that turn them into a number.

A measure makes one number out of the inputs of a rule; the rule's limits compare it, and reaching a limit is always
the bad direction. Memory between scans is an argument and a result, time is an argument, nothing is kept here.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from functools import reduce
from math import inf, nan
from operator import or_
from typing import Any, ClassVar, Literal, Protocol

from msgspec import Struct

FUTURE_S = 0.1  # a stamp further ahead than this is not a stamp
RISE_WINDOW_S = 1.0  # one digit of noise at 10 Hz must not look like a leak


class Quality(Enum):
    """How far a value can be believed; the values are those of the status message."""

    GOOD = "good"
    UNCERTAIN = "uncertain"  # the device itself doubts it: it may trip a rule and never clears one
    BAD = "bad"
    TEST = "test"  # a simulated input: it may trip a rule and says nothing of the tool


class Sample(Struct, frozen=True, gc=False):
    """One value in its channel's fixed unit, and the loop time in seconds at which its reply was complete.

    After a lost reply the last sample stays in place and ages; BAD is for a device that says so itself.
    """

    value: float
    at_s: float
    quality: Quality = Quality.GOOD


Samples = Mapping[str, Sample]
_GOOD, _BAD = Quality.GOOD, Quality.BAD  # an Enum looks its members up each time
_DOUBT = {Quality.GOOD: 0, Quality.UNCERTAIN: 1, Quality.TEST: 2, Quality.BAD: 3}
Moves = Literal["time", "samples", "values"]

MISSING = "was never read"
STALE = "is too old"
FUTURE = "carries a time that is still to come"
RANGE = "is not a believable number"
BAD = "is reported bad by its device"
UNTIMELY = frozenset({MISSING, STALE, FUTURE})


@dataclass(frozen=True, slots=True)
class Input:
    """One signal with what makes it believable: its range (inclusive, fixed unit) and its greatest age in seconds."""

    signal: str
    low: float
    high: float
    max_age_s: float = 1.0

    def fault(self, sample: Sample | None, now_s: float) -> str:
        """Why this sample cannot be believed; "" when it can. Every comparison fails on NaN, so NaN never passes."""
        if sample is None:
            return MISSING
        age = now_s - sample.at_s
        if not -FUTURE_S <= age <= self.max_age_s:
            return FUTURE if age < 0 else STALE
        if sample.quality is _BAD:
            return BAD
        return "" if self.low <= sample.value <= self.high else RANGE


class Taken(Struct, frozen=True, gc=False):
    """One look: the number, the memory for the next look, why an input is BAD (""), its signal, and what is doubted."""

    number: float
    memory: Any
    fault: str = ""
    signal: str = ""
    quality: Quality = Quality.GOOD


class Measure(Protocol):
    """`take` is pure; `inputs` are the signals that it reads.

    `moves_with` says when a number below every limit has to be looked at again: with `time` at every scan, with
    `samples` when another sample of an input has come, with `values` when its value is another one.
    """

    @property
    def moves_with(self) -> Moves: ...

    @property
    def inputs(self) -> tuple[Input, ...]: ...

    def take(self, memory: Any, samples: Samples, now_s: float) -> Taken: ...


@dataclass(frozen=True, slots=True)
class OfOne:
    """A measure of one believable input; one that cannot be believed makes it BAD."""

    input: Input
    moves_with: ClassVar[Moves] = "samples"

    @property
    def inputs(self) -> tuple[Input, ...]:
        return (self.input,)

    def take(self, memory: Any, samples: Samples, now_s: float) -> Taken:
        source = self.input
        sample = samples.get(source.signal)
        fault = source.fault(sample, now_s)
        if fault or sample is None:
            return Taken(nan, self.forget(memory), fault or MISSING, source.signal)
        number, memory = self.number(memory, sample, now_s)
        return Taken(number, memory, "", source.signal, sample.quality)

    def forget(self, memory: Any) -> Any:
        """What is remembered across a BAD sample: everything, unless a measure says otherwise."""
        return memory

    def number(self, memory: Any, sample: Sample, now_s: float) -> tuple[float, Any]:
        return sample.value, memory


def worst(qualities: Iterable[Quality]) -> Quality:
    """The one of them that is believed least."""
    return max(qualities, key=_DOUBT.__getitem__)


@dataclass(frozen=True, slots=True)
class OfSeveral(ABC):
    """A measure of several believable inputs; `look` gets their values in order, with the time.

    One that cannot be believed makes the whole BAD, and the one that is doubted most its quality.
    """

    moves_with: ClassVar[Moves] = "time"
    inputs: tuple[Input, ...]

    def take(self, memory: Any, samples: Samples, now_s: float) -> Taken:
        values: list[float] = []
        quality = _GOOD
        for source in self.inputs:
            sample = samples.get(source.signal)
            fault = source.fault(sample, now_s)
            if fault or sample is None:
                return Taken(nan, memory, fault or MISSING, source.signal)
            values.append(sample.value)
            if sample.quality is not _GOOD:
                quality = worst((quality, sample.quality))
        number, memory = self.look(memory, values, samples, now_s)
        return Taken(number, memory, "", self.inputs[0].signal, quality)

    @abstractmethod
    def look(self, memory: Any, values: list[float], samples: Samples, now_s: float) -> tuple[float, Any]:
        """The number and the memory."""


class Value(OfOne):
    """The value as it is."""

    moves_with: ClassVar[Moves] = "values"
    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Scaled(Value):
    """The value times `factor`."""

    factor: float

    def number(self, memory: Any, sample: Sample, now_s: float) -> tuple[float, Any]:
        return sample.value * self.factor, memory


@dataclass(frozen=True, slots=True)
class Short(Value):
    """How much is wanting to `enough`, in the signal's unit; below 0 while there is more."""

    enough: float

    def number(self, memory: Any, sample: Sample, now_s: float) -> tuple[float, Any]:
        return self.enough - sample.value, memory


class NotSet(OfOne):
    """1 unless a contact or flag that must be 1 is exactly that; then 0."""

    moves_with: ClassVar[Moves] = "values"
    __slots__ = ()

    def number(self, memory: Any, sample: Sample, now_s: float) -> tuple[float, Any]:
        return (0.0 if sample.value == 1 else 1.0), memory


class Changed(OfOne):
    """1 at the look that finds another count than before, upwards or downwards, else 0; the first look is the base.

    A count that falls is a module that restarted, which is no better than one that tripped.
    """

    moves_with: ClassVar[Moves] = "values"
    __slots__ = ()

    def number(self, memory: Any, sample: Sample, now_s: float) -> tuple[float, Any]:
        return (0.0 if memory is None or memory == sample.value else 1.0), sample.value


class Unchanged(OfOne):
    """Seconds since a heartbeat counter last changed: a process that exists and does nothing is a dead one."""

    moves_with: ClassVar[Moves] = "time"

    __slots__ = ()

    def number(self, memory: Any, sample: Sample, now_s: float) -> tuple[float, Any]:
        if memory is None or memory[0] != sample.value:
            memory = (sample.value, now_s)
        return now_s - memory[1], memory


class Rise(OfOne):
    """Units per second, upwards, over at least one second: a step counts at once, noise does not."""

    __slots__ = ()

    def forget(self, memory: Any) -> Any:
        return None  # a rise across a gap of unknown values means nothing

    def number(self, memory: Any, sample: Sample, now_s: float) -> tuple[float, Any]:
        if memory is None:
            return 0.0, (sample.value, sample.at_s)
        value, at_s = memory
        elapsed = sample.at_s - at_s
        if elapsed >= RISE_WINDOW_S:
            memory = (sample.value, sample.at_s)
        return (sample.value - value) / max(elapsed, RISE_WINDOW_S), memory


@dataclass(frozen=True, slots=True)
class SourcesOpen(OfOne):
    """How many sources a valve word holds open; a pair that is marked compatible counts as one.

    `masks` has the bits of each source: a source may need several outputs, and any of them counts as open.
    """

    moves_with: ClassVar[Moves] = "values"
    masks: tuple[tuple[str, int], ...]
    compatible: frozenset[frozenset[str]] = frozenset()
    every: int = field(init=False)  # bits of all sources: the word has others, one of which blinks

    def __post_init__(self) -> None:
        object.__setattr__(self, "every", reduce(or_, (mask for _, mask in self.masks), 0))

    def number(self, memory: Any, sample: Sample, now_s: float) -> tuple[float, Any]:
        word = int(sample.value)
        if not word & self.every:
            return 0.0, memory
        names = [name for name, mask in self.masks if word & mask]
        return (1.0 if frozenset(names) in self.compatible else float(len(names))), memory


@dataclass(frozen=True, slots=True)
class Silence:
    """Seconds since any of a device's channels carried a believable value: age of the link, not of one channel."""

    moves_with: ClassVar[Moves] = "time"
    inputs: tuple[Input, ...]

    def take(self, memory: Any, samples: Samples, now_s: float) -> Taken:
        newest, known = -inf, False
        for source in self.inputs:
            if (sample := samples.get(source.signal)) is not None:
                known = True
                if newest < sample.at_s <= now_s + FUTURE_S and sample.quality is not _BAD:
                    newest = sample.at_s
        return Taken(now_s - newest, memory, "" if known else MISSING)
