"""Watlow EZ-ZONE PM temperature loop, Modbus RTU, map 1.

Registers: Watlow's communications manual and register lists; addresses from 0. Not yet run against hardware. The codes
of sensor and thermocouple types, and whether a write of one register reaches a parameter, are not confirmed. A number
takes two registers, whose order and unit are settings of the device: both are read back, never assumed.

A Watlow has one set-point, in the register that a person changes, and no local one behind it: it goes on with the last
set-point for ever when nobody asks any more. Its safe state is the control mode *off*. What stands in its memory for
the next power-up must be safe as well; that memory lasts for about 1,000,000 writes, so saving is switched off.
"""

from __future__ import annotations

import asyncio
import math
import struct
from dataclasses import dataclass
from typing import ClassVar, Literal

from drivers.base import DeviceFault, Identity, Reading, Refused
from drivers.line import Line
from drivers.modbus import Registers

PV, INPUT_ERROR, SENSOR, LINEARIZATION = 360, 362, 368, 370
MODE, ACTIVE_MODE, POWERS, LOOP_ERROR = 1880, 1882, 1904, 1928
SETPOINT, WORKING, RAMP_ACTION = 2160, 2172, 2186
WORD_ORDER, UNIT, SAVE = 2488, 2490, 2494
LIMITS = 4  # words behind the set-point: its least and its highest value
PROBE = SETPOINT + LIMITS, 4  # four registers: nothing else here reads four
HIGH_LOW, LOW_HIGH = 1330, 1331
FAHRENHEIT, CELSIUS = 30, 15
OFF, AUTO, MANUAL = 62, 10, 54
NONE, YES, NO = 61, 106, 59
MODES = {OFF: "off", AUTO: "auto", MANUAL: "manual"}
OPEN_LOOP, REVERSED = 1274, 1275
INPUT_ERRORS = {
    65: "the sensor is open",
    127: "the sensor is shorted",
    140: "measurement error",
    139: "bad calibration data",
    9: "ambient error: the cold junction cannot be measured",
    141: "error of the resistance thermometer",
    32: "the input has failed",
}
THERMOCOUPLE = 95
SENSORS = {  # sensor type, and how a thermocouple is linearised
    "type J": (THERMOCOUPLE, 46),
    "type K": (THERMOCOUPLE, 48),
    "type T": (THERMOCOUPLE, 93),
    "RTD 100 ohm": (113, 0),
    "RTD 1000 ohm": (114, 0),
}
SAVED_AFTER_S = 6.0  # what was changed while saving is on is stored every five seconds
NONVOLATILE_WRITES = 40  # in one life of this driver; the memory lasts for about 1,000,000
NO_SUCH_REGISTER = "Modbus exception 2:"
CLOSE_ENOUGH = 0.05  # °C or °F between a set-point and its read-back: the device may round, not choose


@dataclass(frozen=True, slots=True)
class WatlowConfig:
    """Unit 1–247, the set-point in °C that is left behind while nobody follows one, and the sensor that is wired."""

    unit: int
    safe_local_c: float
    sensor: Literal["type J", "type K", "type T", "RTD 100 ohm", "RTD 1000 ohm"] = "type K"

    def __post_init__(self) -> None:
        if not 1 <= self.unit <= 247:
            raise ValueError(f"the unit of a Watlow is 1…247, not {self.unit}")
        if self.sensor not in SENSORS:
            raise ValueError(f"the sensor of a Watlow is one of {', '.join(SENSORS)}, not '{self.sensor}'")
        if not -50 <= self.safe_local_c <= 100:
            raise ValueError(f"a safe set-point lies within -50…100 °C, not at {self.safe_local_c:g} °C")


