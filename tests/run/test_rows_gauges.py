"""Row C8 by the gauges themselves, and a pusher that is silent: what cannot be believed proves no vacuum."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path

from ald_controller import commands as c
from ald_controller import interlocks as il
from simulators.beckhoff_io import Channel, CouplerB
from simulators.faults import Fault
from tests.run.rig import LIGL_C, Rig, ligl, virtually
from tests.run.rows import in_record, shown, told

BLOCK, HOLD, ISOLATE = il.Reaction.BLOCK, il.Reaction.HOLD, il.Reaction.ABORT_ISOLATE
TORR_PA = 101_325.0 / 760.0


def gauge(rig: Rig) -> Channel:
    """The terminal's channel of the gauge for decisions."""
    coupler = rig.world.instruments["coupler-b"]
    assert isinstance(coupler, CouplerB)
    return coupler.channels["pressure_torr"]


def reads(rig: Rig, torr: Callable[[float], float]) -> None:
    """From now on the gauge says this, whatever the pressure is."""
    gauge(rig).read = torr


def isolated(rig: Rig) -> bool:
    return not rig.sources_open and rig.stop_shut and rig.carrier_sccm() == 0.0


@contextlib.asynccontextmanager
async def standing_at(rig: Rig, pa: float) -> AsyncIterator[None]:
    """The chamber is held at this pressure."""

    async def hold() -> None:
        while True:
            rig.world.plant.advance(rig.now_s)
            rig.world.plant.gas.inert_pa = pa
            await asyncio.sleep(0.02)

    task = asyncio.ensure_future(hold())
    try:
        yield
    finally:
        task.cancel()


async def dosing(rig: Rig, cycles: int = 30) -> None:
    await rig.start(ligl(cycles))
    await rig.until_open("LTB")


@virtually
async def test_a_gauge_without_power_proves_no_vacuum_against_the_second_one_and_nothing_begins(tmp_path: Path) -> None:
    async with Rig(tmp_path, warm=LIGL_C) as rig, standing_at(rig, 6000.0):
        reads(rig, lambda _: 0.0)
        await rig.until(lambda: not rig.console.tool.absent, 30)
        await rig.rest(30)
        assert rig.chamber == "UNKNOWN" and rig.stop_shut and not rig.console.guard.may_open
        await rig.do(c.Reset())
        await rig.do(c.Upload(name="test", text=ligl(1)))
        assert "contradict" in await rig.refused(c.Start(name="test"), "blocked")


@virtually
async def test_c8_a_gauge_whose_zero_has_drifted_reads_less_than_the_flow_makes_and_isolates(tmp_path: Path) -> None:
    async with Rig(tmp_path, warm=LIGL_C) as rig:
        own = gauge(rig).read
        reads(rig, lambda at_s: max(own(at_s) - 0.25, 0.0))
        await rig.start(ligl(30))
        started_s = rig.now_s
        await rig.until(lambda: rig.first_out, 60)
        assert rig.first_out == "C8" and "1/4 of what the flows make" in rig.console.guard.why_latched
        assert rig.now_s - started_s < 30.0
        await rig.until(lambda: isolated(rig), 0.5, 0.01)
        in_record(await rig.ended(60), "C8")


@virtually
async def test_c8_a_gauge_that_contradicts_the_second_one_isolates_while_the_pump_fails_unseen(tmp_path: Path) -> None:
    async with Rig(tmp_path, warm=LIGL_C) as rig:
        await rig.start(ligl(30).replace("purge: 5 s", "purge: 30 s").replace("purge: 6 s", "purge: 30 s"))
        await rig.until_step("purge", 200, cycle=2)
        await rig.rest(5)
        plant = rig.world.plant
        reads(rig, lambda at_s: 0.3 + 0.003 * (round(at_s * 10) % 2))  # alive to the last digit, and lies
        plant.advance(rig.now_s)
        plant.vessel = replace(plant.vessel, pumping_m3_s=0.0, past_stop_m3_s=0.0)
        await rig.until(lambda: plant.pressure_pa(rig.now_s) >= 10 * 0.303 * TORR_PA, 60, 0.02)
        how = "the belt of the pump is torn, and the gauge goes on reading 0.3 Torr"
        await shown(rig, "C8", ISOLATE, how, lambda: None, lambda: isolated(rig), persist_s=5)
        assert "contradict" in rig.console.guard.why_latched
        in_record(await rig.ended(60), "C8")


