"""Rows T1, T7 and T8: what is too hot, sensors that cannot say so, and the table of every heater row a second time."""

from __future__ import annotations

import math
from typing import Any

import pytest

from ald_controller.commissioned import Heater
from ald_controller.config import Limits
from ald_controller.interlocks import (
    MATRIX,
    Blocks,
    Constants,
    Facts,
    Quality,
    Reaction,
    Reset,
    ResetRefused,
    contactor_off,
    heaters_off,
    may_start,
    permit,
    source_contactor_off,
)
from ald_controller.interlocks.measures import Input
from ald_controller.interlocks.setting import Hung, always, lithium
from ald_controller.interlocks.thermal_measures import Apart
from ald_controller.interlocks.thermal_trip import trip_for
from tests.heater_bench import only
from tests.interlock_bench import CHAMBER, CONFIG, CONSTANTS, SECOND, SUBSTRATE, Bench, rules

WARN, BLOCK, HOLD, ABORT = Reaction.WARN, Reaction.BLOCK, Reaction.HOLD, Reaction.ABORT_PURGE
AUTO, L1, L2, L3 = Reset.AUTO, Reset.L1, Reset.L2, Reset.L3
NO_LITHIUM = Facts("EXECUTING", "VACUUM", lithium=False, gate_proven_shut=True)

# measure, row, reaction, limit, persistence s, clear, reset, when
_T1 = [("Hottest", "T1", WARN, 160, 2, 155, AUTO, lithium), ("Hottest", "T1", ABORT, 170, 0, 150, L2, lithium)]
_LOST = [("Blind", "T7", HOLD, 1, 0, 0, L1, always)]
_BLIND = [*_LOST, ("Blind", "T7", ABORT, 1, 60, 0, L1, always), ("Blind", "T7", ABORT, 2, 0, 0, L1, always)]
_JUMP = [("Jump", "T2", ABORT, 5, 0, 4, L1, always)]
_JUMP_OF_TWO = [("Jump", "T2", HOLD, 5, 0, 4, L1, always), ("Jump", "T2", ABORT, 5, 60, 4, L1, always)]
_BEHIND = [("Behind", "T2", ABORT, 120, 0, 60, L1, always)]
_UNHEATED = [("Unheated", "T2", ABORT, 0, 0, -0.5, L1, always)]
_WARMING = [("Warming", "T5", ABORT, 2, 20, 1, L2, always)]
_FROZEN = [("Frozen", "T3", WARN, 60, 0, 30, AUTO, always)]
_APART = [("Apart", "T4", WARN, 5, 60, 4, AUTO, always), ("Apart", "T4", ABORT, 10, 10, 5, L2, always)]
_ABOVE = [("Above", "T6", WARN, 5, 0, 4, AUTO, always), ("Above", "T6", HOLD, 15, 0, 5, L1, always)]
_STEEP = [("Steep", "T6", WARN, 1 / 6, 2, 1 / 12, AUTO, always), ("Steep", "T6", HOLD, 1, 0, 1 / 6, L1, always)]


def _lines(zone: str, first: list[Any], blind: list[Any], jumps: dict[str, list[Any]], second: bool) -> list[Any]:
    full, slope = f"{zone} at full power", f"slope of {zone}"
    named = [(zone, line) for line in (*first, *blind)]
    named += [(signal, line) for signal, lines in jumps.items() for line in lines]
    named += [(zone, line) for line in _BEHIND] + [(full, line) for line in _UNHEATED]
    named += [(zone, line) for line in _WARMING] + [(signal, line) for signal in jumps for line in _FROZEN]
    named += [(zone, line) for line in _APART if second]
    named += [(zone, line) for line in _ABOVE] + [(slope, line) for line in _STEEP]
    return [(name, *line) for name, line in named]


def _source(zone: str, limit_c: float) -> list[Any]:
    hot = [
        ("Value", "T8", BLOCK, limit_c, 5, limit_c - 1, AUTO, always),
        ("Value", "T8", ABORT, limit_c + 10, 0, limit_c, L1, always),
    ]
    return _lines(zone, hot, _LOST, {f"{zone}.temperature_c": _JUMP}, second=False)


