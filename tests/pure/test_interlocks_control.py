"""Rows K1, K2, K3 and K14: valves, modules, heartbeats and values that grow old."""

from __future__ import annotations

import math

import pytest

from ald_controller.interlocks import (
    Quality,
    Reaction,
    ResetRefused,
    Sample,
    alarms,
)
from tests.interlock_bench import CHAMBER, H2O, O2, RULES, SECOND, SUBSTRATE, Bench

WARN, BLOCK, HOLD, ABORT = Reaction.WARN, Reaction.BLOCK, Reaction.HOLD, Reaction.ABORT_PURGE


def test_k1_a_lost_lease_aborts_and_is_over_ten_quiet_seconds_later() -> None:
    bench = Bench()
    bench.values["valves.lease_lost"] = 1
    assert bench.scan().level is ABORT
    assert bench.rows == {"K1"}
    bench.scan()
    assert bench.rows == set()
    with pytest.raises(ResetRefused, match="not yet clear for 10 s: K1"):
        bench.reset()
    bench.run(10)
    assert bench.reset().level is Reaction.NONE


def test_k2_a_valve_process_whose_sequence_stands_still_trips_though_its_samples_are_fresh() -> None:
    bench = Bench()
    bench.values["valves.sequence"] = bench.sequence  # no new count from here on
    bench.scan(0.0)
    assert bench.first_scan_at(ABORT, 2) == pytest.approx(0.6, abs=0.11)
    assert bench.rows == {"K2"}


def test_k2_a_silent_valve_process_trips_and_explains_the_values_that_grow_old_after_it() -> None:
    bench = Bench()
    bench.stopped |= {s for s in bench.samples if s.startswith("valves.")}
    bench.run(2)
    views = alarms(bench.state)
    assert (views[0].row, views[0].first_out, views[0].consequence_of) == ("K2", True, "")
    assert {v.consequence_of for v in views[1:]} == {"K2"}
    assert {v.row for v in views[1:]} == {"K14"}


@pytest.mark.parametrize(
    ("signal", "value"),
    [
        ("valves.connected", 0), ("valves.connected", 0.5), ("valves.armed", 0), ("valves.trips", 8),
        ("valves.trips", 6), ("valves.faults", 1),
    ],
)  # fmt: skip
def test_k3_anything_wrong_with_the_valve_module_aborts_in_one_scan(signal: str, value: float) -> None:
    bench = Bench()
    bench.values[signal] = value
    assert bench.scan().level is ABORT
    assert bench.rows == {"K3"}


def test_k3_trips_that_were_counted_before_the_start_are_the_base() -> None:
    bench = Bench(released=False)
    bench.values["valves.trips"] = 41
    bench.run(2)
    assert bench.rows == set()
    assert bench.reset().level is Reaction.NONE


def test_k3_a_trip_counted_while_the_count_could_not_be_read_is_still_seen() -> None:
    bench = Bench()
    bench.stopped.add("valves.trips")
    bench.run(2)
    bench.stopped.clear()
    bench.values["valves.trips"] = 8
    bench.scan()
    assert "K3" in bench.rows


def test_k3_a_silent_coupler_b_aborts_after_half_a_second() -> None:
    bench = Bench()
    bench.stopped |= {s for s in bench.samples if s.startswith("coupler-b.")}
    waited = bench.first_scan_at(ABORT, 2)
    assert waited is not None
    assert 0.5 <= waited <= 0.6
    assert bench.rows == {"K3"}
    bench.run(12)
    views = alarms(bench.state)
    assert views[0].name == "coupler-b"
    assert all(v.consequence_of == "K3" for v in views if v.name.startswith("coupler-b."))


def test_k3_one_bad_channel_is_not_a_silent_module() -> None:
    bench = Bench()
    bench.stopped |= {s for s in bench.samples if s.startswith("coupler-b.") and s != O2}
    bench.run(1)
    assert "K3" not in bench.rows


def test_k3_channels_that_are_all_bad_or_from_the_future_are_no_valid_reply() -> None:
    bench = Bench()
    names = [s for s in bench.samples if s.startswith("coupler-b.")]
    bench.quality |= dict.fromkeys(names[:-1], Quality.BAD)
    bench.stopped.add(names[-1])
    bench.samples[names[-1]] = Sample(1.0, bench.now_s + 100)
    bench.run(0.7)
    assert "K3" in bench.rows


@pytest.mark.parametrize(
    ("signal", "age_s", "reaction"),
    [
        (SUBSTRATE, 2.0, HOLD), (SECOND, 2.0, HOLD), (CHAMBER, 2.0, ABORT), (O2, 10.0, BLOCK), (H2O, 10.0, BLOCK),
        ("valves.word", 1.0, ABORT), ("valves.connected", 1.0, ABORT), ("valves.armed", 1.0, ABORT),
        ("valves.trips", 1.0, ABORT), ("valves.faults", 1.0, ABORT), ("valves.lease_lost", 1.0, ABORT),
    ],
)  # fmt: skip
def test_k14_a_value_older_than_its_row_allows_is_tripped(signal: str, age_s: float, reaction: Reaction) -> None:
    bench = Bench()
    last = bench.samples[signal].at_s
    bench.stopped.add(signal)
    bench.scan(last + age_s - 0.001 - bench.now_s)
    assert bench.state.level is Reaction.NONE
    bench.scan(0.002)
    row = "G7" if signal in (O2, H2O) else "K14"  # the glovebox has a row of its own for analysers
    assert (bench.state.level, bench.rows) == (reaction, {row})


VALVE_SIGNALS = [i.signal for c in RULES.checks if c.device == "valves" for i in c.measure.inputs]


@pytest.mark.parametrize("signal", [*VALVE_SIGNALS, SUBSTRATE, O2])
def test_k14_a_value_from_the_future_is_tripped(signal: str) -> None:
    bench = Bench()
    bench.stopped.add(signal)
    value = bench.values.get(signal, bench.sequence + 1)
    bench.samples[signal] = Sample(value, bench.now_s + 0.1 + 0.09)
    assert bench.scan().level is Reaction.NONE
    bench.samples[signal] = Sample(value + (signal == "valves.sequence"), bench.now_s + 0.1 + 0.11)
    assert bench.scan().level >= BLOCK
    assert bench.rows == {{"valves.sequence": "K2", O2: "G7"}.get(signal, "K14")}


def test_k14_a_time_that_is_no_number_is_tripped() -> None:
    bench = Bench()
    bench.stopped.add(CHAMBER)
    bench.samples[CHAMBER] = Sample(20.0, math.nan)
    assert bench.scan().level is ABORT
