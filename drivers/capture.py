"""Raw traffic of a line as text that a person reads and diffs, and a far end that answers as such a text says.

    # what was recorded, when, against what
    @ flows                                       the line that follows
    > 0.000000 pusher    41 0D                    |A.|
    < 0.027400 pusher    41 20 2B 30 31 34 2E 37  |A +014.7|
    = poll: flow_sccm 0                           what a driver made of it; for people, and for tests

`>` sent, `<` heard, seconds since the recording began, the device that was asked (`-`: nobody), bytes in hexadecimal,
and what of them can be printed. Sixteen bytes a line; a line that goes on with the same bytes begins with two spaces.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal, NamedTuple, TextIO

Way = Literal["sent", "heard"]
WIDTH = 16
_SIGN: dict[str, str] = {"sent": ">", "heard": "<"}
_WAY: dict[str, Way] = {">": "sent", "<": "heard"}
_EVENT = re.compile(r"([<>]) (\d+\.\d{6}) (\S+) +((?:[0-9A-F]{2} ?)+) *\|(.*)\|")
_MORE = re.compile(r"  +((?:[0-9A-F]{2} ?)+) *\|(.*)\|")


class NotRecorded(Exception):
    """A replay was sent what its recording does not hold at this place, or was left before its end."""


class BadCapture(ValueError):
    """A text that is no recording; says in which of its lines."""


class Event(NamedTuple):
    """Bytes that passed, at seconds since the recording began; `device` is "" where nobody had asked."""

    at_s: float
    device: str
    way: Way
    data: bytes


@dataclass(frozen=True, slots=True)
class Capture:
    """What was recorded of one line, and what drivers made of it, in order."""

    line: str
    events: tuple[Event, ...]
    made: tuple[str, ...] = ()


class Recorder:
    """Writes one line's traffic as it passes; `tap` is for `Line.tap`."""

    def __init__(self, out: TextIO, line: str, from_s: float, header: Iterable[str] = ()) -> None:
        """`from_s`: the loop's time that counts as 0; `header`: sentences that are written before all else."""
        self._out, self._from_s = out, from_s
        for sentence in header:
            out.write(f"# {sentence}\n".replace("# \n", "#\n"))
        out.write(f"@ {line}\n")

    def tap(self, at_s: float, device: str, way: str, data: bytes) -> None:
        """One line, or more, per call; a name with spaces is written without them."""
        who = device.replace(" ", "_") or "-"
        head = f"{_SIGN[way]} {at_s - self._from_s:.6f} {who:<12} "
        for at in range(0, len(data), WIDTH):
            self._out.write(f"{head}{_shown(data[at : at + WIDTH])}\n")
            head = " " * len(head)
        self._out.flush()

    def made(self, text: str) -> None:
        """What a driver made of what was heard so far."""
        self._out.write(f"= {text}\n")


def _shown(data: bytes) -> str:
    return f"{data.hex(' ').upper():<{3 * WIDTH}}|{_printed(data)}|"


def _printed(data: bytes) -> str:
    return "".join(chr(byte) if 32 <= byte < 127 else "." for byte in data)


def read_captures(text: str) -> tuple[Capture, ...]:
    """All lines that were recorded in a text; raises BadCapture."""
    found: list[tuple[str, list[Event], list[str]]] = []
    for number, row in enumerate(text.splitlines(), 1):
        if not row.strip() or row.startswith("#"):
            continue
        if row.startswith("@ "):
            found.append((row[2:].strip(), [], []))
        elif not found:
            raise BadCapture(f"line {number}: a recording begins with '@ ' and the name of its line")
        elif row.startswith("= "):
            found[-1][2].append(row[2:])
        else:
            _take(found[-1][1], row, number)
    return tuple(Capture(line, tuple(events), tuple(made)) for line, events, made in found)


def _take(events: list[Event], row: str, number: int) -> None:
    if (more := _MORE.fullmatch(row)) and events:
        last = events[-1]
        events[-1] = last._replace(data=last.data + _bytes(more[1], more[2], number))
    elif event := _EVENT.fullmatch(row):
        device = "" if event[3] == "-" else event[3]
        at_s = float(event[2])
        if events and at_s < events[-1].at_s:
            raise BadCapture(f"line {number}: {at_s:g} s is before what stands above it, {events[-1].at_s:g} s")
        events.append(Event(at_s, device, _WAY[event[1]], _bytes(event[4], event[5], number)))
    else:
        raise BadCapture(f"line {number}: '{row[:60]}' is neither sent (>) nor heard (<), nor what was made of it (=)")


def _bytes(text: str, printed: str, number: int) -> bytes:
    """The bytes of one row; raises BadCapture where what is printed beside them is of others: one was edited."""
    data = bytes.fromhex(text)
    if printed != _printed(data):
        raise BadCapture(f"line {number}: the bytes are '{_printed(data)}' and '{printed}' is printed beside them")
    return data


class Replay:
    """The far end of a line in memory that answers as recorded, as late as recorded, and nothing else.

    Raises NotRecorded, which no driver catches, on any request but the next one of the recording.
    """

    def __init__(self, capture: Capture) -> None:
        self._line, self._events = capture.line, list(capture.events)
        self._pending: list[tuple[float, bytes]] = []
        self._at = 0
        while self._heard_next():  # what was said before anybody asked is not repeated
            self._at += 1

    def hear(self, now_s: float, data: bytes) -> bytes:
        expected = self._events[self._at] if self._at < len(self._events) else None
        if expected is None or expected.data != data:
            recorded = f"{expected.data!r} of {expected.device}" if expected else "nothing more"
            raise NotRecorded(f"line {self._line}: {data!r} was sent; recorded is {recorded}")
        self._at += 1
        at_once = b""
        while self._heard_next():
            event = self._events[self._at]
            delay_s = event.at_s - expected.at_s
            if delay_s <= 0 and not self._pending:
                at_once += event.data
            else:
                self._pending.append((now_s + delay_s, event.data))
            self._at += 1
        return at_once

    def next_at(self) -> float | None:
        return self._pending[0][0] if self._pending else None

    def speak(self, now_s: float) -> bytes:
        said = b""
        while self._pending and self._pending[0][0] <= now_s:
            said += self._pending.pop(0)[1]
        return said

    def done(self) -> None:
        """Raises NotRecorded when something that was recorded has not been asked."""
        if self._at < len(self._events):
            raise NotRecorded(f"line {self._line}: {self._events[self._at].data!r} was recorded and never asked")

    def _heard_next(self) -> bool:
        return self._at < len(self._events) and self._events[self._at].way == "heard"


Tap = Callable[[float, str, str, bytes], None]


def both(first: Tap, second: Tap) -> Tap:
    """Two taps on one line."""

    def tap(at_s: float, device: str, way: str, data: bytes) -> None:
        first(at_s, device, way, data)
        second(at_s, device, way, data)

    return tap