GOLDEN = [
    ("coupler-b.limit_controller_ok", "NotSet", "T1", ABORT, 1, 0, 0, L3, always),
    *_lines("substrate", _T1, _BLIND, {SUBSTRATE: _JUMP_OF_TWO, SECOND: _JUMP_OF_TWO}, second=True),
    *_lines("chamber", _T1, _BLIND, {CHAMBER: _JUMP}, second=False),
    *_source("source-3", 180),
    *_source("source-4", 180),
    *_source("source-5", 120),
    *_source("lines", 200),
]


def test_the_heater_rows_of_the_reference_tool_are_those_typed_here_a_second_time() -> None:
    table: list[tuple[Any, ...]] = [
        (
            check.name, type(check.measure).__name__, level.row, level.reaction, pytest.approx(level.limit),
            level.persist_s, pytest.approx(level.clear), level.reset, level.when,
        )
        for check in rules().checks
        for level in check.levels
        if level.row.startswith("T")
    ]  # fmt: skip
    assert table == GOLDEN


def test_a_heater_row_belongs_to_its_zone_and_its_controller_and_says_what_it_measures_in_its_unit() -> None:
    units = {
        "Hottest": "°C", "Value": "°C", "Behind": "K s", "Warming": "K/min", "Frozen": "s", "Steep": "K/s",
        **dict.fromkeys(("Jump", "Unheated", "Apart", "Above", "Cold", "Uncommissioned"), "K"),
        "Blind": "sensors lost",
    }  # fmt: skip
    table = rules(constants=Constants(), bottles={"GL": Hung("TMA", True, 40, 17)})
    mine = [c for c in table.checks if c.levels[0].row.startswith("T") and c.zone]
    assert {type(c.measure).__name__ for c in mine} == set(units)
    for check in mine:
        zone = next(name for name in CONFIG.zones if name in check.name or check.name == SECOND)
        assert (check.zone, check.device) == (zone, CONFIG.zones[zone].device)
        assert (check.bad_row, check.late_row, check.bad_as) == (check.levels[0].row, "K14", None)
        assert check.unit == units[type(check.measure).__name__]
        assert check.says == "{name} is not seen" or type(check.measure).__name__ != "Blind"
    (limit,) = [c for c in table.checks if c.name == "coupler-b.limit_controller_ok"]
    assert (limit.bad_row, limit.bad_as, limit.zone, limit.device) == ("T1", 1, "", "coupler-b")


@pytest.mark.parametrize(
    ("slope", "lag_s", "persist_s"), [(0.25, 60.0, 125.96), (0.001, 100.0, 20.0), (0.25, 3.0, 20.0), (0.57, 10.0, 33.8)]
)
def test_t5_waits_as_long_as_a_lagging_sensor_still_rises(slope: float, lag_s: float, persist_s: float) -> None:
    level_slope = Heater(((25.0, slope), (150.0, slope)), lag_s)
    table = rules(constants=Constants(heaters=CONSTANTS.heaters | {"chamber": level_slope}))
    (check,) = [c for c in table.checks if type(c.measure).__name__ == "Warming" and c.name == "chamber"]
    assert check.levels[0].persist_s == pytest.approx(persist_s, abs=0.05)
    assert check.measure.contactor == Input("asked.contactor", 0, 1)  # type: ignore[attr-defined]
    (source,) = [c for c in table.checks if type(c.measure).__name__ == "Warming" and c.name == "source-3"]
    assert source.levels[0].persist_s == 20.0 and source.measure.contactor is None  # type: ignore[attr-defined]


def test_two_sensors_are_compared_as_commissioned_and_without_a_commissioning_as_they_read() -> None:
    first, second = Input(SUBSTRATE, -20, 400, 2.0), Input(SECOND, -20, 400, 2.0)
    lagging = Heater(((25.0, 0.25), (150.0, 0.5)), 5.0, second_k=0.4, second_later_s=-6.0)
    for heater_, wanted in ((lagging, (0.4, -6.0, 3.0)), (None, (0.0, 0.0, 0.0))):
        table = rules(constants=Constants(heaters={"substrate": heater_} if heater_ else {}))
        (check,) = [c for c in table.checks if isinstance(c.measure, Apart)]
        assert check.measure == Apart(first, second, *wanted)


