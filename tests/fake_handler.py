"""What the tests of the doors put behind them: a handler that writes down what it was asked, and an audit on a list."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from ald_controller.commands import Principal, Reply, Request, Status, Value
from ald_controller.config import People, ToolConfig, load_tool
from ald_controller.doors.desk import AuditInMemory, Desk

ROOT = Path(__file__).parent.parent


class FakeHandler:
    """Says yes to everything after `delay_s`; a recipe named `broken` breaks it."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, Request]] = []
        self.control = "REMOTE"
        self.sequence = 1
        self.delay_s = 0.0

    async def handle(self, request: Request, who: Principal) -> Reply:
        self.asked.append((who.name, request))
        await asyncio.sleep(self.delay_s)
        if getattr(request, "name", "") == "broken":
            raise RuntimeError("a wire came off")
        return Reply(ok=True, code="done", text=f"{request.verb} for {who.name}", data={"asked": len(self.asked)})

    def status(self) -> Status:
        self.sequence += 1
        return state(self.sequence, self.control)

    def verbs(self) -> list[str]:
        return [request.verb for _, request in self.asked]


def state(sequence: int, control: Any = "REMOTE", pressure: float = 13.3) -> Status:
    return Status(
        tool="reference", sequence=sequence, time=1e9, state="IDLE", latched=False, control=control, chamber="VACUUM",
        degraded_timing=False, valves={"TMA": False},
        values={"pirani.pressure_pa": Value(v=pressure, u="Pa", q="good", age_s=0.1)}, zones={},
        run=None, last_run=None, alarms=[], not_guarded=[],
    )  # fmt: skip


class AuditList(AuditInMemory):
    """An audit that can be looked at: (person, verb, code), oldest first."""

    def __init__(self) -> None:
        super().__init__()
        self.rows: list[tuple[str, str, str]] = []

    def command(self, who: Principal, id: str | None, request: Request, reply: Reply) -> None:
        super().command(who, id, request, reply)
        self.rows.append((who.name, request.verb, reply.code))


class Clock:
    """Unix seconds that pass when the test says so."""

    def __init__(self) -> None:
        self.now_s = 1_000_000.0

    def __call__(self) -> float:
        return self.now_s


def tool_config(**people: People) -> ToolConfig:
    """The reference tool with these people beside its own."""
    config = load_tool(ROOT / "deploy" / "tool.yaml").config
    return config.model_copy(update={"people": {**config.people, **people}})


def make_desk(handler: FakeHandler, clock: Any, config: ToolConfig | None = None, audit: Any = None) -> Desk:
    return Desk(handler, config or tool_config(), audit or AuditList(), clock)
