"""A device restarts between two polls of a run: what it lost comes to light, and nothing goes on as if it had not."""

from __future__ import annotations

from pathlib import Path

from ald_controller import commands as c
from simulators.faults_catalogue import fault
from tests.run.rig import LIGL_C, Rig, ligl, virtually


def restart(rig: Rig, name: str) -> None:
    faults = rig.world.faults[name]
    faults.put(fault("restart", faults.framing))


@virtually
async def test_a_coupler_that_restarts_in_a_run_ends_it_and_is_armed_anew_by_a_reset(tmp_path: Path) -> None:
    async with Rig(tmp_path, warm=LIGL_C) as rig:
        await rig.start(ligl(2))
        await rig.until_open("LTB")
        coupler = rig.world.instruments["coupler-b"]
        assert coupler.word >> 4 & 1, "the source contactor is on"
        restart(rig, "coupler-b")
        await rig.until_state("FAULT", 30)
        assert rig.latched and rig.first_out == "K6"
        assert not coupler.word
        rig.world.faults["coupler-b"].clear()
        await rig.refused(c.Reset(), "reset-refused")
        await rig.rest(12)
        await rig.do(c.Reset(reason="the coupler had lost its power"))
        assert coupler.deadline_s is not None, "its watchdog runs"


@virtually
async def test_a_flow_that_a_restart_has_ended_ends_the_run(tmp_path: Path) -> None:
    async with Rig(tmp_path, warm=LIGL_C) as rig:
        await rig.start(ligl(2))
        await rig.until(lambda: rig.carrier_sccm() > 5)
        await rig.rest(5)
        restart(rig, "carrier")
        await rig.until_state("FAULT", 30)
        assert rig.latched and rig.first_out == "C7"


@virtually
async def test_a_loop_that_forgot_its_remote_set_point_has_it_again_within_two_polls(tmp_path: Path) -> None:
    async with Rig(tmp_path, warm=LIGL_C) as rig:
        await rig.start(ligl(1))
        await rig.until_open("LTB")
        loop = rig.world.instruments["substrate"]
        before = loop.values[26]
        restart(rig, "substrate")
        await rig.rest(1.1)
        assert loop.values[26] >= before > 1000 and loop.values[276] == 1
        assert (await rig.ended()).ending == "completed"
