"""Rows C1 to C15: what may flow, where it may go, and how it is known that it went."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest

from ald_controller.config import Port
from ald_controller.interlocks import (
    NOTHING_COMMISSIONED,
    Blocks,
    Facts,
    Hung,
    Quality,
    Reaction,
    Reset,
    RuleSet,
    Sample,
    may_start,
    permit,
)
from ald_controller.interlocks.chemistry import pumped
from ald_controller.interlocks.chemistry_gas import dosing, meant_for_vacuum, pyrophoric, resting_with_pyrophoric
from ald_controller.interlocks.chemistry_gauge import at_work, depositing
from ald_controller.interlocks.setting import always, lithium, under_vacuum
from tests import interlock_bench
from tests.interlock_bench import CHAMBER, CONFIG, CONSTANTS, RUNNING, Bench

WARN, BLOCK, HOLD = Reaction.WARN, Reaction.BLOCK, Reaction.HOLD
ABORT, ISOLATE = Reaction.ABORT_PURGE, Reaction.ABORT_ISOLATE
AUTO, L1, L2, L3 = Reset.AUTO, Reset.L1, Reset.L2, Reset.L3


def rules(*args: Any, **more: Any) -> RuleSet:
    """The rows of chemistry of a tool, and with them the valve module's own faults, without those of others."""
    table = interlock_bench.rules(*args, **more)
    return replace(
        table, checks=tuple(c for c in table.checks if c.levels[0].row[0] == "C" or c.name == "valves.faults")
    )


RULES = rules()
P, DELTA_P, ATMOSPHERE = "coupler-b.pressure_torr", "coupler-b.delta_p_mbar", "pirani.pressure_pa"
AIR, PUMP, STOP_OPEN = "coupler-b.compressed_air_ok", "coupler-b.pump_running", "coupler-b.stop_valve_open"
NOT_THE_GATE = Blocks.PULSE | Blocks.START
PUSHER = "pusher.flow_sccm"
FLOW, ASKED, TOTAL = "carrier.flow_sccm", "asked.carrier_sccm", "asked.total_sccm"
STOP, QUIET, SHUT = "asked.stop_shut", "asked.quiet_s", "valves.shut_s"
LEAK, ARGON = "register.leak_pa_per_s", "register.cylinder_argon"
TORR_PA = 101_325.0 / 760.0
P0_PA = 39.9  # of 20 sccm at 147 °C by the simulated reactor's constants
DOSING = replace(RUNNING, step="segment", part="deposit")

# name, measure, row, reaction, limit, persistence s, clear, reset, when, blocks, max age s, BAD counts as, late row
GOLDEN = [
    ("valves.word", "SourcesOpen", "C1", ABORT, 2, 0, 1, L2, always, Blocks.ALL, 1, 2, "K14"),
    (AIR, "NotSet", "C15", ISOLATE, 1, 0.5, 0, L1, always, Blocks.ALL, 1, 1, "K14"),
    (PUMP, "NotSet", "C8", ISOLATE, 1, 0.1, 0, L2, pumped, Blocks.ALL, 1, 1, "K14"),
    ("carrier", "FlowLost", "C7", WARN, 0.2, 2, 0.1, AUTO, always, Blocks.ALL, 1, 0.5, "K14"),
    ("carrier", "FlowLost", "C7", ISOLATE, 0.5, 0.3, 0.2, L1, always, Blocks.ALL, 1, 0.5, "K14"),
    ("pusher", "Readable", "C7", HOLD, 1, 0, 0, L1, depositing, Blocks.ALL, 1, 1, "K14"),
    (STOP_OPEN, "Misplaced", "C9", ABORT, 1, 0.5, 0, L1, always, Blocks.ALL, 1, 2, "K14"),
    (STOP_OPEN, "Misplaced", "C9", ISOLATE, 2, 0.5, 1, L1, always, Blocks.ALL, 1, 2, "K14"),
    ("gauge", "Readable", "C8", BLOCK, 1, 0, 0, AUTO, always, NOT_THE_GATE, 1, 1, "K14"),
    ("gauge", "Readable", "C8", ISOLATE, 1, 0, 0, L1, at_work, Blocks.ALL, 1, 1, "K14"),
    ("two gauges", "Apart", "C8", BLOCK, 10, 5, 5, AUTO, always, NOT_THE_GATE, 1, None, "K14"),
    ("two gauges", "Apart", "C8", ISOLATE, 10, 5, 5, L1, at_work, Blocks.ALL, 1, None, "K14"),
    ("gauge that stands still", "Still", "C8", HOLD, 5, 0, 0, L1, depositing, Blocks.ALL, 1, None, "K14"),
    ("chamber pressure", "Pumped", "C8", ISOLATE, 10, 0.2, 5, L2, meant_for_vacuum, Blocks.ALL, 1, None, "K14"),
    ("chamber filling", "Filling", "C8", ISOLATE, 0.5, 0.2, 0.25, L2, under_vacuum, Blocks.ALL, 1, 0.5, "K14"),
    ("exposure", "Exposed", "C8", ISOLATE, 1.5, 0.2, 1.2, L2, dosing, Blocks.ALL, 1, None, "K14"),
    (DELTA_P, "Scaled", "C10", ISOLATE, 30, 0.2, 10, L2, always, Blocks.ALL, 1, 30, "K14"),
    (ATMOSPHERE, "Scaled", "C10", BLOCK, 100, 0, 50, AUTO, meant_for_vacuum, Blocks.ALL, 1, 100, "K14"),
    (ATMOSPHERE, "Scaled", "C10", ISOLATE, 900, 0.2, 100, L2, meant_for_vacuum, Blocks.ALL, 1, 100, "K14"),
    ("least pressure", "Meagre", "C8", BLOCK, 4, 5, 2, AUTO, always, NOT_THE_GATE, 1, None, "K14"),
    ("least pressure", "Meagre", "C8", ISOLATE, 4, 5, 2, L1, at_work, Blocks.ALL, 1, None, "K14"),
    ("decay", "Lingering", "C3", ABORT, 1.3, 0, 1.2, L2, under_vacuum, Blocks.ALL, 1, 1.3, "K14"),
    ("purge", "Purged", "C2", WARN, 3, 1, 2, AUTO, dosing, Blocks.ALL, 1, 3, "K14"),
    ("purge", "Purged", "C2", HOLD, 3, 30, 2, L1, dosing, Blocks.ALL, 1, 3, "K14"),
    (LEAK, "Scaled", "C11", BLOCK, 1, 0, 0.999, AUTO, pyrophoric, Blocks.START, 1, math.inf, "C11"),
    ("base pressure", "Resting", "C11", ABORT, 2, 10, 1.5, L1, resting_with_pyrophoric, Blocks.ALL, 1, 2, "K14"),
    (ARGON, "NotSet", "C14", BLOCK, 1, 0, 0, AUTO, lithium, Blocks.START, 1, 1, "C14"),
]
OF_A_BOTTLE = [
    ("TMA", "Strong", "C3", ABORT, 2, 0, 1.5, L2, always, Blocks.ALL, math.inf, 2, "C3"),
    ("TMA", "Weak", "C4", HOLD, 3, 0, 0, L1, always, Blocks.ALL, math.inf, 3, "C4"),
    ("TMA", "Unlike", "C6", HOLD, 0.5, 0, 0.1, L2, always, Blocks.ALL, math.inf, 0.5, "C6"),
    ("register.confirmed.TMA", "NotSet", "C6", BLOCK, 1, 0, 0, AUTO, always, Blocks.START, 1, 1, "C6"),
]
WIRED = [
    ("coupler-b.argon_ok", "NotSet", "C12", ABORT, 1, 0, 0, L3, always, Blocks.ALL, 1, 1, "K14"),
    ("coupler-b.confirm_button", "NotSet", "C13", ABORT, 1, 2, 0, L1, always, Blocks.ALL, 1, 1, "K14"),
]
HUNG = {"TMA": Hung("TMA", pyrophoric=True)}
WITH_TMA = rules(bottles=HUNG)


