"""What is wired to the plant: ports for bottles with their valves, contacts, flow controllers, zones."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

CONTACTS = (
    "gate_shut", "gate_locked", "stop_valve_open", "pump_running", "limit_controller_ok", "estop_ok",
    "compressed_air_ok", "argon_ok", "mains_ok", "confirm_button",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Port:
    """One position for a bottle: the bits that open it, what hangs there, what heats it and what pushes it."""

    name: str
    mask: int
    precursor: str | None = None
    zone: str | None = None
    pusher: str | None = None
    grams: float = 50.0


@dataclass(slots=True)
class DosingValve:
    """How far one dosing valve opens, as shares of a healthy open one's flow: when it is energised, and at rest."""

    energised: float = 1.0
    at_rest: float = 0.0


@dataclass(frozen=True, slots=True)
class Wiring:
    """What is wired where: bits of the valve word, flow controllers with their full scale in sccm, zones with roles."""

    ports: tuple[Port, ...]
    stop_mask: int
    contactor_mask: int
    flows: Mapping[str, float]
    zones: Mapping[str, str]
