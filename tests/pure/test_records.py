"""The record of a run: what is written is what is read, and a disk that refuses is heard."""

from __future__ import annotations

import json
import math
import sqlite3
from array import array
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ald_controller.config import load_tool
from ald_controller.interlocks import Quality, Sample
from ald_controller.plan import PLAN, Dose
from ald_controller.records.blocks import pack, unpack
from ald_controller.records.folder import RecordError, free_bytes, header_for, list_runs, read_header
from ald_controller.records.journal import JournalError
from ald_controller.records.record import open_run
from ald_controller.stamp import Anchor, anchor, iso
from ald_controller.valves.wire import Edge, SegmentId
from tests.synthetic_run import (
    NS,
    START_S,
    Synthetic,
    begin,
    exposure,
    papers,
    plan,
    pulse,
    write_run,
)


def crash(run: Synthetic) -> Path:
    """What a kill -9 leaves: nothing is closed in order, and the kernel takes the locks away."""
    writer = run.journal._writer
    birth = writer._closer.__self__  # type: ignore[attr-defined]
    assert writer._con is not None and birth._mark is not None
    writer._con.close()
    birth._mark.close()
    return run.journal.folder


@given(st.lists(st.tuples(st.floats(allow_nan=False), st.floats(allow_nan=False), st.integers(0, 3)), max_size=40))
def test_a_block_gives_back_every_reading_bit_for_bit(rows: list[tuple[float, float, int]]) -> None:
    times, values = array("d", [r[0] for r in rows]), array("d", [r[1] for r in rows])
    quality = bytes(r[2] for r in rows)
    got = unpack(len(rows), pack(times.tobytes(), values.tobytes(), quality))
    assert (got.times, got.values, got.quality) == (times, values, quality)


def test_a_block_that_holds_another_number_of_readings_is_refused() -> None:
    block = pack(b"\0" * 8, b"\0" * 8, b"\0")
    with pytest.raises(ValueError, match="says 2 readings"):
        unpack(2, block)


def test_an_anchor_converts_loop_time_to_utc() -> None:
    assert Anchor(1000.0, 50.0, "b").utc(53.5) == 1003.5
    assert iso(1_934_973_000.25) == "2031-04-26T12:30:00.250Z"
    assert anchor(12.0, "virtual").boot_id == "virtual"
    assert len(anchor(12.0).boot_id) == 36


async def test_a_finished_run_reads_back_whole(tmp_path: Path) -> None:
    folder = await write_run(tmp_path, cycles=4, rate=0.2)
    run = open_run(folder)
    assert run.ending == "completed"
    assert folder.name == "2031-04-26-123000-lialo-on-lithium-1"
    assert run.summary == {"doses_confirmed": 15, "doses_planned": 16, "records_lost": 0}
    assert run.header.software["python"].startswith("3.")
    assert run.text("recipe.yaml") == papers().recipe_text
    assert [e.kind for e in run.events()][-1] == "ended"
    assert run.lost_records() == 0
    assert not (folder / "journal.db-wal").exists()
    assert not (folder / "running").exists()


async def test_readings_come_back_in_order_across_blocks(tmp_path: Path) -> None:
    run = await begin(tmp_path)
    for i in range(2000):
        run.journal.readings({"pirani.pressure_pa": Sample(float(i), START_S + i * 0.1)})
    run.journal.readings({"pirani.pressure_pa": Sample(math.nan, START_S + 200.0, Quality.BAD)})
    await run.journal.close("stopped", {})
    record = open_run(run.journal.folder)
    series = record.series("pirani.pressure_pa")
    assert list(series.values[:-1]) == [float(i) for i in range(2000)]
    assert math.isnan(series.values[-1]) and series.quality[-1] == 2
    assert list(series.times) == sorted(series.times)
    assert record.readings("no.such") == (array("d"), array("d"))
    with sqlite3.connect(run.journal.folder / "journal.db") as con:
        assert con.execute("SELECT count(*) FROM readings").fetchone()[0] == 4  # one block a minute
    con.close()


async def test_an_edge_names_the_valves_that_it_moved_and_the_precursor(tmp_path: Path) -> None:
    run = await begin(tmp_path)
    await run.segment(exposure(), 1)
    await run.journal.close("stopped", {})
    rows = open_run(run.journal.folder).edges()
    assert [(r.energised, r.released, r.precursor) for r in rows] == [
        ("stop", "", ""), ("LTB", "", "LiOtBu"), ("", "LTB", "LiOtBu"), ("", "stop", "")
    ]  # fmt: skip


