"""What followed every abort, in `tool.db`: the run's record is closed long before a purge is over.

    safings(seq, at, began, run, kind, why, outcome, lines)

`at` and `began` are unix seconds, UTC; `run` is the run that the abort ended, "" = none; `kind` purge | isolate;
`lines` is a JSON list of {what, after_s, why}, where `after_s` null was not reached.
"""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

from ald_controller import stamp
from ald_controller.records.writer import Writer
from ald_controller.safing import Safing, shown

_TABLE = (
    "CREATE TABLE IF NOT EXISTS safings(seq INTEGER PRIMARY KEY, at REAL NOT NULL, began REAL NOT NULL, "
    "run TEXT NOT NULL, kind TEXT NOT NULL, why TEXT NOT NULL, outcome TEXT NOT NULL, lines TEXT NOT NULL)"
)


class SafingTable:
    """Keeps the outcome of each sequence on the writer of `tool.db`; calls return at once."""

    def __init__(self, writer: Writer) -> None:
        self._writer = writer
        writer.put(_make)

    def keep(self, safing: Safing, outcome: str, now_s: float) -> None:
        """One row; `now_s` on the loop's clock."""
        at = stamp.utc_now()
        lines = json.dumps([shown(line, safing.began_s) for line in safing.lines], ensure_ascii=False)
        row = (at, at - (now_s - safing.began_s), safing.run, safing.kind, safing.why, outcome, lines)
        self._writer.put(partial(_insert, row))
        self._writer.hurry()


def read_safings(path: Path, newest: int = 20) -> list[dict[str, Any]]:
    """The newest outcomes of a tool file, newest first; raises sqlite3.Error, ValueError."""
    with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=2.0)) as con:
        sql = "SELECT at, began, run, kind, why, outcome, lines FROM safings ORDER BY seq DESC LIMIT ?"
        names = ("at", "began", "run", "kind", "why", "outcome")
        return [
            dict(zip(names, row[:-1], strict=True)) | {"lines": json.loads(row[-1])}
            for row in con.execute(sql, (newest,))
        ]


def _make(con: sqlite3.Connection) -> None:
    con.execute(_TABLE)


def _insert(row: tuple[object, ...], con: sqlite3.Connection) -> None:
    con.execute("INSERT INTO safings(at, began, run, kind, why, outcome, lines) VALUES(?,?,?,?,?,?,?)", row)
