"""What the measures of the heater rows return, to the letter: numbers, faults, whom they name, what they remember."""

from __future__ import annotations

import math
from typing import Any

import pytest
from msgspec.structs import replace

from ald_controller.interlocks.measures import BAD, MISSING, STALE, Input, Quality, Sample, Taken
from ald_controller.interlocks.thermal_measures import (
    Apart,
    Blind,
    Cold,
    Frozen,
    Hottest,
    Jump,
    Uncommissioned,
    believed,
)
from ald_controller.interlocks.thermal_power import Above, Behind, Steep, Unheated, Warming, kept, risen, set_point
from tests.taken import found, lost, nothing

A, B, DUTY = Input("a", -20, 400, 2.0), Input("b", -20, 400, 2.0), Input("duty", 0, 100, 2.0)
ASKED, CONTACTOR = Input("asked", -274, 1000), Input("contactor", 0, 1)
FLAT = ((0.0, 0.75), (400.0, 0.75))  # K/s: a third of it is exactly 0.25


def good(**values: float) -> dict[str, Sample]:
    return {name: Sample(value, 100.0) for name, value in values.items()}


def bad(value: float = 100.0, at_s: float = 100.0) -> Sample:
    return Sample(value, at_s, Quality.BAD)


def fed(measure: Any, readings: list[tuple[float, dict[str, float]]]) -> list[Taken]:
    """What the measure returns at each of these times."""
    memory, out = None, []
    for at_s, values in readings:
        taken = measure.take(memory, {name: Sample(value, at_s) for name, value in values.items()}, at_s)
        memory = taken.memory
        out.append(taken)
    return out


# --- sensors ---------------------------------------------------------------------------------------------------------


def test_the_hottest_believable_sensor_and_its_offset() -> None:
    measure = Hottest((A, B), 1.5)
    assert measure.take(None, good(a=100, b=90), 100) == Taken(101.5, None, "", "", Quality.GOOD)
    assert measure.take(None, good(a=100) | {"b": bad(300)}, 100) == Taken(101.5, None, "", "", Quality.GOOD)
    assert measure.take(None, good(b=90), 100) == Taken(91.5, None, "", "", Quality.GOOD)


def test_without_a_believable_sensor_the_first_one_is_named() -> None:
    measure = Hottest((A, B), 1.5)
    taken = measure.take(None, {"a": bad()}, 100)
    assert nothing(taken) == (None, BAD, "a", Quality.GOOD)
    taken = measure.take(None, {"b": bad()}, 100)
    assert nothing(taken) == (None, MISSING, "a", Quality.GOOD)


@pytest.mark.parametrize(("one", "other", "told"), [
    ("GOOD", "UNCERTAIN", "UNCERTAIN"), ("UNCERTAIN", "GOOD", "UNCERTAIN"), ("TEST", "UNCERTAIN", "TEST"),
    ("UNCERTAIN", "TEST", "TEST"), ("GOOD", "TEST", "TEST"),
])  # fmt: skip
def test_the_worst_quality_of_the_believable_sensors_is_told(one: str, other: str, told: str) -> None:
    samples = {"a": Sample(100, 100, Quality[one]), "b": Sample(90, 100, Quality[other])}
    assert Hottest((A, B), 0).take(None, samples, 100).quality is Quality[told]


def test_a_zone_is_seen_half_seen_and_blind() -> None:
    measure = Blind((A, B), DUTY, 10.0)
    assert measure.take(None, good(a=100, b=95, duty=30), 100) == Taken(0.0, False)
    assert measure.take(None, good(a=100, duty=30), 100) == Taken(1.0, True, MISSING, "b")
    assert measure.take(None, good(b=100, duty=30) | {"a": bad()}, 100) == Taken(1.0, True, BAD, "a")
    assert measure.take(None, good(duty=30) | {"b": bad()}, 100) == Taken(2.0, True, MISSING, "a")
    assert measure.take(None, good(duty=30) | {"a": bad()}, 100) == Taken(2.0, True, BAD, "a")
    assert measure.inputs == (A, B, DUTY)


def test_power_that_is_lost_leaves_a_zone_half_seen() -> None:
    measure = Blind((A,), DUTY, 10.0)
    assert measure.take(None, good(a=100), 100) == Taken(1.0, False, MISSING, "duty")
    assert measure.take(None, good(a=100) | {"duty": Sample(30, 97.9)}, 100) == Taken(1.0, False, STALE, "duty")


