"""What lies in the chamber: its area, and how growth begins on it. Nucleation figures stand in `materials.yaml`."""

from __future__ import annotations

from dataclasses import dataclass
from math import exp

from simulators.plant.tables import table


@dataclass(frozen=True, slots=True)
class Sample:
    """A sample of `area_m2`: growth begins at the share `first` of a full layer and grows in over `cycles` cycles.

    `aspect` is that of its holes, as `holes.py` reckons it; 0 is flat.
    """

    area_m2: float = 0.002
    first: float = 1.0
    cycles: float = 1.0
    power: float = 1.0
    aspect: float = 0.0

    def nucleates(self, cycles: float) -> float:
        """How much of a layer grows after so many cycles."""
        return 1.0 - (1.0 - self.first) * exp(-((cycles / self.cycles) ** self.power))


def sample_of(material: str, area_m2: float = 0.002, aspect: float = 0.0) -> Sample:
    """A sample of a material by any of its names; one whose table says nothing of nucleation grows at once."""
    wanted = material.strip().lower()
    for name, entry in table("materials").items():
        if wanted in (alias.lower() for alias in (name, *entry["aliases"])):
            begins = entry.get("nucleation", {})
            first, cycles = float(begins.get("first", 1.0)), float(begins.get("cycles", 1.0))
            return Sample(area_m2, first, cycles, aspect=aspect)
    raise ValueError(f"there is no material '{material}' in materials.yaml")
