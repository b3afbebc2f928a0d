"""The interlock table of the reference tool, typed a second time, and what a tool does not guard."""

from __future__ import annotations

import math
from typing import Any

import pytest

from ald_controller.config import Limits
from ald_controller.interlocks import (
    MATRIX,
    Blocks,
    Reaction,
    Reset,
    alarms,
    may_start,
    overridable,
    permit,
)
from ald_controller.interlocks.control_machine import what_burns
from ald_controller.interlocks.control_measures import Grown
from ald_controller.interlocks.measures import Short
from ald_controller.interlocks.setting import always, lithium
from tests.interlock_bench import CHAMBER, CONFIG, RULES, SECOND, SUBSTRATE, WORDS, Bench, rules

WARN, BLOCK, HOLD, ABORT = Reaction.WARN, Reaction.BLOCK, Reaction.HOLD, Reaction.ABORT_PURGE
ESTOP = Reaction.ESTOP
AUTO, L1, L2, L3 = Reset.AUTO, Reset.L1, Reset.L2, Reset.L3

# name, measure, row, reaction, limit, persistence s, clear, reset, when, max age s, BAD counts as
GOLDEN = [
    ("machine.scan_late_s", "Value", "K17", HOLD, 0.5, 0, 0.25, L1, always, 1, 0.5),
    ("coupler-b.estop_ok", "NotSet", "K18", ESTOP, 1, 0, 0, L3, always, 1, 1),
    ("coupler-b.mains_ok", "NotSet", "K6", BLOCK, 1, 0.1, 0, L2, always, 1, 1),
    ("coupler-b.mains_ok", "NotSet", "K6", HOLD, 1, 60, 0, L2, always, 1, 1),
    ("valves.sequence", "Unchanged", "K2", ABORT, 0.6, 0, 0.3, L1, always, 0.6, math.inf),
    ("valves.lease_lost", "Changed", "K1", ABORT, 1, 0, 0, L1, always, 1, 1),
    ("valves.connected", "NotSet", "K3", ABORT, 1, 0, 0, L1, always, 1, 1),
    ("valves.armed", "NotSet", "K3", ABORT, 1, 0, 0, L1, always, 1, 1),
    ("valves.trips", "Changed", "K3", ABORT, 1, 0, 0, L1, always, 1, 1),
    ("valves.faults", "Changed", "K3", ABORT, 1, 0, 0, L1, always, 1, 1),
    ("coupler-b", "Silence", "K3", ABORT, 0.5, 0, 0.25, L1, always, 0.5, None),
    ("coupler-b.watchdog_trips", "MoreTrips", "K6", ABORT, 1, 0, 0, L2, always, 2, 1),
    *[
        (f"line {n}", "Grown", "K4", HOLD, 3, 0, 2, L1, always, 1, 3)
        for n in ("flows", "gauge", "heaters", "coupler-b")
    ],
    ("machine.late_scans", "Grown", "K17", WARN, 3, 0, 2, AUTO, always, 1, 3),
    ("machine.late_edges", "Changed", "K17", HOLD, 1, 0, 0, L1, always, 1, 1),
    ("machine.clock_steps", "Grown", "K7", WARN, 1, 0, 0, AUTO, always, 1, 1),
    ("machine.free_mib", "Short", "K8", WARN, 0, 0, -100, AUTO, always, 30, 524),
    ("machine.free_mib", "Short", "K8", BLOCK, 524, 0, 424, AUTO, always, 30, 524),
    ("machine.unwritten", "Value", "K8", WARN, 1, 0, 0, AUTO, always, 1, 1),
    ("machine.journal_errors", "Changed", "K8", HOLD, 1, 0, 0, L1, always, 1, 1),
    ("register.limits_confirmed", "NotSet", "K15", WARN, 1, 0, 0, AUTO, always, 1, 1),
    ("register.limits_confirmed", "NotSet", "K15", BLOCK, 1, 0, 0, AUTO, what_burns, 1, 1),
    ("machine.recipe_edited", "Value", "K11", WARN, 1, 0, 0, AUTO, always, 1, 1),
    ("machine.bypasses_ended", "Grown", "K16", WARN, 1, 0, 0, AUTO, always, 1, 1),
    ("machine.alarms", "Value", "K19", WARN, 11, 0, 10, AUTO, always, 1, 11),
    ("register.proof_passed", "NotSet", "K15", WARN, 1, 0, 0, AUTO, always, 1, 1),
    ("register.proof_passed", "NotSet", "K15", BLOCK, 1, 0, 0, AUTO, lithium, 1, 1),
    ("register.proof_age_days", "Value", "K15", WARN, 30, 0, 29, AUTO, always, 1, 90),
    ("register.proof_age_days", "Value", "K15", BLOCK, 90, 0, 89, AUTO, lithium, 1, 90),
]
WINDOWS = dict.fromkeys(("line flows", "line gauge", "line heaters", "line coupler-b", "machine.late_scans"), 60) | {
    "machine.clock_steps": 600, "machine.bypasses_ended": 600,
}  # fmt: skip


def test_the_table_of_the_reference_tool_is_the_one_typed_here_a_second_time() -> None:
    table: list[tuple[Any, ...]] = [
        (
            check.name, type(check.measure).__name__, level.row, level.reaction, level.limit, level.persist_s,
            pytest.approx(level.clear), level.reset, level.when, check.measure.inputs[0].max_age_s, check.bad_as,
        )
        for check in RULES.checks
        for level in check.levels
        if level.row[0] not in "TCG"  # those are typed again in test_interlocks_thermal.py, …_chemistry, …_glovebox
    ]  # fmt: skip
    assert table == GOLDEN