def test_temperatures_power_and_set_points_are_believable_within_these_ranges_and_ages() -> None:
    heaters = [c for c in rules().checks if c.levels[0].row.startswith("T") and c.name in CONFIG.zones]
    found = {i.signal: (i.low, i.high, i.max_age_s) for c in heaters for i in c.measure.inputs}
    found |= {i.signal: (i.low, i.high, i.max_age_s) for c in heaters if (i := getattr(c.measure, "asked", None))}
    wanted: dict[str, Any] = {SECOND: (-20, 400, 2)}
    for zone in CONFIG.zones:
        wanted[f"{zone}.temperature_c"], wanted[f"{zone}.output_percent"] = (-20, 400, 2), (0, 100, 2)
        wanted[f"asked.{zone}_c"] = (-274, 1000, 1)
    assert found == wanted


def test_only_the_cold_side_of_t8_may_be_bypassed() -> None:
    cold = rules(bottles={"GL": Hung("TMA", True, 40, 17)})
    levels = [level for check in cold.checks for level in check.levels if level.row.startswith("T")]
    free = {(level.row, level.limit) for level in levels if MATRIX[level.row].override and not level.fixed}
    assert free == {("T8", 0)}


# --- T1 ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("signal", [SUBSTRATE, SECOND, CHAMBER])
def test_t1_trips_when_the_hottest_place_reaches_170_with_the_first_valid_sample_of_any_sensor(signal: str) -> None:
    bench = Bench(only("T1"))
    bench.values[signal] = 168.99  # the hottest place is commissioned to be 1 K hotter than the hottest sensor
    assert bench.scan().level < ABORT
    bench.values[signal] = 169.0
    assert bench.scan().level is ABORT
    first = bench.state.first_out
    assert first is not None and (first.cause.row, first.cause.reset) == ("T1", L2)
    zone = "chamber" if signal == CHAMBER else "substrate"
    assert first.cause.detail == f"{zone} is at 170 °C, the limit is 170 °C"
    assert contactor_off(bench.state) and not source_contactor_off(bench.state)
    assert heaters_off(bench.state) == {"substrate", "chamber"}


def test_t1_warns_at_160_after_two_seconds_and_clears_by_itself_at_155() -> None:
    bench = Bench(only("T1"))
    bench.values[SUBSTRATE] = 158.99
    assert bench.run(10).level is Reaction.NONE
    bench.values[SUBSTRATE] = 159.0
    assert bench.run(2.0).level is Reaction.NONE
    assert bench.scan().level is WARN
    assert permit(bench.state)
    bench.values[SUBSTRATE] = 154.01
    assert bench.run(5).level is WARN
    bench.values[SUBSTRATE] = 154.0
    assert bench.scan().level is Reaction.NONE
    assert bench.state.latched == ()


def test_an_overshoot_shorter_than_the_persistence_warns_nobody_and_starts_anew() -> None:
    bench = Bench(only("T1"))
    for _ in range(3):
        bench.values[SUBSTRATE] = 165.0
        assert bench.run(1.9).level is Reaction.NONE
        bench.values[SUBSTRATE] = 158.0
        assert bench.scan().level is Reaction.NONE


def test_t1_takes_the_hottest_of_the_sensors_that_can_be_believed() -> None:
    bench = Bench(only("T1"))
    bench.quality[SUBSTRATE] = Quality.BAD
    bench.values |= {SUBSTRATE: 175.0, SECOND: 168.9}
    assert bench.scan().level < ABORT
    bench.values[SECOND] = 169.0
    assert bench.scan().level is ABORT


def test_a_doubted_sensor_trips_t1_and_never_clears_it() -> None:
    bench = Bench(only("T1"))
    bench.quality[SECOND] = Quality.UNCERTAIN
    bench.values[SECOND] = 171.0
    assert bench.scan().level is ABORT
    bench.values[SECOND] = 148.0
    bench.run(30)
    with pytest.raises(ResetRefused, match="T1 substrate"):
        bench.reset("owner")
    del bench.quality[SECOND]
    bench.run(10.2)
    assert bench.reset("owner").level is Reaction.NONE


