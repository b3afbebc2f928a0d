"""The MKS drivers for the harness of wire faults: a 925 transducer and a 937B with three gauges."""

from __future__ import annotations

from drivers.line import Line
from drivers.mks_gauge import CONTROLLER_TIMEOUT_S, TIMEOUT_S, Mks925, Mks937, Mks937Config, MksConfig, MksGauge
from simulators.mks import Mks937Face, MksFace
from tests.contract.cases import Case, Rising, Truth


class Pumping(Rising):
    """Pressures that rise, in Pa; a heated capacitance gauge, a Pirani and a cold cathode."""

    def pirani_pa(self, at_s: float) -> float:
        return 100.0 + 5.0 * self.since_s(at_s)

    def gauge_pa(self, channel: int, at_s: float) -> float:
        return self.pirani_pa(at_s) * {1: 1.0, 2: 0.1, 5: 1e-6}[channel]


def truth(channel: int, resolution: float) -> Truth:
    return Truth(lambda plant, at_s: plant.gauge_pa(channel, at_s), resolution)


SETTINGS = Mks937Config(3, (MksGauge(1, "CM"), MksGauge(2, "PR"), MksGauge(5, "CC")))


def transducer(plant: Pumping) -> MksFace:
    return MksFace(plant, unit=253)


def controller(plant: Pumping) -> Mks937Face:
    return Mks937Face(plant, unit=3, gauges=("CM", "PR", "NG", "NG", "CC"))


def driver(line: Line) -> Mks925:
    return Mks925("pirani", line, MksConfig(253, "925", "ARGON"))


def controller_driver(line: Line) -> Mks937:
    return Mks937("gauges", line, SETTINGS)


CASES: tuple[Case, ...] = (
    Case("mks 925", "ascii", Pumping, transducer, driver,
         {"pressure_pa": Truth(lambda plant, at_s: plant.pirani_pa(at_s), 0.14)}, TIMEOUT_S, wrong_unit="252",
         silent_about=frozenset({"another digit"})),
    Case("mks 937B", "ascii", Pumping, controller, controller_driver,
         {"pressure_1_pa": truth(1, 0.14), "pressure_2_pa": truth(2, 0.14), "pressure_5_pa": truth(5, 1.4e-6)},
         CONTROLLER_TIMEOUT_S, wrong_unit="004",
         silent_about=frozenset({"another digit"})),
)  # fmt: skip
