"""Reading a run folder: finished, interrupted, or being written just now. Read-only."""

from __future__ import annotations

import json
import sqlite3
import zlib
from array import array
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from ald_controller.plan import Dose
from ald_controller.records import folder as folders
from ald_controller.records.blocks import Series, unpack
from ald_controller.records.doses import DoseRow, EdgeRow, Intent, dose_table
from ald_controller.records.folder import RecordError, RunHeader
from ald_controller.states import Ending

_DOSES: TypeAdapter[tuple[Dose, ...]] = TypeAdapter(tuple[Dose, ...])


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened, at loop time `at_s`."""

    seq: int
    at_s: float
    kind: str
    fields: dict[str, Any]


def open_run(folder: Path) -> RunRecord:
    """The record in `folder`; raises RecordError when there is none that can be read."""
    header = folders.read_header(folder)
    return RunRecord(folder, header, folders.ending_of(folder, header))


@dataclass(frozen=True)
class RunRecord:
    """One run, as far as it got. Times are loop seconds; `utc` converts. `ending` is None while the run goes on.

    Every method but `utc` raises RecordError when the journal cannot be read.
    """

    folder: Path
    header: RunHeader
    ending: Ending | None

    @property
    def summary(self) -> dict[str, Any]:
        """What the run said of itself at its end; empty when it had no time to."""
        return self.header.summary

    def utc(self, at_s: float) -> float:
        """Unix seconds of loop time `at_s`."""
        return self.header.anchor.utc(at_s)

    def text(self, name: str) -> str | None:
        """One of the folder's papers (recipe.yaml, tool.yaml, registers.yaml, plan.json), or None where it is gone."""
        path = self.folder / name
        return path.read_text("utf-8") if path.is_file() else None

    @cached_property
    def end_s(self) -> float:
        """Loop seconds of the end; for a run without one, of the last thing that is on record."""
        if self.header.end_s is not None:
            return self.header.end_s
        lasts = [event.at_s for event in self.events()[-1:]] + [edge.sent_ns * 1e-9 for edge in self.edges()[-1:]]
        return max([self.header.start_s, *lasts, *self._last_readings()])

    def events(self, kind: str | None = None) -> list[Event]:
        """Everything that happened, in order; of one kind if asked."""
        return [e for e in self._events if kind in (None, e.kind)]

    def edges(self) -> list[EdgeRow]:
        """Every edge of the valve word, in order."""
        return self._edges

    def intents(self) -> list[Intent]:
        """Every segment that was about to be loaded, in order."""
        rows = self._rows("SELECT seq, at_s, half, cycle, part, label, doses FROM intents ORDER BY seq")
        return [
            Intent(seq, at_s, half, cycle, part, label, _DOSES.validate_json(doses))
            for seq, at_s, half, cycle, part, label, doses in rows
        ]

    def lost_records(self) -> int:
        """Events and intents that have a number and are not there."""
        numbers = self._rows("SELECT count(*), max(seq) FROM (SELECT seq FROM events UNION SELECT seq FROM intents)")
        count, last = numbers[0]
        return int(last or 0) - int(count)

    def channels(self) -> list[str]:
        """The channels with readings, by name."""
        return [c for (c,) in self._rows("SELECT channel FROM readings UNION SELECT channel FROM tail ORDER BY 1")]

    def readings(self, channel: str) -> tuple[array[float], array[float]]:
        """Times (loop seconds) and values (the channel's unit) of one channel; empty when there are none."""
        series = self.series(channel)
        return series.times, series.values

    def series(self, channel: str) -> Series:
        """Times, values and qualities of one channel."""
        times, values, quality = array("d"), array("d"), bytearray()
        for part in self._parts(channel):
            times += part.times
            values += part.values
            quality += part.quality
        return Series(times, values, bytes(quality))

    def doses(self) -> list[DoseRow]:
        """The dose table: every intended dose with what became of it."""
        missed = {(e.fields.get("half", -1), e.fields.get("edge", -1)) for e in self.events("missed")}
        held = {
            e.fields["half"]: e.fields["at_ns"] for e in self.events("held") if {"half", "at_ns"} <= e.fields.keys()
        }
        rises_pa = {
            (e.fields["half"], e.fields["edge"]): e.fields["delta_p_pa"]
            for e in self.events("pulse")
            if {"half", "edge", "delta_p_pa"} <= e.fields.keys()
        }
        filled = frozenset(e.fields["half"] for e in self.events("filled") if e.fields.get("pressure_pa") is not None)
        return dose_table(self.intents(), self.edges(), missed, held, rises_pa, filled)

    def _last_readings(self) -> Iterator[float]:
        """The time of each channel's newest readings, without unpacking what lies before them."""
        for _, n, block in self._rows("SELECT max(start_s), n, block FROM readings GROUP BY channel"):
            yield from unpack(n, block).times[-1:]
        for _, t in self._rows("SELECT max(start_s), t FROM tail GROUP BY channel"):
            yield from array("d", t)[-1:]

    @cached_property
    def _events(self) -> list[Event]:
        rows = self._rows("SELECT seq, at_s, kind, fields FROM events ORDER BY seq")
        return [Event(seq, at_s, kind, json.loads(fields)) for seq, at_s, kind, fields in rows]

    @cached_property
    def _edges(self) -> list[EdgeRow]:
        columns = "half, idx, cycle, word, due_ns, sent_ns, confirmed_ns, energised, released, precursor"
        return [EdgeRow(*row) for row in self._rows(f"SELECT {columns} FROM edges ORDER BY rowid")]

    def _parts(self, channel: str) -> Iterator[Series]:
        sql = "SELECT n, block FROM readings WHERE channel = ? ORDER BY start_s"
        for n, block in self._rows(sql, channel):
            try:
                yield unpack(n, block)
            except (ValueError, zlib.error) as error:
                raise RecordError(f"{self.folder}: a block of {channel} is damaged: {error}") from None
        for t, v, q in self._rows("SELECT t, v, q FROM tail WHERE channel = ? ORDER BY rowid", channel):
            yield Series(array("d", t), array("d", v), q)

    def _rows(self, sql: str, *args: object) -> list[tuple[Any, ...]]:
        path = self.folder / folders.JOURNAL
        if not path.is_file():
            raise RecordError(f"{self.folder}: {folders.JOURNAL} is missing")
        try:
            with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=2.0)) as con:
                return con.execute(sql, args).fetchall()
        except sqlite3.Error as error:
            raise RecordError(f"{path}: cannot be read: {error}") from None
