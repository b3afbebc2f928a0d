"""The plant: pressures, doses, temperatures and films of the right size, and the same each time."""

import pytest

from simulators.plant import Plant, Port, Wiring
from simulators.plant.sources import TORR_PA, vapours

TMA, H2O, LTB, GL, STOP, CONTACTOR = 1, 2, 4, 8, 64, 128
ZONES = {"substrate": "substrate", "chamber": "chamber", "source-3": "source", "source-4": "source", "lines": "line"}
SHUT_S = 0.02  # after its word a dosing valve is shut
HOT = {"substrate": 150, "chamber": 150, "source-3": 150, "source-4": 130, "lines": 165}
WIRING = Wiring(
    (
        Port("TMA", TMA, "TMA"),
        Port("H2O", H2O, "water"),
        Port("LTB", LTB, "LiOtBu", "source-3", "pusher"),
        Port("GL", GL, "GL", "source-4"),
        Port("spare", 32, "spare"),
    ),
    STOP,
    CONTACTOR,
    {"carrier": 100.0, "pusher": 20.0},
    ZONES,
)


def hot_plant(**settings) -> Plant:
    """At 150 °C with 20 sccm flowing for a minute; walls stay warm enough for a minute or two without power."""
    plant = Plant(WIRING, at_s=0.0, warm_c=HOT, **settings)
    plant.set_flow("carrier", 20.0, 0.0)
    plant.advance(20.0)
    return plant


def covered_plant(**settings) -> Plant:
    """The same once TMA has covered its surfaces: a fresh one takes its share of the first pulse."""
    plant = hot_plant(**settings)
    dose(plant, 20.0, TMA, 0.1)
    plant.advance(40.0)
    return plant


def torr(plant: Plant, at_s: float) -> float:
    return plant.pressure_pa(at_s) / TORR_PA


def dose(plant: Plant, at_s: float, mask: int, width_s: float) -> float:
    """The rise in Torr at the end of one dose, when its valve has shut."""
    before = torr(plant, at_s)
    plant.valve_word(at_s, mask)
    plant.valve_word(at_s + width_s, 0)
    return torr(plant, at_s + width_s + SHUT_S) - before


def test_twenty_sccm_give_a_third_of_a_torr():
    assert torr(hot_plant(), 20.0) == pytest.approx(0.302, rel=0.02)


def test_a_shut_stop_valve_lets_the_carrier_raise_the_pressure_by_0_79_torr_a_second():
    plant = hot_plant()
    plant.valve_word(20.0, STOP)
    before = torr(plant, 24.0)
    assert torr(plant, 25.0) - before == pytest.approx(0.79, rel=0.02)
    plant.valve_word(25.0, 0)
    assert torr(plant, 35.0) == pytest.approx(0.302, rel=0.02)


def test_pulses_of_tma_and_water_are_of_the_published_size():
    plant = hot_plant()
    assert dose(plant, 20.0, TMA, 0.015) == pytest.approx(0.2, rel=0.25)
    assert dose(plant, 40.0, H2O, 0.015) == pytest.approx(0.8, rel=0.25)


def test_a_headspace_empties_and_recovers():
    plant = covered_plant()
    first = dose(plant, 40.0, TMA, 0.015)
    assert dose(plant, 40.05, TMA, 0.015) < 0.9 * first
    assert dose(plant, 50.0, TMA, 0.015) == pytest.approx(first, rel=0.02)


def test_a_source_below_the_chambers_pressure_gives_nothing():
    plant = hot_plant()
    plant.valve_word(20.0, STOP)
    plant.advance(30.0)
    assert vapours()["glycerol"].pressure_pa(130) < plant.pressure_pa(30.0)
    grams = plant.bottles["GL"].grams
    plant.valve_word(30.0, STOP | GL)
    plant.advance(31.0)
    assert plant.bottles["GL"].grams == grams


def test_a_pushed_source_needs_its_push():
    plant = hot_plant()
    assert dose(plant, 20.0, LTB, 1.0) == pytest.approx(0.0, abs=1e-3)
    plant.set_flow("pusher", 5.0, 30.0)
    plant.advance(40.0)
    assert dose(plant, 40.0, LTB, 1.0) > 0.01


