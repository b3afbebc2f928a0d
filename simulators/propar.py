"""The propar protocol from the instrument's side, binary and ASCII: bytes in, bytes out, over a table of parameters.

Source: Bronkhorst 9.17.027 "RS232 interface", chapter 3 (frames, chaining, status and error messages). In what form a
message comes, binary or `:…` and CR, in that form it is answered.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

Value = int | float | str
Type = Literal["int8", "int16", "int32", "float", "string"]
TYPE_BYTES = {"int8": 0x00, "int16": 0x20, "int32": 0x40, "float": 0x40, "string": 0x60}
FORMATS = {"int8": ">B", "int16": ">H", "int32": ">I", "float": ">f"}

MY_STATUS, WRITE_ACKNOWLEDGED, WRITE, BROADCAST, REQUEST = range(5)
OK, NO_COMMAND, NO_PROCESS, NO_PARAMETER, WRONG_TYPE, WRONG_VALUE = 0, 2, 3, 4, 5, 6
READ_ONLY, BROKEN_MESSAGE = 13, 34
PROTOCOL_ERROR, NO_NODE = 4, 5  # error messages, one level below statuses

LONGEST = 600  # bytes without an end: noise, forgotten
_START = re.compile(rb"\x10\x02|:")
_BINARY = re.compile(rb"\x10\x02((?:[^\x10]|\x10\x10)*)\x10\x03", re.DOTALL)
_ASCII = re.compile(rb":([0-9A-Fa-f]*)\r\n?")
_SO_FAR = re.compile(rb"\x10\x02(?:[^\x10]|\x10\x10)*\x10?|:[0-9A-Fa-f]*", re.DOTALL)


class Refusal(Exception):
    """A status other than ok, and the byte of the message that it is about."""

    def __init__(self, status: int, at: int = 0) -> None:
        super().__init__(status, at)
        self.status, self.at = status, at


@dataclass(frozen=True)
class Slot:
    """One parameter: its type, how it is read, how it is written (None: only read); `put` raises Refusal."""

    kind: Type
    get: Callable[[], Value]
    put: Callable[[Value], None] | None = None


Table = Mapping[tuple[int, int], Slot]
"""By process and number."""


class ProparPort:
    """The message level of one instrument: which node it is, and what it answers."""

    def __init__(self, table: Table, nodes: frozenset[int], *, local: bool) -> None:
        """It answers under any of `nodes`; `local`: alone at its cable, it says so to who asks for another node."""
        self._table, self._nodes, self._local = table, nodes, local
        self._buffer = b""

    def hear(self, data: bytes) -> bytes:
        """Answer every message that `data` completes; a frame that breaks the rules is dropped up to the next start."""
        self._buffer = (self._buffer + data)[-LONGEST:]
        said = b""
        while start := _START.search(self._buffer):
            self._buffer = self._buffer[start.start() :]
            if whole := _BINARY.match(self._buffer):
                said += self._binary(whole[1].replace(b"\x10\x10", b"\x10"))
            elif whole := _ASCII.match(self._buffer):
                said += self._ascii(whole[1])
            elif _SO_FAR.fullmatch(self._buffer):
                return said
            self._buffer = self._buffer[whole.end() if whole else 1 :]
        self._buffer = b"\x10" if self._buffer.endswith(b"\x10") else b""
        return said

    def _binary(self, content: bytes) -> bytes:
        if len(content) < 4:
            return b""
        sequence, node, length, data = content[0], content[1], content[2], content[3:]
        answer, error = self._answer(node, data) if length == len(data) else (b"", PROTOCOL_ERROR)
        if not answer and not error:
            return b""
        said = bytes((sequence, node, len(answer))) + (answer or bytes((error,)))  # an error message has the length 0
        return b"\x10\x02" + said.replace(b"\x10", b"\x10\x10") + b"\x10\x03"

    def _ascii(self, digits: bytes) -> bytes:
        content = bytes.fromhex(digits.decode("ascii")) if len(digits) % 2 == 0 else b""
        if len(content) < 3 or content[0] != len(content) - 1:
            return _hex(bytes((1, PROTOCOL_ERROR)))
        answer, error = self._answer(content[1], content[2:])
        if error:
            return _hex(bytes((1, error)))
        return _hex(bytes((len(answer) + 1, content[1])) + answer) if answer else b""

    def _answer(self, node: int, data: bytes) -> tuple[bytes, int]:
        """The message field of the answer, empty when there is none; and the error of an error message instead."""
        if node not in self._nodes:
            return b"", NO_NODE if self._local else 0
        try:
            if data[0] == REQUEST:
                return self._read(data), 0
            if data[0] in (WRITE_ACKNOWLEDGED, WRITE, BROADCAST):
                self._write(data)
            elif data[0] != MY_STATUS:
                raise Refusal(NO_COMMAND)
            status = bytes((MY_STATUS, OK, len(data)))
        except Refusal as refusal:
            status = bytes((MY_STATUS, refusal.status, refusal.at))
        return (b"" if data[0] in (MY_STATUS, WRITE, BROADCAST) else status), 0

    # --- reading: the requester says under which process and number the answer shall come ---

    def _read(self, data: bytes) -> bytes:
        answer, at = bytes((WRITE,)), 1
        chained = True
        while chained:
            process = _byte(data, at)
            answer, at, chained = answer + bytes((process,)), at + 1, bool(process & 0x80)
            more = True
            while more:
                index = _byte(data, at)
                value, at = self._one(data, at)
                answer, more = answer + bytes((index,)) + value, bool(index & 0x80)
        if at != len(data):
            raise Refusal(BROKEN_MESSAGE, at)
        return answer

    def _one(self, data: bytes, at: int) -> tuple[bytes, int]:
        """The value that is asked for at a byte of the request, and where the next begins."""
        kind, process, number = data[at] & 0x60, _byte(data, at + 1) & 0x7F, _byte(data, at + 2)
        slot = self._slot(process, number & 0x1F, at + 1)
        if TYPE_BYTES[slot.kind] != number & 0x60 or number & 0x60 != kind:
            raise Refusal(WRONG_TYPE, at + 2)
        value = slot.get()
        if slot.kind != "string":
            return struct.pack(FORMATS[slot.kind], value), at + 3
        length, text = _byte(data, at + 3), str(value).encode("latin-1")
        padded = text[:length].ljust(length) if length else text + b"\0"
        return bytes((length,)) + padded, at + 4

    # --- writing: in the order of the message, up to the first parameter that is refused ---

    def _write(self, data: bytes) -> None:
        at, chained = 1, True
        while chained:
            process = _byte(data, at)
            at, chained = at + 1, bool(process & 0x80)
            more = True
            while more:
                number = _byte(data, at)
                at, more = self._put(data, at, process & 0x7F, number), bool(number & 0x80)
        if at != len(data):
            raise Refusal(BROKEN_MESSAGE, at)

    def _put(self, data: bytes, at: int, process: int, number: int) -> int:
        slot = self._slot(process, number & 0x1F, at)
        if TYPE_BYTES[slot.kind] != number & 0x60:
            raise Refusal(WRONG_TYPE, at)
        value, end = _written(data, at + 1, slot.kind)
        if slot.put is None:
            raise Refusal(READ_ONLY, at)
        try:
            slot.put(value)
        except Refusal as refusal:
            raise Refusal(refusal.status, at) from None
        return end

    def _slot(self, process: int, number: int, at: int) -> Slot:
        if (process, number) in self._table:
            return self._table[process, number]
        known = any(one == process for one, _ in self._table)
        raise Refusal(NO_PARAMETER if known else NO_PROCESS, at)


def _byte(data: bytes, at: int) -> int:
    if at >= len(data):
        raise Refusal(BROKEN_MESSAGE, at)
    return data[at]


def _written(data: bytes, at: int, kind: Type) -> tuple[Value, int]:
    if kind != "string":
        end = at + struct.calcsize(FORMATS[kind])
        _byte(data, end - 1)
        value: int | float = struct.unpack(FORMATS[kind], data[at:end])[0]
        return value, end
    length = _byte(data, at)
    end = at + 1 + length if length else data.find(b"\0", at + 1) + 1
    if not at < end <= len(data):
        raise Refusal(BROKEN_MESSAGE, at)
    return data[at + 1 : end].rstrip(b"\0 ").decode("latin-1"), end


def _hex(content: bytes) -> bytes:
    return b":" + content.hex().upper().encode("ascii") + b"\r\n"
