"""Rows K4 to K20: misplaced replies, power, the computer, the record, the doors, and what people confirm."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from ald_controller.config import Mqtt
from ald_controller.interlocks import (
    Blocks,
    Facts,
    Quality,
    Reaction,
    Reset,
    ResetRefused,
    alarms,
    may_start,
    permit,
)
from ald_controller.interlocks.core import reset
from tests.interlock_bench import CHAMBER, CONFIG, HEALTHY, RUNNING, Bench, rules

WARN, BLOCK, HOLD, ABORT, ESTOP = (
    Reaction.WARN, Reaction.BLOCK, Reaction.HOLD, Reaction.ABORT_PURGE, Reaction.ESTOP,
)  # fmt: skip


def _grow(bench: Bench, signal: str, by: float = 1) -> Reaction:
    bench.values[signal] += by
    return bench.scan().level


# --- K4 --------------------------------------------------------------------------------------------------------------


def test_k4_the_third_misplaced_reply_of_one_line_within_a_minute_holds_whichever_devices_they_are_of() -> None:
    bench = Bench()
    assert _grow(bench, "link.substrate.bad") is Reaction.NONE
    bench.run(20)
    assert _grow(bench, "link.lines.bad") is Reaction.NONE
    bench.run(20)
    assert _grow(bench, "link.chamber.bad") is HOLD
    assert bench.cause("K4").detail == "3 replies on line heaters did not belong to their requests within 60 s"
    with pytest.raises(ResetRefused, match="still there: K4"):
        bench.reset()
    bench.run(32)  # the first one is a minute ago
    assert bench.reset().level is Reaction.NONE


def test_k4_three_at_once_hold_and_three_over_more_than_a_minute_or_on_three_lines_do_not() -> None:
    assert _grow(Bench(), "link.pirani.bad", 3) is HOLD
    slow = Bench()
    for _ in range(8):
        assert _grow(slow, "link.pirani.bad") is Reaction.NONE
        for _ in range(6):
            slow.scan(5)
    spread = Bench()
    for device in ("pirani", "carrier", "substrate"):
        assert _grow(spread, f"link.{device}.bad") is Reaction.NONE


def test_k4_what_was_counted_before_the_start_is_the_base_and_a_count_that_falls_begins_anew() -> None:
    bench = Bench()
    bench.values["link.pirani.bad"] = 0  # the healthy bench has counted four
    assert bench.scan().level is Reaction.NONE
    assert _grow(bench, "link.pirani.bad", 2) is Reaction.NONE
    assert _grow(bench, "link.pirani.bad") is HOLD


def test_k4_a_count_that_nobody_feeds_is_tripped() -> None:
    bench = Bench()
    bench.stopped.add("link.pirani.bad")
    bench.run(2)
    assert (bench.state.level, bench.rows) == (HOLD, {"K14"})


def test_k4_a_simulated_count_that_trips_trips_and_one_that_does_not_is_under_test() -> None:
    bench = Bench()
    bench.quality["link.pirani.bad"] = Quality.TEST
    assert bench.scan().level is BLOCK
    assert _grow(bench, "link.pirani.bad", 3) is HOLD


# --- K6, K18, K20 ----------------------------------------------------------------------------------------------------

MAINS = "coupler-b.mains_ok"


def test_k6_mains_lost_bars_openings_after_a_tenth_of_a_second_and_holds_after_a_minute() -> None:
    bench = Bench()
    bench.values[MAINS] = 0
    bench.scan()
    assert permit(bench.state)
    bench.run(0.2)
    assert (bench.state.level, bench.state.blocked) == (BLOCK, Blocks.ALL)
    assert not permit(bench.state) and not may_start(bench.state)
    assert bench.first_scan_at(HOLD, 70) == pytest.approx(59.9, abs=0.21)
    assert bench.state.level is HOLD


def test_k6_mains_that_came_back_stays_latched_for_the_owner() -> None:
    bench = Bench()
    bench.values[MAINS] = 0
    bench.run(0.5)
    bench.values[MAINS] = 1
    bench.run(11)
    assert bench.rows == set() and not permit(bench.state)
    with pytest.raises(ResetRefused, match="the role owner"):
        bench.reset("operator")
    assert bench.reset("owner").level is Reaction.NONE


def test_k6_a_flicker_of_one_scan_is_nothing_and_a_contact_that_cannot_be_believed_is_mains_lost() -> None:
    bench = Bench()
    bench.values[MAINS] = 0
    bench.scan()
    bench.values[MAINS] = 1
    bench.run(5)
    assert bench.state.latched == ()
    bench.quality[MAINS] = Quality.BAD
    assert bench.scan().level is HOLD  # at once, and with the most severe of its levels
    assert bench.cause("K6").reset is Reset.L1


def test_k6_a_module_whose_count_of_trips_rises_aborts_and_one_that_was_armed_anew_does_not() -> None:
    bench = Bench()
    signal = "coupler-b.watchdog_trips"
    assert _grow(bench, signal) is ABORT
    assert bench.cause("K6").reset is Reset.L2
    bench.run(11)
    bench.reset("owner")
    bench.values[signal] = 0
    assert bench.run(5).level is Reaction.NONE
    assert _grow(bench, signal, 65533) is ABORT  # as a module says it that has restarted


def test_k6_a_module_that_does_not_count_is_no_fault_and_one_that_has_fallen_silent_is() -> None:
    bench = Bench(released=False)
    bench.stopped.add("coupler-b.watchdog_trips")
    bench.run(5)
    assert bench.rows == set()
    bench.reset()
    bench.stopped.clear()
    bench.values["coupler-b.watchdog_trips"] = 1
    assert bench.scan().level is ABORT  # it has tripped since it was armed
    bench = Bench()
    bench.stopped.add("coupler-b.watchdog_trips")
    bench.run(1.9)
    assert bench.rows == set()
    bench.run(0.2)
    assert bench.rows == {"K14"}


def test_k18_an_open_e_stop_chain_is_an_e_stop_at_once_and_needs_owner_and_button() -> None:
    bench = Bench()
    bench.values["coupler-b.estop_ok"] = 0
    assert bench.scan().level is ESTOP
    bench.values["coupler-b.estop_ok"] = 1
    bench.run(11)
    for role in ("viewer", "operator", "owner"):
        with pytest.raises(ResetRefused):
            bench.reset(role)
    state = reset(bench.state, bench.samples, bench.facts, bench.now_s, "owner", key=True)
    assert state.level is Reaction.NONE


@pytest.mark.parametrize("value", [0.5, 2.0, -1.0, math.nan])
def test_k18_a_contact_that_is_neither_open_nor_closed_is_an_e_stop(value: float) -> None:
    bench = Bench()
    bench.values["coupler-b.estop_ok"] = value
    assert bench.scan().level is ESTOP


def test_k20_the_contact_of_the_alive_relay_aborts_where_there_is_one() -> None:
    signals = CONFIG.signals.model_copy(update={"alive_relay": "coupler-b.alive_ok"})
    table = rules(CONFIG.model_copy(update={"signals": signals}))
    assert not any("K20" in sentence for sentence in table.not_guarded)
    bench = Bench(table, released=False)
    bench.values["coupler-b.alive_ok"] = 1
    bench.run(1)
    bench.reset()
    bench.values["coupler-b.alive_ok"] = 0
    assert bench.scan().level is ABORT
    assert (bench.rows, bench.cause("K20").reset) == ({"K20"}, Reset.L2)


def test_rows_without_their_contact_are_told() -> None:
    signals = CONFIG.signals.model_copy(update={"mains": None, "estop": None, "confirm": None})
    told = " ".join(rules(CONFIG.model_copy(update={"signals": signals})).not_guarded)
    assert "K6: no mains contact" in told and "K18: no contact of the E-stop" in told
    no_button = CONFIG.signals.model_copy(update={"confirm": None})
    told = " ".join(rules(CONFIG.model_copy(update={"signals": no_button})).not_guarded)
    assert "K18: no button" in told


# --- the computer ----------------------------------------------------------------------------------------------------


def test_k17_a_scan_that_comes_half_a_second_late_holds() -> None:
    bench = Bench()
    bench.values["machine.scan_late_s"] = 0.49
    assert bench.scan().level is Reaction.NONE
    bench.values["machine.scan_late_s"] = 0.5
    assert bench.scan().level is HOLD
    bench.values["machine.scan_late_s"] = 0.0
    bench.run(11)
    assert bench.reset().level is Reaction.NONE


def _stalled(bench: Bench, seconds: float) -> None:
    """A scan that comes so late, with the values of before the stall."""
    bench.values["machine.scan_late_s"] = seconds
    stopped = {s for s in bench.samples if not s.startswith(("machine.", "link.", "register.", "asked."))}
    bench.stopped |= stopped
    bench.scan(0.1 + seconds)
    bench.stopped -= stopped
    bench.values["machine.scan_late_s"] = 0.0


def test_k17_what_looks_dead_in_a_scan_that_came_late_trips_as_ever_and_says_why() -> None:
    bench = Bench()
    _stalled(bench, 0.6)
    first = bench.state.first_out
    assert first is not None and first.cause.row == "K17"
    assert bench.state.level is ABORT  # not loosened
    assert bench.cause("K3").detail == "no valid reply of coupler-b for 0.7 s (this scan came 0.6 s late)"
    views = {(v.row, v.name): v for v in alarms(bench.state)}
    assert views["K3", "coupler-b"].consequence_of == views["K2", "valves.sequence"].consequence_of == "K17"
    assert views["K17", "machine.scan_late_s"].consequence_of == ""


def test_k17_a_stall_too_short_for_the_row_still_says_so_in_what_it_made_old() -> None:
    bench = Bench()
    _stalled(bench, 0.45)
    assert bench.state.first_out is not None and bench.state.first_out.cause.row == "K3"
    assert "this scan came 0.45 s late" in bench.cause("K3").detail


def test_k17_is_no_excuse_for_a_real_cause_in_the_same_scan_nor_for_a_later_one() -> None:
    bench = Bench()
    bench.values |= {"machine.scan_late_s": 0.6, "coupler-b.estop_ok": 0}
    bench.scan()
    assert bench.state.first_out is not None and bench.state.first_out.cause.row == "K18"
    bench = Bench()
    _stalled(bench, 0.6)
    bench.scan()
    bench.stopped.add(CHAMBER)  # this one dies by itself
    bench.run(3)
    views = {(v.row, v.name): v for v in alarms(bench.state)}
    assert "late" not in views["K14", CHAMBER if ("K14", CHAMBER) in views else "chamber"].text


def test_k17_three_late_scans_within_a_minute_warn_and_a_late_edge_of_a_pulse_holds() -> None:
    bench = Bench()
    for expected in (Reaction.NONE, Reaction.NONE, WARN):
        assert _grow(bench, "machine.late_scans") is expected
        bench.run(5)
    bench.run(60)
    assert bench.state.level is Reaction.NONE
    assert _grow(bench, "machine.late_edges") is HOLD
    assert bench.cause("K17").detail == "an edge of a pulse was more than 50 ms late"


@pytest.mark.parametrize(("signal", "row"), [("machine.clock_steps", "K7"), ("machine.bypasses_ended", "K16")])
def test_k7_k16_what_has_happened_is_shown_for_ten_minutes_and_touches_nothing(signal: str, row: str) -> None:
    bench = Bench()
    assert _grow(bench, signal) is WARN
    for _ in range(119):
        bench.scan(5)
    assert bench.rows == {row} and permit(bench.state) and may_start(bench.state)
    bench.scan(5)
    assert bench.rows == set()


@pytest.mark.parametrize(("free", "level", "start"), [
    (1024.1, Reaction.NONE, True), (1024, WARN, True), (500.1, WARN, True), (500, BLOCK, False), (0, BLOCK, False),
    (math.nan, BLOCK, False), (-1, BLOCK, False),
])  # fmt: skip
def test_k8_room_on_the_disk_warns_below_a_gibibyte_and_bars_the_start_below_500_mib(
    free: float, level: Reaction, start: bool
) -> None:
    bench = Bench()
    bench.values["machine.free_mib"] = free
    bench.scan()
    assert (bench.state.level, may_start(bench.state), permit(bench.state)) == (level, start, True)


def test_k8_the_bar_needs_a_hundred_mib_more_to_go_and_a_figure_older_than_half_a_minute_is_none() -> None:
    bench = Bench()
    for free, start in ((499, False), (599, False), (601, True)):
        bench.values["machine.free_mib"] = free
        bench.scan()
        assert may_start(bench.state) is start
    bench = Bench()
    bench.stopped.add("machine.free_mib")
    bench.run(29)
    assert may_start(bench.state)
    bench.run(2)
    assert not may_start(bench.state) and bench.rows == {"K14"}


def test_k8_a_run_whose_record_failed_holds_and_what_waits_for_the_disk_only_warns() -> None:
    bench = Bench()
    bench.values["machine.unwritten"] = 1
    assert bench.scan().level is WARN
    assert _grow(bench, "machine.journal_errors") is HOLD


def test_k9_a_broker_warns_after_ten_seconds_and_without_one_there_is_no_row() -> None:
    assert not any("machine.broker_down_s" in c.name for c in rules().checks)
    mqtt = Mqtt(host="127.0.0.1", user="ald")
    bench = Bench(rules(CONFIG.model_copy(update={"mqtt": mqtt})), released=False)
    bench.values["machine.broker_down_s"] = 9.9
    bench.scan()
    bench.reset()
    assert bench.scan().level is Reaction.NONE
    bench.values["machine.broker_down_s"] = 10.0
    assert (bench.scan().level, bench.rows) == (WARN, {"K9"})
    bench.values["machine.broker_down_s"] = 0.0
    assert bench.scan().level is Reaction.NONE


def test_k11_another_text_under_the_name_of_the_running_recipe_warns_for_as_long_as_it_is_so() -> None:
    bench = Bench()
    bench.values["machine.recipe_edited"] = 1
    assert (bench.scan().level, bench.rows) == (WARN, {"K11"})
    assert permit(bench.state)
    bench.values["machine.recipe_edited"] = 0
    assert bench.scan().level is Reaction.NONE


@pytest.mark.parametrize(("facts", "level"), [
    (RUNNING, BLOCK),
    (replace(RUNNING, lithium=False), BLOCK),  # nobody knows what hangs at the ports
    (replace(RUNNING, lithium=True, pyrophoric=False), BLOCK),
    (replace(RUNNING, lithium=False, pyrophoric=False), WARN),
])  # fmt: skip
def test_k15_limits_that_nobody_has_confirmed_bar_the_start_of_what_burns(facts: Facts, level: Reaction) -> None:
    bench = Bench(facts=facts)
    bench.values["register.limits_confirmed"] = 0
    bench.scan()
    assert (bench.state.level, permit(bench.state), bench.state.latched) == (level, True, ())
    assert may_start(bench.state) is (level is WARN)
    bench.values["register.limits_confirmed"] = 1
    assert bench.scan().level is Reaction.NONE


def test_k19_the_eleventh_alarm_within_ten_minutes_warns() -> None:
    bench = Bench()
    bench.values["machine.alarms"] = 10
    assert bench.scan().level is Reaction.NONE
    bench.values["machine.alarms"] = 11
    assert (bench.scan().level, bench.rows) == (WARN, {"K19"})


@pytest.mark.parametrize("signal", [s for s in HEALTHY if s.startswith("machine.") or s.endswith("limits_confirmed")])
def test_a_fact_of_the_computer_that_nobody_feeds_counts_as_its_worst(signal: str) -> None:
    bench = Bench()
    bench.stopped.add(signal)
    bench.run(31)
    worst = max(lv.reaction for c in rules().checks if c.name == signal for lv in c.levels)
    assert (bench.state.level, bench.rows) == (worst, {"K14"})
