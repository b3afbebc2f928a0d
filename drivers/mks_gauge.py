"""MKS gauges, one dialect: the 9xx transducers (910, 925 …), one each, and the controllers 937B and 946.

Frames and error codes: MKS manuals 910, 902B, 937B and 946. Not yet run against hardware; the words that a 937B or 946
sends instead of a pressure, and their spelling, are not confirmed. The protocol has no checksum: a digit that noise
turns into another digit is not noticed here.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Literal

from drivers.base import BadReply, DeviceFault, Identity, Reading, Refused
from drivers.debts import Ask
from drivers.line import Line

TIMEOUT_S = 0.2
CONTROLLER_TIMEOUT_S = 0.3  # six pressures take 80 ms at 9600 baud
QUIET_S = 0.1
UNIT_CHECK_S = 1.0  # a transducer has no panel; who changes its unit does so over this line
JUMP = 1.2  # two units are a third apart at least: a number that has changed by less is in the same one
END = b";FF"
_SENT = bytes(range(32, 127))  # every byte that a gauge sends
TORR_PA = 101_325.0 / 760.0
PA_PER = {"TORR": TORR_PA, "MBAR": 100.0, "PASCAL": 1.0}
CONTROLLER_PA_PER = PA_PER | {"MICRON": TORR_PA / 1000.0}
_NUMBER = re.compile(rb"@\d{3}ACK(\+?\d\.\d{1,3}E[+-]?\d{1,2});FF")
_SIGNED = re.compile(r"[+-]?\d\.\d{1,3}[Ee][+-]?\d{1,2}")  # a capacitance manometer may read below zero
_WORD = re.compile(r"[A-Z<>][ -~]*")
CHANNELS = 6
TRANSDUCERS = "910", "925", "902B", "972B", "974B"
CONTROLLERS = "937B", "946"

ERRORS = {
    "150": "wrong gauge",
    "151": "no gauge",
    "152": "not an ion gauge",
    "153": "not a hot cathode",
    "154": "not a cold cathode",
    "155": "not a capacitance manometer",
    "156": "not a Pirani or convection Pirani",
    "157": "not a Pirani or capacitance manometer",
    "158": "not a mass-flow controller",
    "159": "not a valve",
    "160": "the message is not recognised",
    "161": "set commands are locked",
    "162": "the relay's direction is fixed",
    "163": "invalid channel",
    "164": "a differential capacitance manometer",
    "165": "control by PID or ratio is on",
    "166": "control by PID or ratio is on",
    "167": "control by PID or ratio is on",
    "168": "not degassing",
    "169": "invalid argument",
    "172": "the value is out of range",
    "173": "invalid control channel",
    "175": "query or command mark is invalid",
    "176": "no gas type",
    "177": "not an RS-485 line",
    "178": "calibration is disabled",
    "179": "the set-point is not enabled",
    "180": "the set-up is locked",
    "181": "the combination is disabled",
    "182": "international units only",
    "183": "the gas type is given already",
    "191": "not in ratio mode",
    "195": "the control set-point is enabled",
    "199": "the pressure is too high to degas",
}
WORDS = (  # what stands instead of a pressure, by how it begins; unconfirmed spelling, so matched generously
    ("LO", "under-range"),
    ("<", "under-range"),
    ("HI", "over-range"),
    ("OVER", "over-range"),
    (">", "over-range"),
    ("ATM", "over-range"),
    ("OFF", "off"),
    ("WAIT", "starting"),
    ("PROT", "off by its protection"),
    ("CTRL", "off by its control channel"),
    ("RP", "off by the rear panel"),
    ("NOGAUGE", "no gauge"),
    ("NO_GAUGE", "no gauge"),
    ("MISCONN", "wrongly connected"),
    ("HC_FIL", "filament fault"),
    ("FIL", "filament fault"),
)
ION = {
    "W": "starting",
    "O": "off",
    "P": "off by its protection",
    "D": "degassing",
    "C": "off by its control channel",
    "R": "off by the rear panel",
    "H": "filament fault",
    "N": "no gauge",
    "G": "",
}
WORKING = frozenset({flag for _, flag in WORDS} | set(ION.values()) | {"below zero"}) - {
    "no gauge",
    "wrongly connected",
    "filament fault",
}


@dataclass(frozen=True, slots=True)
class MksConfig:
    """A transducer: address 1–253, model, and the gas it is to be set to (`ARGON`), unchecked when left out."""

    unit: int
    model: Literal["910", "925", "902B", "972B", "974B"] = "925"
    gas: str = ""

    def __post_init__(self) -> None:
        if not 1 <= self.unit <= 253:
            raise ValueError(f"the address of an MKS transducer is 1…253, not {self.unit}")
        if self.model not in TRANSDUCERS:
            raise ValueError(f"the model of a transducer is one of {', '.join(TRANSDUCERS)}, not '{self.model}'")


@dataclass(frozen=True, slots=True)
class MksGauge:
    """A gauge at a controller: channel 1–6 (A1, A2, B1 …) and its type in the controller's two letters."""

    channel: int
    type: Literal["PR", "CP", "CM", "CC", "HC"]

    def __post_init__(self) -> None:
        if self.type not in ("PR", "CP", "CM", "CC", "HC"):
            raise ValueError(f"the type of a gauge is PR, CP, CM, CC or HC, not '{self.type}'")


