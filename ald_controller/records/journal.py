"""The journal of one run: what was about to happen, what happened when, and every reading.

`journal.db` (SQLite; WAL while it is written, one plain file afterwards). Times are loop seconds, edges nanoseconds of
the same clock; `run.json` holds the anchor to UTC.

    events(seq, at_s, kind, fields)      `fields` is JSON
    intents(seq, at_s, half, cycle, part, label, doses)   on the disk before its segment is loaded; `doses` is JSON.
                                         `seq` counts events and intents together from 1: a gap is a lost record
    edges(half, idx, cycle, word, due_ns, sent_ns, confirmed_ns, energised, released, precursor)
    readings(channel, start_s, n, block) one block per channel and minute, see `blocks`
    tail(channel, start_s, n, t, v, q)   the minute that is still open, raw, in pieces of five seconds

What a kill -9 or a power cut loses: no intent that was answered; edges and events of the last quarter of a second;
readings of the last five seconds.
"""

from __future__ import annotations

import asyncio
import dataclasses
import json
import sqlite3
import typing
from collections import defaultdict
from collections.abc import Callable, Mapping
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import IO

from ald_controller.interlocks import Sample
from ald_controller.journal import JournalError
from ald_controller.plan import Dose, Plan
from ald_controller.records import folder as folders
from ald_controller.records.blocks import pack, raw
from ald_controller.records.folder import Extension, Papers, RunHeader
from ald_controller.records.writer import LIMIT, Writer, connect
from ald_controller.states import Ending
from ald_controller.valves.wire import Edge, SegmentId

__all__ = ["JournalError", "RunJournal", "seal"]

BLOCK_S = 60.0
TAIL_S = 5.0
ENDINGS: tuple[str, ...] = typing.get_args(Ending)

SCHEMA = """
CREATE TABLE IF NOT EXISTS events(seq INTEGER PRIMARY KEY, at_s REAL NOT NULL, kind TEXT NOT NULL,
  fields TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS intents(seq INTEGER PRIMARY KEY, at_s REAL NOT NULL, half INTEGER NOT NULL,
  cycle INTEGER NOT NULL, part TEXT NOT NULL, label TEXT NOT NULL, doses TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS edges(half INTEGER NOT NULL, idx INTEGER NOT NULL, cycle INTEGER NOT NULL,
  word INTEGER NOT NULL, due_ns INTEGER NOT NULL, sent_ns INTEGER NOT NULL, confirmed_ns INTEGER NOT NULL,
  energised TEXT NOT NULL, released TEXT NOT NULL, precursor TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS edges_by_half ON edges(half, idx);
CREATE TABLE IF NOT EXISTS readings(channel TEXT NOT NULL, start_s REAL NOT NULL, n INTEGER NOT NULL,
  block BLOB NOT NULL);
CREATE INDEX IF NOT EXISTS readings_by_channel ON readings(channel, start_s);
CREATE TABLE IF NOT EXISTS tail(channel TEXT NOT NULL, start_s REAL NOT NULL, n INTEGER NOT NULL,
  t BLOB NOT NULL, v BLOB NOT NULL, q BLOB NOT NULL);
"""


