"""The tool's own file `tool.db`: every command with its answer, and every change of a register.

    commands(seq, at, who, role, door, id, verb, request, ok, code, text, reply)
    registers(seq, at, name, old, new, who)

`at` is unix seconds, UTC. A command carries an id of its sender's making; the same id again within 24 hours gets the
stored answer and nothing is done twice, also after a restart. An id that comes back with another request is refused.
"""

from __future__ import annotations

import json
import sqlite3
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from ald_controller import stamp
from ald_controller.commands import Principal, Reply, Request
from ald_controller.records.writer import Writer, connect

KEEP_S = 24 * 3600.0
KEEP_ANSWERS = 50_000  # in memory; freshness refuses a replay long before this many commands have passed

SCHEMA = """
CREATE TABLE IF NOT EXISTS commands(seq INTEGER PRIMARY KEY, at REAL NOT NULL, who TEXT NOT NULL, role TEXT NOT NULL,
  door TEXT NOT NULL, id TEXT, verb TEXT NOT NULL, request TEXT NOT NULL, ok INTEGER NOT NULL, code TEXT NOT NULL,
  text TEXT NOT NULL, reply TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS commands_by_time ON commands(at);
CREATE TABLE IF NOT EXISTS registers(seq INTEGER PRIMARY KEY, at REAL NOT NULL, name TEXT NOT NULL, old TEXT,
  new TEXT NOT NULL, who TEXT NOT NULL);
"""


@dataclass(frozen=True, slots=True)
class Answered:
    """One answered command as it is kept: what was asked, what was said, when (unix seconds)."""

    request: str
    reply: Reply
    at: float


_Answers = OrderedDict[tuple[str, str], Answered]  # (person, id) -> answer, oldest first


@dataclass(frozen=True, slots=True)
class AuditRow:
    """One line of the audit, for people; `at` in unix seconds."""

    seq: int
    at: float
    who: str
    door: str
    verb: str
    request: dict[str, Any]
    code: str
    text: str


class Audit:
    """Writes and answers from `tool.db`; made by `open`. Calls return at once, `settle` waits for the disk."""

    def __init__(
        self, writer: Writer, answers: OrderedDict[tuple[str, str], Answered], now: Callable[[], float]
    ) -> None:
        self._writer, self._answers, self._now = writer, answers, now

    @classmethod
    async def open(cls, path: Path, *, inline: bool, now: Callable[[], float] = stamp.utc_now) -> Audit:
        """The file at `path`, made if it is not there; `now` gives unix seconds. Raises OSError, sqlite3.Error."""
        answers: _Answers = OrderedDict()

        def opener() -> sqlite3.Connection:
            path.parent.mkdir(parents=True, exist_ok=True)
            con = connect(path, SCHEMA, simulated=inline)
            answers.update(_stored(con, now() - KEEP_S))
            return con

        writer = Writer(path.name, opener, inline=inline)
        await writer.start()
        return cls(writer, answers, now)

    @property
    def writer(self) -> Writer:
        """The file's only writer, for what else is kept in it."""
        return self._writer

    @property
    def failed(self) -> str | None:
        """What keeps the file from being written, as a sentence; None while all is well."""
        return self._writer.failed

    def answer_to(self, who: Principal, id: str, request: Request) -> Reply | None:
        """The stored answer to this command of this person; None when the id is new."""
        kept = self._answers.get((_person(who), id))
        if kept is None or kept.at < self._now() - KEEP_S:
            return None
        if kept.request != request.model_dump_json():
            return Reply(ok=False, code="id-used", text="This id was already used for another command; take a new one.")
        return kept.reply

    def command(self, who: Principal, id: str | None, request: Request, reply: Reply) -> None:
        """Keep one command with its answer; with an id, the answer is given again to whoever repeats it."""
        at, asked = self._now(), request.model_dump_json()
        if id is not None:
            self._answers[_person(who), id] = Answered(asked, reply, at)
            self._forget(at)
        row = (
            at, who.name, who.role, who.door, id, request.verb, asked, reply.ok, reply.code, reply.text,
            reply.model_dump_json(),
        )  # fmt: skip
        sql = (
            "INSERT INTO commands(at, who, role, door, id, verb, request, ok, code, text, reply) "
            "VALUES(?,?,?,?,?,?,?,?,?,?,?)"
        )
        self._writer.put(partial(_execute, sql, row))
        self._writer.hurry()

    def register(self, name: str, old: object, new: object, who: str) -> None:
        """Keep one change of a register; values as JSON, `old` None when it was not set before."""
        row = (self._now(), name, None if old is None else _json(old), _json(new), who)
        self._writer.put(partial(_execute, "INSERT INTO registers(at, name, old, new, who) VALUES(?,?,?,?,?)", row))
        self._writer.hurry()

    async def settle(self) -> None:
        """Return when everything kept so far is durable; raises JournalError."""
        await self._writer.settle()

    async def close(self) -> None:
        """Write what waits and close the file; raises JournalError when something stayed unwritten."""
        await self._writer.close()

    def _forget(self, now: float) -> None:
        while len(self._answers) > KEEP_ANSWERS or next(iter(self._answers.values())).at < now - KEEP_S:
            self._answers.popitem(last=False)


def read_audit(path: Path, newest: int = 100) -> list[AuditRow]:
    """The newest commands of a tool file, newest first; raises sqlite3.Error, ValueError."""
    con = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=2.0)
    try:
        rows = con.execute(
            "SELECT seq, at, who, door, verb, request, code, text FROM commands ORDER BY seq DESC LIMIT ?", (newest,)
        ).fetchall()
    finally:
        con.close()
    return [
        AuditRow(seq, at, who, door, verb, json.loads(request), code, text)
        for seq, at, who, door, verb, request, code, text in rows
    ]


def _stored(con: sqlite3.Connection, since: float) -> list[tuple[tuple[str, str], Answered]]:
    rows = con.execute(
        "SELECT door, who, id, request, reply, at FROM commands WHERE id IS NOT NULL AND at >= ? "
        "ORDER BY seq DESC LIMIT ?",
        (since, KEEP_ANSWERS),
    )
    kept = [
        ((f"{door}:{who}", id), Answered(request, Reply.model_validate_json(reply), at))
        for door, who, id, request, reply, at in rows
    ]
    return kept[::-1]


def _person(who: Principal) -> str:
    return f"{who.door}:{who.name}"


def _json(value: object) -> str:
    return json.dumps(value, default=str, ensure_ascii=False)


def _execute(sql: str, row: tuple[object, ...], con: sqlite3.Connection) -> None:
    con.execute(sql, row)
