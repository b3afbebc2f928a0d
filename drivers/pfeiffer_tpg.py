"""Pfeiffer TPG 361/362/366 and 261/262, INFICON VGC501/502/503 gauge controllers, mnemonics protocol.

Sources: communication protocols BG 5510 and BG 5511 (36x), BG 805 195 and BG 805 196 (26x), INFICON tina96e1 (VGC50x).
Not yet run against hardware. Two steps: a mnemonic and CR are acknowledged by ACK or NAK, then ENQ brings the line of
data (after a NAK: the error word). The protocol has no checksum: a digit that noise turns into another digit is not
noticed here. Serial 9600 8N1 or, on the 36x, TCP port 8000.
"""

from __future__ import annotations

import asyncio
import math
import re
from dataclasses import dataclass
from typing import Literal

from drivers.base import BadReply, DeviceFault, Identity, Reading, Refused
from drivers.line import Framer, Line

TIMEOUT_S = 0.25  # the longest line, six gauges, takes 0.1 s at 9600 baud
QUIET_S = 0.05  # after power-up the controller may send lines by itself; between two there is more silence than this
ACK, NAK = b"\x06\r\n", b"\x15\r\n"
ENQ, ETX = b"\x05", b"\x03"
TORR_PA = 101_325.0 / 760.0

Model = Literal["TPG361", "TPG362", "TPG366", "TPG261", "TPG262", "VGC501", "VGC502", "VGC503"]
GAUGES = {
    "TPG361": 1, "TPG362": 2, "TPG366": 6, "TPG261": 1, "TPG262": 2, "VGC501": 1, "VGC502": 2, "VGC503": 3,
}  # fmt: skip
COLUMNS = GAUGES | {"TPG261": 2}  # it answers for both gauges of a TPG 262
OLD = frozenset({"TPG261", "TPG262"})  # the 26x have no AYT and know three units only
_UNITS = {0: ("mbar", 100.0), 1: ("Torr", TORR_PA), 2: ("Pa", 1.0)}
_NEW_UNITS = _UNITS | {3: ("micron", TORR_PA / 1000.0), 4: ("hPa", 100.0), 5: ("V", math.nan)}

STATUS = {
    "1": "under-range",
    "2": "over-range",
    "3": "sensor error",
    "4": "sensor off",
    "5": "no sensor",
    "6": "identification error",
    "7": "gauge error",
}
BROKEN = frozenset(STATUS.values()) - {"under-range", "over-range", "sensor off"}
ERRORS = (
    "controller error: look at its display",
    "no such hardware in this controller",
    "inadmissible parameter",
    "syntax error",
)
_SENT = bytes([6, 10, 13, 21, *range(32, 127)])  # every byte that a controller sends
_VALUE = re.compile(r"([0-7]), ?([+-]?\d\.\d{1,4}E[+-]\d{1,2})")
_OLD_FIRMWARE = re.compile(r"\d{3}-\d{3}-?\w*")  # 302-510-D; that of a 36x is 010400


@dataclass(frozen=True, slots=True)
class TpgGauge:
    """A connected gauge: its channel as printed on the controller, and its type as the controller names it (`PKR`).

    `range_code` is what the controller answers to FSR for a linear gauge whose full scale is set as it should be: a
    wrong one makes every value wrong by a factor. −1: not compared.
    """

    channel: int
    type: str
    range_code: int = -1

    def __post_init__(self) -> None:
        if not re.fullmatch("[A-Z]{3}[0-9]{0,3}", self.type):
            raise ValueError(f"a gauge's type is three capital letters such as PKR or PSG, not '{self.type}'")


@dataclass(frozen=True, slots=True)
class TpgConfig:
    """The controller's model and what is connected to it and used."""

    model: Model
    gauges: tuple[TpgGauge, ...]

    def __post_init__(self) -> None:
        if self.model not in GAUGES:
            raise ValueError(f"the model is one of {', '.join(GAUGES)}, not '{self.model}'")
        channels = [gauge.channel for gauge in self.gauges]
        if not channels or len(set(channels)) != len(channels):
            raise ValueError("at least one gauge is needed, and each channel once")
        if not all(1 <= channel <= GAUGES[self.model] for channel in channels):
            raise ValueError(f"a {self.model} has channels 1…{GAUGES[self.model]}, not {sorted(channels)}")

    @property
    def alone(self) -> bool:
        """Whether nothing else may hang on its line."""
        return True


