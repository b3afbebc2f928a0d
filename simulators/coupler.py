"""Coupler A of the simulated tool: a Beckhoff BK9050 with the coils of the valve word and a watchdog of its own.

`CouplerA` is the module without I/O; on virtual time it is used as it is. `python -m simulators.coupler` is the same
module as an independent computer: its own process, with the kernel's receive stamps on every write.
Source of the registers: Beckhoff's documentation of the BK9000 family's Modbus interface.
"""

from __future__ import annotations

import argparse
import json
import os
import select
import socket
import struct
import sys
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from time import CLOCK_REALTIME, clock_gettime_ns, monotonic_ns

from simulators.modbus_server import (
    DEVICE_FAILURE,
    ILLEGAL_ADDRESS,
    ModbusException,
    ModbusServer,
    RegisterMap,
    TcpFace,
    Unit,
)

_ANY_TELEGRAM, _WRITE_TELEGRAM = 1, 0
_RESTART = [0xBECF, 0xAFFE]


@dataclass(frozen=True, slots=True)
class Change:
    """The outputs became `word` at `at_s`, by a write or by the module's own watchdog."""

    at_s: float
    word: int
    cause: str  # write | watchdog


class CouplerA(Unit):
    """The module: coils from 0, watchdog in registers 0x1020 ff. Times are monotonic seconds.

    The watchdog (1000 ms and fed by any telegram until told otherwise) starts with the first write telegram. When it
    expires all outputs fall to 0, register 0x1021 counts, and outputs stay off until 0xBECF, 0xAFFE are written to
    0x1121. What a real module answers to a coil write in that state is not documented: this one refuses it with
    exception 04, and a restart brings no old output back. Changes of bits within `quiet` alone are not told.
    """

    functions = frozenset({1, 2, 3, 4, 5, 6, 15, 16, 23})

    def __init__(self, coils: int = 16, *, tell: Callable[[Change], None] | None = None, quiet: int = 0) -> None:
        self.coils, self.word, self.trips = coils, 0, 0
        self.changes: list[Change] = []
        self.tripped = False
        self.writes = 0  # coil writes that were executed
        self._tell, self._quiet = tell or self.changes.append, quiet
        self._now_s = 0.0
        self._expires_s: float | None = None
        self._watchdog_ms, self._kind, self._mode = 1000, _ANY_TELEGRAM, 0
        self._restart: list[int] = []
        self._server = ModbusServer({1: self})
        self._line = self._server.tcp()
        self._map = self._registers()

    def _registers(self) -> RegisterMap:
        read: dict[int, Callable[[], int]] = {
            0x1010: lambda: 0,
            0x1011: lambda: 0,
            0x1012: lambda: self.coils,
            0x1013: lambda: 0,
            0x1020: self._left_ms,
            0x1021: lambda: self.trips,
            0x1120: lambda: self._watchdog_ms,
            0x1121: lambda: 0,
            0x1122: lambda: self._kind,
            0x1123: lambda: self._mode,
        }
        write: dict[int, Callable[[int], None]] = {
            0x1120: self._set_time,
            0x1121: self._reset,
            0x1122: self._set_kind,
            0x1123: self._set_mode,
        }
        return RegisterMap(read, write)

    # --- the face on a line ----------------------------------------------------------------------------------------

    def connection(self) -> TcpFace:
        """A framer of its own for one more TCP connection; call `at` before each use of it."""
        return self._server.tcp()

    def at(self, now_s: float) -> None:
        """Time has come this far: a watchdog that expired meanwhile has acted when it did."""
        self._now_s = now_s
        if self._expires_s is not None and now_s >= self._expires_s:
            expired_s, self._expires_s = self._expires_s, None
            self.trips, self.tripped = (self.trips + 1) & 0xFFFF, True
            self._become(0, expired_s, "watchdog")

    def hear(self, now_s: float, data: bytes) -> bytes:
        """Take bytes of the one connection that this face stands for and return the replies."""
        self.at(now_s)
        return self._line.hear(now_s, data)

    def next_at(self) -> float | None:
        return self._expires_s

    def speak(self, now_s: float) -> bytes:
        self.at(now_s)
        return b""

    # --- outputs ---------------------------------------------------------------------------------------------------

    def _become(self, word: int, at_s: float, cause: str) -> None:
        changed, self.word = word ^ self.word, word
        if changed & ~self._quiet:
            self._tell(Change(at_s, word, cause))

    def _feed(self, *, by_write: bool) -> None:
        runs = self._expires_s is not None
        starts = by_write and not self.tripped and self._watchdog_ms > 0
        if starts or (runs and self._kind == _ANY_TELEGRAM):
            self._expires_s = self._now_s + self._watchdog_ms / 1000

    def read_coils(self, address: int, count: int) -> Sequence[bool]:
        self._feed(by_write=False)
        if address + count > self.coils:
            raise ModbusException(ILLEGAL_ADDRESS)
        return [bool(self.word >> (address + i) & 1) for i in range(count)]

    def read_discretes(self, address: int, count: int) -> Sequence[bool]:
        raise ModbusException(ILLEGAL_ADDRESS)  # there is no input terminal

    def write_coils(self, address: int, values: Sequence[bool]) -> None:
        if address + len(values) > self.coils:
            raise ModbusException(ILLEGAL_ADDRESS)
        if self.tripped:
            raise ModbusException(DEVICE_FAILURE)
        self._feed(by_write=True)
        self.writes += 1
        mask = ((1 << len(values)) - 1) << address
        bits = sum(1 << (address + i) for i, value in enumerate(values) if value)
        self._become(self.word & ~mask | bits, self._now_s, "write")

    # --- registers -------------------------------------------------------------------------------------------------

    def read_holding(self, address: int, count: int) -> Sequence[int]:
        self._feed(by_write=False)
        return self._map.read(address, count)

    def read_input(self, address: int, count: int) -> Sequence[int]:
        return self.read_holding(address, count)

    def write_registers(self, address: int, values: Sequence[int]) -> None:
        self._map.write(address, values)

    def _left_ms(self) -> int:
        return 0 if self._expires_s is None else max(0, round((self._expires_s - self._now_s) * 1000))

    def _set_time(self, value: int) -> None:
        self._watchdog_ms = value
        if value == 0:
            self._expires_s = None

    def _set_kind(self, value: int) -> None:
        self._kind = value

    def _set_mode(self, value: int) -> None:
        self._mode = value

    def _reset(self, value: int) -> None:
        self._restart = [*self._restart[-1:], value]
        if self._restart == _RESTART:
            self.tripped = False


