"""A Eurotherm 3216 temperature controller, Modbus RTU, as bytes.

Source: HA028651 issue 7, pp. 81–90 (registers, status bits; protocol addresses count from 0; integers scaled by the
display's decimals). What the manual leaves open is chosen here: the remote set-point is given up after 5 s without a
refresh, a value out of range is refused with exception 03, all alarms are high alarms that do not latch.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from simulators.modbus_server import (
    ILLEGAL_ADDRESS,
    ILLEGAL_VALUE,
    ModbusException,
    ModbusServer,
    RtuFace,
    Unit,
    rtu_addressee,
)

REMOTE_TIMEOUT_S = 5.0
LOWEST_C, HIGHEST_C = -200.0, 1372.0  # type K
ROOM_C = 25.0
PV, TARGET, MANUAL_OUTPUT, OUTPUT, WORKING, BAND, INTEGRAL, DERIVATIVE = 1, 2, 3, 4, 5, 6, 8, 9
SELECTED, SP1, SP2, REMOTE, HIGH, LOW, SAFE_OUTPUT, RATE, STATUS = 15, 24, 25, 26, 30, 31, 34, 35, 75
STANDBY, BREAK, NEW_ALARM, MANUAL, ACKNOWLEDGE, USE_REMOTE = 199, 258, 260, 273, 274, 276
ALARM_STATES = {13: 294, 14: 295, 81: 296, 82: 297}  # by the register of the alarm's limit
IN_RAM = {MANUAL_OUTPUT, REMOTE, STANDBY, MANUAL, ACKNOWLEDGE, USE_REMOTE}  # the others are kept in EEPROM

Law = Callable[[float, float], float]


class HeatPlant(Protocol):
    """What a temperature controller measures and drives."""

    def advance(self, at_s: float) -> None: ...
    def control(self, zone: str, law: Law) -> None: ...
    def temperature_c(self, zone: str, at_s: float) -> float: ...


class Eurotherm(Unit):
    """One instrument on the plant's `zone`, with `values` as its registers.

    `hold_per_k` is the share of full power that holds the zone one kelvin above the room: what tuning has found out.
    `eeprom_writes` counts per register what wears its memory out: each lasts for about 100 000. `read_as` and
    `written_as` are the instrument whose registers a wire that mixes up units reads and writes at this address.
    """

    functions = frozenset({3, 4, 6, 8, 16})

    def __init__(
        self, plant: HeatPlant, zone: str, *, unit: int, local_c: float, hold_per_k: float = 0.0, decimals: int = 1
    ) -> None:
        self._plant, self._zone, self._hold_per_k = plant, zone, hold_per_k
        self._scale: int = 10**decimals
        self.now_s = 0.0
        self.read_as = self.written_as = self
        self.eeprom_writes: dict[int, int] = {}
        local, low, high = round(local_c * self._scale), round(LOWEST_C * self._scale), round(HIGHEST_C * self._scale)
        self.values: dict[int, int] = {
            PV: local, TARGET: local, MANUAL_OUTPUT: 0, OUTPUT: 0, WORKING: local,
            BAND: 10 * self._scale, 7: 0, INTEGRAL: 300, DERIVATIVE: 0, 11: low, 12: high, SELECTED: 0,
            SP1: local, SP2: local, REMOTE: local, HIGH: 1000, LOW: 0, SAFE_OUTPUT: 0, RATE: 0, STATUS: 0, 76: 0xFFFF,
            107: 0x0240, 122: 0x3216, 131: unit, STANDBY: 0, 203: local, BREAK: 0, NEW_ALARM: 0, 263: 0, 270: 0,
            MANUAL: 0, ACKNOWLEDGE: 0, USE_REMOTE: 0, 516: 0, 525: decimals, 12290: 1,  # °C, type K
            **dict.fromkeys(ALARM_STATES, high), **dict.fromkeys(ALARM_STATES.values(), 0),
        }  # fmt: skip
        setpoint, share, flag = (low, high), (0, 1000), (0, 1)
        self._settable = {
            **dict.fromkeys((TARGET, SP1, SP2, REMOTE, *ALARM_STATES), setpoint),
            **dict.fromkeys((MANUAL_OUTPUT, HIGH, LOW, SAFE_OUTPUT), share),
            **dict.fromkeys((SELECTED, MANUAL, ACKNOWLEDGE, USE_REMOTE), flag),
            BAND: (1, 32767), INTEGRAL: (0, 9999), DERIVATIVE: (0, 9999), RATE: (0, 32767), STANDBY: (0, 2),
        }  # fmt: skip
        self._refreshed_s, self._law_s = float("-inf"), float("nan")
        self._working_c, self._integral, self._output = local_c, 0.0, 0.0
        plant.control(zone, self.law)

    def face(self) -> EurothermFace:
        """This instrument alone on a line."""
        return EurothermFace(self)

    # --- control: the plant runs it twice a second, whatever the line does ---

    def law(self, at_s: float, sensor_c: float) -> float:
        """The share of full power at this sensor reading; ramps, looks at the alarms and at the remote's age, too."""
        values = self.values
        step_s = at_s - self._law_s if self._law_s == self._law_s else 0.0
        self._law_s = at_s
        target, most = self._target(at_s) / self._scale, values[RATE] / self._scale / 60.0 * step_s
        if not values[RATE] or abs(target - self._working_c) <= most:
            self._working_c = target
        else:
            self._working_c += most if target > self._working_c else -most
        self._look(sensor_c)
        if values[MANUAL]:
            self._output = values[MANUAL_OUTPUT] / 1000.0
        else:
            self._output = self._automatic(sensor_c, step_s)
        return 0.0 if values[STANDBY] else self._output

    def _remote_failed(self, at_s: float) -> bool:
        return bool(self.values[USE_REMOTE]) and at_s - self._refreshed_s > REMOTE_TIMEOUT_S

    def _target(self, at_s: float) -> int:
        if self.values[USE_REMOTE] and not self._remote_failed(at_s):
            return self.values[REMOTE]
        return self.values[SP2 if self.values[SELECTED] else SP1]

    def _automatic(self, sensor_c: float, step_s: float) -> float:
        """Proportional, integral and feed-forward; the integral rests while the output is at a limit."""
        values = self.values
        if values[BREAK]:
            return values[SAFE_OUTPUT] / 1000.0
        low, high = values[LOW] / 1000.0, values[HIGH] / 1000.0
        share = (self._working_c - sensor_c) * self._scale / values[BAND]
        wanted = self._hold_per_k * (self._working_c - ROOM_C) + share + self._integral
        if low < wanted < high and values[INTEGRAL]:
            self._integral += share * step_s / values[INTEGRAL]
        return min(max(wanted, low), high)

    def _look(self, sensor_c: float) -> None:
        values, reading = self.values, sensor_c * self._scale
        values[BREAK] = int(sensor_c > HIGHEST_C)
        for limit, state in ALARM_STATES.items():
            active = reading > values[limit]
            if active and not values[state]:
                values[NEW_ALARM] = 1
            values[state] = int(active)

    def power_cycle(self, now_s: float) -> None:
        """Its power went off and on: what is in RAM is 0, the remote set-point too; EEPROM is kept."""
        self._plant.advance(now_s)
        self.now_s, self._refreshed_s, self._integral = now_s, float("-inf"), 0.0
        self.values |= dict.fromkeys(IN_RAM, 0)
        self._working_c = self._target(now_s) / self._scale

    # --- the registers ---

    def read_holding(self, address: int, count: int) -> Sequence[int]:
        if self.read_as is not self:
            self.read_as.now_s = self.now_s
            return self.read_as.registers(address, count)
        return self.registers(address, count)

    def registers(self, address: int, count: int) -> Sequence[int]:
        """This instrument's own; raises ModbusException where there is none."""
        self._refresh()
        try:
            return [self.values[one] & 0xFFFF for one in range(address, address + count)]
        except KeyError:
            raise ModbusException(ILLEGAL_ADDRESS) from None

    def read_input(self, address: int, count: int) -> Sequence[int]:
        return self.read_holding(address, count)

    def write_registers(self, address: int, values: Sequence[int]) -> None:
        signed = {address + i: value - 0x10000 if value > 0x7FFF else value for i, value in enumerate(values)}
        if not signed.keys() <= self._settable.keys():
            raise ModbusException(ILLEGAL_ADDRESS)
        for one, value in signed.items():
            low, high = self._settable[one]
            if not low <= value <= high:
                raise ModbusException(ILLEGAL_VALUE)
            self.written_as.now_s = self.now_s
            self.written_as.put(one, value)

    def put(self, address: int, value: int) -> None:
        """Write one of this instrument's own registers."""
        self._plant.advance(self.now_s)  # until now, the old value held
        if address not in IN_RAM:
            self.eeprom_writes[address] = self.eeprom_writes.get(address, 0) + 1
        if address == TARGET:  # writes through to the selected local set-point
            address = SP2 if self.values[SELECTED] else SP1
        if address == ACKNOWLEDGE:
            self.values[NEW_ALARM] = 0
            return
        if address == REMOTE:
            self._refreshed_s = self.now_s
        self.values[address] = value

    def _refresh(self) -> None:
        """Bring the registers that show something up to date."""
        values, now_s = self.values, self.now_s
        values[PV] = values[203] = self._digits(self._plant.temperature_c(self._zone, now_s))
        values[TARGET] = target = self._target(now_s)
        values[OUTPUT] = output = 0 if values[STANDBY] else round(self._output * 1000)
        if not values[MANUAL]:
            values[MANUAL_OUTPUT] = output
        values[WORKING] = target if not values[RATE] else self._digits(self._working_c)
        values[STATUS] = status = self._status()
        values[76] = ~status & 0xFFFF

    def _digits(self, celsius: float) -> int:
        return min(max(round(celsius * self._scale), -32768), 32767)

    def _status(self) -> int:
        values = self.values
        word = values[MANUAL] << 4 | values[BREAK] << 5 | values[NEW_ALARM] << 12
        one, two, three, four = ALARM_STATES.values()
        word |= values[one] | values[two] << 1 | values[three] << 2 | values[four] << 3
        word |= (not values[11] <= values[PV] <= values[12]) << 10
        word |= (values[RATE] != 0 and values[WORKING] != values[TARGET]) << 13
        return word | self._remote_failed(self.now_s) << 14


class EurothermFace:
    """One instrument at its address on an RTU line."""

    mute = True
    addressee = staticmethod(rtu_addressee)

    def __init__(self, unit: Eurotherm) -> None:
        self.unit, self.address = unit, unit.values[131]
        self._rtu: RtuFace = ModbusServer({self.address: unit}).rtu()

    @property
    def half_heard(self) -> bool:
        return self._rtu.half_heard

    def hear(self, now_s: float, data: bytes) -> bytes:
        self.unit.now_s = now_s
        return self._rtu.hear(now_s, data)

    def next_at(self) -> float | None:
        return self._rtu.next_at()

    def speak(self, now_s: float) -> bytes:
        return self._rtu.speak(now_s)

    def power_cycle(self, now_s: float) -> None:
        self.unit.power_cycle(now_s)
