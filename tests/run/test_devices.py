"""Devices that fail, registers that disagree, a record that cannot be written, waits that take too long."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ald_controller import commands as c
from ald_controller import sequencer
from ald_controller.interlocks import Quality
from ald_controller.journal import JournalError
from simulators.faults import Fault
from simulators.virtualtime import run_virtual
from tests.run.rig import FINISH, LIGL_C, PREPARE, READY_C, Rig, edited, ligl, virtually


@virtually
async def test_a_device_that_dies_bars_the_start_and_is_identified_again_when_it_returns(tmp_path: Path) -> None:
    async with Rig(tmp_path, warm=LIGL_C) as rig:
        await rig.proven()
        await rig.do(c.Upload(name="test", text=ligl(1)))
        device, asked = rig.console.tool.devices["pirani"], []
        identify: Callable[[], Any] = device.identify

        async def counted() -> Any:
            asked.append(rig.now_s)
            return await identify()

        device.identify = counted
        rig.world.faults["pirani"].put(Fault(silent=True))
        await rig.until(lambda: rig.console.tool.absent, 10)
        assert "pirani" in await rig.refused(c.Start(name="test"), "device-absent")
        rig.world.faults["pirani"].clear()
        await rig.until(lambda: not rig.console.tool.absent, 15)
        assert asked
        await rig.rest(0.2)  # the next scan sees it
        await rig.do(c.Start(name="test"))


@virtually
async def test_a_loop_with_other_decimals_than_the_tool_file_bars_the_start_and_says_what_to_do(tmp_path: Path) -> None:
    async with Rig(tmp_path, warm=LIGL_C) as rig:
        await rig.proven()
        await rig.do(c.Upload(name="test", text=ligl(1)))
        rig.world.instruments["chamber"].values[525] = 2
        await rig.until(lambda: rig.console.tool.absent, 14)
        told = await rig.refused(c.Start(name="test"), "device-absent")
        assert "chamber: changed at the device: the display has 2 decimals, the settings say 1: set one" in told
        rig.world.instruments["chamber"].values[525] = 1
        await rig.until(lambda: not rig.console.tool.absent, 15)


@virtually
async def test_a_device_that_comes_back_as_another_one_is_none_until_an_operator_has_reset(tmp_path: Path) -> None:
    async with Rig(tmp_path, load="lithium", warm=LIGL_C) as rig:
        await rig.start(ligl(2))
        await rig.until_open("LTB")
        pusher = rig.world.instruments["pusher"]
        rig.world.faults["pusher"].put(Fault(silent=True))
        await rig.until(lambda: rig.console.tool.absent, 5)
        before, pusher.serial = pusher.serial, "999999"
        rig.world.faults["pusher"].clear()
        await rig.rest(30)
        (absent,) = rig.console.tool.absent
        assert f"serial number {before}" in absent.why and "came back as" in absent.why and "999999" in absent.why
        assert rig.latched and rig.console.tool.samples["pusher.flow_sccm"].quality is Quality.BAD
        assert "pusher is now the one meant: reset again" in await rig.refused(c.Reset(), "reset-refused")
        await rig.rest(12)
        assert not rig.console.tool.absent
        await rig.do(c.Reset())


@virtually
async def test_another_device_behind_a_port_that_was_out_for_less_than_three_polls_is_not_believed(
    tmp_path: Path,
) -> None:
    async with Rig(tmp_path, warm=LIGL_C) as rig:
        await rig.proven()
        tool, pusher = rig.console.tool, rig.world.instruments["pusher"]
        line = tool._lines[tool.file.devices["pusher"].line]
        line._lost("unplugged")
        await rig.rest(1)
        assert not tool.absent and tool.samples["pusher.flow_sccm"].quality is Quality.GOOD, "it is itself again"
        before, pusher.serial = pusher.serial, "999999"
        line._lost("unplugged")
        await rig.rest(1)
        (absent,) = tool.absent
        assert f"serial number {before}" in absent.why and "999999" in absent.why
        assert tool.samples["pusher.flow_sccm"].quality is Quality.BAD


@virtually
async def test_a_device_that_comes_back_as_itself_counts_at_once(tmp_path: Path) -> None:
    async with Rig(tmp_path) as rig:
        await rig.proven()
        for name in ("pusher", "pirani", "source-5", "coupler-b"):
            rig.world.faults[name].put(Fault(silent=True))
        await rig.until(lambda: len(rig.console.tool.absent) == 4, 10)
        for name in ("pusher", "pirani", "source-5", "coupler-b"):
            rig.world.faults[name].clear()
        await rig.rest(15)
        assert not rig.console.tool.absent


@virtually
async def test_a_flow_controller_that_does_not_answer_holds_and_the_act_is_done_again(tmp_path: Path) -> None:
    async with Rig(tmp_path, warm=LIGL_C) as rig:
        await rig.start(ligl(1))
        await rig.until_step("purge")
        rig.world.faults["pusher"].put(Fault(deaf=True))
        await rig.until_state("PAUSED", 30)
        run = rig.console.run
        assert run and "pusher" in run.why_paused
        rig.world.faults["pusher"].clear()
        await rig.until(lambda: not rig.console.tool.absent, 15)
        await rig.rest(25)
        await rig.do(c.Reset())
        await rig.do(c.Resume())
        record = await rig.ended()
        assert record.ending == "completed" and record.summary["doses"] == 2


@virtually
async def test_a_flow_controller_still_dead_lets_no_run_go_on(tmp_path: Path) -> None:
    async with Rig(tmp_path, warm=LIGL_C) as rig:
        await rig.start(ligl(1))
        await rig.until_step("purge")
        rig.world.faults["pusher"].put(Fault(deaf=True))
        await rig.until_state("PAUSED", 30)
        await rig.refused(c.Resume(), "latched")
        await rig.rest(12)
        await rig.refused(c.Reset(), "reset-refused")
        rig.world.faults["pusher"].clear()
        await rig.until(lambda: not rig.console.tool.absent, 15)
        await rig.rest(25)
        await rig.do(c.Reset())
        await rig.do(c.Resume())
        assert (await rig.ended()).ending == "completed"


# --- registers ------------------------------------------------------------------------------------------------------


@virtually
async def test_a_recipe_for_lithium_does_not_start_on_copper(tmp_path: Path) -> None:
    async with Rig(tmp_path, load="copper") as rig:
        await rig.proven()
        await rig.do(c.Upload(name="test", text=ligl(1)))
        text = await rig.refused(c.Start(name="test"), "recipe-refused")
        assert "lithium" in text and "copper" in text
        assert (rig.state == "IDLE" and not (tmp_path / "runs").exists()) or not any((tmp_path / "runs").iterdir())


@virtually
async def test_another_bottle_changes_what_the_valve_engine_allows(tmp_path: Path) -> None:
    async with Rig(tmp_path) as rig:
        await rig.proven()

        def kind() -> str:
            sources = rig.console.tool.valves._host.engine._config.sources  # type: ignore[attr-defined]
            return str(next(s.kind for s in sources if s.name == "spare"))

        assert kind() == "unknown"
        bottle = {"label": "W-2", "precursor": "water", "grams": "20 g"}
        await rig.do(c.SetRegister(name="bottle.spare", value=bottle, by="Ann"))
        assert kind() == "protic"
        assert "somewhere" not in await rig.refused(
            c.SetRegister(name="bottle.spare", value={"label": "x", "precursor": "unobtainium"}, by="Ann"),
            "register-refused",
        )
        assert kind() == "protic"


# --- the record -----------------------------------------------------------------------------------------------------


@virtually
async def test_a_journal_that_fails_lets_what_is_loaded_end_and_holds(tmp_path: Path) -> None:
    async with Rig(tmp_path, warm=LIGL_C) as rig:
        await rig.start(ligl(1))
        await rig.until_open("LTB")
        job = rig.console._job
        assert job is not None
        journal, intent = job.journal, job.journal.intent

        async def full(*args: object) -> None:
            raise JournalError("the disk is full")

        journal.intent = full  # type: ignore[method-assign]
        await rig.until_state("PAUSED", 60)
        run = rig.console.run
        assert run and run.progress.confirmed == 1 and not rig.sources_open
        assert "disk is full" in run.why_paused and "purge" in run.why_paused
        journal.intent = intent  # type: ignore[method-assign]
        await rig.rest(12)
        assert rig.first_out == "K8"
        await rig.do(c.Reset())
        await rig.do(c.Resume())
        record = await rig.ended()
        assert record.ending == "completed" and record.summary["doses"] == 2


@virtually
async def test_a_report_that_cannot_be_made_is_a_note_and_ends_nothing(tmp_path: Path) -> None:
    async with Rig(tmp_path, warm=LIGL_C) as rig:

        async def broken(folder: Path) -> Path | None:
            raise OSError("no child process")

        rig.console._report = broken
        await rig.start(ligl(1))
        assert (await rig.ended()).ending == "completed"
        assert any("no child process" in a.text for a in rig.console.status().alarms)
        await rig.do(c.Start(name="test"))


# --- holds over hot lithium -----------------------------------------------------------------------------------------


def test_half_an_hour_of_hold_over_hot_lithium_leads_to_the_finish(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sequencer, "HOLD_LIMIT_S", 30.0)

    async def scene() -> None:
        async with Rig(tmp_path, warm=LIGL_C) as rig:
            await rig.start(ligl(3))
            await rig.until_open("LTB")
            await rig.do(c.Pause(now=True))
            record = await rig.ended(120)
            assert record.ending == "stopped" and record.summary["doses"] == 0
            assert rig.console.tool.heaters.goal_c("substrate") is None
            assert rig.carrier_sccm() == 20.0 and rig.world.plant.flows["pusher"].target == 0.0
            assert any("hot lithium" in a.text for a in rig.console.status().alarms)

    run_virtual(scene())


def test_a_hold_that_expires_in_the_finish_still_switches_the_heaters_off(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sequencer, "HOLD_LIMIT_S", 30.0)

    async def scene() -> None:
        async with Rig(tmp_path, warm=LIGL_C) as rig:
            await rig.start(ligl(1, finish=FINISH.replace("5 s", "60 s")))
            await rig.until(lambda: rig.console.run and rig.console.run.progress.part == "finish")
            await rig.rest(5)
            await rig.do(c.Pause(now=True))
            record = await rig.ended(200)
            assert record.ending == "completed"
            assert rig.console.tool.heaters.goal_c("substrate") is None

    run_virtual(scene())


# --- waits ----------------------------------------------------------------------------------------------------------


def _waiting(otherwise: str) -> str:
    wait = f"  - wait: {{for: temperatures, within: 1 K, stay: 1 s, timeout: 5 s, else: {otherwise}}}\n"
    return ligl(1, prepare=PREPARE + wait)


@virtually
async def test_a_wait_that_takes_too_long_holds_where_the_recipe_says_hold(tmp_path: Path) -> None:
    async with Rig(tmp_path, warm=READY_C) as rig:
        await rig.start(_waiting("hold"))
        await rig.until_state("PAUSED", 60)
        run = rig.console.run
        assert run and "temperature" in run.why_paused and not rig.latched
        await rig.do(c.Resume())
        await rig.until_state("EXECUTING", 1)
        await rig.until_state("PAUSED", 10)  # the wait begins again with its whole time
        await rig.do(c.Stop())
        record = await rig.ended()
        assert record.ending == "stopped" and record.summary["doses"] == 0


@virtually
async def test_a_wait_that_takes_too_long_goes_to_the_finish_where_the_recipe_says_finish(tmp_path: Path) -> None:
    async with Rig(tmp_path, warm=READY_C) as rig:
        await rig.start(_waiting("finish"))
        record = await rig.ended(120)
        assert record.ending == "stopped" and record.summary["doses"] == 0
        assert [e.fields["then"] for e in record.events("timeout")] == ["finish"]
        assert rig.console.tool.heaters.goal_c("substrate") is None


@virtually
async def test_a_wait_that_takes_too_long_goes_on_with_an_alarm_where_the_recipe_says_alarm(tmp_path: Path) -> None:
    async with Rig(tmp_path, warm=READY_C) as rig:
        await rig.start(_waiting("alarm"))
        await rig.until_open("LTB", 60)
        assert any("temperature" in a.text for a in rig.console.status().alarms)


@virtually
async def test_a_timeout_in_the_finish_goes_on_with_its_next_step(tmp_path: Path) -> None:
    finish = """\
finish:
  - heat: {substrate: off}
  - wait: {for: substrate, below: 40 °C, timeout: 5 s, else: finish}
  - heat: {chamber: off}
"""
    async with Rig(tmp_path, warm=LIGL_C) as rig:
        await rig.start(ligl(1, finish=finish))
        record = await rig.ended()
        assert record.ending == "completed"
        assert rig.console.tool.heaters.goal_c("chamber") is None


@virtually
async def test_a_device_that_needs_a_pause_is_asked_no_faster_than_its_file_says(tmp_path: Path) -> None:
    def slower(raw: dict[str, Any]) -> None:
        raw["devices"]["carrier"]["pace"] = "300 ms"

    async with Rig(tmp_path / "run", file=edited(tmp_path / "tool", slower)) as rig:
        await rig.until(lambda: "carrier.flow_sccm" in rig.console.tool.samples, 60)
        read_s: set[float] = set()
        until_s = rig.now_s + 5
        while rig.now_s < until_s:
            read_s.add(rig.console.tool.samples["carrier.flow_sccm"].at_s)
            await asyncio.sleep(0.02)
        ordered = sorted(read_s)
        assert len(ordered) > 10
        assert all(after - before >= 0.3 - 1e-6 for before, after in itertools.pairwise(ordered))
