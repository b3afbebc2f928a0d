"""Which checks a scan has to look at: a calm one is left alone until an input moves or grows too old. Pure.

Looking at every check would find the same. A measure says what it moves with: with `values` it is looked at again when
one of them is another one, with `samples` when a new one has come, with `time` at every scan.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import compress
from math import inf
from operator import is_not
from typing import NamedTuple

from ald_controller.interlocks.measures import FUTURE_S, Input, Measure, Sample, Samples

EARLY_S = 1e-6  # a look that comes too early finds nothing; sums of seconds are off by less


class Woken(NamedTuple):
    """The checks, by their index, that ask for a look when one signal has moved, and when it was only read again."""

    moved: tuple[int, ...]
    renewed: tuple[int, ...]


Wakes = Mapping[str, Woken]  # by signal


def wakers(measure: Measure) -> tuple[Input, ...]:
    """The inputs that ask for another look; none for what moves with time, and is looked at always."""
    return () if measure.moves_with == "time" else measure.inputs


def wakes_of(measures: Iterable[Measure]) -> Wakes:
    """Who is woken by which signal."""
    found: dict[str, Woken] = {}
    for index, measure in enumerate(measures):
        for source in wakers(measure):
            moved, renewed = found.get(source.signal, Woken((), ()))
            again = (*renewed, index) if measure.moves_with == "samples" else renewed
            found[source.signal] = Woken((*moved, index), again)
    return {signal: Woken(moved, moved if moved == again else again) for signal, (moved, again) in found.items()}


def woken(wakes: Wakes, before: Samples, samples: Samples, now_s: float) -> set[int]:
    """Whom the samples of this scan wake, after those of the scan before."""
    out: set[int] = set()
    for signal in changed(before, samples):
        who = wakes.get(signal)
        if who is None:
            continue
        moved, renewed = who
        if renewed is not moved and _alike(before.get(signal), samples.get(signal), now_s):
            moved = renewed
        if moved:
            out.update(moved)
    return out


def changed(before: Samples, samples: Samples) -> Iterable[str]:
    """The signals that have another sample than before, came or went."""
    if list(before) == list(samples):  # nearly always: the same signals in the same order, compared without a loop
        return compress(samples, map(is_not, before.values(), samples.values()))
    return [signal for signal in {**before, **samples} if before.get(signal) is not samples.get(signal)]


def _alike(old: Sample | None, new: Sample | None, now_s: float) -> bool:
    """The same value, believed as much, and younger; NaN is like nothing."""
    return (
        old is not None and new is not None and new.value == old.value and new.quality is old.quality
        and old.at_s <= new.at_s <= now_s + FUTURE_S
    )  # fmt: skip


def calm_until_s(inputs: tuple[Input, ...], samples: Samples) -> float:
    """When a calm check has to be looked at though nothing wakes it: one of these is too old by then."""
    until_s = inf if inputs else -inf
    for source in inputs:
        sample = samples.get(source.signal)
        if sample is not None and sample.at_s + source.max_age_s < until_s:  # one that comes wakes it
            until_s = sample.at_s + source.max_age_s
    return until_s - EARLY_S
