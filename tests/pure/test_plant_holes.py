"""Holes: the closed form beside transport that others solved, beside measured holes, and in the simulated reactor."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulators.plant.films import films
from simulators.plant.holes import Half, aspect_of_hole, aspect_of_trench, gordon, needed, reached
from simulators.plant.sample import Sample
from simulators.plant.sources import TORR_PA, vapours
from tests.plant_bench import Reactor
from tests.reference import rows

LANGMUIR_PA_S = 1e-6 * TORR_PA
VIAS = rows("via_saturation")


@pytest.mark.parametrize(
    "row", [row for row in VIAS if row["sticking"] in (1e-3, 1e-2) and 5 <= row["aspect_ratio"] <= 50]
)
def test_the_dose_for_the_bottom_of_a_via_is_that_of_a_solved_one(row: dict[str, float]) -> None:
    assert needed(row["sticking"], row["aspect_ratio"]) == pytest.approx(row["bottom"], rel=0.05)


@pytest.mark.parametrize("row", [row for row in VIAS if row["sticking"] <= 0.1])
def test_up_to_a_sticking_of_a_tenth_the_closed_form_is_within_8_percent(row: dict[str, float]) -> None:
    assert needed(row["sticking"], row["aspect_ratio"]) == pytest.approx(row["bottom"], rel=0.08)


def test_the_holes_of_hausmann_are_coated_by_6000_langmuir_and_not_by_4000() -> None:
    """Elliptical, 0.17 x 0.30 x 7.3 µm; Hausmann 2002 saw it coated by 6000 L, and not by 4000 L."""
    aspect = aspect_of_hole(7.3e-6, 0.752e-6, 0.0401e-12)  # perimeter and cross-section of the ellipse
    assert aspect == pytest.approx(34.3, rel=0.01)
    half = Half(vapours()["TDMAZ"], films()["ZrO2"], 200.0)
    assert half.unit_pa_s * gordon(34.3) / LANGMUIR_PA_S == pytest.approx(5249, rel=0.005)
    assert half.needed_pa_s(aspect) / LANGMUIR_PA_S == pytest.approx(5400, rel=0.02)
    assert half.reached(4000 * LANGMUIR_PA_S) < aspect < half.reached(6000 * LANGMUIR_PA_S)


@given(st.floats(1e-4, 1.0), st.floats(0.5, 300.0))
def test_what_a_hole_asks_is_what_reaches_its_bottom(sticking: float, aspect: float) -> None:
    assert reached(sticking, needed(sticking, aspect)) == pytest.approx(aspect, rel=1e-6)


def test_less_than_coats_a_flat_surface_reaches_nowhere() -> None:
    assert reached(1e-3, 2900.0) == 0.0
    assert reached(1e-3, 3100.0) > 1.0


def test_a_trench_counts_half() -> None:
    assert aspect_of_trench(20e-6, 1e-6) == pytest.approx(10.0)


@pytest.mark.parametrize(("area_m2", "micromol"), [(0.05, 0.37), (0.5, 3.7), (5, 37), (100, 730)])
def test_an_area_takes_as_many_molecules_as_it_has_sites(area_m2: float, micromol: float) -> None:
    half = Half(vapours()["TMA"], films()["Al2O3"], 150.0)
    assert half.supply_mol(area_m2) * 1e6 == pytest.approx(micromol, rel=0.05)


def test_a_pulse_that_coats_a_plane_does_not_coat_deep_holes_and_an_exposure_does() -> None:
    reactor = Reactor(150, ("TMA", "water"), sample=Sample(aspect=200.0))
    reactor.dose("TMA", 0.015, 10)
    short = reactor.plant.coated(reactor.now_s)["TMA"]
    reactor.dose("water", 0.015, 20)
    reactor.dose("TMA", 0.03, 10, hold_s=5)
    assert short == pytest.approx(0.73, abs=0.05)
    assert reactor.plant.coated(reactor.now_s)["TMA"] == 1.0


def test_a_second_pulse_of_the_same_precursor_goes_deeper_and_a_flat_sample_has_no_holes() -> None:
    reactor = Reactor(150, ("TMA", "water"), sample=Sample(aspect=200.0))
    reactor.dose("TMA", 0.015, 5)
    once = reactor.plant.coated(reactor.now_s)["TMA"]
    reactor.dose("TMA", 0.015, 5)
    assert reactor.plant.coated(reactor.now_s)["TMA"] > 1.3 * once
    assert Reactor(150, ("TMA",)).plant.coated(30.0) == {}
