"""Beckhoff BK9050 with analogue and digital terminals, Modbus TCP.

Registers: Beckhoff's Modbus interface pages for BK9000/BK9050/EK9000; status bytes of KL3054, KL3062 and KL3312. Not
yet run against hardware. Outputs are under the coupler's own watchdog, which any telegram of this client feeds.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from typing import Literal

from drivers.base import DeviceFault, Identity, Reading, Refused
from drivers.line import Line
from drivers.modbus import Registers, signed
from drivers.wired import DigitalInput, DigitalOutput, check_channels

IMAGE_BITS, FALLBACKS, WATCHDOG_MS, WATCHDOG_RESET, WATCHDOG_TYPE = 0x1010, 0x1021, 0x1120, 0x1121, 0x1122
FALLBACK = 0x1123  # of an EK9000: what its outputs do when the watchdog acts; of a BK9xxx: its fast mode
NO_SUCH_REGISTER = "Modbus exception 2:"
RESET_WORDS = 0xBECF, 0xAFFE
ANY_TELEGRAM = 1
LOOK_S = 0.5
FULL_SCALE = 0x7FFF  # 20 mA or 10 V; the low end, 4 mA or 0 V, is 0
C_PER_DIGIT = 0.1
STATUS_BITS = {0: "under range", 1: "over range"}
LOWEST = (-0x0148, -2700)  # 1 % below a current or voltage range; -270 °C: no terminal counts so far down in good order
USELESS_BITS = {6: "error", 7: "register access"}  # the value register then holds no measurement


@dataclass(frozen=True, slots=True)
class AnalogueInput:
    """One channel: its status register (the value follows), its kind, and what its ends mean in the channel's unit."""

    channel: str
    register: int
    kind: Literal["4-20 mA", "0-10 V", "type K"]
    at_low: float
    at_high: float
    error: float

    def value(self, digits: int) -> float:
        """In the channel's unit; type K counts tenths of a degree, the others 0…0x7FFF."""
        if self.kind == "type K":
            return digits * C_PER_DIGIT
        return self.at_low + digits / FULL_SCALE * (self.at_high - self.at_low)


@dataclass(frozen=True, slots=True)
class BeckhoffIoConfig:
    """Unit, the output watchdog in seconds, and what is wired where."""

    unit: int
    watchdog_s: float
    analogue: tuple[AnalogueInput, ...]
    digital: tuple[DigitalInput, ...]
    outputs: tuple[DigitalOutput, ...]

    def __post_init__(self) -> None:
        if not 0.001 <= self.watchdog_s <= 65.535:
            raise ValueError(f"the watchdog time of a coupler is 1 ms…65.535 s, not {self.watchdog_s:g} s")
        places = sorted(one.register for one in self.analogue)
        if any(after - before < 2 for before, after in itertools.pairwise(places)):
            raise ValueError("two analogue channels share a register: each takes two, its status and its value")
        check_channels(self.analogue, self.digital)


