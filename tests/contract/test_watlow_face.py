"""The simulated Watlow EZ-ZONE PM against frames of its protocol, as it comes from the factory and as it is set."""

import struct

import pytest

from simulators.modbus_server import crc
from simulators.plant import Plant, Wiring
from simulators.plant.heat import BUILDS
from simulators.watlow import Watlow
from tests.contract.plants import Oven

SEVENTY_FIVE = (75.0 - 32.0) / 1.8


@pytest.fixture
def oven():
    return Oven(SEVENTY_FIVE)


@pytest.fixture
def unit(oven):
    return Watlow(oven, "substrate", unit=1)


def frame(*body: int) -> bytes:
    return bytes(body) + crc(bytes(body))


def ask(unit: Watlow, *pdu: int, now_s: float = 0.0) -> bytes:
    return unit.face().hear(now_s, frame(1, *pdu))[1:-2]


def read(unit: Watlow, address: int, count: int = 1, now_s: float = 0.0) -> tuple[int, ...]:
    reply = ask(unit, 3, *struct.pack(">HH", address, count), now_s=now_s)
    return struct.unpack(f">{count}H", reply[2:])


def number(unit: Watlow, address: int, now_s: float = 0.0) -> float:
    """Low word first, as from the factory."""
    low, high = read(unit, address, 2, now_s)
    return struct.unpack(">f", struct.pack(">HH", high, low))[0]


def put(unit: Watlow, address: int, value: int, now_s: float = 0.0) -> bytes:
    return ask(unit, 6, *struct.pack(">HH", address, value), now_s=now_s)


def put_number(unit: Watlow, address: int, value: float, now_s: float = 0.0) -> bytes:
    high, low = struct.unpack(">HH", struct.pack(">f", value))
    return ask(unit, 16, *struct.pack(">HHBHH", address, 2, 4, low, high), now_s=now_s)


def test_the_frames_of_the_protocol(unit):
    face = unit.face()
    assert face.hear(0, bytes.fromhex("010301680002442B")) == bytes.fromhex("01030400004296 4AFD".replace(" ", ""))
    assert face.hear(1, bytes.fromhex("0110087000020400004296 2385".replace(" ", ""))) == bytes.fromhex(
        "0110087000024273"
    )
    assert unit.numbers[2160] == pytest.approx(SEVENTY_FIVE)
    assert put(unit, 2488, 1330)[0] == 6
    assert face.hear(2, bytes.fromhex("010301680002442B")) == bytes.fromhex("010304429600000E67")


def test_from_the_factory_it_speaks_fahrenheit_low_word_first_and_saves(unit):
    assert [read(unit, address)[0] for address in (2488, 2490, 2494, 2492)] == [1331, 30, 106, 1057]
    assert number(unit, 360) == 75.0
    put(unit, 2490, 15)
    assert number(unit, 360) == pytest.approx(SEVENTY_FIVE, abs=1e-4)


REGISTERS = [
    *(360, 362, 368, 402, 416, 1880, 1882, 1904, 1906, 1908, 1928, 2160, 2162, 2164, 2166, 2172, 2184, 2186, 2188),
    *(2192, 680, 684, 686, 690, 2480, 2482, 2484, 2486, 2488, 2490, 2492, 2494),
    *(base + offset for base in (1480, 1530, 1580, 1630) for offset in (0, 2, 16, 18, 24, 28)),
]


@pytest.mark.parametrize("address", REGISTERS)
def test_every_register_of_the_table_can_be_read(unit, address):
    assert len(read(unit, address, 2)) == 2


def test_what_it_refuses_and_by_which_code(unit):
    assert put(unit, 360, 5) == b"\x86\x02"
    assert put(unit, 1880, 63) == b"\x86\x03"
    assert put(unit, 2160, 0x4296) == b"\x86\x03", "half a number"
    assert put_number(unit, 2160, 10000.0) == b"\x90\x03", "above its highest set-point"
    assert ask(unit, 3, 0x40, 0, 0, 1) == b"\x83\x02"
    assert ask(unit, 4, 1, 0x68, 0, 2) == b"\x84\x01"
    assert ask(unit, 1, 0, 0, 0, 1) == b"\x81\x01"


def test_a_refused_part_of_a_write_refuses_all_of_it(unit):
    low, high = struct.unpack(">HH", struct.pack(">f", 300.0))
    before = unit.numbers[2160]
    assert ask(unit, 16, *struct.pack(">HHBHHHH", 2160, 4, 8, high, low, low, low)) == b"\x90\x03"
    assert unit.numbers[2160] == before


