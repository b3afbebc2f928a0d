"""What the pulses of each source usually are, in `tool.db`, so that a restart forgets no median and no count.

    pulses(source, likeness, used, figures)    one row per likeness, its newest figures; both as JSON, see `pulses`
    pulse_counts(source, bottle, number, since_install, since_idle, at)

`at` and `used` are unix seconds, UTC. Rows hold everything, never increments. A kill -9 loses the newest pulse at most.
"""

from __future__ import annotations

import sqlite3
from functools import partial

from ald_controller.journal import JournalError
from ald_controller.pulses import Counts, History, Judging, Likeness
from ald_controller.pulses.history import figures_of, figures_text, likeness_of, likeness_text
from ald_controller.records.writer import Writer

_TABLES = (
    "CREATE TABLE IF NOT EXISTS pulses(source TEXT NOT NULL, likeness TEXT NOT NULL, used REAL NOT NULL, "
    "figures TEXT NOT NULL, PRIMARY KEY(source, likeness))",
    "CREATE TABLE IF NOT EXISTS pulse_counts(source TEXT PRIMARY KEY, bottle TEXT NOT NULL, number INTEGER NOT NULL, "
    "since_install INTEGER NOT NULL, since_idle INTEGER NOT NULL, at REAL NOT NULL)",
)
_COUNT = "INSERT OR REPLACE INTO pulse_counts VALUES(?,?,?,?,?,?)"
_FIGURES = "INSERT OR REPLACE INTO pulses VALUES(?,?,?,?)"
_OLD = (
    "DELETE FROM pulses WHERE source=? AND likeness NOT IN "
    "(SELECT likeness FROM pulses WHERE source=? ORDER BY used DESC LIMIT ?)"
)


class PulseTable:
    """Keeps a history of pulses on the writer of `tool.db`; made by `open`. Calls return at once."""

    def __init__(self, writer: Writer, history: History) -> None:
        self._writer, self.history = writer, history

    @classmethod
    async def open(cls, writer: Writer, judging: Judging | None = None) -> PulseTable:
        """The history that the file holds; raises JournalError when it cannot be read."""
        found: list[History] = []

        def load(con: sqlite3.Connection) -> None:
            for table in _TABLES:
                con.execute(table)
            found.append(_history(con, judging or Judging()))

        writer.put(load)
        await writer.settle()
        if not found:
            raise JournalError("tool.db: its pulses cannot be read; move the file away to begin a new one")
        return cls(writer, found[-1])

    def keep(self, source: str, likeness: Likeness) -> None:
        """Have the newest state of this source and likeness written soon."""
        counts, figures = self.history.counts[source], self.history.figures.get((source, likeness), ())
        count = (source, counts.bottle, counts.number, counts.since_install, counts.since_idle, counts.at)
        row = (source, likeness_text(likeness), counts.at, figures_text(figures))
        self._writer.put(partial(_keep, count, row if figures else None, self.history.judging.likenesses))

    def forget(self, source: str) -> None:
        """Let a source learn anew what its pulses usually are."""
        self.history.forget(source)
        self._writer.put(partial(_forget, source))
        self._writer.hurry()


def _history(con: sqlite3.Connection, judging: Judging) -> History:
    counts = con.execute("SELECT source, bottle, number, since_install, since_idle, at FROM pulse_counts").fetchall()
    rows = con.execute("SELECT source, likeness, figures FROM pulses ORDER BY used").fetchall()
    return History(
        judging,
        {source: Counts(*fields) for source, *fields in counts},
        {(source, likeness_of(likeness)): figures_of(figures) for source, likeness, figures in rows},
    )


def _keep(
    count: tuple[object, ...], figures: tuple[object, ...] | None, likenesses: int, con: sqlite3.Connection
) -> None:
    con.execute(_COUNT, count)
    if figures is not None:
        con.execute(_FIGURES, figures)
        con.execute(_OLD, (count[0], count[0], likenesses))


def _forget(source: str, con: sqlite3.Connection) -> None:
    con.execute("DELETE FROM pulses WHERE source=?", (source,))
