"""Heat in the plant: three masses, sensors of their own, and each of their faults."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from simulators.modbus_server import crc
from simulators.plant import Plant
from simulators.plant.heat import BUILDS, ROOM_C, SECOND_OFFSET_K, SECOND_TAU_S, STAGES
from simulators.world import World, build
from tests.pure.test_plant import WIRING
from tests.recipe_bench import simulated

TOOL = Path(__file__).parents[2] / "deploy" / "tool.yaml"
CONTACTOR = 128


def stage(name: str = "middle", at_c: float = 150.0) -> Plant:
    plant = Plant(WIRING, at_s=0.0, warm_c={"substrate": at_c, "chamber": at_c}, builds={"substrate": STAGES[name]})
    plant.valve_word(0.0, CONTACTOR)
    return plant


@pytest.mark.parametrize(("name", "slope"), [("light", 0.5), ("middle", 0.17), ("heavy", 0.05)])
def test_three_masses_rise_at_150_degrees_as_fast_as_they_are_said_to(name: str, slope: float) -> None:
    assert STAGES[name].slope_k_s(150.0) == pytest.approx(slope, rel=0.01)
    plant = stage(name)
    plant.heat.zones["substrate"].stuck_on = True
    plant.control("chamber", lambda at_s, sensor_c: 0.625)  # what holds the chamber at 150 °C
    before = plant.heat.zones["substrate"].metal_c
    plant.advance(4.0)
    assert (plant.heat.zones["substrate"].metal_c - before) / 4.0 == pytest.approx(slope, rel=0.05)


def test_a_heater_loses_slope_with_temperature() -> None:
    for made in (*STAGES.values(), *BUILDS.values()):
        assert made.slope_k_s(ROOM_C) > made.slope_k_s(150.0) > 0


def test_a_sensor_lags_five_seconds_behind_its_stage() -> None:
    plant = stage("light")
    zone = plant.heat.zones["substrate"]
    zone.stuck_on = True
    plant.advance(40.0)
    rate = STAGES["light"].slope_k_s(zone.metal_c) - 1.5 * (zone.metal_c - 150) / 200
    assert zone.metal_c - zone.sensor.celsius == pytest.approx(5.0 * rate, rel=0.15)


def test_the_second_sensor_tells_the_truth_while_the_first_is_broken_and_the_other_way_round() -> None:
    plant = stage()
    zone = plant.heat.zones["substrate"]
    zone.sensor.open = True
    assert plant.temperature_c("substrate", 1.0) > 1372
    assert plant.substrate_2_c(1.0) == pytest.approx(150.4, abs=1.0)
    zone.sensor.open = False
    assert zone.second is not None
    zone.second.drift_k_s = -1.0
    assert plant.substrate_2_c(21.0) == pytest.approx(130.4, abs=1.5)
    assert plant.temperature_c("substrate", 21.0) == pytest.approx(150, abs=1.5)


def test_a_frozen_sensor_reads_the_same_to_the_last_digit() -> None:
    plant = stage()
    sensor = plant.heat.zones["substrate"].sensor
    assert len({plant.temperature_c("substrate", at_s * 0.1) for at_s in range(10)}) > 1
    sensor.freeze()
    assert {plant.temperature_c("substrate", 1.0 + at_s) for at_s in range(60)} == {sensor.stuck_c}
    sensor.stuck_c = None
    assert plant.temperature_c("substrate", 61.0) < 149


def test_a_detached_sensor_falls_to_the_room_and_a_drifting_one_slowly_away() -> None:
    plant = stage()
    sensor = plant.heat.zones["substrate"].sensor
    sensor.loose_s = 5.0
    assert plant.temperature_c("substrate", 5.0) == pytest.approx(ROOM_C + 125 / 2.718, abs=1.0)
    assert plant.temperature_c("substrate", 60.0) == pytest.approx(ROOM_C, abs=0.5)
    other = stage()
    other.heat.zones["substrate"].sensor.drift_k_s = -0.02
    healthy = stage()
    assert other.temperature_c("substrate", 500.0) == pytest.approx(
        healthy.temperature_c("substrate", 500.0) - 10, 0.01
    )


def test_sensors_exchanged_at_the_terminals_stay_on_their_metal() -> None:
    plant = Plant(WIRING, at_s=0.0, warm_c={"substrate": 150, "chamber": 90})
    plant.heat.exchange("substrate", "chamber")
    assert plant.temperature_c("substrate", 0.5) == pytest.approx(90, abs=1)
    assert plant.temperature_c("chamber", 0.5) == pytest.approx(150, abs=1)
    assert plant.substrate_2_c(0.5) == pytest.approx(150, abs=1)


def _asked(world: World, unit: int, function: int, address: int, value: int, at_s: float) -> int:
    """The register in the answer of one controller on the heaters' line."""
    body = struct.pack(">BBHH", unit, function, address, value)
    reply = world.face("heaters").hear(at_s, body + crc(body))
    return int(struct.unpack(">h", reply[3:5] if function == 3 else reply[4:6])[0])


def test_a_wire_that_mixes_up_two_controllers_reads_and_if_told_writes_the_others_registers() -> None:
    world = build(TOOL, at_s=0.0, warm={"substrate": 150})
    assert _asked(world, 1, 3, 1, 1, 0.1) == pytest.approx(1500, abs=5)
    world.exchange_units("substrate", "source-5")
    assert _asked(world, 1, 3, 1, 1, 0.2) == pytest.approx(250, abs=5)
    assert _asked(world, 5, 3, 1, 1, 0.2) == pytest.approx(1500, abs=5)
    _asked(world, 1, 6, 26, 400, 0.3)
    assert _asked(world, 5, 3, 26, 1, 0.3) == 400  # written to unit 1, and read where unit 1 is read
    world.exchange_units("substrate", "source-5")
    world.exchange_units("substrate", "source-5", writes=True)
    _asked(world, 1, 6, 26, 500, 0.4)
    assert _asked(world, 1, 3, 26, 1, 0.4) == 500 and _asked(world, 5, 3, 26, 1, 0.4) == 400
    with pytest.raises(ValueError, match="temperature controllers"):
        world.exchange_units("substrate", "carrier")


def test_an_open_second_couple_shows_in_the_status_of_its_terminal() -> None:
    world = build(TOOL, at_s=0.0)
    coupler = world.instruments["coupler-b"]
    channel = coupler.channels["substrate_2_c"]  # type: ignore[union-attr]
    assert channel.registers(0.1)[0] == 0
    second = world.plant.heat.zones["substrate"].second
    assert second is not None
    second.open = True
    assert channel.registers(0.2) == (0x42, 0x7FFF)


def test_a_build_for_a_zone_that_does_not_exist_is_refused() -> None:
    with pytest.raises(ValueError, match="oven"):
        Plant(WIRING, at_s=0.0, builds={"oven": STAGES["light"]})


def test_the_simulated_constants_are_what_a_commissioning_of_the_plant_finds() -> None:
    heaters = simulated().constants.heaters
    for zone in ("substrate", "chamber"):
        made = BUILDS[zone]
        assert heaters[zone].lag_s == made.sensor_tau_s
        for at_c, slope in heaters[zone].slope_k_per_s:
            assert slope == pytest.approx(made.slope_k_s(at_c), rel=0.01)
    assert heaters["substrate"].second_k == SECOND_OFFSET_K
    assert heaters["substrate"].second_later_s == SECOND_TAU_S - BUILDS["substrate"].sensor_tau_s
