"""The Alicat flow controller for the harness of wire faults."""

from __future__ import annotations

from typing import Any

from drivers.alicat import TIMEOUT_S, Alicat, AlicatConfig
from drivers.line import Line
from simulators.alicat import AlicatFace
from simulators.face import Face
from tests.contract.cases import Case, Flowing, Truth


def face(plant: Any) -> Face:
    return AlicatFace(plant, "carrier", unit="A", full_scale_sccm=500, gas="Ar")


def driver(line: Line) -> Alicat:
    return Alicat("carrier", line, AlicatConfig("A", 500.0, "Ar"))


async def set_flow(device: Alicat) -> None:
    await device.set_flow(20.0)


CASES = (
    Case(
        name="alicat",
        framing="ascii",
        plant=Flowing,
        face=face,
        driver=driver,
        channels={
            "flow_sccm": Truth(lambda plant, at_s: plant.flow_sccm("", at_s), 0.01),
            "pressure_pa": Truth(lambda plant, at_s: plant.supply_pa(at_s), 70.0),
        },
        slowest_s=TIMEOUT_S,
        set=set_flow,
        wrong_unit="B",
        silent_about=frozenset({"another digit"}),
    ),
)
