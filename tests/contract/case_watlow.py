"""The Watlow controller for the harness of wire faults."""

from __future__ import annotations

from typing import Any

from drivers.line import Line
from drivers.modbus import RTU_TIMEOUT_S
from drivers.watlow import Watlow, WatlowConfig
from simulators.face import Face
from simulators.watlow import Watlow as Simulated
from tests.contract.cases import Case, Heated, Truth


def face(plant: Any) -> Face:
    return Simulated(plant, "substrate", unit=1).face()


def driver(line: Line) -> Watlow:
    return Watlow("substrate", line, WatlowConfig(1, 20.0))


async def follow(device: Watlow) -> None:
    await device.follow(150.0)


CASES = (
    Case(
        name="watlow",
        framing="rtu",
        plant=Heated,
        face=face,
        driver=driver,
        channels={"temperature_c": Truth(lambda plant, at_s: plant.temperature_c("", at_s), 0.001)},
        slowest_s=RTU_TIMEOUT_S,
        set=follow,
        floats=True,
    ),
)
