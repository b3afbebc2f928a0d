"""The interlock core: samples and facts in, a state with its level out. Pure; time is an argument; data decides.

`step` evaluates every check of a RuleSet once. The most severe reaction wins, HOLD and above latch, the first cause
keeps a snapshot until an accepted `reset`. Ids of rows are those of the hazard matrix; `rules` has the table.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from math import inf
from typing import Any

from msgspec import Struct

from ald_controller.config import Role
from ald_controller.interlocks.measures import MISSING, UNTIMELY, Quality, Samples, Taken
from ald_controller.interlocks.table import (
    EVERYTHING,
    SCAN_LATE,
    Blocks,
    Check,
    Facts,
    Level,
    Reaction,
    Reset,
    RuleSet,
)
from ald_controller.interlocks.waking import calm_until_s, woken

CLEAR_S = 10.0  # a value must have been past its clear value for this long before a reset is accepted
LATE_S = 0.2  # whatever is found in a scan that came later than this says so
SLACK_S = 1e-6  # sums of 0.1 s fall short of a whole second by rounding


@dataclass(frozen=True, slots=True)
class Cause:
    """One reason for a reaction, as it began: row, where, how severe, who may reset it, since when, and the detail."""

    check: int  # index in the RuleSet; -1 = the start of the daemon
    row: str
    name: str
    reaction: Reaction
    reset: Reset
    blocks: Blocks
    since_s: float
    detail: str
    unread: bool = False  # the input was never read since the start
    fixed: bool = False  # not to be bypassed


@dataclass(frozen=True, slots=True)
class FirstOut:
    """The cause that latched first, with everything that was known in that scan."""

    cause: Cause
    facts: Facts
    samples: Samples


@dataclass(frozen=True, slots=True)
class Bypass:
    """One row that an owner has taken out for a while, with who, why, and the loop time at which it is live again."""

    row: str
    by: str
    reason: str
    since_s: float
    until_s: float


class Watch(Struct, frozen=True, gc=False):
    """The memory of one check: its measure's own, when each limit was reached, which levels stand, clear since when."""

    memory: Any
    since: tuple[float | None, ...]
    standing: int
    clear_since: float | None
    cause: Cause | None
    until_s: float = -inf  # it was calm, and is not looked at before then unless an input wakes it


@dataclass(frozen=True, slots=True)
class State:
    """Everything between two scans. `level` is the most severe of the live and the latched causes.

    `bypassed` are live causes that do not act because of one of the `bypasses`.
    """

    rules: RuleSet
    at_s: float
    level: Reaction
    blocked: Blocks
    active: tuple[Cause, ...]
    latched: tuple[Cause, ...]
    first_out: FirstOut | None
    watches: tuple[Watch, ...]
    samples: Samples  # of this scan
    bypasses: tuple[Bypass, ...] = ()
    bypassed: tuple[Cause, ...] = ()
    spent: tuple[Bypass, ...] = ()  # the last of each row that has ended, `until_s` = when


class ResetRefused(Exception):
    """A reset was not accepted and nothing changed: the live causes, those not clear for long enough, the role."""

    def __init__(self, live: tuple[str, ...], waiting: tuple[str, ...], needs: str) -> None:
        self.live, self.waiting, self.needs = live, waiting, needs
        parts = [f"still there: {'; '.join(live)}"] if live else []
        parts += [f"not yet clear for {CLEAR_S:g} s: {'; '.join(waiting)}"] if waiting else []
        parts += [f"this reset needs {needs}"] if needs else []
        super().__init__("; ".join(parts))


_GOOD = Quality.GOOD  # an Enum looks its members up each time

BOOT = Cause(-1, "K5", "daemon", Reaction.ABORT_PURGE, Reset.L1, Blocks.ALL, 0.0, "the daemon has started")


def boot(rules: RuleSet, now_s: float, found: str = "") -> State:
    """The state before the first input is trusted: latched at the level of an abort until a person resets it.

    `found` is what the start found of the time before it, for whoever resets.
    """
    cause = replace(BOOT, since_s=now_s, detail="; ".join(filter(None, (BOOT.detail, found))))
    watches = tuple(Watch(None, check.calm, 0, None, None) for check in rules.checks)
    first = FirstOut(cause, Facts(), {})
    return State(rules, now_s, cause.reaction, Blocks.ALL, (), (cause,), first, watches, {})


