"""Curves through the few points that the literature gives: monotone between them, constant beyond."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from math import exp, log

ZERO_K = 273.15


@dataclass(frozen=True)
class Pchip:
    """A monotone cubic through points of rising x (Fritsch and Butland 1984); of two points it is their line."""

    x: tuple[float, ...]
    y: tuple[float, ...]
    slopes: tuple[float, ...] = field(init=False)

    def __post_init__(self) -> None:
        if not self.x or len(self.x) != len(self.y) or list(self.x) != sorted(set(self.x)):
            raise ValueError(f"x must rise and have as many values as y: {self.x}, {self.y}")
        object.__setattr__(self, "slopes", _slopes(self.x, self.y))

    def __call__(self, at: float) -> float:
        if at <= self.x[0] or at >= self.x[-1]:
            return self.y[0] if at <= self.x[0] else self.y[-1]
        i = bisect_right(self.x, at) - 1
        h = self.x[i + 1] - self.x[i]
        t = (at - self.x[i]) / h
        s = 1.0 - t
        left = (1.0 + 2.0 * t) * s * s * self.y[i] + t * s * s * h * self.slopes[i]
        return left + t * t * (3.0 - 2.0 * t) * self.y[i + 1] - t * t * s * h * self.slopes[i + 1]

    def covers(self, at: float) -> bool:
        """Whether `at` lies between the outer points: beyond them the curve extrapolates."""
        return self.x[0] <= at <= self.x[-1]


def _slopes(x: Sequence[float], y: Sequence[float]) -> tuple[float, ...]:
    """The slope at each point: the weighted harmonic mean of its neighbours', 0 where they differ in sign."""
    if len(x) < 3:
        return ((y[-1] - y[0]) / (x[-1] - x[0]) if len(x) == 2 else 0.0,) * len(x)
    h = [b - a for a, b in pairwise(x)]
    d = [(b - a) / step for (a, b), step in zip(pairwise(y), h, strict=True)]
    inner = [_mean(h[i - 1], h[i], d[i - 1], d[i]) for i in range(1, len(h))]
    return (_end(h[0], h[1], d[0], d[1]), *inner, _end(h[-1], h[-2], d[-1], d[-2]))


def _mean(h0: float, h1: float, d0: float, d1: float) -> float:
    if d0 * d1 <= 0.0:
        return 0.0
    w0, w1 = 2.0 * h1 + h0, h1 + 2.0 * h0
    return (w0 + w1) / (w0 / d0 + w1 / d1)


def _end(h0: float, h1: float, d0: float, d1: float) -> float:
    """The one-sided slope at an outer point, held back so that the curve stays monotone."""
    slope = ((2.0 * h0 + h1) * d0 - h0 * d1) / (h0 + h1)
    if slope * d0 <= 0.0:
        return 0.0
    return 3.0 * d0 if d0 * d1 < 0.0 and abs(slope) > 3.0 * abs(d0) else slope


@dataclass(frozen=True)
class Activated:
    """Points whose logarithm is a straight line of 1/T between two of them; x in °C, constant beyond the points."""

    celsius: tuple[float, ...]
    values: tuple[float, ...]

    def __call__(self, celsius: float) -> float:
        x, y = self.celsius, self.values
        if celsius <= x[0] or celsius >= x[-1]:
            return y[0] if celsius <= x[0] else y[-1]
        i = bisect_right(x, celsius) - 1
        low, high, at = (1.0 / (c + ZERO_K) for c in (x[i], x[i + 1], celsius))
        return y[i] * exp(log(y[i + 1] / y[i]) * (at - low) / (high - low))
