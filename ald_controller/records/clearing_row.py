"""The state of the chamber's clearing in `tool.db`: what was dosed since the last one, and when sources last shut.

clearing(id = 1, dosed, shut_at)    `dosed` is a JSON list, empty after a clearing; `shut_at` unix seconds, UTC
"""

from __future__ import annotations

import json
import sqlite3
from dataclasses import dataclass
from functools import partial

from ald_controller.journal import JournalError
from ald_controller.records.writer import Writer

_TABLE = (
    "CREATE TABLE IF NOT EXISTS clearing(id INTEGER PRIMARY KEY CHECK(id = 1), dosed TEXT NOT NULL, "
    "shut_at REAL NOT NULL)"
)


@dataclass(frozen=True, slots=True)
class Kept:
    """What the file holds."""

    dosed: frozenset[str]
    shut_at: float


class ClearingRow:
    """Keeps one row on the writer of `tool.db`; made by `open`. `before` is what was there, None in a new file."""

    def __init__(self, writer: Writer, before: Kept | None) -> None:
        self._writer, self.before = writer, before
        self._kept = before

    @classmethod
    async def open(cls, writer: Writer) -> ClearingRow:
        """Raises JournalError when the row cannot be read."""
        found: list[Kept | None] = []

        def load(con: sqlite3.Connection) -> None:
            con.execute(_TABLE)
            row = con.execute("SELECT dosed, shut_at FROM clearing").fetchone()
            found.append(Kept(frozenset(map(str, json.loads(row[0]))), float(row[1])) if row else None)

        writer.put(load)
        await writer.settle()
        if not found:
            raise JournalError("tool.db: the state of the chamber's clearing cannot be read; move the file away")
        return cls(writer, found[-1])

    def keep(self, kept: Kept) -> None:
        """Have this written now, where it differs; returns at once."""
        if kept != self._kept:
            self._kept = kept
            row = (json.dumps(sorted(kept.dosed), ensure_ascii=False), kept.shut_at)
            self._writer.put(partial(_keep, row))
            self._writer.hurry()


def _keep(row: tuple[object, ...], con: sqlite3.Connection) -> None:
    con.execute("INSERT OR REPLACE INTO clearing VALUES(1,?,?)", row)
