"""The simulated module of the valve word as an independent computer: its own process, with the kernel's receive stamps.

python -m simulators.coupler --driver beckhoff_bk9050 --port 1502 --trace FILE
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
from contextlib import suppress
from pathlib import Path
from time import CLOCK_REALTIME, clock_gettime_ns, monotonic_ns

from simulators.valve_module import Change, ValveModule
from simulators.valve_modules import MODULES

_SO_TIMESTAMPNS = 35
_STAMP = struct.Struct("qq")
_AT_ONCE_NS = 5_000
_TRIES = 5
_PRIORITY = 30  # above the valve process: another computer does not wait for this one


class _Peer:
    """One TCP connection to the module."""

    def __init__(self, connection: socket.socket, name: str, coupler: ValveModule) -> None:
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

    def __init__(self, coupler: ValveModule, listener: socket.socket, log: _Log) -> None:
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
    parser.add_argument("--driver", choices=MODULES, default="beckhoff_bk9050", help="which module this is")
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
        coupler = MODULES[arguments.driver](arguments.coils, tell=log.tell, quiet=arguments.quiet)
        _Computer(coupler, listener, log).run()


if __name__ == "__main__":
    main()
