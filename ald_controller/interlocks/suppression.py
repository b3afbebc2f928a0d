"""Which alarm is only the consequence of another one: a table with its reasons, for what people are shown.

It decides nothing but what is announced: every cause acts, latches and stands in the record whether it is suppressed
here or not. A critical row is never suppressed, nor the first-out, nor a cause that asks for more than what explains
it, except that a dead link explains whatever it made old. A constant that was never commissioned is nobody's
consequence, and explains nothing: a person has to type it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ald_controller.interlocks.core import Cause, State
from ald_controller.interlocks.setting import device_of
from ald_controller.interlocks.table import EVERYTHING, Check, Reaction
from ald_controller.interlocks.thermal_measures import Uncommissioned

ABORT = "abort"  # the row of an abort: what a person, or an interlock, has asked for
_FROM_VALVES = frozenset({"asked.contactor", "asked.stop_shut"})  # read from the word that the valve process reports


@dataclass(frozen=True, slots=True)
class Suppression:
    """While an alarm of `causes` stands, a later one of `consequences` is its consequence, and `why`.

    `same_zone` and `same_device` narrow it to what shares a heated zone, or a device, with the cause.
    """

    causes: frozenset[str]
    consequences: frozenset[str]
    why: str
    same_zone: bool = False
    same_device: bool = False


def _because(causes: str, consequences: str, why: str, **narrow: bool) -> Suppression:
    return Suppression(frozenset(causes.split()), frozenset(consequences.split()), why, **narrow)


SUPPRESSIONS: tuple[Suppression, ...] = (
    _because("K18", "K3 K6 K20 C7 C8 C9 C15 T2 T3", "the E-stop chain takes the supply of pilots and contactors away"),
    _because("K6", "K3 K4 K14 K20 C7 C8 C9 C15 G7 G8 T2 T3 T7", "what has no supply neither acts nor answers"),
    _because("K20", "K3 C4 C9 T2", "the alive relay takes the supply of pilots and contactors away"),
    _because("K17", "K1 K14", "a controller that is late beats the lease late and reads late"),
    _because("K1 K2", "K1 K3 C9", "a valve process without its guard, or without life, holds no word at the module"),
    _because("K3", "K3 K1 C9", "one module that is lost is told by each of its flags", same_device=True),
    _because("C15", "C2 C3 C4 C9", "valves without air stand half open"),
    _because("G8", "C2 C4 C6 C7", "nothing flows without argon"),
    _because("C7", "C2 C4 C6", "without carrier neither a dose nor a purge looks as it should"),
    _because("C8", "C2 C3 C11", "without pump the pressure stays"),
    _because("C9", "C2 C3 C8 C11", "with the stop valve in the wrong place the pressure is not that of this step"),
    _because("C3", "C2 C6 C11", "what still flows keeps the pressure up"),
    _because("C11", "C2", "what leaks in keeps the pressure up"),
    _because("T7", "T2 T3 T4 T6", "a reading that cannot be believed looks like every other fault", same_zone=True),
    _because("T1 T2 T3 T4 T5", "T2 T3 T4 T6", "one fault of a heater or a sensor has many faces", same_zone=True),
    _because("G3", "G5 G6", "an open gate joins the pressures of chamber and box"),
    _because(ABORT, "C2 C4 C6 C7 C9 T2 T3 T6 T8", "an abort shuts valves, cuts flows and takes heaters off"),
)  # fmt: skip
_CONSEQUENCE_OF = {
    row: tuple(s for s in SUPPRESSIONS if row in s.consequences)
    for row in {row for s in SUPPRESSIONS for row in s.consequences}
}


def explained(state: State, causes: Iterable[Cause]) -> dict[tuple[str, str], str]:
    """(row, name) of each of these causes that is a consequence -> the row that explains it.

    A chain is told by its first link. `causes` are all that stand, an abort among them.
    """
    first = state.first_out.cause if state.first_out else None
    told: dict[tuple[str, str], str] = {}
    before: list[Cause] = []
    for cause in sorted(
        causes, key=lambda c: (c.since_s, not _is(c, first), not _link(state, c), -c.reaction, c.check)
    ):
        if not _is(cause, first) and (root := _root(state, cause, before)):
            told[cause.row, cause.name] = told.get((root.row, root.name), root.row)
        before.append(cause)
    return told


def _is(cause: Cause, first: Cause | None) -> bool:
    return first is not None and (cause.row, cause.name) == (first.row, first.name)


def _root(state: State, cause: Cause, before: list[Cause]) -> Cause | None:
    """The first of those before it that explains this cause."""
    row = state.rules.rows.get(cause.row)
    if row is not None and row.priority == "critical":
        return None
    if cause.unread and (start := next((c for c in before if c.row == "K5"), None)):
        return start  # inputs come up one by one after a start
    return next((c for c in before if _explains(state, c, cause)), None)


def _explains(state: State, cause: Cause, later: Cause) -> bool:
    if later.row == ABORT:
        return later.detail.startswith(f"{cause.row} ")  # the guard says for which row it aborts
    if _stale_by(state, cause, later):
        return True
    if later.reaction > cause.reaction or _unfinished(state, cause) or _unfinished(state, later):
        return False
    aborted = cause.reaction >= Reaction.ABORT_PURGE and cause.row != "K5"
    return any(
        (cause.row in s.causes or (aborted and ABORT in s.causes)) and _close_enough(state, s, cause, later)
        for s in _CONSEQUENCE_OF.get(later.row, ())
    )


def _close_enough(state: State, narrow: Suppression, cause: Cause, later: Cause) -> bool:
    one, other = _check(state, cause), _check(state, later)
    if narrow.same_zone:
        return bool(one and other and one.zone and one.zone == other.zone)
    if narrow.same_device:
        return bool(one and other and one.device and one.device == other.device)
    return True


def _check(state: State, cause: Cause) -> Check | None:
    return state.rules.checks[cause.check] if cause.check >= 0 else None


def _unfinished(state: State, cause: Cause) -> bool:
    check = _check(state, cause)
    return check is not None and isinstance(check.measure, Uncommissioned)


def _link(state: State, cause: Cause) -> bool:
    check = _check(state, cause)
    return check is not None and check.link


def _stale_by(state: State, cause: Cause, later: Cause) -> bool:
    """Whether `cause` is the dead link of a device that `later` reads, and is late for that."""
    line, check = _check(state, cause), _check(state, later)
    if line is None or check is None or not line.link:
        return False
    if line.device == EVERYTHING:  # a scan that came late: what it found dead, nobody had looked at
        return later.since_s == cause.since_s and (check.link or later.row == check.late_row)
    if check.link or later.row != check.late_row:
        return False
    return any(_source_of(i.signal) == line.device for i in check.measure.inputs)


def _source_of(signal: str) -> str:
    return "valves" if signal in _FROM_VALVES else device_of(signal)
