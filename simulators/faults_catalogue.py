"""The faults by the names under which people switch them: what each does, on which wires, and with which numbers.

`fault` makes the `Fault` of a name; the names in LINE are faults of a whole line, for whoever holds its plug.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from math import isfinite
from typing import Any

from simulators.faults import Fault
from simulators.faults_content import MODBUS, Framing

ALL: tuple[Framing, ...] = ("rtu", "tcp", "ascii", "propar", "sqm")
FLOAT_NAN = b"\x7f\xc0\x00\x00"
_STRANGER: dict[Framing, int | str] = {"rtu": 247, "tcp": 247, "ascii": "Z", "propar": "\x10\x02\x01B", "sqm": "?"}


@dataclass(frozen=True, slots=True)
class Kind:
    """One fault: what it is, how it is made of its numbers, their defaults, and the wires that can have it."""

    what: str
    make: Callable[..., Fault]
    numbers: Mapping[str, float] = field(default_factory=dict)
    framings: tuple[Framing, ...] = ALL


def _truncated(bytes: float, rest_s: float) -> Fault:
    return Fault(keep=int(bytes), rest_after_s=rest_s if rest_s > 0 else None)


def _special(value: float) -> Fault:
    return Fault(special=int(value).to_bytes(2, "big"), number=str(int(value)).encode("ascii"))


KINDS: dict[str, Kind] = {
    "deaf": Kind("hears nothing, does nothing", lambda: Fault(deaf=True)),
    "drop": Kind("does what it is told, and its replies are lost", lambda: Fault(silent=True)),
    "late": Kind("replies come by s later", lambda s: Fault(late_s=s), {"s": 0.5}),
    "duplicate": Kind("each reply comes twice", lambda: Fault(duplicate=True)),
    "swapped": Kind("two replies change places", lambda: Fault(swapped=True)),
    "shifted": Kind("each reply comes when the next question is asked", lambda: Fault(shifted=True)),
    "bit": Kind("bit n of the reply is wrong; below 0 from its end", lambda n: Fault(flip_bit=int(n)), {"n": 7.0}),
    "digit": Kind(
        "one digit has become another", lambda: Fault(flip_digit=True), framings=("ascii", "propar", "sqm")
    ),
    "crc": Kind("the checksum is wrong", lambda: Fault(flip_bit=-1), framings=("rtu", "sqm")),
    "truncated": Kind(
        "only so many bytes come; the rest follows after rest_s", _truncated, {"bytes": 4.0, "rest_s": 0.0}
    ),
    "split": Kind("the bytes come one by one, s apart", lambda s: Fault(split_s=s), {"s": 0.001}),
    "garbage-before": Kind("bytes of noise before the reply", lambda: Fault(before=b"\x00\xff")),
    "garbage-after": Kind("bytes of noise after the reply", lambda: Fault(after=b"\x00\xff")),
    "digit-before": Kind("a character that noise made stands before the reply", lambda: Fault(before=b"7")),
    "digit-after": Kind("a character that noise made stands after the reply", lambda: Fault(after=b"7")),
    "echo": Kind("the question comes back before its answer", lambda: Fault(echo=True)),
    "echo-alone": Kind("the question comes back and nothing else", lambda: Fault(echo=True, silent=True)),
    "unit": Kind("another unit answers", lambda: Fault(wrong_unit=0)),  # which one depends on the wire: see `fault`
    "function": Kind("function n answers", lambda n: Fault(wrong_function=int(n)), {"n": 4.0}, MODBUS),
    "length": Kind("n bytes more are answered, or fewer", lambda n: Fault(wrong_length=int(n)), {"n": 2.0}, MODBUS),
    "exception": Kind("exception n is answered", lambda n: Fault(exception=int(n)), {"n": 4.0}, MODBUS),
    "busy": Kind("exception 06, five times of ten", lambda: Fault(exception=6, every=10, in_a_row=5), {}, MODBUS),
    "pauses": Kind("no answer, five times of ten", lambda: Fault(deaf=True, every=10, in_a_row=5)),
    "stuck": Kind("each question is answered as it was the first time", lambda: Fault(stuck=True)),
    "stuck-noise": Kind("values stand still but for noise, a share", lambda by: Fault(noise=by), {"by": 0.001}),
    "special": Kind("each register, or number, is this value", _special, {"value": float(0xFFFF)}),
    "nan": Kind("each number is not a number", lambda: Fault(special=FLOAT_NAN)),
    "word-swap": Kind("each two registers change places", lambda: Fault(swap_words=True), framings=MODBUS),
    "drift": Kind("values drift away, a share per second", lambda by: Fault(drift_per_s=by), {"by": 0.001}),
    "factor": Kind("values are so many times too high", lambda by: Fault(factor=by), {"by": 10.0}),
    "offset": Kind("values are so much too high, in their unit", lambda by: Fault(offset=by), {"by": 5.0}),
    "not-executed": Kind("writes are acknowledged and not done", lambda: Fault(acknowledge_only=True)),
    "read-back": Kind("writes are done, and read back as it was before", lambda: Fault(unread=True)),
    "reboot": Kind("its power fails for s", lambda s: Fault(away_s=s), {"s": 2.0}),
    "restart": Kind("its power fails between two questions: what it keeps in RAM is lost", lambda: Fault(away_s=0.0)),
    "watchdog": Kind("its watchdog ends, where it has one", lambda: Fault(trip=True), framings=("tcp",)),
    "other-master-before": Kind("another master talks before the answer", lambda: Fault(foreign="before")),
    "other-master-after": Kind("another master talks after the answer", lambda: Fault(foreign="after")),
    "other-master": Kind("another master talks at another time", lambda: Fault(foreign="between")),
}  # fmt: skip

LINE: dict[str, tuple[str, tuple[str, ...]]] = {
    "vanish": ("the port is gone; cleared, it is back under another name", ("serial", "tcp")),
    "half-open": ("connections are forgotten without a word; new ones come about", ("tcp",)),
    "reset": ("every connection is reset", ("tcp",)),
    "accept-but-silent": ("connections come about, and nothing is answered", ("tcp",)),
}

_LIMITS: dict[str, tuple[float, float]] = {  # of a number, by its name; of one kind, by both
    "s": (0, 3600), "rest_s": (0, 3600), "bytes": (0, 4096), "value": (0, 0xFFFF), "n": (-1e5, 1e5), "by": (-1e6, 1e6),
    "function n": (0, 255), "exception n": (1, 255), "length n": (-250, 250),
}  # fmt: skip
_WHOLE = frozenset({"bytes", "value", "n"})
EVERY: dict[str, float] = {"every": 1.0, "times": 0.0}  # of each kind: only each n-th request; only so many


def fault(kind: str, framing: Framing, given: Mapping[str, float] | None = None) -> Fault:
    """The fault of this name with these numbers; raises ValueError, in a sentence, for what there is not."""
    if kind not in KINDS:
        raise ValueError(f"there is no fault '{kind}'; there are: {', '.join([*KINDS, *LINE])}")
    found, numbers = KINDS[kind], {**KINDS[kind].numbers}
    if framing not in found.framings:
        raise ValueError(f"'{kind}' is a fault of {', '.join(found.framings)}, this device speaks {framing}")
    how = dict[str, float]()
    for name, value in (given or {}).items():
        into = numbers if name in numbers else how
        if name not in numbers and name not in EVERY:
            raise ValueError(f"'{kind}' has no '{name}'; it takes: {', '.join([*numbers, *EVERY])}")
        into[name] = _number(name, value)
    for name, value in numbers.items():
        low, high = _LIMITS.get(f"{kind} {name}", _LIMITS[name])
        if not low <= value <= high or (name in _WHOLE and value != int(value)):
            whole = "a whole number " if name in _WHOLE else ""
            raise ValueError(f"'{kind}' with {name}={value:g}: {whole}from {low:g} to {high:g} is expected")
    return _often(_made(kind, found, numbers, framing), how)


def _number(name: str, value: object) -> float:
    if isinstance(value, int | float) and not isinstance(value, bool):
        with suppress(OverflowError):
            if isfinite(number := float(value)):
                return number
    raise ValueError(f"{name}={str(value)[:20]} is not a number")


def _made(kind: str, found: Kind, numbers: Mapping[str, float], framing: Framing) -> Fault:
    if kind == "unit":
        return Fault(wrong_unit=_STRANGER[framing])
    made: Fault = found.make(**numbers)
    return made


def _often(made: Fault, how: Mapping[str, float]) -> Fault:
    changes: dict[str, Any] = {}
    for name, value in how.items():
        if value != int(value) or value < 1:
            raise ValueError(f"{name}={value:g} must be a whole number from 1 on")
        changes[name] = int(value)
    return replace(made, **changes)
