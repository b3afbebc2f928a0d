"""What the measures of the rows of chemistry return, to the letter: numbers, faults, names, and what they remember."""

from __future__ import annotations

import math
from typing import Any

import pytest

from ald_controller.commissioned import Base
from ald_controller.interlocks.chemistry_doses import OfPulses, Strong, Unlike, Weak
from ald_controller.interlocks.chemistry_gauge import Apart, Meagre, Readable, Still
from ald_controller.interlocks.chemistry_measures import (
    Exposed,
    Filling,
    FlowLost,
    Gas,
    Known,
    Lingering,
    Misplaced,
    Pumped,
    Purged,
    Resting,
)
from ald_controller.interlocks.measures import BAD, MISSING, RANGE, STALE, Input, Quality, Sample, Taken
from tests.taken import found, nothing

P, FLOW, STOP = Input("p", -10, 1e6), Input("flow", 0, math.inf), Input("stop", 0, 1)
SHUT, QUIET, WALL = Input("shut", 0, math.inf), Input("quiet", 0, math.inf), Input("wall", -20, 400, 2.0)
ALL = (P, FLOW, STOP, SHUT, QUIET)
# p0 = 2 Pa per sccm at 100 °C, 4 at 200 °C; the gauge gives tenths of a pascal, and errs by 0.5 Pa
GAS = Gas(0.1, 0.5, Base(((100.0, ((0.0, 0.0), (100.0, 200.0))), (200.0, ((0.0, 0.0), (100.0, 400.0))))), WALL)
PURGED, RESTING, LINGERING = Purged(ALL, GAS, 3.0), Resting(ALL, GAS, 3.0), Lingering(ALL, GAS, 3.0, 0.5)


def read(at_s: float = 10.0, **values: float) -> dict[str, Sample]:
    return {name: Sample(value, at_s) for name, value in values.items()}


def gas(**changed: float) -> dict[str, Sample]:
    """20 sccm through a chamber at 100 °C: p0 is 40 Pa, 400 of the gauge."""
    calm = {"p": 400.0, "flow": 20.0, "stop": 0.0, "shut": 100.0, "quiet": 100.0, "wall": 100.0}
    return read(**(calm | changed))


def wall(celsius: float, at_s: float = 10.0) -> dict[str, Sample]:
    return {"wall": Sample(celsius, at_s)}


# --- the settled pressure --------------------------------------------------------------------------------------------


def test_the_settled_pressure_goes_with_flow_and_wall() -> None:
    assert GAS.usual(None, 20.0, wall(100), 10.0) == Known(20.0, 100.0, 40.0)
    assert GAS.usual(None, 20.0, wall(150), 10.0) == Known(20.0, 150.0, 60.0)


def test_near_its_zero_a_gauge_is_believed_to_ten_times_its_error() -> None:
    assert GAS.usual(None, 1.0, wall(100), 10.0) == Known(1.0, 100.0, 5.0)


def test_a_wall_that_is_not_believed_keeps_its_last_temperature_and_without_one_nothing_is_known() -> None:
    known = Known(20.0, 100.0, 40.0)
    assert GAS.usual(None, 20.0, {}, 10.0) is None
    assert GAS.usual(None, 20.0, wall(100), 12.1) is None  # too old
    assert GAS.usual(known, 20.0, {}, 10.0) is known
    assert GAS.usual(known, 40.0, wall(150), 12.1) == Known(40.0, 100.0, 80.0)


def test_it_is_computed_anew_when_the_flow_moved_at_all_or_the_wall_by_a_kelvin() -> None:
    known = Known(20.0, 100.0, 40.0)
    assert GAS.usual(known, 20.0, wall(100.9), 10.0) is known and GAS.usual(known, 20.0, wall(99.1), 10.0) is known
    assert GAS.usual(known, 20.0, wall(101), 10.0) == Known(20.0, 101.0, 40.4)
    other = GAS.usual(known, 20.5, wall(100), 10.0)
    assert other == Known(20.5, 100.0, 41.0)


# --- C2 --------------------------------------------------------------------------------------------------------------


