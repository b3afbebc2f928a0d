"""One request, one reply, never a stale one: a line that several devices share, each in its turn (drivers/turns.py).

A reply belongs to its request. The line is dirty from the first byte sent until a whole reply has come and nothing
else; after a time-out, a bad reply or a cancelled request it drains: nothing is sent before the line has been quiet for
as long as a reply may take. Devices whose replies carry no number of their request (all but Modbus TCP) can be later
still than that. A device owes a reply that was missing, until it is seen or ten time-outs have passed; a gateway may
keep one for longer still, and give each reply to the next question:

* its next request, as any after a reply that was none, is preceded by a *probe*, a question whose answer looks
  different from all others. A device answers in order, so behind the answer to the probe no older one can come. Without
  that answer it is asked nothing until ten time-outs have passed, and then the probe again: time alone proves nothing;
* its replies are taken only when no second one follows within a time-out, because what stands between (a gateway, an
  adapter) need not keep the order.

A reply that does carry the number of its request needs neither: a late one is known by its number and thrown away.

Reads may be repeated by the caller; the line itself never sends a request twice.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlsplit

from msgspec import structs

from drivers.base import BadReply, NoReply
from drivers.debts import Ask, Debts, Framer, Probe
from drivers.serialport import Parity, Port, Warn, ignore
from drivers.transport import Face, Opener, Transport, memory_opener, serial_opener, tcp_opener
from drivers.turns import Priority, Turnstile, asked_with

__all__ = ["Counts", "Framer", "Line", "Probe", "Tap", "memory_line", "open_line"]

Tap = Callable[[float, str, str, bytes], None]
"""Called with loop time in seconds, device ("" when nobody asked), "sent" or "heard", and the bytes."""

QUIET_S = 0.05
LONGEST = 4096  # bytes; a device that says more than this is babbling
OPEN_S = 1.0
BACK_OFF_S = 0.2, 5.0  # first and longest wait between attempts to open
PATIENCE_S = 2.0  # how long a line may talk unasked before that is an error
SOON_S = 1e-6  # shorter waits are over: they may be below the resolution of the clock
_SAFETY_READ, _ORDINARY = Priority.SAFETY_READ, Priority.ORDINARY


@dataclass(slots=True)
class Counts:
    """What happened on a line since it was made."""

    asked: int = 0
    silent: int = 0
    bad: int = 0
    unasked_bytes: int = 0
    opened: int = 0
    lost: int = 0  # how often it broke or could not be opened: who answers after that must say anew who it is


class Line:
    """A transport with one request in flight; opens itself when first asked, and again after it was lost."""

    def __init__(self, name: str, opener: Opener, gap_s: float = 0.0) -> None:
        """`gap_s`: least silence in seconds between what was heard last and the next request."""
        self.name, self.counts = name, Counts()
        self.misplaced: Counter[str] = Counter()  # by device: replies that were no answer, bytes that nobody asked for
        self.tap: Tap | None = None
        self.clock: Callable[[], float] = _loop_s  # of the loop on which it was opened, which need not be looked for
        self.safety: frozenset[str] = frozenset()  # devices by which safety is judged: they are read first
        self.paces_s: dict[str, float] = {}  # by device that needs one: the pause between a reply and its next request
        self._opener, self._gap_s = opener, gap_s
        self._transport: Transport | None = None
        self._closed = False
        self._why, self._retry_s, self._back_off_s = "not opened yet", float("-inf"), BACK_OFF_S[0]
        self._turns = Turnstile()
        self._rested_s: dict[str, float] = {}  # by device: when its last exchange ended
        self._wake: asyncio.Future[bool] | None = None
        self._asking: Ask | None = None
        self._asked_last, self._counted = "", False  # whose stray bytes are, and whether they are counted already
        self._buffer, self._stray = b"", b""
        self._dirty, self._quiet_s, self._quiet_from_s = False, QUIET_S, float("-inf")
        self._debts = Debts()

    async def ask(
        self,
        request: bytes,
        framer: Framer | None,
        *,
        timeout_s: float,
        device: str,
        quiet_s: float = QUIET_S,
        tagged: bool = False,
        numbered: bool = False,
        probe: Probe | None = None,
    ) -> bytes:
        """The whole reply to `request`; without a framer, all that comes until the line is quiet for `quiet_s`.

        `quiet_s` is the silence in seconds needed after a failure. `numbered` says that replies carry the request's own
        number, which the framer compares; `tagged` that also the connection can be ended after a failure, instead of
        waiting for silence. Without a `probe` the request is sent even if a late reply may still come. Raises NoReply,
        BadReply.
        """
        return await self.put(Ask(device, request, framer, timeout_s, quiet_s, tagged, numbered, probe))

    async def put(self, ask: Ask) -> bytes:
        """`ask` with a question made before, as those are that every poll repeats."""
        device = ask.device
        pace_s = self.paces_s.get(device, 0.0) if self.paces_s else 0.0
        while True:
            if pace_s and (wait_s := self._rest_s(device, pace_s)):
                await asyncio.sleep(wait_s)
            if not self._turns.take():
                await self._turns.enter(min(asked_with(), _SAFETY_READ if device in self.safety else _ORDINARY))
            try:
                wait_s = self._rest_s(device, pace_s) if pace_s else 0.0  # another may have asked it meanwhile
                if not wait_s:
                    if self._dirty or self._transport is None or self._gap_s:
                        await self._make_ready(ask)
                    if device in self._debts.of or device in self._debts.doubted:
                        wait_s = await self._settle(ask)
                if not wait_s:
                    return await self._exchange(ask)
            finally:
                self._turns.leave()
            await asyncio.sleep(wait_s)  # others may have the line meanwhile

    def _rest_s(self, device: str, pace_s: float) -> float:
        """How long this device has still to be left in peace, 0 = not at all."""
        rest_s = self._rested_s.get(device, float("-inf")) + pace_s - asyncio.get_running_loop().time()
        return rest_s if rest_s > SOON_S else 0.0

    def distrust(self, device: str) -> None:
        """For a driver that cannot read what looked like a whole reply: drain and probe before the next request."""
        self._misplaced(device)
        self._debts.doubt(device)
        self._dirty, self._quiet_from_s = True, asyncio.get_running_loop().time()

    async def close(self) -> None:
        """Ends the line for good; whoever waits gets NoReply."""
        self._closed = True
        self._drop("the line was closed")
        await asyncio.sleep(0)  # the loop frees a socket in its next turn

    async def _exchange(self, ask: Ask) -> bytes:
        device = ask.device
        self.counts.asked += 1
        self._quiet_s, self._asked_last, self._counted = ask.quiet_s, device, False
        self._buffer, self._asking, self._dirty = b"", ask, True
        length: int | None = None
        due_s = self.clock() + ask.timeout_s
        try:
            self._send(ask)
            if ask.framer is None:
                length = await self._until_quiet(ask)
            elif not self._buffer or (length := self._length(ask)) is None:  # in memory it has come already
                length = await self._whole(ask, due_s)
            if device in self._debts.of and not (ask.probing or ask.numbered):
                await self._linger(ask)
            if length != len(self._buffer):
                raise self._bad(ask, "more than one reply came, and which is the right one cannot be known")
            self._dirty, self._back_off_s = False, BACK_OFF_S[0]
            return self._buffer
        except BadReply:
            self.counts.bad += 1
            self._misplaced(device)
            if not ask.tagged:
                self._debts.doubt(device)
            raise
        except NoReply:
            self.counts.silent += 1
            raise
        finally:
            self._asking = None
            if device in self.paces_s:
                self._rested_s[device] = self.clock()
            if self._dirty:
                self._after_failure(ask, due_s, owed=length is None)

    async def _whole(self, ask: Ask, until_s: float) -> int:
        while True:
            if self._buffer and (length := self._length(ask)) is not None:
                return length
            if not await self._more(ask, until_s):
                raise NoReply(ask.device, f"no whole reply within {ask.timeout_s:g} s", ask.request, self._buffer)

    def _length(self, ask: Ask) -> int | None:
        """By the framer; an owed reply in front of what is known to be another one is recognised and thrown away."""
        if ask.framer is None:
            return None
        try:
            return ask.framer(self._buffer)
        except BadReply as error:
            try:
                length = self._debts.late(ask, self._buffer)
            except BadReply:
                raise error from None
        if length is None:
            return None
        self._misplaced(ask.device)
        self._buffer = self._buffer[length:]
        return self._length(ask) if self._buffer else None

    async def _until_quiet(self, ask: Ask) -> int:
        loop = asyncio.get_running_loop()
        while await self._more(ask, loop.time() + (ask.quiet_s if self._buffer else ask.timeout_s)):
            continue
        if not self._buffer:
            raise NoReply(ask.device, f"no reply within {ask.timeout_s:g} s", ask.request)
        return len(self._buffer)

    async def _settle(self, ask: Ask) -> float:
        """Seconds to wait before this device is asked anything: 0 once its probe is answered, or when it has none."""
        now_s = asyncio.get_running_loop().time()
        self._debts.expire(ask.device, now_s + SOON_S)
        if ask.probe is None or ask.numbered or not self._debts.wants_probe(ask.device):
            return 0.0
        if rest_s := self._debts.rest_s(ask.device, now_s):
            if self._debts.silent(ask.device):  # who asks now need not wait to hear that
                raise NoReply(ask.device, f"its last probe had no answer; the next goes in {rest_s:.1f} s", ask.request)
            return rest_s
        request, framer = ask.probe
        await self._exchange(structs.replace(ask, request=request, framer=framer, probing=True))
        self._debts.trust(ask.device)
        if self._gap_s:
            await self._make_ready(ask)
        return 0.0

    async def _linger(self, ask: Ask) -> None:
        """An earlier reply of this device is missing, so the one that came could be that one: wait for a second."""
        if await self._more(ask, asyncio.get_running_loop().time() + ask.timeout_s):
            self._debts.forgive(ask.device)  # both have come, whichever is which
            raise self._bad(ask, "more came after the reply, and which is the late one cannot be known")

    async def _more(self, ask: Ask, until_s: float) -> bool:
        """True when bytes have come, False at `until_s`; NoReply when the line is lost, BadReply when it babbles."""
        if len(self._buffer) > LONGEST:
            raise self._bad(ask, f"more than {LONGEST} bytes came")
        loop = asyncio.get_running_loop()
        self._wake = loop.create_future()
        timer = loop.call_at(until_s, self._rouse, False)
        try:
            more = await self._wake
        finally:
            timer.cancel()
            self._wake = None
        if self._transport is None:
            raise NoReply(ask.device, f"line {self.name} was lost: {self._why}", ask.request, self._buffer)
        return more

    def _rouse(self, more: bool) -> None:
        if self._wake is not None and not self._wake.done():
            self._wake.set_result(more)

    def _bad(self, ask: Ask, what: str) -> BadReply:
        return BadReply(ask.device, what, ask.request, self._buffer)

    def _send(self, ask: Ask) -> None:
        if self._transport is None:
            raise NoReply(ask.device, f"line {self.name} was lost: {self._why}", ask.request)
        if self.tap:
            self.tap(asyncio.get_running_loop().time(), ask.device, "sent", ask.request)
        try:
            self._transport.send(ask.request)
        except OSError as error:
            self._lost(error.strerror or str(error))
            raise NoReply(ask.device, f"line {self.name} was lost: {self._why}", ask.request) from error

    def _heard(self, data: bytes) -> None:
        now_s = self.clock()
        if now_s > self._quiet_from_s:
            self._quiet_from_s = now_s
        if self.tap:
            self.tap(now_s, self._asking.device if self._asking else "", "heard", data)
        if self._asking is not None:
            self._buffer += data
            if self._wake is not None:
                self._rouse(True)
        else:
            self.counts.unasked_bytes += len(data)
            if self._asked_last and not self._counted:
                self._misplaced(self._asked_last)
            self._dirty, self._stray = True, (self._stray + data)[-LONGEST:]

    def _misplaced(self, device: str) -> None:
        """Once until the line has drained, however many pieces it comes in."""
        self.misplaced[device] += 1
        self._counted = True

    def _lost(self, why: str) -> None:
        self.counts.lost += 1
        self._postpone()
        self._drop(why)

    def _drop(self, why: str) -> None:
        self._why = why
        if self._transport is not None:
            self._transport.close()
            self._transport = None
        self._rouse(True)

    def _postpone(self) -> None:
        self._retry_s = asyncio.get_running_loop().time() + self._back_off_s
        self._back_off_s = min(2 * self._back_off_s, BACK_OFF_S[1])

    def _after_failure(self, ask: Ask, due_s: float, owed: bool) -> None:
        now_s = asyncio.get_running_loop().time()
        self._quiet_from_s = max(now_s, due_s - ask.quiet_s)  # cancelled early, the reply may still come in time
        if ask.tagged:
            self._drop("it was ended after a failed request")
            self._dirty = False
        elif owed:
            self._debts.add(ask, now_s)

    async def _make_ready(self, ask: Ask) -> None:
        while self._dirty or self._transport is None:
            if self._transport is None:
                await self._open(ask)
            if self._dirty:
                await self._drain(ask)
        rest_s = self._quiet_from_s + self._gap_s - asyncio.get_running_loop().time()
        if rest_s > SOON_S:
            await asyncio.sleep(rest_s)

    async def _open(self, ask: Ask) -> None:
        rest_s = self._retry_s - asyncio.get_running_loop().time()
        if self._closed or rest_s > SOON_S:
            again = "" if self._closed else f"; next attempt in {rest_s:.1f} s"
            raise NoReply(ask.device, f"line {self.name} is down: {self._why}{again}")
        self.clock = asyncio.get_running_loop().time
        try:
            async with asyncio.timeout(OPEN_S):
                self._transport = await self._opener(self._heard, self._lost)
        except OSError as error:
            self.counts.lost += 1
            self._why = error.strerror or str(error) or f"no connection within {OPEN_S:g} s"
            self._postpone()
            raise NoReply(ask.device, f"line {self.name} cannot be opened: {self._why}") from error
        self.counts.opened += 1
        # A reply to what an earlier process asked may still be under way; a new connection has no past.
        self._dirty, self._quiet_s = not ask.tagged, ask.quiet_s
        self._quiet_from_s = asyncio.get_running_loop().time()

    async def _drain(self, ask: Ask) -> None:
        loop = asyncio.get_running_loop()
        give_up_s = loop.time() + self._quiet_s + PATIENCE_S
        while (rest_s := self._quiet_from_s + self._quiet_s - loop.time()) > SOON_S:
            if loop.time() > give_up_s:
                raise NoReply(
                    ask.device, f"line {self.name} never falls quiet: something talks unasked", b"", self._stray
                )
            await asyncio.sleep(rest_s)
        self._debts.seen(self._stray)
        self._dirty, self._stray, self._counted = False, b"", False


def _loop_s() -> float:
    return asyncio.get_running_loop().time()


def memory_line(name: str, face: Face) -> Line:
    """A line to a face in memory, on the loop's own clock."""
    return Line(name, memory_opener(face))


def open_line(
    name: str, address: str, baud: int = 9600, parity: Parity = "none", *, rs485: bool = False, warn: Warn = ignore
) -> Line:
    """A line to `serial:/dev/…` (8 data bits, 1 stop bit) or `tcp://host:port`; connects when it is first asked.

    `rs485`: the port itself turns its transmitter on while it sends. `warn` is told what does not hinder, but should be
    put right, each once. Raises ValueError on an address of another form.
    """
    if address.startswith("serial:/"):
        silence_s = 3.5 * 10 / baud  # 3.5 characters end a frame for the devices that have no end mark
        port = Port(address.removeprefix("serial:"), baud, parity, rs485)
        return Line(name, serial_opener(port, warn), silence_s)
    parts = urlsplit(address)
    if parts.scheme != "tcp" or not parts.hostname or not parts.port or parts.path:
        raise ValueError(f"line {name}: '{address}' must be serial:/dev/… or tcp://host:port")
    return Line(name, tcp_opener(parts.hostname, parts.port))
