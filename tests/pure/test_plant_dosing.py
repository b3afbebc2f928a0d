"""Dosing valves that take time to move, gas that streams back into bottles, flow controllers that hesitate."""

from __future__ import annotations

import pytest

from simulators.plant.dosing import DELAY_S, Dosing
from simulators.plant.gas import Contents, R
from simulators.plant.sources import TORR_PA, vapours
from simulators.plant.wiring import Port
from tests.pure.test_plant import GL, H2O, STOP, TMA, covered_plant, hot_plant, torr

VALVE = Port("valve", 1)


def given_mol(plant, port: str, at_s: float, mask: int, width_s: float) -> float:
    """What one pulse takes out of its bottle."""
    plant.advance(at_s)
    bottle = plant.bottles[port]
    before = bottle.grams
    plant.valve_word(at_s, mask)
    plant.valve_word(at_s + width_s, 0)
    plant.advance(at_s + width_s + 1.0)
    return (before - bottle.grams) / bottle.vapour.molar_g


def opened_s(width_s: float, every_s: float) -> float:
    """The area under the opening of a valve whose coil is live for so long."""
    dosing = Dosing({}, lambda port: 25.0, 0.0)
    dosing.ask(VALVE, 1.0, 0.0)
    at_s = area_s = 0.0
    for until_s in (width_s, width_s + 0.1):
        while at_s < until_s - 1e-12:
            dosing.move(at_s)
            ends_s = min(until_s, at_s + every_s, dosing.next_s)
            if lag := dosing.open.get(VALVE):
                area_s += lag.advance(ends_s - at_s) * (ends_s - at_s)
            at_s = ends_s
        dosing.ask(VALVE, 0.0, at_s)
    return area_s


# --- valves --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("width_s", [0.006, 0.015, 0.1])
@pytest.mark.parametrize("every_s", [0.0003, 0.02])
def test_the_area_under_an_opening_is_the_width_of_its_pulse(width_s: float, every_s: float) -> None:
    assert opened_s(width_s, every_s) == pytest.approx(width_s, rel=1e-6)


def test_15_ms_of_tma_are_as_much_as_a_valve_without_delay_would_give() -> None:
    assert given_mol(hot_plant(), "TMA", 20.0, TMA, 0.015) == pytest.approx(4.44e-6, rel=0.03)


def test_a_pulse_that_is_shorter_than_the_valves_delay_gives_nothing_and_as_short_a_gap_does_not_shut_it() -> None:
    plant = covered_plant()
    assert given_mol(plant, "TMA", 40.0, TMA, 0.003) == 0.0
    whole = given_mol(plant, "TMA", 50.0, TMA, 0.020)
    before = plant.bottles["TMA"].grams
    for at_s, word in ((60.0, TMA), (60.010, 0), (60.013, TMA), (60.020, 0)):
        plant.valve_word(at_s, word)
    plant.advance(61.0)
    assert (before - plant.bottles["TMA"].grams) / vapours()["TMA"].molar_g == pytest.approx(whole, rel=1e-3)


def test_a_valve_moves_5_ms_after_its_word() -> None:
    plant = covered_plant()
    grams = plant.bottles["TMA"].grams
    plant.valve_word(40.0, TMA)
    plant.advance(40.0 + DELAY_S)
    assert plant.bottles["TMA"].grams == grams
    plant.advance(40.0 + DELAY_S + 0.001)
    assert plant.bottles["TMA"].grams < grams


def test_a_pulse_gives_the_same_however_often_it_is_looked_at() -> None:
    def given(every_s: float) -> float:
        plant = covered_plant()
        before = plant.bottles["TMA"].grams
        plant.valve_word(40.0, TMA)
        for i in range(1, round(0.015 / every_s)):
            plant.advance(40.0 + i * every_s)
        plant.valve_word(40.015, 0)
        for i in range(1, round(0.1 / every_s)):
            plant.advance(40.015 + i * every_s)
        plant.advance(41.0)
        return before - plant.bottles["TMA"].grams

    assert given(0.0005) == pytest.approx(given(0.015), rel=0.01)


# --- back into bottles ---------------------------------------------------------------------------------------------


def high_pressure_plant(at_torr: float):
    """Shut, without inflow, at this pressure; its dosing valves are shut, too."""
    plant = hot_plant()
    plant.set_flow("carrier", 0.0, 20.0)
    plant.valve_word(20.0, STOP)
    plant.advance(30.0)
    plant.gas.inert_pa = at_torr * TORR_PA
    return plant


