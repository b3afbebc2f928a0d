"""What the heater rows look at: the hottest sensor, jumps, heat that does not follow its power, sensors that part.

Each looks at one zone and moves on with a new reading of it, and only then. From an input that cannot be believed
nothing is concluded: it is named, and row T7 of the zone acts on it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import exp, inf, nan
from typing import Any, NamedTuple

from ald_controller.interlocks.constants import Curve, along
from ald_controller.interlocks.measures import MISSING, Input, Quality, Sample, Samples, Taken

OFF_BELOW_C = -273.0  # a set-point below this is off
STEADY_S = 10.0  # a sensor without a witness counts again when it has not jumped for so long
IN_BAND_K = 5.0  # a zone within this of its set-point follows it
LEAST_K_PER_S = 1.0 / 60.0  # no heater that is meant to heat is slower
LOOK_BACK_S, POWER_S, RATE_S, WARMING_S, RISING_S = 20.0, 60.0, 3.0, 10.0, 10.0
STEP_K = 2.0  # a set-point that moves by more at once is a new one: its heater gets time to answer
FULL_PERCENT, OFF_PERCENT, MOVED_PERCENT = 80.0, 0.5, 10.0
RISEN_K = 0.2  # two digits in ten seconds

_DOUBT = {Quality.GOOD: 0, Quality.UNCERTAIN: 1, Quality.TEST: 2, Quality.BAD: 3}
Points = tuple[tuple[float, float], ...]  # (time in s, value), oldest first


def kept(points: Points, at_s: float, value: float, window_s: float) -> Points:
    """These points with one more, back to the newest that is at least `window_s` old; about twelve of them."""
    if points and at_s - points[-1][0] < window_s / 12:
        return points
    first = 0
    while first + 1 < len(points) and points[first + 1][0] <= at_s - window_s:
        first += 1
    return (*points[first:], (at_s, value))


def risen(points: Points, at_s: float, value: float, window_s: float) -> float | None:
    """By how much the value rose over the window, scaled to it; None when it is not known for that long."""
    if not points or at_s - points[0][0] < window_s - 1e-6:
        return None
    return (value - points[0][1]) * window_s / (at_s - points[0][0])


def believed(source: Input, samples: Samples, now_s: float) -> float | None:
    """The value of a signal, or None when it cannot be believed."""
    sample = samples.get(source.signal)
    return None if sample is None or source.fault(sample, now_s) else sample.value


@dataclass(frozen=True, slots=True)
class Hottest:
    """The hottest of a zone's believable sensors, plus what its hottest place is commissioned to have more, in °C."""

    inputs: tuple[Input, ...]
    more_k: float

    def take(self, memory: Any, samples: Samples, now_s: float) -> Taken:
        hottest, quality, bad = -inf, Quality.GOOD, ("", "")
        for source in self.inputs:
            sample = samples.get(source.signal)
            fault = source.fault(sample, now_s)
            if fault or sample is None:
                bad = bad if bad[0] else (fault or MISSING, source.signal)
                continue
            hottest = max(hottest, sample.value)
            quality = max(quality, sample.quality, key=_DOUBT.__getitem__)
        if hottest == -inf:
            return Taken(nan, memory, *bad)
        return Taken(hottest + self.more_k, memory, "", "", quality)


class _Looked(NamedTuple):
    """What one reading gave, so that scans until the next one only repeat it."""

    at_s: float
    number: float
    memory: Any


@dataclass(frozen=True, slots=True)
class _OfZone:
    """Looks once at each new reading of the zone's controller."""

    input: Input

    @property
    def inputs(self) -> tuple[Input, ...]:
        return (self.input,)

    def take(self, memory: _Looked | None, samples: Samples, now_s: float) -> Taken:
        source = self.input
        sample = samples.get(source.signal)
        fault = source.fault(sample, now_s)
        if fault or sample is None:
            return Taken(nan, self._blind(memory), fault or MISSING, source.signal)
        if memory is None or sample.at_s != memory.at_s:
            number, remembered = self.look(memory.memory if memory else None, sample, samples, now_s)
            memory = _Looked(sample.at_s, number, remembered)
        return Taken(memory.number, memory, "", source.signal, sample.quality)

    def _blind(self, memory: _Looked | None) -> _Looked | None:
        return memory and memory._replace(at_s=-inf, memory=self.forget(memory.memory))

    def forget(self, memory: Any) -> Any:
        """What is left after a reading that could not be believed: nothing, unless a measure says otherwise."""
        return None

    def look(self, memory: Any, sample: Sample, samples: Samples, now_s: float) -> tuple[float, Any]:
        raise NotImplementedError


class _Jumps(NamedTuple):
    points: Points  # of the last second or two
    size_k: float  # of the jump that stands, 0 = none
    at_s: float  # when it was last seen to jump


