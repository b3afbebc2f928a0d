"""An Alicat MC mass-flow controller, ASCII, firmware 10v20, as bytes.

Sources: Alicat Serial Primer and MC manuals (commands, `?` for what is not understood, status words), captures of real
10v20 units (frame, `??D*`, `??M*`, `ALS`, `AFPF`). One line per command, CR ends it in both directions. Units other
than the addressed one stay silent; `*` addresses all.
"""

from __future__ import annotations

import re
from functools import cache
from typing import Protocol

PSI_PA = 6894.757293168
FIRMWARE = "10v20.0-R24"
LONGEST = 200  # characters without a CR: noise, forgotten

GASES = (
    ("Air", "Air"), ("Ar", "Argon"), ("CH4", "Methane"), ("CO", "Carbon Monoxide"), ("CO2", "Carbon Dioxide"),
    ("C2H6", "Ethane"), ("H2", "Hydrogen"), ("He", "Helium"), ("N2", "Nitrogen"), ("N2O", "Nitrous Oxide"),
    ("Ne", "Neon"), ("O2", "Oxygen"), ("C3H8", "Propane"), ("nC4H10", "Normal Butane"), ("C2H2", "Acetylene"),
    ("C2H4", "Ethylene"), ("iC4H10", "Isobutane"), ("Kr", "Krypton"), ("Xe", "Xenon"),
)  # fmt: skip
LOOPS = (34, 36, 37, 38, 39)  # absolute, volume flow, mass flow, gauge, differential
ABSOLUTE, TEMPERATURE, VOLUME, MASS, MASS_SET = 2, 3, 4, 5, 37
STATUS_WORDS = (
    "ADC", "COM", "EXH", "GTA", "HLD", "LCK", "MOV", "OPL", "OVR", "P2O", "POV", "TMF", "TOV", "VOV",
)  # fmt: skip


class FlowPlant(Protocol):
    """What a flow controller moves and measures."""

    def set_flow(self, name: str, sccm: float, at_s: float) -> None: ...
    def flow_sccm(self, name: str, at_s: float) -> float: ...
    def supply_pa(self, at_s: float) -> float: ...


def _number(value: float, decimals: int) -> str:
    return f"{value:+07.{decimals}f}"


@cache
def _columns(decimals: int) -> str:
    """The format of a data frame: unit, pressure and temperature, three flows with so many decimals, gas."""
    return " ".join(["%s"] + ["%+07.2f"] * 2 + [f"%+07.{decimals}f"] * 3 + ["%6s"])


