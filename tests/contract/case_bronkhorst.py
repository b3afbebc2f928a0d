"""The Bronkhorst controller for the harness of wire faults."""

from __future__ import annotations

from drivers.bronkhorst import Bronkhorst, BronkhorstConfig
from drivers.line import Line
from drivers.propar import TIMEOUT_S
from simulators.bronkhorst import BronkhorstFace
from tests.contract.cases import Case, Flowing, Truth


def face(plant: Flowing) -> BronkhorstFace:
    return BronkhorstFace(plant, "carrier", full_scale_sccm=500, gas="Ar")


def driver(line: Line) -> Bronkhorst:
    return Bronkhorst("carrier", line, BronkhorstConfig(500, "Ar", pressure=True))


CASES = (
    Case(
        name="bronkhorst",
        framing="propar",
        plant=Flowing,
        face=face,
        driver=driver,
        channels={
            "flow_sccm": Truth(lambda plant, at_s: plant.flow_sccm("carrier", at_s), 500 / 32000),
            "pressure_pa": Truth(lambda plant, at_s: plant.supply_pa(at_s), 0.1),
        },
        slowest_s=TIMEOUT_S,
        set=lambda device: device.set_flow(20.0),
        wrong_unit="\x10\x02\x01B",
        silent_about=frozenset({"another digit", "every number 0xffff", "every number 0x7fff", "every number 0x8000"}),
    ),
)
