"""K15 of the proof test: an interlock that nobody has tried for long is not one that can be trusted with lithium.

| name                    | value                                     |
| register.proof_passed   | 1 while the newest proof test counts      |
| register.proof_age_days | its age in days; absent when there is none |
"""

from __future__ import annotations

from dataclasses import replace
from math import inf

from ald_controller.interlocks.measures import Input, NotSet, Value
from ald_controller.interlocks.setting import always, lithium
from ald_controller.interlocks.table import Blocks, Check, Level, Reaction, Reset

PASSED, AGE = "register.proof_passed", "register.proof_age_days"
WARN_DAYS, BLOCK_DAYS = 30.0, 90.0
AHEAD_DAYS = -1.0  # a date further ahead than this is none


def proof() -> list[Check]:
    """The newest proof test of this tool has passed, and is not overdue: 30 days warn, 90 bar lithium from starting."""
    passed, age = Input(PASSED, 0, 1), Input(AGE, AHEAD_DAYS, inf)
    warn = Level("K15", Reaction.WARN, 1, 0, Reset.AUTO, always)
    block = Level("K15", Reaction.BLOCK, 1, 0, Reset.AUTO, lithium, blocks=Blocks.START)
    old = (
        replace(warn, limit=WARN_DAYS, clear=WARN_DAYS - 1),
        replace(block, limit=BLOCK_DAYS, clear=BLOCK_DAYS - 1),
    )
    none = "the newest proof test has not passed, or a line failed since, or none counts here: `ald proof-test`"
    overdue = "the newest proof test is {number:.0f} days old, {limit:g} are the limit: `ald proof-test`"
    return [
        Check(PASSED, NotSet(passed), (warn, block), 1, "K15", "K15", says=none),
        Check(AGE, Value(age), old, BLOCK_DAYS, "K15", "K15", "days", overdue),
    ]
