"""What a console and its desks work with: whoever checks and reports, and the two shapes of an answer."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from ald_controller import commands as c
from ald_controller.chemistry import Chemistry
from ald_controller.feeds.clearing import ClearingWatch
from ald_controller.feeds.machine import MachineFeeds
from ald_controller.feeds.pulses import PulseWatch
from ald_controller.guard import Guard
from ald_controller.records.ledger import Ledger
from ald_controller.registers import RegisterFile
from ald_controller.tool import Tool


@dataclass(frozen=True, slots=True)
class CheckRequest:
    """What a check needs besides the tool: the recipe's text and the registers as they are."""

    name: str
    text: str
    parameters: dict[str, str]
    registers: dict[str, Any]
    temperatures_c: dict[str, float]  # zone -> now, for the estimate of time
    more: dict[tuple[int, int], int] = field(default_factory=dict)  # turns added to a run: (line, column) of its repeat


Checker = Callable[[CheckRequest], Awaitable[dict[str, Any]]]  # `ald check --json`, in whatever process
Lister = Callable[[], Awaitable[list[dict[str, Any]]]]  # the rows of `ald runs --json`
Reporter = Callable[[Path], Awaitable[Path | None]]


class Spawn(Protocol):
    """Starts an essential task: its unexpected end is the daemon's."""

    def __call__(self, work: Any, name: str) -> asyncio.Task[None]: ...


class RegisterAudit(Protocol):
    """Keeps every change of a register."""

    def register(self, name: str, old: object, new: object, who: str) -> None: ...


def no(code: str, text: str, **data: Any) -> c.Reply:
    """A refusal: code for scripts, a sentence for people."""
    return c.Reply(ok=False, code=code, text=text, data=data)


def yes(text: str, **data: Any) -> c.Reply:
    return c.Reply(ok=True, code="done", text=text, data=data)


@dataclass(frozen=True, slots=True)
class ConsoleParts:
    """What a console works with; `simulated` is None when nobody knows whether the devices are real."""

    tool: Tool
    guard: Guard
    registers: RegisterFile
    chemistry: Chemistry
    audit: RegisterAudit
    ledger: Ledger
    state_dir: Path
    check: Checker
    report: Reporter
    runs: Lister
    pulses: PulseWatch
    clearing: ClearingWatch
    machine: MachineFeeds
    inline: bool
    simulated: bool | None
