"""The Eurotherm controller register by register, against a scripted instrument."""

from __future__ import annotations

import asyncio

import pytest

from drivers.base import DeviceFault, DriverError, Refused
from drivers.eurotherm import EurothermConfig
from simulators.virtualtime import run_virtual
from tests.contract.eurotherm_bench import PV, REMOTE, REMOTE_ON, SP1, STATUS, WORKING, Instrument, Left, heater


@pytest.mark.parametrize(("decimals", "temperature_c"), [(0, 251.0), (1, 25.1), (2, 2.51)])
def test_a_poll_is_two_requests_and_four_channels(decimals: int, temperature_c: float) -> None:
    async def main() -> None:
        instrument = Instrument()
        device = heater(instrument, decimals, 200 / 10**decimals)
        await device.poll()
        instrument.asked.clear()
        readings = await device.poll()
        assert instrument.asked == [("read", 1), ("read", 75)]
        assert {name: one.value for name, one in readings.items()} == {
            "temperature_c": temperature_c,
            "working_setpoint_c": 200 / 10**decimals,
            "output_percent": 12.5,
            "status": 0.0,
        }

    run_virtual(main())


def test_below_zero_is_below_zero() -> None:
    async def main() -> None:
        instrument = Instrument()
        instrument.values[PV] = 0xFFFF
        assert (await heater(instrument).poll())["temperature_c"].value == -0.1

    run_virtual(main())


def test_an_open_sensor_is_a_device_fault_and_no_temperature() -> None:
    async def main() -> None:
        instrument = Instrument()
        instrument.values |= {STATUS: 1 << 5, PV: 13720}
        with pytest.raises(DeviceFault, match="sensor break"):
            await heater(instrument).poll()

    run_virtual(main())


def test_status_bits_are_flags_and_the_bitmap_a_channel() -> None:
    async def main() -> None:
        instrument = Instrument()
        instrument.values[STATUS] = 1 << 0 | 1 << 4 | 1 << 6 | 1 << 14
        readings = await heater(instrument).poll()
        assert readings["temperature_c"].flags == ("alarm 1", "manual", "loop break", "remote set-point failed")
        assert readings["status"].value == 0x4051

    run_virtual(main())


def test_a_remote_set_point_that_a_dead_controller_left_to_fail_is_given_up_and_is_no_fault() -> None:
    async def main() -> None:
        instrument = Left()
        left = {STATUS: 1 << 14, REMOTE: 1500, REMOTE_ON: 1}
        instrument.values |= left
        readings = await heater(instrument).poll()
        assert instrument.values[REMOTE_ON] == 0
        assert readings["temperature_c"].flags == () and readings["status"].value == 0
        instrument.values |= left
        mine = heater(instrument)
        await mine.follow(150.0)
        flags = (await mine.poll())["temperature_c"].flags
        assert instrument.values[REMOTE_ON] == 1 and flags == ("remote set-point failed",), "its own is a fault"
        await mine.safe()
        instrument.values |= left
        assert (await mine.poll())["temperature_c"].flags == ()

    run_virtual(main())


def test_a_set_point_goes_to_memory_that_does_not_wear_and_is_read_back() -> None:
    async def main() -> None:
        instrument = Instrument()
        await heater(instrument).follow(150.0)
        assert instrument.values[REMOTE] == 1500
        assert instrument.values[REMOTE_ON] == 1
        assert instrument.asked == [("write", 26), ("read", 26), ("read", 276), ("write", 276), ("read", 276)]

    run_virtual(main())


def test_a_ramp_asks_once_whether_its_set_point_is_in_force() -> None:
    async def main() -> None:
        instrument = Instrument()
        device = heater(instrument)
        await device.follow(150.0)
        instrument.values[WORKING] = 1500
        await device.poll()
        instrument.asked.clear()
        await device.follow(150.1)
        assert instrument.asked == [("write", 26), ("read", 26)]
        instrument.values |= {REMOTE_ON: 0, WORKING: 200}  # somebody chose the local one meanwhile
        await device.poll()
        await device.follow(150.2)
        assert instrument.values[REMOTE_ON] == 1

    run_virtual(main())


def test_refreshing_the_same_set_point_is_one_write_a_second() -> None:
    async def main() -> None:
        instrument = Instrument()
        device = heater(instrument)
        await device.follow(150.0)
        instrument.values[WORKING] = 1500
        for _ in range(3):
            await device.poll()
            instrument.asked.clear()
            await device.follow(150.0)
            assert instrument.asked == []
            await asyncio.sleep(1.0)
            await device.follow(150.0)
            assert instrument.asked == [("write", 26)]

    run_virtual(main())


