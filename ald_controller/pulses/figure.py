"""The figure of one dose: by how much it would raise the chamber if nothing were pumped.

A gauge that is polled ten times a second meets a pulse of 15 ms anywhere on its decay: its peak says little. What was
pumped meanwhile is put back instead: with the stop valve open the figure is the rise that is left plus the integral of
the rise over V/S; with the stop valve shut it is the step between the straight lines before the opening and after the
closing, because the carrier fills the chamber all the while. Neither depends on when the gauge happened to be read, nor
much on for how long.

Base and slope are the pulse's own unless they lie far above the usual ones of its like: then the usual ones count, so
that a source which was open already shows as a rise, and not as a dose that brought nothing.

Times are loop seconds, pressures Pa; `_ns` are planned times of the valve engine.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from math import isfinite

from ald_controller.interlocks import Quality, Sample
from ald_controller.valves.wire import SegmentId

DECAY_S = 0.4  # V/S of a small reactor, where none is commissioned: every figure scales with it, and no ratio
BEFORE_S = 1.0  # how long before an opening the base is looked at
LINE_S = 0.6  # the same with the stop valve shut: it has only just shut
ARRIVES_S = 0.03  # after an opening: a valve takes some 10 ms to open and a gauge 20 ms to follow
SETTLE_S = 0.15  # after a closing the line begins this much later
GAP_S = 0.35  # three polls of a gauge at 10 Hz; a longer silence may hide the whole dose
LEAST_BEFORE, LEAST_AFTER = 4, 5  # readings; fewer make no base and no line
WINDOW_S, WINDOW_SHARE = 1.5, 1.5  # after a closing a dose is looked at for so long, and this share of its width more
FLOOR_PA = 3.0  # four times what a 10 Torr gauge's noise makes of no dose at all, looked at for 1.5 s
MOVING_PA_S = 2.0  # a base that moves faster hides a small dose; it is five times what noise makes of a steady one
STEADY = 1.3  # a base further above the usual one is not the pulse's own any more (row C3)
STEADY_SLOPE = 1.1  # nor a slope, which a flow controller holds to a few per cent
BELIEVED = (Quality.GOOD, Quality.UNCERTAIN)


@dataclass(frozen=True, slots=True)
class Conditions:
    """What hangs at a source and how the tool is set at its opening; None = not known, or not there."""

    precursor: str
    bottle_c: float | None = None  # set-points: what a bottle gives follows its temperature by some 7 %/K
    chamber_c: float | None = None  # base and rise are proportional to the gas's temperature
    carrier_sccm: float | None = None
    push_sccm: float | None = None


@dataclass(frozen=True, slots=True)
class Likeness:
    """What two pulses must have in common to be compared.

    `shut`: whether the stop valve was; an exposure keeps its gas, a flowing pulse loses it. `shot`: number within its
    segment, from 1; a later one meets a fuller chamber and an emptier headspace. `apart_ns`: since the closing before
    it in its segment where that is within the second in which the base is looked at, else 0.
    """

    conditions: Conditions
    width_ns: int  # for which its outputs are energised, as planned: a dose that was trimmed is like no other
    shut: bool
    shot: int
    apart_ns: int


@dataclass(frozen=True, slots=True)
class Figure:
    """What one pulse did. `slope_pa_s` is that of the pressure after it in the shut chamber, else 0."""

    base_pa: float
    peak_pa: float
    delta_p_pa: float
    slope_pa_s: float


@dataclass(frozen=True, slots=True)
class Usual:
    """Medians over the pulses before of the same likeness."""

    delta_p_pa: float
    base_pa: float
    slope_pa_s: float
    least_pa: float = FLOOR_PA  # below it a rise is not told from noise

    def ratio(self, figure: Figure) -> float | None:
        """The pulse against what is usual; None where that is too small to be told from noise.

        A dose that took pressure away, for gas streamed back into its bottle, brought nothing.
        """
        return max(figure.delta_p_pa, 0.0) / self.delta_p_pa if self.delta_p_pa >= self.least_pa else None


def window_s(width_s: float) -> float:
    """How long after its closing a dose is looked at: a valve that stays open has then given more than twice."""
    return WINDOW_S + WINDOW_SHARE * width_s


def least_pa(likeness: Likeness) -> float:
    """The least rise that is told from the gauge's noise, in Pa.

    With the stop valve open the error of the base is pumped, and so counted, for as long as the dose is looked at;
    between the two lines of a shut chamber it is not.
    """
    if likeness.shut:
        return FLOOR_PA
    width_s = likeness.width_ns / 1e9
    return FLOOR_PA * (width_s + window_s(width_s)) / WINDOW_S


@dataclass(frozen=True, slots=True)
class Pulse:
    """One dose of one source; without a figure `why` says what is wrong with it."""

    source: str
    id: SegmentId
    edge: int  # number of its opening edge within the segment
    likeness: Likeness
    opened_s: float
    closed_s: float
    figure: Figure | None
    why: str = ""


class NoFigure(Exception):
    """A pulse cannot be measured; the text says why."""


@dataclass(frozen=True, slots=True)
class Span:
    """When a dose opened and shut, until when it is looked at, and whether the stop valve was shut all the while."""

    opened_s: float
    closed_s: float
    until_s: float
    shut: bool


_Points = list[tuple[float, float]]


def figure(readings: Iterable[Sample], span: Span, usual: Usual | None, decay_s: float = DECAY_S) -> Figure:
    """The figure of one dose from readings in Pa, in the order of their times; raises NoFigure."""
    begin_s = span.opened_s - (LINE_S if span.shut else BEFORE_S)
    looked_at = [r for r in readings if begin_s <= r.at_s <= span.until_s]
    if not all(r.quality in BELIEVED and isfinite(r.value) for r in looked_at):
        raise NoFigure("the pressure could not be believed during it")
    times = [begin_s, *(r.at_s for r in looked_at), span.until_s]
    if any(later - earlier > GAP_S for earlier, later in pairwise(times)):
        raise NoFigure(f"the pressure was not read for more than {GAP_S:g} s during it")
    before = [(r.at_s, r.value) for r in looked_at if r.at_s < span.opened_s]
    since = [(r.at_s, r.value) for r in looked_at if r.at_s >= span.opened_s + ARRIVES_S]
    if len(before) < LEAST_BEFORE or not since:
        raise NoFigure(f"there are {len(before)} readings before it and {len(since)} since its opening: too few")
    return _step(before, since, span, usual) if span.shut else _pumped(before, since, span, usual, decay_s)


def _pumped(before: _Points, since: _Points, span: Span, usual: Usual | None, decay_s: float) -> Figure:
    """With the stop valve open: what is left of the rise, and what was pumped of it."""
    base = sum(v for _, v in before) / len(before)
    _, moving = _line(before, span.opened_s)
    if abs(moving) > MOVING_PA_S:
        raise NoFigure(
            f"the pressure was not steady before it ({moving:+.1f} Pa/s): a flow changed, or a dose was near"
        )
    if usual is not None and base > STEADY * usual.base_pa:
        base = usual.base_pa
    at_s, rise = span.opened_s, since[0][1] - base  # from the opening to the first reading the rise is that reading's
    pumped = 0.0
    for t, v in since:
        pumped += (t - at_s) * (rise + v - base) / 2.0
        at_s, rise = t, v - base
    pumped += (span.until_s - at_s) * rise
    return Figure(base, max(v for _, v in since), rise + pumped / decay_s, 0.0)


def _step(before: _Points, since: _Points, span: Span, usual: Usual | None) -> Figure:
    """With the stop valve shut: the step between two lines, the second no steeper than usual."""
    after = [(t, v) for t, v in since if t >= span.closed_s + SETTLE_S]
    if len(after) < LEAST_AFTER:
        raise NoFigure(f"it was looked at for too short a time after it: {len(after)} readings, {LEAST_AFTER} needed")
    base, _ = _line(before, span.opened_s)
    level, own = _line(after, span.until_s)
    slope = usual.slope_pa_s if usual is not None and own > STEADY_SLOPE * usual.slope_pa_s else own
    delta = level - base - slope * (span.until_s - span.opened_s)
    return Figure(base, max(v for _, v in since), delta, own)


def _line(points: _Points, at_s: float) -> tuple[float, float]:
    """Value at `at_s` and slope of the straight line through the points (least squares)."""
    mid_t = sum(t for t, _ in points) / len(points)
    mid_v = sum(v for _, v in points) / len(points)
    spread = sum((t - mid_t) ** 2 for t, _ in points)
    slope = sum((t - mid_t) * (v - mid_v) for t, v in points) / spread if spread > 0.0 else 0.0
    return mid_v + slope * (at_s - mid_t), slope