def test_c2_is_the_pressure_over_the_settled_one() -> None:
    known = Known(20.0, 100.0, 40.0)
    assert PURGED.take(None, gas(p=1000), 10.0) == Taken(2.5, (known, 2.5), "", "p", Quality.GOOD)
    assert PURGED.take((known, 2.5), gas(), 10.0) == Taken(1.0, (known, 1.0), "", "p", Quality.GOOD)
    assert PURGED.take(None, gas(quiet=3.0), 10.0).number == 1.0


@pytest.mark.parametrize("moving", [{"shut": 0.0}, {"stop": 1.0}, {"quiet": 2.9}, {"flow": 0.0}])
def test_c2_keeps_what_it_was_while_gas_or_valves_move(moving: dict[str, float]) -> None:
    memory = (Known(20.0, 100.0, 40.0), 2.5)
    taken = PURGED.take(memory, gas(**moving), 10.0)
    assert taken.number == 2.5 and taken.memory is memory
    assert found(PURGED.take(None, gas(**moving), 10.0)) == (0.0, None)


def test_c2_keeps_what_it_was_as_long_as_no_wall_was_believed() -> None:
    blind = {name: sample for name, sample in gas().items() if name != "wall"}
    assert found(PURGED.take(None, blind, 10.0)) == (0.0, (None, 0.0))
    assert found(PURGED.take((None, 2.5), blind, 10.0)) == (2.5, (None, 2.5))


# --- C3 --------------------------------------------------------------------------------------------------------------


def decayed(*looks: dict[str, float]) -> list[float]:
    memory, out = None, []
    for look in looks:
        taken = LINGERING.take(memory, gas(**look), 10.0)
        memory = taken.memory
        out.append(round(taken.number, 6))
    return out


def test_c3_waits_three_time_constants_after_a_small_peak_and_then_tells_the_pressure() -> None:
    # V/S = 0.5 s, so 1.5 s after the dose and the 3 s in which flows settle
    calm = [{"p": 700, "shut": s, "quiet": 99} for s in (0.1, 0.3, 1.4, 1.5, 1.6)]
    assert decayed(*calm) == [0, 0, 0, 1.75, 1.75]
    moved = [{"p": 700, "shut": 99, "quiet": s} for s in (0.1, 3.0, 4.4, 4.5)]
    assert decayed(*moved) == [0, 0, 0, 1.75]


def test_c3_waits_as_long_as_the_peak_needs_to_come_down() -> None:
    # from 40 to 40 + 12 e Pa: log(e) = 1; to 40 + 12 e² Pa: twice as long, 3 s
    peak = 10 * (40 + 12 * math.exp(2) + 1e-6)
    assert decayed({"p": peak, "shut": 0.1}, {"p": 700, "shut": 2.9}, {"p": 700, "shut": 3.1}) == [0, 0, 1.75]
    low = 10 * (40 + 12 * math.exp(1) - 1e-6)
    assert decayed({"p": low, "shut": 0.1}, {"p": 700, "shut": 1.4}, {"p": 700, "shut": 1.6}) == [0, 0, 1.75]


def test_c3_takes_the_highest_of_the_first_moments_for_the_peak_and_nothing_later() -> None:
    peak = 10 * (40 + 12 * math.exp(2) + 1e-6)
    first = ({"p": 700, "shut": 0.1}, {"p": peak, "shut": 0.3}, {"p": 700, "shut": 0.39})
    assert decayed(*first, {"p": 700, "shut": 2.9}, {"p": 700, "shut": 3.1}) == [0, 0, 0, 0, 1.75]
    late = ({"p": 700, "shut": 0.1}, {"p": peak, "shut": 0.4}, {"p": 700, "shut": 1.6})
    assert decayed(*late) == [0, 0, 1.75]


def test_c3_begins_anew_when_something_moves() -> None:
    looks = ({"p": 700, "shut": 0.1}, {"p": 700, "shut": 1.6}, {"p": 700, "shut": 0.1}, {"p": 700, "shut": 1.4})
    assert decayed(*looks) == [0, 1.75, 0, 0]
    again = ({"p": 700, "shut": 5.0, "quiet": 5.0}, {"p": 700, "shut": 6.0, "quiet": 0.1})
    assert decayed(*again) == [1.75, 0]


