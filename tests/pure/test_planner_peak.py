"""At plan time what the hottest place comes to, and not the set-point alone, has to stay below the warning."""

from __future__ import annotations

import pytest

from ald_controller.config import load_tool
from ald_controller.registers import Registers
from tests.recipe_bench import ROOT, chemistry, loaded, plan, problems, recipe, tool

PULSE = "pulse: {precursor: TMA, time: 15 ms}"
HEAT = "prepare:\n  - flow: {carrier: 20 sccm}\n  - heat: {substrate: %s, chamber: 120 °C%s}\n"


def commissioned(lag: str, hottest: str, load: str = "lithium") -> Registers:
    slope = "{25 °C: 0.2 K/s, 150 °C: 0.1 K/s}"
    value = f"{{slope: {slope}, lag: {lag}, second: 0 K, second_later: 0 s, hottest: {hottest}}}"
    return loaded(load).set("constant.heater.substrate", value, "Ann", "now", chemistry())


def found(celsius: str, ramp: str, registers: Registers) -> list[str]:
    return problems(recipe(PULSE, prepare=HEAT % (celsius, ramp)), registers=registers)


@pytest.mark.parametrize(("ramp", "lag", "hottest", "peaks"), [
    ("", "60 s", "5 K", True),  # 150 + 6 + 5
    ("", "60 s", "3.9 K", False), ("", "60 s", "4 K", True), ("", "39 s", "6 K", False),
    (", ramp: 3 K/min", "60 s", "6.9 K", False), (", ramp: 3 K/min", "60 s", "7 K", True),
])  # fmt: skip
def test_a_set_point_whose_ramp_and_offset_come_to_the_warning_is_refused(
    ramp: str, lag: str, hottest: str, peaks: bool
) -> None:
    told = found("150 °C", ramp, commissioned(lag, hottest))
    assert bool(told) == peaks, told


def test_the_refusal_stands_at_its_line_and_says_what_would_be_right() -> None:
    (told,) = found("150 °C", "", commissioned("60 s", "5 K"))
    assert told == (
        "r.yaml:6:23: 'substrate' at 150 °C comes to 161 °C (6 K/min with a sensor that lags 60 s, and 5 K to its "
        "hottest place), and the warning for lithium is at 160 °C: set less than 149 °C, or a ramp below 5 K/min"
    )
    assert not found("148.9 °C", "", commissioned("60 s", "5 K"))
    assert not found("150 °C", ", ramp: 4.9 K/min", commissioned("60 s", "5 K"))


def test_no_ramp_is_slow_enough_for_a_place_ten_kelvins_hotter() -> None:
    (told,) = found("150 °C", "", commissioned("3 s", "10 K"))
    assert told.endswith("set less than 149.7 °C")


def test_a_heater_that_nobody_commissioned_heats_no_lithium() -> None:
    (told,) = found("100 °C", "", loaded("lithium").without("constant.heater.substrate"))
    assert "how far 'substrate' overshoots was never commissioned: set the register constant.heater.substrate" in told


def test_off_needs_no_prediction() -> None:
    assert not found("off", "", loaded("lithium").without("constant.heater.substrate"))


def test_another_load_has_its_own_limit_and_no_warning_at_160() -> None:
    silicon = commissioned("60 s", "9 K", "silicon").without("constant.heater.chamber")
    text = recipe(PULSE, head="recipe: t\nsubstrate: silicon\nprovenance: unverified default\n",
                  prepare=HEAT % ("180 °C", ""))  # fmt: skip
    assert plan(text, registers=silicon).lithium is False


def test_above_the_clamp_one_mistake_stays_one_error() -> None:
    (told,) = found("151 °C", "", commissioned("60 s", "9 K"))
    assert "above the 150 °C" in told


def test_the_owners_lower_warning_is_the_one_that_binds() -> None:
    strict = load_tool(ROOT / "deploy" / "tool.yaml")
    limits = strict.config.limits.model_copy(update={"lithium_warn": 152.0})
    lower = type(strict)(**{**vars(strict), "config": strict.config.model_copy(update={"limits": limits})})
    text = recipe(PULSE, prepare=HEAT % ("150 °C", ""))
    assert not problems(text, registers=commissioned("3 s", "1 K"), at=tool())
    assert problems(text, registers=commissioned("10 s", "1 K"), at=lower)
