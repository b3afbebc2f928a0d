"""What rows read of the registers, as samples of each scan.

| name                    | value                                                                      |
| register.confirmed.PORT | 1 while somebody has confirmed what hangs at this port, and it is the same |
| register.cylinder_argon | 1 while the register of the cylinder says argon                            |
| register.leak_pa_per_s  | the rise that was measured last; absent when none was                      |
| register.analyser.GAS   | 1 until the next test of this analyser is due                              |
| register.proof_passed   | 1 while the newest proof test has passed, and no line has failed since     |
| register.proof_age_days | its age in days; absent when there is none, or none with a time            |

Registers are dated in UTC and rows read loop time: what turns one into the other is fixed at the start, so a clock that
steps later moves nothing.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable

from ald_controller import stamp
from ald_controller.confirming import is_confirmed
from ald_controller.feeds.put import Family, put
from ald_controller.interlocks import Sample
from ald_controller.interlocks.proof import AGE, PASSED
from ald_controller.registers import AnalyserTest, ProofTest, Registers

CONFIRMED, ANALYSER = "register.confirmed.", "register.analyser."
LEAK, ARGON = "register.leak_pa_per_s", "register.cylinder_argon"
GASES = ("O2", "H2O")
DAY_S = 86_400.0


class RegisterFeeds:
    """Writes into `samples` once a scan; registers are frozen values, so they are looked into when they are others.

    `utc_s` turns loop into unix time; `simulated` = the devices of this tool are, None = nobody said.
    """

    def __init__(
        self, samples: dict[str, Sample], ports: Iterable[str], known: Callable[[], Registers], utc_s: float,
        simulated: bool | None = None,
    ) -> None:  # fmt: skip
        self._samples, self._ports, self._known, self._utc_s = samples, tuple(ports), known, utc_s
        self._simulated = simulated
        self._seen: Registers | None = None
        self._values: dict[str, float] = {}
        self._family = Family(samples, ())
        self._due_s: dict[str, float] = {}  # by gas: when its analyser has to be tested again
        self._proven_s: float | None = None  # when the newest proof test was made

    def look(self, now_s: float) -> None:
        """What nobody has signed for is never good news: 0, overdue, or absent."""
        registers = self._known()
        if registers is not self._seen:
            self._learn(registers)
        self._family.put(tuple(self._values.values()), now_s)
        for gas, due_s in self._due_s.items():
            put(self._samples, ANALYSER + gas, float(now_s < due_s), now_s)
        if self._proven_s is not None:
            put(self._samples, AGE, (now_s - self._proven_s) / DAY_S, now_s)

    def _learn(self, registers: Registers) -> None:
        self._seen = registers
        proof = registers.get("proof")
        self._values = {CONFIRMED + port: float(is_confirmed(registers, port)) for port in self._ports}
        self._values[ARGON] = float(registers.argon)
        self._values[PASSED] = float(isinstance(proof, ProofTest) and proof.proves(simulated=self._simulated))
        if (leak := registers.get("leak")) is not None:
            self._values[LEAK] = leak
        self._family = Family(self._samples, tuple(self._values))
        self._due_s = {gas: self._due(registers, f"analyser.{gas}") for gas in GASES}
        self._proven_s = self._signed_s(registers, "proof") if isinstance(proof, ProofTest) else None
        for name, known in ((LEAK, leak is not None), (AGE, self._proven_s is not None)):
            if not known:
                self._samples.pop(name, None)

    def _due(self, registers: Registers, name: str) -> float:
        test, signed_s = registers.get(name), self._signed_s(registers, name)
        return -math.inf if signed_s is None or not isinstance(test, AnalyserTest) else signed_s + test.every

    def _signed_s(self, registers: Registers, name: str) -> float | None:
        """When a register was signed, in loop time; None where it is not there or has no readable date."""
        entry = registers.entries.get(name)
        at = stamp.seconds(entry.at) if entry is not None else None
        return None if at is None else at - self._utc_s
