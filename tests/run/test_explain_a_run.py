"""A past run asked again: its record, played through the same interlocks, gives the trip that the record has."""

from __future__ import annotations

from pathlib import Path

import pytest

from ald_controller.cli.explaining import CannotExplain, explain_run
from ald_controller.interlocks import Reaction
from simulators.faults import Fault
from tests.run.rig import LIGL_C, Rig, ligl, virtually


@virtually
async def test_the_trip_of_a_run_is_found_again_in_its_record_and_nothing_before_it(tmp_path: Path) -> None:
    async with Rig(tmp_path, warm=LIGL_C) as rig:
        await rig.start(ligl(3))
        await rig.until_open("LTB")
        await rig.rest(3)
        began_s = rig.now_s
        rig.world.faults["coupler-b"].put(Fault(silent=True))
        record = await rig.ended(60)
        (trip, *_) = record.events("trip")
    broke_s = began_s - record.header.start_s

    before = explain_run(record.folder, f"{broke_s - 0.5:.1f}").verdict
    assert before.level < Reaction.HOLD and before.may_open, before.standing
    assert before.facts.process == "EXECUTING" and before.facts.part == "deposit" and before.facts.gate_proven_shut

    question = explain_run(record.folder, None)  # just after the first trip
    first = question.verdict.standing[0]
    assert first.first_out and (first.row, first.name) == (trip.fields["row"], "coupler-b")
    assert first.after_s == pytest.approx(trip.at_s - record.header.start_s, abs=0.3)
    assert question.verdict.level is Reaction[trip.fields["reaction"]] or question.verdict.level > Reaction.HOLD
    assert any("the record: " in line and "K3" in line for line in question.told)

    with pytest.raises(CannotExplain, match="the run lasted"):
        explain_run(record.folder, "9:00:00")
