"""What a row of the hazard matrix has to show in a scenario, and the table of what was shown.

`shown` breaks one thing on the simulated reactor and measures: which row is first-out, with what reaction, how long it
took from the cause to the command of the final element, that it latches, and that nobody may bypass it. `in_record`
adds that the record of the run has it. `tests/run/conftest.py` prints the table and fails when a row is left out.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import pytest

from ald_controller import interlocks as il
from ald_controller.records.record import RunRecord
from tests.run.rig import Rig

SCAN_S = 0.1  # the guard's period: what a scenario cannot resolve
SHOWN: dict[str, Shown] = {}


@dataclass(frozen=True, slots=True)
class Shown:
    """One row as it acted; times in s of simulated time. `target_s` None = the matrix sets no clock."""

    row: str
    reaction: il.Reaction
    measured_s: float | None
    target_s: float | None
    how: str

    @property
    def time(self) -> str:
        """The measured time for people."""
        return "-" if self.measured_s is None else f"{self.measured_s:.2f} s"

    @property
    def plain(self) -> tuple[str, str, float | None, float | None, str]:
        """As one process tells it to another; `heard` takes it there."""
        return self.row, self.reaction.name, self.measured_s, self.target_s, self.how

    def __str__(self) -> str:
        target = "-" if self.target_s is None else f"{self.target_s:g} s"
        return f"{self.row:<4} {self.reaction.name:<14} {self.time:>8} {target:>8}  {self.how}"


async def shown(
    rig: Rig,
    row: str,
    reaction: il.Reaction,
    how: str,
    break_it: Callable[[], object],
    acted: Callable[[], object],
    *,
    persist_s: float = 0.0,
    within_s: float | None = None,
) -> Shown:
    """Break one thing and wait until the final element was commanded; the row is then first-out and latched.

    `persist_s` is how long the matrix wants the cause to last before it counts: the target begins after it.
    """
    target_s = il.MATRIX[row].target_s
    patience_s = within_s if within_s is not None else (target_s or 5.0) + persist_s + 5.0
    break_it()
    waited_s = await rig.until(acted, patience_s, 0.005)
    await rig.until(lambda: rig.first_out, 1.0, 0.005)
    first = rig.console.guard.state.first_out
    assert first is not None and first.cause.row == row, f"first-out is {first and first.cause}; {rig.picture()}"
    assert first.cause.reaction is reaction, first.cause
    assert rig.latched and first.samples, "a first-out keeps what was known"
    measured_s = max(waited_s - persist_s, 0.0)
    if target_s is not None:
        assert measured_s <= target_s + SCAN_S, f"{row} took {measured_s:.2f} s beyond its persistence"
    cannot_be_bypassed(rig, row)
    return _kept(Shown(row, reaction, measured_s, target_s, how))


async def told(
    rig: Rig, row: str, reaction: il.Reaction, how: str, break_it: Callable[[], object], *, within_s: float
) -> Shown:
    """A row that warns or blocks: it is live with this reaction and nothing latches."""
    break_it()

    def live() -> bool:
        return any(c.row == row and c.reaction is reaction for c in rig.console.guard.state.active)

    waited_s = await rig.until(live, within_s, 0.02)
    assert not rig.console.guard.state.latched, rig.picture()
    return _kept(Shown(row, reaction, waited_s, il.MATRIX[row].target_s, how))


def elsewhere(row: str, how: str, reaction: il.Reaction = il.Reaction.NONE) -> Shown:
    """A row that is shown by another assertion of the calling test: a refusal at a door, a level that is not a trip."""
    return _kept(Shown(row, reaction, None, il.MATRIX[row].target_s, how))


def cannot_be_bypassed(rig: Rig, row: str) -> None:
    """Even an owner without lithium and pyrophorics, with a reason, is refused for a row that has no override."""
    guard = rig.console.guard
    safe = replace(guard.facts, lithium=False, pyrophoric=False)
    asked = il.Bypass(row, "Ann", "a test", rig.now_s, rig.now_s + 60)
    if il.MATRIX[row].override:
        with pytest.raises(il.BypassRefused, match="lithium"):
            il.bypass(guard.state, asked, replace(safe, lithium=True), "owner")
        return
    with pytest.raises(il.BypassRefused, match="never be bypassed"):
        il.bypass(guard.state, asked, safe, "owner")


def in_record(record: RunRecord, row: str) -> None:
    """The run's record names the trip, with its reaction."""
    trips = [e.fields for e in record.events("trip")]
    assert row in [t["row"] for t in trips], trips
    assert all(t["text"] and t["reaction"] for t in trips)


def _kept(one: Shown) -> Shown:
    """The slowest of a row's scenarios stands in the table."""
    before = SHOWN.get(one.row)
    if before is None or (one.measured_s or 0.0) >= (before.measured_s or 0.0):
        SHOWN[one.row] = one
    return one


def heard(row: str, reaction: str, measured_s: float | None, target_s: float | None, how: str) -> None:
    """A row as another process has shown it."""
    _kept(Shown(row, il.Reaction[reaction], measured_s, target_s, how))


def missing() -> list[str]:
    """Rows that the software evaluates or enforces and that no scenario has shown."""
    return [h.id for h in il.MATRIX.values() if h.guard is not il.Guard.HARDWARE and h.id not in SHOWN]
