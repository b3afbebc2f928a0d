"""MKS 925 MicroPirani transducer, ASCII protocol of the 9xx transducers.

Frames and error codes: MKS manuals 910, 902B and 946. Not yet run against hardware. The protocol has no checksum: a
digit that noise turns into another digit is not noticed here.
"""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass

from drivers.base import BadReply, DeviceFault, Identity, Reading, Refused
from drivers.line import Line

TIMEOUT_S = 0.2
QUIET_S = 0.1
END = b";FF"
_SENT = bytes(range(32, 127))  # every byte that a transducer sends
PA_PER = {"TORR": 101_325.0 / 760.0, "MBAR": 100.0, "PASCAL": 1.0}
_NUMBER = re.compile(r"\+?\d\.\d{1,3}E[+-]\d{1,2}")
_WORD = re.compile(r"[A-Z][ -~]*")

ERRORS = {
    "150": "wrong gauge",
    "151": "no gauge",
    "160": "the message is not recognised",
    "161": "set commands are locked",
    "162": "the relay's direction is fixed",
    "163": "invalid channel",
    "169": "invalid argument",
    "172": "the value is out of range",
    "175": "query or command mark is invalid",
    "177": "not an RS-485 line",
    "178": "calibration is disabled",
    "180": "the set-up is locked",
}


@dataclass(frozen=True, slots=True)
class MksConfig:
    """Address 1–253."""

    unit: int

    def __post_init__(self) -> None:
        if not 1 <= self.unit <= 253:
            raise ValueError(f"the address of an MKS transducer is 1…253, not {self.unit}")


class Mks925:
    """Channel pressure_pa, from the four-digit combined reading in whatever unit the transducer is set to."""

    def __init__(self, name: str, line: Line, settings: MksConfig) -> None:
        self.name = name
        self._line = line
        self._address = f"{settings.unit:03d}"
        self._unit_request = f"@{self._address}U?".encode("ascii") + END
        self._pa_per_unit = 0.0

    @staticmethod
    def channels(settings: MksConfig) -> frozenset[str]:
        """What a poll reads."""
        return frozenset({"pressure_pa"})

    async def identify(self) -> Identity:
        unit = await self._read_unit()
        model, serial, firmware = await self._query("MD"), await self._query("SN"), await self._query("FV")
        return Identity(model, serial, firmware, {"unit": unit})

    async def poll(self) -> dict[str, Reading]:
        """Raises DeviceFault when the transducer says a word (`LO<…`, `ATM`, `OFF` …) instead of a number."""
        if not self._pa_per_unit:
            await self._read_unit()
        text = await self._query("PR4")
        if not _NUMBER.fullmatch(text):
            if _WORD.fullmatch(text):
                raise DeviceFault(self.name, f"no pressure: the transducer says '{text}'")
            raise self._bad(f"'{text}' is no pressure")
        now_s = asyncio.get_running_loop().time()
        return {"pressure_pa": Reading(float(text) * self._pa_per_unit, now_s)}

    async def safe(self) -> None:
        """Nothing to do: a gauge drives no output of the tool."""
        return None

    async def _read_unit(self) -> str:
        unit = await self._query("U")
        if unit not in PA_PER:
            raise self._bad(f"the pressure unit '{unit}' is none of {', '.join(PA_PER)}")
        self._pa_per_unit = PA_PER[unit]
        return unit

    async def _query(self, command: str) -> str:
        """What follows ACK; raises Refused with the meaning of a NAK."""
        request = f"@{self._address}{command}?".encode("ascii") + END
        reply = await self._line.ask(
            request,
            lambda buffer: self._whole(request, buffer),
            timeout_s=TIMEOUT_S,
            device=self.name,
            quiet_s=QUIET_S,
            probe=(self._unit_request, self._whole_unit),
        )
        if reply.translate(None, _SENT):
            raise self._bad("there are bytes in the reply that no transducer sends", request, reply)
        text = reply[7 : -len(END)].decode("ascii")
        if reply[4:7] == b"NAK":
            raise Refused(self.name, f"error {text}: {ERRORS.get(text, 'see the manual')}", request, reply)
        return text

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
        if length is not None and buffer[7 : length - len(END)].decode("latin-1") not in PA_PER:
            raise BadReply(self.name, "this is not the answer to the question for the unit", self._unit_request, buffer)
        return length

    def _bad(self, what: str, request: bytes = b"", reply: bytes = b"") -> BadReply:
        self._line.distrust(self.name)
        return BadReply(self.name, what, request, reply)