def test_a_simulated_sensor_beside_a_doubted_one_is_told_as_simulated() -> None:
    bench = Bench(only("T1"))
    bench.quality |= {SUBSTRATE: Quality.TEST, SECOND: Quality.UNCERTAIN}
    assert bench.scan().level is BLOCK
    assert "under test" in bench.state.active[0].detail


def test_t1_does_not_bind_a_tool_that_is_declared_free_of_lithium() -> None:
    bench = Bench(only("T1"), facts=NO_LITHIUM)
    bench.values |= {SUBSTRATE: 250.0, SECOND: 250.0, CHAMBER: 250.0}
    assert bench.run(20).level is Reaction.NONE


def test_an_unknown_load_counts_as_lithium() -> None:
    assert Facts().lithium


@pytest.mark.parametrize("role", ["viewer", "operator"])
def test_t1_is_reset_by_an_owner_alone(role: Any) -> None:
    bench = Bench(only("T1"))
    bench.values[SUBSTRATE] = 171.0
    bench.scan()
    bench.values[SUBSTRATE] = 149.0
    bench.run(10.2)
    with pytest.raises(ResetRefused, match="needs the role owner"):
        bench.reset(role)
    assert bench.reset("owner").level is Reaction.NONE


def test_t1_is_not_reset_before_every_sensor_with_its_offset_is_at_150_again() -> None:
    bench = Bench(only("T1"))
    bench.values[SECOND] = 171.0
    bench.scan()
    bench.values[SECOND] = 149.1
    bench.run(20)
    with pytest.raises(ResetRefused, match="still there: T1 substrate"):
        bench.reset("owner")
    bench.values[SECOND] = 149.0
    bench.run(9.9)
    with pytest.raises(ResetRefused, match="not yet clear for 10 s: T1 substrate"):
        bench.reset("owner")
    bench.run(0.2)
    assert bench.reset("owner").level is Reaction.NONE


def test_the_hardware_limit_controllers_contact_aborts_and_needs_the_key() -> None:
    bench = Bench(only("T1"), facts=NO_LITHIUM)
    bench.values["coupler-b.limit_controller_ok"] = 0
    assert bench.scan().level is ABORT
    assert bench.cause("T1").reset is L3
    assert bench.cause("T1").detail == "the hardware limit controller has opened the heaters' contactors"
    assert heaters_off(bench.state) == {"substrate", "chamber"}


def test_a_limit_controllers_contact_that_is_not_read_counts_as_open() -> None:
    bench = Bench(only("T1"))
    bench.stopped.add("coupler-b.limit_controller_ok")
    bench.run(1.0)
    assert bench.scan().level is ABORT


# --- which trip a heater allows ---------------------------------------------------------------------------------------


def heater(slope: float, lag_s: float, **more: float) -> Heater:
    return Heater(((25.0, 2 * slope), (150.0, slope)), lag_s, **more)


@pytest.mark.parametrize(
    ("slope", "lag_s", "trip_c"),
    [
        (1.0, 5, 170), (1.001, 5, 165), (0.57, 10, 170), (0.571, 10, 165), (1.9, 5, 165), (1.0, 10, 165),
        (1.0, 1, 170), (1.001, 1, 165), (0.726, 7.5, 170), (0.727, 7.5, 165), (0.306, 20, 170), (0.307, 20, 165),
        (0.167, 3, 170),
    ],
)  # fmt: skip
def test_170_is_the_trip_of_a_slow_heater_with_a_quick_sensor_and_165_of_others(
    slope: float, lag_s: float, trip_c: float
) -> None:
    trip = trip_for(170, heater(slope, lag_s))
    assert (trip.at_c, trip.refused) == (trip_c, "")


@pytest.mark.parametrize(("slope", "lag_s", "most"), [(1.91, 5, "1.9"), (1.01, 10, "1"), (0.52, 20, "0.51")])
def test_a_heater_too_steep_for_any_trip_is_refused_with_what_would_be_right(
    slope: float, lag_s: float, most: str
) -> None:
    trip = trip_for(170, heater(slope, lag_s))
    assert trip.at_c == 165
    assert f"at most {most} K/s" in trip.refused


