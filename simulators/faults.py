"""Faults of a wire: a wrapper around any face that spoils its replies, switchable while everything runs.

Units: seconds. Replies that are already late stay late when the fault is cleared: they are on their way. What a
spoiled reply contains is made in `faults_content.py`; the faults by their names stand in `faults_catalogue.py`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from simulators.face import SOON_S, Face
from simulators.faults_content import MODBUS, Distortion, Framing, Lens, reframed, remember
from simulators.modbus_server import crc

__all__ = ["Fault", "Faults", "Faulty", "Framing"]

_WRITES = {5, 6, 15, 16}
BETWEEN_S = 0.05  # how long after a reply another master speaks


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with a device or its replies; several at once are allowed.

    `every` n spoils each n-th request only (with `in_a_row` the last so many of each n), `times` the first so many;
    what is wrong with the values themselves (`factor` … `noise`) lasts. `wrong_function`, `wrong_length`, `exception`
    and `swap_words` are Modbus faults; their frames stay valid. `wrong_unit` is a number for Modbus, else text.
    """

    deaf: bool = False  # hears nothing, does nothing
    silent: bool = False  # does what it is told, answers nothing
    acknowledge_only: bool = False  # answers writes as if they were done, does nothing
    unread: bool = False  # does what it is told and reads back what it was before
    late_s: float = 0.0
    duplicate: bool = False
    swapped: bool = False  # every second reply waits until the next one has been said
    shifted: bool = False  # each reply is said when the next request comes
    flip_bit: int | None = None  # of the reply, counted from its first byte's lowest bit; below 0 from its end
    flip_digit: bool = False  # the lowest bit of a digit, where replies are text; of a value in propar
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
    special: bytes | None = None  # what stands in every register that is read, or in every number as `number`
    number: bytes = b"NaN"
    swap_words: bool = False  # each two registers of a reply change places
    stuck: bool = False  # every request is answered as it was the first time
    foreign: Literal["", "before", "after", "between"] = ""  # another master's question and its answer are heard
    factor: float = 1.0
    offset: float = 0.0  # in the unit of what is measured: Pa, °C, sccm, ppm
    drift_per_s: float = 0.0  # of the value
    noise: float | None = None  # share of the value; the value itself stands still
    away_s: float | None = None  # its power fails for so long; it comes back as it is after switching on
    trip: bool = False  # its watchdog ends
    every: int = 1
    in_a_row: int = 1
    times: int | None = None

    @property
    def distorts(self) -> bool:
        """Whether what the device measures is another number."""
        return self.noise is not None or (self.factor, self.offset, self.drift_per_s) != (1.0, 0.0, 0.0)


class Faults:
    """The switch of one device's faults, and the wrapper for its faces and for the plant that it measures."""

    def __init__(self, framing: Framing) -> None:
        self.framing: Framing = framing
        self.fault: Fault | None = None
        self.spoiled = 0
        self.still = False  # nothing that the device does moves the plant
        self._heard = 0
        self.away_until_s: float | None = None  # without power, on whichever connection it is asked
        self._memory: dict[bytes, bytes] = {}
        self._distortion = Distortion()
        self.before: Callable[[], None] | None = None  # puts the device back to what it was when the fault began

    def put(self, fault: Fault) -> None:
        """Begin with this fault; raises ValueError for a Modbus fault on a line of another protocol."""
        modbus_only = (fault.wrong_function, fault.wrong_length, fault.exception, fault.swap_words or None)
        if self.framing not in MODBUS and any(one is not None for one in modbus_only):
            raise ValueError(
                f"function, length, exception and swapped words are faults of Modbus, this line is {self.framing}"
            )
        self.fault, self.spoiled, self._heard, self.before = fault, 0, 0, None
        self.away_until_s, self._distortion = None, Distortion()
        self._memory.clear()

    def clear(self) -> None:
        """End the fault."""
        self.fault = None

    def wrap(self, face: Face, asked: Asked | None = None) -> Faulty:
        """The face behind this switch; `asked` is what its line has carried, where it shares one."""
        return Faulty(face, self, asked)

    def seen(self, plant: Any) -> Any:
        """The plant as the device behind this switch sees it."""
        return Lens(plant, self)

    def value(self, what: tuple[Any, ...], number: float, at_s: float) -> float:
        """What the device takes for true where the plant has this number."""
        fault = self.fault
        if fault is None or not fault.distorts:
            return number
        return self._distortion.of(fault, what, number, at_s)

    def due(self) -> Fault | None:
        """The fault if it applies to the request that comes now."""
        fault = self.fault
        if fault is None:
            return None
        self._heard += 1
        place = (self._heard - 1) % fault.every
        if place < fault.every - fault.in_a_row or (fault.times is not None and self.spoiled >= fault.times):
            return None
        self.spoiled += 1
        return fault

    # --- what a spoiled reply looks like ---

    def reply(self, fault: Fault, request: bytes, ask: Callable[[], bytes]) -> bytes:
        """The device's reply, wrong in content but still a frame; `ask` makes the device act and answer."""
        if fault.stuck:
            return self._remembered(request, ask)
        reply = ask()
        if not reply or fault.silent:
            return b""
        return reframed(self.framing, fault, reply)

    def is_write(self, request: bytes) -> bool:
        """Whether this is a write of Modbus; of what others write nothing is known here."""
        at = 6 if self.framing == "tcp" else 0
        return self.framing in MODBUS and len(request) >= at + 6 and request[at + 1] in _WRITES

    def acknowledged(self, request: bytes) -> bytes:
        """What a write of Modbus is answered with."""
        if self.framing == "tcp":
            return request[:4] + b"\x00\x06" + request[6:12]
        return request[:6] + crc(request[:6])

    def _remembered(self, request: bytes, ask: Callable[[], bytes]) -> bytes:
        at = slice(0, 2) if self.framing == "tcp" else slice(2, 3) if self.framing == "propar" else slice(0, 0)
        key = request[: at.start] + request[at.stop :]  # the number of a transaction is new each time
        if key not in self._memory:
            self._memory[key] = ask()
        remembered = self._memory[key]
        return remembered[: at.start] + request[at] + remembered[at.stop :] if remembered else b""