# --- as an independent computer -------------------------------------------------------------------------------------

_SO_TIMESTAMPNS = 35
_STAMP = struct.Struct("qq")
_AT_ONCE_NS = 5_000
_TRIES = 5
_PRIORITY = 30  # above the valve process: another computer does not wait for this one


class _Peer:
    """One TCP connection to the module."""

    def __init__(self, connection: socket.socket, name: str, coupler: CouplerA) -> None:
        self.socket, self.name, self._coupler = connection, name, coupler
        self._framer = coupler.connection()
        self.open = True

    def fileno(self) -> int:
        return self.socket.fileno()

    def serve(self) -> None:
        """Take what has come, under the kernel's stamp of its arrival, and answer it."""
        try:
            data, extra, _, _ = self.socket.recvmsg(4096, 64)
            self._coupler.at(_stamp_s(extra))
            answer = self._framer.hear(0.0, data)
            self.open = bool(data) and not self._framer.broken
            if answer:
                self.socket.send(answer)
        except OSError:
            self.open = False
        if not self.open:
            self.socket.close()


def _stamp_s(extra: list[tuple[int, int, bytes]]) -> float:
    """Monotonic seconds of the kernel's receive stamp; the time of asking where the kernel gave none."""
    now_ns, real_ns = _both_clocks()
    for level, kind, data in extra:
        if level == socket.SOL_SOCKET and kind == _SO_TIMESTAMPNS:
            seconds, ns = _STAMP.unpack(data[: _STAMP.size])
            now_ns -= real_ns - (seconds * 1_000_000_000 + ns)
    return now_ns / 1e9


def _both_clocks() -> tuple[int, int]:
    """The monotonic and the real-time clock at one moment: read again when something came between the readings."""
    for _ in range(_TRIES):
        before_ns, real_ns, after_ns = monotonic_ns(), clock_gettime_ns(CLOCK_REALTIME), monotonic_ns()
        if after_ns - before_ns <= _AT_ONCE_NS:
            break
    return (before_ns + after_ns) // 2, real_ns


