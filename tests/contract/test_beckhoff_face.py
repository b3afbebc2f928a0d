"""The simulated coupler B: process image, scaling, outputs and a watchdog that is not asked for its opinion."""

import struct

import pytest

from simulators.beckhoff_io import Channel, CouplerB, CouplerBFace
from tests.contract.plants import Rack


@pytest.fixture
def rack():
    return Rack("gate_shut")


@pytest.fixture
def values():
    return {"o2": 50.0, "torr": 0.3, "second": 150.4}


@pytest.fixture
def coupler(rack, values):
    channels = {
        "o2": Channel(0, "4-20 mA", 0, 100, lambda at_s: values["o2"]),
        "torr": Channel(2, "0-10 V", 0, 10, lambda at_s: values["torr"]),
        "second": Channel(4, "type K", -100, 1370, lambda at_s: values["second"]),
    }
    return CouplerB(rack, channels, {0: "gate_shut", 3: "pump_running"}, {0: "vent", 4: "source contactor"})


@pytest.fixture
def ask(coupler):
    face = CouplerBFace(coupler, unit=1)

    def ask(now_s: float, *pdu: int) -> bytes:
        return face.hear(now_s, struct.pack(">HHHB", 7, 0, len(pdu) + 1, 1) + bytes(pdu))[7:]

    return ask


def words(reply: bytes) -> tuple[int, ...]:
    return struct.unpack(f">{reply[1] // 2}H", reply[2:])


def registers(ask, now_s: float, address: int, count: int = 1, function: int = 3) -> tuple[int, ...]:
    return words(ask(now_s, function, *struct.pack(">HH", address, count)))


def test_analogue_channels_are_status_and_value(ask, values):
    status, value, _, torr, _, second = registers(ask, 0.0, 0, 6, function=4)
    assert status == 0
    assert value / 0x7FFF * 100 == pytest.approx(50, abs=0.03)
    assert torr / 0x7FFF * 10 == pytest.approx(0.3, abs=0.003)
    assert second == 1504


def test_transmitters_stop_at_their_ends_and_cold_is_negative(ask, values):
    values |= {"o2": 1e6, "torr": -3.0, "second": -20.0}
    _, value, _, torr, _, second = registers(ask, 0.0, 0, 6, function=4)
    assert (value, torr, second) == (0x7FF8, 0, 0x10000 - 200)  # the highest value of twelve bits


def test_a_broken_wire_is_an_error_in_the_status(ask, coupler):
    for channel in coupler.channels.values():
        channel.broken = True
    assert registers(ask, 0.0, 0, 6, function=4) == (0x41, 0, 0x41, 0, 0x42, 0x7FFF)


def test_the_image_states_its_lengths_and_holds_contacts_behind_the_analogue_words(ask):
    assert registers(ask, 0.0, 0x1010, 4) == (0, 96, 8, 8)
    assert registers(ask, 0.0, 6, function=4) == (0b0001,)
    assert ask(0.0, 4, 0, 6, 0, 2) == b"\x84\x02"
    assert ask(0.0, 2, 0, 0, 0, 8) == bytes((2, 1, 0b0001))


def test_outputs_are_written_and_read_back_as_coils_and_as_words(ask, rack):
    assert ask(0.0, 5, 0, 4, 0xFF, 0) == bytes((5, 0, 4, 0xFF, 0))
    assert rack.switched["source contactor"]
    assert ask(0.1, 1, 0, 0, 0, 8) == bytes((1, 1, 0b10000))
    assert registers(ask, 0.1, 0x0800) == (0b10000,)
    assert ask(0.2, 6, 8, 0, 0, 1)[0] == 6
    assert rack.switched == {"vent": True, "source contactor": False}
    assert ask(0.3, 5, 0, 8, 0xFF, 0) == b"\x85\x02"


def test_a_silent_client_loses_the_outputs_at_the_moment_of_the_watchdog(ask, rack, coupler):
    ask(0.0, 5, 0, 4, 0xFF, 0)
    ask(0.9, 1, 0, 0, 0, 8)  # any telegram feeds it
    assert registers(ask, 1.5, 0x1020)[0] == pytest.approx(1000, abs=1)
    coupler.at(2.6)
    assert rack.fell_s == [2.5]
    assert registers(ask, 2.7, 0x1021) == (1,)
    assert ask(2.8, 5, 0, 4, 0xFF, 0) == b"\x85\x04"
    assert not rack.switched["source contactor"]


def test_only_the_two_words_of_the_reset_bring_it_back(ask, coupler):
    ask(0.0, 5, 0, 4, 0xFF, 0)
    coupler.at(5.0)
    ask(5.0, 6, 0x11, 0x21, 0xAF, 0xFE)
    assert ask(5.1, 5, 0, 4, 0xFF, 0) == b"\x85\x04"
    ask(5.2, 6, 0x11, 0x21, 0xBE, 0xCF)
    ask(5.3, 6, 0x11, 0x21, 0xAF, 0xFE)
    assert ask(5.4, 5, 0, 4, 0xFF, 0)[0] == 5
    assert registers(ask, 5.4, 0x1021) == (1,)


def test_type_zero_is_fed_by_writes_alone_and_zero_time_never_trips(ask, coupler):
    ask(0.0, 6, 0x11, 0x22, 0, 0)
    ask(0.0, 6, 0x11, 0x20, 0x01, 0xF4)
    ask(0.0, 5, 0, 4, 0xFF, 0)
    ask(0.4, 1, 0, 0, 0, 8)
    coupler.at(0.6)
    assert coupler.trips == 1
    for word in (0xBECF, 0xAFFE):
        ask(0.7, 6, 0x11, 0x21, *word.to_bytes(2, "big"))
    ask(0.7, 6, 0x11, 0x20, 0, 0)
    ask(0.8, 5, 0, 4, 0xFF, 0)
    coupler.at(100.0)
    assert coupler.trips == 1


def test_before_the_first_write_nothing_is_armed(ask, coupler):
    registers(ask, 0.0, 0, 2, function=4)
    coupler.at(100.0)
    assert coupler.trips == 0


def test_outputs_that_freeze_stay_on_when_the_watchdog_acts_as_those_of_an_ek9000(ask, rack, coupler):
    assert registers(ask, 0.0, 0x1123) == (0,)
    assert ask(0.0, 6, 0x11, 0x23, 0, 1) == bytes((6, 0x11, 0x23, 0, 1))
    assert ask(0.0, 6, 0x11, 0x23, 0, 3) == b"\x86\x03"
    ask(0.0, 5, 0, 0, 0xFF, 0)
    coupler.at(5.0)
    assert coupler.tripped and rack.switched["vent"]
