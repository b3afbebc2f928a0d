"""A Pfeiffer TPG 36x/26x or INFICON VGC50x gauge controller, mnemonics protocol, as bytes.

Sources: BG 5510, BG 5511 (TPG 36x), BG 805 196 (TPG 262), tina96e1 p. 70–94 (VGC50x): ACK or NAK after CR, data after
ENQ, error word after NAK, ETX clears the input, one line a second of all gauges from power-up to the first character.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

ETX, ENQ, LF, CR = 3, 5, 10, 13
ACKNOWLEDGED, REFUSED = b"\x06\r\n", b"\x15\r\n"
LONGEST = 200
STREAM_S = (0.1, 1.0, 60.0)  # intervals of COM
PER_PA = {"mbar": 0.01, "Torr": 760.0 / 101_325.0, "Pa": 1.0, "micron": 760_000.0 / 101_325.0, "hPa": 0.01}
UNITS_3 = ("mbar", "Torr", "Pa")
UNITS_6 = ("mbar", "Torr", "Pa", "micron", "hPa", "V")
RANGES_PA = {  # what a type of gauge measures; linear gauges have four decimals that mean something
    "PKR": (5e-7, 1e5), "TPR": (5e-2, 1e5), "PCR": (5e-2, 1.5e5), "IKR": (2e-7, 1.0), "PBR": (5e-8, 1e5),
    "IMR": (1e-4, 1e5), "CMR": (0.0, 1.1e5), "APR": (10.0, 5.5e6), "PSG": (5e-2, 1e5), "PCG": (5e-2, 1.5e5),
    "PEG": (1e-7, 1.0), "MPG": (5e-7, 1e5), "CDG": (0.0, 1.1e5), "BPG": (5e-8, 1e5), "BCG": (5e-8, 1.5e5),
    "HPG": (1e-4, 1e5), "BAG": (1e-8, 10.0),
}  # fmt: skip
LINEAR = frozenset({"CMR", "APR", "CDG"})
SWITCHABLE = frozenset({"PKR", "IKR", "PBR", "IMR", "PEG", "MPG"})
SHOWN_36X = {"TPR": "TPR/PCR", "PCR": "TPR/PCR", "CMR": "CMR/APR", "APR": "CMR/APR", "": "noSENSOR"}
SHOWN_26X = {"IKR": "IKR9", "": "noSEn"}


@dataclass(frozen=True, slots=True)
class Kind:
    """What distinguishes the models: channels, the units that UNI knows, gauges' names, answers to AYT and PNR."""

    columns: int
    units: tuple[str, ...]
    shown: dict[str, str]
    part: str
    firmware: str


KINDS = {
    "TPG361": Kind(1, UNITS_6, SHOWN_36X, "PTG28040", "010400"),
    "TPG362": Kind(2, UNITS_6, SHOWN_36X, "PTG28290", "010400"),
    "TPG366": Kind(6, UNITS_6, SHOWN_36X, "PTG28770", "010400"),
    "TPG261": Kind(2, UNITS_3, SHOWN_26X, "", "302-510-D"),
    "TPG262": Kind(2, UNITS_3, SHOWN_26X, "", "302-510-D"),
    "VGC501": Kind(1, UNITS_6, {"": "noSEn"}, "398-481", "1.00"),
    "VGC502": Kind(2, UNITS_6, {"": "noSEn"}, "398-482", "1.00"),
    "VGC503": Kind(3, UNITS_6, {"": "noSEn"}, "398-483", "1.00"),
}


class GaugesPlant(Protocol):
    """What the gauges of a controller measure, by channel from 1."""

    def gauge_pa(self, channel: int, at_s: float) -> float: ...


