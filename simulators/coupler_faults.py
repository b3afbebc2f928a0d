"""What can go wrong with the module of the valve word or with its cable, by command while it serves.

A command is one line of JSON on the standard input of `coupler.py`, such as {"fault": "dark", "ms": 60}.

What each does stands in WORDS. A second writer needs no command: it is a second connection.
"""

from __future__ import annotations

import json
import socket
import struct
from dataclasses import dataclass
from math import inf

from simulators.modbus_server import DEVICE_FAILURE, TcpFace

WORDS = {
    "dark": "for ms the cable is out: nothing comes in, nothing goes out, no connection comes about",
    "reset": "every connection is reset",
    "half_open": "every connection is forgotten without a word; new ones come about",
    "reboot": "power failed: outputs 0, settings and counters as at power-on; not to be reached for ms",
    "hang": "for ms nothing is taken, though it is acknowledged; then all of it, the newest connection first",
    "slow": "for ms every answer comes by_ms later; they keep their order",
    "exceptions": "answers exception code and does nothing: to the next writes writes, or to everything for ms",
    "deaf": "acknowledges writes and does nothing: the next writes ones, or for ms",
}
FAULTS = tuple(WORDS)
_COUNTED = ("exceptions", "deaf")
_WRITES = frozenset({5, 6, 15, 16})
_HEAD = struct.Struct(">HHHBB")
_IP_MINTTL, _ALL_OF_THEM = 21, 255


@dataclass(frozen=True, slots=True)
class Command:
    """One fault that is asked for; times in ms."""

    fault: str
    ms: float = 0.0
    by_ms: float = 0.0
    code: int = DEVICE_FAILURE
    writes: int = 0  # 0: for `ms`, whatever comes

    def __post_init__(self) -> None:
        if self.fault not in FAULTS:
            raise ValueError(f"there is no fault '{self.fault}'; there are: {', '.join(FAULTS)}")
        if self.writes and self.fault not in _COUNTED:
            raise ValueError(f"{self.fault} does not count writes, {' and '.join(_COUNTED)} do")
        for number in (self.ms, self.by_ms, self.code, self.writes):
            if not isinstance(number, int | float) or not 0 <= number < inf:
                raise ValueError(f"{number!r} is neither a time in ms nor a count")


def command_of(line: bytes) -> Command:
    """The command in one line. Raises ValueError, in a sentence, for what is none."""
    try:
        return Command(**json.loads(line))
    except TypeError as error:
        raise ValueError(f"no command: {line!r} ({error})") from error


def cut(link: socket.socket, *, dark: bool) -> None:
    """Let the kernel drop, unanswered, all that comes for this connection or listener; or take it again.

    It drops what has fewer hops left than the least allowed (RFC 5082). Senders begin with 64, so that 255 is out of
    reach. Unlike a packet filter, which does the same, this needs no rights, and what the other end still has in its
    queue comes late, as after a cable was out.
    """
    link.setsockopt(socket.IPPROTO_IP, _IP_MINTTL, _ALL_OF_THEM if dark else 0)


class Trouble:
    """The faults that last, each with its end. Times are monotonic seconds."""

    def __init__(self) -> None:
        self._lasting: dict[str, Command] = {}
        self._until_s: dict[str, float] = {}
        self._left: dict[str, int] = {}

    def begin(self, now_s: float, command: Command) -> None:
        """From now on; the same fault once more begins anew."""
        self._lasting[command.fault], self._left[command.fault] = command, command.writes
        self._until_s[command.fault] = inf if command.writes else now_s + command.ms / 1e3

    def over(self, now_s: float) -> list[str]:
        """Which faults have come to their end; each is told once."""
        past = [fault for fault, until_s in self._until_s.items() if until_s <= now_s]
        for fault in past:
            del self._lasting[fault], self._until_s[fault]
        return past

    def next_at(self) -> float | None:
        """When the next fault ends by time, or None."""
        return min((until_s for until_s in self._until_s.values() if until_s < inf), default=None)

    def __contains__(self, fault: str) -> bool:
        return fault in self._lasting

    @property
    def delay_s(self) -> float:
        """How much later an answer goes out."""
        return self._lasting["slow"].by_ms / 1e3 if "slow" in self else 0.0

    def applied(self, fault: str, function: int) -> Command | None:
        """The fault if it applies to this request, which then counts."""
        command = self._lasting.get(fault)
        if command is None or (function not in _WRITES and (command.writes or fault == "deaf")):
            return None
        if command.writes:
            if not self._left[fault]:
                return None
            self._left[fault] -= 1
            if not self._left[fault]:
                self._until_s[fault] = -inf
        return command


class Wire:
    """A framer of the module behind the faults that spoil single requests."""

    def __init__(self, framer: TcpFace, trouble: Trouble) -> None:
        self._framer, self._trouble, self._heard = framer, trouble, b""

    @property
    def broken(self) -> bool:
        return self._framer.broken

    def hear(self, data: bytes) -> bytes:
        """Take bytes as they came and return what is answered."""
        self._heard += data
        answers = []
        while len(self._heard) >= _HEAD.size and not self.broken:
            length = _HEAD.unpack_from(self._heard)[2]
            if not 2 <= length <= 254:
                self._framer.hear(0.0, self._heard)  # which finds the connection broken
            elif len(self._heard) < 6 + length:
                break
            else:
                request, self._heard = self._heard[: 6 + length], self._heard[6 + length :]
                answers.append(self._answer(request))
        return b"".join(answers)

    def _answer(self, request: bytes) -> bytes:
        transaction, _, _, unit, function = _HEAD.unpack_from(request)
        if (command := self._trouble.applied("exceptions", function)) is not None:
            return _HEAD.pack(transaction, 0, 3, unit, function | 0x80) + bytes((command.code,))
        if self._trouble.applied("deaf", function) is not None:
            return _HEAD.pack(transaction, 0, 6, unit, function) + request[8:12]
        return self._framer.hear(0.0, request)
