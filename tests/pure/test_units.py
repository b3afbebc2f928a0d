"""Quantities as people write them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ald_controller import units
from ald_controller.units import Dimension, UnitError

DIMENSIONS = [d for d in vars(units).values() if isinstance(d, Dimension)]


@pytest.mark.parametrize(
    ("dimension", "text", "value"),
    [
        (units.TIME, "20 s", 20.0), (units.TIME, "15 ms", 0.015), (units.TIME, "15ms", 0.015),
        (units.TIME, "4 h", 14400.0), (units.TIME, "4\u00a0h", 14400.0),
        (units.TEMPERATURE, "150 °C", 150.0), (units.TEMPERATURE, "150 C", 150.0), (units.TEMPERATURE, "0 K", -273.15),
        (units.TEMPERATURE, "-5 degC", -5.0), (units.DIFFERENCE, "1 K", 1.0), (units.RAMP, "3 K/min", 0.05),
        (units.PRESSURE, "100 mTorr", 13.3322368), (units.PRESSURE, "1 Torr", 133.322368),
        (units.PRESSURE, "2 mbar", 200.0),
        (units.PRESSURE_RATE, "10 Torr/s", 1333.22368), (units.PRESSURE_RATE, "5 mTorr/min", 0.0111101974),
        (units.FLOW, "20 sccm", 20.0), (units.THICKNESS, "1.34 Å", 0.134), (units.MASS, "500 mg", 0.5),
        (units.FRACTION, "100 ppb", 0.1), (units.AREA, "20 cm2", 0.002), (units.VOLTAGE, "10 V", 10.0),
    ],
)  # fmt: skip
def test_a_quantity_is_a_number_and_a_unit(dimension: Dimension, text: str, value: float) -> None:
    assert dimension.parse(text) == pytest.approx(value, rel=1e-6)


@pytest.mark.parametrize(
    "text",
    [
        "", " ", "s", "20", "20 S", "20 sec", "1e3 s", "0x10 s", "1_000 s", "1,5 s", "1:30", "1/2 s", "9**9 s", "nan s",
        "inf s", "-- 3 s", "20 s s", "20 s;", "٣ s", "2٣ s", "²s", "1" * 16 + " s", "1.5.2 s", "+ 5 s", "5 s\n6 s",
        5, 5.0, True, None, [], {},
    ],
)  # fmt: skip
def test_anything_else_is_refused_with_an_example_of_what_is_right(text: object) -> None:
    with pytest.raises(UnitError, match=r"(for example|as in) '20 s'"):
        units.TIME.parse(text)


def test_a_bare_number_is_told_which_units_there_are() -> None:
    with pytest.raises(UnitError, match="'20' has no unit: write one of s, ms, min, h, for example '20 s'"):
        units.TIME.parse(20)


def test_nothing_is_computed_from_text() -> None:
    for text in ("(1+1) s", "2*3 s", "__import__ s", "9**9**7 s"):
        with pytest.raises(UnitError):
            units.TIME.parse(text)


@pytest.mark.parametrize("dimension", DIMENSIONS, ids=lambda d: d.name)
def test_every_dimension_parses_its_own_example(dimension: Dimension) -> None:
    assert dimension.parse(dimension.example.strip("'")) is not None


@given(st.sampled_from(DIMENSIONS), st.floats(-1e6, 1e6), st.data())
def test_what_is_shown_can_be_written_back(dimension: Dimension, value: float, data: st.DataObject) -> None:
    unit = data.draw(st.sampled_from(list(dimension.units)))
    shown = dimension.show(value, unit)
    if "e" in shown.split()[0]:
        return  # outside of what anybody writes
    factor, offset = dimension.units[unit]
    assert dimension.parse(shown) == pytest.approx(value, rel=1e-3, abs=abs(offset) * 1e-3 + abs(factor) * 1e-3)


@given(st.text(max_size=30))
def test_any_text_is_a_quantity_or_a_unit_error(text: str) -> None:
    for dimension in DIMENSIONS:
        try:
            assert isinstance(dimension.parse(text), float)
        except UnitError as error:
            assert str(error)


@pytest.mark.parametrize(
    ("dimension", "value", "unit", "text"),
    [
        (units.TEMPERATURE, 150.0, None, "150 °C"), (units.TEMPERATURE, 25.0, "K", "298.1 K"),
        (units.TIME, 0.015, "ms", "15 ms"), (units.TIME, 1200.0, "min", "20 min"),
        (units.PRESSURE, 13.3322368, "mTorr", "100 mTorr"), (units.PRESSURE, 123456.0, None, "1.235e+05 Pa"),
        (units.PRESSURE_RATE, 0.00444407895, "mTorr/min", "2 mTorr/min"),
    ],
)  # fmt: skip
def test_values_are_shown_to_four_figures(dimension: Dimension, value: float, unit: str | None, text: str) -> None:
    assert dimension.show(value, unit) == text


def test_both_micro_signs_and_both_angstrom_signs_are_the_same_unit() -> None:
    assert units.THICKNESS.parse("1 \u00b5m") == units.THICKNESS.parse("1 \u03bcm") == 1000.0
    assert units.THICKNESS.parse("1 \u00c5") == units.THICKNESS.parse("1 \u212b") == pytest.approx(0.1)
