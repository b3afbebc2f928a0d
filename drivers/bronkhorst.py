"""Bronkhorst mass-flow controller (EL-FLOW and its relatives), propar protocol.

Parameters: 9.17.023 "Operational instructions for digital multibus instruments", 9.17.027 "RS232 interface". Not yet
run against hardware. The protocol has no checksum: a bit that noise turns over in a value is not noticed here.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from drivers.base import DeviceFault, Identity, Reading, Refused
from drivers.line import Line
from drivers.propar import LOCAL, SERIAL, Parameter, Propar, Value

MEASURE, SETPOINT, MODE = Parameter(1, 0, "int16"), Parameter(1, 1, "int16"), Parameter(1, 4, "int8")
CAPACITY, FLUID_SET = Parameter(1, 13, "float"), Parameter(1, 16, "int8")
FLUID, ALARM, UNIT = Parameter(1, 17, "string", 10), Parameter(1, 20, "int8"), Parameter(1, 31, "string", 7)
TEMPERATURE, PRESSURE = Parameter(33, 7, "float"), Parameter(33, 8, "float")
TYPE, MODEL, FIRMWARE = (Parameter(113, number, "string") for number in (1, 2, 5))

FULL = 32000  # digits of measure and set-point at 100 %
HIGHEST = 41942  # 131 %; what is above is below zero
ZERO_K = 273.15
NORMAL_C, STANDARD_C = 0.0, 20.0  # what the letters n and s in a unit stand for, at 1013.25 mbar
_UNITS: dict[str, tuple[float, float]] = {  # capacity unit -> cm³/min, at °C; units without n or s have no reference
    "mln/min": (1.0, NORMAL_C), "mln/h": (1 / 60, NORMAL_C), "ln/min": (1e3, NORMAL_C), "ln/h": (1e3 / 60, NORMAL_C),
    "m3n/h": (1e6 / 60, NORMAL_C), "sccm": (1.0, NORMAL_C), "slm": (1e3, NORMAL_C),
    "mls/min": (1.0, STANDARD_C), "mls/h": (1 / 60, STANDARD_C), "ls/min": (1e3, STANDARD_C),
    "ls/h": (1e3 / 60, STANDARD_C), "m3s/h": (1e6 / 60, STANDARD_C),
}  # fmt: skip
BUS_MODES = {0: "bus", 18: "RS232"}
OTHER_MODES = {
    1: "analogue input", 2: "slave of another controller", 3: "valve closed", 4: "controller idle", 5: "testing",
    6: "tuning", 7: "set-point 100 %", 8: "valve fully open (purge)", 9: "calibration", 10: "slave, analogue",
    11: "keyboard", 12: "set-point 0 %", 13: "slave, analogue", 20: "valve follows the set-point",
    21: "valve follows the analogue input", 22: "valve in its safe state",
}  # fmt: skip
METERS = frozenset({"DMFM", "DLFM", "CORIFM", "DEPM", "DTM", "DM"})
HARDWARE, ERROR = 7, 0  # bits of the alarm info that say that the instrument is broken
ALARMS = {1: "warning", 2: "minimum alarm", 3: "maximum alarm", 5: "response alarm", 6: "no master"}
MOVED = "set-point changed elsewhere"


@dataclass(frozen=True, slots=True)
class BronkhorstConfig:
    """Full scale in sccm, gas as the instrument calls its fluid, node on the bus (128: whatever is at this cable).

    `reference_c`: the temperature in °C at which a standard cubic centimetre of this tool is one; at 0 °C an sccm is
    the instrument's mln/min. `pressure`: whether the instrument has a pressure sensor.
    """

    full_scale_sccm: float
    gas: str
    node: int = LOCAL
    reference_c: float = NORMAL_C
    pressure: bool = False

    def __post_init__(self) -> None:
        if not 1 <= self.node <= LOCAL:
            raise ValueError(f"the node of a Bronkhorst is 1…127, or 128 for the one at this cable, not {self.node}")
        if not (math.isfinite(self.full_scale_sccm) and self.full_scale_sccm > 0):
            raise ValueError(f"the full scale of a Bronkhorst is above 0 sccm, not {self.full_scale_sccm:g}")
        if not -20 <= self.reference_c <= 40:
            raise ValueError(f"a standard cubic centimetre is one at about 0…25 °C, not at {self.reference_c:g} °C")
        if not 1 <= len(self.gas) <= FLUID.length:
            raise ValueError(f"the gas is the instrument's fluid name, 1…{FLUID.length} characters, not '{self.gas}'")

    @property
    def alone(self) -> bool:
        """Whether nothing else may hang on its line."""
        return self.node == LOCAL


class Bronkhorst:
    """Channels flow_sccm, setpoint_sccm, temperature_c, and pressure_pa (absolute) where the settings say so."""

    def __init__(self, name: str, line: Line, settings: BronkhorstConfig) -> None:
        self.name = name
        self._line, self._settings = line, settings
        self._propar = Propar(line, settings.node, name)
        self._full_sccm = 0.0  # the capacity as the instrument last said it; 0: not asked yet
        self._set: int | None = None  # the set-point last written and read back, else found first; in digits
        self._sensors = (TEMPERATURE, PRESSURE) if settings.pressure else (TEMPERATURE,)

    @staticmethod
    def channels(settings: BronkhorstConfig) -> frozenset[str]:
        """What a poll reads."""
        always = {"flow_sccm", "setpoint_sccm", "temperature_c"}
        return frozenset(always | {"pressure_pa"} if settings.pressure else always)

    async def identify(self) -> Identity:
        """Raises Refused when it is no controller, or its gas, full scale, unit or set-point source is another."""
        made = await self._propar.read(TYPE, MODEL, SERIAL, FIRMWARE)
        if made[TYPE] in METERS:
            raise Refused(self.name, f"it is a {made[TYPE]}: a meter controls no flow")
        found = await self._propar.read(MODE, CAPACITY, FLUID_SET, FLUID, UNIT)
        if why := self._differs(found):
            raise Refused(self.name, why)
        facts = {
            "gas": str(found[FLUID]),
            "fluid set": str(found[FLUID_SET]),
            "full scale": f"{found[CAPACITY]:g} {found[UNIT]}, {self._full_sccm:g} sccm at {self._reference}",
            "set-point source": BUS_MODES[int(found[MODE])],
        }
        return Identity(str(made[MODEL]), str(made[SERIAL]), str(made[FIRMWARE]), facts)

    async def poll(self) -> dict[str, Reading]:
        """One message. Raises DeviceFault when it reports itself broken, or another gas, scale or set-point source."""
        got = await self._propar.read(MEASURE, SETPOINT, MODE, CAPACITY, FLUID, ALARM, UNIT, *self._sensors)
        now_s = self._line.clock()
        alarm = int(got[ALARM])
        if alarm >> HARDWARE & 1 or alarm >> ERROR & 1:
            what = "its hardware has failed" if alarm >> HARDWARE & 1 else "it reports an error"
            raise DeviceFault(self.name, f"alarm info {alarm:#04x}: {what}")
        if why := self._differs(got):
            raise DeviceFault(self.name, why)
        self._set = int(got[SETPOINT]) if self._set is None else self._set
        moved = (MOVED,) if self._set != got[SETPOINT] else ()
        return {
            "flow_sccm": Reading(self._sccm(int(got[MEASURE])), now_s, _flow_flags(alarm, int(got[MEASURE]))),
            "setpoint_sccm": Reading(self._sccm(int(got[SETPOINT])), now_s, moved),
            "temperature_c": Reading(float(got[TEMPERATURE]), now_s),
            **({"pressure_pa": Reading(float(got[PRESSURE]) * 100.0, now_s)} if PRESSURE in got else {}),
        }

    async def set_flow(self, sccm: float) -> None:
        """To the nearest 32000th of full scale."""
        if not (math.isfinite(sccm) and 0 <= sccm <= self._settings.full_scale_sccm):
            raise Refused(self.name, f"{sccm:g} sccm is outside 0…{self._settings.full_scale_sccm:g} sccm")
        if not self._full_sccm and (why := self._differs(await self._propar.read(MODE, CAPACITY, FLUID, UNIT))):
            raise Refused(self.name, why)
        await self._put(min(round(sccm / self._full_sccm * FULL), FULL))

    async def safe(self) -> None:
        """No flow, whatever the instrument may still owe. Purging is the tool's decision, through `set_flow`."""
        await self._put(0)

    async def _put(self, digits: int) -> None:
        """Written once and read back, with the source of set-points: from another one it is taken and not followed."""
        self._set = None
        await self._propar.write(SETPOINT, digits)
        got = await self._propar.read(SETPOINT, MODE)
        if got[SETPOINT] != digits:
            what = f"the set-point reads back {got[SETPOINT]} instead of {digits} of {FULL}"
            raise Refused(self.name, f"{what}: look at its source and at who else writes to it")
        if why := _source(int(got[MODE])):
            raise Refused(self.name, why)
        self._set = digits

    def _differs(self, found: dict[Parameter, Value]) -> str:
        """What is not as the settings say and what to do; empty: nothing. Notes the full scale."""
        gas, unit = str(found[FLUID]), str(found[UNIT])
        if gas.casefold() != self._settings.gas.casefold():
            return f"the fluid selected is {gas}, the settings say {self._settings.gas}"
        if unit not in _UNITS:
            return f"the capacity is in '{unit}', which is no flow at a stated reference: set it to mln/min or ln/min"
        cm3_min, at_c = _UNITS[unit]
        here = (ZERO_K + self._settings.reference_c) / (ZERO_K + at_c)
        full_sccm = float(found[CAPACITY]) * cm3_min * here
        if not math.isclose(full_sccm, self._settings.full_scale_sccm, rel_tol=1e-3):
            said = f"{found[CAPACITY]:g} {unit}, which is {full_sccm:g} sccm at {self._reference}"
            return f"the full scale is {said}, the settings say {self._settings.full_scale_sccm:g} sccm"
        self._full_sccm = full_sccm
        return _source(int(found[MODE]))

    @property
    def _reference(self) -> str:
        return f"{self._settings.reference_c:g} °C and 1013.25 mbar"

    def _sccm(self, digits: int) -> float:
        return (digits if digits <= HIGHEST else digits - 0x10000) * self._full_sccm / FULL


def _source(mode: int) -> str:
    """Why set-points of this line are not followed; empty: they are."""
    if mode in BUS_MODES:
        return ""
    what = OTHER_MODES.get(mode, "see the manual")
    return f"control mode {mode} ({what}): set-points from the bus are not followed, set it to 0 (bus)"


def _flow_flags(alarm: int, digits: int) -> tuple[str, ...]:
    words = tuple(word for bit, word in ALARMS.items() if alarm >> bit & 1)
    return (*words, "over range") if digits == HIGHEST else words
