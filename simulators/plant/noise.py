"""Noise that depends on nothing but a seed, a channel and the time: the same run gives the same readings again."""

from __future__ import annotations

import struct
from math import floor, nan, sqrt

_PARTS = struct.Struct("<4H")
_MASK = (1 << 64) - 1
_SCALE = sqrt(3.0) / 65535.0


def _normal(key: int) -> float:
    """Nearly normal, mean 0, deviation 1: the sum of the four 16-bit parts of a mixed 64-bit number.

    The mixer is that of splitmix64 (Steele, Lea, Flood: Fast splittable pseudorandom number generators, 2014).
    """
    key = (key * 0x9E3779B97F4A7C15) & _MASK
    key = ((key ^ (key >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    key = ((key ^ (key >> 27)) * 0x94D049BB133111EB) & _MASK
    key ^= key >> 31
    one, two, three, four = _PARTS.unpack(key.to_bytes(8, "little"))
    around_0: int = one + two + three + four - 131070
    return around_0 * _SCALE


class Noise:
    """One channel's noise; `channel` keeps channels of one seed apart."""

    def __init__(self, seed: int, channel: str) -> None:
        self._key = int.from_bytes(f"{seed}/{channel}".encode(), "little") % 0xFFFFFFFB << 32
        self._between = nan, 0.0, 0.0  # the turn that a slow read-out was in last, its value there and at the next one

    def fast(self, at_s: float) -> float:
        """White, deviation 1, new every 0.1 ms."""
        return _normal(self._key + int(at_s * 1e4))

    def slow(self, at_s: float, period_s: float) -> float:
        """A wandering value, deviation below 1, that turns about once per `period_s` seconds."""
        turns = at_s / period_s
        whole, here, there = self._between
        if whole != floor(turns):
            whole = floor(turns)
            here, there = _normal(self._key + whole), _normal(self._key + whole + 1)
            self._between = whole, here, there
        part = turns - whole
        return here * (1 - part) + there * part
