"""The glovebox where something is not in order: its purifier, its gloves, its walls."""

from __future__ import annotations

import pytest

from simulators.plant.glovebox import Glovebox
from tests.plant_bench import Reactor

HOUR_S = 3600.0


def test_a_box_in_order_stays_at_its_level() -> None:
    box = Glovebox(0.0)
    assert (box.over_o2_ppm(10 * HOUR_S), box.over_h2o_ppm(10 * HOUR_S)) == (0.0, 0.0)


def test_ten_minutes_without_the_purifier_let_half_a_ppm_in() -> None:
    box = Glovebox(0.0)
    box.change(HOUR_S, purifier=False)
    assert box.over_o2_ppm(HOUR_S + 600) == pytest.approx(0.5, rel=0.01)
    assert box.over_h2o_ppm(HOUR_S + 600) == pytest.approx(2.5, rel=0.01)
    box.change(HOUR_S + 600, purifier=True)
    assert box.over_o2_ppm(HOUR_S + 900) == pytest.approx(0.5 * 2.718281828 ** (-50 / 12), rel=0.01)
    assert box.over_o2_ppm(3 * HOUR_S) == 0.0


def test_a_leak_at_the_limit_of_class_1_stands_at_two_ppm_while_the_purifier_runs_and_runs_away_when_not() -> None:
    box = Glovebox(0.0)
    box.change(0.0, leak_per_h=5e-4)
    assert box.over_o2_ppm(HOUR_S) == pytest.approx(2.1, rel=0.02)
    box.change(HOUR_S, purifier=False)
    assert box.over_o2_ppm(HOUR_S + 600) == pytest.approx(2.1 + 17 + 0.5, rel=0.05)


def test_more_gloves_let_more_water_than_oxygen_in() -> None:
    box = Glovebox(0.0)
    box.change(0.0, gloves=6)
    assert box.over_h2o_ppm(HOUR_S) == pytest.approx(5 * box.over_o2_ppm(HOUR_S))
    assert 0.05 < box.over_o2_ppm(HOUR_S) < 0.1


def test_how_often_it_is_looked_at_changes_nothing() -> None:
    seldom, often = Glovebox(0.0), Glovebox(0.0)
    for box in (seldom, often):
        box.change(0.0, leak_per_h=1e-3)
    for i in range(1000):
        often.over_o2_ppm(i / 10)
    assert often.over_o2_ppm(100.0) == pytest.approx(seldom.over_o2_ppm(100.0), rel=1e-9)


def test_the_analysers_of_the_reactor_see_it() -> None:
    plant = Reactor(25, ()).plant
    before = plant.glovebox_o2_ppm(30.0)
    plant.box.change(30.0, leak_per_h=5e-4, purifier=False)
    assert plant.glovebox_o2_ppm(630.0) - before == pytest.approx(18, rel=0.1)
    assert plant.glovebox_h2o_ppm(630.0) > 2.0
