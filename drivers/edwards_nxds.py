"""Edwards nXDS scroll pump, serial interface.

Messages, objects and status bits: Edwards A735-01-860; the bits of the warning and fault registers and objects 808 and
810 as independent clients of real pumps use them. Not yet run against hardware. Two sources disagree on temperatures
and run hours (808 and 810, or the nEXT pumps' 859 and 883): the pump is asked which it knows. There is no checksum: a
digit that noise turns into another digit is not noticed here.
"""

from __future__ import annotations

import asyncio
import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from drivers.base import BadReply, DeviceFault, Identity, Reading, Refused
from drivers.line import Line

TIMEOUT_S = 0.5  # the longest reply takes 60 ms at 9600 baud; how long the pump thinks is not documented
QUIET_S = 0.1
READ_BACK_S, AGAIN_S = 1.0, 0.1  # how long a command may take to show in the status, and how often it is looked for
HOST = 98  # this computer's own multi-drop address
KIND, STATUS, SERIALS, SERVICE = "S801", "V802", "S835", "V826"
TEMPERATURES, HOURS = ("V808", "V859"), ("V810", "V883")  # of the nXDS, of the nEXT
RUN, STANDBY = "C802", "C803"
UNUSED_C = -200  # a temperature that this pump does not measure
_SENT = bytes(range(32, 127))  # every byte that a pump sends before CR

_STATUS = re.compile(r"(\d{1,3})" + 4 * r";([0-9A-Fa-f]{4})")
_PAIR = re.compile(r"(-?\d{1,5});(-?\d{1,5})")
_HOURS = re.compile(r"(\d{1,6})(?:;\d{1,6})?")  # a second number is the hours to service

ERRORS = {
    "1": "this object has no such operation",
    "2": "unknown query or command",
    "3": "a parameter is missing",
    "4": "the parameter is out of range",
    "5": "not in this state: is serial enable linked, and was it started by its button or its parallel inputs?",
    "6": "checksum error",
    "7": "its memory has failed",
    "8": "the operation took too long",
    "9": "wrong configuration",
}
UNKNOWN = ("1", "2")
CONTROL = {0: "none", 1: "serial", 2: "parallel", 3: "manual"}
LIMITS = {0: "power limited", 1: "acceleration limited", 2: "deceleration limited"}
SERVICE_DUE, ALARM = 4, 7  # of the second status register
WARNINGS = {
    1: "controller too cold",
    6: "controller temperature limited",
    10: "controller too hot",
    15: "self-test warning",
}
FAULTS = {
    1: "over-voltage",
    2: "over-current",
    3: "over-temperature",
    4: "under-temperature",
    5: "power stage",
    8: "hardware fault latch",
    9: "memory",
    11: "no parameter set",
    12: "self-test",
    13: "serial enable was lost while it ran",
    14: "overload for too long",
    15: "acceleration took too long",
}


@dataclass(frozen=True, slots=True)
class EdwardsNxdsConfig:
    """Multi-drop address 1–97, 0 for the only pump at its cable; how the pump's type or build begins."""

    unit: int = 0
    model: str = "nXDS"

    def __post_init__(self) -> None:
        if not 0 <= self.unit < HOST:
            raise ValueError(
                f"the address of an nXDS is 1…{HOST - 1}, or 0 for the only one at its cable, not {self.unit}"
            )
        if not self.model:
            raise ValueError("the model of an nXDS is how its type begins, nXDS or nXDS10i; it is empty")

    @property
    def alone(self) -> bool:
        """Whether nothing else may hang on its line."""
        return self.unit == 0


class _Status(NamedTuple):
    """The answer to `?V802`."""

    hz: int
    one: int
    two: int
    warnings: int
    faults: int

    @property
    def running(self) -> bool:
        """Accelerating or at speed, and not told to stop."""
        return bool(self.one >> 1 & 1) and not self.one & 1

    @property
    def standby(self) -> bool:
        return bool(self.one >> 2 & 1)

    @property
    def control(self) -> str:
        """Which control mode has started it."""
        return CONTROL.get((self.one >> 13 & 1) << 2 | (self.one >> 6 & 3), "unknown")

    @property
    def enabled(self) -> bool:
        """Serial enable is linked."""
        return bool(self.one >> 10 & 1)