def typed(table: RuleSet) -> list[tuple[Any, ...]]:
    return [
        (
            check.name, type(check.measure).__name__, level.row, level.reaction, level.limit, level.persist_s,
            level.clear, level.reset, level.when, level.blocks, check.measure.inputs[0].max_age_s, check.bad_as,
            check.late_row,
        )
        for check in table.checks for level in check.levels if level.row.startswith("C")
    ]  # fmt: skip


def bench(table: RuleSet = RULES, facts: Facts = DOSING, **values: float) -> Bench:
    """A tool with other values; a pressure that is not the healthy one came from a dose, and not out of nothing."""
    made = Bench(table, facts)
    made.values |= values
    if P in values:
        made.values[SHUT] = 0.0
        made.scan()
        made.values[SHUT] = values.get(SHUT, math.inf)
    return made


def pa(value: float) -> float:
    """In the unit of the gauge's channel."""
    return value / TORR_PA


def test_the_rows_of_chemistry_are_the_ones_typed_here_a_second_time() -> None:
    assert typed(RULES) == GOLDEN
    assert [line for line in typed(WITH_TMA) if line not in GOLDEN] == OF_A_BOTTLE


def test_gas_monitor_and_exhaust_are_rows_where_they_are_wired() -> None:
    wired = {"gas_monitor": "coupler-b.argon_ok", "exhaust": "coupler-b.confirm_button"}
    signals = CONFIG.signals.model_copy(update=wired)
    table = rules(CONFIG.model_copy(update={"signals": signals}))
    assert [line for line in typed(table) if line not in GOLDEN] == WIRED
    assert not [s for s in table.not_guarded if s.startswith(("C12", "C13"))]


def test_believable_ranges_of_the_gauges_are_those_typed_here_a_second_time() -> None:
    ranges = {i.signal: (i.low, i.high) for c in RULES.checks if c.levels[0].row[0] == "C" for i in c.measure.inputs}
    low, high = ranges.pop(P)
    assert (low * TORR_PA, high * TORR_PA) == pytest.approx((-200, 200_000))
    assert ranges == {
        "valves.word": (0, 2.0**53), AIR: (0, 1), PUMP: (0, 1), STOP_OPEN: (0, 1), FLOW: (-10_000, 10_000),
        PUSHER: (-10_000, 10_000),
        ASKED: (0, math.inf), TOTAL: (0, math.inf), STOP: (0, 1), QUIET: (0, math.inf), SHUT: (0, math.inf),
        DELTA_P: (-2000, 2000), ATMOSPHERE: (-200_000, 200_000), LEAK: (0, math.inf), ARGON: (0, 1),
    }  # fmt: skip


@pytest.mark.parametrize(("facts", "answers"), [
    (Facts(chamber="VACUUM", part="deposit"), (True, True, True)),
    (Facts(chamber="UNKNOWN", part="deposit"), (False, True, True)),
    (Facts(chamber="VACUUM"), (False, True, True)),
    (Facts(chamber="UNKNOWN"), (False, False, False)),
    (Facts(chamber="UNKNOWN", part="prepare"), (False, False, True)),
    (Facts(chamber="PUMPING_DOWN", part="prepare"), (False, False, True)),
    (Facts(chamber="PUMPING_DOWN"), (False, False, True)),
    (Facts(chamber="VENTING"), (False, False, False)),
    (Facts(chamber="AT_BOX"), (False, False, False)),
    (Facts(chamber="AT_AIR", part="deposit"), (False, False, True)),
])  # fmt: skip
def test_rows_of_pressure_are_silent_while_the_chamber_is_not_meant_to_be_under_vacuum(
    facts: Facts, answers: tuple[bool, ...]
) -> None:
    assert (dosing(facts), meant_for_vacuum(facts), pumped(facts)) == answers


# --- C1 ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("word", "trips"), [
    (0, False), (0b1, False), (0b100000, False), (0b1_1100_0001, False), (0b11, True), (0b100001, True),
    (0b111111, True),
])  # fmt: skip
def test_c1_more_than_one_source_read_back_open_trips_in_one_scan(word: int, trips: bool) -> None:
    tool = bench(**{"valves.word": word})
    tool.scan()
    assert (tool.state.level is ABORT, "C1" in tool.rows) == (trips, trips)


