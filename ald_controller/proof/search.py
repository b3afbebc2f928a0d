"""Which drive trips one level of one check: tried one after another on that check alone. Pure.

Where one input does it, its value lies just beyond the limit, so that another limit in the live table is noticed.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import combinations, islice, permutations, product
from math import ceil, floor, inf, isfinite, nan
from typing import Any, TypeVar

from ald_controller.interlocks import Check, Facts, Input, Level, Sample, State
from ald_controller.interlocks.chemistry_gauge import Readable
from ald_controller.proof.drive import COARSE_S, TOLD, Drive, Pretended, Scene, Shape, Shapes, fresh, inputs_of
from ald_controller.proof.lines import LONGEST_S

WINDOWS_S = 70.0  # beyond its persistence: what measures look back
SETTLING = 8  # readings, a second apart, on which a measure settles
FINE_FOR_S = 3.0  # measures with short windows have said what they say by then
# how far beyond the limit, by the unit of the number, in K or as a share of it: readings drift and have noise
BEYOND_K, BEYOND, BEYOND_OF_RATIO = 0.5, 0.005, 0.03
DRIFTED = 0.2  # beyond a limit that is relative to the reading itself, as a share of it
PIECE = 40  # scans of one check at a time
MANY = 700  # drives that are tried for one level
DRIVEN = 4  # signals of one measure that are tried by themselves


def search(check: Check, bit: int, scene: Scene, hint: int = 0) -> Iterator[tuple[int, Drive | None]]:
    """Tries one drive after another for one level: (number, None) for one that fails, then the one that does it.

    It goes on in pieces of some milliseconds, so that whoever asks can do other work in between: (number, None) also
    comes within a try. `hint` is the number of a drive to be tried first: checks of one kind are tripped alike.
    """
    level = check.levels[bit]
    pretended = next(_pretences(level, scene.facts), None)
    if pretended is None or level.persist_s > LONGEST_S:
        return
    trial = _Trial(check, bit, scene, pretended)
    if hint:
        for shapes in islice(trial.candidates(), hint, hint + 1):
            if (drive := (yield from _told(hint, trial.tried(shapes)))) is not None:
                yield hint, drive
                return
    for number, shapes in enumerate(islice(trial.candidates(), MANY)):
        drive = yield from _told(number, trial.tried(shapes))
        yield number, drive
        if drive is not None:
            return


Made = TypeVar("Made")
Work = Generator[None, None, Made]  # in pieces, and what comes of it


def _told(number: int, work: Work[Drive | None]) -> Generator[tuple[int, Drive | None], None, Drive | None]:
    """The same work, with the number of its drive told after each piece."""
    while True:
        try:
            next(work)
        except StopIteration as done:
            made: Drive | None = done.value
            return made
        yield number, None


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


_RATES = (0.06, 0.2, 0.5, 1.05, 2.0, 4.0, -0.2)
_TYPICAL = (0.0, 1.0, 100.0, 150.0, -273.15)

# What else has to be so for a measure to look at all: by the end of a signal's name. Nothing was open or moved for a
# while and argon flows; doses come, a new one every second; and the same behind the shut stop valve.
_SETTLED = (
    ("valves.shut_s", Shape(100.0)),
    ("asked.quiet_s", Shape(100.0)),
    ("_sccm", Shape(20.0)),
    (".judged", Shape(1.0)),
    (".number", Shape(1.0, rate=1.0)),
)
_PUMPED = (*_SETTLED, ("asked.stop_shut", Shape(0.0)))
# one source after another opens: since the last one it was ever shorter
_DOSING = (("valves.shut_s", Shape(100.0, rate=-0.2)),)
_EXPOSED = (*_SETTLED[:2], ("_sccm", Shape(0.0)), ("asked.stop_shut", Shape(1.0)))


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
        return inputs_of(self.check.measure)

    def tried(self, shapes: Shapes) -> Work[Drive | None]:
        """The drive with its time when it makes this level stand, and none that asks for more."""
        bare = yield from self._timed(Drive(shapes, self.facts))
        pins = self._pins(shapes)
        if bare is None or not pins:
            return bare
        return (yield from self._timed(Drive((*shapes, *pins), self.facts))) or bare

    def _pins(self, shapes: Shapes) -> Shapes:
        """What was asked of the tool, as it is now: it may move between this look and the drive."""
        driven = dict(shapes)
        told = [s.signal for s in self.sources if s.signal.partition(".")[0] in TOLD and s.signal not in driven]
        return tuple((name, Shape(self.scene.samples[name].value)) for name in told if name in self.scene.samples)

    def _timed(self, drive: Drive) -> Work[Drive | None]:
        after_s = yield from self._after(drive, self.level.persist_s + WINDOWS_S, FINE_FOR_S)
        if after_s is not None and after_s > FINE_FOR_S:
            after_s = yield from self._after(drive, after_s + COARSE_S, inf)
        if after_s is None or not self._believed(drive, after_s):
            return None
        return replace(drive, should_s=after_s)

    def _after(self, drive: Drive, until_s: float, fine_s: float) -> Work[float | None]:
        for n, (after_s, state) in enumerate(self.scene.run((self.check,), drive, until_s, fine_s), 1):
            if self.stands(state):
                return after_s
            if n % PIECE == 0:
                yield
        return None

    def _believed(self, drive: Drive, after_s: float) -> bool:
        """Not by the way: where a value that cannot be believed counts as one beyond the limit, nothing else may."""
        shapes = dict(drive.shapes)
        driven = [(s, shapes[s.signal]) for s in self.check.measure.inputs if s.signal in shapes]
        believed = all(_believable(s, x.value + x.rate * after_s) for s, x in driven)
        return believed or self.check.bad_as is None or self._only_read

    def stands(self, state: State) -> bool:
        standing, level = state.watches[0].standing, self.level
        graver = [n for n, o in enumerate(self.check.levels) if o.reaction > level.reaction and o.limit > level.limit]
        return bool(standing >> self.bit & 1) and not any(standing >> n & 1 for n in graver)

    @property
    def _only_read(self) -> bool:
        """Whether nothing but a value that cannot be believed trips it."""
        return isinstance(self.check.measure, Readable)

    # --- what is tried ---

    def candidates(self) -> Iterator[Shapes]:
        """One input just beyond the limit, what cannot be believed, what takes time, two inputs and rising ones."""
        contexts = list(dict.fromkeys(self._context(wanted) for wanted in ((), _SETTLED, _EXPOSED, _PUMPED, _DOSING)))
        for context in contexts:
            yield from self._just_beyond(context)
        yield from self._unbelievable(self.sources[:DRIVEN])
        for context in contexts:
            yield from self._single(context)
        yield from self._double(self.sources[:DRIVEN])

    def _context(self, wanted: Iterable[tuple[str, Shape]]) -> Shapes:
        names = [source.signal for source in self.sources]
        return tuple((name, shape) for end, shape in wanted for name in names if name.endswith(end))

    def _just_beyond(self, context: Shapes) -> Iterator[Shapes]:
        for source in self.sources:
            rest = tuple(one for one in context if one[0] != source.signal)
            yield from (((source.signal, Shape(value)), *rest) for value in self._beyond(source, rest))

    def _unbelievable(self, sources: list[Input]) -> Iterator[Shapes]:
        if self.check.bad_as is None or self._only_read:  # else every level would stand by it, whatever its limit
            for many in range(1, len(sources) + 1):
                for some in combinations(sources, many):
                    yield tuple((source.signal, Shape(_outside(source))) for source in some)
            every = self.check.measure.inputs
            yield tuple((s.signal, Shape(self.scene.value(s.signal), old=True)) for s in every)

    def _single(self, context: Shapes) -> Iterator[Shapes]:
        for source in self.sources[:DRIVEN]:
            name, rest = source.signal, tuple(one for one in context if one[0] != source.signal)
            yield from (((name, Shape(value)), *rest) for value in self._values(source))
            yield from (((name, Shape(self.scene.value(name), rate)), *rest) for rate in _RATES)

    def _double(self, sources: list[Input]) -> Iterator[Shapes]:
        for one, other in permutations(sources, 2):
            for value, rate in product(self._values(one), (0.0, *_RATES)):
                yield (one.signal, Shape(value)), (other.signal, Shape(self.scene.value(other.signal), rate))
        for one, other in combinations(sources, 2):
            for value, second in product(self._values(one), self._values(other)):
                yield (one.signal, Shape(value)), (other.signal, Shape(second))

    def _values(self, source: Input) -> list[float]:
        now, by = self.scene.value(source.signal), 1.2 * self.level.limit
        return [v for v in dict.fromkeys((now, now - by, now + by, *_TYPICAL)) if _believable(source, v)]

    def _beyond(self, source: Input, context: Shapes) -> Iterator[float]:
        """The value of one input, nearest to the healthy one, at which the number has just passed the limit."""
        number, limit = _Number(self.check, source, self.scene, context), self.level.limit
        now = self.scene.value(source.signal)
        grid = {v for v in (*_grid(source), now + limit, now - limit) if _believable(source, v)}
        nearest = sorted(grid, key=lambda v: abs(v - now))
        wanted = limit + self._margin
        for least in (limit,) if _counts(source, now) else (wanted, limit + DRIFTED * abs(limit), limit):
            tripped = next((v for v in nearest if number.at(v) >= least), None)
            if tripped is not None:
                value = self._nearest(number, now, tripped, source, least)
                if limit <= number.at(value) < self._most and (least != wanted or self._lasts(value, source, context)):
                    yield value
                    return

    def _lasts(self, value: float, source: Input, context: Shapes) -> bool:
        """Whether a value still trips when what it is compared with has drifted a little until it is driven."""
        now = self.scene.value(source.signal)
        for drifted in (0.95 * now, 1.05 * now):
            samples = {**self.scene.samples, source.signal: Sample(drifted, self.scene.now_s)}
            number = _Number(self.check, source, replace(self.scene, samples=samples), context)
            if not number.at(value) >= self.level.limit:
                return False
        return True

    @property
    def _margin(self) -> float:
        unit, size = self.check.unit, abs(self.level.limit)
        return BEYOND_K if unit in ("K", "°C") else size * (BEYOND if unit else BEYOND_OF_RATIO)

    @property
    def _most(self) -> float:
        """The next limit of this check that asks for more: the number stays below it."""
        facts = replace(self.scene.facts, **dict(self.facts))
        worse = [o.limit for o in self.check.levels if o.reaction > self.level.reaction and o.when(facts)]
        return min((limit for limit in worse if limit > self.level.limit), default=inf)

    def _nearest(self, number: _Number, healthy: float, tripped: float, source: Input, least: float) -> float:
        """Between a healthy value and one that trips the first at which the number is `least`; counts stay whole."""
        if source.high == 1:
            return tripped
        counted = _counts(source, healthy)
        if counted and _believable(source, healthy + 1) and self.level.limit <= number.at(healthy + 1) < self._most:
            return healthy + 1
        near, far = healthy, tripped
        for _ in range(30):
            middle = (near + far) / 2
            near, far = (near, middle) if number.at(middle) >= least else (middle, far)
        whole = (float(v) for v in (round(far), floor(far), ceil(far)) if self.level.limit <= number.at(v) < self._most)
        return next(whole, far) if counted else far


class _Number:
    """What a measure makes of one input, all else settled; nan where it believes nothing."""

    def __init__(self, check: Check, source: Input, scene: Scene, context: Shapes) -> None:
        self._measure, self._signal, self._now_s = check.measure, source.signal, scene.now_s
        signals = {each.signal for each in inputs_of(check.measure)}
        healthy = {signal: sample for signal, sample in scene.samples.items() if signal in signals}
        drive, memory = Drive(context), None
        for n in range(-SETTLING, 0):
            at_s = self._now_s + n
            memory = check.measure.take(memory, drive.over(fresh(healthy, at_s, 0), at_s, at_s), at_s).memory
        self._memory, self._samples = memory, drive.over(fresh(healthy, self._now_s, 0), self._now_s - 1, self._now_s)

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


def _counts(source: Input, healthy: float) -> bool:
    """Whether a signal goes by whole numbers: nothing between two of them is ever read."""
    told = source.signal.partition(".")[0] in TOLD
    return float(healthy).is_integer() and (told or not isfinite(source.high))


def _believable(source: Input, value: float) -> bool:
    return source.low <= value <= source.high and isfinite(value)


def _outside(source: Input) -> float:
    return source.high * 2 + 1 if isfinite(source.high) else nan
