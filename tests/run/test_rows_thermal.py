"""Rows T1 to T8 on the simulated reactor: what a heater or a thermocouple does wrong, and what it costs."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from ald_controller import commands as c
from ald_controller import interlocks as il
from drivers.base import Refused
from simulators.eurotherm import USE_REMOTE, Eurotherm
from simulators.faults import Fault
from simulators.plant.heat import Zone
from tests.run.rig import LIGL_C, OPERATOR, Rig, ligl, virtually
from tests.run.rows import in_record, shown, told

WARN, BLOCK, HOLD, ABORT = il.Reaction.WARN, il.Reaction.BLOCK, il.Reaction.HOLD, il.Reaction.ABORT_PURGE
GL_AT_158 = ligl(20).replace("glycerol: 130 °C", "glycerol: 158 °C")  # its bottle may go to 160 °C


async def _dosing(rig: Rig, text: str = "") -> None:
    """A run in the middle of its first dose."""
    await rig.start(text or ligl(20))
    await rig.until_open("LTB")


def _zone(rig: Rig, name: str = "substrate") -> Zone:
    return rig.world.plant.heat.zones[name]


def _unit(rig: Rig, name: str) -> Eurotherm:
    unit = rig.world.instruments[name]
    assert isinstance(unit, Eurotherm)
    return unit


def _off(rig: Rig, name: str) -> Callable[[], object]:
    """Whether this instrument was told to give up its set-point."""
    return lambda: not _unit(rig, name).values[USE_REMOTE]


def _cut(rig: Rig) -> Callable[[], object]:
    return lambda: not rig.contactor_closed


def _nothing() -> None:
    """What breaks has been broken before."""


async def _drifted(rig: Rig, zone: str, to_c: float, k_per_s: float) -> None:
    """The reading of a controller's sensor goes there at this rate and stays in step with its metal from then on."""
    sensor = _zone(rig, zone).sensor
    sensor.drift_k_s = k_per_s
    await rig.until(lambda: (sensor.reading_c - to_c) * k_per_s >= 0, 60, 0.01)
    sensor.drift_k_s = 0.0


# --- T1 --------------------------------------------------------------------------------------------------------------


@virtually
async def test_t1_a_sensor_that_reads_170_opens_the_contactor_and_only_an_owner_resets_it(tmp_path: Path) -> None:
    async with Rig(tmp_path, warm=LIGL_C) as rig:
        await _dosing(rig)
        second = _zone(rig).second
        assert second is not None
        second.drift_k_s = 3.0
        await rig.until(lambda: second.reading_c >= 168.9, 20, 0.01)  # the hottest place has 1 K more
        await shown(rig, "T1", ABORT, "the second sensor comes to the trip", _nothing, _cut(rig))
        record = await rig.ended(60)
        assert record.ending == "tripped"
        in_record(record, "T1")
        assert "T1" in await rig.refused(c.Reset(), "reset-refused")
        second.drift_k_s, second.offset_k = 0.0, 0.4
        await rig.rest(11)
        reply = await rig.ask(c.Reset(), OPERATOR)
        assert not reply.ok and "owner" in reply.text


@virtually
async def test_t1_the_contact_of_the_hardware_limit_controller_aborts_and_asks_for_the_key(tmp_path: Path) -> None:
    async with Rig(tmp_path, warm=LIGL_C) as rig:
        await _dosing(rig)
        opens = lambda: rig.contact("limit_controller_ok", False)  # noqa: E731
        await shown(rig, "T1", ABORT, "the limit controller's contact opens", opens, _cut(rig))
        in_record(await rig.ended(60), "T1")
        rig.contact("limit_controller_ok", True)
        await rig.rest(11)
        assert "button at the tool" in (await rig.ask(c.Reset(reason="looked at it"))).text


@virtually
async def test_t1_one_of_two_sensors_back_within_a_minute_leaves_a_run_that_goes_on(tmp_path: Path) -> None:
    async with Rig(tmp_path, warm=LIGL_C) as rig:
        await _dosing(rig, ligl(1))
        sensor = _zone(rig).sensor
        sensor.open = True
        await rig.until_state("PAUSED", 3)
        await rig.rest(15)
        sensor.open = False
        await rig.rest(15)
        await rig.do(c.Reset())
        assert rig.state == "PAUSED" and not rig.latched
        await rig.do(c.Resume())
        assert (await rig.ended()).ending == "completed"


# --- T2 --------------------------------------------------------------------------------------------------------------


@virtually
async def test_t2_a_sensor_that_slips_off_holds_with_its_heater_off_and_aborts_when_it_stays_away(
    tmp_path: Path,
) -> None:
    async with Rig(tmp_path, warm=LIGL_C) as rig:
        await _dosing(rig)
        sensor = _zone(rig).sensor

        def slips() -> None:
            sensor.loose_s = 5.0

        await shown(rig, "T2", HOLD, "one of two sensors slips off", slips, _off(rig, "substrate"))
        assert rig.state == "PAUSED" and not rig.sources_open and rig.contactor_closed
        await rig.until(_cut(rig), 15)  # the two are ten kelvins apart for ten seconds: T4
        in_record(await rig.ended(60), "T2")


