"""One tool with a device of every driver: each is found in the simulated reactor, and reads what its settings say."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from ald_controller.config import load_tool
from drivers.base import Reading
from drivers.catalogue import CATALOGUE
from drivers.line import memory_line
from simulators.instruments import KINDS
from simulators.virtualtime import run_virtual
from simulators.world import build

TOOL = Path(__file__).parents[2] / "deploy" / "tools" / "every-device.yaml"
FILE = load_tool(TOOL)


def test_the_tool_has_a_device_of_every_driver_and_the_reactor_holds_every_one() -> None:
    assert {device.driver for device in FILE.devices.values()} == set(CATALOGUE) == set(KINDS)


@pytest.mark.parametrize("name", FILE.devices)
def test_a_device_identifies_itself_as_its_settings_say_and_reads_its_channels(name: str) -> None:
    async def polled() -> dict[str, Reading]:
        loop = asyncio.get_running_loop()
        world = build(TOOL, at_s=loop.time())
        config = FILE.devices[name]
        line = memory_line(config.line, world.face(config.line))
        device = CATALOGUE[config.driver].driver(name, line, config.settings)
        await device.identify()
        await asyncio.sleep(1.0)
        readings: dict[str, Reading] = await device.poll()
        return readings

    config = FILE.devices[name]
    readings = run_virtual(polled())
    assert set(readings) <= CATALOGUE[config.driver].driver.channels(config.settings)
    assert any(reading.value == reading.value for reading in readings.values())  # not all of them NaN