@dataclass(frozen=True, slots=True)
class Jump(_OfZone):
    """K by which a sensor changed within a second, up or down; a jump of `limit_k` stands until the sensor is back.

    It is back when it agrees within `agree_k` with a believable witness again; without one, when it has been steady.
    """

    witness: Input | None
    limit_k: float
    agree_k: float

    def forget(self, memory: Any) -> Any:
        return memory and memory._replace(points=())

    def look(self, memory: _Jumps | None, sample: Sample, samples: Samples, now_s: float) -> tuple[float, _Jumps]:
        at_s, value = sample.at_s, sample.value
        points, size_k, jumped_s = memory or _Jumps((), 0.0, -inf)
        points = tuple(p for p in points if at_s - p[0] <= self.input.max_age_s)
        changed = max((abs(value - v) / max(1.0, at_s - t) for t, v in points), default=0.0)
        if changed >= self.limit_k:
            size_k, jumped_s = max(size_k, changed), at_s
        elif size_k and self._back(value, at_s - jumped_s, samples, now_s):
            size_k = 0.0
        return size_k or changed, _Jumps((*points, (at_s, value)), size_k, jumped_s)

    def _back(self, value: float, steady_s: float, samples: Samples, now_s: float) -> bool:
        if self.witness is None:
            return steady_s >= STEADY_S
        other = believed(self.witness, samples, now_s)
        return other is not None and abs(value - other) <= self.agree_k


class _Behind(NamedTuple):
    points: Points
    at_s: float
    sum_k_s: float
    asked_c: float | None
    patient_until_s: float


@dataclass(frozen=True, slots=True)
class Behind(_OfZone):
    """K·s that a zone has been below its band while it did not rise as a heater does that works; 0 in its band.

    A third of the commissioned slope at that temperature is rising, 1 K/min where none is commissioned. A new
    set-point begins with as much patience as a look back takes.
    """

    asked: Input
    slope: Curve | None

    def forget(self, memory: Any) -> Any:
        return memory and memory._replace(points=())

    def look(self, memory: _Behind | None, sample: Sample, samples: Samples, now_s: float) -> tuple[float, _Behind]:
        at_s, value = sample.at_s, sample.value
        points, before_s, total, was_c, patient_s = memory or _Behind((), at_s, 0.0, None, -inf)
        asked_c = set_point(self.asked, samples, now_s)
        if asked_c is not None and (was_c is None or asked_c > was_c + STEP_K):
            patient_s = at_s + LOOK_BACK_S
        below_k = 0.0 if asked_c is None else asked_c - IN_BAND_K - value
        if below_k <= 0.0:
            total = 0.0
        elif at_s >= patient_s and not self._rising(points, at_s, value):
            total += below_k * min(at_s - before_s, self.input.max_age_s)
        return total, _Behind(kept(points, at_s, value, LOOK_BACK_S), at_s, total, asked_c, patient_s)

    def _rising(self, points: Points, at_s: float, value: float) -> bool:
        rise_k = risen(points, at_s, value, LOOK_BACK_S)
        return rise_k is not None and rise_k >= LOOK_BACK_S * wanted_k_per_s(self.slope, value)


def set_point(asked: Input, samples: Samples, now_s: float) -> float | None:
    """The set-point that the zone's instrument is sent in °C; None while it is off or nobody has commanded it."""
    value = believed(asked, samples, now_s)
    return None if value is None or value < OFF_BELOW_C else value


def wanted_k_per_s(slope: Curve | None, at_c: float) -> float:
    """The rise at full power below which a heater does not heat: a third of what was commissioned, at least 1 K/min."""
    return LEAST_K_PER_S if slope is None else max(LEAST_K_PER_S, along(slope, at_c) / 3.0)


@dataclass(frozen=True, slots=True)
class Unheated(_OfZone):
    """K by which a zone rose too little in a minute of (nearly) full power; below zero while it is well."""

    duty: Input
    slope: Curve | None

    def look(self, memory: Points | None, sample: Sample, samples: Samples, now_s: float) -> tuple[float, Points]:
        at_s, value = sample.at_s, sample.value
        duty = believed(self.duty, samples, now_s)
        if duty is None or duty < FULL_PERCENT:
            return -1.0, ()
        points = memory or ()
        rise_k = risen(points, at_s, value, POWER_S)
        if rise_k is None:
            return -1.0, kept(points, at_s, value, POWER_S)
        short_k = POWER_S * wanted_k_per_s(self.slope, points[0][1]) - rise_k
        return max(short_k, -1.0), kept(points, at_s, value, POWER_S)


class _Still(NamedTuple):
    value: float
    since_s: float
    least: float  # of the duty since then
    most: float


@dataclass(frozen=True, slots=True)
class Frozen(_OfZone):
    """Seconds since a reading last changed, once the power of its zone has moved by more than 10 % meanwhile."""

    duty: Input

    def look(self, memory: _Still | None, sample: Sample, samples: Samples, now_s: float) -> tuple[float, _Still]:
        duty = believed(self.duty, samples, now_s)
        if memory is None or memory.value != sample.value:
            least, most = (inf, -inf) if duty is None else (duty, duty)
            return 0.0, _Still(sample.value, sample.at_s, least, most)
        if duty is not None and not memory.least <= duty <= memory.most:
            memory = memory._replace(least=min(memory.least, duty), most=max(memory.most, duty))
        moved = memory.most - memory.least > MOVED_PERCENT
        return (sample.at_s - memory.since_s if moved else 0.0), memory


