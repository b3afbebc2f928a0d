"""Eurotherm 3216 temperature loop, Modbus RTU."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class EurothermConfig:
    """Unit 1–254 and the local set-point in °C that the instrument falls back to."""

    unit: int
    safe_local_c: float
    decimals: int = 1


class Eurotherm3216: ...
