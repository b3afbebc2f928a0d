"""Every fault of a wire comes out as said, goes away when told, and never touches what it should not."""

import pytest

from simulators.alicat import AlicatFace
from simulators.eurotherm import Eurotherm
from simulators.face import Bus, Paced
from simulators.faults import Fault, Faults
from simulators.faults_catalogue import KINDS, fault
from simulators.faults_content import reframed
from simulators.inficon_sqm160 import check
from simulators.modbus_server import ModbusServer, Unit, crc
from tests.contract.plants import Oven

READ = bytes.fromhex("010300010001D5CA")
REPLY = bytes.fromhex("01030200FBF9C7")
SET = bytes.fromhex("01060002012C2847")


class Thermometer(Unit):
    def __init__(self) -> None:
        self.value, self.written = 251, []

    def read_holding(self, address, count):
        return [self.value] * count

    def write_registers(self, address, values):
        self.written += values


@pytest.fixture
def device():
    return Thermometer()


@pytest.fixture
def faults():
    return Faults("rtu")


@pytest.fixture
def face(device, faults):
    return faults.wrap(ModbusServer({1: device}).rtu())


def over(face, until_s: float) -> list[tuple[float, bytes]]:
    """Everything that the face says by itself up to `until_s`."""
    said = []
    while (at_s := face.next_at()) is not None and at_s <= until_s:
        said.append((at_s, face.speak(at_s)))
    return said


def test_without_a_fault_the_wrapper_is_not_there(face):
    assert face.hear(0, READ) == REPLY
    assert face.next_at() is None


@pytest.mark.parametrize(
    ("fault", "reply"),
    [
        (Fault(silent=True), b""),
        (Fault(deaf=True), b""),
        (Fault(duplicate=True), REPLY * 2),
        (Fault(flip_bit=8 * 3), REPLY[:3] + b"\x01" + REPLY[4:]),
        (Fault(keep=4), REPLY[:4]),
        (Fault(before=b"\x00\xff"), b"\x00\xff" + REPLY),
        (Fault(after=b"\x55"), REPLY + b"\x55"),
        (Fault(echo=True), READ + REPLY),
        (Fault(wrong_unit=2), b"\x02\x03\x02\x00\xfb" + crc(b"\x02\x03\x02\x00\xfb")),
        (Fault(wrong_function=4), b"\x01\x04\x02\x00\xfb" + crc(b"\x01\x04\x02\x00\xfb")),
        (Fault(wrong_length=2), b"\x01\x03\x04\x00\xfb\x00\x00" + crc(b"\x01\x03\x04\x00\xfb\x00\x00")),
        (Fault(wrong_length=-1), b"\x01\x03\x01\x00" + crc(b"\x01\x03\x01\x00")),
        (Fault(exception=6), b"\x01\x83\x06" + crc(b"\x01\x83\x06")),
    ],
)
def test_a_spoiled_reply_is_spoiled_as_said_and_whole_again_afterwards(face, faults, fault, reply):
    faults.put(fault)
    assert face.hear(0, READ) == reply
    faults.clear()
    assert face.hear(1, READ) == REPLY


def test_a_late_reply_comes_late_even_if_the_fault_is_over(face, faults):
    faults.put(Fault(late_s=0.3))
    assert face.hear(1.0, READ) == b""
    faults.clear()
    assert face.hear(1.1, READ) == REPLY
    assert over(face, 2.0) == [(1.3, REPLY)]


def test_a_split_reply_comes_byte_by_byte(face, faults):
    faults.put(Fault(split_s=0.01))
    said = [(0.0, face.hear(0.0, READ)), *over(face, 1.0)]
    assert b"".join(piece for _, piece in said) == REPLY
    assert [round(at_s * 100) for at_s, _ in said] == list(range(len(REPLY)))


def test_the_rest_of_a_truncated_reply_may_follow(face, faults):
    faults.put(Fault(keep=3, rest_after_s=0.2))
    assert face.hear(0.0, READ) == REPLY[:3]
    assert over(face, 1.0) == [(0.2, REPLY[3:])]


def test_a_silent_device_acts_and_a_deaf_one_does_not(face, faults, device):
    faults.put(Fault(silent=True))
    face.hear(0, SET)
    assert device.written == [300]
    faults.put(Fault(deaf=True))
    face.hear(1, SET)
    assert device.written == [300]


def test_a_write_may_be_acknowledged_and_not_executed(face, faults, device):
    faults.put(Fault(acknowledge_only=True))
    assert face.hear(0, SET) == SET
    assert face.hear(1, READ) == REPLY
    assert device.written == []


