"""Alicat mass-flow controller, ASCII protocol."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class AlicatConfig:
    """Unit id A–Z on its line, full scale in sccm and the gas by Alicat's short name."""

    unit: str
    full_scale_sccm: float
    gas: str


class Alicat: ...