def test_a_set_point_is_limited_by_its_own_least_and_highest_one(unit):
    put_number(unit, 2166, 400.0)
    assert put_number(unit, 2160, 401.0) == b"\x90\x03"
    assert put_number(unit, 2160, 399.0)[0] == 16
    assert number(unit, 2172) == 399.0


def test_what_was_changed_is_kept_after_five_seconds_unless_saving_is_off(unit):
    put_number(unit, 2160, 300.0, now_s=0.0)
    unit.elapse(4.9)
    assert unit.nonvolatile_writes == 0
    unit.elapse(5.1)
    assert unit.nonvolatile_writes == 1
    put_number(unit, 2160, 300.0, now_s=6.0)
    unit.elapse(20.0)
    assert unit.nonvolatile_writes == 1, "nothing has changed"
    put(unit, 2494, 59, now_s=21.0)
    for i in range(50):
        put_number(unit, 2160, 100.0 + i, now_s=22.0 + i)
    unit.elapse(100.0)
    assert unit.nonvolatile_writes == 2, "the switch itself is always kept"
    unit.power_cut()
    assert number(unit, 2160, 101.0) == pytest.approx(300.0, abs=1e-3)
    assert read(unit, 2494)[0] == 59


def test_the_panel_keeps_everything_at_once_whatever_saving_says(unit):
    put(unit, 2494, 59)
    put_number(unit, 2160, 302.0)
    unit.panel(1880, 10)
    unit.power_cut()
    assert number(unit, 2160) == pytest.approx(302.0, abs=1e-3)


def test_off_manual_and_auto(unit, oven):
    put_number(unit, 2160, 302.0)
    assert oven.law(0.5, 25.0) == 1.0
    assert number(unit, 1908) == 100.0
    put(unit, 1880, 54)
    put_number(unit, 2162, 40.0)
    assert oven.law(1.0, 25.0) == 0.4
    put(unit, 1880, 62)
    assert oven.law(1.5, 25.0) == 0.0
    assert read(unit, 1882) == (62,) and number(unit, 1908) == 0.0


@pytest.mark.parametrize("error", [65, 127, 140, 139, 9, 141, 32])
def test_an_input_error_has_its_name_and_takes_the_power_away(unit, oven, error):
    put_number(unit, 2160, 302.0)
    unit.broken = error
    assert oven.law(0.5, 25.0) == 0.0
    assert read(unit, 362) == (error,)
    unit.broken = None
    assert oven.law(1.0, 25.0) == 1.0 and read(unit, 362) == (61,)


@pytest.mark.parametrize("base", [1480, 1530])
def test_each_alarm_has_its_own_limits_and_says_which_side(unit, oven, base):
    put_number(unit, base, 320.0)
    put_number(unit, base + 2, 40.0)
    oven.law(0.5, 200.0)
    assert read(unit, base + 16) == (61,), "of type off"
    put(unit, base + 28, 76)
    for celsius, state in ((200.0, 7), (0.0, 8), (100.0, 61)):
        oven.law(1.0, celsius)
        assert read(unit, base + 16) == (state,)
    unit.broken = 65
    oven.law(1.5, 100.0)
    assert read(unit, base + 16) == (28,)


def test_its_own_ramp_moves_the_working_set_point(unit, oven):
    put_number(unit, 2192, 60.0)  # °F/min
    put(unit, 2188, 57)
    put(unit, 2186, 1647)
    start = number(unit, 2172)
    put_number(unit, 2160, start + 100.0)
    for i in range(61):
        oven.law(i * 0.5, 25.0)
    assert number(unit, 2172) - start == pytest.approx(30.0, abs=1.0)


def test_it_heats_the_plant_to_its_set_point_and_holds_it_when_nobody_asks_any_more():
    plant = Plant(Wiring((), 0, 128, {}, {"substrate": "substrate", "chamber": "chamber"}), at_s=0.0)
    plant.valve_word(0.0, 128)
    for zone in ("substrate", "chamber"):
        build = BUILDS[zone]
        unit = Watlow(plant, zone, unit=1, hold_per_k=build.loss_w_k / build.watts)
        put_number(unit, 2160, 302.0)
        put(unit, 1880, 10)
    warmest = max(plant.temperature_c("substrate", float(at_s)) for at_s in range(0, 3600, 5))
    assert warmest < 153.0
    assert plant.temperature_c("substrate", 3600.0) == pytest.approx(150, abs=1.5)
    plant.valve_word(3600.0, 0)  # nothing but the contactor takes its power away
    assert plant.temperature_c("substrate", 4200.0) < 130
