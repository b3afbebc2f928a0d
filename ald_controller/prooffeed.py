"""How old the newest proof test is, as samples of each scan.

| name                    | value                                                          |
| register.proof_passed   | 1 while the newest proof test has passed                       |
| register.proof_age_days | its age in days; absent when there is none, or none with a time |

The register is dated in UTC and the row reads loop time: what turns one into the other is fixed at the start, so a
clock that steps later moves nothing.
"""

from __future__ import annotations

from collections.abc import Callable

from ald_controller import stamp
from ald_controller.interlocks import Sample
from ald_controller.interlocks.proof import AGE, PASSED
from ald_controller.registers import ProofTest, Registers

DAY_S = 86_400.0
BY_SIMULATION = "simulation"


class ProofFeed:
    """Writes the samples once a scan; `utc_s` turns loop into unix time."""

    def __init__(self, samples: dict[str, Sample], known: Callable[[], Registers], utc_s: float) -> None:
        self._samples, self._known, self._utc_s = samples, known, utc_s
        self._seen: Registers | None = None
        self._passed = False
        self._since_s: float | None = None  # in loop time

    def look(self, now_s: float) -> None:
        registers = self._known()
        if registers is not self._seen:
            self._seen = registers
            self._passed, self._since_s = self._newest(registers)
        self._samples[PASSED] = Sample(float(self._passed), now_s)
        if self._since_s is None:
            self._samples.pop(AGE, None)
        else:
            self._samples[AGE] = Sample((now_s - self._since_s) / DAY_S, now_s)

    def _newest(self, registers: Registers) -> tuple[bool, float | None]:
        """Whether it passed, and when it was in loop time."""
        test = registers.get("proof")
        if not isinstance(test, ProofTest):
            return False, None
        at = stamp.seconds(registers.entries["proof"].at)
        return test.passed, None if at is None else at - self._utc_s


def simulated_proof(now: float) -> tuple[dict[str, object], str, str]:
    """What a simulated tool starts with where it has no proof test: value, signature and date of the register.

    Nothing was proven: a simulated reactor stands for a tool that was, and its register says by whom.
    """
    return {"passed": True, "certificate": "none: a simulated tool"}, BY_SIMULATION, stamp.iso(now)
