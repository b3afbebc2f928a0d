"""Taking a row out of action for a while: who may, which rows, for how long, and never with what burns at the tool."""

from __future__ import annotations

from dataclasses import replace

from ald_controller.config import Role
from ald_controller.interlocks.core import SLACK_S, Bypass, State, spent_by
from ald_controller.interlocks.matrix import MATRIX
from ald_controller.interlocks.table import Facts

BYPASS_S = 3600.0  # no bypass lasts longer
LIVE_S = BYPASS_S  # so long live before its hour begins anew: a row is never out for more than half of the time


class BypassRefused(Exception):
    """A bypass was not accepted and nothing changed; says why."""


def bypass(state: State, asked: Bypass, facts: Facts, role: Role) -> State:
    """The state with one row out of action from `asked.since_s` to `asked.until_s`, for the rows that allow it.

    Its hour began with the first one since the row was live for `LIVE_S`; that beginning is kept. Raises BypassRefused
    for any other row, a role below owner, a missing reason, an end past that hour, a second bypass at a time, and with
    lithium or a pyrophoric at the tool.
    """
    if why := _why_not_bypassed(state, asked, facts, role):
        raise BypassRefused(why)
    return replace(state, bypasses=(replace(asked, since_s=_first_s(state, asked)),))


def _first_s(state: State, asked: Bypass) -> float:
    """When this row was first taken out without being live for `LIVE_S` since."""
    spent = (b for b in state.spent if asked.since_s - b.until_s < LIVE_S)
    return min((b.since_s for b in (*spent, *state.bypasses) if b.row == asked.row), default=asked.since_s)


def _why_not_bypassed(state: State, asked: Bypass, facts: Facts, role: Role) -> str:
    hazard = MATRIX.get(asked.row)
    if hazard is None:
        return f"there is no row {asked.row[:20]}"
    if not hazard.override:
        return f"row {asked.row} can never be bypassed; those that can: {', '.join(overridable())}"
    if role != "owner":
        return "only the owner bypasses a row"
    if facts.lithium:
        return "nothing is bypassed with lithium in the chamber, or with an unknown load"
    if facts.pyrophoric:
        return "nothing is bypassed while a bottle that burns in air hangs at the tool, or an unknown one"
    if not asked.reason.strip():
        return "say why it is bypassed: the reason goes into the record"
    if not 0 < asked.until_s - asked.since_s <= BYPASS_S + SLACK_S:
        return f"a bypass lasts at most {BYPASS_S / 60:.0f} min"
    first_s = _first_s(state, asked)
    if asked.until_s - first_s > BYPASS_S + SLACK_S:
        return _hour_used(asked, first_s)
    others = [b.row for b in state.bypasses if b.row != asked.row]
    return f"row {others[0]} is bypassed already: one at a time" if others else ""


def _hour_used(asked: Bypass, first_s: float) -> str:
    left_min = max(0.0, BYPASS_S - (asked.since_s - first_s)) / 60
    began = f"row {asked.row} was taken out {(asked.since_s - first_s) / 60:.0f} min ago"
    rest = f"its {BYPASS_S / 60:.0f} min begin anew once it was live for {LIVE_S / 60:.0f} min"
    return f"{began}: {int(left_min)} min are left, and {rest}"


def overridable() -> list[str]:
    """The rows that an owner may bypass at all."""
    return [hazard.id for hazard in MATRIX.values() if hazard.override]


def restore(state: State, row: str) -> State:
    """The state with this row live again from the next scan on; raises BypassRefused when it is not bypassed."""
    if all(b.row != row for b in state.bypasses):
        raise BypassRefused(f"row {row[:20]} is not bypassed")
    kept = tuple(b for b in state.bypasses if b.row != row)
    return replace(state, bypasses=kept, spent=spent_by(state, kept, state.at_s))