class BeckhoffIo:
    """Channels as configured, digital ones 0.0 or 1.0, and `watchdog_trips` since `identify`.

    A channel whose terminal reports an error reads NaN with the flag `error`, so that the others survive it.
    """

    def __init__(self, name: str, line: Line, settings: BeckhoffIoConfig) -> None:
        self.name = name
        self._line, self._settings = line, settings
        self._registers = Registers(line, settings.unit, "tcp", name)
        self._coils = {output.name: output.coil for output in settings.outputs}
        first = min((one.register for one in settings.analogue), default=0)
        self._block = first, max((one.register + 2 for one in settings.analogue), default=first) - first
        self._inputs = max((one.input + 1 for one in settings.digital), default=0)
        self._watchdog = (WATCHDOG_MS, round(settings.watchdog_s * 1000)), (WATCHDOG_TYPE, ANY_TELEGRAM)
        self._fallbacks: int | None = None  # the coupler's count at `identify`
        self._trips, self._looked_s = 0, -math.inf
        self._wanted: list[bool | None] = []  # the outputs as read back last; None where that is not known

    @staticmethod
    def channels(settings: BeckhoffIoConfig) -> frozenset[str]:
        """What a poll may read; `watchdog_trips` is left out by a coupler that does not count."""
        wired = (*(one.channel for one in settings.analogue), *(one.channel for one in settings.digital))
        return frozenset((*wired, "watchdog_trips"))

    async def identify(self) -> Identity:
        """Clears the outputs, arms the watchdog, reads it back and restarts it if it had tripped.

        Raises Refused when the terminals are not those of the settings or the watchdog cannot be armed.
        """
        facts = await self._check_image()
        facts["fallback"] = await self._check_fallback()
        facts["watchdog"] = f"{self._settings.watchdog_s:g} s, fed by any telegram"
        facts["outputs before the reset"] = await self._clear_outputs()
        await self._arm_watchdog()
        await self.safe()
        facts["fallbacks so far"] = await self._count_fallbacks()
        return Identity("Beckhoff bus coupler", facts=facts)

    async def poll(self) -> dict[str, Reading]:
        """All inputs in two reads; twice a second it looks at the watchdog and at the outputs, too.

        A coupler that lost its power has a trip of the watchdog: its outputs fell, and its watchdog is as delivered.
        Raises DeviceFault when an output is on that was not switched on, and for that loss where nothing counts trips.
        """
        clock = self._line.clock
        readings: dict[str, Reading] = {}
        if self._settings.analogue:
            registers = await self._registers.read_input(*self._block)
            now_s = clock()
            for one in self._settings.analogue:
                at = one.register - self._block[0]
                readings[one.channel] = _reading(one, registers[at], registers[at + 1], now_s)
        if self._settings.digital:
            inputs = await self._registers.read_discrete(0, self._inputs)
            now_s = clock()
            for contact in self._settings.digital:
                readings[contact.channel] = Reading(float(inputs[contact.input]), now_s)
        if clock() - self._looked_s >= LOOK_S:
            await self._look()
            self._looked_s = clock()
        if self._fallbacks is not None:
            readings["watchdog_trips"] = Reading(float(self._trips), self._looked_s)
        return readings

    async def _look(self) -> None:
        """Whether the coupler is as `identify` has left it; a trip stays one until it is identified again."""
        if self._fallbacks is not None:
            (count,) = await self._registers.read_holding(FALLBACKS, 1)
            self._trips = max(self._trips, (count - self._fallbacks) % 0x10000)
        if self._trips or not self._wanted:
            return
        if lost := await self._lost():
            if self._fallbacks is None:
                raise DeviceFault(self.name, f"{lost}: it was without power; identify it again")
            self._trips = 1

    async def _lost(self) -> str:
        """What it has forgotten since `identify`, "" = nothing; raises DeviceFault for what another client did."""
        for address, value in self._watchdog:
            (got,) = await self._registers.read_holding(address, 1)
            if got != value:
                return f"watchdog register {address:#06x} is {got} instead of {value}"
        if not self._coils:
            return ""
        wanted = list(self._wanted)
        found = await self._registers.read_coils(0, len(wanted))
        if wanted != self._wanted:  # this controller has switched one meanwhile
            return ""
        if others := [coil for coil, on in enumerate(wanted) if on is False and found[coil]]:
            what = f"output {self._named(others)} is on and was not switched on from here"
            raise DeviceFault(self.name, f"{what}: somebody else writes here")
        fell = [coil for coil, on in enumerate(wanted) if on and not found[coil]]
        return f"output {self._named(fell)} fell" if fell else ""

    def _named(self, coils: list[int]) -> str:
        return ", ".join(name for name, coil in self._coils.items() if coil in coils) or "spare"

    async def set_output(self, name: str, on: bool) -> None:
        """Raises Refused on an unknown name or a differing read-back, DeviceFault after a trip of the watchdog."""
        if name not in self._coils:
            raise Refused(self.name, f"there is no output '{name}', there are {', '.join(self._coils)}")
        if self._trips:
            what = "the output watchdog has tripped, or the coupler was without power"
            raise DeviceFault(self.name, f"{what}: outputs stay off until it is armed again")
        coil = self._coils[name]
        if self._wanted:
            self._wanted[coil] = None
        await self._registers.write_coil(coil, on)
        (got,) = await self._registers.read_coils(coil, 1)
        if self._wanted:
            self._wanted[coil] = got
        if got != on:
            raise Refused(self.name, f"output '{name}' reads back {'on' if got else 'off'}")

    async def safe(self) -> None:
        """All outputs 0, spare ones too. What counts is the read-back: after a trip a coupler may refuse the write."""
        count = max(self._coils.values(), default=-1) + 1
        self._wanted = [None] * count
        await self._clear_outputs()
        if self._coils and any(await self._registers.read_coils(0, count)):
            raise Refused(self.name, "an output stays on although all were switched off")
        self._wanted = [False] * count

    async def _clear_outputs(self) -> str:
        """What became of the write; a refusal is told and left to the read-back."""
        if not self._coils:
            return "none"
        try:
            await self._registers.write_coils(0, (False,) * (max(self._coils.values()) + 1))
        except Refused as refusal:
            return refusal.what
        return "cleared"

    async def _check_image(self) -> dict[str, str]:
        """The process image must hold every register and bit of the settings (its lengths are in bits)."""
        _, analogue, outputs, inputs = await self._registers.read_holding(IMAGE_BITS, 4)
        needed = 16 * sum(self._block) if self._settings.analogue else 0
        if analogue < needed:
            raise Refused(
                self.name,
                f"{analogue} bits of analogue inputs, the settings need {needed}: are all terminals there, "
                "mapped with their status?",
            )
        if inputs < self._inputs or outputs < max(self._coils.values(), default=-1) + 1:
            raise Refused(self.name, f"{inputs} inputs and {outputs} outputs are fewer than the settings name")
        return {"image": f"{analogue} bits analogue in, {inputs} digital in, {outputs} digital out"}

    async def _check_fallback(self) -> str:
        """Outputs must go to zero with the watchdog; they stay as they are where this register says so."""
        try:
            (found,) = await self._registers.read_holding(FALLBACK, 1)
        except Refused as refusal:
            if not refusal.what.startswith(NO_SUCH_REGISTER):
                raise
            return "not told by this coupler"
        if found:
            raise Refused(
                self.name,
                f"register {FALLBACK:#06x} reads {found}: on an EK9000 outputs would not go to zero when the watchdog "
                "acts. Write 0 to it (on a BK9xxx: fast mode off)",
            )
        return "outputs to zero"

    async def _arm_watchdog(self) -> None:
        """Time and type are written only if they differ; the first write telegram after the reset starts it."""
        for address, value in self._watchdog:
            if await self._registers.read_holding(address, 1) != (value,):
                await self._registers.write_register(address, value)
                (got,) = await self._registers.read_holding(address, 1)
                if got != value:
                    raise Refused(self.name, f"watchdog register {address:#06x} reads back {got} instead of {value}")
        for word in RESET_WORDS:
            await self._registers.write_register(WATCHDOG_RESET, word)

    async def _count_fallbacks(self) -> str:
        """The baseline of `watchdog_trips`; only newer couplers have this counter."""
        self._trips, self._looked_s = 0, -math.inf
        try:
            (self._fallbacks,) = await self._registers.read_holding(FALLBACKS, 1)
        except Refused as refusal:
            if not refusal.what.startswith(NO_SUCH_REGISTER):
                raise
            self._fallbacks = None
            return "not counted by this coupler"
        return str(self._fallbacks)


def _reading(one: AnalogueInput, status: int, value: int, now_s: float) -> Reading:
    broken: tuple[str, ...] = ()
    flags: tuple[str, ...] = ()
    if status:
        broken = tuple(word for bit, word in USELESS_BITS.items() if status >> bit & 1)
        flags = tuple(word for bit, word in STATUS_BITS.items() if status >> bit & 1)
    digits = signed(value)
    if digits < LOWEST[one.kind == "type K"]:
        broken = (*broken, "below range")
    if broken:
        return Reading(math.nan, now_s, (*flags, *broken))
    return Reading(one.value(digits), now_s, flags)