def test_c3_is_over_once_it_came_down_and_until_something_moves() -> None:
    looks = ({"p": 519, "shut": 1.6}, {"p": 2000, "shut": 1.7}, {"p": 2000, "shut": 0.1}, {"p": 700, "shut": 9.9})
    assert decayed(*looks) == [1.2975, 0, 0, 1.75]
    assert decayed({"p": 520, "shut": 1.6}, {"p": 2000, "shut": 1.7}) == [1.3, 5.0]


def test_c3_is_not_asked_behind_the_shut_stop_valve_while_a_source_is_open_or_an_hour_later() -> None:
    assert decayed({"p": 700, "stop": 1}, {"p": 700, "shut": 0}) == [0, 0]
    assert LINGERING.take(None, gas(p=700, shut=3599.9), 10.0).number == 1.75
    memory = LINGERING.take(None, gas(p=700, shut=3599.9), 10.0).memory
    assert found(LINGERING.take(memory, gas(p=700, shut=3600), 10.0)) == (0.0, None)
    assert found(LINGERING.take(memory, gas(p=700, shut=math.inf), 10.0)) == (0.0, None)


def test_c3_remembers_calm_peak_and_whether_it_came_down() -> None:
    memory: Any = LINGERING.take(None, gas(p=519, shut=1.6, quiet=50), 10.0).memory
    assert memory == (Known(20.0, 100.0, 40.0), 1.6, pytest.approx(51.9), True)
    memory = LINGERING.take(memory, gas(p=900, shut=2.0, quiet=50), 10.0).memory
    assert memory == (Known(20.0, 100.0, 40.0), 2.0, pytest.approx(51.9), True)
    memory = LINGERING.take(memory, gas(p=900, shut=1.0, quiet=50), 10.0).memory
    assert memory == (Known(20.0, 100.0, 40.0), 1.0, pytest.approx(90.0), False)
    blind = {name: sample for name, sample in gas(p=700).items() if name != "wall"}
    assert found(LINGERING.take(None, blind, 10.0)) == (0.0, (None, 100.0, pytest.approx(70.0), False))


# --- C11 -------------------------------------------------------------------------------------------------------------


def test_c11_is_asked_after_a_minute_of_rest() -> None:
    known = Known(20.0, 100.0, 40.0)
    assert RESTING.take(None, gas(p=600, shut=60, quiet=60), 10.0) == Taken(1.5, known, "", "p", Quality.GOOD)
    for moving in ({"shut": 59.9}, {"quiet": 59.9}, {"stop": 1.0}):
        assert found(RESTING.take(known, gas(**moving), 10.0)) == (0.0, known)
    blind = {name: sample for name, sample in gas().items() if name != "wall"}
    assert found(RESTING.take(None, blind, 10.0)) == (0.0, None)


# --- C8 --------------------------------------------------------------------------------------------------------------

PUMPED = Pumped((P, STOP), 10.0, 20.0, 900.0)  # the gauge gives tens of pascals and ends at 900 of them


@pytest.mark.parametrize(("before", "p", "stop", "number", "after"), [
    (None, 100, 0, 10.0, False), (None, 300, 0, 30.0, False), (None, 300, 1, 0.0, True),
    (True, 300, 0, 0.0, True), (True, 199.9, 0, 19.99, False), (True, 200, 0, 0.0, True),
    (False, 300, 1, 30.0, False), (False, 100, 1, 0.0, True),
])  # fmt: skip
def test_c8_what_an_exposure_raised_does_not_count_until_it_was_pumped_away(
    before: bool | None, p: float, stop: float, number: float, after: bool
) -> None:
    taken = PUMPED.take(before, read(p=p, stop=stop), 10.0)
    assert taken.number == pytest.approx(number) and taken.memory is after
    assert (taken.fault, taken.signal, taken.quality) == ("", "p", Quality.GOOD)


