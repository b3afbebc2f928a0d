"""An Edwards nXDS scroll pump on its serial interface, as bytes; and a pump for it to drive.

Source: Edwards A735-01-860 (messages, tables 3 to 11, multi-drop). Objects 809 to 819 and the bits of the warning and
the fault register stand here as independent clients of real pumps use them. Not in the manual, and guessed: how an
unknown object is refused (2) and a known one asked in the wrong way (1), how long service is away, that a stop command
clears every fault. `?V859` and `?V883` are the nEXT pumps' numbers for temperatures and run hours; they are answered
too, unless `nxds_only`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from typing import Protocol

FULL_HZ = 30
TYPE, SOFTWARE, BUILD = "nXDS", "D37479651A", "nXDS10i 100/240V"
NO_OPERATION, NO_OBJECT, MISSING, OUT_OF_RANGE, WRONG_STATE = 1, 2, 3, 4, 5
LONGEST = 80  # characters of a message with its ends
ANY = 99  # the wild card among multi-drop addresses
UNUSED_C = -200
INTERLOCK = 13  # fault: serial enable was lost while the pump ran under serial control
SERIAL, MANUAL = 1, 3  # control modes; 2 would be its parallel inputs

_MESSAGE = re.compile(r"(?:#(\d{1,2}):(\d{1,2}))?([!?])([A-Z])(\d{1,3})(?: ([^!?#]*))?$")


class PumpPlant(Protocol):
    """What a pump turns and what can be felt of it."""

    def drive_pump(self, name: str, target_hz: float, at_s: float) -> None: ...
    def pump_hz(self, name: str, at_s: float) -> float: ...
    def pump_c(self, name: str, at_s: float) -> float: ...
    def pump_controller_c(self, name: str, at_s: float) -> float: ...
    def pump_hours(self, name: str, at_s: float) -> float: ...


class ScrollPump:
    """A plant of one pump: its speed follows within some ten seconds, it warms within half an hour."""

    def __init__(self, *, room_c: float = 22.0, hours: float = 1234.0) -> None:
        self._room_c, self._hours = room_c, hours
        self._hz, self._warm, self._target_hz, self._at_s = 0.0, 0.0, 0.0, float("nan")

    def drive_pump(self, name: str, target_hz: float, at_s: float) -> None:
        self._advance(at_s)
        self._target_hz = target_hz

    def pump_hz(self, name: str, at_s: float) -> float:
        self._advance(at_s)
        return self._hz

    def pump_c(self, name: str, at_s: float) -> float:
        self._advance(at_s)
        return self._room_c + 25.0 * self._warm

    def pump_controller_c(self, name: str, at_s: float) -> float:
        self._advance(at_s)
        return self._room_c + 16.0 * self._warm

    def pump_hours(self, name: str, at_s: float) -> float:
        self._advance(at_s)
        return self._hours

    def _advance(self, at_s: float) -> None:
        step_s = max(at_s - self._at_s, 0.0) if self._at_s == self._at_s else 0.0
        self._hours += step_s / 3600.0 if self._hz > 1.0 else 0.0
        self._hz += (self._target_hz - self._hz) * -math.expm1(-step_s / 8.0)
        self._warm += (self._hz / FULL_HZ - self._warm) * -math.expm1(-step_s / 900.0)
        self._at_s = at_s


class _Error(Exception):
    def __init__(self, code: int) -> None:
        super().__init__(str(code))
        self.code = code


Ask = Callable[[], str]
Tell = Callable[[int], None]


class NxdsFace:
    """One pump; `unit` is its multi-drop address, 0 for the only one at its cable.

    `fault` and `warning` are the registers' bits, `service` the service word; `pump_sensor` whether the pump's own
    temperature is measured.
    """

    def __init__(self, plant: PumpPlant, name: str, *, unit: int = 0, nxds_only: bool = False) -> None:
        self._plant, self._name = plant, name
        self.unit, self.fault, self.warning, self.service = unit, 0, 0, 0
        self.mode, self.running, self.standby = 0, False, False
        self.normal_percent, self.standby_percent, self.standby_now, self.auto_run, self.indication = 80, 70, 70, 0, 0
        self.serial_enable, self.pump_sensor = True, True
        self.cycles, self.history = 57, ["0;0000;0000;0000;0000"] * 4
        self.serial = f"1{20001234 + unit}"
        self._now, self._buffer = 0.0, ""
        self._queries, self._commands = self._asked(), self._told()
        if nxds_only:
            del self._queries["V859"], self._queries["V883"]

    # --- the line ---

    def hear(self, now_s: float, data: bytes) -> bytes:
        """Answer every message that `data` completes; what has not the form of one is ignored."""
        self._now = now_s
        self._buffer += data.decode("latin-1")
        *lines, self._buffer = self._buffer.split("\r")
        self._buffer = self._buffer[-LONGEST:]
        return "".join([self._line(line) for line in lines]).encode("ascii")

    def next_at(self) -> float | None:
        return None

    def speak(self, now_s: float) -> bytes:
        return b""

    def _line(self, line: str) -> str:
        message = _MESSAGE.search(line)
        if not message or len(message[0]) >= LONGEST:
            return ""
        to, sender, mark, operation, number, data = message.groups()
        if self.unit:
            if to is None or int(to) not in (self.unit, ANY):
                return ""
            header = f"#{sender}:{to}"
        elif to is not None:
            return ""
        else:
            header = ""
        return f"{header}{self._answer(mark, f'{operation}{number}', data)}\r"

    def _answer(self, mark: str, name: str, data: str | None) -> str:
        try:
            if mark == "?":
                return f"={name} {self._known(self._queries, name)()}"
            self._tell(self._known(self._commands, name), data)
        except _Error as error:
            return f"*{name} {error.code}"
        return f"*{name} 0"

    def _known(self, table: Mapping[str, Callable[..., str | None]], name: str) -> Callable[..., str | None]:
        if name in table:
            return table[name]
        objects = {one[1:] for one in (*self._queries, *self._commands)}
        raise _Error(NO_OPERATION if name[1:] in objects else NO_OBJECT)

    def _tell(self, act: Callable[..., str | None], data: str | None) -> None:
        if not data:
            raise _Error(MISSING)
        if not data.isascii() or not data.isdigit():
            raise _Error(OUT_OF_RANGE)
        act(int(data))

    # --- what the world does to it ---

    def trip(self, bit: int, at_s: float) -> None:
        """A fault of the fault register: the pump comes to rest."""
        self._now = at_s
        self.fault |= 1 << bit
        self.history = [f"{self._hours()};{self._words()}", *self.history[:3]]
        self._run(False)

    def enable_serial(self, on: bool, at_s: float) -> None:
        """The link between pins 2 and 5 of the logic connector; without it a pump under serial control stops."""
        self.serial_enable = on
        if not on and self.running and self.mode == SERIAL:
            self.trip(INTERLOCK, at_s)

    def press(self, at_s: float) -> None:
        """The start/stop button at the pump."""
        self._now = at_s
        if self.running and self.mode == MANUAL:
            self._run(False)
        elif not self.running:
            self.mode = MANUAL
            self._run(True)

    def power_cycle(self, now_s: float) -> None:
        """Its power went off and on: it stands, unless it is set to run by itself; no fault, no standby."""
        self._now, self._buffer = now_s, ""
        self.fault, self.standby, self.standby_now, self.mode = 0, False, self.standby_percent, 0
        self._run(bool(self.auto_run))

    # --- what it does ---

    def _run(self, on: bool) -> None:
        self.cycles += on and not self.running
        self.running = on
        if not on:
            self.mode = 0
        self._drive()

    def _drive(self) -> None:
        self._plant.drive_pump(self._name, self._wanted_hz() if self.running else 0.0, self._now)

    def _wanted_hz(self) -> float:
        return FULL_HZ * (self.standby_now / 100.0 if self.standby else 1.0)

    def _control(self, on: int) -> None:
        _within(on, 0, 1)
        if (self.running and self.mode != SERIAL) or (on and (self.fault or not self.serial_enable)):
            raise _Error(WRONG_STATE)
        if not on:
            self.fault = 0 if self.serial_enable else self.fault & 1 << INTERLOCK
        elif not self.running:
            self.mode = SERIAL
        self._run(bool(on))

    def _set_standby(self, on: int) -> None:
        self.standby = bool(_within(on, 0, 1))
        self._drive()

    def _set_speed(self, percent: int) -> None:
        self.standby_now = _within(percent, 66, 100)
        self._drive()

    def _keep_speed(self, percent: int) -> None:
        self._set_speed(percent)
        self.standby_percent = percent

    def _keep(self, name: str, low: int, high: int) -> Tell:
        def keep(value: int) -> None:
            setattr(self, name, _within(value, low, high))

        return keep

    # --- what it says ---

    def _hz(self) -> int:
        return min(max(round(self._plant.pump_hz(self._name, self._now)), 0), 255)

    def _hours(self) -> int:
        return int(self._plant.pump_hours(self._name, self._now))

    def _status(self) -> str:
        return f"{self._hz()};{self._words()}"

    def _words(self) -> str:
        """Both system status registers, the warnings, the faults."""
        hz, wanted = self._hz(), self._wanted_hz()
        one = (hz > 0 and not self.running) | self.running << 1 | self.standby << 2
        one |= (hz >= wanted * self.normal_percent / 100) << 3 | (hz > 0.3 * FULL_HZ) << 4 | (hz > 0.6 * FULL_HZ) << 5
        one |= (self.mode & 1) << 6 | (self.mode >> 1) << 7 | self.serial_enable << 10
        two = bool(self.service) << 4 | bool(self.warning) << 6 | bool(self.fault) << 7
        return ";".join(f"{word:04X}" for word in (one, two, self.warning, self.fault))

    def _temperatures(self) -> str:
        pump = round(self._plant.pump_c(self._name, self._now)) if self.pump_sensor else UNUSED_C
        return f"{pump};{round(self._plant.pump_controller_c(self._name, self._now))}"

    def _link(self) -> str:
        """Voltage, current and power of the motor's supply, each in tenths."""
        share = self._plant.pump_hz(self._name, self._now) / FULL_HZ
        return f"3900;{round(8 * share)};{round(2600 * share)}"

    def _kind(self) -> str:
        return f"{TYPE};{SOFTWARE};{FULL_HZ}"

    def _asked(self) -> dict[str, Ask]:
        """All queries."""
        history = {f"V{816 + i}": lambda i=i: self.history[i] for i in range(4)}
        return {
            "S0": self._kind,
            "S800": lambda: str(self.unit),
            "S801": self._kind,
            "V802": self._status,
            "S804": lambda: str(self.normal_percent),
            "S805": lambda: str(self.standby_percent),
            "S806": lambda: str(self.auto_run),
            "V808": self._temperatures,
            "V809": self._link,
            "V810": lambda: str(self._hours()),
            "V811": lambda: str(self.cycles),
            "V813": lambda: f"{self._hours()};{40000 - self._hours()}",
            "V814": lambda: f"{self._hours()};{17500 - self._hours()}",
            "V815": lambda: f"{self._hours()};{35000 - self._hours()}",
            **history,
            "S825": lambda: str(self.indication),
            "V826": lambda: f"{self.service:04X}",
            "S835": lambda: f"{self.serial} {self.serial[:-1]}7 {self.serial[:-1]}8;{BUILD}",
            "V859": self._temperatures,
            "V883": lambda: f"{self._hours()};{40000 - self._hours()}",
        }

    def _told(self) -> dict[str, Tell]:
        """All commands; an `S` is kept, a `C` forgotten without power."""
        return {
            "S800": self._keep("unit", 0, 98),
            "C802": self._control,
            "C803": self._set_standby,
            "S804": self._keep("normal_percent", 50, 100),
            "S805": self._keep_speed,
            "C805": self._set_speed,
            "S806": self._keep("auto_run", 0, 1),
            "S825": self._keep("indication", 0, 3),
        }


def _within(value: int, low: int, high: int) -> int:
    if not low <= value <= high:
        raise _Error(OUT_OF_RANGE)
    return value
