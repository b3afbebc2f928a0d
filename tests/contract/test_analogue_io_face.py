"""The simulated analogue module: scale, ends, broken wires and status, as the manuals of such modules have them."""

import struct

import pytest

from simulators.analogue_io import AnalogueFace, AnalogueModule, Input
from simulators.modbus_server import crc


@pytest.fixture
def value():
    return [50.0]


@pytest.fixture
def module(value):
    return AnalogueModule(
        {
            "o2": Input(0, "4-20 mA", 0, 65535, 0, 100, lambda _: value[0], "uint16", (0, 65535), status=9, reports=1),
            "h2o": Input(1, "4-20 mA", 6553, 32767, 0, 100, lambda _: value[0], status=9, reports=2),
            "torr": Input(2, "0-10 V", 0, 10000, 0, 10, lambda _: value[0] / 10),
            "second": Input(4, "4-20 mA", 4, 20, 0, 100, lambda _: value[0], "float32 high first"),
        },
        {5000: 1240},
    )


def ask(module: AnalogueModule, function: int, address: int, count: int) -> bytes:
    request = struct.pack(">HHHBBHH", 7, 0, 6, 1, function, address, count)
    return AnalogueFace(module, unit=1, protocol="tcp").hear(0.0, request)[7:]


def words(module: AnalogueModule, address: int, count: int, function: int = 4) -> tuple[int, ...]:
    return struct.unpack(f">{count}H", ask(module, function, address, count)[2:])


def test_each_input_counts_as_its_scale_says(module):
    assert words(module, 0, 3) == (32768, 19660, 5000)
    assert struct.unpack(">f", struct.pack(">HH", *words(module, 4, 2))) == (12.0,)
    assert words(module, 5000, 1, function=3) == (1240,)


def test_a_transmitter_stops_where_ne_43_says_and_a_module_at_the_end_of_its_word(module, value):
    value[0] = 1e6
    assert words(module, 0, 3) == (65535, 32767, 10500)
    assert struct.unpack(">f", struct.pack(">HH", *words(module, 4, 2))) == (20.5,)
    value[0] = -1e6
    assert words(module, 0, 3) == (0, 6225, 0)
    assert words(module, 9, 1) == (0,)


def test_a_broken_wire_is_no_current_and_a_bit_of_its_own(module):
    module.inputs["h2o"].broken = True
    assert words(module, 1, 1) == (0,)
    assert words(module, 9, 1) == (2,)
    module.inputs["o2"].ma = 21.5
    assert words(module, 9, 1) == (3,)


def test_what_is_not_there_is_refused(module):
    assert ask(module, 4, 3, 1) == b"\x84\x02"
    assert ask(module, 1, 0, 1) == b"\x81\x01"
    assert ask(module, 6, 0, 1) == b"\x86\x01"


def test_on_a_serial_line_it_answers_with_a_checksum(module):
    request = bytes.fromhex("030400020001")
    reply = AnalogueFace(module, unit=3, protocol="rtu").hear(0.0, request + crc(request))
    assert reply == bytes.fromhex("0304021388") + crc(bytes.fromhex("0304021388"))