class RunJournal:
    """Writes one run folder: `create`, … `close`. Every call but `intent` and `close` returns at once."""

    def __init__(self, folder: Path, header: RunHeader, writer: Writer, clock: Callable[[], float]) -> None:
        self.folder, self.run = folder, header.run
        self._header, self._writer, self._clock = header, writer, clock
        self._seq = self._told_lost = 0
        self._word, self._half = 0, -1
        self._sources = sum(lane.mask for lane in header.valves if lane.role != "stop")
        self._names: dict[int, tuple[str, str]] = {}
        self._kept: defaultdict[str, list[Sample]] = defaultdict(list)  # by channel, since the last hand-over
        self._block_s = header.start_s + BLOCK_S
        self._next_s = self._block_s if writer.inline else header.start_s + TAIL_S

    @classmethod
    async def create(
        cls,
        root: Path,
        *,
        header: RunHeader,
        papers: Papers,
        inline: bool,
        clock: Callable[[], float] | None = None,
        limit: int = LIMIT,
    ) -> RunJournal:
        """A new run folder below `root`, on the disk with its papers; `clock` is the running loop's unless given.

        `inline` writes in the caller, without a thread and without waiting for the disk: for virtual time.
        Raises OSError or JournalError when the folder cannot be made.
        """
        birth = _Birth(root, header, papers, inline)
        writer = Writer(f"runs/{header.recipe}", birth.open, birth.close, inline=inline, limit=limit)
        try:
            await writer.start()
        except sqlite3.Error as error:
            raise JournalError(f"{birth.folder}: {error}") from error
        return cls(birth.folder, birth.header, writer, clock or asyncio.get_running_loop().time)

    @property
    def failed(self) -> str | None:
        """What keeps the journal from writing, as a sentence (row K8); None while all is well."""
        return self._writer.failed

    @property
    def lost(self) -> int:
        """Records that will never be on the disk; the journal says so itself as soon as it can."""
        return self._writer.lost

    async def intent(self, id: SegmentId, label: str, doses: tuple[Dose, ...], cycle: int, part: str) -> None:
        """Return when the disk holds what segment `id` is about to do; raises JournalError."""
        row = (
            self._next_seq(),
            self._clock(),
            id.half,
            cycle,
            part,
            label,
            _json([dataclasses.asdict(d) for d in doses]),
        )
        self._writer.put(partial(_insert, "INSERT INTO intents VALUES(?,?,?,?,?,?,?)", row))
        await self._writer.settle()

    def edge(self, edge: Edge) -> None:
        """One edge as the engine reported it, with the names of the valves that it moved."""
        before = self._word if edge.id.half == self._half else self._word & ~self._sources
        self._word, self._half = edge.word, edge.id.half
        energised, precursor = self._named(edge.word & ~before)
        released, precursor_off = self._named(before & ~edge.word)
        row = (
            edge.id.half, edge.index, edge.id.cycle, edge.word, edge.due_ns, edge.sent_ns, edge.confirmed_ns,
            energised, released, precursor or precursor_off,
        )  # fmt: skip
        self._writer.put(partial(_insert, "INSERT INTO edges VALUES(?,?,?,?,?,?,?,?,?,?)", row))

    def event(self, kind: str, **fields: object) -> None:
        """Anything that happened, now; fields become JSON, what JSON has no word for becomes text."""
        now = self._clock()
        if self._writer.lost > self._told_lost and not self._writer.failed:
            self._told_lost = self._writer.lost
            self._event(now, "records lost", {"number": self._told_lost})
        self._event(now, kind, fields)
        if now >= self._next_s:
            self._roll(now)

    def readings(self, taken: Mapping[str, Sample]) -> None:
        """One value for each of these channels, in the channel's unit."""
        for channel, sample in taken.items():
            self._kept[channel].append(sample)
            if sample.at_s >= self._next_s:
                self._roll(sample.at_s)

    async def decided(self, kind: str, **fields: object) -> None:
        """Something that is about to take effect: an event that the disk holds on return; raises JournalError."""
        self.event(kind, **fields)
        await self._writer.settle()

    def extended(self, told: Extension, plan: Plan) -> None:
        """From now on the header has the figures of a plan with more turns; on the disk before any later intent."""
        self._header = dataclasses.replace(
            self._header, extensions=(*self._header.extensions, told), cycles=plan.cycles, doses=plan.doses,
            duration_s=plan.duration_s, thickness_nm=plan.thickness_nm,
        )  # fmt: skip
        header = self._header
        self._writer.put(lambda _: folders.write_header(self.folder, header))

    @property
    def now_s(self) -> float:
        """Loop seconds, as its events have them."""
        return self._clock()

    async def close(self, ending: str, summary: dict[str, object]) -> None:
        """Everything to the disk, `ending` and `summary` into run.json; raises JournalError, ValueError."""
        if ending not in ENDINGS:
            raise ValueError(f"'{ending}' is no ending of a run: it is one of {', '.join(ENDINGS)}")
        end_s = self._clock()
        self.event("ended", ending=ending)
        self._hand_over()
        self._writer.put(_compact)
        kept = json.loads(_json(summary))
        done = dataclasses.replace(
            self._header, ending=typing.cast(Ending, ending), end_s=end_s, summary=kept | {"records_lost": self.lost}
        )
        try:
            await self._writer.settle()
            self._writer.put(lambda _: folders.write_header(self.folder, done))
        finally:
            await self._writer.close()

    def _next_seq(self) -> int:
        self._seq += 1
        return self._seq

    def _event(self, now: float, kind: str, fields: dict[str, object]) -> None:
        row = (self._next_seq(), now, kind, _json(fields))
        self._writer.put(partial(_insert, "INSERT INTO events VALUES(?,?,?,?)", row))
        self._writer.hurry()

    def _named(self, mask: int) -> tuple[str, str]:
        """The valves in `mask`, and the precursors behind them."""
        if mask not in self._names:
            valves = [lane.name for lane in self._header.valves if lane.mask & mask]
            precursors = [self._header.rack[v] for v in valves if v in self._header.rack]
            self._names[mask] = ", ".join(valves), ", ".join(precursors)
        return self._names[mask]

    def _roll(self, now: float) -> None:
        """Hand the readings over; close the minute when it is full. One swap of a dictionary, however many channels."""
        self._hand_over()
        if now >= self._block_s:
            self._writer.put(_compact)
            self._block_s = now + BLOCK_S
        self._next_s = self._block_s if self._writer.inline else min(now + TAIL_S, self._block_s)

    def _hand_over(self) -> None:
        if self._kept:
            self._writer.put(partial(_append_tail, self._kept))
            self._kept = defaultdict(list)