def test_c1_counts_sources_not_coils() -> None:
    ports = {"TMA": Port(outputs=["TMA", "spare"]), "H2O": Port(outputs=["H2O"])}
    tool = bench(rules(CONFIG.model_copy(update={"ports": ports})))
    tool.values["valves.word"] = 0b100001
    assert tool.scan().level is Reaction.NONE
    tool.values["valves.word"] = 0b100010  # one coil of TMA, and water
    assert tool.scan().level is ABORT


def test_c1_counts_a_source_output_that_belongs_to_no_port() -> None:
    tool = bench(rules(CONFIG.model_copy(update={"ports": {"TMA": CONFIG.ports["TMA"]}})))
    tool.values["valves.word"] = 0b100001
    assert tool.scan().level is ABORT


def test_c1_lets_a_pair_be_open_that_the_registry_marks_compatible_and_no_third() -> None:
    tool = bench(rules(compatible=frozenset({frozenset({"H2O", "GL"})})))
    tool.values["valves.word"] = 0b1010
    assert tool.scan().level is Reaction.NONE
    tool.values["valves.word"] = 0b11010
    assert tool.scan().level is ABORT


def test_c1_a_word_that_cannot_be_believed_counts_as_two_sources() -> None:
    tool = bench()
    tool.quality["valves.word"] = Quality.BAD
    assert tool.scan().level is ABORT
    assert tool.cause("C1").reset is L1  # two open sources want an owner; a broken reading does not


def test_c1_is_first_out_where_the_modules_own_fault_comes_in_the_same_scan() -> None:
    tool = bench(**{"valves.word": 0b11, "valves.faults": 1})
    tool.scan()
    assert tool.rows >= {"C1", "K3"}
    first = tool.state.first_out
    assert first is not None and first.cause.row == "C1"
    tool.values["valves.word"] = 0
    tool.run(11)
    with pytest.raises(Exception, match="owner"):
        tool.reset("operator")
    assert tool.reset("owner").level is Reaction.NONE


# --- C2 ------------------------------------------------------------------------------------------------------------


def test_c2_a_chamber_that_is_not_purged_down_is_told_after_a_second_and_held_after_thirty() -> None:
    tool = bench(**{P: pa(3.1 * P0_PA), SHUT: 5000.0, QUIET: 30.0})
    assert tool.first_scan_at(WARN, 2) == pytest.approx(1.1)
    assert tool.rows == {"C2"} and permit(tool.state)  # nothing is delayed
    assert tool.first_scan_at(HOLD, 40) == pytest.approx(29.0)


@pytest.mark.parametrize(("what", "values"), [
    ("below three times p0", {P: pa(2.9 * P0_PA)}),
    ("behind the shut stop valve", {STOP: 1.0, STOP_OPEN: 0.0}),
    ("while flows settle", {QUIET: 2.9}),
    ("while a source is open", {SHUT: 0.0}),
    ("with nothing flowing", {TOTAL: 0.0, ASKED: 0.0}),
])  # fmt: skip
def test_c2_is_silent(what: str, values: dict[str, float]) -> None:
    tool = bench(**({P: pa(3.1 * P0_PA), SHUT: 5000.0} | values))
    tool.run(35)
    assert "C2" not in tool.rows, what


def test_c2_is_silent_outside_of_a_deposition() -> None:
    tool = bench(facts=RUNNING, **{P: pa(3.1 * P0_PA), SHUT: 5000.0})
    tool.run(35)
    assert "C2" not in tool.rows


def test_c2_counts_on_over_pulses_that_come_in_between() -> None:
    tool = bench(**{P: pa(3.1 * P0_PA), SHUT: 5000.0})
    for _ in range(7):
        tool.values[SHUT] = 4000.0
        tool.run(4)
        tool.values[SHUT] = 0.0
        tool.run(1)
    assert tool.first_scan_at(HOLD, 5) is not None


def test_c2_compares_with_what_flows_and_how_warm_it_is() -> None:
    tool = bench(**{P: pa(3.1 * P0_PA), SHUT: 5000.0, TOTAL: 100.0})
    tool.run(3)
    assert "C2" not in tool.rows
    tool.values[TOTAL], tool.values[CHAMBER] = 20.0, 25.0
    tool.values[P] = pa(3.1 * 28.5)
    tool.run(3)
    assert "C2" in tool.rows


def test_c2_keeps_the_last_wall_that_was_believed() -> None:
    tool = bench(**{P: pa(3.1 * P0_PA), SHUT: 5000.0})
    tool.run(2)
    tool.quality[CHAMBER] = Quality.BAD
    tool.run(2)
    assert "C2" in tool.rows


# --- C3, by the pressure -------------------------------------------------------------------------------------------


def after_a_dose(peak_pa: float, *, stays_pa: float, **values: float) -> tuple[Bench, float | None]:
    """A dose that leaves this pressure; how long after its end an abort comes within 20 s."""
    tool = bench(**({SHUT: 0.0, P: pa(peak_pa)} | values))
    tool.run(0.5)
    for scan in range(1, 200):
        tool.values[SHUT] = scan / 10
        tool.values[P] = pa(max(peak_pa * math.exp(-scan / 10 / 0.385), stays_pa))
        if tool.scan().level >= ABORT:
            return tool, scan / 10
    return tool, None


def test_c3_a_pressure_that_falls_as_usual_trips_nothing() -> None:
    for peak_pa in (40.0, 60.0, 400.0, 900.0):
        tool, after_s = after_a_dose(peak_pa, stays_pa=P0_PA)
        assert after_s is None and tool.state.level is Reaction.NONE


@pytest.mark.parametrize(("peak_pa", "after_s"), [(53.0, 1.2), (80.0, 1.5), (400.0, 4.0)])
def test_c3_a_pressure_that_stays_trips_after_three_times_what_it_usually_takes(peak_pa: float, after_s: float) -> None:
    # three times 0.385 s, times the logarithm of the rise over 0.3 p0, one time constant at least
    tool, waited_s = after_a_dose(peak_pa, stays_pa=1.31 * P0_PA)
    assert waited_s == pytest.approx(after_s, abs=0.11)
    assert tool.cause("C3").reset is L2


def test_c3_waits_for_flows_to_settle() -> None:
    tool, after_s = after_a_dose(80.0, stays_pa=60.0, **{QUIET: 1.0})
    assert after_s is None
    tool.values[QUIET] = 3.0 + 1.6
    assert tool.scan().level is ABORT