class Asked:
    """The last two requests on a line that differ: what another master could ask."""

    def __init__(self) -> None:
        self.last: deque[bytes] = deque(maxlen=2)

    def another(self, request: bytes) -> bytes:
        """One of them that is not `request`, if there is one."""
        return next((one for one in self.last if one and one != request), request)


class Faulty:
    """A face whose wire may be faulty."""

    def __init__(self, face: Face, faults: Faults, asked: Asked | None = None) -> None:
        self._face, self._faults, self._asked = face, faults, asked or Asked()
        self._mute: bool = getattr(face, "mute", False)
        self._pending: list[tuple[float, bytes]] = []
        self._held = b""  # a reply that waits for the next request
        self._held_by: Fault | None = None  # what keeps it; the next fault has none of the one before
        self._switched_on = None if hasattr(face, "power_cycle") else remember(face)

    def hear(self, now_s: float, data: bytes) -> bytes:
        if self._faults.fault is None:
            if data not in self._asked.last:
                self._asked.last.append(data)
            return self._face.hear(now_s, data)
        fault = self._faults.due()
        if fault is None:
            return self._face.hear(now_s, data)
        if fault.deaf or self._away(fault, now_s):
            return b""
        if fault.trip and self._faults.spoiled == 1 and (trip := getattr(self._face, "trip", None)):
            trip(now_s)
        reply = self._faults.reply(fault, data, lambda: self._ask(fault, now_s, data))
        self._pending += self._with_others(fault, data, reply, now_s)
        self._pending.sort(key=lambda one: one[0])
        return self._due(now_s)

    def next_at(self) -> float | None:
        own = None if self._mute else self._face.next_at()
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

    def _away(self, fault: Fault, now_s: float) -> bool:
        """Whether it has no power now; with the first request of this fault its power fails."""
        if fault.away_s is None:
            return False
        if self._faults.away_until_s is None:
            self._faults.away_until_s = now_s + fault.away_s
            if self._switched_on is None:
                self._face.power_cycle(now_s)  # type: ignore[attr-defined]
            else:
                self._switched_on()
        return now_s < self._faults.away_until_s

    def _ask(self, fault: Fault, now_s: float, data: bytes) -> bytes:
        """What the device answers, having done it or not."""
        if fault.acknowledge_only:
            if self._faults.framing not in MODBUS:
                return self._undone(now_s, data, remember(self._face))
            return self._faults.acknowledged(data) if self._faults.is_write(data) else self._face.hear(now_s, data)
        if not fault.unread:
            return self._face.hear(now_s, data)
        before = self._faults.before = self._faults.before or remember(self._face)
        done = self._face.hear(now_s, data)
        if self._faults.is_write(data):
            return done
        after = remember(self._face)
        before()
        return self._undone(now_s, data, after)

    def _undone(self, now_s: float, data: bytes, afterwards: Callable[[], None]) -> bytes:
        self._faults.still = True
        try:
            return self._face.hear(now_s, data)
        finally:
            self._faults.still = False
            afterwards()

    def _with_others(self, fault: Fault, request: bytes, reply: bytes, now_s: float) -> list[tuple[float, bytes]]:
        """The pieces of what is heard, replies that wait and another master's conversation among them."""
        if fault.swapped or fault.shifted:
            if fault is not self._held_by:
                self._held, self._held_by = b"", fault
            held, self._held = self._held, b"" if fault.swapped and self._held else reply
            return [(now_s, reply + held if fault.swapped else held)] if held else []
        pieces = _timed(fault, request, reply, now_s)
        if fault.foreign:
            other = self._asked.another(request)
            heard = other + self._face.hear(now_s, other)
            at_s = now_s + (BETWEEN_S if fault.foreign == "between" else 0.0)
            pieces = [(at_s, heard), *pieces] if fault.foreign == "before" else [*pieces, (at_s, heard)]
        return pieces


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
