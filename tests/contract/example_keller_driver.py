"""Keller series 30 pressure transmitter (33X, 35X …), Modbus RTU: the example of docs/devices/adding.md.

Registers: Keller's "Communication protocol series 30", as libraries of others read them; big-endian floats, bar and °C.
Not yet run against hardware; the bits of the active channels are not confirmed.
"""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass

from drivers.base import DeviceFault, Identity, Reading, Refused
from drivers.line import Line
from drivers.modbus import Registers

VALUES, SERIAL = 0x0100, 0x0202  # P1 and TOB1; serial number, active pressures, active temperatures
PROBE = SERIAL, 2  # two registers: nothing else here reads two
P1, TOB1 = 1 << 1, 1 << 4
BAR_PA = 1e5


@dataclass(frozen=True, slots=True)
class KellerConfig:
    """Unit 1–249 and the serial number on the label, which says that it is the transmitter that was calibrated."""

    unit: int
    serial: int

    def __post_init__(self) -> None:
        if not 1 <= self.unit <= 249:
            raise ValueError(f"the unit of a Keller is 1…249 (250 is whoever is at this cable), not {self.unit}")


class Keller30:
    """Channels pressure_pa (absolute or gauge, as the transmitter is built) and temperature_c (of its sensor)."""

    def __init__(self, name: str, line: Line, settings: KellerConfig) -> None:
        self.name = name
        self._line, self._settings = line, settings
        self._registers = Registers(line, settings.unit, "rtu", name, PROBE)

    @staticmethod
    def channels(settings: KellerConfig) -> frozenset[str]:
        """What a poll reads."""
        return frozenset({"pressure_pa", "temperature_c"})

    async def identify(self) -> Identity:
        """Raises Refused when it is another transmitter, or one without these two sensors."""
        high, low, pressures, temperatures = await self._registers.read_holding(SERIAL, 4)
        serial = high << 16 | low
        if serial != self._settings.serial:
            raise Refused(self.name, f"its serial number is {serial}, the settings say {self._settings.serial}")
        if not (pressures & P1 and temperatures & TOB1):
            raise Refused(self.name, f"P1 or TOB1 is off (active: {pressures:#x}, {temperatures:#x}): switch both on")
        return Identity("Keller series 30", str(serial))

    async def poll(self) -> dict[str, Reading]:
        """One read. Raises DeviceFault when a value is no number, as is that of a sensor that has failed."""
        words = await self._registers.read_holding(VALUES, 4)
        at_s = self._line.clock()
        bar, celsius = struct.unpack(">ff", struct.pack(">4H", *words))
        if not (math.isfinite(bar) and math.isfinite(celsius)):
            raise DeviceFault(self.name, f"{bar:g} bar and {celsius:g} °C are no measurements: a sensor has failed")
        return {"pressure_pa": Reading(bar * BAR_PA, at_s), "temperature_c": Reading(celsius, at_s)}

    async def safe(self) -> None:
        """Nothing to do: a transmitter drives no output of the tool."""
