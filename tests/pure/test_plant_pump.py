"""The pump in series with its line: how fast it pumps at which pressure, and how the stop valve throttles it."""

from __future__ import annotations

import pytest

from simulators.plant import Plant
from simulators.plant.gas import Vessel
from simulators.plant.sources import TORR_PA
from tests.pure.test_plant import STOP, WIRING, hot_plant, torr


@pytest.mark.parametrize("at_torr", [0.01, 0.08, 0.302, 3.0])
def test_the_speed_at_the_chamber_is_that_of_pump_and_line_in_series(at_torr: float) -> None:
    """1/S = 1/S_p + 1/C, with S_p = S_0 (1 - P_ult/P) and C = 12.1 D³/L + 182 D⁴ P/L in L/s, cm, Torr."""
    vessel, pa = Vessel(past_stop_m3_s=0.0), at_torr * TORR_PA
    pump = vessel.pumping_m3_s * 1e3 * (1.0 - vessel.ultimate_pa / pa)
    line = 12.1 * 4.0**3 / 100.0 + 182.0 * 4.0**4 * at_torr / 100.0
    taken = vessel.pumped_m3_s(pa, 1.0) * (1.0 - vessel.ultimate_pa / pa)
    assert taken * 1e3 == pytest.approx(1.0 / (1.0 / pump + 1.0 / line), rel=1e-9)


def test_at_20_sccm_and_150_c_it_is_1_3_litres_a_second_and_less_at_less_pressure() -> None:
    vessel = Vessel()
    assert vessel.pumped_m3_s(0.302 * TORR_PA, 1.0) == pytest.approx(1.3e-3, rel=4e-3)
    assert vessel.pumped_m3_s(0.01 * TORR_PA, 1.0) < 0.95 * 1.3e-3
    assert vessel.pumped_m3_s(5.0 * TORR_PA, 1.0) < vessel.pumping_m3_s + vessel.past_stop_m3_s


def test_a_stop_valve_throttles_only_when_it_is_nearly_shut_and_then_nothing_but_its_leak_is_left() -> None:
    vessel = Vessel()
    assert vessel.pumped_m3_s(40.0, 0.5) > 0.97 * vessel.pumped_m3_s(40.0, 1.0)
    assert vessel.pumped_m3_s(40.0, 0.001) < 0.2 * vessel.pumped_m3_s(40.0, 1.0)
    assert vessel.pumped_m3_s(40.0, 0.0) == vessel.past_stop_m3_s
    assert Vessel(pumping_m3_s=0.0, past_stop_m3_s=0.0).pumped_m3_s(40.0, 0.0) == 0.0


def test_a_stop_valve_ends_the_pumping_within_two_thirds_of_a_second() -> None:
    plant = hot_plant()
    plant.valve_word(20.0, STOP)
    before = torr(plant, 20.67)
    assert torr(plant, 21.67) - before == pytest.approx(0.79, rel=0.03)


def test_a_pump_down_from_the_pressure_of_the_box_is_the_same_however_often_it_is_looked_at() -> None:
    def pumped(every_s: float) -> list[float]:
        plant = hot_plant()
        plant.set_flow("carrier", 0.0, 20.0)
        plant.set_contact("pump_running", False, 20.0)
        plant.output("vent", True, 20.0)
        plant.output("vent", False, 80.0)
        plant.set_contact("pump_running", True, 80.0)
        for i in range(round(8.0 / every_s)):
            plant.advance(80.0 + i * every_s)
        return [torr(plant, 80.0 + after_s) for after_s in (8.0, 12.0)]

    assert pumped(0.01) == pytest.approx(pumped(8.0), rel=0.01)


def test_the_last_of_a_pump_down_is_slower_than_its_beginning() -> None:
    """Down to its ultimate pressure, of which pump and leak make 0.1 Pa."""
    plant = Plant(WIRING, at_s=0.0)
    plant.gas.inert_pa = 100.0
    early = plant.pressure_pa(0.2) / 100.0
    plant.gas.inert_pa = 1.0
    late = (plant.pressure_pa(0.4) - 0.1) / 0.9
    assert early < 0.97 * late
    assert plant.pressure_pa(30.0) == pytest.approx(0.102, rel=0.01)
