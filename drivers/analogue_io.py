"""Analogue inputs of any Modbus module, TCP or RTU: 4–20 mA and 0–10 V channels in input or holding registers.

What stands where is the module's own and comes from the settings, out of its manual: the value's register and how it
counts, and, where the module has one, a status register with the bits that say error. Limits of a 4–20 mA signal:
NAMUR NE 43. Not yet run against hardware.

Beyond 3.6 and 21 mA, and with an error bit, there is no value: NaN with a flag. Between these and the measuring range
of 3.8 to 20.5 mA the value stands with a flag.
"""

from __future__ import annotations

import math
import struct
from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Literal

from drivers.base import Identity, Reading, Refused
from drivers.line import Line
from drivers.modbus import Registers, signed

BROKEN_MA, LOWEST_MA, HIGHEST_MA, FAULT_MA = 3.6, 3.8, 20.5, 21.0
NEAR, FAR = 0.025, 0.1  # of its range, how far a voltage may lie beyond it: with a flag, and not at all
NO_FLOAT = 1e-9  # of its scale: nothing measures as little and is not zero; it is words in the wrong order
LONGEST_FILTER_S = 10.0
MOST = 125  # registers in one read

Word = Literal["int16", "uint16", "float32 high first", "float32 low first"]


@dataclass(frozen=True, slots=True)
class ModbusAnalogueInput:
    """One channel: `raw_low`, `raw_high` are what the register says at 4 and 20 mA, or at 0 and 10 V.

    `at_low`, `at_high` and `error` are in the channel's unit. Bits of `error_mask` in the register `status` mean that
    there is no value, bits of `range_mask` that it is doubtful. `filter_s` is the time constant of a first-order
    filter, 0 without one.
    """

    channel: str
    register: int
    kind: Literal["4-20 mA", "0-10 V"]
    raw_low: float
    raw_high: float
    at_low: float
    at_high: float
    error: float
    word: Word = "int16"
    status: int | None = None
    error_mask: int = 0
    range_mask: int = 0
    filter_s: float = 0.0

    def __post_init__(self) -> None:
        for why in (self._wrong_scale(), self._wrong_status(), self._wrong_filter()):
            if why:
                raise ValueError(f"channel '{self.channel}': {why}")

    @property
    def registers(self) -> int:
        """How many registers its value takes."""
        return 2 if self.word.startswith("float32") else 1

    def share(self, words: Sequence[int]) -> float:
        """Where its signal stands between 4 and 20 mA, or 0 and 10 V: 0…1 is the range; NaN for no number at all."""
        raw = _raw(self.word, words)
        if 0.0 < abs(raw) < NO_FLOAT * abs(self.raw_high - self.raw_low):
            return math.nan
        return (raw - self.raw_low) / (self.raw_high - self.raw_low)

    def _wrong_scale(self) -> str:
        if not all(math.isfinite(one) for one in (self.raw_low, self.raw_high, self.at_low, self.at_high)):
            return "its scale must be of numbers"
        if self.raw_low == self.raw_high or self.at_low == self.at_high:
            return "the two ends of its scale are one"
        if not (math.isfinite(self.error) and self.error > 0):
            return f"its error must be above 0, in its unit, not {self.error:g}"
        return self._wrong_word()

    def _wrong_word(self) -> str:
        least, most = {"int16": (-0x8000, 0x7FFF), "uint16": (0, 0xFFFF)}.get(self.word, (-math.inf, math.inf))
        if not all(least <= raw <= most for raw in (self.raw_low, self.raw_high)):
            return f"{self.raw_low:g}…{self.raw_high:g} do not fit into {self.word}"
        broken = self.raw_low + (BROKEN_MA - 4.0) / 16.0 * (self.raw_high - self.raw_low)
        if self.kind == "4-20 mA" and not least <= broken <= most and not self.error_mask:
            return (
                "a broken wire cannot be told from 4 mA: its register ends there. Name its status register with "
                "'status' and 'error_mask', or use an input of 0-20 mA"
            )
        return ""

    def _wrong_status(self) -> str:
        if (self.status is None) != (not self.error_mask and not self.range_mask):
            return "'status' goes with 'error_mask' or 'range_mask', and these go with it"
        if not (0 <= self.error_mask <= 0xFFFF and 0 <= self.range_mask <= 0xFFFF):
            return "a mask has the 16 bits of a register"
        return ""

    def _wrong_filter(self) -> str:
        if not 0 <= self.filter_s <= LONGEST_FILTER_S:
            return f"a filter of {self.filter_s:g} s is none: 0…{LONGEST_FILTER_S:g} s, or interlocks see nothing"
        return ""


