"""What the interlocks are built from for this tool, with its registers and bottles as they are now. Pure."""

from __future__ import annotations

from ald_controller.chemistry import Chemistry
from ald_controller.config import ToolConfig
from ald_controller.confirming import is_confirmed
from ald_controller.interlocks import Hung, Setting
from ald_controller.interlocks.fingerprint import limits_of
from ald_controller.registers import CONFIRMED_LIMITS, PLANNED, Registers


def setting_of(config: ToolConfig, registers: Registers, chemistry: Chemistry) -> Setting:
    """Tool file, commissioned constants, and the bottle at each port."""
    return Setting(config, registers.constants, bottles_of(config, registers, chemistry))


def may_burn(config: ToolConfig, registers: Registers, chemistry: Chemistry) -> bool:
    """Whether something hangs at a port that ignites in air, or that nobody knows, or that nobody has confirmed."""
    hung = bottles_of(config, registers, chemistry)
    return any(
        port not in hung or hung[port].pyrophoric or not is_confirmed(registers, port) for port in config.ports
    )  # fmt: skip


def limits_confirmed(registers: Registers, limits: str) -> bool:
    """Whether the owner has signed for these limits, by their name as `limits_of` gives it."""
    return bool(registers.get(CONFIRMED_LIMITS) == limits)


def with_limits_confirmed(registers: Registers, config: ToolConfig, chemistry: Chemistry) -> Registers:
    """These registers with this tool's limits signed for: what a preview assumes of a tool that is ready to run."""
    limits = limits_of(setting_of(config, registers, chemistry))
    return registers.set(CONFIRMED_LIMITS, limits, PLANNED, PLANNED, chemistry)


def bottles_of(config: ToolConfig, registers: Registers, chemistry: Chemistry) -> dict[str, Hung]:
    """The bottle at each port that has one."""
    known = ((port, chemistry.precursors.get(name), name) for port, name in registers.rack().items())
    return {
        port: Hung(name, one.may_ignite, one.bottle.max, one.bottle.min) if one else Hung(name, pyrophoric=True)
        for port, one, name in known if port in config.ports
    }  # fmt: skip
