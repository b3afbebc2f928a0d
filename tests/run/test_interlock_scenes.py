"""Interlocks over the wire, in a run: what trips, what moves, what the record says, and what a person then can do."""

from __future__ import annotations

from pathlib import Path

from ald_controller import commands as c
from ald_controller.records.record import RunRecord
from simulators.beckhoff_io import CouplerB
from simulators.faults import Fault
from tests.run.rig import LIGL_C, OPERATOR, Rig, ligl, virtually

MELTS_C = 180.5


async def _dosing(rig: Rig, cycles: int = 3) -> None:
    """A run in the middle of its first dose."""
    await rig.start(ligl(cycles))
    await rig.until_open("LTB")


async def _tripped(rig: Rig, row: str) -> RunRecord:
    """The record of a run that this row has ended; everything shut, latched, and known to the record."""
    record = await rig.ended(60)
    assert record.ending == "tripped"
    assert rig.first_out == row and rig.latched and rig.state == "FAULT"
    assert not rig.sources_open and not rig.contactor_closed
    assert row in [e.fields["row"] for e in record.events("trip")]
    assert row in record.summary["trips"]
    return record


def _inputs(rig: Rig) -> CouplerB:
    coupler = rig.world.instruments["coupler-b"]
    assert isinstance(coupler, CouplerB)
    return coupler


@virtually
async def test_a_welded_heater_relay_ends_the_run_before_the_stage_is_at_160_degrees(tmp_path: Path) -> None:
    async with Rig(tmp_path, warm=LIGL_C) as rig:
        await rig.start(ligl(20))
        await rig.until_open("LTB")
        zone = rig.world.plant.heat.zones["substrate"]
        zone.stuck_on = True
        await rig.until(lambda: rig.first_out == "T5", 300)
        assert 152.0 < zone.sensor.celsius < 160.0
        await rig.until(lambda: not rig.contactor_closed, 0.2)
        await _tripped(rig, "T5")
        assert rig.carrier_sccm() == 20.0 and not rig.stop_shut  # abort to purge: the gate is shut, the pump runs
        hottest = max([zone.metal_c] + [await _metal_after(rig, 1) for _ in range(30)])
        assert hottest < MELTS_C - 20
        assert "T5" in await rig.refused(c.Reset(), "reset-refused")
        reply = await rig.ask(c.Reset(), OPERATOR)
        assert not reply.ok and "owner" in reply.text


async def _metal_after(rig: Rig, seconds: float) -> float:
    await rig.rest(seconds)
    return rig.world.plant.heat.zones["substrate"].metal_c


@virtually
async def test_one_open_thermocouple_of_two_holds_and_takes_only_its_heater_off(tmp_path: Path) -> None:
    async with Rig(tmp_path, warm=LIGL_C) as rig:
        await _dosing(rig)
        rig.world.plant.heat.zones["substrate"].sensor.open = True
        await rig.until_state("PAUSED", 3)
        assert rig.first_out == "T7" and not rig.sources_open and rig.contactor_closed
        await rig.rest(3)
        assert rig.power("substrate") == 0.0 and rig.power("chamber") > 0.0
        assert rig.carrier_sccm() == 20.0  # a hold purges
        await _tripped_after_a_minute(rig)


async def _tripped_after_a_minute(rig: Rig) -> None:
    waited_s = await rig.until(lambda: not rig.contactor_closed, 70)
    assert waited_s > 50
    assert (await rig.ended(60)).ending == "tripped"


@virtually
async def test_the_only_sensor_of_a_zone_open_ends_the_run_at_once(tmp_path: Path) -> None:
    async with Rig(tmp_path, warm=LIGL_C) as rig:
        await _dosing(rig)
        rig.world.plant.heat.zones["chamber"].sensor.open = True
        await rig.until(lambda: not rig.contactor_closed, 2)
        await _tripped(rig, "T7")


