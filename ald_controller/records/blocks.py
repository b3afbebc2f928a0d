"""Readings of one channel as one compressed block: times, values, qualities.

A block is zlib over three parts: `n` times and `n` values as little-endian doubles, each transposed so that the first
bytes of all numbers come first, then `n` quality bytes. Transposing halves the size: neighbours share their high bytes.
"""

from __future__ import annotations

import zlib
from array import array
from collections.abc import Sequence
from typing import NamedTuple

from ald_controller.interlocks import Quality, Sample

QUALITY = {"good": 0, "uncertain": 1, "bad": 2, "test": 3}
QUALITIES = tuple(QUALITY)
_DOUBLE = 8
_GOOD = Quality.GOOD  # an Enum looks its members up each time, and nearly all are this one


class Series(NamedTuple):
    """One channel over time: loop seconds, values in the channel's unit, index into QUALITIES for each."""

    times: array[float]
    values: array[float]
    quality: bytes


def raw(samples: Sequence[Sample]) -> tuple[bytes, bytes, bytes]:
    """Times and values as doubles, and the qualities: what `pack` takes."""
    times = array("d", [sample.at_s for sample in samples])
    values = array("d", [sample.value for sample in samples])
    qualities = bytes([0 if sample.quality is _GOOD else QUALITY[sample.quality.value] for sample in samples])
    return times.tobytes(), values.tobytes(), qualities


def pack(times: bytes, values: bytes, quality: bytes) -> bytes:
    """The block of these raw doubles; lengths 8n, 8n and n bytes."""
    return zlib.compress(_transpose(times) + _transpose(values) + quality, 1)


def unpack(n: int, block: bytes) -> Series:
    """The readings of a block; raises ValueError when it does not hold exactly `n`."""
    raw = zlib.decompress(block)
    if len(raw) != n * (2 * _DOUBLE + 1):
        raise ValueError(f"a block says {n} readings and holds {len(raw)} bytes, which is not {n} x 17")
    half = n * _DOUBLE
    times, values = array("d"), array("d")
    times.frombytes(_restore(raw[:half]))
    values.frombytes(_restore(raw[half : 2 * half]))
    return Series(times, values, raw[2 * half :])


def _transpose(raw: bytes) -> bytes:
    return b"".join(raw[i::_DOUBLE] for i in range(_DOUBLE))


def _restore(raw: bytes) -> bytes:
    out, n = bytearray(len(raw)), len(raw) // _DOUBLE
    for i in range(_DOUBLE):
        out[i::_DOUBLE] = raw[i * n : (i + 1) * n]
    return bytes(out)
