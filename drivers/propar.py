"""Bronkhorst's propar protocol, enhanced binary mode: parameters of one node, several in one message.

Frames: `10 02 | sequence node length data | 10 03`, each 0x10 inside doubled; 9.17.027 "RS232 interface", chapter 3.
There is no checksum. Every request carries a new sequence number and its answer must bring it back, together with the
node and the parameters that were asked for: a late answer to something else is never data. Not yet run against
hardware.
"""

from __future__ import annotations

import math
import re
import struct
from itertools import groupby
from typing import Literal, NamedTuple

from drivers.base import BadReply, Refused
from drivers.line import Line

TIMEOUT_S = 0.25  # a poll takes 30 ms at 38400 baud; the manufacturer's library waits 0.5 s, for whole networks
QUIET_S = 0.1
LOCAL = 0x80  # the instrument at the other end of the cable, whatever its own number is
LAST_SEQUENCE = 255

STATUS, WRITE, ANSWER, READ = 0, 1, 2, 4
CHAINED = 0x80
Kind = Literal["int8", "int16", "float", "string"]
_TYPES: dict[Kind, int] = {"int8": 0x00, "int16": 0x20, "float": 0x40, "string": 0x60}
_SIZES: dict[Kind, str] = {"int8": ">B", "int16": ">H", "float": ">f"}
_FRAME = re.compile(rb"\x10\x02((?:[^\x10]|\x10\x10)*)\x10\x03", re.DOTALL)
_BEGUN = re.compile(rb"\x10(?:\x02(?:[^\x10]|\x10\x10)*\x10?)?", re.DOTALL)

STATUSES = {
    1: "the process is claimed by another master",
    2: "unknown command",
    3: "it has no such process",
    4: "it has no such parameter",
    5: "the parameter is of another type",
    6: "the value is out of range",
    7: "the network is not active",
    9: "time-out on the serial line",
    11: "node number error",
    13: "the parameter can only be read",
    17: "the parameter can only be written",
    25: "time-out of the answer: the bus behind this port is silent",
}
ERRORS = {
    3: "protocol error",
    4: "protocol error",
    5: "there is no such node: look at the node number",
    9: "the node does not answer its bus",
}


class Parameter(NamedTuple):
    """One parameter: process, number, type; a string is asked for with `length` characters, 0 as long as it is."""

    process: int
    number: int
    kind: Kind
    length: int = 0


Value = int | float | str
SERIAL = Parameter(113, 3, "string")


def frame(sequence: int, node: int, data: bytes) -> bytes:
    """One message with its start, its end and what must be doubled between them."""
    content = bytes((sequence, node, len(data))) + data
    return b"\x10\x02" + content.replace(b"\x10", b"\x10\x10") + b"\x10\x03"


def question(*parameters: Parameter) -> bytes:
    """The message field that asks for `parameters`, in their order, chained where there are several.

    A parameter is asked for under the index that it has itself, so that the answer names what it answers.
    """
    data = bytes((READ,))
    for name, number, one in _chained(parameters):
        data += name + bytes((number, one.process, number & ~CHAINED))
        data += bytes((one.length,)) if one.kind == "string" else b""
    return data


def _chained(parameters: tuple[Parameter, ...]) -> list[tuple[bytes, int, Parameter]]:
    """Each with the byte of its process if it is the first of it, and its own byte of number, type and chaining."""
    groups = [list(members) for _, members in groupby(parameters, lambda one: one.process)]
    chain = []
    for i, members in enumerate(groups):
        process = members[0].process | (CHAINED if i < len(groups) - 1 else 0)
        for j, one in enumerate(members):
            number = _TYPES[one.kind] | one.number | (CHAINED if j < len(members) - 1 else 0)
            chain.append((b"" if j else bytes((process,)), number, one))
    return chain


