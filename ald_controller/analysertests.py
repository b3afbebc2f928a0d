"""Whether the analysers of the glovebox were tested in time: `register.analyser.GAS` is 1 until a test is overdue.

The register is dated in UTC and the row reads loop time: what turns one into the other is fixed at the start, so a
clock that steps later moves nothing.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from ald_controller import stamp
from ald_controller.interlocks import Sample
from ald_controller.registers import AnalyserTest, Registers

GASES = ("O2", "H2O")


class AnalyserTests:
    """Writes the samples once a scan; `utc_s` turns loop into unix time."""

    def __init__(self, samples: dict[str, Sample], known: Callable[[], Registers], utc_s: float) -> None:
        self._samples, self._known, self._utc_s = samples, known, utc_s
        self._seen: Registers | None = None
        self._due_s: dict[str, float] = {}

    def look(self, now_s: float) -> None:
        """An analyser without a signed test is overdue."""
        registers = self._known()
        if registers is not self._seen:
            self._seen = registers
            self._due_s = {gas: self._due(registers, gas) for gas in GASES}
        for gas, due_s in self._due_s.items():
            self._samples[f"register.analyser.{gas}"] = Sample(float(now_s < due_s), now_s)

    def _due(self, registers: Registers, gas: str) -> float:
        test = registers.get(f"analyser.{gas}")
        signed = stamp.seconds(registers.entries[f"analyser.{gas}"].at) if isinstance(test, AnalyserTest) else None
        return -math.inf if signed is None else signed + test.every - self._utc_s