def test_c8_a_gauge_at_its_end_says_the_limit_at_least() -> None:
    low = Pumped((P, STOP), 1.0, 20.0, 900.0)  # its end is 9 mbar
    assert low.take(False, read(p=899.9, stop=0), 10.0).number == pytest.approx(8.999)
    assert low.take(False, read(p=900, stop=0), 10.0).number == 20.0
    assert PUMPED.take(False, read(p=900, stop=0), 10.0).number == 90.0
    assert Pumped((P, STOP), 1.0, 20.0).take(False, read(p=1e6, stop=0), 10.0).number == 10_000.0


FILLING = Filling((P, STOP, SHUT, QUIET), 10.0, 3.0)


def filled(*looks: tuple[float, float], **others: float) -> list[float]:
    """mbar/s at each of these (s, gauge)."""
    memory, out = None, []
    for at_s, p in looks:
        taken = FILLING.take(memory, read(at_s, p=p, **({"stop": 0, "shut": 9, "quiet": 9} | others)), at_s)
        memory = taken.memory
        out.append(round(taken.number, 6))
    return out


def test_c8_a_rise_is_taken_over_three_tenths() -> None:
    assert filled((0, 0), (0.1, 1), (0.2, 2), (0.3, 3), (0.4, 4)) == [0, 0.333333, 0.666667, 1.0, 1.0]
    assert filled((0, 0), (0.1, 0), (0.2, 0), (0.3, 0), (0.4, 3), (0.6, 3), (0.8, 3)) == [0, 0, 0, 0, 1.0, 1.0, 0]
    assert filled((0, 3), (0.3, 0)) == [0, -1.0] and filled((0, 0), (2.0, 3)) == [0, 0]


def test_c8_a_reading_is_looked_at_once() -> None:
    memory = FILLING.take(None, read(0.0, p=0, stop=0, shut=9, quiet=9), 0.0).memory
    assert memory == ((0.0, 0.0),)
    again = FILLING.take(memory, {**read(0.1, stop=0, shut=9, quiet=9), "p": Sample(7, 0.0)}, 0.1)
    assert again.number == 0.0 and again.memory is memory


@pytest.mark.parametrize(("name", "value", "asked"), [
    ("stop", 1.0, False), ("shut", 0.49, False), ("shut", 0.5, True), ("quiet", 2.9, False), ("quiet", 3.0, True),
])  # fmt: skip
def test_c8_no_rise_is_taken_where_something_moves(name: str, value: float, asked: bool) -> None:
    before = ((9.7, 0.0),)
    taken = FILLING.take(before, gas(p=3.0, **{name: value}), 10.0)
    expected = (pytest.approx(1.0), ((9.7, 0.0), (10.0, 30.0))) if asked else (0.0, None)
    assert (taken.number, taken.memory) == expected


# 0.5 m³ at 0 °C: 500 sccm are 500 × 101325e-6 / 60 = 0.844 Pa m³/s there, 1.689 Pa/s
EXPOSED = Exposed((P, FLOW, STOP, SHUT), 10.0, 0.5, 0.5, WALL)
RISE = 500 * 101_325e-6 / 60 / 0.5


def exposed(memory: Any, now_s: float, **values: float) -> Taken:
    usual = {"p": 10.0, "flow": 500.0, "stop": 1.0, "shut": 9.0, "wall": 0.0}
    return EXPOSED.take(memory, read(now_s, **(usual | values)), now_s)


def test_c8_an_exposure_starts_from_what_it_finds_and_rises_by_what_flows() -> None:
    first = exposed(None, 10.0)
    assert found(first) == (1.0, (10.0, 0.0, 100.0))
    second = exposed(first.memory, 20.0, p=20.0)
    assert second.number == pytest.approx(200 / (100 + 10 * RISE))
    assert second.memory == (20.0, 0.0, pytest.approx(100 + 10 * RISE))
    warm = exposed(first.memory, 20.0, wall=273.15)
    assert warm.memory == (20.0, 273.15, pytest.approx(100 + 20 * RISE))


def test_c8_an_exposure_near_the_gauges_zero_starts_from_what_it_can_read() -> None:
    assert found(exposed(None, 10.0, p=0.1)) == (0.2, (10.0, 0.0, 5.0))


