"""Rows T1 and T7: lithium that gets hot, and sensors that cannot say so."""

from __future__ import annotations

import math
from typing import Any

import pytest

from ald_controller.interlocks import (
    Facts,
    Quality,
    Reaction,
    ResetRefused,
    contactor_off,
    heaters_off,
    permit,
)
from tests.interlock_bench import CHAMBER, SECOND, SUBSTRATE, Bench

WARN, BLOCK, HOLD, ABORT = Reaction.WARN, Reaction.BLOCK, Reaction.HOLD, Reaction.ABORT_PURGE


@pytest.mark.parametrize("signal", [SUBSTRATE, SECOND, CHAMBER])
def test_t1_trips_at_170_with_the_first_valid_sample_of_any_lithium_sensor(signal: str) -> None:
    bench = Bench()
    bench.values[signal] = 169.99
    assert bench.scan().level < ABORT
    bench.values[signal] = 170.0
    assert bench.scan().level is ABORT
    assert bench.state.first_out is not None
    assert bench.state.first_out.cause.row == "T1"
    assert contactor_off(bench.state)
    assert heaters_off(bench.state) == {"substrate", "chamber"}


def test_t1_warns_at_160_after_two_seconds_and_clears_by_itself_at_155() -> None:
    bench = Bench()
    bench.values[SUBSTRATE] = 159.99
    assert bench.run(10).level is Reaction.NONE
    bench.values[SUBSTRATE] = 160.0
    assert bench.run(2.0).level is Reaction.NONE
    assert bench.scan().level is WARN
    assert permit(bench.state)
    bench.values[SUBSTRATE] = 155.01
    assert bench.run(5).level is WARN
    bench.values[SUBSTRATE] = 155.0
    assert bench.scan().level is Reaction.NONE
    assert bench.state.latched == ()


def test_an_overshoot_shorter_than_the_persistence_warns_nobody_and_starts_anew() -> None:
    bench = Bench()
    for _ in range(3):
        bench.values[SUBSTRATE] = 165.0
        assert bench.run(1.9).level is Reaction.NONE
        bench.values[SUBSTRATE] = 159.0
        assert bench.scan().level is Reaction.NONE


def test_t1_does_not_bind_a_tool_that_is_declared_free_of_lithium() -> None:
    bench = Bench(facts=Facts("EXECUTING", "VACUUM", lithium=False, gate_proven_shut=True))
    bench.values |= {SUBSTRATE: 250.0, SECOND: 250.0}
    bench.stopped.add(CHAMBER)
    assert bench.run(20).level is Reaction.NONE


def test_an_unknown_load_counts_as_lithium() -> None:
    assert Facts().lithium


@pytest.mark.parametrize("role", ["viewer", "operator"])
def test_t1_is_reset_by_an_owner_alone(role: Any) -> None:
    bench = Bench()
    bench.values[SUBSTRATE] = 171.0
    bench.scan()
    bench.values[SUBSTRATE] = 150.0
    bench.run(10.2)
    with pytest.raises(ResetRefused, match="needs the role owner"):
        bench.reset(role)
    assert bench.reset("owner").level is Reaction.NONE


BROKEN = [math.nan, math.inf, -math.inf, -20.01, 400.01]


@pytest.mark.parametrize("value", BROKEN)
def test_t7_one_of_two_lithium_sensors_lost_holds_with_its_heater_off(value: float) -> None:
    bench = Bench()
    bench.values[SUBSTRATE] = value
    assert bench.scan().level is HOLD
    assert bench.cause("T7").name == "substrate"
    assert heaters_off(bench.state) == {"substrate"}
    assert not contactor_off(bench.state)
    assert not permit(bench.state)


@pytest.mark.parametrize("value", [-20.0, 0.0, 400.0])
def test_t7_the_ends_of_the_range_are_believed(value: float) -> None:
    bench = Bench(facts=Facts("IDLE", "VACUUM", True, True))
    bench.values[SECOND] = value
    bench.scan()
    assert "T7" not in bench.rows


def test_t7_a_sensor_that_its_device_calls_bad_is_lost_whatever_its_value() -> None:
    bench = Bench()
    bench.quality[SECOND] = Quality.BAD
    assert bench.scan().level is HOLD
    assert bench.state.active[0].detail == f"{SECOND} is reported bad by its device"


def test_t7_one_lost_sensor_becomes_an_abort_after_sixty_seconds() -> None:
    bench = Bench()
    bench.quality[SUBSTRATE] = Quality.BAD
    bench.scan()
    assert bench.run(59.9).level is HOLD
    assert bench.scan().level is ABORT
    assert contactor_off(bench.state)


def test_t7_a_lost_sensor_that_is_back_and_agrees_lets_an_operator_go_on() -> None:
    bench = Bench()
    bench.quality[SUBSTRATE] = Quality.BAD
    bench.run(50)
    del bench.quality[SUBSTRATE]
    bench.scan()
    assert bench.state.active == ()
    bench.run(30)
    assert bench.state.level is HOLD
    assert bench.reset("operator").level is Reaction.NONE


def test_t7_a_lost_sensor_that_is_back_but_disagrees_is_still_lost() -> None:
    bench = Bench()
    bench.quality[SUBSTRATE] = Quality.BAD
    bench.run(5)
    del bench.quality[SUBSTRATE]
    bench.values |= {SUBSTRATE: 130.0, SECOND: 140.1}
    assert bench.scan().level is HOLD
    assert bench.run(54).level is HOLD
    assert bench.run(2).level is ABORT
    bench.values[SUBSTRATE] = 130.1  # ten kelvins apart agree
    bench.scan()
    assert "T7" not in bench.rows


def test_t7_both_sensors_of_a_zone_lost_abort_at_once() -> None:
    bench = Bench()
    bench.quality |= {SUBSTRATE: Quality.BAD, SECOND: Quality.BAD}
    assert bench.scan().level is ABORT


def test_t7_a_zone_with_one_sensor_has_no_witness_and_aborts_at_once() -> None:
    bench = Bench()
    bench.values[CHAMBER] = math.nan
    assert bench.scan().level is ABORT
    assert bench.cause("T7").name == "chamber"
