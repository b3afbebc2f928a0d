"""Beckhoff BK9050 with analogue and digital terminals, Modbus TCP."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class AnalogueInput:
    """One channel: its status register (the value follows), its kind, and what its ends mean in the channel's unit."""

    channel: str
    register: int
    kind: Literal["4-20 mA", "0-10 V", "type K"]
    at_low: float
    at_high: float
    error: float


@dataclass(frozen=True, slots=True)
class DigitalInput:
    channel: str
    input: int


@dataclass(frozen=True, slots=True)
class DigitalOutput:
    name: str
    coil: int


@dataclass(frozen=True, slots=True)
class BeckhoffIoConfig:
    """Unit, the output watchdog in seconds, and what is wired where."""

    unit: int
    watchdog_s: float
    analogue: tuple[AnalogueInput, ...]
    digital: tuple[DigitalInput, ...]
    outputs: tuple[DigitalOutput, ...]


class BeckhoffIo: ...
