"""What is in the glovebox over its usual level, where its purifier stands still, gloves are in use, or air leaks in.

V dc/dt = in - Q c, exactly between changes. Sources: a measured box of 1 m³ takes in 1.2 ppm of oxygen per hour when it
is closed and 3 ppm with two gloves, its purifier moves 50 m³/h; that gloves let in five times as much water, and how
moist air is, are values from memory.
"""

from __future__ import annotations

from math import exp

CLEANED_PER_H = 50.0
CLOSED_PPM_H, GLOVE_PPM_H = 1.2, 0.9
WATER_PER_OXYGEN = 5.0  # through gloves and seals
AIR_O2_PPM, AIR_H2O_PPM = 209_500.0, 12_000.0
USUAL_GLOVES = 2


class Glovebox:
    """Oxygen and water beyond the level of a box in order (ppm); `change` turns its knobs."""

    def __init__(self, at_s: float) -> None:
        self._at_s = at_s
        self._o2_ppm = self._h2o_ppm = 0.0
        self.purifier, self.gloves, self.leak_per_h = True, USUAL_GLOVES, 0.0

    def change(
        self,
        at_s: float,
        *,
        purifier: bool | None = None,
        gloves: int | None = None,
        leak_per_h: float | None = None,
    ) -> None:
        """From `at_s` on: does the purifier run, how many gloves are in use, how many volumes of air leak in per hour.

        5e-4 per hour is the most that a box of class 1 of ISO 10648-2 may leak.
        """
        self._advance(at_s)
        self.purifier = self.purifier if purifier is None else purifier
        self.gloves = self.gloves if gloves is None else gloves
        self.leak_per_h = self.leak_per_h if leak_per_h is None else leak_per_h

    def over_o2_ppm(self, at_s: float) -> float:
        self._advance(at_s)
        return self._o2_ppm

    def over_h2o_ppm(self, at_s: float) -> float:
        self._advance(at_s)
        return self._h2o_ppm

    def _advance(self, at_s: float) -> None:
        hours = (at_s - self._at_s) / 3600.0
        self._at_s = max(at_s, self._at_s)
        in_order = self.purifier and self.gloves == USUAL_GLOVES and not self.leak_per_h
        if hours <= 0.0 or (in_order and not self._o2_ppm and not self._h2o_ppm):
            return
        seeps = GLOVE_PPM_H * (self.gloves - USUAL_GLOVES)
        if not self.purifier:  # what the level comes from is no more taken out
            seeps += CLOSED_PPM_H + GLOVE_PPM_H * USUAL_GLOVES
        self._o2_ppm = self._after(self._o2_ppm, seeps + self.leak_per_h * AIR_O2_PPM, hours)
        self._h2o_ppm = self._after(self._h2o_ppm, WATER_PER_OXYGEN * seeps + self.leak_per_h * AIR_H2O_PPM, hours)

    def _after(self, ppm: float, in_ppm_h: float, hours: float) -> float:
        if not self.purifier:
            return ppm + in_ppm_h * hours
        steady = in_ppm_h / CLEANED_PER_H
        left = steady + (ppm - steady) * exp(-CLEANED_PER_H * hours)
        return left if abs(left) > 1e-6 else 0.0
