"""Rows G1 to G9: the air and the pressure of the box, its analysers, its gate and its argon."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest

from ald_controller.config import Span, span_of
from ald_controller.interlocks import (
    Blocks,
    Facts,
    Quality,
    Reaction,
    Reset,
    Sample,
    Setting,
    gate_proven_shut,
    heat_ceiling_c,
    heaters_off,
    may_start,
    permit,
)
from ald_controller.interlocks.glovebox import glovebox, glovebox_absent
from ald_controller.interlocks.setting import (
    always,
    gate_not_released,
    gate_released,
    gate_unproven,
    regenerates,
    regenerates_not,
)
from ald_controller.interlocks.setting import gate_proven_shut as gate_shut
from tests.interlock_bench import CONFIG, CONSTANTS, GATE, H2O, O2, OPEN_GATE, RULES, RUNNING, SETTING, Bench, rules

WARN, BLOCK, HOLD, ABORT = Reaction.WARN, Reaction.BLOCK, Reaction.HOLD, Reaction.ABORT_PURGE
ISOLATE, ESTOP = Reaction.ABORT_ISOLATE, Reaction.ESTOP
AUTO, L1, L2, L3 = Reset.AUTO, Reset.L1, Reset.L2, Reset.L3
ALL, SOME, TO_GATE, TO_START = Blocks.ALL, Blocks.START | Blocks.GATE, Blocks.GATE, Blocks.START
BOX, ARGON, STOP = "coupler-b.box_pressure_mbar", "coupler-b.argon_ok", "coupler-b.stop_valve_open"
UNPROVEN = Facts("IDLE", "UNKNOWN", lithium=True, gate_proven_shut=False)
REGENERATING = replace(RUNNING, regenerating=True)

# name, measure, row, reaction, limit, persistence s, clear, reset, when, blocks, max age s, BAD counts as
GOLDEN = [
    (GATE[0], "NotSet", "G3", ESTOP, 1, 0, 0, L2, gate_not_released, ALL, 1, None),
    (GATE[0], "NotSet", "G3", BLOCK, 1, 0, 0, AUTO, gate_released, TO_START, 1, None),
    ("gate and stop valve", "BothOpen", "G4", ISOLATE, 1, 1, 0, L2, gate_unproven, ALL, 1, 1),
    *[
        line
        for name, gas in ((O2, "O2"), (H2O, "H2O"))
        for line in (
            (name, "Within", "G1", WARN, 1, 30, 0.8, AUTO, regenerates_not, ALL, 10, 10),
            (name, "Within", "G1", BLOCK, 5, 10, 4, AUTO, regenerates_not, SOME, 10, 10),
            (name, "Within", "G1", BLOCK, 5, 10, 4, AUTO, regenerates, TO_GATE, 10, 10),
            (name, "Within", "G2", HOLD, 10, 10, 5, L1, gate_unproven, ALL, 10, 10),
            (name, "OrBeyond", "G2", ABORT, 50, 0, 5, L1, gate_unproven, ALL, 10, None),
            (name, "Rise", "G2", ABORT, 10, 0, 5, L1, gate_unproven, ALL, 10, None),
            (f"{name} still", "StillHours", "G7", BLOCK, 24, 0, 12, AUTO, always, TO_GATE, 10, None),
            (f"test of {name}", "NotSet", "G7", BLOCK, 1, 0, 0, AUTO, always, TO_GATE, 1, 1),
        )
    ],
    (BOX, "Magnitude", "G6", WARN, 8, 2, 7.2, AUTO, always, ALL, 1, 12),
    (BOX, "Magnitude", "G6", BLOCK, 12, 2, 8, AUTO, gate_shut, TO_GATE, 1, 12),
    (BOX, "Magnitude", "G6", HOLD, 12, 2, 8, L1, gate_unproven, ALL, 1, 12),
    (ARGON, "NotSet", "G8", ISOLATE, 1, 2, 0, L1, always, ALL, 1, 1),
]


def test_the_rows_of_the_glovebox_are_those_typed_here_a_second_time() -> None:
    table: list[tuple[Any, ...]] = [
        (
            check.name, type(check.measure).__name__, level.row, level.reaction, level.limit, level.persist_s,
            pytest.approx(level.clear), level.reset, level.when, level.blocks, check.measure.inputs[0].max_age_s,
            check.bad_as,
        )
        for check in glovebox(SETTING)
        for level in check.levels
    ]  # fmt: skip
    assert table == GOLDEN


def test_the_believable_ranges_of_the_glovebox_end_inside_those_of_their_channels() -> None:
    ranges = {i.signal: (i.low, i.high) for c in glovebox(SETTING) for i in c.measure.inputs}
    assert ranges == {
        O2: (-2.5, 99.97), H2O: (-2.5, 99.97), BOX: (pytest.approx(-19.988), pytest.approx(19.988)),
        **dict.fromkeys((*GATE[:1], STOP, ARGON, "register.analyser.O2", "register.analyser.H2O"), (0, 1)),
    }  # fmt: skip


def test_only_the_analysers_and_their_causes_lower_the_heat() -> None:
    cooled = {(c.name, c.cool_c) for c in RULES.checks if c.cool_c is not None}
    assert cooled == {(O2, 60.0), (H2O, 60.0)}


# --- G1 and G2: bad air ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("signal", [O2, H2O])
def test_g1_with_the_gate_shut_warns_at_1_ppm_after_30_s_and_blocks_at_5_after_10_s(signal: str) -> None:
    bench = Bench()
    bench.values[signal] = 1.0
    assert bench.run(30.0).level is Reaction.NONE
    assert bench.scan().level is WARN
    bench.values[signal] = 5.0
    assert bench.run(10.0).level is WARN
    assert bench.scan().level is BLOCK
    assert not may_start(bench.state)
    assert bench.state.blocked == SOME


def test_g1_with_the_gate_shut_never_touches_a_run_however_bad_the_box_is() -> None:
    bench = Bench()
    bench.values |= {O2: 900.0, H2O: 900.0}
    assert bench.run(120).level is BLOCK
    assert permit(bench.state)
    assert heaters_off(bench.state) == frozenset()


def test_g1_counts_its_thirty_seconds_anew_after_every_good_value() -> None:
    bench = Bench()
    for _ in range(3):
        bench.values[O2] = 1.5
        assert bench.run(29).level is Reaction.NONE
        bench.values[O2] = 0.3
        assert bench.scan().level is Reaction.NONE


def test_g1_clears_by_itself_below_its_dead_band() -> None:
    bench = Bench()
    bench.values[O2] = 6.0
    bench.run(11)
    bench.values[O2] = 4.01
    assert bench.run(5).level is BLOCK
    bench.values[O2] = 4.0
    assert bench.run(1).level is Reaction.NONE  # 30 s at the warning limit have not passed in all
    bench.values[O2] = 0.8
    assert bench.run(1).level is Reaction.NONE
    assert may_start(bench.state)


@pytest.mark.parametrize("facts", [OPEN_GATE, Facts("EXECUTING", "VACUUM", True, gate_proven_shut=False)])
def test_g2_with_the_gate_open_or_unproven_holds_at_10_ppm_after_10_s(facts: Facts) -> None:
    bench = Bench(facts=facts)
    for value in (4.0, 8.0, 9.99):  # in steps, so that it is the level and not the rise
        bench.values[O2] = value
        bench.run(2)
    assert bench.run(20).level is BLOCK
    bench.values[O2] = 10.0
    assert bench.run(10.0).level is BLOCK
    assert bench.scan().level is HOLD
    assert bench.cause("G2").reaction is HOLD


def test_g2_at_50_ppm_aborts_at_once() -> None:
    bench = Bench(facts=OPEN_GATE)
    for value in (8.0, 16.0, 24.0, 32.0, 40.0, 49.99):
        bench.values[H2O] = value
        bench.run(1.2)
    assert bench.state.level < ABORT
    bench.values[H2O] = 50.0
    assert bench.scan().level is ABORT


def test_g2_a_rise_of_10_ppm_within_a_second_aborts_at_once() -> None:
    bench = Bench(facts=OPEN_GATE)
    bench.run(3)
    bench.values[O2] = 10.4
    assert bench.scan().level is ABORT
    assert "ppm/s" in bench.cause("G2").detail


def test_g2_a_slow_rise_does_not_count_as_a_fast_one() -> None:
    bench = Bench(facts=OPEN_GATE)
    for _ in range(50):
        bench.values[O2] += 0.9
        bench.scan()
    assert bench.state.level < ABORT  # 9 ppm/s, below 50 ppm


def test_g2_a_ramp_just_above_10_ppm_per_s_aborts_within_two_seconds() -> None:
    bench = Bench(facts=OPEN_GATE)
    bench.run(3.5)
    for _ in range(20):
        bench.values[O2] += 1.05
        bench.scan()
    assert bench.state.level is ABORT


def test_g2_noise_of_one_digit_is_not_a_rise() -> None:
    bench = Bench(facts=OPEN_GATE)
    for i in range(200):
        bench.values[O2] = 0.3 + 2.0 * (i % 2)  # 20 ppm/s from sample to sample
        bench.scan()
    assert bench.state.level is Reaction.NONE


def test_g2_a_jump_across_a_gap_of_unknown_values_is_not_a_rise() -> None:
    bench = Bench(facts=OPEN_GATE)
    bench.quality[O2] = Quality.BAD
    bench.scan()
    del bench.quality[O2]
    bench.values[O2] = 40.0
    bench.scan()
    assert bench.state.level is HOLD


def test_g2_asks_lithium_zones_for_sixty_degrees_until_it_is_reset_and_an_abort_takes_them_off() -> None:
    bench = Bench(facts=UNPROVEN)
    assert heat_ceiling_c(bench.state) == math.inf
    for value in (8.0, 12.0):
        bench.values[O2] = value
        bench.run(2)
    assert heat_ceiling_c(bench.run(10)) == 60.0
    assert heaters_off(bench.state) == frozenset()
    bench.values[O2] = 0.3
    assert heat_ceiling_c(bench.run(11)) == 60.0
    assert heat_ceiling_c(bench.reset("operator")) == math.inf
    bench.values[O2] = 60.0
    assert heaters_off(bench.scan()) == {"substrate", "chamber"}


def test_g2_says_that_the_purifier_is_to_be_isolated() -> None:
    bench = Bench(facts=UNPROVEN)
    bench.values[O2] = 50.0
    bench.scan()
    assert all("isolate the purifier" in c.detail for c in bench.state.active if c.reaction is ABORT)
    assert bench.cause("G2").reset is L1


@pytest.mark.parametrize("quality", [Quality.GOOD, Quality.BAD])
def test_an_analyser_at_the_end_of_its_range_may_stand_for_anything_above_it(quality: Quality) -> None:
    bench = Bench(facts=UNPROVEN)
    bench.values[O2], bench.quality[O2] = 99.98, quality  # the highest value of twelve bits
    assert bench.scan().level is ABORT
    assert {c.row for c in bench.state.active} == {"G2", "G7"}
    behind = Bench()
    behind.values[O2], behind.quality[O2] = 99.98, quality
    assert behind.scan().level is BLOCK
    assert behind.rows == {"G7"}
    assert permit(behind.state)


# --- the purifier regenerates ----------------------------------------------------------------------------------------


def test_while_the_purifier_regenerates_g1_is_silent_and_the_gate_alone_stays_blocked() -> None:
    bench = Bench(facts=REGENERATING)
    bench.values[O2] = 3.0
    assert bench.run(60).level is Reaction.NONE
    bench.values[O2] = 40.0
    assert bench.run(11).level is BLOCK
    assert bench.state.blocked is TO_GATE
    assert may_start(bench.state)


def test_a_regeneration_excuses_nothing_with_the_gate_not_proven_shut() -> None:
    bench = Bench(facts=replace(UNPROVEN, regenerating=True))
    bench.values[O2] = 6.0
    assert bench.run(11).blocked == SOME
    bench.values[O2] = 12.0
    assert bench.run(11).level is HOLD


# --- G7: analysers ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("facts", "reaction"), [(RUNNING, BLOCK), (OPEN_GATE, HOLD)])
@pytest.mark.parametrize("value", [math.nan, -math.inf, -2.6])
def test_g7_an_analyser_that_cannot_be_believed_counts_as_above_the_trip(
    value: float, facts: Facts, reaction: Reaction
) -> None:
    bench = Bench(facts=facts)
    bench.values[O2] = value
    assert bench.scan().level is reaction
    assert bench.rows == {"G7"}


def test_g7_an_analyser_that_is_not_read_for_ten_seconds_is_dead() -> None:
    bench = Bench(facts=UNPROVEN)
    bench.stopped.add(H2O)
    assert bench.run(9.9).level is Reaction.NONE
    assert bench.run(0.3).level is HOLD
    assert bench.rows == {"G7"}
    assert "too old" in bench.cause("G7").detail


def test_g7_an_analyser_at_its_end_says_so() -> None:
    bench = Bench()
    bench.values[H2O] = 99.99
    bench.scan()
    assert bench.cause("G7").detail == f"{H2O} stands at the end of its range"


def test_g7_a_reading_that_stands_still_for_a_day_keeps_the_gate_shut_and_nothing_else() -> None:
    bench = Bench()
    bench.values[H2O] = 0.21  # only O2 stands still
    for wait_s in (*[3600.0] * 23, 3599.0):
        bench.values[H2O] += 0.01
        assert bench.scan(wait_s).level is Reaction.NONE
    bench.values[H2O] += 0.01
    assert bench.scan(1.0).level is BLOCK
    assert (bench.rows, bench.state.blocked) == ({"G7"}, TO_GATE)
    assert permit(bench.state) and may_start(bench.state)
    assert bench.cause("G7").detail == f"{O2} has read the same to the last digit for 24 h"
    bench.values[O2] += 0.024  # one digit of twelve bits
    assert bench.scan().level is Reaction.NONE


@pytest.mark.parametrize("sign", [0.0, None])
def test_g7_an_analyser_whose_test_is_overdue_or_was_never_signed_for_keeps_the_gate_shut(sign: float | None) -> None:
    bench = Bench()
    del bench.values["register.analyser.O2"]
    del bench.samples["register.analyser.O2"]
    if sign is not None:
        bench.values["register.analyser.O2"] = sign
    bench.scan()
    assert (bench.rows, bench.state.blocked) == ({"G7"}, TO_GATE)
    assert may_start(bench.state)


def test_the_end_of_a_range_is_known_from_the_tool_file_and_without_one_nothing_is_saturated() -> None:
    assert span_of(CONFIG, O2) == Span(0, 100)
    assert span_of(CONFIG, "pirani.pressure_pa") is None
    elsewhere = CONFIG.signals.model_copy(update={"glovebox_o2": "sensor.o2_ppm"})
    table = rules(CONFIG.model_copy(update={"signals": elsewhere}))
    assert any("range of sensor.o2_ppm" in s for s in table.not_guarded)


# --- the gate --------------------------------------------------------------------------------------------------------


def test_a_gate_that_opens_brings_the_stricter_rule_and_shutting_it_ends_the_cause_but_not_the_latch() -> None:
    bench = Bench()
    bench.values[O2] = 20.0
    assert bench.run(60).level is BLOCK
    bench.facts = OPEN_GATE
    assert bench.run(10).level is BLOCK  # the ten seconds count from when the rule holds
    assert bench.run(0.3).level is HOLD
    bench.facts = RUNNING
    bench.run(10.2)
    assert bench.cause("G1").reaction is BLOCK
    assert bench.state.level is HOLD
    assert bench.reset("operator").level is BLOCK


@pytest.mark.parametrize("contact", GATE)
def test_the_gate_is_proven_shut_by_two_good_fresh_closed_contacts_and_by_nothing_less(contact: str) -> None:
    bench = Bench()
    assert gate_proven_shut(RULES, bench.samples, bench.now_s)
    good = bench.samples[contact]
    worse = [
        Sample(0.0, good.at_s), Sample(math.nan, good.at_s), Sample(1.0, good.at_s, Quality.BAD),
        Sample(1.0, good.at_s, Quality.UNCERTAIN), Sample(1.0, good.at_s, Quality.TEST), Sample(1.0, good.at_s - 1.01),
    ]  # fmt: skip
    for sample in worse:
        assert not gate_proven_shut(RULES, bench.samples | {contact: sample}, bench.now_s)
    missing = {k: v for k, v in bench.samples.items() if k != contact}
    assert not gate_proven_shut(RULES, missing, bench.now_s)


def test_a_gate_with_one_contact_is_never_proven_shut() -> None:
    table = rules(CONFIG.model_copy(update={"signals": CONFIG.signals.model_copy(update={"gate_locked": None})}))
    bench = Bench()
    assert not gate_proven_shut(table, bench.samples, bench.now_s)
    assert any("never proven shut" in s for s in table.not_guarded)


def test_g3_a_gate_that_opens_without_its_release_is_an_estop_and_its_lock_alone_is_not() -> None:
    bench = Bench()
    bench.values[GATE[1]] = 0
    bench.facts = UNPROVEN
    assert bench.run(5).level is Reaction.NONE
    bench.values[GATE[0]] = 0
    assert bench.scan().level is ESTOP
    first = bench.state.first_out
    assert first is not None and (first.cause.row, first.cause.reset) == ("G3", L2)
    bench.values |= {GATE[0]: 1, GATE[1]: 1}
    assert bench.run(11).level is ESTOP
    assert bench.reset("owner").level is Reaction.NONE


def test_g3_a_gate_that_was_released_may_stand_open_and_bars_the_start_so_long() -> None:
    bench = Bench(facts=replace(OPEN_GATE, gate_released=True))
    bench.values |= {GATE[0]: 0, GATE[1]: 0, STOP: 0, "asked.stop_shut": 1}
    assert bench.run(60).level is BLOCK
    assert bench.state.blocked is TO_START


def test_g4_an_open_gate_and_an_open_stop_valve_isolate_once_the_valve_had_its_time() -> None:
    bench = Bench(facts=replace(OPEN_GATE, gate_released=True))
    bench.values |= {GATE[0]: 0, GATE[1]: 0}
    assert bench.run(1.0).level is BLOCK
    assert bench.run(0.2).level is ISOLATE
    cause = bench.cause("G4")
    assert cause.reset is L2 and "after 1 s" in cause.detail


def test_g4_a_contact_of_the_gate_that_cannot_be_believed_counts_as_open() -> None:
    bench = Bench(facts=UNPROVEN)
    bench.quality[GATE[0]] = Quality.BAD
    assert bench.scan().level is ISOLATE
    assert bench.rows == {"G4"}


def test_g4_without_a_commissioned_travel_no_run_begins() -> None:
    bench = Bench(rules(constants=replace(CONSTANTS, stop_s=None)))
    bench.scan()
    assert [c.detail for c in bench.state.active if c.row == "G4"] == [
        "how long the stop valve travels was never commissioned; set the register constant.stop"
    ]
    assert not may_start(bench.state) and permit(bench.state)


# --- G6, G8 and G9 ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("side", [-1.0, 1.0])
def test_g6_warns_at_8_mbar_to_either_side_and_blocks_the_gate_at_12_after_two_seconds(side: float) -> None:
    bench = Bench()
    bench.values[BOX] = 8.0 * side
    assert bench.run(2.0).level is Reaction.NONE
    assert bench.scan().level is WARN
    bench.values[BOX] = 12.0 * side
    assert bench.run(2.0).level is WARN
    assert bench.scan().level is BLOCK
    assert bench.state.blocked is TO_GATE
    assert permit(bench.state)


def test_g6_with_the_gate_not_proven_shut_holds_and_an_operator_resets_it_below_the_warning() -> None:
    bench = Bench(facts=UNPROVEN)
    bench.values[BOX] = -12.5
    assert bench.run(2.0).level < HOLD
    assert bench.scan().level is HOLD
    bench.values[BOX] = 2.0
    bench.run(10.2)
    assert bench.reset("operator").level is Reaction.NONE


@pytest.mark.parametrize("value", [19.99, -20.0, math.nan])
def test_g6_a_pressure_at_an_end_of_its_range_counts_as_the_trip(value: float) -> None:
    bench = Bench()
    bench.values[BOX] = value
    assert bench.scan().blocked is TO_GATE
    assert bench.rows == {"G6"}


def test_g8_argon_that_is_gone_for_two_seconds_isolates() -> None:
    bench = Bench()
    bench.values[ARGON] = 0
    assert bench.run(2.0).level is Reaction.NONE
    assert bench.scan().level is ISOLATE
    assert bench.cause("G8").reset is L1


def test_g9_a_wired_room_monitor_isolates_at_once_and_needs_the_button_to_be_reset() -> None:
    signals = CONFIG.signals.model_copy(update={"room_oxygen": "coupler-b.room_oxygen_ok"})
    table = rules(CONFIG.model_copy(update={"signals": signals}))
    bench = Bench(table, released=False)
    bench.values["coupler-b.room_oxygen_ok"] = 1
    bench.scan()
    bench.reset("operator")
    bench.values["coupler-b.room_oxygen_ok"] = 0
    assert bench.scan().level is ISOLATE
    assert (bench.cause("G9").reset, bench.cause("G9").blocks) == (L3, ALL)
    assert not any(s.startswith("G9") for s in table.not_guarded)


# --- what a tool lacks -----------------------------------------------------------------------------------------------

LACKS = [
    ("glovebox_o2", "G1, G2, G7: no O2 analyser"), ("glovebox_h2o", "G1, G2, G7: no H2O analyser"),
    ("box_pressure", "G6: no pressure"), ("gate_shut", "G3, G4: no contact"), ("gate_locked", "G2: the gate lacks"),
    ("stop_valve_open", "G4: no contact of the stop valve"), ("delta_p", "G5: no pressure"),
    ("argon", "G8: no contact of the argon line"), ("room_oxygen", "G9: oxygen"),
]  # fmt: skip


@pytest.mark.parametrize(("field", "told"), LACKS)
def test_what_a_tool_lacks_is_told_and_nothing_stands_in_for_it(field: str, told: str) -> None:
    signals = CONFIG.signals.model_copy(update={field: None})
    setting = Setting(CONFIG.model_copy(update={"signals": signals}), CONSTANTS)
    assert any(s.startswith(told) for s in glovebox_absent(setting))
    read = {i.signal for c in glovebox(setting) for i in c.measure.inputs}
    assert getattr(CONFIG.signals, field) not in read


def test_the_reference_tool_lacks_a_bottle_gauge_and_a_room_monitor_only() -> None:
    assert [s[:2] for s in glovebox_absent(SETTING)] == ["G8", "G9"]
