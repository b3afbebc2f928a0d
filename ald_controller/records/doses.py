"""The dose table: what was commanded, what went over the wire, and which dose is missing. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Literal

from ald_controller.plan import Dose

NS = 1e-9
DoseState = Literal["confirmed", "unconfirmed", "cut", "missed", "not given", "not needed"]


@dataclass(frozen=True, slots=True)
class EdgeRow:
    """One edge of the valve word as it went out. `confirmed_ns` is 0 where the module's answer never came."""

    half: int
    index: int
    cycle: int
    word: int
    due_ns: int
    sent_ns: int
    confirmed_ns: int
    energised: str
    released: str
    precursor: str

    @property
    def late_s(self) -> float:
        return (self.sent_ns - self.due_ns) * NS


@dataclass(frozen=True, slots=True)
class Intent:
    """One segment as it was about to be loaded."""

    seq: int
    at_s: float
    half: int
    cycle: int
    part: str
    label: str
    doses: tuple[Dose, ...]


@dataclass(frozen=True, slots=True)
class DoseRow:
    """One dose; seconds. Widths are between the edges as sent and as confirmed; `late_s` is the opening's, sent − due.

    `unconfirmed`: the module confirmed an edge never, or the opening only after the closing was sent, so that nobody
    knows for how long it was open. `cut`: closed before its time (hold, abort, the end of the record). `missed`: too
    late, so it was not opened. `not given`: intended, and never reached. `not needed`: the chamber had its pressure.
    """

    cycle: int
    half: int
    part: str
    precursor: str
    source: str
    commanded_s: float
    state: DoseState
    at_s: float | None = None
    late_s: float | None = None
    sent_width_s: float | None = None
    confirmed_width_s: float | None = None
    width_error_s: float | None = None  # (sent close − sent open) − (due close − due open)
    delta_p_pa: float | None = None  # what it brought, see `pulses`; None where it was not measured


def dose_table(
    intents: Iterable[Intent],
    edges: Iterable[EdgeRow],
    missed: set[tuple[int, int]],
    held_ns: dict[int, int],
    rises_pa: Mapping[tuple[int, int], float] | None = None,
    filled: frozenset[int] = frozenset(),
) -> list[DoseRow]:
    """Every intended dose in order; `missed` holds (half, edge), `held_ns` the moment at which a half was cut.

    The halves in `filled` ended their doses at a pressure: those that were not opened were not needed.

    `rises_pa` is what was measured of the dose that opened with (half, edge).
    """
    of_half: dict[int, list[EdgeRow]] = defaultdict(list)
    for edge in edges:
        of_half[edge.half].append(edge)
    newest = {intent.half: intent for intent in intents}  # an intent is repeated after the disk refused the first
    rows = [
        (intent, dose, _row(intent, dose, of_half[intent.half], missed, held_ns))
        for intent in newest.values()
        for dose in intent.doses
    ]
    rows = [
        (intent, dose, replace(row, state="not needed") if row.state == "not given" and intent.half in filled else row)
        for intent, dose, row in rows
    ]
    rises_pa = rises_pa or {}
    return [replace(row, delta_p_pa=rises_pa.get((intent.half, dose.edge))) for intent, dose, row in rows]


def _row(
    intent: Intent, dose: Dose, edges: list[EdgeRow], missed: set[tuple[int, int]], held_ns: dict[int, int]
) -> DoseRow:
    outputs = set(dose.outputs or (dose.source,))
    opening = next((e for e in edges if e.index == dose.edge and outputs <= set(e.energised.split(", "))), None)
    commanded_s = (dose.width_ns + dose.compensation_ns) * NS
    head = (intent.cycle, intent.half, intent.part, dose.precursor, dose.source, commanded_s)
    if opening is None:
        return DoseRow(*head, "missed" if (intent.half, dose.edge) in missed else "not given")
    began = (opening.sent_ns * NS, opening.late_s)
    closing = next((e for e in edges if e.index > dose.edge and outputs & set(e.released.split(", "))), None)
    if closing is None:
        cut_ns = held_ns.get(intent.half)
        return DoseRow(*head, "cut", *began, (cut_ns - opening.sent_ns) * NS if cut_ns else None)
    sent_ns = closing.sent_ns - opening.sent_ns
    answered = 0 < opening.confirmed_ns <= closing.sent_ns and closing.confirmed_ns > 0
    return DoseRow(
        *head,
        "confirmed" if answered else "unconfirmed",
        *began,
        sent_ns * NS,
        (closing.confirmed_ns - opening.confirmed_ns) * NS if answered else None,
        (sent_ns - (closing.due_ns - opening.due_ns)) * NS,
    )
