"""Mistakes that somebody could make, put into the real code for as long as a block lasts: the explorer must find each.

Every one is a line that is missing or a condition that is wrong, of the kind that a review may overlook.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any
from unittest import mock

from ald_controller.valves.engine import Engine, Write
from ald_controller.valves.host import Host
from ald_controller.valves.rules import Rules
from ald_controller.valves.wire import Hold, Segment, ToEngine
from drivers.valve_beckhoff import BeckhoffOutputs
from drivers.valve_outputs import Conversation
from tests.explore.link import Wire
from tests.explore.menu import DAEMON, HOST, LINK, Choice, named


@dataclass(frozen=True)
class Bug:
    """One mistake: what is wrong, where, what stands there instead, and what must be found, with which choices."""

    name: str
    place: Any
    attribute: str
    instead: Any
    found: str
    menu: Sequence[Choice]

    def __call__(self) -> AbstractContextManager[object]:
        return mock.patch.object(self.place, self.attribute, self.instead)


_step, _advance, _hear, _load, _clear = Engine.step, Engine._advance, Engine.hear, Engine._load, Engine._clear


def _starts_without_the_safe_word(self: BeckhoffOutputs, *, rearm: bool, trips: int | None = None) -> Conversation:
    if rearm:
        return (yield from _start(self, rearm=True, trips=trips))
    counted = yield from self._count(trips)
    yield from self._prove()
    return counted


_start = BeckhoffOutputs.start


def _rearms(self: Host, now_ns: int) -> None:
    self._trips = None
    _link(self, now_ns)


_link = Host.link


def _ignores_the_lease(self: Engine, now_ns: int) -> Write | None:
    if self._beat_ns is not None:
        self._beat_ns = now_ns
    return _step(self, now_ns)


def _leaves_out_late_closings(self: Engine, now_ns: int, run: Any) -> Write | None:
    edges, at = run.segment.edges, run.next
    if at < len(edges) and now_ns - run.due_ns > self._late_ns and not self._rules.open(edges[at][1]):
        run.next += 1
        return None
    return _advance(self, now_ns, run)


def _holds_after_the_segment(self: Engine, now_ns: int, message: ToEngine) -> None:
    if not (isinstance(message, Hold) and self.running):
        _hear(self, now_ns, message)


def _notes_what_it_refuses(self: Engine, now_ns: int, segment: Segment) -> None:
    self._closes.update(self._rules.closes(segment, now_ns))
    _load(self, now_ns, segment)


def _clears_into_heat(self: Engine) -> None:
    _clear(self)
    self._aux = self._config.aux_mask


def _leaves_it(self: Engine, now_ns: int) -> None:
    self._leaving.clear()


def _always(value: object) -> Callable[..., object]:
    return lambda *_: value


BUGS = (
    Bug("a missing confirmation ends no connection", Host, "check", _always(None), "ms after it was due", LINK),
    Bug("a connection ends as TCP ends it, not by a reset", Wire, "lingers", True, "ms after it was due", LINK),
    Bug("a new connection does not begin with the safe word", BeckhoffOutputs, "start", _starts_without_the_safe_word,
        "should be shut, with nothing in the way", LINK),
    Bug("every connection arms the watchdog again", Host, "link", _rearms,
        "reset without a fresh process", named("requests and replies are held back for 46 ticks")),
    Bug("a lost lease is not noticed", Engine, "step", _ignores_the_lease, "after a grave stop",
        named("the daemon hangs for 26 ticks")),
    Bug("a permit is not asked for", Engine, "_may_open", _always(True), "without a permit", DAEMON),
    Bug("one source at a time is not asked for", Rules, "word_fault", _always(None), "two sources are open", DAEMON),
    Bug("a late closing is left out like a late opening", Engine, "_advance", _leaves_out_late_closings,
        "should be shut, with nothing in the way", HOST),
    Bug("a late closing moves no opening of an opposite kind", Engine, "_too_soon_ns", _always(0),
        "40 ms are needed", HOST),
    Bug("a closing counts from when it was made, not from when it left", Engine, "left", _leaves_it,
        "40 ms are needed", HOST),
    Bug("an opening is sent however long it was held up", Host, "held_up_ns", _always(0), "ms late", HOST),
    Bug("a hold waits for the end of a segment", Engine, "hear", _holds_after_the_segment,
        "after everything was stopped", DAEMON),
    Bug("a refused segment is remembered", Engine, "_load", _notes_what_it_refuses, "something changed", DAEMON),
    Bug("a reset brings the heaters back", Engine, "_clear", _clears_into_heat, "a reset moved", DAEMON),
)  # fmt: skip
