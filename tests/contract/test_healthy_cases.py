"""Where the harness of wire faults starts: on a healthy wire every device reads what is true, and obeys."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from drivers.line import memory_line
from simulators.virtualtime import run_virtual
from tests.contract.cases import Case
from tests.contract.catalogue import all_cases

CASES = {case.name: case for case in all_cases()}
SWITCHING = ("alicat", "beckhoff_io", "bronkhorst", "edwards_nxds", "wago_io")  # their plants note what was switched


async def identified(case: Case) -> tuple[Any, Any]:
    """Plant and device."""
    plant = case.plant()
    device = case.driver(memory_line("test", case.face(plant)))
    await device.identify()
    return plant, device


async def poll_is_true(case: Case, plant: Any, device: Any) -> None:
    readings = await device.poll()
    for name, truth in case.channels.items():
        reading = readings[name]
        assert reading.value == pytest.approx(truth.at(plant, reading.at_s), abs=truth.resolution)
        assert reading.flags == ()


@pytest.mark.parametrize("name", CASES)
def test_a_healthy_case_polls_right(name: str) -> None:
    async def main() -> None:
        plant, device = await identified(CASES[name])
        for _ in range(5):
            await asyncio.sleep(1.0)
            await poll_is_true(CASES[name], plant, device)

    run_virtual(main())


@pytest.mark.parametrize("name", CASES)
def test_a_device_reads_the_channels_that_its_settings_announce(name: str) -> None:
    async def main() -> None:
        _, device = await identified(CASES[name])
        assert frozenset(await device.poll()) == type(device).channels(device._settings)

    run_virtual(main())


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if case.set])
def test_a_device_that_was_set_polls_right_and_goes_to_its_safe_state(name: str) -> None:
    async def main() -> None:
        case = CASES[name]
        plant, device = await identified(case)
        assert case.set
        await case.set(device)
        await poll_is_true(case, plant, device)
        await device.safe()

    run_virtual(main())


@pytest.mark.parametrize("name", SWITCHING)
def test_what_is_set_arrives_at_the_plant(name: str) -> None:
    async def main() -> None:
        case = CASES[name]
        plant, device = await identified(case)
        assert case.set and not any(plant.switched.values())
        await case.set(device)
        assert list(plant.switched.values()) == [True]

    run_virtual(main())
