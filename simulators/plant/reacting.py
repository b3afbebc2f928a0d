"""The gas that reacts: what the surface takes leaves the gas, with no more taken than there is.

What the reactions give off enters the gas, as one gas that sticks to nothing.

The surface's appetite depends on the exposure and the exposure on the appetite. So each vapour is given a constant
rate of consumption over the step, such that what the gas loses by it is what the surface takes: an implicit step, right
for a sample of square metres that takes a dose within milliseconds, and conserving. While next to nothing reacts the
surface is asked seldom, with the exposures that came together meanwhile.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from simulators.plant.gas import Contents
from simulators.plant.holes import Half, Holes
from simulators.plant.sources import vapours
from simulators.plant.surface import Reacted, Surface
from simulators.plant.walls import Pools, advance

ROUNDS = 24
CLOSE = 1e-3  # of what a step consumes
QUIET_SITES, QUIET_S = 2e-3, 0.5  # the surface is asked again before so many have changed, or so much time has passed


class Conditions(NamedTuple):
    """What is constant in a step: pumping per second, temperatures of wall and sample, Pa per molecule on a m²."""

    dt_s: float
    speed: float
    wall_c: float
    surface_c: float
    pa_m2: float


class Reactor:
    """One gas over one surface."""

    def __init__(self, gas: Contents, surface: Surface) -> None:
        self._gas, self._surface = gas, surface
        self._eaten: dict[str, float] = {}  # share per second of each vapour that the surface takes
        self._owed_pa_s: dict[str, float] = {}  # exposures that the surface has not been told of
        self._owed_s = 0.0
        self._stay_s: dict[str, float] = {}  # on walls of this temperature, to 0.1 K
        self._wall_c = 0.0
        self.sites_s = 0.0  # how many sites change their state per second, as a share of all
        self.holes = Holes()

    def advance(self, fed_pa_s: Mapping[str, float], now: Conditions) -> None:
        """Feed (Pa/s of each vapour), pump, adsorb and react for one step."""
        if abs(now.wall_c - self._wall_c) > 0.1:
            self._stay_s.clear()
            self._wall_c = now.wall_c
        self._owed_s += now.dt_s
        if not fed_pa_s and self._owed_s < QUIET_S and self.sites_s * self._owed_s < QUIET_SITES:
            self._coast(now)
            return
        keys = {**self._gas.vapours_pa, **fed_pa_s} if fed_pa_s else self._gas.vapours_pa
        pools = {key: self._pools(key, fed_pa_s.get(key, 0.0), self._eaten.get(key, 0.0), now) for key in keys}
        for key, pool in pools.items():
            self.holes.exposed(key, pool.exposure_pa_s)
        self._react(pools, fed_pa_s, now)
        self._owed_s = 0.0
        self._owed_pa_s.clear()

    def _coast(self, now: Conditions) -> None:
        """Go on without asking the surface, which takes what it took."""
        owed, eaten, gas, holes = self._owed_pa_s, self._eaten, self._gas, self.holes
        for key, before_pa in tuple(gas.vapours_pa.items()):
            stay_s = self._stay_s.get(key) or self._stay(key, now)
            speed = now.speed + eaten.get(key, 0.0)
            gas_pa, wall_pa, exposure_pa_s = advance(
                before_pa, gas.walls_pa.get(key, 0.0), 0.0, speed, stay_s, now.dt_s
            )
            owed[key] = owed.get(key, 0.0) + exposure_pa_s
            if key == holes.precursor:
                holes.exposed(key, exposure_pa_s)
            gas.settle(key, gas_pa, wall_pa)

    def coated(self, aspect: float, celsius: float) -> dict[str, float]:
        """How far down holes the last half-cycle of each precursor went: 1 is the bottom; empty for a flat sample."""
        shares = {}
        for key, pa_s in self.holes.exposure_pa_s.items():
            film = self._surface.film_of(key)
            if film is not None and aspect > 0.0:
                shares[key] = min(Half(vapours()[key], film, celsius).reached(pa_s) / aspect, 1.0)
        return shares

    def _react(self, pools: dict[str, Pools], fed_pa_s: Mapping[str, float], now: Conditions) -> None:
        reacted, wanted = self._ask(pools, now)
        for _ in range(ROUNDS):
            if not self._far(wanted, now.dt_s):
                break
            self._eaten = wanted
            pools = {key: self._pools(key, fed_pa_s.get(key, 0.0), wanted[key], now) for key in pools}
            reacted, wanted = self._ask(pools, now)
        for key, pool in pools.items():
            exposure_pa_s = pool.exposure_pa_s + self._owed_pa_s.get(key, 0.0)
            lost_pa = (wanted[key] - self._eaten.get(key, 0.0)) * exposure_pa_s
            self._gas.settle(key, pool.gas_pa - lost_pa, pool.wall_pa)
        self._eaten, self.sites_s = wanted, 0.0
        if reacted is not None:
            self.sites_s = sum(layers for _, layers in reacted.layers) / self._owed_s
            self._surface.take(reacted, now.surface_c)
            self._gas.give_off(reacted.given_m2 * now.pa_m2, now.dt_s, now.speed)

    def _far(self, wanted: Mapping[str, float], dt_s: float) -> bool:
        """Whether what the surface wanted is too far from what the gas was made to lose."""
        eaten = self._eaten
        return any(
            abs(per_s - eaten.get(key, 0.0)) * dt_s > CLOSE * (1.0 + per_s * dt_s) for key, per_s in wanted.items()
        )

    def _ask(self, pools: Mapping[str, Pools], now: Conditions) -> tuple[Reacted | None, dict[str, float]]:
        """What the surface would do, and the rate per second at which it would take each vapour meanwhile."""
        owed = self._owed_pa_s
        exposures = {key: pool.exposure_pa_s + owed.get(key, 0.0) for key, pool in pools.items()}
        reacted = self._surface.probe(exposures, now.surface_c)
        if reacted is None:
            return None, dict.fromkeys(exposures, 0.0)
        taken, per_m2 = reacted.taken_m2, now.pa_m2
        return reacted, {
            key: taken.get(key, 0.0) * per_m2 / pa_s if pa_s > 0.0 else 0.0 for key, pa_s in exposures.items()
        }

    def _pools(self, key: str, fed_pa_s: float, eaten: float, now: Conditions) -> Pools:
        stay_s = self._stay_s.get(key) or self._stay(key, now)
        gas_pa, wall_pa = self._gas.vapours_pa.get(key, 0.0), self._gas.walls_pa.get(key, 0.0)
        return advance(gas_pa, wall_pa, fed_pa_s, now.speed + eaten, stay_s, now.dt_s)

    def _stay(self, key: str, now: Conditions) -> float:
        stay_s = self._stay_s[key] = vapours()[key].stay_s(now.wall_c)
        return stay_s
