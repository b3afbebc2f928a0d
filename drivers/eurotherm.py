"""Eurotherm 3216 temperature loop, Modbus RTU.

Registers: HA028651 issue 7, pp. 81–90, addresses from 0, signed 16-bit integers scaled by the display's decimals. Not
yet run against hardware; the codes of the sensor (12290) are not confirmed. Set-points go to the remote set-point in
RAM; register 2 is EEPROM with 100,000 writes, and so is the local set-point, which is therefore written seldom.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar, Literal

from drivers.base import DeviceFault, Identity, Reading, Refused
from drivers.line import Line
from drivers.modbus import Registers, signed

PV, SELECTED_SP, SP1, REMOTE_SP, STATUS, VERSION, TYPE, REMOTE_ON = 1, 15, 24, 26, 75, 107, 122, 276
UNIT, DECIMALS, SENSOR = 516, 525, 12290
UNITS = {0: "°C", 1: "°F", 2: "K", 3: "no unit", 4: "%"}
SENSORS = ("type J", "type K", "type L", "type R", "type B", "type N", "type T", "type S", "RTD")  # by their code
PROBE = SP1, 2  # two registers: nothing else here reads two
SENSOR_BREAK, REMOTE_FAILED = 5, 14
COLDEST_C, HOTTEST_C = -273.15, 2500.0  # no thermocouple of its table measures beyond
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
LOOK_S = 2.0  # how often one of these is looked at, in turn: what nobody should change, and is not in force now
LOOKS = SP1, SELECTED_SP, SP1, DECIMALS, SP1, UNIT
EEPROM_WRITES = 40  # in one life of this driver; each register lasts for about 100,000
NO_SUCH_REGISTER = "Modbus exception 2:"
MOVED, LOCAL_MOVED = "set-point changed at the device", "local set-point changed at the device"
REFRESH_S = 0.9  # well within the time after which an instrument gives up an unrefreshed remote set-point


@dataclass(frozen=True, slots=True)
class EurothermConfig:
    """Unit 1–254, local set-point in °C that the instrument falls back to, decimals of its display, sensor wired."""

    unit: int
    safe_local_c: float
    decimals: int = 1
    sensor: Literal["type J", "type K", "type L", "type R", "type B", "type N", "type T", "type S", "RTD"] = "type K"

    def __post_init__(self) -> None:
        if not 1 <= self.unit <= 254:
            raise ValueError(f"the unit of a Eurotherm is 1…254, not {self.unit}")
        if self.decimals not in (0, 1, 2):
            raise ValueError(f"a Eurotherm shows 0, 1 or 2 decimals, not {self.decimals}")
        if not abs(self.safe_local_c) * 10**self.decimals < 0x7FFF:
            raise ValueError(f"a Eurotherm cannot show {self.safe_local_c:g} °C with {self.decimals} decimals")
        if self.sensor not in SENSORS:
            raise ValueError(f"the sensor of a Eurotherm is one of {', '.join(SENSORS)}, not '{self.sensor}'")


class Eurotherm3216:
    """Channels temperature_c, working_setpoint_c, output_percent, status (bitmap of register 75).

    `eeprom_writes` counts the writes of the local set-point, since the driver was made.
    """

    holds_on: ClassVar[bool] = False  # it gives an unrefreshed remote set-point up

    def __init__(self, name: str, line: Line, settings: EurothermConfig) -> None:
        self.name = name
        self._line, self._settings = line, settings
        self._registers = Registers(line, settings.unit, "rtu", name, PROBE)
        self._scale = float(10**settings.decimals)
        self._safe = round(settings.safe_local_c * self._scale)
        self._following: int | None = None  # the remote set-point last read back, in display digits
        self._refreshed_s = 0.0
        self._asked = False  # for a set-point, by this controller, and not made safe since
        self._settled: int | None = None  # the working set-point as it was wanted, and seen; None: not there yet
        self._looked_s, self._turn = -math.inf, 0
        self.eeprom_writes = 0

    @staticmethod
    def channels(settings: EurothermConfig) -> frozenset[str]:
        """What a poll reads."""
        return frozenset({"temperature_c", "working_setpoint_c", "output_percent", "status"})

    async def identify(self) -> Identity:
        """Also makes the local set-point the safe one: one EEPROM write, and only if it differs.

        Raises Refused when unit, decimals, sensor or the selected set-point are not as they must be.
        """
        (version,) = await self._registers.read_holding(VERSION, 1)
        (kind,) = await self._registers.read_holding(TYPE, 1)
        facts = {"type code": f"{kind:#06x}"}
        for what, address in (("decimals", DECIMALS), ("unit", UNIT), ("sensor", SENSOR), ("set-point", SELECTED_SP)):
            facts[what] = await self._expect(address)
        safe = self._digits(self._settings.safe_local_c)
        before = await self._read(SP1)
        if before != safe:
            await self._write_local()
        facts["local set-point"] = f"{safe / self._scale:g} °C"
        if before != safe:
            facts["local set-point before"] = f"{before / self._scale:g} °C"
        return Identity("Eurotherm 3216", "", f"{version:x}", facts)

    async def poll(self) -> dict[str, Reading]:
        """Two reads, and a third every two seconds: six loops at 2 Hz leave no room for more at 19200 baud.

        Raises DeviceFault on a sensor break, as the process value is then meaningless, and when unit, decimals or the
        selected set-point were changed. A set-point that somebody else changed is named in the flags of the set-point,
        the output and the status; the temperature stays a temperature.
        """
        wanted = self._wanted
        temperature, _, _, output, working = map(signed, await self._registers.read_holding(PV, 5))
        at_s = self._line.clock()
        moved = self._moved(wanted, working)
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
        changes = await self._look(moved) if moved or self._line.clock() - self._looked_s >= LOOK_S else ()
        flags = tuple(word for bit, word in STATUS_WORDS.items() if status >> bit & 1) if status else ()
        celsius = temperature / self._scale
        if not COLDEST_C <= celsius <= HOTTEST_C:
            flags = (*flags, "beyond range")
        changed = (*flags, *changes)
        return {
            "temperature_c": Reading(celsius, at_s, flags),
            "working_setpoint_c": Reading(working / self._scale, at_s, changed),
            "output_percent": Reading(output / 10, at_s, changed),
            "status": Reading(float(status), at_s, changed),
        }

    # --- what somebody else may change -----------------------------------------------------------------------------

    @property
    def _wanted(self) -> int | None:
        """The working set-point that there should be, if that is known."""
        return self._following if self._asked else self._safe

    def _moved(self, wanted: int | None, working: int) -> bool:
        """Whether it was where it was wanted, and is not now; one that ramps by itself is not there yet."""
        if wanted is None or wanted != self._wanted:  # this controller has changed it between the reads
            self._settled = None
        elif working == wanted:
            self._settled = wanted
        elif self._settled == wanted:
            return True
        return False

    async def _check_local(self) -> tuple[str, ...]:
        """Makes the local set-point the safe one again; other digits may also be another unit or other decimals."""
        if await self._read(SP1) == self._safe:
            return ()
        await self._still(DECIMALS)
        await self._still(UNIT)
        await self._write_local()
        return (LOCAL_MOVED,)

    async def _write_local(self) -> None:
        if self.eeprom_writes >= EEPROM_WRITES:
            raise Refused(
                self.name,
                f"{self.eeprom_writes} writes of its local set-point are enough: who changes it again and again? "
                "Start anew when that has ended",
            )
        self.eeprom_writes += 1
        await self._write(SP1, self._safe)

    async def _look(self, moved: bool) -> tuple[str, ...]:
        """One thing in its turn; all that a person may have done at the panel at once when a set-point has moved."""
        if moved:
            await self._still(DECIMALS)
            await self._still(UNIT)
            return (MOVED, *await self._check_local())
        self._looked_s, address = self._line.clock(), LOOKS[self._turn]
        self._turn = (self._turn + 1) % len(LOOKS)
        if address == SP1:
            return await self._check_local()
        await self._still(address)
        return ()

    async def _still(self, address: int) -> None:
        try:
            await self._expect(address)
        except Refused as refusal:
            raise DeviceFault(self.name, f"changed at the device: {refusal.what}", refusal.request) from None

    async def _expect(self, address: int) -> str:
        """What a setting of the instrument is; raises Refused when it is another one than the settings say."""
        try:
            found = await self._read(address)
        except Refused as refusal:
            if not refusal.what.startswith(NO_SUCH_REGISTER):
                raise
            return "not told by this instrument: compare one reading with its display"
        wrong, said = _judge(address, found, self._settings)
        if wrong:
            raise Refused(self.name, wrong)
        return said

    # --- set-points ------------------------------------------------------------------------------------------------

    async def follow(self, setpoint_c: float | None) -> None:
        """One write a second while the polled working set-point agrees; else written, read back and made remote."""
        self._asked = setpoint_c is not None
        if setpoint_c is None:
            await self._select_remote(False)
            self._following = None
            return
        digits = self._digits(setpoint_c)
        now_s = self._line.clock()
        if digits == self._following:
            if now_s - self._refreshed_s >= REFRESH_S:
                await self._registers.write_register(REMOTE_SP, digits & 0xFFFF)
                self._refreshed_s = now_s
            return
        follows = self._settled is not None and self._settled == self._following
        self._following = None
        await self._write(REMOTE_SP, digits)
        if not follows:  # else the last poll has seen that the remote set-point is in force
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


def _judge(address: int, found: int, settings: EurothermConfig) -> tuple[str, str]:
    """What is wrong with a setting of the instrument and what to do, "" = nothing; and what it is."""
    if address == SELECTED_SP:
        wrong = "set-point 2 is selected; the safe local set-point is set-point 1: select that"
        return "" if found == 0 else wrong, "1"
    if address == DECIMALS:
        wrong = f"the display has {found} decimals, the settings say {settings.decimals}: set one"
        return "" if found == settings.decimals else wrong, str(found)
    if address == UNIT:
        wrong = f"the unit of the display is {UNITS.get(found, found)}: set it to °C"
        return "" if found == 0 else wrong, "°C"
    there = SENSORS[found] if 0 <= found < len(SENSORS) else f"no temperature sensor (code {found})"
    wrong = f"the sensor is {there}, the settings say {settings.sensor}: set one"
    return "" if there == settings.sensor else wrong, there
