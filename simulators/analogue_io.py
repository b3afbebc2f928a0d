"""A Modbus module with analogue inputs, TCP or RTU, as bytes: registers, words and status as its channels say.

No module in particular: the value's register, what it says at 4 and 20 mA (or 0 and 10 V), where it stops, and a
status register, as their manuals have it. A transmitter follows NAMUR NE 43: it stops at 3.8 and 20.5 mA.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from simulators.modbus_server import ILLEGAL_ADDRESS, ModbusException, ModbusServer, RtuFace, TcpFace, Unit


@dataclass(slots=True)
class Input:
    """One input: its register, its scale, and where its value comes from.

    `stops` are the numbers at which the module's own conversion ends. `broken` is a wire that came off; `ma` a current
    instead of what is measured, in mA (or V). `reports` are the bits of the register `status` while either is beyond
    what the module takes for a signal.
    """

    register: int
    kind: Literal["4-20 mA", "0-10 V"]
    raw_low: float
    raw_high: float
    at_low: float
    at_high: float
    read: Callable[[float], float]
    word: str = "int16"
    stops: tuple[float, float] = (-0x8000, 0x7FFF)
    status: int | None = None
    reports: int = 0
    broken: bool = False
    ma: float | None = None

    def signal(self, now_s: float) -> float:
        """What flows, in mA, or lies on it, in V."""
        if self.broken:
            return 0.0
        if self.ma is not None:
            return self.ma
        share = (self.read(now_s) - self.at_low) / (self.at_high - self.at_low)
        if self.kind == "0-10 V":
            return min(max(10.0 * share, 0.0), 10.5)
        return min(max(4.0 + 16.0 * share, 3.8), 20.5)

    def registers(self, now_s: float) -> dict[int, int]:
        """Address and word of each of its registers."""
        signal = self.signal(now_s)
        share = (signal - 4.0) / 16.0 if self.kind == "4-20 mA" else signal / 10.0
        raw = min(max(self.raw_low + share * (self.raw_high - self.raw_low), self.stops[0]), self.stops[1])
        found = {self.register + i: word for i, word in enumerate(_words(self.word, raw))}
        if self.status is not None:
            failed = self.kind == "4-20 mA" and not 3.6 <= signal <= 21.0
            found[self.status] = self.reports if failed else 0
        return found


class AnalogueModule(Unit):
    """The module: `inputs` by channel name; `constants` are registers that never change, its model among them.

    A status register that several inputs share has the bits of all of them.
    """

    functions = frozenset({3, 4})

    def __init__(self, inputs: Mapping[str, Input], constants: Mapping[int, int] | None = None) -> None:
        self.inputs, self.constants = dict(inputs), dict(constants or {})
        self.now_s = 0.0

    def read_holding(self, address: int, count: int) -> Sequence[int]:
        image = dict(self.constants)
        for one in self.inputs.values():
            for place, word in one.registers(self.now_s).items():
                image[place] = image.get(place, 0) | word if place == one.status else word
        if any(place not in image for place in range(address, address + count)):
            raise ModbusException(ILLEGAL_ADDRESS)
        return [image[place] for place in range(address, address + count)]

    def read_input(self, address: int, count: int) -> Sequence[int]:
        return self.read_holding(address, count)


class AnalogueFace:
    """One connection to a module, or its place on a serial line."""

    def __init__(self, module: AnalogueModule, *, unit: int, protocol: Literal["tcp", "rtu"]) -> None:
        self.module = module
        server = ModbusServer({unit: module})
        self._framer: TcpFace | RtuFace = server.tcp() if protocol == "tcp" else server.rtu()

    def hear(self, now_s: float, data: bytes) -> bytes:
        self.module.now_s = now_s
        return self._framer.hear(now_s, data)

    def next_at(self) -> float | None:
        return None

    def speak(self, now_s: float) -> bytes:
        return b""

    def power_cycle(self, now_s: float) -> None:
        """Its power went off and on: there is nothing in it that could be lost."""


def _words(word: str, raw: float) -> tuple[int, ...]:
    if not word.startswith("float32"):
        return (round(raw) & 0xFFFF,)
    high, low = struct.unpack(">HH", struct.pack(">f", raw))
    return (high, low) if word.endswith("high first") else (low, high)
