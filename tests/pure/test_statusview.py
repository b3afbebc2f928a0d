"""Values as screens show them."""

from __future__ import annotations

from math import inf, nan

import pytest

from ald_controller.config import pa_per_unit
from ald_controller.interlocks import Quality, Sample
from ald_controller.quality import quality as of
from ald_controller.statusview import unit_of, value_of
from drivers.base import Reading


@pytest.mark.parametrize("number", [nan, inf, -inf])
def test_what_json_has_no_word_for_is_shown_as_nothing(number: float) -> None:
    shown = value_of("x.pressure_pa", Sample(number, 1.0, Quality.BAD), 3.0)
    assert shown.v is None and shown.q == "bad" and shown.u == "Pa" and shown.age_s == 2.0


def test_a_unit_comes_from_the_name_and_a_contact_has_none() -> None:
    signals = ("a.flow_sccm", "b.o2_ppm", "z.temperature_c", "b.gate_shut")
    assert [unit_of(signal) for signal in signals] == ["sccm", "ppm", "°C", ""]


def test_a_pressure_channel_without_a_unit_in_its_name_is_refused() -> None:
    assert pa_per_unit("g.pressure_torr") == pytest.approx(133.322, rel=1e-4)
    with pytest.raises(ValueError, match="_pa, _torr or _mbar"):
        pa_per_unit("g.pressure")


@pytest.mark.parametrize(
    ("value", "flags", "quality"),
    [
        (1.0, (), Quality.GOOD),
        (1.0, ("HLD",), Quality.UNCERTAIN),
        (1.0, ("HLD", "BROKEN"), Quality.BAD),
        (nan, (), Quality.BAD),
        (nan, ("HLD",), Quality.BAD),
        (inf, (), Quality.BAD),
    ],
)
def test_what_is_no_number_is_bad_whatever_its_device_says(
    value: float, flags: tuple[str, ...], quality: Quality
) -> None:
    assert of(Reading(value, 1.0, flags)) is quality
