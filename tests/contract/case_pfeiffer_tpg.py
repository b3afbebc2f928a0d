"""The TPG driver for the harness of wire faults: a TPG 362 with two gauges, and a TPG 262 with one."""

from __future__ import annotations

from drivers.line import Line
from drivers.pfeiffer_tpg import TIMEOUT_S, PfeifferTpg, TpgConfig, TpgGauge
from simulators.pfeiffer_tpg import TpgFace
from tests.contract.cases import Case, Rising, Truth


class Pumping(Rising):
    """Two gauges whose pressures rise, in Pa."""

    def gauge_pa(self, channel: int, at_s: float) -> float:
        return channel * (100.0 + 5.0 * self.since_s(at_s))


def truth(channel: int) -> Truth:
    return Truth(lambda plant, at_s: plant.gauge_pa(channel, at_s), 0.06)  # four decimals of hPa, below 10 hPa


TWO = TpgConfig("TPG362", (TpgGauge(1, "CMR"), TpgGauge(2, "APR")))
OLD = TpgConfig("TPG262", (TpgGauge(2, "CMR"),))


def two(plant: Pumping) -> TpgFace:
    return TpgFace(plant, model="TPG362", gauges=("CMR", "APR"))


def old(plant: Pumping) -> TpgFace:
    return TpgFace(plant, model="TPG262", gauges=("", "CMR"))


def driver(line: Line) -> PfeifferTpg:
    return PfeifferTpg("gauges", line, TWO)


def old_driver(line: Line) -> PfeifferTpg:
    return PfeifferTpg("gauges", line, OLD)


# There are no addresses in this protocol: "another unit" is a letter where a status digit or an acknowledgement is due.
CASES: tuple[Case, ...] = (
    Case("pfeiffer_tpg 362", "ascii", Pumping, two, driver,
         {"pressure_1_pa": truth(1), "pressure_2_pa": truth(2)}, TIMEOUT_S, wrong_unit="X",
         silent_about=frozenset({"another digit"})),
    Case("pfeiffer_tpg 262", "ascii", Pumping, old, old_driver,
         {"pressure_2_pa": truth(2)}, TIMEOUT_S, wrong_unit="X",
         silent_about=frozenset({"another digit"})),
)  # fmt: skip
