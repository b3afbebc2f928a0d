"""Which bottles a tool may carry: what its valve module promises decides about those that burn in air. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from ald_controller.chemistry import Chemistry, Precursor
from ald_controller.config import ToolConfig, ValveModule
from drivers.valve_modules import MODULES


def refused_bottles(config: ToolConfig, rack: Mapping[str, str], chemistry: Chemistry) -> dict[str, str]:
    """Port -> why the precursor that hangs there (by its one name) may not be dosed by this tool."""
    valves = config.valves
    found = {port: chemistry.precursors[name] for port, name in rack.items() if port in config.ports}
    return {port: _sentence(rack[port], one, valves) for port, one in found.items() if not may_carry(valves, one)}


def may_carry(valves: ValveModule, precursor: Precursor | None) -> bool:
    """Whether this module may open a source of this precursor; None is one that nobody has named.

    A module that nothing arms leaves a valve open for as long as an owner measured, in a test that nobody repeats.
    """
    return MODULES[valves.driver].armed or (precursor is not None and not precursor.may_ignite)


def _sentence(name: str, precursor: Precursor, valves: ValveModule) -> str:
    fact = precursor.pyrophoric
    burns = "catches fire in air" if fact.verdict == "yes" else "may catch fire in air, as nobody says that it does not"
    armed = ", ".join(driver for driver, module in MODULES.items() if module.armed)
    return (
        f"{name} {burns} ({fact.source}), and no watchdog that is armed over the wire shuts the valves of this tool "
        f"({valves.driver}): dose it at a tool with one of {armed}"
    )
