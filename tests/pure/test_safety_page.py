"""The page of the hazard matrix says what the code does: limits, resets and targets, of every row."""

from __future__ import annotations

import re

import yaml

from ald_controller.interlocks import MATRIX
from tests.safety_page import BEGIN, END, PAGE, REASONS, table

TIMES = re.compile(r"(\| )(?:[0-9.]+ s: |-: )?[^|]*( \| [^|]* \|)$")  # measured, which differs from run to run


def _unmeasured(line: str) -> str:
    return TIMES.sub(r"\1…\2", line)


def test_the_page_has_the_limits_of_the_code() -> None:
    _, _, rest = PAGE.read_text("utf-8").partition(BEGIN)
    written, _, _ = rest.partition(END)
    shown = [_unmeasured(line) for line in written.splitlines() if line.startswith("| **")]
    meant = [_unmeasured(line) for line in table({}) if line.startswith("| **")]
    assert shown == meant, "python -m tests.safety_page writes it anew after ./test rows"


def test_every_row_has_its_reason() -> None:
    assert set(yaml.safe_load(REASONS.read_text("utf-8"))) == set(MATRIX)
