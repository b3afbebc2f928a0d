"""The nXDS driver and its simulated pump together: what happens at the pump, and who did it."""

from __future__ import annotations

import pytest

from drivers.base import DeviceFault, Reading, Refused
from drivers.edwards_nxds import EdwardsNxds, EdwardsNxdsConfig
from drivers.line import memory_line
from simulators.edwards_nxds import NxdsFace, ScrollPump
from simulators.virtualtime import run_virtual
from tests.contract.scripted import now_s


def values(readings: dict[str, Reading]) -> dict[str, float]:
    return {name: one.value for name, one in readings.items()}


def flags(readings: dict[str, Reading]) -> dict[str, tuple[str, ...]]:
    return {name: one.flags for name, one in readings.items() if one.flags}


def against_its_face() -> tuple[EdwardsNxds, NxdsFace]:
    face = NxdsFace(ScrollPump(), "pump")
    return EdwardsNxds("pump", memory_line("test", face), EdwardsNxdsConfig()), face


def test_a_pump_runs_stands_by_and_stops() -> None:
    async def main() -> None:
        device, face = against_its_face()
        await device.identify()
        await device.start()
        await device.start()
        face.hear(now_s() + 60.0, b"")
        assert flags(await device.poll()) == {}
        await device.standby(True)
        assert values(await device.poll())["standby"] == 1
        await device.stop()
        await device.stop()
        assert values(await device.poll())["running"] == 0
        assert not face.running

    run_virtual(main())


def test_what_somebody_does_at_the_pump_is_named_by_the_next_poll() -> None:
    async def main() -> None:
        device, face = against_its_face()
        await device.stop()
        face.press(now_s())
        assert flags(await device.poll()) == {"running": ("changed elsewhere", "manual control")}
        with pytest.raises(Refused, match="started by its button"):
            await device.stop()
        face.press(now_s())
        await device.start()
        face.hear(now_s(), b"!C803 1\r")  # another computer
        assert flags(await device.poll()) == {"standby": ("changed elsewhere",)}

    run_virtual(main())


def test_the_lost_link_of_serial_enable_is_a_fault_until_it_is_back_and_stop_was_said() -> None:
    async def main() -> None:
        device, face = against_its_face()
        await device.start()
        face.enable_serial(False, now_s())
        with pytest.raises(DeviceFault, match="serial enable was lost"):
            await device.poll()
        face.enable_serial(True, now_s())
        with pytest.raises(DeviceFault, match="serial enable was lost"):
            await device.start()
        await device.stop()
        await device.start()
        assert values(await device.poll())["running"] == 1

    run_virtual(main())


def test_a_pump_without_the_objects_of_the_next_is_read_all_the_same() -> None:
    async def main() -> None:
        face = NxdsFace(ScrollPump(), "pump", nxds_only=True)
        device = EdwardsNxds("pump", memory_line("test", face), EdwardsNxdsConfig())
        assert values(await device.poll())["run_hours"] == 1234

    run_virtual(main())
