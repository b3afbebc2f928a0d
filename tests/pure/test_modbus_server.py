"""The simulators' Modbus server, byte by byte, and against the framers of an independent library."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

import hypothesis.strategies as st
import pytest
from hypothesis import given
from pymodbus.framer import FramerRTU, FramerSocket
from pymodbus.pdu import DecodePDU
from pymodbus.pdu.bit_message import WriteMultipleCoilsRequest
from pymodbus.pdu.register_message import ReadHoldingRegistersRequest

from simulators.modbus_server import (
    BUSY,
    ILLEGAL_ADDRESS,
    ILLEGAL_VALUE,
    NO_GATEWAY_PATH,
    ModbusException,
    ModbusServer,
    RegisterMap,
    Unit,
    crc,
)


class Bench(Unit):
    """Twenty coils, a handful of registers, an identity."""

    identity: Mapping[int, str] = {0: "Maker", 1: "Bench", 2: "1.0", 0x80: "x" * 200, 0x81: "y" * 200}

    def __init__(self) -> None:
        self.word = 0  # of its coils
        self.registers = {0: 100, 1: 0xFFFF, 2: 0}
        read = {address: (lambda address=address: self.registers[address]) for address in self.registers}
        write = {address: (lambda value, address=address: self.put(address, value)) for address in (0, 2)}
        self.map = RegisterMap(read, write)

    def put(self, address: int, value: int) -> None:
        if value == 0xDEAD:
            raise ModbusException(ILLEGAL_VALUE)
        self.registers[address] = value

    def read_coils(self, address: int, count: int) -> int:
        if address + count > 20:
            raise ModbusException(ILLEGAL_ADDRESS)
        return self.word >> address & (1 << count) - 1

    def read_discretes(self, address: int, count: int) -> int:
        return self.read_coils(address, count) ^ (1 << count) - 1

    def write_coils(self, address: int, count: int, bits: int) -> None:
        self.word ^= (self.read_coils(address, count) ^ bits) << address

    def read_holding(self, address: int, count: int) -> Sequence[int]:
        return self.map.read(address, count)

    def write_registers(self, address: int, values: Sequence[int]) -> None:
        self.map.write(address, values)


@pytest.fixture
def server() -> ModbusServer:
    return ModbusServer({1: Bench(), 2: Unit()})


def ask(server: ModbusServer, pdu: str, unit: int = 1) -> str:
    return server.answer(unit, bytes.fromhex(pdu)).hex(" ")


@pytest.mark.parametrize(
    ("request_pdu", "reply"),
    [
        ("0f 0000 0008 01 0f", "0f 00 00 00 08"),
        ("05 0003 ff00", "05 00 03 ff 00"),
        ("05 0003 0000", "05 00 03 00 00"),
        ("01 0000 0014", "01 03 00 00 00"),
        ("02 0000 0009", "02 02 ff 01"),
        ("03 0000 0002", "03 04 00 64 ff ff"),
        ("06 0000 0007", "06 00 00 00 07"),
        ("10 0000 0001 02 0007", "10 00 00 00 01"),
        ("17 0000 0001 0002 0001 02 0009", "17 02 00 64"),
        ("08 0000 1234", "08 00 00 12 34"),
        ("2b 0e 01 00", "2b 0e 01 83 00 00 03 00 05 4d 61 6b 65 72 01 05 42 65 6e 63 68 02 03 31 2e 30"),
        ("2b 0e 04 01", "2b 0e 04 83 00 00 01 01 05 42 65 6e 63 68"),
    ],
)
def test_a_request_has_its_reply(server: ModbusServer, request_pdu: str, reply: str) -> None:
    assert ask(server, request_pdu) == reply


@pytest.mark.parametrize(
    ("request_pdu", "unit", "exception"),
    [
        ("04 0000 0001", 1, "84 01"),  # a method that the device has not
        ("01 0000 0001", 2, "81 01"),
        ("02 0000 0001", 2, "82 01"),
        ("03 0000 0001", 2, "83 01"),
        ("05 0000 ff00", 2, "85 01"),
        ("06 0000 0000", 2, "86 01"),
        ("2b 0e 01 00", 2, "ab 01"),
        ("2b 0d 01 00", 1, "ab 01"),
        ("14 00", 1, "94 01"),  # a function that nobody has
        ("08 0001 0000", 1, "88 01"),
        ("01 0000 0015", 1, "81 02"),
        ("03 0002 0002", 1, "83 02"),
        ("06 0001 0000", 1, "86 02"),
        ("03 ffff 0002", 1, "83 02"),
        ("2b 0e 04 77", 1, "ab 02"),
        ("01 0000 0000", 1, "81 03"),
        ("01 0000 07d1", 1, "81 03"),
        ("03 0000 007e", 1, "83 03"),
        ("05 0000 0001", 1, "85 03"),
        ("0f 0000 0008 02 0f", 1, "8f 03"),
        ("0f 0000 07b1 00", 1, "8f 03"),
        ("10 0000 0001 02 00", 1, "90 03"),
        ("06 0000 dead", 1, "86 03"),
        ("03 00", 1, "83 03"),
        ("2b 0e 09 00", 1, "ab 03"),
        ("03 0000 0001", 9, "83 0b"),
    ],
)
def test_a_wrong_request_has_its_exception(server: ModbusServer, request_pdu: str, unit: int, exception: str) -> None:
    assert ask(server, request_pdu, unit) == exception


def test_a_device_knows_only_its_functions_and_a_gateway_says_what_is_missing() -> None:
    class Deaf(Bench):
        functions = frozenset({3})

    class Busy(Unit):
        def read_holding(self, address: int, count: int) -> Sequence[int]:
            raise ModbusException(BUSY)

    server = ModbusServer({1: Deaf(), 2: Busy()}, missing=NO_GATEWAY_PATH)
    assert ask(server, "01 0000 0001") == "81 01"
    assert ask(server, "03 0000 0001", unit=2) == "83 06"
    assert ask(server, "03 0000 0001", unit=3) == "83 0a"


def test_a_long_identity_comes_in_pages(server: ModbusServer) -> None:
    first = bytes.fromhex(ask(server, "2b 0e 03 00"))
    assert first[4:7] == bytes((0xFF, 0x81, 4))
    second = bytes.fromhex(ask(server, "2b 0e 03 81"))
    assert second[4:7] == bytes((0, 0, 1))


def test_a_range_with_a_hole_writes_nothing(server: ModbusServer) -> None:
    assert ask(server, "10 0000 0002 04 0001 0002") == "90 02"
    assert ask(server, "03 0000 0001") == "03 02 00 64"


# --- framing ---------------------------------------------------------------------------------------------------------

WRITE = "0001 0000 0008 01 0f 0000 0008 01 0f"
WRITTEN = "0001 0000 0006 01 0f 0000 0008"
READ = "0002 0000 0006 01 03 0000 0001"
HAS_READ = "0002 0000 0005 01 03 02 0064"


@given(cuts=st.lists(st.integers(0, 40), max_size=6))
def test_tcp_frames_may_come_in_any_pieces(cuts: list[int]) -> None:
    stream = bytes.fromhex(WRITE + READ + WRITE)
    face = ModbusServer({1: Bench()}).tcp()
    edges = [0, *sorted(cuts), len(stream)]
    replies = b"".join(face.hear(0.0, stream[a:b]) for a, b in pairwise(edges))
    assert replies == bytes.fromhex(WRITTEN + HAS_READ + WRITTEN)


def test_a_frame_of_another_protocol_is_ignored(server: ModbusServer) -> None:
    face = server.tcp()
    assert face.hear(0.0, bytes.fromhex("0001 0001 0006 01 03 0000 0001" + READ)) == bytes.fromhex(HAS_READ)
    assert not face.broken and face.next_at() is None and face.speak(0.0) == b""


@pytest.mark.parametrize("length", ["0001", "00ff"])
def test_a_senseless_length_breaks_the_connection(server: ModbusServer, length: str) -> None:
    face = server.tcp()
    assert face.hear(0.0, bytes.fromhex(f"0001 0000 {length} 01 03")) == b""
    assert face.broken and face.hear(0.0, bytes.fromhex(READ)) == b""


def framed(text: str) -> bytes:
    frame = bytes.fromhex(text)
    return frame + crc(frame)


def test_rtu_frames_of_every_shape_are_answered(server: ModbusServer) -> None:
    line = server.rtu()
    assert line.hear(0.0, bytes.fromhex("01 0f 0000 0008 01 0f be91")) == framed("01 0f 0000 0008")
    assert line.hear(1.0, framed("01 17 0000 0001 0002 0001 02 0009")) == framed("01 17 02 0064")
    assert line.hear(2.0, framed("01 2b 0e 04 01"))[:3] == bytes.fromhex("01 2b 0e")
    assert line.hear(3.0, framed("01 14 00 00 00")) == framed("01 94 01")
    assert line.hear(4.0, framed("02 03 0000 0001")) == framed("02 83 01")
    assert line.next_at() is None and line.speak(5.0) == b""


def test_an_rtu_frame_may_come_in_pieces_but_not_slowly(server: ModbusServer) -> None:
    line, frame = server.rtu(silence_s=0.02), framed("01 03 0000 0001")
    pieces = [line.hear(0.001 * i, frame[i : i + 1]) for i in range(len(frame))]
    assert b"".join(pieces) == framed("01 03 02 0064")
    assert line.hear(1.0, frame[:4]) == b""
    assert line.hear(1.1, frame[4:]) == b""
    assert line.hear(2.0, frame) == framed("01 03 02 0064")


def test_a_long_write_waits_for_its_count(server: ModbusServer) -> None:
    line, frame = server.rtu(), framed("01 10 0000 0001 02 0007")
    assert line.hear(0.0, frame[:5]) == b""
    assert line.hear(0.001, frame[5:]) == framed("01 10 0000 0001")


def test_a_wrong_checksum_an_absent_unit_and_a_broadcast_get_silence(server: ModbusServer) -> None:
    line = server.rtu()
    assert line.hear(0.0, bytes.fromhex("01 03 0000 0001 0000")) == b""
    assert line.hear(1.0, framed("07 03 0000 0001")) == b""
    assert line.hear(2.0, framed("00 06 0000 0007")) == b""
    assert line.hear(3.0, framed("01 03 0000 0001")) == framed("01 03 02 0007")


def test_an_independent_library_makes_the_same_bytes(server: ModbusServer) -> None:
    write = WriteMultipleCoilsRequest(address=0, bits=[True] * 4 + [False] * 4, dev_id=1, transaction_id=1)
    assert FramerSocket(DecodePDU(False)).buildFrame(write) == bytes.fromhex(WRITE)
    read = ReadHoldingRegistersRequest(address=0, count=2, dev_id=1, transaction_id=5)
    reply = server.rtu().hear(0.0, FramerRTU(DecodePDU(False)).buildFrame(read))
    used, pdu = FramerRTU(DecodePDU(False)).handleFrame(reply, 1, 0)
    assert used == len(reply) and pdu is not None and pdu.registers == [100, 0xFFFF]


@given(st.binary(max_size=300))
def test_no_bytes_upset_the_server(data: bytes) -> None:
    server = ModbusServer({1: Bench()})
    server.tcp().hear(0.0, data)
    server.rtu().hear(0.0, data)
    if data:
        server.answer(1, data)
