"""The simulated WAGO coupler B: image and terminals as its manuals have them, and the watchdog of its big brother."""

import struct

import pytest

from simulators.wago_io import Channel, WagoB, WagoBFace
from tests.contract.plants import Rack


@pytest.fixture
def rack():
    return Rack("gate_shut")


@pytest.fixture
def values():
    return {"o2": 50.0, "h2o": 50.0, "torr": 5.0, "second": 150.4}


@pytest.fixture
def coupler(rack, values):
    channels = {
        "o2": Channel(0, "4-20 mA", 0, 100, lambda _: values["o2"]),
        "h2o": Channel(4, "4-20 mA on 0-20 mA", 0, 100, lambda _: values["h2o"]),
        "torr": Channel(8, "0-10 V", 0, 10, lambda _: values["torr"]),
        "second": Channel(12, "type K", -100, 1370, lambda _: values["second"]),
    }
    return WagoB(rack, channels, {0: "gate_shut", 9: "pump_running"}, {0: "vent", 10: "lamp"})


@pytest.fixture
def ask(coupler):
    face = WagoBFace(coupler)

    def ask(now_s: float, *pdu: int) -> bytes:
        return face.hear(now_s, struct.pack(">HHHB", 7, 0, len(pdu) + 1, 1) + bytes(pdu))[7:]

    return ask


def registers(ask, now_s: float, address: int, count: int = 1, function: int = 3) -> tuple[int, ...]:
    reply = ask(now_s, function, *struct.pack(">HH", address, count))
    return struct.unpack(f">{reply[1] // 2}H", reply[2:])


def put(ask, now_s: float, address: int, value: int) -> bytes:
    return ask(now_s, 6, *struct.pack(">HH", address, value))


def test_the_frame_of_the_manual(coupler):
    face = WagoBFace(coupler)
    sent = bytes.fromhex("000000000009 010F0000001002A5F0".replace(" ", ""))
    assert face.hear(0.0, sent) == bytes.fromhex("000000000006010F00000010")
    assert coupler.word == 0xF0A5
    refused = face.hear(0.0, bytes.fromhex("000000000009 010F0400001002A5F0".replace(" ", "")))
    assert refused[7:] == b"\x8f\x02"


def test_terminals_count_as_their_manuals_say(ask):
    words = registers(ask, 0.0, 0, 13, function=4)
    assert (words[0], words[4], words[8], words[12]) == (0x3FF8, 0x4CC8, 0x3FF8, 1504)


def test_a_broken_wire_is_an_error_bit_a_missing_current_or_the_end_of_the_scale(ask, coupler):
    for one in coupler.channels.values():
        one.broken = True
    words = registers(ask, 0.0, 0, 13, function=4)
    assert (words[0], words[4], words[8], words[12]) == (0x0003, 0x0000, 0x0000, 0x7FFF)


def test_beyond_its_range_a_terminal_says_so_in_its_lowest_bits(ask, values):
    values |= {"o2": 1e6, "h2o": 1e6, "torr": 1e6, "second": -400.0}
    words = registers(ask, 0.0, 0, 13, function=4)
    assert (words[0], words[4], words[8], words[12]) == (0x7FFB, 0x7FFB, 0x7FFB, 0xFC18)


def test_it_tells_its_lengths_its_name_and_its_terminals(ask):
    assert registers(ask, 0.0, 0x1022, 4) == (0, 208, 16, 16)
    assert registers(ask, 0.0, 0x2010, 3) == (7, 750, 352)
    assert registers(ask, 0.0, 0x2030, 65)[:10] == (352, 455, 453, 468, 469, 0x8801, 0x8801, 0x8802, 0x8802, 0)


def test_coils_below_the_alias_are_inputs_and_outputs_are_read_back_from_it_on(ask, rack):
    assert ask(0.0, 5, 0, 10, 0xFF, 0) == bytes((5, 0, 10, 0xFF, 0))
    assert rack.switched == {"lamp": True}
    assert ask(0.0, 1, 0, 0, 0, 16) == bytes((1, 2, 0b1, 0))
    assert ask(0.0, 2, 0, 0, 0, 16) == bytes((2, 2, 0b1, 0))
    assert ask(0.0, 1, 2, 0, 0, 16) == bytes((1, 2, 0, 0b100))
    assert registers(ask, 0.0, 0x0200) == (1 << 10,)
    assert put(ask, 0.0, 0x0000, 1)[0] == 6
    assert rack.switched == {"lamp": False, "vent": True}
    assert registers(ask, 0.0, 13, function=4) == (1,), "digital inputs behind the analogue ones"
    assert ask(0.0, 5, 0, 16, 0xFF, 0) == b"\x85\x02"


def armed(ask, now_s: float, tenths: int = 5) -> None:
    put(ask, now_s, 0x1000, tenths)
    put(ask, now_s, 0x1002, 0)
    put(ask, now_s, 0x1001, 1 << 14)
    put(ask, now_s, 0x1003, 1)


def test_outputs_fall_at_the_moment_of_the_watchdog_and_then_it_tells_no_process_data(ask, rack, coupler):
    armed(ask, 0.0)
    assert registers(ask, 0.0, 0x1006) == (1,)
    ask(0.1, 15, 0, 0, 0, 1, 1, 1)
    registers(ask, 0.5, 0x1006)  # a read does not count
    coupler.at(0.7)
    assert rack.fell_s == [pytest.approx(0.6)]
    assert registers(ask, 0.7, 0x1006) == (2,)
    for request in ((1, 2, 0, 0, 1), (2, 0, 0, 0, 1), (4, 0, 0, 0, 1), (3, 2, 0, 0, 1), (5, 0, 0, 0xFF, 0)):
        assert ask(0.8, *request) == bytes((request[0] | 0x80, 4))
    assert registers(ask, 0.8, 0x1022, 4)


def test_another_value_in_the_trigger_feeds_it_and_the_same_one_does_not(ask, rack, coupler):
    armed(ask, 0.0)
    ask(0.0, 5, 0, 0, 0xFF, 0)
    assert put(ask, 0.4, 0x1003, 2)[0] == 6
    assert put(ask, 0.5, 0x1003, 2) == b"\x86\x03"
    coupler.at(0.89)
    assert rack.switched["vent"]
    coupler.at(0.91)
    assert not rack.switched["vent"]


def test_a_restart_by_its_own_register_needs_a_watchdog_that_was_started(ask, coupler):
    put(ask, 0.0, 0x1007, 1)
    assert registers(ask, 0.0, 0x1006) == (0,)
    armed(ask, 0.0)
    coupler.at(5.0)
    assert registers(ask, 5.0, 0x1006) == (2,)
    put(ask, 5.0, 0x1007, 1)
    assert registers(ask, 5.0, 0x1006) == (1,)


def test_what_runs_cannot_be_set_and_what_is_not_there_is_refused(ask):
    armed(ask, 0.0)
    assert put(ask, 0.1, 0x1000, 50) == b"\x86\x03"
    assert put(ask, 0.1, 0x1006, 1) == b"\x86\x02"
    assert put(ask, 0.1, 0x1009, 2) == b"\x86\x03"
    assert ask(0.1, 3, 0x30, 0, 0, 1) == b"\x83\x02"
    assert ask(0.1, 4, 0, 14, 0, 1) == b"\x84\x02"
