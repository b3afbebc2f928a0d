"""Every command is kept with its answer, and asked again gets the same answer and no second act."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from ald_controller.commands import Abort, GetStatus, Principal, Reply, Start
from ald_controller.records.audit import KEEP_S, Audit, read_audit

MARA = Principal(name="mara", role="operator", door="mqtt")
TOM = Principal(name="tom", role="operator", door="mqtt")
STARTED = Reply(ok=True, code="started", text="Run 17 has started.", data={"run": "r-17"})
START = Start(name="lialo", parameters={"cycles": "60"})


class Wall:
    now = 1_900_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture(params=[True, False], ids=["inline", "thread"])
def inline(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


async def test_the_same_id_gets_the_stored_answer_also_after_a_restart(tmp_path: Path, inline: bool) -> None:
    wall = Wall()
    audit = await Audit.open(tmp_path / "tool.db", inline=inline, now=wall)
    assert audit.answer_to(MARA, "a1", START) is None
    audit.command(MARA, "a1", START, STARTED)
    assert audit.answer_to(MARA, "a1", START) == STARTED
    await audit.close()
    again = await Audit.open(tmp_path / "tool.db", inline=inline, now=wall)
    assert again.answer_to(MARA, "a1", START) == STARTED
    await again.close()


async def test_an_id_is_its_senders_own(tmp_path: Path) -> None:
    audit = await Audit.open(tmp_path / "tool.db", inline=True, now=Wall())
    audit.command(MARA, "a1", START, STARTED)
    assert audit.answer_to(TOM, "a1", START) is None
    await audit.close()


async def test_an_id_with_another_request_is_refused(tmp_path: Path) -> None:
    audit = await Audit.open(tmp_path / "tool.db", inline=True, now=Wall())
    audit.command(MARA, "a1", START, STARTED)
    reply = audit.answer_to(MARA, "a1", Abort())
    assert reply is not None and not reply.ok and reply.code == "id-used"
    await audit.close()


async def test_an_answer_is_forgotten_after_a_day(tmp_path: Path) -> None:
    wall = Wall()
    audit = await Audit.open(tmp_path / "tool.db", inline=True, now=wall)
    audit.command(MARA, "a1", START, STARTED)
    wall.now += KEEP_S + 1
    assert audit.answer_to(MARA, "a1", START) is None
    audit.command(MARA, "a2", GetStatus(), STARTED)
    assert len(audit._answers) == 1
    await audit.close()
    again = await Audit.open(tmp_path / "tool.db", inline=True, now=wall)
    assert again.answer_to(MARA, "a1", START) is None
    await again.close()


async def test_the_audit_names_who_asked_what_and_what_was_said(tmp_path: Path, inline: bool) -> None:
    audit = await Audit.open(tmp_path / "tool.db", inline=inline, now=Wall())
    audit.command(MARA, None, START, STARTED)
    audit.command(TOM, "x", Abort(why="smell"), Reply(ok=False, code="not-running", text="Nothing runs."))
    await audit.settle()
    rows = read_audit(tmp_path / "tool.db")
    assert [(r.who, r.verb, r.code) for r in rows] == [("tom", "abort", "not-running"), ("mara", "start", "started")]
    assert rows[1].request["parameters"] == {"cycles": "60"}
    await audit.close()


async def test_a_change_of_a_register_keeps_old_and_new(tmp_path: Path) -> None:
    audit = await Audit.open(tmp_path / "tool.db", inline=True, now=Wall())
    audit.register("load", None, {"substrate": "lithium foil"}, "mara")
    audit.register("load", {"substrate": "lithium foil"}, None, "tom")
    await audit.close()
    con = sqlite3.connect(tmp_path / "tool.db")
    rows = con.execute("SELECT name, old, new, who FROM registers ORDER BY seq").fetchall()
    con.close()
    assert rows == [
        ("load", None, '{"substrate": "lithium foil"}', "mara"),
        ("load", '{"substrate": "lithium foil"}', "null", "tom"),
    ]
    assert audit.failed is None
