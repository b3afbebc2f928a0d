"""A simulated Keller series 30, Modbus RTU, as bytes: the example of docs/devices/adding.md."""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence

from simulators.modbus_server import ILLEGAL_ADDRESS, ModbusException, ModbusServer, RtuFace, Unit


class KellerFace(Unit):
    """One transmitter at its address on a line; `pressure_pa` and `celsius` are what its sensors feel at a time."""

    functions = frozenset({3, 6, 8, 16})

    def __init__(
        self, pressure_pa: Callable[[float], float], celsius: Callable[[float], float], *, unit: int, serial: int
    ) -> None:
        self._pressure_pa, self._celsius, self._serial = pressure_pa, celsius, serial
        self.active = [0x0002, 0x0010]
        self.broken = False
        self._now_s = 0.0
        self._rtu: RtuFace = ModbusServer({unit: self}).rtu()

    def read_holding(self, address: int, count: int) -> Sequence[int]:
        bar = float("inf") if self.broken else self._pressure_pa(self._now_s) / 100_000.0
        p1, tob1 = (struct.unpack(">2H", struct.pack(">f", one)) for one in (bar, self._celsius(self._now_s)))
        image = {
            **dict(enumerate(p1, start=0x0002)), **dict(enumerate(tob1, start=0x0008)),
            **dict(enumerate((*p1, *tob1), start=0x0100)),
            **dict(enumerate((self._serial >> 16, self._serial & 0xFFFF, *self.active), start=0x0202)),
        }  # fmt: skip
        if any(one not in image for one in range(address, address + count)):
            raise ModbusException(ILLEGAL_ADDRESS)
        return [image[one] for one in range(address, address + count)]

    def hear(self, now_s: float, data: bytes) -> bytes:
        self._now_s = now_s
        return self._rtu.hear(now_s, data)

    def next_at(self) -> float | None:
        return self._rtu.next_at()

    def speak(self, now_s: float) -> bytes:
        return self._rtu.speak(now_s)