def test_the_slope_that_counts_is_the_one_at_the_clamp() -> None:
    assert trip_for(170, Heater(((100.0, 3.0), (200.0, 0.1)), 5.0)).at_c == 165  # 1.55 K/s at 150 °C
    assert trip_for(170, Heater(((100.0, 1.5), (200.0, 0.1)), 5.0)).at_c == 170


@pytest.mark.parametrize("wanted_c", [150.0, 164.9])
def test_an_owner_may_want_a_lower_trip_than_the_heater_allows(wanted_c: float) -> None:
    assert trip_for(wanted_c, heater(1.5, 5)).at_c == wanted_c
    assert trip_for(wanted_c, heater(0.5, 5)).at_c == wanted_c
    assert trip_for(wanted_c, None).at_c == wanted_c


def test_a_heater_that_nobody_commissioned_gets_the_lower_trip_and_starts_nothing() -> None:
    table = rules(constants=Constants())
    bench = Bench(only("T1", of=table))
    assert bench.scan().level is BLOCK
    assert not may_start(bench.state) and permit(bench.state)
    details = [c.detail for c in bench.state.active]
    assert details == [
        f"heater of {zone}: its slope, its lag and its offsets were never commissioned; "
        "set the register constant.heater" for zone in ("substrate", "chamber")
    ]  # fmt: skip
    bench.values[SUBSTRATE] = 164.9
    assert bench.scan().level is BLOCK
    bench.values[SUBSTRATE] = 165.0
    assert bench.scan().level is ABORT


def test_a_heater_too_steep_blocks_the_start_and_trips_at_165() -> None:
    steep = Constants(heaters=CONSTANTS.heaters | {"chamber": heater(2.0, 5, hottest_k=0.0)})
    bench = Bench(only("T1", of=rules(constants=steep)))
    assert bench.scan().blocked is Blocks.START
    bench.values[CHAMBER] = 165.0
    assert bench.scan().level is ABORT


# --- T7 ---------------------------------------------------------------------------------------------------------------

BROKEN = [math.nan, math.inf, -math.inf, -20.01, 400.01]


@pytest.mark.parametrize("value", BROKEN)
def test_t7_one_of_two_lithium_sensors_lost_holds_with_its_heater_off(value: float) -> None:
    bench = Bench()
    bench.values[SUBSTRATE] = value
    assert bench.scan().level is HOLD
    assert bench.cause("T7").name == "substrate"
    assert heaters_off(bench.state) == {"substrate"}
    assert not contactor_off(bench.state)
    assert not permit(bench.state)


@pytest.mark.parametrize("value", [-20.0, 0.0, 400.0])
def test_t7_the_ends_of_the_range_are_believed(value: float) -> None:
    bench = Bench()
    bench.values[SECOND] = value
    bench.scan()
    assert "T7" not in bench.rows


def test_t7_a_sensor_that_its_device_calls_bad_is_lost_whatever_its_value() -> None:
    bench = Bench()
    bench.quality[SECOND] = Quality.BAD
    assert bench.scan().level is HOLD
    assert [c.detail for c in bench.state.active] == [f"{SECOND} is reported bad by its device"]


def test_t7_one_lost_sensor_becomes_an_abort_after_sixty_seconds() -> None:
    bench = Bench()
    bench.quality[SUBSTRATE] = Quality.BAD
    bench.scan()
    assert bench.run(59.9).level is HOLD
    assert bench.scan().level is ABORT
    assert contactor_off(bench.state)


def test_t7_a_lost_sensor_that_is_back_and_agrees_lets_an_operator_go_on() -> None:
    bench = Bench()
    bench.quality[SUBSTRATE] = Quality.BAD
    bench.run(50)
    del bench.quality[SUBSTRATE]
    bench.scan()
    assert bench.state.active == ()
    bench.run(30)
    assert bench.state.level is HOLD
    assert bench.reset("operator").level is Reaction.NONE