def test_bottles_lose_what_was_dosed_and_end_empty():
    plant = hot_plant()
    before = plant.bottles["TMA"].grams
    dose(plant, 20.0, TMA, 0.015)
    assert before - plant.bottles["TMA"].grams == pytest.approx(0.5e-3, rel=0.5)  # grams: a third of a milligram or so
    plant.bottles["TMA"].grams = 1e-4
    assert dose(plant, 40.0, TMA, 1.0) < 0.2
    assert plant.bottles["TMA"].grams == 0.0
    assert dose(plant, 60.0, TMA, 0.015) < 1e-3


def test_a_solid_that_is_nearly_used_up_refills_its_headspace_slowly_and_a_liquid_does_not() -> None:
    plant = hot_plant()
    solid, liquid = plant.bottles["LTB"], plant.bottles["TMA"]
    assert (solid.recovery_s, liquid.recovery_s) == (4.0, 0.3)
    solid.grams, liquid.grams = 50.0 / 8.0, 50.0 / 8.0
    assert (solid.recovery_s, liquid.recovery_s) == pytest.approx((16.0, 0.3))
    solid.grams = 0.0
    assert solid.recovery_s == pytest.approx(400.0)


def test_an_empty_port_may_open_and_nothing_comes():
    assert dose(hot_plant(), 20.0, 32, 0.1) == pytest.approx(0.0, abs=1e-3)


@pytest.mark.parametrize(
    ("metal", "partner", "flow", "width_s", "nm"), [(TMA, H2O, 0.0, 0.015, 0.13), (LTB, GL, 5.0, 1.0, 2.7)]
)
def test_a_saturated_cycle_grows_its_thickness_and_a_second_dose_of_the_same_nothing(metal, partner, flow, width_s, nm):
    plant = hot_plant()
    plant.set_flow("pusher", flow, 20.0)
    for i, mask in enumerate((metal, partner, partner)):
        plant.valve_word(30.0 + 20 * i, mask | STOP)
        plant.valve_word(30.0 + 20 * i + width_s, STOP)
        plant.valve_word(30.0 + 20 * i + 4.0, 0)
    assert plant.thickness_nm(100.0) == pytest.approx(nm, rel=0.1)


def test_overlapping_doses_grow_more_than_a_layer():
    plant = hot_plant()
    plant.valve_word(20.0, TMA | H2O)
    plant.valve_word(20.5, 0)
    assert plant.thickness_nm(40.0) > 3 * 0.13


def test_a_word_that_comes_to_be_known_late_keeps_its_width():
    prompt, late = covered_plant(), covered_plant()
    expected = dose(prompt, 40.0, TMA, 0.015)
    late.advance(40.5)
    before = torr(late, 40.5)
    late.valve_word(40.0, TMA)
    late.valve_word(40.015, 0)
    assert torr(late, 40.515 + SHUT_S) - before == pytest.approx(expected, rel=0.01)
    assert dose(late, 60.0, TMA, 0.015) == pytest.approx(expected, rel=0.02)


def test_read_outs_lag_so_that_stamps_fall_into_the_future():
    plant = hot_plant(lag_s=0.05)
    before = torr(plant, 20.06)
    plant.valve_word(20.02, TMA)
    plant.valve_word(20.035, 0)
    assert torr(plant, 20.085 + SHUT_S) - before == pytest.approx(0.22, rel=0.1)


def test_zones_heat_only_with_their_contactor():
    plant = Plant(WIRING, at_s=0.0)
    for zone in ZONES:
        plant.control(zone, lambda at_s, sensor_c: 1.0)
    assert plant.temperature_c("substrate", 60.0) == pytest.approx(25, abs=0.3)
    plant.valve_word(60.0, CONTACTOR)
    assert plant.temperature_c("substrate", 120.0) > 35
    assert plant.temperature_c("lines", 120.0) == pytest.approx(25, abs=0.5)
    plant.output("source contactor", True, 120.0)
    assert plant.temperature_c("lines", 180.0) > 35
    plant.set_contact("estop_ok", False, 180.0)
    before = plant.temperature_c("substrate", 200.0)
    assert plant.temperature_c("substrate", 400.0) < before


