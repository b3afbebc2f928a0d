"""What a run needs of its record, without knowing how it is kept: the seam between the sequencer and `records`."""

from __future__ import annotations

from typing import Protocol

from ald_controller.plan import Dose
from ald_controller.valves import wire


class JournalError(Exception):
    """The record cannot be written (row K8): a sentence that names what failed."""


class Journal(Protocol):
    """One run's record; times are those of the loop's clock."""

    async def intent(self, id: wire.SegmentId, label: str, doses: tuple[Dose, ...], cycle: int, part: str) -> None:
        """Durable when it returns; raises JournalError, and then the segment is not loaded."""
        ...

    def edge(self, edge: wire.Edge) -> None: ...

    def event(self, kind: str, **fields: object) -> None: ...
