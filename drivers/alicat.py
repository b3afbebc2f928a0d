"""Alicat mass-flow controller, ASCII protocol.

Commands and frames: Alicat "Serial Primer" and MC manuals; frame layouts as firmware 5v to 10v20 sends them. Not yet
run against hardware. The protocol has no checksum: a digit that noise turns into another digit is not noticed here.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from typing import Literal

from msgspec import structs

from drivers.base import BadReply, DeviceFault, Identity, Reading, Refused
from drivers.debts import Ask
from drivers.line import Line

TIMEOUT_S = 0.25  # a poll takes 28 ms at 19200 baud, a statistics reply up to 40 ms
QUIET_S = 0.1
PSI_PA = 6894.757293168
BEYOND = 1.5  # of full scale: it measures up to 1.28 and says so with MOV
_SENT = bytes([13, *range(32, 127)])  # every byte that an Alicat sends
STATUS_WORDS = frozenset("ADC COM EXH GTA HLD LCK MOV OPL OVR P2O POV TMF TOV VOV".split())
FAULTS = {"ADC": "internal communication failed", "EXH": "the controller is exhausting: flow does not follow"}

Quantity = Literal["pressure", "temperature", "flow", "setpoint", "other"]
_BY_CODE: dict[str, Quantity] = {"002": "pressure", "003": "temperature", "005": "flow", "037": "setpoint"}
_BY_NAME: dict[str, Quantity] = {
    "Pressure": "pressure",
    "Temperature": "temperature",
    "Mass": "flow",
    "SetPoint": "setpoint",
}
_CHANNELS = {
    "flow": "flow_sccm",
    "setpoint": "setpoint_sccm",
    "pressure": "pressure_pa",
    "temperature": "temperature_c",
}
_FLOWS = _CHANNELS["flow"], _CHANNELS["setpoint"]
MOVED = "set-point changed elsewhere"
_FACTORS = {"PSIA": PSI_PA, "`C": 1.0, "C": 1.0, "SCCM": 1.0, "SLPM": 1000.0}
_UNITS_OF = {"flow": {"SCCM", "SLPM"}, "setpoint": {"SCCM", "SLPM"}, "pressure": {"PSIA"}, "temperature": {"`C", "C"}}

_ROW = re.compile(r"\S\s+D(\d\d) (.*)")  # the number of the row and what it says
_CODED = re.compile(r"(\d{3}) \*?(\S.*?)\s{2,}\S.*?(\S+)")  # firmware 6v and later: statistic, name, …, unit
_NAMED = re.compile(r"(.{11}) .*?(\S+)")  # firmware up to 5v: name, …, unit
_NUMBER = re.compile(r"[+-]?\d+(?:\.\d+)?")
_FULL_SCALE = re.compile(r"\S ([+-]?\d+(?:\.\d+)?) \d+ (\S+)")


@dataclass(frozen=True, slots=True)
class AlicatConfig:
    """Unit id A–Z on its line, full scale in sccm and the gas by Alicat's short name."""

    unit: str
    full_scale_sccm: float
    gas: str

    def __post_init__(self) -> None:
        if not re.fullmatch("[A-Z]", self.unit):
            raise ValueError(f"the unit of an Alicat is one letter A–Z, not '{self.unit}'")
        if not (math.isfinite(self.full_scale_sccm) and self.full_scale_sccm > 0):
            raise ValueError(f"the full scale of an Alicat is above 0 sccm, not {self.full_scale_sccm:g}")


@dataclass(frozen=True, slots=True)
class _Column:
    """A numeric column of the data frame: what it is, the factor to the driver's unit, how many decimals it has."""

    quantity: Quantity
    factor: float
    decimals: int = 0


@dataclass(frozen=True, slots=True)
class _Frame:
    """A data frame: the values of its channels, the set-point as it is written, the gas, and what is to be flagged."""

    values: tuple[tuple[str, float], ...]
    setpoint: float
    gas: str
    flags: tuple[str, ...]


