"""Which modules can carry the valve word, by the name that a tool file uses. Standard library only, for the child."""

from __future__ import annotations

from drivers.valve_beckhoff import BeckhoffOutputs
from drivers.valve_outputs import ModbusOutputs

MODULES: dict[str, type[ModbusOutputs]] = {
    "beckhoff_bk9050": BeckhoffOutputs,
}


def outputs_of(driver: str, unit: int, coils: int, watchdog_ms: int) -> ModbusOutputs:
    """The outputs of one module. Raises KeyError for a driver that is not listed."""
    return MODULES[driver](unit, coils, watchdog_ms)