@virtually
async def test_c8_a_gauge_that_stands_still_through_doses_holds_until_it_moves(tmp_path: Path) -> None:
    async with Rig(tmp_path, warm=LIGL_C) as rig:
        await rig.start(ligl(30))
        await rig.until_step("purge", 200, cycle=3)
        await rig.rest(4)  # of its 5 s: the gauge stands still at the base
        own, last = gauge(rig).read, rig.console.tool.samples["coupler-b.pressure_torr"].value
        reads(rig, lambda _: last)
        await rig.until(lambda: rig.state == "PAUSED", 80)
        assert rig.first_out == "C8" and "not moved by a digit" in rig.console.guard.why_latched
        assert not rig.sources_open and not rig.stop_shut and rig.carrier_sccm() == 20.0
        await rig.rest(12)
        assert "C8" in await rig.refused(c.Reset(), "reset-refused")
        reads(rig, own)
        await rig.rest(12)
        await rig.do(c.Reset())
        await rig.do(c.Resume())
        await rig.until(lambda: rig.sources_open, 60)


@virtually
async def test_c8_a_gauge_that_reports_an_error_in_a_dose_isolates_and_latches(tmp_path: Path) -> None:
    async with Rig(tmp_path, warm=LIGL_C) as rig:
        await dosing(rig)

        def breaks() -> None:
            gauge(rig).broken = True

        how = "the gauge for decisions reports an error in a dose"
        await shown(rig, "C8", ISOLATE, how, breaks, lambda: isolated(rig))
        in_record(await rig.ended(60), "C8")
        await rig.rest(12)
        await rig.do(c.Reset())  # so that the chamber can be vented and unloaded
        assert "C8" in await rig.refused(c.Start(name="test"), "blocked") and isolated(rig)
        gauge(rig).broken = False
        await rig.until(lambda: rig.chamber == "VACUUM", 15)
        await rig.do(c.Start(name="test"))
        await rig.until(lambda: rig.sources_open, 60)


@virtually
async def test_c8_a_gauge_that_reports_an_error_at_rest_is_an_alarm_and_blocks_the_start(tmp_path: Path) -> None:
    async with Rig(tmp_path, warm=LIGL_C) as rig:
        await rig.proven()

        def breaks() -> None:
            gauge(rig).broken = True

        await told(rig, "C8", BLOCK, "the gauge for decisions reports an error at rest", breaks, within_s=1)
        await rig.until(lambda: any(alarm.row == "C8" for alarm in rig.console.status().alarms), 15)
        await rig.do(c.Upload(name="test", text=ligl(1)))
        assert not rig.console.guard.may_start
        assert "C8" in await rig.refused(c.Start(name="test"), "blocked")


@virtually
async def test_c7_a_pusher_that_falls_silent_in_a_dose_holds_by_a_row(tmp_path: Path) -> None:
    async with Rig(tmp_path, warm=LIGL_C) as rig:
        await dosing(rig)
        await rig.rest(0.2)
        rig.world.faults["pusher"].put(Fault(silent=True))
        await rig.until_state("PAUSED", 4)
        await rig.until(lambda: rig.first_out, 1)
        first = rig.console.guard.state.first_out
        assert first is not None and (first.cause.row, first.cause.name, first.cause.reaction) == (
            "K14",
            "pusher",
            HOLD,
        )
        assert any(alarm.row == "K14" for alarm in rig.console.status().alarms)
        assert not rig.sources_open


@virtually
async def test_a_terminal_of_twelve_bits_at_its_end_is_no_vacuum_and_a_vented_chamber_latches_nothing(
    tmp_path: Path,
) -> None:
    async with Rig(tmp_path, load="copper") as rig:
        await rig.proven()
        async with standing_at(rig, 101_525.0):
            await rig.rest(20)
            value = rig.console.tool.samples["coupler-b.pressure_torr"].value
            assert 9.99 < value < 10.0
            assert rig.chamber == "UNKNOWN" and rig.stop_shut and not rig.console.guard.may_open
            await rig.rest(15)
            if rig.latched:  # the way there led through a chamber under vacuum that filled
                await rig.do(c.Reset(reason="vented"))
            await rig.rest(1)
            assert not rig.latched and not [x for x in rig.console.guard.state.active if x.row.startswith("C")]