def test_c8_a_dose_may_bring_what_it_brings() -> None:
    memory = exposed(None, 10.0).memory
    assert found(exposed(memory, 10.0, p=30.0, shut=0.39)) == (1.0, (10.0, 0.0, 300.0))
    assert found(exposed(memory, 10.0, p=30.0, shut=0.4)) == (3.0, (10.0, 0.0, 100.0))
    assert found(exposed(memory, 10.0, p=5.0, shut=0.0)) == (0.5, (10.0, 0.0, 100.0))


def test_c8_is_over_with_the_exposure_and_keeps_the_last_wall() -> None:
    memory = exposed(None, 10.0).memory
    assert found(exposed(memory, 11.0, stop=0.0)) == (0.0, None)
    blind = read(11.0, p=10.0, flow=0.0, stop=1.0, shut=9.0)
    assert found(EXPOSED.take(memory, blind, 11.0)) == (1.0, (11.0, 0.0, 100.0))
    assert found(EXPOSED.take(None, blind, 11.0)) == (0.0, None)
    old = blind | {"wall": Sample(99.0, 8.9)}
    assert EXPOSED.take(memory, old, 11.0).memory == (11.0, 0.0, 100.0)


# --- C8: a gauge that lies ----------------------------------------------------------------------------------------

MEAGRE = Meagre(ALL, GAS, 3.0)


def test_c8_a_reading_below_the_settled_pressure_is_told_as_how_many_times() -> None:
    known = Known(20.0, 100.0, 40.0)
    assert MEAGRE.take(None, gas(p=100), 10.0) == Taken(4.0, (known, 4.0), "", "p", Quality.GOOD)
    assert MEAGRE.take(None, gas(p=0), 10.0).number == MEAGRE.take(None, gas(p=-1), 10.0).number == math.inf
    assert MEAGRE.take(None, gas(p=100, quiet=3.0), 10.0).number == 4.0
    for moving in ({"stop": 1.0}, {"quiet": 2.9}):
        assert found(MEAGRE.take((known, 3.0), gas(**moving), 10.0)) == (3.0, (known, 3.0))
        assert found(MEAGRE.take(None, gas(**moving), 10.0)) == (0.0, None)
    assert found(MEAGRE.take((known, 3.0), gas(flow=0.0), 10.0)) == (0.0, (known, 0.0))


def test_c8_where_the_settled_pressure_is_too_small_for_the_gauge_nothing_is_told() -> None:
    assert found(MEAGRE.take(None, gas(p=1, flow=2.5), 10.0)) == (0.0, (Known(2.5, 100.0, 5.0), 0.0))
    assert MEAGRE.take(None, gas(p=1, flow=2.6), 10.0).number == pytest.approx(52.0)
    blind = {name: sample for name, sample in gas(p=1).items() if name != "wall"}
    assert found(MEAGRE.take(None, blind, 10.0)) == (0.0, (None, 0.0))


def test_c8_two_gauges_are_compared_above_the_first_ones_floor_and_below_its_end() -> None:
    apart = Apart((P, Input("second", 0, 1e6)), 10.0, 2.0, 50.0, 900.0)
    assert apart.take(None, read(p=10, second=500), 10.0) == Taken(10.0, None, "", "p", Quality.GOOD)
    assert apart.take(None, read(p=1, second=500), 10.0).number == 20.0
    assert apart.take(None, read(p=899, second=8990), 10.0).number == 2.0
    assert found(apart.take(None, read(p=900, second=9e5), 10.0)) == (0.0, None)


def test_c8_doses_are_counted_as_long_as_the_reading_stands_still() -> None:
    still, memory = Still((P, SHUT)), None
    told = [(5, 9), (5, 0), (5, 0), (5, 3), (5, 0), (5, 4), (6, 0), (6, 1), (6, 0)]
    numbers = []
    for p, shut in told:
        taken = still.take(memory, read(p=p, shut=shut), 10.0)
        memory = taken.memory
        numbers.append(taken.number)
    assert numbers == [0, 1, 1, 1, 2, 2, 0, 0, 1] and memory == (6, 0, 1.0)


def test_c8_a_value_that_can_be_believed_is_readable() -> None:
    assert Readable(P).take("kept", read(p=7), 10.0) == Taken(0.0, "kept", "", "p", Quality.GOOD)
    assert math.isnan(Readable(P).take(None, {}, 10.0).number)


