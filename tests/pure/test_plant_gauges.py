"""The gauges of the simulated reactor: they lag, and the thermal one does not weigh every gas alike."""

from __future__ import annotations

from math import exp

import pytest

from simulators.plant.gauges import OF_VAPOUR, Gauges, Lagging
from simulators.plant.sources import TORR_PA
from tests.plant_bench import Reactor


def test_a_gauge_follows_a_steady_rise_exactly_however_often_it_is_told() -> None:
    once, often = Lagging(0.1, 5.0), Lagging(0.1, 5.0)
    once.follow(0.3, 35.0)
    for i in range(1, 31):
        often.follow(0.01, 5.0 + i)
    assert once.value == pytest.approx(35.0 - 10.0 * (1.0 - exp(-3.0)), rel=1e-12)
    assert often.value == pytest.approx(once.value, rel=1e-9)


def test_a_gauge_at_rest_shows_what_is_there() -> None:
    gauges = Gauges(40.0)
    for _ in range(100):
        gauges.follow(1.0, 30.0, 0.0)
    assert (gauges.capacitance.value, gauges.pirani.value) == (30.0, 30.0)


def test_the_thermal_gauge_takes_vapour_for_more_argon_than_it_is() -> None:
    gauges = Gauges(40.0)
    for _ in range(100):
        gauges.follow(1.0, 30.0, 10.0)
    assert gauges.capacitance.value == pytest.approx(40.0)
    assert gauges.pirani.value == pytest.approx(30.0 + 10.0 * OF_VAPOUR) == pytest.approx(44.5, abs=0.05)


def test_a_pulse_reaches_the_thermal_gauge_later_than_the_other_one() -> None:
    reactor = Reactor(150, ("water",))
    plant, at_s = reactor.plant, reactor.now_s
    plant.valve_word(at_s, 1)
    plant.valve_word(at_s + 0.015, 0)
    true, felt, heard = (
        plant.pressure_pa(at_s + 0.03), plant.capacitance_torr(at_s + 0.03) * TORR_PA, plant.pirani_pa(at_s + 0.03)
    )  # fmt: skip
    assert 0.5 * true < felt < true
    assert heard < 0.75 * felt
    assert plant.pirani_pa(at_s + 0.4) > 1.1 * plant.capacitance_torr(at_s + 0.4) * TORR_PA
