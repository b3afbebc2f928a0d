"""Faults of a wire: a wrapper around any face that spoils its replies, switchable while everything runs.

Units: seconds. Replies that are already late stay late when the fault is cleared: they are on their way.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from simulators.face import SOON_S, Face
from simulators.modbus_server import crc

Framing = Literal["rtu", "tcp", "ascii"]
_WRITES = {5, 6, 15, 16}


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with a device's replies; several at once are allowed.

    `every` n spoils each n-th request only, `times` the first so many. `wrong_function`, `wrong_length`, `exception`
    and `acknowledge_only` are Modbus faults; their frames stay valid. `wrong_unit` is a number for Modbus, else text.
    """

    deaf: bool = False  # hears nothing, does nothing
    silent: bool = False  # does what it is told, answers nothing
    acknowledge_only: bool = False  # answers writes, does nothing
    late_s: float = 0.0
    duplicate: bool = False
    flip_bit: int | None = None  # of the reply, counted from its first byte's lowest bit
    keep: int | None = None  # bytes of the reply that come at all
    rest_after_s: float | None = None  # when the bytes beyond `keep` follow; None: never
    split_s: float | None = None  # gap after every byte
    before: bytes = b""
    after: bytes = b""
    echo: bool = False  # the request comes back first, as on a two-wire line
    wrong_unit: int | str | None = None
    wrong_function: int | None = None
    wrong_length: int | None = None  # bytes of data more (or fewer) than were asked for
    exception: int | None = None
    stuck: bool = False  # every request is answered as it was the first time
    every: int = 1
    times: int | None = None


class Faults:
    """The switch of one device's faults, and the wrapper for its faces."""

    def __init__(self, framing: Framing) -> None:
        self.framing: Framing = framing
        self.fault: Fault | None = None
        self.spoiled = 0
        self._heard = 0
        self._memory: dict[bytes, bytes] = {}

    def put(self, fault: Fault) -> None:
        """Begin with this fault; raises ValueError for a Modbus fault on an ASCII line."""
        modbus_only = (fault.wrong_function, fault.wrong_length, fault.exception, fault.acknowledge_only or None)
        if self.framing == "ascii" and any(one is not None for one in modbus_only):
            raise ValueError(
                "function, length, exception and acknowledge_only are faults of Modbus, this line is ASCII"
            )
        self.fault, self.spoiled, self._heard = fault, 0, 0
        self._memory.clear()

    def clear(self) -> None:
        """End the fault."""
        self.fault = None

    def wrap(self, face: Face) -> Faulty:
        """The face behind this switch."""
        return Faulty(face, self)

    def due(self) -> Fault | None:
        """The fault if it applies to the request that comes now."""
        fault = self.fault
        if fault is None:
            return None
        self._heard += 1
        if self._heard % fault.every or (fault.times is not None and self.spoiled >= fault.times):
            return None
        self.spoiled += 1
        return fault

    # --- what a spoiled reply looks like ---

    def reply(self, fault: Fault, request: bytes, ask: Callable[[], bytes]) -> bytes:
        """The device's reply, wrong in content but still a frame; `ask` makes the device act and answer."""
        if fault.acknowledge_only and (echo := self._acknowledge(request)):
            return echo
        if fault.stuck:
            return self._remembered(request, ask)
        reply = ask()
        if not reply or fault.silent:
            return b""
        return self._reframed(fault, reply)

    def _acknowledge(self, request: bytes) -> bytes:
        unit_at = 6 if self.framing == "tcp" else 0
        if len(request) < unit_at + 6 or request[unit_at + 1] not in _WRITES:
            return b""
        if self.framing == "tcp":
            return request[:4] + b"\x00\x06" + request[6:12]
        return request[:6] + crc(request[:6])

    def _remembered(self, request: bytes, ask: Callable[[], bytes]) -> bytes:
        skip = 2 if self.framing == "tcp" else 0  # the transaction is new each time
        if request[skip:] not in self._memory:
            self._memory[request[skip:]] = ask()[skip:]
        remembered = self._memory[request[skip:]]
        return request[:skip] + remembered if remembered else b""

    def _reframed(self, fault: Fault, reply: bytes) -> bytes:
        if self.framing == "ascii":
            return _named(reply, fault.wrong_unit)
        head, unit, pdu = (reply[:4], reply[6], reply[7:]) if self.framing == "tcp" else (b"", reply[0], reply[1:-2])
        if isinstance(fault.wrong_unit, int):
            unit = fault.wrong_unit
        pdu = _modbus(fault, pdu)
        body = bytes((unit,)) + pdu
        return head + len(body).to_bytes(2, "big") + body if head else body + crc(body)