@dataclass(frozen=True, slots=True)
class Apart:
    """K between the second sensor and what it should read beside the first, by commissioning.

    It reads `second_k` more and comes `later_s` later (before, if negative): the quicker one is slowed down as much.
    """

    first: Input
    second: Input
    second_k: float
    later_s: float

    @property
    def inputs(self) -> tuple[Input, ...]:
        return (self.first, self.second)

    def take(self, memory: Any, samples: Samples, now_s: float) -> Taken:
        quality, read = Quality.GOOD, []
        for source in (self.first, self.second):
            sample = samples.get(source.signal)
            fault = source.fault(sample, now_s)
            if fault or sample is None:
                return Taken(nan, None, fault or MISSING, source.signal)
            quality = max(quality, sample.quality, key=_DOUBT.__getitem__)
            read.append(sample)
        first, second = read
        quick = first if self.later_s > 0 else second
        memory = self._slowed(memory, quick)
        slow_c = memory[1]
        apart = second.value - slow_c if self.later_s > 0 else slow_c - first.value
        return Taken(abs(apart - self.second_k), memory, "", self.second.signal, quality)

    def _slowed(self, memory: tuple[float, float] | None, quick: Sample) -> tuple[float, float]:
        if memory is None or self.later_s == 0:
            return quick.at_s, quick.value
        before_s, slow_c = memory
        if quick.at_s <= before_s:
            return memory
        share = 1.0 - exp((before_s - quick.at_s) / abs(self.later_s))
        return quick.at_s, slow_c + (quick.value - slow_c) * share


@dataclass(frozen=True, slots=True)
class Warming(_OfZone):
    """K/min by which a zone rises without power while none of its neighbours is hotter; else 0.

    Without power means 0 % at its instrument, or its contactor open where `contactor` tells of it.
    """

    duty: Input
    contactor: Input | None
    neighbours: tuple[Input, ...]

    def look(self, memory: Points | None, sample: Sample, samples: Samples, now_s: float) -> tuple[float, Points]:
        at_s, value = sample.at_s, sample.value
        if not self._off(samples, now_s) or any(
            (other := believed(one, samples, now_s)) is not None and other > value for one in self.neighbours
        ):
            return 0.0, ()
        points = memory or ()
        rise_k = risen(points, at_s, value, WARMING_S)
        rate = 0.0 if rise_k is None else max(rise_k, 0.0) * 60.0 / WARMING_S
        return rate, kept(points, at_s, value, WARMING_S)

    def _off(self, samples: Samples, now_s: float) -> bool:
        duty = believed(self.duty, samples, now_s)
        if duty is not None and duty <= OFF_PERCENT:
            return True
        return self.contactor is not None and believed(self.contactor, samples, now_s) == 0


class _Above(NamedTuple):
    points: Points
    highest_c: float | None  # set-point since the zone was last in its band; None = never commanded


@dataclass(frozen=True, slots=True)
class Above(_OfZone):
    """K above the highest set-point since the zone was last in its band, while it rises; else 0."""

    asked: Input
    window_s: float = RISING_S

    def forget(self, memory: Any) -> Any:
        return memory and memory._replace(points=())

    def look(self, memory: _Above | None, sample: Sample, samples: Samples, now_s: float) -> tuple[float, _Above]:
        at_s, value = sample.at_s, sample.value
        points, highest_c = memory or _Above((), None)
        asked_c = set_point(self.asked, samples, now_s)
        if asked_c is not None:
            in_band = highest_c is None or abs(value - asked_c) <= IN_BAND_K
            highest_c = asked_c if in_band else max(highest_c or asked_c, asked_c)
        above_k = 0.0 if highest_c is None else max(value - highest_c, 0.0)
        number = self.number(above_k, risen(points, at_s, value, self.window_s))
        return number, _Above(kept(points, at_s, value, self.window_s), highest_c)

    def number(self, above_k: float, rise_k: float | None) -> float:
        return above_k if rise_k is not None and rise_k >= RISEN_K else 0.0


@dataclass(frozen=True, slots=True)
class Steep(Above):
    """K/s by which a zone rises while it is above the highest set-point since it was last in its band; else 0."""

    window_s: float = RATE_S

    def number(self, above_k: float, rise_k: float | None) -> float:
        return max(rise_k, 0.0) / self.window_s if above_k > 0.0 and rise_k is not None else 0.0


@dataclass(frozen=True, slots=True)
class Cold(_OfZone):
    """K by which a zone is colder than it may be; below zero while it is warm enough."""

    least_c: float

    def look(self, memory: Any, sample: Sample, samples: Samples, now_s: float) -> tuple[float, Any]:
        return self.least_c - sample.value, None


@dataclass(frozen=True, slots=True)
class Uncommissioned:
    """1 for ever: a constant is missing, or one that was measured fits no limit."""

    inputs: Sequence[Input] = ()

    def take(self, memory: Any, samples: Samples, now_s: float) -> Taken:
        return Taken(1.0, None)
