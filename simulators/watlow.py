"""A Watlow EZ-ZONE PM temperature controller, Modbus RTU, map 1, as bytes.

Source: Watlow's communications manual and register lists (addresses from 0; a parameter has two registers; numbers are
float32 in the order of register 2488 and the unit of 2490; enumerations are codes in the first of their registers). The
codes of sensors, thermocouples, ramps, parity, alarm types and power-on error are from memory.

What the manual leaves open is chosen here: a register that is not listed is exception 02, a value or a mode that is not
allowed 03, and so is half a float; an input error switches the output off; while saving is on, a change is kept five
seconds later, all parameters together, and lost if saving is switched off before.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from simulators.modbus_server import ILLEGAL_ADDRESS, ILLEGAL_VALUE, ModbusException, ModbusServer, RtuFace, Unit

PV, INPUT_ERROR, SENSOR, LINEARIZATION, FILTERED, CLEAR_INPUT = 360, 362, 368, 370, 402, 416
CLEAR_LIMIT, LIMIT_LOW, LIMIT_HIGH, LIMIT_STATE = 680, 684, 686, 690
MODE, ACTIVE, HEAT, COOL, POWER, LOOP_ERROR = 1880, 1882, 1904, 1906, 1908, 1928
SETPOINT, MANUAL_POWER, LOWEST, HIGHEST, WORKING, POWER_ON_ERROR = 2160, 2162, 2164, 2166, 2172, 2184
RAMP, RAMP_SCALE, RAMP_RATE = 2186, 2188, 2192
ADDRESS, MODBUS_ADDRESS, BAUD, PARITY, ORDER, UNITS, PROTOCOL, SAVE = 2480, 2482, 2484, 2486, 2488, 2490, 2492, 2494
ALARMS, ALARM_STEP = 1480, 50  # of the first alarm: high, low 2 on, state 16, latched 18, clear 24, type 28
OFF, AUTO, MANUAL, NONE, YES, NO = 62, 10, 54, 61, 106, 59
LOW_HIGH, HIGH_LOW, FAHRENHEIT, CELSIUS = 1331, 1330, 30, 15
ALARM_HIGH, ALARM_LOW, ALARM_ERROR, IGNORE, CLEAR = 7, 8, 28, 204, 0
OPEN = 65
SAVED_AFTER_S = 5.0
OPEN_ABOVE_C = 1371.0
ROOM_C = 25.0
BAND_C, INTEGRAL_S = 10.0, 300.0

Law = Callable[[float, float], float]


class HeatPlant(Protocol):
    """What a temperature controller measures and drives."""

    def advance(self, at_s: float) -> None: ...
    def control(self, zone: str, law: Law) -> None: ...
    def temperature_c(self, zone: str, at_s: float) -> float: ...


class Watlow(Unit):
    """One instrument on the plant's `zone`: `numbers` in °C or %, `codes` as they stand in their registers.

    `hold_per_k` is the share of full power that holds the zone one kelvin above the room. `kept` is what a power cut
    leaves, `nonvolatile_writes` how often that memory was written. As from the factory: °F, low word first, saving on.
    """

    functions = frozenset({3, 6, 16})

    def __init__(
        self, plant: HeatPlant, zone: str, *, unit: int, local_c: float = 24.0, hold_per_k: float = 0.0,
        sensor: tuple[int, int] = (95, 48),
    ) -> None:  # fmt: skip
        self._plant, self._zone, self._hold_per_k = plant, zone, hold_per_k
        self.now_s = 0.0
        self.nonvolatile_writes = 0
        alarms = [ALARMS + i * ALARM_STEP for i in range(4)]
        self.numbers: dict[int, float] = {
            PV: local_c, FILTERED: local_c, LIMIT_LOW: -17.78, LIMIT_HIGH: 1100.0, HEAT: 0.0, COOL: 0.0, POWER: 0.0,
            SETPOINT: local_c, MANUAL_POWER: 0.0, LOWEST: -1128.333, HIGHEST: 5537.222, WORKING: local_c,
            RAMP_RATE: 0.0, **dict.fromkeys(alarms, 148.889), **{at + 2: 0.0 for at in alarms},
        }  # fmt: skip
        self.codes: dict[int, int] = {
            INPUT_ERROR: NONE, SENSOR: sensor[0], LINEARIZATION: sensor[1], CLEAR_INPUT: IGNORE, CLEAR_LIMIT: IGNORE,
            LIMIT_STATE: NONE, MODE: AUTO, ACTIVE: AUTO, LOOP_ERROR: NONE, POWER_ON_ERROR: OFF, RAMP: OFF,
            RAMP_SCALE: 39, ADDRESS: 1, MODBUS_ADDRESS: unit, BAUD: 188, PARITY: NONE, ORDER: LOW_HIGH,
            UNITS: FAHRENHEIT, PROTOCOL: 1057, SAVE: YES,
            **{at + 16: NONE for at in alarms}, **{at + 18: NO for at in alarms},
            **{at + 24: IGNORE for at in alarms}, **{at + 28: OFF for at in alarms},
        }  # fmt: skip
        self._alarms = alarms
        percent, anything = (-100.0, 100.0), (-1128.334, 5537.223)
        self._ranges: Mapping[int, tuple[float, float]] = {
            SETPOINT: anything, MANUAL_POWER: percent, LOWEST: anything, HIGHEST: anything, RAMP_RATE: (0.0, 9999.0),
            LIMIT_LOW: anything, LIMIT_HIGH: anything,
            **dict.fromkeys([*alarms, *(at + 2 for at in alarms)], anything),
        }  # fmt: skip
        self._choices: Mapping[int, set[int]] = {
            SENSOR: {62, 95, 56, 84, 112, 113, 114, 155}, LINEARIZATION: {11, 48, 15, 58, 23, 80, 26, 84, 30, 93, 46},
            CLEAR_INPUT: {CLEAR, IGNORE}, CLEAR_LIMIT: {CLEAR, IGNORE}, MODE: {OFF, AUTO, MANUAL},
            POWER_ON_ERROR: {OFF, 100, 33, 14}, RAMP: {OFF, 88, 1647, 13}, RAMP_SCALE: {39, 57},
            ADDRESS: set(range(1, 17)), MODBUS_ADDRESS: set(range(1, 248)), BAUD: {188, 189, 190},
            PARITY: {61, 191, 192}, ORDER: {LOW_HIGH, HIGH_LOW}, UNITS: {FAHRENHEIT, CELSIUS},
            PROTOCOL: {1286, 1057}, SAVE: {YES, NO},
            **{at + 24: {CLEAR, IGNORE} for at in alarms}, **{at + 28: {OFF, 76, 24} for at in alarms},
        }  # fmt: skip
        self._law_s, self._integral, self._output = float("nan"), 0.0, 0.0
        self._working_c = local_c
        self._save_at_s: float | None = None
        self.broken: int | None = None  # an input error that the instrument reports, whatever it measures
        self.kept = dict(self.numbers), dict(self.codes)
        self.forgets_saving = False  # whether saving is on again after a power cut: no document says
        plant.control(zone, self.law)

    def face(self) -> WatlowFace:
        """This instrument alone on a line."""
        return WatlowFace(self)

    # --- control: the plant runs it twice a second, whatever the line does ---

    def law(self, at_s: float, sensor_c: float) -> float:
        """The share of full power at this sensor reading; ramps and looks at the alarms, too."""
        step_s = at_s - self._law_s if self._law_s == self._law_s else 0.0
        self._law_s = at_s
        self._follow(step_s)
        self._look(sensor_c)
        self._output = self._wanted(sensor_c, step_s)
        return max(self._output, 0.0)

    def _follow(self, step_s: float) -> None:
        target = self.numbers[SETPOINT]
        rate = self.numbers[RAMP_RATE] / (60.0 if self.codes[RAMP_SCALE] == 57 else 3600.0) * step_s
        if self.codes[RAMP] == OFF or abs(target - self._working_c) <= rate:
            self._working_c = target
        else:
            self._working_c += rate if target > self._working_c else -rate

    def _wanted(self, sensor_c: float, step_s: float) -> float:
        """Proportional, integral and feed-forward; nothing while off or without a measurement."""
        mode = self.codes[MODE]
        if mode == OFF or self.codes[INPUT_ERROR] != NONE:
            self._integral = 0.0
            return 0.0
        if mode == MANUAL:
            return self.numbers[MANUAL_POWER] / 100.0
        share = (self._working_c - sensor_c) / BAND_C
        wanted = self._hold_per_k * (self._working_c - ROOM_C) + share + self._integral
        if 0.0 < wanted < 1.0:
            self._integral += share * step_s / INTEGRAL_S
        return min(max(wanted, 0.0), 1.0)

    def _look(self, sensor_c: float) -> None:
        """Input errors, the limit and the alarms at this sensor reading."""
        self.codes[INPUT_ERROR] = self.broken or (OPEN if sensor_c > OPEN_ABOVE_C else NONE)
        failed = self.codes[INPUT_ERROR] != NONE
        if failed or not self.numbers[LIMIT_LOW] <= sensor_c <= self.numbers[LIMIT_HIGH]:
            high = sensor_c > self.numbers[LIMIT_HIGH]
            self.codes[LIMIT_STATE] = ALARM_ERROR if failed else ALARM_HIGH if high else ALARM_LOW
        for at in self._alarms:
            self.codes[at + 16] = self._alarm(at, sensor_c, failed)

    def _alarm(self, at: int, sensor_c: float, failed: bool) -> int:
        if self.codes[at + 28] == OFF:
            return NONE
        if failed:
            return ALARM_ERROR
        reference = self._working_c if self.codes[at + 28] == 24 else 0.0  # a deviation alarm follows the set-point
        if sensor_c - reference > self.numbers[at]:
            return ALARM_HIGH
        return ALARM_LOW if sensor_c - reference < self.numbers[at + 2] else NONE

    # --- its memory ---

    def elapse(self, now_s: float) -> None:
        """Let time pass: what was changed while saving was on is kept five seconds later."""
        self.now_s = now_s
        if self._save_at_s is not None and now_s >= self._save_at_s:
            self._keep()

    def _keep(self) -> None:
        self._save_at_s = None
        self.kept = dict(self.numbers), dict(self.codes)
        self.nonvolatile_writes += 1

    def panel(self, address: int, value: float) -> None:
        """Somebody changes a parameter on the front panel, °C or a code: all of them are kept at once."""
        if address in self.numbers:
            self.numbers[address] = value
        else:
            self.codes[address] = int(value)
        self._keep()

    def power_cut(self) -> None:
        """Its power went off and on: it goes on with what it has kept."""
        self._save_at_s = None
        self.numbers, self.codes = dict(self.kept[0]), dict(self.kept[1])
        if self.forgets_saving:
            self.codes[SAVE] = YES

    # --- the registers ---

    def read_holding(self, address: int, count: int) -> Sequence[int]:
        self._refresh()
        return [self._register(one) for one in range(address, address + count)]

    def _register(self, one: int) -> int:
        first = one & ~1  # parameters begin at even addresses
        if first in self.codes:
            return self.codes[first] if one == first else 0
        if first not in self.numbers:
            raise ModbusException(ILLEGAL_ADDRESS)
        return self._words(first)[one - first]

    def _words(self, address: int) -> tuple[int, int]:
        high, low = struct.unpack(">HH", struct.pack(">f", self._shown(address)))
        return (low, high) if self.codes[ORDER] == LOW_HIGH else (high, low)

    def _shown(self, address: int) -> float:
        value = self.numbers[address]
        if address in (HEAT, COOL, POWER, MANUAL_POWER) or self.codes[UNITS] == CELSIUS:
            return value
        return value * 1.8 if address == RAMP_RATE else value * 1.8 + 32.0

    def _refresh(self) -> None:
        self.numbers[PV] = self.numbers[FILTERED] = celsius = self._plant.temperature_c(self._zone, self.now_s)
        self.codes[INPUT_ERROR] = self.broken or (OPEN if celsius > OPEN_ABOVE_C else NONE)
        self.codes[ACTIVE] = self.codes[MODE]
        self.numbers[WORKING] = self.numbers[SETPOINT] if self.codes[RAMP] == OFF else self._working_c
        off = self.codes[MODE] == OFF or self.codes[INPUT_ERROR] != NONE
        self.numbers[HEAT] = self.numbers[POWER] = 0.0 if off else 100.0 * self._output

    def write_registers(self, address: int, values: Sequence[int]) -> None:
        """All of it or nothing: a parameter that refuses its value refuses the request."""
        numbers, codes = self._taken(dict(enumerate(values, start=address)))
        self._plant.advance(self.now_s)  # until now, the old values held
        before = self.numbers | self.codes
        saved = self.codes[SAVE]
        self.numbers |= numbers
        for one, code in codes.items():
            self._act(one, code)
        changed = any(before[one] != value for one, value in (numbers | codes).items() if one not in (SAVE, ACTIVE))
        if saved == YES and self.codes[SAVE] == YES and changed and self._save_at_s is None:
            self._save_at_s = self.now_s + SAVED_AFTER_S

    def _taken(self, registers: dict[int, int]) -> tuple[dict[int, float], dict[int, int]]:
        numbers: dict[int, float] = {}
        codes: dict[int, int] = {}
        for one, value in registers.items():
            first = one & ~1
            if first in self._choices:
                if one == first and value not in self._choices[first]:
                    raise ModbusException(ILLEGAL_VALUE)
                codes |= {first: value} if one == first else {}
            elif first not in self._ranges:
                raise ModbusException(ILLEGAL_ADDRESS)
            elif one == first:
                numbers[first] = self._number(first, registers)
            elif first not in registers:
                raise ModbusException(ILLEGAL_VALUE)
        return numbers, codes

    def _number(self, first: int, registers: Mapping[int, int]) -> float:
        """A float of a request, in °C or %; raises ModbusException for half of one and for one out of range."""
        if first + 1 not in registers:
            raise ModbusException(ILLEGAL_VALUE)
        high, low = registers[first], registers[first + 1]
        if self.codes[ORDER] == LOW_HIGH:
            high, low = low, high
        value: float = struct.unpack(">f", struct.pack(">HH", high, low))[0]
        if first != MANUAL_POWER and self.codes[UNITS] == FAHRENHEIT:
            value = value / 1.8 if first == RAMP_RATE else (value - 32.0) / 1.8
        least, most = self._ranges[first]
        if first == SETPOINT:
            least, most = self.numbers[LOWEST] - 0.001, self.numbers[HIGHEST] + 0.001
        if not least <= value <= most:
            raise ModbusException(ILLEGAL_VALUE)
        return value

    def _act(self, address: int, code: int) -> None:
        if address in (CLEAR_INPUT, CLEAR_LIMIT) or address - 24 in self._alarms:
            if address == CLEAR_LIMIT and code == CLEAR:
                self.codes[LIMIT_STATE] = NONE
            return  # a request, not a setting: it reads back as before
        if address == SAVE and code != self.codes[SAVE]:
            self.nonvolatile_writes += 1  # this one is kept at once, and what was waiting is not
            self._save_at_s = None
            self.kept[1][SAVE] = code
        self.codes[address] = code


class WatlowFace:
    """One instrument at its address on an RTU line."""

    def __init__(self, unit: Watlow) -> None:
        self.unit = unit
        self._rtu: RtuFace = ModbusServer({unit.codes[MODBUS_ADDRESS]: unit}).rtu()

    def hear(self, now_s: float, data: bytes) -> bytes:
        self.unit.elapse(now_s)
        return self._rtu.hear(now_s, data)

    def next_at(self) -> float | None:
        return self._rtu.next_at()

    def speak(self, now_s: float) -> bytes:
        self.unit.elapse(now_s)
        return self._rtu.speak(now_s)

    def power_cycle(self, now_s: float) -> None:
        """Its power went off and on."""
        self.unit.elapse(now_s)
        self.unit.power_cut()
