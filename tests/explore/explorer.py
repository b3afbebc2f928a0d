"""Every path of a world within bounds, each state once: fewest choices first, and of those the shortest paths first.

A path is ticks, and at each tick, before it passes, any number of choices from a menu. What bounds it is how many
choices it may have; how long it is, and when they come, is not bounded: an exploration ends when no state leads to a
new one.
"""

from __future__ import annotations

import gc
import hashlib
from array import array
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from tests.explore.forgetting import forget
from tests.explore.menu import Choice
from tests.explore.oracle import Broken
from tests.explore.setting import MS
from tests.explore.snapshot import Snapshots
from tests.explore.stage import STAGE, other_names, snapshots
from tests.explore.world import World

TICK, _START = -1, -2  # as steps: time passes; this is where a path begins
_NOBODY = -1
MOST_TICKS = 2_000  # a path that is longer has left everything behind that ever ended
LIVE = 3_000  # as many worlds are kept alive at once; of more there is a copy, which is smaller and slower
Starts = Mapping[str, Callable[[], World]]


@dataclass
class Found:
    """What was found, the shortest path there, and the story of that path."""

    why: str
    start: str
    choices: list[str]
    ticks: int
    story: list[str]

    def __str__(self) -> str:
        path = "; ".join(self.choices) or "nothing out of turn"
        return "\n".join([self.why, f"  from {self.start}, {self.ticks} ticks, with: {path}", *self.story])


@dataclass
class Explored:
    """What an exploration came to: distinct states, transitions between them, and ticks of the longest path."""

    states: int = 0
    transitions: int = 0
    longest: int = 0
    found: Found | None = None  # a property does not hold
    stuck: Found | None = None  # a state from which doses never come again, left alone
    taken: set[int] = field(default_factory=set)  # numbers of choices that could be made somewhere

    def __str__(self) -> str:
        return f"{self.states} states, {self.transitions} transitions, paths of up to {self.longest} ticks"


@dataclass(slots=True)
class _State:
    """One state, and the world that it was seen in until that has gone on."""

    number: int
    data: bytes
    world: World | None


