"""What follows from a state: permits, what an abort means, which heaters are off, and the alarms for people."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import inf

from ald_controller.interlocks.core import Cause, State
from ald_controller.interlocks.measures import Input, Quality, Sample, Samples
from ald_controller.interlocks.suppression import ABORT, explained
from ald_controller.interlocks.table import Blocks, Check, Facts, Reaction, Reset, Row, RuleSet


def permit(state: State) -> bool:
    """Whether a source may be opened now."""
    return not state.blocked & Blocks.PULSE


def may_start(state: State) -> bool:
    """Whether a run may begin now: nothing blocks it and nothing is latched."""
    return not state.blocked & Blocks.START and not state.latched


def abort_reaction(facts: Facts) -> Reaction:
    """What an abort means here: purge behind a gate that is proven shut and under vacuum, else isolate."""
    under_vacuum = facts.chamber in ("VACUUM", "PUMPING_DOWN")
    return Reaction.ABORT_PURGE if facts.gate_proven_shut and under_vacuum else Reaction.ABORT_ISOLATE


def response(state: State, facts: Facts) -> Reaction:
    """The level with an abort made into the one that fits what the chamber is open to."""
    if state.level is Reaction.ABORT_PURGE:
        return abort_reaction(facts)
    return state.level


def gate_proven_shut(rules: RuleSet, samples: Samples, now_s: float) -> bool:
    """Whether the shut and the locked contact are both GOOD, fresh and closed; never true without both contacts."""
    return bool(rules.gate) and all(_closed(source, samples.get(source.signal), now_s) for source in rules.gate)


def _closed(source: Input, sample: Sample | None, now_s: float) -> bool:
    if sample is None or source.fault(sample, now_s):
        return False
    return sample.quality is Quality.GOOD and sample.value == 1


def heaters_off(state: State) -> frozenset[str]:
    """The zones whose heaters must be off: those with a thermal cause of HOLD or above, all lithium zones at an abort.

    An abort for any reason is an abort of the heaters too; this names what the interlocks know of zones.
    """
    every = state.rules.lithium_zones if state.level >= Reaction.ABORT_PURGE else ()
    return frozenset((*every, *_hot(state, Reaction.HOLD)))


def heat_ceiling_c(state: State) -> float:
    """What zones that touch lithium may be asked for at most, in °C; infinity where nothing says so."""
    if not (state.active or state.latched):
        return inf
    checks = state.rules.checks
    standing = (c for c in state.active + state.latched if c.check >= 0 and c.reaction >= Reaction.HOLD)
    return min((cool for c in standing if (cool := checks[c.check].cool_c) is not None), default=inf)


def contactor_off(state: State) -> bool:
    """Whether the contactor of the lithium zones must be open: one of theirs aborts, or the E-stop chain is open."""
    return state.level >= Reaction.ESTOP or bool(_hot(state, Reaction.ABORT_PURGE) & {*state.rules.lithium_zones})


def source_contactor_off(state: State) -> bool:
    """Whether the contactor of sources and lines must be open: a thermal cause of one of them aborts."""
    return bool(_hot(state, Reaction.ABORT_PURGE) - {*state.rules.lithium_zones})


def _hot(state: State, least: Reaction) -> set[str]:
    if not (state.active or state.latched):
        return set()
    checks = state.rules.checks
    causes = (c for c in state.active + state.latched if c.check >= 0 and c.reaction >= least)
    return {checks[c.check].zone for c in causes} - {""}


@dataclass(frozen=True, slots=True)
class AlarmView:
    """One alarm for people. `consequence_of` names the row that explains it, "" for a cause in its own right.

    `signed` = only somebody who signs a register ends it, and so knows of it.
    """

    row: str
    name: str
    reaction: Reaction
    detail: str
    text: str
    since_s: float
    live: bool
    latched: bool
    first_out: bool
    reset: Reset
    consequence_of: str
    words: Row
    signed: bool = False


ABORTED = Row(
    ABORT, "The tool was aborted", "The run is over, and nothing starts until a reset.",
    "Look at the tool and at the record of the run, and reset.", "medium",
)  # fmt: skip


UNGUARDED = "It computes with what was measured on this one reactor, so nothing starts without it."
COMMISSION = "Measure it, and sign for it in its register."


def alarms(state: State, abort: Cause | None = None) -> tuple[AlarmView, ...]:
    """Every live or latched cause, first-out first, then by severity and age; an `abort` that stands is one of them."""
    latched = {(c.row, c.name): c for c in (*state.latched, *([abort] if abort else []))}
    live = {(c.row, c.name): c for c in state.active}
    causes = live | latched
    told = explained(state, causes.values())
    out = state.first_out.cause if state.first_out else abort
    first = (out.row, out.name) if out else None
    views = [_view(state, c, key in live, key in latched, key == first, told.get(key, "")) for key, c in causes.items()]
    return tuple(sorted(views, key=lambda v: (not v.first_out, -v.reaction, v.since_s)))


def _view(state: State, cause: Cause, live: bool, latched: bool, first: bool, root: str) -> AlarmView:
    row = words_of(state, cause)
    text = f"{row.cause}: {cause.detail}. {row.consequence} {row.action}"
    return AlarmView(
        cause.row,
        cause.name,
        cause.reaction,
        cause.detail,
        text,
        cause.since_s,
        live,
        latched,
        first,
        cause.reset,
        root,
        row,
        _signed(state, cause),
    )


def words_of(state: State, cause: Cause) -> Row:
    """The words of a cause's row, of an abort, or of a row that cannot guard because nobody has commissioned it."""
    if cause.row == ABORT:
        return ABORTED
    row = state.rules.rows[cause.row]
    if cause.check < 0 or not _never_commissioned(state.rules.checks[cause.check]):
        return row
    return replace(row, cause=f"Row {row.id} cannot guard", consequence=UNGUARDED, action=COMMISSION, priority="medium")


def _never_commissioned(check: Check) -> bool:
    return "never commissioned" in check.says


def _signed(state: State, cause: Cause) -> bool:
    """Whether all that this cause looks at is what people have signed for."""
    if cause.check < 0:
        return False
    check = state.rules.checks[cause.check]
    inputs = check.measure.inputs
    return _never_commissioned(check) or (bool(inputs) and all(i.signal.startswith("register.") for i in inputs))