def test_an_instrument_that_stopped_following_is_looked_at_again() -> None:
    async def main() -> None:
        instrument = Instrument()
        device = heater(instrument)
        await device.follow(150.0)
        instrument.values |= {REMOTE_ON: 0, WORKING: 200, REMOTE: 0}  # its power went off and on
        await device.poll()
        await device.follow(150.0)
        assert instrument.values[REMOTE_ON] == 1
        assert instrument.values[WORKING] == 200 or instrument.values[REMOTE] == 1500

    run_virtual(main())


@pytest.mark.parametrize("register", [REMOTE, REMOTE_ON])
def test_a_write_that_is_acknowledged_and_not_done_is_refused(register: int) -> None:
    async def main() -> None:
        instrument = Instrument()
        instrument.ignores = {register}
        with pytest.raises(Refused, match=f"register {register} reads back 0"):
            await heater(instrument).follow(150.0)

    run_virtual(main())


def test_safe_is_the_local_set_point() -> None:
    async def main() -> None:
        instrument = Instrument()
        device = heater(instrument)
        await device.follow(150.0)
        instrument.asked.clear()
        await device.safe()
        assert instrument.values[REMOTE_ON] == 0
        assert instrument.asked == [("write", 276), ("read", 276)], "written before anything is asked"

    run_virtual(main())


def test_safe_says_so_when_the_instrument_keeps_following() -> None:
    async def main() -> None:
        instrument = Instrument()
        device = heater(instrument)
        await device.follow(150.0)
        instrument.ignores = {REMOTE_ON}
        with pytest.raises(Refused, match="still follows"):
            await device.safe()

    run_virtual(main())


def test_back_to_local_is_written_only_when_it_is_not_local() -> None:
    async def main() -> None:
        instrument = Instrument()
        device = heater(instrument)
        await device.follow(150.0)
        await device.follow(None)
        assert instrument.values[REMOTE_ON] == 0
        instrument.asked.clear()
        await device.follow(None)
        assert instrument.asked == [("read", 276)]

    run_virtual(main())


def test_the_safe_local_set_point_is_written_only_when_it_differs() -> None:
    async def main() -> None:
        instrument = Instrument()
        instrument.values[SP1] = 3000
        identity = await heater(instrument).identify()
        assert instrument.values[SP1] == 200
        assert instrument.writes() == [SP1]
        assert identity.facts == {
            "type code": "0x3216",
            "decimals": "1",
            "unit": "°C",
            "sensor": "type K",
            "set-point": "1",
            "local set-point": "20 °C",
            "local set-point before": "300 °C",
        }
        await heater(instrument).identify()
        assert instrument.writes() == [SP1], "EEPROM wears out after 100,000 writes"

    run_virtual(main())


def test_an_instrument_on_its_second_set_point_has_no_safe_local_one() -> None:
    async def main() -> None:
        instrument = Instrument()
        instrument.values[15] = 1
        with pytest.raises(Refused, match="set-point 2 is selected"):
            await heater(instrument).identify()
        assert not instrument.writes()

    run_virtual(main())


@pytest.mark.parametrize("celsius", [float("nan"), float("inf"), 4000.0])
def test_a_set_point_that_cannot_be_written_is_never_sent(celsius: float) -> None:
    async def main() -> None:
        instrument = Instrument()
        with pytest.raises(Refused, match="cannot be shown"):
            await heater(instrument).follow(celsius)
        assert not instrument.asked

    run_virtual(main())


def test_a_failed_refresh_is_followed_by_a_full_check() -> None:
    async def main() -> None:
        instrument = Instrument()
        device = heater(instrument)
        await device.follow(150.0)
        answer = instrument.hear
        instrument.hear = lambda now_s, data: b""  # type: ignore[method-assign]
        with pytest.raises(DriverError):
            await device.follow(151.0)
        instrument.hear = answer  # type: ignore[method-assign]
        instrument.asked.clear()
        await device.follow(151.0)
        assert instrument.asked == [("read", 24), ("write", 26), ("read", 26), ("read", 276)], "after a probe"

    run_virtual(main())


@pytest.mark.parametrize(("unit", "decimals"), [(0, 1), (255, 1), (1, 3), (1, -1)])
def test_settings_that_no_instrument_has_are_refused(unit: int, decimals: int) -> None:
    with pytest.raises(ValueError, match="Eurotherm"):
        EurothermConfig(unit, 20.0, decimals)
