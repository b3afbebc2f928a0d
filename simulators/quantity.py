"""Quantities of a tool file, as its people write them."""

from __future__ import annotations


def quantity(text: str, unit: str) -> float:
    """The number of '100 sccm'; raises ValueError for any other unit than the one asked for."""
    number, _, given = str(text).partition(" ")
    if given.strip() != unit:
        raise ValueError(f"'{text}' is not in {unit}")
    return float(number)
