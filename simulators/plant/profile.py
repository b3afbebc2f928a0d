"""The coverage along a hole: Knudsen diffusion to sites that react.

In the units of `holes.py`. Gas settles at once, beside how fast sites are covered; of what strikes the mouth a whole
hole passes (4/3)/a, as a long tube does. So the dose that covers it to its bottom, where every molecule sticks, is
Gordon's 1 + 19/4 a + 3/2 a². Source: the diffusion and reaction model of Yanguas-Gil and Elam 2012, Chem. Vap. Depos.
18, 46 (cited from memory); checked against machball 0.3.0, whose molecules fly straight.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil, expm1
from typing import NamedTuple

CELLS, STEP = 60, 0.02  # of its depth; share of the free sites at the mouth that one step covers


class Profile(NamedTuple):
    """Coverage in the middle of each of equal parts of the depth, from the mouth, and at the bottom."""

    walls: tuple[float, ...]
    bottom: float

    def at(self, depth: float) -> float:
        """Coverage at this share of the depth, linear between the middles."""
        place = min(max(depth * len(self.walls) - 0.5, 0.0), len(self.walls) - 1.0)
        i = min(int(place), len(self.walls) - 2)
        return self.walls[i] + (place - i) * (self.walls[i + 1] - self.walls[i])

    @property
    def mean(self) -> float:
        """Over the walls."""
        return sum(self.walls) / len(self.walls)


def profile(sticking: float, aspect: float, exposure: float, cells: int = CELLS) -> Profile:
    """What an exposure covers of a bare hole; `exposure` in what brings one molecule to each site of a flat surface."""
    steps = ceil(exposure * sticking / STEP)
    part = exposure / steps if steps else 0.0
    free, bottom = [1.0] * cells, 1.0
    for _ in range(steps):
        gas, at_bottom = _gas(sticking, aspect, free, bottom)
        free = [share * (1.0 + expm1(-sticking * there * part)) for share, there in zip(free, gas, strict=True)]
        bottom *= 1.0 + expm1(-sticking * at_bottom * part)
    return Profile(tuple(1.0 - share for share in free), 1.0 - bottom)


def _gas(sticking: float, aspect: float, free: Sequence[float], bottom: float) -> tuple[list[float], float]:
    """What strikes walls and bottom, as a share of what strikes the mouth, while these shares of sites are free."""
    cells = len(free)
    between = 4.0 / 3.0 / aspect * cells  # from one middle to the next
    mouth = 1.0 / (1.0 + 0.5 / between)  # an aperture, and half a part
    end = 1.0 / (1.0 / (sticking * bottom) + 0.5 / between) if bottom > 0.0 else 0.0
    eaten = 4.0 * aspect / cells * sticking
    # Thomas' algorithm for -between n[i-1] + diagonal n[i] - between n[i+1] = given
    ahead, value = [0.0] * cells, [0.0] * cells
    for i, share in enumerate(free):
        before = mouth if i == 0 else between
        after = end if i == cells - 1 else between
        pivot = before + after + eaten * share - (between * ahead[i - 1] if i else 0.0)
        ahead[i] = between / pivot
        value[i] = (mouth if i == 0 else between * value[i - 1]) / pivot
    for i in range(cells - 2, -1, -1):
        value[i] += ahead[i] * value[i + 1]
    return value, end * value[-1] / (sticking * bottom) if bottom > 0.0 else value[-1]
