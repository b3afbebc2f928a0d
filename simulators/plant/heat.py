"""Heat: zones with one heat capacity each, a sensor that lags, and whoever controls them.

The zones move on a grid of half a second, the pace at which the simulated instruments sample their sensors; nothing
faster happens in metal. Units: J/K, W, W/K, °C. The constants are engineering estimates, not measurements.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from math import exp

STEP_S = 0.5
ROOM_C = 25.0
OPEN_C = 1400.0
Law = Callable[[float, float], float]  # (time in s, sensor in °C) -> share of full power, 0 to 1


@dataclass(frozen=True, slots=True)
class Build:
    """How a zone is made."""

    capacity_j_k: float
    watts: float
    loss_w_k: float
    sensor_tau_s: float = 3.0


BUILDS: dict[str, Build] = {
    "chamber": Build(2500.0, 400.0, 2.0),
    "substrate": Build(600.0, 150.0, 0.4),
    "source": Build(300.0, 60.0, 0.15),
    "line": Build(150.0, 40.0, 0.1),
}
BETWEEN_W_K = {("substrate", "chamber"): 1.5, ("line", "chamber"): 0.05}


@dataclass(slots=True)
class Zone:
    """One zone's state: metal, sensor, and the power that its controller asks for."""

    build: Build
    role: str
    metal_c: float
    sensor_c: float
    power: float = 0.0
    law: Law | None = None
    stuck_on: bool = False  # a relay that welded: full power whatever the controller says
    broken: bool = False  # a heater that opened: no power
    open_sensor: bool = False  # a broken thermocouple

    @property
    def reading_c(self) -> float:
        """What the instrument sees of the sensor: far beyond full scale when it is open."""
        return OPEN_C if self.open_sensor else self.sensor_c


@dataclass(slots=True)
class Heat:
    """All zones. `powered` says whether a role's contactor is closed."""

    zones: dict[str, Zone]
    at_s: float
    powered: Callable[[str], bool]
    _between: list[tuple[Zone, Zone, float]] = field(default_factory=list)

    def __post_init__(self) -> None:
        for (one, other), conductance in BETWEEN_W_K.items():
            for a in self._of(one):
                self._between += [(a, b, conductance) for b in self._of(other)]

    def _of(self, role: str) -> list[Zone]:
        return [zone for zone in self.zones.values() if zone.role == role]

    def advance(self, to_s: float) -> None:
        """Move on to the last whole step before `to_s`."""
        while self.at_s + STEP_S <= to_s:
            self.at_s += STEP_S
            self._step()

    def _step(self) -> None:
        for zone in self.zones.values():
            if zone.law is not None:
                zone.power = zone.law(self.at_s, zone.reading_c)
            heat = self._power(zone) * zone.build.watts - zone.build.loss_w_k * (zone.metal_c - ROOM_C)
            zone.metal_c += heat * STEP_S / zone.build.capacity_j_k
            zone.sensor_c += (zone.metal_c - zone.sensor_c) * (1.0 - exp(-STEP_S / zone.build.sensor_tau_s))
        for a, b, conductance in self._between:
            moved = conductance * (a.metal_c - b.metal_c) * STEP_S
            a.metal_c -= moved / a.build.capacity_j_k
            b.metal_c += moved / b.build.capacity_j_k

    def _power(self, zone: Zone) -> float:
        if zone.broken or not self.powered(zone.role):
            return 0.0
        return 1.0 if zone.stuck_on else min(max(zone.power, 0.0), 1.0)


def zones(roles: Mapping[str, str], warm_c: Mapping[str, float]) -> dict[str, Zone]:
    """Zones by name from their roles, at room temperature or as warm as `warm_c` says.

    Raises ValueError for a role or a warm zone that does not exist.
    """
    unknown = {role for role in roles.values() if role not in BUILDS} | set(warm_c) - set(roles)
    if unknown:
        raise ValueError(f"{sorted(unknown)}: zones are {sorted(roles)} and their roles must be of {sorted(BUILDS)}")
    start = {name: float(warm_c.get(name, ROOM_C)) for name in roles}
    return {name: Zone(BUILDS[role], role, start[name], start[name]) for name, role in roles.items()}