class _Log:
    """Lines of JSON to a pipe that need not be read in time, and to a file where one is given."""

    def __init__(self, pipe: int, trace: Path | None) -> None:
        self._pipe, self._lines, self._kept = pipe, deque[bytes](), list[bytes]()
        os.set_blocking(pipe, False)
        self._trace = None if trace is None else trace.open("ab", buffering=0)

    def fileno(self) -> int:
        return self._pipe

    def put(self, line: dict[str, object]) -> None:
        """Keep a line until `flush`: a slow disk may not stand between a request and its answer."""
        data = json.dumps(line, separators=(",", ":")).encode() + b"\n"
        self._lines.append(data)
        if self._trace is not None:
            self._kept.append(data)

    def tell(self, change: Change) -> None:
        """One change of the outputs."""
        self.put({"t": change.at_s, "word": change.word, "cause": change.cause})

    def flush(self) -> None:
        """Hand over what the pipe takes, and all of it to the file; what went in part goes on where it stopped."""
        if self._trace is not None and self._kept:
            self._trace.write(b"".join(self._kept))
            self._kept.clear()
        with suppress(BlockingIOError, BrokenPipeError):
            while self._lines:
                taken = os.write(self._pipe, self._lines[0])
                self._lines[0] = self._lines[0][taken:]
                if not self._lines[0]:
                    self._lines.popleft()

    @property
    def waiting(self) -> bool:
        return bool(self._lines)


class _Computer:
    """The module on a listening socket, until standard input ends."""

    def __init__(self, coupler: CouplerA, listener: socket.socket, log: _Log) -> None:
        self._coupler, self._listener, self._log = coupler, listener, log
        self._peers: list[_Peer] = []
        self._writer: _Peer | None = None

    def run(self) -> None:
        while True:
            expires_s = self._coupler.next_at()
            wait_s = None if expires_s is None else max(0.0, expires_s - monotonic_ns() / 1e9)
            readers = [sys.stdin, self._listener, *self._peers]
            ready, _, _ = select.select(readers, [self._log] if self._log.waiting else [], [], wait_s)
            for peer in [peer for peer in self._peers if peer in ready]:
                self._serve(peer)
            self._coupler.at(monotonic_ns() / 1e9)
            self._log.flush()
            if self._listener in ready:
                self._accept()
            if sys.stdin in ready and not os.read(sys.stdin.fileno(), 4096):
                return

    def _accept(self) -> None:
        connection, address = self._listener.accept()
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
        self._peers.append(_Peer(connection, f"{address[0]}:{address[1]}", self._coupler))

    def _serve(self, peer: _Peer) -> None:
        before = self._coupler.writes
        peer.serve()
        if self._coupler.writes != before:
            if self._writer is not None and self._writer is not peer and self._writer.open:
                self._log.put({"t": monotonic_ns() / 1e9, "foreign": peer.name})
            self._writer = peer
        if not peer.open:
            self._peers.remove(peer)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m simulators.coupler", description="The module of the valve word.")
    parser.add_argument("--port", type=int, default=0, help="TCP port on loopback; 0 takes a free one")
    parser.add_argument("--coils", type=int, default=16)
    parser.add_argument("--quiet", type=lambda text: int(text, 0), default=0, help="bits whose changes are not told")
    parser.add_argument("--edges-fd", type=int, default=1, help="descriptor for the lines of JSON")
    parser.add_argument("--trace", type=Path, help="file to which the same lines are appended")
    return parser.parse_args()


def main() -> None:
    """Serve until standard input ends. The first line says the port: {"port": 1502, "real_time": true}."""
    arguments = _arguments()
    real_time = True
    try:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(_PRIORITY))
    except PermissionError:
        real_time = False
    with socket.create_server(("127.0.0.1", arguments.port)) as listener:
        listener.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
        log = _Log(arguments.edges_fd, arguments.trace)
        log.put({"port": listener.getsockname()[1], "real_time": real_time})
        log.flush()
        coupler = CouplerA(arguments.coils, tell=log.tell, quiet=arguments.quiet)
        _Computer(coupler, listener, log).run()


if __name__ == "__main__":
    main()