class AlicatFace:
    """One controller on the plant's flow `name`.

    `source` is where the set-point comes from (S serial, U panel, A analogue); `hold` None, "position" or "closed".
    """

    mute = True

    def __init__(self, plant: FlowPlant, name: str, *, unit: str, full_scale_sccm: float, gas: str = "Ar") -> None:
        self._plant, self._name, self._unit = plant, name, unit.upper()
        self.full_scale, self.decimals = full_scale_sccm, 2 if full_scale_sccm >= 100 else 3
        self.gas = next(i for i, (short, _) in enumerate(GASES) if short == gas)
        self.setpoint, self.source, self.loop = 0.0, "S", MASS_SET
        self.hold: str | None = None
        self.locked = False
        self.zero = 0.0
        self.serial = f"{521640 + ord(self._unit) - ord('A') + 1}"
        self.flow_unit = "SCCM"  # or SLPM: what its flows are shown, and set-points taken, in
        self._unit_code = {ABSOLUTE: (10, "PSIA"), TEMPERATURE: (2, "`C"), VOLUME: (12, "CCM"), MASS: (12, "SCCM")}
        self.address = self._unit.encode("ascii")
        self._now = 0.0
        self._buffer = b""

    # --- the line ---

    @property
    def half_heard(self) -> bool:
        return bool(self._buffer)

    @staticmethod
    def addressee(data: bytes) -> bytes | None:
        """The unit that one whole command begins with."""
        return data[:1] if data.endswith(b"\r") and data.count(b"\r") == 1 else None

    def hear(self, now_s: float, data: bytes) -> bytes:
        """Answer every command that `data` completes."""
        self._now = now_s
        rest, replies = self._buffer + data, b""
        while b"\r" in rest:
            line, _, rest = rest.partition(b"\r")
            replies += self._line(line.decode("latin-1").strip())
        self._buffer = rest[-LONGEST:]
        return replies

    def next_at(self) -> float | None:
        return None

    def speak(self, now_s: float) -> bytes:
        return b""

    def power_cycle(self, now_s: float) -> None:
        """Its power went off and on: the set-point is 0 and nothing is held; gas, source and zero are kept."""
        self._now, self._buffer = now_s, b""
        self.setpoint, self.hold = 0.0, None
        self._move()

    def _line(self, line: str) -> bytes:
        if not line or line[0].upper() not in (self._unit, "*"):
            return b""
        return "\r".join([*self._answer(line[1:].strip()), ""]).encode("ascii")

    def _answer(self, command: str) -> list[str]:
        if not command:
            return [self.frame()]
        if command.isascii() and command.isdigit():  # the old integer form: 64000 is full scale
            return [self.frame()] if self._accepts(int(command) / 64000.0 * self.full_scale) else ["?"]
        for pattern, act in _COMMANDS:
            if match := pattern.fullmatch(command):
                return act(self, *(part or "" for part in match.groups()))
        return ["?"]

    # --- what it measures ---

    def mass_sccm(self) -> float:
        """The indicated mass flow."""
        return self._plant.flow_sccm(self._name, self._now) - self.zero

    def frame(self) -> str:
        """The data frame, with status words."""
        flow, psia = self.mass_sccm(), self._plant.supply_pa(self._now) / PSI_PA
        volume = flow * 14.696 / psia * (273.15 + 21.89) / 298.15
        per, decimals = (1000.0, self.decimals + 3) if self.flow_unit == "SLPM" else (1.0, self.decimals)
        frame = _columns(decimals) % (
            self._unit, psia, 21.89, volume / per, flow / per, self.setpoint / per, GASES[self.gas][0]
        )  # fmt: skip
        if self.hold:
            frame += " HLD"
        if self.locked:
            frame += " LCK"
        return frame + " MOV" if flow > 1.28 * self.full_scale else frame

    def _statistic(self, which: int) -> float | None:
        return {
            ABSOLUTE: self._plant.supply_pa(self._now) / PSI_PA,
            TEMPERATURE: 21.89,
            VOLUME: self.mass_sccm() * 14.696 * PSI_PA / self._plant.supply_pa(self._now),
            MASS: self.mass_sccm(),
            MASS_SET: self.setpoint,
        }.get(which)

    # --- what it does ---

    def _move(self) -> None:
        """Give the valve its target: the set-point, unless it is held; only the mass-flow loop is modelled."""
        if self.hold is None:
            self._plant.set_flow(self._name, max(self.setpoint + self.zero, 0.0), self._now)

    def _accepts(self, value: float) -> bool:
        """Take a set-point from the serial line; with the analogue input as source it is accepted and ignored."""
        if not 0.0 <= value <= self.full_scale * 1.0001:
            return False
        if self.source != "A":
            self.setpoint = min(value, self.full_scale)
            self._move()
        return True

    def do_set(self, text: str) -> list[str]:
        sccm = float(text) * (1000.0 if self.flow_unit == "SLPM" else 1.0)
        return [self.frame()] if self._accepts(sccm) else ["?"]

    def do_poll(self) -> list[str]:
        return [self.frame()]

    def do_als(self, text: str) -> list[str]:
        if text and not self._accepts(float(text)):
            return ["?"]
        requested = _number(self.setpoint, self.decimals)
        return [f"{self._unit} {requested} {requested} 12 SCCM"]

    def do_source(self, text: str) -> list[str]:
        self.source = text.upper() or self.source
        return [f"{self._unit} {self.source}"]

    def do_version(self) -> list[str]:
        return [f"{self._unit}   {FIRMWARE} Jan  9 2025,15:04:07"]

    def do_maker(self) -> list[str]:
        facts = (
            "ALICAT SCIENTIFIC", "www.AlicatScientific.com", "Ph   520-290-6060", "Fax  520-290-0109",
            f"Model Number MC-{self.full_scale:g}SCCM-D", f"Serial Number {self.serial}",
            "Date Manufactured 01/09/2025", "Date Calibrated   01/09/2025", "Calibrated By     SIM",
            f"Software Revision {FIRMWARE}",
        )  # fmt: skip
        return [f"{self._unit}  M{i:02d} {fact}" for i, fact in enumerate(facts)]

    def do_columns(self) -> list[str]:
        width = f"7/{self.decimals}"
        rows = [
            "ID_ NAME______________________ TYPE_______ WIDTH NOTES___________________",
            "700 Unit ID                    string          1",
            "002 Abs Press                  s decimal     7/2 010 02 PSIA",
            "003 Flow Temp                  s decimal     7/2 002 02 `C",
            f"004 Volu Flow                  s decimal     {width} 012 02 CCM",
            f"005 Mass Flow                  s decimal     {width} 012 02 {self.flow_unit}",
            f"037 Mass Flow Setpt            s decimal     {width} 012 02 {self.flow_unit}",
            "703 Gas                        string          6",
            "701 *Error                     string          3 ADC",
            *(f"702 *Status                    string          3 {word}" for word in STATUS_WORDS[1:]),
        ]
        return [f"{self._unit} D{i:02d} {row}" for i, row in enumerate(rows)] + [""]

    def do_gases(self) -> list[str]:
        return [f"{self._unit} G{i:02d} {short:>8}" for i, (short, _) in enumerate(GASES)]

    def do_full_scale(self, text: str) -> list[str]:
        scale = {ABSOLUTE: (160.0, 2), VOLUME: (self.full_scale, self.decimals), MASS: (self.full_scale, self.decimals)}
        scale[MASS_SET] = scale[MASS]
        which = int(text)
        if which not in scale:
            return [f"{self._unit} {_number(0.0, 2)} 0 ---"]
        code, label = self._unit_code[MASS if which == MASS_SET else which]
        return [f"{self._unit} {_number(*scale[which])} {code} {label}"]

    def do_units(self, which: str, unit: str) -> list[str]:
        known = self._unit_code.get(int(which))
        if known is None or (unit and int(unit) != known[0]):
            return ["?"]
        return [f"{self._unit} {known[0]} {known[1]}"]

    def do_gas(self, text: str) -> list[str]:
        if text and int(text) >= len(GASES):
            return ["?"]
        self.gas = int(text) if text else self.gas
        short, long = GASES[self.gas]
        return [f"{self._unit} {self.gas} {short} {long}"]

    def do_gas_legacy(self, text: str) -> list[str]:
        return [self.frame()] if self.do_gas(text) != ["?"] else ["?"]

    def do_loop(self, text: str) -> list[str]:
        if text and int(text) not in LOOPS:
            return ["?"]
        self.loop = int(text) if text else self.loop
        return [f"{self._unit} {self.loop}"]

    def do_average(self, milliseconds: str, text: str) -> list[str]:
        if int(milliseconds) == 0:
            return ["?"]
        values = [(which, self._statistic(int(which))) for which in text.split()]
        digits = {str(ABSOLUTE): 2, str(TEMPERATURE): 2}
        shown = ["--" if v is None else _number(v, digits.get(which, self.decimals)) for which, v in values]
        return [" ".join(shown)]

    def do_tare_flow(self) -> list[str]:
        self.zero += self.mass_sccm()  # a tare with gas flowing makes a wrong zero, as on the instrument
        frame = self.frame()
        self._move()
        return [frame]

    def do_hold_position(self) -> list[str]:
        self.hold = "position"
        self._plant.set_flow(self._name, self._plant.flow_sccm(self._name, self._now), self._now)
        return [self.frame()]

    def do_hold_closed(self) -> list[str]:
        self.hold = "closed"
        self._plant.set_flow(self._name, 0.0, self._now)
        return [self.frame()]

    def do_release(self) -> list[str]:
        self.hold = None
        self._move()
        return [self.frame()]

    def do_lock(self) -> list[str]:
        self.locked = True
        return [self.frame()]

    def do_unlock(self) -> list[str]:
        self.locked = False
        return [self.frame()]

    def do_read_register(self, number: str) -> list[str]:
        values = {46: self.gas, 122: self.loop}
        return [f"{self._unit} {int(number):03d} = {values[int(number)]}"] if int(number) in values else ["?"]

    def do_write_register(self, number: str, value: str) -> list[str]:
        act = {46: self.do_gas, 122: self.do_loop}.get(int(number))
        if act is None or act(value) == ["?"]:
            return ["?"]
        return self.do_read_register(number)


