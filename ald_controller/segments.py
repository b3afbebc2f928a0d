"""What a run knows of its segments: how far each has come, what is left of one that was cut, and where the run is."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from ald_controller.plan import At, SegmentStep
from ald_controller.valves import wire


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
    at_ns: int | None = None

    @property
    def ends_at_s(self) -> float | None:
        return None if self.at_ns is None else (self.at_ns + self.step.length_ns) / 1e9

    def planned(self, edge: wire.Edge) -> bool:
        """Whether this edge came from the plan; what a hold or an abort cuts short is due when it was cut."""
        return self.at_ns is not None and edge.due_ns == self.at_ns + self.step.edges[edge.index][0]


def again(step: SegmentStep, edges_done: int) -> SegmentStep:
    """What is left of a segment that a hold cut: the whole half-cycle, or only its purge when all doses are in."""
    if not step.doses or any(d.edge + 1 >= edges_done for d in step.doses):
        return step
    last_ns = step.edges[-1][0]
    return SegmentStep("segment", step.where, f"{step.label} (purge again)", (), step.length_ns - last_ns)
