"""A quartz crystal in the simulated reactor, and the instrument that makes a thickness of it."""

from __future__ import annotations

import pytest

from simulators.instruments import Crystals
from simulators.plant.crystal import FRESH_HZ, NG_CM2_PER_HZ
from simulators.plant.films import films
from tests.plant_bench import Reactor


def settled_hz(reactor: Reactor) -> float:
    """The mean of readings over a second, long after the last valve moved."""
    found = [reactor.plant.crystal_hz(reactor.now_s + i / 20) for i in range(20)]
    reactor.now_s += 1.0
    return sum(found) / len(found)


def test_a_crystal_falls_in_two_steps_each_cycle() -> None:
    reactor = Reactor(125, ("TMA", "water"))
    reactor.cycles(2, ("TMA", 0.1, 20), ("water", 0.1, 30))
    before = settled_hz(reactor)
    reactor.dose("TMA", 0.1, 20)
    half = settled_hz(reactor)
    reactor.dose("water", 0.1, 30)
    after = settled_hz(reactor)
    assert (before - half) * NG_CM2_PER_HZ == pytest.approx(36.7, rel=0.05)
    assert (half - after) * NG_CM2_PER_HZ == pytest.approx(2.3, abs=0.7)


def test_zirconia_falls_and_rises_again() -> None:
    reactor = Reactor(200, ("TDMAZ", "water"), source_c={"TDMAZ": 80})
    reactor.cycles(2, ("TDMAZ", 1, 10), ("water", 0.1, 20))
    before = settled_hz(reactor)
    reactor.dose("TDMAZ", 1, 10)
    half = settled_hz(reactor)
    reactor.dose("water", 0.1, 20)
    assert (before - half) / (settled_hz(reactor) - half) == pytest.approx(3.28, rel=0.05)


def test_a_valve_that_moves_disturbs_it_for_a_moment_only() -> None:
    reactor = Reactor(125, ("TMA",))
    plant, at_s = reactor.plant, reactor.now_s
    plant.empty_bottle("TMA", at_s)
    quiet = settled_hz(reactor)
    plant.valve_word(at_s + 2, 1)
    struck = sum(plant.crystal_hz(at_s + 2.005 + i / 1000) for i in range(20)) / 20
    assert struck - quiet == pytest.approx(0.5, abs=0.1)
    assert sum(plant.crystal_hz(at_s + 10 + i / 1000) for i in range(20)) / 20 == pytest.approx(quiet, abs=0.1)


def test_it_drifts_with_heat_and_its_noise_is_a_tenth_of_a_hertz() -> None:
    reactor = Reactor(125, ("TMA",))
    found = [reactor.plant.crystal_hz(30 + i / 10) for i in range(200)]
    mean = sum(found) / 200
    assert mean == pytest.approx(FRESH_HZ, abs=0.1)
    assert (sum((hz - mean) ** 2 for hz in found) / 200) ** 0.5 == pytest.approx(0.1, rel=0.2)
    reactor.plant.heat.zones["substrate"].metal_c += 10
    assert settled_hz(reactor) - FRESH_HZ == pytest.approx(20.0, abs=0.5)


def test_the_instrument_shows_the_thickness_of_the_film() -> None:
    reactor = Reactor(125, ("TMA", "water"))
    crystals = Crystals(reactor.plant)
    assert crystals.film_nm(1, reactor.now_s) == pytest.approx(0.0, abs=0.05)
    grown = reactor.cycles(20, ("TMA", 0.1, 20), ("water", 0.1, 30))
    assert crystals.film_nm(1, reactor.now_s) == pytest.approx(grown, rel=0.03)
    assert grown == pytest.approx(20 * films()["Al2O3"].gpc_nm(125), rel=0.02)


def test_its_thickness_does_not_jump_when_the_first_layer_is_whole() -> None:
    """Somebody enters the density before a run; the instrument does not change it by itself."""
    reactor = Reactor(125, ("TMA", "water"))
    crystals = Crystals(reactor.plant)
    reactor.dose("TMA", 0.1, 20)
    half = crystals.film_nm(1, reactor.now_s)
    reactor.dose("water", 0.1, 30)
    assert crystals.film_nm(1, reactor.now_s) == pytest.approx(half, abs=0.03)
