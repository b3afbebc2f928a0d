"""One vapour between gas and walls: what walls hold comes back slowly, which is what makes purges long.

With p in the gas and w on the walls, as the pressure that it would make there:
dp/dt = feed - (away + r b) p + b w,   dw/dt = r b p - b w,   b = 1/stay, r = `share`.
"""

from __future__ import annotations

from math import exp, sqrt


def pass_time(
    gas_pa: float, wall_pa: float, feed_pa_s: float, away: float, stay_s: float, share: float, dt_s: float
) -> tuple[float, float, float]:
    """Gas and walls (Pa) after `dt_s`, and the exposure meanwhile (Pa·s); `away` is all that takes gas, per s, over 0.

    `share` is what walls hold in equilibrium, beside the gas. Exact for what is constant: e^(Mt) by the
    eigenvalues of M, the exposure by what came, went and is still there.
    """
    back = 1.0 / stay_s
    onto = share * back
    half = 0.5 * (away + onto + back)
    root = sqrt(half * half - away * back)
    fast = -(half + root)
    slow = away * back / fast
    level = feed_pa_s / away
    p, w = gas_pa - level, wall_pa - share * level
    of_slow, of_fast = exp(slow * dt_s), exp(fast * dt_s)
    mixed, plain = (of_slow - of_fast) / (slow - fast), (slow * of_fast - fast * of_slow) / (slow - fast)
    p1 = mixed * (back * w - (away + onto) * p) + plain * p
    w1 = mixed * (onto * p - back * w) + plain * w
    exposure = level * dt_s + (p - p1 + w - w1) / away
    return p1 + level, w1 + share * level, max(exposure, 0.0)