def test_a_stuck_value_stays_while_the_device_moves_on(face, faults, device):
    faults.put(Fault(stuck=True))
    assert face.hear(0, READ) == REPLY
    device.value = 999
    assert face.hear(1, READ) == REPLY
    faults.clear()
    assert face.hear(2, READ) != REPLY


def test_every_nth_request_and_only_so_many_times(face, faults):
    faults.put(Fault(silent=True, every=3, times=2))
    heard = [face.hear(at_s, READ) == REPLY for at_s in range(12)]
    assert heard == [True, True, False, True, True, False] + [True] * 6
    assert faults.spoiled == 2


def test_faults_of_modbus_tcp_keep_a_valid_frame(device):
    faults = Faults("tcp")
    face = faults.wrap(ModbusServer({1: device}).tcp())
    ask = bytes.fromhex("0007000000060103000100 01".replace(" ", ""))
    faults.put(Fault(exception=4))
    assert face.hear(0, ask) == bytes.fromhex("000700000003018304")
    faults.put(Fault(wrong_unit=9))
    assert face.hear(1, ask) == bytes.fromhex("000700000005090302 00fb".replace(" ", ""))
    faults.put(Fault(stuck=True))
    face.hear(2, ask)
    device.value = 1
    assert face.hear(3, b"\x00\x08" + ask[2:]) == bytes.fromhex("000800000005010302 00fb".replace(" ", ""))


class Flow:
    def set_flow(self, name, sccm, at_s):
        self.flow = sccm

    def flow_sccm(self, name, at_s):
        return 5.0

    def supply_pa(self, at_s):
        return 1e5


def test_one_unit_of_a_bus_may_fail_alone():
    faults = Faults("ascii")
    units = [AlicatFace(Flow(), "x", unit=unit, full_scale_sccm=100) for unit in "AB"]
    bus = Bus([faults.wrap(units[0]), units[1]])
    faults.put(Fault(wrong_unit="C"))
    assert bus.hear(0, b"A\r")[:2] == b"C "
    assert bus.hear(0, b"B\r")[:2] == b"B "


def over_and_over(face, times: int) -> list[bytes]:
    return [face.hear(at_s, READ) for at_s in range(times)]


def test_two_replies_change_places(face, faults, device):
    faults.put(Fault(swapped=True))
    assert face.hear(0, READ) == b""
    device.value = 1
    said = face.hear(1, READ)
    assert (said[3:5], said[len(REPLY) :]) == (b"\x00\x01", REPLY)


def test_a_wire_that_is_one_behind_says_each_reply_at_the_next_question(face, faults, device):
    faults.put(Fault(shifted=True))
    assert face.hear(0, READ) == b""
    device.value = 1
    assert face.hear(1, READ) == REPLY
    assert face.hear(2, READ)[3:5] == b"\x00\x01"


def test_so_many_in_a_row_of_each_so_many(face, faults):
    faults.put(Fault(silent=True, every=5, in_a_row=2))
    assert [said == REPLY for said in over_and_over(face, 10)] == [True, True, True, False, False] * 2


def test_registers_may_all_have_a_special_value_or_the_other_order(face, faults, device):
    two = bytes.fromhex("010300010002") + crc(bytes.fromhex("010300010002"))
    faults.put(Fault(special=b"\x7f\xff"))
    assert face.hear(0, two)[3:-2] == b"\x7f\xff" * 2
    device.read_holding = lambda address, count: list(range(1, count + 1))
    faults.put(Fault(swap_words=True))
    said = face.hear(1, two)
    assert said[3:-2] == b"\x00\x02\x00\x01" and said[-2:] == crc(said[:-2])


def test_a_write_may_be_acknowledged_and_forgotten_on_any_line():
    faults, plant = Faults("ascii"), Flow()
    face = faults.wrap(AlicatFace(faults.seen(plant), "x", unit="A", full_scale_sccm=100))
    plant.flow = 0.0
    faults.put(Fault(acknowledge_only=True))
    assert b" +050.00 " in face.hear(0, b"AS50\r")
    assert b" +050.00 " not in face.hear(1, b"A\r") and plant.flow == 0.0
    faults.put(Fault(unread=True))
    assert b" +050.00 " in face.hear(2, b"AS50\r")
    assert b" +050.00 " not in face.hear(3, b"A\r") and plant.flow == 50.0
    faults.clear()
    assert b" +050.00 " in face.hear(4, b"A\r")