def step(state: State, samples: Samples, facts: Facts, now_s: float) -> State:
    """One scan over all checks at loop time `now_s`; raises ValueError when time runs backwards."""
    if not now_s >= state.at_s:
        raise ValueError(f"the scan at {now_s:g} s comes before the one at {state.at_s:g} s")
    checks = state.rules.checks
    bypasses = _lasting(state.bypasses, facts, now_s)
    out = {b.row for b in bypasses}
    late = _said_late(samples)
    awake = woken(state.rules.wakes, state.samples, samples, now_s)
    watches = list(state.watches)
    for index, watch in enumerate(state.watches):
        if now_s > watch.until_s and index not in awake:
            if watch.until_s > -inf and (until_s := calm_until_s(checks[index].wakers, samples)) >= now_s:
                # nothing has woken it: its inputs say what they said, and are younger now
                watches[index] = Watch(watch.memory, watch.since, 0, watch.clear_since, None, until_s)
            else:
                awake.add(index)
    alarming = bool(state.active or state.bypassed)
    for index in awake:
        check, watch = checks[index], watches[index]
        taken = check.measure.take(watch.memory, samples, now_s)
        watch = _same(check, watch, taken, samples) or _weigh(index, check, watch, taken, facts, now_s, late)
        watches[index] = watch
        alarming = alarming or watch.cause is not None
    causes = [watch.cause for watch in watches if watch.cause is not None] if alarming else []
    active = [cause for cause in causes if cause.fixed or cause.row not in out]
    bypassed = [cause for cause in causes if not cause.fixed and cause.row in out]
    seen = dict(samples)
    latched, first = _latch(state, active, facts, seen) if active or state.latched else ((), None)
    level, blocked = _worst((*active, *latched))
    return State(
        state.rules, now_s, level, blocked, tuple(active), latched, first, tuple(watches), seen, bypasses,
        tuple(bypassed), spent_by(state, bypasses, now_s),
    )  # fmt: skip


def _lasting(bypasses: tuple[Bypass, ...], facts: Facts, now_s: float) -> tuple[Bypass, ...]:
    """Those that still hold: none past its end, and none at all with lithium or a pyrophoric at the tool (K16)."""
    if not bypasses:
        return ()
    return () if facts.lithium or facts.pyrophoric else tuple(b for b in bypasses if now_s < b.until_s)


def spent_by(state: State, bypasses: tuple[Bypass, ...], now_s: float) -> tuple[Bypass, ...]:
    """`spent` once only these `bypasses` hold: whoever wants one again is asked how long the row was out."""
    ended = [replace(b, until_s=min(now_s, b.until_s)) for b in state.bypasses if b not in bypasses]
    gone = {b.row for b in ended}
    return (*(b for b in state.spent if b.row not in gone), *ended) if ended else state.spent


def _same(check: Check, watch: Watch, taken: Taken, samples: Samples) -> Watch | None:
    """The short way for a believable number far from every limit with nothing pending; None = weigh it."""
    number = taken.number
    if taken.fault or taken.quality is not _GOOD or not (number < check.quiet and number <= check.clear):
        return None
    if watch.standing or watch.cause is not None or watch.clear_since is None or watch.since is not check.calm:
        return None
    until_s = calm_until_s(check.wakers, samples) if check.wakers else -inf
    unchanged = taken.memory is watch.memory and until_s == watch.until_s
    return watch if unchanged else Watch(taken.memory, check.calm, 0, watch.clear_since, None, until_s)


def _said_late(samples: Samples) -> str:
    """What is found in a late scan may be old because nobody looked: the words that say so, "" for a scan on time."""
    late = samples.get(SCAN_LATE)
    return f" (this scan came {late.value:.2g} s late)" if late is not None and late.value > LATE_S else ""


def _weigh(index: int, check: Check, watch: Watch, taken: Taken, facts: Facts, now_s: float, late: str) -> Watch:
    """Every level of one check against its number, with persistence, dead-band and `when`."""
    counted = bool(taken.fault) and check.bad_as is not None
    number = check.bad_as if counted and check.bad_as is not None else taken.number
    since: list[float | None] = []
    standing, applies, latching, worst = 0, False, False, None
    for bit, level in enumerate(check.levels):
        began: float | None = None
        if level.when(facts):
            applies, latching = True, latching or level.reset is not Reset.AUTO
            if number >= level.limit:
                began = now_s if watch.since[bit] is None else watch.since[bit]
            if _stands(level, number, began, bool(watch.standing >> bit & 1), counted, now_s):
                standing |= 1 << bit
                worst = level if worst is None or level.reaction > worst.reaction else worst
        since.append(began)
    good = not taken.fault and taken.quality is Quality.GOOD and number <= check.clear
    clear_since = (now_s if watch.clear_since is None else watch.clear_since) if good or not latching else None
    late = late if check.device != EVERYTHING else ""
    cause = _cause(index, check, watch.cause, taken, number, worst, now_s, late) if applies else None
    pending = tuple(since)
    return Watch(taken.memory, check.calm if pending == check.calm else pending, standing, clear_since, cause)