class _Layout:
    """The data frame as the device's own table announces it, and what every poll needs of that."""

    def __init__(self, settings: AlicatConfig, columns: tuple[_Column, ...]) -> None:
        self.columns = columns
        self.known = lru_cache(maxsize=1024)(self._known)  # most frames come again and again
        self._most_sccm = BEYOND * settings.full_scale_sccm
        self.setpoint = next(at for at, column in enumerate(columns) if column.quantity == "setpoint")
        column = columns[self.setpoint]
        self.to_sccm, self.decimals = column.factor, column.decimals  # it can resolve and read back no more of them
        self.moves_sccm = 1.01 * 10.0**-column.decimals * column.factor  # less than that is rounded once more
        self._channels = [
            (_CHANNELS[one.quantity], at, one.factor) for at, one in enumerate(columns) if one.quantity != "other"
        ]
        numbers = "".join(f" +{_number_with(one.decimals)}" for one in columns)
        self._form = re.compile(rf"{settings.unit}{numbers} +([!-~]+)((?: +(?:{'|'.join(sorted(STATUS_WORDS))}))*)\r")

    def _known(self, reply: bytes) -> _Frame | None:
        """The frame that is written so, None where anything is other than announced."""
        found = self._form.fullmatch(reply.decode("latin-1"))
        if found is None:
            return None
        *numbers, gas, words = found.groups()
        return self.frame(numbers, gas, words.split())

    def frame(self, numbers: Sequence[str], gas: str, words: Sequence[str]) -> _Frame:
        """By the numbers of all columns; a flow that this device cannot measure makes the whole frame doubtful."""
        values = tuple((channel, float(numbers[at]) * factor) for channel, at, factor in self._channels)
        beyond = any(abs(value) > self._most_sccm for channel, value in values if channel in _FLOWS)
        flags = (*words, "beyond full scale") if beyond else tuple(words)
        return _Frame(values, float(numbers[self.setpoint]), gas, flags)


def _number_with(decimals: int) -> str:
    return rf"([+-]?\d+\.\d{{{decimals}}})" if decimals else r"([+-]?\d+)"


