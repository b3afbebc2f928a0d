"""What every output module of the valve word shares, for the valve process alone: requests, replies and the connection.

Standard library only. `ModbusOutputs` is without I/O: requests go out as bytes, replies come in as bytes, and every
reply is matched to its request by transaction id. A module is a subclass in a file of its own, which knows how its
watchdog is armed, proven and asked for trips; `valve_modules.py` lists them. `Connection` is the socket.
"""

from __future__ import annotations

import errno
import os
import socket
import struct
from abc import ABC, abstractmethod
from collections.abc import Generator
from typing import ClassVar, NamedTuple

_HEAD = struct.Struct(">HHHBB")
_PAIR = struct.Struct(">HH")
_WORDS_BEHIND_HEAD = 1 + 5  # bytes of a one-pair request, counted from the unit on


class OutputsFault(Exception):
    """The module is not as it must be; the text says what was found and what would be right."""


class Reply(NamedTuple):
    """One reply: function code, exception code (0 = none) and the data behind the function code."""

    transaction: int
    function: int
    exception: int
    data: bytes

    def registers(self) -> tuple[int, ...]:
        """The values of a register read."""
        return struct.unpack(f">{self.data[0] // 2}H", self.data[1 : 1 + self.data[0]])

    def coils(self) -> int:
        """The values of a coil read, coil 0 in bit 0."""
        return int.from_bytes(self.data[1 : 1 + self.data[0]], "little")


Conversation = Generator[bytes, Reply, int]