def test_c3_is_not_asked_behind_the_shut_stop_valve_nor_long_after_the_last_dose_nor_before_the_first() -> None:
    for values in ({STOP: 1.0, STOP_OPEN: 0.0, SHUT: 20.0}, {SHUT: 3600.0}, {SHUT: math.inf}):
        tool = bench(**({P: pa(1.4 * P0_PA)} | values))
        tool.run(2)
        assert "C3" not in tool.rows


def test_c3_what_rises_after_it_had_come_down_is_no_dose_that_lingers() -> None:
    tool, after_s = after_a_dose(80.0, stays_pa=P0_PA)
    assert after_s is None
    tool.values[P], tool.values[SHUT] = pa(2 * P0_PA), 25.0
    tool.scan()
    assert "C3" not in tool.rows
    for shut_s in (0.0, 0.1, 0.3, 5.0):  # until the next dose
        tool.values[SHUT] = shut_s
        tool.scan()
    assert "C3" in tool.rows
    tool.values[P], tool.values[SHUT] = pa(P0_PA), 5.1
    tool.scan()
    assert "C3" not in tool.rows


def test_c3_near_its_zero_the_gauge_is_not_believed() -> None:
    # p0 without flow is 0.2 Pa; ten times the gauge's error is 6.7 Pa
    quiet = {TOTAL: 0.0, ASKED: 0.0}
    assert after_a_dose(30.0, stays_pa=8.0, **quiet)[1] is None
    assert after_a_dose(30.0, stays_pa=9.0, **quiet)[1] is not None


# --- C3, C4 and C6, by pulses --------------------------------------------------------------------------------------


class Pulses:
    """A tool with a bottle of TMA, and pulses of it."""

    def __init__(self) -> None:
        self.bench = bench(WITH_TMA, **{"register.confirmed.TMA": 1.0})
        self.number = 40

    def pulse(self, ratio: float | None, *, judged: bool = True, quality: Quality = Quality.GOOD) -> Reaction:
        tool, self.number = self.bench, self.number + 1
        at_s = tool.now_s + 0.1
        for name, value in (("number", float(self.number)), ("judged", float(judged))):
            tool.samples[f"pulse.TMA.{name}"] = Sample(value, at_s)
        tool.samples.pop("pulse.TMA.ratio", None)
        if ratio is not None:
            tool.samples["pulse.TMA.ratio"] = Sample(ratio, at_s, quality)
        level = tool.scan().level
        tool.run(5)
        return level


def test_c3_a_pulse_of_more_than_twice_the_usual_aborts_and_is_over_until_the_next_one() -> None:
    tool = Pulses()
    assert tool.pulse(1.0) is Reaction.NONE
    assert tool.pulse(1.99) is Reaction.NONE
    assert tool.pulse(2.0) is ABORT
    assert [(c.row, c.name) for c in tool.bench.state.latched] == [("C3", "TMA")]
    assert tool.bench.rows == set()
    tool.bench.run(6)
    assert tool.bench.reset("owner").level is Reaction.NONE


def test_c4_the_third_weak_pulse_running_holds_and_so_does_every_one_after_it() -> None:
    tool = Pulses()
    assert tool.pulse(1.0) is Reaction.NONE
    assert [tool.pulse(ratio) for ratio in (0.49, 0.49, 0.5, 0.49, 0.49)] == [Reaction.NONE] * 5
    assert tool.pulse(0.49) is HOLD
    assert [(c.row, c.reset) for c in tool.bench.state.latched] == [("C4", L1)]
    tool.bench.run(11)
    tool.bench.reset()
    assert tool.pulse(0.4) is HOLD
    tool.bench.run(11)
    tool.bench.reset()
    assert tool.pulse(0.8) is Reaction.NONE
    assert tool.pulse(0.4) is Reaction.NONE


@pytest.mark.parametrize(("ratio", "level"), [(0.51, 0), (1.49, 0), (0.49, HOLD), (1.51, HOLD), (0.0, HOLD)])
def test_c6_the_first_pulse_that_counts_is_held_against_what_is_expected(ratio: float, level: int) -> None:
    tool = Pulses()
    for _ in range(5):
        assert tool.pulse(None, judged=False) is Reaction.NONE
    assert tool.pulse(ratio) == level
    assert {c.row for c in tool.bench.state.latched} == ({"C6"} if level else set())


def test_c6_looks_again_after_a_rest_and_not_after_a_pulse_that_has_no_figure() -> None:
    tool = Pulses()
    assert tool.pulse(1.0) is Reaction.NONE
    assert tool.pulse(math.nan, judged=False, quality=Quality.BAD) is Reaction.NONE
    assert tool.pulse(1.6) is Reaction.NONE
    assert tool.pulse(1.6, judged=False) is Reaction.NONE
    assert tool.pulse(1.6) is HOLD


def test_pulses_that_are_recorded_only_trip_nothing() -> None:
    tool = Pulses()
    assert {tool.pulse(ratio, judged=False) for ratio in (9.0, 0.1, 0.1, 0.1, 0.1)} == {Reaction.NONE}


def test_a_pulse_that_counts_without_a_figure_contradicts_itself_and_is_tripped() -> None:
    for quality in (Quality.GOOD, Quality.BAD):
        tool = Pulses()
        assert tool.pulse(math.nan, quality=quality) is ABORT
        assert {c.row for c in tool.bench.state.latched} == {"C3", "C4", "C6"}


def test_a_pulse_that_was_told_before_this_table_was_made_is_not_judged_again() -> None:
    tool = Pulses()
    for name, value in (("number", 41.0), ("judged", 1.0), ("ratio", 9.0)):
        tool.bench.samples[f"pulse.TMA.{name}"] = Sample(value, tool.bench.now_s - 2)
    tool.bench.run(2)
    assert tool.bench.state.level is Reaction.NONE
    tool.number = 41
    assert tool.pulse(9.0) is ABORT


def test_c6_what_was_not_confirmed_since_it_changed_blocks_the_start_until_it_is() -> None:
    tool = bench(WITH_TMA, facts=RUNNING, **{"register.confirmed.TMA": 0.0})
    assert tool.scan().level is BLOCK and tool.rows == {"C6"}
    assert not may_start(tool.state) and permit(tool.state)
    tool.values["register.confirmed.TMA"] = 1.0
    assert tool.scan().level is Reaction.NONE and may_start(tool.state)


