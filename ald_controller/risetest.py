"""The rise test: the chamber is shut off without flow, and how fast its pressure rises tells leak and outgassing."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

LOOK_S = 0.25
LEAST_S = 20.0  # a rise that was seen for a shorter time is no rise: the noise of a gauge would be taken for one
AFTER_SHUT_S = 5.0  # the gas that the closing valve has moved has settled


@dataclass(slots=True)
class Rise:
    """Pressure over time behind the shut stop valve."""

    points: list[tuple[float, float]] = field(default_factory=list)  # loop time in s, Pa

    def look(self, at_s: float, pressure_pa: float | None) -> None:
        """Take a reading; one that cannot be believed begins the test anew."""
        if pressure_pa is None:
            self.points.clear()
        else:
            self.points.append((at_s, pressure_pa))

    def pa_per_s(self) -> float | None:
        """The slope of the straight line nearest to all readings, in Pa/s; None when there are too few of them."""
        if not self.points or self.points[-1][0] - self.points[0][0] < LEAST_S:
            return None
        mean_s = sum(at_s for at_s, _ in self.points) / len(self.points)
        spread = sum((at_s - mean_s) ** 2 for at_s, _ in self.points)
        return sum((at_s - mean_s) * pa for at_s, pa in self.points) / spread


async def watched(shut: Awaitable[None], pressure_pa: Callable[[], float | None], begins_s: float) -> Rise:
    """What the gauge says while the chamber is `shut`, from `begins_s` after its begin; errors of `shut` pass on."""
    loop = asyncio.get_running_loop()
    rise, from_s = Rise(), loop.time() + begins_s
    shutting = asyncio.ensure_future(shut)
    try:
        while not shutting.done():
            await asyncio.wait({shutting}, timeout=LOOK_S)
            if loop.time() >= from_s and not shutting.done():
                rise.look(loop.time(), pressure_pa())
    finally:
        shutting.cancel()
    await shutting
    return rise
