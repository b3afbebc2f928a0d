"""The ledger of valves in `tool.db`: what every output has done since its valve was new, and every valve replaced.

    wear(output, role, service_after, counted, actuations, on_ns, since, by)    one row per output;
                                       `counted` 0 = no output of the tool file any more, `by` who put its valve in
    replaced(seq, at, output, actuations, on_ns, since, who, reason)            the totals of a valve taken out

`since` and `at` are unix seconds, UTC. Rows hold whole totals, never increments, so that a row which is written twice,
or not at all, is put right by the next. What a kill -9 or a power cut loses: the newest second of counts, which the
valve process had not told yet, and up to ten seconds of the time of an output that was energised.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from ald_controller import stamp
from ald_controller.config import Output
from ald_controller.journal import JournalError
from ald_controller.records.writer import Writer
from ald_controller.valves.totals import ENERGISED_IS, Total, Totals, adds, due, nearness
from ald_controller.valves.wire import Wear

SAVE_NS = 10_000_000_000  # an output that only stays energised is not worth a write a second
REPLACED_KEPT = 20  # this many are shown; the file has them all

_TABLES = (
    "CREATE TABLE IF NOT EXISTS wear(output TEXT PRIMARY KEY, role TEXT NOT NULL, service_after INTEGER, "
    "counted INTEGER NOT NULL, actuations INTEGER NOT NULL, on_ns INTEGER NOT NULL, since REAL NOT NULL, "
    "by TEXT NOT NULL)",
    "CREATE TABLE IF NOT EXISTS replaced(seq INTEGER PRIMARY KEY, at REAL NOT NULL, output TEXT NOT NULL, "
    "actuations INTEGER NOT NULL, on_ns INTEGER NOT NULL, since REAL NOT NULL, who TEXT NOT NULL, "
    "reason TEXT NOT NULL)",
)
_KEEP = (
    "INSERT INTO wear VALUES(?,?,?,?,?,?,?,?) ON CONFLICT(output) DO UPDATE SET role=excluded.role, "
    "service_after=excluded.service_after, counted=excluded.counted, actuations=excluded.actuations, "
    "on_ns=excluded.on_ns, since=excluded.since, by=excluded.by"
)
_REPLACE = "INSERT INTO replaced(at, output, actuations, on_ns, since, who, reason) VALUES(?,?,?,?,?,?,?)"


@dataclass(frozen=True, slots=True)
class Line:
    """One output in the ledger; `counted` is False for a name that the tool file does not have any more."""

    name: str
    role: str
    service_after: int | None
    total: Total
    counted: bool = True

    def row(self) -> tuple[object, ...]:
        t = self.total
        return self.name, self.role, self.service_after, int(self.counted), t.actuations, t.on_ns, t.since, t.by

    def shown(self) -> dict[str, Any]:
        """JSON-able; `share` is that of the service interval, `warning` is "" while service is far."""
        total, limit = self.total, self.service_after
        return {
            "name": self.name, "role": self.role, "actuations": total.actuations,
            "energised_is": ENERGISED_IS[self.role], "energised_s": round(total.on_ns / 1e9, 3),
            "service_after": limit, "share": round(total.actuations / limit, 6) if limit else None,
            "since": stamp.iso(total.since), "replaced_by": total.by,
            "warning": due(self.name, total.actuations, limit),
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class Replaced:
    """A valve that was taken out at `at`, unix seconds, with what it had done until then."""

    at: float
    name: str
    actuations: int
    on_ns: int
    since: float
    who: str
    reason: str

    def row(self) -> tuple[object, ...]:
        return self.at, self.name, self.actuations, self.on_ns, self.since, self.who, self.reason

    def shown(self) -> dict[str, Any]:
        return {
            "name": self.name, "at": stamp.iso(self.at), "actuations": self.actuations,
            "energised_s": round(self.on_ns / 1e9, 3), "since": stamp.iso(self.since), "who": self.who,
            "reason": self.reason,
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class Book:
    """What the file holds: every output that was ever counted, and the newest valves taken out, newest first."""

    lines: tuple[Line, ...] = ()
    replaced: tuple[Replaced, ...] = ()

    def shown(self) -> dict[str, Any]:
        """JSON-able, as `ald valves --json` prints it."""
        return {
            "valves": [line.shown() for line in self.lines if line.counted],
            "gone": [line.shown() for line in self.lines if not line.counted],
            "replaced": [each.shown() for each in self.replaced],
        }


@dataclass(frozen=True, slots=True)
class Due:
    """A valve that is near its service (1) or past it (2), known since `since`, unix seconds."""

    text: str
    near: int
    since: float


class Ledger:
    """The totals of one tool, live; made by `open` on the writer of its `tool.db`. Calls return at once.

    `told` are sentences about outputs that are new, or gone, since the last start.
    """

    def __init__(self, writer: Writer, book: Book, outputs: Mapping[str, Output], now: Callable[[], float]) -> None:
        self._writer, self._now = writer, now
        self._past, at = book.replaced, now()
        counted = {name: output for name, output in outputs.items() if output.role in ENERGISED_IS}
        known = {line.name: line for line in book.lines}
        self._gone = tuple(replace(line, counted=False) for line in book.lines if line.name not in counted)
        self._limits = {name: (output.role, output.service_after) for name, output in counted.items()}
        self._totals = Totals(
            {output.coil: name for name, output in counted.items()},
            {name: known[name].total if name in known else Total(at) for name in counted},
        )
        self._saved_ns = 0
        self._saved = dict(self._totals.of)
        self._due: dict[str, Due] = {}
        self.told = tuple(_told(book, counted))
        self._put([*self._gone, *map(self._line, counted)])

    @classmethod
    async def open(
        cls, writer: Writer, outputs: Mapping[str, Output], now_s: float, now: Callable[[], float] = stamp.utc_now
    ) -> Ledger:
        """The ledger for the outputs of a tool file, at `now_s` of the loop's clock; raises JournalError.

        `now` gives unix seconds.
        """
        found: dict[str, Book] = {}

        def load(con: sqlite3.Connection) -> None:
            for table in _TABLES:
                con.execute(table)
            found["book"] = _book(con)

        writer.put(load)
        await writer.settle()
        if "book" not in found:
            raise JournalError("tool.db: its ledger of valves cannot be read; move the file away to begin a new one")
        ledger = cls(writer, found["book"], outputs, now)
        ledger._look(now_s)
        return ledger

    # --- what the valve process says -------------------------------------------------------------------------------

    def hear(self, wear: Wear) -> list[str]:
        """Take the newest counts; sentences about valves that have just come near their service, or to it."""
        before, self._totals = self._totals.of, self._totals.heard(wear)
        moved = any(total.actuations != before[name].actuations for name, total in self._totals.of.items())
        if moved or wear.at_ns - self._saved_ns >= SAVE_NS:
            self._saved_ns = wear.at_ns
            self.save()
        return self._look(wear.at_ns / 1e9)

    def save(self) -> None:
        """Have everything that changed written soon; while the disk refuses, it waits here and not in the queue."""
        changed = [name for name, total in self._totals.of.items() if total != self._saved[name]]
        if changed and not self._writer.failed:
            self._saved = dict(self._totals.of)
            self._put([self._line(name) for name in changed])

    # --- what people ask -------------------------------------------------------------------------------------------

    @property
    def actuations(self) -> dict[str, int]:
        """By output, as of now."""
        return {name: total.actuations for name, total in self._totals.of.items()}

    def since(self, before: Mapping[str, int]) -> dict[str, int]:
        """How often each output has moved since `actuations` were `before`; only those that have."""
        return {name: n - before[name] for name, n in self.actuations.items() if n > before[name]}

    @property
    def due(self) -> list[Due]:
        """Every valve that is near its service or past it, the worst first."""
        return sorted(self._due.values(), key=lambda each: -each.near)

    def adds(self, added: Mapping[str, int]) -> list[str]:
        """What a person should know before a run that moves these outputs so often."""
        told = (adds(n, added.get(n, 0), total.actuations, self._limits[n][1]) for n, total in self._totals.of.items())
        return [text for text in told if text]

    def book(self) -> Book:
        """Everything, as of now."""
        return Book((*map(self._line, self._totals.of), *self._gone), self._past)

    async def replaced(self, name: str, by: str, who: str, reason: str) -> Replaced:
        """A new valve at output `name`, which counts from zero; durable when it returns, with the old totals.

        Raises KeyError for an output that is not counted, and JournalError: what the disk refused is written later.
        """
        old, at = self._totals.of[name], self._now()
        taken = Replaced(at, name, old.actuations, old.on_ns, old.since, who, reason)
        self._totals = self._totals.replaced(name, at, by)
        self._past = (taken, *self._past)[:REPLACED_KEPT]
        self._due.pop(name, None)
        self._writer.put(partial(_replace, taken.row(), self._line(name).row()))
        await self._writer.settle()
        return taken

    # --- inside ----------------------------------------------------------------------------------------------------

    def _line(self, name: str) -> Line:
        role, limit = self._limits[name]
        return Line(name, role, limit, self._totals.of[name])

    def _put(self, lines: Iterable[Line]) -> None:
        self._writer.put(partial(_keep, [line.row() for line in lines]))
        self._writer.hurry()

    def _look(self, at_s: float) -> list[str]:
        """What has come nearer to its service since the last look, as sentences."""
        news = []
        for name, total in self._totals.of.items():
            limit = self._limits[name][1]
            near, before = nearness(total.actuations, limit), self._due.get(name)
            if not near:
                continue
            text = due(name, total.actuations, limit)
            if before is None or before.near < near:
                news.append(text)
                self._due[name] = Due(text, near, self._now())
            else:
                self._due[name] = replace(before, text=text)
        return news


def read_ledger(path: Path) -> Book:
    """The ledger in a tool file that nobody need have open; raises sqlite3.Error."""
    with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=2.0)) as con:
        return _book(con)


def _book(con: sqlite3.Connection) -> Book:
    lines = con.execute(
        "SELECT output, role, service_after, counted, since, actuations, on_ns, by FROM wear ORDER BY rowid"
    ).fetchall()
    past = con.execute(
        "SELECT at, output, actuations, on_ns, since, who, reason FROM replaced ORDER BY seq DESC LIMIT ?",
        (REPLACED_KEPT,),
    ).fetchall()
    return Book(
        tuple(Line(name, role, limit, Total(*total), bool(counted)) for name, role, limit, counted, *total in lines),
        tuple(Replaced(*row) for row in past),
    )


def _told(book: Book, counted: Mapping[str, Output]) -> Iterable[str]:
    """Names that came or went, which is how a renamed output shows: it begins anew."""
    if not book.lines:
        return
    known = {line.name for line in book.lines}
    for name in [name for name in counted if name not in known]:
        yield f"valves: '{name}' counts from zero, as the ledger does not know this output"
    for line in book.lines:
        if line.counted and line.name not in counted:
            kept = f"its {line.total.actuations:,} actuations are kept"
            yield f"valves: '{line.name}' is no output of the tool file any more; {kept}"


def _keep(rows: list[tuple[object, ...]], con: sqlite3.Connection) -> None:
    con.executemany(_KEEP, rows)


def _replace(taken: tuple[object, ...], row: tuple[object, ...], con: sqlite3.Connection) -> None:
    """Both or neither: they share the transaction."""
    con.execute(_REPLACE, taken)
    con.execute(_KEEP, row)
