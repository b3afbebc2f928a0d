"""The Eurotherm controller for the harness of wire faults."""

from __future__ import annotations

from typing import Any

from drivers.eurotherm import Eurotherm3216, EurothermConfig
from drivers.line import Line
from drivers.modbus import RTU_TIMEOUT_S
from simulators.eurotherm import Eurotherm
from simulators.face import Face
from tests.contract.cases import Case, Heated, Truth


def face(plant: Any) -> Face:
    return Eurotherm(plant, "substrate", unit=1, local_c=20).face()


def driver(line: Line) -> Eurotherm3216:
    return Eurotherm3216("substrate", line, EurothermConfig(1, 20.0))


async def follow(device: Eurotherm3216) -> None:
    await device.follow(150.0)


CASES = (
    Case(
        name="eurotherm_3216",
        framing="rtu",
        plant=Heated,
        face=face,
        driver=driver,
        channels={"temperature_c": Truth(lambda plant, at_s: plant.temperature_c("", at_s), 0.1)},
        slowest_s=RTU_TIMEOUT_S,
        set=follow,
    ),
)
