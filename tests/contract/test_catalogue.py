"""Every fault of the catalogue at every driver: a right value, a named error or a flag, never silently wrong."""

from __future__ import annotations

import pytest

from drivers.catalogue import CATALOGUE
from simulators.faults_catalogue import KINDS, LINE
from tests import faults_page
from tests.contract.cases import Case
from tests.contract.catalogue import GIVE_UP, LIES, NOT_ON_THE_WIRE, ROWS, SLACK_S, Row, all_cases, cell

CASES = all_cases()
PAIRS = [(case, row) for case in CASES for row in ROWS if row.applies(case)]
HARMLESS = {"late by 0.5 time-outs", "byte by byte", "truncated, the rest soon"}
ALWAYS_NAMED = {"no reply", "nothing heard", "checksum", "late by 10 time-outs", "another unit", "echo alone"}


def ids(one: Case | Row) -> str:
    return one.name


@pytest.mark.parametrize(("case", "row"), PAIRS, ids=ids)
def test_a_fault_ends_in_a_right_value_or_a_word_and_is_over_when_it_is_over(case: Case, row: Row) -> None:
    came = cell(case.name, row.name)
    if row.name not in LIES | case.silent_about:
        assert came.came["WRONG"] == 0, came.wrong
    assert came.came["believed"] == 0, "a write that was not done passed for done"
    assert came.recovered_s <= GIVE_UP * case.slowest_s + SLACK_S


@pytest.mark.parametrize(("case", "row"), [pair for pair in PAIRS if pair[1].name in HARMLESS], ids=ids)
def test_what_a_line_may_do_costs_nothing(case: Case, row: Row) -> None:
    assert set(+cell(case.name, row.name).came) == {"right"}


@pytest.mark.parametrize(
    ("case", "row"),
    [(case, row) for case, row in PAIRS if row.must_be_noticed(case) or row.name in ALWAYS_NAMED],
    ids=ids,
)
def test_what_must_not_pass_without_a_word_does_not(case: Case, row: Row) -> None:
    assert set(+cell(case.name, row.name).came) & set(faults_page.LETTERS)


@pytest.mark.parametrize(
    ("case", "name"),
    [(case, name) for case in CASES for name in sorted(case.silent_about)],
    ids=lambda one: str(one)[:40],
)
def test_what_is_said_to_be_invisible_really_is(case: Case, name: str) -> None:
    """So that no excuse outlives its reason."""
    assert cell(case.name, name).came["WRONG"] > 0


def test_every_driver_and_every_kind_of_fault_is_tried() -> None:
    assert {type(case.driver(None)).__name__ for case in CASES} >= {  # type: ignore[arg-type]
        entry.driver.__name__ for entry in CATALOGUE.values()
    }
    assert {row.kind for row in ROWS} == {*KINDS, *LINE}


def test_what_is_not_visible_names_its_other_guard() -> None:
    assert LIES.union(*(case.silent_about for case in CASES)) == set(NOT_ON_THE_WIRE)


def test_the_page_of_faults_is_up_to_date() -> None:
    page = faults_page.PAGE.read_text("utf-8")
    assert page == faults_page.with_table(page, faults_page.table()), "run python -m tests.faults_page"
