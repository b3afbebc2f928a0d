"""What the pulses of each source usually are: medians per likeness, counts per bottle, and which pulses are judged.

A pulse is compared with the median of the newest ones of its likeness. The first pulses of a bottle, and those after a
long rest, are recorded only (rows C3, C6): headspaces and lines settle first. A judged pulse far from the median does
not enter it, so that a fault never becomes the usual thing by itself; an owner who knows better lets the source learn
anew (`forget`).
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from statistics import median
from typing import Any

from ald_controller.pulses.figure import Conditions, Figure, Likeness, Pulse, Usual, least_pa


@dataclass(frozen=True, slots=True)
class Judging:
    """The owner's figures: how many pulses make a median at most, how many are recorded only, after which rest."""

    keep: int = 20
    first: int = 5  # also the fewest that make a median
    idle_s: float = 8 * 3600.0
    low: float = 0.5  # a judged pulse outside of low … high does not enter the median
    high: float = 2.0
    likenesses: int = 50  # per source; the ones not used for longest are forgotten


@dataclass(frozen=True, slots=True)
class Counts:
    """Openings of one source; `bottle` is the signed card that hung there, `at` unix seconds of the newest."""

    bottle: str
    number: int  # ever
    since_install: int
    since_idle: int
    at: float


@dataclass(frozen=True, slots=True)
class Verdict:
    """A pulse with its place in its source's history; `ratio` is None without a figure or a median.

    `why` says why it is not judged, "" for a pulse that is.
    """

    pulse: Pulse
    counts: Counts
    ratio: float | None
    why: str

    @property
    def judged(self) -> bool:
        return not self.why


Key = tuple[str, Likeness]


@dataclass(slots=True)
class History:
    """The pulses of every source until now. `add` says of each new one what it is worth."""

    judging: Judging = field(default_factory=Judging)
    counts: dict[str, Counts] = field(default_factory=dict)
    figures: dict[Key, tuple[Figure, ...]] = field(default_factory=dict)  # the key used last comes last

    def usual(self, source: str, likeness: Likeness) -> Usual | None:
        """The medians for this likeness; None while there are too few pulses for one."""
        figures = self.figures.get((source, likeness), ())
        if len(figures) < self.judging.first:
            return None
        return Usual(
            median(f.delta_p_pa for f in figures),
            median(f.base_pa for f in figures),
            median(f.slope_pa_s for f in figures),
            least_pa(likeness),
        )

    def add(self, pulse: Pulse, bottle: str, at: float) -> Verdict:
        """Take the newest pulse: `bottle` is the card that hangs there now, `at` its unix seconds."""
        counts = self.counts[pulse.source] = self._counted(pulse.source, bottle, at)
        usual = self.usual(pulse.source, pulse.likeness)
        ratio = usual.ratio(pulse.figure) if usual and pulse.figure else None
        why = pulse.why or self._not_judged(counts, usual, ratio)
        if pulse.figure is not None and (ratio is None or self.judging.low <= ratio <= self.judging.high):
            self._learn((pulse.source, pulse.likeness), pulse.figure)
        return Verdict(pulse, counts, ratio, why)

    def forget(self, source: str) -> None:
        """Let a source learn anew what its pulses usually are."""
        self.figures = {key: figures for key, figures in self.figures.items() if key[0] != source}

    def _counted(self, source: str, bottle: str, at: float) -> Counts:
        old = self.counts.get(source)
        if old is None:
            return Counts(bottle, 1, 1, 1, at)
        rested = not 0.0 <= at - old.at < self.judging.idle_s  # a clock that was set back has hidden how long it was
        return Counts(
            bottle, old.number + 1, 1 if bottle != old.bottle else old.since_install + 1,
            1 if rested else old.since_idle + 1, at,
        )  # fmt: skip

    def _not_judged(self, counts: Counts, usual: Usual | None, ratio: float | None) -> str:
        first = self.judging.first
        if counts.since_install <= first:
            return f"recorded only: it is number {counts.since_install} of the first {first} from this bottle"
        if counts.since_idle <= first:
            return f"recorded only: it is number {counts.since_idle} of the first {first} after a long rest"
        if usual is None:
            return f"recorded only: fewer than {first} pulses like it are known"
        if ratio is None:
            return "recorded only: pulses like it are too small to be told from the gauge's noise"
        return ""

    def _learn(self, key: Key, figure: Figure) -> None:
        known = self.figures.pop(key, ())
        self.figures[key] = (*known, figure)[-self.judging.keep :]
        own = [each for each in self.figures if each[0] == key[0]]
        for oldest in own[: -self.judging.likenesses]:
            del self.figures[oldest]


# --- as text, for the file ---------------------------------------------------------------------------------------


def likeness_text(likeness: Likeness) -> str:
    """One likeness as JSON."""
    return json.dumps(asdict(likeness), ensure_ascii=False, separators=(",", ":"))


def likeness_of(text: str) -> Likeness:
    """The likeness in a text of `likeness_text`; raises ValueError, TypeError, KeyError for any other."""
    raw: dict[str, Any] = json.loads(text)
    return Likeness(**raw | {"conditions": Conditions(**raw["conditions"])})


def figures_text(figures: Iterable[Figure]) -> str:
    """Figures as JSON, to a mPa."""
    return json.dumps([[round(v, 3) for v in asdict(f).values()] for f in figures], separators=(",", ":"))


def figures_of(text: str) -> tuple[Figure, ...]:
    """The figures in a text of `figures_text`; raises ValueError, TypeError for any other."""
    return tuple(Figure(*map(float, row)) for row in json.loads(text))
