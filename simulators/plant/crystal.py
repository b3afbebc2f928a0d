"""A quartz crystal beside the sample: its frequency falls with mass, drifts with heat, and jumps at each gas switch.

Sources: Sauerbrey's 12.3 ng/cm² per Hz at 6 MHz; noise of 0.1 Hz; thermal drift of 1 to 5 Hz/K and a small transient
after each dose as films of this kind are published with. Amplitudes are engineering values.
"""

from __future__ import annotations

from math import exp

from simulators.plant.noise import Noise

FRESH_HZ, NG_CM2_PER_HZ = 6_000_000.0, 12.3
NOISE_HZ, DRIFT_HZ_K = 0.1, 2.0
JUMP_HZ, JUMP_TAU_S = 0.5, 0.8


class Crystal:
    """One fresh crystal that was put in at `at_c`."""

    def __init__(self, noise: Noise, at_c: float) -> None:
        self._noise, self._put_in_c = noise, at_c
        self._jump_hz, self._jumped_s = 0.0, 0.0

    def gas_switched(self, at_s: float, opened: bool) -> None:
        """A valve moved: warm or cold gas strikes the crystal."""
        self._jump_hz = self._left_hz(at_s) + (JUMP_HZ if opened else -JUMP_HZ)
        self._jumped_s = at_s

    def hz(self, gained_ng_cm2: float, celsius: float, at_s: float) -> float:
        """Its frequency with this mass on it, at this temperature."""
        heat = DRIFT_HZ_K * (celsius - self._put_in_c)
        noise = NOISE_HZ * self._noise.fast(at_s)
        return FRESH_HZ - gained_ng_cm2 / NG_CM2_PER_HZ + heat + self._left_hz(at_s) + noise

    def _left_hz(self, at_s: float) -> float:
        return self._jump_hz * exp(-(at_s - self._jumped_s) / JUMP_TAU_S) if self._jump_hz else 0.0
