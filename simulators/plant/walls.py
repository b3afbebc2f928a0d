"""One vapour between gas and walls, exactly, for constant feed, pumping and consumption.

With p in the gas and w on the walls, both as the pressure that they make in the gas:
dp/dt = feed - (speed + share/stay) p + w/stay and dw/dt = (share p - w)/stay: the slow pool is what makes a purge of
water long. Source of `SHARE` and of the times: the purges of Groner 2004, fitted.
"""

from __future__ import annotations

from math import expm1, sqrt
from typing import NamedTuple

SHARE = 0.2  # what the walls hold in equilibrium, as a share of what is in the gas


class Pools(NamedTuple):
    """Pressure in the gas and on the walls (Pa) at the end of a step, and the exposure in it (Pa·s)."""

    gas_pa: float
    wall_pa: float
    exposure_pa_s: float


def advance(gas_pa: float, wall_pa: float, feed_pa_s: float, speed: float, stay_s: float, dt_s: float) -> Pools:
    """Let `dt_s` pass; `speed` is all that takes gas away, per second."""
    back = 1.0 / stay_s
    stick = SHARE * back
    a = speed + stick
    spread = sqrt((a - back) ** 2 + 4.0 * back * stick)
    fast = -0.5 * (a + back + spread)
    slow = speed * back / fast  # the product of both is speed * back
    e_slow, e_fast = expm1(slow * dt_s), expm1(fast * dt_s)
    i_slow, i_fast = (e_slow / slow if slow * dt_s < -1e-12 else dt_s), e_fast / fast
    # each function of the matrix M is (f(slow) (M - fast) - f(fast) (M - slow)) / (slow - fast)
    into_gas, onto_walls = back * wall_pa - a * gas_pa, stick * gas_pa - back * wall_pa
    g_slow, g_fast = (into_gas - fast * gas_pa) / spread, (into_gas - slow * gas_pa) / spread
    w_slow, w_fast = (onto_walls - fast * wall_pa) / spread, (onto_walls - slow * wall_pa) / spread
    gas = gas_pa + e_slow * g_slow - e_fast * g_fast
    wall = wall_pa + e_slow * w_slow - e_fast * w_fast
    held = i_slow * g_slow - i_fast * g_fast
    if not feed_pa_s:
        return Pools(gas, wall, held)
    d_slow = (i_slow - dt_s) / slow if slow * dt_s < -1e-4 else 0.5 * dt_s * dt_s * (1.0 + slow * dt_s / 3.0)
    d_fast = (i_fast - dt_s) / fast if fast * dt_s < -1e-4 else 0.5 * dt_s * dt_s * (1.0 + fast * dt_s / 3.0)
    per = feed_pa_s / spread
    fed = per * (i_fast * (a + slow) - i_slow * (a + fast))
    late = per * (d_fast * (a + slow) - d_slow * (a + fast))
    return Pools(gas + fed, wall + per * stick * (i_slow - i_fast), held + late)