def test_sensors_that_come_back_must_agree() -> None:
    measure = Blind((A, B), DUTY, 10.0)
    apart = good(a=100, b=110.1, duty=30)
    assert measure.take(False, apart, 100) == Taken(0.0, False)
    why = "is back but more than 10 K from the other sensor"
    assert measure.take(True, apart, 100) == Taken(1.0, True, why, "b")
    assert measure.take(True, good(a=100, b=110, duty=30), 100) == Taken(0.0, False)
    assert found(measure.take(True, good(a=100, b=110, duty=130), 100)) == (1.0, False)


def test_what_is_not_commissioned_is_one_for_ever() -> None:
    assert Uncommissioned().take(None, {}, 0) == Taken(1.0, None)


def test_a_value_that_cannot_be_believed_is_none() -> None:
    assert believed(A, good(a=100), 100) == 100
    assert believed(A, {}, 100) is None and believed(A, {"a": bad()}, 100) is None
    assert believed(A, good(a=401), 100) is None


def test_a_reading_is_looked_at_once_and_repeated_until_the_next() -> None:
    measure = Cold(A, 17.0)
    first = measure.take(None, good(a=10), 100)
    assert (first.number, first.fault, first.signal, first.quality) == (7.0, "", "a", Quality.GOOD)
    again = measure.take(first.memory, {"a": Sample(12, 100, Quality.UNCERTAIN)}, 100.1)  # the same moment
    assert again == replace(first, quality=Quality.UNCERTAIN)
    assert measure.take(first.memory, {"a": Sample(12, 100.5)}, 100.6).number == 5.0
    assert measure.inputs == (A,)


def test_a_reading_that_cannot_be_believed_is_named_and_the_same_one_is_looked_at_anew_after_it() -> None:
    measure = Cold(A, 17.0)
    first = measure.take(None, good(a=10), 100)
    lost = measure.take(first.memory, {"a": bad()}, 100)
    assert math.isnan(lost.number) and (lost.fault, lost.signal, lost.quality) == (BAD, "a", Quality.GOOD)
    assert lost.memory.at_s == -math.inf and lost.memory.memory is None
    assert measure.take(lost.memory, good(a=12), 100).number == 5.0
    never = measure.take(None, {}, 100)
    assert (never.fault, never.signal, never.memory) == (MISSING, "a", None)


def test_a_jump_is_measured_against_every_reading_of_the_last_second() -> None:
    measure = Jump(A, None, 5.0, 10.0)
    numbers = [t.number for t in fed(measure, [(0, {"a": 0}), (0.5, {"a": 3}), (1.0, {"a": 4.5}), (1.5, {"a": 5})])]
    assert numbers == [0.0, 3.0, 4.5, 2.0]
    slow = fed(measure, [(0, {"a": 0}), (2.0, {"a": -8}), (4.0, {"a": 4})])
    assert [t.number for t in slow] == [0.0, 4.0, 6.0]


def test_a_jump_that_stands_keeps_its_greatest_size_until_the_witness_agrees() -> None:
    measure = Jump(A, B, 5.0, 10.0)
    seen = [(0, 100), (0.5, 94), (1.0, 80), (1.5, 80), (9.0, 80), (9.5, 89.9), (20, 90.0), (25, 90.0), (30, 90.0)]
    numbers = [t.number for t in fed(measure, [(at, {"a": a, "b": 100.0}) for at, a in seen])]
    assert numbers[:6] == [0.0, 6.0, 20.0, 20.0, 20.0, 20.0]
    assert numbers[-2:] == [0.0, 0.0]


def test_exactly_five_kelvins_stand_and_the_first_reading_is_no_jump_however_far_from_its_witness() -> None:
    readings = [(t, {"a": a, "b": 150.0}) for t, a in ((0, 100.0), (0.5, 95.0), (2.0, 95.0), (4.0, 95.0))]
    assert [t.number for t in fed(Jump(A, B, 5.0, 10.0), readings)] == [0.0, 5.0, 5.0, 5.0]


