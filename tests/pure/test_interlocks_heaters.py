"""Rows T2 to T6: jumps, power without heat, heat without power, readings that stand still, part or overshoot."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest

from ald_controller.commissioned import Heater
from ald_controller.interlocks import Constants, Quality, Reaction, Reset, ResetRefused, contactor_off, heaters_off
from ald_controller.interlocks.measures import Input, Sample
from ald_controller.interlocks.thermal_measures import Apart
from tests.heater_bench import HeaterBench as Bench
from tests.heater_bench import glide, only
from tests.interlock_bench import CHAMBER, CONSTANTS, SECOND, SUBSTRATE, rules

NONE, WARN, HOLD, ABORT = Reaction.NONE, Reaction.WARN, Reaction.HOLD, Reaction.ABORT_PURGE
DUTY, ASKED = "chamber.output_percent", "asked.chamber_c"


# --- T2: a sensor that jumps ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("by_k", [5.0, -5.0, 40.0, -140.0])
def test_t2_one_of_two_sensors_that_jumps_within_a_second_holds_with_its_heater_off(by_k: float) -> None:
    bench = Bench(only("Jump"))
    bench.values[SUBSTRATE] += by_k
    assert bench.scan().level is HOLD
    assert heaters_off(bench.state) == {"substrate"} and not contactor_off(bench.state)
    told = f"{SUBSTRATE} jumped by {abs(by_k):.3g} K within a second, 5 K is the limit"
    assert bench.cause("T2").detail == told


@pytest.mark.parametrize("signal", [CHAMBER, "source-3.temperature_c", "lines.temperature_c"])
def test_t2_the_only_sensor_of_a_zone_that_jumps_aborts_at_once(signal: str) -> None:
    bench = Bench(only("Jump"))
    bench.values[signal] += 5.0
    assert bench.scan().level is ABORT


def test_t2_a_jump_of_the_only_sensor_is_over_with_its_second_and_stays_latched() -> None:
    bench = Bench(only("Jump"))
    bench.values[CHAMBER] += 50.0
    bench.run(0.9)
    assert bench.cause("T2").name == CHAMBER
    bench.run(1.2)
    assert bench.state.active == () and bench.state.level is ABORT
    bench.run(10)
    assert bench.reset("operator").level is NONE


def test_t2_what_a_zone_can_do_by_itself_is_no_jump() -> None:
    bench = Bench(only("Jump"))
    bench.values[CHAMBER] += 4.9
    assert bench.run(2).level is NONE
    assert glide(bench, 5, chamber=4.8).level is NONE
    bench.run(2)
    assert glide(bench, 5, chamber=-4.8).level is NONE


def test_t2_a_change_of_five_kelvins_over_the_second_counts_however_often_it_was_read() -> None:
    bench = Bench(only("Jump"))
    assert glide(bench, 0.8, chamber=5.5).level is NONE
    assert glide(bench, 0.2, chamber=5.5).level is ABORT


def test_t2_readings_two_seconds_apart_are_compared_by_their_rate() -> None:
    bench = Bench(only("Jump"))
    for step_k, level in ((9.8, NONE), (-9.8, NONE), (10.0, ABORT)):
        bench.values[CHAMBER] += step_k
        assert bench.scan(2.0).level is level


def test_t2_a_change_across_readings_that_were_lost_is_no_jump() -> None:
    bench = Bench(only("Jump"))
    bench.quality[CHAMBER] = Quality.BAD
    bench.run(0.5)
    del bench.quality[CHAMBER]
    bench.values[CHAMBER] += 20.0
    assert bench.run(2).level is NONE


def test_t2_a_sensor_that_jumped_is_bad_until_it_agrees_with_its_witness_and_aborts_after_a_minute() -> None:
    bench = Bench(only("Jump"))
    bench.values[SUBSTRATE] -= 30.0
    bench.scan()
    assert bench.run(59.9).level is HOLD
    assert bench.cause("T2").name == SUBSTRATE
    assert bench.scan().level is ABORT
    assert contactor_off(bench.state)


def test_t2_a_sensor_that_jumped_back_to_its_witness_lets_an_operator_go_on() -> None:
    bench = Bench(only("Jump"))
    bench.values[SUBSTRATE] -= 30.0
    bench.run(30)
    bench.values[SUBSTRATE] = bench.values[SECOND] - 10.0  # by a second jump; ten kelvins agree
    bench.run(2.0)
    assert bench.state.active == ()
    bench.run(10)
    assert bench.state.level is HOLD
    assert bench.reset("operator").level is NONE


def test_t2_a_witness_that_cannot_be_believed_clears_nobody() -> None:
    bench = Bench(only("Jump"))
    bench.values[SUBSTRATE] -= 30.0
    bench.scan()
    bench.values[SUBSTRATE] += 30.0
    bench.quality[SECOND] = Quality.BAD
    bench.run(20)
    assert bench.cause("T2").name == SUBSTRATE
    del bench.quality[SECOND]
    bench.run(2)
    assert bench.state.active == ()


def test_t2_a_jump_that_stands_is_remembered_through_a_lost_reading() -> None:
    bench = Bench(only("Jump"))
    bench.values[SUBSTRATE] -= 30.0
    bench.scan()
    bench.quality[SUBSTRATE] = Quality.BAD
    bench.run(1)
    del bench.quality[SUBSTRATE]
    bench.run(1)
    assert bench.cause("T2").name == SUBSTRATE


# --- T2: below the set-point and not rising ---------------------------------------------------------------------------


def behind() -> Bench:
    """The chamber of the reference tool, 10 K below what it is asked for since long, at half power."""
    bench = Bench(only("Behind"), released=False)
    bench.values |= {CHAMBER: 140.0, DUTY: 50.0}
    bench.scan()
    bench.reset()
    return bench


def test_t2_a_zone_below_its_band_that_does_not_rise_aborts_after_120_kelvin_seconds() -> None:
    bench = behind()
    began_s = bench.now_s
    assert bench.first_scan_at(ABORT, 100) == pytest.approx(20 + 24, abs=0.3)  # patience, then 5 K below the band
    assert bench.now_s - began_s < 45
    told = "chamber has been below its set-point and not rising for 120 K s, the limit is 120"
    assert bench.cause("T2").detail == told


@pytest.mark.parametrize(("at_c", "level"), [(145.0, NONE), (144.9, NONE), (144.0, ABORT)])
def test_t2_five_kelvins_below_the_set_point_are_in_the_band(at_c: float, level: Reaction) -> None:
    bench = Bench(only("Behind"), released=False)
    bench.values |= {CHAMBER: at_c, DUTY: 50.0}
    bench.scan()
    bench.reset()
    assert bench.run(150).level is level


def test_t2_a_zone_that_rises_by_a_third_of_its_commissioned_slope_is_on_its_way() -> None:
    third = 0.0924 / 3  # at about 110 °C, between 0.16 K/s at 25 °C and 0.06 K/s at 150 °C
    for rate, level in ((1.15 * third, NONE), (0.9 * third, ABORT)):
        bench = Bench(only("Behind"), released=False)
        bench.values |= {CHAMBER: 105.0, DUTY: 50.0}
        bench.scan()
        bench.reset()
        assert glide(bench, 200, chamber=rate).level is level


def test_t2_a_zone_without_commissioned_slope_has_to_rise_by_a_kelvin_a_minute() -> None:
    for rate, level in ((1.1 / 60, NONE), (0.9 / 60, ABORT)):
        bench = Bench(only("Behind"), released=False)
        bench.values |= {"source-4.temperature_c": 100.0, "source-4.output_percent": 50.0}
        bench.scan()
        bench.reset()
        assert glide(bench, 120, source_4=rate).level is level


def test_t2_back_in_its_band_a_zone_has_a_clean_sheet() -> None:
    bench = behind()
    for _ in range(5):
        assert bench.run(40).level is NONE  # 20 s of patience, then 100 K s
        bench.values[CHAMBER] = 145.0
        bench.scan()
        bench.values[CHAMBER] = 140.0
        assert bench.run(23).level is NONE  # 115 K s
        bench.values[CHAMBER] = 145.0
        bench.scan()
        bench.values |= {CHAMBER: 140.0, ASKED: -273.15}
        bench.scan()
        bench.values[ASKED] = 150.0


def test_t2_a_new_set_point_gives_the_heater_twenty_seconds() -> None:
    bench = Bench(only("Behind"))
    bench.run(60)
    bench.values[ASKED] = 190.0  # 38 K below the band: 120 K s in three seconds
    assert bench.first_scan_at(ABORT, 60) == pytest.approx(20 + 120 / 38, abs=0.5)


def test_t2_a_set_point_that_creeps_up_gives_no_patience() -> None:
    bench = Bench(only("Behind"))
    bench.run(30)
    for _ in range(400):
        bench.values[ASKED] += 0.05  # 3 K/min would be 0.005; this is 0.5 K/s
        if bench.scan().level is ABORT:
            break
    # 2 K to the edge of the band at 149, then 0.25 t² = 120
    assert bench.now_s - 1030 == pytest.approx(4 + math.sqrt(120 / 0.25), abs=1.0)


@pytest.mark.parametrize("asked", [None, -273.15])
def test_t2_a_zone_that_is_off_or_was_never_commanded_is_not_behind(asked: float | None) -> None:
    bench = Bench(only("Behind"))
    if asked is None:
        del bench.values[ASKED]
        bench.samples.pop(ASKED)
    else:
        bench.values[ASKED] = asked
    assert glide(bench, 60, chamber=-2.0).level is NONE


# --- T2: full power without heat --------------------------------------------------------------------------------------


def at_full_power(zone: str = "chamber", at_c: float = 147.0) -> Bench:
    bench = Bench(only("Unheated"), released=False)
    bench.values |= {f"{zone}.temperature_c": at_c, f"{zone}.output_percent": 80.0, f"asked.{zone}_c": at_c}
    bench.scan()
    bench.reset()
    return bench


def test_t2_a_minute_of_full_power_without_a_kelvin_aborts() -> None:
    bench = at_full_power("source-4", 130.0)
    assert bench.first_scan_at(ABORT, 100) == pytest.approx(60, abs=0.3)
    told = "source-4 at full power rose 1 K less in a minute than a third of what was commissioned"
    assert bench.cause("T2").detail == told


def test_t2_a_kelvin_a_minute_is_enough_where_nothing_is_commissioned_or_a_third_of_the_slope_is_less() -> None:
    for zone, rate in (("source-4", 1.05 / 60), ("chamber", 1.3 / 60)):  # the chamber's third: 1.2 K/min at 150 °C
        assert glide(at_full_power(zone), 200, **{zone.replace("-", "_"): rate}).level is NONE


def test_t2_a_third_of_the_slope_at_that_temperature_is_what_a_commissioned_heater_must_give() -> None:
    cold = at_full_power("chamber", 30.0)  # 0.16 K/s: 3.1 K/min
    assert glide(cold, 100, chamber=2.9 / 60).level is ABORT
    assert glide(at_full_power("chamber", 30.0), 100, chamber=3.3 / 60).level is NONE


def test_t2_power_below_80_percent_says_nothing_and_begins_the_minute_anew() -> None:
    bench = at_full_power()
    for _ in range(3):
        assert bench.run(50).level is NONE
        bench.values[DUTY] = 79.9
        bench.scan()
        bench.values[DUTY] = 80.0


def test_t2_power_that_cannot_be_believed_is_left_to_t7() -> None:
    bench = at_full_power()
    bench.quality[DUTY] = Quality.BAD
    assert bench.run(100).level is NONE


def test_t2_is_reset_by_an_operator_once_the_heater_answers() -> None:
    bench = at_full_power()
    bench.run(70)
    with pytest.raises(ResetRefused, match="still there: T2"):
        bench.reset()
    bench.values[DUTY] = 30.0
    bench.run(10.2)
    assert bench.reset().level is NONE


# --- T3 ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("signal", [SUBSTRATE, SECOND])
def test_t3_a_reading_that_stands_still_for_a_minute_while_its_power_moves_warns(signal: str) -> None:
    bench = Bench(only("T3"))
    bench.values["substrate.output_percent"] = 40.1
    other = SECOND if signal == SUBSTRATE else SUBSTRATE
    for i in range(600):
        bench.values[other] = 149.0 + 0.1 * (i % 2)
        assert bench.scan().level is NONE
    bench.scan()
    assert bench.state.level is WARN
    told = [f"{signal} has not changed for 60 s although its power has"]
    assert [c.detail for c in bench.state.active] == told
    bench.values[signal] += 0.1
    assert bench.scan().level is NONE


def test_t3_steady_power_may_leave_a_reading_steady() -> None:
    bench = Bench(only("T3"))
    bench.values["substrate.output_percent"] = 40.0  # ten per cent is not more than ten
    assert bench.run(200).level is NONE


def test_t3_what_power_did_before_the_reading_changed_last_does_not_count() -> None:
    bench = Bench(only("T3"))
    bench.values[DUTY] = 90.0
    bench.run(30)
    bench.values[CHAMBER] += 0.1
    assert bench.run(200).level is NONE


def test_t3_power_that_cannot_be_believed_moves_nothing() -> None:
    bench = Bench(only("T3"))
    bench.quality[DUTY] = Quality.BAD
    bench.values[DUTY] = 90.0
    assert bench.run(100).level is NONE


# --- T4 ---------------------------------------------------------------------------------------------------------------


def apart(by_k: float) -> Bench:
    """Two sensors of the substrate so far from where they were commissioned to be (the second 0.4 K higher)."""
    bench = Bench(only("T4"), released=False)
    bench.values |= {SUBSTRATE: 100.0, SECOND: 100.4 + by_k}
    bench.scan()
    bench.reset()
    return bench


@pytest.mark.parametrize("by_k", [9.9, -9.9])
def test_t4_sensors_five_kelvins_from_their_offset_warn_after_a_minute(by_k: float) -> None:
    bench = apart(by_k)
    assert bench.run(59.8).level is NONE
    assert bench.run(0.2).level is WARN


@pytest.mark.parametrize("by_k", [4.9, -4.9])
def test_t4_less_than_five_kelvins_are_no_news(by_k: float) -> None:
    assert apart(by_k).run(200).level is NONE


@pytest.mark.parametrize("by_k", [10.1, -10.1, 60.0])
def test_t4_ten_kelvins_for_ten_seconds_abort_and_need_the_owner(by_k: float) -> None:
    bench = apart(by_k)
    assert bench.run(9.8).level is NONE
    assert bench.run(0.2).level is ABORT
    assert bench.cause("T4").reset is Reset.L2 and contactor_off(bench.state)
    told = f"the sensors of substrate are {abs(by_k):.3g} K from what was commissioned, 10 K is the limit"
    assert bench.cause("T4").detail == told


def test_t4_needs_both_sensors_and_leaves_a_lost_one_to_t7() -> None:
    for signal in (SUBSTRATE, SECOND):
        bench = apart(30.0)
        bench.quality[signal] = Quality.BAD
        assert bench.run(60).level is NONE


def ramp(later_s: float, rate: float, *, slope: float = 0.25) -> Callable[[], Bench]:
    """A substrate that heats at this rate while its second sensor comes so much later (or earlier) than the first."""
    heater = Heater(((25.0, slope), (150.0, slope)), 5.0, second_k=0.0, second_later_s=later_s)
    table = rules(constants=Constants(heaters=CONSTANTS.heaters | {"substrate": heater}))

    def run() -> Bench:
        bench = Bench(only("T4", of=table), released=False)
        bench.values |= {SUBSTRATE: 50.0, SECOND: 50.0}
        bench.scan()
        bench.reset()
        first = second = 50.0
        for i in range(6000):
            true = 50.0 + rate * min(i * 0.1, 400.0)
            if later_s > 0:
                first, second = true, second + (true - second) * 0.1 / later_s
            else:
                first, second = first + (true - first) * 0.1 / -later_s, true
            bench.values |= {SUBSTRATE: first, SECOND: second}
            if bench.scan().level >= WARN:
                break
        return bench

    return run


@pytest.mark.parametrize("later_s", [60.0, -60.0])
def test_t4_a_second_sensor_that_lags_as_commissioned_is_not_apart_on_a_ramp(later_s: float) -> None:
    assert ramp(later_s, 0.25)().state.level is NONE  # 15 K apart, and right so


@pytest.mark.parametrize("later_s", [60.0, -60.0])
def test_t4_a_lag_excuses_no_more_than_what_full_power_makes_of_it(later_s: float) -> None:
    slow, quick = (SECOND, SUBSTRATE) if later_s > 0 else (SUBSTRATE, SECOND)
    heater = Heater(((25.0, 0.25), (150.0, 0.25)), 5.0, second_later_s=later_s)
    table = rules(constants=Constants(heaters=CONSTANTS.heaters | {"substrate": heater}))
    bench = Bench(only("T4", of=table), released=False)
    bench.values |= {slow: 100.0, quick: 100.0}
    bench.scan()
    bench.reset()
    bench.values[quick] = 100.0 + 15.0 + 10.1  # the quick one cannot be further ahead than 15 K
    assert bench.run(10.2).level is ABORT


def test_t4_a_quicker_sensor_that_was_lost_is_believed_anew_where_it_stands() -> None:
    measure = Apart(Input(SUBSTRATE, -20, 400), Input(SECOND, -20, 400), 0.0, 10.0, 100.0)
    good = {SUBSTRATE: Sample(100.0, 0.0), SECOND: Sample(100.0, 0.0)}
    memory = measure.take(None, good, 0.0).memory
    bad = measure.take(memory, {**good, SUBSTRATE: Sample(150.0, 0.5, Quality.BAD)}, 0.5)
    assert bad.fault and bad.memory is None
    back = {SUBSTRATE: Sample(150.0, 1.0), SECOND: Sample(150.0, 1.0)}
    assert measure.take(bad.memory, back, 1.0).number == 0.0


def test_t4_the_same_reading_seen_twice_moves_nothing() -> None:
    measure = Apart(Input(SUBSTRATE, -20, 400), Input(SECOND, -20, 400), 0.0, 10.0, 100.0)
    first = measure.take(None, {SUBSTRATE: Sample(100.0, 0.0), SECOND: Sample(100.0, 0.0)}, 0.0)
    later = {SUBSTRATE: Sample(110.0, 0.5), SECOND: Sample(100.0, 0.5)}
    second = measure.take(first.memory, later, 0.5)
    assert second.number == pytest.approx(10 * (1 - math.exp(-0.05)))
    assert measure.take(second.memory, later, 0.6) == second


# --- T5 ---------------------------------------------------------------------------------------------------------------


def powerless(zone: str = "chamber", *, above_k: float = 10.0) -> Bench:
    """A zone without power, hotter than its neighbours."""
    bench = Bench(only("T5"), released=False)
    hottest = 149.0 if zone == "chamber" else 165.0
    bench.values |= {f"{zone}.temperature_c": hottest + above_k, f"{zone}.output_percent": 0.0}
    bench.scan()
    bench.reset()
    return bench


def test_t5_a_zone_that_rises_by_two_kelvins_a_minute_for_half_a_minute_without_power_opens_its_contactor() -> None:
    bench = powerless()
    assert glide(bench, 29.5, chamber=2.2 / 60).level is NONE
    assert glide(bench, 1.0, chamber=2.2 / 60).level is ABORT
    assert contactor_off(bench.state) and bench.cause("T5").reset is Reset.L2
    assert bench.cause("T5").detail == "chamber rises by 2.2 K/min without power"


def test_t5_slower_than_two_kelvins_a_minute_is_what_sensors_and_neighbours_do() -> None:
    assert glide(powerless(), 120, chamber=1.9 / 60).level is NONE


def test_t5_half_a_per_cent_is_no_power_and_more_is() -> None:
    for percent, level in ((0.5, ABORT), (0.6, NONE)):
        bench = powerless()
        bench.values[DUTY] = percent
        assert glide(bench, 40, chamber=0.2).level is level


def test_t5_an_open_contactor_is_no_power_whatever_the_instrument_gives() -> None:
    bench = powerless()
    bench.values |= {DUTY: 100.0, "asked.contactor": 0.0}
    assert glide(bench, 40, chamber=0.2).level is ABORT


def test_t5_the_contactor_of_lithium_zones_says_nothing_of_a_source() -> None:
    bench = powerless("source-3")
    bench.values |= {"source-3.output_percent": 100.0, "asked.contactor": 0.0}
    assert glide(bench, 40, source_3=0.2).level is NONE


@pytest.mark.parametrize("zone", ["source-3", "lines"])
def test_t5_binds_sources_and_lines_once_no_neighbour_is_hotter(zone: str) -> None:
    assert glide(powerless(zone), 40, **{zone.replace("-", "_"): 0.2}).level is ABORT
    assert glide(powerless(zone, above_k=-20.0), 40, **{zone.replace("-", "_"): 0.2}).level is NONE


def test_t5_a_hotter_source_is_no_neighbour_of_another_one() -> None:
    bench = Bench(only("T5"), released=False)
    bench.values |= {"source-5.output_percent": 0.0, "lines.temperature_c": 30.0}
    bench.scan()
    bench.reset()
    assert glide(bench, 40, source_5=0.2).level is ABORT  # from 40 °C, beside sources of 130 and 150 °C


def test_t5_heat_from_a_hotter_neighbour_is_none_of_its_own() -> None:
    bench = powerless(above_k=-10.0)
    assert glide(bench, 45, chamber=0.2).level is NONE  # it comes to 148 °C, the substrate is at 149 °C
    assert glide(bench, 45, chamber=0.2).level is ABORT


def test_t5_a_neighbour_that_cannot_be_believed_excuses_nothing() -> None:
    bench = powerless(above_k=-10.0)
    bench.quality[SUBSTRATE] = Quality.BAD
    assert glide(bench, 40, chamber=0.2).level is ABORT


def test_t5_a_reading_that_still_rises_after_full_power_because_its_sensor_lags_is_no_welded_relay() -> None:
    for slope, lag_s in ((0.5, 5.0), (0.57, 10.0), (0.25, 60.0)):
        heater = Heater(((25.0, slope), (150.0, slope)), lag_s)
        table = rules(constants=Constants(heaters=CONSTANTS.heaters | {"chamber": heater}))
        bench = Bench(only("T5", of=table), released=False)
        bench.values |= {CHAMBER: 150.0, DUTY: 0.0}
        bench.scan()
        bench.reset()
        for i in range(500):
            bench.values[CHAMBER] = 150.0 + slope * lag_s * (1.0 - math.exp(-i * 0.5 / lag_s))
            assert bench.scan(0.5).level is NONE, (slope, lag_s, i)
        assert glide(bench, 190, chamber=0.05).level is ABORT


# --- T6 ---------------------------------------------------------------------------------------------------------------


def test_t6_a_zone_that_rises_five_kelvins_above_its_set_point_warns_and_fifteen_hold_with_its_heater_off() -> None:
    bench = Bench(only("T6"))
    assert glide(bench, 75, chamber=0.1).level is NONE  # to 154.5 °C
    assert glide(bench, 10, chamber=0.1).level is WARN
    assert glide(bench, 90, chamber=0.1).level is WARN  # to 164.5 °C
    assert glide(bench, 10, chamber=0.1).level is HOLD
    assert heaters_off(bench.state) == {"chamber"} and bench.cause("T6").reset is Reset.L1
    assert bench.cause("T6").detail == "chamber rises, 15 K above its set-point, 15 K is the limit"


def test_t6_a_zone_that_does_not_rise_is_no_overshoot() -> None:
    bench = Bench(only("T6"))
    glide(bench, 100, chamber=0.1)
    assert bench.state.level is WARN
    assert bench.run(12).level is NONE
    assert glide(bench, 60, chamber=-0.05).level is NONE


def test_t6_a_tenth_of_a_kelvin_up_and_down_is_no_rise() -> None:
    bench = Bench(only("T6"))
    glide(bench, 100, chamber=0.1)
    for i in range(400):
        bench.values[CHAMBER] += 0.1 if i % 2 else -0.1
        bench.scan()
    assert bench.state.level is NONE


def test_t6_a_lower_set_point_counts_only_once_the_zone_has_come_down_to_it() -> None:
    bench = Bench(only("T6"))
    bench.values[ASKED] = 50.0
    assert glide(bench, 30, chamber=0.08).level is NONE  # it had 150 °C to go to
    assert glide(bench, 200, chamber=-0.5).level is NONE
    assert glide(bench, 60, chamber=0.15).level is WARN  # and now 50 °C
    assert glide(bench, 60, chamber=0.15).level is HOLD


def test_t6_a_higher_set_point_is_the_one_that_counts_from_now_on() -> None:
    bench = Bench(only("T6"))
    bench.values[ASKED] = 200.0
    assert glide(bench, 300, chamber=0.15).level is NONE


def test_t6_switching_off_keeps_the_set_point_that_the_zone_had() -> None:
    bench = Bench(only("T6"))
    bench.run(1)
    bench.values[ASKED] = -273.15
    assert glide(bench, 100, chamber=0.1).level is WARN


def test_t6_a_zone_that_is_found_hotter_than_it_is_asked_for_has_overshot_only_what_it_rises_from_there() -> None:
    bench = Bench(only("T6"), released=False)
    bench.values |= {CHAMBER: 147.0, ASKED: 50.0}
    bench.scan()
    bench.reset()
    assert glide(bench, 48, chamber=0.1).level is NONE
    assert glide(bench, 4, chamber=0.1).level is WARN


def test_t6_a_zone_that_nobody_commanded_has_no_set_point_to_pass() -> None:
    bench = Bench(only("T6"), released=False)
    del bench.values[ASKED]
    bench.scan()
    bench.reset()
    assert glide(bench, 300, chamber=0.1).level is NONE


@pytest.mark.parametrize(("k_per_s", "level"), [(0.15, NONE), (0.18, WARN), (0.98, WARN), (1.05, HOLD)])
def test_t6_above_its_set_point_ten_kelvins_a_minute_warn_and_one_a_second_hold(k_per_s: float, level: Any) -> None:
    bench = Bench(only("T6"), released=False)
    bench.values[CHAMBER] = 150.1
    bench.scan()
    bench.reset()
    assert glide(bench, 4.7 / max(k_per_s, 0.94), chamber=k_per_s).level <= level
    bench = Bench(only("T6"), released=False)
    bench.values[CHAMBER] = 150.1
    bench.scan()
    bench.reset()
    steep = [c for _ in range(55) for c in glide(bench, 0.1, chamber=k_per_s).active if c.name == "slope of chamber"]
    assert max((c.reaction for c in steep), default=NONE) is level
    if level is HOLD:
        told = "slope of chamber rises by 1.05 K/s above its set-point, 1 K/s is the limit"
        assert next(c.detail for c in steep if c.reaction is HOLD) == told


def test_t6_below_its_set_point_a_zone_may_be_as_quick_as_it_can() -> None:
    bench = Bench(only("T6"))
    bench.values[ASKED] = 300.0
    assert glide(bench, 60, chamber=2.0).level is NONE


def test_t6_remembers_its_set_point_through_a_lost_reading() -> None:
    bench = Bench(only("T6"))
    bench.run(1)
    bench.values[ASKED] = -273.15
    bench.quality[CHAMBER] = Quality.BAD
    bench.run(1)
    del bench.quality[CHAMBER]
    assert glide(bench, 100, chamber=0.1).level is WARN


def test_a_healthy_ramp_of_the_reference_tool_trips_no_heater_row() -> None:
    bench = Bench(only("T1", "T2", "T3", "T4", "T5", "T6", "T7", "T8"), released=False)
    for zone in ("substrate", "chamber"):
        bench.values |= {f"{zone}.temperature_c": 25.0, f"asked.{zone}_c": 25.0, f"{zone}.output_percent": 60.0}
    bench.values[SECOND] = 25.4
    bench.scan()
    bench.reset()
    for i in range(2800):
        asked = min(150.0, 25.0 + 0.05 * i)
        bench.values |= {ASKED: asked, CHAMBER: max(25.0, asked - 2.0)}
        bench.values |= {"asked.substrate_c": asked, SUBSTRATE: max(25.0, asked - 2.0)}
        bench.values[SECOND] = bench.values[SUBSTRATE] + 0.4
        assert bench.scan(1.0).level is NONE