class TpgFace:
    """One controller. `gauges` are their types by channel, "" for an empty socket.

    `unit` is the word of the selected unit; `forced` a status digit per channel; `error` the four digits of the error
    word; `power_up` begins the stream of measurements anew, as the controller does when it is switched on.
    """

    def __init__(self, plant: GaugesPlant, *, model: str, gauges: tuple[str, ...], serial: str = "44990000") -> None:
        self.model, self.kind, self.serial = model, KINDS[model], serial
        self.gauges = (*gauges, *("" for _ in range(self.kind.columns - len(gauges))))
        self.unit = "hPa" if "hPa" in self.kind.units else "mbar"
        self.off: set[int] = set()
        self.forced: dict[int, int] = {}
        self.error = [0, 0, 0, 0]  # controller, no hardware, parameter, syntax
        self.settings = {"BAU": "0"}
        self.ranges = ["5"] * self.kind.columns  # 1000 mbar; the codes of a TPG 261, those of the others may differ
        self._plant, self._now, self._buffer = plant, 0.0, b""
        self._answer: Callable[[], str] = self._word
        self._every_s: float | None = None
        self._next_s = math.inf

    def power_up(self, at_s: float) -> None:
        """As after switching on: one line a second until somebody speaks."""
        self._buffer, self._answer, self._every_s, self._next_s = b"", self._word, STREAM_S[1], at_s + STREAM_S[1]

    def power_cycle(self, now_s: float) -> None:
        """Its power went off and on."""
        self.power_up(now_s)

    def hear(self, now_s: float, data: bytes) -> bytes:
        """Every character counts: the first one ends a stream."""
        self._now, said = now_s, b""
        for byte in data:
            self._every_s, self._next_s = None, math.inf
            said += self._character(byte)
        return said

    def next_at(self) -> float | None:
        return None if self._every_s is None else self._next_s

    def speak(self, now_s: float) -> bytes:
        if self._every_s is None:
            return b""
        self._now, self._next_s = now_s, now_s + self._every_s
        return f"{self._all()}\r\n".encode("ascii")

    def _character(self, byte: int) -> bytes:
        if byte == ETX:
            self._buffer = b""
        elif byte == ENQ:
            return f"{self._answer()}\r\n".encode("ascii")
        elif byte == CR:
            line, self._buffer = self._buffer, b""
            return self._command(line.decode("latin-1").replace(" ", ""))
        elif byte != LF:
            self._buffer = (self._buffer + bytes((byte,)))[-LONGEST:]
        return b""

    def _command(self, text: str) -> bytes:
        mnemonic, rest = text[:3].upper(), text[3:]
        act = self._known().get(mnemonic)
        if act is None or (rest and not rest.startswith(",")):
            return self._refuse(3)
        parameters = rest[1:].split(",") if rest else []
        return act(parameters)

    def _known(self) -> dict[str, Callable[[list[str]], bytes]]:
        known: dict[str, Callable[[list[str]], bytes]] = {
            **{f"PR{n}": self._reads(lambda n=n: self._one(n)) for n in range(1, self.kind.columns + 1)},  # type: ignore[misc]
            "TID": self._reads(lambda: ",".join(self.kind.shown.get(one, one) for one in self.gauges)),
            "ERR": self._reads(self._word),
            "PNR": self._reads(lambda: self.kind.firmware),
            "UNI": self._set_unit,
            "SEN": self._switch,
            "FSR": self._set_ranges,
            "BAU": self._set_baud,
            "COM": self._stream,
        }
        if self.kind.columns > 1:
            known["PRX"] = self._reads(self._all)
        if self.kind.part:
            facts = self.model, self.kind.part, self.serial, self.kind.firmware, "010100"
            known["AYT"] = self._reads(lambda: ",".join(facts))
        return known

    # --- replies ---

    def _accept(self, answer: Callable[[], str]) -> bytes:
        self._answer = answer
        return ACKNOWLEDGED

    def _refuse(self, digit: int) -> bytes:
        self.error[digit], self._answer = 1, self._word
        return REFUSED

    def _reads(self, answer: Callable[[], str]) -> Callable[[list[str]], bytes]:
        return lambda parameters: self._refuse(3) if parameters else self._accept(answer)

    def _word(self) -> str:
        """The error word; reading clears it, and what persists (the controller's own error) is set again at once."""
        word, persists = "".join(map(str, self.error)), self.error[0]
        self.error = [persists, 0, 0, 0]
        return word

    def _all(self) -> str:
        return ",".join(self._one(n) for n in range(1, self.kind.columns + 1))

    def _one(self, channel: int) -> str:
        kind = self.gauges[channel - 1]
        if channel in self.forced:
            return f"{self.forced[channel]},0.0000E+00"
        if not kind:
            return "5,2.0000E-02"  # the number is documented, and means nothing
        if channel in self.off:
            return "4,0.0000E+00"
        low, high = RANGES_PA[kind]
        true = self._plant.gauge_pa(channel, self._now)
        status = 1 if true < low else 2 if true > high else 0
        return f"{status},{self._number(min(max(true, low), high), kind in LINEAR)}"

    def _number(self, pa: float, linear: bool) -> str:
        """Four decimals; of a logarithmic gauge the last two are always 0."""
        if self.unit == "V":
            return f"{0.6 * math.log10(max(pa, 1e-9) / 100.0) + 6.8:.4E}"
        value = pa * PER_PA[self.unit]
        if linear:
            return f"{value:.4E}"
        mantissa, exponent = f"{value:.2E}".split("E")
        return f"{mantissa}00E{exponent}"

    # --- settings ---

    def _set_unit(self, parameters: list[str]) -> bytes:
        known = {str(code): unit for code, unit in enumerate(self.kind.units)}
        if len(parameters) > 1:
            return self._refuse(3)
        if parameters:
            if parameters[0] not in known:
                return self._refuse(2)
            self.unit = known[parameters[0]]
        return self._accept(lambda: str(self.kind.units.index(self.unit)))

    def _switch(self, parameters: list[str]) -> bytes:
        """One digit per gauge: 0 leaves it, 1 off, 2 on; asked: 0 cannot be switched, 1 off, 2 on."""
        if parameters and len(parameters) != self.kind.columns:
            return self._refuse(3)
        if any(one not in ("0", "1", "2") for one in parameters):
            return self._refuse(2)
        for channel, one in enumerate(parameters, 1):
            if one != "0" and self.gauges[channel - 1] in SWITCHABLE:
                (self.off.add if one == "1" else self.off.discard)(channel)
        return self._accept(self._switches)

    def _switches(self) -> str:
        states = ("1" if channel in self.off else "2" for channel in range(1, self.kind.columns + 1))
        shown = zip(self.gauges, states, strict=True)
        return ",".join(state if gauge in SWITCHABLE else "0" for gauge, state in shown)

    def _set_ranges(self, parameters: list[str]) -> bytes:
        if parameters and len(parameters) != self.kind.columns:
            return self._refuse(3)
        if not all(one.isdecimal() and len(one) == 1 for one in parameters):
            return self._refuse(2)
        self.ranges = parameters or self.ranges
        return self._accept(lambda: ",".join(self.ranges))

    def _set_baud(self, parameters: list[str]) -> bytes:
        if parameters and (len(parameters) > 1 or parameters[0] not in ("0", "1", "2", "3", "4")):
            return self._refuse(2)
        self.settings["BAU"] = parameters[0] if parameters else self.settings["BAU"]
        return self._accept(lambda: self.settings["BAU"])

    def _stream(self, parameters: list[str]) -> bytes:
        """Continuous output right after the acknowledgement, until the next character."""
        if len(parameters) > 1 or (parameters and parameters[0] not in ("0", "1", "2")):
            return self._refuse(2)
        self._every_s = STREAM_S[int(parameters[0]) if parameters else 1]
        self._next_s = self._now + self._every_s
        return self._accept(self._word)
