"""What two gauges make of the gas: a capacitance gauge feels every molecule, a thermal one how well the gas conducts.

Sources: a sensor set to nitrogen shows 0.69 of argon's pressure; of the vapours no figure is known, nitrogen's is the
default; time constants of 20 and 100 ms and the noise are engineering values. Steps are exact for a steady rise.
"""

from __future__ import annotations

from math import exp

ARGON = 0.69
VAPOUR = 1.0  # beside nitrogen, unverified default
CAPACITANCE_TAU_S, PIRANI_TAU_S = 0.020, 0.100
OF_VAPOUR = VAPOUR / ARGON  # on a gauge that is set to argon


class Lagging:
    """One gauge that follows what it is given, to first order."""

    def __init__(self, tau_s: float, value: float) -> None:
        self._tau_s, self._true, self.value = tau_s, value, value

    def follow(self, dt_s: float, true: float) -> None:
        """The true value went steadily to `true` within `dt_s`."""
        if true == self._true and self.value == true:
            return
        behind = self._tau_s * (true - self._true) / dt_s
        self.value = true - behind + (self.value - self._true + behind) * exp(-dt_s / self._tau_s)
        self._true = true


class Gauges:
    """Both gauges of the chamber (Pa); the thermal one is set to the carrier's gas."""

    def __init__(self, inert_pa: float) -> None:
        self.capacitance = Lagging(CAPACITANCE_TAU_S, inert_pa)
        self.pirani = Lagging(PIRANI_TAU_S, inert_pa)

    def follow(self, dt_s: float, inert_pa: float, vapours_pa: float) -> None:
        self.capacitance.follow(dt_s, inert_pa + vapours_pa)
        self.pirani.follow(dt_s, inert_pa + OF_VAPOUR * vapours_pa)