def _stands(level: Level, number: float, began: float | None, stood: bool, counted: bool, now_s: float) -> bool:
    if began is not None:
        return counted or stood or now_s - began >= level.persist_s - SLACK_S
    return stood and number > level.clear


# A doubted value that reaches no limit: one that the device doubts, one that is only simulated.
_DOUBT = {
    Quality.UNCERTAIN: (Reaction.WARN, Blocks.NOTHING, "is doubted by its own device"),
    Quality.TEST: (Reaction.BLOCK, Blocks.ALL, "is under test and says nothing of the tool"),
}


def _cause(
    index: int, check: Check, before: Cause | None, taken: Taken, number: float, worst: Level | None, now_s: float,
    late: str,
) -> Cause | None:  # fmt: skip
    """The cause of this scan; the one before while row and reaction stay the same, so that it keeps its beginning."""
    doubt = _DOUBT.get(taken.quality)
    if doubt is not None and (worst is None or worst.reaction < doubt[0]):
        row, reaction, reset_by, blocks = check.bad_row, doubt[0], Reset.AUTO, doubt[1]
        detail = f"{check.name} {doubt[2]}"
    elif worst is None:
        return None
    else:
        row, reaction, reset_by, blocks = worst.row, worst.reaction, worst.reset, _blocks(worst)
        detail = ""
        if taken.fault:
            row = check.late_row if taken.fault in UNTIMELY else check.bad_row
            if reaction is not Reaction.ESTOP:  # what was pressed while nothing was read nobody can tell
                reset_by = min(reset_by, Reset.L1)  # nothing was seen to be exceeded: the cause is the reading
    if before is not None and before.row == row and before.reaction == reaction and reset_by <= before.reset:
        return before
    if not detail and taken.fault:
        detail = f"{taken.signal or check.name} {taken.fault}"
    elif not detail and worst is not None:
        detail = check.says.format(name=check.name, number=number, limit=worst.limit, unit=check.unit).rstrip()
    detail += late
    fixed = worst is not None and worst.fixed
    return Cause(index, row, check.name, reaction, reset_by, blocks, now_s, detail, taken.fault == MISSING, fixed)


def _blocks(level: Level) -> Blocks:
    if level.reaction >= Reaction.HOLD:
        return Blocks.ALL
    return level.blocks if level.reaction is Reaction.BLOCK else Blocks.NOTHING


def _latch(
    state: State, active: list[Cause], facts: Facts, samples: Samples
) -> tuple[tuple[Cause, ...], FirstOut | None]:
    """The latched causes with those of this scan added or made more severe, and the first-out, which never changes."""
    latched = {(c.row, c.name): c for c in state.latched}
    starting = ("K5", "daemon") in latched
    changed = False
    for cause in _in_order(state, active):
        if cause.reset is Reset.AUTO or (starting and cause.unread):
            continue  # inputs that come up one by one after a start are live, and the start itself is latched
        known = latched.get((cause.row, cause.name))
        if known is None:
            latched[cause.row, cause.name] = cause
        elif cause.reaction > known.reaction or cause.reset > known.reset:
            worse = max(known.reaction, cause.reaction), max(known.reset, cause.reset)
            latched[cause.row, cause.name] = replace(known, reaction=worse[0], reset=worse[1], detail=cause.detail)
        else:
            continue
        changed = True
    if not changed:
        return state.latched, state.first_out
    everything = tuple(latched.values())
    return everything, state.first_out or FirstOut(everything[0], facts, samples)


def _in_order(state: State, active: list[Cause]) -> list[Cause]:
    """Of several in one scan the most severe first, and what is out of date behind what was seen, and behind its link.

    In a scan that came late, what only looks dead because nobody looked comes behind that.
    """
    checks = state.rules.checks
    late = any(checks[cause.check].device == EVERYTHING for cause in active)

    def key(cause: Cause) -> tuple[bool, int, bool, int]:
        check = checks[cause.check]
        untimely = cause.row == check.late_row and not check.link
        looks_dead = check.device != EVERYTHING and (check.link or untimely)
        return late and looks_dead, -cause.reaction, untimely, cause.check

    return sorted(active, key=key)


