"""What counts as a confirmed dose: opening and closing, each in its time."""

from __future__ import annotations

import pytest

from ald_controller.plan import Dose, SegmentStep, Where
from ald_controller.records.doses import EdgeRow, Intent, dose_table
from ald_controller.segments import Loaded
from ald_controller.valves.wire import Edge, SegmentId
from ald_controller.walk import At

MS = 1_000_000
DOSE = Dose("TMA", "TMA", 0, 0, 15 * MS)
STEP = SegmentStep("segment", Where(1, 1), "TMA 15 ms", ((0, 1), (15 * MS, 0)), 100 * MS, (DOSE,))


@pytest.mark.parametrize(
    ("opened_ms", "closed_ms", "state"),
    [
        (1, 16, "confirmed"),
        (15, 16, "confirmed"),
        (0, 16, "unconfirmed"),
        (1, 0, "unconfirmed"),
        (16, 16, "unconfirmed"),  # the network kept the opening until the closing came: open for no time at all
    ],
)
def test_an_opening_that_is_confirmed_after_its_closing_was_sent_is_no_confirmed_dose(
    opened_ms: int, closed_ms: int, state: str
) -> None:
    edges = [
        EdgeRow(0, 0, 1, 1, 0, 0, opened_ms * MS, "TMA", "", "TMA"),
        EdgeRow(0, 1, 1, 0, 15 * MS, 15 * MS, closed_ms * MS, "", "TMA", ""),
    ]
    (row,) = dose_table([Intent(0, 0.0, 0, 1, "deposit", STEP.label, STEP.doses)], edges, set(), {})
    assert row.state == state
    loaded = Loaded(0, STEP, At("deposit", 1, turn_ends=True), None)  # type: ignore[arg-type]
    id = SegmentId("r", 1, 0)
    counted = [loaded.confirms(Edge(id, e.index, e.word, e.due_ns, e.sent_ns, e.confirmed_ns)) for e in edges]
    assert counted == [0, int(state == "confirmed")], "screens and summaries count what the record says"