@dataclass(frozen=True, slots=True)
class _Wire:
    """How this device writes numbers and temperatures, with the words of its set-point limits that prove it."""

    low_first: bool
    fahrenheit: bool
    limits: tuple[int, ...]

    def number(self, words: tuple[int, ...]) -> float:
        """A float from its two registers, as the device means it."""
        high, low = (words[1], words[0]) if self.low_first else (words[0], words[1])
        value: float = struct.unpack(">f", struct.pack(">HH", high, low))[0]
        return value

    def words(self, number: float) -> tuple[int, int]:
        high, low = struct.unpack(">HH", struct.pack(">f", number))
        return (low, high) if self.low_first else (high, low)

    def celsius(self, words: tuple[int, ...]) -> float:
        number = self.number(words)
        return (number - 32.0) / 1.8 if self.fahrenheit else number

    def shown(self, celsius: float) -> float:
        """In the device's own unit."""
        return celsius * 1.8 + 32.0 if self.fahrenheit else celsius


class Watlow:
    """Channels temperature_c, working_setpoint_c, output_percent, status (active control mode: 62 off, 10 auto …).

    `nonvolatile_writes` counts the writes that the device may have kept in its memory, since the driver was made.
    """

    holds_on: ClassVar[bool] = True

    def __init__(self, name: str, line: Line, settings: WatlowConfig) -> None:
        self.name = name
        self._line, self._settings = line, settings
        self._registers = Registers(line, settings.unit, "rtu", name, PROBE)
        self._wire: _Wire | None = None
        self._following: float | None = None  # the set-point last read back, in the device's unit
        self._setpoint: float | None = None  # as read back last, whatever it was for
        self._mode: int | None = None  # the control mode as read back last
        self._stored: bool | None = None  # whether what the device does after a power cut is safe; None: not known yet
        self.nonvolatile_writes = 0

    @staticmethod
    def channels(settings: WatlowConfig) -> frozenset[str]:
        """What a poll reads."""
        return frozenset({"temperature_c", "working_setpoint_c", "output_percent", "status"})

    # --- identity ----------------------------------------------------------------------------------------------------

    async def identify(self) -> Identity:
        """Learns word order and unit, switches the loop off and saving off, both read back.

        Takes six seconds longer where the device's memory has to be made safe. Raises Refused when sensor, word order,
        unit or ramp are not as they must be, or saving cannot be switched off.
        """
        self._wire, self._following = None, None
        wire = await self._learn()
        facts = {
            "word order": "low word first" if wire.low_first else "high word first",
            "unit": "°F" if wire.fahrenheit else "°C",
            "sensor": await self._check_sensor(),
            "control mode before": MODES.get(await self._get(ACTIVE_MODE), "unknown"),
            "set-point before": f"{wire.celsius(await self._registers.read_holding(SETPOINT, 2)):.1f} °C",
        }
        if await self._get(RAMP_ACTION) != OFF:
            raise Refused(self.name, "the device ramps by itself: set its ramp action to off, ramps come from here")
        await self._make_safe(wire)
        self._wire = wire
        facts["process value"] = f"{wire.celsius(await self._registers.read_holding(PV, 2)):.1f} °C"
        facts["non-volatile writes"] = f"{self.nonvolatile_writes} of {NONVOLATILE_WRITES}"
        return Identity("Watlow EZ-ZONE PM", "", "", facts)

    async def _learn(self) -> _Wire:
        order, unit = await self._get(WORD_ORDER), await self._get(UNIT)
        if order not in (HIGH_LOW, LOW_HIGH):
            raise Refused(
                self.name, f"word order {order} is unknown: {HIGH_LOW} (high first) or {LOW_HIGH} (low first)"
            )
        if unit not in (FAHRENHEIT, CELSIUS):
            raise Refused(self.name, f"unit {unit} is unknown: {CELSIUS} (°C) or {FAHRENHEIT} (°F) is expected")
        limits = (await self._registers.read_holding(SETPOINT, 8))[LIMITS:]
        wire = _Wire(order == LOW_HIGH, unit == FAHRENHEIT, limits)
        low, high = wire.number(limits[:2]), wire.number(limits[2:])
        if not (math.isfinite(low) and math.isfinite(high) and abs(high) >= 1.0 and low < high):
            raise Refused(self.name, f"set-point limits of {low:g} and {high:g} make no sense: the word order is wrong")
        return wire

    async def _check_sensor(self) -> str:
        kind, curve = SENSORS[self._settings.sensor]
        found = await self._get(SENSOR)
        if found != kind:
            raise Refused(
                self.name, f"the sensor type is {found}, the settings say {self._settings.sensor} ({kind}): set one"
            )
        if kind != THERMOCOUPLE:
            return self._settings.sensor
        try:
            found = await self._get(LINEARIZATION)
        except Refused as refusal:
            if not refusal.what.startswith(NO_SUCH_REGISTER):
                raise
            return "a thermocouple, of which kind cannot be asked"
        if found != curve:
            raise Refused(
                self.name, f"the thermocouple is of kind {found}, the settings say {self._settings.sensor} ({curve})"
            )
        return self._settings.sensor

    async def _make_safe(self, wire: _Wire) -> None:
        """Off, the safe set-point, saving off; into the device's memory only where that may hold something else."""
        saving = await self._get(SAVE)
        safe = wire.shown(self._settings.safe_local_c)
        was = await self._get(MODE), wire.number(await self._registers.read_holding(SETPOINT, 2))
        untouched = was[0] == OFF and abs(was[1] - safe) <= CLOSE_ENOUGH
        if saving == NO and (untouched if self._stored is None else self._stored):
            await self._put(MODE, OFF)
            await self._put_setpoint(wire, safe)
        else:
            await self._store(wire, safe, saving)
        self._stored = True

    async def _store(self, wire: _Wire, safe: float, saving: int) -> None:
        """Has the device keep the safe state for its next power-up: five writes of its memory at most.

        Only what changes while saving is on is kept, so the set-point goes by way of another one, with the loop off.
        """
        try:
            self._count(5)
            if saving != YES:
                await self._put(SAVE, YES)
        finally:
            await self._put(MODE, OFF)
        await self._put_setpoint(wire, safe + 1.0)
        await self._put_setpoint(wire, safe)
        await asyncio.sleep(SAVED_AFTER_S)
        await self._put(SAVE, NO)

    def _count(self, writes: int) -> None:
        if self.nonvolatile_writes + writes > NONVOLATILE_WRITES:
            raise Refused(
                self.name,
                f"{self.nonvolatile_writes} writes of the device's memory are enough: who changes its settings again "
                "and again? Start anew when that has ended",
            )
        self.nonvolatile_writes += writes

    # --- polls -------------------------------------------------------------------------------------------------------

    async def poll(self) -> dict[str, Reading]:
        """Six reads. Raises DeviceFault on an input error, a reversed sensor, and when unit or word order changed.

        What a person changed on the panel is named in the flags of the set-point, the output and the status; the
        temperature stays a temperature.
        """
        wire = self._wire or await self._known()
        read, expected = self._registers.read_holding, (self._mode, self._setpoint)
        *pv, error = await read(PV, 3)
        at_s = self._line.clock()
        block = await read(SETPOINT, 8)
        if block[LIMITS:] != wire.limits:
            self._wire = None
            raise DeviceFault(self.name, "set-point limits, unit or word order were changed at the device")
        if error != NONE:
            self._following = None
            raise DeviceFault(self.name, f"input error {error}: {INPUT_ERRORS.get(error, 'unknown')}")
        working = await read(WORKING, 2)
        mode, loop_error = await self._get(ACTIVE_MODE), await self._get(LOOP_ERROR)
        if loop_error == REVERSED:
            self._following = None
            raise DeviceFault(self.name, "the sensor is wired the wrong way round: it falls while the heater is on")
        power = wire.number((await read(POWERS, 6))[4:])
        values = wire.celsius(tuple(pv)), wire.celsius(working), power
        if not all(math.isfinite(value) for value in values):
            raise DeviceFault(self.name, f"{values[0]:g} °C, {values[1]:g} °C, {values[2]:g} % are no measurements")
        loop = {NONE: (), OPEN_LOOP: ("open loop",)}.get(loop_error, (f"loop error {loop_error}",))
        ours = expected == (self._mode, self._setpoint)  # else this controller changed it between the reads
        flags = (*loop, *(self._changes(mode, wire.number(block[:2])) if ours else ()))
        return {
            "temperature_c": Reading(values[0], at_s, loop),
            "working_setpoint_c": Reading(values[1], at_s, flags),
            "output_percent": Reading(power, at_s, flags),
            "status": Reading(float(mode), at_s, flags),
        }

    def _changes(self, mode: int, setpoint: float) -> tuple[str, ...]:
        """What somebody else changed since the last read-back; the next `follow` then writes everything anew."""
        changed: list[str] = []
        if self._setpoint is not None and abs(setpoint - self._setpoint) > CLOSE_ENOUGH:
            changed.append("set-point changed at the device")
        if self._mode is not None and mode != self._mode:
            changed.append(f"switched to {MODES.get(mode, str(mode))} at the device")
        if changed:
            self._following, self._stored = None, False
        return tuple(changed)

    # --- set-points --------------------------------------------------------------------------------------------------

    async def follow(self, setpoint_c: float | None) -> None:
        """Writes what differs from the last read-back, set-point before mode; None switches the loop off."""
        if setpoint_c is None:
            await self._let_go()
            return
        wire = self._wire or await self._known()
        if not (math.isfinite(setpoint_c) and abs(setpoint_c) < 5000.0):
            raise Refused(self.name, f"{setpoint_c:g} °C is no set-point")
        wanted = wire.number(wire.words(wire.shown(setpoint_c)))
        if wanted == self._following:
            return
        self._following = None
        if self._mode != AUTO or not self._stored:
            await self._stop_saving()
        await self._put_setpoint(wire, wanted)
        if await self._get(MODE) != AUTO:
            await self._put(MODE, AUTO)
        self._following = wanted

    async def _stop_saving(self) -> None:
        """A loop that is on must not be kept; whether saving stays off through a power cut is not documented."""
        if await self._get(SAVE) != NO:
            self._count(1)
            await self._put(SAVE, NO)

    async def _let_go(self) -> None:
        """Off, and the safe set-point behind it; written only where the device says otherwise."""
        self._following = None
        if await self._get(MODE) != OFF:
            await self._put(MODE, OFF)
        self._mode = OFF
        wire = self._wire or await self._known()
        safe = wire.shown(self._settings.safe_local_c)
        if abs(wire.number(await self._registers.read_holding(SETPOINT, 2)) - safe) > CLOSE_ENOUGH:
            await self._put_setpoint(wire, safe)

    async def safe(self) -> None:
        """Off, written before anything is asked, and read back; then the safe set-point, for whoever switches it on."""
        self._following, self._mode = None, None
        await self._registers.write_register(MODE, OFF, urgent=True)
        got = await self._get(MODE)
        if got != OFF:
            raise Refused(self.name, f"the loop stays in mode {MODES.get(got, str(got))}: it was to be switched off")
        self._mode = OFF
        if self._wire is not None:
            await self._put_setpoint(self._wire, self._wire.shown(self._settings.safe_local_c))

    async def _known(self) -> _Wire:
        await self.identify()
        if self._wire is None:
            raise Refused(self.name, "its word order is not known")
        return self._wire

    async def _get(self, address: int) -> int:
        (value,) = await self._registers.read_holding(address, 1)
        return value

    async def _put(self, address: int, value: int) -> None:
        if address == MODE:
            self._mode = None
        await self._registers.write_register(address, value)
        got = await self._get(address)
        if got != value:
            raise Refused(self.name, f"register {address} reads back {got} instead of {value}")
        if address == MODE:
            self._mode = value

    async def _put_setpoint(self, wire: _Wire, shown: float) -> None:
        """In the device's own unit."""
        self._setpoint = None
        await self._registers.write_registers(SETPOINT, wire.words(shown))
        got = wire.number(await self._registers.read_holding(SETPOINT, 2))
        if not abs(got - shown) <= CLOSE_ENOUGH:
            raise Refused(self.name, f"the set-point reads back {got:g} instead of {shown:g}: look at its limits")
        self._setpoint = shown
