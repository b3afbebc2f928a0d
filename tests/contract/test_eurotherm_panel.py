"""What is set at a Eurotherm itself: read back at a start, and seen and named when somebody changes it."""

from __future__ import annotations

import asyncio

import pytest

from drivers.base import DeviceFault, Refused
from simulators.virtualtime import run_virtual
from tests.contract.eurotherm_bench import DECIMALS, PV, SELECTED, SENSOR, SP1, UNIT, WORKING, Instrument, heater


@pytest.mark.parametrize(
    ("register", "value", "said"),
    [
        (DECIMALS, 2, "the display has 2 decimals, the settings say 1"),
        (UNIT, 1, "the unit of the display is °F: set it to °C"),
        (SENSOR, 0, "the sensor is type J, the settings say type K"),
        (SENSOR, 9, "no temperature sensor"),
        (SELECTED, 1, "set-point 2 is selected"),
    ],
)
def test_an_instrument_that_is_set_otherwise_is_refused_with_what_to_do(register: int, value: int, said: str) -> None:
    async def main() -> None:
        instrument = Instrument()
        device = heater(instrument)
        instrument.values[register] = value
        with pytest.raises(Refused, match=said):
            await device.identify()
        assert not instrument.writes()

    run_virtual(main())


@pytest.mark.parametrize("register", [DECIMALS, UNIT, SELECTED])
def test_a_setting_changed_while_it_runs_is_a_fault_within_twelve_seconds(register: int) -> None:
    async def main() -> None:
        instrument = Instrument()
        device = heater(instrument)
        await device.identify()
        instrument.values[register] = 2
        with pytest.raises(DeviceFault, match="changed at the device"):
            for _ in range(25):
                await device.poll()
                await asyncio.sleep(0.5)

    run_virtual(main())


@pytest.mark.parametrize(("register", "digits"), [(DECIMALS, (2510, 2000)), (UNIT, (772, 680))])
def test_other_decimals_or_another_unit_never_give_a_temperature(register: int, digits: tuple[int, int]) -> None:
    async def main() -> None:
        instrument = Instrument()
        device = heater(instrument)
        await device.identify()
        await device.poll()
        instrument.values |= {register: 2, PV: digits[0], SP1: digits[1], WORKING: digits[1]}
        with pytest.raises(DeviceFault, match="changed at the device"):
            await device.poll()
        assert not instrument.writes()

    run_virtual(main())


@pytest.mark.parametrize("following", [False, True])
def test_a_set_point_changed_at_the_panel_is_named_by_the_next_poll(following: bool) -> None:
    async def main() -> None:
        instrument = Instrument()
        device = heater(instrument)
        if following:
            await device.follow(150.0)
            instrument.values[WORKING] = 1500
        readings = await device.poll()
        assert not any(one.flags for one in readings.values())
        instrument.values[WORKING] = 1800
        readings = await device.poll()
        assert readings["working_setpoint_c"].flags == ("set-point changed at the device",)
        assert readings["temperature_c"].flags == ()
        await device.follow(150.0 if following else None)
        assert (instrument.values[WORKING] == 1500) == following

    run_virtual(main())


def test_a_set_point_that_ramps_there_by_itself_was_changed_by_nobody() -> None:
    async def main() -> None:
        instrument = Instrument()
        device = heater(instrument)
        await device.poll()
        await device.follow(150.0)
        for working in (300, 900, 1500):
            instrument.values[WORKING] = working
            assert (await device.poll())["working_setpoint_c"].flags == ()

    run_virtual(main())


def test_a_safe_local_set_point_that_waits_behind_the_remote_one_is_named_and_put_right_within_four_seconds() -> None:
    async def main() -> None:
        instrument = Instrument()
        device = heater(instrument)
        await device.follow(150.0)
        instrument.values[WORKING] = 1500
        await device.poll()
        instrument.values[SP1] = 1700
        seen: list[str] = []
        for _ in range(8):
            await asyncio.sleep(0.5)
            seen += (await device.poll())["status"].flags
        assert seen == ["local set-point changed at the device"]
        assert instrument.values[SP1] == 200
        assert device.eeprom_writes == 1

    run_virtual(main())


def test_memory_that_wears_out_is_written_forty_times_at_most() -> None:
    async def main() -> None:
        instrument = Instrument()
        device = heater(instrument)
        for _ in range(40):
            instrument.values[SP1] = 1700
            await device.poll()
            await asyncio.sleep(2.0)
            await device.poll()
            await asyncio.sleep(2.0)
        instrument.values[SP1] = 1700
        with pytest.raises(Refused, match="40 writes of its local set-point are enough"):
            await device.poll()
        assert instrument.writes() == [SP1] * 40

    run_virtual(main())
