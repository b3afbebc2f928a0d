"""Holds the alarm book of one tool: brings it up to date after each scan, and keeps every change of it."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any, Protocol

from ald_controller import interlocks as il
from ald_controller import stamp
from ald_controller.alarms import Alarm, Book, Change, acknowledge, acknowledge_latched, look

KEPT = 500  # changes that are kept in memory when there is no file


class Keeps(Protocol):
    """Keeps changes of alarms; returns at once."""

    def put(self, change: Change, utc_s: float) -> None: ...
    def newest(self, limit: int) -> list[dict[str, Any]]: ...


class KeptInMemory:
    """The newest changes, for as long as the process lives."""

    def __init__(self) -> None:
        self._rows: deque[dict[str, Any]] = deque(maxlen=KEPT)

    def put(self, change: Change, utc_s: float) -> None:
        self._rows.appendleft(row_of(change, utc_s))

    def newest(self, limit: int) -> list[dict[str, Any]]:
        return list(self._rows)[:limit]


def row_of(change: Change, utc_s: float) -> dict[str, Any]:
    """One change, JSON-able; `at` in unix seconds."""
    a = change.alarm
    return {
        "at": round(utc_s, 3), "event": change.kind, "row": a.row, "name": a.name, "priority": a.priority,
        "reaction": a.reaction.name, "first_out": a.first_out, "suppressed_by": a.suppressed_by, "by": change.by,
        "text": a.cause,
    }  # fmt: skip


class Annunciator:
    """The book with its host's clocks. `log` may be given later, when its file is open."""

    def __init__(self, now_utc: Callable[[], float] = stamp.utc_now) -> None:
        self.book = Book()
        self.log: Keeps = KeptInMemory()
        self._utc = now_utc
        self._seen: tuple[Any, ...] = ()

    def look(self, state: il.State, abort: il.Cause | None, now_s: float) -> tuple[Change, ...]:
        """What this scan has changed; cheap while nothing does."""
        seen = (state.active, state.latched, abort)
        if seen == self._seen and not self.book.unsettled:
            return ()
        self._seen = seen
        views = il.alarms(state, abort)
        self.book, changes = look(self.book, views, now_s, self._utc())
        return self._keep(changes)

    def acknowledge(self, asked: str, by: str) -> tuple[Change, ...]:
        """A person has seen these alarms; raises KeyError with a sentence."""
        self.book, changes = acknowledge(self.book, asked, by, self._utc())
        return self._keep(changes)

    def was_reset(self, by: str) -> tuple[Change, ...]:
        """An accepted reset by this person."""
        self.book, changes = acknowledge_latched(self.book, by, self._utc())
        return self._keep(changes)

    def rate(self, now_s: float) -> int:
        """Alarms announced in the last ten minutes: what row K19 counts."""
        return self.book.rate(now_s)

    def shown(self) -> tuple[Alarm, ...]:
        return self.book.shown()

    def _keep(self, changes: tuple[Change, ...]) -> tuple[Change, ...]:
        for change in changes:
            self.log.put(change, self._utc())
        return changes
