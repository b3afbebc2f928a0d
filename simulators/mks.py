"""MKS gauges as bytes: a 925 MicroPirani or 910 transducer, and a 937B or 946 controller with up to six gauges.

Sources: MKS 910/925/902B manuals (frame, queries, addresses 254 and 255), 937B manual p. 77 and 86, 946 manual p. 103
(system commands) and p. 105 (NAK codes). A frame is `@`, three digits, a command, `?` or `!` with a value, `;FF`; there
is no CR or LF in either direction. The words that a controller sends instead of a pressure are not confirmed.
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
MODELS = {"925": "MICROPIRANI", "910": "DUALTRANS"}
NO_GAUGE, NO_ION_GAUGE, UNKNOWN, LOCKED, NO_CHANNEL = 151, 152, 160, 161, 163
BAD_ARGUMENT, OUT_OF_RANGE, WRONG_BYTE, SET_UP_LOCKED, NO_COMBINATION = 169, 172, 175, 180, 181
LONGEST = 200
ANY, BROADCAST = 254, 255
_FRAME = re.compile(rb"@(\d{3})([A-Za-z0-9]+)([?!])?([^;@]*);[Ff][Ff]")


class PressurePlant(Protocol):
    """What a gauge measures."""

    def pirani_pa(self, at_s: float) -> float: ...


class _Nak(Exception):
    def __init__(self, code: int) -> None:
        super().__init__(str(code))
        self.code = code


def _science(value: float, digits: int) -> str:
    """A number as the transducer writes it: 1.23E-3, one leading digit, no padding of the exponent."""
    return f"{value:.{digits - 1}E}".replace("E+0", "E+").replace("E-0", "E-")


class _Frames:
    """Frames in, frames out, at an address from 1 to 253; `_answer` gives what follows ACK or raises _Nak."""

    mute = True

    def __init__(self, unit: int) -> None:
        self._address = unit
        self._now = 0.0
        self._buffer = b""

    def hear(self, now_s: float, data: bytes) -> bytes:
        """Answer every frame that `data` completes; what stands between frames is noise and is dropped."""
        self._now = now_s
        rest, replies = self._buffer + data, b""
        while rest and (frame := _FRAME.search(rest)):
            replies += self._frame(*frame.groups())
            rest = rest[frame.end() :]
        self._buffer = rest[-LONGEST:]
        return replies

    def next_at(self) -> float | None:
        return None

    def speak(self, now_s: float) -> bytes:
        return b""

    def power_cycle(self, now_s: float) -> None:
        """Its power went off and on: all that can be set is kept."""
        self._buffer = b""

    def _frame(self, digits: bytes, name: bytes, mark: bytes | None, value: bytes) -> bytes:
        address = int(digits)
        if address not in (self._address, ANY, BROADCAST):
            return b""
        answering = self._address  # what sets a new address is answered from the old one
        try:
            answer = f"ACK{self._answer(name.decode('ascii').upper(), mark, value.decode('latin-1').strip())}"
        except _Nak as refusal:
            answer = f"NAK{self._reason(refusal.code)}"
        return b"" if address == BROADCAST else f"@{answering:03d}{answer};FF".encode("latin-1")

    def _answer(self, name: str, mark: bytes | None, value: str) -> str:
        raise _Nak(UNKNOWN)

    def _reason(self, code: int) -> str:
        return str(code)

    @staticmethod
    def _one_of(text: str, known: tuple[str, ...]) -> str:
        if text not in known:
            raise _Nak(BAD_ARGUMENT)
        return text


class MksFace(_Frames):
    """One transducer. `word` is said instead of a pressure; `locked`: the set-up is, until `FD!UNLOCK`."""

    def __init__(self, plant: PressurePlant, *, unit: int, gas: str = "ARGON", model: str = "925") -> None:
        super().__init__(unit)
        self._plant = plant
        self.facts = FACTS | {"MD": model, "DT": MODELS[model]}
        self.word, self.locked = "", False
        self.settings = {name: choices[0] for name, choices in CHOICES.items()} | {"GT": gas}
        self.relay_pa = {"SP1": 2.0e-2 * TORR_PA, "SH1": 2.2e-2 * TORR_PA}
        self._energised = False
        self._queries: dict[str, Callable[[], str]] = {
            **dict.fromkeys(("PR1", "PR2", "PR3"), lambda: self.word or _science(self._units(self._pa()), 3)),
            "PR4": lambda: self.word or _science(self._units(self._pa()), 4),
            "PR5": lambda: _science(self._units(self._pa() - ROOM_PA), 3),
            "SN": lambda: f"25{self._address:08d}",
            "AD": lambda: f"{self._address:03d}",
            "TIM": lambda: str(1200 + int(self._now // 3600)),
            "SS1": self._relay_state,
        }

    def _answer(self, name: str, mark: bytes | None, value: str) -> str:
        if mark == b"!":
            return self._set(name, value)
        if mark is None or value:
            raise self._no_such(name)
        return self._show(name)

    def _set(self, name: str, value: str) -> str:
        if name == "FD":
            return self._unlock(value.upper())
        if self.locked:
            raise _Nak(SET_UP_LOCKED)
        if name in CHOICES:
            self.settings[name] = self._one_of(value.upper(), CHOICES[name])
        elif name in self.relay_pa:
            self.relay_pa[name] = self._given_pa(value)
        else:
            raise self._no_such(name)
        return self._show(name)

    def _no_such(self, name: str) -> _Nak:
        """What is wrong with a frame that neither asks nor sets what can be set."""
        known = name in self._queries or name in self.facts | self.settings | self.relay_pa
        return _Nak(WRONG_BYTE if known else UNKNOWN)

    def _show(self, name: str) -> str:
        if (query := self._queries.get(name)) is not None:
            return query()
        if name in self.relay_pa:
            return _science(self._units(self.relay_pa[name]), 3)
        if (said := self.facts.get(name, self.settings.get(name))) is None:
            raise _Nak(UNKNOWN)
        return said

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

    def _unlock(self, value: str) -> str:
        self._one_of(value, ("UNLOCK",))
        self.locked = False
        return value

    def _given_pa(self, text: str) -> float:
        try:
            value = float(text) * UNITS[self.settings["U"]]
        except ValueError:
            raise _Nak(BAD_ARGUMENT) from None
        if not 1e-5 * TORR_PA <= value <= 1000 * TORR_PA:
            raise _Nak(OUT_OF_RANGE)
        return value


CHANNELS = 6
ION_GAUGES = ("CC", "HC")
CONTROLLER_UNITS = UNITS | {"MICRON": TORR_PA / 1000.0}
CONTROLLER_CHOICES = {
    "U": tuple(CONTROLLER_UNITS),
    "BR": ("9600", "19200", "38400", "57600", "115200"),
    "PAR": ("NONE", "EVEN", "ODD"),
    "LOCK": ("OFF", "ON"),
    "CAL": ("ENABLE", "DISABLE"),
    "SPM": ("ENABLE", "DISABLE"),
    "DM": ("STD", "LRG"),
    "DF": ("DEFAULT", "PATCHZ", "HIGHR"),
    "SEM": ("CODE", "TXT"),
}
RANGES_PA = {
    "PR": (5e-4 * TORR_PA, 100.0 * TORR_PA), "CP": (1e-3 * TORR_PA, 1000.0 * TORR_PA), "CM": (-1e9, 1000.0 * TORR_PA),
    "CC": (1e-11 * TORR_PA, 1e-2 * TORR_PA), "HC": (1e-10 * TORR_PA, 1e-2 * TORR_PA),
}  # fmt: skip
TEXTS = {
    NO_GAUGE: "NO_GAUGE", NO_ION_GAUGE: "NOT_IONGAUGE", UNKNOWN: "UNRECOGNIZED_MESSAGE", LOCKED: "SET_COMMAND_LOCK",
    NO_CHANNEL: "INVALID_CHANNEL", BAD_ARGUMENT: "INVALID_ARGUMENT", OUT_OF_RANGE: "VALUE_OUT_OF_RANGE",
    WRONG_BYTE: "QUERY_BYTE_INVALID", NO_COMBINATION: "COMBINATION_DISABLED",
}  # fmt: skip
_NUMBERED = re.compile(r"(PR|PC|CP|T|SP|SH|SD|EN|SS|FV|SN)(\d{1,2})")


class ChannelsPlant(Protocol):
    """What the gauges of a controller measure, by channel from 1."""

    def gauge_pa(self, channel: int, at_s: float) -> float: ...


class Mks937Face(_Frames):
    """A 937B or 946. `gauges` are types by channel (PR CP CM CC HC, NG: none).

    `words` are said instead of a channel's pressure; `ion` is the state of an ion gauge by channel, G when it is well.
    """

    def __init__(self, plant: ChannelsPlant, *, unit: int, gauges: tuple[str, ...], model: str = "937B") -> None:
        super().__init__(unit)
        self._plant, self.model = plant, model
        self.gauges = (*gauges, *("NG" for _ in range(CHANNELS - len(gauges))))
        self.settings = {name: choices[0] for name, choices in CONTROLLER_CHOICES.items()} | {"DLY": "8"}
        self.words: dict[int, str] = {}
        self.ion = {n: "G" for n, one in enumerate(self.gauges, 1) if one in ION_GAUGES}
        self.off: set[int] = set()
        self.relays: dict[int, dict[str, str | float]] = {
            n: {"SP": 1.0, "SH": 1.1, "SD": "BELOW", "EN": "CLEAR"} for n in range(1, 2 * CHANNELS + 1)
        }

    def _reason(self, code: int) -> str:
        return TEXTS.get(code, str(code)) if self.settings["SEM"] == "TXT" else str(code)

    def _answer(self, name: str, mark: bytes | None, value: str) -> str:
        if mark is None or (mark == b"?" and value):
            raise _Nak(WRONG_BYTE)
        if mark == b"!" and (self.settings["SPM"] == "DISABLE" and name != "SPM"):
            raise _Nak(LOCKED)
        given = value.upper() if mark == b"!" else None
        if name == "AD":
            return self._set_address(given)
        if name in self.settings:
            return self._set(name, given)
        numbered = _NUMBERED.fullmatch(name)
        if numbered and name not in self._facts():
            return self._numbered(numbered[1], int(numbered[2]), given)
        if name not in self._facts():
            raise _Nak(UNKNOWN)
        if given is not None:
            raise _Nak(WRONG_BYTE)
        return self._facts()[name]

    def _facts(self) -> dict[str, str]:
        pairs = {f"ST{module}": "".join(self.gauges[2 * i : 2 * i + 2]) for i, module in enumerate("ABC")}
        serial = f"25{self._address:08d}"
        return {
            **pairs,
            **{f"FV{n}": "1.04" for n in range(1, 7)},
            **{f"SN{n}": serial for n in range(1, 7)},
            "MD": self.model,
            "SN": serial,
            "MT": ",".join((*(self.gauges[2 * i] for i in range(3)), "NA")).replace("NG", "NC"),
            "PRZ": " ".join(self._pressure(n) for n in range(1, CHANNELS + 1)),
        }

    def _set_address(self, given: str | None) -> str:
        if given is not None:
            if not given.isdigit() or not 1 <= int(given) <= 253:
                raise _Nak(BAD_ARGUMENT)
            self._address = int(given)
        return f"{self._address:03d}"

    def _set(self, name: str, given: str | None) -> str:
        if given is not None:
            known = CONTROLLER_CHOICES.get(name)
            if known is None and not given.isdigit():
                raise _Nak(BAD_ARGUMENT)
            self.settings[name] = self._one_of(given, known) if known else given
        return self.settings[name]

    def _numbered(self, what: str, number: int, given: str | None) -> str:
        if what in ("SP", "SH", "SD", "EN", "SS"):
            return self._relay(what, number, given)
        if not 1 <= number <= CHANNELS:
            raise _Nak(NO_CHANNEL)
        if what == "PC":  # no pair of gauges has been combined
            raise _Nak(NO_COMBINATION)
        if what == "CP":
            return self._power(number, given)
        if given is not None:
            raise _Nak(WRONG_BYTE)
        return self._pressure(number) if what == "PR" else self._ion_state(number)

    # --- gauges ---

    def _pressure(self, channel: int) -> str:
        kind = self.gauges[channel - 1]
        if channel in self.words or kind == "NG":
            return self.words.get(channel, "NOGAUGE")
        if channel in self.off:
            return "OFF"
        low, high = RANGES_PA[kind]
        pa = self._plant.gauge_pa(channel, self._now)
        if pa < low:
            return f"LO<{_science(low / self._pa_per_unit, 2)}"
        if pa > high:
            return "ATM" if kind == "PR" else f">{_science(high / self._pa_per_unit, 2)}"
        return _science(pa / self._pa_per_unit, 4 if kind == "CM" else 3)

    @property
    def _pa_per_unit(self) -> float:
        return CONTROLLER_UNITS[self.settings["U"]]

    def _ion_state(self, channel: int) -> str:
        if self.gauges[channel - 1] == "NG":
            return "N"
        if channel not in self.ion:
            raise _Nak(NO_ION_GAUGE)
        return "O" if channel in self.off else self.ion[channel]

    def _power(self, channel: int, given: str | None) -> str:
        if self.gauges[channel - 1] == "NG":
            raise _Nak(NO_GAUGE)
        if given is not None:
            (self.off.discard if self._one_of(given, ("ON", "OFF")) == "ON" else self.off.add)(channel)
        return "OFF" if channel in self.off else "ON"

    # --- relays ---

    def _relay(self, what: str, number: int, given: str | None) -> str:
        """Two per channel: 1 and 2 belong to channel 1. SP and SH are in Pa inside."""
        relay = self.relays.get(number)
        if relay is None:
            raise _Nak(NO_CHANNEL)
        if what == "SS":
            return "SET" if self._energised(relay, (number + 1) // 2) else "CLEAR"
        if given is not None:
            relay[what] = self._relay_value(what, given)
        value = relay[what]
        return value if isinstance(value, str) else _science(value / self._pa_per_unit, 3)

    def _relay_value(self, what: str, given: str) -> str | float:
        if what == "SD":
            return self._one_of(given, ("BELOW", "ABOVE"))
        if what == "EN":
            return self._one_of(given, ("CLEAR", "ENABLE", "SET"))
        try:
            return float(given) * self._pa_per_unit
        except ValueError:
            raise _Nak(BAD_ARGUMENT) from None

    def _energised(self, relay: dict[str, str | float], channel: int) -> bool:
        if relay["EN"] != "ENABLE" or self.gauges[channel - 1] == "NG":
            return relay["EN"] == "SET"
        pa = self._plant.gauge_pa(channel, self._now)
        return pa < float(relay["SP"]) if relay["SD"] == "BELOW" else pa > float(relay["SP"])