class Propar:
    """The parameters of one node; raises NoReply, BadReply, Refused under the device's name."""

    def __init__(self, line: Line, node: int, device: str) -> None:
        self._line, self._node, self._device = line, node, device
        self._sequence = 0

    async def read(self, *parameters: Parameter) -> dict[Parameter, Value]:
        """All in one message."""
        request, data = await self._ask(question(*parameters))
        if data[0] == STATUS and data[1]:
            raise self._refusal(request, data)
        try:
            return _values(data, parameters)
        except ValueError as error:
            raise self._bad(str(error), request, data) from None

    async def write(self, parameter: Parameter, value: int) -> None:
        """Sent once, and the device says that it took it."""
        number = _TYPES[parameter.kind] | parameter.number
        written = struct.pack(_SIZES[parameter.kind], value)
        request, data = await self._ask(bytes((WRITE, parameter.process, number)) + written)
        if data[0] != STATUS:
            raise self._bad("a status is expected after a write", request, data)
        if data[1]:
            raise self._refusal(request, data)

    async def _ask(self, message: bytes) -> tuple[bytes, bytes]:
        """The request as sent and the message field of its answer; raises Refused on an error message."""
        self._sequence = self._sequence % LAST_SEQUENCE + 1
        sequence, request = self._sequence, frame(self._sequence, self._node, message)
        reply = await self._line.ask(
            request,
            lambda buffer: self._whole(sequence, request, buffer),
            timeout_s=TIMEOUT_S,
            device=self._device,
            quiet_s=QUIET_S,
            numbered=True,
        )
        data = _content(reply)[3:]
        if len(data) == 1:
            what = ERRORS.get(data[0], "see the manual")
            raise Refused(self._device, f"error {data[0]}: {what}", request, reply)
        return request, data

    def _whole(self, sequence: int, request: bytes, buffer: bytes) -> int | None:
        """A frame of this node with this sequence number that answers: no other is one, an echo neither."""
        whole = _FRAME.match(buffer)
        if not whole:
            if _BEGUN.fullmatch(buffer):
                return None
            raise BadReply(self._device, "10 02 and a frame are expected", request, buffer)
        if why := _amiss(_content(whole[0]), sequence, self._node):
            raise BadReply(self._device, why, request, buffer)
        return whole.end()

    def _refusal(self, request: bytes, data: bytes) -> Refused:
        what = STATUSES.get(data[1], "see the manual")
        return Refused(self._device, f"status {data[1]} at byte {data[2]} of the message: {what}", request, data)

    def _bad(self, what: str, request: bytes, data: bytes) -> BadReply:
        self._line.distrust(self._device)
        return BadReply(self._device, what, request, data)


def _content(whole: bytes) -> bytes:
    return whole[2:-2].replace(b"\x10\x10", b"\x10")


def _amiss(content: bytes, sequence: int, node: int) -> str:
    """What makes these bytes no answer to this request; empty: they are one."""
    if len(content) < 4:
        return "the frame is too short for a message"
    if content[0] != sequence:
        return f"it answers request {content[0]}, not {sequence}"
    if content[1] != node:
        return f"it comes from node {content[1]}, not {node}"
    length, data = content[2], content[3:]
    if len(data) == 1 and length in (0, 1):
        return ""  # an error message: its length is 0 in the manual, 1 in the manufacturer's library
    if length != len(data):
        return f"{length} bytes are announced, {len(data)} came"
    if (data[0] == STATUS and len(data) == 3) or data[0] == ANSWER:
        return ""
    return f"message {data[0]} is neither an answer nor a status"


def _values(data: bytes, parameters: tuple[Parameter, ...]) -> dict[Parameter, Value]:
    """What an answer says of each parameter; raises ValueError when it is not the answer to that question."""
    if data[0] != ANSWER:
        raise ValueError("a status answers no question")
    values: dict[Parameter, Value] = {}
    at = 1
    for process, number, one in _chained(parameters):
        expected = process + bytes((number,))
        if data[at : at + len(expected)] != expected:
            raise ValueError(f"parameter {one.process}/{one.number} is expected at byte {at}")
        values[one], at = _value(data, at + len(expected), one)
    if at != len(data):
        raise ValueError(f"there is more after the last parameter, from byte {at}")
    return values


def _value(data: bytes, at: int, one: Parameter) -> tuple[Value, int]:
    """The value that begins at a byte, and where it ends."""
    if one.kind == "string":
        return _string(data, at, one)
    end = at + struct.calcsize(_SIZES[one.kind])
    if end > len(data):
        raise ValueError(f"parameter {one.process}/{one.number} is cut short")
    value: int | float = struct.unpack(_SIZES[one.kind], data[at:end])[0]
    if not math.isfinite(value):
        raise ValueError(f"parameter {one.process}/{one.number} is no number")
    return value, end


def _string(data: bytes, at: int, one: Parameter) -> tuple[str, int]:
    """A string with its length before it, or with 0 before and a NUL behind it; padding is dropped."""
    if at >= len(data):
        raise ValueError(f"parameter {one.process}/{one.number} is cut short")
    end = at + 1 + data[at] if data[at] else data.find(b"\0", at + 1)
    if end < 0 or end > len(data):
        raise ValueError(f"string {one.process}/{one.number} is cut short")
    text = data[at + 1 : end].rstrip(b" \0")
    if not text.isascii() or not text.decode("ascii").isprintable():
        raise ValueError(f"string {one.process}/{one.number} is garbled")
    return text.decode("ascii"), end if data[at] else end + 1
