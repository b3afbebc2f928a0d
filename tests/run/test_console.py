"""What the console owes to a person: aborts that are whole, checks that answer, limits that stay, plain words."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

from ald_controller import commands as c
from simulators.beckhoff_io import CouplerB
from simulators.faults import Fault
from tests.run.rig import LIGL_C, OPERATOR, Rig, ligl, virtually


def reporting_slowly(folder: Path, seconds: float) -> Rig:
    """A rig whose reports take this long, and then fail."""

    async def slow(run: Path) -> Path | None:
        await asyncio.sleep(seconds)
        return None

    rig = Rig(folder, warm=LIGL_C)
    rig.daemon.parts = replace(rig.daemon.parts, report=slow)
    return rig


@virtually
async def test_the_runs_are_listed_with_their_endings(tmp_path: Path) -> None:
    async with Rig(tmp_path, warm=LIGL_C) as rig:
        name = await rig.start(ligl(1))
        await rig.until_open("LTB")
        await rig.do(c.Abort())
        await rig.ended()
        (row,) = (await rig.do(c.GetRuns())).data["runs"]
        assert row["run"] == name and row["ending"] == "aborted" and not row["problem"]


@virtually
async def test_an_abort_is_whole_while_the_report_of_the_run_before_is_still_being_made(tmp_path: Path) -> None:
    rig = reporting_slowly(tmp_path, 60)
    async with rig:
        await rig.start(ligl(2))
        await rig.until_open("LTB")
        await rig.do(c.Abort(why="first"))
        await rig.until_state("FAULT", 5)
        await rig.do(c.Reset())
        await rig.do(c.Start(name="test"))
        await rig.until_open("LTB")
        assert rig.contactor_closed
        await rig.do(c.Abort(why="second"))
        await rig.until_state("FAULT", 5)
        assert not rig.sources_open and not rig.contactor_closed
        await rig.rest(5)
        assert rig.power("substrate") == 0.0 and rig.console.run is None
        assert rig.console.last is not None and rig.console.last.ending == "aborted"


@virtually
async def test_a_reset_while_a_report_is_made_stays_reset(tmp_path: Path) -> None:
    rig = reporting_slowly(tmp_path, 30)
    async with rig:
        await rig.start(ligl(1))
        await rig.until_open("LTB")
        await rig.do(c.Abort())
        await rig.until_state("FAULT", 5)
        await rig.do(c.Reset())
        await rig.rest(60)
        assert rig.state == "IDLE" and rig.console.last is not None and rig.console.last.report == ""


@virtually
async def test_a_check_says_what_a_run_would_be_and_what_is_wrong(tmp_path: Path) -> None:
    async with Rig(tmp_path, warm=LIGL_C) as rig:
        await rig.proven()
        await rig.do(c.Upload(name="good", text=ligl(2)))
        reply = await rig.do(c.Check(name="good"))
        assert reply.data["cycles"] == 2 and reply.data["doses"] == 4 and "no problems" in reply.text
        await rig.do(c.Upload(name="bad", text=ligl(2).replace("20 sccm", "20")))
        assert "has no unit" in await rig.refused(c.Check(name="bad"), "recipe-refused")


@virtually
async def test_only_the_owner_takes_lithium_limits_off(tmp_path: Path) -> None:
    async with Rig(tmp_path, load=None) as rig:
        await rig.proven()
        copper = c.SetRegister(name="load", value={"material": "copper", "seen_empty": True}, by="Bob")
        reply = await rig.ask(copper, OPERATOR)
        assert not reply.ok and reply.code == "forbidden" and rig.console.about.lithium
        await rig.do(copper)
        assert not rig.console.about.lithium
        lithium = c.SetRegister(name="load", value={"material": "lithium"}, by="Bob")
        assert (await rig.ask(lithium, OPERATOR)).ok and rig.console.about.lithium


@virtually
async def test_a_module_whose_watchdog_has_acted_is_armed_by_a_restart_only_and_the_reset_says_so(
    tmp_path: Path,
) -> None:
    async with Rig(tmp_path, warm=LIGL_C) as rig:
        await rig.proven()
        rig.world.faults["valves"].put(Fault(deaf=True))
        await rig.rest(2)
        rig.world.faults["valves"].clear()
        await rig.until_state("FAULT", 10)
        await rig.rest(15)
        text = await rig.refused(c.Reset(), "reset-refused")
        assert "restart the controller" in text
        await rig.do(c.Upload(name="test", text=ligl(1)))
        assert not (await rig.ask(c.Start(name="test"))).ok


@virtually
async def test_a_safe_state_that_takes_long_on_one_line_makes_no_other_reading_old(tmp_path: Path) -> None:
    async with Rig(tmp_path, warm=LIGL_C) as rig:
        await rig.proven()
        for name in ("substrate", "chamber", "source-3"):
            rig.world.faults[name].put(Fault(late_s=0.15))
        await rig.do(c.Abort())
        await rig.until_state("FAULT", 5)
        assert not [a.row for a in rig.console.status().alarms if a.row == "K3"]


@virtually
async def test_a_reset_arms_the_output_watchdog_of_the_second_coupler_again(tmp_path: Path) -> None:
    async with Rig(tmp_path, warm=LIGL_C) as rig:
        await rig.proven()
        coupler = rig.world.instruments["coupler-b"]
        assert isinstance(coupler, CouplerB)
        coupler.deadline_s = rig.now_s - 0.001  # a stall of one watchdog time, too short for the link to count as lost
        await rig.rest(1.5)
        assert coupler.tripped and rig.first_out == "K6"
        await rig.rest(11)
        await rig.do(c.Reset(reason="the cable is plugged in again"))
        await rig.start(ligl(1))
        await rig.until_open("LTB")
        assert rig.state == "EXECUTING"


@virtually
async def test_a_bottle_hangs_at_a_port_that_there_is(tmp_path: Path) -> None:
    async with Rig(tmp_path) as rig:
        bottle = {"label": "a", "precursor": "TMA"}
        text = await rig.refused(c.SetRegister(name="bottle.XX", value=bottle, by="Ann"), "register-refused")
        assert "there is no port 'XX'" in text and "TMA, H2O" in text


@virtually
async def test_a_leak_and_what_is_left_in_a_bottle_are_never_negative(tmp_path: Path) -> None:
    async with Rig(tmp_path) as rig:
        await rig.refused(c.SetRegister(name="leak", value="-2 mTorr/min", by="Ann"), "register-refused")
        bottle = {"label": "a", "precursor": "TMA", "grams": "-3 g"}
        await rig.refused(c.SetRegister(name="bottle.TMA", value=bottle, by="Ann"), "register-refused")
