"""What a recipe waits for in the chamber's pressure: the end of a purge, and a slow rise behind the shut stop valve."""

from __future__ import annotations

from pathlib import Path

from ald_controller import commands as c
from simulators.plant.gas import Vessel
from tests.run.rig import HEAD, Rig, virtually

COLD = """\
prepare:
  - flow: {carrier: 20 sccm}
"""
REST = "finish: [{purge: 5 s}]\n"
PURGE = COLD + "deposit: [{purge: {time: 5 s, and: pressure below BELOW, timeout: 2 min, else: OTHERWISE}}]\n" + REST
LEAK = COLD + "deposit: [{wait: {for: leak, below: 5 mTorr/min, timeout: TIMEOUT, else: OTHERWISE}}]\n" + REST
SLOW_PA_S, FAST_PA_S = 0.004, 0.05  # 1.8 and 22 mTorr/min


def purging(below: str, otherwise: str = "hold") -> str:
    return HEAD + PURGE.replace("BELOW", below).replace("OTHERWISE", otherwise)


def leaking(otherwise: str = "hold", timeout: str = "8 min") -> str:
    return HEAD + LEAK.replace("OTHERWISE", otherwise).replace("TIMEOUT", timeout)


def vessel(rig: Rig, **changed: float) -> None:
    """Another chamber, or the usual one again."""
    rig.world.plant.vessel = Vessel(**changed)


@virtually
async def test_a_purge_goes_on_until_its_pressure_is_reached(tmp_path: Path) -> None:
    async with Rig(tmp_path) as rig:
        vessel(rig, pumping_m3_s=0.8e-3)  # 20 sccm hold it at 46 Pa
        await rig.start(purging("300 mTorr"))
        await rig.until_step("until below 40 Pa")
        await rig.rest(20)
        assert rig.state == "EXECUTING"
        vessel(rig)
        assert (await rig.ended(60)).ending == "completed"


@virtually
async def test_a_purge_that_comes_to_no_end_does_what_the_recipe_says(tmp_path: Path) -> None:
    async with Rig(tmp_path) as rig:
        vessel(rig, pumping_m3_s=0.8e-3)
        await rig.start(purging("300 mTorr"))
        within_s = await rig.until_state("PAUSED", 200)
        assert 120 < within_s < 150
        run = rig.console.run
        assert run and run.why_paused == "the purge did not come below 40 Pa within 120 s"
        await rig.do(c.Stop())
        assert (await rig.ended(60)).ending == "stopped"


@virtually
async def test_a_tight_chamber_passes_its_first_rise_test_and_gets_its_flow_back(tmp_path: Path) -> None:
    async with Rig(tmp_path) as rig:
        await rig.start(leaking())
        await rig.until_step("rise below 5 mTorr/min")
        assert rig.console.run and rig.console.run.doing == "rise"
        await rig.until(lambda: rig.stop_shut, 60)
        assert rig.carrier_sccm() == 0.0
        record = await rig.ended(260)
        assert record.ending == "completed" and rig.carrier_sccm() == 20.0 and not rig.latched
        (rise,) = record.events("rise")
        assert abs(rise.fields["pa_per_s"] - SLOW_PA_S) < 0.2 * SLOW_PA_S


@virtually
async def test_a_chamber_that_gives_off_gas_is_tested_again_until_it_is_tight(tmp_path: Path) -> None:
    async with Rig(tmp_path) as rig:
        vessel(rig, leak_pa_m3_s=FAST_PA_S * 0.5e-3)
        await rig.start(leaking())
        await rig.until(lambda: rig.stop_shut, 60)
        await rig.until(lambda: not rig.stop_shut, 180)
        await rig.rest(60)
        assert rig.state == "EXECUTING" and rig.carrier_sccm() == 20.0  # it is purged between two tests
        vessel(rig)
        record = await rig.ended(900)
        measured = [event.fields["pa_per_s"] for event in record.events("rise")]
        assert len(measured) == 2 and abs(measured[0] - FAST_PA_S) < 0.1 * FAST_PA_S > measured[1]


@virtually
async def test_a_chamber_that_never_gets_tight_does_what_the_recipe_says(tmp_path: Path) -> None:
    async with Rig(tmp_path) as rig:
        vessel(rig, leak_pa_m3_s=FAST_PA_S * 0.5e-3)
        await rig.start(leaking("finish", "3 min"))
        record = await rig.ended(3600)
        assert record.ending == "stopped"
        (early,) = record.events("early finish")
        assert early.fields["why"] == "the chamber did not rise slowly enough within 180 s"


@virtually
async def test_a_hold_in_a_rise_test_opens_the_stop_valve_and_the_resume_tests_anew(tmp_path: Path) -> None:
    async with Rig(tmp_path) as rig:
        await rig.start(leaking())
        await rig.until(lambda: rig.stop_shut, 60)
        await rig.do(c.Pause(now=True))
        assert rig.state == "PAUSED" and not rig.stop_shut
        await rig.rest(30)
        await rig.do(c.Resume())
        await rig.until(lambda: rig.stop_shut, 60)
        record = await rig.ended(260)
        assert record.ending == "completed"
        assert len(record.events("rise")) == 1
