"""Modbus requests and replies byte for byte; whatever does not answer the request is never data."""

from __future__ import annotations

import pytest

from drivers.base import BadReply, DriverError, NoReply, Refused
from drivers.modbus import Registers, signed
from simulators.virtualtime import run_virtual
from tests.contract.rtu import crc
from tests.contract.scripted import Peer, Say, to


def rtu(peer: Peer) -> Registers:
    return Registers(to(peer), 1, "rtu", "oven")


def tcp(peer: Peer) -> Registers:
    return Registers(to(peer), 1, "tcp", "coupler")


def h(text: str) -> bytes:
    return bytes.fromhex(text)


def test_rtu_frames_are_those_of_the_manual() -> None:
    async def main() -> None:
        peer = Peer(
            (h("01 03 00 01 00 01 D5 CA"), h("01 03 02 00 FB F9 C7")),
            (h("01 03 00 4B 00 01 F4 1C"), crc(h("01 03 02 00 20"))),
            (h("01 06 00 02 01 2C 28 47"), h("01 06 00 02 01 2C 28 47")),
            (h("01 0F 00 00 00 08 01 0F BE 91"), crc(h("01 0F 00 00 00 08"))),
            (h("01 10 08 70 00 02 04 00 00 42 96 23 85"), h("01 10 08 70 00 02 42 73")),
        )
        registers = rtu(peer)
        assert await registers.read_holding(1, 1) == (251,)
        assert await registers.read_holding(75, 1) == (32,)
        await registers.write_register(2, 300)
        await registers.write_coils(0, (True,) * 4 + (False,) * 4)
        await registers.write_registers(0x0870, (0, 0x4296))
        assert peer.left == []

    run_virtual(main())


def test_tcp_frames_are_those_of_the_manual_and_count_their_transactions() -> None:
    async def main() -> None:
        peer = Peer(
            (h("0001 0000 0008 01 0F 0000 0008 01 0F"), h("0001 0000 0006 01 0F 0000 0008")),
            (h("0002 0000 0006 01 02 0000 000A"), h("0002 0000 0005 01 02 02 03 01")),
            (h("0003 0000 0006 01 04 0000 0002"), h("0003 0000 0007 01 04 04 0000 3FFF")),
            (h("0004 0000 0006 01 05 0003 FF00"), h("0004 0000 0006 01 05 0003 FF00")),
            (h("0005 0000 0006 01 01 0003 0001"), h("0005 0000 0004 01 01 01 01")),
        )
        registers = tcp(peer)
        await registers.write_coils(0, (True,) * 4 + (False,) * 4)
        assert await registers.read_discrete(0, 10) == (True, True, *[False] * 6, True, False)
        assert await registers.read_input(0, 2) == (0, 0x3FFF)
        await registers.write_coil(3, True)
        assert await registers.read_coils(3, 1) == (True,)
        assert peer.left == []

    run_virtual(main())


def test_transaction_numbers_wrap_without_zero() -> None:
    async def main() -> None:
        registers = tcp(Peer((h("FFFF 0000 0006 01 03 0000 0001"), h("FFFF 0000 0005 01 03 02 0007")),
                             (h("0001 0000 0006 01 03 0000 0001"), h("0001 0000 0005 01 03 02 0008"))))  # fmt: skip
        registers._transaction = 0xFFFE
        assert await registers.read_holding(0, 1) == (7,)
        assert await registers.read_holding(0, 1) == (8,)

    run_virtual(main())


@pytest.mark.parametrize(
    ("code", "words"),
    [(1, "function is not known"), (2, "address does not exist"), (3, "value or the count"), (4, "failed"),
     (5, "longer"), (6, "busy"), (11, "behind the gateway"), (99, "outside the standard")],
)  # fmt: skip
@pytest.mark.parametrize("kind", ["rtu", "tcp"])
def test_an_exception_is_a_refusal_in_words_and_leaves_the_line_clean(kind: str, code: int, words: str) -> None:
    async def main() -> None:
        if kind == "rtu":
            registers = rtu(Peer(always={h("01 03 00 01 00 01 D5 CA"): crc(bytes([1, 0x83, code]))}))
        else:
            registers = tcp(Peer((h("0001 0000 0006 01 03 0001 0001"), h("0001 0000 0003 01 83") + bytes([code]))))
        with pytest.raises(Refused, match=words) as refusal:
            await registers.read_holding(1, 1)
        assert f"Modbus exception {code}" in str(refusal.value)

    run_virtual(main())


