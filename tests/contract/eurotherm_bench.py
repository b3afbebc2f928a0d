"""A scripted Eurotherm: registers behind RTU, enough of an instrument to see what a driver asks and writes."""

from __future__ import annotations

from drivers.eurotherm import Eurotherm3216, EurothermConfig
from tests.contract.rtu import crc
from tests.contract.scripted import to

PV, WORKING, SP1, REMOTE, STATUS, REMOTE_ON = 1, 5, 24, 26, 75, 276
SELECTED, UNIT, DECIMALS, SENSOR = 15, 516, 525, 12290


class Instrument:
    """Registers behind RTU: enough of an instrument to see what a driver asks and writes."""

    def __init__(self, **registers: int) -> None:
        self.values = {
            1: 251, 2: 200, 3: 0, 4: 125, 5: 200, 15: 0, SP1: 200, 25: 200, REMOTE: 0, STATUS: 0, 107: 0x0240,
                       122: 0x3216, REMOTE_ON: 0, 516: 0, 525: 1, 12290: 1,
        }  # fmt: skip
        self.ignores: set[int] = set()
        self.asked: list[tuple[str, int]] = []

    def hear(self, now_s: float, data: bytes) -> bytes:
        assert data == crc(data[:-2])
        address, argument = int.from_bytes(data[2:4], "big"), int.from_bytes(data[4:6], "big")
        if data[1] == 3:
            self.asked.append(("read", address))
            values = b"".join(self.values[address + i].to_bytes(2, "big") for i in range(argument))
            return crc(bytes([data[0], 3, 2 * argument]) + values)
        assert data[1] == 6
        self.asked.append(("write", address))
        if address not in self.ignores:
            self.values[address] = argument
            if address == REMOTE and self.values[REMOTE_ON]:
                self.values[WORKING] = argument
        return data

    def next_at(self) -> float | None:
        return None

    def speak(self, now_s: float) -> bytes:
        return b""

    def writes(self) -> list[int]:
        return [address for kind, address in self.asked if kind == "write"]


class Left(Instrument):
    """An instrument whose remote set-point fails for as long as it is used."""

    def hear(self, now_s: float, data: bytes) -> bytes:
        answer = super().hear(now_s, data)
        self.values[STATUS] = self.values[REMOTE_ON] << 14
        return answer


def heater(instrument: Instrument, decimals: int = 1, safe_local_c: float = 20.0) -> Eurotherm3216:
    instrument.values[DECIMALS] = decimals
    return Eurotherm3216("substrate", to(instrument), EurothermConfig(1, safe_local_c, decimals))  # type: ignore[arg-type]
