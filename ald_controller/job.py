"""The run in hand: its task, its journal, and how its record ends."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from ald_controller import commands as c
from ald_controller.aio import uncancellable
from ald_controller.consoleparts import CheckRequest
from ald_controller.journal import JournalError
from ald_controller.plan import Plan
from ald_controller.records.folder import Extension
from ald_controller.records.journal import RunJournal
from ald_controller.sequencer import Run
from ald_controller.states import Ending


@dataclass(slots=True)
class Job:
    """One run from its start until its record is closed."""

    run: Run
    journal: RunJournal
    started_s: float
    moved: dict[str, int]  # actuations by output when it began
    asked: CheckRequest  # its recipe as it was uploaded, and what it was checked with
    more: dict[tuple[int, int], int] = field(default_factory=dict)  # turns added since, by lines and columns of repeats
    task: asyncio.Task[None] | None = None
    ending: Ending | None = None  # known before it is written
    recorded: bool = False

    def status(self, now_s: float) -> c.RunStatus:
        """Where the run is."""
        run, p = self.run, self.run.progress
        return c.RunStatus(
            run=run.name, recipe=run.plan.recipe, part=p.part, step=p.step, cycle=p.cycle, cycles=run.plan.cycles,
            elapsed_s=round(now_s - self.started_s, 2), duration_s=run.plan.duration_s, doses_confirmed=p.confirmed,
            doses_planned=p.planned, doses_missed=p.missed, folder=str(self.journal.folder), why=run.why_paused,
        )  # fmt: skip

    async def extend(self, plan: Plan, more: dict[tuple[int, int], int], told: Extension) -> None:
        """Go on by a plan with more turns; on return the disk holds a header that says so, as before any of them."""
        self.more = more
        self.run.extend(plan)
        self.journal.extended(told, plan)
        with suppress(JournalError):  # it was decided, on record: the header follows as soon as the disk takes it
            await self.journal.decided("extended", repeat=told.repeat, times=told.times, cycles=plan.cycles,
                                       doses=plan.doses, duration_s=plan.duration_s)  # fmt: skip

    async def record_end(self, ending: Ending, trips: Sequence[str], actuations: Mapping[str, int]) -> None:
        """Write the end, once and whole, whoever is in a hurry; raises JournalError."""
        if self.recorded:
            return
        self.recorded = True
        p = self.run.progress
        summary: dict[str, object] = {
            "ending": ending, "cycles": p.cycles_done, "doses": p.confirmed, "doses_planned": p.planned,
            "doses_missed": p.missed, "thickness_nm": self.run.plan.thickness_nm, "trips": trips,
            "actuations": actuations,
        }  # fmt: skip
        await uncancellable(self.journal.close(ending, summary))

    async def cancelled(self) -> None:
        """Cancel its task and wait; an error of the run is reported by the task, not here."""
        if self.task is not None and not self.task.done():
            self.task.cancel()
            await asyncio.wait({self.task})
