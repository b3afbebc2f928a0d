"""Goes through a plan leaf by leaf, numbered, and knows which repeats are going on; turns may be added on the way."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, NamedTuple

from ald_controller.plan import Leaf, Part, Plan, RepeatStep, Step
from ald_controller.states import Misplaced


@dataclass(frozen=True)
class At:
    """Where a run is: its part, the number of the outermost cycle (0 outside), and the repeats around the step.

    A step outside of every repeat is a turn of its own.
    """

    part: Part
    cycle: int
    turn_ends: bool  # after this step the outermost repeat has finished a turn
    inside: tuple[str, ...] = ()  # the names of the repeats around it, the outermost first; "" = without a name
    ending: int = 0  # those of `inside` from this one on finish a turn with this step

    @property
    def some_turn_ends(self) -> bool:
        """Whether any repeat finishes a turn with this step."""
        return not self.inside or self.ending < len(self.inside)

    def stops(self, name: str = "") -> bool:
        """Whether stop and pause act after this step: a turn of the repeat `name`, or of the outermost named one.

        Where no repeat has a name, or `name` is not around this step, it is as if none had been named.
        """
        if not self.inside:
            return True
        named = name if name and name in self.inside else next(filter(None, self.inside), "")
        return self.inside.index(named) >= self.ending


@dataclass(frozen=True)
class Running:
    """A repeat that is going on: the steps around it from the part's own down to it, by their numbers."""

    part: Part
    way: tuple[int, ...]
    repeat: RepeatStep
    within: tuple[RepeatStep, ...]  # the repeats around it, the outermost first


def going_on(running: tuple[Running, ...], name: str, verb: str) -> Running:
    """The repeat of that name, or the outermost that has one; raises Misplaced, which says which there are."""
    named = [r for r in running if r.repeat.name]
    found = next((r for r in named if name in ("", r.repeat.name)), None)
    if found is None:
        there = ", ".join(f"'{r.repeat.name}'" for r in named)
        what = f"'{name}' is not; going on: {there}" if there else "none that has a name is"
        raise Misplaced(f"'{verb}' acts in a repeat that is going on, and {what}")
    return found


def extendable(running: tuple[Running, ...], name: str) -> Running:
    """The same, for more turns; one that is done anew in each turn of another is none. Raises Misplaced."""
    found = going_on(running, name, "extend")
    again = next((r for r in found.within if r.times > 1), None)
    if again is not None:
        around = f"'{again.name}'" if again.name else f"the repeat of line {again.where.line}"
        other = f"extend {around}" if again.name else f"only {around} could have more, and it has no name"
        told = f"'{found.repeat.name}' is done again in each turn of {around}"
        raise Misplaced(f"{told}, and one turn with more of it would be another film: {other}")
    return found