def test_believable_ranges_are_those_typed_here_a_second_time() -> None:
    checks = [c for c in RULES.checks if c.name != "coupler-b" and c.levels[0].row[0] not in "TCG"]
    ranges = {i.signal: (i.low, i.high) for c in checks for i in c.measure.inputs}
    contacts = ("coupler-b.estop_ok", "coupler-b.mains_ok", "machine.unwritten", "machine.recipe_edited")
    counts = (
        "machine.scan_late_s", "machine.late_scans", "machine.late_edges", "machine.clock_steps", "machine.free_mib",
        "machine.journal_errors", "machine.bypasses_ended", "machine.alarms",
        "coupler-b.watchdog_trips", *(f"link.{device}.bad" for device in CONFIG.devices),
    )  # fmt: skip
    registers = ("register.limits_confirmed", "register.proof_passed")
    assert ranges == dict.fromkeys((*contacts, *registers), (0, 1)) | dict.fromkeys(
        counts, (0, math.inf)
    ) | {
        "valves.sequence": (0, math.inf), "valves.lease_lost": (0, math.inf),
        "valves.connected": (0, 1), "valves.armed": (0, 1), "valves.trips": (0, math.inf),
        "valves.faults": (0, math.inf), "register.proof_age_days": (-1, math.inf),
    }  # fmt: skip


def test_only_these_rows_narrow_what_they_block() -> None:
    checks = [c for c in RULES.checks if c.levels[0].row[0] not in "CG"]
    narrowed = {(lv.row, lv.blocks) for c in checks for lv in c.levels if lv.blocks is not Blocks.ALL}
    assert narrowed == {("T8", Blocks.START | Blocks.PULSE), ("K8", Blocks.START), ("K15", Blocks.START)}


def test_counts_are_looked_at_over_the_windows_typed_here_a_second_time() -> None:
    assert {c.name: c.measure.window_s for c in RULES.checks if isinstance(c.measure, Grown)} == WINDOWS
    assert {c.measure.enough for c in RULES.checks if isinstance(c.measure, Short)} == {1024}


def test_every_row_has_words() -> None:
    assert set(WORDS) == set(MATRIX)
    assert {lv.row for c in RULES.checks for lv in c.levels} | {c.bad_row for c in RULES.checks} <= set(WORDS)


def test_only_these_rows_may_be_bypassed() -> None:
    assert overridable() == ["T8", "C4", "G1", "G7"]


def test_a_healthy_tool_has_no_level_and_may_open_and_start() -> None:
    bench = Bench()
    assert bench.run(60).level is Reaction.NONE
    assert permit(bench.state)
    assert may_start(bench.state)
    assert alarms(bench.state) == ()


@pytest.mark.parametrize("values", [
    {"lithium_trip": 170.1}, {"lithium_warn": 170.0}, {"lithium_clear": 160.0}, {"lithium_trip": math.nan},
    {"glovebox_warn": 5.0}, {"glovebox_block": 10.0}, {"glovebox_trip": 50.1}, {"glovebox_warn": 0.0},
    {"box_pressure_trip": 800.0}, {"glove": 120.1}, {"glove": math.nan},
])  # fmt: skip
def test_limits_outside_their_bounds_or_out_of_order_are_refused_even_past_the_loader(values: dict[str, float]) -> None:
    limits = Limits().model_copy(update=values)
    with pytest.raises(ValueError, match="limits: "):
        rules(CONFIG.model_copy(update={"limits": limits}))


@pytest.mark.parametrize("name", Limits.model_fields)
def test_every_limit_of_the_owner_has_bounds_in_the_code(name: str) -> None:
    for value in (math.nan, math.inf, -1.0, 1e9):
        limits = Limits().model_copy(update={name: value})
        with pytest.raises(ValueError, match=f"limits: {name} is"):
            rules(CONFIG.model_copy(update={"limits": limits}))


def test_the_limit_of_no_zone_lies_beyond_what_its_sensor_can_say() -> None:
    hot = CONFIG.zones["source-3"].model_copy(update={"limit": 400.1})
    with pytest.raises(ValueError, match=r"the limit of source-3 is 400\.1 °C"):
        rules(CONFIG.model_copy(update={"zones": CONFIG.zones | {"source-3": hot}}))


def test_the_owners_stricter_limits_are_the_ones_that_bind() -> None:
    limits = Limits().model_copy(update={"lithium_warn": 140.0, "lithium_trip": 145.0, "lithium_clear": 130.0})
    bench = Bench(rules(CONFIG.model_copy(update={"limits": limits})), released=False)
    bench.values |= {SUBSTRATE: 145.0, SECOND: 139.0, CHAMBER: 139.0}
    bench.scan()
    assert "T1" in bench.rows


def test_a_row_without_its_input_is_listed_as_not_guarded_with_a_sentence() -> None:
    nothing = {name: None for name in type(CONFIG.signals).model_fields if name != "pressure"}
    bare = CONFIG.model_copy(update={"signals": CONFIG.signals.model_copy(update=nothing), "zones": {}})
    table = rules(bare)
    told = " ".join(table.not_guarded)
    for row in ("T1:", "O2 analyser", "H2O analyser", "G2:", "K3:"):
        assert row in told
    assert all(s.endswith(".") for s in table.not_guarded)
    assert table.gate == ()
    read = {i.signal for c in table.checks for i in c.measure.inputs if i.signal.startswith("coupler-b.")}
    assert read == {CONFIG.signals.pressure}


def test_the_reference_tool_lists_its_zone_without_a_second_sensor_and_the_rows_nobody_evaluates() -> None:
    assert RULES.not_guarded[0].startswith("T1, T3, T4: zone chamber has no independent second sensor")
    told = " ".join(RULES.not_guarded)
    assert all(row in told for row in ("T2:", "T8:", "C12:", "K20:", "G8"))