def in_chamber_mol(gas: Contents, plant) -> float:
    return gas.total_pa * plant.vessel.volume_m3 / (R * (plant.heat.zones["chamber"].metal_c + 273.15))


def test_gas_of_a_higher_pressure_streams_into_an_open_bottle_and_none_is_lost() -> None:
    plant = high_pressure_plant(60.0)
    plant.heat.hold({})
    bottle, before_mol = plant.bottles["GL"], in_chamber_mol(plant.gas, plant)
    assert plant.backflow_mol == {}
    plant.valve_word(30.0, STOP | GL)
    plant.advance(30.5)
    assert bottle.total_pa == pytest.approx(plant.pressure_pa(30.5), rel=0.01)
    leaked_mol = plant.vessel.leak_pa_m3_s * 0.5 / (R * 423.15)
    assert before_mol - in_chamber_mol(plant.gas, plant) == pytest.approx(bottle.backflow_mol - leaked_mol, rel=0.01)
    held_mol = bottle.foreign_pa * bottle.headspace_m3 / (R * 403.15)
    assert plant.backflow_mol == {"GL": pytest.approx(held_mol, rel=0.01)}


def test_what_streamed_into_a_bottle_comes_out_again_with_less_of_its_vapour_and_then_it_is_as_before() -> None:
    plant = high_pressure_plant(60.0)
    sound = given_mol(hot_plant(), "H2O", 20.0, H2O, 0.015)
    plant.valve_word(30.0, STOP | H2O)
    plant.valve_word(30.2, 0)
    plant.advance(60.0)
    bottle = plant.bottles["H2O"]
    assert bottle.total_pa == pytest.approx(57.6 * TORR_PA, rel=0.02)
    diluted = [given_mol(plant, "H2O", 60.0 + 5 * i, H2O, 0.015) for i in range(16)]
    assert diluted[0] < 0.85 * sound
    assert diluted == sorted(diluted)
    assert diluted[-1] == pytest.approx(sound, rel=0.03)
    assert bottle.foreign_pa < 0.01 * bottle.headspace_pa


def test_a_headspace_full_of_gas_refills_slowly() -> None:
    bottle = hot_plant().bottles["TMA"]
    alone_s = bottle.recovery_s
    bottle.foreign_pa = 8.0 * TORR_PA
    assert bottle.recovery_s == pytest.approx(alone_s + 0.36, abs=0.01)


def test_an_open_valve_never_empties_a_bottle_below_the_chambers_pressure() -> None:
    """Glycerol at 130 °C has 1.4 Torr: a long opening ends with the two pressures alike."""
    plant = hot_plant()
    plant.valve_word(20.0, GL)
    for i in range(40):
        plant.advance(20.0 + 0.05 * i)
        assert plant.bottles["GL"].total_pa > 0.9 * plant.gas.total_pa
    assert plant.backflow_mol == {}


# --- flow controllers ----------------------------------------------------------------------------------------------


def test_a_flow_controller_follows_after_its_dead_time() -> None:
    plant = hot_plant()
    plant.set_flow("carrier", 50.0, 20.0)
    flow = plant.flows["carrier"]
    plant.advance(20.1)
    assert flow.value == pytest.approx(20.0, abs=0.01)
    plant.advance(20.6)
    assert flow.value == pytest.approx(50.0 - 30.0 / 2.718, rel=0.01)


def test_two_set_points_within_the_dead_time_are_followed_one_after_the_other() -> None:
    plant = hot_plant()
    plant.set_flow("carrier", 50.0, 20.0)
    plant.set_flow("carrier", 20.0, 20.05)
    plant.advance(20.15)
    assert plant.flows["carrier"].value == pytest.approx(20.0 + 30.0 * 0.0952, rel=0.01)
    plant.advance(25.0)
    assert plant.flows["carrier"].value == pytest.approx(20.0, abs=0.02)


def test_a_zero_that_is_off_shows_when_nothing_flows_and_else_in_the_pressure_only() -> None:
    plant, sound = hot_plant(), hot_plant()
    plant.drift_zero("carrier", 1.0, 20.0)
    assert plant.flow_sccm("carrier", 30.0) == pytest.approx(20.0, abs=0.2)
    assert torr(plant, 30.0) / torr(sound, 30.0) == pytest.approx(0.95, abs=0.002)
    plant.set_flow("carrier", 0.0, 30.0)
    assert plant.flow_sccm("carrier", 40.0) == pytest.approx(1.0, abs=0.2)
    assert plant.pressure_pa(40.0) < 0.2
