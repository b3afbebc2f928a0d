"""What a run knows of its segments: how far each has come, what is left of one that was cut, and where the run is."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace

from ald_controller.plan import Dose, SegmentStep
from ald_controller.valves import wire
from ald_controller.walk import At


@dataclass(slots=True)
class Progress:
    """Where the run is, for screens and summaries; counts are of doses."""

    part: str = "prepare"
    step: str = ""
    cycle: int = 0
    planned: int = 0
    confirmed: int = 0
    missed: int = 0
    cycles_done: int = 0


@dataclass(slots=True)
class Loaded:
    """A segment that the engine holds, or that a hold took from it; `half` is its number there."""

    half: int
    step: SegmentStep
    at: At
    ended: asyncio.Future[None]
    edges: int = 0  # how many have gone out as planned
    opened_ns: int = 0  # when the module confirmed the newest opening, 0 when it did not
    at_ns: int | None = None
    trimmed: bool = False  # what was open then was shut before its time, and no dose of it opens any more

    @property
    def ends_at_s(self) -> float | None:
        return None if self.at_ns is None else (self.at_ns + self.step.length_ns) / 1e9

    def confirms(self, edge: wire.Edge) -> int:
        """How many doses this edge closes of which the module has confirmed opening and closing, in their order."""
        if any(dose.edge == edge.index for dose in self.step.doses):
            self.opened_ns = edge.confirmed_ns
        closing = sum(dose.edge + 1 == edge.index for dose in self.step.doses)
        return closing if edge.confirmed_ns and 0 < self.opened_ns <= edge.sent_ns else 0

    def planned(self, edge: wire.Edge) -> bool:
        """Whether this edge came from the plan; what a hold or an abort cuts short is due when it was cut."""
        if self.at_ns is None:
            return False
        return self.trimmed or edge.due_ns == self.at_ns + self.step.edges[edge.index][0]

    def begun(self, now_s: float) -> tuple[Dose, ...]:
        """The doses that have begun by now."""
        at_ns = self.at_ns
        return () if at_ns is None else tuple(d for d in self.step.doses if at_ns + d.open_ns <= now_s * 1e9)

    def enough(self, now_s: float) -> int:
        """From now on it gives no further dose; returns how many of the planned ones are not needed."""
        given = self.begun(now_s)
        unneeded = len(self.step.doses) - len(given)
        self.step, self.trimmed = replace(self.step, doses=given), True
        return unneeded


def again(step: SegmentStep, edges_done: int) -> SegmentStep:
    """What is left of a segment that a hold cut: the whole half-cycle, or only its purge when all doses are in."""
    if not step.doses or any(d.edge + 1 >= edges_done for d in step.doses):
        return step
    last_ns = step.edges[-1][0]
    return SegmentStep("segment", step.where, f"{step.label} (purge again)", (), step.length_ns - last_ns)