@virtually
async def test_a_silent_temperature_controller_is_a_reading_too_old(tmp_path: Path) -> None:
    async with Rig(tmp_path, warm=LIGL_C) as rig:
        await _dosing(rig)
        rig.world.faults["chamber"].put(Fault(silent=True))
        waited_s = await rig.until(lambda: rig.first_out, 5)
        assert waited_s < 3.0
        record = await _tripped(rig, "K14")
        unconfirmed = [e.fields["what"] for e in record.events("safe") if not e.fields["ok"]]
        assert unconfirmed == ["chamber"]  # the report names who did not answer


@virtually
async def test_a_silent_input_coupler_ends_the_run_and_isolates(tmp_path: Path) -> None:
    async with Rig(tmp_path, warm=LIGL_C) as rig:
        await _dosing(rig)
        rig.world.faults["coupler-b"].put(Fault(silent=True))
        assert await rig.until(lambda: rig.first_out, 2) < 1.0
        await _tripped(rig, "K3")
        await rig.rest(3)  # neither gate nor pressure is known any more
        assert rig.chamber == "UNKNOWN" and rig.stop_shut and rig.carrier_sccm() == 0.0


@virtually
async def test_bad_glovebox_air_behind_a_gate_proven_shut_blocks_starts_and_ends_no_run(tmp_path: Path) -> None:
    async with Rig(tmp_path, warm=LIGL_C) as rig:
        await _dosing(rig, cycles=2)
        rig.world.plant.o2_ppm = 60.0
        await rig.rest(12)
        assert rig.state in ("PAUSED", "EXECUTING") and not rig.latched
        rows = {a.row: a.reaction for a in rig.console.status().alarms}
        assert rows["G1"] == "BLOCK" and "G2" not in rows
        record = await rig.ended()
        assert record.ending == "completed" and record.summary["doses"] == 4
        assert "G1" in await rig.refused(c.Start(name="test"), "blocked")
        rig.world.plant.o2_ppm = 0.2
        await rig.rest(3)
        assert (await rig.ask(c.Start(name="test"))).ok


@virtually
async def test_bad_glovebox_air_with_the_gate_unproven_aborts_and_isolates(tmp_path: Path) -> None:
    async with Rig(tmp_path, warm=LIGL_C) as rig:
        await _dosing(rig)
        rig.world.plant.o2_ppm = 60.0
        rig.contact("gate_locked", False)
        assert await rig.until(lambda: rig.stop_shut and not rig.sources_open, 2) < 1.0
        await _tripped(rig, "G2")
        assert rig.stop_shut and rig.carrier_sccm() == 0.0


@virtually
async def test_a_gate_contact_lost_in_good_air_holds_and_lets_no_argon_into_the_shut_chamber(tmp_path: Path) -> None:
    async with Rig(tmp_path, warm=LIGL_C) as rig:
        await _dosing(rig, cycles=1)
        rig.world.plant.contacts["gate_locked"] = False
        await rig.until_state("PAUSED", 1)
        assert not rig.sources_open and rig.stop_shut and not rig.latched
        await rig.until(lambda: rig.carrier_sccm() == 0.0 and rig.world.plant.flows["pusher"].target == 0.0, 1)
        before_pa = rig.world.plant.pressure_pa(rig.now_s)
        await rig.rest(5)
        assert rig.world.plant.pressure_pa(rig.now_s) < before_pa + 100
        rig.world.plant.contacts["gate_locked"] = True
        await rig.until(lambda: rig.chamber == "VACUUM", 20)
        await rig.until(lambda: rig.carrier_sccm() == 20.0, 1)  # the hold purges again
        await rig.do(c.Resume())
        record = await rig.ended()
        assert record.ending == "completed" and record.summary["doses"] == 2