def test_a_welded_relay_heats_whatever_the_controller_says_and_a_broken_heater_never():
    plant = Plant(WIRING, at_s=0.0)
    plant.valve_word(0.0, CONTACTOR)
    plant.heat.zones["substrate"].stuck_on = True
    plant.control("chamber", lambda at_s, sensor_c: 1.0)
    plant.heat.zones["chamber"].broken = True
    assert plant.temperature_c("substrate", 120.0) > 45
    assert plant.temperature_c("chamber", 120.0) < 30


def test_an_open_thermocouple_reads_beyond_full_scale_and_the_second_one_still_tells():
    plant = Plant(WIRING, at_s=0.0, warm_c={"substrate": 150})
    plant.heat.zones["substrate"].sensor.open = True
    assert plant.temperature_c("substrate", 1.0) > 1372
    assert plant.substrate_2_c(1.0) == pytest.approx(150.4, abs=0.5)


def test_contacts_follow_what_drives_them():
    plant = hot_plant()
    assert plant.contacts_at(20.0)["stop_valve_open"]
    plant.valve_word(20.0, STOP)
    assert not plant.contacts_at(21.0)["stop_valve_open"]
    assert plant.contacts_at(21.0)["gate_locked"]
    plant.output("gate lock", True, 21.0)
    assert not plant.contacts_at(21.0)["gate_locked"]
    with pytest.raises(ValueError, match="no contact"):
        plant.set_contact("gate", True, 22.0)


def test_without_compressed_air_the_sources_shut_and_the_stop_valve_opens():
    plant = hot_plant()
    plant.valve_word(20.0, STOP | H2O)
    plant.set_contact("compressed_air_ok", False, 20.1)
    assert plant.contacts_at(22.0)["stop_valve_open"]
    assert torr(plant, 30.0) == pytest.approx(0.302, rel=0.03)


def test_venting_reaches_the_box_and_pumping_comes_back():
    plant = hot_plant()
    plant.set_flow("carrier", 0.0, 20.0)
    plant.valve_word(20.0, STOP)
    plant.output("vent", True, 21.0)
    plant.advance(60.0)
    assert plant.chamber_over_box_pa(60.0) == pytest.approx(0.0, abs=2500.0)
    plant.output("vent", False, 60.0)
    plant.set_contact("gate_shut", False, 61.0)
    assert abs(plant.chamber_over_box_pa(70.0)) < 100.0
    plant.set_contact("gate_shut", True, 70.0)
    plant.valve_word(71.0, 0)
    assert torr(plant, 90.0) < 0.1
    assert plant.capacitance_torr(90.0) < 0.1


def test_a_dead_pump_lets_the_carrier_fill_the_chamber():
    plant = hot_plant()
    plant.set_contact("pump_running", False, 20.0)
    assert torr(plant, 30.0) > 5
    assert plant.capacitance_torr(120.0) == 10.0


def test_without_argon_nothing_flows():
    plant = hot_plant()
    plant.set_contact("argon_ok", False, 20.0)
    assert plant.flow_sccm("carrier", 21.0) == pytest.approx(0.0, abs=0.2)
    plant.set_contact("argon_ok", True, 30.0)
    assert plant.flow_sccm("carrier", 40.0) == pytest.approx(20.0, abs=0.3)


def test_the_glovebox_is_good_and_quiet():
    plant = hot_plant()
    for at_s in range(20, 4000, 50):
        assert 0.05 < plant.glovebox_o2_ppm(at_s) < 0.4
        assert 0.1 < plant.glovebox_h2o_ppm(at_s) < 0.5
        assert 1.0 < plant.box_over_room_pa(at_s) / 100 < 3.0


def test_the_same_seed_gives_the_same_readings_and_another_seed_others():
    def readings(seed: int) -> list[float]:
        plant = hot_plant(seed=seed)
        return [plant.capacitance_torr(20 + i * 0.05) for i in range(50)]

    assert readings(1) == readings(1)
    assert readings(1) != readings(2)


