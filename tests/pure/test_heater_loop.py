"""The heater rows closed over the simulated heaters: healthy ramps trip nothing, faults trip before anything is hot."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from ald_controller.interlocks import Reaction
from simulators.plant.heat import STAGES
from tests.heater_loop import Loop

PEAK_C = 173.0
LIGL = {"substrate": 150.0, "chamber": 150.0, "source_3": 150.0, "source_4": 130.0, "lines": 165.0}
STANDBY = {"substrate": 50.0, "chamber": 50.0, "source_3": 40.0, "source_4": 40.0, "lines": 55.0}


@pytest.mark.parametrize("stage", STAGES)
def test_from_cold_to_150_degrees_and_back_no_row_warns_or_trips_on_any_mass(stage: str) -> None:
    loop = Loop(stage, scan_s=1.0)
    loop.to(6.0, **LIGL)  # as fast as the tool lets anybody ramp
    loop.run(2200)
    assert loop.substrate.metal_c == pytest.approx(150, abs=2.5)
    loop.to(6.0, **STANDBY)
    loop.run(500)
    assert (loop.rows, loop.warned) == ({}, set())
    assert loop.peak_c < 155.0


@pytest.mark.parametrize("stage", STAGES)
def test_the_ramp_of_the_shipped_recipes_warns_and_trips_nothing_on_any_mass(stage: str) -> None:
    loop = Loop(stage, 100.0, scan_s=1.0)
    loop.to(3.0, **LIGL)
    loop.run(1600)
    assert (loop.rows, loop.warned) == ({}, set())
    assert loop.substrate.metal_c == pytest.approx(150, abs=4.5) and loop.peak_c < 155.0


def test_a_chamber_heated_alone_warms_its_stage_and_no_row_takes_that_for_a_welded_relay() -> None:
    loop = Loop("light", scan_s=1.0)
    loop.to(6.0, chamber=120.0)
    loop.run(1500)
    assert loop.substrate.metal_c > 80
    assert (loop.rows, loop.warned) == ({}, set())


def test_a_hold_of_its_heater_and_the_way_back_are_no_fault_of_the_heater() -> None:
    loop = Loop("middle", 150.0)
    loop.to(3.0, substrate=150.0, chamber=150.0)
    loop.run(30)
    ramp = loop.ramps.pop("substrate")
    loop.unit("substrate").put(276, 0)
    loop.run(300)
    assert loop.substrate.metal_c < 140
    loop.ramps["substrate"] = ramp  # the ramp has long come to its goal: the set-point jumps
    loop.run(400)
    assert loop.rows == {} and loop.substrate.metal_c > 147


# --- faults beside those that tests/run/test_heater_faults.py shows under a whole daemon -----------------------------


def settled(loop: Loop) -> None:
    loop.to(3.0, substrate=150.0, chamber=150.0)
    loop.run(20)


def ramping(loop: Loop) -> None:
    loop.to(3.0, substrate=150.0, chamber=150.0)
    loop.run(60)


def slipping_off_slowly(loop: Loop) -> None:
    settled(loop)
    loop.substrate.sensor.loose_s = 30.0


def second_detached(loop: Loop) -> None:
    settled(loop)
    assert loop.substrate.second is not None
    loop.substrate.second.loose_s = 5.0


def second_frozen(loop: Loop) -> None:
    ramping(loop)
    assert loop.substrate.second is not None
    loop.substrate.second.freeze()


def second_drifts(loop: Loop) -> None:
    settled(loop)
    assert loop.substrate.second is not None
    loop.substrate.second.drift_k_s = -0.02


def welded_in_the_ramp(loop: Loop) -> None:
    ramping(loop)
    loop.substrate.stuck_on = True


def unit_of_the_lines(loop: Loop) -> None:
    loop.to(60.0, lines=165.0)
    settled(loop)
    loop.run(300)
    loop.world.exchange_units("substrate", "lines", writes=True)


def swapped_since_ever(loop: Loop) -> None:
    loop.to(6.0, substrate=150.0, chamber=150.0)


def heater_broken(loop: Loop) -> None:
    settled(loop)
    loop.substrate.broken = True


def chamber_welded(loop: Loop) -> None:
    settled(loop)
    loop.heat.zones["chamber"].stuck_on = True


def chamber_detached(loop: Loop) -> None:
    settled(loop)
    loop.heat.zones["chamber"].sensor.loose_s = 5.0


def chamber_drifts(loop: Loop) -> None:
    settled(loop)
    loop.heat.zones["chamber"].sensor.drift_k_s = -0.02


def chamber_frozen(loop: Loop) -> None:
    ramping(loop)
    loop.heat.zones["chamber"].sensor.freeze()


ALL = tuple(STAGES)
FAULTS: list[tuple[Callable[[Loop], None], str, tuple[str, ...], float, float]] = [
    # what, first row, on which masses, where it begins in °C, at the latest after s
    (slipping_off_slowly, "T2", ALL, 150, 12),
    (second_detached, "T2", ALL, 150, 2),
    (second_frozen, "T4", ALL, 98, 300),
    (second_drifts, "T4", ("light",), 150, 530),
    (welded_in_the_ramp, "T6", ("light",), 98, 45),
    (welded_in_the_ramp, "T5", ("middle",), 98, 70),
    (unit_of_the_lines, "T2", ("light", "heavy"), 150, 2),
    (swapped_since_ever, "T5", ("light", "middle"), 25, 180),
    (swapped_since_ever, "T2", ("heavy",), 25, 180),
    (heater_broken, "T2", ("middle",), 150, 260),
    (chamber_welded, "T5", ("middle",), 150, 150),
    (chamber_detached, "T2", ("middle",), 150, 2),
    (chamber_drifts, "T2", ("middle",), 150, 290),
    (chamber_frozen, "T2", ("light", "heavy"), 98, 110),
]
CASES = [(*fault, stage) for fault in FAULTS for stage in fault[2]]


@pytest.mark.parametrize("case", CASES, ids=[f"{case[0].__name__}-{case[-1]}" for case in CASES])
def test_a_fault_of_a_heater_or_a_sensor_trips_before_the_stage_is_hot(
    case: tuple[Callable[[Loop], None], str, tuple[str, ...], float, float, str],
) -> None:
    break_it, row, _, at_c, within_s, stage = case
    other = "source-5" if stage == "middle" else "chamber"
    loop = Loop(stage, at_c, swapped=("substrate", other) if break_it is swapped_since_ever else None)
    break_it(loop)
    began_s = loop.now_s
    loop.run(within_s, until=Reaction.HOLD)
    assert loop.state.first_out is not None and loop.state.first_out.cause.row == row
    loop.run(60)
    assert loop.peak_c <= PEAK_C, loop.now_s - began_s
