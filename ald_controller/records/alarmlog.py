"""The history of alarms in `tool.db`: every change of every alarm, with its time and who made it.

    alarms(seq, at, event, alarm_row, name, priority, reaction, first_out, suppressed_by, who, text)

`at` is unix seconds, UTC; `event` is raised | suppressed | worse | acknowledged | returned | over. What stands when the
controller ends has no row that says so: the next start begins with row K5.
"""

from __future__ import annotations

import sqlite3
from collections import deque
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

from ald_controller.alarms import Change
from ald_controller.journal import JournalError
from ald_controller.records.writer import Writer

KEPT = 2000  # changes that can be asked for without opening the file

_TABLE = (
    "CREATE TABLE IF NOT EXISTS alarms(seq INTEGER PRIMARY KEY, at REAL NOT NULL, event TEXT NOT NULL, "
    "alarm_row TEXT NOT NULL, name TEXT NOT NULL, priority TEXT NOT NULL, reaction TEXT NOT NULL, "
    "first_out INTEGER NOT NULL, suppressed_by TEXT NOT NULL, who TEXT NOT NULL, text TEXT NOT NULL)"
)
_INSERT = (
    "INSERT INTO alarms(at, event, alarm_row, name, priority, reaction, first_out, suppressed_by, who, text) "
    "VALUES(?,?,?,?,?,?,?,?,?,?)"
)
_NEWEST = (
    "SELECT at, event, alarm_row, name, priority, reaction, first_out, suppressed_by, who, text FROM alarms "
    "ORDER BY seq DESC LIMIT ?"
)
_Row = tuple[Any, ...]


class AlarmLog:
    """Keeps changes on the writer of a tool file; made by `open`. Calls return at once."""

    def __init__(self, writer: Writer, rows: list[_Row]) -> None:
        self._writer = writer
        self._rows: deque[_Row] = deque(rows, maxlen=KEPT)  # newest first

    @classmethod
    async def open(cls, writer: Writer) -> AlarmLog:
        """The history in this file, with what it holds already; raises JournalError."""
        found: list[list[_Row]] = []

        def load(con: sqlite3.Connection) -> None:
            con.execute(_TABLE)
            found.append(con.execute(_NEWEST, (KEPT,)).fetchall())

        writer.put(load)
        await writer.settle()
        if not found:
            raise JournalError("tool.db: its history of alarms cannot be read; move the file away to begin a new one")
        return cls(writer, found[-1])

    def put(self, change: Change, utc_s: float) -> None:
        """Keep one change, which happened at `utc_s`."""
        a = change.alarm
        row: _Row = (
            utc_s, change.kind, a.row, a.name, a.priority, a.reaction.name, int(a.first_out), a.suppressed_by,
            change.by, a.cause,
        )  # fmt: skip
        self._rows.appendleft(row)
        self._writer.put(partial(_keep, row))

    def newest(self, limit: int) -> list[dict[str, Any]]:
        """The newest changes, newest first, JSON-able."""
        return [_shown(row) for row in list(self._rows)[:limit]]


def read_alarm_log(path: Path, newest: int = 200) -> list[dict[str, Any]]:
    """The newest changes in a tool file that nobody need have open, newest first; raises sqlite3.Error."""
    with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=2.0)) as con:
        return [_shown(row) for row in con.execute(_NEWEST, (newest,)).fetchall()]


def _shown(row: _Row) -> dict[str, Any]:
    at, event, of, name, priority, reaction, first_out, suppressed_by, who, text = row
    return {
        "at": round(at, 3), "event": event, "row": of, "name": name, "priority": priority, "reaction": reaction,
        "first_out": bool(first_out), "suppressed_by": suppressed_by, "by": who, "text": text,
    }  # fmt: skip


def _keep(row: _Row, con: sqlite3.Connection) -> None:
    con.execute(_INSERT, row)
