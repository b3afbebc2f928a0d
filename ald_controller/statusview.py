"""What a screen shows: the tool's state as one frozen Status, made from the live objects without touching them."""

from __future__ import annotations

import asyncio
import math
from dataclasses import asdict
from pathlib import Path
from typing import Literal, Protocol

from ald_controller import commands as c
from ald_controller import stamp
from ald_controller.clearingwatch import ClearingWatch
from ald_controller.guard import Guard
from ald_controller.interlocks import Sample
from ald_controller.records.ledger import Ledger
from ald_controller.sequencer import Run
from ald_controller.states import ProcessState
from ald_controller.tool import Tool
from ald_controller.valves.timing import Timing

_UNITS = {
    "sccm": "sccm", "pa": "Pa", "torr": "Torr", "mbar": "mbar", "c": "°C", "ppm": "ppm", "percent": "%",
}  # fmt: skip


class Shown(Protocol):
    """What a status is made from: the console, as far as a screen needs it."""

    tool: Tool
    guard: Guard
    ledger: Ledger
    clearing: ClearingWatch
    remote: bool
    degraded: bool
    timing: Timing | None
    last: c.RunStatus | None

    @property
    def state(self) -> ProcessState: ...

    def run_status(self) -> c.RunStatus | None: ...


def unit_of(signal: str) -> str:
    """The unit that a channel's name ends in; "" for contacts and counters."""
    return _UNITS.get(signal.rpartition("_")[2], "")


def value_of(signal: str, sample: Sample, now_s: float) -> c.Value:
    """A sample with its unit, quality and age; what is not a number is None."""
    number = sample.value if math.isfinite(sample.value) else None  # JSON has no word for the others
    quality: Literal["good", "uncertain", "bad", "test"] = sample.quality.value
    return c.Value(v=number, u=unit_of(signal), q=quality, age_s=round(max(0.0, now_s - sample.at_s), 3))


def status_of(console: Shown, sequence: int) -> c.Status:
    """Everything now."""
    tool, guard, now_s = console.tool, console.guard, asyncio.get_running_loop().time()
    module = tool.valves.status
    word = module.word if module else 0
    values = {
        s: value_of(s, sample, now_s) for s, sample in tool.samples.items() if not s.startswith("valves.")
    }  # fmt: skip
    zones = {
        name: values[f"{zone.device}.temperature_c"]
        for name, zone in tool.config.zones.items() if f"{zone.device}.temperature_c" in values
    }  # fmt: skip
    return c.Status(
        tool=tool.config.tool, sequence=sequence, time=stamp.utc_now(), state=console.state,
        latched=guard.latched, control="REMOTE" if console.remote else "LOCAL",
        chamber=tool.chamber.state, degraded_timing=console.degraded,
        valve_timing=c.ValveTiming(**asdict(console.timing)) if console.timing else None,
        valves={name: bool(word & o.mask) for name, o in tool.config.valves.outputs.items() if o.role != "alive"},
        values=values, zones=zones, run=console.run_status(), last_run=console.last,
        alarms=[*_alarms(guard, now_s), *_notes(guard, now_s), *_service(console.ledger, now_s)],
        not_guarded=list(guard.rules.not_guarded), cleared=console.clearing.state.cleared,
        not_cleared_because=list(console.clearing.state.missing),
    )  # fmt: skip


def _alarms(guard: Guard, now_s: float) -> list[c.Alarm]:
    return [
        c.Alarm(row=a.row, reaction=a.reaction.name, text=a.text, since_s=round(now_s - a.since_s, 1),
                latched=a.latched, first_out=a.first_out)
        for a in guard.alarms()
    ]  # fmt: skip


def _notes(guard: Guard, now_s: float) -> list[c.Alarm]:
    """What no rule covers: an abort that a person asked for, and the newest notes."""
    told = [("abort", "ABORT_PURGE", guard.told_abort, True)] if guard.told_abort else []
    told += [("note", "WARN", note, False) for note in guard.notes]
    return [
        c.Alarm(row=row, reaction=reaction, text=note.text, since_s=round(now_s - note.at_s, 1), latched=latched,
                first_out=latched and guard.state.first_out is None)
        for row, reaction, note, latched in told
    ]  # fmt: skip


def _service(ledger: Ledger, now_s: float) -> list[c.Alarm]:
    """Valves near their service, or past it: for people, and no reason to stop anything."""
    return [
        # it stands for weeks, and every change is said to the broker: ten seconds are fine enough
        c.Alarm(row="service", reaction="WARN", text=due.text, since_s=(now_s - due.at_s) // 10 * 10, latched=False,
                first_out=False)
        for due in ledger.due
    ]  # fmt: skip


def run_status(run: Run, folder: Path, elapsed_s: float) -> c.RunStatus:
    """Where the run in hand is."""
    p = run.progress
    return c.RunStatus(
        run=run.name, recipe=run.plan.recipe, part=p.part, step=p.step, cycle=p.cycle, cycles=run.plan.cycles,
        elapsed_s=round(elapsed_s, 2), duration_s=run.plan.duration_s, doses_confirmed=p.confirmed,
        doses_planned=p.planned, doses_missed=p.missed, folder=str(folder), why=run.why_paused,
    )  # fmt: skip
