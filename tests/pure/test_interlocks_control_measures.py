"""What the measures of the rows of control return, to the letter: numbers, faults, names, and what they remember."""

from __future__ import annotations

import math

from ald_controller.interlocks.control_measures import Grown, MoreTrips
from ald_controller.interlocks.measures import MISSING, STALE, Input, Quality, Sample, Taken
from tests.taken import lost, nothing

A, B = Input("a", 0, math.inf), Input("b", 0, math.inf)
GROWN = Grown((A, B), 60.0)


def at(now_s: float, a: float, b: float = 0.0) -> dict[str, Sample]:
    return {"a": Sample(a, now_s), "b": Sample(b, now_s)}


def looked(*looks: tuple[float, float, float]) -> list[float]:
    """The number at each of these looks: (s, count a, count b)."""
    memory, out = None, []
    for now_s, a, b in looks:
        taken = GROWN.take(memory, at(now_s, a, b), now_s)
        memory = taken.memory
        out.append(taken.number)
    return out


def test_the_first_look_is_the_base_and_growth_of_all_counts_together_is_told() -> None:
    assert looked((0, 5, 7), (1, 5, 7), (2, 6, 9), (3, 6, 9)) == [0, 0, 3, 3]


def test_growth_is_over_when_its_window_is_and_not_before() -> None:
    assert looked((0, 0, 0), (1, 1, 0), (31, 1, 2), (60.9, 1, 2), (61, 1, 2), (90.9, 1, 2), (91, 1, 2)) == [
        0, 1, 3, 3, 2, 2, 0,
    ]  # fmt: skip


def test_a_count_that_begins_anew_grows_from_there_and_takes_nothing_from_the_other() -> None:
    assert looked((0, 9, 3), (1, 0, 3), (2, 2, 3), (3, 0, 4)) == [0, 0, 2, 3]


def test_a_count_that_only_began_anew_leaves_nothing_to_remember() -> None:
    base = GROWN.take(None, at(0, 9), 0).memory
    after = GROWN.take(base, at(1, 0), 1).memory
    assert base.grown == after.grown == () and after.counts == (0, 0)


def test_growth_that_is_over_is_forgotten_also_when_a_count_moves() -> None:
    memory = GROWN.take(None, at(0, 0), 0).memory
    memory = GROWN.take(memory, at(1, 1), 1).memory
    memory = GROWN.take(memory, at(70, 2), 70).memory
    assert memory.grown == ((70, 1.0),)


def test_what_has_not_changed_is_remembered_as_the_same_thing() -> None:
    memory = GROWN.take(None, at(0, 1), 0).memory
    assert GROWN.take(memory, at(1, 1), 1).memory is memory
    grown = GROWN.take(memory, at(2, 2), 2).memory
    assert GROWN.take(grown, at(3, 2), 3).memory is grown
    assert GROWN.take(grown, at(62, 2), 62).memory is not grown


# --- a module's own trips --------------------------------------------------------------------------------------------

TRIPS = MoreTrips(Input("b9050.trips", 0, math.inf, 2.0))


def trips(value: float, quality: Quality = Quality.GOOD) -> dict[str, Sample]:
    return {"b9050.trips": Sample(value, 10.0, quality)}


def test_a_module_that_does_not_count_is_quiet() -> None:
    assert TRIPS.take(None, {}, 10.0) == Taken(0.0, None)
    assert TRIPS.take(3.0, {}, 10.0) == Taken(0.0, None)


def test_a_higher_count_is_a_trip_and_a_lower_one_is_a_module_armed_anew() -> None:
    assert TRIPS.take(None, trips(0), 10.0) == Taken(0.0, 0.0, "", "b9050.trips", Quality.GOOD)
    assert TRIPS.take(None, trips(1), 10.0) == Taken(1.0, 1.0, "", "b9050.trips", Quality.GOOD)
    assert TRIPS.take(1.0, trips(1), 10.0) == Taken(0.0, 1.0, "", "b9050.trips", Quality.GOOD)
    assert TRIPS.take(1.0, trips(0), 10.0) == Taken(0.0, 0.0, "", "b9050.trips", Quality.GOOD)
    assert TRIPS.take(0.0, trips(2, Quality.TEST), 10.0) == Taken(1.0, 2.0, "", "b9050.trips", Quality.TEST)


def test_a_count_that_has_fallen_silent_is_named_and_what_it_was_is_kept() -> None:
    taken = TRIPS.take(2.0, trips(2), 12.1)
    assert nothing(taken) == (2.0, STALE, "b9050.trips", Quality.GOOD)
    assert TRIPS.inputs == (Input("b9050.trips", 0, math.inf, 2.0),)
    assert lost(GROWN.take(None, {"a": Sample(1, 0)}, 0)) == (MISSING, "b")
