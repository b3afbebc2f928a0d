"""What the rows are built from: the tool file, the commissioned constants, and the bottles that hang there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ald_controller.config import ToolConfig
from ald_controller.interlocks.constants import NOTHING_COMMISSIONED, Constants
from ald_controller.interlocks.table import Facts

LINK_S = 0.5  # five polls of coupler B at 10 Hz


@dataclass(frozen=True, slots=True)
class Hung:
    """The bottle at one port, as far as rows need it; temperatures in °C, None where the registry has none."""

    precursor: str
    pyrophoric: bool
    max_c: float | None = None
    min_c: float | None = None


@dataclass(frozen=True, slots=True)
class Setting:
    """One reactor as it is now. `compatible` are pairs of ports that the registry lets be open together."""

    config: ToolConfig
    constants: Constants = NOTHING_COMMISSIONED
    bottles: Mapping[str, Hung] = field(default_factory=dict)  # by port
    compatible: frozenset[frozenset[str]] = frozenset()


def device_of(signal: str) -> str:
    """The device of a signal `device.channel`."""
    return signal.split(".", maxsplit=1)[0]


def always(facts: Facts) -> bool:
    return True


def lithium(facts: Facts) -> bool:
    return facts.lithium


def gate_unproven(facts: Facts) -> bool:
    return not facts.gate_proven_shut


def under_vacuum(facts: Facts) -> bool:
    return facts.chamber == "VACUUM"
