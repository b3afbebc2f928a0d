"""Which simulated inputs trip a level: found by trying them on the rules alone, before the tool is tried. Pure.

A drive puts samples of quality TEST in place of some signals - constant, rising, or no longer read - and may pretend
facts (a run, an open gate) that a level is bound to. Where one input does it, its value lies just beyond the limit, so
that another limit in the live table is noticed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass, replace
from itertools import combinations, islice, permutations, product
from math import inf, isfinite, nan
from typing import Any

from ald_controller.interlocks import Check, Facts, Input, Level, Quality, RuleSet, Sample, Samples, State, boot, step

LONGEST_S = 130.0  # a level that persists for longer is not driven by simulated inputs
WINDOWS_S = 70.0  # beyond its persistence: what measures look back
BEFORE = 5  # healthy readings, a second apart, on which measures settle
FINE_S, COARSE_S = 0.1, 1.0
BEYOND = 0.001  # beyond the limit, of the way from a healthy value to the first one that trips
MANY = 700  # drives that are tried for one level
DRIVEN = 4  # signals of one measure that are tried


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

    def run(self, checks: tuple[Check, ...], drive: Drive, until_s: float, step_s: float) -> Iterator[State]:
        """These checks alone under a drive, after some healthy seconds; nothing when one of them stands before it."""
        signals = {source.signal for check in checks for source in inputs_of(check.measure)}
        healthy = {signal: sample for signal, sample in self.samples.items() if signal in signals}
        facts = drive.pretend(self.facts)
        for counting in (False, True):  # a heartbeat is healthy while it changes
            state = boot(RuleSet(checks, {}), self.now_s - BEFORE - 1)
            for n in range(-BEFORE, 0):
                state = step(state, _fresh(healthy, self.now_s + n, n if counting else 0), facts, self.now_s + n)
            if not any(watch.standing for watch in state.watches):
                break
        else:
            return
        for n in range(round(until_s / step_s) + 1):
            now_s = self.now_s + n * step_s
            state = step(state, drive.over(_fresh(healthy, now_s, 0), self.now_s, now_s), facts, now_s)
            yield state

    def value(self, signal: str) -> float:
        sample = self.samples.get(signal)
        return sample.value if sample is not None and isfinite(sample.value) else 0.0


_TOLD = frozenset({"valves", "asked", "register", "machine", "link", "pulse"})  # what no instrument measures


def _fresh(samples: Mapping[str, Sample], now_s: float, more: float) -> dict[str, Sample]:
    """Read again: counts go on by `more`, and what is measured is never the same to the last digit."""
    noise = 1e-4 if round(now_s / FINE_S) % 2 else 0.0
    return {
        signal: Sample(
            s.value + (more if signal.partition(".")[0] in _TOLD else 0 if _whole(s) else noise), now_s, s.quality
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


# --- one level -------------------------------------------------------------------------------------------------------


def search(check: Check, bit: int, scene: Scene, hint: int = 0) -> Iterator[tuple[int, Drive | None]]:
    """Tries one drive after another for one level: (number, None) for one that fails, then the one that does it.

    Each try costs some milliseconds at most, so that whoever asks can do other work in between. `hint` is the number
    of a drive to be tried first: checks of one kind are tripped alike.
    """
    level = check.levels[bit]
    pretended = next(_pretences(level, scene.facts), None)
    if pretended is None or level.persist_s > LONGEST_S:
        return
    trial = _Trial(check, bit, scene, pretended)
    if hint:
        for shapes in islice(trial.candidates(), hint, hint + 1):
            if (drive := trial.tried(shapes)) is not None:
                yield hint, drive
                return
    for number, shapes in enumerate(islice(trial.candidates(), MANY)):
        drive = trial.tried(shapes)
        yield number, drive
        if drive is not None:
            return


_PRETEND: dict[str, tuple[Any, ...]] = {
    "lithium": (True, False),
    "process": ("EXECUTING", "PAUSED", "MAINTENANCE"),
    "step": ("segment", "flow", "pump", "wait", "heat"),
    "part": ("deposit", "prepare", "finish"),
    "gate_proven_shut": (False, True),
    "chamber": ("VACUUM", "PUMPING_DOWN", "AT_BOX", "VENTING", "AT_AIR", "UNKNOWN"),
    "pyrophoric": (True, False),
    "regenerating": (True, False),
    "gate_released": (True, False),
}


def _pretences(level: Level, facts: Facts) -> Iterator[Pretended]:
    """The fewest facts to be pretended for this level to apply, first."""
    other = {name: [v for v in values if v != getattr(facts, name)] for name, values in _PRETEND.items()}
    for many in range(5):
        for names in combinations(other, many):
            for values in product(*(other[name] for name in names)):
                pretended = tuple(zip(names, values, strict=True))
                if level.when(replace(facts, **dict(pretended))):
                    yield pretended


_RATES = (0.04, 0.2, 0.5, 1.05, 2.0, 4.0, -0.2)
_TYPICAL = (0.0, 1.0, 100.0, 150.0, -273.15)


@dataclass(frozen=True, slots=True)
class _Trial:
    """One level of one check on the healthy tool of this moment."""

    check: Check
    bit: int
    scene: Scene
    facts: Pretended

    @property
    def level(self) -> Level:
        return self.check.levels[self.bit]

    @property
    def sources(self) -> list[Input]:
        return inputs_of(self.check.measure)[:DRIVEN]

    def tried(self, shapes: Shapes) -> Drive | None:
        """The drive with its time when it makes this level stand, and none that asks for more."""
        drive, until_s = Drive(shapes, self.facts), self.level.persist_s + WINDOWS_S
        after = next((n for n, s in enumerate(self._run(drive, until_s, COARSE_S)) if self.stands(s)), None)
        if after is None:
            return None
        until_s = after * COARSE_S
        fine = next((n for n, s in enumerate(self._run(drive, until_s, FINE_S)) if self.stands(s)), None)
        return None if fine is None else replace(drive, should_s=round(fine * FINE_S, 3))

    def _run(self, drive: Drive, until_s: float, step_s: float) -> Iterator[State]:
        return self.scene.run((self.check,), drive, until_s, step_s)

    def stands(self, state: State) -> bool:
        standing = state.watches[0].standing
        level = self.level
        graver = [n for n, o in enumerate(self.check.levels) if o.reaction > level.reaction and o.limit > level.limit]
        worse = any(standing >> n & 1 for n in graver)
        return bool(standing >> self.bit & 1) and not worse

    # --- what is tried ---

    def candidates(self) -> Iterator[Shapes]:
        """One input just beyond the limit, what cannot be believed, what takes time, two inputs and rising ones."""
        sources = self.sources
        for source in sources:
            yield from (((source.signal, Shape(value)),) for value in self._beyond(source))
        yield from self._unbelievable(sources)
        for source in sources:
            yield from (((source.signal, Shape(value)),) for value in self._values(source))
        yield from (((s.signal, Shape(self.scene.value(s.signal), rate)),) for s in sources for rate in _RATES)
        for one, other in permutations(sources, 2):
            for value, rate in product(self._values(one), (0.0, *_RATES)):
                yield (one.signal, Shape(value)), (other.signal, Shape(self.scene.value(other.signal), rate))
        for one, other in combinations(sources, 2):
            for value, second in product(self._values(one), self._values(other)):
                yield (one.signal, Shape(value)), (other.signal, Shape(second))

    def _unbelievable(self, sources: list[Input]) -> Iterator[Shapes]:
        if self.check.bad_as is None:  # else every level would stand by it, whatever its limit
            for many in range(1, len(sources) + 1):
                for some in combinations(sources, many):
                    yield tuple((source.signal, Shape(_outside(source))) for source in some)
            every = self.check.measure.inputs
            yield tuple((s.signal, Shape(self.scene.value(s.signal), old=True)) for s in every)

    def _values(self, source: Input) -> list[float]:
        now, by = self.scene.value(source.signal), 1.2 * self.level.limit
        return [v for v in dict.fromkeys((now, now - by, now + by, *_TYPICAL)) if _believable(source, v)]

    def _beyond(self, source: Input) -> Iterator[float]:
        """The value of one input, nearest to the healthy one, at which the number has just passed the limit."""
        number, now, limit = _Number(self.check, source, self.scene), self.scene.value(source.signal), self.level.limit
        grid = {v for v in (*_grid(source), now + limit, now - limit) if _believable(source, v)}
        for value in sorted(grid, key=lambda v: abs(v - now)):
            if limit <= number.at(value):
                value = self._nearest(number, now, value, source)
                if limit <= number.at(value) < self._most:
                    yield value
                    return

    @property
    def _most(self) -> float:
        """The next limit of this check that asks for more: the number stays below it."""
        facts = replace(self.scene.facts, **dict(self.facts))
        worse = [o.limit for o in self.check.levels if o.reaction > self.level.reaction and o.when(facts)]
        return min((limit for limit in worse if limit > self.level.limit), default=inf)

    def _nearest(self, number: _Number, healthy: float, tripped: float, source: Input) -> float:
        if source.high == 1:
            return tripped
        if _believable(source, healthy + 1) and self.level.limit <= number.at(healthy + 1) < self._most:
            if float(healthy).is_integer():
                return healthy + 1  # counts go up by whole numbers
        near, far = healthy, tripped
        for _ in range(30):
            middle = (near + far) / 2
            near, far = (near, middle) if number.at(middle) >= self.level.limit else (middle, far)
        if abs(far - round(far)) < 1e-4 and number.at(round(far)) >= self.level.limit:
            far = float(round(far))
        beyond = far + BEYOND * (far - healthy)
        return far if float(far).is_integer() or not _believable(source, beyond) else beyond


class _Number:
    """What a measure makes of one input, all else healthy; nan where it believes nothing."""

    def __init__(self, check: Check, source: Input, scene: Scene) -> None:
        self._measure, self._signal, self._now_s = check.measure, source.signal, scene.now_s
        signals = {each.signal for each in inputs_of(check.measure)}
        healthy = {signal: sample for signal, sample in scene.samples.items() if signal in signals}
        memory = None
        for n in range(-BEFORE, 0):
            memory = check.measure.take(memory, _fresh(healthy, self._now_s + n, 0), self._now_s + n).memory
        self._memory, self._samples = memory, _fresh(healthy, self._now_s, 0)

    def at(self, value: float) -> float:
        samples = {**self._samples, self._signal: Sample(value, self._now_s)}
        taken = self._measure.take(self._memory, samples, self._now_s)
        return nan if taken.fault else taken.number


def _grid(source: Input) -> list[float]:
    """Believable values of a signal: small whole numbers for counts, contacts and words, and its range."""
    if source.high == 1 and source.low == 0:
        return [0.0, 1.0]
    low, high = max(source.low, -1e5), min(source.high, 1e5)
    span = [low + (high - low) * n / 32 for n in range(33)]
    return [0.0, 1.0, 2.0, 3.0, 5.0, 10.0, *span, *(10.0**n for n in range(-3, 6))]


def _believable(source: Input, value: float) -> bool:
    return source.low <= value <= source.high and isfinite(value)


def _outside(source: Input) -> float:
    return source.high * 2 + 1 if isfinite(source.high) else nan


# --- several levels at once ------------------------------------------------------------------------------------------


def together(drives: Iterable[tuple[Check, int, Drive]], scene: Scene) -> list[tuple[Check, int, Drive]]:
    """Those that trip at their own times also when all are driven at once; the others have to be driven alone."""
    some = list(drives)
    taken: set[str] = set()
    disjoint = []
    for check, bit, drive in some:
        signals = {signal for signal, _ in drive.shapes}
        if not signals & taken and drive.facts == some[0][2].facts:
            taken |= signals
            disjoint.append((check, bit, drive))
    return (_standing(disjoint, scene) if len(disjoint) > 1 else disjoint) or disjoint[:1]


def _standing(some: list[tuple[Check, int, Drive]], scene: Scene) -> list[tuple[Check, int, Drive]]:
    every = Drive(tuple(shape for *_, drive in some for shape in drive.shapes), some[0][2].facts)
    longest_s = max(drive.should_s for *_, drive in some)
    at: dict[int, float] = {}
    for n, state in enumerate(scene.run(tuple(check for check, *_ in some), every, longest_s + 1, FINE_S)):
        for k, (_, bit, _) in enumerate(some):
            if state.watches[k].standing >> bit & 1:
                at.setdefault(k, n * FINE_S)
    return [one for k, one in enumerate(some) if k in at and abs(at[k] - one[2].should_s) <= FINE_S]


def silence(checks: Iterable[Check], device: str, scene: Scene) -> Drive | None:
    """The drive in which nothing of a device is read any more; None when no check reads it."""
    signals = {s.signal for check in checks for s in check.measure.inputs if s.signal.partition(".")[0] == device}
    here = sorted(signal for signal in signals if signal in scene.samples)
    return Drive(tuple((s, Shape(scene.value(s), old=True)) for s in here)) if here else None
