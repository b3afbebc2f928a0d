"""What the rows look at between a zone's power, its set-point and its temperature: heat that does not follow them.

Each looks at the reading of the zone's controller, once at each new one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from ald_controller.commissioned import Curve, along
from ald_controller.interlocks.measures import Input, Sample, Samples
from ald_controller.interlocks.thermal_measures import OfReading, Points, believed

OFF_BELOW_C = -273.0  # a set-point below this is off
IN_BAND_K = 5.0  # a zone within this of its set-point follows it
LEAST_K_PER_S = 1.0 / 60.0  # no heater that is meant to heat is slower
LOOK_BACK_S, POWER_S, RATE_S, WARMING_S, RISING_S = 20.0, 60.0, 3.0, 10.0, 10.0
STEP_K = 2.0  # a set-point that moves by more at once is a new one: its heater gets time to answer
FULL_PERCENT, OFF_PERCENT = 80.0, 0.5
RISEN_K = 0.3  # three digits in ten seconds: less is noise
MANY = 12  # points in a window: enough to see a rise, few enough to copy


def kept(points: Points, at_s: float, value: float, window_s: float) -> Points:
    """These points with one more, back to the newest that is at least `window_s` old."""
    if points and at_s - points[-1][0] < window_s / MANY:
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


def set_point(asked: Input, samples: Samples, now_s: float) -> float | None:
    """The set-point that the zone's instrument is sent in °C; None while it is off or nobody has commanded it."""
    value = believed(asked, samples, now_s)
    return None if value is None or value < OFF_BELOW_C else value


def wanted_k_per_s(slope: Curve | None, at_c: float) -> float:
    """The rise at full power below which a heater does not heat: a third of what was commissioned, at least 1 K/min."""
    return LEAST_K_PER_S if slope is None else max(LEAST_K_PER_S, along(slope, at_c) / 3.0)


class _Behind(Struct, frozen=True, gc=False):
    points: Points
    at_s: float
    sum_k_s: float
    asked_c: float | None
    patient_until_s: float


@dataclass(frozen=True, slots=True)
class Behind(OfReading):
    """K·s that a zone has been below its band while it did not rise as a heater does that works; 0 in its band.

    A third of the commissioned slope at that temperature is rising, 1 K/min where none is commissioned. A new
    set-point begins with as much patience as a look back takes.
    """

    asked: Input
    slope: Curve | None

    def forget(self, memory: Any) -> Any:
        return memory and replace(memory, points=())

    def look(self, memory: _Behind | None, sample: Sample, samples: Samples, now_s: float) -> tuple[float, _Behind]:
        at_s, value = sample.at_s, sample.value
        asked_c = set_point(self.asked, samples, now_s)
        if memory is None:
            return 0.0, _Behind(((at_s, value),), at_s, 0.0, asked_c, at_s + LOOK_BACK_S)
        points, total, patient_s = memory.points, memory.sum_k_s, memory.patient_until_s
        if asked_c is not None and (memory.asked_c is None or asked_c > memory.asked_c + STEP_K):
            patient_s = at_s + LOOK_BACK_S
        below_k = 0.0 if asked_c is None else asked_c - IN_BAND_K - value
        if below_k <= 0.0:
            total = 0.0
        elif at_s >= patient_s and not self._rising(points, at_s, value):
            total += below_k * min(at_s - memory.at_s, self.input.max_age_s)
        return total, _Behind(kept(points, at_s, value, LOOK_BACK_S), at_s, total, asked_c, patient_s)

    def _rising(self, points: Points, at_s: float, value: float) -> bool:
        rise_k = risen(points, at_s, value, LOOK_BACK_S)
        return rise_k is not None and rise_k >= LOOK_BACK_S * wanted_k_per_s(self.slope, value)


@dataclass(frozen=True, slots=True)
class Unheated(OfReading):
    """K by which a zone rose too little in a minute of (nearly) full power; -1 while nothing is to be said."""

    duty: Input
    slope: Curve | None

    def look(self, memory: Points | None, sample: Sample, samples: Samples, now_s: float) -> tuple[float, Points]:
        at_s, value = sample.at_s, sample.value
        duty = believed(self.duty, samples, now_s)
        if duty is None or duty < FULL_PERCENT:
            return -1.0, ()
        points = kept(memory or (), at_s, value, POWER_S)
        rise_k = risen(memory or (), at_s, value, POWER_S)
        if rise_k is None:
            return -1.0, points
        return max(POWER_S * wanted_k_per_s(self.slope, value) - rise_k, -1.0), points


@dataclass(frozen=True, slots=True)
class Warming(OfReading):
    """K/min by which a zone rises without power while none of its neighbours is hotter; else 0.

    Without power means 0 % at its instrument, or its contactor open where `contactor` tells of it.
    """

    duty: Input
    contactor: Input | None
    neighbours: tuple[Input, ...]

    def look(self, memory: Points | None, sample: Sample, samples: Samples, now_s: float) -> tuple[float, Points]:
        at_s, value = sample.at_s, sample.value
        others = (believed(one, samples, now_s) for one in self.neighbours)
        if not self._off(samples, now_s) or any(other is not None and other > value for other in others):
            return 0.0, ()
        rise_k = risen(memory or (), at_s, value, WARMING_S)
        rate = 0.0 if rise_k is None else max(rise_k, 0.0) * 60.0 / WARMING_S
        return rate, kept(memory or (), at_s, value, WARMING_S)

    def _off(self, samples: Samples, now_s: float) -> bool:
        duty = believed(self.duty, samples, now_s)
        if duty is not None and duty <= OFF_PERCENT:
            return True
        return self.contactor is not None and believed(self.contactor, samples, now_s) == 0


class _Above(Struct, frozen=True, gc=False):
    points: Points
    highest_c: float | None  # set-point since the zone was last in its band; None = never commanded


@dataclass(frozen=True, slots=True)
class Above(OfReading):
    """K above the highest set-point since the zone was last in its band, while it rises; else 0."""

    asked: Input
    window_s: float = RISING_S

    def forget(self, memory: Any) -> Any:
        return memory and _Above((), memory.highest_c)

    def look(self, memory: _Above | None, sample: Sample, samples: Samples, now_s: float) -> tuple[float, _Above]:
        at_s, value = sample.at_s, sample.value
        points, highest_c = (memory.points, memory.highest_c) if memory else ((), None)
        asked_c = set_point(self.asked, samples, now_s)
        if asked_c is not None:
            in_band = abs(value - asked_c) <= IN_BAND_K
            before_c = value if highest_c is None else highest_c  # found warm, it has not overshot
            highest_c = asked_c if in_band else max(before_c, asked_c)
        above_k = 0.0 if highest_c is None else max(value - highest_c, 0.0)
        number = self.number(above_k, risen(points, at_s, value, self.window_s))
        return number, _Above(kept(points, at_s, value, self.window_s), highest_c)

    def number(self, above_k: float, rise_k: float | None) -> float:
        """Of the K above the set-point and the rise over the window."""
        return above_k if rise_k is not None and rise_k >= RISEN_K else 0.0


@dataclass(frozen=True, slots=True)
class Steep(Above):
    """K/s by which a zone rises while it is above the highest set-point since it was last in its band; else 0."""

    window_s: float = RATE_S

    def number(self, above_k: float, rise_k: float | None) -> float:
        return max(rise_k, 0.0) / self.window_s if above_k > 0.0 and rise_k is not None else 0.0