def test_two_sensors_apart_are_compared_with_their_offset_and_a_lost_one_is_named() -> None:
    measure = Apart(A, B, 0.4, 0.0, 0.0)
    taken = measure.take(None, good(a=100, b=90.4), 100)
    assert taken == Taken(pytest.approx(10.0), (100.0, 100.0), "", "b", Quality.GOOD)
    for name in ("a", "b"):
        blind = measure.take((100.0, 100.0), good(a=100, b=90.4) | {name: bad()}, 100)
        assert nothing(blind) == (None, BAD, name, Quality.GOOD)
        gone = {k: v for k, v in good(a=100, b=90.4).items() if k != name}
        assert lost(measure.take(None, gone, 100)) == (MISSING, name)
    doubted = good(a=100) | {"b": Sample(90.4, 100, Quality.UNCERTAIN)}
    assert measure.take(None, doubted, 100).quality is Quality.UNCERTAIN
    assert measure.inputs == (A, B)


@pytest.mark.parametrize(("later_s", "first", "second", "number"), [
    (0.5, 100.0, 110.0, 10.0),  # the first is the quicker one, and stands still
    (-0.5, 100.0, 110.0, 10.0 * (1.0 - math.exp(-2.0))),  # the second is, and was slowed down for a second
    (-10.0, 100.0, 110.0, 8.0),  # by no more than two kelvins
    (10.0, 120.0, 100.0, 18.0), (10.0, 80.0, 100.0, 18.0),
])  # fmt: skip
def test_the_quicker_of_two_sensors_is_slowed_down_by_no_more_than_full_power_makes_of_it(
    later_s: float, first: float, second: float, number: float
) -> None:
    measure = Apart(A, B, 0.0, later_s, 2.0)
    memory = measure.take(None, good(a=100, b=100), 100).memory
    later = {"a": Sample(first, 101.0), "b": Sample(second, 101.0)}
    assert measure.take(memory, later, 101.0).number == pytest.approx(number)


def test_a_lost_reading_takes_the_past_away_but_not_a_jump_that_stands() -> None:
    measure = Jump(A, B, 5.0, 10.0)
    memory = fed(measure, [(0, {"a": 100, "b": 100}), (0.5, {"a": 80, "b": 100})])[-1].memory
    lost = measure.take(memory, {"a": bad(80, 1.0)}, 1.0).memory
    assert lost.memory.points == () and lost.memory.size_k == 20.0
    assert measure.take(None, {"a": bad(80, 1.0)}, 1.0).memory is None


def test_a_frozen_reading_counts_from_its_last_change_and_only_if_power_moved_by_more_than_ten() -> None:
    measure = Frozen(A, DUTY)
    told = fed(measure, [(t, {"a": 100, "duty": d}) for t, d in ((0, 30), (10, 40), (20, 35), (30, 29.9), (40, 35))])
    assert [t.number for t in told] == [0.0, 0.0, 0.0, 30.0, 40.0]
    told = fed(measure, [(0, {"a": 100}), (10, {"a": 100, "duty": 30}), (20, {"a": 100, "duty": 41})])
    assert [t.number for t in told] == [0.0, 0.0, 20.0]
    told = fed(measure, [(0, {"a": 100, "duty": 0}), (10, {"a": 100.1, "duty": 50}), (20, {"a": 100.1, "duty": 60.5})])
    assert [t.number for t in told] == [0.0, 0.0, 10.0]


# --- power -----------------------------------------------------------------------------------------------------------


def test_points_are_kept_back_to_the_newest_that_is_old_enough() -> None:
    points: Any = ()
    for t in range(0, 40):
        points = kept(points, float(t), float(t), 12.0)
    assert points[0] == (27.0, 27.0) and points[-1] == (39.0, 39.0)
    assert kept(points, 39.5, 0.0, 12.0) is points  # too near the last
    assert kept(points, 40.0, 1.0, 12.0)[0] == (28.0, 28.0) and kept(points, 40.0, 1.0, 12.0)[-1] == (40.0, 1.0)
    assert kept((), 5.0, 1.0, 12.0) == ((5.0, 1.0),)
    assert kept(((0.0, 70.0), (6.0, 80.0)), 18.0, 90.0, 12.0) == ((6.0, 80.0), (18.0, 90.0))
    assert kept(((0.0, 70.0),), 0.9, 90.0, 12.0) == ((0.0, 70.0),)
    assert kept(((0.0, 70.0),), 1.0, 90.0, 12.0) == ((0.0, 70.0), (1.0, 90.0))


def test_a_rise_is_scaled_to_its_window_and_unknown_before_it_is_full() -> None:
    points = ((0.0, 10.0), (5.0, 99.0))
    assert risen(points, 10.0, 20.0, 10.0) == 10.0
    assert risen(points, 20.0, 20.0, 10.0) == 5.0
    assert risen(points, 9.99, 20.0, 10.0) is None
    assert risen((), 10.0, 20.0, 10.0) is None


