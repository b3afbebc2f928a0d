"""How a feed writes a sample: anew where the value is another one, else before its age counts."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf

from ald_controller.interlocks import Sample

FRESH_S = 0.45  # every row takes a value of this age; feeds run ten times a second


def put(samples: dict[str, Sample], name: str, value: float, now_s: float) -> None:
    """Write a value that is known now; the sample that lies there stays while it says the same and is young."""
    before = samples.get(name)
    if before is None or before.value != value or now_s - before.at_s > FRESH_S:
        samples[name] = Sample(value, now_s)


class Family:
    """Samples that are always written together and seldom change: most scans compare them, and are done."""

    def __init__(self, samples: dict[str, Sample], names: Sequence[str]) -> None:
        self._samples, self._names = samples, tuple(names)
        self._told: tuple[float, ...] = ()
        self._told_s = -inf

    def put(self, values: tuple[float, ...], now_s: float) -> None:
        """Write one value for each name, all known now; raises ValueError when there are more or fewer of them."""
        if values == self._told and now_s - self._told_s <= FRESH_S:
            return
        self._told, self._told_s = values, now_s
        for name, value in zip(self._names, values, strict=True):
            self._samples[name] = Sample(float(value), now_s)
