"""What both hosts of the engine do with the module, without I/O: bytes and messages in, bytes and reports out.

The real-time process puts sockets around it, `InlineValves` the virtual clock. It arms and proves the module on every
new connection, writes the engine's words, and in the gaps goes its rounds: read the coils back, write the word again
for the watchdog's sake, read the trip counter. Whatever is not as it must be is a fault: rest, and a fresh connection.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

from ald_controller.valves.engine import Engine, Write
from ald_controller.valves.rules import mask_of, stands_of
from ald_controller.valves.wire import EngineConfig, FromEngine, Status, ToEngine, Wear
from drivers.valve_outputs import Conversation, ModbusOutputs, OutputsFault, Reply

BEFORE_EDGE_NS = 5_000_000  # no other telegram goes out within this time before an edge
BEHIND_EDGE_NS = 1_000_000
RETRY_NS = 20_000_000  # a link that failed is tried again
UNARMED_MS = 5000  # by then a module whose watchdog is its owner's has closed, too
RETRY_MODULE_NS = 250_000_000  # a module that answers but is not right is asked again
STATUS_NS = 100_000_000
IN_HAND_NS = 1_000_000  # so much later than an edge may be is an opening still sent that was judged in time
SOON_NS = 20_000_000  # what is due within this time is done in a turn that comes about anyhow: it spares a wake-up
WEAR_NS = 1_000_000_000
TRIPS_EVERY = 5  # rounds: a trip shows in the coils, too, unless all were off
TELL_AGAIN_NS = 1_000_000_000  # a failure that comes back at every attempt is told once


class _ReadBack(OutputsFault):
    """The coils are not what was written: `read` is what they are."""

    def __init__(self, read: int, written: int) -> None:
        super().__init__(f"the coils read {read:#06x} where {written:#06x} was written")
        self.read = read


@dataclass(slots=True)
class _Asked:
    """A request on its way: what it was, what word the module then has, and until when it must be answered."""

    request: bytes
    until_ns: int
    kind: Literal["start", "word", "coils", "trips"]
    word: int = 0
    write: Write | None = None


class Host:
    """One engine on one module. The caller connects while `linked` is False, from `link_at` on.

    A turn is: `hear` every message, `heard` the bytes of the module, `check`, send what `step` returns, tell `sent`.
    """

    def __init__(self, config: EngineConfig, outputs: ModbusOutputs, *, degraded: bool, now_ns: int) -> None:
        self.engine = Engine(config, degraded=degraded)
        self.linked = False  # there is a connection; dropped as soon as anything is wrong with it
        self.link_at = now_ns
        self.connected = False  # the module is proven and takes words
        self._config, self._outputs, self._degraded = config, outputs, degraded
        self._late_ns = config.late_degraded_ns if degraded else config.late_ns
        self._confirm_ns = config.confirm_degraded_ns if degraded else config.confirm_ns
        self._sources = mask_of(stand for source in config.sources for stand in stands_of(source))
        self._round_ns = outputs.round_ms * 1_000_000
        self._soon_ns = min(SOON_NS, self._round_ns // 4)
        self._asked: dict[int, _Asked] = {}
        self._talk: Conversation | None = None
        self._out: list[bytes] = []
        self._unsent: list[Write] = []
        self._trips: int | None = None
        self._lost_ns = now_ns  # when a module was lost that had been proven
        self._written = self._word = 0  # as last sent, and as last confirmed
        self._alive_bit = 0
        self._opens_ns: int | None = None  # when the first opening in what `step` returned last was due
        self._round, self._round_at = 0, now_ns
        self._rounds: deque[Callable[[int], None]] = deque()
        self._safe_sent_ns = now_ns
        self._failure, self._failed_ns = "", now_ns
        self._sequence, self._status_at = 0, now_ns
        self._told = ("", False)
        self._wear_at = now_ns

    # --- the link --------------------------------------------------------------------------------------------------

    def link(self, now_ns: int) -> None:
        """A fresh connection stands: bring the module to the safe word, then prove it."""
        self.linked = True
        self._outputs.forget()
        self._safe_sent_ns = now_ns
        self._talk = self._outputs.start(rearm=self._trips is None, trips=self._trips)
        self._ask(now_ns, next(self._talk), "start")

    def fail(self, now_ns: int, what: str, retry_ns: int = RETRY_NS, *, word: int | None = None) -> None:
        """The connection is of no use: the caller ends it so that nothing unsent leaves any more.

        `word` is what was read back, where that is what failed.
        """
        if self.connected:
            self._lost_ns = now_ns
        self.linked = self.connected = False
        self.link_at = now_ns + retry_ns
        self._talk = None
        self._asked.clear()
        self._out.clear()
        self._unsent.clear()
        told = what == self._failure and now_ns - self._failed_ns < TELL_AGAIN_NS
        self._failure, self._failed_ns = what, now_ns
        self.engine.fault(now_ns, what, told=told, word=word)

    def heard(self, now_ns: int, data: bytes) -> None:
        """Take bytes of the module."""
        try:
            for reply in self._outputs.hear(data):
                self._take(now_ns, reply)
        except OutputsFault as fault:
            # until it has closed alone whatever may be open, a module that is not right is asked again at once
            closed = now_ns - self._lost_ns > (self._outputs.watchdog_ms or UNARMED_MS) * 1_000_000
            retry_ns = RETRY_MODULE_NS if self._talk and closed else RETRY_NS
            self.fail(now_ns, str(fault), retry_ns, word=fault.read if isinstance(fault, _ReadBack) else None)

    def check(self, now_ns: int) -> None:
        """A request unanswered for too long ends the connection: no old word may be delivered later."""
        if self._asked and any(asked.until_ns <= now_ns for asked in self._asked.values()):
            self.fail(now_ns, f"the module did not confirm within {self._confirm_ns / 1e6:g} ms")

    def _take(self, now_ns: int, reply: Reply) -> None:
        asked = self._asked.pop(reply.transaction, None)
        if asked is None:
            raise OutputsFault(f"the module answered request {reply.transaction}, which is not open")
        self._outputs.check(asked.request, reply)
        if self._talk is not None:
            self._go_on(now_ns, self._talk, reply)
            return
        if reply.exception:
            raise OutputsFault(f"the module refused function {reply.function} with exception {reply.exception:#04x}")
        if asked.kind == "word":
            self._confirmed(now_ns, asked)
        elif asked.kind == "trips":
            self._outputs.check_trips(reply, self._trips or 0)
        elif reply.coils() != asked.word:
            raise _ReadBack(reply.coils(), asked.word)

    def _confirmed(self, now_ns: int, asked: _Asked) -> None:
        self._word = asked.word
        if asked.write is not None:
            asked.write.confirmed_ns, asked.write.settled = now_ns, True

    def _go_on(self, now_ns: int, talk: Conversation, reply: Reply) -> None:
        try:
            self._ask(now_ns, talk.send(reply), "start")
        except StopIteration as done:
            self._talk, self._trips, self.connected, self._failure = None, done.value, True, ""
            self._written = self._word = self._alive_bit = 0
            self._round_at = now_ns
            self._rounds.clear()
            self.engine.assume(0, self._safe_sent_ns, now_ns)
            self.engine.repaired()

    def _ask(
        self, now_ns: int, request: bytes, kind: Literal["start", "word", "coils", "trips"], word: int = 0,
        write: Write | None = None,
    ) -> None:  # fmt: skip
        self._asked[self._outputs.transaction] = _Asked(request, now_ns + self._confirm_ns, kind, word, write)
        self._out.append(request)

    # --- the turn --------------------------------------------------------------------------------------------------

    def hear(self, now_ns: int, message: ToEngine) -> None:
        """Take one message of the daemon."""
        self.engine.hear(now_ns, message)

    def step(self, now_ns: int) -> bytes:
        """What is to be sent to the module now; tell `sent` when it is out."""
        self._opens_ns = None
        if self.connected:
            while (write := self.engine.step(now_ns)) is not None:
                self._unsent.append(write)
                self._put(now_ns, write)
            self._go_round(now_ns)
        out = b"".join(self._out)
        self._out.clear()
        return out

    def held_up_ns(self, now_ns: int) -> int:
        """By how much an opening in what `step` returned is late, if that is too much for it to be sent; else 0."""
        late_ns = 0 if self._opens_ns is None else now_ns - self._opens_ns
        return late_ns if late_ns > self._late_ns + IN_HAND_NS else 0

    def sent(self, now_ns: int) -> None:
        """What `step` returned has been handed to the wire.

        An opening is to be confirmed by a time that counts from its due one; a closing has all its time from now on.
        """
        for asked in self._asked.values():
            if asked.write is not None and not asked.write.sent_ns:
                since_ns = now_ns if self._opens_ns is None else self._opens_ns
                asked.until_ns = since_ns + self._confirm_ns
        for write in self._unsent:
            write.sent_ns = now_ns
        self.engine.left(now_ns)
        self._unsent.clear()

    def _put(self, now_ns: int, write: Write | None) -> None:
        word = (write.word if write is not None else self.engine.word) | self._alive_bit
        if write is not None and self._opens_ns is None and word & ~self._written & self._sources:
            self._opens_ns = write.due_ns
        self._written = word
        self._ask(now_ns, self._outputs.write(word), "word", word, write)

    # --- rounds: one request at a time, and never shortly before an edge ---------------------------------------

    def _go_round(self, now_ns: int) -> None:
        if now_ns >= self._round_at - self._soon_ns and not self._rounds:
            self._round_at = now_ns + self._round_ns
            # the coils are read before they are written again: what somebody else wrote is not covered up
            self._rounds.extend((self._read_back, self._rewrite))
            self._round = (self._round + 1) % TRIPS_EVERY
            if self._round == 0:
                self._rounds.append(self._count_trips)
        if self._rounds and not self._asked and self._gap_at(now_ns) <= now_ns:
            self._rounds.popleft()(now_ns)

    def _read_back(self, now_ns: int) -> None:
        self._ask(now_ns, self._outputs.read_coils(), "coils", self._written)

    def _rewrite(self, now_ns: int) -> None:
        self._alive_bit = self._config.alive_mask & ~self._alive_bit if self.engine.alive else 0
        self._put(now_ns, None)

    def _count_trips(self, now_ns: int) -> None:
        if (request := self._outputs.ask_trips()) is not None:
            self._ask(now_ns, request, "trips")

    def _gap_at(self, at_ns: int) -> int:
        """When something that can wait may go out: not within 5 ms before an edge, but behind it."""
        edge_ns = self.engine.next_edge_at()
        if edge_ns is None or at_ns <= edge_ns - BEFORE_EDGE_NS:
            return at_ns
        return max(at_ns, edge_ns + BEHIND_EDGE_NS)

    def next_at(self, now_ns: int) -> int | None:
        """When the next turn is due if nothing is heard before."""
        times = [asked.until_ns for asked in self._asked.values()]
        if self.connected:
            if not self._asked:  # an answer wakes the caller by itself
                times.append(self._gap_at(now_ns) if self._rounds else self._round_at)
            if (engine_at := self.engine.next_at()) is not None:
                times.append(engine_at)
        return min(times, default=None)

    @property
    def rests(self) -> bool:
        """Whether the module has confirmed the word that the engine wants."""
        return self.connected and not self._asked and self._word & ~self._config.alive_mask == self.engine.word

    # --- reports ---------------------------------------------------------------------------------------------------

    def reports(self) -> Iterator[FromEngine]:
        """What there is to tell, in order and each once."""
        return self.engine.reports()

    def wear(self, now_ns: int) -> Wear | None:
        """The counts of actuations where they changed: once a second, and at once when the engine comes to rest."""
        wear = self.engine.wear
        if now_ns >= self._wear_at:
            due = wear.moved or wear.grows
        else:
            due = wear.moved and self.engine.running is None
        if not due:
            return None
        self._wear_at = now_ns + WEAR_NS
        return wear.told(now_ns)

    def status_due(self, now_ns: int) -> bool:
        """Whether a status is due: ten times a second, and at once when the engine or the link changed its state."""
        return now_ns >= self._status_at - SOON_NS or self._told != (self.engine.held, self.connected)

    @property
    def status_at(self) -> int:
        """When the next status is due."""
        return self._status_at

    def status(self, now_ns: int) -> Status:
        """What the host says of itself now."""
        engine = self.engine
        self._sequence, self._status_at = self._sequence + 1, now_ns + STATUS_NS
        self._told = (engine.held, self.connected)
        return Status(
            sequence=self._sequence,
            at_ns=now_ns,
            word=self._word,
            held=engine.held,
            connected=self.connected,
            armed=self.connected,  # proven on every connection, and a counted trip ends the connection
            degraded=self._degraded,
            trips=self._trips or 0,
            late_edges=engine.late_edges,
            queued=engine.queued,
            running=engine.running,
        )