def test_t7_a_lost_sensor_that_is_back_but_disagrees_is_still_lost() -> None:
    bench = Bench(only("T7"))
    bench.quality[SUBSTRATE] = Quality.BAD
    bench.run(5)
    del bench.quality[SUBSTRATE]
    bench.values |= {SUBSTRATE: 130.0, SECOND: 140.1}
    assert bench.scan().level is HOLD
    assert bench.run(54).level is HOLD
    assert bench.run(2).level is ABORT
    bench.values[SUBSTRATE] = 130.1  # ten kelvins apart agree
    bench.scan()
    assert "T7" not in bench.rows


def test_t7_both_sensors_of_a_zone_lost_abort_at_once() -> None:
    bench = Bench()
    bench.quality |= {SUBSTRATE: Quality.BAD, SECOND: Quality.BAD}
    assert bench.scan().level is ABORT


def test_t7_a_zone_with_one_sensor_has_no_witness_and_aborts_at_once_with_or_without_lithium() -> None:
    for facts in (NO_LITHIUM, Facts("EXECUTING", "VACUUM", lithium=True, gate_proven_shut=True)):
        bench = Bench(facts=facts)
        bench.values[CHAMBER] = math.nan
        assert bench.scan().level is ABORT
        assert bench.cause("T7").name == "chamber"


def test_t7_power_that_cannot_be_believed_holds_a_zone_that_can_still_be_seen() -> None:
    bench = Bench()
    bench.quality["chamber.output_percent"] = Quality.BAD
    assert bench.scan().level is HOLD
    assert bench.cause("T7").detail == "chamber.output_percent is reported bad by its device"
    assert heaters_off(bench.state) == {"chamber"}
    assert bench.run(59.9).level is HOLD
    assert bench.scan().level is ABORT


def test_t7_a_source_without_its_sensor_holds_with_its_heater_off_for_as_long_as_it_takes() -> None:
    bench = Bench()
    bench.values["source-3.temperature_c"] = math.nan
    assert bench.run(300).level is HOLD
    assert heaters_off(bench.state) == {"source-3"}
    assert not contactor_off(bench.state) and not source_contactor_off(bench.state)


def test_a_controller_that_falls_silent_is_one_cause_of_one_zone() -> None:
    bench = Bench()
    bench.stopped |= {"chamber.temperature_c", "chamber.output_percent"}
    bench.run(3)
    assert [(c.row, c.name) for c in bench.state.active] == [("K14", "chamber")]


# --- T8 ---------------------------------------------------------------------------------------------------------------

SOURCE = "source-4.temperature_c"
BOTTLES = {"GL": Hung("glycerol", False, 160), "LTB": Hung("LiOtBu", False, 180), "TMA": Hung("TMA", True, 40, 17)}


def source_bench(at_c: float = 150.0, **bottles: Hung) -> Bench:
    bench = Bench(only("T8", of=rules(bottles=BOTTLES | bottles)), released=False)
    bench.values[SOURCE] = at_c
    bench.scan()
    bench.reset("operator")
    return bench


def test_t8_blocks_pulses_and_starts_when_a_source_is_above_its_precursors_maximum_for_five_seconds() -> None:
    bench = source_bench()
    bench.values[SOURCE] = 159.9
    assert bench.run(20).level is Reaction.NONE
    bench.values[SOURCE] = 160.0
    assert bench.run(5.0).level is Reaction.NONE
    assert bench.scan().level is BLOCK
    assert bench.state.blocked == Blocks.PULSE | Blocks.START
    assert bench.cause("T8").detail == "source-4 is at 160 °C, its limit is 160 °C"
    bench.values[SOURCE] = 159.1
    assert bench.scan().level is BLOCK
    bench.values[SOURCE] = 159.0
    assert bench.scan().level is Reaction.NONE


def test_t8_ten_kelvins_more_abort_at_once_and_cut_the_sources() -> None:
    bench = source_bench()
    bench.values[SOURCE] = 169.9
    assert bench.scan().level < ABORT
    bench.values[SOURCE] = 170.0
    assert bench.scan().level is ABORT
    assert source_contactor_off(bench.state) and not contactor_off(bench.state)
    assert "source-4" in heaters_off(bench.state)