@dataclass(frozen=True, slots=True)
class AnalogueIoConfig:
    """Unit, protocol, the channels, and where the module tells its model, if it does and it is to be compared."""

    unit: int
    protocol: Literal["tcp", "rtu"]
    analogue: tuple[ModbusAnalogueInput, ...]
    table: Literal["input", "holding"] = "input"
    model_register: int | None = None
    model: int | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.unit <= 255 or (self.protocol == "rtu" and not 1 <= self.unit <= 247):
            raise ValueError(f"the unit of a Modbus module is 1…247 (on TCP 0…255), not {self.unit}")
        if not self.analogue:
            raise ValueError("an analogue module needs at least one channel under 'analogue'")
        if (self.model_register is None) != (self.model is None):
            raise ValueError("'model_register' and 'model' go together")
        names = Counter(one.channel for one in self.analogue)
        places = Counter(place for one in self.analogue for place in _places(one))
        for what, found in (("channel", names), ("register", places)):
            twice = [str(one) for one, count in found.items() if count > 1]
            if twice:
                raise ValueError(f"{what} {', '.join(twice)} is wired twice: each channel has its own")
        if max(max(places), *(one.status or 0 for one in self.analogue)) > 0xFFFF or min(places) < 0:
            raise ValueError("registers are 0…65535, counted from 0")


class AnalogueIo:
    """Channels as configured. One without a value reads NaN with a flag, so that the others survive it."""

    def __init__(self, name: str, line: Line, settings: AnalogueIoConfig) -> None:
        self.name = name
        self._line, self._settings = line, settings
        values = {place for one in settings.analogue for place in _places(one)}
        statuses = {one.status for one in settings.analogue if one.status is not None}
        self._reads = _passes(settings.analogue, values, statuses)
        # a question that is never asked otherwise: of the other table, or of another length
        asked = {count for _, count in self._reads} | {1} if settings.table == "holding" else {0}
        count = next(count for count in range(1, MOST) if count not in asked)
        probe = (min(values), count) if settings.protocol == "rtu" else None
        self._probe, self._doubted = probe, False
        self._registers = Registers(line, settings.unit, settings.protocol, name, probe)
        self._filters = {one.channel: Filter(one.filter_s, one.error) for one in settings.analogue}

    @staticmethod
    def channels(settings: AnalogueIoConfig) -> frozenset[str]:
        """What a poll reads."""
        return frozenset(one.channel for one in settings.analogue)

    async def identify(self) -> Identity:
        """Reads every register once. Raises Refused when one is not there, or the module says another model."""
        settings = self._settings
        facts = {"registers": ", ".join(f"{first}…{first + count - 1}" for first, count in self._reads)}
        if settings.model_register is not None:
            (found,) = await self._read(settings.model_register, 1)
            if found != settings.model:
                raise Refused(
                    self.name,
                    f"register {settings.model_register} says model {found}, the settings say {settings.model}: is "
                    "this the right module?",
                )
            facts["model"] = str(found)
        await self._image()
        for one in self._filters.values():
            one.reset()
        return Identity("Modbus analogue inputs", facts=facts)

    async def poll(self) -> dict[str, Reading]:
        """All channels; each status is read with its value or after it, so that no value outlives its error."""
        image = await self._image()
        now_s = self._line.clock()
        return {one.channel: self._reading(one, image, now_s) for one in self._settings.analogue}

    async def safe(self) -> None:
        """Inputs alone: there is nothing to make safe."""

    async def _image(self) -> dict[int, int]:
        if self._doubted:
            await self._answers_in_turn()
        image: dict[int, int] = {}
        try:
            for first, count in self._reads:
                image.update(enumerate(await self._read(first, count), start=first))
        except Refused:
            self._doubted = self._probe is not None
            raise
        return image

    async def _answers_in_turn(self) -> None:
        """An exception says not whom it answers: whether replies belong to their questions is seen by another one."""
        if self._probe is not None:
            with suppress(Refused):
                await self._registers.read_holding(*self._probe)
        self._doubted = False

    async def _read(self, address: int, count: int) -> tuple[int, ...]:
        if self._settings.table == "input":
            return await self._registers.read_input(address, count)
        return await self._registers.read_holding(address, count)

    def _reading(self, one: ModbusAnalogueInput, image: dict[int, int], now_s: float) -> Reading:
        status = image[one.status] if one.status is not None else 0
        share = one.share([image[place] for place in _places(one)])
        why, flags = _judge(one, share)
        if status & one.error_mask:
            why = "error"
        if status & one.range_mask:
            flags = (*flags, "out of range")
        smooth = self._filters[one.channel]
        if why:
            smooth.reset()
            return Reading(math.nan, now_s, (*flags, why))
        value = one.at_low + share * (one.at_high - one.at_low)
        if flags:
            smooth.reset()
            return Reading(value, now_s, flags)
        return Reading(smooth.value(value, now_s), now_s)


