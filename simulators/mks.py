"""An MKS 925 MicroPirani transducer, ASCII, as bytes.

Sources: MKS 910/925/902B manuals (frame, queries, addresses 254 and 255), 946 manual p. 105 (NAK codes). A frame is
`@`, three digits, a command, `?` or `!` with a value, `;FF`; there is no CR or LF in either direction.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Protocol

TORR_PA = 101_325.0 / 760.0
UNITS = {"TORR": TORR_PA, "MBAR": 100.0, "PASCAL": 1.0}
ARGON_AS_NITROGEN = 0.69  # what the sensor makes of argon when it is set to nitrogen
ROOM_PA = 101_325.0
FACTS = {
    "MD": "925", "DT": "MICROPIRANI", "MF": "MKS", "FV": "1.12", "HV": "A", "SW": "OFF", "TEM": "2.50E+1", "T": "O",
}  # fmt: skip
CHOICES = {  # what may be set by word, the default first
    "U": tuple(UNITS),
    "BR": ("9600", "4800", "19200", "38400", "57600", "115200", "230400"),
    "RSD": ("ON", "OFF"),
    "TST": ("OFF", "ON"),
    "EN1": ("OFF", "ON"),
    "SD1": ("BELOW", "ABOVE"),
    "GT": ("NITROGEN", "AIR", "ARGON", "HELIUM", "HYDROGEN", "H2O", "NEON", "CO2", "XENON"),
}
UNKNOWN, BAD_ARGUMENT, OUT_OF_RANGE, WRONG_BYTE = 160, 169, 172, 175
LONGEST = 200
ANY, BROADCAST = 254, 255
_FRAME = re.compile(rb"@(\d{3})([A-Za-z0-9]+)([?!])?([^;@]*);FF", re.IGNORECASE)


class PressurePlant(Protocol):
    """What a gauge measures."""

    def pirani_pa(self, at_s: float) -> float: ...


class _Nak(Exception):
    def __init__(self, code: int) -> None:
        super().__init__(str(code))
        self.code = code


def _science(value: float, digits: int) -> str:
    """A number as the transducer writes it: 1.23E-3, one leading digit, no padding of the exponent."""
    mantissa, exponent = f"{value:.{digits - 1}E}".split("E")
    return f"{mantissa}E{int(exponent):+d}"


class MksFace:
    """One transducer at an address from 1 to 253."""

    def __init__(self, plant: PressurePlant, *, unit: int, gas: str = "ARGON") -> None:
        self._plant, self._address = plant, unit
        self.settings = {name: choices[0] for name, choices in CHOICES.items()} | {"GT": gas}
        self.relay_pa = {"SP1": 2.0e-2 * TORR_PA, "SH1": 2.2e-2 * TORR_PA}
        self._energised = False
        self._now = 0.0
        self._buffer = b""
        self._queries: dict[str, Callable[[], str]] = {
            **dict.fromkeys(("PR1", "PR2", "PR3"), lambda: _science(self._units(self._pa()), 3)),
            "PR4": lambda: _science(self._units(self._pa()), 4),
            "PR5": lambda: _science(self._units(self._pa() - ROOM_PA), 3),
            "SN": lambda: f"25{self._address:08d}",
            "AD": lambda: f"{self._address:03d}",
            "TIM": lambda: str(1200 + int(self._now // 3600)),
            "SS1": self._relay_state,
        }

    def hear(self, now_s: float, data: bytes) -> bytes:
        """Answer every frame that `data` completes; what stands between frames is noise and is dropped."""
        self._now = now_s
        self._buffer += data
        replies, end = b"", 0
        for frame in _FRAME.finditer(self._buffer):
            replies += self._frame(int(frame[1]), frame[2], frame[3], frame[4])
            end = frame.end()
        self._buffer = self._buffer[end:][-LONGEST:]
        return replies

    def next_at(self) -> float | None:
        return None

    def speak(self, now_s: float) -> bytes:
        return b""

    def _frame(self, address: int, name: bytes, mark: bytes | None, value: bytes) -> bytes:
        if address not in (self._address, ANY, BROADCAST):
            return b""
        try:
            answer = f"ACK{self._answer(name.decode('ascii').upper(), mark, value.decode('latin-1').strip())}"
        except _Nak as refusal:
            answer = f"NAK{refusal.code}"
        return b"" if address == BROADCAST else f"@{self._address:03d}{answer};FF".encode("latin-1")

    def _answer(self, name: str, mark: bytes | None, value: str) -> str:
        if name not in self._queries and name not in FACTS | self.settings | self.relay_pa:
            raise _Nak(UNKNOWN)
        if mark == b"!" and name in CHOICES:
            self.settings[name] = self._one_of(value.upper(), CHOICES[name])
        elif mark == b"!" and name in self.relay_pa:
            self.relay_pa[name] = self._given_pa(value)
        elif mark != b"?" or value:
            raise _Nak(WRONG_BYTE)
        return self._show(name)

    def _show(self, name: str) -> str:
        if name in self.relay_pa:
            return _science(self._units(self.relay_pa[name]), 3)
        return self._queries[name]() if name in self._queries else (FACTS | self.settings)[name]

    # --- values ---

    def _pa(self) -> float:
        true = max(self._plant.pirani_pa(self._now), 1e-3)
        return true * (ARGON_AS_NITROGEN if self.settings["GT"] in ("NITROGEN", "AIR") else 1.0)

    def _units(self, pa: float) -> float:
        return pa / UNITS[self.settings["U"]]

    def _relay_state(self) -> str:
        """Energised beyond the set-point, released again only beyond the hysteresis."""
        sign = 1.0 if self.settings["SD1"] == "ABOVE" else -1.0
        pressure, on, off = (sign * pa for pa in (self._pa(), self.relay_pa["SP1"], self.relay_pa["SH1"]))
        self._energised = self.settings["EN1"] == "ON" and (pressure > on or (self._energised and pressure > off))
        return "SET" if self._energised else "CLEAR"

    # --- settings ---

    @staticmethod
    def _one_of(text: str, known: tuple[str, ...]) -> str:
        if text not in known:
            raise _Nak(BAD_ARGUMENT)
        return text

    def _given_pa(self, text: str) -> float:
        try:
            value = float(text) * UNITS[self.settings["U"]]
        except ValueError:
            raise _Nak(BAD_ARGUMENT) from None
        if not 1e-5 * TORR_PA <= value <= 1000 * TORR_PA:
            raise _Nak(OUT_OF_RANGE)
        return value
