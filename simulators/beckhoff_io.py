"""A Beckhoff BK9050 bus coupler with analogue and digital terminals, Modbus TCP, as bytes.

Sources: Beckhoff's Modbus pages for BK9000/BK9050/EK9000 (registers 0x1010…, 0x1020…, 0x1120…, process image), data
sheets of KL3054, KL3062 and KL3312 (scaling, status byte). An analogue channel takes two registers, status and value;
digital inputs follow the analogue ones in the image. What the pages leave open is chosen here: after a trip of the
watchdog a write to an output is answered with exception 04 until the watchdog has been reset.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from simulators.face import SOON_S
from simulators.modbus_server import (
    DEVICE_FAILURE,
    ILLEGAL_ADDRESS,
    ILLEGAL_VALUE,
    ModbusException,
    ModbusServer,
    RegisterMap,
    Unit,
)
from simulators.wired import CouplerFace, OutputPlant, bits_in, bits_of, contact_bits, words_of

FULL = 0x7FFF
TWELVE_BITS = 0x7FF8
BROKEN_WIRE, BROKEN_COUPLE = 0x41, 0x42  # error with under range; error with over range
OUTPUT_IMAGE = 0x0800
LENGTHS, TIME_LEFT, TRIPS, TIME, RESET, TYPE, FALLBACK = 0x1010, 0x1020, 0x1021, 0x1120, 0x1121, 0x1122, 0x1123
TO_ZERO, FREEZE, STOP = 0, 1, 2
RESET_FIRST, RESET_THEN = 0xBECF, 0xAFFE
WRITES_ONLY, ANY_TELEGRAM, OFF = 0, 1, 2


@dataclass(slots=True)
class Channel:
    """One analogue channel: its status register, its kind, what its ends mean, and where its value comes from."""

    register: int
    kind: str
    at_low: float
    at_high: float
    read: Callable[[float], float]
    broken: bool = False

    def registers(self, now_s: float) -> tuple[int, int]:
        """Status and value; a transmitter stops at its ends, and a terminal of twelve bits at the highest of them."""
        if self.kind == "type K":
            tenths = round(self.read(now_s) * 10)
            broken = self.broken or tenths > 13720  # an open couple is drawn beyond full scale
            return (BROKEN_COUPLE, FULL) if broken else (0, max(tenths, -2000) & 0xFFFF)
        if self.broken:
            return BROKEN_WIRE, 0
        share = (self.read(now_s) - self.at_low) / (self.at_high - self.at_low)
        number = 0 if share < 0.0 else FULL if share > 1.0 else round(share * FULL)
        return 0, number & TWELVE_BITS


class CouplerB(Unit):
    """One coupler: analogue channels by name, contacts by input number, outputs by coil number."""

    functions = frozenset({1, 2, 3, 4, 5, 6, 15, 16, 23})

    def __init__(
        self,
        plant: OutputPlant,
        channels: Mapping[str, Channel],
        contacts: Mapping[int, str],
        outputs: Mapping[int, str],
    ) -> None:
        self._plant, self.channels, self._contacts, self._outputs = plant, dict(channels), dict(contacts), dict(outputs)
        self.now_s = 0.0
        self.word = 0  # of the outputs
        self._coils, self._inputs = bits_of(outputs), bits_of(contacts)
        self._registers = max((channel.register + 2 for channel in channels.values()), default=0)
        self.time_ms, self.type, self.trips = 1000, ANY_TELEGRAM, 0
        self.fallback = TO_ZERO  # as an EK9000 has it
        self.deadline_s: float | None = None  # of the watchdog, while it is armed
        self.tripped = False
        self._reset_begun = False
        self._control = self._controls()

    # --- watchdog ---

    def at(self, now_s: float) -> None:
        """Time has come this far: outputs have fallen when the watchdog's time was over."""
        self.now_s = now_s
        if self.deadline_s is None or now_s < self.deadline_s - SOON_S:
            return
        fell_s, self.deadline_s = self.deadline_s, None
        self.tripped, self.trips = True, self.trips + 1
        if self.fallback != FREEZE:
            self._switch(0, self._coils, 0, fell_s)

    def next_at(self) -> float | None:
        return self.deadline_s

    def _telegram(self, *, write: bool) -> None:
        """A telegram for this unit has come: a write arms the watchdog, and what its type says feeds it."""
        armed = self.deadline_s is not None
        if self.tripped or self.type == OFF or not self.time_ms:
            return
        if write or (armed and self.type == ANY_TELEGRAM):
            self.deadline_s = self.now_s + self.time_ms / 1000.0

    def _reset(self, value: int) -> None:
        if value == RESET_THEN and self._reset_begun:
            self.tripped, self.deadline_s = False, None  # the next write telegram arms it
        self._reset_begun = value == RESET_FIRST

    def trip(self, now_s: float) -> None:
        """The watchdog's time is over now, as if the wire had been silent for so long."""
        self.deadline_s = now_s
        self.at(now_s)

    def power_cycle(self, now_s: float) -> None:
        """Its power went off and on: outputs off, the watchdog as delivered."""
        self._switch(0, self._coils, 0, now_s)
        self.time_ms, self.type, self.trips = 1000, ANY_TELEGRAM, 0
        self.deadline_s, self.tripped, self._reset_begun = None, False, False

    # --- bits ---

    def read_coils(self, address: int, count: int) -> int:
        self._telegram(write=False)
        _expect(address + count, self._coils)
        return self.word >> address & (1 << count) - 1

    def read_discretes(self, address: int, count: int) -> int:
        self._telegram(write=False)
        bits = self._contact_bits()
        _expect(address + count, self._inputs)
        return bits >> address & (1 << count) - 1

    def write_coils(self, address: int, count: int, bits: int) -> None:
        _expect(address + count, self._coils)
        if self.tripped:
            raise ModbusException(DEVICE_FAILURE)
        self._telegram(write=True)
        self._switch(address, count, bits, self.now_s)

    def _switch(self, address: int, count: int, bits: int, at_s: float) -> None:
        others = self.word & ~((1 << count) - 1 << address)
        self.word = others | bits << address
        for coil, name in self._outputs.items():
            if address <= coil < address + count:
                self._plant.output(name, bool(self.word >> coil & 1), at_s)

    def _contact_bits(self) -> int:
        return contact_bits(self._contacts, self._plant.contacts_at(self.now_s))

    # --- registers ---

    def read_input(self, address: int, count: int) -> Sequence[int]:
        return self.read_holding(address, count)

    def read_holding(self, address: int, count: int) -> Sequence[int]:
        self._telegram(write=False)
        if address + count <= OUTPUT_IMAGE:
            return _span(self._input_image(address + count), address, count)
        if OUTPUT_IMAGE <= address < LENGTHS:
            return _span(words_of(self.word, self._coils), address - OUTPUT_IMAGE, count)
        return self._control.read(address, count)

    def _input_image(self, end: int) -> list[int]:
        """The analogue channels, and the contacts behind them for whoever reads so far."""
        image = [0] * self._registers
        for channel in self.channels.values():
            at = channel.register
            image[at], image[at + 1] = channel.registers(self.now_s)
        if end <= self._registers:
            return image
        return image + words_of(self._contact_bits(), self._inputs)

    def _controls(self) -> RegisterMap:
        """The registers beside the image; a write of several of them is none unless all may be written."""
        read: dict[int, Callable[[], int]] = {
            LENGTHS: lambda: 0,
            LENGTHS + 1: lambda: 16 * self._registers,
            LENGTHS + 2: lambda: self._coils,
            LENGTHS + 3: lambda: self._inputs,
            TIME_LEFT: self._left_ms,
            TRIPS: lambda: self.trips,
            TIME: lambda: self.time_ms,
            RESET: lambda: 0,
            TYPE: lambda: self.type,
            FALLBACK: lambda: self.fallback,
        }
        return RegisterMap(read, {one: partial(self._write, one) for one in (TIME, RESET, TYPE, FALLBACK)})

    def _left_ms(self) -> int:
        return 0 if self.deadline_s is None else round(max(self.deadline_s - self.now_s, 0.0) * 1000)

    def write_registers(self, address: int, values: Sequence[int]) -> None:
        first = 16 * (address - OUTPUT_IMAGE)
        if address >= OUTPUT_IMAGE and first + 16 * (len(values) - 1) < self._coils:
            count = min(16 * len(values), self._coils - first)
            self.write_coils(first, count, bits_in(values) & (1 << count) - 1)
            return
        self._control.write(address, values)

    def _write(self, address: int, value: int) -> None:
        if address == RESET:
            self._reset(value)
            return
        allowed = {TYPE: (WRITES_ONLY, ANY_TELEGRAM, OFF), FALLBACK: (TO_ZERO, FREEZE, STOP)}
        if value not in allowed.get(address, (value,)):
            raise ModbusException(ILLEGAL_VALUE)
        if address == TYPE:
            self.type = value
        elif address == FALLBACK:
            self.fallback = value
        else:
            self.time_ms = value
        if self.type == OFF or not self.time_ms:
            self.deadline_s = None
        self._telegram(write=True)


def _expect(end: int, length: int) -> None:
    """Raises ModbusException where an image of this length has ended before."""
    if end > length:
        raise ModbusException(ILLEGAL_ADDRESS)


def _span(words: Sequence[int], address: int, count: int) -> Sequence[int]:
    _expect(address + count, len(words))
    return words[address : address + count]


class CouplerBFace(CouplerFace[CouplerB]):
    def __init__(self, coupler: CouplerB, *, unit: int) -> None:
        super().__init__(coupler, ModbusServer({unit: coupler}).tcp())
