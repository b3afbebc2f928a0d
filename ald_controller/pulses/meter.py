"""From edges of the valve word and readings of the gauge to pulses: one for each opening of a source."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from math import nan

from ald_controller.interlocks import Sample
from ald_controller.pulses.figure import (
    BEFORE_S,
    DECAY_S,
    Conditions,
    Figure,
    Likeness,
    NoFigure,
    Pulse,
    Span,
    Usual,
    figure,
    window_s,
)
from ald_controller.valves.wire import Edge, Held, SegmentId

LATE_S = 0.3  # how long after its window a pulse waits for the last readings
MOST_READINGS = 4000  # more than the longest dose and its window have at 20 Hz
TWICE = 2.0  # a rise beyond this share of the usual one is told at once (row C3)


@dataclass(slots=True)
class _Dose:
    """A dose that is open, or shut and still looked at."""

    source: str
    id: SegmentId
    edge: int
    conditions: Conditions
    shut: bool
    shot: int
    apart_ns: int
    due_ns: int
    opened_s: float
    spoilt: str = ""  # why it will have no figure
    width_ns: int = 0
    closed_s: float = nan  # while it is open
    until_s: float = nan

    @property
    def likeness(self) -> Likeness:
        return Likeness(self.conditions, self.width_ns, self.shut, self.shot, self.apart_ns)

    def pulse(self, found: Figure | None, why: str) -> Pulse:
        return Pulse(self.source, self.id, self.edge, self.likeness, self.opened_s, self.closed_s, found, why)


@dataclass(slots=True)
class PulseMeter:
    """Follows the valve word and the gauge; `take` gives the pulses that are finished.

    `masks` are the bits of each source while it doses. `conditions` is asked at each opening, `usual` for the medians
    of a source and a likeness.
    """

    masks: Mapping[str, int]
    stop_mask: int
    conditions: Callable[[str], Conditions]
    usual: Callable[[str, Likeness], Usual | None]
    decay_s: float = DECAY_S
    _word: int = 0
    _segment: SegmentId | None = None
    _shots: dict[str, int] = field(default_factory=dict)  # openings in this segment
    _shut_ns: int | None = None  # when the newest dose of this segment was due to shut
    _open: dict[str, _Dose] = field(default_factory=dict)
    _after: _Dose | None = None  # shut, and still looked at
    _readings: deque[Sample] = field(default_factory=partial(deque, maxlen=MOST_READINGS))
    _done: list[Pulse] = field(default_factory=list)

    def take(self) -> list[Pulse]:
        """The pulses that are finished, each once."""
        done, self._done = self._done, []
        return done

    # --- what the valve engine says --------------------------------------------------------------------------------

    def edge(self, edge: Edge) -> None:
        """Take one edge as it went out; an edge that is not told did not happen."""
        if edge.id != self._segment:
            self._segment, self._shut_ns = edge.id, None
            self._shots.clear()
        before, self._word = self._word, edge.word
        at_s = (edge.confirmed_ns or edge.sent_ns) / 1e9
        if (before ^ edge.word) & self.stop_mask:
            self._stop_moved(at_s)
        for source, mask in self.masks.items():
            was, now = before & mask == mask, edge.word & mask == mask
            if was and not now:
                self._closed(source, edge, at_s)
            elif now and not was:
                self._opened(source, edge, at_s)

    def held(self, held: Held) -> None:
        """The engine rests: what was open is shut, before its time."""
        for source, dose in [*self._open.items()]:
            del self._open[source]
            dose.closed_s, dose.width_ns = held.at_ns / 1e9, max(held.at_ns - dose.due_ns, 0)
            self._finish(dose, f"it was cut short: {held.why}")
            self._word &= ~self.masks[source]

    def _opened(self, source: str, edge: Edge, at_s: float) -> None:
        if self._after is not None:
            self._conclude(self._after, at_s)
        self._shots[source] = shot = self._shots.get(source, 0) + 1
        apart_ns = 0 if self._shut_ns is None else edge.due_ns - self._shut_ns
        dose = self._open[source] = _Dose(
            source, edge.id, edge.index, self.conditions(source), bool(edge.word & self.stop_mask), shot,
            apart_ns if apart_ns < BEFORE_S * 1e9 else 0, edge.due_ns, at_s,
        )  # fmt: skip
        if not edge.confirmed_ns:
            dose.spoilt = "the module never confirmed that it opened"
        if len(self._open) > 1:
            for each in self._open.values():
                each.spoilt = "another source was open at the same time"

    def _closed(self, source: str, edge: Edge, at_s: float) -> None:
        self._shut_ns = edge.due_ns
        dose = self._open.pop(source, None)
        if dose is None:
            return
        dose.closed_s, dose.width_ns = at_s, edge.due_ns - dose.due_ns
        dose.until_s = at_s + window_s(dose.width_ns / 1e9)
        if not edge.confirmed_ns or dose.opened_s > edge.sent_ns / 1e9:
            dose.spoilt = dose.spoilt or "the module never confirmed for how long it was open"
        if dose.spoilt:
            self._finish(dose, dose.spoilt)
        elif dose.shut != bool(edge.word & self.stop_mask):  # one edge shut the source and moved the stop valve
            self._conclude(dose, at_s)
        else:
            self._after = dose

    def _stop_moved(self, at_s: float) -> None:
        if self._after is not None:
            self._conclude(self._after, at_s)
        for source, dose in self._open.items():
            if self._word & self.masks[source] == self.masks[source]:
                dose.spoilt = dose.spoilt or "the stop valve moved while it was open"

    # --- what the gauge says ---------------------------------------------------------------------------------------

    def pressure(self, reading: Sample) -> None:
        """Take one reading in Pa; they come in the order of their times."""
        self._readings.append(reading)
        looked_at = [*self._open.values(), *([self._after] if self._after else [])]
        oldest_s = min((dose.opened_s for dose in looked_at), default=reading.at_s) - 2 * BEFORE_S
        while self._readings[0].at_s < oldest_s:
            self._readings.popleft()
        dose = self._after
        if dose is not None and reading.at_s >= dose.until_s:
            self._conclude(dose, dose.until_s)
        elif dose is not None:
            self._tell_at_once(dose, reading.at_s)

    def look(self, now_s: float) -> None:
        """Let time pass: a pulse whose last readings do not come ends without them."""
        if self._after is not None and now_s >= self._after.until_s + LATE_S:
            self._conclude(self._after, self._after.until_s)

    def _tell_at_once(self, dose: _Dose, now_s: float) -> None:
        """A source that has risen to more than twice the usual does not wait for the end of its window."""
        usual = self.usual(dose.source, dose.likeness)
        if usual is None:
            return
        try:
            found = self._figure(dose, now_s, usual)
        except NoFigure:
            return
        if (usual.ratio(found) or 0.0) > TWICE:
            self._finish(dose, "", found)

    def _conclude(self, dose: _Dose, until_s: float) -> None:
        usual = self.usual(dose.source, dose.likeness)
        try:
            found = self._figure(dose, min(until_s, dose.until_s), usual)
        except NoFigure as error:
            self._finish(dose, str(error))
        else:
            self._finish(dose, "", found)

    def _figure(self, dose: _Dose, until_s: float, usual: Usual | None) -> Figure:
        return figure(self._readings, Span(dose.opened_s, dose.closed_s, until_s, dose.shut), usual, self.decay_s)

    def _finish(self, dose: _Dose, why: str, found: Figure | None = None) -> None:
        if dose is self._after:
            self._after = None
        self._done.append(dose.pulse(found, why))
