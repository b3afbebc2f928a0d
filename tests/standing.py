"""States of the interlocks as a sentence wants them: a table of plain checks, and causes that stand."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ald_controller.interlocks import (
    Blocks,
    Cause,
    Check,
    Facts,
    FirstOut,
    Input,
    Level,
    Reaction,
    Reset,
    RuleSet,
    State,
    boot,
)
from ald_controller.interlocks.measures import Value
from tests.interlock_bench import WORDS


def plain_rules(*rows: str, zone: str = "", device: str = "dev", link: str = "") -> RuleSet:
    """One check a row, of one input each; `link` names the row whose check is the link of the device."""
    levels = [Level(row, Reaction.ABORT_PURGE, 1.0, 0.0, Reset.L1, lambda facts: True) for row in rows]
    checks = tuple(
        Check(row, Value(Input(f"{device}.{row}", 0, 9)), (level,), None, row, zone=zone, device=device,
              link=row == link)
        for row, level in zip(rows, levels, strict=True)
    )  # fmt: skip
    return RuleSet(checks, WORDS)


def cause_of(check: int, row: str, at_s: float, reaction: Reaction = Reaction.ABORT_PURGE, **more: Any) -> Cause:
    """A cause of this check, an abort unless another reaction is given."""
    return replace(Cause(check, row, row, reaction, Reset.L1, Blocks.ALL, at_s, "as it was"), **more)


def standing(rules: RuleSet, *causes: Cause) -> State:
    """These causes latched, the first of them first-out."""
    return replace(boot(rules, 0.0), latched=causes, first_out=FirstOut(causes[0], Facts(), {}))
