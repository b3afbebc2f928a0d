"""What rows read of the registers, as samples of each scan.

| name                    | value                                                                      |
| register.confirmed.PORT | 1 while somebody has confirmed what hangs at this port, and it is the same |
| register.cylinder_argon | 1 while the register of the cylinder says argon                            |
| register.leak_pa_per_s  | the rise that was measured last; absent when none was                      |
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from ald_controller.confirming import is_confirmed
from ald_controller.interlocks import Sample
from ald_controller.registers import Registers

CONFIRMED = "register.confirmed."
LEAK, ARGON = "register.leak_pa_per_s", "register.cylinder_argon"


class RegisterFeeds:
    """Writes into `samples` once a scan; registers are frozen values, so they are looked into when they are others."""

    def __init__(self, samples: dict[str, Sample], ports: Iterable[str], known: Callable[[], Registers]) -> None:
        self._samples, self._ports, self._known = samples, tuple(ports), known
        self._seen: Registers | None = None
        self._values: dict[str, float] = {}

    def look(self, now_s: float) -> None:
        """A port without a confirmation is 0: what nobody has said is never good news."""
        registers = self._known()
        if registers is not self._seen:
            self._seen = registers
            self._values = {CONFIRMED + port: float(is_confirmed(registers, port)) for port in self._ports}
            self._values[ARGON] = float(registers.argon)
            self._samples.pop(LEAK, None)
            if (leak := registers.get("leak")) is not None:
                self._values[LEAK] = leak
        for name, value in self._values.items():
            self._samples[name] = Sample(value, now_s)