# --- C7 and C9 -------------------------------------------------------------------------------------------------------

LOST = FlowLost(Input("is", -100, 1000), Input("asked", 0, math.inf), 3.0)


def lost(memory: Any, now_s: float, asked: Sample | float | None, flow: Sample | float | None = 20.0) -> Taken:
    samples = {"asked": asked, "is": flow}
    made = {n: s if isinstance(s, Sample) else Sample(s, now_s) for n, s in samples.items() if s is not None}
    return LOST.take(memory, made, now_s)


def test_c7_is_the_share_of_the_set_point_that_is_not_given_once_it_has_settled() -> None:
    assert LOST.inputs == (LOST.flow, LOST.asked)
    assert lost(None, 10.0, 20.0, 5.0) == Taken(0.0, (20.0, 10.0), "", "is", Quality.GOOD)
    assert lost((20.0, 10.0), 12.9, 20.0, 5.0).number == 0.0
    assert lost((20.0, 10.0), 13.0, 20.0, 5.0) == Taken(0.75, (20.0, 10.0), "", "is", Quality.GOOD)
    assert lost((20.0, 10.0), 13.0, 40.0, 5.0) == Taken(0.0, (40.0, 13.0), "", "is", Quality.GOOD)
    assert lost((20.0, 10.0), 13.0, 20.0, 25.0).number == -0.25


def test_c7_no_set_point_is_none_and_zero_asks_for_nothing() -> None:
    assert lost((20.0, 10.0), 13.0, None, None) == Taken(0.0, None)
    assert lost((0.0, 10.0), 13.0, 0.0, None) == Taken(0.0, (0.0, 10.0))
    assert lost(None, 13.0, 1e-6, 0.0).signal == "is"


def test_c7_what_cannot_be_believed_is_named() -> None:
    taken = lost((20.0, 10.0), 13.0, Sample(20.0, 11.9))
    assert nothing(taken) == ((20.0, 10.0), STALE, "asked", Quality.GOOD)
    taken = lost((20.0, 10.0), 13.0, 20.0, None)
    assert nothing(taken) == ((20.0, 10.0), MISSING, "is", Quality.GOOD)
    taken = lost(None, 13.0, 20.0, Sample(20.0, 13.0, Quality.BAD))
    assert nothing(taken) == ((20.0, 13.0), BAD, "is", Quality.GOOD)


@pytest.mark.parametrize(("asked", "flow", "told"), [
    ("GOOD", "UNCERTAIN", "UNCERTAIN"), ("TEST", "GOOD", "TEST"), ("GOOD", "GOOD", "GOOD"),
])  # fmt: skip
def test_c7_tells_the_worst_quality_of_both(asked: str, flow: str, told: str) -> None:
    taken = lost(None, 13.0, Sample(20.0, 13.0, Quality[asked]), Sample(20.0, 13.0, Quality[flow]))
    assert taken.quality is Quality[told]


MISPLACED = Misplaced((Input("open", 0, 1), STOP), 2.0)


@pytest.mark.parametrize(("is_open", "shut", "number"), [(1, 0, 0.0), (0, 1, 0.0), (1, 1, 1.0), (0, 0, 2.0)])
def test_c9_says_how_the_stop_valve_stands_against_what_it_was_told(is_open: int, shut: int, number: float) -> None:
    there = (float(shut), 8.0)
    assert found(MISPLACED.take(there, read(open=is_open, stop=shut), 10.0)) == (number, there)
    assert found(MISPLACED.take(there, read(9.9, open=is_open, stop=shut), 9.9)) == (0.0, there)  # on its way
    other = (float(1 - shut), 1.0)
    assert found(MISPLACED.take(other, read(open=is_open, stop=shut), 10.0)) == (0.0, (float(shut), 10.0))
    assert found(MISPLACED.take(None, read(open=is_open, stop=shut), 10.0)) == (0.0, (float(shut), 10.0))


# --- doses -----------------------------------------------------------------------------------------------------------


