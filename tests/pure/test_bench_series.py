"""A series of the bench that takes several calls: whole rounds only, each once, and everything of them in the end."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.bench.figures import Row
from tests.bench.series import SLICE_S, Round, Unit, combined, expected_s, key_of, next_unit, round_of, text_of
from tests.bench.shelf import Shelf

UNITS = [Unit("check", 1), *(Unit("edges", number) for number in range(1, 6))]
EXPECTED_S = {"check": 10.0, "edges": 480.0}


def row(*values: float, what: str = "width", note: str = "") -> Row:
    return Row("edges", what, "ms", list(values), note, limit=1.0, tags={"pulse_ms": 15, "load": "busy"})


def measured(number: int, *rows: Row, part: str = "edges", seconds: float = 400.0) -> Round:
    return Round(Unit(part, number), "2026-01-01T00:00:00+00:00", seconds, "0.1 0.1 0.1", "2.0 1.0 0.5", rows)


def test_a_round_that_was_kept_comes_back_as_it_was() -> None:
    done = measured(3, row(0.1, -0.2, note="a note"), row(what="nothing"))
    again = round_of(Unit("edges", 3), text_of(done))
    assert again is not None and again.head() == done.head()
    assert combined([again]) == combined([done])


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"part": "edges"}', '{"part": "edges", "round": 1}'])
def test_what_is_no_round_is_measured_again(text: str) -> None:
    assert round_of(Unit("edges", 1), text) is None


def test_a_round_under_a_name_that_is_not_its_own_is_none() -> None:
    text = text_of(measured(2, row(1.0)))
    assert round_of(Unit("edges", 2), text) is not None
    assert round_of(Unit("edges", 1), text) is None
    assert round_of(Unit("disk", 2), text) is None


# --- what fits into a call -------------------------------------------------------------------------------------------


def calls(left: list[Unit], takes_s: dict[str, float]) -> list[list[Unit]]:
    """The units of every call until nothing is left."""
    found = []
    while left:
        now, spent_s = [], 0.0
        while unit := next_unit(left, EXPECTED_S, spent_s):
            left.remove(unit)
            now.append(unit)
            spent_s += takes_s[unit.part]
        found.append(now)
    return found


def test_every_unit_is_measured_once_and_every_call_ends_in_time() -> None:
    found = calls(list(UNITS), {"check": 8.0, "edges": 470.0})
    assert [unit for call in found for unit in call] == UNITS
    assert [len(call) for call in found] == [2, 1, 1, 1, 1]


def test_a_round_that_takes_longer_than_a_call_may_is_measured_all_the_same() -> None:
    assert next_unit(UNITS, {"check": 2 * SLICE_S, "edges": 2 * SLICE_S}, 0) == UNITS[0]
    assert next_unit(UNITS, {"check": 2 * SLICE_S, "edges": 2 * SLICE_S}, 1.0) is None


def test_a_short_part_fills_what_is_left_of_a_call() -> None:
    assert next_unit([Unit("edges", 2), Unit("check", 1)], EXPECTED_S, 400.0) == Unit("check", 1)


def test_a_round_is_expected_to_take_as_long_as_the_longest_so_far() -> None:
    done = [measured(1, seconds=500.0), measured(2, seconds=300.0)]
    assert expected_s(EXPECTED_S, done) == {"check": 10.0, "edges": 500.0}
    assert expected_s(EXPECTED_S, []) == EXPECTED_S


# --- all rounds as one -----------------------------------------------------------------------------------------------


def test_rounds_are_one_row_that_still_knows_them() -> None:
    (one,) = combined([measured(1, row(0.1, 0.2)), measured(2, row(0.3)), measured(4, row(2.5, 0.4))])
    assert one.values == [0.1, 0.2, 0.3, 2.5, 0.4]
    assert one.rounds() == {1: [0.1, 0.2], 2: [0.3], 4: [2.5, 0.4]}
    assert one.beyond() == [(4, 2.5)]


def test_the_same_round_twice_counts_once() -> None:
    (one,) = combined([measured(1, row(0.1)), measured(2, row(0.2)), measured(1, row(0.1))])
    assert sorted(one.values) == [0.1, 0.2]


def test_a_row_that_not_every_round_has_keeps_the_numbers_of_its_rounds() -> None:
    there, only_later = combined([measured(1, row(0.1)), measured(2, row(0.2), row(9.0, what="late"))])
    assert there.counts == {1: 1, 2: 1}
    assert only_later.counts == {2: 1} and only_later.beyond() == [(2, 9.0)]


def test_a_note_is_told_once_however_many_rounds_say_it() -> None:
    notes = ("left out: why", "", "left out: why", "version 2")
    (one,) = combined([measured(number, row(0.1, note=note)) for number, note in enumerate(notes, 1)])
    assert one.note == "left out: why; version 2"


# --- which rounds belong together ------------------------------------------------------------------------------------


def test_rounds_of_another_commit_or_computer_or_load_are_not_taken() -> None:
    keys = {key_of("abc", {"kernel": "6.1"}, "", "id"), key_of("abd", {"kernel": "6.1"}, "", "id")}
    keys |= {key_of("abc", {"kernel": "6.2"}, "", "id"), key_of("abc", {"kernel": "6.1"}, "other", "id")}
    assert len(keys) == 4
    assert key_of("abc", {"a": 1, "b": 2}) == key_of("abc", {"b": 2, "a": 1})
    assert "+" not in key_of("abc+") and "/" not in key_of("abc+")


# --- on the disk -----------------------------------------------------------------------------------------------------


def test_a_call_that_was_killed_while_it_wrote_leaves_whole_rounds_alone(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path / "key")
    shelf.keep(measured(1, row(0.1)))
    (tmp_path / "key/edges/edges-2.part").write_text(text_of(measured(2, row(0.2)))[:50])
    assert [one.unit.number for one in shelf.read(UNITS)] == [1]
    shelf.keep(measured(2, row(0.3)))
    (one,) = combined(shelf.read(UNITS))
    assert one.values == [0.1, 0.3]


def test_a_series_that_is_complete_leaves_nothing_to_the_next_one(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path / "key")
    shelf.keep(measured(1, row(0.1)))
    shelf.keep(measured(1, row(0.1), part="check"))
    shelf.drop(["edges"])
    assert [one.unit for one in shelf.read(UNITS)] == [Unit("check", 1)]
    shelf.drop(["check"])
    assert not (tmp_path / "key").exists()


def test_a_series_whose_end_was_cut_short_is_gone_all_the_same(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path / "key")
    for number in (1, 2):
        shelf.keep(measured(number, row(0.1)))
    (tmp_path / "key/edges").rename(tmp_path / "key/edges.done")  # as far as the last call came
    assert shelf.read(UNITS) == []
    shelf.keep(measured(1, row(0.2)))
    shelf.drop(["edges"])
    assert not (tmp_path / "key").exists()