def test_what_a_device_measures_may_be_another_number():
    faults, plant = Faults("ascii"), Flow()
    seen = faults.seen(plant)
    assert seen.flow_sccm("x", 0.0) == 5.0
    faults.put(Fault(factor=10.0, offset=1.0))
    assert seen.flow_sccm("x", 0.0) == 51.0
    faults.put(Fault(drift_per_s=0.1))
    assert [seen.flow_sccm("x", at_s) for at_s in (3.0, 4.0)] == [5.0, 5.5]
    faults.put(Fault(noise=0.1))
    assert {4.5 <= seen.flow_sccm("x", at_s) <= 5.5 for at_s in (3.0, 4.0, 5.0)} == {True}
    assert seen.flow_sccm("x", 6.0) != seen.flow_sccm("x", 6.0)


def test_a_device_without_power_is_away_and_comes_back_as_switched_on():
    faults, plant = Faults("ascii"), Flow()
    face = faults.wrap(AlicatFace(faults.seen(plant), "x", unit="A", full_scale_sccm=100))
    face.hear(0, b"AS50\r")
    faults.put(Fault(away_s=2.0))
    assert (face.hear(1, b"A\r"), face.hear(2.5, b"A\r")) == (b"", b"")
    assert b" +050.00 " not in face.hear(3.0, b"A\r")


def test_another_master_asks_what_was_asked_before(face, faults):
    other = bytes.fromhex("010300020001") + crc(bytes.fromhex("010300020001"))
    face.hear(0, other)
    face.hear(1, READ)
    faults.put(Fault(foreign="before"))
    assert face.hear(2, READ) == other + REPLY + REPLY
    faults.put(Fault(foreign="between"))
    assert face.hear(3, READ) == REPLY
    assert over(face, 4.0) == [(3.05, other + REPLY)]


def test_numbers_of_a_checked_text_change_and_its_frame_stays_whole():
    body = bytes((34 + 6,)) + b"A12.34"
    said = b"!" + body + check(body)
    spoiled = reframed("sqm", Fault(special=b"\x00\x07", number=b"7"), said)
    body = bytes((34 + 2,)) + b"A7"
    assert spoiled == b"!" + body + check(body)


def test_values_of_a_propar_answer_change_and_its_escapes_stay():
    said = bytes.fromhex("1002 01 80 05 02 01 21 3E80 1003".replace(" ", ""))
    spoiled = reframed("propar", Fault(special=b"\x10\x10"), said)
    assert spoiled == bytes.fromhex("1002 01 80 05 02 01 21 10101010 1003".replace(" ", ""))


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("framing", ["rtu", "tcp", "ascii", "propar", "sqm"])
def test_every_kind_of_the_catalogue_is_a_fault_where_it_can_be_one(name, framing):
    if framing in KINDS[name].framings:
        Faults(framing).put(fault(name, framing))
    else:
        with pytest.raises(ValueError, match="is a fault of"):
            fault(name, framing)


def test_a_modbus_fault_on_an_ascii_line_is_refused():
    with pytest.raises(ValueError, match="faults of Modbus"):
        Faults("ascii").put(Fault(exception=2))


def test_a_paced_line_takes_the_time_of_its_characters():
    face = Paced(AlicatFace(Flow(), "x", unit="A", full_scale_sccm=100), baud=19200, turn_round_s=0.002)
    assert face.hear(10.0, b"A\r") == b""
    ((at_s, reply),) = over(face, 11.0)
    assert reply.endswith(b"Ar\r")
    assert at_s - 10.0 == pytest.approx(0.027, abs=0.003)  # what real units were seen to take


def test_two_requests_at_once_are_answered_one_after_the_other():
    face = Paced(AlicatFace(Flow(), "x", unit="A", full_scale_sccm=100), baud=19200, turn_round_s=0.002)
    face.hear(0.0, b"A\r")
    face.hear(0.001, b"A\r")
    times = [at_s for at_s, _ in over(face, 1.0)]
    assert len(times) == 2 and times[1] - times[0] > 0.02


def test_an_instrument_counts_its_time_also_behind_a_fault():
    faults = Faults("rtu")
    face = faults.wrap(Eurotherm(Oven(25.1), "zone", unit=1, local_c=20).face())
    faults.put(Fault(silent=True))
    assert face.hear(5.0, READ) == b""
    faults.clear()
    assert face.hear(6.0, READ) == REPLY
