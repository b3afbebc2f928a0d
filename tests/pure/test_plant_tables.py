"""The tables of chemistry as the simulated reactor reads them: nothing is missing, and both readers read the same."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulators.plant.curve import Activated, Pchip
from simulators.plant.films import films
from simulators.plant.network import Network
from simulators.plant.sources import named, vapours
from simulators.plant.tables import number
from tests.recipe_bench import chemistry

SEED = (  # every film that Meng 2024 names, by the steps of its cycle
    "Al2O3", "ZrO2", "TiO2", "LiF", "Li3PO4", "Li2S", "Al2S3", "AlEG", "AlHQ", "ZrEG", "polyurea", "nylon 66", "LiGL",
    "LiTEA", "ZnO", "TiN",
)  # fmt: skip


def test_every_film_of_the_review_is_there() -> None:
    assert set(SEED) <= set(films())


@pytest.mark.parametrize("name", list(chemistry().precursors))
def test_the_reactor_and_the_controller_read_the_same_vapour_pressure(name: str) -> None:
    ours, theirs = vapours()[name], chemistry().precursors[name]
    for celsius in (25.0, 75.0, 150.0):
        if theirs.vapour.stands_at is not None:
            assert ours.pressure_pa(celsius) == pytest.approx(theirs.vapour.stands_at)
        else:
            assert theirs.vapour_pressure is not None
            assert ours.pressure_pa(celsius) == pytest.approx(theirs.vapour_pressure.pa(celsius), rel=1e-9)


@pytest.mark.parametrize("name", list(chemistry().films))
def test_the_reactor_and_the_controller_agree_on_growth_at_the_points(name: str) -> None:
    reading = chemistry().films[name].readings[0]
    assert [films()[name].gpc_nm(p.at) for p in reading.points] == pytest.approx([p.gpc for p in reading.points])


def test_growth_between_the_points_is_the_monotone_curve() -> None:
    """Figures of scipy's PchipInterpolator for the same points."""
    film = films()["Al2O3"]
    found = [film.gpc_nm(celsius) for celsius in (45, 70, 90, 110, 120, 140, 150, 160)]
    assert found == pytest.approx(
        [0.1150287, 0.1260128, 0.1318981, 0.1335844, 0.1339476, 0.1331613, 0.1317376, 0.129698], abs=1e-7
    )
    assert (film.gpc_nm(20), film.gpc_nm(300)) == pytest.approx((0.111, 0.125))
    assert film.covers(33) and film.covers(177) and not film.covers(178)


def test_alucone_falls_by_its_logarithm() -> None:
    assert films()["AlEG"].gpc_nm(120) == pytest.approx(0.163, abs=0.001)


POINTS = st.lists(
    st.tuples(st.floats(0, 300), st.floats(0.01, 5)), min_size=2, max_size=7, unique_by=lambda p: round(p[0], 1)
)


@given(POINTS, st.floats(0, 1))
def test_a_monotone_curve_never_leaves_its_two_neighbours(points, share) -> None:
    points = sorted(points)
    curve = Pchip(tuple(x for x, _ in points), tuple(y for _, y in points))
    for (x0, y0), (x1, y1) in pairwise(points):
        value = curve(x0 + share * (x1 - x0))
        assert min(y0, y1) - 1e-9 <= value <= max(y0, y1) + 1e-9


def test_water_stays_on_cold_walls_for_long_and_a_time_between_two_points_lies_between() -> None:
    stay_s = vapours()["water"].stay_s
    assert (stay_s(20), stay_s(33), stay_s(125), stay_s(177), stay_s(250)) == (37, 37, 2, 1, 1)
    assert 2 < stay_s(110) < 4.1
    assert Activated((0.0, 100.0), (1.0, 100.0))(42.27) == pytest.approx(10.0, rel=0.01)  # half-way in 1/T


@pytest.mark.parametrize(
    ("celsius", "probability"), [(200, 1e-4), (150, 6.0e-5), (100, 3.1e-5), (80, 2.3e-5), (33, 9e-6)]
)
def test_water_sticks_less_where_it_is_cold(celsius: float, probability: float) -> None:
    assert vapours()["water"].sticking(celsius) == pytest.approx(probability, rel=0.03)


def test_what_cannot_be_read_is_refused() -> None:
    with pytest.raises(ValueError, match="'3 feet' is not in one of"):
        number("3 feet")
    with pytest.raises(ValueError, match="x must rise"):
        Pchip((1.0, 1.0), (2.0, 3.0))
    assert named("LTB") == "LiOtBu" and named("unobtainium") is None


def test_a_film_that_begins_as_another_one_does_is_refused() -> None:
    ring, pair = films()["Li3PO4"], films()["LiGL"]
    oxide = replace(pair, name="Li2O", steps=("LiOtBu", "water"))
    with pytest.raises(ValueError, match="'Li2O' is the beginning of 'Li3PO4'"):
        Network(vapours(), {"Li3PO4": ring, "Li2O": oxide})