@virtually
async def test_t2_the_only_sensor_of_a_zone_that_slips_off_opens_the_contactor(tmp_path: Path) -> None:
    async with Rig(tmp_path, warm=LIGL_C) as rig:
        await _dosing(rig)
        sensor = _zone(rig, "chamber").sensor

        def slips() -> None:
            sensor.loose_s = 5.0

        await shown(rig, "T2", ABORT, "the only sensor of the chamber slips off", slips, _cut(rig))
        in_record(await rig.ended(60), "T2")


@virtually
async def test_t2_a_heater_that_burns_out_is_found_by_what_its_zone_falls_behind(tmp_path: Path) -> None:
    async with Rig(tmp_path, warm=LIGL_C) as rig:
        await _dosing(rig)
        _zone(rig, "source-3").broken = True
        waited_s = await rig.until(lambda: rig.first_out, 300)
        assert rig.first_out == "T2" and waited_s < 200
        record = await rig.ended(60)
        (trip, *_) = record.events("trip")
        assert "source-3" in trip.fields["text"]


# --- T3 and T4 -------------------------------------------------------------------------------------------------------


@virtually
async def test_t3_a_reading_that_stands_still_while_its_power_moves_is_told(tmp_path: Path) -> None:
    async with Rig(tmp_path, warm=LIGL_C) as rig:
        await rig.proven()
        tool = rig.console.tool
        await tool.heaters.heat({"substrate": 148.0, "chamber": 148.0}, 0.05)
        await rig.rest(60)
        _zone(rig, "chamber").sensor.freeze()
        await tool.heaters.heat({"chamber": 150.0}, 0.05)
        await told(rig, "T3", WARN, "a frozen reading while its power moves", _nothing, within_s=110)


@virtually
async def test_t4_two_sensors_ten_kelvins_from_what_was_commissioned_abort_after_ten_seconds(tmp_path: Path) -> None:
    async with Rig(tmp_path, warm=LIGL_C) as rig:
        await _dosing(rig)
        await _drifted(rig, "substrate", 141.0, -1.0)
        sensor = _zone(rig).sensor

        def further() -> None:
            sensor.offset_k -= 2.0

        await shown(rig, "T4", ABORT, "a thermocouple drifts from the other", further, _cut(rig), persist_s=10.0)
        in_record(await rig.ended(60), "T4")
        sensor.offset_k = 0.0
        await rig.rest(11)
        reply = await rig.ask(c.Reset(), OPERATOR)
        assert not reply.ok and "owner" in reply.text


# --- T5 and T6 -------------------------------------------------------------------------------------------------------


@virtually
async def test_t5_a_welded_relay_opens_the_contactor_two_seconds_after_half_a_minute_of_rising(tmp_path: Path) -> None:
    async with Rig(tmp_path, warm=LIGL_C) as rig:
        await _dosing(rig)
        zone = _zone(rig)
        zone.stuck_on = True
        await rig.until(lambda: _unit(rig, "substrate")._output == 0.0, 60)
        await shown(rig, "T5", ABORT, "the relay of the substrate welds", _nothing, _cut(rig), persist_s=30.0)
        in_record(await rig.ended(60), "T5")


@virtually
async def test_t5_a_welded_relay_of_a_source_opens_the_contactor_of_sources_and_lines(tmp_path: Path) -> None:
    async with Rig(tmp_path, warm=LIGL_C | {"source-5": 60.0, "lines": 60.0}) as rig:
        await rig.proven()
        await rig.console.tool.heaters.heat({"source-5": 60.0}, 0.05)
        assert rig.world.plant.outputs["source contactor"]
        await rig.rest(1)
        _zone(rig, "source-5").stuck_on = True
        await rig.until(lambda: rig.first_out == "T5", 120)
        await rig.until(lambda: not rig.world.plant.outputs["source contactor"], 1.0)
        assert rig.state == "FAULT"


@virtually
async def test_t6_a_zone_that_rises_fifteen_kelvins_above_its_set_point_holds_with_its_heater_off(
    tmp_path: Path,
) -> None:
    async with Rig(tmp_path, warm=LIGL_C) as rig:
        await _dosing(rig)
        zone = _zone(rig)

        async def burns() -> None:
            while zone.metal_c < 172.0:  # a reaction on the stage heats it: no heater does
                zone.metal_c += 0.04
                await asyncio.sleep(0.05)

        burning = asyncio.ensure_future(burns())
        await rig.until(lambda: zone.sensor.reading_c >= 164.9, 60, 0.01)
        await shown(rig, "T6", HOLD, "the stage rises far above its set-point", _nothing, _off(rig, "substrate"))
        assert rig.state == "PAUSED" and _unit(rig, "chamber").values[USE_REMOTE]
        burning.cancel()
        await rig.do(c.Abort())
        in_record(await rig.ended(60), "T6")