@pytest.mark.parametrize(("value", "found"), [(-273.15, None), (-273.1, None), (-273.0, -273.0), (150.0, 150.0)])
def test_a_set_point_below_absolute_zero_is_off(value: float, found: float | None) -> None:
    assert set_point(ASKED, good(asked=value), 100) == found
    assert set_point(ASKED, {}, 100) is None


def ramp(rate: float, seconds: int, **fixed: float) -> list[tuple[float, dict[str, float]]]:
    return [(float(t), {"a": 100.0 + rate * t, **fixed}) for t in range(seconds)]


def test_behind_counts_kelvin_seconds_below_the_band_while_it_does_not_rise() -> None:
    numbers = [t.number for t in fed(Behind(A, ASKED, FLAT), ramp(0.0, 40, asked=108.0))]
    assert numbers[:21] == [0.0] * 20 + [3.0]  # patience of twenty seconds, then 3 K below the band
    assert numbers[-1] == 60.0


@pytest.mark.parametrize(("rate", "counts"), [(0.25, False), (0.24, True)])
def test_a_third_of_the_slope_is_rising_and_less_is_not(rate: float, counts: bool) -> None:
    told = fed(Behind(A, ASKED, FLAT), ramp(rate, 60, asked=200.0))
    assert (told[-1].number > 0) is counts


def test_in_its_band_or_off_nothing_is_behind_to_the_last_digit() -> None:
    for fixed in ({"asked": 105.0}, {"asked": 90.0}, {"asked": -273.15}, {}):
        assert {t.number for t in fed(Behind(A, ASKED, FLAT), ramp(0.0, 90, **fixed))} == {0.0}


def test_a_zone_switched_on_begins_with_patience() -> None:
    readings = ramp(0.0, 60, asked=-273.15) + [(60.0 + t, {"a": 100.0, "asked": 108.0}) for t in range(22)]
    numbers = [t.number for t in fed(Behind(A, ASKED, FLAT), readings)]
    assert numbers[:80] == [0.0] * 80 and numbers[80:] == [3.0, 6.0]


def test_behind_counts_no_more_than_a_readings_age_at_a_time() -> None:
    measure = Behind(A, ASKED, FLAT)
    memory = fed(measure, ramp(0.0, 21, asked=108.0))[-1].memory
    later = measure.take(memory, {"a": Sample(100, 60), "asked": Sample(108, 60)}, 60)
    assert later.number == 3.0 + 2.0 * 3.0


@pytest.mark.parametrize(("step_k", "patient"), [(2.0, False), (2.1, True), (-50.0, False)])
def test_a_set_point_that_steps_up_by_more_than_two_kelvins_begins_with_patience(step_k: float, patient: bool) -> None:
    measure = Behind(A, ASKED, FLAT)
    memory = fed(measure, ramp(0.0, 31, asked=160.0))[-1].memory
    before = memory.number
    after = measure.take(memory, {"a": Sample(100, 31), "asked": Sample(160 + step_k, 31)}, 31).number
    assert (after == before) is patient


def test_behind_keeps_its_sum_and_forgets_its_past_through_a_lost_reading() -> None:
    measure = Behind(A, ASKED, FLAT)
    memory = fed(measure, ramp(0.0, 31, asked=108.0))[-1].memory
    lost = measure.take(memory, {"a": bad(100, 31)}, 31).memory
    assert lost.memory.points == () and lost.memory.sum_k_s == memory.number == 33.0
    assert measure.take(None, {"a": bad(100, 31)}, 31).memory is None


def test_unheated_is_the_rise_that_is_missing_in_a_minute_of_full_power() -> None:
    numbers = [t.number for t in fed(Unheated(A, DUTY, FLAT), ramp(0.1, 70, duty=80.0))]
    assert numbers[:60] == [-1.0] * 60
    assert numbers[60:] == pytest.approx([15.0 - 6.0] * 10)
    enough = [t.number for t in fed(Unheated(A, DUTY, None), ramp(1.0, 70, duty=100.0))]
    assert set(enough) == {-1.0}