class ModbusOutputs(ABC):
    """One module: makes requests and takes replies apart; a subclass knows how it is armed and proven.

    `coils` is the width of the valve word, `watchdog_ms` the time after which the module zeroes its outputs alone.
    """

    armed: ClassVar[bool] = True  # its watchdog is armed and proven over the wire; else its owner's test stands for it
    step_ms: ClassVar[int] = 1  # in which the watchdog's time is counted
    most_coils: ClassVar[int] = 64  # behind them lies something else, or nothing
    first_coil: ClassVar[int] = 0  # where the outputs are written
    read_back_at: ClassVar[int] = 0  # where they are read back (FC 1)

    def __init__(self, unit: int, coils: int, watchdog_ms: int) -> None:
        self.unit, self.coils, self.watchdog_ms = unit, coils, watchdog_ms
        self._transaction = 0
        self._heard = b""
        self._frames: dict[int, bytearray] = {}

    @property
    def round_ms(self) -> int:
        """How often the word is read back and written again: with what a round may take, below a quarter."""
        return self.watchdog_ms // 5

    # --- requests --------------------------------------------------------------------------------------------------

    @property
    def transaction(self) -> int:
        """The id of the newest request."""
        return self._transaction

    def write(self, word: int) -> bytes:
        """Write all coils (FC 15) in one telegram; frames of words once used are kept, only the id is patched in."""
        frame = self._frames.get(word)
        if frame is None:
            data = word.to_bytes((self.coils + 7) // 8, "little")
            head = _HEAD.pack(0, 0, 7 + len(data), self.unit, 15)
            where = struct.pack(">HHB", self.first_coil, self.coils, len(data))
            frame = self._frames[word] = bytearray(head + where + data)
        self._next()
        frame[0:2] = self._transaction.to_bytes(2, "big")
        return bytes(frame)

    def read_coils(self) -> bytes:
        """Read the valve word back (FC 1)."""
        return self._pair(1, self.read_back_at, self.coils)

    def read_registers(self, address: int, count: int = 1) -> bytes:
        """Read internal registers (FC 3)."""
        return self._pair(3, address, count)

    def write_register(self, address: int, value: int) -> bytes:
        """Write one internal register (FC 6)."""
        return self._pair(6, address, value)

    def _pair(self, function: int, one: int, other: int) -> bytes:
        self._next()
        return _HEAD.pack(self._transaction, 0, _WORDS_BEHIND_HEAD, self.unit, function) + _PAIR.pack(one, other)

    def _next(self) -> None:
        self._transaction = self._transaction % 0xFFFF + 1

    # --- replies ---------------------------------------------------------------------------------------------------

    def forget(self) -> None:
        """A new connection begins: what was half heard on the last one is no part of it."""
        self._heard = b""

    def hear(self, data: bytes) -> list[Reply]:
        """The replies that these bytes complete. Raises OutputsFault for bytes that are no reply of this module."""
        self._heard += data
        replies = []
        while len(self._heard) >= 9:
            transaction, protocol, length, unit, function = _HEAD.unpack_from(self._heard)
            if protocol != 0 or unit != self.unit or not 3 <= length <= 254:
                raise OutputsFault(f"the module sent {self._heard[:9].hex(' ')}, which is no reply of unit {self.unit}")
            if len(self._heard) < 6 + length:
                break
            body, self._heard = self._heard[8 : 6 + length], self._heard[6 + length :]
            failed = function & 0x80
            replies.append(Reply(transaction, function & 0x7F, body[0] if failed else 0, b"" if failed else body))
        return replies

    def check(self, request: bytes, reply: Reply) -> None:
        """Raises OutputsFault unless the reply is one to this request; an exception is a reply, too."""
        function, expected = request[7], request[8:12]
        if function == 1:
            expected = bytes(((int.from_bytes(request[10:12], "big") + 7) // 8,))
        elif function == 3:
            expected = bytes((2 * request[11],))
        counted = function in (1, 3) and len(reply.data) != 1 + expected[0]
        wrong = not reply.exception and (reply.data[: len(expected)] != expected or counted)
        if reply.function != function or wrong:
            raise OutputsFault(f"function {reply.function} {reply.data.hex(' ')} is no reply to {request.hex(' ')}")

    # --- what a module is asked --------------------------------------------------------------------------------------

    @abstractmethod
    def start(self, *, rearm: bool, trips: int | None = None) -> Conversation:
        """Bring the module to the safe word with its watchdog armed and proven: yields requests, takes their replies.

        Returns the module's count of watchdog trips. `rearm` is for a fresh valve process alone; without it `trips`
        is the count as it was, and any other one is refused. Raises OutputsFault.
        """

    @abstractmethod
    def ask_trips(self) -> bytes | None:
        """The request that shows whether the watchdog tripped; None for a module that cannot tell."""

    @abstractmethod
    def check_trips(self, reply: Reply, trips: int) -> None:
        """Raises OutputsFault unless the reply to `ask_trips` says that the watchdog runs and never tripped since."""

    def zero(self) -> Generator[bytes, Reply, None]:
        """Write zeros once and prove them; a tripped watchdog stays tripped. Raises OutputsFault."""
        yield self.write(0)  # a tripped module may refuse it: what counts is that its coils read zero
        yield from self._prove_safe()

    # --- what conversations are made of ------------------------------------------------------------------------------

    def _set(self, address: int, value: int) -> Generator[bytes, Reply, None]:
        self._accepted((yield self.write_register(address, value)), f"{value:#06x} in register {address:#06x}")

    def _get(self, address: int, count: int = 1) -> Generator[bytes, Reply, tuple[int, ...]]:
        reply = yield self.read_registers(address, count)
        self._accepted(reply, f"a read of register {address:#06x}")
        return reply.registers()

    @staticmethod
    def _accepted(reply: Reply, what: str) -> None:
        if reply.exception:
            raise OutputsFault(f"the module refused {what} with exception {reply.exception:#04x}")

    def _prove_safe(self) -> Generator[bytes, Reply, None]:
        """The coils read back as the safe word."""
        self._check_safe((yield self.read_coils()))

    def _check_safe(self, reply: Reply) -> None:
        self._accepted(reply, "a read of its coils")
        if reply.coils():
            raise OutputsFault(f"the safe word was written, coils read {reply.coils():#06x}")


class Connection:
    """One non-blocking TCP connection to the module, which never delivers later what it could not deliver now.

    Every method may raise OSError: the connection is then of no use and is ended with `abort`.
    """

    def __init__(self, host: str, port: int) -> None:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        self._where = f"{host}:{port}"
        self._socket = socket.socket(family, kind, protocol)
        self._socket.setblocking(False)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        # lingering for 0 s: closing throws away what is unsent, so that no old OPEN word comes after a glitch
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        error = self._socket.connect_ex(address)
        if error not in (0, errno.EINPROGRESS):
            self._socket.close()
            raise OSError(error, f"no connection to {self._where}: {os.strerror(error)}")

    def fileno(self) -> int:
        return self._socket.fileno()

    def stands(self) -> None:
        """Raises OSError unless the connection, now writable, came about."""
        if error := self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
            raise OSError(error, f"no connection to {self._where}: {os.strerror(error)}")

    def send(self, data: bytes) -> None:
        """Hand all of it to the network now."""
        if self._socket.send(data) != len(data):
            raise OSError(f"the network took only a part of {len(data)} bytes")

    def receive(self) -> bytes:
        """What has come, possibly nothing."""
        try:
            data = self._socket.recv(4096)
        except BlockingIOError:
            return b""
        if not data:
            raise OSError("the module closed the connection")
        return data

    def abort(self) -> None:
        """End the connection at once."""
        self._socket.close()
