"""Modbus registers and coils of one unit, RTU or TCP, over a `Line`; the only file that knows pymodbus.

pymodbus makes the requests and their frames; its clients and transports are not used. What a reply must look like
follows from the request, so a late, doubled or foreign frame, or one of another length, never becomes data: unit,
function, byte count, echo of a write, checksum and, on TCP, transaction number are compared first.
"""

from __future__ import annotations

import struct
from collections.abc import Coroutine
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any, Literal, cast

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
_words = lru_cache(maxsize=None)(lambda count: struct.Struct(f">{count}H"))
_DATA = 3  # behind unit, function and byte count of a reply to a read
_RTU, _TCP = (0, 2), (6, 0)  # bytes of a frame before its unit, and behind its PDU


@dataclass(slots=True)
class _Request:
    """A request's PDU, what unit and PDU of its reply begin with, and how many bytes the whole reply has.

    Once made: its frame, on TCP without the number in front, and all that a line has to know of it, on RTU.
    """

    pdu: bytes
    begins: bytes
    length: int
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
        self._before, self._behind = _RTU if kind == "rtu" else _TCP
        self._framer = FramerRTU(_DECODER) if kind == "rtu" else FramerSocket(_DECODER)
        self._transaction = 0
        self._written = -1, 0  # address and value of the last single register: a set-point is refreshed on and on
        self._writing: _Request | None = None
        self._reads: dict[tuple[type[ModbusPDU], int, int], _Request] = {}
        self._probe: Probe | None = None
        if probe is not None:
            question = self._question(self._read(ReadHoldingRegistersRequest, *probe, 2 * probe[1]))
            self._probe = question.request, cast(Framer, question.framer)
            self._reads.clear()  # that question was made without a probe before it

    def read_holding(self, address: int, count: int) -> Coroutine[Any, Any, tuple[int, ...]]:
        return self._registers(ReadHoldingRegistersRequest, address, count)

    def read_input(self, address: int, count: int) -> Coroutine[Any, Any, tuple[int, ...]]:
        return self._registers(ReadInputRegistersRequest, address, count)

    def read_coils(self, address: int, count: int) -> Coroutine[Any, Any, tuple[bool, ...]]:
        return self._bits(ReadCoilsRequest, address, count)

    def read_discrete(self, address: int, count: int) -> Coroutine[Any, Any, tuple[bool, ...]]:
        return self._bits(ReadDiscreteInputsRequest, address, count)

    async def write_register(self, address: int, value: int, *, urgent: bool = False) -> None:
        """Function 6; the reply is the request. `urgent` is sent without a probe, whatever may still be under way."""
        request = self._writing
        if request is None or (address, value) != self._written:
            request = self._echoed(WriteSingleRegisterRequest(address=address, registers=[value]))
            self._written, self._writing = (address, value), request
        await self._write(request, urgent)

    async def write_registers(self, address: int, values: tuple[int, ...]) -> None:
        """Function 16."""
        await self._write(self._echoed(WriteMultipleRegistersRequest(address=address, registers=list(values))))

    async def write_coil(self, address: int, on: bool) -> None:
        """Function 5; the reply is the request."""
        await self._write(self._echoed(WriteSingleCoilRequest(address=address, bits=[on])))

    async def write_coils(self, address: int, values: tuple[bool, ...]) -> None:
        """Function 15."""
        await self._write(self._echoed(WriteMultipleCoilsRequest(address=address, bits=list(values))))

    async def _registers(self, kind: type[ModbusPDU], address: int, count: int) -> tuple[int, ...]:
        request = self._reads.get((kind, address, count)) or self._read(kind, address, count, 2 * count)
        ask = request.ask or self._question(request)
        reply = self._accepted(ask, await self._line.put(ask))
        return _words(count).unpack_from(reply, self._before + _DATA)

    async def _bits(self, kind: type[ModbusPDU], address: int, count: int) -> tuple[bool, ...]:
        at, size = self._before + _DATA, (count + 7) // 8
        request = self._reads.get((kind, address, count)) or self._read(kind, address, count, size)
        ask = request.ask or self._question(request)
        reply = self._accepted(ask, await self._line.put(ask))
        return _bits(reply[at : at + size], count)

    def _read(self, kind: type[ModbusPDU], address: int, count: int, data_bytes: int) -> _Request:
        """A read, kept for those that are the same."""
        pdu = _pdu(kind(address=address, count=count))
        begins = bytes([self._unit, pdu[0], data_bytes])
        request = self._reads[kind, address, count] = _Request(pdu, begins, self._frame_length(2 + data_bytes))
        return request

    def _echoed(self, message: ModbusPDU) -> _Request:
        """A write: its reply is the first five bytes of the request, which for a single value are all of it."""
        pdu = _pdu(message)
        return _Request(pdu, bytes([self._unit]) + pdu[:5], self._frame_length(5))

    def _frame_length(self, pdu_bytes: int) -> int:
        return self._before + 1 + pdu_bytes + self._behind

    def _question(self, request: _Request) -> Ask:
        """Made once; but on TCP each has another number in front of its frame."""
        if self._rtu:
            request.frame = self._framer.encode(request.pdu, self._unit, 0)
            whole = partial(self._whole_rtu, request)
            request.ask = Ask(self._device, request.frame, whole, RTU_TIMEOUT_S, RTU_QUIET_S, False, False, self._probe)
            return request.ask
        self._transaction = self._transaction % 0xFFFF + 1
        if not request.frame:
            request.frame = self._framer.encode(request.pdu, self._unit, self._transaction)[2:]
        frame = self._transaction.to_bytes(2, "big") + request.frame
        whole = partial(self._whole_tcp, frame, request)
        return Ask(self._device, frame, whole, TCP_TIMEOUT_S, RTU_QUIET_S, True, False, None)

    async def _write(self, request: _Request, urgent: bool = False) -> None:
        ask = request.ask or self._question(request)
        self._accepted(ask, await self._line.put(structs.replace(ask, probe=None) if urgent else ask))

    def _accepted(self, ask: Ask, reply: bytes) -> bytes:
        """The frame of a reply that is no exception."""
        if reply[self._before + 1] & 0x80:
            code = reply[self._before + 2]
            meaning = EXCEPTIONS.get(code, "a code outside the standard")
            raise Refused(self._device, f"Modbus exception {code}: {meaning}", ask.request, reply)
        return reply

    def _whole_rtu(self, request: _Request, buffer: bytes) -> int | None:
        begun = buffer.startswith(request.begins)
        length = request.length if begun else self._other(request.frame, request, buffer)
        if len(buffer) < length:
            return None
        if not _sound(buffer[:length]):
            raise self._bad("the checksum is wrong", request.frame, buffer)
        return length

    def _whole_tcp(self, frame: bytes, request: _Request, buffer: bytes) -> int | None:
        if len(buffer) < 9:
            return None
        if buffer[:4] != frame[:4]:
            raise self._bad("this is the answer to another request", frame, buffer)
        begun = buffer.startswith(request.begins, self._before)
        length = request.length if begun else self._other(frame, request, buffer)
        if int.from_bytes(buffer[4:6], "big") != length - 6:
            raise self._bad("the reply's length is wrong", frame, buffer)
        return length if len(buffer) >= length else None

    def _other(self, frame: bytes, request: _Request, buffer: bytes) -> int:
        """Length of a reply that is an exception, or has come in part; raises BadReply if it answers something else."""
        got = buffer[self._before : self._before + len(request.begins)]
        if request.begins.startswith(got):
            return request.length
        if got[0] != self._unit:
            raise self._bad(f"unit {got[0]} answered, unit {self._unit} was asked", frame, buffer)
        if got[1] == request.pdu[0] | 0x80:
            return self._frame_length(2)
        expected = request.begins[1:].hex(" ")
        raise self._bad(f"function, count or echo is wrong: {expected} is expected", frame, buffer)

    def _bad(self, what: str, frame: bytes, buffer: bytes) -> BadReply:
        return BadReply(self._device, what, frame, buffer)


@lru_cache(maxsize=1024)  # most replies come again and again
def _sound(frame: bytes) -> bool:
    """Whether a frame of RTU ends in its own checksum."""
    return FramerRTU.compute_CRC(frame[:-2]) == int.from_bytes(frame[-2:], "big")


@lru_cache(maxsize=1024)  # contacts and outputs seldom change
def _bits(data: bytes, count: int) -> tuple[bool, ...]:
    bits = int.from_bytes(data, "little")  # the last byte is filled up with zeros
    return tuple([bool(bits >> bit & 1) for bit in range(count)])


def _pdu(message: ModbusPDU) -> bytes:
    return bytes([message.function_code]) + message.encode()
