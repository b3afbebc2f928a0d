"""Curves through the few points that the literature gives: monotone between them, level beyond the outer ones."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

ZERO_K = 273.15


@dataclass(frozen=True, slots=True)
class Monotone:
    """A cubic through points of rising x that never swings beyond them (Fritsch and Butland 1984); two make a line."""

    xs: tuple[float, ...]
    ys: tuple[float, ...]
    slopes: tuple[float, ...] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "slopes", tuple(_slopes(self.xs, self.ys)))

    def __call__(self, x: float) -> float:
        xs, ys = self.xs, self.ys
        at = bisect_right(xs, x) - 1
        if at < 0 or at >= len(xs) - 1:
            return ys[max(at, 0)]
        width, rise = xs[at + 1] - xs[at], ys[at + 1] - ys[at]
        t = (x - xs[at]) / width
        left, right = self.slopes[at] * width, self.slopes[at + 1] * width
        return ys[at] + t * (left + t * (3 * rise - 2 * left - right + t * (left + right - 2 * rise)))


def _slopes(xs: Sequence[float], ys: Sequence[float]) -> list[float]:
    """Level at every turn, else the harmonic mean of the lines at either side, weighted by the other's width."""
    if len(xs) == 1:
        return [0.0]
    widths = [b - a for a, b in pairwise(xs)]
    lines = [(b - a) / width for (a, b), width in zip(pairwise(ys), widths, strict=True)]
    if len(lines) == 1:
        return [lines[0], lines[0]]
    middle = [
        _between(lines[i], lines[i + 1], widths[i], widths[i + 1]) if lines[i] * lines[i + 1] > 0 else 0.0
        for i in range(len(lines) - 1)
    ]
    first = _outer(lines[0], lines[1], widths[0], widths[1])
    return [first, *middle, _outer(lines[-1], lines[-2], widths[-1], widths[-2])]


def _between(left: float, right: float, width: float, after: float) -> float:
    near, far = 2 * after + width, after + 2 * width
    return (near + far) / (near / left + far / right)


def _outer(line: float, other: float, width: float, beyond: float) -> float:
    """The slope of the parabola through the three outer points, as far as that stays monotone."""
    slope = line + (line - other) * width / (width + beyond)
    if slope * line <= 0:
        return 0.0
    return 3 * line if line * other < 0 and abs(slope) > 3 * abs(line) else slope


def activated(points: Sequence[tuple[float, float]], celsius: float) -> float:
    """A positive value at `celsius` from points (°C, value): its logarithm is a straight line of 1/T between two."""
    at = bisect_right([x for x, _ in points], celsius) - 1
    if at < 0 or at >= len(points) - 1:
        return points[max(at, 0)][1]
    (low_c, low), (high_c, high) = points[at], points[at + 1]
    begin, end, here = (1.0 / (c + ZERO_K) for c in (low_c, high_c, celsius))
    return low * math.exp(math.log(high / low) * (here - begin) / (end - begin))
