"""A pump-down that is faster than the recipe allows is told once."""

from __future__ import annotations

from ald_controller.acts import PumpSpeed


def test_a_pump_down_that_is_too_fast_is_told_once() -> None:
    watch = PumpSpeed(100.0)
    assert watch.look(1000.0, 0.0) == ""
    assert watch.look(990.0, 0.25) == ""
    assert "160 Pa/s, faster than the 100 Pa/s" in watch.look(950.0, 0.5)
    assert watch.look(500.0, 0.75) == ""


def test_a_rising_pressure_or_no_limit_tells_nothing() -> None:
    watch, free = PumpSpeed(1.0), PumpSpeed(None)
    for at_s, pressure in ((0.0, 100.0), (1.0, 200.0), (2.0, 300.0)):
        assert watch.look(pressure, at_s) == "" == free.look(-pressure, at_s)
