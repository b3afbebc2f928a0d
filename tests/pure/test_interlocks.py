"""The interlock core: latch, first-out, reset, permits, alarms, and what an abort means where."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from ald_controller.config import CHAMBER_STATES
from ald_controller.interlocks import (
    Blocks,
    Check,
    Facts,
    Level,
    Quality,
    Reaction,
    Reset,
    ResetRefused,
    Row,
    RuleSet,
    Sample,
    abort_reaction,
    alarms,
    boot,
    contactor_off,
    exchange,
    heaters_off,
    may_start,
    news,
    permit,
    reset,
    response,
    step,
)
from ald_controller.interlocks.measures import Input, Value
from ald_controller.interlocks.setting import always
from tests.interlock_bench import CHAMBER, H2O, O2, OPEN_GATE, RULES, RUNNING, SECOND, SUBSTRATE, Bench, small_rules

CORE = small_rules()

ABORT, HOLD = Reaction.ABORT_PURGE, Reaction.HOLD


# --- start ---------------------------------------------------------------------------------------------------------


def test_a_start_is_latched_at_the_level_of_an_abort_before_any_input_is_read() -> None:
    state = boot(CORE, 5.0)
    assert (state.level, state.blocked) == (ABORT, Blocks.ALL)
    assert not permit(state)
    assert not may_start(state)
    assert state.first_out is not None
    assert (state.first_out.cause.row, state.first_out.cause.since_s) == ("K5", 5.0)


def test_a_start_stays_latched_with_everything_healthy_until_a_person_resets_it() -> None:
    bench = Bench(CORE, released=False)
    assert bench.run(100).level is ABORT
    assert bench.state.active == ()
    assert bench.reset("operator").level is Reaction.NONE


def test_inputs_that_come_up_one_by_one_after_a_start_refuse_the_reset_but_leave_no_latch_of_their_own() -> None:
    bench = Bench(CORE, released=False)
    bench.stopped |= {SUBSTRATE, SECOND, CHAMBER}
    bench.run(3)
    with pytest.raises(ResetRefused) as refused:
        bench.reset()
    assert any("was never read" in cause for cause in refused.value.live)
    bench.stopped.clear()
    bench.scan()
    assert bench.reset().level is Reaction.NONE


def test_an_input_that_was_read_once_and_then_lost_latches_even_before_the_first_reset() -> None:
    bench = Bench(CORE, released=False)
    bench.run(1)
    bench.stopped.add(CHAMBER)
    bench.run(3)
    bench.stopped.clear()
    bench.scan()
    assert {c.row for c in bench.state.latched} == {"K5", "K14"}


def test_an_input_that_was_never_read_latches_when_its_rule_begins_to_hold_after_the_reset() -> None:
    bench = Bench(CORE, facts=replace(RUNNING, lithium=False), released=False)
    bench.stopped.add(CHAMBER)
    bench.run(1)
    assert bench.reset().level is Reaction.NONE
    bench.facts = RUNNING
    assert bench.scan().level is ABORT
    assert len(bench.state.latched) == 1


# --- latch and first-out -------------------------------------------------------------------------------------------


def test_a_trip_stays_latched_after_its_cause_is_gone() -> None:
    bench = Bench(CORE)
    bench.values[SUBSTRATE] = 175.0
    bench.scan()
    bench.values[SUBSTRATE] = 20.0
    bench.run(100)
    assert bench.state.active == ()
    assert bench.state.level is ABORT
    assert not permit(bench.state)


def test_the_first_out_keeps_the_inputs_of_its_scan_and_never_changes_until_the_reset() -> None:
    bench = Bench(CORE)
    bench.values[SUBSTRATE] = 175.0
    first = bench.scan().first_out
    assert first is not None
    assert (first.cause.row, first.cause.name, first.facts) == ("T1", SUBSTRATE, RUNNING)
    assert first.samples[SUBSTRATE].value == 175.0
    bench.values |= {SUBSTRATE: 20.0, "valves.connected": 0}
    bench.run(5)
    assert bench.state.first_out is first
    assert first.samples[SUBSTRATE].value == 175.0
    bench.values["valves.connected"] = 1
    bench.run(11)
    assert bench.reset("owner").first_out is None


def test_of_several_causes_in_one_scan_the_most_severe_is_the_first_out() -> None:
    bench = Bench(CORE, facts=OPEN_GATE)
    bench.values[O2] = float("nan")  # holds
    bench.values["valves.word"] = 3  # aborts
    first = bench.scan().first_out
    assert first is not None
    assert first.cause.row == "C1"


def test_a_latched_cause_that_grows_worse_keeps_its_beginning() -> None:
    bench = Bench(CORE)
    bench.quality[SUBSTRATE] = Quality.BAD
    began = bench.scan().latched[0]
    bench.quality[SECOND] = Quality.BAD
    worse = bench.scan().latched[0]
    assert (worse.reaction, worse.since_s) == (ABORT, began.since_s)
    bench.quality.clear()
    bench.quality[SUBSTRATE] = Quality.BAD
    assert bench.scan().latched[0].reaction is ABORT


def test_news_are_what_latched_or_grew_worse_since_the_scan_before() -> None:
    bench = Bench(CORE)
    before = bench.state
    bench.quality[SUBSTRATE] = Quality.BAD
    held = bench.scan()
    assert [c.reaction for c in news(before, held)] == [HOLD]
    assert news(held, bench.scan()) == ()
    held = bench.state
    bench.quality[SECOND] = Quality.BAD
    bench.values["valves.faults"] = 1
    assert [c.reaction for c in news(held, bench.scan())] == [ABORT, ABORT]
    bench.quality.clear()
    bench.run(11)
    before = bench.state
    assert news(before, bench.reset("owner")) == ()


def test_the_start_itself_is_no_news() -> None:
    bench = Bench(CORE, released=False)
    before = bench.state
    assert news(before, bench.scan()) == ()


def test_time_that_runs_backwards_is_an_error_and_not_a_scan() -> None:
    bench = Bench(CORE)
    for now_s in (bench.now_s - 0.1, float("nan")):
        with pytest.raises(ValueError, match="comes before"):
            step(bench.state, bench.samples, bench.facts, now_s)


# --- quality -------------------------------------------------------------------------------------------------------


def test_an_uncertain_value_warns_may_trip_and_never_lets_a_reset_through() -> None:
    bench = Bench(CORE)
    bench.quality[SUBSTRATE] = Quality.UNCERTAIN
    assert bench.scan().level is Reaction.WARN
    assert permit(bench.state)
    bench.values[SUBSTRATE] = 170.0
    assert bench.scan().level is ABORT
    bench.values[SUBSTRATE] = 20.0
    bench.run(30)
    with pytest.raises(ResetRefused, match="not yet clear"):
        bench.reset("owner")
    bench.quality.clear()
    bench.values[SECOND] = 20.0
    bench.run(10.2)
    assert bench.reset("owner").level is Reaction.NONE


def test_a_value_under_test_blocks_and_its_trip_is_a_real_one() -> None:
    bench = Bench(CORE)
    bench.quality[SUBSTRATE] = Quality.TEST
    assert bench.scan().level is Reaction.BLOCK
    assert not permit(bench.state)
    assert bench.state.latched == ()
    bench.values[SUBSTRATE] = 171.0
    assert bench.scan().level is ABORT
    assert bench.cause("T1").reset is Reset.L2


# --- reset ---------------------------------------------------------------------------------------------------------


def test_a_reset_is_refused_while_a_cause_lives_and_changes_nothing() -> None:
    bench = Bench(CORE)
    bench.values["valves.connected"] = 0
    state = bench.scan()
    with pytest.raises(ResetRefused) as refused:
        bench.reset("owner")
    assert refused.value.live == ("K3 the valve module is not connected",)
    assert bench.state is state


def test_a_reset_looks_at_the_inputs_of_its_own_moment() -> None:
    bench = Bench(CORE)
    bench.values["valves.connected"] = 0
    bench.scan()
    bench.values["valves.connected"] = 1
    bench.run(11)
    bench.samples["valves.connected"] = Sample(0.0, bench.now_s)
    with pytest.raises(ResetRefused, match="still there"):
        bench.reset("owner")


def test_a_reset_waits_ten_seconds_below_the_clear_value() -> None:
    bench = Bench(CORE)
    bench.values[SUBSTRATE] = 170.0
    bench.scan()
    bench.values[SUBSTRATE] = 150.1
    bench.run(30)
    with pytest.raises(ResetRefused) as refused:
        bench.reset("owner")
    assert refused.value.live  # between the clear value and the limit the cause still stands
    bench.values[SUBSTRATE] = 150.0
    bench.run(10)
    with pytest.raises(ResetRefused) as refused:
        bench.reset("owner")
    assert (refused.value.live, refused.value.waiting) == ((), (f"T1 {SUBSTRATE}",))
    bench.scan()
    assert bench.reset("owner").level is Reaction.NONE


def test_the_ten_seconds_start_anew_when_the_value_comes_back() -> None:
    bench = Bench(CORE)
    bench.values[SUBSTRATE] = 170.0
    bench.scan()
    for value in (149.0, 151.0, 149.0):
        bench.values[SUBSTRATE] = value
        bench.run(9.5)
    with pytest.raises(ResetRefused, match="not yet clear"):
        bench.reset("owner")


def test_a_cause_whose_rule_no_longer_holds_may_be_reset_after_ten_seconds() -> None:
    bench = Bench(CORE)
    bench.values[SUBSTRATE] = 172.0
    bench.scan()
    bench.facts = replace(RUNNING, lithium=False)  # an owner has declared the chamber empty
    bench.scan()
    with pytest.raises(ResetRefused, match="not yet clear"):
        bench.reset("owner")
    bench.run(10)
    assert bench.reset("owner").level is Reaction.NONE


@pytest.mark.parametrize(
    ("asks", "allowed"),
    [
        (Reset.L1, {"operator", "owner"}),
        (Reset.L2, {"owner"}),
        (Reset.L3, {"owner"}),
    ],
)
def test_each_cause_is_reset_by_its_role_and_by_no_lower_one(asks: Reset, allowed: set[str]) -> None:
    level = Level("T1", Reaction.ESTOP, 1.0, 0.0, asks, always)
    check = Check("chain", Value(Input("chain", 0, 1)), (level,), 1.0, "T1")
    rules = RuleSet((check,), CORE.rows)
    roles: tuple[Any, ...] = ("viewer", "operator", "owner")
    for role in roles:
        state = boot(rules, 0.0)
        state = reset(state, {"chain": Sample(0, 0.0)}, Facts(), 0.0, "owner")
        state = step(state, {"chain": Sample(1, 1.0)}, Facts(), 1.0)
        state = step(state, {"chain": Sample(0, 2.0)}, Facts(), 2.0)
        assert state.level is Reaction.ESTOP
        if role in allowed:
            assert reset(state, {"chain": Sample(0, 12.0)}, Facts(), 12.0, role, key=True).level is Reaction.NONE
        else:
            with pytest.raises(ResetRefused, match="needs the role"):
                reset(state, {"chain": Sample(0, 12.0)}, Facts(), 12.0, role, key=True)
        if asks is Reset.L3 and role == "owner":
            with pytest.raises(ResetRefused, match="needs the button at the tool"):
                reset(state, {"chain": Sample(0, 12.0)}, Facts(), 12.0, role)


@pytest.mark.parametrize("quality", [None, Quality.BAD])
def test_an_e_stop_that_nobody_could_read_is_reset_like_one_that_was_pressed(quality: Quality | None) -> None:
    bench = Bench(RULES)
    if quality is None:
        bench.stopped.add("coupler-b.estop_ok")
    else:
        bench.quality["coupler-b.estop_ok"] = quality
    assert bench.run(1.5).level is Reaction.ESTOP
    bench.stopped.clear()
    bench.quality.clear()
    bench.run(11)
    for role, key, needs in (("operator", True, "the role owner"), ("owner", False, "the button at the tool")):
        with pytest.raises(ResetRefused, match=needs):
            reset(bench.state, bench.samples, bench.facts, bench.now_s, role, key)  # type: ignore[arg-type]
    assert not reset(bench.state, bench.samples, bench.facts, bench.now_s, "owner", key=True).latched


def test_what_was_first_lost_and_then_seen_exceeded_is_reset_by_whoever_resets_the_excess() -> None:
    both = Level("T1", Reaction.ABORT_PURGE, 170, 150, Reset.L2, always)
    one = Check(SUBSTRATE, Value(Input(SUBSTRATE, -20, 400, 2)), (both,), 999, "T1", "T1")
    bench = Bench(replace(RULES, checks=(one,)))
    bench.quality[SUBSTRATE] = Quality.BAD
    assert [c.reset for c in bench.scan().latched] == [Reset.L1]
    bench.quality.clear()
    bench.values[SUBSTRATE] = 175.0
    assert [c.reset for c in bench.scan().latched] == [Reset.L2]


@pytest.mark.parametrize("jumps", [True, False])
@pytest.mark.parametrize("changed", [True, False])
def test_a_dead_band_outlives_another_table(changed: bool, jumps: bool) -> None:
    bench = Bench(RULES, replace(OPEN_GATE, chamber="VACUUM"))
    for ppm in (30.0,) if jumps else (3.0, 6.0, 9.0, 12.0, 14.0):
        bench.values[O2] = ppm
        bench.run(2)
    bench.run(12)
    assert {c.row for c in bench.state.latched} == {"G2"}
    bench.values[O2] = 8.0  # the trip is at 10 ppm, its dead-band ends at 5
    bench.run(15)
    if changed:
        bench.state = exchange(bench.state, RULES, bench.now_s)
    bench.run(15)
    with pytest.raises(ResetRefused, match="G2"):
        bench.reset("operator")
    bench.values[O2] = 4.9
    bench.run(9.8)
    with pytest.raises(ResetRefused, match="G2"):
        bench.reset("operator")
    bench.run(0.5)
    assert not bench.reset("operator").latched


def test_another_table_leaves_every_latched_cause_its_own_check_of_several_with_one_name() -> None:
    bench = Bench(RULES, replace(OPEN_GATE, chamber="VACUUM"))
    bench.values[O2] = 30.0
    bench.run(12)
    after = exchange(bench.state, RULES, bench.now_s)
    assert [c.check for c in after.latched] == [c.check for c in bench.state.latched]
    first = bench.state.first_out
    assert after.first_out is not None and first is not None and after.first_out.cause.check == first.cause.check


def test_a_reset_with_nothing_latched_changes_no_decision() -> None:
    bench = Bench(CORE)
    bench.values[SUBSTRATE] = 165.0
    bench.run(3)
    state = bench.state
    assert bench.reset() == state


def test_a_viewer_resets_nothing_not_even_nothing() -> None:
    bench = Bench(CORE)
    with pytest.raises(ResetRefused) as refused:
        bench.reset("viewer")
    assert refused.value.needs == "the role operator"


# --- what an abort means ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("chamber", CHAMBER_STATES)
@pytest.mark.parametrize("shut", [True, False])
def test_an_abort_purges_behind_a_proven_gate_under_vacuum_and_isolates_everywhere_else(
    chamber: Any, shut: bool
) -> None:
    facts = Facts("EXECUTING", chamber, True, shut)
    purge = shut and chamber in ("VACUUM", "PUMPING_DOWN")
    assert abort_reaction(facts) is (ABORT if purge else Reaction.ABORT_ISOLATE)


def test_the_response_turns_an_abort_into_the_one_that_fits_and_leaves_other_levels_alone() -> None:
    bench = Bench(CORE)
    assert response(bench.state, OPEN_GATE) is Reaction.NONE
    bench.values["valves.faults"] = 1
    bench.scan()
    assert response(bench.state, RUNNING) is ABORT
    assert response(bench.state, OPEN_GATE) is Reaction.ABORT_ISOLATE


def test_a_thermal_abort_opens_the_contactor_and_another_one_only_switches_the_heaters_off() -> None:
    bench = Bench(CORE)
    bench.values["valves.faults"] = 1
    bench.scan()
    assert heaters_off(bench.state) == {"substrate", "chamber"}
    assert not contactor_off(bench.state)


# --- alarms ----------------------------------------------------------------------------------------------------------


def test_an_alarm_says_cause_value_consequence_and_what_to_do() -> None:
    bench = Bench(CORE)
    bench.values[SUBSTRATE] = 171.24
    bench.scan()
    (alarm,) = alarms(bench.state)
    assert (alarm.row, alarm.name, alarm.reset) == ("T1", SUBSTRATE, Reset.L2)
    assert (alarm.live, alarm.latched, alarm.first_out, alarm.since_s) == (True, True, True, bench.now_s)
    assert f"{SUBSTRATE} is at 171.2 °C, the limit is 170 °C." in alarm.text
    row = CORE.rows["T1"]
    assert all(part in alarm.text for part in (row.cause, row.consequence, row.action))


def test_the_first_out_leads_the_alarms_and_a_cause_that_is_gone_stays_until_the_reset() -> None:
    bench = Bench(CORE)
    bench.quality[SUBSTRATE] = Quality.BAD
    bench.scan()
    bench.quality.clear()
    bench.values["valves.faults"] = 1
    bench.scan()
    views = alarms(bench.state)
    assert [(v.row, v.first_out, v.live) for v in views] == [("T7", True, False), ("K3", False, True)]


def test_a_value_that_grew_old_before_its_link_died_is_no_consequence_of_it() -> None:
    bench = Bench(CORE, facts=OPEN_GATE)
    bench.stopped.add(O2)
    bench.run(11)
    bench.stopped |= {s for s in bench.samples if s.startswith("coupler-b.")}
    bench.run(11)
    views = {v.name: v for v in alarms(bench.state)}
    told = {n: v.consequence_of for n, v in views.items()}
    assert told == {O2: "", "coupler-b": "", H2O: "K3", "substrate": "K3"}  # its second sensor hangs there too


def test_of_causes_in_one_scan_the_dead_link_comes_before_the_values_that_it_made_old() -> None:
    bench = Bench(CORE)
    bench.stopped |= {s for s in bench.samples if s.startswith("valves.")}
    first = bench.scan(5.0).first_out
    assert first is not None
    assert first.cause.row == "K2"


def test_alarms_of_a_start_name_the_start() -> None:
    (alarm,) = alarms(boot(CORE, 0.0))
    assert (alarm.row, alarm.first_out, alarm.live) == ("K5", True, False)


# --- a table that contradicts itself ---------------------------------------------------------------------------------


def test_a_level_of_hold_or_above_that_would_clear_by_itself_is_refused() -> None:
    with pytest.raises(ValueError, match="must latch"):
        Level("T1", HOLD, 1.0, 0.0, Reset.AUTO, always)


def test_a_level_without_a_dead_band_is_refused() -> None:
    with pytest.raises(ValueError, match="below the limit"):
        Level("T1", Reaction.WARN, 1.0, 1.0, Reset.AUTO, always)


def test_a_check_of_warnings_alone_holds_up_no_reset() -> None:
    level = Level("G1", Reaction.WARN, 1.0, 0.5, Reset.AUTO, always)
    rules = RuleSet((Check("x", Value(Input("x", 0, 9)), (level,), 9.0, "G1"),), {"G1": Row("G1", "a", "b", "c")})
    state = boot(rules, 0.0)
    samples = {"x": Sample(5.0, 0.0)}
    assert reset(state, samples, Facts(), 0.0, "operator").level is Reaction.WARN
