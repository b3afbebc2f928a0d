"""Rows G1, G2 and G7: oxygen and water in the glovebox, with the gate proven shut or not."""

from __future__ import annotations

import math

import pytest

from ald_controller.interlocks import (
    Blocks,
    Facts,
    Quality,
    Reaction,
    Sample,
    gate_proven_shut,
    heaters_off,
    may_start,
    permit,
)
from tests.interlock_bench import CONFIG, GATE, H2O, O2, OPEN_GATE, RULES, RUNNING, Bench, rules

WARN, BLOCK, HOLD, ABORT = Reaction.WARN, Reaction.BLOCK, Reaction.HOLD, Reaction.ABORT_PURGE


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
    assert bench.state.blocked == Blocks.START | Blocks.GATE


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


@pytest.mark.parametrize(("facts", "reaction"), [(RUNNING, BLOCK), (OPEN_GATE, HOLD)])
@pytest.mark.parametrize("value", [math.nan, -21.0, 1101.0])
def test_g7_an_analyser_that_cannot_be_believed_counts_as_above_the_trip(
    value: float, facts: Facts, reaction: Reaction
) -> None:
    bench = Bench(facts=facts)
    bench.values[O2] = value
    assert bench.scan().level is reaction
    assert bench.rows == {"G7"}


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