async def test_the_dose_table_gives_widths_and_lateness_of_every_dose(tmp_path: Path) -> None:
    run = await begin(tmp_path)
    id = SegmentId(run.journal.run, 3, 0)
    dose = Dose("H2O", "H2O", 0, 0, 15_000_000)
    await run.journal.intent(id, "H2O 15 ms", (dose,), 3, "deposit")
    at = 6000 * NS
    run.journal.edge(Edge(id, 0, 2, at, at + 40_000, at + 1_000_000))
    run.journal.edge(Edge(id, 1, 0, at + 15_000_000, at + 15_030_000, at + 16_100_000))
    await run.journal.close("completed", {})
    (row,) = open_run(run.journal.folder).doses()
    assert (row.cycle, row.precursor, row.source, row.state) == (3, "H2O", "H2O", "confirmed")
    assert row.late_s == pytest.approx(40e-6)
    assert row.commanded_s == pytest.approx(15e-3)
    assert row.sent_width_s == pytest.approx(14.99e-3)
    assert row.confirmed_width_s == pytest.approx(15.1e-3)
    assert row.width_error_s == pytest.approx(-10e-6)


async def test_a_missed_dose_is_named_and_one_that_was_never_reached_is_not_called_missed(tmp_path: Path) -> None:
    run = await begin(tmp_path)
    await run.segment(pulse("TMA", "TMA", 1, 15, 5), 1)
    await run.segment(pulse("H2O", "H2O", 2, 15, 5), 1, missed=True)
    await run.segment(exposure(), 2, cut_s=1.4)
    await run.segment(exposure(), 2, cut_s=0.5)
    await run.journal.close("tripped", {})
    rows = open_run(run.journal.folder).doses()
    assert [r.state for r in rows] == ["confirmed", "missed", "cut", "not given"]
    assert rows[2].sent_width_s == pytest.approx(0.4, abs=1e-3)


async def test_a_dose_whose_answer_never_came_is_unconfirmed(tmp_path: Path) -> None:
    run = await begin(tmp_path)
    id = SegmentId(run.journal.run, 1, 0)
    await run.journal.intent(id, "H2O", (Dose("H2O", "H2O", 0, 0, NS),), 1, "deposit")
    run.journal.edge(Edge(id, 0, 2, 6000 * NS, 6000 * NS, 6000 * NS + 1))
    run.journal.edge(Edge(id, 1, 0, 6001 * NS, 6001 * NS, 0))
    await run.journal.close("tripped", {})
    (row,) = open_run(run.journal.folder).doses()
    assert row.state == "unconfirmed" and row.confirmed_width_s is None


async def test_a_valve_that_a_hold_closed_is_not_closed_again_by_the_next_segment(tmp_path: Path) -> None:
    run = await begin(tmp_path)
    await run.segment(exposure(), 1, cut_s=1.4)
    await run.segment(pulse("TMA", "TMA", 1, 15, 5), 1)
    await run.journal.close("stopped", {})
    rows = open_run(run.journal.folder).edges()
    assert (rows[2].energised, rows[2].released) == ("TMA", "stop")


async def test_a_crashed_run_is_interrupted_and_keeps_what_was_durable(tmp_path: Path) -> None:
    run = await begin(tmp_path)
    await run.segment(exposure(), 1)
    id = SegmentId(run.journal.run, 1, run.half)
    await run.journal.intent(id, "H2O 15 ms", (Dose("H2O", "H2O", 0, 0, NS),), 1, "deposit")
    record = open_run(crash(run))
    assert record.ending == "interrupted"
    assert record.header.end_s is None
    assert [i.label for i in record.intents()] == ["LiOtBu exposure", "H2O 15 ms"]
    assert [d.state for d in record.doses()] == ["confirmed", "not given"]
    assert record.end_s > START_S
    assert record.summary == {}


async def test_a_run_that_is_being_written_has_no_ending_yet(tmp_path: Path) -> None:
    run = await begin(tmp_path)
    assert open_run(run.journal.folder).ending is None
    assert list_runs(tmp_path)[0].ending is None
    await run.journal.close("aborted", {})
    assert list_runs(tmp_path)[0].ending == "aborted"


async def test_runs_are_numbered_on_and_listed_newest_first(tmp_path: Path) -> None:
    for _ in range(11):
        run = await begin(tmp_path)
        await run.journal.close("completed", {})
    assert [r.run.rsplit("-", 1)[1] for r in list_runs(tmp_path)] == [str(n) for n in range(11, 0, -1)]
    assert list_runs(tmp_path / "none") == []
    assert free_bytes(tmp_path) > 0


