"""Heat: zones with one heat capacity each, sensors that lag, and whoever controls them.

The zones move on a grid of half a second, the pace at which the simulated instruments sample their sensors; nothing
faster happens in metal. Units: J/K, W, W/K, °C. The constants are engineering estimates, not measurements.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from simulators.plant.thermocouple import Thermocouple

STEP_S = 0.5
ROOM_C = 25.0
Law = Callable[[float, float], float]  # (time in s, sensor in °C) -> share of full power, 0 to 1


@dataclass(frozen=True, slots=True)
class Build:
    """How a zone is made."""

    capacity_j_k: float
    watts: float
    loss_w_k: float
    sensor_tau_s: float = 3.0

    def slope_k_s(self, at_c: float) -> float:
        """K/s at full power when its neighbours are as hot as it is: what commissioning of the zone would find."""
        return (self.watts - self.loss_w_k * (at_c - ROOM_C)) / self.capacity_j_k


BUILDS: dict[str, Build] = {
    "chamber": Build(2500.0, 400.0, 2.0),
    "substrate": Build(600.0, 150.0, 0.4),
    "source": Build(300.0, 60.0, 0.15),
    "line": Build(150.0, 40.0, 0.1),
}
# Three stages with the heater and the loss of the reference's: 100 W are to spare at 150 °C, so that the mass alone
# (0.22, 0.65 and 2.2 kg of aluminium) makes their slope there 0.5, 0.17 and 0.05 K/s.
STAGES: dict[str, Build] = {
    "light": Build(200.0, 150.0, 0.4, sensor_tau_s=5.0),
    "middle": Build(588.0, 150.0, 0.4, sensor_tau_s=5.0),
    "heavy": Build(2000.0, 150.0, 0.4, sensor_tau_s=5.0),
}
BETWEEN_W_K = {("substrate", "chamber"): 1.5, ("line", "chamber"): 0.05}
SECOND_TAU_S, SECOND_OFFSET_K = 5.0, 0.4  # of the independent sensor at the substrate


@dataclass(slots=True)
class Zone:
    """One zone's state: metal, sensors, and the power that its controller asks for.

    `sensor` is the thermocouple at the controller's terminals; `second` an independent one on the same metal.
    """

    build: Build
    role: str
    metal_c: float
    sensor: Thermocouple
    second: Thermocouple | None = None
    power: float = 0.0
    law: Law | None = None
    stuck_on: bool = False  # a relay that welded: full power whatever the controller says
    broken: bool = False  # a heater that opened: no power


@dataclass(slots=True)
class Heat:
    """All zones. `powered` says whether a role's contactor is closed."""

    zones: dict[str, Zone]
    at_s: float
    powered: Callable[[str], bool]
    _between: list[tuple[Zone, Zone, float]] = field(default_factory=list)
    _on: list[tuple[Thermocouple, Zone]] = field(default_factory=list)  # each thermocouple and the metal it touches
    _held: bool = False

    def __post_init__(self) -> None:
        for (one, other), conductance in BETWEEN_W_K.items():
            for a in self._of(one):
                self._between += [(a, b, conductance) for b in self._of(other)]
        for zone in self.zones.values():
            self._on += [(sensor, zone) for sensor in (zone.sensor, zone.second) if sensor is not None]

    def _of(self, role: str) -> list[Zone]:
        return [zone for zone in self.zones.values() if zone.role == role]

    def exchange(self, one: str, other: str) -> None:
        """Exchange the thermocouples of two zones at the terminals of their controllers; they stay on their metal."""
        a, b = self.zones[one], self.zones[other]
        a.sensor, b.sensor = b.sensor, a.sensor

    def hold(self, celsius: Mapping[str, float]) -> None:
        """From now on every zone stays as warm as it is; these go to their temperatures at once.

        For studies of films alone, which nobody heats: sensors stay behind.
        """
        self._held = True
        for name, metal_c in celsius.items():
            self.zones[name].metal_c = metal_c

    def advance(self, to_s: float) -> None:
        """Move on to the last whole step before `to_s`."""
        if self._held:
            self.at_s = to_s
            return
        while self.at_s + STEP_S <= to_s:
            self.at_s += STEP_S
            self._step()

    def _step(self) -> None:
        for zone in self.zones.values():
            if zone.law is not None:
                zone.power = zone.law(self.at_s, zone.sensor.reading_c)
            heat = self._power(zone) * zone.build.watts - zone.build.loss_w_k * (zone.metal_c - ROOM_C)
            zone.metal_c += heat * STEP_S / zone.build.capacity_j_k
        for sensor, zone in self._on:
            sensor.follow(zone.metal_c, ROOM_C, STEP_S)
        for a, b, conductance in self._between:
            moved = conductance * (a.metal_c - b.metal_c) * STEP_S
            a.metal_c -= moved / a.build.capacity_j_k
            b.metal_c += moved / b.build.capacity_j_k

    def _power(self, zone: Zone) -> float:
        if zone.broken or not self.powered(zone.role):
            return 0.0
        return 1.0 if zone.stuck_on else min(max(zone.power, 0.0), 1.0)


def zones(
    roles: Mapping[str, str], warm_c: Mapping[str, float], builds: Mapping[str, Build] | None = None
) -> dict[str, Zone]:
    """Zones by name from their roles, at room temperature or as warm as `warm_c` says, made as `builds` says.

    A zone that `builds` does not name is made as its role usually is. Raises ValueError for a role or a zone that does
    not exist.
    """
    known = builds or {}
    unknown = {role for role in roles.values() if role not in BUILDS} | (set(warm_c) | set(known)) - set(roles)
    if unknown:
        raise ValueError(f"{sorted(unknown)}: zones are {sorted(roles)} and their roles must be of {sorted(BUILDS)}")
    return {
        name: _zone(known.get(name, BUILDS[role]), role, float(warm_c.get(name, ROOM_C)))
        for name, role in roles.items()
    }


def _zone(build: Build, role: str, at_c: float) -> Zone:
    second = Thermocouple(SECOND_TAU_S, at_c, SECOND_OFFSET_K) if role == "substrate" else None
    return Zone(build, role, at_c, Thermocouple(build.sensor_tau_s, at_c), second)
