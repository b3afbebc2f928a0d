"""One thermocouple on one piece of metal: it lags behind it, is off by a little, and can go wrong in five ways."""

from __future__ import annotations

from dataclasses import dataclass
from math import exp

OPEN_C = 1400.0


@dataclass(slots=True)
class Thermocouple:
    """`celsius` is its junction, `reading_c` what the instrument sees of it. Its faults are knobs; set back, they end.

    `drift_k_s` adds up for as long as it is not 0 and is kept; `loose_s` is the time constant with which a junction
    that fell off comes to the temperature of the room.
    """

    tau_s: float
    celsius: float
    offset_k: float = 0.0
    open: bool = False
    drift_k_s: float = 0.0
    loose_s: float | None = None
    stuck_c: float | None = None

    def follow(self, metal_c: float, room_c: float, dt_s: float) -> None:
        """Let `dt_s` pass with the metal at `metal_c`."""
        around_c, tau_s = (metal_c, self.tau_s) if self.loose_s is None else (room_c, self.loose_s)
        self.celsius += (around_c - self.celsius) * (1.0 - exp(-dt_s / tau_s))
        self.offset_k += self.drift_k_s * dt_s

    def freeze(self) -> None:
        """From now on the same reading, to the last digit, until `stuck_c` is None again."""
        self.stuck_c = self.reading_c

    @property
    def reading_c(self) -> float:
        """Far beyond full scale when it is open."""
        if self.open:
            return OPEN_C
        return self.celsius + self.offset_k if self.stuck_c is None else self.stuck_c

    def read_c(self, noise_k: float) -> float:
        """The reading with the instrument's noise, which a stuck reading does not have."""
        return self.reading_c if self.stuck_c is not None else self.reading_c + noise_k
