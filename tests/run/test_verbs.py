"""Pause, resume, stop, abort and reset, at every moment of a run."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from ald_controller import commands as c
from ald_controller.states import TRANSITIONS, ProcessState
from simulators.faults import Fault
from simulators.virtualtime import run_virtual
from tests.run.rig import LIGL_C, Rig, ligl, virtually

LONG_WAIT = """\
prepare:
  - flow: {carrier: 20 sccm}
  - heat: {substrate: 150 °C, chamber: 150 °C}
  - wait: {for: temperatures, within: 1 K, stay: 30 min, timeout: 4 h, else: finish}
"""


@virtually
async def test_a_pause_takes_effect_after_the_turn_and_resume_goes_on_with_the_next(tmp_path: Path) -> None:
    async with Rig(tmp_path, warm=LIGL_C) as rig:
        await rig.start(ligl(2))
        await rig.until_open("LTB")
        await rig.do(c.Pause())
        assert rig.state == "PAUSING"
        await rig.until_state("PAUSED")
        run = rig.console.run
        assert run and run.progress.confirmed == 2 and run.progress.cycles_done == 1
        assert not rig.sources_open and not rig.latched
        await rig.do(c.Resume())
        record = await rig.ended()
        assert record.ending == "completed" and record.summary["doses"] == 4


@virtually
async def test_pause_now_shuts_the_source_at_once_and_resume_repeats_the_half_cycle(tmp_path: Path) -> None:
    async with Rig(tmp_path, warm=LIGL_C) as rig:
        await rig.start(ligl(1))
        await rig.until_open("LTB")
        await rig.do(c.Pause(now=True))
        assert rig.state == "PAUSED" and not rig.sources_open and not rig.stop_shut
        await rig.until(lambda: rig.carrier_sccm() == 20.0, 2)
        run = rig.console.run
        assert run and run.progress.confirmed == 0 and "operator" in run.why_paused
        assert rig.console.status().run and "operator" in rig.console.status().run.why
        await rig.do(c.Resume())
        await rig.until_open("LTB")
        assert rig.carrier_sccm() < 20.0  # the exposure's own flow is back
        record = await rig.ended()
        opened = [e.energised for e in record.edges() if e.energised in ("LTB", "GL")]
        assert opened == ["LTB", "LTB", "GL"] and record.summary["doses"] == 2
        assert record.ending == "completed"


@virtually
async def test_a_hold_in_the_soak_repeats_only_the_purge(tmp_path: Path) -> None:
    async with Rig(tmp_path, warm=LIGL_C) as rig:
        await rig.start(ligl(1))
        await rig.until_open("LTB")
        await rig.until(lambda: not rig.sources_open)
        await rig.until(lambda: rig.console.run and rig.console.run.progress.confirmed == 1, 1)
        await rig.do(c.Pause(now=True))
        await rig.do(c.Resume())
        record = await rig.ended()
        assert [e.energised for e in record.edges() if e.energised in ("LTB", "GL")] == ["LTB", "GL"]


@virtually
async def test_stop_ends_the_turn_runs_the_finish_and_is_recorded_as_stopped(tmp_path: Path) -> None:
    async with Rig(tmp_path, warm=LIGL_C) as rig:
        await rig.start(ligl(5))
        await rig.until_open("GL")
        await rig.do(c.Stop())
        assert rig.state == "STOPPING"
        record = await rig.ended()
        assert record.ending == "stopped" and record.summary["doses"] == 2
        assert [e.fields["part"] for e in record.events("part")] == ["prepare", "deposit", "finish"]
        assert rig.console.tool.heaters.goal_c("substrate") is None
        assert rig.state == "IDLE" and not rig.latched


@virtually
async def test_a_stop_in_the_last_second_of_a_turn_begins_no_other(tmp_path: Path) -> None:
    async with Rig(tmp_path, warm=LIGL_C) as rig:
        await rig.start(ligl(5))
        run = rig.console.run
        assert run
        await rig.until(lambda: run.progress.confirmed == 2 and run.progress.step == "purge 6 s", 120)
        clock = asyncio.get_running_loop().time
        await rig.until(lambda: (last := run._loaded[-1].ends_at_s) is not None and last - clock() < 1.0, 120)
        await rig.do(c.Stop())
        record = await rig.ended()
        assert record.ending == "stopped" and record.summary["doses"] == 2 and record.summary["cycles"] == 1


@virtually
async def test_stop_from_a_hold_goes_to_the_finish_without_another_dose_and_at_purge_flow(tmp_path: Path) -> None:
    async with Rig(tmp_path, warm=LIGL_C) as rig:
        await rig.start(ligl(3))
        await rig.until_open("LTB")
        await rig.do(c.Pause(now=True))
        await rig.do(c.Stop())
        record = await rig.ended()
        assert record.ending == "stopped" and record.summary["doses"] == 0
        assert [e.energised for e in record.edges() if e.energised in ("LTB", "GL")] == ["LTB"]
        assert rig.carrier_sccm() == 20.0 and rig.world.plant.flows["pusher"].target == 0.0


@virtually
async def test_stop_from_a_pause_after_a_turn_runs_the_finish(tmp_path: Path) -> None:
    async with Rig(tmp_path, warm=LIGL_C) as rig:
        await rig.start(ligl(3))
        await rig.until_open("GL")
        await rig.do(c.Pause())
        await rig.until_state("PAUSED")
        await rig.do(c.Stop())
        record = await rig.ended()
        assert record.ending == "stopped" and record.summary["doses"] == 2


@virtually
async def test_a_hold_while_stopping_goes_on_stopping(tmp_path: Path) -> None:
    async with Rig(tmp_path, warm=LIGL_C) as rig:
        await rig.start(ligl(3))
        await rig.until_open("LTB")
        await rig.do(c.Stop())
        await rig.do(c.Pause(now=True))
        assert rig.state == "PAUSED"
        await rig.do(c.Resume())
        assert rig.state == "STOPPING"
        assert (await rig.ended()).ending == "stopped"


@virtually
async def test_abort_shuts_everything_latches_and_a_reset_leads_to_idle(tmp_path: Path) -> None:
    async with Rig(tmp_path, warm=LIGL_C) as rig:
        await rig.start(ligl(2))
        await rig.until_open("LTB")
        await rig.do(c.Abort(why="smoke"))
        assert not rig.sources_open and not rig.contactor_closed
        record = await rig.ended()
        assert record.ending == "aborted" and rig.state == "FAULT" and rig.latched
        alarms = rig.console.status().alarms
        assert alarms[0].latched and alarms[0].first_out and "smoke" in alarms[0].text
        assert rig.carrier_sccm() == 20.0 and not rig.stop_shut
        assert all(e.fields["ok"] for e in record.events("safe"))
        await rig.rest(2)
        assert rig.power("substrate") == 0.0 and rig.power("source-3") == 0.0
        await rig.refused(c.Start(name="test"), "misplaced")
        await rig.do(c.Reset())
        assert rig.state == "IDLE" and not rig.latched and not rig.sources_open
        await rig.do(c.Start(name="test"))  # the tool is as good as before
        await rig.until_open("LTB")
        await rig.do(c.Abort())
        await rig.ended()


@virtually
async def test_an_abort_without_a_run_latches_too_and_bars_the_start(tmp_path: Path) -> None:
    async with Rig(tmp_path) as rig:
        await rig.proven()
        await rig.do(c.Upload(name="test", text=ligl(1)))
        await rig.do(c.Abort())
        await rig.until_state("FAULT", 5)
        assert rig.latched and rig.console.guard.may_open is False
        await rig.refused(c.Start(name="test"), "misplaced")
        await rig.do(c.Reset())
        assert rig.state == "IDLE" and not rig.latched


@virtually
async def test_an_abort_at_the_moment_of_the_end_leaves_the_end_as_it_was(tmp_path: Path) -> None:
    async with Rig(tmp_path, warm=LIGL_C) as rig:
        await rig.start(ligl(1, finish="finish: [{purge: 5 s}]\n"))
        job = rig.console._job
        assert job is not None
        await rig.until(lambda: job.run.state == "IDLE" or rig.console.ended.is_set(), 200, 0.001)
        await rig.do(c.Abort())
        await rig.until_state("FAULT", 5)
        assert rig.console.last and rig.console.last.ending == "completed"


@virtually
async def test_a_pause_during_prepare_waits_for_the_step_and_keeps_the_run(tmp_path: Path) -> None:
    async with Rig(tmp_path, warm=LIGL_C) as rig:
        await rig.start(ligl(1, prepare=LONG_WAIT.replace("30 min", "10 s")))
        await rig.until_step("wait for")
        await rig.do(c.Pause())
        await rig.until_state("PAUSED")
        assert rig.console.run and rig.console.run.progress.part == "prepare"
        await rig.do(c.Resume())
        assert (await rig.ended()).ending == "completed"


@virtually
async def test_a_pause_in_the_finish_is_honoured(tmp_path: Path) -> None:
    async with Rig(tmp_path, warm=LIGL_C) as rig:
        await rig.start(ligl(1))
        await rig.until(lambda: rig.console.run and rig.console.run.progress.part == "finish")
        await rig.do(c.Pause())
        await rig.until_state("PAUSED", 60)
        assert rig.console.tool.heaters.goal_c("substrate") == 150.0  # the next step waits
        await rig.do(c.Resume())
        assert (await rig.ended()).ending == "completed"
        assert rig.console.tool.heaters.goal_c("substrate") is None


@virtually
async def test_stop_leaves_a_long_wait_at_once(tmp_path: Path) -> None:
    async with Rig(tmp_path, warm=LIGL_C) as rig:
        await rig.start(ligl(2, prepare=LONG_WAIT))
        await rig.until_step("wait for")
        await rig.do(c.Stop())
        start_s = rig.now_s
        record = await rig.ended()
        assert rig.now_s - start_s < 30
        assert record.ending == "stopped" and record.summary["doses"] == 0


@virtually
async def test_nothing_of_a_recipe_happens_while_it_is_held_between_two_acts(tmp_path: Path) -> None:
    async with Rig(tmp_path, warm=LIGL_C) as rig:
        await rig.start(ligl(1))
        await rig.until(lambda: rig.world.plant.flows["pusher"].target == 5.0)  # the flow of the exposure settles
        await rig.do(c.Pause(now=True))
        run = rig.console.run
        assert run is not None
        step = run.progress.step
        await rig.rest(20)
        assert run.progress.step == step and rig.state == "PAUSED" and not rig.sources_open
        await rig.do(c.Resume())
        record = await rig.ended()
        assert record.ending == "completed" and record.summary["doses"] == 2


# --- every verb in every state --------------------------------------------------------------------------------------

VERBS: dict[str, c.Request] = {
    "start": c.Start(name="test"), "pause": c.Pause(), "pause now": c.Pause(now=True), "resume": c.Resume(),
    "stop": c.Stop(), "reset": c.Reset(),
}  # fmt: skip


def _fits(state: ProcessState, verb: str) -> bool:
    if verb == "pause now":
        return state != "PAUSED" and (state, "hold") in TRANSITIONS
    return (state, verb) in TRANSITIONS


async def _brought_to(rig: Rig, state: str) -> None:
    """Bring a rig to one of the states that a person can meet."""
    if state in ("IDLE", "FAULT"):
        await rig.proven()
        await rig.do(c.Upload(name="test", text=ligl(4)))
        if state == "FAULT":
            await rig.do(c.Abort())
            await rig.until_state("FAULT")
        return
    await rig.start(ligl(4))
    await rig.until_open("LTB")
    moves: dict[str, c.Request] = {
        "PAUSING": c.Pause(), "PAUSED": c.Pause(now=True), "STOPPING": c.Stop(), "ABORTING": c.Abort(),
    }  # fmt: skip
    if state == "ABORTING":
        rig.world.faults["carrier"].put(Fault(late_s=1.0))
    if state in moves:
        await rig.do(moves[state])
        await rig.until_state(state, 0.5)


@pytest.mark.parametrize("state", ["IDLE", "EXECUTING", "PAUSING", "PAUSED", "STOPPING", "ABORTING", "FAULT"])
def test_a_verb_out_of_place_is_refused_with_a_sentence_and_moves_nothing(state: ProcessState, tmp_path: Path) -> None:
    async def scene(folder: Path) -> None:
        async with Rig(folder, warm=LIGL_C) as rig:
            await _brought_to(rig, state)
            for verb, request in VERBS.items():
                if _fits(state, verb):
                    continue
                word, told = rig.world.coupler_a.word & 0xFF, len(rig.changes)
                sentence = await rig.refused(request, "misplaced")
                assert state in sentence or state == "ABORTING"
                assert rig.state == state, verb
                assert rig.world.coupler_a.word & 0xFF == word and len(rig.changes) == told

    run_virtual(scene(tmp_path))


@virtually
async def test_resume_is_refused_while_something_is_latched_and_reset_keeps_the_run_paused(tmp_path: Path) -> None:
    async with Rig(tmp_path, warm=LIGL_C) as rig:
        await rig.start(ligl(1))
        await rig.until_open("LTB")
        second = rig.world.instruments["coupler-b"].channels["substrate_2_c"]
        second.broken = True
        await rig.until_state("PAUSED", 5)
        assert rig.latched and rig.first_out == "T7" and not rig.sources_open
        assert "T7" in await rig.refused(c.Resume(), "latched")
        assert "T7" in await rig.refused(c.Stop(), "latched")
        await rig.refused(c.Reset(), "reset-refused")
        second.broken = False
        await rig.rest(12)
        await rig.do(c.Reset())
        assert rig.state == "PAUSED" and not rig.latched and not rig.sources_open
        await rig.do(c.Resume())
        record = await rig.ended()
        assert record.ending == "completed" and record.summary["doses"] == 2


@virtually
async def test_registers_stay_as_they_are_during_a_run_and_while_a_recipe_is_checked(tmp_path: Path) -> None:
    async with Rig(tmp_path, warm=LIGL_C) as rig:
        await rig.start(ligl(1))
        leak = c.SetRegister(name="leak", value="3 mTorr/min", by="Ann")
        assert "during a run" in await rig.refused(leak, "misplaced")
        rig.console._busy, job = "checking a recipe", rig.console._job
        rig.console._job = None
        assert "checking" in await rig.refused(leak, "misplaced")
        rig.console._busy, rig.console._job = "", job
        await rig.do(c.Abort())
        await rig.ended()