def dose(number: float, ratio: float | None = None, judged: float | None = 1.0, **more: Any) -> dict[str, Sample]:
    made = {"pulse.TMA.number": Sample(number, more.get("at_s", 10.0))}
    if ratio is not None:
        made["pulse.TMA.ratio"] = Sample(ratio, 10.0, more.get("quality", Quality.GOOD))
    if judged is not None:
        made["pulse.TMA.judged"] = Sample(judged, 10.0)
    return made


def doses(measure: OfPulses, *told: dict[str, Sample]) -> list[float]:
    memory, out = None, []
    for samples in told:
        taken = measure.take(memory, samples, 10.0)
        memory = taken.memory
        out.append(taken.number)
    return out


def test_a_pulse_is_judged_at_the_look_that_finds_it_and_then_no_more() -> None:
    strong = Strong("TMA")
    assert doses(strong, dose(1, 2.5), dose(1, 2.5), dose(2, 1.5)) == [2.5, 0.0, 1.5]
    taken = strong.take(None, dose(1, 2.5, quality=Quality.TEST), 10.0)
    assert taken == Taken(2.5, (1.0, None), "", "pulse.TMA.ratio", Quality.TEST)
    assert [i.signal for i in strong.inputs] == [f"pulse.TMA.{name}" for name in ("number", "judged", "ratio")]
    assert {(i.low, i.high, i.max_age_s) for i in strong.inputs} == {(0, math.inf, math.inf)}


def test_before_the_first_pulse_nothing_is_said_and_an_old_one_was_judged_already() -> None:
    strong = Strong("TMA")
    assert strong.take(None, {}, 10.0) == Taken(0.0, None)
    assert strong.take(None, dose(3, 2.5, at_s=8.9), 10.0) == Taken(0.0, (3.0, None))
    assert strong.take(None, dose(3, 2.5, at_s=9.0), 10.0).number == 2.5
    known = strong.take(None, dose(2, 1.0), 10.0).memory
    assert strong.take(known, dose(3, 2.5, at_s=8.9), 10.0).number == 2.5


def twice_weak() -> tuple[Weak, Any]:
    """The measure, and what it remembers after two weak pulses."""
    weak = Weak("TMA", 0.5)
    memory = weak.take(None, dose(0, 0.1), 10.0).memory
    memory = weak.take(memory, dose(1, 0.1), 10.0).memory
    assert memory == (1.0, 2.0)
    return weak, memory


def test_a_pulse_that_is_recorded_only_says_nothing() -> None:
    weak, memory = twice_weak()
    for judged in (0.0, None):
        assert weak.take(memory, dose(2, 0.1, judged), 10.0) == Taken(0.0, (2.0, 2.0))


def test_a_pulse_that_counts_without_a_figure_is_bad_and_what_was_known_is_kept() -> None:
    weak, memory = twice_weak()
    taken = weak.take(memory, dose(2), 10.0)
    assert nothing(taken) == ((2.0, 2.0), MISSING, "pulse.TMA.ratio", Quality.GOOD)
    taken = weak.take(memory, dose(2, -0.1), 10.0)
    assert nothing(taken) == ((2.0, 2.0), RANGE, "pulse.TMA.ratio", Quality.GOOD)


def test_weak_pulses_are_counted_as_long_as_they_run() -> None:
    weak = Weak("TMA", 0.5)
    assert doses(weak, *(dose(i, r) for i, r in enumerate((0.4, 0.49, 0.1, 0.5, 0.4)))) == [1, 2, 3, 0, 1]


def test_the_first_pulse_that_counts_after_one_that_did_not_is_compared() -> None:
    unlike = Unlike("TMA")
    told = (dose(1, 1.5), dose(2, 1.5), dose(3, 1.0, 0.0), dose(4, 0.25), dose(5, 0.25))
    assert doses(unlike, *told) == [0.5, 0.0, 0.0, 0.75, 0.0]
    # one that was recorded without a figure says nothing of a rest
    blank = dose(3, 1.0, 0.0, quality=Quality.BAD)
    assert doses(unlike, dose(1, 1.5), blank, dose(4, 0.25)) == [0.5, 0.0, 0.0]
    assert doses(unlike, dose(1, 1.5), dose(2, None, 0.0), dose(4, 0.25)) == [0.5, 0.0, 0.75]
