"""Which checks a scan looks at: what moved, what is due, and what looks different though it is calm."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf, nan
from typing import Any

import pytest

from ald_controller.interlocks.measures import Input, Moves, Quality, Sample, Samples, Taken
from ald_controller.interlocks.waking import calm_until_s, wakers, wakes_of, woken

A, B = Input("a", 0, 10, 2.0), Input("b", 0, 10, 5.0)


@dataclass(frozen=True)
class Looking:
    """Reads these inputs, and moves with one of three."""

    moves_with: Moves
    inputs: tuple[Input, ...] = (A,)

    def take(self, memory: Any, samples: Samples, now_s: float) -> Taken:
        return Taken(0.0, memory)


VALUES, SAMPLES, TIME = range(3)
READERS = Looking("values"), Looking("samples", (A, B)), Looking("time")
OLD = {"a": Sample(1.0, 100.0), "b": Sample(2.0, 100.0)}


def wake(**changed: Sample | None) -> set[int]:
    now = {name: sample for name, sample in (OLD | changed).items() if sample is not None}
    return woken(wakes_of(READERS), OLD, now, 101.0)


def test_nobody_is_woken_while_the_same_samples_lie_there() -> None:
    assert wake() == set()
    assert woken(wakes_of(READERS), {}, {}, 101.0) == set()


def test_another_value_wakes_whoever_reads_it_and_time_is_woken_by_nothing() -> None:
    assert wake(a=Sample(1.5, 101.0)) == {VALUES, SAMPLES}
    assert wake(b=Sample(2.5, 101.0)) == {SAMPLES}
    assert wakers(Looking("time")) == () and wakers(Looking("values", (B,))) == (B,)


def test_the_same_value_read_again_wakes_only_what_moves_with_samples() -> None:
    assert wake(a=Sample(1.0, 101.0)) == {SAMPLES}
    assert wake(a=Sample(1.0, 100.0)) == {SAMPLES}


@pytest.mark.parametrize(
    "other",
    [
        Sample(1.0, 101.0, Quality.UNCERTAIN), Sample(1.0, 101.0, Quality.BAD), Sample(1.0, 101.0, Quality.TEST),
        Sample(nan, 101.0), Sample(1.0, nan), Sample(1.0, 99.0), Sample(1.0, 101.2), None,
    ],
)  # fmt: skip
def test_doubt_no_number_a_stamp_out_of_order_or_nothing_wakes_whoever_reads_it(other: Sample | None) -> None:
    assert wake(a=other) == {VALUES, SAMPLES}


def test_a_stamp_as_far_ahead_as_is_believed_is_no_news() -> None:
    assert wake(a=Sample(1.0, 101.1)) == {SAMPLES}


def test_no_number_after_no_number_and_the_first_sample_of_all_are_news() -> None:
    never = {"a": Sample(nan, 100.0)}
    assert woken(wakes_of(READERS), never, {"a": Sample(nan, 101.0)}, 101.0) == {VALUES, SAMPLES}
    assert woken(wakes_of(READERS), {}, {"a": Sample(1.0, 101.0)}, 101.0) == {VALUES, SAMPLES}


def test_what_is_calm_is_due_a_little_before_its_first_input_is_too_old() -> None:
    assert 101.99 < calm_until_s((A, B), OLD) < 102.0
    assert 104.99 < calm_until_s((B,), OLD) < 105.0
    assert calm_until_s((A,), {"a": Sample(1.0, 50.0)}) < 52.0


def test_what_moves_with_time_is_always_due_and_what_reads_an_absent_input_waits_for_it() -> None:
    assert calm_until_s((), OLD) == -inf
    assert calm_until_s((Input("c", 0, 1),), OLD) == inf
    assert 101.99 < calm_until_s((A, Input("c", 0, 1)), OLD) < 102.0


def test_a_signal_that_nobody_reads_hides_none_behind_it() -> None:
    before = {"nobody": Sample(0.0, 100.0), **OLD}
    now = {"nobody": Sample(1.0, 101.0), **OLD, "a": Sample(9.0, 101.0)}
    assert woken(wakes_of(READERS), before, now, 101.0) == {VALUES, SAMPLES}
