"""WAGO 750-352 (880, 882) with analogue and digital terminals, Modbus TCP: the daemon's own coupler.

Registers and process image: WAGO's manuals of these couplers; how a terminal counts: manuals of 750-453, -455, -466,
-468, -469. Not yet run against hardware. Outputs are under the coupler's standard watchdog, which each poll feeds by
writing another value to its trigger register: nobody else does that, so a page that polls does not feed it.

When it has expired the coupler tells no process data (notes of an owner): inputs then read NaN, and `watchdog_trips`
says why. Only `identify` arms it again.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from drivers.base import DeviceFault, Identity, Reading, Refused
from drivers.line import Line
from drivers.modbus import Registers, signed
from drivers.wired import DigitalInput, DigitalOutput, check_channels

TIME, MASK_1_16, MASK_17_32, TRIGGER, STATE, STOP, ALTERNATIVE = 0x1000, 0x1001, 0x1002, 0x1003, 0x1006, 0x1008, 0x100A
IMAGE_BITS, NAMEPLATE, TERMINALS = 0x1022, 0x2010, 0x2030  # analogue out and in, digital out and in
READ_BACK = 0x0200  # at 0 a read of coils reads inputs
FC15_ALONE = 1 << 14
STOP_WORD = 0x55AA
STOPPED, RUNNING, EXPIRED = 0, 1, 2
STEP_S = 0.1
LOOK_S = 0.5
FULL_SCALE = 0x7FF8  # 20 mA or 10 V; the three bits below it are the terminal's own status
C_PER_DIGIT = 0.1
LOWEST_C, HIGHEST_C = -100.0, 1370.0
BROKEN_MA, LOWEST_MA = 3.6, 3.8

Kind = Literal["4-20 mA", "4-20 mA on 0-20 mA", "0-10 V", "type K"]
KINDS: dict[int, tuple[int, tuple[Kind, ...]]] = {  # terminal: its channels, a word each, and what it may be for
    **dict.fromkeys((452, 465, 472), (2, ("4-20 mA on 0-20 mA",))),
    453: (4, ("4-20 mA on 0-20 mA",)),
    **dict.fromkeys((454, 466), (2, ("4-20 mA",))),
    455: (4, ("4-20 mA",)),
    474: (2, ()),  # 16 bits, and none of them known to say that its wire is broken
    467: (2, ("0-10 V",)),
    **dict.fromkeys((459, 468), (4, ("0-10 V",))),
    **dict.fromkeys((462, 469), (2, ("type K",))),
}
NOTHING = "none here: nothing in its word is known to tell a broken wire"


@dataclass(frozen=True, slots=True)
class WagoAnalogueInput:
    """One channel: its word in the input image, its kind, and what 4 and 20 mA (0 and 10 V) mean in its unit.

    "4-20 mA on 0-20 mA" is a 4–20 mA transmitter on a terminal of 0–20 mA, which can tell a broken wire by its current.
    """

    channel: str
    register: int
    kind: Kind
    at_low: float
    at_high: float
    error: float

    def reading(self, word: int, now_s: float) -> Reading:
        """Value and flags; NaN where the terminal measures nothing."""
        if self.kind == "type K":
            value, broken, flags = signed(word) * C_PER_DIGIT, word == 0x7FFF, ()
            over, under = value > HIGHEST_C, value <= LOWEST_C
        else:
            share = (word & ~7) / FULL_SCALE
            if self.kind == "4-20 mA on 0-20 mA":
                share, ma = (20.0 * share - 4.0) / 16.0, 20.0 * share
                broken, under = ma < BROKEN_MA, ma < LOWEST_MA
            else:  # below its range, and with an open wire, a terminal of 4–20 mA says 0 with its error bit
                broken = under = self.kind == "4-20 mA" and word < 8 and bool(word & 2)
            broken, over = broken or word > 0x7FFF, 0x7FFF >= word >= FULL_SCALE and bool(word & 1)
            value = self.at_low + share * (self.at_high - self.at_low)
        flags = (*(("under range",) if under else ()), *(("over range",) if over else ()))
        return Reading(math.nan, now_s, (*flags, "error")) if broken else Reading(value, now_s, flags)


@dataclass(frozen=True, slots=True)
class WagoIoConfig:
    """Unit, the output watchdog in seconds (in steps of 0.1 s), and what is wired where."""

    unit: int
    watchdog_s: float
    analogue: tuple[WagoAnalogueInput, ...]
    digital: tuple[DigitalInput, ...]
    outputs: tuple[DigitalOutput, ...]

    def __post_init__(self) -> None:
        steps = self.watchdog_s / STEP_S
        if not (0.1 <= self.watchdog_s <= 6553.5 and abs(steps - round(steps)) < 1e-6):
            raise ValueError(f"the watchdog of a WAGO coupler counts in 0.1 s from 0.1 s on, not {self.watchdog_s:g} s")
        places = [one.register for one in self.analogue]
        if len(set(places)) < len(places):
            raise ValueError("two analogue channels share a register: each takes one")
        for one in self.analogue:
            if not one.at_low < one.at_high:
                raise ValueError(
                    f"channel '{one.channel}' goes from {one.at_low:g} to {one.at_high:g}: upwards, please"
                )
        if any(not 0 <= place < READ_BACK for place in self._places()):
            raise ValueError(f"registers, inputs and coils of a WAGO coupler are 0…{READ_BACK - 1} here")
        check_channels(self.analogue, self.digital)

    def _places(self) -> Iterator[int]:
        yield from (one.register for one in self.analogue)
        yield from (one.input for one in self.digital)
        yield from (one.coil for one in self.outputs)


class WagoIo:
    """Channels as configured, digital ones 0.0 or 1.0, and `watchdog_trips` since `identify`.

    A channel whose terminal reports an error reads NaN with the flag `error`, so that the others survive it.
    """

    def __init__(self, name: str, line: Line, settings: WagoIoConfig) -> None:
        self.name = name
        self._line, self._settings = line, settings
        self._registers = Registers(line, settings.unit, "tcp", name)
        self._coils = {output.name: output.coil for output in settings.outputs}
        self._outputs = max(self._coils.values(), default=-1) + 1
        self._words = max((one.register + 1 for one in settings.analogue), default=0)
        self._inputs = max((one.input + 1 for one in settings.digital), default=0)
        self._wanted: list[bool | None] = []  # the outputs as read back last; None where that is not known
        self._armed = False  # by `identify`, in this life
        self._trigger, self._trips, self._looked_s = 0, 0, -math.inf

    @staticmethod
    def channels(settings: WagoIoConfig) -> frozenset[str]:
        """What a poll reads."""
        wired = (*(one.channel for one in settings.analogue), *(one.channel for one in settings.digital))
        return frozenset((*wired, "watchdog_trips"))

    # --- identity and watchdog ---------------------------------------------------------------------------------------

    async def identify(self) -> Identity:
        """Clears the outputs, arms the watchdog, and proves by its state that it runs.

        Raises Refused when the terminals are not those of the settings or the watchdog cannot be armed.
        """
        self._armed = False
        if await self._get(ALTERNATIVE):
            raise Refused(
                self.name,
                "the alternative watchdog is chosen, which any request of anybody feeds: choose the standard one on "
                "the coupler's own pages (register 0x100A = 0)",
            )
        facts = await self._check_image()
        facts["terminals"] = await self._check_terminals()
        facts["watchdog"] = f"{self._settings.watchdog_s:g} s, fed by the trigger register"
        facts["outputs before the reset"] = await self._clear_outputs()
        await self._arm()
        await self._prove()
        await self.safe()
        self._trips, self._armed = 0, True
        return Identity(*await self._nameplate(), facts)

    async def _nameplate(self) -> tuple[str, str, str]:
        """Model, no serial number, firmware."""
        try:
            firmware, series, item = [await self._get(NAMEPLATE + i) for i in range(3)]
        except Refused as refusal:
            _unless_missing(refusal)
            return "WAGO bus coupler", "", ""
        return f"WAGO {series}-{item}", "", str(firmware)

    async def _check_image(self) -> dict[str, str]:
        """The process image must hold every word and bit of the settings (its lengths are in bits)."""
        analogue, outputs, inputs = [await self._get(IMAGE_BITS + i) for i in (1, 2, 3)]
        if analogue < 16 * self._words:
            raise Refused(
                self.name,
                f"{analogue} bits of analogue inputs, the settings need {16 * self._words}: are all terminals there?",
            )
        if inputs < self._inputs or outputs < self._outputs:
            raise Refused(self.name, f"{inputs} inputs and {outputs} outputs are fewer than the settings name")
        return {"image": f"{analogue} bits analogue in, {inputs} digital in, {outputs} digital out"}

    async def _check_terminals(self) -> str:
        """The terminal of each analogue channel must be of its kind, as far as the coupler tells them."""
        try:
            _, *found = await self._registers.read_holding(TERMINALS, 65)
        except Refused as refusal:
            _unless_missing(refusal)
            return "not told by this coupler"
        place, wired = 0, {one.register: one for one in self._settings.analogue}
        items = [item for item in found if item and not item & 0x8000]  # the others are digital
        for item in items:
            if item not in KINDS:
                return f"{', '.join(f'750-{one}' for one in items)}; not checked from 750-{item} on"
            channels, kinds = KINDS[item]
            for register in range(place, place + channels):
                if register in wired and wired[register].kind not in kinds:
                    raise Refused(
                        self.name,
                        f"channel '{wired[register].channel}' is '{wired[register].kind}', its terminal 750-{item} is "
                        f"for {' or '.join(kinds) or NOTHING}",
                    )
            place += channels
        return ", ".join(f"750-{one}" for one in items) or "digital ones only"

    async def _arm(self) -> None:
        """Stop, set and start it. An expired one is restarted first, so that outputs are zeroed under a watchdog."""
        state, self._trigger = await self._get(STATE), await self._get(TRIGGER)
        if state == EXPIRED:
            await self._feed()
            await self._clear_outputs()
        if state != STOPPED:
            await self._registers.write_register(STOP, STOP_WORD)
        await self._registers.write_register(TIME, round(self._settings.watchdog_s / STEP_S))
        await self._registers.write_register(MASK_17_32, 0)
        # the mask last: by one of WAGO's wordings it starts the watchdog, and then the rest is no longer writable
        await self._registers.write_register(MASK_1_16, FC15_ALONE)
        await self._feed()

    async def _feed(self) -> None:
        """Write a value that is neither 0 nor the one that stands there."""
        self._trigger = self._trigger % 0xFFFF + 1  # it may stand there even if no answer comes
        await self._registers.write_register(TRIGGER, self._trigger)

    async def _prove(self) -> None:
        state = await self._get(STATE)
        if state != RUNNING:
            raise Refused(self.name, f"the watchdog does not run after its start (state {state}): outputs stay off")
        found = [await self._get(register) for register in (TIME, MASK_1_16, MASK_17_32)]
        needed = [round(self._settings.watchdog_s / STEP_S), FC15_ALONE, 0]
        if found != needed:
            raise Refused(self.name, f"the watchdog's time and masks read back {found} instead of {needed}")

    # --- polls -------------------------------------------------------------------------------------------------------

    async def poll(self) -> dict[str, Reading]:
        """Feeds the watchdog, and looks at it twice a second; then all inputs in two reads, and the outputs in a third.

        Raises DeviceFault when an output is not as it was written: somebody else writes here.
        """
        clock = self._line.clock
        if not self._armed:
            await self.identify()
        state = await self._get(STATE)
        if state != RUNNING:
            self._trips = max(self._trips, 1)
        elif not self._trips:
            await self._feed()
            await self._look(clock())
        trips = {"watchdog_trips": Reading(float(self._trips), clock())}
        if state == EXPIRED:
            return self._nothing(clock()) | trips
        readings = await self._read_inputs()
        if not self._trips:
            await self._check_outputs()
        return readings | trips

    async def _look(self, now_s: float) -> None:
        """A coupler that restarted since its state was read has been started by the feed, with a watchdog as delivered.

        Its mask tells: as delivered every function feeds it.
        """
        if now_s - self._looked_s >= LOOK_S:
            self._trips = int(await self._get(MASK_1_16) != FC15_ALONE)
            self._looked_s = now_s

    def _nothing(self, now_s: float) -> dict[str, Reading]:
        none = Reading(math.nan, now_s, ("watchdog tripped",))
        return dict.fromkeys(self.channels(self._settings) - {"watchdog_trips"}, none)

    async def _read_inputs(self) -> dict[str, Reading]:
        readings: dict[str, Reading] = {}
        if self._settings.analogue:
            words = await self._registers.read_input(0, self._words)
            now_s = self._line.clock()
            for one in self._settings.analogue:
                readings[one.channel] = one.reading(words[one.register], now_s)
        if self._settings.digital:
            inputs = await self._registers.read_discrete(0, self._inputs)
            now_s = self._line.clock()
            for contact in self._settings.digital:
                readings[contact.channel] = Reading(float(inputs[contact.input]), now_s)
        return readings

    async def _check_outputs(self) -> None:
        if not self._coils:
            return
        wanted = list(self._wanted)
        found = list(await self._registers.read_coils(READ_BACK, self._outputs))
        if wanted != self._wanted:  # this controller has switched one meanwhile
            return
        others = [coil for coil, on in enumerate(wanted) if on is not None and found[coil] != on]
        if not others:
            return
        names = [name for name, coil in self._coils.items() if coil in others] or ["spare"]
        raise DeviceFault(self.name, f"output {', '.join(names)} is not as it was written: somebody else writes here")

    # --- outputs -----------------------------------------------------------------------------------------------------

    async def set_output(self, name: str, on: bool) -> None:
        """Raises Refused on an unknown name or a differing read-back, DeviceFault after a trip of the watchdog."""
        if name not in self._coils:
            raise Refused(self.name, f"there is no output '{name}', there are {', '.join(self._coils)}")
        if not self._armed:
            await self.identify()
        if self._trips:
            raise DeviceFault(self.name, "the output watchdog has tripped: outputs stay off until it is armed again")
        coil = self._coils[name]
        self._wanted[coil] = None
        await self._registers.write_coils(coil, (on,))
        (got,) = await self._registers.read_coils(READ_BACK + coil, 1)
        self._wanted[coil] = got
        if got != on:
            raise Refused(self.name, f"output '{name}' reads back {'on' if got else 'off'}")

    async def safe(self) -> None:
        """All outputs 0, spare ones too. What counts is the read-back: after a trip a coupler refuses both."""
        self._wanted = [None] * self._outputs
        await self._clear_outputs()
        if not self._coils:
            return
        try:
            still = any(await self._registers.read_coils(READ_BACK, self._outputs))
        except Refused:
            still = await self._get(STATE) != EXPIRED  # an expired coupler tells nothing: its outputs are at zero
        if still:
            raise Refused(self.name, "an output stays on although all were switched off")
        self._wanted = [False] * self._outputs

    async def _clear_outputs(self) -> str:
        """What became of the write; a refusal is told and left to the read-back."""
        if not self._coils:
            return "none"
        try:
            await self._registers.write_coils(0, (False,) * self._outputs)
        except Refused as refusal:
            return refusal.what
        return "cleared"

    async def _get(self, address: int) -> int:
        (value,) = await self._registers.read_holding(address, 1)
        return value


def _unless_missing(refusal: Refused) -> None:
    """A register that a coupler does not have is no fault; a coupler that is busy or broken has told nothing."""
    if not refusal.what.startswith("Modbus exception 2:"):
        raise refusal
