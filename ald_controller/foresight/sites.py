"""Sites of a growing film: what exposures to its precursors do to them, and what a steady cycle grows.

A film of n steps is a ring of n states; step i takes sites from state i to the next one, and the last step has grown a
layer. Doses that fall short, doses that saturate and growth without end where vapours meet all follow from it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import exp, expm1

SMALL = 1e-12


@dataclass(slots=True)
class Sites:
    """Shares of all sites by state, for each class of sites: (its part of all, how fast the first step goes there)."""

    steps: int
    classes: tuple[tuple[float, float], ...] = ((1.0, 1.0),)
    shares: list[list[float]] = field(init=False)

    def __post_init__(self) -> None:
        self.shares = [[1.0] + [0.0] * (self.steps - 1) for _ in self.classes]

    def after(self, doses: Sequence[float]) -> tuple[list[list[float]], list[float]]:
        """The shares after these doses (reactions per site that each step could do), and what each step moved."""
        shares, moved = [], [0.0] * self.steps
        for (part, factor), now in zip(self.classes, self.shares, strict=True):
            x = [doses[0] * factor, *doses[1:]]
            left, more = _pair(now, x) if self.steps == 2 else _ring(now, x)
            shares.append(left)
            moved = [m + part * n for m, n in zip(moved, more, strict=True)]
        return shares, moved

    def ready(self, step: int) -> float:
        """Share of the sites that this step would find."""
        return sum(part * now[step] for (part, _), now in zip(self.classes, self.shares, strict=True))


def _pair(now: Sequence[float], x: Sequence[float]) -> tuple[list[float], list[float]]:
    """Two states that exchange sites, exactly."""
    both = x[0] + x[1]
    if both < SMALL:
        return list(now), [0.0, 0.0]
    level = x[0] / both  # share in the second state, in the end
    off = now[1] - level
    ended = level + off * exp(-both)
    mean = level - off * expm1(-both) / both
    return [1.0 - ended, ended], [x[0] * (1.0 - mean), x[1] * mean]


def _ring(now: Sequence[float], x: Sequence[float]) -> tuple[list[float], list[float]]:
    """Three states, one move after the other: exact while only one precursor is there."""
    left, moved = list(now), [0.0] * len(x)
    for i, dose in enumerate(x):
        if dose > SMALL:
            moved[i] = -left[i] * expm1(-dose)
            left[i] -= moved[i]
            left[(i + 1) % len(x)] += moved[i]
    return left, moved


def steady(doses: Sequence[float], classes: tuple[tuple[float, float], ...] = ((1.0, 1.0),)) -> float:
    """Layers that a steady cycle grows when no two vapours ever meet; `doses` = reactions per site of each step.

    For two steps it is (1-x1)(1-x2)/(1-x1 x2) with x = exp(-dose), as in aldenv's SingleALD.
    """
    return sum(part * _one([doses[0] * factor, *doses[1:]]) for part, factor in classes)


def _one(doses: Sequence[float]) -> float:
    missed = [exp(-dose) for dose in doses]
    if len(doses) == 2:
        whole = 1.0 - missed[0] * missed[1]
        return (1.0 - missed[0]) * (1.0 - missed[1]) / whole if whole > SMALL else 0.0
    shares, grown = [1.0] + [0.0] * (len(doses) - 1), 0.0
    for _ in range(200):
        before = grown
        for i, share in enumerate(missed):
            grown = shares[i] * (1.0 - share)
            shares[i] -= grown
            shares[(i + 1) % len(shares)] += grown
        if abs(grown - before) < 1e-9:
            break
    return grown
