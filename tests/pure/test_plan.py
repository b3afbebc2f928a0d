"""A plan is a tree that is numbered lazily and crosses process borders as JSON."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from ald_controller.plan import PLAN, Plan, RepeatStep, SegmentStep, Step, Where
from ald_controller.states import Misplaced
from ald_controller.walk import At, Walk, extendable, going_on, same_steps, walk, with_turns

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


# --- repeats that go on -----------------------------------------------------------------------------------------------


def named(name: str, times: int, *steps: Step) -> RepeatStep:
    return RepeatStep("repeat", HERE, name, times, steps)


def labels(steps: Walk) -> list[str]:
    return [leaf.label for _, leaf in steps if isinstance(leaf, SegmentStep)]


@given(st.lists(TREES, max_size=4))
def test_what_follows_is_the_leaf_that_comes_next(steps: list[Step]) -> None:
    on = walk(plan_of(*steps), "deposit")
    following = on.following
    for _, leaf in on:
        assert leaf is following
        following = on.following
    assert following is None and on.running == ()


@given(st.lists(TREES, min_size=1, max_size=3), st.integers(0, 30), st.integers(1, 3))
def test_turns_that_are_added_on_the_way_are_walked_as_if_they_had_been_planned(
    steps: list[Step], done: int, more: int
) -> None:
    plan = plan_of(*steps)
    on, walked_so_far = walk(plan, "deposit"), []
    for at, _ in on:
        walked_so_far.append(at)
        if len(walked_so_far) > done:
            break
    outermost = on.running[:1]
    if outermost:
        plan = on.plan = with_turns(plan, outermost[0], more)
    found = [*walked_so_far, *(at for at, _ in on)]
    planned = [at for at, _ in walk(plan, "deposit")]
    assert [(at.cycle, at.inside) for at in found] == [(at.cycle, at.inside) for at in planned]


def test_a_step_ends_the_turns_of_the_repeats_that_it_is_the_last_step_of() -> None:
    steps = named("outer", 2, named("inner", 2, segment("a"), segment("b")), segment("c"))
    ends = [(at.stops("inner"), at.stops("outer"), at.turn_ends) for at, _ in walk(plan_of(steps), "deposit")]
    turn = [(False, False, False), (True, False, False)] * 2 + [(True, True, True)]
    assert [*ends] == [*turn, *turn]


def test_a_stop_acts_in_the_outermost_repeat_that_has_a_name_unless_told() -> None:
    assert At("deposit", 1, False, ("", "mine", "inner"), 1).stops()
    assert not At("deposit", 1, False, ("", "mine", "inner"), 2).stops()
    assert At("deposit", 1, False, ("", "mine", "inner"), 2).stops("inner")
    assert At("deposit", 1, False, ("", "mine", "inner"), 1).stops("not here")
    assert not At("deposit", 1, False, ("", ""), 1).stops() and At("deposit", 0, True).stops("whatever")


def test_the_last_step_of_a_turn_is_one_no_more_when_turns_were_added() -> None:
    plan = plan_of(named("outer", 1, named("inner", 1, segment("a"))))
    on = walk(plan, "deposit")
    at, _ = next(on)
    assert at.turn_ends and on.following is None
    on.plan = with_turns(plan, on.running[1], 1)
    assert not on.at.turn_ends and on.at.stops("inner") and labels(on) == ["a"]


def test_a_plan_with_more_turns_is_the_plan_of_a_recipe_that_has_them() -> None:
    plan = plan_of(segment("a"), named("n", 2, segment("b")))
    on = walk(plan, "deposit")
    next(on), next(on)
    assert same_steps(with_turns(plan, on.running[0], 3), plan_of(segment("a"), named("n", 5, segment("b"))))
    assert not same_steps(with_turns(plan, on.running[0], 3), plan)


def test_a_repeat_is_extended_that_goes_on_and_that_no_other_does_anew() -> None:
    on = walk(plan_of(named("outer", 2, named("inner", 2, segment("a")))), "deposit")
    next(on)
    assert extendable(on.running, "").repeat.name == "outer"
    assert going_on(on.running, "inner", "stop").way == (0, 0)
    with pytest.raises(Misplaced, match="extend 'outer'"):
        extendable(on.running, "inner")
    with pytest.raises(Misplaced, match="going on: 'outer', 'inner'"):
        extendable(on.running, "other")


def test_a_repeat_within_turns_that_have_no_name_is_refused_with_the_line_that_could_have_one() -> None:
    on = walk(plan_of(repeat(2, named("inner", 2, segment("a")))), "deposit")
    next(on)
    with pytest.raises(Misplaced) as refused:
        extendable(on.running, "")
    assert "in each turn of the repeat of line 1," in str(refused.value) and "it has no name" in str(refused.value)
    assert "''" not in str(refused.value)
