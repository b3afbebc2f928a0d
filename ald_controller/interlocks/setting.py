"""What the rows are built from: the tool file, the commissioned constants, and the bottles that hang there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ald_controller.commissioned import NOTHING_COMMISSIONED, Constants
from ald_controller.config import ToolConfig
from ald_controller.interlocks.table import Blocks, Check, Facts, Level, Reaction, Reset
from ald_controller.interlocks.thermal_measures import Uncommissioned

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
    """Lithium in the chamber, or an unknown load."""
    return facts.lithium


def gate_unproven(facts: Facts) -> bool:
    """The gate is not proven shut."""
    return not facts.gate_proven_shut


def gate_proven_shut(facts: Facts) -> bool:
    """The gate is proven shut."""
    return facts.gate_proven_shut


def gate_released(facts: Facts) -> bool:
    """The gate's lock was released here."""
    return facts.gate_released


def gate_not_released(facts: Facts) -> bool:
    """The gate's lock was not released here."""
    return not facts.gate_released


def regenerates(facts: Facts) -> bool:
    """The box is known to regenerate, and the gate is proven shut."""
    return facts.regenerating and facts.gate_proven_shut


def regenerates_not(facts: Facts) -> bool:
    """The box is not known to regenerate, or the gate is not proven shut."""
    return not regenerates(facts)


def under_vacuum(facts: Facts) -> bool:
    """The chamber is under proven vacuum."""
    return facts.chamber == "VACUUM"


def never_commissioned(row: str, register: str, what: str) -> Check:
    """Blocks the start because a constant that a row computes with was never commissioned."""
    level = Level(row, Reaction.BLOCK, 1, 0, Reset.AUTO, always, blocks=Blocks.START)
    says = f"{what} was never commissioned; set the register {register}"
    return Check(register, Uncommissioned(), (level,), None, row, says=says)
