"""MKS 925 MicroPirani transducer, ASCII protocol."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class MksConfig:
    """Address 1–253."""

    unit: int


class Mks925: ...
