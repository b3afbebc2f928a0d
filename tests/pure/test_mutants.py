"""The table of mutants that no sentence notices, and what is kept of a run that was stopped."""

from __future__ import annotations

import pytest

from tests.engine_coverage import ROOT
from tests.mutants.lab import ENGINE_LAB, INTERLOCKS_LAB, Change, Lab, Subject, explained

KNOWN = [(subject, change) for subject in (ENGINE_LAB, INTERLOCKS_LAB) for change in explained(subject)]


@pytest.mark.parametrize(("subject", "change"), KNOWN, ids=[str(change) for _, change in KNOWN])
def test_an_explained_mutant_changes_a_line_that_is_there(subject: Subject, change: Change) -> None:
    module, _, _ = change.where.partition(": ")
    (source,) = [name for name in subject.sources if name.endswith(f"/{module}")]
    lines = [line.strip() for line in (ROOT / source).read_text("utf-8").splitlines()]
    assert change.was in lines and change.became not in lines


def test_what_is_known_of_a_mutant_is_not_forgotten_when_mutmut_forgot_it() -> None:
    lab = Lab("these", {"a": "killed", "b": "not checked", "c": "not checked"})
    lab.learn({"a": "not checked", "b": "survived", "c": "not checked"})
    assert lab.fate == {"a": "killed", "b": "survived", "c": "not checked"} and lab.left == ["c"]


def test_the_score_is_of_all_mutants_and_those_that_never_end_are_noticed() -> None:
    assert Lab("these", {"a": "killed", "b": "timeout", "c": "survived", "d": "no tests"}).score == 0.5
