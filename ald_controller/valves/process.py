"""The valve process: the engine with a real-time clock, a socket to the module and a socket to the daemon.

Standard library only, one thread, and nothing in it ever waits for the daemon: reports are dropped or kept, never
blocked on. It takes real-time priority where it may, and says `degraded` where it may not. When the daemon is gone
(end of file) or silent (lease) the valves rest; when this process itself is gone the module's watchdog closes them.

    python -m ald_controller.valves.process fd host port driver unit coils watchdog_ms
"""

from __future__ import annotations

import ctypes
import gc
import os
import select
import signal
import socket
import sys
from collections import deque
from time import monotonic_ns

from ald_controller.valves.host import STATUS_NS, Host
from ald_controller.valves.wire import EngineConfig, FromEngine, Lateness, Refused, ToEngine, ValveError, decode, encode
from drivers.valve_modules import outputs_of
from drivers.valve_outputs import Connection

PRIORITY = 20
SPIN_NS = 600_000  # with real-time priority the last stretch before an edge is spun; a sleep ends up to 0.2 ms late
PREPARE_NS = 200_000  # so long before an edge its telegram is made, so that at its time there is only the sending
REPORT_BEFORE_EDGE_NS = 1_000_000  # closer to an edge than this nothing is encoded for the daemon
CONNECT_NS = 20_000_000  # then a fresh socket is tried
CONNECT_DEGRADED_NS = 100_000_000
FAREWELL_NS = 1_000_000_000  # how long a closing is tried after the daemon has gone
BACKLOG = 50_000  # reports kept for a daemon that does not read
DATAGRAM = 1 << 18

LATENESS_N, LATENESS_PERIOD_NS = 100, 2_000_000

_MCL_CURRENT, _MCL_FUTURE = 1, 2
_PR_SET_TIMERSLACK = 29


def take_real_time() -> bool:
    """Real-time priority and locked memory where the system allows them; returns whether priority was given."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(_PR_SET_TIMERSLACK, 1, 0, 0, 0)  # ns by which a sleep may be lengthened
    libc.mlockall(_MCL_CURRENT | _MCL_FUTURE)  # refused: pages may have to be read back, which lateness will show
    gc.collect()
    gc.freeze()
    gc.disable()
    try:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(PRIORITY))
    except PermissionError:
        return False
    return True


def measure_lateness(spin_ns: int) -> Lateness:
    """How late this computer wakes this process now: it takes 0.2 s, and nothing is written anywhere."""
    due_ns, late_ns = monotonic_ns(), []
    for _ in range(LATENESS_N):
        due_ns += LATENESS_PERIOD_NS
        select.select((), (), (), max(0, due_ns - spin_ns - monotonic_ns()) / 1e9)
        while (now_ns := monotonic_ns()) < due_ns:
            pass
        late_ns.append(now_ns - due_ns)
        due_ns = max(due_ns, now_ns)  # one long absence is one late wake-up
    late_ns.sort()
    return Lateness(LATENESS_N, late_ns[LATENESS_N // 2], late_ns[LATENESS_N * 99 // 100 - 1], late_ns[-1])


class Control:
    """The daemon's end: datagrams in and out, neither ever waited for."""

    def __init__(self, own: socket.socket) -> None:
        own.setblocking(False)
        self._socket = own
        self._buffer = bytearray(DATAGRAM)
        self._backlog: deque[bytes] = deque()
        self.open = True
        poll = select.poll()
        poll.register(own, select.POLLIN)
        self.poll = poll.poll  # whether something can be received; True, too, when the daemon has gone

    def fileno(self) -> int:
        return self._socket.fileno()

    def receive(self) -> ToEngine | ValveError | None:
        """The next message, or what is wrong with it, or None when there is none now; `open` ends with the daemon."""
        try:
            size = self._socket.recv_into(self._buffer)
        except BlockingIOError:
            return None
        except OSError:
            size = 0
        if size == 0:
            self.open = False
            return None
        try:
            return decode(bytes(self._buffer[:size]))  # type: ignore[return-value]
        except ValveError as error:
            return error

    def report(self, message: FromEngine) -> None:
        """Keep one message until it can be sent."""
        self._backlog.append(encode(message))

    def flush(self) -> bool:
        """Send what is kept, as far as the daemon takes it; returns whether nothing is left."""
        while self._backlog and self.open:
            try:
                self._socket.send(self._backlog[0])
            except BlockingIOError:
                return False
            except OSError:
                self.open = False
            self._backlog.popleft()
        return True

    @property
    def kept(self) -> int:
        """How many messages wait for the daemon to read."""
        return len(self._backlog)