def _worst(causes: Iterable[Cause]) -> tuple[Reaction, Blocks]:
    """The most severe of all causes wins, and what any of them blocks is blocked."""
    level, blocked = Reaction.NONE, Blocks.NOTHING
    for cause in causes:
        level = max(level, cause.reaction)
        blocked |= cause.blocks
    return level, blocked


def _latched_as(state: State, latched: tuple[Cause, ...], first: FirstOut | None) -> State:
    """The same scan with these latches."""
    level, blocked = _worst((*state.active, *latched))
    return replace(state, level=level, blocked=blocked, latched=latched, first_out=first)


def reset(state: State, samples: Samples, facts: Facts, now_s: float, role: Role, key: bool = False) -> State:
    """The state without its latch, after a scan at `now_s` that finds every cause gone; moves nothing.

    `key` says that the button at the tool was pressed just now. Raises ResetRefused, and `state` is unchanged, while a
    cause of HOLD or above lives, while a value has not been past its clear value for 10 s, and for a role, or a key,
    short of what the latched causes ask for.
    """
    seen = step(state, samples, facts, now_s)
    live = tuple(f"{c.row} {c.detail}" for c in seen.active if c.reaction >= Reaction.HOLD)
    gone = [c for c in seen.latched if not any(a.check == c.check and a.reaction >= Reaction.HOLD for a in seen.active)]
    waiting = tuple(f"{c.row} {c.name}" for c in gone if not _clear(seen, c, now_s))
    asked = max((c.reset for c in seen.latched), default=Reset.L1)
    needs = _missing(asked, role, key)
    if live or waiting or needs:
        raise ResetRefused(live, waiting, needs)
    return _latched_as(seen, (), None)


def _clear(state: State, cause: Cause, now_s: float) -> bool:
    """Its own check and every other with a limit of its row and name: they latch as one, so they clear as one."""
    rules = enumerate(state.rules.checks)
    asked = {i for i, c in rules if c.name == cause.name and any(level.row == cause.row for level in c.levels)}
    began = [state.watches[i].clear_since for i in asked | ({cause.check} if cause.check >= 0 else set())]
    return all(since is not None and now_s - since >= CLEAR_S - SLACK_S for since in began)


def _missing(asked: Reset, role: Role, key: bool) -> str:
    if asked <= Reset.L1:
        return "" if role in ("operator", "owner") else "the role operator"
    if role != "owner":
        return "the role owner"
    return "" if key or asked <= Reset.L2 else "the button at the tool, pressed within the last half minute"


def exchange(state: State, rules: RuleSet, now_s: float) -> State:
    """The same latches and first-out under another table, after a bottle or a constant has changed.

    Every check begins anew; a latched cause keeps the check of its own row and name, where there still is one: of
    several the same in order of appearance.
    """
    fresh = boot(rules, now_s)
    old, new = _places(state.rules), _places(rules)

    def moved(cause: Cause) -> Cause:
        key = cause.name, cause.row
        before, after = old.get(key, []), new.get(key, [-1])
        at = before.index(cause.check) if cause.check in before else 0
        return replace(cause, check=after[min(at, len(after) - 1)])

    first = state.first_out and replace(state.first_out, cause=moved(state.first_out.cause))
    kept = replace(fresh, bypasses=state.bypasses, spent=state.spent)
    return _latched_as(kept, tuple(moved(cause) for cause in state.latched), first)


def _places(rules: RuleSet) -> dict[tuple[str, str], list[int]]:
    """The checks of each name and row, in order of appearance."""
    places: dict[tuple[str, str], list[int]] = {}
    for i, check in enumerate(rules.checks):
        for row in check.rows:
            places.setdefault((check.name, row), []).append(i)
    return places


def news(before: State, after: State) -> tuple[Cause, ...]:
    """What latched or grew more severe between two scans: what has to be carried out now, most severe first."""
    if before.latched is after.latched:
        return ()
    known = {(c.row, c.name): c.reaction for c in before.latched}
    fresh = (c for c in after.latched if c.reaction > known.get((c.row, c.name), Reaction.NONE))
    return tuple(sorted(fresh, key=lambda c: -c.reaction))