# --- T7 --------------------------------------------------------------------------------------------------------------


@virtually
async def test_t7_one_open_thermocouple_of_two_holds_within_a_second(tmp_path: Path) -> None:
    async with Rig(tmp_path, warm=LIGL_C) as rig:
        await _dosing(rig)
        second = _zone(rig).second
        assert second is not None

        def breaks() -> None:
            second.open = True

        await shown(rig, "T7", HOLD, "the second thermocouple opens", breaks, lambda: rig.state == "PAUSED")
        await rig.until(_cut(rig), 65)  # and an abort after a minute
        in_record(await rig.ended(60), "T7")


@virtually
async def test_t7_the_only_sensor_of_a_zone_open_opens_the_contactor_within_a_second(tmp_path: Path) -> None:
    async with Rig(tmp_path, warm=LIGL_C) as rig:
        await _dosing(rig)

        def breaks() -> None:
            _zone(rig, "chamber").sensor.open = True

        await shown(rig, "T7", ABORT, "the chamber's thermocouple opens", breaks, _cut(rig))
        in_record(await rig.ended(60), "T7")


# --- T8 --------------------------------------------------------------------------------------------------------------


@virtually
async def test_t8_a_source_above_its_precursors_maximum_opens_no_more_and_ten_kelvins_more_abort(
    tmp_path: Path,
) -> None:
    async with Rig(tmp_path, warm=LIGL_C | {"source-4": 158.0, "lines": 173.0}) as rig:
        await _dosing(rig, GL_AT_158)
        await _drifted(rig, "source-4", 161.5, 0.9)
        await told(rig, "T8", BLOCK, "a source is above its precursor's maximum", _nothing, within_s=6.0)
        assert not rig.console.guard.may_open
        await _drifted(rig, "source-4", 169.9, 0.9)
        _zone(rig, "source-4").sensor.drift_k_s = 0.9
        await shown(rig, "T8", ABORT, "a source is 10 K above its maximum", _nothing, _off(rig, "source-4"))
        in_record(await rig.ended(60), "T8")


# --- what is refused before a row has to act -------------------------------------------------------------------------


@virtually
async def test_no_caller_sets_a_zone_that_touches_lithium_above_the_clamp(tmp_path: Path) -> None:
    async with Rig(tmp_path, warm=LIGL_C) as rig:
        await rig.proven()
        tool = rig.console.tool
        for zone in ("substrate", "chamber"):
            with pytest.raises(Refused, match="at most 150 °C is expected where lithium may lie"):
                await tool.heaters.heat({zone: 150.1, "source-5": 40.0}, None)
        assert tool.heaters.goal_c("substrate") is None and tool.heaters.goal_c("source-5") is None
        await tool.heaters.heat({"substrate": 150.0, "source-3": 170.0}, None)


@virtually
async def test_a_set_point_from_before_the_load_was_lithium_is_cut_to_the_clamp(tmp_path: Path) -> None:
    async with Rig(tmp_path, warm={"substrate": 140.0, "chamber": 140.0}, load="silicon") as rig:
        await rig.proven()
        tool = rig.console.tool
        await tool.heaters.heat({"substrate": 200.0}, 0.1)
        await rig.rest(150)
        assert tool.heaters.asked_c()["substrate"] == pytest.approx(155, abs=1)
        await rig.do(c.SetRegister(name="load", value="{material: lithium}", by="Ann"))
        await rig.rest(0.3)
        assert tool.heaters.asked_c()["substrate"] == 150.0


# --- the start -------------------------------------------------------------------------------------------------------


@virtually
async def test_a_warm_tool_that_a_dead_controller_left_comes_up_latched_by_the_start_alone(tmp_path: Path) -> None:
    rig = Rig(tmp_path, warm=LIGL_C)
    for zone in rig.file.config.zones:
        _unit(rig, zone).values |= {USE_REMOTE: 1, 26: 1500}  # and nobody has refreshed it for long
    async with rig:
        await rig.until(lambda: not rig.console.tool.absent, 10)
        await rig.rest(3)
        assert rig.state == "IDLE"
        assert [cause.row for cause in rig.console.guard.state.latched] == ["K5"]
        await rig.proven()
        assert not rig.latched


@virtually
async def test_an_instrument_that_answers_late_after_the_start_aborts_nothing(tmp_path: Path) -> None:
    rig = Rig(tmp_path, warm=LIGL_C)
    rig.world.faults["chamber"].put(Fault(silent=True))
    async with rig:
        await rig.rest(6)
        assert rig.state == "IDLE"
        assert [cause.row for cause in rig.console.guard.state.latched] == ["K5"]
        assert "chamber.temperature_c was never read" in await rig.refused(c.Reset(), "reset-refused")
        rig.world.faults["chamber"].clear()
        await rig.proven()
        assert not rig.latched and rig.state == "IDLE"
