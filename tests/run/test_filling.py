"""An exposure to a pressure: shots until the gauge shows it, and what happens where it never does."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest

from ald_controller import commands as c
from simulators.virtualtime import run_virtual
from tests.run.rig import HEAD, LIGL_C, READY_C, Rig, virtually

FILL = (
    "expose: {precursor: TMA, pulse: 15 ms, times: 20, every: 2 s, to: 900 mTorr, hold: 10 s, flow: 2 sccm, else: %s}"
)


def filling(dose: str = FILL, otherwise: str = "hold", cycles: int = 1) -> str:
    return f"""{HEAD}prepare:
  - pump: {{to: 1 Torr, timeout: 15 min, else: hold}}
  - flow: {{carrier: 20 sccm}}
  - heat: {{substrate: 120 °C, chamber: 120 °C}}
deposit:
  - repeat:
      times: {cycles}
      name: fill
      steps:
        - {dose % otherwise if "%s" in dose else dose}
        - purge: 20 s
        - pulse: {{precursor: water, time: 15 ms}}
        - purge: 20 s
finish: [{{purge: 5 s}}, {{heat: {{substrate: standby, chamber: standby}}}}]
"""


def shots(rig: Rig, source: str = "TMA") -> int:
    """How often the output of a source was energised at the module."""
    mask = rig.file.config.valves.word([source])
    return sum(
        bool(now & mask and not before & mask)
        for before, now in pairwise([0, *(change.word for change in rig.changes)])
    )


@virtually
async def test_shots_go_on_until_the_gauge_shows_the_pressure_and_the_record_says_how_many(tmp_path: Path) -> None:
    async with Rig(tmp_path, warm=READY_C) as rig:
        await rig.start(filling(cycles=2))
        record = await rig.ended()
        told = [e.fields for e in record.events("filled")]
        assert record.ending == "completed" and len(told) == 2
        for fill in told:
            assert 900 <= fill["pressure_pa"] / 0.1333 < 1500 and 1 < fill["shots"] < 20
        states = [d.state for d in record.doses() if d.precursor == "TMA"]
        assert states.count("confirmed") == sum(fill["shots"] for fill in told) == shots(rig)
        assert states.count("not needed") == 40 - shots(rig) == sum(fill["unneeded"] for fill in told)
        assert record.summary["doses"] == shots(rig) + 2 and record.summary["doses_missed"] == 0


@virtually
async def test_one_long_opening_is_shut_when_the_gauge_shows_the_pressure(tmp_path: Path) -> None:
    long = "expose: {precursor: LiOtBu, pulse: 8 s, to: 400 mTorr, hold: 5 s, flow: 5 sccm, else: hold}"
    text = filling(long).replace(
        "heat: {substrate: 120 °C, chamber", "heat: {LiOtBu: 150 °C, substrate: 120 °C, chamber"
    )
    text = text.replace("heat: {substrate: standby", "heat: {LiOtBu: standby, substrate: standby")
    async with Rig(tmp_path, warm=LIGL_C | READY_C) as rig:
        await rig.start(text)
        record = await rig.ended()
        (dose,) = [d for d in record.doses() if d.precursor == "LiOtBu"]
        (fill,) = [e.fields for e in record.events("filled")]
        assert record.ending == "completed" and dose.state == "confirmed" and fill["unneeded"] == 0
        assert dose.sent_width_s is not None and 0 < dose.sent_width_s < 7.5


@virtually
async def test_a_pressure_that_is_not_reached_holds_and_a_resume_doses_the_half_cycle_once_more(tmp_path: Path) -> None:
    async with Rig(tmp_path, warm=READY_C) as rig:
        await rig.start(filling().replace("times: 20", "times: 2").replace("900 mTorr", "5 Torr"))
        await rig.until_state("PAUSED")
        run = rig.console.run
        assert run and "after all of its shots the gauge shows" in run.why_paused
        assert shots(rig) == 2 and not rig.sources_open and not rig.stop_shut
        await rig.do(c.Resume())
        await rig.until(lambda: shots(rig) == 4)
        await rig.until_state("PAUSED")
        await rig.do(c.Stop())
        assert (await rig.ended()).ending == "stopped"


@pytest.mark.parametrize(("otherwise", "ending", "water"), [("alarm", "completed", 1), ("finish", "stopped", 0)])
def test_a_pressure_that_is_not_reached_goes_on_or_to_the_finish_as_the_recipe_says(
    otherwise: str, ending: str, water: int, tmp_path: Path
) -> None:
    async def scene() -> None:
        async with Rig(tmp_path, warm=READY_C) as rig:
            text = filling(otherwise=otherwise).replace("times: 20", "times: 2").replace("900 mTorr", "5 Torr")
            await rig.start(text)
            record = await rig.ended()
            assert record.ending == ending and shots(rig) == 2 and shots(rig, "H2O") == water
            assert ["all of its shots" in e.fields["what"] for e in record.events("timeout")] == [True]

    run_virtual(scene())


@virtually
async def test_a_gauge_that_is_lost_while_the_chamber_fills_ends_the_shots(tmp_path: Path) -> None:
    async with Rig(tmp_path, warm=READY_C) as rig:
        await rig.start(filling().replace("900 mTorr", "5 Torr"))
        await rig.until(lambda: shots(rig) == 2)
        rig.world.instruments["coupler-b"].channels["pressure_torr"].broken = True
        await rig.until(lambda: rig.state == "PAUSED" or rig.latched, 60)
        await rig.rest(30)
        assert shots(rig) <= 3 and not rig.sources_open


@virtually
async def test_a_pause_now_between_shots_shuts_everything_and_the_whole_filling_is_done_again(tmp_path: Path) -> None:
    async with Rig(tmp_path, warm=READY_C) as rig:
        await rig.start(filling())
        await rig.until(lambda: shots(rig) == 2)
        await rig.do(c.Pause(now=True))
        assert not rig.sources_open and not rig.stop_shut
        await rig.rest(30)
        assert shots(rig) == 2
        await rig.do(c.Resume())
        record = await rig.ended()
        (fill,) = [e.fields for e in record.events("filled")]
        assert record.ending == "completed" and shots(rig) == 2 + fill["shots"]


@virtually
async def test_a_pause_now_in_the_soak_needs_no_shot_once_more(tmp_path: Path) -> None:
    async with Rig(tmp_path, warm=READY_C) as rig:
        await rig.start(filling())
        run = rig.console.run
        assert run
        await rig.until(lambda: run.progress.planned < 21)
        given = shots(rig)
        await rig.do(c.Pause(now=True))
        await rig.do(c.Resume())
        record = await rig.ended()
        assert record.ending == "completed" and shots(rig) == given and shots(rig, "H2O") == 1
        assert {d.state for d in record.doses()} == {"confirmed", "not needed"}


@virtually
async def test_an_abort_while_the_chamber_fills_shuts_it_all(tmp_path: Path) -> None:
    async with Rig(tmp_path, warm=READY_C) as rig:
        await rig.start(filling())
        await rig.until(lambda: shots(rig) == 2)
        await rig.do(c.Abort(why="smoke"))
        assert not rig.sources_open
        record = await rig.ended()
        await rig.rest(30)
        assert record.ending == "aborted" and shots(rig) == 2 and not rig.stop_shut


@virtually
async def test_a_stop_while_the_chamber_fills_ends_the_turn_first(tmp_path: Path) -> None:
    async with Rig(tmp_path, warm=READY_C) as rig:
        await rig.start(filling(cycles=3))
        await rig.until(lambda: shots(rig) == 2)
        await rig.do(c.Stop())
        record = await rig.ended()
        assert record.ending == "stopped" and shots(rig, "H2O") == 1 and len(record.events("filled")) == 1
