"""The model behind `ald check` beside hand calculations, published tables, and the simulated reactor's own code."""

from __future__ import annotations

from dataclasses import replace
from math import exp, log

import pytest

from ald_controller.curves import Monotone
from ald_controller.foresight import timeline
from ald_controller.foresight.bottles import bottle_of
from ald_controller.foresight.forecast import CycleForecast, Forecast, forecast, gordon
from ald_controller.foresight.pools import pass_time
from ald_controller.foresight.reactor import Reactor, reacting_per_m2
from ald_controller.foresight.sites import Sites, steady
from ald_controller.foresight.timeline import cycles
from ald_controller.foresight.vessel import LANGMUIR_PA_S, Vessel, vessel_of
from ald_controller.planner import scene
from ald_controller.registers import Registers
from simulators.plant import heat
from simulators.plant.films import films
from simulators.plant.sample import Sample
from tests.foresee import chamber
from tests.plant_bench import Reactor as Plant
from tests.recipe_bench import chemistry, loaded, plan, recipe, tool

SILICON = "recipe: t\nsubstrate: silicon\nprovenance: read\n"


def warm(celsius: float) -> str:
    heat = f"{{substrate: {celsius} °C, chamber: {celsius} °C}}"
    return f"prepare:\n  - flow: {{carrier: 20 sccm}}\n  - heat: {heat}\n"


def cycle(*doses: tuple[str, str, str], times: int = 10) -> str:
    steps = ", ".join(f"{{pulse: {{precursor: {p}, time: {w}}}}}, {{purge: {s}}}" for p, w, s in doses)
    return f"- repeat: {{times: {times}, steps: [{steps}]}}"


def foresee(celsius: float, *doses: tuple[str, str, str], vessel: Vessel | None = None) -> Forecast:
    text = recipe(cycle(*doses).removeprefix("- "), head=SILICON, prepare=warm(celsius))
    registers = loaded("silicon")
    made = plan(text, registers=registers)
    return forecast(made, vessel or chamber(registers), chemistry(), tool().config, {}, {})


def first(*doses: tuple[str, str, str], celsius: float = 150, vessel: Vessel | None = None) -> CycleForecast:
    return foresee(celsius, *doses, vessel=vessel).cycles[0]


# --- by hand ---------------------------------------------------------------------------------------------------------


def test_tma_at_150_c_saturates_with_the_exposure_of_the_reference_packages() -> None:
    """aldsim and machball: p t0 = 2137 L for 4.3e18 sites per m² and a sticking of 1e-3."""
    e_fold_pa_s = 4.3e18 / reacting_per_m2(chemistry().precursors["TMA"], 150)
    assert e_fold_pa_s / LANGMUIR_PA_S == pytest.approx(2137, rel=2e-3)


def test_a_flat_surface_takes_three_e_folds_and_holes_what_gordon_says() -> None:
    """At aspect ratio 10 transport alone takes 198.5 molecules per site: 444 L for 4.5e18 sites per m²."""
    made = first(("TMA", "15 ms", "15 s"), ("water", "15 ms", "20 s"), vessel=chamber(aspect=10.0)).halves[0]
    sites_m2 = chemistry().films["Al2O3"].sites_m2(150)
    assert made.flat_l == pytest.approx(-log(0.05) * 2137 * sites_m2 / 4.3e18, rel=2e-3)
    assert made.deep_l is not None and made.flat_l is not None
    assert made.deep_l - made.flat_l == pytest.approx(198.5 * 2.137 * sites_m2 / 4.3e18, rel=2e-3)


def test_the_holes_of_hausmann_take_between_four_and_six_kilolangmuir() -> None:
    """Elliptical holes of a = 34.3; 2.69 Zr per nm² at 200 °C; every molecule that hits sticks."""
    entry = chemistry().precursors["TDMAZ"]
    at_once = reacting_per_m2(entry, 200) / entry.sticking.on(200)
    assert 4000 < 2.69e18 / at_once * gordon(34.3) / LANGMUIR_PA_S < 6000


