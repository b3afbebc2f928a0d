"""What all senders of pulses share: how many of which width, and what the module's stamps say of them. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple, TypeVar

from tests.valve_rig import TMA

PAUSE_MS = 20  # between two pulses
QUICK = {5: 50, 15: 250, 100: 10}  # width in ms -> pulses of a turn
SLOW = {5: 25, 15: 55, 100: 10}  # of those whose errors need fewer pulses to be seen, and who take longer for each

DRIFT_CYCLES, DRIFT_WIDTH_MS, DRIFT_PAUSE_MS = 1000, 5, 15
DRIFT_PERIOD_MS = DRIFT_WIDTH_MS + DRIFT_PAUSE_MS

WIDTH = "error of its width"  # at the module
LATE = "edge after due"  # at the module
SENT = "edge sent after due"
ANSWER = "answer of the module after sent"
LEFT_OUT = "opening not executed, late by"
HELD = "turn measured again, it held after"
DRIFT = f"drift over {DRIFT_CYCLES} cycles of {DRIFT_PERIOD_MS} ms"
WORST_DRIFT = f"{DRIFT}, worst partial sum"
SHOWN = ((15, WIDTH), (15, LATE))

T = TypeVar("T")


class Figure(NamedTuple):
    """One measured value in ms; `pulse_ms` is 0 where the width does not matter."""

    pulse_ms: int
    quantity: str
    value_ms: float


class Sent(NamedTuple):
    """One edge as its sender tells it, in ns of CLOCK_MONOTONIC; 0 for what the sender does not know."""

    due_ns: int
    sent_ns: int = 0
    confirmed_ns: int = 0


class Pulse(NamedTuple):
    """One pulse that was executed."""

    width_ms: int
    opening: Sent
    closing: Sent
    opened_ms: float  # by the module's stamps
    closed_ms: float


def toggles(words: Iterable[tuple[T, int]]) -> list[tuple[T, int]]:
    """The entries at which the source opened or closed."""
    before, found = 0, []
    for at, word in words:
        if (word ^ before) & TMA:
            found.append((at, word))
        before = word
    return found


def pulses(widths_ms: Sequence[int], edges: Sequence[Sent], words: Iterable[tuple[float, int]]) -> list[Pulse]:
    """Every pulse with its stamps. Raises ValueError when the module saw other edges than were sent."""
    stamps_ms = [at_s * 1e3 for at_s, _ in toggles(words)]
    if not 2 * len(widths_ms) == len(edges) == len(stamps_ms):
        raise ValueError(
            f"{len(edges)} edges of {len(widths_ms)} pulses were sent, the module saw {len(stamps_ms)} edges"
        )
    halves = zip(widths_ms, edges[::2], edges[1::2], stamps_ms[::2], stamps_ms[1::2], strict=True)
    return [Pulse(*half) for half in halves]


def figures(found: Iterable[Pulse]) -> Iterator[Figure]:
    """Every quantity that the pulses show."""
    for pulse in found:
        for edge, stamp_ms in ((pulse.opening, pulse.opened_ms), (pulse.closing, pulse.closed_ms)):
            yield Figure(pulse.width_ms, LATE, stamp_ms - edge.due_ns / 1e6)
            if edge.sent_ns:
                yield Figure(0, SENT, (edge.sent_ns - edge.due_ns) / 1e6)
            if edge.confirmed_ns:
                yield Figure(0, ANSWER, (edge.confirmed_ns - edge.sent_ns) / 1e6)
        yield Figure(pulse.width_ms, WIDTH, abs(pulse.closed_ms - pulse.opened_ms - pulse.width_ms))


def drift(opened_ms: Iterable[tuple[int, float]]) -> Iterator[Figure]:
    """From (number of the cycle, stamp of its opening): the summed errors of all cycles, and the worst sum on the way.

    A sum of cycle errors is last stamp minus first minus nominal. An opening that is missing breaks no sum.
    """
    (first, start_ms), *others = opened_ms
    sums = [at_ms - start_ms - (number - first) * DRIFT_PERIOD_MS for number, at_ms in others]
    yield Figure(0, DRIFT, sums[-1])
    yield Figure(0, WORST_DRIFT, max(sums, key=abs))
