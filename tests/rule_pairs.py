"""Every pair of rules through the real core, each state once: what two rules do to each other, whatever the order.

A rule is one check of the table with its levels, resets and `when` as they are; what its measure would make of the
inputs is chosen freely instead: calm, at each limit, or unbelievable. Time passes in steps that are shorter or longer
than every persistence, and of each timer a state remembers whether it has not begun, runs, or has run out. A pair is
complete when no state leads to a new one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from itertools import combinations
from math import inf, nan
from typing import Any

from ald_controller.interlocks import (
    Blocks,
    Check,
    Facts,
    Quality,
    Reaction,
    Reset,
    ResetRefused,
    RuleSet,
    Sample,
    State,
    boot,
    may_start,
    news,
    permit,
    reset,
    step,
)
from ald_controller.interlocks.core import CLEAR_S
from ald_controller.interlocks.measures import Input, Value
from tests.interlock_bench import WORDS

TICKS_S = (CLEAR_S + 1.0, 64.0)  # one after which a reset is possible, one longer than every persistence
START_S = 2.0**30
ROLES: tuple[Any, ...] = ("viewer", "operator", "owner")
INPUTS = ("one", "other")
UNBELIEVABLE = nan


@dataclass(frozen=True)
class World:
    """The core's state, what the two inputs say, and what is true of the tool."""

    state: State
    values: tuple[float, float]
    facts: int  # index in FACTS


FACTS = (
    Facts("EXECUTING", "VACUUM", lithium=True, gate_proven_shut=True, step="segment", part="deposit"),
    Facts("IDLE", "UNKNOWN", lithium=False, gate_proven_shut=False, pyrophoric=False),
)


@dataclass
class Explored:
    """What the exploration of one pair came to."""

    states: int = 0
    transitions: int = 0


def shape(check: Check) -> tuple[Any, ...]:
    """What the core can tell of a check: two of one shape behave alike."""
    levels = tuple(
        (lv.reaction, lv.reset, lv.persist_s, lv.blocks, lv.fixed, *(lv.when(f) for f in FACTS)) for lv in check.levels
    )
    counts = None if check.bad_as is None else tuple(check.bad_as >= lv.limit for lv in check.levels)
    return (*levels, counts)


def shapes(rules: RuleSet) -> list[Check]:
    """One check of each shape, in the order of the table."""
    return list({shape(check): check for check in reversed(rules.checks)}.values())[::-1]


def pairs(checks: Sequence[Check]) -> Iterator[tuple[Check, Check]]:
    """Every two of them, and each with its like."""
    yield from combinations(checks, 2)
    yield from ((check, check) for check in checks)


def explore(one: Check, other: Check) -> Explored:
    """Every state that two rules can be in; raises AssertionError with the choices that led to a broken promise."""
    rules = RuleSet(tuple(_freely(c, name) for c, name in zip((one, other), INPUTS, strict=True)), WORDS)
    choices = tuple(_choices(check) for check in (one, other))
    begin = World(_scan(boot(rules, START_S), (0, 0), 0, choices), (choices[0][0], choices[1][0]), 0)
    known, fresh, found = {_key(begin)}, [begin], Explored()
    while fresh:
        world = fresh.pop()
        found.states += 1
        for after in _successors(world, choices):
            found.transitions += 1
            key = _key(after)
            if key not in known:
                known.add(key)
                fresh.append(after)
    return found


def _freely(check: Check, name: str) -> Check:
    """The same check over an input of its own, that anything may be said of."""
    return replace(check, name=name, measure=Value(Input(name, -inf, inf)))


def _choices(check: Check) -> tuple[float, ...]:
    """Calm, at each limit, in each dead-band, and not to be believed."""
    calm = min(lv.clear for lv in check.levels) - 1.0
    numbers = {lv.limit for lv in check.levels if lv.limit < inf}
    for lv in check.levels:
        if not any(lv.clear < n < lv.limit for n in numbers):
            numbers.add((lv.clear + min(lv.limit, lv.clear + 2.0)) / 2)
    return (calm, *sorted(numbers), UNBELIEVABLE)


