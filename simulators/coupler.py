"""The simulated module of the valve word as an independent computer: its own process, with the kernel's receive stamps.

python -m simulators.coupler --driver beckhoff_bk9050 --port 1502 --trace FILE

Lines on its standard input are commands to fail: `coupler_faults.py` has the list. It serves until that input ends.
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
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from time import CLOCK_REALTIME, clock_gettime_ns, monotonic_ns
from typing import Any

from simulators.coupler_faults import Command, Trouble, Wire, command_of, cut
from simulators.valve_module import Change, ValveModule
from simulators.valve_modules import MODULES

_SO_TIMESTAMPNS = 35
_STAMP = struct.Struct("qq")
_AT_ONCE_NS = 5_000
_TRIES = 5
_LINGER_0 = struct.pack("ii", 1, 0)  # closing resets
_PRIORITY = 30  # above the valve process: another computer does not wait for this one


class _Peer:
    """One TCP connection to the module."""

    def __init__(self, connection: socket.socket, name: str, coupler: ValveModule, trouble: Trouble) -> None:
        self.socket, self.name, self._coupler, self._trouble = connection, name, coupler, trouble
        self._wire = Wire(coupler.connection(), trouble)
        self._answers: deque[tuple[float, bytes]] = deque()
        self.open = True
        self.shaken = False  # the cable was out: what fills a hole bears the stamp of what had come behind the hole

    def fileno(self) -> int:
        return self.socket.fileno()

    def serve(self, *, at_once: bool) -> None:
        """Take what has come, under the kernel's stamp of its arrival, and answer it.

        What is not taken `at_once`, or filled a hole, is taken now: that is when the outputs move.
        """
        try:
            data, extra, _, _ = self.socket.recvmsg(4096, 64)
        except OSError:
            data, extra = b"", []
        self._coupler.at(_stamp_s(extra) if at_once and not self.shaken else monotonic_ns() / 1e9)
        answer = self._wire.hear(data)
        self.open = bool(data) and not self._wire.broken
        if answer:
            now_s = monotonic_ns() / 1e9
            self._answers.append((now_s + self._trouble.delay_s, answer))
            self.speak(now_s)
        if not self.open:
            self.socket.close()

    def speak(self, now_s: float) -> None:
        """Send the answers that are due, in their order; none while the cable is out."""
        while self.open and (due_s := self.next_at()) is not None and due_s <= now_s:
            try:
                self.socket.send(self._answers.popleft()[1])
            except OSError:
                self.open = False

    def next_at(self) -> float | None:
        """When the next answer is due."""
        return self._answers[0][0] if self._answers and "dark" not in self._trouble else None

    def darken(self, *, dark: bool) -> None:
        """The cable of this connection is out, or in again."""
        cut(self.socket, dark=dark)
        self.shaken = True

    def reset(self) -> None:
        """End the connection by a reset."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_0)
        self.socket.close()
        self.open = False


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
    """The module on a listening socket, until standard input ends; `make` makes one as it is at power-on."""

    def __init__(self, make: Callable[[], ValveModule], listener: socket.socket, log: _Log) -> None:
        self._make, self._listener, self._log = make, listener, log
        self._coupler = make()
        self._peers: list[_Peer] = []
        self._forgotten: list[_Peer] = []  # connections that only the other end still knows
        self._writer: _Peer | None = None
        self._trouble = Trouble()
        self._commands = b""

    def run(self) -> None:
        while True:
            readers: list[Any] = [sys.stdin]
            if "hang" not in self._trouble:
                readers += [self._listener, *self._peers]
            ready, _, _ = select.select(readers, [self._log] if self._log.waiting else [], [], self._wait_s())
            for peer in [peer for peer in self._peers if peer in ready]:
                self._serve(peer)
            now_s = monotonic_ns() / 1e9
            self._coupler.at(now_s)
            for peer in self._peers:
                peer.speak(now_s)
            self._recover(now_s)
            if self._listener in ready:
                self._accept()
            ended = sys.stdin in ready and not self._hear_commands()
            self._log.flush()
            if ended:
                return

    def _wait_s(self) -> float | None:
        times = [self._coupler.next_at(), self._trouble.next_at(), *(peer.next_at() for peer in self._peers)]
        next_s = min((at_s for at_s in times if at_s is not None), default=None)
        return None if next_s is None else max(0.0, next_s - monotonic_ns() / 1e9)

    def _accept(self) -> None:
        connection, address = self._listener.accept()
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
        self._peers.append(_Peer(connection, f"{address[0]}:{address[1]}", self._coupler, self._trouble))

    def _serve(self, peer: _Peer, *, at_once: bool = True) -> None:
        before = self._coupler.writes
        peer.serve(at_once=at_once)
        if self._coupler.writes != before:
            writer = self._writer
            # after a cut the module still holds the connection that its client has long given up
            if writer is not None and writer is not peer and writer.open and not writer.shaken:
                self._log.put({"t": monotonic_ns() / 1e9, "foreign": peer.name})
            self._writer = peer
        if not peer.open:
            self._peers.remove(peer)

    # --- faults ----------------------------------------------------------------------------------------------------

    def _hear_commands(self) -> bool:
        """Do what standard input asks for; False when it has ended."""
        data = os.read(sys.stdin.fileno(), 4096)
        *lines, self._commands = (self._commands + data).split(b"\n")
        for line in lines:
            try:
                self._fail(monotonic_ns() / 1e9, command_of(line))
            except ValueError as error:
                self._log.put({"t": monotonic_ns() / 1e9, "refused": str(error)})
        return bool(data)

    def _fail(self, now_s: float, command: Command) -> None:
        while select.select([self._listener], [], [], 0)[0]:
            self._accept()  # what stands already meets the same fate
        self._trouble.begin(now_s, command)
        match command.fault:
            case "dark":
                self._darken(dark=True)
            case "reset":
                self._reset(self._peers)
            case "half_open":
                self._forget()
            case "reboot":
                self._forget()
                self._listen()
                self._coupler = self._make()
                self._log.tell(Change(now_s, 0, "reboot"))
        self._log.put({"t": monotonic_ns() / 1e9, "fault": command.fault, "on": True})

    def _recover(self, now_s: float) -> None:
        """End the faults whose time is up."""
        for fault in self._trouble.over(now_s):
            self._log.put({"t": now_s, "fault": fault, "on": False})
            match fault:
                case "dark":
                    self._darken(dark=False)
                case "reboot":
                    self._listen()
                    self._reset(self._forgotten)
                case "hang":
                    self._catch_up()

    def _listen(self) -> None:
        """Hear of new connections unless the cable or the power is out."""
        cut(self._listener, dark="dark" in self._trouble or "reboot" in self._trouble)

    def _darken(self, *, dark: bool) -> None:
        self._listen()
        for peer in self._peers:
            peer.darken(dark=dark)

    def _forget(self) -> None:
        for peer in self._peers:
            peer.darken(dark=True)
        self._forgotten += self._peers
        self._peers.clear()

    @staticmethod
    def _reset(peers: list[_Peer]) -> None:
        for peer in peers:
            peer.reset()
        peers.clear()

    def _catch_up(self) -> None:
        """Take what came meanwhile, the newest connection first: the order that does the most harm."""
        while select.select([self._listener], [], [], 0)[0]:
            self._accept()
        for peer in reversed(select.select(self._peers, [], [], 0)[0]):
            self._serve(peer, at_once=False)


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
        make = partial(MODULES[arguments.driver], arguments.coils, tell=log.tell, quiet=arguments.quiet)
        _Computer(make, listener, log).run()


if __name__ == "__main__":
    main()
