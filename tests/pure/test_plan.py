"""A plan is a tree that is numbered lazily and crosses process borders as JSON."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from ald_controller.plan import PLAN, Plan, RepeatStep, SegmentStep, Step, Where
from ald_controller.walk import walk

HERE = Where(1, 1)


def segment(label: str) -> SegmentStep:
    return SegmentStep("segment", HERE, label, (), 1)


def repeat(times: int, *steps: Step) -> RepeatStep:
    return RepeatStep("repeat", HERE, "", times, steps)


def plan_of(*steps: Step) -> Plan:
    return Plan(
        "r", "r", "", "", "lithium", True, (), steps, (), 0.0, 0, 0, 0, None, "", {}, None,
    )  # fmt: skip


def walked(*steps: Step) -> list[tuple[int, bool, str]]:
    return [
        (at.cycle, at.turn_ends, leaf.label) for at, leaf in walk(plan_of(*steps), "deposit") if leaf.kind == "segment"
    ]


def test_cycles_count_turns_of_the_outermost_repeats_across_the_part() -> None:
    assert walked(segment("a"), repeat(2, segment("b"), segment("c")), repeat(1, segment("d"))) == [
        (0, True, "a"), (1, False, "b"), (1, True, "c"), (2, False, "b"), (2, True, "c"), (3, True, "d"),
    ]  # fmt: skip


def test_an_inner_repeat_ends_no_turn() -> None:
    assert walked(repeat(2, repeat(2, segment("a")), segment("b"))) == [
        (1, False, "a"), (1, False, "a"), (1, True, "b"), (2, False, "a"), (2, False, "a"), (2, True, "b"),
    ]  # fmt: skip


def test_a_repeat_without_leaves_is_passed_over() -> None:
    assert walked(repeat(3), segment("a")) == [(0, True, "a")]


def test_a_million_turns_cost_nothing_until_they_are_walked() -> None:
    steps = walk(plan_of(repeat(1000, repeat(1000, segment("a")))), "deposit")
    assert next(steps)[0].cycle == 1


TREES = st.recursive(
    st.just(segment("x")),
    lambda inner: st.builds(lambda n, s: repeat(n, *s), st.integers(1, 3), st.lists(inner, min_size=1, max_size=3)),
    max_leaves=8,
)


def leaves(step: Step) -> int:
    return step.times * sum(leaves(s) for s in step.steps) if isinstance(step, RepeatStep) else 1


@given(st.lists(TREES, max_size=4))
def test_walking_gives_every_leaf_as_often_as_its_repeats_say_and_every_turn_ends_once(steps: list[Step]) -> None:
    found = walked(*steps)
    assert len(found) == sum(leaves(s) for s in steps)
    turns = sum(s.times if isinstance(s, RepeatStep) else 1 for s in steps)
    assert sum(ends for _, ends, _ in found) == turns
    assert PLAN.validate_json(PLAN.dump_json(plan_of(*steps))) == plan_of(*steps)


def test_a_plan_that_was_tampered_with_is_no_plan() -> None:
    data = PLAN.dump_python(plan_of(segment("a")), mode="json")
    data["deposit"][0]["kind"] = "open everything"
    with pytest.raises(ValidationError):
        PLAN.validate_python(data)
