"""What a screen shows: the tool's state as one frozen Status, made from the live objects without touching them."""

from __future__ import annotations

import asyncio
import math
from dataclasses import asdict
from typing import Literal, Protocol

from ald_controller import commands as c
from ald_controller import safing as sf
from ald_controller import stamp
from ald_controller.feeds.clearing import ClearingWatch
from ald_controller.gatedesk import GateDesk
from ald_controller.guard import Guard
from ald_controller.interlocks import Sample
from ald_controller.proof.tester import ProofTester
from ald_controller.records.ledger import Ledger
from ald_controller.states import ProcessState
from ald_controller.tool import Tool
from ald_controller.valves.timing import Timing

_UNITS = {
    "sccm": "sccm", "pa": "Pa", "torr": "Torr", "mbar": "mbar", "c": "°C", "ppm": "ppm", "percent": "%",
}  # fmt: skip


_OWN = ("valves.", "machine.", "link.")  # what the rows of control read of this computer: alarms tell of it


class Shown(Protocol):
    """What a status is made from: the console, as far as a screen needs it."""

    tool: Tool
    guard: Guard
    ledger: Ledger
    clearing: ClearingWatch
    gate: GateDesk
    proof: ProofTester
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
        s: value_of(s, sample, now_s) for s, sample in tool.samples.items() if not s.startswith(_OWN)
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
        alarms=[*_alarms(guard), *_notes(guard), *_service(console.ledger)],
        safing=_safing(guard.safing, now_s), proof_test=console.proof.told,
        alarms_per_10_min=guard.annunciator.rate(now_s), bypasses=_bypasses(guard),
        not_guarded=list(guard.rules.not_guarded), cleared=console.clearing.state.cleared,
        not_cleared_because=list(console.clearing.state.missing), gate=console.gate.lock_told,
        box=console.gate.box_told,
    )  # fmt: skip


def _alarms(guard: Guard) -> list[c.Alarm]:
    return [
        c.Alarm(
            id=a.id, row=a.row, reaction=a.reaction.name, priority=a.priority, state=a.stage.value, text=a.text,
            cause=a.cause, consequence=a.consequence, action=a.action, since=round(a.since, 3), live=a.live,
            latched=a.latched, first_out=a.first_out, suppressed_by=a.suppressed_by, acknowledged_by=a.acknowledged_by,
        )
        for a in guard.annunciator.shown()
    ]  # fmt: skip


def _notes(guard: Guard) -> list[c.Alarm]:
    """What no rule covers: the newest notes; acknowledging one takes all of them away."""
    return [
        c.Alarm(id="note", row="note", reaction="WARN", priority="low", text=note.text, cause=note.text,
                since=round(note.since, 3), live=False, latched=False)
        for note in guard.notes
    ]  # fmt: skip


def _service(ledger: Ledger) -> list[c.Alarm]:
    """Valves near their service, or past it: for people, and no reason to stop anything."""
    return [
        c.Alarm(id="service", row="service", reaction="WARN", priority="low", text=due.text, cause=due.text,
                since=round(due.since, 3), live=True, latched=False)
        for due in ledger.due
    ]  # fmt: skip


def _bypasses(guard: Guard) -> list[c.BypassStatus]:
    return [
        c.BypassStatus(row=b.row, by=b.by, reason=b.reason, ends=guard.ends.get(b.row, 0.0))
        for b in guard.state.bypasses
    ]  # fmt: skip


def _safing(safing: sf.Safing | None, now_s: float) -> c.SafingStatus | None:
    if safing is None:
        return None
    lines = [c.SafingLine.model_validate(sf.shown(line, safing.began_s)) for line in safing.lines]
    return c.SafingStatus(
        kind=safing.kind, phase=safing.phase, why=safing.why, text=sf.sentence(safing, now_s), lines=lines
    )
