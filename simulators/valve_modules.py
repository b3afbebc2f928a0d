"""Which modules of the valve word are simulated, by the name that a tool file uses."""

from __future__ import annotations

from simulators.valve_beckhoff import CouplerA
from simulators.valve_module import ValveModule

MODULES: dict[str, type[ValveModule]] = {
    "beckhoff_bk9050": CouplerA,
}
