"""The WAGO coupler of the daemon for the harness of wire faults."""

from __future__ import annotations

from typing import Any

from drivers.line import Line
from drivers.modbus import TCP_TIMEOUT_S
from drivers.wago_io import WagoAnalogueInput, WagoIo, WagoIoConfig
from drivers.wired import DigitalInput, DigitalOutput
from simulators.face import Face
from simulators.wago_io import Channel, WagoB, WagoBFace
from tests.contract.cases import Case, Rack, Truth, o2_ppm, second_c

SETTINGS = WagoIoConfig(
    1,
    60.0,
    (
        WagoAnalogueInput("o2_ppm", 0, "4-20 mA on 0-20 mA", 0, 100, 0.4),
        WagoAnalogueInput("substrate_2_c", 4, "type K", -100, 1370, 1.5),
    ),
    (DigitalInput("gate_shut", 0),),
    (DigitalOutput("vent", 0), DigitalOutput("lamp", 2)),
)


def face(plant: Any) -> Face:
    channels = {
        "o2_ppm": Channel(0, "4-20 mA on 0-20 mA", 0, 100, lambda at_s: o2_ppm(plant, at_s)),
        "substrate_2_c": Channel(4, "type K", -100, 1370, lambda at_s: second_c(plant, at_s)),
    }
    return WagoBFace(WagoB(plant, channels, {0: "gate_shut"}, {0: "vent", 2: "lamp"}))


def driver(line: Line) -> WagoIo:
    return WagoIo("coupler-b", line, SETTINGS)


async def vent(device: WagoIo) -> None:
    await device.set_output("vent", True)


CASES = (
    Case(
        name="wago_io",
        framing="tcp",
        plant=Rack,
        face=face,
        driver=driver,
        channels={"o2_ppm": Truth(o2_ppm, 0.04), "substrate_2_c": Truth(second_c, 0.06)},
        slowest_s=TCP_TIMEOUT_S,
        set=vent,
        watchdog=True,
        silent_about=frozenset({"every number 0xffff"}),
    ),
)
