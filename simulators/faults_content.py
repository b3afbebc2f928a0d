"""What a spoiled device says: frames of another content, values seen through a lens, a memory that is rolled back.

A frame that was changed stays a frame of its dialect: length and checksum are made anew. Times are seconds.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Sequence
from dataclasses import fields, is_dataclass
from typing import TYPE_CHECKING, Any, Literal

from simulators.inficon_sqm160 import check
from simulators.modbus_server import crc

if TYPE_CHECKING:
    from simulators.faults import Fault, Faults

Framing = Literal["rtu", "tcp", "ascii", "propar", "sqm"]
MODBUS: tuple[Framing, ...] = ("rtu", "tcp")
_REGISTERS = (3, 4, 23)  # functions whose replies carry registers
_NUMBER = re.compile(rb"(?<=[ ,;=KA])[+-]?\d+(?:\.\d+)?(?:E[+-]?\d+)?(?![\w.])")
_WIDTH = {0x00: 1, 0x20: 2, 0x40: 4}  # bytes of a propar value by the type in its parameter's number


def reframed(framing: Framing, fault: Fault, reply: bytes) -> bytes:
    """The reply with another unit, function, length or content, and again a whole frame."""
    if framing in MODBUS:
        return _modbus_frame(framing, fault, reply)
    reply = _content(framing, fault, reply)
    return reply if fault.wrong_unit is None else named(reply, fault.wrong_unit)


def named(reply: bytes, unit: int | str) -> bytes:
    """A reply under another unit's name; MKS frames begin with an at sign, Alicat's with the unit."""
    at = 1 if reply[:1] == b"@" else 0
    name = str(unit).encode("ascii")
    return reply[:at] + name + reply[at + len(name) :]


def _modbus_frame(framing: Framing, fault: Fault, reply: bytes) -> bytes:
    head, unit, pdu = (reply[:4], reply[6], reply[7:]) if framing == "tcp" else (b"", reply[0], reply[1:-2])
    if isinstance(fault.wrong_unit, int):
        unit = fault.wrong_unit
    body = bytes((unit,)) + _pdu(fault, pdu)
    return head + len(body).to_bytes(2, "big") + body if head else body + crc(body)


def _pdu(fault: Fault, pdu: bytes) -> bytes:
    if fault.exception is not None:
        return bytes((pdu[0] | 0x80, fault.exception))
    if pdu[0] in _REGISTERS:
        pdu = pdu[:2] + _registers(fault, pdu[2:])
    if fault.wrong_length is not None and pdu[0] < 5:
        data = pdu[2 : len(pdu) + min(fault.wrong_length, 0)] + bytes(max(fault.wrong_length, 0))
        pdu = bytes((pdu[0], len(data) & 0xFF)) + data
    return pdu if fault.wrong_function is None else bytes((fault.wrong_function,)) + pdu[1:]


def _registers(fault: Fault, data: bytes) -> bytes:
    """The registers of a reply: each the special value, or each two of them in the other order."""
    if fault.special is not None:
        return (fault.special * len(data))[: len(data)]
    if fault.swap_words:
        return b"".join(data[at + 2 : at + 4] + data[at : at + 2] for at in range(0, len(data), 4))
    return data


def _content(framing: Framing, fault: Fault, reply: bytes) -> bytes:
    """A reply in which numbers are others; replies without a number stay as they are."""
    if framing == "propar":
        return _propar(fault, reply) if fault.special or fault.flip_digit else reply
    if fault.special is not None:
        return _text(framing, reply, lambda _: fault.number)
    if fault.flip_digit:  # an error on the way, so the frame is not made anew
        return _NUMBER.sub(lambda found: found[0][:-1] + bytes((found[0][-1] ^ 1,)), reply, count=1)
    return reply


def _text(framing: Framing, reply: bytes, number: Callable[[re.Match[bytes]], bytes]) -> bytes:
    if framing == "ascii":
        return _NUMBER.sub(number, reply)
    body = reply[1:-2]  # sync, length, status, message, checksum of two
    said = _NUMBER.sub(number, b" " + body[2:])[1:]
    body = bytes((body[0] + len(said) - len(body[2:]),)) + body[1:2] + said
    return reply[:1] + body + check(body)


def _propar(fault: Fault, reply: bytes) -> bytes:
    """A binary answer (DLE STX, number, node, length, 2, parameters, DLE ETX) whose values are others."""
    message = bytearray(reply[2:-2].replace(b"\x10\x10", b"\x10"))
    if len(message) < 5 or message[3] != 2:
        return reply
    for at, width in _propar_values(message):
        if fault.flip_digit:
            message[at + width - 1] ^= 1
            break
        if fault.special is not None and width == (4 if len(fault.special) == 4 else 2):
            message[at : at + width] = (fault.special * 2)[:width]
    return reply[:2] + bytes(message).replace(b"\x10", b"\x10\x10") + reply[-2:]


def _propar_values(message: bytearray) -> Sequence[tuple[int, int]]:
    """Where the values of a read's answer lie, and how many bytes each has; texts are passed over."""
    found: list[tuple[int, int]] = []
    at, more_processes = 4, True
    while more_processes and at < len(message):
        more_processes, more = bool(message[at] & 0x80), True
        at += 1
        while more and at < len(message):
            more, kind = bool(message[at] & 0x80), message[at] & 0x60
            at += 1
            if kind == 0x60:
                end = at + 1 + message[at] if message[at] else message.index(0, at + 1) + 1
                at = end
            else:
                found.append((at, _WIDTH[kind]))
                at += _WIDTH[kind]
    return found


