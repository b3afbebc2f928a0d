"""The Edwards nXDS pump for the harness of wire faults: a multi-drop pump, so that its address can be wrong."""

from __future__ import annotations

from drivers.edwards_nxds import TIMEOUT_S, EdwardsNxds, EdwardsNxdsConfig
from drivers.line import Line
from simulators.edwards_nxds import NxdsFace
from tests.contract.cases import Case, Rising, Truth


class RisingPump(Rising):
    """A pump that gets faster, warmer and older whatever it is told."""

    def drive_pump(self, name: str, target_hz: float, at_s: float) -> None:
        self.switched[name] = target_hz > 0

    def pump_hz(self, name: str, at_s: float) -> float:
        return 10.0 + 3.0 * self.since_s(at_s)

    def pump_c(self, name: str, at_s: float) -> float:
        return 20.0 + 10.0 * self.since_s(at_s)

    def pump_controller_c(self, name: str, at_s: float) -> float:
        return 30.0 + 10.0 * self.since_s(at_s)

    def pump_hours(self, name: str, at_s: float) -> float:
        return 1000.0 + 10.0 * self.since_s(at_s)


def face(plant: RisingPump) -> NxdsFace:
    return NxdsFace(plant, "pump", unit=1)


def driver(line: Line) -> EdwardsNxds:
    return EdwardsNxds("pump", line, EdwardsNxdsConfig(unit=1))


CASES = (
    Case(
        name="edwards_nxds",
        framing="ascii",
        plant=RisingPump,
        face=face,
        driver=driver,
        channels={  # whole numbers on the wire: rounded, the hours cut off
            "speed_hz": Truth(lambda plant, at_s: plant.pump_hz("pump", at_s), 0.51),
            "pump_temperature_c": Truth(lambda plant, at_s: plant.pump_c("pump", at_s), 0.51),
            "controller_temperature_c": Truth(lambda plant, at_s: plant.pump_controller_c("pump", at_s), 0.51),
            "run_hours": Truth(lambda plant, at_s: plant.pump_hours("pump", at_s), 1.01),
        },
        slowest_s=TIMEOUT_S,
        set=lambda device: device.start(),
        wrong_unit="#98:02",
        silent_about=frozenset({"another digit", "every number 0xffff", "every number 0x7fff", "every number 0x8000"}),
    ),
)
