"""One request, one reply, never a stale one: a line that several devices share under a fair lock.

A reply belongs to its request. The line is dirty from the first byte sent until a whole reply has come and nothing
else; after a time-out, a bad reply or a cancelled request it drains: nothing is sent before the line has been quiet for
as long as a reply may take. Devices whose replies carry no number of their request (all but Modbus TCP) can be later
still than that. A device owes a reply that was missing, until it is seen or ten time-outs have passed:

* its next request is preceded by a *probe*, a question whose answer looks different from all others. A device answers
  in order, so behind the answer to the probe no older one can come. Without that answer it is asked nothing until ten
  time-outs have passed;
* its replies are taken only when no second one follows within a time-out, because what stands between (a gateway, an
  adapter) need not keep the order.

Reads may be repeated by the caller; the line itself never sends a request twice.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple
from urllib.parse import urlsplit

from drivers.base import BadReply, NoReply
from drivers.transport import Face, Opener, Parity, Transport, memory_opener, serial_opener, tcp_opener

Framer = Callable[[bytes], int | None]
"""Length of the whole reply at the start of these bytes, None while more is needed; raises BadReply on nonsense."""

Probe = tuple[bytes, Framer]
"""A question and the framer of its answer; the framer raises BadReply on the answer to anything else."""

Tap = Callable[[float, str, str, bytes], None]
"""Called with loop time in seconds, device ("" when nobody asked), "sent" or "heard", and the bytes."""

QUIET_S = 0.05
LATE = 10  # a missing reply may still come within this many time-outs
LONGEST = 4096  # bytes; a device that says more than this is babbling
OPEN_S = 1.0
BACK_OFF_S = 0.2, 5.0  # first and longest wait between attempts to open
PATIENCE_S = 2.0  # how long a line may talk unasked before that is an error
SOON_S = 1e-6  # shorter waits are over: they may be below the resolution of the clock


@dataclass(slots=True)
class Counts:
    """What happened on a line since it was made."""

    asked: int = 0
    silent: int = 0
    bad: int = 0
    unasked_bytes: int = 0
    opened: int = 0


class _Ask(NamedTuple):
    device: str
    request: bytes
    framer: Framer | None
    timeout_s: float
    quiet_s: float
    tagged: bool
    probe: Probe | None
    probing: bool = False


@dataclass(slots=True)
class _Debt:
    """Replies that have not come, in the order of their requests; until when they still may."""

    owed: list[_Ask]
    until_s: float


class Line:
    """A transport with one request in flight; opens itself when first asked, and again after it was lost."""

    def __init__(self, name: str, opener: Opener, gap_s: float = 0.0) -> None:
        """`gap_s`: least silence in seconds between what was heard last and the next request."""
        self.name, self.counts = name, Counts()
        self.misplaced: Counter[str] = Counter()  # by device: replies that were no answer, bytes that nobody asked for
        self.tap: Tap | None = None
        self._opener, self._gap_s = opener, gap_s
        self._transport: Transport | None = None
        self._closed = False
        self._why, self._retry_s, self._back_off_s = "not opened yet", float("-inf"), BACK_OFF_S[0]
        self._lock = asyncio.Lock()
        self._wake: asyncio.Future[bool] | None = None
        self._asking: _Ask | None = None
        self._asked_last, self._counted = "", False  # whose stray bytes are, and whether they are counted already
        self._buffer, self._stray = b"", b""
        self._dirty, self._quiet_s, self._quiet_from_s = False, QUIET_S, float("-inf")
        self._debts: dict[str, _Debt] = {}

    async def ask(
        self,
        request: bytes,
        framer: Framer | None,
        *,
        timeout_s: float,
        device: str,
        quiet_s: float = QUIET_S,
        tagged: bool = False,
        probe: Probe | None = None,
    ) -> bytes:
        """The whole reply to `request`; without a framer, all that comes until the line is quiet for `quiet_s`.

        `quiet_s` is the silence in seconds needed after a failure; `tagged` says that replies carry the request's own
        number, so that a failure ends the connection instead of waiting for silence. Without a `probe` the request
        is sent even if a late reply may still come. Raises NoReply, BadReply.
        """
        ask = _Ask(device, request, framer, timeout_s, quiet_s, tagged, probe)
        while True:
            async with self._lock:
                if self._dirty or self._transport is None or self._gap_s:
                    await self._make_ready(ask)
                wait_s = await self._probe(ask) if device in self._debts else 0.0
                if not wait_s:
                    return await self._exchange(ask)
            await asyncio.sleep(wait_s)  # others may have the line meanwhile

    def distrust(self, device: str) -> None:
        """For a device that cannot read what looked like a whole reply: drain before the next request."""
        self._misplaced(device)
        self._dirty, self._quiet_from_s = True, asyncio.get_running_loop().time()

    async def close(self) -> None:
        """Ends the line for good; whoever waits gets NoReply."""
        self._closed = True
        self._drop("the line was closed")
        await asyncio.sleep(0)  # the loop frees a socket in its next turn

    async def _exchange(self, ask: _Ask) -> bytes:
        self.counts.asked += 1
        self._quiet_s, self._asked_last, self._counted = ask.quiet_s, ask.device, False
        self._buffer, self._asking, self._dirty = b"", ask, True
        length: int | None = None
        due_s = asyncio.get_running_loop().time() + ask.timeout_s
        try:
            self._send(ask)
            length = await (self._whole(ask) if ask.framer else self._until_quiet(ask))
            if ask.device in self._debts and not ask.probing:
                await self._linger(ask)
            if length != len(self._buffer):
                raise self._bad(ask, "more than one reply came, and which is the right one cannot be known")
            self._dirty, self._back_off_s = False, BACK_OFF_S[0]
            return self._buffer
        except BadReply:
            self.counts.bad += 1
            self._misplaced(ask.device)
            raise
        except NoReply:
            self.counts.silent += 1
            raise
        finally:
            self._asking = None
            if self._dirty:
                self._after_failure(ask, due_s, owed=length is None)

    async def _whole(self, ask: _Ask) -> int:
        until_s = asyncio.get_running_loop().time() + ask.timeout_s
        while True:
            if self._buffer and (length := self._length(ask)) is not None:
                return length
            if not await self._more(ask, until_s):
                raise NoReply(ask.device, f"no whole reply within {ask.timeout_s:g} s", ask.request, self._buffer)

    def _length(self, ask: _Ask) -> int | None:
        """By the framer; an owed reply in front of the answer to a probe is recognised and thrown away."""
        if ask.framer is None:
            return None
        try:
            return ask.framer(self._buffer)
        except BadReply:
            owed = self._debts[ask.device].owed if ask.probing else []
            if not owed or not (framer := owed[0].framer):
                raise
            length = framer(self._buffer)
            if length is None:
                return None
            del owed[0]
            self._misplaced(ask.device)
            self._buffer = self._buffer[length:]
            return self._length(ask) if self._buffer else None

    async def _until_quiet(self, ask: _Ask) -> int:
        loop = asyncio.get_running_loop()
        while await self._more(ask, loop.time() + (ask.quiet_s if self._buffer else ask.timeout_s)):
            continue
        if not self._buffer:
            raise NoReply(ask.device, f"no reply within {ask.timeout_s:g} s", ask.request)
        return len(self._buffer)

    async def _probe(self, ask: _Ask) -> float:
        """Seconds to wait before this device is asked anything: 0 once its probe is answered, or when it has none."""
        debt, rest_s = self._debts[ask.device], self._debts[ask.device].until_s - asyncio.get_running_loop().time()
        if rest_s <= SOON_S:
            del self._debts[ask.device]
        elif ask.probe and debt.owed:
            if debt.owed[-1].probing:
                return rest_s
            request, framer = ask.probe
            await self._exchange(ask._replace(request=request, framer=framer, probing=True))
            debt.owed.clear()
            if self._gap_s:
                await self._make_ready(ask)
        return 0.0

    async def _linger(self, ask: _Ask) -> None:
        """An earlier reply of this device is missing, so the one that came could be that one: wait for a second."""
        if await self._more(ask, asyncio.get_running_loop().time() + ask.timeout_s):
            del self._debts[ask.device]  # both have come, whichever is which
            raise self._bad(ask, "more came after the reply, and which is the late one cannot be known")

    async def _more(self, ask: _Ask, until_s: float) -> bool:
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

    def _bad(self, ask: _Ask, what: str) -> BadReply:
        return BadReply(ask.device, what, ask.request, self._buffer)

    def _send(self, ask: _Ask) -> None:
        if self._transport is None:
            raise NoReply(ask.device, f"line {self.name} was lost: {self._why}", ask.request)
        if self.tap:
            self.tap(asyncio.get_running_loop().time(), ask.device, "sent", ask.request)
        try:
            self._transport.send(ask.request)
        except OSError as error:
            self._lost(str(error))
            raise NoReply(ask.device, f"line {self.name} was lost: {self._why}", ask.request) from error

    def _heard(self, data: bytes) -> None:
        now_s = asyncio.get_running_loop().time()
        self._quiet_from_s = max(now_s, self._quiet_from_s)
        if self.tap:
            self.tap(now_s, self._asking.device if self._asking else "", "heard", data)
        if self._asking is not None:
            self._buffer += data
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

    def _after_failure(self, ask: _Ask, due_s: float, owed: bool) -> None:
        now_s = asyncio.get_running_loop().time()
        self._quiet_from_s = max(now_s, due_s - ask.quiet_s)  # cancelled early, the reply may still come in time
        if ask.tagged:
            self._drop("it was ended after a failed request")
            self._dirty = False
        elif owed:
            debt = self._debts.setdefault(ask.device, _Debt([], 0.0))
            debt.owed.append(ask)
            debt.until_s = now_s + LATE * ask.timeout_s

    async def _make_ready(self, ask: _Ask) -> None:
        while self._dirty or self._transport is None:
            if self._transport is None:
                await self._open(ask)
            if self._dirty:
                await self._drain(ask)
        rest_s = self._quiet_from_s + self._gap_s - asyncio.get_running_loop().time()
        if rest_s > SOON_S:
            await asyncio.sleep(rest_s)

    async def _open(self, ask: _Ask) -> None:
        rest_s = self._retry_s - asyncio.get_running_loop().time()
        if self._closed or rest_s > SOON_S:
            again = "" if self._closed else f"; next attempt in {rest_s:.1f} s"
            raise NoReply(ask.device, f"line {self.name} is down: {self._why}{again}")
        try:
            async with asyncio.timeout(OPEN_S):
                self._transport = await self._opener(self._heard, self._lost)
        except OSError as error:
            self._why = str(error) or f"no connection within {OPEN_S:g} s"
            self._postpone()
            raise NoReply(ask.device, f"line {self.name} cannot be opened: {self._why}") from error
        self.counts.opened += 1
        # A reply to what an earlier process asked may still be under way; a new connection has no past.
        self._dirty, self._quiet_s = not ask.tagged, ask.quiet_s
        self._quiet_from_s = asyncio.get_running_loop().time()

    async def _drain(self, ask: _Ask) -> None:
        loop = asyncio.get_running_loop()
        give_up_s = loop.time() + self._quiet_s + PATIENCE_S
        while (rest_s := self._quiet_from_s + self._quiet_s - loop.time()) > SOON_S:
            if loop.time() > give_up_s:
                raise NoReply(
                    ask.device, f"line {self.name} never falls quiet: something talks unasked", b"", self._stray
                )
            await asyncio.sleep(rest_s)
        for device, debt in list(self._debts.items()):
            if debt.owed and _are_whole(debt.owed, self._stray):
                del self._debts[device]  # these were the missing replies
        self._dirty, self._stray, self._counted = False, b"", False


def _are_whole(owed: list[_Ask], data: bytes) -> bool:
    """Whether `data` are the owed replies, all of them and nothing else."""
    for ask in owed:
        try:
            length = ask.framer(data) if ask.framer and data else None
        except BadReply:
            return False
        if length is None:
            return False
        data = data[length:]
    return not data


def memory_line(name: str, face: Face) -> Line:
    """A line to a face in memory, on the loop's own clock."""
    return Line(name, memory_opener(face))


def open_line(name: str, address: str, baud: int = 9600, parity: Parity = "none") -> Line:
    """A line to `serial:/dev/…` (8 data bits, 1 stop bit) or `tcp://host:port`; connects when it is first asked.

    Raises ValueError on an address of another form.
    """
    if address.startswith("serial:/"):
        silence_s = 3.5 * 10 / baud  # 3.5 characters end a frame for the devices that have no end mark
        return Line(name, serial_opener(address.removeprefix("serial:"), baud, parity), silence_s)
    parts = urlsplit(address)
    if parts.scheme != "tcp" or not parts.hostname or not parts.port or parts.path:
        raise ValueError(f"line {name}: '{address}' must be serial:/dev/… or tcp://host:port")
    return Line(name, tcp_opener(parts.hostname, parts.port))
