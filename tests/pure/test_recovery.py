"""After a crash: the run that was left open gets its end, where it was is said, and nothing goes on by itself."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from ald_controller.plan import Dose
from ald_controller.records import journal as journals
from ald_controller.records.folder import RUNNING, list_runs, make_folder, read_header
from ald_controller.records.record import open_run
from ald_controller.recovery import place_of, recover
from ald_controller.valves.wire import SegmentId
from tests.pure.test_records import crash
from tests.synthetic_run import NS, START_S, Synthetic, begin, exposure, header, papers, pulse

WATER = pulse("H2O", "H2O", 2, 15, 20)


async def cut(root: Path, cycles: int = 2) -> Synthetic:
    """A run that was killed within the water dose of its last cycle, with the next half-cycle intended."""
    run = await begin(root)
    await run.prepare(5.0)
    for number in range(1, cycles):
        await run.cycle(number)
    await run.segment(exposure(), cycles)
    await run.segment(WATER, cycles)
    id = SegmentId(run.journal.run, cycles, run.half)
    await run.journal.intent(id, "TMA 15 ms", (Dose("TMA", "TMA", 0, 0, NS),), cycles, "deposit")
    crash(run)
    return run


async def test_a_run_that_was_left_open_is_closed_as_interrupted_with_the_place_where_it_was(tmp_path: Path) -> None:
    run = await cut(tmp_path)
    end_s = open_run(run.journal.folder).end_s
    found = recover(tmp_path)
    assert found.problems == ()
    assert found.sentence.startswith(
        f"run {run.journal.run} was interrupted in cycle 2 after 'LiOtBu exposure', at 2031-"
    )
    assert found.last is not None
    assert (found.last.ending, found.last.cycle, found.last.step) == ("interrupted", 2, "H2O 15 ms")
    assert (found.last.doses_confirmed, found.last.doses_missed) == (6, 0)
    done = read_header(run.journal.folder)
    assert (done.ending, done.end_s) == ("interrupted", end_s)
    assert (done.summary["cycles"], done.summary["doses"]) == (1, 6)
    assert done.summary["interrupted"]["half"] == 5, "half-cycles are counted from 0; the intended one had not begun"


async def test_closing_takes_nothing_away_and_adds_one_last_event_without_a_gap(tmp_path: Path) -> None:
    run = await cut(tmp_path)
    before = open_run(run.journal.folder)
    rows = (before.events(), before.edges(), before.intents(), before.doses())
    readings = {name: before.series(name) for name in before.channels()}
    recover(tmp_path)
    after = open_run(run.journal.folder)
    assert (after.events()[:-1], after.edges(), after.intents(), after.doses()) == rows
    assert {name: after.series(name) for name in after.channels()} == readings
    assert (after.events()[-1].kind, after.events()[-1].fields) == ("ended", {"ending": "interrupted"})
    assert after.lost_records() == 0
    assert sorted(path.name for path in run.journal.folder.glob("journal*")) == ["journal.db"]


async def test_a_run_that_somebody_reads_while_the_controller_starts_is_closed_all_the_same(tmp_path: Path) -> None:
    run = await cut(tmp_path)
    with closing(sqlite3.connect(run.journal.folder / "journal.db")) as reader:
        reader.execute("BEGIN")
        assert reader.execute("SELECT count(*) FROM events").fetchone()[0] > 0
        found = recover(tmp_path)
    assert found.problems == () and found.last is not None and found.last.ending == "interrupted"
    assert read_header(run.journal.folder).ending == "interrupted"
    assert open_run(run.journal.folder).events()[-1].kind == "ended"


async def test_a_second_start_says_the_same_and_changes_nothing(tmp_path: Path) -> None:
    run = await cut(tmp_path)
    first = recover(tmp_path)
    kept = read_header(run.journal.folder)
    assert recover(tmp_path) == first
    assert read_header(run.journal.folder) == kept


async def test_a_run_that_ended_otherwise_is_not_shown_as_interrupted(tmp_path: Path) -> None:
    await cut(tmp_path)
    run = await begin(tmp_path)
    await run.journal.close("completed", {})
    found = recover(tmp_path)
    assert (found.last, found.sentence, found.problems) == (None, "", ())
    assert [row.ending for row in list_runs(tmp_path)] == ["completed", "interrupted"]
    assert read_header(list_runs(tmp_path)[1].folder).ending == "interrupted", "the older one was left open, too"


async def test_a_run_that_died_between_its_last_event_and_its_header_keeps_its_ending(tmp_path: Path) -> None:
    run = await begin(tmp_path)
    await run.prepare(5.0)
    run.journal.event("ended", ending="completed")
    run.journal._writer._drain()
    crash(run)
    assert recover(tmp_path).last is None
    assert read_header(run.journal.folder).ending == "completed"
    assert len(open_run(run.journal.folder).events("ended")) == 1


async def test_a_run_that_is_being_written_is_left_alone(tmp_path: Path) -> None:
    run = await begin(tmp_path)
    assert recover(tmp_path).last is None
    assert read_header(run.journal.folder).ending is None
    await run.journal.close("aborted", {})


def test_a_run_that_died_before_its_journal_began_is_closed_too(tmp_path: Path) -> None:
    folder, _ = make_folder(tmp_path, header(), papers())
    found = recover(tmp_path)
    assert found.last is not None and found.last.doses_confirmed == 0
    assert "in its preparation, before its first step was done" in found.sentence
    assert (read_header(folder).ending, read_header(folder).end_s) == ("interrupted", START_S)


async def test_in_the_preparation_the_steps_are_named_without_a_cycle(tmp_path: Path) -> None:
    run = await begin(tmp_path)
    await run.prepare(5.0)
    run.journal.event("step", label="wait for temperatures", part="prepare", cycle=0)
    run.journal._writer._drain()
    assert place_of(open_run(crash(run))).sentence == "in its preparation after 'heat substrate 150 °C'"


async def test_a_record_that_cannot_be_read_is_told_and_keeps_nothing_from_starting(tmp_path: Path) -> None:
    older, newer = await cut(tmp_path), await cut(tmp_path)
    (newer.journal.folder / "journal.db").write_bytes(b"not a database" * 1000)
    for left in newer.journal.folder.glob("journal.db-*"):
        left.unlink()
    found = recover(tmp_path)
    assert found.last is None
    (problem,) = found.problems
    assert newer.journal.run in problem and "cannot be read" in problem
    assert read_header(older.journal.folder).ending == "interrupted"


async def test_a_disk_that_refuses_the_end_leaves_the_run_as_it_was_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = await cut(tmp_path)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(journals.folders, "write_header", full)
        (problem,) = recover(tmp_path).problems
    assert "No space left" in problem
    assert (run.journal.folder / RUNNING).exists() and read_header(run.journal.folder).ending is None
    assert recover(tmp_path).last is not None
    assert len(open_run(run.journal.folder).events("ended")) == 1


def test_without_any_run_there_is_nothing_to_say(tmp_path: Path) -> None:
    assert recover(tmp_path / "runs").sentence == ""
