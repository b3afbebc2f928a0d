"""Which modules of the valve word are simulated, by the name that a tool file uses."""

from __future__ import annotations

from simulators.valve_beckhoff import CouplerA
from simulators.valve_module import ValveModule
from simulators.valve_unarmed import AdamA, MoxaA
from simulators.valve_wago import WagoA

MODULES: dict[str, type[ValveModule]] = {
    "beckhoff_bk9050": CouplerA,
    "wago_750_352": WagoA,
    "moxa_e1211": MoxaA,
    "adam_6256": AdamA,
}