def test_c6_a_confirmation_that_nobody_gives_is_none() -> None:
    tool = bench(WITH_TMA, facts=RUNNING)
    assert tool.scan().level is BLOCK
    assert tool.rows == {"C6"}


# --- C7 ------------------------------------------------------------------------------------------------------------


def test_c7_a_flow_below_four_fifths_is_told_after_two_seconds_and_below_half_trips_after_a_third_of_one() -> None:
    tool = bench(**{FLOW: 16.1})
    tool.run(5)
    assert tool.state.level is Reaction.NONE
    tool.values[FLOW] = 15.9
    assert tool.first_scan_at(WARN, 3) == pytest.approx(2.1)
    tool.values[FLOW] = 9.9
    assert tool.first_scan_at(ISOLATE, 3) == pytest.approx(0.4)
    assert tool.rows == {"C7"}


def test_c7_is_not_asked_at_set_point_0_nor_while_the_flow_settles() -> None:
    tool = bench(**{ASKED: 0.0, TOTAL: 0.0, FLOW: 0.0})
    tool.run(3)
    tool.values |= {ASKED: 20.0, TOTAL: 20.0}
    assert tool.first_scan_at(ISOLATE, 5) == pytest.approx(3.4)


def test_c7_a_flow_that_is_too_old_or_bad_isolates_as_long_as_one_is_asked_for() -> None:
    tool = bench()
    tool.stopped.add(FLOW)
    assert tool.first_scan_at(ISOLATE, 2) == pytest.approx(1.1, abs=0.11)
    assert tool.rows == {"K14"}
    tool = bench(**{ASKED: 0.0, TOTAL: 0.0})
    tool.quality[FLOW] = Quality.BAD
    assert tool.scan().level is Reaction.NONE
    tool.values |= {ASKED: 20.0, TOTAL: 20.0}
    assert tool.scan().level is ISOLATE
    tool = bench()
    tool.stopped.add(FLOW)
    del tool.samples[FLOW]
    assert tool.scan().level is ISOLATE


def test_c7_a_set_point_that_nobody_gave_is_none_and_one_that_grows_old_is_tripped() -> None:
    tool = bench()
    tool.stopped.add(ASKED)
    del tool.samples[ASKED]
    tool.values[FLOW] = 0.0
    assert tool.scan().level is Reaction.NONE
    tool = bench()
    tool.stopped.add(ASKED)
    assert tool.first_scan_at(ISOLATE, 2) == pytest.approx(1.1, abs=0.11)


# --- C8 ------------------------------------------------------------------------------------------------------------


def test_c8_a_pump_that_stands_still_isolates_after_a_tenth_of_a_second() -> None:
    tool = bench(**{PUMP: 0.0})
    assert tool.first_scan_at(ISOLATE, 1) == pytest.approx(0.2)
    assert tool.rows == {"C8"}


def test_c8_nobody_has_to_pump_a_chamber_that_is_at_the_box() -> None:
    tool = bench(facts=replace(RUNNING, chamber="AT_BOX"), **{PUMP: 0.0})
    assert tool.run(2).level is Reaction.NONE


def test_c8_more_than_ten_mbar_isolates_and_so_does_a_pressure_that_has_left_the_vacuum_meanwhile() -> None:
    tool = bench(**{P: pa(999.0), SHUT: 0.0})
    tool.run(1)
    assert "C8" not in tool.rows
    tool.values[P] = pa(1001.0)
    assert tool.first_scan_at(ISOLATE, 1) == pytest.approx(0.3)
    tool = bench(facts=replace(DOSING, chamber="UNKNOWN"), **{SHUT: 0.0})
    tool.values[P] = pa(1333.0)
    assert tool.first_scan_at(ISOLATE, 1) == pytest.approx(0.3)
    tool = bench(facts=replace(RUNNING, chamber="UNKNOWN"), **{P: pa(1333.0), SHUT: 0.0})
    tool.run(1)
    assert "C8" not in tool.rows


def test_c8_what_an_exposure_has_raised_is_no_failing_pump_until_it_is_pumped_away() -> None:
    tool = bench(**{P: pa(900.0), SHUT: 0.0, STOP: 1.0, STOP_OPEN: 0.0})
    tool.scan()
    for pressure_pa, stop in ((1200.0, 1.0), (1200.0, 0.0), (1100.0, 0.0), (500.0, 0.0)):
        tool.values |= {P: pa(pressure_pa), STOP: stop, STOP_OPEN: 1.0 - stop, QUIET: 0.0}
        tool.run(0.4)
    assert "C8" not in tool.rows
    tool.values[P] = pa(1200.0)
    assert tool.first_scan_at(ISOLATE, 1) == pytest.approx(0.3)


def rising(tool: Bench, pa_s: float, within_s: float) -> float | None:
    """Seconds of a steady rise until the tool isolates."""
    for scan in range(1, round(within_s * 10) + 1):
        tool.values[P] += pa(pa_s / 10)
        if tool.scan().level is ISOLATE:
            return scan / 10
    return None


def test_c8_a_chamber_that_fills_with_every_source_shut_isolates_within_half_a_second() -> None:
    tool = bench(**{SHUT: 500.0})
    tool.run(1)
    after_s = rising(tool, 105.0, 2)
    assert after_s is not None and after_s <= 0.5
    assert tool.rows >= {"C8"} and "chamber filling" in {c.name for c in tool.state.active}


@pytest.mark.parametrize(("what", "pa_s", "values"), [
    ("less than 0.5 mbar/s", 45.0, {}),
    ("just after a dose", 105.0, {SHUT: 0.45}),
    ("while flows settle", 105.0, {QUIET: 2.9}),
    ("behind the shut stop valve, as predicted", 105.0, {STOP: 1.0, STOP_OPEN: 0.0}),
])  # fmt: skip
def test_c8_is_silent(what: str, pa_s: float, values: dict[str, float]) -> None:
    tool = bench(**({SHUT: 500.0} | values))
    tool.run(1)
    assert rising(tool, pa_s, 2.0) is None, what