READ_TWO = h("01 03 00 01 00 02 95 CB")
WRONG_RTU = {
    "checksum": h("01 03 04 00 01 00 02 00 00"),
    "unit": crc(h("02 03 04 00 01 00 02")),
    "function": crc(h("01 04 04 00 01 00 02")),
    "too few registers": crc(h("01 03 02 00 01")),
    "too many registers": crc(h("01 03 06 00 01 00 02 00 03")),
    "odd byte count": crc(h("01 03 03 00 01 00")),
    "echo of the request": READ_TWO,
    "exception to another function": crc(h("01 84 02")),
    "exception with a wrong checksum": h("01 83 02 00 00"),
    "garbage before": b"\xff" + crc(h("01 03 04 00 01 00 02")),
    "garbage after": crc(h("01 03 04 00 01 00 02")) + b"\xff",
    "twice": crc(h("01 03 04 00 01 00 02")) * 2,
    "one bit": bytes([*crc(h("01 03 04 00 01 00 02"))[:4], 0x03, *crc(h("01 03 04 00 01 00 02"))[5:]]),
}


@pytest.mark.parametrize("wrong", WRONG_RTU)
def test_an_rtu_reply_that_does_not_answer_the_request_is_never_data(wrong: str) -> None:
    async def main() -> None:
        registers = rtu(Peer((READ_TWO, Say(0.02, WRONG_RTU[wrong])), (READ_TWO, crc(h("01 03 04 00 05 00 06")))))
        with pytest.raises(BadReply):
            await registers.read_holding(1, 2)
        assert await registers.read_holding(1, 2) == (5, 6)

    run_virtual(main())


@pytest.mark.parametrize("bit", range(9 * 8))
def test_no_single_wrong_bit_of_an_rtu_reply_becomes_data(bit: int) -> None:
    async def main() -> None:
        good = bytearray(crc(h("01 03 04 00 01 00 02")))
        good[bit // 8] ^= 1 << bit % 8
        with pytest.raises(DriverError):
            await rtu(Peer((READ_TWO, bytes(good)))).read_holding(1, 2)

    run_virtual(main())


WRONG_TCP = {
    "an older transaction": h("0000 0000 0007 01 03 04 0001 0002"),
    "protocol": h("0001 0001 0007 01 03 04 0001 0002"),
    "unit": h("0001 0000 0007 02 03 04 0001 0002"),
    "function": h("0001 0000 0007 01 04 04 0001 0002"),
    "too few registers": h("0001 0000 0005 01 03 02 0001"),
    "too many registers": h("0001 0000 0009 01 03 06 0001 0002 0003"),
    "length shorter than its registers": h("0001 0000 0005 01 03 04 0001 0002"),
    "exception with more behind it": h("0001 0000 0004 01 83 02 00"),
    "twice": h("0001 0000 0007 01 03 04 0001 0002") * 2,
}


@pytest.mark.parametrize("wrong", WRONG_TCP)
def test_a_tcp_reply_that_does_not_answer_the_request_is_never_data(wrong: str) -> None:
    async def main() -> None:
        again = h("0002 0000 0006 01 03 0001 0002"), h("0002 0000 0007 01 03 04 0005 0006")
        registers = tcp(Peer((h("0001 0000 0006 01 03 0001 0002"), WRONG_TCP[wrong]), again))
        with pytest.raises(BadReply):
            await registers.read_holding(1, 2)
        assert await registers.read_holding(1, 2) == (5, 6)

    run_virtual(main())


def test_a_write_whose_echo_differs_is_not_done() -> None:
    async def main() -> None:
        for echo in ("01 06 00 02 01 2D", "01 06 00 03 01 2C"):
            with pytest.raises(BadReply, match="echo is wrong"):
                await rtu(Peer((h("01 06 00 02 01 2C 28 47"), crc(h(echo))))).write_register(2, 300)
        with pytest.raises(BadReply):
            await rtu(Peer((crc(h("01 05 00 00 FF 00")), crc(h("01 05 00 00 00 01"))))).write_coil(0, True)

    run_virtual(main())


def test_a_write_without_an_answer_is_sent_once() -> None:
    async def main() -> None:
        peer = Peer(always={h("01 06 00 02 01 2C 28 47"): ()})
        with pytest.raises(NoReply):
            await rtu(peer).write_register(2, 300)
        assert len(peer.heard) == 1

    run_virtual(main())


def test_registers_are_signed_on_request() -> None:
    assert [signed(value) for value in (0, 1, 0x7FFF, 0x8000, 0xFFFF)] == [0, 1, 32767, -32768, -1]