class EdwardsNxds:
    """Channels speed_hz, pump_temperature_c, controller_temperature_c, run_hours, running and standby (1 or 0)."""

    def __init__(self, name: str, line: Line, settings: EdwardsNxdsConfig) -> None:
        self.name = name
        self._line, self._settings = line, settings
        self._to = f"#{settings.unit:02d}:{HOST:02d}" if settings.unit else ""
        self._from = f"#{HOST:02d}:{settings.unit:02d}" if settings.unit else ""
        self._temperatures = self._hours = ""  # the objects that this pump knows, once asked
        self._run: bool | None = None  # what was last commanded and read back, else what was found first
        self._standby: bool | None = None

    @staticmethod
    def channels(settings: EdwardsNxdsConfig) -> frozenset[str]:
        """What a poll reads."""
        temperatures = {"pump_temperature_c", "controller_temperature_c"}
        return frozenset({"speed_hz", "run_hours", "running", "standby"} | temperatures)

    async def identify(self) -> Identity:
        """Raises Refused when it is no pump of the model that the settings say."""
        mark, kind = await self._exchange("?", KIND)
        kinds = kind.split(";") if mark == "=" else [""]
        serials, _, build = (await self._query(SERIALS)).partition(";")
        build, serial = build.strip(), serials.split()
        if not serial:
            raise self._bad(f"'{serials}' is no serial number")
        wanted = self._settings.model.casefold()
        if not any(one.casefold().startswith(wanted) for one in (kinds[0], build)):
            raise Refused(
                self.name,
                f"it is a '{build or kinds[0]}', the settings say {self._settings.model}: look at its address",
            )
        facts = {"type": kinds[0], "drive and control serials": " ".join(serial[1:])}
        facts |= {"design frequency": f"{kinds[2]} Hz"} if len(kinds) > 2 else {}
        facts["service"] = await self._query(SERVICE)
        return Identity(build or kinds[0], serial[0], kinds[1] if len(kinds) > 1 else "", facts)

    async def poll(self) -> dict[str, Reading]:
        """Raises DeviceFault when the pump reports a fault; warnings are flags of what they concern."""
        status = await self._status()
        at_s = self._line.clock()
        self._check_faults(status)
        self._temperatures = self._temperatures or await self._known(TEMPERATURES)
        pump, controller = self._numbers(_PAIR, await self._query(self._temperatures), "two temperatures")
        warm_s = self._line.clock()
        self._hours = self._hours or await self._known(HOURS)
        (hours,) = self._numbers(_HOURS, await self._query(self._hours), "hours")
        warnings = _words(WARNINGS, status.warnings)
        self._run = status.running if self._run is None else self._run
        self._standby = status.standby if self._standby is None else self._standby
        return {
            "speed_hz": Reading(float(status.hz), at_s, _words(LIMITS, status.two)),
            "pump_temperature_c": _temperature(pump, warm_s, ()),
            "controller_temperature_c": _temperature(controller, warm_s, warnings),
            "run_hours": Reading(
                float(hours), self._line.clock(), ("service due",) if status.two >> SERVICE_DUE & 1 else ()
            ),
            "running": Reading(float(status.running), at_s, self._about_run(status)),
            "standby": Reading(float(status.standby), at_s, _moved(self._standby, status.standby)),
        }

    async def start(self) -> None:
        """Nothing if it runs. Raises DeviceFault while a fault is latched: `stop` clears it."""
        status = await self._status()
        self._check_faults(status)
        if not status.running:
            await self._tell(RUN, True, lambda now: now.running)
        self._run = True

    async def stop(self) -> None:
        """Nothing if it stands without a fault. A pump that stops lets what is in its line back into the chamber."""
        status = await self._status()
        if status.running or status.faults:
            await self._tell(RUN, False, lambda now: not now.running)
        self._run = False

    async def standby(self, on: bool) -> None:
        """Standby speed or full speed, running or not."""
        if (await self._status()).standby != on:
            await self._tell(STANDBY, on, lambda now: now.standby == on)
        self._standby = on

    async def safe(self) -> None:
        """Nothing, on purpose: a pump that stops vents the chamber with what is in the line. Stopping has a verb."""
        return None

    # --- what the pump says ---

    async def _status(self) -> _Status:
        text = await self._query(STATUS)
        found = _STATUS.fullmatch(text)
        if not found:
            raise self._bad(f"'{text}' is no speed and four words")
        return _Status(int(found[1]), *(int(word, 16) for word in found.groups()[1:]))

    def _check_faults(self, status: _Status) -> None:
        if status.faults:
            what = ", ".join(_words(FAULTS, status.faults)) or "reserved bits"
            raise DeviceFault(self.name, f"fault register {status.faults:#06x}: {what}")
        if status.two >> ALARM & 1:
            raise DeviceFault(self.name, "it reports an alarm and names no fault")

    def _about_run(self, status: _Status) -> tuple[str, ...]:
        """Who has moved it besides this controller, and why it would not obey."""
        flags = _moved(self._run, status.running)
        if status.running and status.control != "serial":
            flags += (f"{status.control} control",)
        return flags if status.enabled else (*flags, "serial enable off")

    async def _tell(self, name: str, on: bool, done: Callable[[_Status], bool]) -> None:
        """Sent once; then the status has to show it within a second."""
        if name == RUN:
            self._run = None
        else:
            self._standby = None
        _, text = await self._exchange("!", name, f" {on:d}")
        if text != "0":
            raise Refused(self.name, f"{name} {on:d}: error {text}: {ERRORS.get(text, 'see the manual')}")
        until_s = self._line.clock() + READ_BACK_S
        while not done(status := await self._status()):
            if self._line.clock() >= until_s:
                self._check_faults(status)
                raise Refused(
                    self.name,
                    f"{name} {on:d} was taken and the status, {status.one:04X}, does not show it: look at the pump",
                )
            await asyncio.sleep(AGAIN_S)

    # --- messages ---

    async def _known(self, names: tuple[str, ...]) -> str:
        """The first of these objects that the pump does not call unknown."""
        for name in names:
            mark, text = await self._exchange("?", name)
            if mark == "=" or text not in UNKNOWN:
                return name
        raise Refused(self.name, f"it knows none of {', '.join(names)}: is it an nXDS?")

    async def _query(self, name: str) -> str:
        mark, text = await self._exchange("?", name)
        if mark == "*":
            raise Refused(self.name, f"{name}: error {text}: {ERRORS.get(text, 'see the manual')}")
        return text

    async def _exchange(self, mark: str, name: str, data: str = "") -> tuple[str, str]:
        """`=` and what was asked for, or `*` and the code of a command or an error."""
        request = f"{self._to}{mark}{name}{data}\r".encode("ascii")
        reply = await self._line.ask(
            request,
            lambda buffer: self._whole("=*" if mark == "?" else "*", name, request, buffer),
            timeout_s=TIMEOUT_S,
            device=self.name,
            quiet_s=QUIET_S,
            probe=(f"{self._to}?{KIND}\r".encode("ascii"), lambda buffer: self._whole("=*", KIND, b"", buffer)),
        )
        text = reply[len(self._from) : -1]
        if text.translate(None, _SENT):
            raise self._bad("there are bytes in the reply that no pump sends", request, reply)
        return chr(text[0]), text[len(name) + 2 :].decode("ascii")

    def _whole(self, marks: str, name: str, request: bytes, buffer: bytes) -> int | None:
        """One of `marks`, the object that was asked for, a blank, data, CR; in either case of letters."""
        begins = [f"{self._from}{mark}{name} ".encode("ascii") for mark in marks]
        head = buffer[: len(begins[0])].upper()
        if not any(one[: len(head)] == head for one in begins):
            raise BadReply(self.name, f"an answer from {name} is expected", request, buffer)
        return buffer.find(b"\r") + 1 or None

    def _numbers(self, form: re.Pattern[str], text: str, what: str) -> tuple[int, ...]:
        found = form.fullmatch(text)
        if not found:
            raise self._bad(f"'{text}' is not {what}")
        return tuple(int(one) for one in found.groups())

    def _bad(self, what: str, request: bytes = b"", reply: bytes = b"") -> BadReply:
        self._line.distrust(self.name)
        return BadReply(self.name, what, request, reply)


def _words(words: dict[int, str], register: int) -> tuple[str, ...]:
    return tuple(word for bit, word in words.items() if register >> bit & 1)


def _moved(expected: bool | None, found: bool) -> tuple[str, ...]:
    return () if expected in (None, found) else ("changed elsewhere",)


def _temperature(celsius: int, at_s: float, flags: tuple[str, ...]) -> Reading:
    """Not a number where the pump has no sensor."""
    return Reading(math.nan, at_s, ("not fitted",)) if celsius == UNUSED_C else Reading(float(celsius), at_s, flags)