def seal(folder: Path, done: RunHeader) -> None:
    """End the record of a run whose writer has died as `done` says it; one plain file, and nothing is taken away.

    Raises JournalError when the disk refuses: the folder is then still one that was left open.
    """
    mark = folders.claim(folder)
    try:
        with closing(connect(folder / folders.JOURNAL, SCHEMA, simulated=False)) as con:
            con.execute("BEGIN IMMEDIATE")
            _compact(con)
            if con.execute("SELECT 1 FROM events WHERE kind = 'ended'").fetchone() is None:
                rows = "SELECT max(seq) FROM (SELECT seq FROM events UNION SELECT seq FROM intents)"
                row = ((con.execute(rows).fetchone()[0] or 0) + 1, done.end_s, "ended", _json({"ending": done.ending}))
                _insert("INSERT INTO events VALUES(?,?,?,?)", row, con)
            con.execute("COMMIT")
            _one_file(con)
        folders.write_header(folder, done)
    except (sqlite3.Error, OSError) as error:
        mark.close()
        raise JournalError(f"{folder}: {error}") from error
    folders.release(folder, mark)


class _Birth:
    """Makes the folder and its database where the writer runs, so that the loop never waits for the disk."""

    def __init__(self, root: Path, header: RunHeader, papers: Papers, simulated_time: bool) -> None:
        self._root, self._papers, self._simulated_time = root, papers, simulated_time
        self.header = header
        self.folder = root
        self._mark: IO[bytes] | None = None

    def open(self) -> sqlite3.Connection:
        self.folder, self.header = folders.make_folder(self._root, self.header, self._papers)
        self._mark = folders.claim(self.folder)
        try:
            return self._connect()
        except sqlite3.Error:
            folders.release(self.folder, self._mark)
            raise

    def _connect(self) -> sqlite3.Connection:
        return connect(self.folder / folders.JOURNAL, SCHEMA, simulated=self._simulated_time)

    def close(self, con: sqlite3.Connection) -> None:
        try:
            _one_file(con)
        finally:
            con.close()
            if self._mark is not None:
                folders.release(self.folder, self._mark)


def _one_file(con: sqlite3.Connection) -> None:
    """One plain file in the end, for read-only media; while somebody reads it, it stays in WAL."""
    try:
        con.execute("PRAGMA journal_mode=DELETE")
    except sqlite3.OperationalError as error:
        if "locked" not in str(error):
            raise


def _json(value: object) -> str:
    return json.dumps(value, default=_plain, ensure_ascii=False, separators=(",", ":"))


def _plain(value: object) -> object:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return dataclasses.asdict(value)
    return str(value)


def _insert(sql: str, row: tuple[object, ...], con: sqlite3.Connection) -> None:
    con.execute(sql, row)


def _append_tail(kept: Mapping[str, list[Sample]], con: sqlite3.Connection) -> None:
    rows = ((channel, samples[0].at_s, len(samples), *raw(samples)) for channel, samples in kept.items())
    con.executemany("INSERT INTO tail VALUES(?,?,?,?,?,?)", rows)


def _compact(con: sqlite3.Connection) -> None:
    """The open minute becomes one block per channel."""
    minutes: dict[str, tuple[float, list[bytes], list[bytes], list[bytes]]] = {}
    for channel, start_s, *piece in con.execute("SELECT channel, start_s, t, v, q FROM tail ORDER BY rowid"):
        _, *lists = minutes.setdefault(channel, (start_s, [], [], []))
        for parts, part in zip(lists, piece, strict=True):
            parts.append(part)
    for channel, (start_s, *lists) in minutes.items():
        times, values, quality = (b"".join(parts) for parts in lists)
        row = (channel, start_s, len(quality), pack(times, values, quality))
        con.execute("INSERT INTO readings VALUES(?,?,?,?)", row)
    con.execute("DELETE FROM tail")