def _successors(world: World, choices: tuple[tuple[float, ...], ...]) -> Iterator[World]:
    """One thing happens: time, another value, other facts, or somebody resets."""
    for tick_s in TICKS_S:
        yield _next(world, world.values, world.facts, tick_s)
    for i, values in enumerate(choices):
        for value in values:
            if value is not world.values[i]:
                both = (value, world.values[1]) if i == 0 else (world.values[0], value)
                yield _next(world, both, world.facts, TICKS_S[0])
    yield _next(world, world.values, 1 - world.facts, TICKS_S[0])
    for role in ROLES:
        yield from _reset(world, role)


def _next(world: World, values: tuple[float, float], facts: int, after_s: float) -> World:
    before = world.state
    now_s = before.at_s + after_s
    after = step(before, _samples(values, now_s), FACTS[facts], now_s)
    _judge(before, after)
    return World(after, values, facts)


def _scan(state: State, at: tuple[int, int], facts: int, choices: tuple[tuple[float, ...], ...]) -> State:
    values = (choices[0][at[0]], choices[1][at[1]])
    return step(state, _samples(values, state.at_s), FACTS[facts], state.at_s)


def _samples(values: tuple[float, float], now_s: float) -> dict[str, Sample]:
    return {name: Sample(value, now_s, Quality.GOOD) for name, value in zip(INPUTS, values, strict=True)}


def _reset(world: World, role: Any) -> Iterator[World]:
    before, now_s = world.state, world.state.at_s
    try:
        after = reset(before, _samples(world.values, now_s), FACTS[world.facts], now_s, role, key=True)
    except ResetRefused as refused:
        assert refused.live or refused.waiting or refused.needs
        return
    assert role != "viewer"
    assert role == "owner" or all(c.reset <= Reset.L1 for c in before.latched)
    assert not any(c.reaction >= Reaction.HOLD for c in after.active)
    assert not after.latched and after.first_out is None
    yield World(after, world.values, world.facts)


def _judge(before: State, after: State) -> None:
    """What one scan may never do."""
    level = max((c.reaction for c in after.active + after.latched), default=Reaction.NONE)
    assert after.level is level, "not the most severe of all causes"
    if level >= Reaction.HOLD:
        assert not permit(after) and not may_start(after) and after.blocked is Blocks.ALL
    held = {(c.row, c.name): c for c in after.latched}
    assert all((c.row, c.name) in held for c in before.latched), "a latch was lost"
    assert all(held[c.row, c.name].reaction >= c.reaction for c in before.latched), "a latch became milder"
    assert all(held[c.row, c.name].reset >= c.reset for c in before.latched), "a reset became easier"
    starting = ("K5", "daemon") in held
    for cause in after.active:
        if cause.reaction >= Reaction.HOLD and not (starting and cause.unread):
            assert (cause.row, cause.name) in held, "a trip did not latch"
            assert held[cause.row, cause.name].reaction >= cause.reaction, "a trip latched as a milder one"
    assert before.first_out is None or after.first_out is before.first_out, "another first-out"
    assert (after.first_out is None) == (not after.latched)
    fresh = {(c.row, c.name) for c in after.latched} - {(c.row, c.name) for c in before.latched}
    assert fresh <= {(c.row, c.name) for c in news(before, after)}, "a trip that nobody hears of"


def _key(world: World) -> tuple[Any, ...]:
    """A state without its date: each timer has not begun, runs, or has run out."""
    state = world.state
    watches = tuple(
        (
            tuple(_age(state, t, lv.persist_s) for t, lv in zip(w.since, check.levels, strict=True)),
            w.standing, _age(state, w.clear_since, CLEAR_S), _cause(w.cause),
        )
        for w, check in zip(state.watches, state.rules.checks, strict=True)
    )  # fmt: skip
    first = state.first_out.cause if state.first_out else None
    return (watches, frozenset(map(_cause, state.latched)), _cause(first), tuple(map(str, world.values)), world.facts)


def _age(state: State, at_s: float | None, longest_s: float) -> bool | None:
    """A timer has not begun, runs, or has run out."""
    return None if at_s is None else state.at_s - at_s >= longest_s


@cache
def _known(row: str, name: str, reaction: Reaction, by: Reset, blocks: Blocks) -> tuple[Any, ...]:
    return (row, name, reaction, by, blocks)


def _cause(cause: Any) -> tuple[Any, ...] | None:
    return cause and _known(cause.row, cause.name, cause.reaction, cause.reset, cause.blocks)
