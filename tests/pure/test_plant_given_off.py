"""What reactions give off, and films with soft sites: in the simulated reactor and beside the model of check."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ald_controller.foresight.sites import Sites
from simulators.plant import network
from simulators.plant.films import Film, Soft, films
from simulators.plant.gas import R
from simulators.plant.holes import Half, flat
from simulators.plant.network import Network
from simulators.plant.sample import Sample
from simulators.plant.sources import AVOGADRO, named, vapours
from simulators.plant.surface import Surface
from simulators.plant.tables import table
from tests.plant_bench import STOP, Reactor

PLENTY = 1e6


# --- gas that reactions give off -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted(films()))
def test_what_leaves_is_what_the_masses_of_the_steps_say(name: str) -> None:
    """Ligands that leave weigh what precursors bring and films do not keep, between hydrogen and a diketone."""
    film = films()[name]
    assert len(film.leave) == len(film.steps) == len(film.gains)
    if sum(film.leave) == 0:
        assert sum(film.gains) == pytest.approx(sum(vapours()[step].formula_g for step in film.steps), rel=0.01)
    assert all(0 <= count <= 4 for count in film.leave)


def test_in_a_shut_chamber_the_pressure_shows_1_5_methane_for_each_trimethylaluminium() -> None:
    """2 m² take all of a pulse, so that only what they give off is left of it."""
    reactor = Reactor(150, ("TMA",), sample=Sample(2.0))
    plant, at_s = reactor.plant, reactor.now_s
    plant.set_flow("carrier", 0.0, at_s)
    plant.valve_word(at_s + 5, STOP)
    plant.advance(at_s + 10)
    grams, before_pa = plant.bottles["TMA"].grams, plant.pressure_pa(at_s + 10)
    plant.valve_word(at_s + 10, STOP | 1)
    plant.valve_word(at_s + 10.015, STOP)
    plant.advance(at_s + 12)
    given_mol = (grams - plant.bottles["TMA"].grams) / vapours()["TMA"].molar_g
    leaked_pa = 2.0 * plant.vessel.leak_pa_m3_s / plant.vessel.volume_m3
    rise_mol = (plant.pressure_pa(at_s + 12) - before_pa - leaked_pa) * plant.vessel.volume_m3 / (R * 423.15)
    assert rise_mol == pytest.approx(1.5 * given_mol, rel=0.02)
    sites_mol = 2.05 * films()["Al2O3"].sites_m2(150) * plant.surface.covered("TMA") / AVOGADRO
    assert plant.gas.given_off_pa * plant.vessel.volume_m3 / (R * 423.15) == pytest.approx(1.5 * sites_mol, rel=0.01)


def test_what_was_given_off_is_pumped_away() -> None:
    reactor = Reactor(150, ("TMA",))
    plant = reactor.plant
    reactor.dose("TMA", 0.015, 0.1)
    assert plant.gas.given_off_pa > 0.1
    plant.advance(reactor.now_s + 10.0)
    assert plant.gas.given_off_pa < 1e-6


def test_an_addition_gives_nothing_off() -> None:
    on = Surface()
    for step in films()["polyurea"].steps:
        reacted = on.probe({step: PLENTY}, 65.0)
        assert reacted is not None and reacted.given_m2 == 0.0
        on.take(reacted, 65.0)
    assert on.thickness_nm > 0.3


# --- soft sites ----------------------------------------------------------------------------------------------------


def soft_film(name: str, share: float, factor: float) -> Film:
    return replace(films()[name], soft=Soft(share, factor))


def test_a_film_whose_table_names_soft_sites_has_them(monkeypatch: pytest.MonkeyPatch) -> None:
    entries = table("films")
    entry = {**entries["Al2O3"], "soft": {"share": 0.2, "factor": 0.2, "source": "x", "provenance": "read"}}
    monkeypatch.setattr("simulators.plant.films.table", lambda name: {**entries, "Al2O3": entry})
    made = films.__wrapped__()
    assert made["Al2O3"].soft == Soft(0.2, 0.2)
    monkeypatch.setattr("simulators.plant.model.shipped", lambda readings: Network(vapours(), made))
    soft, hard = Reactor(150, ("TMA",)).plant.surface, Surface()
    for on in (soft, hard):
        on.expose({"TMA": 0.5}, 150.0)
    assert 0.8 * hard.covered("TMA") < soft.covered("TMA") < 0.95 * hard.covered("TMA")


def test_soft_sites_of_one_film_leave_another_film_as_it_is() -> None:
    mixed = Network(vapours(), {**films(), "Al2O3": soft_film("Al2O3", 0.2, 0.2)})
    dose = {"LiOtBu": 0.01}
    plain, beside = Surface(network=network.shipped()), Surface(network=mixed)
    for on in (plain, beside):
        on.expose(dose, 150.0)
    assert beside.covered("LiOtBu") == pytest.approx(plain.covered("LiOtBu"), rel=1e-9)
    for on in (plain, beside):
        on.expose({"TMA": 0.5}, 150.0)
    assert beside.covered("TMA") < 0.95 * plain.covered("TMA")


def test_two_films_may_be_soft_on_more_or_fewer_sites() -> None:
    both = Network(
        vapours(), {"Al2O3": soft_film("Al2O3", 0.3, 0.2), "Li2S": soft_film("Li2S", 0.1, 0.5), "ZnO": films()["ZnO"]}
    )
    assert both.parts == pytest.approx((0.1, 0.2, 0.7))
    assert both.factors(both.films["Al2O3"]) == (0.2, 0.2, 1.0)
    assert both.factors(both.films["Li2S"]) == (0.5, 1.0, 1.0)
    assert both.factors(both.films["ZnO"]) == (1.0, 1.0, 1.0)


def test_soft_sites_ask_for_more_of_the_first_precursor_and_of_the_second_as_much() -> None:
    """0.8 exp(-x) + 0.2 exp(-x/5) is 0.05 at x = 7.005."""
    hard, soft = films()["Al2O3"], soft_film("Al2O3", 0.2, 0.2)
    assert flat() == pytest.approx(2.996, abs=1e-3)
    assert flat(soft.soft) == pytest.approx(7.005, abs=0.001)
    asked = [[Half(vapours()[step], film, 150.0).needed_pa_s(0.0) for film in (hard, soft)] for step in hard.steps]
    assert asked[0][1] / asked[0][0] == pytest.approx(7.005 / 2.996, rel=0.01)
    assert asked[1][1] == asked[1][0]


@pytest.mark.parametrize("first", [0.3, 1.0, 4.0])
def test_soft_sites_are_those_of_the_model_of_check(first: float) -> None:
    film = soft_film("Al2O3", 0.2, 0.2)
    tma, water = (vapours()[named(step)].reacting_per_m2(150.0) / film.sites_m2(150.0) for step in film.steps)
    on, theirs = Surface(network=Network(vapours(), {"Al2O3": film})), Sites(2, ((0.8, 1.0), (0.2, 0.2)))
    for _ in range(20):
        before = on.thickness_nm
        on.expose({"TMA": first / tma}, 150.0)
        on.expose({"water": 2.0 / water}, 150.0)
        theirs.shares, _ = theirs.after([first, 0.0])
        theirs.shares, moved = theirs.after([0.0, 2.0])
    assert (on.thickness_nm - before) / film.gpc_nm(150.0) == pytest.approx(moved[1], rel=1e-6)