class Alicat:
    """Channels flow_sccm, setpoint_sccm, pressure_pa (absolute), temperature_c; the device's status words are flags."""

    def __init__(self, name: str, line: Line, settings: AlicatConfig) -> None:
        self.name = name
        self._line, self._settings = line, settings
        self._layout: _Layout | None = None
        self._probe = f"{settings.unit}VE\r".encode("ascii")
        self._poll = self._question("")
        self._set: float | None = None  # last written and read back, else found first; in sccm

    @staticmethod
    def channels(settings: AlicatConfig) -> frozenset[str]:
        """What a poll reads."""
        return frozenset(_CHANNELS.values())

    async def identify(self) -> Identity:
        """Raises Refused when gas, full scale, units or set-point source are not what the settings say."""
        firmware = (await self._ask("VE"))[1:].strip()
        made = self._maker_lines(await self._ask_table("??M*"))
        self._layout = None
        gas = self._parse(await self._answer(self._poll), await self._read_layout()).gas
        if gas != self._settings.gas:
            raise Refused(self.name, f"the gas selected is {gas}, the settings say {self._settings.gas}")
        facts = {"gas": gas, "full scale": await self._full_scale(made["model"])}
        facts["set-point source"] = await self._source(firmware)
        return Identity(made["model"], made["serial"], firmware, facts)

    async def poll(self) -> dict[str, Reading]:
        """Raises DeviceFault when the device reports itself broken or another gas than the settings.

        A set-point that somebody changed at the panel is named in its flags.
        """
        layout = self._layout or await self._read_layout()
        expected = self._set
        frame = await self._frame(layout)
        now_s, flags = self._line.clock(), frame.flags
        for word in flags:
            if word in FAULTS:
                raise DeviceFault(self.name, f"{word}: {FAULTS[word]}")
        if frame.gas != self._settings.gas:
            raise DeviceFault(self.name, f"the gas selected is {frame.gas}, the settings say {self._settings.gas}")
        readings = {channel: Reading(value, now_s, flags) for channel, value in frame.values}
        if expected == self._set and self._moved(readings["setpoint_sccm"].value, layout):  # else written meanwhile
            readings["setpoint_sccm"] = structs.replace(readings["setpoint_sccm"], flags=(*flags, MOVED))
        return readings

    async def set_flow(self, sccm: float) -> None:
        """`AS` works on every firmware; id and bare digits would be a set-point in 64000ths of full scale."""
        if not (math.isfinite(sccm) and 0 <= sccm <= self._settings.full_scale_sccm):
            raise Refused(self.name, f"{sccm:g} sccm is outside 0…{self._settings.full_scale_sccm:g} sccm")
        layout = self._layout or await self._read_layout()
        self._set = None
        wanted = f"{sccm / layout.to_sccm:.{layout.decimals}f}"
        self._check_setpoint(self._parse(await self._ask(f"S{wanted}"), layout), layout, float(wanted))
        # what it said at once it need not have kept
        self._check_setpoint(await self._frame(layout), layout, float(wanted))

    async def safe(self) -> None:
        """No flow, sent before anything is asked. Purging is the tool's decision, through `set_flow`."""
        self._set = None
        text = await self._ask("S0", urgent=True)
        layout = self._layout or await self._read_layout()
        self._check_setpoint(self._parse(text, layout), layout, 0.0)
        self._check_setpoint(await self._frame(layout), layout, 0.0)

    def _check_setpoint(self, frame: _Frame, layout: _Layout, wanted: float) -> None:
        got = frame.setpoint
        if abs(got - wanted) > 1.01 * 10**-layout.decimals:  # the device rounds once more
            raise Refused(
                self.name,
                f"the set-point stays at {got * layout.to_sccm:g} sccm instead of "
                f"{wanted * layout.to_sccm:g} sccm: look at its source, its ramp and the front panel",
            )
        self._set = got * layout.to_sccm

    def _moved(self, sccm: float, layout: _Layout) -> bool:
        """Whether it is another one than was read back last; the first one ever seen is nobody's change."""
        self._set = sccm if self._set is None else self._set
        return abs(sccm - self._set) > layout.moves_sccm

    async def _read_layout(self) -> _Layout:
        """The data frame's columns by the device's own table, tried on one frame."""
        columns = self._parse_table(await self._ask_table("??D*"))
        missing = set(_CHANNELS) - {column.quantity for column in columns}
        if missing:
            what = (
                "it is a meter or controls something else than mass flow" if "setpoint" in missing else "unusable here"
            )
            raise Refused(self.name, f"the data frame has no {', '.join(sorted(missing))}: {what}")
        tokens = self._tokens(await self._answer(self._poll), columns)
        seen = [_decimals(token) for token in tokens[1 : 1 + len(columns)]]
        columns = tuple(replace(column, decimals=count) for column, count in zip(columns, seen, strict=True))
        self._layout = layout = _Layout(self._settings, columns)
        return layout

    def _parse_table(self, lines: list[str]) -> tuple[_Column, ...]:
        columns: list[_Column] = []
        for number, line in enumerate(lines):
            row = _ROW.fullmatch(line)
            if not row or int(row[1]) != number:
                raise self._bad(f"row {number} of the data-frame table is missing", "\r".join(lines))
            if number < 2:
                continue  # heading and unit id
            if coded := _CODED.fullmatch(row[2]):
                code, name, unit = coded[1], coded[2], coded[3]
                quantity = _BY_CODE.get(code, "other")
            elif named := _NAMED.fullmatch(row[2]):
                name, unit = named[1].strip(), named[2]
                quantity = _BY_NAME.get(name, "other")
            else:
                raise self._bad("a row of the data-frame table cannot be read", line)
            if name == "Gas":
                return tuple(columns)
            if unit not in _UNITS_OF.get(quantity, {unit}):
                known = " or ".join(sorted(_UNITS_OF[quantity]))
                raise Refused(self.name, f"{name} is in {unit}: set the device to {known}")
            columns.append(_Column(quantity, _FACTORS.get(unit, 1.0)))
        raise self._bad("the data-frame table ends before the gas", "\r".join(lines))

    def _parse(self, text: str, layout: _Layout) -> _Frame:
        """Raises BadReply on anything that the table does not announce."""
        tokens = self._tokens(text, layout.columns)
        last = 1 + len(layout.columns)
        numbers = tokens[1:last]
        if self._layout and any(_decimals(n) != c.decimals for n, c in zip(numbers, layout.columns, strict=True)):
            self._layout = None
            raise self._bad("a number has other decimals than its table announced: its unit was changed", text)
        return layout.frame(numbers, tokens[last], tokens[last + 1 :])

    def _tokens(self, frame: str, columns: tuple[_Column, ...]) -> list[str]:
        """The parts of a data frame with these columns; raises BadReply when it is none."""
        tokens = frame.split()
        last = 1 + len(columns)
        if len(tokens) <= last or tokens[0] != self._settings.unit:
            raise self._bad(f"{len(columns)} numbers and a gas are expected", frame)
        if not all(map(_NUMBER.fullmatch, tokens[1:last])) or not STATUS_WORDS.issuperset(tokens[last + 1 :]):
            raise self._bad("a number or a status word is garbled", frame)
        return tokens

    def _maker_lines(self, lines: list[str]) -> dict[str, str]:
        text = "\n".join(lines)
        model, serial = re.search(r"M04\s+Model Number\s+(\S+)", text), re.search(r"M05\s+Serial Number\s+(\S+)", text)
        if not model or not serial:
            raise self._bad("no model and serial number among the manufacturer's lines", text)
        return {"model": model[1], "serial": serial[1]}

    async def _full_scale(self, model: str) -> str:
        """As the device says, else as its model number says (`MC-500SCCM-D`); compared with the settings."""
        try:
            said = _FULL_SCALE.fullmatch(await self._ask("FPF 5"))
        except Refused:  # firmware without this query
            said = re.search(r"-(\d+(?:\.\d+)?)(SCCM|SLPM)", model)
        if not said or said[2] not in ("SCCM", "SLPM"):
            raise Refused(self.name, f"neither a full scale in SCCM or SLPM nor a model number with one ({model})")
        sccm = float(said[1]) * _FACTORS[said[2]]
        if not math.isclose(sccm, self._settings.full_scale_sccm, rel_tol=1e-3):
            raise Refused(
                self.name, f"the full scale is {sccm:g} sccm, the settings say {self._settings.full_scale_sccm:g} sccm"
            )
        return f"{sccm:g} sccm"

    async def _source(self, firmware: str) -> str:
        """Where set-points come from. Up to 7v a command that begins with `L` locks the display instead."""
        major = re.match(r"\D*(\d+)v", firmware)
        if not major or int(major[1]) < 9:
            return "cannot be asked with this firmware"
        answer = await self._ask("LSS")
        source = re.fullmatch(r"\S ([SUA])", answer)
        if not source:
            raise self._bad("S, U or A is expected as the source of set-points", answer)
        if source[1] == "A":
            raise Refused(self.name, "set-points come from the analogue input: serial ones are accepted and ignored")
        return "serial" if source[1] == "S" else "serial and front panel"

    async def _ask(self, command: str, *, urgent: bool = False) -> str:
        """The one line that answers `command`, sent without a probe if urgent; raises Refused on a question mark."""
        return await self._answer(self._question(command, urgent=urgent))

    async def _frame(self, layout: _Layout) -> _Frame:
        """The data frame, which is the answer to no command at all."""
        reply = await self._line.put(self._poll)
        return layout.known(reply) or self._parse(self._said(self._poll, reply), layout)

    def _question(self, command: str, *, urgent: bool = False) -> Ask:
        request = f"{self._settings.unit}{command}\r".encode("ascii")
        probe = None if urgent else (self._probe, self._whole_version)
        return Ask(self.name, request, partial(self._whole, request), TIMEOUT_S, QUIET_S, False, False, probe)

    async def _answer(self, ask: Ask) -> str:
        return self._said(ask, await self._line.put(ask))

    def _said(self, ask: Ask, reply: bytes) -> str:
        text = self._text(reply).rstrip("\r")
        if text.endswith("?"):
            raise Refused(self.name, "the device does not know this command", ask.request, reply)
        return text

    async def _ask_table(self, command: str) -> list[str]:
        """The lines of a table: how many there are depends on the firmware, silence ends them."""
        request = f"{self._settings.unit}{command}\r".encode("ascii")
        reply = await self._line.ask(
            request,
            None,
            timeout_s=TIMEOUT_S,
            device=self.name,
            quiet_s=QUIET_S,
            probe=(self._probe, self._whole_version),
        )
        lines = [line for line in self._text(reply).split("\r") if line]
        if lines == ["?"] or lines == [f"{self._settings.unit} ?"]:
            raise Refused(self.name, "the device does not know this command", request, reply)
        if not reply.endswith(b"\r") or not all(line.startswith(self._settings.unit) for line in lines):
            raise self._bad("the table is not whole", self._text(reply))
        return lines

    def _whole(self, request: bytes, buffer: bytes) -> int | None:
        if buffer[:1] not in (request[:1], b"?", b"\r"):
            raise BadReply(self.name, f"the reply is not from unit {self._settings.unit}", request, buffer)
        end = buffer.find(b"\r", 1)  # some firmware sends an empty line before its question mark
        return end + 1 or None

    def _whole_version(self, buffer: bytes) -> int | None:
        """The answer to the probe has the look of a version, or is the question mark of very old firmware."""
        length = self._whole(self._probe, buffer)
        if length is not None and not re.search(rb"\d+v\d|GP|\?", buffer[:length]):
            raise BadReply(self.name, "this is not the answer to the question for the version", self._probe, buffer)
        return length

    def _text(self, reply: bytes) -> str:
        if reply.translate(None, _SENT):
            self._line.distrust(self.name)
            raise BadReply(self.name, "there are bytes in it that no Alicat sends", reply=reply)
        return reply.decode("ascii")

    def _bad(self, what: str, text: str) -> BadReply:
        self._line.distrust(self.name)
        return BadReply(self.name, what, reply=text.encode("ascii"))


def _decimals(token: str) -> int:
    return len(token.partition(".")[2])
