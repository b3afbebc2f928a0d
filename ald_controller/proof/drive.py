"""Which simulated inputs trip a level: found by trying them on the rules alone, before the tool is tried. Pure.

A drive puts samples of quality TEST in place of some signals - constant, rising, or no longer read - and may pretend
facts (a run, an open gate) that a level is bound to. Where one input does it, its value lies just beyond the limit, so
that another limit in the live table is noticed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass, replace
from math import inf, isfinite
from typing import Any

from ald_controller.interlocks import Check, Facts, Input, Quality, RuleSet, Sample, Samples, State, boot, step

BEFORE = 3  # healthy readings before a drive: a check that has just begun anew has seen no more
FINE_S, COARSE_S = 0.1, 1.0


@dataclass(frozen=True, slots=True)
class Shape:
    """How one signal is simulated from the beginning of a drive: constant, rising by `rate` a second, or not read."""

    value: float
    rate: float = 0.0
    old: bool = False

    def at(self, began_s: float, now_s: float) -> Sample:
        if self.old:
            return Sample(self.value, began_s, Quality.TEST)
        return Sample(self.value + self.rate * (now_s - began_s), now_s, Quality.TEST)

    def __str__(self) -> str:
        if self.old:
            return "is no longer read"
        return f"= {self.value:.6g}" + (f" {self.rate:+.3g}/s" if self.rate else "")


Shapes = tuple[tuple[str, Shape], ...]
Pretended = tuple[tuple[str, Any], ...]


@dataclass(frozen=True, slots=True)
class Drive:
    """Simulated signals, pretended facts, and after how many seconds the rule alone says it."""

    shapes: Shapes
    facts: Pretended = ()
    should_s: float = 0.0

    def over(self, samples: Samples, began_s: float, now_s: float) -> dict[str, Sample]:
        """The samples with the simulated ones in their place."""
        return {**samples, **{signal: shape.at(began_s, now_s) for signal, shape in self.shapes}}

    def pretend(self, facts: Facts) -> Facts:
        return replace(facts, **dict(self.facts))

    def __str__(self) -> str:
        pretended = [f"{name} {value}" for name, value in self.facts]
        return "; ".join([*(f"{signal} {shape}" for signal, shape in self.shapes), *pretended])


@dataclass(frozen=True, slots=True)
class Scene:
    """The tool at this moment, healthy: where drives begin."""

    samples: Samples
    facts: Facts
    now_s: float

    def run(
        self, checks: tuple[Check, ...], drive: Drive, until_s: float, fine_s: float = inf
    ) -> Iterator[tuple[float, State]]:
        """(s since its beginning, state) of these checks alone under a drive; nothing where one stands before it.

        After `fine_s` seconds the steps are coarse.
        """
        signals = {source.signal for check in checks for source in inputs_of(check.measure)}
        healthy = {signal: sample for signal, sample in self.samples.items() if signal in signals}
        facts = drive.pretend(self.facts)
        for counting in (False, True):  # a heartbeat is healthy while it changes
            state = boot(RuleSet(checks, {}), self.now_s - 1)
            for n in range(-BEFORE, 0):
                at_s = self.now_s + n * FINE_S
                state = step(state, fresh(healthy, at_s, n if counting else 0), facts, at_s)
            if not any(watch.standing for watch in state.watches):
                break
        else:
            return
        for after_s in _times(until_s, fine_s):
            now_s = self.now_s + after_s
            state = step(state, drive.over(fresh(healthy, now_s, 0), self.now_s, now_s), facts, now_s)
            yield after_s, state

    def value(self, signal: str) -> float:
        sample = self.samples.get(signal)
        return sample.value if sample is not None and isfinite(sample.value) else 0.0


def _times(until_s: float, fine_s: float) -> Iterator[float]:
    after_s = 0.0
    while after_s <= until_s + 1e-6:
        yield round(after_s, 3)
        after_s += FINE_S if after_s < fine_s - 1e-6 else COARSE_S


TOLD = frozenset({"valves", "asked", "register", "machine", "link", "pulse"})  # what no instrument measures


def fresh(samples: Mapping[str, Sample], now_s: float, more: float) -> dict[str, Sample]:
    """Read again: counts go on by `more`, and what is measured is never the same to the last digit."""
    noise = 1e-4 if round(now_s / FINE_S) % 2 else 0.0
    return {
        signal: Sample(
            s.value + (more if signal.partition(".")[0] in TOLD else 0 if _whole(s) else noise), now_s, s.quality
        )
        for signal, s in samples.items()
    }


def _whole(sample: Sample) -> bool:
    """Contacts and counts of devices; a measured value that happens to be whole counts as one."""
    return sample.value in (0, 1)


def inputs_of(value: object) -> list[Input]:
    """Every signal that a measure reads, its own inputs first, then those that it names beside them."""
    return list(dict.fromkeys(_inputs(value)))


def _inputs(value: object) -> Iterator[Input]:
    if isinstance(value, Input):
        yield value
    elif isinstance(value, tuple):
        for one in value:
            yield from _inputs(one)
    elif is_dataclass(value):
        yield from getattr(value, "inputs", ())
        for field in fields(value):
            yield from _inputs(getattr(value, field.name))


# --- several levels at once ------------------------------------------------------------------------------------------


def together(drives: Iterable[tuple[Check, int, Drive]], scene: Scene) -> list[tuple[Check, int, Drive]]:
    """Those that trip at their own times also when all are driven at once; the others have to be driven alone."""
    some = list(drives)
    taken: dict[str, Shape] = {}
    disjoint = []
    for check, bit, drive in some:
        alone = any(taken.get(signal, shape) != shape for signal, shape in drive.shapes)
        if not alone and (check, bit, drive) not in disjoint and drive.facts == some[0][2].facts:
            taken |= dict(drive.shapes)
            disjoint.append((check, bit, drive))
    return (_standing(disjoint, scene) if len(disjoint) > 1 else disjoint) or disjoint[:1]


def _standing(some: list[tuple[Check, int, Drive]], scene: Scene) -> list[tuple[Check, int, Drive]]:
    every = Drive(tuple(shape for *_, drive in some for shape in drive.shapes), some[0][2].facts)
    longest_s = max(drive.should_s for *_, drive in some)
    at: dict[int, float] = {}
    for after_s, state in scene.run(tuple(check for check, *_ in some), every, longest_s + 1):
        for k, (_, bit, _) in enumerate(some):
            if state.watches[k].standing >> bit & 1:
                at.setdefault(k, after_s)
    return [one for k, one in enumerate(some) if k in at and abs(at[k] - one[2].should_s) <= FINE_S]


def silence(checks: Iterable[Check], device: str, scene: Scene) -> Drive | None:
    """The drive in which nothing of a device is read any more while gas is asked of it; None: no check reads it."""
    signals = {s.signal for check in checks for s in check.measure.inputs if s.signal.partition(".")[0] == device}
    here = sorted(signal for signal in signals if signal in scene.samples)
    asked = tuple((f"asked.{device}_sccm", Shape(20.0)) for signal in here if signal == f"{device}.flow_sccm")
    return Drive((*((s, Shape(scene.value(s), old=True)) for s in here), *asked)) if here else None
