"""What the rows of chemistry look at: the gas beside what it usually is, flows and stop valve beside what was asked.

The settled pressure p0 follows from flow and wall (`Base`). Near its zero a gauge says nothing: below ten times its
error p0 counts as that. A wall that cannot be believed keeps its last temperature here; row T7 acts on the sensor.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf, log, nan
from typing import Any, ClassVar, NamedTuple

from ald_controller.commissioned import Base
from ald_controller.interlocks.measures import MISSING, Input, Moves, OfSeveral, Samples, Taken, worst

SCCM_PA_M3_S_PER_K = 101_325.0 * 1e-6 / 60.0 / 273.15  # what one sccm brings, per kelvin of the gas that it becomes
MBAR_PA = 100.0
FAITHFUL = 10.0  # so many errors above zero a gauge is believed to a tenth
STEADY_K = 1.0  # a wall that changed by less has not changed p0
PEAK_S = 0.4  # a gauge that is polled ten times a second has shown a peak by then
USUAL, PATIENCE = 1.3, 3.0  # C3: within 1.3 p0 after three times what that usually takes
LOOKED_S = 3600.0  # C3: later on a pressure that does not fall is not a source's; C11 looks at it
REST_S = 60.0  # C11: nothing has moved for so long
WINDOW_S, LAG_S = 0.3, 0.2  # C8: over how long a rise is taken, and how late a reading may be


# --- the gas -------------------------------------------------------------------------------------------------------


class Known(NamedTuple):
    """p0 in Pa, with the flow and the wall that it is for."""

    flow_sccm: float
    wall_c: float
    pa: float


@dataclass(frozen=True, slots=True)
class Gas:
    """What p0 is computed from: `pa` per unit of the gauge's channel, its error, the curve, and the wall's sensor."""

    pa: float
    error_pa: float
    base: Base
    wall: Input

    def usual(self, known: Known | None, flow_sccm: float, samples: Samples, now_s: float) -> Known | None:
        """p0 now; None as long as no wall was ever believed."""
        sample = samples.get(self.wall.signal)
        if sample is not None and not self.wall.fault(sample, now_s):
            wall_c = sample.value
        elif known is not None:
            wall_c = known.wall_c
        else:
            return None
        if known is not None and known.flow_sccm == flow_sccm and abs(wall_c - known.wall_c) < STEADY_K:
            return known
        return Known(flow_sccm, wall_c, max(self.base.pa(flow_sccm, wall_c), FAITHFUL * self.error_pa))


@dataclass(frozen=True, slots=True)
class OfGas(OfSeveral):
    """Of pressure, flow asked for, stop valve asked shut, s since a source was open, s since flows or valve moved."""

    gas: Gas
    settle_s: float  # flows and stop valve have arrived by then


class Purged(OfGas):
    """C2: p over p0 between doses; what it was before, while a source is open or flows settle."""

    __slots__ = ()

    def look(
        self, memory: tuple[Known | None, float] | None, values: list[float], samples: Samples, now_s: float
    ) -> tuple[float, Any]:
        pressure, flow, stop, shut_s, quiet_s = values
        known, before = memory or (None, 0.0)
        if shut_s <= 0.0 or stop or quiet_s < self.settle_s or flow <= 0.0:
            return before, memory
        known = self.gas.usual(known, flow, samples, now_s)
        number = before if known is None else pressure * self.gas.pa / known.pa
        return number, (known, number)


class _Decay(NamedTuple):
    known: Known | None
    calm_s: float
    peak_pa: float
    down: bool  # it was within 1.3 p0 when it was due: what rises later is no dose that lingers


@dataclass(frozen=True, slots=True)
class Lingering(OfGas):
    """C3: p over p0 once it has had three times as long as it usually needs from its peak to 1.3 p0; 0 until then.

    It begins anew with every dose and whenever flows or the stop valve have moved, for an hour after a dose.
    """

    decay_s: float

    def look(
        self, memory: _Decay | None, values: list[float], samples: Samples, now_s: float
    ) -> tuple[float, _Decay | None]:
        pressure, flow, stop, shut_s, quiet_s = values
        if not shut_s < LOOKED_S:
            return 0.0, None
        pressure_pa, calm_s = pressure * self.gas.pa, min(shut_s, quiet_s)
        known = self.gas.usual(memory.known if memory else None, flow, samples, now_s)
        peak_pa, down = pressure_pa, False
        if memory is not None and calm_s > memory.calm_s:  # nothing has moved since the last look
            peak_pa, down = max(memory.peak_pa, pressure_pa) if calm_s < PEAK_S else memory.peak_pa, memory.down
        number = 0.0
        if known is not None and not (stop or down) and shut_s > 0.0:
            number = self._over(known.pa, peak_pa, pressure_pa, shut_s, quiet_s)
            down = 0.0 < number < USUAL
        return number, _Decay(known, calm_s, peak_pa, down)

    def _over(self, base_pa: float, peak_pa: float, pressure_pa: float, shut_s: float, quiet_s: float) -> float:
        """p over p0 when it is due, else 0."""
        wait_s = PATIENCE * self._usual_s(peak_pa, base_pa)
        due = shut_s >= wait_s and quiet_s >= self.settle_s + wait_s
        return pressure_pa / base_pa if due else 0.0

    def _usual_s(self, peak_pa: float, base_pa: float) -> float:
        """How long the chamber usually needs from its peak to 1.3 p0; one time constant at least."""
        over = (peak_pa - base_pa) / ((USUAL - 1.0) * base_pa)
        return self.decay_s * max(1.0, log(over) if over > 1.0 else 0.0)


class Resting(OfGas):
    """C11: p over p0 once nothing has moved for a minute; 0 until then."""

    __slots__ = ()

    def look(
        self, memory: Known | None, values: list[float], samples: Samples, now_s: float
    ) -> tuple[float, Known | None]:
        pressure, flow, stop, shut_s, quiet_s = values
        if stop or min(shut_s, quiet_s) < REST_S:
            return 0.0, memory
        known = self.gas.usual(memory, flow, samples, now_s)
        return (0.0 if known is None else pressure * self.gas.pa / known.pa), known


@dataclass(frozen=True, slots=True)
class Pumped(OfSeveral):
    """C8: pressure in mbar of the chamber that is pumped, of pressure and stop valve.

    0 for what an exposure had raised to the limit behind the shut stop valve, until it has been pumped below it. A
    gauge at its `end`, in its unit, says that it is that much at least: that counts as the limit.
    """

    pa: float
    limit_mbar: float
    end: float = inf

    def look(self, exposed: bool | None, values: list[float], samples: Samples, now_s: float) -> tuple[float, bool]:
        pressure, stop = values
        mbar = pressure * self.pa / MBAR_PA
        if pressure >= self.end:
            mbar = max(mbar, self.limit_mbar)
        if exposed is None or mbar < self.limit_mbar:
            exposed = bool(stop)
        return (0.0 if exposed else mbar), exposed


Points = tuple[tuple[float, float], ...]  # (s, Pa), oldest first


@dataclass(frozen=True, slots=True)
class Filling(OfSeveral):
    """C8: mbar/s upwards with every source shut and the stop valve open, of the inputs of `OfGas` without the flow.

    A rise is taken over 0.3 s in which nothing was open or moved: neither the end of a dose nor a flow on its way is
    one.
    """

    pa: float
    settle_s: float

    def look(self, memory: Points | None, values: list[float], samples: Samples, now_s: float) -> tuple[float, Any]:
        pressure, stop, shut_s, quiet_s = values
        if stop or shut_s < WINDOW_S + LAG_S or quiet_s < self.settle_s:
            return 0.0, None
        at_s, points = samples[self.inputs[0].signal].at_s, memory or ()
        if not points or at_s > points[-1][0]:
            first = 0
            while first < len(points) and at_s - points[first][0] > WINDOW_S + 1e-6:
                first += 1
            points = (*points[first:], (at_s, pressure * self.pa))
        (first_s, first_pa), (last_s, last_pa) = points[0], points[-1]
        return (last_pa - first_pa) / max(last_s - first_s, WINDOW_S) / MBAR_PA, points


class _Shut(NamedTuple):
    at_s: float
    wall_c: float
    predicted_pa: float


@dataclass(frozen=True, slots=True)
class Exposed(OfSeveral):
    """C8: p behind the shut stop valve, over what it started from plus what was let in; 0 while the valve is open.

    What flows is known from what was asked; what a dose brings is not, so a source that is open may bring what it
    brings. Of pressure, flow, stop valve and s since a source was open.
    """

    pa: float
    error_pa: float
    volume_m3: float
    wall: Input

    def look(self, memory: _Shut | None, values: list[float], samples: Samples, now_s: float) -> tuple[float, Any]:
        pressure, flow, stop, shut_s = values
        if not stop:
            return 0.0, None
        pressure_pa, wall_c = pressure * self.pa, self._wall_c(memory, samples, now_s)
        if wall_c is None:
            return 0.0, None
        before = memory or _Shut(now_s, wall_c, max(pressure_pa, FAITHFUL * self.error_pa))
        rise_pa_s = flow * SCCM_PA_M3_S_PER_K * (wall_c + 273.15) / self.volume_m3
        predicted_pa = before.predicted_pa + rise_pa_s * (now_s - before.at_s)
        if shut_s < PEAK_S:
            predicted_pa = max(predicted_pa, pressure_pa)
        return pressure_pa / predicted_pa, _Shut(now_s, wall_c, predicted_pa)

    def _wall_c(self, memory: _Shut | None, samples: Samples, now_s: float) -> float | None:
        sample = samples.get(self.wall.signal)
        if sample is None or self.wall.fault(sample, now_s):
            return memory.wall_c if memory else None
        return sample.value


# --- flows and the stop valve --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class FlowLost:
    """C7: the share of its set-point that a flow controller does not give; 0 at set-point 0 and while it settles.

    A set-point that nobody has given is none. While one stands, a flow that cannot be believed is BAD at once.
    """

    moves_with: ClassVar[Moves] = "time"
    flow: Input
    asked: Input
    settle_s: float

    @property
    def inputs(self) -> tuple[Input, ...]:
        return (self.flow, self.asked)

    def take(self, memory: tuple[float, float] | None, samples: Samples, now_s: float) -> Taken:
        asked = samples.get(self.asked.signal)
        if asked is None:
            return Taken(0.0, None)
        if fault := self.asked.fault(asked, now_s):
            return Taken(nan, memory, fault, self.asked.signal)
        if memory is None or memory[0] != asked.value:
            memory = (asked.value, now_s)
        if asked.value <= 0.0:
            return Taken(0.0, memory)
        flow = samples.get(self.flow.signal)
        fault = self.flow.fault(flow, now_s)
        if fault or flow is None:
            return Taken(nan, memory, fault or MISSING, self.flow.signal)
        settled = now_s - memory[1] >= self.settle_s
        number = 1.0 - flow.value / asked.value if settled else 0.0
        quality = flow.quality if flow.quality is asked.quality else worst((flow.quality, asked.quality))
        return Taken(number, memory, "", self.flow.signal, quality)


@dataclass(frozen=True, slots=True)
class Misplaced(OfSeveral):
    """C9: 0 while the stop valve stands as it was told; 1 = open though told to shut, 2 = shut though told to open.

    Of its contact and what was asked; it may take `travel_s` to get there.
    """

    travel_s: float

    def look(
        self, memory: tuple[float, float] | None, values: list[float], samples: Samples, now_s: float
    ) -> tuple[float, Any]:
        is_open, shut = values
        if memory is None or memory[0] != shut:
            memory = (shut, now_s)
        if (is_open == 1.0) != bool(shut) or now_s - memory[1] < self.travel_s:
            return 0.0, memory
        return (1.0 if shut else 2.0), memory