class Walk:
    """The leaves of one part in order, numbered lazily; cycles count turns of outermost repeats across the part.

    `plan` may be exchanged on the way for one that differs in how often the repeats that are going on are done.
    """

    def __init__(self, plan: Plan, part: Part) -> None:
        self.plan, self.part = plan, part
        self._way: tuple[_Turn, ...] | None = ()  # () before the first leaf, None behind the last
        self._cycle = 0

    def __iter__(self) -> Walk:
        return self

    def __next__(self) -> tuple[At, Leaf]:
        before, self._way = self._way, self._next()
        if self._way is None:
            raise StopIteration
        outermost = self._steps(())[self._way[0].step]
        if isinstance(outermost, RepeatStep) and (not before or before[0] != self._way[0]):
            self._cycle += 1
        return self.at, self._leaf(self._way)

    @property
    def at(self) -> At:
        """Where it is, of the plan as it is now."""
        way = self._way or ()
        inside = self._repeats(way)
        if not inside:
            return At(self.part, 0, turn_ends=True)
        ending = next((d for d in range(len(inside)) if self._ends(way, d)), len(inside))
        return At(self.part, self._cycle, ending == 0, tuple(repeat.name for repeat in inside), ending)

    @property
    def following(self) -> Leaf | None:
        """The leaf behind, without going there."""
        way = self._next()
        return None if way is None else self._leaf(way)

    @property
    def running(self) -> tuple[Running, ...]:
        """The repeats around the leaf in hand, the outermost first."""
        way = self._way or ()
        repeats = self._repeats(way)
        numbers = tuple(turn.step for turn in way)
        return tuple(Running(self.part, numbers[: d + 1], r, repeats[:d]) for d, r in enumerate(repeats))

    def _next(self) -> tuple[_Turn, ...] | None:
        """The way to the leaf behind, None behind the last."""
        way = self._way
        if not way:
            return None if way is None else _down(self._steps(()), 0)
        for depth in reversed(range(len(way))):
            above, here = way[:depth], way[depth]
            steps = self._steps(above)
            step = steps[here.step]
            if isinstance(step, RepeatStep) and here.turn < step.times:
                return (*above, _Turn(here.step, here.turn + 1), *(_down(step.steps, 0) or ()))
            if ahead := _down(steps, here.step + 1):
                return (*above, *ahead)
        return None

    def _ends(self, way: tuple[_Turn, ...], depth: int) -> bool:
        """Whether nothing follows the leaf in this turn of the repeat at `depth`."""
        for d in range(depth + 1, len(way)):
            steps = self._steps(way[:d])
            step = steps[way[d].step]
            if (isinstance(step, RepeatStep) and way[d].turn < step.times) or _down(steps, way[d].step + 1):
                return False
        return True

    def _steps(self, way: tuple[_Turn, ...]) -> tuple[Step, ...]:
        """The steps of the part, or of the repeat at the end of `way`."""
        return repeat.steps if (repeat := (self._repeats(way) or (None,))[-1]) else _part(self.plan, self.part)

    def _repeats(self, way: tuple[_Turn, ...]) -> tuple[RepeatStep, ...]:
        """The repeats along `way`."""
        out: list[RepeatStep] = []
        steps = _part(self.plan, self.part)
        for turn in way:
            step = steps[turn.step]
            if isinstance(step, RepeatStep):
                out.append(step)
                steps = step.steps
        return tuple(out)

    def _leaf(self, way: tuple[_Turn, ...]) -> Leaf:
        leaf = self._steps(way[:-1])[way[-1].step]
        assert not isinstance(leaf, RepeatStep)  # noqa: S101  narrows the type; a way leads to a leaf
        return leaf


class _Turn(NamedTuple):
    """One level of the way to a leaf: the number of a step among its neighbours, and the turn that it is in."""

    step: int
    turn: int


def _down(steps: tuple[Step, ...], first: int) -> tuple[_Turn, ...] | None:
    """The way to the first leaf at or behind `first`; a repeat without leaves is passed over."""
    for i in range(first, len(steps)):
        step = steps[i]
        if not isinstance(step, RepeatStep):
            return (_Turn(i, 1),)
        if step.times and (below := _down(step.steps, 0)):
            return (_Turn(i, 1), *below)
    return None


def _part(plan: Plan, part: Part) -> tuple[Step, ...]:
    steps: tuple[Step, ...] = getattr(plan, part)
    return steps


def walk(plan: Plan, part: Part) -> Walk:
    """The leaves of one part, each with where it stands."""
    return Walk(plan, part)


def with_turns(plan: Plan, running: Running, turns: int) -> Plan:
    """The plan with so many more turns of one repeat; the figures for the whole stay as they were."""
    changed: dict[str, Any] = {running.part: _with_turns(_part(plan, running.part), running.way, turns)}
    return dataclasses.replace(plan, **changed)


def _with_turns(steps: tuple[Step, ...], way: tuple[int, ...], turns: int) -> tuple[Step, ...]:
    step = steps[way[0]]
    assert isinstance(step, RepeatStep)  # noqa: S101  narrows the type; a way of repeats leads through them alone
    if len(way) > 1:
        step = dataclasses.replace(step, steps=_with_turns(step.steps, way[1:], turns))
    else:
        step = dataclasses.replace(step, times=step.times + turns)
    return (*steps[: way[0]], step, *steps[way[0] + 1 :])


def same_steps(one: Plan, other: Plan) -> bool:
    """Whether two plans do the same, step for step, with the same bottles over the same load."""
    return all(getattr(one, name) == getattr(other, name) for name in _DONE)


_DONE = ("prepare", "deposit", "finish", "rack", "substrate", "lithium", "recipe_hash", "tool_hash")
