"""Which checks a scan has to look at: a calm one is left alone until an input moves or grows too old. Pure.

Looking at every check would find the same. A measure says what it moves with: with `values` it is looked at again when
one of them is another one, with `samples` when a new one has come, with `time` at every scan.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import compress
from math import inf
from operator import is_, is_not
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
    return found


def woken(wakes: Wakes, before: Samples, samples: Samples, now_s: float) -> set[int]:
    """Whom the samples of this scan wake, after those of the scan before."""
    out: set[int] = set()
    for signal in _others(before, samples):
        readers = wakes.get(signal)
        if readers is not None:
            alike = _alike(before.get(signal), samples.get(signal), now_s)
            out.update(readers.renewed if alike else readers.moved)
    return out


def _others(before: Samples, samples: Samples) -> Iterable[str]:
    """The signals whose sample is another one, or has come or gone."""
    if len(before) == len(samples) and all(map(is_, before, samples)):  # the same ones in the same order, as ever
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
    if not inputs:
        return -inf
    until_s = inf
    for source in inputs:
        sample = samples.get(source.signal)
        if sample is not None:  # one that comes wakes it
            old_s = sample.at_s + source.max_age_s
            if old_s < until_s:  # min() would cost three times as much, four hundred times a second
                until_s = old_s
    return until_s - EARLY_S
