"""Modbus registers and coils of one unit, RTU or TCP, over a `Line`; the only file that knows pymodbus.

pymodbus makes the requests and their frames; its clients and transports are not used. What a reply must look like
follows from the request, so a late, doubled or foreign frame, or one of another length, never becomes data: unit,
function, byte count, echo of a write, checksum and, on TCP, transaction number are compared first.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Literal, cast

from msgspec import structs
from pymodbus.framer import FramerRTU, FramerSocket
from pymodbus.pdu import DecodePDU, ModbusPDU
from pymodbus.pdu.bit_message import (
    ReadCoilsRequest,
    ReadDiscreteInputsRequest,
    WriteMultipleCoilsRequest,
    WriteSingleCoilRequest,
)
from pymodbus.pdu.register_message import (
    ReadHoldingRegistersRequest,
    ReadInputRegistersRequest,
    WriteMultipleRegistersRequest,
    WriteSingleRegisterRequest,
)

from drivers.base import BadReply, Refused
from drivers.debts import Ask, Framer, Probe
from drivers.line import Line

RTU_TIMEOUT_S, RTU_QUIET_S = 0.3, 0.4  # frames carry no number of their own: only silence ends an old conversation
TCP_TIMEOUT_S = 0.2

EXCEPTIONS = {
    1: "the function is not known there",
    2: "the address does not exist there",
    3: "the value or the count is not allowed there",
    4: "the device failed while doing it",
    5: "accepted, but it takes longer",
    6: "the device is busy",
    8: "memory parity error",
    10: "the gateway has no path to the device",
    11: "the device behind the gateway does not answer",
}

_DECODER = DecodePDU(False)
_crc = lru_cache(maxsize=1024)(FramerRTU.compute_CRC)  # most replies come again and again
_words = lru_cache(maxsize=None)(lambda count: struct.Struct(f">{count}H"))
_DATA = 2  # behind function and byte count of a reply to a read


@dataclass(slots=True)
class _Request:
    """A request's PDU, and what its reply's PDU begins with and measures in bytes; its frame, once it was made.

    `ask` is all that a line has to know of it, where that is the same each time.
    """

    pdu: bytes
    begins: bytes
    size: int
    frame: bytes = b""
    ask: Ask | None = None


def signed(register: int) -> int:
    """A 16-bit register as a two's complement number."""
    return register - 0x10000 if register & 0x8000 else register


