"""Eurotherm 3216 temperature loop, Modbus RTU.

Registers: HA028651 issue 7, pp. 81–90, addresses from 0, signed 16-bit integers scaled by the display's decimals. Not
yet run against hardware. Set-points go to the remote set-point in RAM; register 2 is EEPROM with 100,000 writes.
"""

from __future__ import annotations

import asyncio
import math
from dataclasses import dataclass

from drivers.base import DeviceFault, Identity, Reading, Refused
from drivers.line import Line
from drivers.modbus import Registers, signed

PV, SELECTED_SP, SP1, REMOTE_SP, STATUS, VERSION, TYPE, REMOTE_ON = 1, 15, 24, 26, 75, 107, 122, 276
PROBE = SP1, 2  # two registers: nothing else here reads two
SENSOR_BREAK, REMOTE_FAILED = 5, 14
STATUS_WORDS = {
    **{bit: f"alarm {bit + 1}" for bit in range(4)},
    4: "manual",
    6: "loop break",
    7: "heater current low",
    8: "heater leakage current",
    10: "process value out of range",
    11: "heater overcurrent",
    REMOTE_FAILED: "remote set-point failed",
    15: "autotune",
}


REFRESH_S = 0.9  # well within the time after which an instrument gives up an unrefreshed remote set-point


@dataclass(frozen=True, slots=True)
class EurothermConfig:
    """Unit 1–254, the local set-point in °C that the instrument falls back to, and the decimals of its display."""

    unit: int
    safe_local_c: float
    decimals: int = 1

    def __post_init__(self) -> None:
        if not 1 <= self.unit <= 254:
            raise ValueError(f"the unit of a Eurotherm is 1…254, not {self.unit}")
        if self.decimals not in (0, 1, 2):
            raise ValueError(f"a Eurotherm shows 0, 1 or 2 decimals, not {self.decimals}")


class Eurotherm3216:
    """Channels temperature_c, working_setpoint_c, output_percent, status (bitmap of register 75)."""

    def __init__(self, name: str, line: Line, settings: EurothermConfig) -> None:
        self.name = name
        self._settings = settings
        self._registers = Registers(line, settings.unit, "rtu", name, PROBE)
        self._scale = float(10**settings.decimals)
        self._following: int | None = None  # the remote set-point last read back, in display digits
        self._refreshed_s = 0.0
        self._asked = False  # for a set-point, by this controller, and not made safe since

    @staticmethod
    def channels(settings: EurothermConfig) -> frozenset[str]:
        """What a poll reads."""
        return frozenset({"temperature_c", "working_setpoint_c", "output_percent", "status"})

    async def identify(self) -> Identity:
        """Also makes the local set-point the safe one: one EEPROM write, and only if it differs."""
        (version,) = await self._registers.read_holding(VERSION, 1)
        (kind,) = await self._registers.read_holding(TYPE, 1)
        (selected,) = await self._registers.read_holding(SELECTED_SP, 1)
        if selected != 0:
            raise Refused(self.name, "set-point 2 is selected; the safe local set-point is set-point 1: select that")
        safe = self._digits(self._settings.safe_local_c)
        before = await self._read(SP1)
        if before != safe:
            await self._write(SP1, safe)
        facts = {"type code": f"{kind:#06x}", "local set-point": f"{safe / self._scale:g} °C"}
        if before != safe:
            facts["local set-point before"] = f"{before / self._scale:g} °C"
        return Identity("Eurotherm 3216", "", f"{version:x}", facts)

    async def poll(self) -> dict[str, Reading]:
        """Raises DeviceFault on a sensor break: the process value is then meaningless."""
        temperature, _, _, output, working = map(signed, await self._registers.read_holding(PV, 5))
        at_s = asyncio.get_running_loop().time()
        (status,) = await self._registers.read_holding(STATUS, 1)
        if status >> SENSOR_BREAK & 1:
            self._following = None
            raise DeviceFault(self.name, "sensor break: the thermocouple is open or its input has failed")
        if status >> REMOTE_FAILED & 1 and not self._asked:
            # whoever refreshed it has gone and it is at its safe local set-point, as it should be: no fault
            await self._select_remote(False)
            (status,) = await self._registers.read_holding(STATUS, 1)
        if working != self._following:
            self._following = None  # it does not follow, or not yet: the next `follow` looks at everything
        flags = tuple(word for bit, word in STATUS_WORDS.items() if status >> bit & 1)
        return {
            "temperature_c": Reading(temperature / self._scale, at_s, flags),
            "working_setpoint_c": Reading(working / self._scale, at_s, flags),
            "output_percent": Reading(output / 10, at_s, flags),
            "status": Reading(float(status), at_s, flags),
        }

    async def follow(self, setpoint_c: float | None) -> None:
        """One write a second while the polled working set-point agrees; else written, read back and made remote."""
        self._asked = setpoint_c is not None
        if setpoint_c is None:
            await self._select_remote(False)
            self._following = None
            return
        digits = self._digits(setpoint_c)
        now_s = asyncio.get_running_loop().time()
        if digits == self._following:
            if now_s - self._refreshed_s >= REFRESH_S:
                await self._registers.write_register(REMOTE_SP, digits & 0xFFFF)
                self._refreshed_s = now_s
            return
        self._following = None
        await self._write(REMOTE_SP, digits)
        await self._select_remote(True)
        self._following, self._refreshed_s = digits, now_s

    async def safe(self) -> None:
        """Back to the instrument's own safe local set-point; written before anything is asked."""
        self._following, self._asked = None, False
        await self._registers.write_register(REMOTE_ON, 0, urgent=True)
        if await self._read(REMOTE_ON) != 0:
            raise Refused(self.name, "the instrument still follows the remote set-point")

    async def _select_remote(self, on: bool) -> None:
        """Writes only when the instrument says otherwise: whether this register wears is not documented."""
        if await self._read(REMOTE_ON) != on:
            await self._write(REMOTE_ON, int(on))

    async def _read(self, address: int) -> int:
        (value,) = await self._registers.read_holding(address, 1)
        return signed(value)

    async def _write(self, address: int, digits: int) -> None:
        await self._registers.write_register(address, digits & 0xFFFF)
        got = await self._read(address)
        if got != digits:
            raise Refused(self.name, f"register {address} reads back {got} instead of {digits}: look at its limits")

    def _digits(self, celsius: float) -> int:
        if not (math.isfinite(celsius) and abs(celsius * self._scale) < 0x7FFF):
            raise Refused(self.name, f"{celsius:g} °C cannot be shown with {self._settings.decimals} decimals")
        return round(celsius * self._scale)