def test_c8_readings_that_stand_still_between_two_polls_are_no_rise() -> None:
    tool = bench(**{SHUT: 500.0})
    tool.run(1)
    tool.stopped.add(P)
    tool.run(0.5)
    tool.stopped.clear()
    tool.values[P] += pa(14.0)  # in 0.6 s
    tool.scan()
    assert "chamber filling" not in {c.name for c in tool.state.active}


def exposed(pa_s: float, sccm: float, *, source_open_s: float = 0.0, within_s: float = 10.0) -> float | None:
    """An exposure whose pressure rises by so much: after how long it isolates."""
    shut = {STOP: 1.0, STOP_OPEN: 0.0, QUIET: 5.0, TOTAL: sccm, ASKED: sccm, FLOW: sccm, SHUT: 20.0}
    tool = bench(**shut)
    tool.run(0.3)
    for scan in range(1, round(within_s * 10) + 1):
        tool.values[SHUT] = 0.0 if scan / 10 <= source_open_s else scan / 10 - source_open_s
        tool.values[P] += pa(pa_s / 10)
        if tool.scan().level is ISOLATE:
            return scan / 10
    return None


def test_c8_an_exposure_may_rise_by_what_flows_and_by_half_as_much_again() -> None:
    # 20 sccm into 0.5 L at 147 °C are 104 Pa/s
    assert exposed(104.0, 20.0) is None
    assert exposed(150.0, 20.0) is None
    after_s = exposed(200.0, 20.0)
    assert after_s is not None and after_s < 2.0
    assert exposed(26.0, 5.0) is None
    assert exposed(104.0, 5.0) is not None


def test_c8_an_exposure_may_rise_by_whatever_its_dose_brings_and_no_more_after_it() -> None:
    assert exposed(300.0, 5.0, source_open_s=2.0, within_s=2.3) is None
    after_s = exposed(300.0, 5.0, source_open_s=1.0)
    assert after_s is not None and 1.5 < after_s < 3.0


# --- C8, the gauges themselves ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("part", "level"), [("", BLOCK), ("prepare", ISOLATE), ("deposit", ISOLATE), ("finish", ISOLATE)]
)
def test_c8_a_gauge_that_cannot_be_believed_bars_a_start_and_isolates_a_run_whatever_the_chamber_is(
    part: str, level: Reaction
) -> None:
    facts = replace(DOSING, chamber="UNKNOWN", part=part)
    for value, quality in ((0.3, Quality.BAD), (math.nan, Quality.GOOD), (1e9, Quality.GOOD)):
        tool = bench(facts=facts)
        tool.values[P], tool.quality[P] = value, quality
        assert tool.scan().level is level and "C8" in tool.rows
        assert not permit(tool.state) and not may_start(tool.state)
        assert tool.cause("C8").blocks & Blocks.GATE or level is BLOCK  # the box's transducer speaks for the gate
        tool.values[P], tool.quality[P] = 0.3, Quality.GOOD
        tool.run(11)
        assert tool.reset().level is Reaction.NONE
    tool = bench(facts=facts)
    tool.stopped.add(P)
    assert tool.first_scan_at(level, 2) == pytest.approx(1.1, abs=0.11) and "K14" in tool.rows


@pytest.mark.parametrize(("what", "values", "trips"), [
    ("a dead gauge", {P: 0.0}, True),
    ("a gauge below its zero", {P: -0.1}, True),
    ("a quarter of p0", {P: pa(P0_PA / 4.1)}, True),
    ("a third of p0", {P: pa(P0_PA / 3)}, False),
    ("with nothing flowing", {P: 0.0, TOTAL: 0.0, ASKED: 0.0}, False),
    ("with so little flowing that the gauge could not tell", {P: 0.0, TOTAL: 2.0, ASKED: 2.0, FLOW: 2.0}, False),
])  # fmt: skip
def test_c8_no_pump_is_so_good_that_flows_make_less_than_a_quarter_of_p0(
    what: str, values: dict[str, float], trips: bool
) -> None:
    tool = bench(facts=replace(DOSING, part="prepare"), **{ATMOSPHERE: 5.0} | values)
    assert (tool.first_scan_at(ISOLATE, 8) == pytest.approx(5.0)) if trips else (tool.run(8).level < BLOCK), what
    idle = bench(facts=replace(RUNNING, process="IDLE"), **{ATMOSPHERE: 5.0} | values)
    assert idle.run(8).level is (BLOCK if trips else Reaction.NONE)


def test_c8_a_reading_below_p0_counts_on_while_flows_move_and_through_exposures_and_not_in_an_isolated_chamber() -> (
    None
):
    tool = bench(facts=replace(DOSING, part="prepare"), **{P: 0.0})
    tool.run(3)
    tool.values[QUIET] = 0.0
    assert tool.first_scan_at(ISOLATE, 4) == pytest.approx(2.0, abs=0.11)
    tool = bench(facts=replace(DOSING, part="prepare"), **{P: 0.0})
    tool.run(3)
    tool.values |= {STOP: 1.0, STOP_OPEN: 0.0}
    tool.run(1)
    tool.values |= {STOP: 0.0, STOP_OPEN: 1.0}
    assert tool.first_scan_at(ISOLATE, 8) == pytest.approx(1.0, abs=0.11)
    tool.values |= {STOP: 1.0, STOP_OPEN: 0.0, TOTAL: 0.0, ASKED: 0.0}
    tool.run(11)
    assert tool.reset().level is Reaction.NONE


@pytest.mark.parametrize(("gauge_pa", "second_pa", "trips"), [
    (40.0, 410.0, True), (40.0, 390.0, False), (0.0, 6000.0, True), (0.0, 66.0, False), (0.0, 68.0, True),
    (400.0, 4.0, False), (pytest.approx, 101_325.0, False),
])  # fmt: skip
def test_c8_two_gauges_that_are_a_decade_apart_contradict_each_other_where_both_can_read(
    gauge_pa: Any, second_pa: float, trips: bool
) -> None:
    end = 10 * 0x7FF8 / 0x7FFF
    gauge = pa(gauge_pa) if isinstance(gauge_pa, float) else end
    facts = replace(DOSING, part="prepare", chamber="PUMPING_DOWN")
    tool = bench(facts=facts, **{P: gauge, ATMOSPHERE: second_pa, TOTAL: 0.0, ASKED: 0.0})
    found = tool.first_scan_at(ISOLATE, 8)
    assert (found == pytest.approx(5.0)) if trips else found is None
    if trips:
        assert "contradict" in tool.cause("C8").detail and tool.cause("C8").reset is L1


