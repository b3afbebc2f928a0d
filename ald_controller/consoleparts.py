"""What a console works with: uploaded recipes, whoever checks and reports, and the two shapes of an answer."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from ald_controller import commands as c
from ald_controller.chemistry import Chemistry
from ald_controller.feeds.clearing import ClearingWatch
from ald_controller.feeds.machine import MachineFeeds
from ald_controller.feeds.pulses import PulseWatch
from ald_controller.guard import Guard
from ald_controller.journal import JournalError
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


Checker = Callable[[CheckRequest], Awaitable[dict[str, Any]]]  # `ald check --json`, in whatever process
Lister = Callable[[], Awaitable[list[dict[str, Any]]]]  # the rows of `ald runs --json`
Reporter = Callable[[Path], Awaitable[Path | None]]


class Recipes:
    """Uploaded recipes by name, immutable by content: what runs is a copy that nobody edits."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def put(self, name: str, text: str) -> str:
        """Keep a recipe; returns its SHA-256."""
        digest = hashlib.sha256(text.encode()).hexdigest()
        (self._folder / f"{digest}.yaml").write_text(text, "utf-8")
        (self._folder / f"{name}.name").write_text(digest, "ascii")
        return digest

    def get(self, name: str) -> str | None:
        """The newest text under this name, or None."""
        try:
            digest = (self._folder / f"{name}.name").read_text("ascii")
            return (self._folder / f"{digest}.yaml").read_text("utf-8")
        except FileNotFoundError:
            return None


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


def pulses_anew(pulses: PulseWatch, request: c.PulsesAnew) -> c.Reply:
    """The medians of a source forgotten; its next pulses are recorded only."""
    if request.source not in pulses.sources:
        return no("no-such-source", f"there is no source '{request.source}'; there are: {', '.join(pulses.sources)}")
    pulses.learn_anew(request.source)
    return yes(f"{request.source} learns anew what its pulses usually are; the next {pulses.first} are recorded only")


async def valve_replaced(ledger: Ledger, request: c.ValveReplaced, who: c.Principal, in_use: str) -> c.Reply:
    """A new valve at an output: zero from now on, and the old totals kept.

    Refused for a name that is not counted, and while the tool is `in_use`, which says by what; "" = by nothing.
    """
    known = ledger.actuations
    if request.name not in known:
        return no("no-such-output", f"no output '{request.name}' is counted; there are: {', '.join(known)}")
    if in_use:
        return no("misplaced", f"a valve is replaced while nothing uses the tool; now: {in_use}")
    signed = f"{request.by} ({who.name} at the {who.door} door)"
    text = f"{request.name} counts from zero, signed by {request.by}; {known[request.name]:,} actuations are kept"
    try:
        await ledger.replaced(request.name, request.by, signed, request.reason)
    except JournalError as error:  # it counts from zero in any case, and the disk is tried again
        return yes(f"{text} (not on the disk yet: {error})")
    return yes(text)