def test_how_often_it_is_looked_at_changes_nothing():
    seldom, often = hot_plant(), hot_plant()
    for plant in (seldom, often):
        plant.valve_word(20.0, H2O | STOP)
        plant.valve_word(20.015, STOP)
        plant.valve_word(21.0, 0)
        if plant is often:
            for i in range(2000):
                plant.advance(21.0 + i * 0.001)
    assert torr(often, 23.0) == pytest.approx(torr(seldom, 23.0), rel=2e-3)


def test_an_unknown_role_or_warm_zone_is_refused():
    with pytest.raises(ValueError, match="oven"):
        Plant(WIRING, at_s=0.0, warm_c={"oven": 100})


def test_a_valve_stuck_closed_gives_nothing_and_a_new_one_as_before():
    plant = hot_plant()
    healthy = dose(plant, 20.0, H2O, 0.015)
    plant.stick_closed("H2O", 30.0)
    assert dose(plant, 40.0, H2O, 0.015) == pytest.approx(0.0, abs=1e-3)
    plant.mend_valve("H2O", 50.0)
    assert dose(plant, 60.0, H2O, 0.015) == pytest.approx(healthy, rel=0.02)


def test_a_valve_stuck_open_gives_on_whatever_the_word_says():
    plant = hot_plant()
    plant.valve_word(20.0, TMA)
    plant.stick_open("TMA", 20.01)
    plant.valve_word(20.015, 0)
    assert torr(plant, 25.0) > 0.302 + 0.5
    plant.mend_valve("TMA", 26.0)
    assert torr(plant, 40.0) == pytest.approx(0.302, rel=0.03)


def test_a_leak_by_raises_the_base_and_the_chamber_when_it_is_shut():
    plant, sound = hot_plant(), hot_plant()
    plant.leak_by("H2O", 1e-3, 20.0)
    assert torr(plant, 40.0) - torr(sound, 40.0) == pytest.approx(0.04, rel=0.5)
    for each in (plant, sound):
        each.set_flow("carrier", 0.0, 40.0)
        each.valve_word(50.0, STOP)
    rise, leak = (-torr(each, 55.0) + torr(each, 60.0) for each in (plant, sound))
    assert leak < 0.01 < 0.1 < rise


def test_a_leak_by_is_the_same_however_often_it_is_looked_at():
    seldom, often = hot_plant(), hot_plant()
    for plant in (seldom, often):
        plant.leak_by("H2O", 1e-3, 20.0)
        if plant is often:
            for i in range(1000):
                plant.advance(20.0 + i * 0.01)
    assert torr(often, 40.0) == pytest.approx(torr(seldom, 40.0), rel=2e-3)


def test_a_throttled_valve_gives_less_and_a_wrong_bottle_something_else():
    plant = covered_plant()
    healthy = dose(plant, 45.0, TMA, 0.015)
    plant.throttle("TMA", 0.25, 50.0)
    assert 0.25 * healthy < dose(plant, 60.0, TMA, 0.015) < 0.3 * healthy  # its headspace empties less
    plant.mend_valve("TMA", 70.0)
    plant.hang_bottle("TMA", "water", 70.0)
    assert dose(plant, 80.0, TMA, 0.015) > 2 * healthy


def test_a_bottle_can_be_empty_and_replaced():
    plant = covered_plant()
    healthy = dose(plant, 40.0, TMA, 0.015)
    plant.empty_bottle("TMA", 50.0)
    assert dose(plant, 60.0, TMA, 0.015) == pytest.approx(0.0, abs=1e-6)
    plant.hang_bottle("TMA", "trimethylaluminium", 70.0)
    assert dose(plant, 80.0, TMA, 0.015) == pytest.approx(healthy, rel=0.02)


def test_faults_of_what_is_not_there_are_refused():
    plant = hot_plant()
    with pytest.raises(ValueError, match="no port"):
        plant.stick_closed("O3", 20.0)
    with pytest.raises(ValueError, match="no precursor"):
        plant.hang_bottle("TMA", "unobtainium", 20.0)
