"""Which alarm is told as the consequence of another one: pairs, dead links, late scans, and what never is."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ald_controller.interlocks import (
    ABORT,
    MATRIX,
    SUPPRESSIONS,
    Blocks,
    Cause,
    Facts,
    FirstOut,
    Input,
    Reaction,
    Reset,
    State,
    Suppression,
    alarms,
    boot,
)
from ald_controller.interlocks.measures import Value
from ald_controller.interlocks.suppression import _because
from ald_controller.interlocks.table import EVERYTHING
from ald_controller.interlocks.thermal_measures import Uncommissioned
from tests.interlock_bench import WORDS
from tests.standing import cause_of, plain_rules, standing

WARN, HOLD, PURGE, ISOLATE = Reaction.WARN, Reaction.HOLD, Reaction.ABORT_PURGE, Reaction.ABORT_ISOLATE


def _root(state: State, row: str, abort: Cause | None = None) -> str:
    return next(v.consequence_of for v in alarms(state, abort) if v.row == row)


PAIRS = [
    (cause, later, s)
    for s in SUPPRESSIONS for cause in sorted(s.causes) for later in sorted(s.consequences) if cause != later
]  # fmt: skip


def test_every_row_of_the_table_exists_and_has_its_reason() -> None:
    for s in SUPPRESSIONS:
        assert s.causes | s.consequences <= {*MATRIX, ABORT} and len(s.why) > 10
        assert not any(WORDS[row].priority == "critical" for row in s.consequences), s


@pytest.mark.parametrize(("cause", "later", "rule"), PAIRS, ids=lambda x: x if isinstance(x, str) else "")
def test_each_consequence_of_the_table_is_told_as_one(cause: str, later: str, rule: object) -> None:
    rules = plain_rules(cause if cause != ABORT else "K4", later, zone="substrate", device="dev")
    first = cause_of(0 if cause != ABORT else -1, cause, 1.0)
    second = cause_of(1, later, 2.0)
    if cause == ABORT:
        state = replace(boot(rules, 0.0), latched=(second,), first_out=None)
        assert _root(state, later, first) == ABORT
    else:
        assert _root(standing(rules, first, second), later) == cause
        # whatever came before is no consequence
        assert _root(standing(rules, replace(first, since_s=3.0), second), later) == ""


def test_what_asks_for_more_than_its_cause_is_announced() -> None:
    rules = plain_rules("C7", "C2")
    worse = standing(rules, cause_of(0, "C7", 1.0, HOLD), cause_of(1, "C2", 2.0, PURGE))
    assert _root(worse, "C2") == ""


@pytest.mark.parametrize("row", [row for row in MATRIX if WORDS[row].priority == "critical"])
def test_a_critical_row_is_never_suppressed(row: str) -> None:
    for cause in MATRIX:
        if cause != row:
            rules = plain_rules(cause, row, zone="substrate", device="dev", link=cause)
            assert _root(standing(rules, cause_of(0, cause, 1.0, ISOLATE), cause_of(1, row, 2.0)), row) == ""


def test_the_first_out_is_never_suppressed() -> None:
    rules = plain_rules("C7", "C2")
    state = standing(rules, cause_of(0, "C7", 1.0), cause_of(1, "C2", 2.0))
    first = replace(state, first_out=FirstOut(state.latched[1], Facts(), {}))
    assert _root(first, "C2") == ""


def test_a_constant_that_was_never_commissioned_is_no_consequence_and_explains_nothing() -> None:
    rules = plain_rules("C9", "C2")
    state = standing(rules, cause_of(0, "C9", 1.0), cause_of(1, "C2", 2.0))
    assert _root(state, "C2") == "C9"
    for unfinished in range(2):
        checks = tuple(
            replace(check, measure=Uncommissioned()) if i == unfinished else check
            for i, check in enumerate(rules.checks)
        )
        assert _root(replace(state, rules=replace(rules, checks=checks)), "C2") == ""


def test_faces_of_one_fault_are_one_zones_and_not_anothers() -> None:
    one = plain_rules("T2", "T6", zone="substrate")
    other = replace(one, checks=(one.checks[0], replace(one.checks[1], zone="chamber")))
    causes = cause_of(0, "T2", 1.0, HOLD), cause_of(1, "T6", 2.0, HOLD)
    assert _root(standing(one, *causes), "T6") == "T2"
    assert _root(standing(other, *causes), "T6") == ""


def test_flags_of_one_module_are_one_alarm_and_another_module_is_another() -> None:
    one = plain_rules("K3", "K1", device="valves")
    other = replace(one, checks=(one.checks[0], replace(one.checks[1], device="coupler-b")))
    causes = cause_of(0, "K3", 1.0), cause_of(1, "K1", 2.0)
    assert _root(standing(one, *causes), "K1") == "K3"
    assert _root(standing(other, *causes), "K1") == ""


def test_a_dead_link_explains_what_it_made_old_however_severe_and_nothing_else() -> None:
    rules = plain_rules("K3", "K14", device="coupler-b", link="K3")
    causes = cause_of(0, "K3", 1.0), cause_of(1, "K14", 2.0, ISOLATE)
    assert _root(standing(rules, *causes), "K14") == "K3"
    elsewhere = replace(rules, checks=(replace(rules.checks[0], device="chamber"), rules.checks[1]))
    assert _root(standing(elsewhere, *causes), "K14") == ""


def test_a_chain_of_consequences_names_its_beginning() -> None:
    rules = plain_rules("G8", "C7", "C2")
    state = standing(rules, cause_of(0, "G8", 1.0), cause_of(1, "C7", 2.0), cause_of(2, "C2", 3.0))
    assert _root(state, "C2") == "G8"


def test_inputs_that_come_up_after_a_start_are_consequences_of_the_start_and_nothing_else_is() -> None:
    rules = plain_rules("G6", "K14")
    start = boot(rules, 0.0)
    live = replace(start, active=(cause_of(0, "G6", 0.1, WARN), cause_of(1, "K14", 0.1, unread=True)))
    assert (_root(live, "K14"), _root(live, "G6")) == ("K5", "")


def test_an_abort_is_the_consequence_of_the_row_that_it_was_made_for() -> None:
    rules = plain_rules("K3")
    state = standing(rules, cause_of(0, "K3", 1.0))
    told = Cause(-1, ABORT, "tool", PURGE, Reset.L1, Blocks.ALL, 1.0, "K3 as it was")
    assert _root(state, ABORT, told) == "K3"
    assert _root(state, ABORT, replace(told, detail="aborted by Ann")) == ""


def test_an_abort_by_a_person_is_first_out_where_no_row_is() -> None:
    told = Cause(-1, ABORT, "tool", PURGE, Reset.L1, Blocks.ALL, 1.0, "aborted by Ann")
    state = replace(boot(plain_rules("K3"), 0.0), latched=(), first_out=None)
    (alarm,) = alarms(state, told)
    assert alarm.first_out and "aborted by Ann" in alarm.text


def test_a_line_of_the_table_says_its_rows_its_reason_and_what_narrows_it() -> None:
    line = _because("A B", "C D E", "it is so", same_zone=True)
    assert line == Suppression(frozenset("AB"), frozenset("CDE"), "it is so", same_zone=True, same_device=False)


@pytest.mark.parametrize("row", [row for row in MATRIX if WORDS[row].priority == "critical"])
def test_a_critical_row_is_announced_even_when_a_dead_link_made_it(row: str) -> None:
    rules = plain_rules("K3", row, link="K3")
    late = replace(rules, checks=(rules.checks[0], replace(rules.checks[1], late_row=row)))
    if row != "K3":
        assert _root(standing(late, cause_of(0, "K3", 1.0), cause_of(1, row, 2.0)), row) == ""


def test_a_chain_is_told_by_its_first_link_though_that_explains_only_the_second() -> None:
    rules = plain_rules("K18", "C15", "C2")
    causes = cause_of(0, "K18", 1.0, HOLD), cause_of(1, "C15", 2.0, HOLD), cause_of(2, "C2", 3.0, HOLD)
    assert _root(standing(rules, causes[0], causes[2]), "C2") == ""
    assert _root(standing(rules, *causes), "C2") == "K18"


@pytest.mark.parametrize(("row", "reaction", "told"), [("G1", PURGE, "G1"), ("G1", HOLD, ""), ("K5", PURGE, "")])
def test_a_row_that_aborts_explains_what_an_abort_explains_and_the_start_does_not(
    row: str, reaction: Reaction, told: str
) -> None:
    rules = plain_rules(row, "C4")
    assert _root(standing(rules, cause_of(0, row, 1.0, reaction), cause_of(1, "C4", 2.0, HOLD)), "C4") == told


def test_an_input_that_was_never_read_is_no_consequence_where_no_start_stands() -> None:
    rules = plain_rules("G6", "K14")
    assert _root(standing(rules, cause_of(0, "G6", 1.0), cause_of(1, "K14", 2.0, unread=True)), "K14") == ""


def test_a_row_that_the_table_does_not_name_is_nobodys_consequence() -> None:
    (row, *_) = sorted({*MATRIX} - {row for s in SUPPRESSIONS for row in s.consequences} - {"K13"})
    rules = plain_rules("K13", row)
    assert _root(standing(rules, cause_of(0, "K13", 1.0), cause_of(1, row, 2.0)), row) == ""


def test_of_one_scan_the_dead_link_comes_first() -> None:
    rules = plain_rules("G6", "K14", "K3", device="coupler-b", link="K3")
    causes = cause_of(0, "G6", 0.5), cause_of(1, "K14", 1.0), cause_of(2, "K3", 1.0)
    assert _root(standing(rules, *causes), "K14") == "K3"


def test_of_one_scan_the_more_severe_comes_first() -> None:
    rules = plain_rules("G6", "T6", "T2", zone="substrate")
    causes = cause_of(0, "G6", 0.5, WARN), cause_of(1, "T6", 1.0, WARN), cause_of(2, "T2", 1.0, HOLD)
    assert _root(standing(rules, *causes), "T6") == "T2"


def test_what_a_dead_link_did_not_make_old_is_announced() -> None:
    """A limit that a value reached before the silence, and another link, have causes of their own."""
    rules = plain_rules("K3", "G1", "G2", device="coupler-b", link="K3")
    causes = cause_of(0, "K3", 1.0, HOLD), cause_of(1, "G1", 2.0, HOLD), cause_of(2, "G2", 2.0, HOLD)
    assert _root(standing(rules, *causes), "G1") == ""
    links = replace(rules, checks=(*rules.checks[:2], replace(rules.checks[2], link=True, late_row="G2")))
    assert _root(standing(links, *causes), "G2") == ""


def test_a_late_scan_explains_what_looked_dead_in_it_and_nothing_of_another_scan() -> None:
    rules = plain_rules("K16", "K14", "K3", "G1", device="mfc")
    late = replace(rules.checks[0], link=True, device=EVERYTHING)
    rules = replace(rules, checks=(late, rules.checks[1], replace(rules.checks[2], link=True), rules.checks[3]))
    others = cause_of(1, "K14", 1.0), cause_of(2, "K3", 1.0), cause_of(3, "G1", 1.0)
    state = standing(rules, cause_of(0, "K16", 1.0, HOLD), *others)
    assert [_root(state, row) for row in ("K14", "K3", "G1")] == ["K16", "K16", ""]
    later = standing(rules, cause_of(0, "K16", 1.0, HOLD), *(replace(cause, since_s=2.0) for cause in others))
    assert [_root(later, row) for row in ("K14", "K3", "G1")] == ["K3", "", ""]


def test_what_was_asked_of_valves_is_read_from_their_process() -> None:
    rules = plain_rules("K3", "K14", device="valves", link="K3")
    asked = replace(rules.checks[1], measure=Value(Input("asked.contactor", 0, 1)))
    reads = replace(rules, checks=(rules.checks[0], asked))
    assert _root(standing(reads, cause_of(0, "K3", 1.0), cause_of(1, "K14", 2.0)), "K14") == "K3"
    zone = replace(asked, measure=Value(Input("asked.substrate_c", 0, 1)))
    other = replace(rules, checks=(rules.checks[0], zone))
    assert _root(standing(other, cause_of(0, "K3", 1.0), cause_of(1, "K14", 2.0)), "K14") == ""


def test_an_abort_is_no_dead_link_whatever_stands_last_in_the_table() -> None:
    rules = plain_rules("K14", "K3", link="K3")
    told = Cause(-1, ABORT, "tool", PURGE, Reset.L1, Blocks.ALL, 1.0, "aborted by Ann")
    state = replace(boot(rules, 0.0), latched=(cause_of(0, "K14", 2.0),), first_out=None)
    assert _root(state, "K14", told) == ""
