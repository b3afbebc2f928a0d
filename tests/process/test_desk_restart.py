"""The desk over the audit on disk: what was answered before a restart is answered the same after it."""

from __future__ import annotations

import json
from pathlib import Path

from ald_controller.commands import Answer, Principal, Reply, Request
from ald_controller.doors.desk import Desk
from ald_controller.records.audit import Audit, read_audit
from tests.fake_handler import Clock, FakeHandler, make_desk


async def start(desk: Desk) -> Answer:
    command = {"id": "command-0001", "expires": desk.now() + 10, "args": {"name": "r"}}
    return await desk.remote("operator", "start", json.dumps(command).encode(), retained=False)


async def test_a_command_is_not_executed_again_after_a_restart(tmp_path):
    clock, handler = Clock(), FakeHandler()
    answers = []
    for _ in range(2):
        audit = await Audit.open(tmp_path / "tool.db", inline=False, now=clock)
        answers.append(await start(make_desk(handler, clock, audit=audit)))
        await audit.close()
    assert answers[0] == answers[1]
    assert handler.verbs() == ["start"]


async def test_a_command_is_on_disk_before_it_is_executed(tmp_path):
    path: Path = tmp_path / "tool.db"
    found: list[str] = []

    class Looks(FakeHandler):
        async def handle(self, request: Request, who: Principal) -> Reply:
            found.extend(row.code for row in read_audit(path))
            return await super().handle(request, who)

    audit = await Audit.open(path, inline=False, now=(clock := Clock()))
    assert (await start(make_desk(Looks(), clock, audit=audit))).ok
    assert found == ["under-way"]
    await audit.close()
    assert [row.code for row in read_audit(path)] == ["done", "under-way"]