def test_unheated_begins_anew_when_power_falls_or_is_not_known() -> None:
    for duty in (79.9, None):
        readings = ramp(0.0, 130, duty=80.0)
        readings[65][1].pop("duty") if duty is None else readings[65][1].update(duty=duty)
        numbers = [t.number for t in fed(Unheated(A, DUTY, None), readings)]
        assert numbers[64] == pytest.approx(1.0) and numbers[65:126] == [-1.0] * 61
        assert numbers[126] == pytest.approx(1.0)


def test_warming_is_the_rise_of_ten_seconds_without_power() -> None:
    measure = Warming(A, DUTY, CONTACTOR, (B,))
    numbers = [t.number for t in fed(measure, ramp(0.1, 15, duty=0.5, b=50.0, contactor=1.0))]
    assert numbers[:10] == [0.0] * 10 and numbers[10:] == pytest.approx([6.0] * 5)
    assert {t.number for t in fed(measure, ramp(-0.1, 15, duty=0.0))} == {0.0}
    assert {t.number for t in fed(measure, ramp(0.1, 15, duty=0.6, contactor=1.0))} == {0.0}
    assert fed(measure, ramp(0.1, 15, duty=0.6, contactor=0.0))[-1].number == pytest.approx(6.0)
    assert fed(measure, ramp(0.1, 15, contactor=0.0))[-1].number == pytest.approx(6.0)
    assert {t.number for t in fed(measure, ramp(0.1, 15))} == {0.0}
    assert {t.number for t in fed(measure, ramp(0.1, 15, duty=0.0, b=101.5))} == {0.0}
    assert {t.number for t in fed(Warming(A, DUTY, None, ()), ramp(0.1, 15, duty=5.0, contactor=0.0))} == {0.0}


def test_a_neighbour_as_hot_excuses_nothing() -> None:
    same = [(at, values | {"b": values["a"]}) for at, values in ramp(0.1, 15, duty=0.0)]
    assert fed(Warming(A, DUTY, None, (B,)), same)[-1].number == pytest.approx(6.0)


def test_above_is_zero_while_nothing_rises_and_the_distance_while_it_does() -> None:
    rising = [t.number for t in fed(Above(A, ASKED), ramp(0.031, 21, asked=98.0))]
    assert rising[:10] == [0.0] * 10 and rising[10:] == pytest.approx([2.0 + 0.031 * t for t in range(10, 21)])
    assert {t.number for t in fed(Above(A, ASKED), ramp(0.029, 21, asked=98.0))} == {0.0}
    assert {t.number for t in fed(Above(A, ASKED), ramp(0.1, 21))} == {0.0}
    assert {t.number for t in fed(Above(A, ASKED), ramp(0.1, 21, asked=140.0))} == {0.0}


def test_three_tenths_of_a_kelvin_are_a_rise_and_less_is_noise() -> None:
    measure = Above(A, ASKED)
    assert (measure.number(5.0, 0.3), measure.number(5.0, 0.299), measure.number(5.0, None)) == (5.0, 0.0, 0.0)


@pytest.mark.parametrize(("asked", "highest"), [(105.0, 105.0), (95.0, 95.0), (94.9, 100.0), (106.0, 106.0)])
def test_a_set_point_in_the_band_counts_at_once_and_a_lower_one_not_before(asked: float, highest: float) -> None:
    assert fed(Above(A, ASKED), ramp(0.0, 1, asked=asked))[-1].memory.memory.highest_c == highest


def test_above_keeps_its_set_point_and_forgets_its_past_through_a_lost_reading() -> None:
    measure = Above(A, ASKED)
    memory = fed(measure, ramp(0.1, 5, asked=98.0))[-1].memory
    lost = measure.take(memory, {"a": bad(100, 5)}, 5).memory
    assert lost.memory.points == () and lost.memory.highest_c == 98.0
    assert measure.take(None, {"a": bad(100, 5)}, 5).memory is None


def test_steep_is_the_rate_of_three_seconds_above_the_set_point() -> None:
    numbers = [t.number for t in fed(Steep(A, ASKED), ramp(0.4, 8, asked=98.0))]
    assert numbers[:3] == [0.0] * 3 and numbers[3:] == pytest.approx([0.4] * 5)
    assert {t.number for t in fed(Steep(A, ASKED), ramp(-0.4, 4, asked=98.0))} == {0.0}
    below = [t.number for t in fed(Steep(A, ASKED), ramp(0.4, 8, asked=101.5))]
    assert below[:4] == [0.0] * 4 and below[4:] == pytest.approx([0.4] * 4)
