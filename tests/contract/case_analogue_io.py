"""Generic analogue inputs for the harness of wire faults: a module on TCP, and one on a serial line with floats."""

from __future__ import annotations

from typing import Any

from drivers.analogue_io import AnalogueIo, AnalogueIoConfig, ModbusAnalogueInput
from drivers.line import Line
from drivers.modbus import RTU_TIMEOUT_S, TCP_TIMEOUT_S
from simulators.analogue_io import AnalogueFace, AnalogueModule, Input
from simulators.face import Face
from tests.contract.cases import Case, Rising, Truth, o2_ppm, second_c

ON_TCP = AnalogueIoConfig(
    1,
    "tcp",
    (
        ModbusAnalogueInput("o2_ppm", 0, "4-20 mA", 6553, 32767, 0, 100, 0.4),
        ModbusAnalogueInput("box_pressure_mbar", 1, "4-20 mA", 0, 65535, -20, 20, 0.2, "uint16", 8, 2),
    ),
)
ON_RTU = AnalogueIoConfig(
    1,
    "rtu",
    (ModbusAnalogueInput("substrate_2_c", 100, "4-20 mA", 4, 20, 0, 400, 1.5, "float32 low first"),),
    "holding",
)


def box_mbar(plant: Any, at_s: float) -> float:
    return -10.0 + float(plant.since_s(at_s)) / 4


def face_on_tcp(plant: Any) -> Face:
    o2 = Input(0, "4-20 mA", 6553, 32767, 0, 100, lambda at_s: o2_ppm(plant, at_s), stops=(0, 32767))
    box = Input(1, "4-20 mA", 0, 65535, -20, 20, lambda at_s: box_mbar(plant, at_s), "uint16", (0, 65535), 8, 2)
    return AnalogueFace(AnalogueModule({"o2_ppm": o2, "box_pressure_mbar": box}), unit=1, protocol="tcp")


def face_on_rtu(plant: Any) -> Face:
    second = Input(100, "4-20 mA", 4, 20, 0, 400, lambda at_s: second_c(plant, at_s), "float32 low first")
    return AnalogueFace(AnalogueModule({"substrate_2_c": second}), unit=1, protocol="rtu")


def driver_on_tcp(line: Line) -> AnalogueIo:
    return AnalogueIo("analogue", line, ON_TCP)


def driver_on_rtu(line: Line) -> AnalogueIo:
    return AnalogueIo("analogue", line, ON_RTU)


CASES = (
    Case(
        name="analogue_io on TCP",
        framing="tcp",
        plant=Rising,
        face=face_on_tcp,
        driver=driver_on_tcp,
        channels={"o2_ppm": Truth(o2_ppm, 0.005), "box_pressure_mbar": Truth(box_mbar, 0.002)},
        slowest_s=TCP_TIMEOUT_S,
        silent_about=frozenset(
            {"a bit of the value", "every number 0xffff", "every number 0x7fff", "every number 0x8000"}
        ),
    ),
    Case(
        name="analogue_io on RTU",
        framing="rtu",
        plant=Rising,
        face=face_on_rtu,
        driver=driver_on_rtu,
        channels={"substrate_2_c": Truth(second_c, 0.01)},
        slowest_s=RTU_TIMEOUT_S,
        floats=True,
    ),
)