class Filter:
    """First order, time constant `time_s`; and never farther than `error` from what is measured for longer than that.

    A step shows whole after `time_s`, so that a limit behind the filter is not kept from a reading that lasts.
    """

    def __init__(self, time_s: float, error: float) -> None:
        self._time_s, self._error = time_s, error
        self.reset()

    def reset(self) -> None:
        """The next value is taken as it is."""
        self._at_s = self._apart_s = -math.inf
        self._value, self._side = 0.0, 0.0

    def value(self, measured: float, now_s: float) -> float:
        step_s, self._at_s = now_s - self._at_s, now_s
        if step_s >= self._time_s:
            self._value = measured
            return measured
        self._value += (measured - self._value) * (1.0 - math.exp(-step_s / self._time_s))
        apart = measured - self._value
        side = math.copysign(1.0, apart) if abs(apart) > self._error else 0.0
        if side != self._side or not side:
            self._side, self._apart_s = side, now_s - step_s  # it may have begun right after the last poll
        if side and now_s - self._apart_s >= self._time_s:
            self._value, self._side = measured, 0.0
        return self._value


def _judge(one: ModbusAnalogueInput, share: float) -> tuple[str, tuple[str, ...]]:
    """Why a signal is none, "" when it is one, and the flags of one that stands outside its measuring range."""
    if not math.isfinite(share):
        return "no number", ()
    if one.kind == "4-20 mA":
        ma = 4.0 + 16.0 * share
        none = "broken wire" if ma < BROKEN_MA else "sensor fault" if ma > FAULT_MA else ""
        doubt = "under range" if ma < LOWEST_MA else "over range" if ma > HIGHEST_MA else ""
    else:
        none = "no signal" if not -FAR <= share <= 1.0 + FAR else ""
        doubt = "under range" if share < -NEAR else "over range" if share > 1.0 + NEAR else ""
    return none, (doubt,) if doubt else ()


def _raw(word: Word, words: Sequence[int]) -> float:
    if word == "int16":
        return float(signed(words[0]))
    if word == "uint16":
        return float(words[0])
    high, low = (words[0], words[1]) if word == "float32 high first" else (words[1], words[0])
    value: float = struct.unpack(">f", struct.pack(">HH", high, low))[0]
    return value


def _places(one: ModbusAnalogueInput) -> range:
    return range(one.register, one.register + one.registers)


def _passes(
    analogue: Iterable[ModbusAnalogueInput], values: set[int], statuses: set[int]
) -> tuple[tuple[int, int], ...]:
    """The reads of a poll, address and count: one pass where each status lies in one read with its value, else two."""
    together = _runs(values | statuses)
    for one in analogue:
        if one.status is not None and not any(
            first <= min(one.status, one.register) and max(one.status, one.register) < first + count
            for first, count in together
        ):
            return (*_runs(values), *_runs(statuses))
    return together


def _runs(places: set[int]) -> tuple[tuple[int, int], ...]:
    """Registers side by side as address and count; holes are not read, a module may refuse them."""
    runs: list[tuple[int, int]] = []
    for place in sorted(places):
        first, count = runs[-1] if runs else (place, 0)
        if runs and place == first + count and count < MOST:
            runs[-1] = first, count + 1
        else:
            runs.append((place, 1))
    return tuple(runs)