@pytest.mark.parametrize(
    ("doses", "expected"),
    [((0.25, 0.2), 0.11065), ((0.5, 0.4), 0.21859), ((1.0, 0.8), 0.41702), ((2.5, 2.0), 0.8026), ((5.0, 4.0), 0.97519)],
)
def test_partial_cycles_are_those_of_aldenv(doses, expected) -> None:
    """aldenv 0.4.0, SingleALD(k1=5, k2=4)."""
    assert steady(doses) == pytest.approx(expected, abs=1e-4)
    sites = Sites(2)
    for _ in range(50):
        sites.shares, _ = sites.after([doses[0], 0.0])
        sites.shares, moved = sites.after([0.0, doses[1]])
    assert moved[1] == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize(("t1", "t2", "expected"), [(0.2, 1, 0.53593), (0.5, 1, 0.80009), (3, 2, 0.98971)])
def test_soft_saturation_is_that_of_aldenv(t1, t2, expected) -> None:
    """aldenv 0.4.0, SoftSatALD(5, 1, 0.2, 4): a fifth of the sites takes the first step five times slower."""
    assert steady((5 * t1, 4 * t2), ((0.8, 1.0), (0.2, 0.2))) == pytest.approx(expected, abs=1e-4)


def test_a_ring_of_three_steps_turns_whole_when_every_dose_saturates() -> None:
    assert steady((20.0, 20.0, 20.0)) == pytest.approx(1.0)
    assert steady((20.0, 20.0, log(2))) == pytest.approx(0.5, abs=1e-6)


def test_two_vapours_at_once_grow_without_end() -> None:
    sites = Sites(2)
    sites.shares, moved = sites.after([50.0, 50.0])
    assert moved[1] == pytest.approx(25.0, rel=0.02)


def test_what_walls_and_gas_lose_is_what_was_pumped() -> None:
    gas, wall, exposure = pass_time(10.0, 2.0, 3.0, 2.6, 4.0, 0.2, 1.5)
    assert gas + wall + 2.6 * exposure == pytest.approx(10.0 + 2.0 + 3.0 * 1.5)


def test_without_walls_to_speak_of_gas_decays_by_volume_over_speed() -> None:
    gas, _, exposure = pass_time(10.0, 0.0, 0.0, 2.6, 1e9, 0.2, 1.0)
    assert gas == pytest.approx(10.0 * exp(-2.6))
    assert exposure == pytest.approx(10.0 * (1 - exp(-2.6)) / 2.6)


def test_fifteen_milliseconds_of_tma_are_a_third_of_a_milligram() -> None:
    """By the valve makers' equation 4.4 µmol; it refills a little meanwhile."""
    bottle = bottle_of(chemistry().precursors["TMA"], tool().config.ports["TMA"], 25.0, chamber())
    assert bottle.give(0.015, 40.0, 0.0) * 72.09 * 1e3 == pytest.approx(0.33, rel=0.06)


def test_a_curve_never_swings_beyond_its_points_and_two_make_a_line() -> None:
    assert Monotone((0.0, 10.0), (1.0, 3.0))(2.5) == pytest.approx(1.5)
    peak = Monotone((0.0, 1.0, 2.0), (0.0, 1.0, 0.0))
    assert max(peak(x / 100) for x in range(200)) == pytest.approx(1.0)
    assert peak(-5.0) == peak(9.0) == 0.0


# --- beside the simulated reactor ------------------------------------------------------------------------------------


def test_a_room_is_as_warm_to_the_planner_and_the_foresight_as_it_is_in_the_simulated_reactor() -> None:
    """They may not import it of each other across the wire."""
    assert heat.ROOM_C == scene.COLD_C == timeline.ROOM_C


@pytest.mark.parametrize("film", sorted(films()))
def test_growth_per_cycle_is_that_of_the_simulated_reactor_at_every_temperature(film) -> None:
    """Two implementations of one table."""
    ours, theirs = chemistry().films[film], films()[film]
    for celsius in range(20, 320, 7):
        assert ours.readings[0].gpc_nm(celsius) == pytest.approx(theirs.gpc_nm(celsius), rel=1e-9)
        assert ours.sites_m2(celsius) == pytest.approx(theirs.sites_m2(celsius), rel=1e-9)


