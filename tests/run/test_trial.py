"""The trial recipe on a warm reactor: what it does, what it leaves on record, and that it does the same again."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from ald_controller.records.record import RunRecord
from ald_controller.records.report import write_report
from simulators.virtualtime import run_virtual
from tests.recipe_bench import shipped
from tests.run.rig import LIGL_C, Rig


@dataclass(frozen=True)
class Trial:
    """What a run left behind: its record, the film, and what the tool looked like at its end."""

    record: RunRecord
    thickness_nm: float
    at_the_end: dict[str, object]


async def _trial(folder: Path) -> Trial:
    async with Rig(folder, warm=LIGL_C) as rig:
        await rig.start(shipped("trial-ligl.yaml"), "trial-ligl")
        record = await rig.ended()
        end = {
            "chamber": rig.chamber, "state": rig.state, "latched": rig.latched, "stop shut": rig.stop_shut,
            "sources": rig.sources_open, "carrier": rig.carrier_sccm(),
        }  # fmt: skip
        return Trial(record, rig.world.plant.thickness_nm(rig.now_s), end)


@pytest.fixture(scope="module")
def trials(tmp_path_factory: pytest.TempPathFactory) -> tuple[Trial, Trial]:
    one, other = (run_virtual(_trial(tmp_path_factory.mktemp("trial"))) for _ in range(2))
    return one, other


def test_the_trial_completes_with_every_dose_confirmed_and_no_trip(trials: tuple[Trial, Trial]) -> None:
    record = trials[0].record
    assert record.ending == "completed"
    assert [(d.precursor, d.state) for d in record.doses()] == [("LiOtBu", "confirmed"), ("glycerol", "confirmed")] * 3
    assert record.summary["cycles"] == 3 and record.summary["doses"] == 6 and record.summary["trips"] == []
    assert not record.events("trip") and not record.events("held") and not record.events("missed")
    assert record.lost_records() == 0


def test_it_leaves_the_tool_purging_under_vacuum_and_a_sensible_film(trials: tuple[Trial, Trial]) -> None:
    assert trials[0].at_the_end == {
        "chamber": "VACUUM", "state": "IDLE", "latched": False, "stop shut": False, "sources": 0, "carrier": 20.0,
    }  # fmt: skip
    assert 7.5 < trials[0].thickness_nm < 8.7


def test_doses_are_as_wide_as_planned_and_segments_join_without_added_rest(trials: tuple[Trial, Trial]) -> None:
    record = trials[0].record
    assert all(abs(d.width_error_s or 0.0) < 1e-6 for d in record.doses())
    anchored = record.events("anchored")
    assert [e.fields["half"] for e in anchored] == list(range(len(anchored)))
    # each exposure follows a change of flow: it is loaded behind it; a purge is queued in time
    labels = {i.half: i.label for i in record.intents()}
    rests = [e.fields["added_rest_ns"] for e in anchored if "purge" in labels[e.fields["half"]]]
    assert max(rests) < 3e9


def test_the_carrier_goes_down_for_an_exposure_and_comes_back(trials: tuple[Trial, Trial]) -> None:
    record = trials[0].record
    times, flows = record.readings("carrier.setpoint_sccm")
    for edge in record.edges():
        if edge.energised in ("LTB", "GL"):
            at_s = edge.sent_ns / 1e9
            before = [f for t, f in zip(times, flows, strict=True) if t <= at_s][-1]
            assert before < 20.0
    assert flows[-1] == 20.0


def test_the_stop_valve_is_shut_around_every_dose_and_open_in_every_purge(trials: tuple[Trial, Trial]) -> None:
    shut = False
    for edge in trials[0].record.edges():
        if edge.energised in ("LTB", "GL"):
            assert shut
        shut = (shut or "stop" in edge.energised) and "stop" not in edge.released
    assert not shut


def test_a_report_can_be_written(trials: tuple[Trial, Trial]) -> None:
    page = write_report(trials[0].record.folder).read_text("utf-8")
    assert "completed" in page and "glycerol" in page


def test_two_runs_put_the_same_words_at_the_same_offsets(trials: tuple[Trial, Trial]) -> None:
    def words(record: RunRecord) -> list[tuple[int, int, int, int]]:
        edges = record.edges()
        return [(e.half, e.index, e.word & 0x7F, e.due_ns - edges[0].due_ns) for e in edges]

    one, other = (words(t.record) for t in trials)
    assert one == other and len(one) == 3 * 2 * 4