async def test_a_folder_that_cannot_be_read_is_listed_with_its_problem(tmp_path: Path) -> None:
    (tmp_path / "2031-01-01-000000-x-1").mkdir()
    run = await begin(tmp_path)
    await run.journal.close("completed", {})
    text = (run.journal.folder / "run.json").read_text()
    (run.journal.folder / "run.json").write_text(json.dumps(json.loads(text) | {"ending": "fine"}))
    broken = list_runs(tmp_path)
    assert [r.header for r in broken] == [None, None]
    assert "ending" in broken[0].problem and "run.json" in broken[1].problem
    with pytest.raises(RecordError, match="not a run folder"):
        read_header(tmp_path)


async def test_a_run_without_its_journal_says_what_is_missing(tmp_path: Path) -> None:
    run = await begin(tmp_path)
    await run.journal.close("completed", {})
    (run.journal.folder / "journal.db").write_bytes(b"not a database at all" * 100)
    with pytest.raises(RecordError, match="cannot be read"):
        open_run(run.journal.folder).events()
    (run.journal.folder / "journal.db").unlink()
    with pytest.raises(RecordError, match=r"journal\.db is missing"):
        open_run(run.journal.folder).events()


async def test_a_full_disk_refuses_the_intent_and_nothing_is_lost_once_there_is_room(tmp_path: Path) -> None:
    run = await begin(tmp_path)
    con = run.journal._writer._con
    assert con is not None
    (pages,) = con.execute("PRAGMA page_count").fetchone()
    con.execute(f"PRAGMA max_page_count={pages}")
    run.journal.event("note", text="x" * 50_000)
    with pytest.raises(JournalError, match="full"):
        await run.journal.intent(SegmentId("r", 1, 0), "H2O", (), 1, "deposit")
    assert run.journal.failed and "full" in run.journal.failed
    con.execute("PRAGMA max_page_count=100000")
    await run.journal.intent(SegmentId("r", 1, 0), "H2O", (), 1, "deposit")
    assert run.journal.failed is None
    await run.journal.close("completed", {})
    record = open_run(run.journal.folder)
    assert len(record.events("note")[0].fields["text"]) == 50_000
    assert record.lost_records() == 0


async def test_a_run_that_could_not_write_its_end_says_so_and_stays_interrupted(tmp_path: Path) -> None:
    run = await begin(tmp_path)
    con = run.journal._writer._con
    assert con is not None
    con.execute("PRAGMA max_page_count=1")
    run.journal.event("note", text="x" * 50_000)
    with pytest.raises(JournalError, match="not written"):
        await run.journal.close("completed", {})
    assert open_run(run.journal.folder).ending == "interrupted"


async def test_an_ending_that_nobody_knows_is_refused(tmp_path: Path) -> None:
    run = await begin(tmp_path)
    with pytest.raises(ValueError, match="completed, stopped, aborted"):
        await run.journal.close("finished", {})
    await run.journal.close("stopped", {})


async def test_an_event_keeps_whatever_it_was_given(tmp_path: Path) -> None:
    run = await begin(tmp_path)
    run.journal.event("trip", row="T1", id=SegmentId("r", 1, 2), path=Path("x"), number=math.inf)
    await run.journal.close("stopped", {})
    fields = open_run(run.journal.folder).events("trip")[0].fields
    assert fields == {"row": "T1", "id": {"run": "r", "cycle": 1, "half": 2}, "path": "x", "number": math.inf}


async def test_the_plan_in_the_folder_is_the_plan_that_ran(tmp_path: Path) -> None:
    run = await begin(tmp_path, cycles=5)
    await run.journal.close("completed", {})
    assert PLAN.validate_json((run.journal.folder / "plan.json").read_text()) == plan(5)


def test_the_header_of_a_run_takes_its_facts_from_the_plan_and_the_tool() -> None:
    tool = load_tool(Path(__file__).parents[2] / "deploy" / "tool.yaml")
    now = Anchor(1_934_973_000.0, 12.5, "b")
    made = header_for(plan(3), tool, who="mara", door="local", anchor=now, simulated=True, degraded_timing=True)
    assert {lane.name: (lane.mask, lane.role, lane.shuts) for lane in made.valves}["stop"] == (64, "stop", True)
    assert made.signals["pressure"] == "coupler-b.pressure_torr"
    assert made.zones["substrate"].limit_c == 300.0 and made.limits["lithium_trip"] == 170.0
    assert (made.start_s, made.degraded_timing, made.doses, made.ending) == (12.5, True, 12, None)
