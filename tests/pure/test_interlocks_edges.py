"""Edges of measures and of lists that no other sentence walks: found by changes of the code that nobody had noticed."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ald_controller.interlocks.measures import Input, Sample
from ald_controller.interlocks.thermal import thermal_absent
from ald_controller.interlocks.thermal_measures import Blind
from ald_controller.interlocks.thermal_power import Behind
from tests.interlock_bench import CONFIG, SETTING

A, B, C = (Input(name, -20, 400, 2.0) for name in "abc")
DUTY, ASKED = Input("duty", 0, 100, 2.0), Input("asked", -274, 1000)


def with_signals(**changed: Any) -> Any:
    """The reference tool's setting with other signals."""
    signals = CONFIG.signals.model_copy(update=changed)
    return replace(SETTING, config=CONFIG.model_copy(update={"signals": signals}))


def test_of_three_sensors_that_came_back_apart_the_last_is_named() -> None:
    samples = {name: Sample(value, 100.0) for name, value in (("a", 100.0), ("b", 100.0), ("c", 120.0), ("duty", 30.0))}
    taken = Blind((A, B, C), DUTY, 10.0).take(True, samples, 100.0)
    assert (taken.number, taken.signal) == (1.0, "c")


def test_a_zone_that_is_first_seen_cold_counts_from_then() -> None:
    behind = Behind(A, ASKED, None)
    memory = None
    numbers = []
    for at_s in (100.0, 120.0, 121.0):  # nothing was read for long: no more than a reading's age counts
        taken = behind.take(memory, {"a": Sample(50.0, at_s), "asked": Sample(65.0, at_s)}, at_s)
        memory = taken.memory
        numbers.append(taken.number)
    assert numbers == [0, 20.0, 30.0]


def test_a_tool_without_zones_guards_no_lithium_temperature_and_says_so() -> None:
    bare = replace(SETTING, config=CONFIG.model_copy(update={"zones": {}}))
    sentence = "T1: no zone has the role substrate or chamber, so no lithium temperature is guarded."
    assert sentence in thermal_absent(bare) and sentence not in thermal_absent(SETTING)
