"""Every row of the hazard matrix as one tool guards it: its limits in words and numbers."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from ald_controller.interlocks import MATRIX, Check, Guard, Level, Priority, Reaction, Reset, RuleSet
from ald_controller.interlocks.table import Blocks

_RESETS = {
    Reset.AUTO: "by itself",
    Reset.L1: "an operator's reset",
    Reset.L2: "an owner's reset, with a reason",
    Reset.L3: "the button at the tool and then an owner's reset, with a reason",
}
_BLOCKS = {Blocks.PULSE: "openings", Blocks.START: "starts", Blocks.GATE: "the gate"}
_ROWS_IN = re.compile(r"\b([TCGK][0-9]{1,2})(?:-([TCGK]?)([0-9]{1,2}))?\b")


@dataclass(frozen=True, slots=True)
class LimitShown:
    """One level of one check. `limit` and `clear` are in `unit`; `flag` = it is a condition and not a number."""

    name: str
    what: str
    limit: float
    clear: float
    unit: str
    flag: bool
    persist_s: float
    reaction: str
    blocks: str
    reset: str
    when: str
    unbelievable: str  # what an input that cannot be believed does to it
    signals: tuple[str, ...]
    zone: str
    fixed: bool


@dataclass(frozen=True, slots=True)
class RowShown:
    """One row. `not_guarded` are sentences of what this tool does not guard of it."""

    id: str
    guard: str
    cause: str
    consequence: str
    action: str
    priority: Priority
    target_s: float | None
    override: bool
    limits: tuple[LimitShown, ...]
    not_guarded: tuple[str, ...]


def matrix_of(rules: RuleSet) -> tuple[RowShown, ...]:
    """All rows in the order of the matrix; those that others guard stand there without limits."""
    limits: dict[str, list[LimitShown]] = {id: [] for id in MATRIX}
    for check in rules.checks:
        for level in check.levels:
            limits[level.row].append(_limit(check, level))
    absent: dict[str, list[str]] = {id: [] for id in MATRIX}
    for sentence in rules.not_guarded:
        for id in rows_named(sentence):
            absent[id].append(sentence)
    return tuple(
        RowShown(
            hazard.id, hazard.guard.value, row.cause, row.consequence, row.action, row.priority, hazard.target_s,
            hazard.override, tuple(limits[hazard.id]), tuple(absent[hazard.id]),
        )
        for hazard in MATRIX.values() for row in [rules.rows[hazard.id]]
    )  # fmt: skip


def rows_named(sentence: str) -> list[str]:
    """The rows that a sentence of what is not guarded begins with: `C3, C4: …`, `C7-C11: …`."""
    head = sentence.split(":", 1)[0]
    out: list[str] = []
    for first, _, last in _ROWS_IN.findall(head):
        numbers = range(int(first[1:]), int(last or first[1:]) + 1)
        out += [id for n in numbers if (id := f"{first[0]}{n}") in MATRIX]
    return out


def elsewhere(guard: str) -> str:
    """A sentence for a row that the table does not evaluate."""
    return {
        Guard.VALVES.value: "held by the valve process and the module's own watchdog",
        Guard.PLANNER.value: "the recipe is refused before anything moves",
        Guard.DOORS.value: "the command is refused",
        Guard.HARDWARE.value: "acts in hardware beside this software",
    }.get(guard, "")


def _limit(check: Check, level: Level) -> LimitShown:
    bad = "is seen by this check itself"
    if check.bad_as is not None:
        bad = "counts as reaching it" if check.bad_as >= level.limit else "does not count as reaching it"
    flag = is_flag(check, level)
    return LimitShown(
        check.name, _what(check, level, flag), level.limit, level.clear, check.unit, flag, level.persist_s,
        level.reaction.name, _blocked(level), resets_by(level.reset), when_words(level.when), bad,
        tuple(i.signal for i in check.measure.inputs), check.zone, level.fixed,
    )  # fmt: skip


def is_flag(check: Check, level: Level) -> bool:
    """Whether the number only says that something is so, or is not: nothing that a person would read off."""
    return not check.unit and level.limit in (1.0, 2.0) and level.clear in (0.0, 1.0)


def _what(check: Check, level: Level, flag: bool) -> str:
    if flag:
        return check.says.format(name=check.name, number=level.limit, limit=level.limit, unit=check.unit).rstrip()
    return f"{check.name} ≥ {level.limit:g} {check.unit}".rstrip()


def _blocked(level: Level) -> str:
    if level.reaction is not Reaction.BLOCK:
        return ""
    return ", ".join(words for one, words in _BLOCKS.items() if one & level.blocks)


def resets_by(reset: Reset) -> str:
    """Who ends a cause."""
    return _RESETS[reset]


def when_words(when: Callable[..., bool]) -> str:
    """When a level is in force: the first sentence that its function says of itself, else its name in words."""
    function = when.func if isinstance(when, partial) else when
    told = (function.__doc__ or "").strip().split("\n")[0].rstrip(".")
    words = told or function.__name__.strip("_").replace("_", " ")
    if isinstance(when, partial):
        words += f" ({', '.join(map(str, when.args))})"
    return words[:1].lower() + words[1:]
