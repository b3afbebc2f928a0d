"""Which modules can carry the valve word, by the name that a tool file uses. Standard library only, for the child."""

from __future__ import annotations

from drivers.valve_beckhoff import BeckhoffOutputs
from drivers.valve_outputs import ModbusOutputs
from drivers.valve_unarmed import AdamOutputs, MoxaOutputs
from drivers.valve_wago import WagoOutputs

MODULES: dict[str, type[ModbusOutputs]] = {
    "beckhoff_bk9050": BeckhoffOutputs,
    "wago_750_352": WagoOutputs,
    "moxa_e1211": MoxaOutputs,
    "adam_6256": AdamOutputs,
}


def outputs_of(driver: str, unit: int, coils: int, watchdog_ms: int) -> ModbusOutputs:
    """The outputs of one module; `watchdog_ms` is 0 where it cannot be set. Raises KeyError, ValueError."""
    made = MODULES[driver]
    if not 1 <= coils <= made.most_coils:
        raise ValueError(f"{driver} carries at most {made.most_coils} coils of the valve word, not {coils}")
    if made.armed != (watchdog_ms > 0) or watchdog_ms % made.step_ms:
        needed = f"a multiple of {made.step_ms} ms above 0" if made.armed else "0 ms (it is set on the module itself)"
        raise ValueError(f"the watchdog time of {driver} is {needed}, not {watchdog_ms} ms")
    return made(unit, coils, watchdog_ms)
