"""A flow controller: it hears of a set-point, waits its dead time, and follows to first order; its zero may be off.

Time constants are engineering values (makers quote 0.5 to 3 s to settle); a zero that is off by 0.2 % of full scale is
usual. A controller makes its reading what it was asked for, so the true flow is wrong by as much as its zero.
"""

from __future__ import annotations

from collections import deque
from math import inf

from simulators.plant.gas import Lag

DEAD_S, TAU_S, NEAR_SCCM = 0.1, 0.5, 1e-3


class Flow:
    """One flow controller; flows in sccm."""

    def __init__(self) -> None:
        self.lag = Lag(TAU_S, 0.0, 0.0, NEAR_SCCM)  # what truly flows
        self.zero_sccm = 0.0  # what it measures when nothing flows
        self._asked: deque[tuple[float, float]] = deque()
        self._set = 0.0
        self.mean_sccm = 0.0  # what truly flowed in the last step

    @property
    def next_s(self) -> float:
        """When it will follow another set-point."""
        return self._asked[0][0] if self._asked else inf

    @property
    def target(self) -> float:
        """What it was asked for, heeded or not yet; set, it is heeded at once."""
        return self._asked[-1][1] if self._asked else self._set

    @target.setter
    def target(self, sccm: float) -> None:
        self._asked.clear()
        self._set = sccm
        self._aim()

    @property
    def value(self) -> float:
        """What truly flows."""
        return self.lag.value

    @value.setter
    def value(self, sccm: float) -> None:
        self.lag.value = sccm

    @property
    def reading_sccm(self) -> float:
        return self.lag.value + self.zero_sccm

    def ask(self, sccm: float, at_s: float) -> None:
        """A new set-point."""
        if sccm != self.target:
            self._asked.append((at_s + DEAD_S, sccm))

    def move(self, at_s: float) -> None:
        """Follow the set-points whose dead time has passed."""
        while self._asked and self._asked[0][0] <= at_s:
            self._set = self._asked.popleft()[1]
            self._aim()

    def advance(self, dt_s: float, supplied: bool) -> float:
        """The mean of what truly flows in a step; nothing without supply or against too high a pressure."""
        lag = self.lag
        if not supplied:
            lag.value = 0.0
            self.mean_sccm = 0.0
        elif lag.value != lag.target:
            self.mean_sccm = lag.advance(dt_s)
        else:
            self.mean_sccm = lag.target
        return self.mean_sccm

    def drift(self, zero_sccm: float) -> None:
        """Its zero goes here."""
        self.zero_sccm = zero_sccm
        self._aim()

    def _aim(self) -> None:
        """Without a set-point its valve is shut, whatever it measures."""
        self.lag.target = max(self._set - self.zero_sccm, 0.0) if self._set > 0.0 else 0.0