@dataclass(frozen=True, slots=True)
class Mks937Config:
    """A controller: address 1–253, model and the gauges used."""

    unit: int
    gauges: tuple[MksGauge, ...]
    model: Literal["937B", "946"] = "937B"

    def __post_init__(self) -> None:
        if not 1 <= self.unit <= 253:
            raise ValueError(f"the address of an MKS controller is 1…253, not {self.unit}")
        if self.model not in CONTROLLERS:
            raise ValueError(f"the model of a controller is one of {', '.join(CONTROLLERS)}, not '{self.model}'")
        channels = [gauge.channel for gauge in self.gauges]
        if not channels or len(set(channels)) != len(channels):
            raise ValueError("at least one gauge is needed, and each channel once")
        if not all(1 <= channel <= CHANNELS for channel in channels):
            raise ValueError(f"an MKS controller has channels 1…{CHANNELS}, not {sorted(channels)}")


class _Mks:
    """The dialect: `@<address><command>?;FF`, answered by ACK and data or NAK and a reason."""

    def __init__(self, name: str, line: Line, unit: int, units: Mapping[str, float], timeout_s: float) -> None:
        self.name = name
        self._line, self._units, self._timeout_s = line, units, timeout_s
        self._address = f"{unit:03d}"
        self._unit_request = f"@{self._address}U?".encode("ascii") + END
        self._questions: dict[str, Ask] = {}  # by command, as they come
        self._unit = ""

    async def safe(self) -> None:
        """Nothing to do: a gauge drives no output of the tool."""
        return None

    async def _read_unit(self) -> str:
        unit = (await self._query("U")).upper()
        if unit not in self._units:
            raise self._bad(f"the pressure unit '{unit}' is none of {', '.join(self._units)}")
        return unit

    async def _expect_unit(self) -> None:
        """Raises DeviceFault when it is another unit than before."""
        before, unit = self._unit, await self._read_unit()
        if unit != before:
            self._unit = ""
            raise DeviceFault(self.name, f"the unit was changed at the device from {before} to {unit}")

    async def _expect_model(self, wanted: str) -> str:
        model = await self._query("MD")
        if model != wanted:
            raise Refused(self.name, f"the model is '{model}', the settings say {wanted}")
        return model

    async def _query(self, command: str) -> str:
        """What follows ACK; raises Refused with the meaning of a NAK."""
        ask = self._questions.get(command) or self._question(command)
        return self._said(ask, await self._line.put(ask))

    def _said(self, ask: Ask, reply: bytes) -> str:
        if reply.translate(None, _SENT):
            raise self._bad("there are bytes in the reply that no gauge sends", ask.request, reply)
        text = reply[7 : -len(END)].decode("ascii")
        if reply[4:7] == b"NAK":
            meaning = ERRORS.get(text, "see the manual") if text.isdigit() else "in words, as the device is set"
            raise Refused(self.name, f"error {text}: {meaning}", ask.request, reply)
        return text

    def _question(self, command: str) -> Ask:
        request = f"@{self._address}{command}?".encode("ascii") + END
        framer, probe = partial(self._whole, request), (self._unit_request, self._whole_unit)
        ask = Ask(self.name, request, framer, self._timeout_s, QUIET_S, False, False, probe)
        return self._questions.setdefault(command, ask)

    def _whole(self, request: bytes, buffer: bytes) -> int | None:
        """`@<address>ACK…;FF` or `@<address>NAK…;FF`; nothing else begins an answer."""
        begins = request[:4]
        kind = buffer[4:7]
        if buffer[:4] != begins[: len(buffer)] or kind not in (b"ACK"[: len(kind)], b"NAK"[: len(kind)]):
            raise BadReply(self.name, f"{begins.decode()}ACK or NAK is expected", request, buffer)
        end = buffer.find(END, 7)
        return end + len(END) if end >= 0 else None

    def _whole_unit(self, buffer: bytes) -> int | None:
        """A unit is a word, all that is asked otherwise while the tool runs is a number."""
        length = self._whole(self._unit_request, buffer)
        if length is not None and buffer[7 : length - len(END)].decode("latin-1").upper() not in self._units:
            raise BadReply(self.name, "this is not the answer to the question for the unit", self._unit_request, buffer)
        return length

    def _bad(self, what: str, request: bytes = b"", reply: bytes = b"") -> BadReply:
        self._line.distrust(self.name)
        return BadReply(self.name, what, request, reply)


