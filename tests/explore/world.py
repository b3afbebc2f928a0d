"""The valve process, its module and all between and around them, one tick after the other, on a clock of the model's.

What runs is `valves/process.py:run` itself with the host and the engine in it, on substitutes for its clock, its
`select`, its connection and the daemon's socket, and `CouplerA` as the module. Where the process would sleep, it is
left; where something comes or is due, it is entered again.
"""

from __future__ import annotations

from ald_controller.valves.process import Process
from ald_controller.valves.wire import Beat, FromEngine, Held, ToEngine
from simulators.valve_beckhoff import CouplerA
from simulators.valve_module import Change
from tests.explore.control import Control
from tests.explore.forgetting import forget
from tests.explore.link import Flight, Wire, telegrams
from tests.explore.operator import Operator
from tests.explore.oracle import Oracle
from tests.explore.setting import ALIVE, CONFIG, MS, SOURCES, TICK_NS, WATCHDOG_MS
from tests.explore.snapshot import NOW_NS
from tests.explore.stage import STAGE, Sleeps, WatchedHost
from tests.explore.talk import TalkingOutputs
from tests.explore.telling import names, reported, said

RESTART_TICKS = 4
MOST_TURNS = 40  # at one tick; more is a process that spins


class World:
    """One state of everything, and what may be done with it; raises Broken when a property does not hold."""

    __slots__ = (
        "arrived", "asleep_until", "control", "coupler", "expires_ns", "next_fails", "now_ns", "operator", "oracle",
        "orphans", "process", "replies_dark_until", "requests_dark_until", "restart_in", "stall_ns", "wakes_ns",
        "watches", "wire",
    )  # fmt: skip

    def __init__(self, *, eager: bool = True) -> None:
        self.now_ns = NOW_NS
        self.oracle, self.operator = Oracle(), Operator(eager)
        self.coupler, self.expires_ns = CouplerA(), None
        self.mend()
        self.wire: Wire | None = None
        self.control: Control | None = None
        self.process: Process | None = None
        self.requests_dark_until = self.replies_dark_until = self.asleep_until = NOW_NS
        self.stall_ns = 0  # by so much the process is held up with its next telegram in its hand
        self.next_fails = False  # the module answers the next request with an exception
        self.orphans: list[Flight] = []  # in flight without a connection, where that can be
        self.arrived: Flight | None = None  # what the module takes just now
        self.wakes_ns = NOW_NS
        self.watches = (False, False, False)
        self.restart_in = 0
        self._start()
        forget(self)

    def mend(self) -> None:
        """Make what of the module cannot be frozen."""
        coupler = self.coupler
        fresh = CouplerA(coupler.coils, tell=self._changed, quiet=ALIVE)
        fresh.word, fresh.trips, fresh.tripped, fresh._restart = (
            coupler.word, coupler.trips, coupler.tripped, coupler._restart,
        )  # fmt: skip
        fresh._watchdog_ms, fresh._kind, fresh._mode = coupler._watchdog_ms, coupler._kind, coupler._mode
        fresh._expires_s = None if self.expires_ns is None else self.expires_ns / 1e9
        fresh._now_s = self.now_ns / 1e9
        self.coupler = fresh

    def end(self) -> None:
        """Nobody needs it any more: untie what is tied in circles, so that it need not be searched for."""
        for each in (self.control, self.wire):
            if each is not None:
                each.world = None  # type: ignore[assignment]
        self.coupler.__dict__.clear()
        if self.process is not None:
            self.process._host.__dict__.clear()

    # --- one tick --------------------------------------------------------------------------------------------------

    def go(self) -> None:
        """Everything that happens at this instant, and on to the next one, with what comes there from outside."""
        STAGE.world, STAGE.turns = self, 0
        self._happen()
        self.oracle.look(self)
        self._pass()
        self._module_at()
        if self.process is None:
            self._wait_for_restart()
        elif self.control is not None and not self.control.ended:
            self.control.arrive()
            self.operator.act(self)
        forget(self)

    def _happen(self) -> None:
        self._module_at()
        self.deliver()
        while self._called():
            self._run()

    def _called(self) -> bool:
        """Whether something wakes the process now."""
        if self.process is None or self.control is None or self.now_ns < self.asleep_until:
            return False
        control, reads, writes = self.watches
        wire = self.wire
        return (
            self.wakes_ns <= self.now_ns
            or (control and self.control.readable)
            or (wire is not None and ((reads and wire.readable) or (writes and wire.writable)))
        )

    def _pass(self) -> None:
        """On to the next tick; the process wakes between when its own time has come, and may be held up beyond it."""
        end_ns = _next_tick(self.now_ns)
        while self.process is not None and (at_ns := max(self.wakes_ns, self.asleep_until)) < end_ns:
            self.now_ns = max(self.now_ns, at_ns)
            self._module_at()
            self._run()
            if self.now_ns > end_ns:
                end_ns = _next_tick(self.now_ns - 1)
        self.now_ns = end_ns

    def _run(self) -> None:
        STAGE.turns += 1
        if STAGE.turns > MOST_TURNS:
            STAGE.busy += 1
            self.wakes_ns = _next_tick(self.now_ns)
            return
        try:
            rests = self.process.run()  # type: ignore[union-attr]
        except Sleeps:
            return
        self.tell(f"the valve process ends, {'its valves at rest' if rests else 'without having reached the module'}")
        self._end()

    def sleeps(self, readers: list[object], writers: list[object], timeout_s: float) -> None:
        """The process waits for these, and no longer than this."""
        wire = self.wire
        self.watches = (
            self.control in readers,
            wire is not None and wire in readers,
            wire is not None and wire in writers,
        )
        self.wakes_ns = self.now_ns + round(timeout_s * 1e9)

    def spun(self, to_ns: int) -> None:
        """The process spins until then, and may be held up meanwhile."""
        self.now_ns = to_ns + self.stall_ns
        if self.stall_ns:
            self.tell(f"the valve process is held up for {self.stall_ns / MS:g} ms before it sends")
            self._put_off(self.stall_ns)
            self.stall_ns = 0
        self._module_at()

    # --- the process -----------------------------------------------------------------------------------------------

    def _start(self) -> None:
        self.tell("a fresh valve process starts")
        self.control = Control(self)
        host = WatchedHost(CONFIG, TalkingOutputs(1, 16, WATCHDOG_MS), degraded=False, now_ns=self.now_ns)
        self.process = Process(self.control, host, ("module", 502), degraded=False)  # type: ignore[arg-type]
        self.wakes_ns = self.now_ns
        self.oracle.fresh_process()
        self.operator = Operator(self.operator.eager)

    def _end(self) -> None:
        """The process is gone; its connection goes with it, and what was in flight."""
        self.process = self.control = self.wire = None
        self.restart_in = RESTART_TICKS
        self.oracle.dropped()

    def _wait_for_restart(self) -> None:
        self.restart_in -= 1
        if self.restart_in <= 0:
            self._start()

    # --- the link --------------------------------------------------------------------------------------------------

    @property
    def requests_dark(self) -> bool:
        return self.now_ns < self.requests_dark_until

    @property
    def replies_dark(self) -> bool:
        return self.now_ns < self.replies_dark_until

    def light(self) -> bool:
        return not (self.requests_dark or self.replies_dark)

    def calm(self) -> bool:
        """Whether nothing is in the way between an awake process and its module."""
        wire = self.wire
        if wire is None or not wire.up or wire.lost or wire.gone or wire.reset or wire.refused:
            return False
        return self.awake and self.light() and not self.next_fails

    @property
    def awake(self) -> bool:
        return self.process is not None and self.now_ns >= self.asleep_until

    def connect(self) -> Wire:
        self.oracle.fresh_wire()
        self.wire = Wire(self)
        return self.wire

    def dropped(self) -> None:
        """The process has ended its connection, and what was in flight with it."""
        self.tell("  the host drops the connection")
        if self.wire is not None and Wire.lingers:
            self.orphans += self.wire.requests
        self.wire = None
        self.oracle.dropped()

    def left(self, data: bytes) -> Flight:
        """Bytes have left the host."""
        flight = Flight(self.now_ns, self.now_ns, 0, data)
        for telegram in telegrams(data):
            if telegram[7] == 15:
                word = int.from_bytes(telegram[13:], "little")
                self.tell(f"  the host sends the word {names(word)}")
                due_ns, opens = self.oracle.left(self.now_ns, word)
                flight.due_ns, flight.opens = min(flight.due_ns, due_ns), flight.opens | opens
        return flight

    def deliver(self) -> None:
        """What may come through to the module does; its answer is there one tick later."""
        while self.orphans and not self.requests_dark:
            self._arrive(self.orphans.pop(0))
        while (wire := self.wire) is not None and wire.requests and not wire.lost and not self.requests_dark:
            flight = wire.requests.pop(0)
            if wire.gone:
                wire.reset = True
                return
            wire.replies.append((_next_tick(self.now_ns), self._arrive(flight)))

    def _arrive(self, flight: Flight) -> bytes:
        if flight.left_ns < self.now_ns:
            self.tell(f"    what left {(self.now_ns - flight.left_ns) / MS:g} ms ago arrives")
        self.arrived = flight
        reply = b"".join([self._answer(telegram) for telegram in telegrams(flight.data)])
        self.arrived = None
        return reply

    def _answer(self, telegram: bytes) -> bytes:
        if self.next_fails and self.wire is not None:
            self.next_fails, self.wire.refused = False, True
            return telegram[:4] + b"\x00\x03" + telegram[6:7] + bytes((telegram[7] | 0x80, 4))
        self._module_at()
        return self.coupler.connection().hear(0.0, telegram)

    # --- the module ------------------------------------------------------------------------------------------------

    def _module_at(self) -> None:
        coupler = self.coupler
        if coupler._expires_s is not None:  # a whole number of ns, so that equal states have equal futures
            coupler._expires_s = round(coupler._expires_s * 1e9) / 1e9
        arrived, self.arrived = self.arrived, None
        coupler.at(self.now_ns / 1e9)
        self.arrived = arrived

    def _changed(self, change: Change) -> None:
        STAGE.seen.add(f"the module's {change.cause}")
        self.tell(f"    the module{'s watchdog acts' if change.cause == 'watchdog' else ''}: {names(change.word)}")
        self.oracle.changed(self, round(change.at_s * 1e9), change.word, self.arrived)

    def armed(self) -> bool:
        """Whether the module's watchdog runs, fed by write telegrams alone and with the time that the tool asks for."""
        coupler, expires_s = self.coupler, self.coupler._expires_s
        if expires_s is None or coupler._watchdog_ms != WATCHDOG_MS or coupler._kind or coupler._mode:
            return False
        return round(expires_s * 1e9) - self.now_ns <= WATCHDOG_MS * MS

    # --- the daemon ------------------------------------------------------------------------------------------------

    def say(self, message: ToEngine, *, soon: bool = False) -> None:
        if self.control is not None:
            (self.control.coming if soon else self.control.queue).append(message)
            if not isinstance(message, Beat) or not message.permit:
                self.tell(f"the daemon says {said(message)}{' just before the next tick' if soon else ''}")

    def hang_up(self) -> None:
        if self.control is not None:
            self.tell("the daemon closes its end")
            self.control.ended = True

    def told(self, message: FromEngine) -> None:
        what = f"held: {message.why.partition(':')[0]}" if isinstance(message, Held) else type(message).__name__
        STAGE.seen.add(what)
        if news := reported(message, self.now_ns):
            self.tell(f"  the valve process reports: {news}")
        self.operator.told(message)

    # --- what may go wrong -----------------------------------------------------------------------------------------

    def put_to_sleep(self, ticks: int) -> bool:
        """The process is not woken for so long, whatever comes; returns whether there is one that was awake."""
        if self.process is None or self.now_ns < self.asleep_until:
            return False
        self.asleep_until = self.now_ns + ticks * TICK_NS
        self._put_off(ticks * TICK_NS)
        return True

    def kill(self) -> bool:
        """The process is killed, and its connection reset; returns whether there was one."""
        if self.process is None:
            return False
        self._end()
        return True

    def reboot(self) -> None:
        """The module starts anew: outputs off, nothing armed, and it knows of no connection."""
        self.oracle.changed(self, self.now_ns, 0, None)
        self.oracle.tripped = False
        self.coupler, self.expires_ns = CouplerA(), None
        self.mend()
        if self.wire is not None:
            self.wire.gone, self.wire.requests, self.wire.replies = True, [], []

    def foreign_write(self, word: int) -> bool:
        """Another client writes the sources alone; returns whether that moves anything."""
        self._module_at()
        if self.coupler.tripped or self.coupler.word & SOURCES == word:
            return False
        new = self.coupler.word & ~SOURCES | word
        self.oracle.foreign |= word & ~self.coupler.word
        self.coupler.connection().hear(0.0, bytes.fromhex("000000000009010f0000001002") + new.to_bytes(2, "little"))
        return True

    def _put_off(self, ns: int) -> None:
        self.oracle.slept(ns)
        if self.wire is not None:
            for flight in self.wire.requests:
                flight.due_ns += ns

    def tell(self, what: str) -> None:
        if STAGE.story is not None:
            STAGE.story.append((self.now_ns, what))

    def well(self) -> bool:
        """Whether a dose has just begun, or, where the daemon wants none, it could."""
        if self.operator.eager:
            return self.now_ns - TICK_NS in self.oracle.open_ns.values()
        return self.operator.connected and not self.operator.held


def _next_tick(now_ns: int) -> int:
    return now_ns // TICK_NS * TICK_NS + TICK_NS
