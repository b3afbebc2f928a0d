"""Taking a row out of action: which rows, who, how long, and that it ends by itself."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ald_controller.interlocks import (
    MATRIX,
    Bypass,
    BypassRefused,
    Facts,
    Reaction,
    State,
    alarms,
    bypass,
    exchange,
    may_start,
    overridable,
    restore,
)
from tests.interlock_bench import O2, RULES, RUNNING, Bench

LITHIUM = "nothing is bypassed with lithium in the chamber, or with an unknown load"
BURNS = "nothing is bypassed while a bottle that burns in air hangs at the tool, or an unknown one"
HARMLESS = replace(RUNNING, process="IDLE", lithium=False, pyrophoric=False)


def asked(row: str = "G1", *, minutes: float = 20.0, reason: str = "calibrating", at_s: float = 0.0) -> Bypass:
    return Bypass(row, "Ann", reason, at_s, at_s + minutes * 60)


def idle() -> Bench:
    """A tool without lithium and pyrophorics, with bad air in the box that blocks every start."""
    bench = Bench(facts=HARMLESS)
    bench.values[O2] = 8.0
    bench.run(12)
    assert bench.rows == {"G1"} and not may_start(bench.state)
    return bench


def out(bench: Bench, minutes: float = 20.0) -> State:
    bench.state = bypass(bench.state, asked(minutes=minutes, at_s=bench.now_s), bench.facts, "owner")
    return bench.scan()


def test_a_bypassed_row_blocks_nothing_and_stays_in_sight() -> None:
    bench = idle()
    state = out(bench)
    assert may_start(state) and state.level is Reaction.NONE and not state.active
    assert [c.row for c in state.bypassed] == ["G1"]
    assert [b.row for b in state.bypasses] == ["G1"]


def test_a_bypass_ends_by_itself_and_the_row_is_live_in_the_same_scan() -> None:
    bench = idle()
    out(bench, minutes=1)
    bench.run(59)
    assert may_start(bench.state)
    bench.run(1.1)
    assert not may_start(bench.state) and not bench.state.bypasses and not bench.state.bypassed


@pytest.mark.parametrize("burns", [{"lithium": True}, {"pyrophoric": True}])
def test_a_bypass_is_gone_in_the_scan_that_finds_lithium_or_a_pyrophoric_and_does_not_come_back(
    burns: dict[str, bool],
) -> None:
    bench = idle()
    out(bench)
    bench.facts = replace(HARMLESS, **burns)
    assert not may_start(bench.scan())
    bench.facts = HARMLESS
    assert not may_start(bench.scan())


@pytest.mark.parametrize("row", [row for row, hazard in MATRIX.items() if not hazard.override])
def test_no_other_row_can_be_bypassed_by_anybody(row: str) -> None:
    with pytest.raises(BypassRefused, match="can never be bypassed; those that can: T8, C4, G1, G7"):
        bypass(idle().state, asked(row), HARMLESS, "owner")


def test_the_rows_that_can_are_the_four_of_the_matrix() -> None:
    assert overridable() == ["T8", "C4", "G1", "G7"]


@pytest.mark.parametrize(
    ("wrong", "facts", "role", "says"),
    [
        (asked("X9"), HARMLESS, "owner", "there is no row X9"),
        (asked("a name of more than twenty letters"), HARMLESS, "owner", "there is no row a name of more than "),
        (asked(), HARMLESS, "operator", "only the owner bypasses a row"),
        (asked(), HARMLESS, "viewer", "only the owner bypasses a row"),
        (asked(), replace(HARMLESS, lithium=True), "owner", LITHIUM),
        (asked(), replace(HARMLESS, pyrophoric=True), "owner", BURNS),
        (asked(), Facts(), "owner", LITHIUM),
        (asked(reason="  "), HARMLESS, "owner", "say why it is bypassed: the reason goes into the record"),
        (asked(minutes=61), HARMLESS, "owner", "a bypass lasts at most 60 min"),
        (asked(minutes=0), HARMLESS, "owner", "a bypass lasts at most 60 min"),
        (asked(minutes=-5), HARMLESS, "owner", "a bypass lasts at most 60 min"),
    ],
)
def test_a_bypass_that_is_not_allowed_says_why_and_changes_nothing(
    wrong: Bypass, facts: Facts, role: str, says: str
) -> None:
    state = idle().state
    with pytest.raises(BypassRefused) as refused:
        bypass(state, wrong, facts, role)  # type: ignore[arg-type]
    assert str(refused.value) == says
    assert state.bypasses == ()


def test_an_hour_is_allowed_and_a_second_row_is_not() -> None:
    bench = idle()
    state = bypass(bench.state, asked(minutes=60, at_s=bench.now_s), HARMLESS, "owner")
    with pytest.raises(BypassRefused, match="row G1 is bypassed already: one at a time"):
        bypass(state, asked("G7", at_s=bench.now_s), HARMLESS, "owner")
    longer = bypass(state, asked(minutes=10, reason="once more", at_s=bench.now_s), HARMLESS, "owner")
    assert [b.reason for b in longer.bypasses] == ["once more"]


def test_a_restored_row_is_live_in_the_next_scan() -> None:
    bench = idle()
    out(bench)
    bench.state = restore(bench.state, "G1")
    assert not may_start(bench.scan())
    for row, shown in (("G1", "G1"), ("a name of more than twenty letters", "a name of more than ")):
        with pytest.raises(BypassRefused) as refused:
            restore(bench.state, row)
        assert str(refused.value) == f"row {shown} is not bypassed"


def test_a_bypass_touches_no_other_row() -> None:
    bench = idle()
    out(bench)
    bench.values["valves.armed"] = 0
    assert bench.scan().level is Reaction.ABORT_PURGE
    assert "K3" in [a.row for a in alarms(bench.state)]


def test_another_table_keeps_bypasses_latches_and_the_first_out() -> None:
    bench = idle()
    out(bench)
    bench.values["valves.armed"] = 0
    before = bench.scan()
    after = exchange(before, RULES, bench.now_s)
    assert after.bypasses == before.bypasses
    assert [(c.row, c.name, c.check) for c in after.latched] == [(c.row, c.name, c.check) for c in before.latched]
    assert after.first_out is not None and before.first_out is not None
    assert after.first_out.cause == before.first_out.cause and after.level is before.level


def test_a_renewal_never_takes_a_row_out_for_more_than_an_hour_in_one_piece() -> None:
    bench = idle()
    out(bench, minutes=60)
    bench.now_s += 3539.5
    with pytest.raises(BypassRefused) as refused:
        bypass(bench.state, asked(minutes=60, at_s=bench.now_s), HARMLESS, "owner")
    left = "row G1 was taken out 59 min ago: 1 min are left, and its 60 min begin anew once it was live for 60 min"
    assert str(refused.value) == left
    renewed = bypass(bench.state, asked(minutes=0.01, at_s=bench.now_s), HARMLESS, "owner")
    assert [b.since_s for b in renewed.bypasses] == [b.since_s for b in bench.state.bypasses]


@pytest.mark.parametrize("ended", ["at its end", "by a person", "by another table"])
def test_the_hour_of_a_row_begins_anew_only_when_it_was_live_for_an_hour(ended: str) -> None:
    bench = idle()
    out(bench, minutes=60)
    bench.scan(3590)
    if ended == "by a person":
        bench.state = restore(bench.state, "G1")
    bench.run(11)
    if ended == "by another table":
        bench.state = exchange(bench.state, RULES, bench.now_s)
    assert not bench.state.bypasses
    with pytest.raises(BypassRefused, match="G1 was taken out 60 min ago: 0 min are left"):
        bypass(bench.state, asked(minutes=1, at_s=bench.now_s), HARMLESS, "owner")
    assert bypass(bench.state, asked("G7", at_s=bench.now_s), HARMLESS, "owner").bypasses  # another row has its own
    bench.now_s += 3601
    assert bypass(bench.state, asked(minutes=60, at_s=bench.now_s), HARMLESS, "owner").bypasses


def test_a_row_that_was_live_for_exactly_an_hour_has_its_hour_again() -> None:
    state = replace(idle().state, spent=(asked(minutes=60),))
    with pytest.raises(BypassRefused, match="0 min are left"):
        bypass(state, asked(minutes=60, at_s=7199.5), HARMLESS, "owner")
    assert bypass(state, asked(minutes=60, at_s=7200.0), HARMLESS, "owner").bypasses