class Mks925(_Mks):
    """Channel pressure_pa, from the four-digit combined reading in whatever unit the transducer is set to."""

    def __init__(self, name: str, line: Line, settings: MksConfig) -> None:
        super().__init__(name, line, settings.unit, PA_PER, TIMEOUT_S)
        self._settings = settings
        self._pressure = self._question("PR4")
        self._checked_s, self._number = -math.inf, math.nan

    @staticmethod
    def channels(settings: MksConfig) -> frozenset[str]:
        """What a poll reads."""
        return frozenset({"pressure_pa"})

    async def identify(self) -> Identity:
        """Raises Refused when model or gas are not what the settings say."""
        facts = {"unit": await self._know_unit()}
        model = await self._expect_model(self._settings.model)
        serial, firmware = await self._query("SN"), await self._query("FV")
        if self._settings.gas:
            facts["gas"] = await self._query("GT")
            if facts["gas"].upper() != self._settings.gas.upper():
                raise Refused(self.name, f"the gas is {facts['gas']}, the settings say {self._settings.gas}")
        return Identity(model, serial, firmware, facts)

    async def poll(self) -> dict[str, Reading]:
        """Raises DeviceFault on a word (`LO<…`, `ATM`, `OFF` …) instead of a number, and on another unit than before.

        The unit is asked for once a second, and whenever the number jumps as it would in another unit.
        """
        if not self._unit:
            await self._know_unit()
        reply = await self._line.put(self._pressure)
        number = _number(reply)
        if number is None:
            text = self._said(self._pressure, reply)
            if _WORD.fullmatch(text):
                raise DeviceFault(self.name, f"no pressure: the transducer says '{text}'")
            raise self._bad(f"'{text}' is no pressure")
        now_s = self._line.clock()
        before, self._number = self._number, number
        jumped = not math.isnan(before) and not before / JUMP <= number <= before * JUMP
        if jumped or now_s - self._checked_s >= UNIT_CHECK_S:
            await self._expect_unit()
            self._checked_s = now_s
        return {"pressure_pa": Reading(self._number * self._units[self._unit], now_s)}

    async def _know_unit(self) -> str:
        self._unit = await self._read_unit()
        self._checked_s, self._number = self._line.clock(), math.nan
        return self._unit