class PfeifferTpg:
    """Channels pressure_<n>_pa, one per gauge of the settings; what is no measurement is not a number, with a flag."""

    def __init__(self, name: str, line: Line, settings: TpgConfig) -> None:
        self.name = name
        self._line, self._settings = line, settings
        self._units = _UNITS if settings.model in OLD else _NEW_UNITS
        self._unit: str | None = None
        # One gauge alone is asked for itself. Several are asked for in one go: they belong to one moment.
        self._alone = settings.gauges[0].channel if len(settings.gauges) == 1 else 0
        self._pair = asyncio.Lock()  # between a mnemonic and its ENQ nothing else may be asked

    @staticmethod
    def channels(settings: TpgConfig) -> frozenset[str]:
        """What a poll reads."""
        return frozenset(_name(gauge) for gauge in settings.gauges)

    async def identify(self) -> Identity:
        """Raises Refused when model or gauges are not those of the settings, or the unit is no pressure."""
        self._unit = None
        await self._wake()
        model, serial, firmware = await self._who()
        if (await self._query("ERR"))[:1] == "1":
            raise DeviceFault(self.name, ERRORS[0])
        found = await self._gauge_types()
        await self._expect_ranges()
        unit = await self._read_unit()
        self._unit = unit
        return Identity(model, serial, firmware, {"unit": unit, "gauges": ", ".join(found)})

    async def poll(self) -> dict[str, Reading]:
        """Raises DeviceFault when no gauge measures, or unit or full scale were changed at the controller."""
        if self._unit is None:
            self._unit = await self._read_unit()
        pairs = await self._pressures()
        now_s = self._line.clock()
        unit = await self._read_unit()  # after the pressures: they are in the unit that was set before and after
        if unit != self._unit:
            before, self._unit = self._unit, None
            raise DeviceFault(self.name, f"the unit was changed at the controller from {before} to {unit}")
        await self._still_ranges()
        pa_per_unit = next(pa for name, pa in self._units.values() if name == unit)
        readings = {name: _reading(status, value, pa_per_unit, now_s) for name, (status, value) in pairs.items()}
        if all(BROKEN.intersection(reading.flags) for reading in readings.values()):
            words = "; ".join(f"{name}: {', '.join(reading.flags)}" for name, reading in readings.items())
            raise DeviceFault(self.name, f"no gauge measures: {words}")
        return readings

    async def safe(self) -> None:
        """Nothing to do: a gauge drives no output of the tool."""
        return None

    # --- what the controller is ---

    async def _who(self) -> tuple[str, str, str]:
        """Model, serial number, firmware. A controller without AYT is a 26x, and says so by its firmware's number."""
        wanted = self._settings.model
        try:
            facts = [fact.strip() for fact in (await self._query("AYT")).split(",")]
        except Refused:
            firmware = await self._query("PNR")
            if not _OLD_FIRMWARE.fullmatch(firmware):
                raise Refused(
                    self.name,
                    f"AYT is refused and firmware '{firmware}' is not that of a TPG 26x: cannot tell what it is",
                ) from None
            if wanted not in OLD:
                raise Refused(
                    self.name, f"it does not know AYT, so it is a TPG 26x; the settings say {wanted}"
                ) from None
            return wanted, "", firmware
        model = facts[0].upper().replace(" ", "")
        if model != wanted:
            raise Refused(self.name, f"it is a {facts[0] or 'nameless thing'}, the settings say {wanted}")
        if len(facts) < 4:
            raise self._bad(f"model, part, serial number and firmware are expected, not {facts}")
        return model, facts[2], facts[3]

    async def _gauge_types(self) -> list[str]:
        found = [one.strip() for one in (await self._query("TID")).split(",")]
        if len(found) not in (GAUGES[self._settings.model], COLUMNS[self._settings.model]):
            raise self._bad(f"{COLUMNS[self._settings.model]} types of gauges are expected, not {found}")
        for gauge in self._settings.gauges:
            there = found[gauge.channel - 1]
            if not any(re.fullmatch(f"{gauge.type}[0-9]*", one) for one in there.split("/")):
                raise Refused(
                    self.name, f"channel {gauge.channel} has a gauge '{there}', the settings say {gauge.type}"
                )
        return found

    async def _expect_ranges(self) -> None:
        """The full scale of linear gauges is chosen at the controller; the meaning of a code differs by model."""
        compared = [gauge for gauge in self._settings.gauges if gauge.range_code >= 0]
        if not compared:
            return
        codes = [one.strip() for one in (await self._query("FSR")).split(",")]
        if len(codes) not in (GAUGES[self._settings.model], COLUMNS[self._settings.model]):
            raise self._bad(f"{COLUMNS[self._settings.model]} ranges of gauges are expected, not {codes}")
        for gauge in compared:
            there = codes[gauge.channel - 1]
            if there != str(gauge.range_code):
                raise Refused(
                    self.name,
                    f"channel {gauge.channel} has range code {there}, the settings say {gauge.range_code}: "
                    "set the full scale of the gauge at the controller",
                )

    async def _still_ranges(self) -> None:
        try:
            await self._expect_ranges()
        except Refused as refusal:
            raise DeviceFault(self.name, f"changed at the controller: {refusal.what}", refusal.request) from None

    async def _read_unit(self) -> str:
        code = await self._query("UNI")
        if not re.fullmatch("[0-9]", code) or int(code) not in self._units:
            raise self._bad(f"'{code}' is no unit of a {self._settings.model}")
        unit, pa = self._units[int(code)]
        if math.isnan(pa):
            raise Refused(self.name, "the unit is volts: set a unit of pressure at the controller")
        return unit

    async def _pressures(self) -> dict[str, tuple[str, str]]:
        """Status digit and number by channel's name."""
        text = await self._query(f"PR{self._alone}" if self._alone else "PRX")
        columns = 1 if self._alone else COLUMNS[self._settings.model]
        parts = text.split(",")
        pairs = [_VALUE.fullmatch(",".join(parts[at : at + 2])) for at in range(0, len(parts), 2)]
        if len(pairs) != columns or None in pairs:
            raise self._bad(f"status and number of {columns} gauges are expected, not '{text}'")
        found = [(pair[1], pair[2]) for pair in pairs if pair]
        return {_name(gauge): found[0 if self._alone else gauge.channel - 1] for gauge in self._settings.gauges}

    # --- two steps ---

    async def _wake(self) -> None:
        """The first character ends what a controller streams after power-up; a line already under way is dropped."""
        await self._ask(PROBE, lambda buffer: len(buffer) if buffer.endswith(NAK) else None)

    async def _query(self, mnemonic: str) -> str:
        """The line of data that answers a mnemonic; raises Refused with the meaning of a NAK."""
        request = mnemonic.encode("ascii") + b"\r"
        async with self._pair:
            told = await self._ask(request, lambda buffer: self._report(request, buffer))
            reply = await self._ask(ENQ, self._data)
        text = reply[:-2].decode("ascii").strip()
        if told == NAK:
            raise Refused(self.name, self._meaning(text), request, reply)
        return text

    async def _ask(self, request: bytes, framer: Framer) -> bytes:
        reply = await self._line.ask(
            request,
            framer,
            timeout_s=TIMEOUT_S,
            device=self.name,
            quiet_s=QUIET_S,
            probe=(PROBE, self._nonsense),
        )
        if reply.translate(None, _SENT):
            raise self._bad("there are bytes in the reply that no controller sends", request, reply)
        return reply

    def _report(self, request: bytes, buffer: bytes) -> int | None:
        """ACK or NAK, CR, LF: a line of data that nobody asked for is none of these."""
        if not (ACK.startswith(buffer[:3]) or NAK.startswith(buffer[:3])):
            raise BadReply(self.name, "ACK or NAK is expected", request, buffer)
        return 3 if len(buffer) >= 3 else None

    def _data(self, buffer: bytes) -> int | None:
        """A line of printable text."""
        if buffer[0] < 32:
            raise BadReply(self.name, "a line of data is expected", ENQ, buffer)
        end = buffer.find(b"\r\n")
        return end + 2 if end > 0 else None

    def _nonsense(self, buffer: bytes) -> int | None:
        """The refusal of the probe; an acknowledgement or a line of data is a late answer to something else."""
        if not NAK.startswith(buffer[:3]):
            raise BadReply(self.name, "this is not the refusal that was provoked", PROBE, buffer)
        return 3 if len(buffer) >= 3 else None

    def _meaning(self, word: str) -> str:
        if not re.fullmatch("[01]{4}", word):
            raise self._bad(f"'{word}' is no error word")
        said = [text for digit, text in zip(word, ERRORS, strict=True) if digit == "1"]
        return f"error {word}: {', '.join(said) or 'no reason given'}"

    def _bad(self, what: str, request: bytes = b"", reply: bytes = b"") -> BadReply:
        self._line.distrust(self.name)
        return BadReply(self.name, what, request, reply)


PROBE = ETX + b"NAK\r"  # a mnemonic that no controller has, into an empty input buffer; its refusal is unmistakable


def _name(gauge: TpgGauge) -> str:
    return f"pressure_{gauge.channel}_pa"


def _reading(status: str, number: str, pa_per_unit: float, at_s: float) -> Reading:
    """What comes with another status than 0 is a limit of the gauge or nothing: it must not prove a vacuum."""
    if status != "0":
        return Reading(math.nan, at_s, (STATUS[status],))
    value = float(number) * pa_per_unit
    return Reading(value, at_s, ("below zero",) if value < 0 else ())
