"""What a Watlow keeps, and what a person changes on its panel: the memory is spared, and every change is named."""

from __future__ import annotations

import asyncio

import pytest

from drivers.base import Refused
from drivers.watlow import NONVOLATILE_WRITES
from tests.contract.watlow_bench import AUTO, MANUAL, MODE, NO, OFF, SAVE, SETPOINT, YES, Bench, virtually


def test_identifying_switches_off_has_that_kept_and_then_switches_saving_off() -> None:
    async def main(bench: Bench) -> None:
        bench.unit.numbers[SETPOINT] = 200.0
        bench.unit.kept = dict(bench.unit.numbers), dict(bench.unit.codes)
        identity = await bench.device.identify()
        assert [address for address, _ in bench.writes()] == [MODE, SETPOINT, SETPOINT, SAVE]
        assert (bench.unit.codes[MODE], bench.unit.codes[SAVE]) == (OFF, 59)
        assert identity.facts["set-point before"] == "200.0 °C" and identity.facts["control mode before"] == "auto"
        assert identity.facts["unit"] == "°F" and identity.facts["word order"] == "low word first"
        await bench.device.follow(150.0)
        bench.unit.power_cut()
        assert bench.unit.codes[MODE] == OFF, "it does not heat by itself after a power cut"
        assert bench.unit.numbers[SETPOINT] == pytest.approx(20.0, abs=0.01)

    virtually(main)


def test_a_day_of_ramps_writes_the_memory_no_more() -> None:
    async def main(bench: Bench) -> None:
        await bench.device.identify()
        before = bench.unit.nonvolatile_writes
        assert before <= bench.device.nonvolatile_writes <= 5
        for tenth in range(500):
            await bench.device.follow(20.0 + tenth / 4)
            await asyncio.sleep(1.0)
        await bench.device.follow(None)
        for _ in range(3):
            await bench.device.identify()
        assert bench.unit.nonvolatile_writes == before

    virtually(main)


def test_somebody_who_changes_it_again_and_again_does_not_wear_its_memory_out() -> None:
    async def main(bench: Bench) -> None:
        with pytest.raises(Refused, match="writes of the device's memory are enough"):
            for _ in range(50):
                bench.unit.codes |= {SAVE: 106, MODE: AUTO}
                await bench.device.identify()
        assert bench.unit.codes[MODE] == OFF, "off it is all the same"
        assert bench.device.nonvolatile_writes <= NONVOLATILE_WRITES

    virtually(main)


def test_saving_that_cannot_be_switched_off_is_refused_before_any_ramp() -> None:
    async def main(bench: Bench) -> None:
        bench.ignores = {SAVE}
        with pytest.raises(Refused, match="register 2494 reads back 106 instead of 59"):
            await bench.device.identify()
        with pytest.raises(Refused, match="2494"):
            await bench.device.follow(150.0)
        assert bench.unit.codes[MODE] == OFF

    virtually(main)


def test_a_set_point_from_the_panel_is_named_in_one_poll_and_overwritten_by_the_next_refresh() -> None:
    async def main(bench: Bench) -> None:
        await bench.device.identify()
        await bench.device.follow(150.0)
        bench.unit.panel(SETPOINT, 180.0)
        readings = await bench.device.poll()
        assert readings["working_setpoint_c"].flags == ("set-point changed at the device",)
        assert readings["working_setpoint_c"].value == pytest.approx(180.0, abs=1e-3)
        assert readings["temperature_c"].flags == (), "the temperature is still one"
        await bench.device.follow(150.0)
        assert bench.unit.numbers[SETPOINT] == pytest.approx(150.0, abs=1e-3)
        assert (await bench.device.poll())["working_setpoint_c"].flags == ()

    virtually(main)


@pytest.mark.parametrize(("mode", "word"), [(OFF, "off"), (MANUAL, "manual")])
def test_a_mode_from_the_panel_is_named_in_one_poll_and_set_right_by_the_next_refresh(mode: int, word: str) -> None:
    async def main(bench: Bench) -> None:
        await bench.device.identify()
        await bench.device.follow(150.0)
        bench.unit.panel(MODE, mode)
        assert (await bench.device.poll())["status"].flags == (f"switched to {word} at the device",)
        await bench.device.follow(150.0)
        assert bench.unit.codes[MODE] == AUTO

    virtually(main)


def test_a_loop_that_is_switched_on_at_the_panel_while_nobody_asked_for_it_is_named() -> None:
    async def main(bench: Bench) -> None:
        await bench.device.identify()
        bench.unit.panel(MODE, AUTO)
        assert (await bench.device.poll())["output_percent"].flags == ("switched to auto at the device",)
        await bench.device.follow(None)
        assert bench.unit.codes[MODE] == OFF

    virtually(main)


def test_what_the_panel_kept_is_put_right_when_it_is_identified_again() -> None:
    async def main(bench: Bench) -> None:
        await bench.device.identify()
        await bench.device.follow(150.0)
        bench.unit.panel(SETPOINT, 180.0)  # which keeps the mode auto, too
        await bench.device.poll()
        await bench.device.identify()
        bench.unit.power_cut()
        assert bench.unit.codes[MODE] == OFF and bench.unit.numbers[SETPOINT] == pytest.approx(20.0, abs=0.01)

    virtually(main)


def test_what_the_panel_kept_is_put_right_even_if_the_loop_is_off_again() -> None:
    async def main(bench: Bench) -> None:
        await bench.device.identify()
        await bench.device.follow(150.0)
        bench.unit.panel(SETPOINT, 180.0)
        await bench.device.poll()
        await bench.device.follow(None)
        await bench.device.identify()
        bench.unit.power_cut()
        assert bench.unit.codes[MODE] == OFF and bench.unit.numbers[SETPOINT] == pytest.approx(20.0, abs=0.01)

    virtually(main)


def test_what_this_controller_changes_between_two_reads_of_a_poll_is_nobody_elses_change() -> None:
    async def main(bench: Bench) -> None:
        await bench.device.identify()
        await bench.device.follow(150.0)
        answer = bench.face.hear

        def meanwhile(now_s: float, data: bytes) -> bytes:
            if data.startswith(bytes.fromhex("01030788")):  # the loop error, read after the mode
                bench.unit.codes[MODE] = bench.device._mode = OFF  # as `safe` of another task would
            return answer(now_s, data)

        bench.face.hear = meanwhile  # type: ignore[method-assign]
        readings = await bench.device.poll()
        assert readings["status"].value == AUTO
        assert {one.flags for one in readings.values()} == {()}

    virtually(main)


def test_a_loop_that_saves_again_after_a_restart_is_not_switched_on_before_saving_is_off() -> None:
    """Else its memory holds a loop that is on, and the next power cut heats with nobody there."""

    async def main(bench: Bench) -> None:
        bench.unit.forgets_saving = True
        await bench.device.identify()
        await bench.device.poll()
        bench.unit.power_cut()
        assert bench.unit.codes[SAVE] == YES
        await bench.device.poll()  # the loop is off as before: nothing is to be seen
        await bench.device.follow(80.0)
        assert bench.unit.codes[SAVE] == NO
        bench.unit.power_cut()
        assert "switched to off at the device" in (await bench.device.poll())["status"].flags
        await bench.device.follow(80.0)
        await asyncio.sleep(10)
        await bench.device.follow(90.0)
        bench.unit.power_cut()
        assert bench.unit.codes[MODE] == OFF and bench.unit.numbers[SETPOINT] == pytest.approx(20.0, abs=0.01)

    virtually(main)