@pytest.mark.parametrize(
    ("celsius", "purge_s"), [(177, 2), (177, 5), (125, 5), (80, 5), (80, 10), (80, 20), (33, 5), (33, 60)]
)
def test_the_excess_that_a_short_purge_of_water_grows_is_that_of_the_simulated_reactor(celsius, purge_s) -> None:
    made = first(("TMA", "60 ms", "20 s"), ("water", "60 ms", f"{purge_s} s"), celsius=celsius)
    plant = Plant(celsius, ("TMA", "water"))
    plant.cycles(3, ("TMA", 0.06, 20), ("water", 0.06, purge_s))
    grown = plant.cycles(4, ("TMA", 0.06, 20), ("water", 0.06, purge_s)) / 4 / films()["Al2O3"].gpc_nm(celsius)
    assert made.growth == pytest.approx(grown, rel=0.01)


def test_a_large_sample_that_eats_the_dose_grows_what_the_simulated_reactor_grows() -> None:
    made = first(("TMA", "15 ms", "20 s"), ("water", "60 ms", "20 s"), vessel=chamber(sample_m2=2.0))
    plant = Plant(150, ("TMA", "water"), sample=Sample(2.0))
    plant.cycles(3, ("TMA", 0.015, 20), ("water", 0.06, 20))
    grown = plant.cycles(3, ("TMA", 0.015, 20), ("water", 0.06, 20)) / 3 / films()["Al2O3"].gpc_nm(150)
    assert made.growth == pytest.approx(grown, rel=0.03)
    assert made.growth == pytest.approx(0.30, abs=0.03)  # by stoichiometry 0.304


@pytest.mark.parametrize("width_ms", [15, 200])
def test_a_bottle_is_emptied_as_in_the_simulated_reactor(width_ms) -> None:
    made = first(("TMA", f"{width_ms} ms", "10 s"), ("water", "15 ms", "20 s")).halves[0]
    plant = Plant(150, ("TMA", "water"))
    before = plant.plant.bottles["TMA"].grams
    plant.dose("TMA", width_ms / 1e3, 10)
    assert made.grams == pytest.approx(before - plant.plant.bottles["TMA"].grams, rel=0.02)


# --- whole recipes ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("celsius", "nm"), [(33, 33.2), (125, 40.1), (177, 37.5)])
def test_300_cycles_of_alumina_come_to_what_groner_measured(celsius, nm) -> None:
    text = recipe(
        cycle(("TMA", "15 ms", "60 s"), ("water", "60 ms", "180 s"), times=300).removeprefix("- "),
        head=SILICON, prepare=warm(celsius),
    )  # fmt: skip
    registers = loaded("silicon")
    made = forecast(plan(text, registers=registers), chamber(registers), chemistry(), tool().config, {}, {})
    assert made.nm == pytest.approx(nm, rel=0.03)
    assert made.low_nm is not None and made.high_nm is not None and made.nm is not None
    assert made.low_nm < nm < made.high_nm
    assert made.high_nm - made.nm == pytest.approx(0.1 * made.nm)


def test_on_carbon_the_beginning_costs_what_its_sum_says() -> None:
    """f(n) = 1 - 0.9 exp(-n/20): of 100 cycles 18 are lost."""
    text = recipe(
        cycle(("TMA", "15 ms", "15 s"), ("water", "15 ms", "20 s"), times=100).removeprefix("- "),
        head=SILICON.replace("silicon", "carbon"), prepare=warm(120),
    )  # fmt: skip
    registers = loaded("carbon")
    made = forecast(plan(text, registers=registers), chamber(registers), chemistry(), tool().config, {}, {})
    assert made.layers[0].nucleated == pytest.approx(1 - 0.9 * 20 * (1 - exp(-5)) / 100, rel=1e-3)


