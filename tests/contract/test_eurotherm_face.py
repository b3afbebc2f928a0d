"""The simulated Eurotherm 3216 against frames of its manual, and as an instrument that does not trust its line."""

import struct

import pytest

from simulators.eurotherm import Eurotherm
from simulators.face import Bus
from simulators.modbus_server import crc
from simulators.plant import Plant, Wiring
from simulators.plant.heat import BUILDS
from tests.contract.plants import Oven

WIRING = Wiring((), 0, 128, {}, {"substrate": "substrate", "chamber": "chamber"})


@pytest.fixture
def oven():
    return Oven(25.1)


@pytest.fixture
def unit(oven):
    return Eurotherm(oven, "substrate", unit=1, local_c=20)


def frame(*body: int) -> bytes:
    return bytes(body) + crc(bytes(body))


def read(unit: Eurotherm, address: int, now_s: float = 0.0) -> int:
    reply = unit.face().hear(now_s, frame(1, 3, *struct.pack(">HH", address, 1)))
    return struct.unpack(">h", reply[3:5])[0]


def write(unit: Eurotherm, address: int, value: int, now_s: float = 0.0) -> bytes:
    return unit.face().hear(now_s, frame(1, 6, *struct.pack(">Hh", address, value)))


def test_the_frames_of_the_manual(unit):
    face = unit.face()
    assert face.hear(0, bytes.fromhex("010300010001D5CA")) == bytes.fromhex("01030200FBF9C7")
    assert len(face.hear(1, bytes.fromhex("010300010005D409"))) == 15
    assert face.hear(2, bytes.fromhex("01060002012C2847")) == bytes.fromhex("01060002012C2847")
    assert face.hear(3, bytes.fromhex("0103004B0001F41C"))[:3] == b"\x01\x03\x02"
    assert face.hear(4, frame(1, 3, 0x40, 0, 0, 1)) == bytes.fromhex("018302C0F1")


def test_negative_temperatures_are_signed(unit, oven):
    oven.celsius = -12.3
    assert read(unit, 1) == -123


def test_the_remote_set_point_rules_only_while_it_is_refreshed(unit):
    write(unit, 26, 1500, 10.0)
    write(unit, 276, 1, 10.0)
    assert read(unit, 5, 14.0) == 1500
    assert read(unit, 75, 14.0) == 0
    assert read(unit, 5, 15.5) == 200
    assert read(unit, 75, 15.5) == 1 << 14
    write(unit, 26, 1500, 16.0)
    assert read(unit, 5, 16.0) == 1500
    assert unit.eeprom_writes == {}


def test_the_target_register_wears_the_memory_and_the_remote_one_does_not(unit):
    for value in range(100, 110):
        write(unit, 2, value)
        write(unit, 26, value)
    assert unit.eeprom_writes == {2: 10}
    assert read(unit, 24) == 109


def test_read_only_unknown_and_out_of_range_are_refused_by_their_codes(unit):
    assert write(unit, 1, 5)[1:3] == b"\x86\x02"
    assert write(unit, 26, 20000)[1:3] == b"\x86\x03"
    assert write(unit, 276, 2)[1:3] == b"\x86\x03"
    assert read(unit, 26) == 200


def test_an_open_sensor_shows_in_the_status_and_takes_the_power_away(unit, oven):
    write(unit, 24, 1500)
    assert oven.law(0.5, 25.0) == 1.0
    oven.celsius = 1400.0
    assert oven.law(1.0, 1400.0) == 0.0
    assert read(unit, 75, 1.0) & (1 << 5)
    assert read(unit, 258, 1.0) == 1
    assert read(unit, 76, 1.0) & 0xFFFF == ~read(unit, 75, 1.0) & 0xFFFF


def test_alarms_come_by_threshold_and_new_ones_wait_for_acknowledgement(unit, oven):
    write(unit, 13, 1600)
    oven.law(0.5, 161.0)
    assert read(unit, 75) & 1 and read(unit, 294) == 1 and read(unit, 260) == 1
    write(unit, 274, 1)
    assert read(unit, 260) == 0 and read(unit, 294) == 1
    oven.law(1.0, 150.0)
    assert read(unit, 75) & 1 == 0


def test_a_rate_limit_ramps_the_working_set_point(unit, oven):
    write(unit, 35, 600)  # 60 K/min
    write(unit, 24, 500)
    for i in range(21):
        oven.law(i * 0.5, 25.0)
    assert read(unit, 5, 10.0) == pytest.approx(300, abs=6)
    assert read(unit, 75, 10.0) & (1 << 13)


def test_standby_and_manual_output(unit, oven):
    write(unit, 273, 1)
    write(unit, 3, 400)
    assert oven.law(0.5, 25.0) == 0.4
    assert read(unit, 75) & (1 << 4)
    write(unit, 199, 1)
    assert oven.law(1.0, 25.0) == 0.0
    assert read(unit, 4) == 0


def test_units_on_a_line_answer_for_themselves_and_all_hear_a_broadcast(oven):
    units = [Eurotherm(Oven(), "zone", unit=i, local_c=20) for i in (1, 2, 3)]
    bus = Bus([unit.face() for unit in units])
    assert bus.hear(0, frame(2, 3, 0, 1, 0, 1))[:1] == b"\x02"
    assert bus.hear(1, frame(9, 3, 0, 1, 0, 1)) == b""
    assert bus.hear(2, frame(0, 6, 0, 24, 0, 250)) == b""
    assert {unit.values[24] for unit in units} == {250}


def test_it_heats_the_plant_to_its_set_point_with_little_overshoot_and_holds_it():
    plant = Plant(WIRING, at_s=0.0)
    plant.valve_word(0.0, 128)
    units = []
    for i, zone in enumerate(("substrate", "chamber")):
        build = BUILDS[zone]
        units.append(Eurotherm(plant, zone, unit=i + 1, local_c=150, hold_per_k=build.loss_w_k / build.watts))
    warmest = max(plant.temperature_c("substrate", float(at_s)) for at_s in range(0, 3600, 5))
    assert warmest < 152.5
    assert plant.temperature_c("substrate", 3600.0) == pytest.approx(150, abs=0.5)
    plant.valve_word(3600.0, 0)
    assert plant.temperature_c("substrate", 4200.0) < 130


def test_a_client_that_died_leaves_the_zone_to_the_safe_local_set_point():
    plant = Plant(WIRING, at_s=0.0, warm_c={"substrate": 150, "chamber": 25})
    plant.valve_word(0.0, 128)
    unit = Eurotherm(plant, "substrate", unit=1, local_c=20)
    for at_s in range(60):
        write(unit, 26, 1500, float(at_s))
        write(unit, 276, 1, float(at_s))
    assert plant.heat.zones["substrate"].power > 0
    plant.advance(70.0)
    assert plant.heat.zones["substrate"].power == 0
