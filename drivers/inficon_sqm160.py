"""INFICON SQM-160 thin-film monitor (quartz crystal), binary frames around ASCII text.

Frame and commands: SQM-160 manual PN 074-511 chapter 8, as two independent libraries read it and as the examples of the
sister instrument's manual (SQC-310, PN 074-550 p. 4-28) confirm. Not yet run against hardware. A reply's length byte is
the count of its characters, status included, plus 35 in every published example, plus 34 in other descriptions: what
ends a frame here is its checksum, tried at each of these ends.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from msgspec import structs

from drivers.base import BadReply, DeviceFault, Identity, Reading, Refused
from drivers.line import Line

TIMEOUT_S = 0.25
QUIET_S = 0.1
SYNC = 0x21
REQUEST_OFFSET = 34
REPLY_OFFSETS = (35, 34, 33)  # the usual one first
SHORTEST = 5  # a reply of a status alone
SENSORS = 6
OSCILLATES_HZ = 1e6, 1e7  # what the instrument can measure: outside of that there is no working crystal
ZERO_NM = 0.5  # thickness that counts as zeroed
ZEROED_NM = 1.0  # from more than this to zero between two polls: somebody zeroed it
NM_PER = {"Å/s": 0.1, "nm/s": 1.0, "Å": 0.1, "kÅ": 100.0, "nm": 1.0, "µm": 1000.0}
STATUS = {
    "C": "the instrument does not know this command",
    "D": "the data of the command are not acceptable",
    "E": "the instrument is in the wrong mode for this",
}
_SENT = bytes(range(32, 127))  # every byte of a reply's text
_NUMBER = re.compile(r"[+-]?\d+(?:\.\d*)?")


@dataclass(frozen=True, slots=True)
class SqmConfig:
    """The sensor, 1–6, and the units that the instrument's display mode is set to: they cannot be read back."""

    sensor: int
    rate_unit: Literal["Å/s", "nm/s"]
    thickness_unit: Literal["Å", "kÅ", "nm", "µm"]

    def __post_init__(self) -> None:
        if not 1 <= self.sensor <= SENSORS:
            raise ValueError(f"the sensor of an SQM-160 is 1…{SENSORS}, not {self.sensor}")
        if self.rate_unit not in ("Å/s", "nm/s"):
            raise ValueError(f"the unit of the rate is Å/s or nm/s, not '{self.rate_unit}'")
        if self.thickness_unit not in ("Å", "kÅ", "nm", "µm"):
            raise ValueError(f"the unit of the thickness is Å, kÅ, nm or µm, not '{self.thickness_unit}'")

    @property
    def alone(self) -> bool:
        """Whether nothing else may hang on its line."""
        return True


def checksum(text: bytes) -> bytes:
    """The two check characters of length byte, status and text: 14 bits, seven each, plus 34."""
    crc = 0x3FFF
    for byte in text:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x2001 if crc & 1 else 0)
    return bytes(((crc & 0x7F) + 34, (crc >> 7 & 0x7F) + 34))


def frame(command: str) -> bytes:
    """A request with its length and checksum."""
    body = bytes((len(command) + REQUEST_OFFSET,)) + command.encode("ascii")
    return bytes((SYNC,)) + body + checksum(body)


PROBE = frame("@")