def test_a_filling_ends_where_the_pressure_is_reached() -> None:
    """What is not needed stays in the bottle: half of the rise takes about half of the gas."""
    doses = "expose: {precursor: TMA, pulse: 1 s, hold: 5 s, flow: 2 sccm}\npurge: 20 s\n"
    other = "expose: {precursor: water, pulse: 100 ms, hold: 1 s, flow: 2 sccm}\npurge: 20 s\n"
    made = plan(recipe(doses + other, head=SILICON, prepare=warm(150)), registers=loaded("silicon"))
    (whole,) = cycles(made, chemistry(), tool().config)
    half, rest = whole.halves
    filled = replace(half, stages=tuple(s._replace(until_pa=60.0) if s.port else s for s in half.stages))
    found = [
        Reactor(replace(whole, halves=(one, rest)), chamber(), chemistry(), tool().config).steady().seen[0]
        for one in (half, filled)
    ]
    assert found[0].peak_pa > 120.0
    assert 40.0 < found[1].peak_pa < 66.0
    assert found[1].moles < 0.6 * found[0].moles


def test_a_recipe_of_steps_written_one_by_one_is_one_kind_of_cycle() -> None:
    steps = (
        "pulse: {precursor: TMA, time: 15 ms}\npurge: 5 s\npulse: {precursor: water, time: 15 ms}\npurge: 9 s\n" * 20
    )
    registers = loaded("silicon")
    made = plan(recipe(steps, head=SILICON, prepare=warm(150)), registers=registers)
    found = forecast(made, chamber(registers), chemistry(), tool().config, {}, {})
    assert [(one.cycle.film, one.times) for one in found.cycles] == [("Al2O3", 20)]


def test_an_exposure_that_fills_to_a_pressure_takes_no_more_than_that() -> None:
    def grams(fill: str) -> float:
        shots = "pulse: 20 ms, times: 20, every: 1 s, hold: 5 s, flow: 2 sccm"
        doses = f"expose: {{precursor: TMA, {shots}{fill}}}\npurge: 20 s\n"
        other = "expose: {precursor: water, pulse: 100 ms, hold: 1 s, flow: 2 sccm}\npurge: 20 s\n"
        registers = loaded("silicon")
        made = plan(recipe(doses + other, head=SILICON, prepare=warm(150)), registers=registers)
        return forecast(made, chamber(registers), chemistry(), tool().config, {}, {}).bottles[0].grams

    assert grams(", to: 600 mTorr, else: hold") < 0.6 * grams("")


def test_what_is_assumed_of_a_reactor_is_what_its_table_says() -> None:
    """Twice the flow coefficient, and twice the walls, in the table: more comes, and more is taken."""
    table = chemistry().reactor.reactor
    wide = table.model_copy(update={"valve_cv": table.valve_cv.model_copy(update={"value": 0.54})})
    doses = (("TMA", "15 ms", "15 s"), ("water", "15 ms", "20 s"))
    usual = first(*doses, vessel=chamber()).halves[0]
    more = first(*doses, vessel=vessel_of(Registers(), wide)).halves[0]
    assert 1.5 * usual.given_mol < more.given_mol < 2.0 * usual.given_mol
    large = table.model_copy(update={"walls": table.walls.model_copy(update={"value": 0.102})})
    taken = first(*doses, vessel=vessel_of(Registers(), large)).halves[0].supply_mol
    assert taken is not None and usual.supply_mol is not None and taken == pytest.approx(2.0 * usual.supply_mol)


def test_the_error_band_is_that_of_the_table() -> None:
    bands = chemistry().reactor.bands
    assert bands.shares == {"high": 0.10, "medium": 0.25, "low": 0.50, "unknown": 0.50} and bands.extrapolated == 0.25
    one = foresee(150, ("TMA", "15 ms", "15 s"), ("water", "15 ms", "20 s")).layers[0].readings[0]
    assert (one.low_nm / one.nm, one.high_nm / one.nm) == (pytest.approx(0.9), pytest.approx(1.1))