def test_c8_one_spike_of_the_second_gauge_is_no_contradiction() -> None:
    tool = bench(facts=DOSING, **{ATMOSPHERE: 5000.0})
    tool.run(4)
    tool.values[ATMOSPHERE] = 40.0
    assert tool.run(3).level is Reaction.NONE


def test_c8_a_gauge_that_stands_still_through_five_doses_holds_and_one_that_moves_by_a_digit_does_not() -> None:
    for moves in (False, True):
        tool = bench()
        tool.values[SHUT], tool.values[P] = 3.0, 0.31
        tool.scan()
        for dose in range(5):
            assert tool.state.level is Reaction.NONE, dose
            tool.values[SHUT] = 3.0
            tool.run(1)
            tool.values[SHUT] = 0.0
            tool.values[P] += 0.0025 if moves else 0.0
            tool.run(1)
        assert tool.state.level is (Reaction.NONE if moves else HOLD)
    tool = bench(facts=RUNNING)
    for _ in range(8):
        tool.values[SHUT] = 3.0 - tool.values[SHUT] if math.isfinite(tool.values[SHUT]) else 0.0
        tool.scan()
    assert tool.state.level is Reaction.NONE  # nobody deposits


def test_c8_a_gauge_at_the_end_of_its_range_says_that_it_is_that_much_at_least() -> None:
    body = CONFIG.devices["coupler-b"]
    wired = [one | ({"at_high": 1} if one["channel"] == "pressure_torr" else {}) for one in body["analogue"]]
    small = CONFIG.model_copy(update={"devices": CONFIG.devices | {"coupler-b": body | {"analogue": wired}}})
    tool = bench(rules(small), **{P: 0.99, ATMOSPHERE: 140.0})
    tool.values[SHUT] = 0.0
    assert tool.run(2).level is Reaction.NONE
    tool.values[P] = 0x7FF8 / 0x7FFF
    assert tool.first_scan_at(ISOLATE, 2) == pytest.approx(0.3, abs=0.11)


def test_c7_a_pusher_that_falls_silent_in_a_deposition_holds_and_one_that_gives_nothing_does_not() -> None:
    tool = bench(**{PUSHER: 0.0})
    assert tool.run(5).level is Reaction.NONE
    tool.stopped.add(PUSHER)
    assert tool.first_scan_at(HOLD, 2) == pytest.approx(1.1, abs=0.11) and tool.rows == {"K14"}
    tool = bench()
    tool.quality[PUSHER] = Quality.BAD
    assert tool.scan().level is HOLD and tool.rows == {"C7"}
    idle = bench(facts=RUNNING)
    idle.stopped.add(PUSHER)
    assert idle.run(3).level is Reaction.NONE


# --- C9 ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("stands", "told", "reaction"), [(0.0, 0.0, ISOLATE), (1.0, 1.0, ABORT)])
def test_c9_a_stop_valve_that_does_not_stand_where_it_was_told_to(
    stands: float, told: float, reaction: Reaction
) -> None:
    tool = bench(facts=RUNNING, **{STOP: told, STOP_OPEN: 1.0 - told})
    tool.run(3)
    tool.values[STOP_OPEN] = stands
    assert tool.first_scan_at(ABORT, 2) == pytest.approx(0.6)
    assert (tool.state.level, tool.rows) == (reaction, {"C9"})


def test_c9_gives_the_valve_its_time_to_get_there() -> None:
    tool = bench(facts=RUNNING)
    tool.run(3)
    tool.values[STOP] = 1.0
    assert tool.first_scan_at(ABORT, 3) == pytest.approx(1.6)


# --- C10 -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("chamber", ["VACUUM", "UNKNOWN", "VENTING", "AT_BOX"])
def test_c10_thirty_mbar_above_the_box_isolate_in_every_state(chamber: Any) -> None:
    tool = bench(facts=replace(RUNNING, chamber=chamber), **{DELTA_P: 29.9})
    assert tool.run(1).level is Reaction.NONE
    tool.values[DELTA_P] = 30.0
    assert tool.first_scan_at(ISOLATE, 1) == pytest.approx(0.3)
    assert tool.rows == {"C10"}


def test_c10_a_transducer_at_its_lower_end_is_vacuum() -> None:
    assert bench(**{DELTA_P: -50.0}).run(1).level is Reaction.NONE


def test_c10_nine_hundred_mbar_absolute_isolate_under_vacuum_only() -> None:
    tool = bench(facts=RUNNING, **{ATMOSPHERE: 90_100.0})
    assert tool.first_scan_at(ISOLATE, 1) == pytest.approx(0.3)
    assert tool.rows == {"C10"}
    assert bench(facts=replace(RUNNING, chamber="AT_BOX"), **{ATMOSPHERE: 101_300.0}).run(1).level is Reaction.NONE


def test_c10_a_second_gauge_that_contradicts_the_first_or_is_lost_bars_doses_and_ends_nothing() -> None:
    tool = bench(facts=RUNNING, **{ATMOSPHERE: 10_100.0})
    assert tool.run(2).level is BLOCK and not permit(tool.state) and not tool.state.latched
    tool.values[ATMOSPHERE] = 40.0
    assert tool.scan().level is Reaction.NONE
    tool.stopped.add(ATMOSPHERE)
    assert tool.first_scan_at(BLOCK, 2) == pytest.approx(1.1, abs=0.11)
    assert tool.run(2).level is BLOCK and tool.rows == {"K14"}


# --- C11 -----------------------------------------------------------------------------------------------------------


def test_c11_a_leak_above_the_commissioned_one_blocks_the_start_with_a_pyrophoric_only() -> None:
    # 1e-5 Pa m3/s of 0.5 L are 0.02 Pa/s
    tool = bench(facts=RUNNING, **{LEAK: 0.0199})
    assert tool.scan().level is Reaction.NONE
    tool.values[LEAK] = 0.0201
    assert tool.scan().level is BLOCK and tool.rows == {"C11"}
    assert not may_start(tool.state) and permit(tool.state)
    tool.facts = replace(RUNNING, pyrophoric=False)
    assert tool.scan().level is Reaction.NONE


