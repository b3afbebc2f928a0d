"""Which rows act, why, what would clear them and what nearly acts: after values were held, or readings replayed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from math import nan

from ald_controller import interlocks as il
from ald_controller.explain.healthy import Assumed
from ald_controller.explain.matrix import is_flag, resets_by, when_words
from ald_controller.explain.signals import scale_of
from ald_controller.explain.typed import Lost, Typed
from ald_controller.interlocks import Blocks, Cause, Check, Facts, Level, Quality, Reaction, Reset, Sample, State
from ald_controller.interlocks.core import CLEAR_S

SCAN_S = 0.1
JUMP_AFTER_S = 60.0  # how long all is well before values jump
_LIVE = ("valves.sequence",)  # what must change from scan to scan


@dataclass(frozen=True, slots=True)
class Moment:
    """One scan. `released` = a person's reset was accepted just before it."""

    now_s: float
    samples: Mapping[str, Sample]
    facts: Facts
    released: bool = False


@dataclass(frozen=True, slots=True)
class Standing:
    """One cause that acts, or is latched; `after_s` since the first moment."""

    row: str
    name: str
    reaction: Reaction
    cause: str
    detail: str
    after_s: float
    live: bool
    latched: bool
    first_out: bool
    consequence_of: str
    blocks: str
    clears: str
    reset: str
    action: str


@dataclass(frozen=True, slots=True)
class Nearly:
    """A limit that is reached and does not act (yet), and why not."""

    row: str
    name: str
    reaction: Reaction
    why: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the interlocks say at one moment."""

    level: Reaction
    response: Reaction
    standing: tuple[Standing, ...]
    nearly: tuple[Nearly, ...]
    bypassed: tuple[str, ...]
    may_open: bool
    may_start: bool
    heaters_off: tuple[str, ...]
    contactor_off: bool
    facts: Facts
    checks: int


def released(rules: il.RuleSet, now_s: float) -> State:
    """A state from which a person has taken the latch of the start."""
    return replace(il.boot(rules, now_s), latched=(), first_out=None)


def replay(rules: il.RuleSet, moments: Iterable[Moment]) -> tuple[State, Moment]:
    """The state after the last of these moments, and that moment; raises ValueError when there is none."""
    state, last = None, None
    for moment in moments:
        if state is None:
            state = released(rules, moment.now_s)
        elif moment.released:
            state = replace(state, latched=(), first_out=None)
        state, last = il.step(state, moment.samples, moment.facts, moment.now_s), moment
    if state is None or last is None:
        raise ValueError("there is no moment to look at")
    return state, last


def held(rules: il.RuleSet, typed: Typed, assumed: Assumed, for_s: float, *, jump: bool = False) -> Iterator[Moment]:
    """Scans over values that are held from second 0 for `for_s`, everything else being well.

    Quantities were there before; contacts, counts and what is lost become so at second 0. With `jump` everything was
    well for a minute, and quantities change at second 0 too.
    """
    steps = {s for s in assumed.values if jump or scale_of(s).dimension is None}
    began = {s: assumed.before[s] if s in steps else value for s, value in assumed.values.items()}
    samples: dict[str, Sample] = {}
    for n in range(-round(JUMP_AFTER_S / SCAN_S) if jump else -1, round(for_s / SCAN_S) + 1):
        now_s, values = round(n * SCAN_S, 6), began if n < 0 else assumed.values
        samples = {
            s: _sample(s, value, n, typed.lost.get(s) if n >= 0 else None, samples.get(s))
            for s, value in values.items() if typed.lost.get(s) is not Lost.MISSING
        }  # fmt: skip
        gate = il.gate_proven_shut(rules, samples, now_s)
        yield Moment(now_s, samples, replace(typed.facts, gate_proven_shut=gate))


def _sample(signal: str, value: float, n: int, lost: Lost | None, before: Sample | None) -> Sample:
    now_s = round(n * SCAN_S, 6)
    if lost is Lost.OLD and before is not None:
        return before
    if lost is Lost.NAN:
        return Sample(nan, now_s)
    quality = Quality.BAD if lost is Lost.BAD else Quality.GOOD
    return Sample(value + (n if signal in _LIVE else 0), now_s, quality)


def verdict(state: State, moment: Moment) -> Verdict:
    """What the interlocks say in this state, at this moment."""
    facts = moment.facts
    return Verdict(
        state.level, il.response(state, facts), tuple(_standing(state, view) for view in il.alarms(state)),
        tuple(_nearly(state, moment)), tuple(f"{c.row} {c.detail}" for c in state.bypassed), il.permit(state),
        il.may_start(state), tuple(sorted(il.heaters_off(state))), il.contactor_off(state), facts,
        len(state.rules.checks),
    )  # fmt: skip


def _standing(state: State, view: il.AlarmView) -> Standing:
    cause = next(c for c in (*state.latched, *state.active) if (c.row, c.name) == (view.row, view.name))
    row = view.words
    return Standing(
        view.row, view.name, view.reaction, row.cause, view.detail, round(view.since_s, 3), view.live, view.latched,
        view.first_out, view.consequence_of, _blocked(cause), _clears(state, cause), resets_by(view.reset), row.action,
    )  # fmt: skip


_NAMES = {Blocks.PULSE: "openings of sources", Blocks.START: "starts", Blocks.GATE: "opening the gate"}


def _blocked(cause: Cause) -> str:
    return ", ".join(words for one, words in _NAMES.items() if one & cause.blocks)


def _clears(state: State, cause: Cause) -> str:
    """What has to be so before it is over, and for how long before a reset."""
    if cause.check < 0:
        return "nothing more"
    check = state.rules.checks[cause.check]
    if cause.reset is Reset.AUTO and cause.reaction <= Reaction.BLOCK:
        level = next((x for x in check.levels if (x.row, x.reaction) == (cause.row, cause.reaction)), None)
        return _past(check, level, level.clear) if level else "a reading that can be believed"
    level = max(check.levels, key=lambda x: (x.row == cause.row, x.reaction))
    return f"{_past(check, level, check.clear)} for {CLEAR_S:g} s"


def _past(check: Check, level: Level, clear: float) -> str:
    if is_flag(check, level):
        return "no longer so"
    return f"{check.name} ≤ {clear:g} {check.unit}".rstrip()


def _nearly(state: State, moment: Moment) -> Iterator[Nearly]:
    """Levels whose limit is reached while something keeps them from acting."""
    for check, watch in zip(state.rules.checks, state.watches, strict=True):
        taken = check.measure.take(watch.memory, moment.samples, moment.now_s)
        number = check.bad_as if taken.fault and check.bad_as is not None else taken.number
        worst = watch.cause.reaction if watch.cause else Reaction.NONE
        for bit, level in enumerate(check.levels):
            if number >= level.limit and level.reaction > worst and not watch.standing >> bit & 1:
                yield Nearly(level.row, check.name, level.reaction, _why_not(level, watch.since[bit], moment))


def _why_not(level: Level, began_s: float | None, moment: Moment) -> str:
    if not level.when(moment.facts):
        return f"only in force: {when_words(level.when)}"
    stood_s = moment.now_s - began_s if began_s is not None else 0.0
    return f"acts when it has lasted for {level.persist_s:g} s; it has for {max(stood_s, 0):.3g} s"