# --- values ----------------------------------------------------------------------------------------------------------


class Lens:
    """A plant as a device with a fault sees it: what it measures may be another number, what it moves may not move.

    `faults` makes of (name of the quantity, number, time) what the device takes for true, and says whether nothing is
    to be moved. Everything else is the plant's own.
    """

    def __init__(self, plant: Any, faults: Faults) -> None:
        self.__dict__.update(_plant=plant, _faults=faults)

    def __getattr__(self, name: str) -> Any:
        own = getattr(self.__dict__["_plant"], name)
        if not callable(own):
            return own
        seen = self._seen(name, own)
        self.__dict__[name] = seen
        return seen

    def _seen(self, name: str, own: Callable[..., Any]) -> Callable[..., Any]:
        faults: Faults = self.__dict__["_faults"]

        def seen(*arguments: Any) -> Any:
            if faults.fault is None:
                return own(*arguments)
            if name in MOVES and faults.still:
                return None
            number = own(*arguments)
            if not isinstance(number, float):
                return number
            return faults.value((name, *arguments[:-1]), number, arguments[-1])

        return seen

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self.__dict__["_plant"], name, value)


MOVES = frozenset({"set_flow", "output", "drive_pump"})  # what a device does to a plant at a command


class Distortion:
    """How the numbers of one device are wrong: since when, and what stood there then."""

    def __init__(self) -> None:
        self._since_s: float | None = None
        self._first: dict[tuple[Any, ...], float] = {}
        self._random = random.Random(1)

    def of(self, fault: Fault, what: tuple[Any, ...], number: float, at_s: float) -> float:
        """The number as the device has it at `at_s`."""
        self._since_s = at_s if self._since_s is None else self._since_s
        if fault.noise is not None:
            first = self._first.setdefault(what, number)
            return first * (1.0 + fault.noise * self._random.uniform(-1.0, 1.0))
        drifted = number * (1.0 + fault.drift_per_s * (at_s - self._since_s))
        return drifted * fault.factor + fault.offset


# --- memory ----------------------------------------------------------------------------------------------------------


def remember(face: Any) -> Callable[[], None]:
    """What puts the whole state of a simulated device back to what it is now; the plant is not part of it."""
    kept: list[tuple[Any, Any]] = []
    seen: set[int] = set()
    todo = [face]
    while todo:
        one = todo.pop()
        if id(one) in seen:
            continue
        seen.add(id(one))
        parts = _parts(one)
        if parts is not None:
            kept.append((one, parts))
            todo += parts.values() if isinstance(parts, dict) else parts

    def put_back() -> None:
        for one, parts in kept:
            _put_back(one, parts)

    return put_back


def _parts(one: Any) -> Any:
    """A copy of what this holds; None for what is no part of a device."""
    if isinstance(one, list | set):
        return one.copy()
    if isinstance(one, tuple):
        return list(one)
    if type(one) is dict:
        return dict(one)
    module = type(one).__module__
    if not module.startswith("simulators.") or module.startswith("simulators.plant") or isinstance(one, Lens):
        return None
    if hasattr(one, "__dict__"):
        return dict(one.__dict__)
    return {f.name: getattr(one, f.name) for f in fields(one)} if is_dataclass(one) else None


def _put_back(one: Any, parts: Any) -> None:
    if isinstance(one, list):
        one[:] = parts
    elif isinstance(one, set | dict):
        one.clear()
        one.update(parts)
    elif hasattr(one, "__dict__"):
        one.__dict__.clear()
        one.__dict__.update(parts)
    elif not isinstance(one, tuple):
        for name, part in parts.items():
            object.__setattr__(one, name, part)
