"""Edges of measures and of lists that no other sentence walks: found by changes of the code that nobody had noticed."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from ald_controller.config import Mqtt
from ald_controller.config.watchdog import WatchdogTest
from ald_controller.interlocks import Check, Facts, Hung, Level, Reaction, Reset, RuleSet, Setting, fingerprint
from ald_controller.interlocks.control import control_absent
from ald_controller.interlocks.control_machine import machine
from ald_controller.interlocks.control_measures import Grown
from ald_controller.interlocks.fingerprint import limits_hash, limits_of
from ald_controller.interlocks.glovebox import glovebox
from ald_controller.interlocks.measures import Input, Sample, Value
from ald_controller.interlocks.setting import always
from ald_controller.interlocks.thermal import thermal_absent
from ald_controller.interlocks.thermal_measures import Blind
from ald_controller.interlocks.thermal_power import Behind
from tests.interlock_bench import CONFIG, SETTING

A, B, C = (Input(name, -20, 400, 2.0) for name in "abc")
DUTY, ASKED = Input("duty", 0, 100, 2.0), Input("asked", -274, 1000)


def whenever(facts: Facts) -> bool:
    return True


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


# --- control ---------------------------------------------------------------------------------------------------------


def test_k9_a_broker_that_has_been_gone_for_ten_seconds_is_told_until_five() -> None:
    source = Input("machine.broker_down_s", 0, float("inf"))
    level = Level("K9", Reaction.WARN, 10.0, 5.0, Reset.AUTO, always)
    says = "the broker has been gone for {number:.0f} s"
    remote = CONFIG.model_copy(update={"mqtt": Mqtt(host="broker", user="ald")})
    (check,) = [check for check in machine(remote) if check.bad_row == "K9"]
    assert check == Check(source.signal, Value(source), (level,), 10.0, "K9", says=says)
    assert not [check for check in machine(CONFIG.model_copy(update={"mqtt": None})) if check.bad_row == "K9"]


def test_counts_that_stand_still_are_remembered_as_the_same_thing_late_in_the_day_too() -> None:
    grown = Grown((A,), 60.0)
    memory = grown.take(None, {"a": Sample(0.0, 9000.0)}, 9000.0).memory
    memory = grown.take(memory, {"a": Sample(2.0, 9001.0)}, 9001.0).memory
    assert grown.take(memory, {"a": Sample(2.0, 9002.0)}, 9002.0).memory is memory


def test_a_watchdog_that_nothing_arms_and_a_missing_button_are_told() -> None:
    test = WatchdogTest.model_validate({"date": "2025-05-05", "by": "Ann", "closed_after": "1 s"})
    valves = CONFIG.valves.model_copy(update={"watchdog_test": test, "driver": "moxa_e1200"})
    told = control_absent(replace(SETTING, config=CONFIG.model_copy(update={"valves": valves})))
    assert told[0] == (
        "K3: nothing on the wire arms the watchdog of the valve module (moxa_e1200): when the valve process dies, or "
        "its link, valves stay open until the module shuts them by itself, which took 1 s when Ann tried it on "
        "2025-05-05."
    )
    sentence = "K18: no button at the tool is configured, and without it nobody can reset after an E-stop."
    assert sentence in control_absent(with_signals(confirm=None)) and sentence not in control_absent(SETTING)
    assert sentence not in control_absent(with_signals(confirm=None, estop=None))


# --- the glovebox ----------------------------------------------------------------------------------------------------


def test_limits_of_the_glovebox_that_an_owner_sets_are_those_of_the_rows() -> None:
    limits = CONFIG.limits.model_copy(update={"glovebox_warn": 2.0, "glovebox_block": 4.0, "glovebox_trip": 8.0})
    signals = CONFIG.signals.model_copy(update={"box_pressure": "box.pressure_torr"})
    changed = CONFIG.model_copy(update={"limits": limits, "signals": signals})
    checks = glovebox(replace(SETTING, config=changed))
    air, severe, rise = [check for check in checks if check.name == "coupler-b.o2_ppm"]
    assert [(level.limit, level.clear) for level in air.levels] == [(2.0, 1.6), (4.0, 3.2), (4.0, 3.2), (8.0, 4.0)]
    assert [(level.limit, level.clear) for level in severe.levels] == [(50.0, 4.0)]
    assert [(level.limit, level.clear) for level in rise.levels] == [(10.0, 5.0)]
    (pressure,) = [check for check in checks if check.name == "box.pressure_torr"]
    number = pressure.measure.take(None, {"box.pressure_torr": Sample(-3.0, 100.0)}, 100.0).number
    assert round(number, 3) == 4.0  # mbar: three torr


# --- the name of all limits ------------------------------------------------------------------------------------------


def test_the_name_of_two_checks_is_known_whatever_their_order() -> None:
    level = Level("K1", Reaction.HOLD, 2.0, 1.0, Reset.L1, whenever)
    one, other = Check("one", Value(A), (level,), 2.0, "K1"), Check("other", Value(B), (level,), None, "K1")
    assert limits_hash(RuleSet((one, other), {})) == limits_hash(RuleSet((other, one), {})) == "0b03-e67d-0acc-3457"


def test_limits_are_named_without_bottles_pairs_and_words(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[Setting, object]] = []

    def rules(setting: Setting, words: object) -> RuleSet:
        asked.append((setting, words))
        return RuleSet((), {})

    monkeypatch.setattr(fingerprint, "rules_for", rules)
    hung = {"LTB": Hung("LTB", pyrophoric=False)}
    limits_of(replace(SETTING, bottles=hung, compatible=frozenset({frozenset({"LTB", "GL"})})))
    ((setting, words),) = asked
    assert (setting.bottles, setting.compatible, words, setting.config.mqtt) == ({}, frozenset(), {}, None)
