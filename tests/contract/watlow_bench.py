"""A Watlow driver and its simulated instrument on one line, with what is sent between them written down."""

from __future__ import annotations

import struct
from collections.abc import Awaitable, Callable

from drivers.line import memory_line
from drivers.watlow import Watlow, WatlowConfig
from simulators.virtualtime import run_virtual
from simulators.watlow import Watlow as Simulated
from tests.contract.plants import Oven
from tests.contract.rtu import crc

SETPOINT, MODE, SAVE, ORDER, UNIT = 2160, 1880, 2494, 2488, 2490
OFF, AUTO, MANUAL = 62, 10, 54
YES, NO = 106, 59


class Bench:
    """A driver and its instrument, with what was sent between them."""

    def __init__(self, settings: WatlowConfig | None = None) -> None:
        self.oven = Oven()
        self.unit = Simulated(self.oven, "substrate", unit=1)
        self.face = self.unit.face()
        self.sent: list[bytes] = []
        self.ignores: set[int] = set()
        self.device = Watlow("substrate", memory_line("heaters", self), settings or WatlowConfig(1, 20.0))

    def hear(self, now_s: float, data: bytes) -> bytes:
        self.sent.append(data)
        if data[1] in (6, 16) and int.from_bytes(data[2:4], "big") in self.ignores:
            return data if data[1] == 6 else crc(data[:6])
        return self.face.hear(now_s, data)

    def next_at(self) -> float | None:
        return None

    def speak(self, now_s: float) -> bytes:
        return b""

    def writes(self) -> list[tuple[int, int]]:
        """Address and first word of each write since the last look."""
        found = [struct.unpack(">HH", d[2:6]) for d in self.sent if d[1] in (6, 16)]
        self.sent.clear()
        return found


def virtually(test: Callable[[Bench], Awaitable[None]]) -> None:
    async def main() -> None:
        await test(Bench())

    run_virtual(main())