class Explorer:
    """Explores from named worlds, with at most `most` choices of a menu on a path."""

    def __init__(self, starts: Starts, menu: Sequence[Choice], most: int = 1) -> None:
        self._starts, self._menu, self._most = starts, menu, most
        self._snapshots = snapshots()
        self._known: dict[int, int] = {}  # fingerprint -> number of the state
        self._from, self._steps = array("l"), array("l")  # of each state: the one before it, and what was done there
        self._next = array("l")  # of each state: the one that the next tick brings
        self._well = bytearray()  # of each state: whether that tick brings a dose
        self._result = Explored()

    def run(self) -> Explored:
        """Until no state leads to a new one, or a property does not hold: then the rest is left."""
        usual = gc.get_threshold()
        gc.set_threshold(50_000, 10, 10)  # little of what is made has to be searched for: see `World.end`
        try:
            before: dict[int, list[_State]] = {}
            for level in range(self._most + 1):
                before = self._level(level, before)
            self._result.stuck = self._stuck()
        except _Fails as fails:
            self._result.found = self._told(fails.why, fails.number, fails.steps)
        finally:
            gc.set_threshold(*usual)
        self._result.states = len(self._known)
        return self._result

    def _level(self, level: int, before: dict[int, list[_State]]) -> dict[int, list[_State]]:
        """Every state that takes `level` choices, by depth, from those that take one fewer.

        What fewer choices lead to is known by then: whatever may follow is followed from there.
        """
        kept: dict[int, list[_State]] = {}
        last, depth = level == self._most, 0
        current = list(self._begin()) if level == 0 else []
        while current or before:
            follow: list[_State] = []
            for state in before.pop(depth, ()):
                for choice in range(len(self._menu)):
                    self._choose(state, choice, follow if last else current, last)
            if not last:
                kept[depth] = list(current)
            for state in current:
                self._tick(state, follow)
            self._result.longest = max(self._result.longest, depth)
            current, depth = follow, depth + 1
            if depth > MOST_TICKS:
                raise AssertionError("something in a state grows for ever: see `forgetting.py` for what is left out")
        return kept

    def _begin(self) -> Iterator[_State]:
        for number, make in enumerate(self._starts.values()):
            new, _ = self._new(make(), _NOBODY - number, _START)
            if new is not None:
                yield new

    def _choose(self, state: _State, choice: int, into: list[_State], last: bool) -> None:
        """One choice in one state; the last one that a path may have, and the tick behind it, are one step."""
        world = self._thawed(state)
        steps = [choice, TICK] if last else [choice]
        try:
            if not self._menu[choice].do(world):
                world.end()
                return
            self._result.transitions += len(steps)
            self._result.taken.add(choice)
            if last:
                world.go()
        except Broken as broken:
            raise _Fails(str(broken), state.number, steps) from broken
        new, _ = self._new(world, state.number, choice + last * len(self._menu), keep=len(into) < LIVE)
        if new is not None:
            into.append(new)

    def _tick(self, state: _State, into: list[_State]) -> None:
        world, state.world = state.world or self._thawed(state), None
        STAGE.world = world
        self._result.transitions += 1
        try:
            world.go()
        except Broken as broken:
            raise _Fails(str(broken), state.number, [TICK]) from broken
        self._well[state.number] = world.well()
        new, self._next[state.number] = self._new(world, state.number, TICK, keep=len(into) < LIVE)
        if new is not None:
            into.append(new)

    def _thawed(self, state: _State) -> World:
        world: World = self._snapshots.thaw(state.data)
        world.mend()
        STAGE.world = world
        return world

    def _new(self, world: World, before: int, step: int, *, keep: bool = True) -> tuple[_State | None, int]:
        """The state of this world, if it is a new one, and its number; `keep` the world with it."""
        data = fingerprinted(self._snapshots, world)
        mark = int.from_bytes(hashlib.blake2b(data, digest_size=8).digest(), "little")
        number = self._known.setdefault(mark, len(self._from))
        if number < len(self._from):
            world.end()
            return None, number
        self._from.append(before)
        self._steps.append(step)
        self._next.append(_NOBODY)
        self._well.append(False)
        if not keep:
            world.end()
        return _State(number, data, world if keep else None), number

    # --- what is seen when all is known ----------------------------------------------------------------------------

    def _stuck(self) -> Found | None:
        """The first state from which, left alone, no dose ever comes again."""
        good = bytearray(self._well)
        for number in range(len(good)):
            path, at = [], number
            seen = set()
            while not good[at] and at not in seen:
                seen.add(at)
                path.append(at)
                at = self._next[at]
            if not good[at]:
                return self._told("left alone, it never gets to a dose again", number, [TICK] * (len(path) + 1))
            for each in path:
                good[each] = True
        return None

    def _told(self, why: str, number: int, steps: list[int]) -> Found:
        """The path to a state and on from there, played once more from its start without a pause, with its story."""
        path = list(steps)
        while number >= 0:
            path = [*self._unpacked(self._steps[number]), *path]
            number = self._from[number]
        name, make = list(self._starts.items())[_NOBODY - number]
        world = make()
        begun_ns, STAGE.story, ending = world.now_ns, [], "nothing of the kind: a projection is wrong"
        try:
            for step in path:
                if step == TICK:
                    world.go()
                else:
                    world.tell(f"! {self._menu[step].name}")
                    self._menu[step].do(world)
        except Broken as broken:
            ending = str(broken)
        if ending != why and TICK in steps[:-1]:
            ending = why  # which no single tick shows
        world.tell(f"=> {ending}")
        story, STAGE.story = STAGE.story, None
        choices = [self._menu[step].name for step in path if step != TICK]
        lines = [f"  {(at_ns - begun_ns) / MS:7.1f} ms  {what}" for at_ns, what in story]
        return Found(why, name, choices, path.count(TICK), lines)

    def _unpacked(self, step: int) -> list[int]:
        """A step as it is kept, as steps one by one."""
        if step == _START:
            return []
        return [step] if step < len(self._menu) else [step - len(self._menu), TICK]


def fingerprinted(snapshots: Snapshots, world: World) -> bytes:
    """The state of a world: the same for the same, whenever it is, and whichever of their two names runs have."""
    forget(world)
    last = world.operator.last
    turned = last is not None and last.run == "b"
    return snapshots.freeze(world, world.now_ns, other_names if turned else None)


class _Fails(Exception):
    def __init__(self, why: str, number: int, steps: list[int]) -> None:
        super().__init__(why)
        self.why, self.number, self.steps = why, number, steps