def test_t8_a_bottle_without_a_known_maximum_leaves_the_limit_of_its_zone() -> None:
    bench = source_bench(GL=Hung("something", True))
    bench.values[SOURCE] = 179.9
    assert bench.run(10).level is Reaction.NONE
    bench.values[SOURCE] = 180.0
    assert bench.run(6).level is BLOCK


def test_t8_of_two_bottles_in_one_zone_the_more_delicate_one_binds() -> None:
    ports = CONFIG.ports | {"LTB": CONFIG.ports["LTB"].model_copy(update={"zone": "source-4"})}
    bench = Bench(only("T8", of=rules(CONFIG.model_copy(update={"ports": ports}), bottles=BOTTLES)))
    bench.values[SOURCE] = 160.0
    assert bench.run(6).level is BLOCK


def test_t8_a_line_is_bound_by_the_limit_of_its_zone() -> None:
    bench = source_bench()
    bench.values["lines.temperature_c"] = 200.0
    assert bench.run(6).level is BLOCK
    bench.values["lines.temperature_c"] = 210.0
    assert bench.scan().level is ABORT


def test_t8_a_bottle_that_is_too_cold_blocks_after_a_minute() -> None:
    bench = source_bench(17.1, GL=Hung("TMA", True, 40, 17))
    assert bench.run(120).level is Reaction.NONE
    bench.values[SOURCE] = 17.0
    assert bench.run(60.0).level is Reaction.NONE
    assert bench.scan().level is BLOCK
    assert bench.cause("T8").detail == "source-4 is 0 K below the 17 °C that its bottle needs"
    assert permit(bench.state) is False and bench.state.blocked == Blocks.PULSE | Blocks.START
    bench.values[SOURCE] = 17.9
    assert bench.scan().level is BLOCK
    bench.values[SOURCE] = 18.0
    assert bench.scan().level is Reaction.NONE


def test_the_table_follows_the_owners_limits_and_never_passes_the_ceiling() -> None:
    limits = Limits().model_copy(update={"lithium_warn": 140.0, "lithium_trip": 145.0, "lithium_clear": 130.0})
    bench = Bench(only("T1", of=rules(CONFIG.model_copy(update={"limits": limits}))), released=False)
    bench.values |= {SUBSTRATE: 144.0, SECOND: 139.0, CHAMBER: 139.0}
    bench.scan()
    assert bench.cause("T1").reaction is ABORT


# --- what is not guarded ----------------------------------------------------------------------------------------------


def test_what_the_reference_tool_does_not_guard_in_its_heaters_is_said() -> None:
    told = [line for line in rules().not_guarded if line.startswith("T")]
    assert told == [
        "T1, T3, T4: zone chamber has no independent second sensor: losing its sensor aborts at once, and a reading "
        "that drifts is not noticed.",
        *[
            f"T2: the heater of {zone} was never commissioned: only a rise below 1 K/min is too little."
            for zone in ("source-3", "source-4", "source-5", "lines")
        ],
        "T5: no current of a heater is measured: a relay that has welded is seen by the heat that it makes.",
        *[
            f"T8: the bottle at port {port} stands in the room and has no sensor: too hot or cold is not seen."
            for port in ("TMA", "H2O", "spare")
        ],
    ]


def test_a_commissioned_source_is_not_among_what_is_not_guarded() -> None:
    known = Constants(heaters=CONSTANTS.heaters | {"source-3": heater(0.2, 3)})
    told = " ".join(rules(constants=known).not_guarded)
    assert "heater of source-3" not in told and "heater of source-4" in told


def test_a_tool_without_a_limit_controller_or_lithium_zones_says_so() -> None:
    signals = CONFIG.signals.model_copy(update={"limit_controller": None})
    bare = rules(CONFIG.model_copy(update={"signals": signals, "zones": {}, "ports": {}}))
    assert [line.split(":")[0] for line in bare.not_guarded if line.startswith("T")] == ["T1", "T1"]
    assert not [c for c in bare.checks if c.levels[0].row.startswith("T")]