def test_c11_a_leak_that_was_never_measured_is_too_much() -> None:
    tool = bench(facts=RUNNING)
    tool.stopped.add(LEAK)
    del tool.samples[LEAK]
    assert tool.scan().level is BLOCK and tool.rows == {"C11"}
    assert not tool.state.latched  # whoever measures it is the way out


def test_c11_a_base_pressure_of_twice_its_own_aborts_once_nothing_has_moved_for_a_minute() -> None:
    tool = bench(facts=RUNNING, **{P: pa(2.1 * P0_PA), QUIET: 59.0, SHUT: 5000.0})
    tool.run(15)
    assert "C11" not in tool.rows
    tool.values[QUIET] = 61.0
    assert tool.first_scan_at(ABORT, 15) == pytest.approx(10.1)
    assert tool.rows == {"C11"}


@pytest.mark.parametrize("facts", [
    replace(RUNNING, pyrophoric=False), replace(RUNNING, step="pump"), replace(RUNNING, chamber="AT_BOX"),
])  # fmt: skip
def test_c11_the_base_pressure_is_not_asked_for(facts: Facts) -> None:
    tool = bench(facts=facts, **{P: pa(2.1 * P0_PA), SHUT: math.inf})
    assert tool.run(15).level is Reaction.NONE


# --- C14, C15 ------------------------------------------------------------------------------------------------------


def test_c14_lithium_is_not_begun_with_without_argon_by_register_and_by_file() -> None:
    tool = bench(facts=RUNNING, **{ARGON: 0.0})
    assert tool.scan().level is BLOCK and tool.rows == {"C14"} and not may_start(tool.state)
    tool.facts = replace(RUNNING, lithium=False)
    assert tool.scan().level is Reaction.NONE
    tool = bench(rules(CONFIG.model_copy(update={"inert": "nitrogen"})), facts=RUNNING)
    assert tool.scan().level is BLOCK
    assert "nitrogen" in tool.cause("C14").detail


def test_c14_a_cylinder_that_nobody_has_signed_for_is_not_argon() -> None:
    tool = bench(facts=RUNNING)
    tool.stopped.add(ARGON)
    del tool.samples[ARGON]
    assert tool.scan().level is BLOCK
    assert tool.rows == {"C14"}


def test_c15_lost_air_isolates_after_half_a_second() -> None:
    tool = bench(facts=RUNNING, **{AIR: 0.0})
    assert tool.first_scan_at(ISOLATE, 2) == pytest.approx(0.6)
    assert tool.rows == {"C15"}


# --- what is missing -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("signal", [P, STOP, SHUT, QUIET])
def test_a_gauge_or_a_state_of_valves_that_cannot_be_believed_isolates(signal: str) -> None:
    tool = bench(facts=RUNNING)
    tool.quality[signal] = Quality.BAD
    assert tool.scan().level is ISOLATE
    assert "C8" in tool.rows
    tool = bench(facts=RUNNING)
    tool.stopped.add(signal)
    assert tool.first_scan_at(ISOLATE, 2) == pytest.approx(1.1, abs=0.11)
    assert tool.rows == {"K14"}


def test_a_doubted_input_is_told_and_a_tested_one_says_nothing_of_the_tool() -> None:
    for quality, level in ((Quality.UNCERTAIN, WARN), (Quality.TEST, BLOCK)):
        for signal in (P, TOTAL, FLOW):
            tool = bench(facts=RUNNING)
            tool.quality[signal] = quality
            assert tool.scan().level is level, signal


def test_a_tool_that_was_never_commissioned_says_so_for_each_constant_and_does_not_start() -> None:
    table = rules(constants=NOTHING_COMMISSIONED)
    found = {(c.levels[0].row, c.name) for c in table.checks if c.name.startswith("constant.")}
    named = {
        "C2": ("base", "stop", "settling.carrier", "settling.pusher"), "C3": ("volume", "pumping"),
        "C7": ("settling.carrier",), "C8": ("volume", "stop", "settling.carrier", "settling.pusher"), "C9": ("stop",),
        "C11": ("leak", "volume"),
    }  # fmt: skip
    assert {f for f in found if f[0].startswith("C")} == {(r, f"constant.{n}") for r, ns in named.items() for n in ns}
    tool = bench(table, facts=RUNNING)
    assert tool.scan().level is BLOCK and not may_start(tool.state)
    assert "never commissioned" in tool.cause("C2").detail


def test_only_the_base_missing_leaves_the_leak_guarded() -> None:
    table = rules(constants=replace(CONSTANTS, base=None))
    names = [c.name for c in table.checks if c.levels[0].row == "C11"]
    assert names == [LEAK, "constant.base"]


def test_what_this_tool_cannot_see_is_listed() -> None:
    nothing = {name: None for name in type(CONFIG.signals).model_fields if name != "pressure"}
    bare = CONFIG.model_copy(update={"signals": CONFIG.signals.model_copy(update=nothing), "zones": {}})
    table = rules(bare)
    told = [s for s in table.not_guarded if s.startswith("C")]
    assert [s.partition(":")[0] for s in told] == [
        "C2, C3, C8, C11", "C8", "C9", "C10", "C10", "C12", "C13", "C15",
    ]  # fmt: skip
    assert {line[2] for line in typed(table)} == {"C1", "C7", "C8", "C11", "C14"}
    listed = [s.partition(":")[0] for s in RULES.not_guarded if s.startswith("C")]
    assert listed == ["C12", "C13"]


def test_a_gauge_that_states_no_error_is_believed_to_its_zero() -> None:
    signals = CONFIG.signals.model_copy(update={"pressure": "pirani.pressure_pa"})
    table = rules(CONFIG.model_copy(update={"signals": signals}))
    tool = bench(table, facts=RUNNING, **{ATMOSPHERE: 0.5, TOTAL: 0.0, ASKED: 0.0, SHUT: 5000.0})
    assert tool.first_scan_at(ABORT, 15) == pytest.approx(10.1)
    assert tool.rows == {"C11"}
