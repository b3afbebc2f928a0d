"""The shortest doses and purges that keep growth within a tolerance, by the model: advice, never a change by itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from difflib import unified_diff

from ald_controller.check.knobs import Knob, advised, knobs_of, rounded_up, written
from ald_controller.check.outlook import Outlook, Places
from ald_controller.foresight.forecast import HalfForecast
from ald_controller.plan import Plan
from ald_controller.yamlfile import Document, Location, Problem, Problems, parse

ROUNDS = 4  # of smaller budgets, where doses and purges together cost more than either alone
SMALLER, LONGER = 0.7, 1.4
MOST_TIMES = 64.0  # of what is written, that a time may become
SHORTEST_S = 0.01
MOST_KNOBS = 60


@dataclass(frozen=True, slots=True)
class Tried:
    """A text, its plan and what it foresees."""

    document: Document
    plan: Plan
    ahead: Outlook


Try = Callable[[Document], Tried]  # raises Problems


@dataclass(frozen=True, slots=True)
class Advice:
    """The recipe before and after; `cost` is what the tolerance is spent on, as shares of growth."""

    before: Tried
    after: Tried
    text: str
    diff: str

    @property
    def cost(self) -> float:
        return cost(self.after)


def cost(tried: Tried) -> float:
    """What the worst cycle loses to doses that fall short, and grows too much after purges that do."""
    cycles = [cycle for cycle in tried.ahead.forecast.cycles if cycle.cycle.film]
    return max(((1.0 - cycle.saturated) + cycle.excess for cycle in cycles), default=0.0)


def shorten(text: str, name: str, tolerance: float, attempt: Try) -> Advice:
    """The advice for a recipe's text; `attempt` plans and foresees one. Raises Problems for a recipe that has some."""
    before = attempt(parse(text, name))
    search = _Search(text, before, attempt)
    if len(search.knobs) > MOST_KNOBS:
        where = before.document.mark(("deposit",))
        message = (
            f"doses and purges are written in {len(search.knobs)} places, {MOST_KNOBS} at most are weighed: use repeat"
        )
        raise Problems([Problem(where, message)])
    budget = tolerance
    for _ in range(ROUNDS):
        search.within(budget)
        if cost(search.best) <= tolerance:
            break
        budget *= SMALLER
    if cost(search.best) > tolerance:
        search.only_longer()
    final = advised(text, written(text, before.document, search.changed()))
    after = attempt(parse(final, name))
    diff = unified_diff(text.splitlines(keepends=True), final.splitlines(keepends=True), f"a/{name}", f"b/{name}", n=3)
    return Advice(before, after, final, "".join(diff))


class _Search:
    """One time after the other, doses first, each as short as its share of the budget allows."""

    def __init__(self, text: str, before: Tried, attempt: Try) -> None:
        self.text, self.before, self.attempt = text, before, attempt
        self.best = before
        self.knobs = _knobs(before)
        self.times: dict[Location, float] = {at: knob.now_s for at, knob in self.knobs.items()}
        self._known: dict[tuple[tuple[Location, float], ...], Tried | None] = {}

    def changed(self) -> dict[Location, float]:
        return {at: s for at, s in self.times.items() if abs(s - self.knobs[at].now_s) > 1e-9}

    def within(self, budget: float) -> None:
        """Give half of the budget to doses and half to purges, in equal shares."""
        self.times = {at: knob.now_s for at, knob in self.knobs.items()}
        for kind in ("dose", "purge"):
            these = [knob for knob in self.knobs.values() if knob.kind == kind]
            for knob in these:
                self._shorten(knob, budget / 2.0 / len(these))
        self.best = self._with({}) or self.before

    def only_longer(self) -> None:
        """Take back what is shorter: where a cycle cannot be made to grow, nothing tells what it could do without."""
        self.times = {at: max(seconds, self.knobs[at].now_s) for at, seconds in self.times.items()}
        self.best = self._with({}) or self.before

    def _shorten(self, knob: Knob, share: float) -> None:
        good, bad = self._bracket(knob, share)
        while good is not None and rounded_up((good + bad) / 2.0) < good and good - bad > 0.02 * good:
            middle = rounded_up((good + bad) / 2.0)
            good, bad = (middle, bad) if self._fits(knob, middle, share) else (good, middle)
        if good is not None:
            self.times[knob.at] = good

    def _bracket(self, knob: Knob, share: float) -> tuple[float | None, float]:
        """A time that is enough, and one below it that is not, or is the shortest allowed; None: none is enough."""
        least = max(knob.low_s, SHORTEST_S)
        time, short = max(knob.now_s, least), least
        if self._fits(knob, least, share):
            return least, least
        while not self._fits(knob, time, share):
            short, time = time, rounded_up(LONGER * max(time, 0.01))
            if time > min(knob.high_s, MOST_TIMES * max(knob.now_s, 0.1)):
                return None, short
        return time, short

    def _fits(self, knob: Knob, seconds: float, share: float) -> bool:
        tried = self._with({knob.at: seconds})
        if tried is None:
            return False
        halves = [half for half in _halves(tried) if knob.at in _places(tried, half)]
        return all(_cost(knob, half) <= share for half in halves)

    def _with(self, more: dict[Location, float]) -> Tried | None:
        """What these times in place of others would give; None where the recipe then has problems."""
        times = self.times | more
        key = tuple(sorted(times.items(), key=str))
        if key not in self._known:
            changed = {at: s for at, s in times.items() if abs(s - self.knobs[at].now_s) > 1e-9}
            try:
                document = parse(written(self.text, self.before.document, changed), self.before.document.name)
                self._known[key] = self.attempt(document)
            except Problems:
                self._known[key] = None
        return self._known[key]


def _cost(knob: Knob, half: HalfForecast) -> float:
    """What a half-cycle loses by its dose, or grows too much by its purge; a hole that is not coated loses all."""
    if knob.kind == "purge":
        return half.excess
    if half.deep_l is not None and half.deep_l > (half.flat_l or 0.0) and half.exposure_l < half.deep_l:
        return 1.0
    return 1.0 - half.coverage if half.coverage is not None else 0.0


def _halves(tried: Tried) -> list[HalfForecast]:
    return [half for cycle in tried.ahead.forecast.cycles for half in cycle.halves if cycle.cycle.film]


def _places(tried: Tried, half: HalfForecast) -> list[Location]:
    return [knob.at for knob, _ in knobs_of(tried.document, Places(tried.document), half.half)]


def _knobs(tried: Tried) -> dict[Location, Knob]:
    places = Places(tried.document)
    found = (knob for half in _halves(tried) for knob, _ in knobs_of(tried.document, places, half.half))
    return {knob.at: knob for knob in found}