@virtually
async def test_the_tool_isolates_when_the_gate_opens_after_an_abort_to_purge(tmp_path: Path) -> None:
    async with Rig(tmp_path, warm=LIGL_C) as rig:
        await _dosing(rig)
        await rig.do(c.Abort())
        await rig.ended()
        assert rig.carrier_sccm() == 20.0 and not rig.stop_shut
        rig.world.plant.contacts["gate_locked"] = False
        await rig.until(lambda: rig.stop_shut and rig.carrier_sccm() == 0.0, 3)
        await rig.until_state("FAULT", 5)
        rig.world.plant.contacts["gate_locked"] = True
        await rig.rest(15)
        assert rig.chamber == "VACUUM" and rig.carrier_sccm() == 0.0  # nothing flows again by itself


@virtually
async def test_two_sources_set_by_a_foreign_writer_are_shut_within_a_quarter_of_a_second(tmp_path: Path) -> None:
    async with Rig(tmp_path, warm=LIGL_C) as rig:
        await _dosing(rig)
        coupler = rig.world.coupler_a
        coupler.at(rig.now_s)
        coupler.write_coils(0, 2, 0b11)
        start_s = rig.now_s
        await rig.until(lambda: not rig.sources_open, 1, 0.005)
        assert rig.now_s - start_s <= 0.25
        await rig.until(lambda: rig.first_out, 1)
        await _tripped(rig, "C1")  # and not the module's own fault, which comes in the same scan
        reply = await rig.ask(c.Reset(), OPERATOR)
        assert not reply.ok and "owner" in reply.text


@virtually
async def test_a_lost_valve_link_trips_and_comes_back_shut(tmp_path: Path) -> None:
    async with Rig(tmp_path, warm=LIGL_C) as rig:
        await _dosing(rig)
        rig.world.faults["valves"].put(Fault(deaf=True))
        await rig.until(lambda: rig.first_out == "K3", 1)
        await rig.until(lambda: not rig.world.coupler_a.word, 1)  # the module's own watchdog
        assert rig.world.coupler_a.trips == 1
        rig.world.faults["valves"].clear()
        record = await rig.ended(60)
        assert record.ending == "tripped" and not rig.sources_open and not rig.contactor_closed


@virtually
async def test_a_counted_watchdog_trip_of_the_valve_module_trips(tmp_path: Path) -> None:
    async with Rig(tmp_path, warm=LIGL_C) as rig:
        await _dosing(rig)
        rig.world.coupler_a.trips += 1
        await rig.until(lambda: rig.first_out, 2)
        await _tripped(rig, "K3")


@virtually
async def test_a_guard_that_hangs_loses_its_lease_and_the_valves_shut_without_it(tmp_path: Path) -> None:
    async with Rig(tmp_path, warm=LIGL_C) as rig:
        text = ligl(2).replace("LiOtBu, pulse: 1 s", "LiOtBu, pulse: 4 s")
        await rig.start(text)
        await rig.until_open("LTB")
        guard = rig.console.guard
        guard.scan = lambda reacts, now_s: None  # type: ignore[method-assign]
        waited_s = await rig.until(lambda: not rig.sources_open, 3, 0.01)
        assert 0.85 <= waited_s <= 1.05
        del guard.scan  # type: ignore[attr-defined]
        await rig.until(lambda: rig.first_out, 1)
        await _tripped(rig, "K1")


@virtually
async def test_a_broken_pressure_gauge_is_no_vacuum_and_no_source_opens_on_it(tmp_path: Path) -> None:
    async with Rig(tmp_path, warm=LIGL_C) as rig:
        await _dosing(rig, cycles=1)
        _inputs(rig).channels["pressure_torr"].broken = True
        await rig.until_state("FAULT", 4)
        assert not rig.sources_open and rig.chamber == "UNKNOWN" and rig.stop_shut
        await rig.until(lambda: rig.carrier_sccm() == 0.0, 1)
        assert (await rig.ended()).ending == "tripped" and rig.first_out == "C8"
        _inputs(rig).channels["pressure_torr"].broken = False
        await rig.until(lambda: rig.chamber == "VACUUM", 20)
        assert not rig.sources_open and rig.latched