def _named(reply: bytes, unit: int | str | None) -> bytes:
    """An ASCII reply under another unit's name; MKS frames begin with an at sign, Alicat's with the unit."""
    if unit is None:
        return reply
    at = 1 if reply[:1] == b"@" else 0
    name = str(unit).encode("ascii")
    return reply[:at] + name + reply[at + len(name) :]


def _modbus(fault: Fault, pdu: bytes) -> bytes:
    if fault.exception is not None:
        return bytes((pdu[0] | 0x80, fault.exception))
    if fault.wrong_length is not None and pdu[0] < 5:
        data = pdu[2 : len(pdu) + min(fault.wrong_length, 0)] + bytes(max(fault.wrong_length, 0))
        pdu = bytes((pdu[0], len(data))) + data
    return pdu if fault.wrong_function is None else bytes((fault.wrong_function,)) + pdu[1:]


class Faulty:
    """A face whose wire may be faulty."""

    def __init__(self, face: Face, faults: Faults) -> None:
        self._face, self._faults = face, faults
        self._pending: list[tuple[float, bytes]] = []

    def hear(self, now_s: float, data: bytes) -> bytes:
        fault = self._faults.due()
        if fault is None:
            return self._face.hear(now_s, data)
        if fault.deaf:
            return b""
        reply = self._faults.reply(fault, data, lambda: self._face.hear(now_s, data))
        self._pending += _timed(fault, data, reply, now_s)
        self._pending.sort(key=lambda one: one[0])
        return self._due(now_s)

    def next_at(self) -> float | None:
        own = self._face.next_at()
        if not self._pending:
            return own
        return self._pending[0][0] if own is None else min(own, self._pending[0][0])

    def speak(self, now_s: float) -> bytes:
        own = self._face.next_at()
        said = self._face.speak(now_s) if own is not None and own <= now_s + SOON_S else b""
        return self._due(now_s) + said

    def _due(self, now_s: float) -> bytes:
        due = b""
        while self._pending and self._pending[0][0] <= now_s + SOON_S:
            due += self._pending.pop(0)[1]
        return due


def _timed(fault: Fault, request: bytes, reply: bytes, now_s: float) -> list[tuple[float, bytes]]:
    """The pieces of a reply with the times at which they come."""
    if not reply:
        return [(now_s, request)] if fault.echo else []
    if fault.flip_bit is not None:
        at, bit = divmod(fault.flip_bit % (8 * len(reply)), 8)
        reply = reply[:at] + bytes((reply[at] ^ 1 << bit,)) + reply[at + 1 :]
    reply = fault.before + (reply * 2 if fault.duplicate else reply) + fault.after
    from_s = now_s + fault.late_s
    if fault.split_s is not None:
        pieces = [(from_s + i * fault.split_s, reply[i : i + 1]) for i in range(len(reply))]
    elif fault.keep is not None:
        rest = [] if fault.rest_after_s is None else [(from_s + fault.rest_after_s, reply[fault.keep :])]
        pieces = [(from_s, reply[: fault.keep]), *rest]
    else:
        pieces = [(from_s, reply)]
    return [(now_s, request), *pieces] if fault.echo else pieces