class Mks937(_Mks):
    """Channels pressure_<n>_pa, one per gauge of the settings; what is no measurement is not a number, with a flag."""

    def __init__(self, name: str, line: Line, settings: Mks937Config) -> None:
        super().__init__(name, line, settings.unit, CONTROLLER_PA_PER, CONTROLLER_TIMEOUT_S)
        self._settings = settings

    @staticmethod
    def channels(settings: Mks937Config) -> frozenset[str]:
        """What a poll reads."""
        return frozenset(_name(gauge) for gauge in settings.gauges)

    async def identify(self) -> Identity:
        """Raises Refused when the model or a gauge's type is not what the settings say."""
        self._unit = await self._read_unit()
        model = await self._expect_model(self._settings.model)
        serial, firmware = await self._query("SN"), await self._query("FV6")  # of the main board
        found = [kind for module in "ABC" for kind in await self._module(module)]
        for gauge in self._settings.gauges:
            there = found[gauge.channel - 1]
            if there != gauge.type:
                raise Refused(self.name, f"channel {gauge.channel} has '{there}', the settings say {gauge.type}")
        return Identity(model, serial, firmware, {"unit": self._unit, "gauges": ", ".join(found)})

    async def poll(self) -> dict[str, Reading]:
        """Raises DeviceFault when every gauge is broken or missing, or the unit was changed at the controller."""
        if not self._unit:
            self._unit = await self._read_unit()
        texts = await self._pressures()
        now_s = self._line.clock()
        await self._expect_unit()  # after the pressures: they are in the unit that was set before and after
        readings = {_name(gauge): await self._reading(gauge, texts[gauge.channel], now_s) for gauge in self._gauges}
        if not any(WORKING.issuperset(reading.flags) for reading in readings.values()):
            words = "; ".join(f"{name}: {', '.join(reading.flags)}" for name, reading in readings.items())
            raise DeviceFault(self.name, f"no gauge measures: {words}")
        return readings

    @property
    def _gauges(self) -> tuple[MksGauge, ...]:
        return self._settings.gauges

    async def _module(self, module: str) -> tuple[str, str]:
        """The types of the two gauges of a module: A carries channels 1 and 2."""
        text = await self._query(f"ST{module}")
        pair = re.fullmatch(r"([A-Z0-9]{2})[ ,]?([A-Z0-9]{2})", text.upper())
        if not pair:
            raise self._bad(f"two types of gauges are expected of module {module}, not '{text}'")
        return pair[1], pair[2]

    async def _pressures(self) -> dict[int, str]:
        """What the controller says by channel; several channels in one go, because they belong to one moment."""
        if len(self._gauges) == 1:
            channel = self._gauges[0].channel
            return {channel: await self._query(f"PR{channel}")}
        texts = (await self._query("PRZ")).split()
        if len(texts) != CHANNELS:
            raise self._bad(f"{CHANNELS} pressures are expected, not {texts}")
        return dict(enumerate(texts, 1))

    async def _reading(self, gauge: MksGauge, text: str, at_s: float) -> Reading:
        """An ion gauge is also asked whether it is on and well."""
        state = await self._ion_state(gauge) if gauge.type in ("CC", "HC") else ""
        flags = (state,) if state else ()
        if _SIGNED.fullmatch(text):
            value = float(text) * self._units[self._unit]
            return Reading(value, at_s, (*flags, "below zero") if value < 0 else flags)
        if not _WORD.fullmatch(text):
            raise self._bad(f"'{text}' is no pressure")
        word = next((flag for begins, flag in WORDS if text.upper().startswith(begins)), f"says '{text}'")
        return Reading(math.nan, at_s, tuple(dict.fromkeys((word, *flags))))

    async def _ion_state(self, gauge: MksGauge) -> str:
        state = await self._query(f"T{gauge.channel}")
        if state not in ION:
            raise self._bad(f"'{state}' is no state of an ion gauge")
        return ION[state]


@lru_cache(maxsize=1024)  # most readings come again and again
def _number(reply: bytes) -> float | None:
    """What a transducer measures, None where it says something else than a number."""
    found = _NUMBER.fullmatch(reply)
    return float(found[1]) if found else None


def _name(gauge: MksGauge) -> str:
    return f"pressure_{gauge.channel}_pa"
