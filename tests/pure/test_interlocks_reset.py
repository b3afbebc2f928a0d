"""A start, a reset, a bypass and another table, over one or two plain checks: what is asked, kept and said."""

from __future__ import annotations

from dataclasses import replace
from math import nan
from typing import Any

import pytest

from ald_controller.interlocks import (
    Blocks,
    Bypass,
    Cause,
    Facts,
    Level,
    Quality,
    Reaction,
    Reset,
    ResetRefused,
    RuleSet,
    Sample,
    boot,
    exchange,
    reset,
    step,
)
from ald_controller.interlocks.core import BOOT, spent_by
from tests.interlock_bench import WORDS
from tests.scene import (
    AUTO,
    FLOW,
    FREE,
    HOLD,
    L1,
    L2,
    L3,
    PURGE,
    WARN,
    Scene,
    check,
    level,
)

# --- the start -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("found", "detail"),
    [("", "the daemon has started"), ("a run broke off", "the daemon has started; a run broke off")],
)
def test_a_start_says_what_it_found(found: str, detail: str) -> None:
    rules = RuleSet((check(level(HOLD, 170, 165)),), WORDS)
    state = boot(rules, 7.0, found) if found else boot(rules, 7.0)
    cause = replace(BOOT, since_s=7.0, detail=detail)
    assert state.latched == (cause,) and state.first_out is not None and state.first_out.cause == cause
    assert (state.first_out.facts, state.first_out.samples) == (Facts(), {})
    assert (state.at_s, state.active, state.samples, state.bypasses, state.spent) == (7.0, (), {}, (), ())
    assert (cause.check, cause.row, cause.name, cause.reaction, cause.reset) == (-1, "K5", "daemon", PURGE, L1)
    assert (state.level, state.blocked) == (PURGE, Blocks.ALL)


def test_inputs_that_were_never_read_are_live_beside_the_start_and_not_latched() -> None:
    rules = RuleSet((check(level(HOLD, 170, 165), bad_as=170), check(level(HOLD, 10, 5), source=FLOW)), WORDS)
    state = step(boot(rules, 0.0), {"mfc.sccm": Sample(20.0, 1.0)}, Facts(), 1.0)
    assert [c.name for c in state.active] == ["oven.c", "mfc.sccm"]
    assert [c.name for c in state.latched] == ["daemon", "mfc.sccm"]
    worse = RuleSet((check(level(PURGE, 170, 165), bad_as=170), check(level(HOLD, 10, 5), source=FLOW)), WORDS)
    state = step(boot(worse, 0.0), {"mfc.sccm": Sample(20.0, 1.0)}, Facts(), 1.0)
    assert [c.name for c in state.latched] == ["daemon", "mfc.sccm"]


# --- reset -----------------------------------------------------------------------------------------------------------


def tripped(*levels: Level, celsius: float = 175.0, **more: Any) -> Scene:
    scene = Scene(check(*(levels or (level(HOLD, 170, 165),)), **more))
    scene.scan(celsius)
    return scene


def test_a_reset_is_refused_for_what_lives_for_what_waits_and_for_the_role_in_one_sentence() -> None:
    scene = Scene(check(level(HOLD, 170, 165, L2)), check(level(HOLD, 10, 5), source=FLOW, bad_row="C7"))
    scene.scan(175, mfc_sccm=20.0)
    live = "T1 oven.c is at 175 °C, the limit is 170 °C; T1 mfc.sccm is at 20 °C, the limit is 10 °C"
    assert scene.refused() == f"still there: {live}"
    scene.scan(20, mfc_sccm=0.0)
    assert scene.refused() == "not yet clear for 10 s: T1 oven.c; T1 mfc.sccm"
    scene.scan(175)
    lives = "still there: T1 oven.c is at 175 °C, the limit is 170 °C; not yet clear for 10 s: T1 mfc.sccm"
    assert scene.refused("operator") == f"{lives}; this reset needs the role owner"


def test_a_value_is_clear_for_ten_seconds_to_the_scan() -> None:
    scene = tripped()
    scene.scan(165)
    assert scene.refused(after_s=9.9) == "not yet clear for 10 s: T1 oven.c"
    assert scene.reset(after_s=0.1).latched == () and scene.state.first_out is None
    assert (scene.state.level, scene.state.blocked) == (Reaction.NONE, Blocks.NOTHING)


def test_the_ten_seconds_pass_while_scans_go_on() -> None:
    scene = tripped()
    for _ in range(11):
        scene.scan(20)
    assert scene.reset().latched == ()


def test_a_reading_that_was_lost_is_clear_ten_seconds_after_it_came_back() -> None:
    scene = Scene(check(level(HOLD, 170, 165), bad_as=170))
    scene.scan(nan)
    scene.scan(20)
    assert scene.refused(after_s=5.0) == "not yet clear for 10 s: T7 oven.c"
    assert scene.reset(after_s=5.0).latched == ()


