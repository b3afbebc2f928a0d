"""However the daemon ends, the tool is safe and the record says so; and how it begins again."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from ald_controller import commands as c
from ald_controller.records.folder import list_runs
from ald_controller.records.record import open_run
from tests.run.rig import LIGL_C, Rig, ligl, virtually


@virtually
async def test_a_daemon_that_is_told_to_end_in_a_dose_shuts_it_and_closes_the_record_as_interrupted(
    tmp_path: Path,
) -> None:
    async with Rig(tmp_path, warm=LIGL_C) as rig:
        await rig.start(ligl(2))
        await rig.until_open("LTB")
        folder = rig.console.runs_dir
    assert not rig.sources_open and not rig.contactor_closed
    (run,) = list_runs(folder)
    assert run.ending == "interrupted"
    assert open_run(run.folder).summary["doses"] == 0


@virtually
async def test_an_unexpected_error_in_an_essential_task_makes_the_tool_safe_and_ends_the_daemon(tmp_path: Path) -> None:
    rig = Rig(tmp_path, warm=LIGL_C)
    await rig.__aenter__()
    await rig.start(ligl(2))
    await rig.until_open("LTB")

    async def broken() -> object:
        raise RuntimeError("a mistake in a driver")

    rig.console.tool.devices["pirani"].poll = broken
    assert rig.task is not None
    await asyncio.wait({rig.task}, timeout=5)
    with pytest.RaisesGroup(pytest.RaisesGroup(pytest.RaisesExc(RuntimeError, match="a mistake"))):
        rig.task.result()
    assert not rig.sources_open and not rig.contactor_closed and rig.carrier_sccm() == 20.0
    assert [r.ending for r in list_runs(rig.console.runs_dir)] == ["interrupted"]


@virtually
async def test_after_a_restart_everything_is_shut_latched_and_idle_and_the_old_run_does_not_go_on(
    tmp_path: Path,
) -> None:
    async with Rig(tmp_path, warm=LIGL_C) as rig:
        await rig.start(ligl(2))
        await rig.until_open("LTB")
    async with Rig(tmp_path, warm=LIGL_C) as again:
        assert again.state == "IDLE" and again.latched and again.first_out == "K5"
        assert not again.sources_open
        await again.refused(c.Start(name="test"), "latched")
        await again.refused(c.Resume(), "misplaced")
        assert "started" in again.console.guard.why_latched
        await again.proven()
        await again.rest(5)
        assert again.state == "IDLE" and not again.sources_open


@virtually
async def test_an_abort_under_way_when_the_daemon_ends_keeps_its_ending(tmp_path: Path) -> None:
    async with Rig(tmp_path, warm=LIGL_C) as rig:
        await rig.start(ligl(2))
        await rig.until_open("LTB")
        await rig.do(c.Abort())
        await asyncio.sleep(0)
    assert [r.ending for r in list_runs(rig.console.runs_dir)] == ["aborted"]


@virtually
async def test_a_run_that_cannot_begin_any_more_leaves_no_open_record(tmp_path: Path) -> None:
    async with Rig(tmp_path, warm=LIGL_C) as rig:
        await rig.proven()
        await rig.do(c.Upload(name="test", text=ligl(1)))
        check = rig.console.recipes._check

        async def slow(request: object) -> dict[str, object]:
            result = await check(request)  # type: ignore[arg-type]
            await rig.do(c.Abort())
            return dict(result)

        rig.console.recipes._check = slow
        await rig.refused(c.Start(name="test"), "latched")
        await rig.until_state("FAULT", 5)
        assert rig.console.run is None
        assert all(r.ending is not None for r in list_runs(rig.console.runs_dir))