class Process:
    """One turn after the other: hear the daemon, hear the module, write what is due, report, wait.

    The telegram of an edge that was waited for is sent before anybody is heard: the daemon's socket was found empty
    until PREPARE_NS before it, and whatever comes later comes after the edge.
    """

    def __init__(self, control: Control, host: Host, address: tuple[str, int], *, degraded: bool) -> None:
        self._control, self._host, self._address = control, host, address
        self._spin_ns = 0 if degraded else SPIN_NS
        self._connect_ns = CONNECT_DEGRADED_NS if degraded else CONNECT_NS
        self._connection: Connection | None = None
        self._connecting_until: int | None = None
        self._farewell_until: int | None = None

    def run(self) -> bool:
        """Until the daemon has gone and the valves rest, or cannot be reached; returns whether they rest."""
        due = b""
        while self._farewell_until is None or monotonic_ns() < self._farewell_until:
            self._turn(due)
            if self._farewell_until is not None and self._host.rests:
                return True
            due = self._waited()
        return False

    def _turn(self, due: bytes) -> None:
        try:
            if due and self._connection is not None:
                self._send(self._connection, due)
            self._hear_daemon()
            now_ns = monotonic_ns()  # before the module is heard: an answer that was there by now is not late
            self._reach_module(now_ns)
            self._host.check(now_ns)
            self._write()
        except OSError as error:
            self._host.fail(monotonic_ns(), f"the link to the module failed: {error.strerror or error}")
            self._connecting_until = None
        if self._connection is not None and not self._host.linked and self._connecting_until is None:
            self._connection.abort()
            self._connection = None
        self._report()

    def _hear_daemon(self) -> None:
        while self._control.open and (message := self._control.receive()) is not None:
            if isinstance(message, ValveError):
                self._control.report(Refused(None, str(message)))
            else:
                self._host.hear(monotonic_ns(), message)
        if not self._control.open and self._farewell_until is None:
            now_ns = monotonic_ns()
            self._farewell_until = now_ns + FAREWELL_NS
            self._host.engine.rest(now_ns, "end of file")

    def _reach_module(self, now_ns: int) -> None:
        """Begin a connection, or see whether the one begun has come about, or take what has come over it."""
        host = self._host
        if self._connection is None:
            if now_ns >= host.link_at:
                self._connecting_until = now_ns + self._connect_ns
                self._connection = Connection(*self._address)
        elif self._connecting_until is None:
            if data := self._connection.receive():
                host.heard(monotonic_ns(), data)
        elif select.select((), (self._connection,), (), 0)[1]:
            self._connection.stands()
            self._connecting_until = None
            host.link(monotonic_ns())
        elif now_ns >= self._connecting_until:
            raise OSError(f"no connection to {self._address[0]}:{self._address[1]}")

    def _write(self) -> None:
        if self._connection is not None and self._host.linked and (out := self._host.step(monotonic_ns())):
            self._send(self._connection, out)

    def _send(self, connection: Connection, out: bytes) -> None:
        if (held_up_ns := self._host.held_up_ns(monotonic_ns())) > 0:
            raise OSError(f"this process was held up for {held_up_ns / 1e6:.0f} ms with an opening in its hand")
        connection.send(out)
        self._host.sent(monotonic_ns())

    def _report(self) -> None:
        """Tell the daemon what there is to tell; not shortly before an edge, which comes first."""
        host, now_ns = self._host, monotonic_ns()
        edge_ns = host.engine.next_edge_at()
        if edge_ns is not None and 0 < edge_ns - now_ns < REPORT_BEFORE_EDGE_NS:
            return
        for message in host.reports():
            self._control.report(message)
        if self._control.kept > BACKLOG and not host.engine.held:
            host.engine.rest(now_ns, "fault: the daemon does not read its reports")
        if self._control.flush() and host.status_due(now_ns):
            self._control.report(host.status(now_ns))
            if (wear := host.wear(now_ns)) is not None:
                self._control.report(wear)
            self._control.flush()

    def _waited(self) -> bytes:
        """Sleep until something comes or is due; spin before an edge. Returns the telegram to send now, if one is."""
        host, now_ns = self._host, monotonic_ns()
        edge_ns = host.engine.next_edge_at() if host.connected else None
        if edge_ns is not None and now_ns >= edge_ns - self._spin_ns:
            return self._prepared(edge_ns) if now_ns < edge_ns else b""
        self._sleep(now_ns, edge_ns)
        return b""

    def _prepared(self, edge_ns: int) -> bytes:
        """Spin to the edge, with its telegram made shortly before; nothing, and no edge taken, if the daemon speaks."""
        said = self._control.poll
        while monotonic_ns() < edge_ns - PREPARE_NS:
            if said(0):
                return b""
        due = self._host.step(edge_ns)
        while monotonic_ns() < edge_ns:
            pass
        return due

    def _sleep(self, now_ns: int, edge_ns: int | None) -> None:
        host = self._host
        times = [edge_ns - self._spin_ns if edge_ns is not None else None, self._farewell_until]
        # while the daemon does not read, no status is made: one that is due would never let this process sleep
        times.append(now_ns + STATUS_NS if self._control.kept else host.status_at)
        times.append(host.next_at(now_ns) if host.linked else self._connecting_until or host.link_at)
        until_ns = min(at for at in times if at is not None)
        readers: list[Control | Connection] = [self._control] if self._control.open else []
        writers: list[Control | Connection] = [self._control] if self._control.open and self._control.kept else []
        if self._connection is not None:
            (readers if host.linked else writers).append(self._connection)
        select.select(readers, writers, (), max(0, until_ns - now_ns) / 1e9)


def main(arguments: list[str]) -> int:
    """Exit code 0: the valves rest, confirmed; 1: the module could not be reached; 2: never begun."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # the daemon ends this process by closing its end, and nobody else does
    fd, host, port, driver, unit, coils, watchdog_ms = arguments
    own = socket.socket(fileno=int(fd))
    address = socket.getaddrinfo(host, int(port), type=socket.SOCK_STREAM)[0][4]
    config = decode(own.recv(DATAGRAM))
    if not isinstance(config, EngineConfig):
        return 2
    control = Control(own)
    degraded = not take_real_time()
    control.report(measure_lateness(0 if degraded else SPIN_NS))
    outputs = outputs_of(driver, int(unit), int(coils), int(watchdog_ms))
    try:
        engine_host = Host(config, outputs, degraded=degraded, now_ns=monotonic_ns())
    except ValueError as error:
        control.report(Refused(None, str(error)))
        control.flush()
        return 2
    return 0 if Process(control, engine_host, (str(address[0]), int(address[1])), degraded=degraded).run() else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