class Registers:
    """Reads and writes of one unit: addresses from 0, registers 0…65535. Raises NoReply, BadReply, Refused."""

    def __init__(
        self, line: Line, unit: int, kind: Literal["rtu", "tcp"], device: str, probe: tuple[int, int] | None = None
    ) -> None:
        """`probe`, for RTU: address and count of holding registers in a count that is never read otherwise."""
        self._line, self._unit, self._rtu, self._device = line, unit, kind == "rtu", device
        self._framer = FramerRTU(_DECODER) if kind == "rtu" else FramerSocket(_DECODER)
        self._transaction = 0
        self._written = -1, 0  # address and value of the last single register: a set-point is refreshed on and on
        self._writing = _Request(b"", b"", 0)
        self._reads: dict[tuple[type[ModbusPDU], int, int], _Request] = {}
        self._probe: Probe | None = None
        if probe is not None:
            question = self._question(self._read(ReadHoldingRegistersRequest, *probe, 2 * probe[1]))
            self._probe = question.request, cast(Framer, question.framer)
            self._reads.clear()  # that question was made without a probe before it

    async def read_holding(self, address: int, count: int) -> tuple[int, ...]:
        return await self._registers(ReadHoldingRegistersRequest, address, count)

    async def read_input(self, address: int, count: int) -> tuple[int, ...]:
        return await self._registers(ReadInputRegistersRequest, address, count)

    async def read_coils(self, address: int, count: int) -> tuple[bool, ...]:
        return await self._bits(ReadCoilsRequest, address, count)

    async def read_discrete(self, address: int, count: int) -> tuple[bool, ...]:
        return await self._bits(ReadDiscreteInputsRequest, address, count)

    async def write_register(self, address: int, value: int, *, urgent: bool = False) -> None:
        """Function 6; the reply is the request. `urgent` is sent without a probe, whatever may still be under way."""
        if (address, value) != self._written:
            pdu = _pdu(WriteSingleRegisterRequest(address=address, registers=[value]))
            self._written, self._writing = (address, value), _Request(pdu, pdu, 5)
        await self._ask(self._writing, urgent)

    async def write_registers(self, address: int, values: tuple[int, ...]) -> None:
        """Function 16."""
        pdu = _pdu(WriteMultipleRegistersRequest(address=address, registers=list(values)))
        await self._ask(_Request(pdu, pdu[:5], 5))

    async def write_coil(self, address: int, on: bool) -> None:
        """Function 5; the reply is the request."""
        pdu = _pdu(WriteSingleCoilRequest(address=address, bits=[on]))
        await self._ask(_Request(pdu, pdu, 5))

    async def write_coils(self, address: int, values: tuple[bool, ...]) -> None:
        """Function 15."""
        pdu = _pdu(WriteMultipleCoilsRequest(address=address, bits=list(values)))
        await self._ask(_Request(pdu, pdu[:5], 5))

    async def _registers(self, kind: type[ModbusPDU], address: int, count: int) -> tuple[int, ...]:
        reply = await self._ask(self._read(kind, address, count, 2 * count))
        return _words(count).unpack_from(reply, _DATA)

    async def _bits(self, kind: type[ModbusPDU], address: int, count: int) -> tuple[bool, ...]:
        reply = await self._ask(self._read(kind, address, count, (count + 7) // 8))
        return _bits(reply[_DATA:], count)

    def _read(self, kind: type[ModbusPDU], address: int, count: int, data_bytes: int) -> _Request:
        request = self._reads.get((kind, address, count))
        if request is None:
            pdu = _pdu(kind(address=address, count=count))
            request = self._reads[kind, address, count] = _Request(pdu, bytes([pdu[0], data_bytes]), 2 + data_bytes)
        return request

    def _question(self, request: _Request) -> Ask:
        """A frame is made once; on TCP each has another number in front, and the rest of it stays."""
        if request.ask is not None:
            return request.ask
        self._transaction = self._transaction % 0xFFFF + 1
        if not request.frame:
            request.frame = self._framer.encode(request.pdu, self._unit, self._transaction)
        if self._rtu:
            framer = partial(self._whole_rtu, request.frame, request)
            request.ask = Ask(
                self._device, request.frame, framer, RTU_TIMEOUT_S, RTU_QUIET_S, False, False, self._probe
            )
            return request.ask
        frame = self._transaction.to_bytes(2, "big") + request.frame[2:]
        framer = partial(self._whole_tcp, frame, request)
        return Ask(self._device, frame, framer, TCP_TIMEOUT_S, RTU_QUIET_S, True, False, None)

    async def _ask(self, request: _Request, urgent: bool = False) -> bytes:
        """The PDU of the reply, no exception among them."""
        ask = self._question(request)
        reply = await self._line.put(structs.replace(ask, probe=None) if urgent else ask)
        pdu = reply[1:-2] if self._rtu else reply[7:]
        if pdu[0] & 0x80:
            meaning = EXCEPTIONS.get(pdu[1], "a code outside the standard")
            raise Refused(self._device, f"Modbus exception {pdu[1]}: {meaning}", ask.request, reply)
        return pdu

    def _whole_rtu(self, frame: bytes, request: _Request, buffer: bytes) -> int | None:
        if buffer[0] != self._unit:
            raise self._bad(f"unit {buffer[0]} answered, unit {self._unit} was asked", frame, buffer)
        refusal = self._check_pdu(frame, request, buffer, 1)
        length = 5 if refusal else request.size + 3
        if len(buffer) < length:
            return None
        if _crc(buffer[: length - 2]) != int.from_bytes(buffer[length - 2 : length], "big"):
            raise self._bad("the checksum is wrong", frame, buffer)
        return length

    def _whole_tcp(self, frame: bytes, request: _Request, buffer: bytes) -> int | None:
        if len(buffer) < 9:
            return None
        if buffer[:4] != frame[:4]:
            raise self._bad("this is the answer to another request", frame, buffer)
        if buffer[6] != self._unit:
            raise self._bad(f"unit {buffer[6]} answered, unit {self._unit} was asked", frame, buffer)
        refusal = self._check_pdu(frame, request, buffer, 7)
        length = 9 if refusal else request.size + 7
        if int.from_bytes(buffer[4:6], "big") != length - 6:
            raise self._bad("the reply's length is wrong", frame, buffer)
        return length if len(buffer) >= length else None

    def _check_pdu(self, frame: bytes, request: _Request, buffer: bytes, start: int) -> bool:
        """Whether the PDU at `start`, as far as it has come, is an exception; raises BadReply if it answers nothing."""
        got = buffer[start : start + len(request.begins)]
        if got == request.begins[: len(got)]:
            return False
        if got[0] == request.pdu[0] | 0x80:
            return True
        raise self._bad(f"function, count or echo is wrong: {request.begins.hex(' ')} is expected", frame, buffer)

    def _bad(self, what: str, frame: bytes, buffer: bytes) -> BadReply:
        return BadReply(self._device, what, frame, buffer)


@lru_cache(maxsize=1024)  # contacts and outputs seldom change
def _bits(data: bytes, count: int) -> tuple[bool, ...]:
    bits = int.from_bytes(data, "little")  # the last byte is filled up with zeros
    return tuple([bool(bits >> bit & 1) for bit in range(count)])


def _pdu(message: ModbusPDU) -> bytes:
    return bytes([message.function_code]) + message.encode()