def test_neither_a_warning_nor_another_name_of_the_row_holds_up_a_reset() -> None:
    warned = check(level(WARN, 10, 5, AUTO), source=FLOW, name="warned")
    near = check(level(HOLD, 30, 5), source=FLOW, name="near")
    scene = Scene(check(level(HOLD, 170, 165)), warned, near)
    scene.scan(175, mfc_sccm=20.0)
    scene.scan(20)
    assert scene.reset(after_s=10.0).latched == () and [c.name for c in scene.state.active] == ["warned"]


def test_a_warning_that_cannot_be_read_holds_up_no_reset_of_its_name() -> None:
    warns = check(level(WARN, 10, 5, AUTO), source=FLOW, name="zone")
    scene = Scene(check(level(HOLD, 170, 165), name="zone"), warns)
    scene.scan(175)
    scene.scan(20, mfc_sccm=nan)
    scene.scan(20, after_s=10.0)
    assert scene.reset().latched == ()


def test_the_ten_seconds_pass_while_a_lower_limit_still_warns() -> None:
    scene = tripped(level(WARN, 100, 90, AUTO), level(HOLD, 170, 165))
    for _ in range(11):
        assert scene.scan(120).active[0].reaction is WARN
    assert scene.reset().latched == ()


def test_the_start_is_reset_whatever_the_last_check_reads_below_its_limit() -> None:
    scene = Scene(check(level(HOLD, 170, 165)))
    scene.values["oven.c"] = 168.0
    scene.state = boot(scene.state.rules, scene.now_s)
    assert scene.reset("operator").latched == ()


def test_a_reset_without_anything_latched_is_an_operators_and_changes_nothing() -> None:
    scene = Scene(check(level(HOLD, 170, 165)))
    assert scene.reset("operator").level is Reaction.NONE


def test_nobody_has_pressed_the_button_unless_it_is_said_and_the_facts_of_the_moment_count() -> None:
    scene = tripped(level(HOLD, 170, 165, L3, when=lambda facts: facts.lithium))
    scene.facts = replace(scene.facts, lithium=False)
    scene.now_s += 20
    samples = {"oven.c": Sample(20.0, scene.now_s)}
    with pytest.raises(ResetRefused, match="the button"):
        reset(scene.state, samples, scene.facts, scene.now_s, "owner")


def test_within_the_dead_band_no_second_counts() -> None:
    scene = tripped()
    scene.scan(166)
    assert scene.refused(after_s=60.0) == "still there: T1 oven.c is at 175 °C, the limit is 170 °C"
    below = tripped(level(HOLD, 170, 165, persist_s=0.5), celsius=20.0)
    for celsius in (175, 175, 20, 169):
        below.scan(celsius)
    assert below.refused(after_s=60.0) == "not yet clear for 10 s: T1 oven.c"


def test_what_cannot_be_believed_is_not_clear() -> None:
    scene = tripped(bad_as=None)
    scene.scan(20)
    scene.quality["oven.c"] = Quality.UNCERTAIN
    scene.scan(20)
    assert scene.refused(after_s=60.0) == "not yet clear for 10 s: T1 oven.c"


def test_every_check_with_a_limit_of_the_row_and_name_has_to_be_clear() -> None:
    one, other = check(level(HOLD, 170, 165), name="zone"), check(level(HOLD, 10, 5), source=FLOW, name="zone")
    scene = Scene(one, other)
    scene.scan(175)
    scene.scan(20, mfc_sccm=7.0)
    assert scene.refused(after_s=60.0) == "not yet clear for 10 s: T1 zone"
    scene.scan(mfc_sccm=0.0)
    assert scene.reset(after_s=10.0).latched == ()


@pytest.mark.parametrize(
    ("asks", "role", "key", "needs"),
    [
        (L1, "viewer", True, "the role operator"),
        (L1, "operator", False, ""),
        (L1, "owner", False, ""),
        (L2, "operator", True, "the role owner"),
        (L2, "owner", False, ""),
        (L3, "operator", True, "the role owner"),
        (L3, "owner", False, "the button at the tool, pressed within the last half minute"),
        (L3, "owner", True, ""),
    ],
)
def test_each_reset_needs_its_role_and_the_highest_the_button(asks: Reset, role: str, key: bool, needs: str) -> None:
    scene = tripped(level(HOLD, 170, 165, asks))
    scene.scan(20)
    if needs:
        assert scene.refused(role, key=key, after_s=20.0) == f"this reset needs {needs}"
    else:
        assert scene.reset(role, key=key, after_s=20.0).latched == ()


# --- bypasses --------------------------------------------------------------------------------------------------------


