"""What may be set with the controller stopped: within the device's range and the tool's limits; nothing that moves."""

from __future__ import annotations

from pathlib import Path

import pytest

from ald_controller.cli.setpoints import NotFromHere, Order, order
from ald_controller.config import load_tool
from ald_controller.units import UnitError

FILE = load_tool(Path(__file__).parents[2] / "deploy" / "tools" / "every-device.yaml")


@pytest.mark.parametrize(
    ("device", "text", "value"),
    [
        ("carrier", "0 sccm", 0.0), ("carrier", "20 sccm", 20.0), ("carrier", "0.02 slm", 20.0),
        ("pusher", "0 sccm", 0.0), ("substrate", "150 °C", 150.0), ("source-3", "180 °C", 180.0),
    ],
)  # fmt: skip
def test_what_is_within_the_limits_is_taken_in_its_fixed_unit(device: str, text: str, value: float) -> None:
    assert order(FILE, device, text).value == pytest.approx(value)


def test_a_heater_can_be_given_its_own_safe_set_point() -> None:
    assert order(FILE, "substrate", "off") == Order("substrate", None, True, "its own safe set-point")


@pytest.mark.parametrize(
    ("device", "text", "words"),
    [
        ("carrier", "20.1 sccm", r"outside 0…20 sccm, the smaller of its full scale \(100\) and the tool's purge flow"),
        ("carrier", "-1 sccm", "outside 0…20 sccm"),
        ("pusher", "0.1 sccm", "pushes the precursor at port LTB"),
        ("substrate", "150.1 °C", "outside 0…150 °C for substrate: lithium may lie there"),
        ("chamber", "200 °C", "outside 0…150 °C for chamber: lithium may lie there"),
        ("source-5", "121 °C", "outside 0…120 °C for source-5: the zone's limit"),
        ("source-3", "-5 °C", "outside 0…180 °C"),
        ("lines", "100 °C", "lines goes on heating at its last set-point when whoever set it dies"),
        ("coupler-b", "1", "outputs of coupler-b are not set from here"),
        ("coupler-c", "spare lamp", "outputs of coupler-c are not set from here"),
        ("backing", "on", "backing is a pump"),
        ("pirani", "1 Pa", "pirani only measures"),
        ("analysers", "1 ppm", "analysers only measures"),
        ("film", "0", "film only measures"),
    ],
)
def test_what_could_endanger_or_is_beyond_a_limit_is_refused_with_the_reason(
    device: str, text: str, words: str
) -> None:
    with pytest.raises(NotFromHere, match=words):
        order(FILE, device, text)


@pytest.mark.parametrize(("device", "text"), [("carrier", "5"), ("substrate", "80 K"), ("carrier", "nan sccm")])
def test_a_value_that_cannot_be_read_is_no_order(device: str, text: str) -> None:
    with pytest.raises((UnitError, NotFromHere)):
        order(FILE, device, text)
