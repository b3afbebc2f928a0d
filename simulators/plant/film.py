"""The film on the sample: one surface, two half-reactions; doses saturate, doses that overlap grow too much."""

from __future__ import annotations

from collections.abc import Mapping
from math import exp

from simulators.plant.sources import GROWTH_NM, VAPOURS


class Film:
    """Thickness from exposures; the surface starts ready for a metal-organic.

    One equation for both halves: d(theta)/dt = a (1 - theta) - b theta, growth where the metal-organic reacts.
    """

    def __init__(self) -> None:
        self.thickness_nm = 0.0
        self.covered = 0.0  # share of sites that carry the metal-organic's ligands
        self._pending: dict[str, float] = {}  # reacted metal-organic, in layers, whose partner is not yet known

    def expose(self, exposure_pa_s: Mapping[str, float]) -> None:
        """Take an exposure in Pa·s to each vapour that was there together."""
        metals = {key: x * VAPOURS[key].per_pa_s for key, x in exposure_pa_s.items() if VAPOURS[key].metal}
        partners = {key: x * VAPOURS[key].per_pa_s for key, x in exposure_pa_s.items() if not VAPOURS[key].metal}
        a, b = sum(metals.values()), sum(partners.values())
        if a + b < 1e-9:
            return
        balance, left = a / (a + b), exp(-(a + b))
        reacted = a * ((1.0 - balance) - (self.covered - balance) * (1.0 - left) / (a + b))
        self.covered = balance + (self.covered - balance) * left
        if metals:
            metal = max(metals, key=metals.__getitem__)
            self._pending[metal] = self._pending.get(metal, 0.0) + reacted
        if partners:
            self._grow(max(partners, key=partners.__getitem__))

    def _grow(self, partner: str) -> None:
        """A layer counts once its partner has come; a pair that is not in the table grows nothing."""
        for metal, layers in self._pending.items():
            self.thickness_nm += GROWTH_NM.get((metal, partner), 0.0) * layers
        self._pending.clear()
