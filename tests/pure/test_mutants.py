"""The table of mutants that no sentence notices, and what is kept of a run that was stopped."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.engine_coverage import ROOT
from tests.mutants.lab import (
    CORE_LABS,
    ENGINE_LAB,
    ROW_LABS,
    Change,
    Lab,
    Subject,
    explained,
    fingerprint,
    still_killed,
)

INTERLOCK_LABS = (*CORE_LABS, *ROW_LABS)
KNOWN = [(subject, change) for subject in (ENGINE_LAB, *INTERLOCK_LABS) for change in explained(subject)]


@pytest.mark.parametrize(("subject", "change"), KNOWN, ids=[str(change) for _, change in KNOWN])
def test_an_explained_mutant_changes_a_line_that_is_there(subject: Subject, change: Change) -> None:
    module, _, _ = change.where.partition(": ")
    (source,) = [name for name in subject.sources if name.endswith(f"/{module}")]
    lines = [line.strip() for line in (ROOT / source).read_text("utf-8").splitlines()]
    assert change.was in lines and change.became not in lines


def test_what_is_known_of_a_mutant_is_not_forgotten_when_mutmut_forgot_it() -> None:
    lab = Lab("these", fate={"a": "killed", "b": "not checked", "c": "not checked"})
    lab.learn({"a": "not checked", "b": "survived", "c": "not checked"})
    assert lab.fate == {"a": "killed", "b": "survived", "c": "not checked"} and lab.left == ["c"]


def test_the_score_is_of_all_mutants_and_those_that_never_end_are_noticed() -> None:
    assert Lab("these", fate={"a": "killed", "b": "timeout", "c": "survived", "d": "no tests"}).score == 0.5


def test_every_module_of_the_interlocks_is_broken_in_one_family() -> None:
    broken = [source for lab in INTERLOCK_LABS for source in lab.sources]
    modules = {path.relative_to(ROOT).as_posix() for path in (ROOT / "ald_controller" / "interlocks").glob("*.py")}
    assert len(broken) == len(set(broken))
    assert {path.rpartition("/")[2] for path in modules - set(broken)} == {"__init__.py", "words.py"}
    assert all((ROOT / each).is_file() for lab in INTERLOCK_LABS for each in (*lab.sources, *lab.sentences))


def test_killed_stays_killed_when_sentences_join_and_nothing_else_changes() -> None:
    subject = replace(ROW_LABS[0], sentences=ROW_LABS[0].sentences[:1])
    of, fate = fingerprint(subject), {"a": "killed", "b": "survived", "c": "timeout", "d": "not checked"}
    known = Lab(of, list(subject.sentences), list(subject.needs), fate)
    more = replace(subject, sentences=ROW_LABS[0].sentences)
    assert still_killed(more, known) == {"a": "killed", "b": "not checked", "c": "timeout", "d": "not checked"}
    assert still_killed(subject, known) == {}  # nothing has joined: whatever differs is not a sentence
    assert still_killed(replace(more, sources=more.sources[:1]), known) == {}
    other = replace(subject, sentences=ROW_LABS[0].sentences[1:])
    assert still_killed(other, known) == {}  # one was taken away