def bypass(row: str, since_s: float, until_s: float) -> Bypass:
    return Bypass(row, "Ann", "a test", since_s, until_s)


def test_a_bypassed_row_does_not_act_and_a_fixed_limit_of_it_does() -> None:
    scene = Scene(check(level(HOLD, 170, 165, row="G1"), level(PURGE, 180, 175, row="G1", fixed=True)), facts=FREE)
    scene.state = replace(scene.state, bypasses=(bypass("G1", 100, 200),))
    state = scene.scan(175)
    assert ([c.row for c in state.bypassed], state.active, state.level) == (["G1"], (), Reaction.NONE)
    state = scene.scan(185)
    assert (state.bypassed, [c.reaction for c in state.active]) == ((), [PURGE])


def test_a_bypass_is_over_at_its_end_and_remembered() -> None:
    scene = Scene(check(level(HOLD, 170, 165, row="G1")), facts=FREE)
    one = bypass("G1", 50, scene.now_s + 2.0)
    scene.state = replace(scene.state, bypasses=(one,))
    assert scene.scan().bypasses == (one,)
    state = scene.scan()
    assert (state.bypasses, state.spent) == ((), (one,))


@pytest.mark.parametrize("burns", [{"lithium": True}, {"pyrophoric": True}])
def test_a_bypass_that_burns_ends_is_remembered_with_the_time_of_its_end(burns: dict[str, bool]) -> None:
    scene = Scene(check(level(HOLD, 170, 165, row="G1")), facts=FREE)
    scene.state = replace(scene.state, bypasses=(bypass("G1", 50, 900),))
    scene.facts = replace(FREE, **burns)
    state = scene.scan()
    assert (state.bypasses, state.spent) == ((), (bypass("G1", 50, scene.now_s),))


def test_of_each_row_the_last_bypass_that_ended_is_remembered() -> None:
    old, other, now = bypass("G1", 0, 5), bypass("G7", 0, 6), bypass("G1", 20, 30)
    state = replace(Scene(check(level(HOLD, 170, 165))).state, spent=(old, other), bypasses=(now,))
    assert spent_by(state, (), 25.0) == (other, bypass("G1", 20, 25.0))
    assert spent_by(state, (), 40.0) == (other, now)
    assert spent_by(state, (now,), 25.0) is state.spent


# --- another table ---------------------------------------------------------------------------------------------------


def test_another_table_begins_anew_and_keeps_what_stands() -> None:
    scene = tripped()
    one = bypass("G1", 50, 900)
    before = replace(scene.state, bypasses=(one,), spent=(bypass("G7", 1, 2),))
    other = RuleSet((check(level(HOLD, 10, 5), source=FLOW), *scene.state.rules.checks), WORDS)
    after = exchange(before, other, scene.now_s)
    assert [(c.name, c.check) for c in after.latched] == [("oven.c", 1)]
    assert after.first_out is not None and before.first_out is not None
    assert after.first_out.cause.check == 1 and after.first_out.samples == before.first_out.samples
    assert (after.level, after.blocked, after.active) == (HOLD, Blocks.ALL, ())
    assert (after.bypasses, after.spent, after.rules) == (before.bypasses, before.spent, other)
    assert after.at_s == scene.now_s
    assert all(watch.cause is None and watch.clear_since is None for watch in after.watches)


def test_a_cause_whose_check_is_gone_keeps_its_latch_and_the_start_its_own() -> None:
    scene = tripped()
    other = RuleSet((check(level(HOLD, 10, 5), source=FLOW),), WORDS)
    start = Cause(-1, "K5", "daemon", PURGE, L1, Blocks.ALL, 1.0, "the daemon has started")
    state = replace(scene.state, latched=(*scene.state.latched, start), first_out=None)
    after = exchange(state, other, scene.now_s)
    assert [(c.name, c.check) for c in after.latched] == [("oven.c", -1), ("daemon", -1)] and after.first_out is None


def test_of_several_checks_of_one_name_and_row_a_cause_keeps_the_same_in_order() -> None:
    zone = check(level(HOLD, 170, 165), name="zone"), check(level(HOLD, 10, 5), source=FLOW, name="zone")
    scene = Scene(*zone)
    assert scene.scan(mfc_sccm=20.0).latched[0].check == 1
    more = RuleSet((check(level(WARN, 1, 0, AUTO), name="else"), *zone), WORDS)
    assert exchange(scene.state, more, scene.now_s).latched[0].check == 2
    fewer = RuleSet(zone[:1], WORDS)
    assert exchange(scene.state, fewer, scene.now_s).latched[0].check == 0
    gone = exchange(scene.state, RuleSet(more.checks[:1], WORDS), scene.now_s)
    assert exchange(gone, more, scene.now_s).latched[0].check == 1
