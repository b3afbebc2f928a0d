"""Small parts that all rows share: moments, the bar for what was never commissioned, curves, the fingerprint."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import Enum
from functools import partial

import pytest

from ald_controller.commissioned import Base, along
from ald_controller.interlocks import Blocks, Check, Facts, Level, Reaction, Reset, RuleSet
from ald_controller.interlocks import setting as moments
from ald_controller.interlocks.fingerprint import limits_hash, limits_of
from ald_controller.interlocks.matrix import MATRIX
from ald_controller.interlocks.setting import Hung, never_commissioned
from ald_controller.interlocks.thermal_measures import Uncommissioned
from tests.interlock_bench import SETTING

UNKNOWN = Facts()  # lithium, gate not proven, chamber unknown


# --- moments ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("when", "facts", "so"), [
    (moments.always, UNKNOWN, True),
    (moments.lithium, UNKNOWN, True), (moments.lithium, replace(UNKNOWN, lithium=False), False),
    (moments.gate_unproven, UNKNOWN, True), (moments.gate_unproven, replace(UNKNOWN, gate_proven_shut=True), False),
    (moments.gate_proven_shut, UNKNOWN, False),
    (moments.gate_proven_shut, replace(UNKNOWN, gate_proven_shut=True), True),
    (moments.gate_released, UNKNOWN, False), (moments.gate_released, replace(UNKNOWN, gate_released=True), True),
    (moments.gate_not_released, UNKNOWN, True),
    (moments.gate_not_released, replace(UNKNOWN, gate_released=True), False),
    (moments.regenerates, UNKNOWN, False), (moments.regenerates, replace(UNKNOWN, regenerating=True), False),
    (moments.regenerates, replace(UNKNOWN, gate_proven_shut=True), False),
    (moments.regenerates, replace(UNKNOWN, regenerating=True, gate_proven_shut=True), True),
    (moments.regenerates_not, replace(UNKNOWN, regenerating=True), True),
    (moments.regenerates_not, replace(UNKNOWN, regenerating=True, gate_proven_shut=True), False),
    (moments.under_vacuum, UNKNOWN, False), (moments.under_vacuum, replace(UNKNOWN, chamber="VACUUM"), True),
    (moments.under_vacuum, replace(UNKNOWN, chamber="PUMPING_DOWN"), False),
])  # fmt: skip
def test_a_moment_is_what_its_sentence_says(when: Callable[[Facts], bool], facts: Facts, so: bool) -> None:
    assert when(facts) is so


def test_what_was_never_commissioned_bars_the_start_and_says_what_to_set() -> None:
    level = Level("C3", Reaction.BLOCK, 1, 0, Reset.AUTO, moments.always, 0.0, Blocks.START)
    says = "the volume was never commissioned; set the register constant.volume"
    assert never_commissioned("C3", "constant.volume", "the volume") == Check(
        "constant.volume", Uncommissioned(), (level,), None, "C3", says=says
    )


def test_the_matrix_names_each_row_once_and_by_itself() -> None:
    assert all(name == row.id for name, row in MATRIX.items())
    assert [len([name for name in MATRIX if name[0] == letter]) for letter in "TCGK"] == [8, 15, 9, 20]
    assert {name for name, row in MATRIX.items() if row.override} == {"T8", "C4", "G1", "G7"} | {
        name for name, row in MATRIX.items() if name[0] == "K" and row.override
    }


# --- curves ----------------------------------------------------------------------------------------------------------


def test_a_curve_is_straight_between_its_points_and_level_beyond_them() -> None:
    curve = ((0.0, 10.0), (10.0, 30.0), (20.0, 20.0))
    assert [along(curve, x) for x in (-5.0, 0.0, 5.0, 10.0, 15.0, 20.0, 99.0)] == [10, 10, 20, 30, 25, 20, 20]
    assert along(((3.0, 7.0),), 0.0) == along(((3.0, 7.0),), 9.0) == 7.0
    with pytest.raises(ValueError, match=r"^a curve needs at least one point$"):
        along((), 1.0)


def test_the_base_pressure_goes_with_flow_and_with_the_walls() -> None:
    base = Base(((25.0, ((0.0, 0.0), (20.0, 20.0))), (125.0, ((0.0, 10.0), (20.0, 50.0)))))
    assert base.pa(10.0, 25.0) == 10.0 and base.pa(10.0, 125.0) == 30.0 and base.pa(10.0, 75.0) == 20.0


# --- the fingerprint's text ------------------------------------------------------------------------------------------


class Colour(Enum):
    RED = 1


@dataclass(frozen=True)
class Pair:
    one: object
    other: object


def free(*facts: object, at: str = "") -> bool:
    return True


def bound(limit: float) -> Callable[[Facts], bool]:
    def beyond(facts: Facts) -> bool:
        return bool(limit)

    return beyond


NOTHING = RuleSet((), {})


def named(value: object) -> str:
    return limits_hash(NOTHING, {"of": value})


# Typed here from a run that was read: whoever changes the text that is hashed makes every owner confirm again.
def test_the_name_of_nothing_is_known() -> None:
    assert limits_hash(NOTHING) == limits_hash(NOTHING, {})
    assert limits_hash(NOTHING) == "4413-6fa3-55b3-678a"


@pytest.mark.parametrize(
    ("value", "name"),
    [
        (1, "c063-8359-b7e6-03e8"),
        (1.5, "78df-1bb9-b7db-de1f"),
        (True, "6c07-851e-553b-3baf"),
        (None, "5983-15a9-5db6-429d"),
        ("1.0", "6b87-3597-15b1-0af0"),
        (Colour.RED, "a207-fbf1-f984-9458"),
        (Pair(1, "a"), "aec8-2771-bcfe-7205"),
        ({"b": 1, "a": 2}, "3306-7e82-6c9b-4196"),
        ((1, 2), "a822-274d-838f-ca19"),
        (frozenset({"x", "y"}), "4387-b28d-7f98-df7d"),
        (partial(free, 1.0, at="a"), "f6d8-e997-1c14-2112"),
        (free, "89ad-0279-653f-6d50"),
        (bound(2.0), "0e93-6113-f68b-6c05"),
        ([], "fac5-5cc3-c986-f20a"),
        ({}, "18a1-ae94-7a5a-1135"),
    ],
)
def test_the_name_of_a_value_is_known(value: object, name: str) -> None:
    assert named(value) == name


def test_a_whole_number_and_the_same_with_a_point_are_one_limit_and_a_flag_is_another() -> None:
    assert named(1) == named(1.0) != named(True)
    assert named([1, 2]) == named((1.0, 2.0)) and named({"b": 1, "a": 2}) == named({"a": 2, "b": 1})


def test_what_has_no_text_is_refused_by_its_kind() -> None:
    with pytest.raises(TypeError, match=r"^a bytes in a rule has no text of its own that could be confirmed: b'x'$"):
        named(b"x")


def test_bottles_and_pairs_that_may_be_open_together_change_no_name() -> None:
    hung = {"LTB": Hung("LTB", pyrophoric=False), "GL": Hung("GL", pyrophoric=False)}
    other = replace(SETTING, bottles=hung, compatible=frozenset({frozenset({"LTB", "GL"})}))
    assert limits_of(other) == limits_of(SETTING)