class Sqm160:
    """Channels thickness_nm, rate_nm_s, frequency_hz, life_percent of one sensor."""

    def __init__(self, name: str, line: Line, settings: SqmConfig) -> None:
        self.name = name
        self._line, self._settings = line, settings
        self._rate_nm_s = NM_PER[settings.rate_unit]
        self._thickness_nm = NM_PER[settings.thickness_unit]
        self._last_nm = 0.0

    @staticmethod
    def channels(settings: SqmConfig) -> frozenset[str]:
        """What a poll reads."""
        return frozenset({"thickness_nm", "rate_nm_s", "frequency_hz", "life_percent"})

    async def identify(self) -> Identity:
        """Raises Refused when the instrument has fewer sensors than the settings need."""
        version = await self._query("@")
        sensors = int(await self._number("J"))
        if self._settings.sensor > sensors:
            raise Refused(self.name, f"it has {sensors} sensors, the settings say sensor {self._settings.sensor}")
        restarted = await self._number("Y") != 0  # reading it takes the flag back
        self._last_nm = 0.0
        facts = {"sensors": str(sensors), "restarted since last asked": "yes" if restarted else "no"}
        return Identity("SQM-160", "", version, facts)

    async def poll(self) -> dict[str, Reading]:
        """Raises DeviceFault when the instrument was switched off and on, or no crystal oscillates."""
        if await self._number("Y") != 0:
            raise DeviceFault(self.name, "the instrument was switched off and on: its thickness began anew")
        readings = {
            "rate_nm_s": await self._reading(f"L{self._settings.sensor}?", self._rate_nm_s),
            "thickness_nm": await self._reading(f"N{self._settings.sensor}", self._thickness_nm),
            "frequency_hz": await self._reading(f"P{self._settings.sensor}"),
            "life_percent": await self._reading(f"R{self._settings.sensor}"),
        }
        hertz = readings["frequency_hz"].value
        if not OSCILLATES_HZ[0] <= hertz <= OSCILLATES_HZ[1]:
            raise DeviceFault(self.name, f"no crystal oscillates at sensor {self._settings.sensor}: {hertz:g} Hz")
        readings["thickness_nm"] = self._zeroed(readings["thickness_nm"])
        return readings

    async def zero(self) -> None:
        """Zero the thickness of all sensors; read back, with what may have grown meanwhile. Raises Refused."""
        await self._query("S")
        rate_nm_s = await self._number(f"L{self._settings.sensor}?") * self._rate_nm_s
        thickness_nm = await self._number(f"N{self._settings.sensor}") * self._thickness_nm
        if abs(thickness_nm) > ZERO_NM + 2 * TIMEOUT_S * abs(rate_nm_s):
            raise Refused(self.name, f"the thickness reads back {thickness_nm:g} nm instead of 0")
        self._last_nm = thickness_nm

    async def safe(self) -> None:
        """Nothing to do: a monitor drives no output of the tool."""
        return None

    def _zeroed(self, reading: Reading) -> Reading:
        """Marked once when somebody zeroed the thickness at the instrument."""
        before, self._last_nm = self._last_nm, reading.value
        fell = abs(before) > ZEROED_NM and abs(reading.value) <= ZERO_NM
        return structs.replace(reading, flags=("zeroed at the instrument",)) if fell else reading

    async def _reading(self, command: str, factor: float = 1.0) -> Reading:
        value = await self._number(command)
        return Reading(value * factor, self._line.clock())

    async def _number(self, command: str) -> float:
        text = await self._query(command)
        if not _NUMBER.fullmatch(text):
            raise self._bad(f"'{text}' is no number", frame(command))
        return float(text)

    async def _query(self, command: str) -> str:
        """The text behind the status; raises Refused with the meaning of any other status than A."""
        request = frame(command)
        reply = await self._line.ask(
            request,
            lambda buffer: self._whole(request, buffer),
            timeout_s=TIMEOUT_S,
            device=self.name,
            quiet_s=QUIET_S,
            probe=(PROBE, self._whole_version),
        )
        if reply[2:-2].translate(None, _SENT):
            raise self._bad("there are bytes in the reply that no SQM-160 sends", request, reply)
        status, text = chr(reply[2]), reply[3:-2].decode("ascii")
        if status == "B":
            raise DeviceFault(self.name, "the instrument says that it was reset", request, reply)
        if status in STATUS:
            raise Refused(self.name, STATUS[status], request, reply)
        if status != "A":
            raise self._bad(f"'{status}' is no status", request, reply)
        return text.strip()

    def _whole(self, request: bytes, buffer: bytes) -> int | None:
        """`!`, length, status and text, checksum: the end is where the checksum fits."""
        if buffer[0] != SYNC or (len(buffer) > 1 and buffer[1] <= REPLY_OFFSETS[-1]):
            raise BadReply(self.name, "'!' and a length are expected", request, buffer)
        if len(buffer) < SHORTEST:
            return None
        ends = [buffer[1] - offset + 4 for offset in REPLY_OFFSETS]
        for end in ends:
            if len(buffer) >= end >= SHORTEST and checksum(buffer[1 : end - 2]) == buffer[end - 2 : end]:
                return end
        if len(buffer) >= ends[-1]:
            raise BadReply(self.name, "the checksum does not fit", request, buffer)
        return None

    def _whole_version(self, buffer: bytes) -> int | None:
        """The version is a text, all that is asked otherwise is a number."""
        length = self._whole(PROBE, buffer)
        if length is not None and not re.search(rb"[A-Za-z]{2}", buffer[3 : length - 2]):
            raise BadReply(self.name, "this is not the answer to the question for the version", PROBE, buffer)
        return length

    def _bad(self, what: str, request: bytes = b"", reply: bytes = b"") -> BadReply:
        self._line.distrust(self.name)
        return BadReply(self.name, what, request, reply)
