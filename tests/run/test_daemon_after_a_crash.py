"""A daemon that starts on what a crash left of the one before: it says where the run was, and resumes nothing."""

from __future__ import annotations

import shutil
from pathlib import Path

from ald_controller import commands as c
from ald_controller.cli.follow import status_text
from ald_controller.cli.offline import run_rows, runs_text
from ald_controller.records.folder import list_runs, read_header
from tests.run.rig import LIGL_C, Rig, ligl, virtually


@virtually
async def test_after_a_crash_the_run_is_shown_as_interrupted_with_its_place_and_does_not_go_on(tmp_path: Path) -> None:
    async with Rig(tmp_path / "before", warm=LIGL_C) as rig:
        run = await rig.start(ligl(3))
        await rig.until_step("LiOtBu", cycle=2)
        await rig.until_step("purge", cycle=2)
        job = rig.console._job
        assert job is not None
        job.journal._writer._drain()  # on the wall clock a disk has it within a quarter of a second
        shutil.copytree(tmp_path / "before", tmp_path / "after")  # the disk, in the moment of a power cut
    async with Rig(tmp_path / "after", warm=LIGL_C) as again:
        assert (again.state, again.latched, again.console.run) == ("IDLE", True, None)
        await again.until(lambda: again.console.status().alarms, 5)
        status = again.console.status()
        (alarm,) = [alarm for alarm in status.alarms if alarm.first_out]
        assert (alarm.row, alarm.latched) == ("K5", True)
        assert f"run {run} was interrupted in cycle 2 after 'LiOtBu" in alarm.text
        last = status.last_run
        assert last is not None and (last.run, last.ending, last.cycle) == (run, "interrupted", 2)
        assert "interrupted in cycle 2 after 'LiOtBu" in " ".join(status_text(status.model_dump(mode="json")).split())
        await again.refused(c.Start(name="test"), "latched")
        await again.refused(c.Resume(), "misplaced")
        await again.proven()
        await again.rest(60)
        assert again.state == "IDLE" and not again.sources_open and again.console.run is None
        last = again.console.status().last_run
        assert last is not None and last.ending == "interrupted", "a reset clears the alarm, not the fact"
    (told,) = runs_text(run_rows(tmp_path / "after")).splitlines()
    assert told.startswith(run) and "interrupted  in cycle 2 after 'LiOtBu" in told
    (row,) = list_runs(tmp_path / "after" / "runs")
    assert (row.ending, read_header(row.folder).ending) == ("interrupted", "interrupted")


@virtually
async def test_a_record_that_is_beyond_reading_is_told_and_the_daemon_starts(tmp_path: Path) -> None:
    async with Rig(tmp_path, warm=LIGL_C) as rig:
        await rig.start(ligl(2))
        folder = rig.console.runs_dir
    (row,) = list_runs(folder)
    (row.folder / "run.json").write_text("{", "utf-8")
    async with Rig(tmp_path, warm=LIGL_C) as again:
        assert any("was left open" in alarm.text for alarm in again.console.status().alarms)
        await again.proven()
