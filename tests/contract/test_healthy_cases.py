"""Where the harness of wire faults starts: on a healthy wire these devices read what is true, and obey."""

from __future__ import annotations

import asyncio

import pytest

from drivers.line import memory_line
from simulators.virtualtime import run_virtual
from tests.contract.case_alicat import CASES as ALICAT
from tests.contract.case_analogue_io import CASES as ANALOGUE
from tests.contract.case_beckhoff import CASES as BECKHOFF
from tests.contract.case_eurotherm import CASES as EUROTHERM
from tests.contract.case_wago import CASES as WAGO
from tests.contract.case_watlow import CASES as WATLOW
from tests.contract.cases import Case


@pytest.mark.parametrize(
    "case", [*ALICAT, *ANALOGUE, *BECKHOFF, *EUROTHERM, *WAGO, *WATLOW], ids=lambda case: case.name
)
def test_a_healthy_case_polls_right(case: Case) -> None:
    async def main() -> None:
        plant = case.plant()
        device = case.driver(memory_line("test", case.face(plant)))
        await device.identify()
        await asyncio.sleep(5.0)
        readings = await device.poll()
        for name, truth in case.channels.items():
            reading = readings[name]
            assert reading.value == pytest.approx(truth.at(plant, reading.at_s), abs=truth.resolution)
            assert reading.flags == ()
        if case.set is not None:
            await case.set(device)
        await device.safe()

    run_virtual(main())
