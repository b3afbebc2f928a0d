"""The Beckhoff coupler of the daemon for the harness of wire faults."""

from __future__ import annotations

from typing import Any

from drivers.beckhoff_io import AnalogueInput, BeckhoffIo, BeckhoffIoConfig
from drivers.line import Line
from drivers.modbus import TCP_TIMEOUT_S
from drivers.wired import DigitalInput, DigitalOutput
from simulators.beckhoff_io import Channel, CouplerB, CouplerBFace
from simulators.face import Face
from tests.contract.cases import Case, Rack, Truth, o2_ppm, second_c

SETTINGS = BeckhoffIoConfig(
    1,
    60.0,
    (AnalogueInput("o2_ppm", 0, "4-20 mA", 0, 100, 0.4), AnalogueInput("substrate_2_c", 2, "type K", -100, 1370, 1.5)),
    (DigitalInput("gate_shut", 0),),
    (DigitalOutput("vent", 0),),
)


def face(plant: Any) -> Face:
    channels = {
        "o2_ppm": Channel(0, "4-20 mA", 0, 100, lambda at_s: o2_ppm(plant, at_s)),
        "substrate_2_c": Channel(2, "type K", -100, 1370, lambda at_s: second_c(plant, at_s)),
    }
    return CouplerBFace(CouplerB(plant, channels, {0: "gate_shut"}, {0: "vent"}), unit=1)


def driver(line: Line) -> BeckhoffIo:
    return BeckhoffIo("coupler-b", line, SETTINGS)


async def vent(device: BeckhoffIo) -> None:
    await device.set_output("vent", True)


CASES = (
    Case(
        name="beckhoff_io",
        framing="tcp",
        plant=Rack,
        face=face,
        driver=driver,
        channels={"o2_ppm": Truth(o2_ppm, 0.05), "substrate_2_c": Truth(second_c, 0.06)},
        slowest_s=TCP_TIMEOUT_S,
        set=vent,
        watchdog=True,
    ),
)
