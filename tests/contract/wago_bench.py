"""The WAGO coupler's driver and its simulated coupler, with what was sent between them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from drivers.line import memory_line
from drivers.wago_io import WagoAnalogueInput, WagoIo, WagoIoConfig
from drivers.wired import DigitalInput, DigitalOutput
from simulators.virtualtime import run_virtual
from simulators.wago_io import Channel, WagoB, WagoBFace
from tests.contract.plants import Rack

ANALOGUE = (
    WagoAnalogueInput("o2_ppm", 0, "4-20 mA", 0, 100, 0.4),
    WagoAnalogueInput("h2o_ppm", 4, "4-20 mA on 0-20 mA", 0, 100, 0.4),
    WagoAnalogueInput("pressure_torr", 8, "0-10 V", 0, 10, 0.005),
    WagoAnalogueInput("substrate_2_c", 12, "type K", -100, 1370, 1.5),
)
DIGITAL = DigitalInput("gate_shut", 0), DigitalInput("mains_ok", 8)
OUTPUTS = DigitalOutput("vent", 0), DigitalOutput("lamp", 2)
SETTINGS = WagoIoConfig(1, 1.0, ANALOGUE, DIGITAL, OUTPUTS)
VALUES = {"o2_ppm": 50.0, "h2o_ppm": 25.0, "pressure_torr": 5.0, "substrate_2_c": 150.0}


class Bench:
    """A driver, its coupler, and what was sent between them from the function code on."""

    def __init__(self, settings: WagoIoConfig = SETTINGS, **made: Any) -> None:
        self.rack = Rack("gate_shut")
        channels = {
            one.channel: Channel(one.register, one.kind, one.at_low, one.at_high, lambda _, n=one.channel: VALUES[n])  # type: ignore[misc]
            for one in ANALOGUE
        }
        contacts, outputs = {one.input: one.channel for one in DIGITAL}, {one.coil: one.name for one in OUTPUTS}
        self.coupler = WagoB(self.rack, channels, contacts, outputs, **made)
        self.face = WagoBFace(self.coupler)
        self.sent: list[str] = []
        self.ignores = self.silent = False
        self.device = WagoIo("coupler-b", memory_line("coupler-b", self), settings)

    def hear(self, now_s: float, data: bytes) -> bytes:
        self.sent.append(data[7:].hex(" "))
        if self.silent:
            return b""
        if self.ignores and data[7] in (5, 15):
            return data[:4] + b"\x00\x06" + data[6:12]
        return self.face.hear(now_s, data)

    def next_at(self) -> float | None:
        return self.face.next_at()

    def speak(self, now_s: float) -> bytes:
        return self.face.speak(now_s)


def virtually(test: Callable[[Bench], Awaitable[None]], **made: Any) -> None:
    async def main() -> None:
        await test(Bench(**made))

    run_virtual(main())