_DECIMAL = r"([+-]?\d{1,9}(?:\.\d{0,9})?)"
_COMMANDS = [  # without the unit id; the whole command must match
    (re.compile(pattern, re.IGNORECASE), act)
    for pattern, act in (
        (r"LSS\s*([SUA]?)", AlicatFace.do_source),
        (rf"LS\s*{_DECIMAL}?", AlicatFace.do_als),
        (rf"S\s*{_DECIMAL}", AlicatFace.do_set),
        (r"VE", AlicatFace.do_version),
        (r"\?\?M\*", AlicatFace.do_maker),
        (r"\?\?D\*", AlicatFace.do_columns),
        (r"\?\?G\*", AlicatFace.do_gases),
        (r"FPF\s*(\d{1,3})", AlicatFace.do_full_scale),
        (r"DCU\s*(\d{1,3})(?:\s+(\d{1,3}))?", AlicatFace.do_units),
        (r"GS\s*(\d{1,3})?", AlicatFace.do_gas),
        (r"(?:\$\$)?G\s*(\d{1,3})", AlicatFace.do_gas_legacy),
        (r"LV\s*(\d{1,3})?", AlicatFace.do_loop),
        (r"DV\s*(\d{1,5})((?:\s+\d{1,3})+)", AlicatFace.do_average),
        (r"(?:\$\$)?[VT]", AlicatFace.do_tare_flow),
        (r"(?:\$\$)?(?:PC|TP|P)", AlicatFace.do_poll),  # pressure tares: the simulated pressure needs no zero
        (r"HP|\$\$H", AlicatFace.do_hold_position),
        (r"HC|\$\$HC", AlicatFace.do_hold_closed),
        (r"(?:\$\$)?C", AlicatFace.do_release),
        (r"(?:\$\$)?L", AlicatFace.do_lock),
        (r"(?:\$\$)?U", AlicatFace.do_unlock),
        (r"(?:\$\$)?R\s*(\d{1,3})", AlicatFace.do_read_register),
        (r"(?:\$\$)?W\s*(\d{1,3})\s*=\s*(\d{1,5})", AlicatFace.do_write_register),
    )
]
