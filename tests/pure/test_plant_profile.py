"""The coverage along holes beside what machball 0.3.0 solved, molecule by molecule."""

from __future__ import annotations

import pytest

from simulators.plant.holes import gordon, needed
from simulators.plant.profile import profile

DEPTHS = (0.05, 0.25, 0.5, 0.75, 0.95)
SOLVED = [  # sticking, aspect ratio, exposure; coverage at those depths, at the bottom, mean
    (1e-2, 10, 100, (0.572, 0.469, 0.370, 0.309, 0.290), 0.292, 0.392),
    (1e-2, 10, 200, (0.825, 0.744, 0.650, 0.582, 0.560), 0.562, 0.665),
    (1e-2, 10, 400, (0.974, 0.954, 0.927, 0.904, 0.895), 0.896, 0.929),
    (1e-2, 20, 200, (0.794, 0.578, 0.330, 0.184, 0.142), 0.144, 0.388),
    (1e-2, 20, 400, (0.963, 0.864, 0.640, 0.425, 0.348), 0.351, 0.643),
    (1e-2, 20, 700, (0.998, 0.984, 0.916, 0.794, 0.730), 0.731, 0.887),
    (1e-2, 20, 1000, (1.000, 0.999, 0.992, 0.975, 0.964), 0.964, 0.987),
    (1e-3, 50, 2000, (0.825, 0.682, 0.495, 0.360, 0.315), 0.314, 0.526),
    (1e-3, 50, 4000, (0.972, 0.925, 0.825, 0.718, 0.674), 0.672, 0.822),
    (1e-3, 50, 7000, (0.999, 0.995, 0.985, 0.970, 0.963), 0.963, 0.983),
]


@pytest.mark.parametrize(("sticking", "aspect", "exposure", "walls", "bottom", "mean"), SOLVED)
def test_the_coverage_along_a_hole_is_that_of_a_solved_one(sticking, aspect, exposure, walls, bottom, mean) -> None:
    found = profile(sticking, aspect, exposure)
    assert found.mean == pytest.approx(mean, rel=0.05)
    assert [found.at(depth) for depth in DEPTHS] == pytest.approx(walls, rel=0.08, abs=0.02)
    assert found.bottom == pytest.approx(bottom, rel=0.08, abs=0.02)


def test_where_every_molecule_sticks_the_front_is_at_the_bottom_after_gordons_exposure() -> None:
    assert profile(1.0, 10.0, gordon(10.0), cells=20).mean == pytest.approx(0.97, abs=0.03)
    early = profile(1.0, 10.0, 0.25 * gordon(10.0), cells=20)
    assert early.at(0.1) > 0.9 and early.at(0.8) < 0.1


def test_an_exposure_that_coats_by_the_closed_form_covers_95_percent_of_the_bottom() -> None:
    for aspect in (10.0, 50.0):
        assert profile(1e-2, aspect, needed(1e-2, aspect)).bottom == pytest.approx(0.95, abs=0.02)


def test_nothing_covers_nothing_and_a_lot_covers_all() -> None:
    none, all_ = profile(1e-2, 10.0, 0.0), profile(1e-2, 10.0, 5000.0)
    assert (none.mean, none.bottom) == (0.0, 0.0)
    assert min(*all_.walls, all_.bottom) > 0.999
