"""What a valve has done since it was new, out of counters that begin anew with every valve process."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ald_controller.valves.totals import Total, Totals, adds, due, nearness
from ald_controller.valves.wire import Wear

NEW = 1_900_000_000.0
COILS = {0: "TMA", 2: "LTB", 6: "stop"}


def fresh(of: dict[str, Total] | None = None) -> Totals:
    return Totals(COILS, of or {name: Total(NEW) for name in COILS.values()})


def wear(at_ns: int, actuations: dict[int, int], on_ns: dict[int, int] | None = None) -> Wear:
    """A message over eight coils."""
    return Wear(at_ns, tuple(actuations.get(i, 0) for i in range(8)), tuple((on_ns or {}).get(i, 0) for i in range(8)))


@dataclass
class Process:
    """A valve process as it counts; `said` are its messages, the newest last."""

    now_ns: int
    actuations: dict[int, int] = field(default_factory=dict)
    on_ns: dict[int, int] = field(default_factory=dict)
    said: list[Wear] = field(default_factory=list)

    def open(self, coil: int, for_ns: int) -> None:
        self.now_ns += for_ns + 1
        self.actuations[coil] = self.actuations.get(coil, 0) + 1
        self.on_ns[coil] = self.on_ns.get(coil, 0) + for_ns

    def tell(self) -> Wear:
        self.said.append(wear(self.now_ns, self.actuations, self.on_ns))
        return self.said[-1]


ACTS = st.lists(
    st.one_of(
        st.tuples(st.just("open"), st.sampled_from(sorted(COILS)), st.integers(0, 10**10)),
        st.tuples(st.just("tell"), st.just(0), st.just(0)),
        st.tuples(st.just("again"), st.integers(0, 20), st.just(0)),
        st.tuples(st.just("restart"), st.just(0), st.just(0)),
    ),
    max_size=60,
)


@settings(deadline=None)
@given(ACTS)
def test_every_count_that_was_told_is_counted_exactly_once_whatever_is_repeated_and_restarted(
    acts: list[tuple[str, int, int]],
) -> None:
    processes, totals = [Process(1)], fresh()
    for what, number, for_ns in acts:
        process = processes[-1]
        if what == "open":
            process.open(number, for_ns)
        elif what == "tell":
            totals = totals.heard(process.tell())
        elif what == "again" and process.said:  # the newest once more, or an older one that comes late
            totals = totals.heard(process.said[-1 - number % len(process.said)])
        elif what == "restart":  # controller and valve process begin together, on what the ledger holds
            processes.append(Process(process.now_ns + 1))
            totals = fresh(dict(totals.of))
    told = [process.said[-1] for process in processes if process.said]
    for coil, name in COILS.items():
        assert totals.of[name].actuations == sum(each.actuations[coil] for each in told)
        assert totals.of[name].on_ns == sum(each.on_ns[coil] for each in told)
        assert totals.of[name].since == NEW


@settings(deadline=None)
@given(st.integers(1, 50), st.integers(1, 50), st.integers(0, 49))
def test_a_later_message_with_a_smaller_count_is_another_process(first: int, other: int, second: int) -> None:
    if second >= first:
        second = first - 1
    totals = fresh().heard(wear(10, {0: first, 2: other})).heard(wear(20, {0: second, 2: other}))
    assert totals.of["TMA"].actuations == first + second
    assert totals.of["LTB"].actuations == 2 * other


def test_a_message_that_is_older_than_the_newest_is_not_taken_for_another_process() -> None:
    totals = fresh().heard(wear(20, {0: 5}))
    assert totals.heard(wear(10, {0: 4})) == totals
    assert totals.heard(wear(20, {0: 4})) == totals
    assert totals.heard(wear(20, {0: 6})).of["TMA"].actuations == 6


def test_counters_that_end_before_a_coil_have_not_counted_it() -> None:
    assert fresh().heard(Wear(10, (3,), (7,))).of == {"TMA": Total(NEW, 3, 7), "LTB": Total(NEW), "stop": Total(NEW)}


def test_an_output_on_another_coil_goes_on_under_its_name() -> None:
    before = fresh().heard(wear(10, {2: 7}, {2: 9}))
    moved = Totals({3: "LTB"}, {"LTB": before.of["LTB"]})
    assert moved.heard(wear(20, {3: 1, 2: 100}, {3: 1})).of == {"LTB": Total(NEW, 8, 10)}


def test_a_new_valve_counts_from_zero_while_its_process_counts_on() -> None:
    totals = fresh().heard(wear(10, {2: 7}, {2: 9})).replaced("LTB", NEW + 5, "Ann")
    assert totals.of["LTB"] == Total(NEW + 5, by="Ann")
    assert totals.heard(wear(20, {2: 8}, {2: 11})).of["LTB"] == Total(NEW + 5, 1, 2, "Ann")


def test_an_output_that_is_not_counted_has_no_valve_to_replace() -> None:
    with pytest.raises(KeyError):
        fresh().replaced("alive", NEW, "Ann")


@pytest.mark.parametrize(("count", "near"), [(0, 0), (899, 0), (900, 1), (999, 1), (1000, 2), (9999, 2)])
def test_a_service_is_near_at_nine_tenths_and_due_at_the_whole(count: int, near: int) -> None:
    assert nearness(count, 1000) == near
    assert bool(due("LTB", count, 1000)) == bool(near)
    assert nearness(count, None) == 0 and due("LTB", count, None) == ""


def test_the_sentences_name_valve_count_and_limit() -> None:
    assert due("LTB", 4_600_000, 5_000_000) == "LTB: 4,600,000 actuations; service is due after 5,000,000"
    assert due("LTB", 5_000_001, 5_000_000) == "LTB: 5,000,001 actuations; service was due after 5,000,000"
    told = "this run adds 120 actuations of LTB: {} of 5,000,000"
    assert adds("LTB", 120, 4_600_000, 5_000_000) == told.format("4,600,000")
    assert adds("LTB", 120, 4_999_940, 5_000_000) == told.format("4,999,940") + "; its service comes due in this run"
    assert adds("LTB", 120, 5_000_000, 5_000_000) == told.format("5,000,000") + "; its service is overdue"


@pytest.mark.parametrize(("added", "count", "limit"), [(0, 999, 1000), (99, 800, 1000), (99, 999, None)])
def test_a_run_that_does_not_move_a_valve_or_brings_it_nowhere_near_warns_of_nothing(
    added: int, count: int, limit: int | None
) -> None:
    assert adds("LTB", added, count, limit) == ""
