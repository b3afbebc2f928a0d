"""One scan after another over a table of one or two plain checks: limits, dead-bands, times, latches."""

from __future__ import annotations

from dataclasses import replace
from math import nan

import pytest

from ald_controller.interlocks import (
    Blocks,
    Quality,
    Reaction,
    Sample,
    boot,
    news,
    step,
)
from ald_controller.interlocks.measures import Changed, Input, Unchanged
from ald_controller.interlocks.table import EVERYTHING, SCAN_LATE
from tests.scene import (
    AUTO,
    BLOCK,
    ESTOP,
    FLOW,
    HOLD,
    ISOLATE,
    L1,
    L2,
    L3,
    PURGE,
    WARN,
    Scene,
    check,
    level,
)

# --- limits and dead-bands -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("celsius", "reached"), [(159.9, False), (160.0, True), (160.1, True)])
def test_a_limit_is_reached_at_the_limit_itself(celsius: float, reached: bool) -> None:
    scene = Scene(check(level(WARN, 160, 155, AUTO)))
    scene.scan()
    assert scene.scan(celsius).level is (WARN if reached else Reaction.NONE)


def test_a_warning_that_never_began_does_not_begin_within_its_dead_band() -> None:
    scene = Scene(check(level(WARN, 160, 155, AUTO)))
    for celsius in (20.0, 150.0, 157.0, 158.0):
        assert scene.scan(celsius).active == ()


def test_a_warning_ends_at_its_clear_value_and_not_above_it() -> None:
    scene = Scene(check(level(WARN, 160, 155, AUTO)))
    found = [bool(scene.scan(celsius).active) for celsius in (161.0, 159.0, 155.1, 155.0, 159.0, 160.0)]
    assert found == [True, True, True, False, False, True]


def test_the_first_look_finds_nothing_within_a_dead_band() -> None:
    scene = Scene(check(level(WARN, 160, 155, AUTO)))
    state = boot(scene.state.rules, scene.now_s)
    assert step(state, {"oven.c": Sample(157.0, scene.now_s)}, scene.facts, scene.now_s).active == ()


def test_each_of_two_levels_keeps_its_own_dead_band() -> None:
    scene = Scene(check(level(WARN, 160, 150, AUTO), level(HOLD, 170, 165)))
    assert scene.scan(175).active[0].reaction is HOLD
    assert scene.scan(166).active[0].reaction is HOLD
    assert [cause.reaction for cause in scene.scan(158).active] == [WARN]
    assert scene.scan(150).active == ()


def test_the_most_severe_level_that_stands_is_told() -> None:
    scene = Scene(check(level(PURGE, 170, 165, L2), level(WARN, 160, 150, AUTO)))
    (cause,) = scene.scan(175).active
    assert (cause.reaction, cause.reset, cause.row, cause.check) == (PURGE, L2, "T1", 0)
    assert cause.detail == "oven.c is at 175 °C, the limit is 170 °C"
    assert (cause.since_s, cause.name, cause.unread, cause.fixed, cause.blocks) == (
        scene.now_s, "oven.c", False, False, Blocks.ALL,
    )  # fmt: skip


def test_of_two_levels_of_one_severity_the_first_is_told() -> None:
    scene = Scene(check(level(HOLD, 170, 165, L2), level(HOLD, 160, 150, L1, row="T2")))
    assert scene.scan(175).active[0].row == "T1"


def test_a_level_counts_only_while_its_facts_hold() -> None:
    scene = Scene(check(level(HOLD, 170, 165, when=lambda facts: facts.lithium)))
    scene.facts = replace(scene.facts, lithium=False)
    assert scene.scan(180).active == ()
    scene.facts = replace(scene.facts, lithium=True)
    assert scene.scan(180).level is HOLD


# --- persistence -----------------------------------------------------------------------------------------------------


def test_a_limit_persists_for_its_time_to_the_scan() -> None:
    scene = Scene(check(level(HOLD, 170, 165, persist_s=2.0)))
    assert [bool(scene.scan(180).active) for _ in range(4)] == [False, False, True, True]


@pytest.mark.parametrize("between", [20.0, 168.0])
@pytest.mark.parametrize("reaction", [WARN, HOLD])
def test_a_limit_that_was_left_begins_its_time_anew(reaction: Reaction, between: float) -> None:
    scene = Scene(check(level(reaction, 170, 165, AUTO if reaction is WARN else L1, persist_s=2.0)))
    for celsius in (180, 180, between, 180, 180):
        assert scene.scan(celsius).active == ()
    assert scene.scan(180).active


def test_a_level_that_stands_stays_without_its_time() -> None:
    scene = Scene(check(level(WARN, 170, 165, AUTO, persist_s=2.0)))
    for _ in range(3):
        scene.scan(180)
    assert [bool(scene.scan(celsius).active) for celsius in (168.0, 180.0, 165.0, 180.0)] == [True, True, False, False]


def test_a_sum_of_tenths_that_falls_short_of_its_time_by_rounding_is_that_time() -> None:
    scene = Scene(check(level(HOLD, 170, 165, persist_s=0.3)))
    scene.scan(180, after_s=0.1)
    found = [bool(scene.scan(180, after_s=0.1).active) for _ in range(3)]
    assert found == [False, False, True]


# --- what cannot be believed -----------------------------------------------------------------------------------------


def test_an_unbelievable_input_counts_at_once_as_what_its_check_says() -> None:
    scene = Scene(check(level(WARN, 160, 155, AUTO), level(HOLD, 170, 165, L2, persist_s=5.0), bad_as=170))
    (cause,) = scene.scan(nan).active
    assert (cause.row, cause.reaction, cause.reset) == ("T7", HOLD, L1)
    assert cause.detail == "oven.c is not a believable number"


def test_a_zone_that_cannot_be_seen_names_the_sensor_and_a_number_without_a_unit_ends_at_the_number() -> None:
    scene = Scene(check(level(HOLD, 170, 165), bad_as=170, name="substrate", unit=""))
    assert scene.scan(nan).active[0].detail == "oven.c is not a believable number"
    scene = Scene(check(level(HOLD, 170, 165), name="substrate", unit=""))
    assert scene.scan(180).active[0].detail == "substrate is at 180 , the limit is 170"


def test_one_that_is_missing_or_old_is_told_as_late() -> None:
    scene = Scene(check(level(HOLD, 170, 165), bad_as=170))
    del scene.values["oven.c"]
    assert scene.scan(after_s=2.0).active == ()
    (cause,) = scene.scan().active
    assert (cause.row, cause.detail, cause.unread) == ("K14", "oven.c is too old", False)
    assert Scene(check(level(HOLD, 170, 165), source=Input("never.read", 0, 1), bad_as=170)).state.active[0].unread


def test_an_e_stop_that_cannot_be_read_keeps_its_own_reset() -> None:
    scene = Scene(check(level(ESTOP, 1, 0, L3), bad_as=1))
    scene.values["oven.c"] = nan
    assert scene.scan().active[0].reset is L3


@pytest.mark.parametrize(
    ("quality", "reaction", "blocks", "words"),
    [
        (Quality.UNCERTAIN, WARN, Blocks.NOTHING, "oven.c is doubted by its own device"),
        (Quality.TEST, BLOCK, Blocks.ALL, "oven.c is under test and says nothing of the tool"),
    ],
)
def test_a_doubted_value_that_reaches_no_limit_says_that_it_is_doubted(
    quality: Quality, reaction: Reaction, blocks: Blocks, words: str
) -> None:
    scene = Scene(check(level(HOLD, 170, 165)))
    scene.quality["oven.c"] = quality
    (cause,) = scene.scan(50).active
    assert (cause.row, cause.reaction, cause.blocks, cause.reset) == ("T7", reaction, blocks, AUTO)
    assert cause.detail == words
    assert scene.scan(180).active[0].reaction is HOLD


def test_a_doubted_value_keeps_the_worse_of_its_doubt_and_its_limit() -> None:
    scene = Scene(check(level(WARN, 160, 155, AUTO)))
    scene.quality["oven.c"] = Quality.TEST
    assert scene.scan(170).active[0].detail == "oven.c is under test and says nothing of the tool"
    assert scene.scan(170).active[0].reaction is BLOCK
    scene.quality["oven.c"] = Quality.UNCERTAIN
    assert scene.scan(170).active[0].row == "T1"


def test_a_doubted_value_of_a_rule_that_does_not_hold_is_nothing() -> None:
    scene = Scene(check(level(HOLD, 170, 165, when=lambda facts: False)))
    scene.quality["oven.c"] = Quality.TEST
    assert scene.scan(180).active == ()


# --- what a cause keeps ----------------------------------------------------------------------------------------------


def test_a_cause_keeps_its_beginning_while_row_and_reaction_stay() -> None:
    scene = Scene(check(level(WARN, 160, 155, AUTO), level(HOLD, 170, 165)))
    first = scene.scan(175).active[0]
    assert scene.scan(190).active[0] is first
    assert scene.scan(161).active[0] != first


def test_a_cause_that_asks_for_a_higher_reset_begins_anew() -> None:
    scene = Scene(check(level(HOLD, 170, 165, L2, row="T7"), bad_as=170))
    lost = scene.scan(nan).active[0]
    seen = scene.scan(180).active[0]
    assert (lost.reset, seen.reset) == (L1, L2) and seen.since_s > lost.since_s
    assert scene.scan(nan).active[0] is seen


def test_what_blocks_is_what_the_level_says_and_everything_from_hold_on() -> None:
    start = level(BLOCK, 160, 155, AUTO, blocks=Blocks.START)
    scene = Scene(check(start, level(HOLD, 170, 165, blocks=Blocks.GATE), level(WARN, 150, 140, AUTO)))
    found = [scene.scan(celsius).active[0].blocks for celsius in (155.0, 161.0, 175.0)]
    assert found == [Blocks.NOTHING, Blocks.START, Blocks.ALL]
    assert scene.state.blocked is Blocks.ALL


def test_a_measure_with_a_memory_keeps_it_however_calm_it_is() -> None:
    scene = Scene(check(level(HOLD, 3.0, 1.0), measure=Unchanged(FLOW), name="beats"))
    for count in range(1, 6):
        assert scene.scan(mfc_sccm=float(count)).active == ()
    assert [bool(scene.scan().active) for _ in range(4)] == [False, False, True, True]


# --- a scan that came late -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("late_s", "words"), [(0.2, ""), (0.35, " (this scan came 0.35 s late)"), (12.34, " (this scan came 12 s late)")]
)
def test_what_is_found_in_a_late_scan_says_so(late_s: float, words: str) -> None:
    scene = Scene(check(level(HOLD, 170, 165)), check(level(HOLD, 10, 5), source=FLOW, device=EVERYTHING))
    scene.samples[SCAN_LATE] = Sample(late_s, scene.now_s)
    causes = scene.scan(175, mfc_sccm=20.0).active
    assert causes[0].detail == "oven.c is at 175 °C, the limit is 170 °C" + words
    assert causes[1].detail == "mfc.sccm is at 20 °C, the limit is 10 °C"


# --- latch and first-out ---------------------------------------------------------------------------------------------


def test_a_warning_latches_nothing_and_a_hold_does() -> None:
    scene = Scene(check(level(WARN, 160, 155, AUTO), level(HOLD, 170, 165)))
    state = scene.scan(165)
    assert (state.level, state.latched, state.first_out, state.blocked) == (WARN, (), None, Blocks.NOTHING)
    state = scene.scan(175)
    assert [c.reaction for c in state.latched] == [HOLD] and state.level is HOLD
    assert state.first_out is not None and state.first_out.cause is state.latched[0]
    assert state.first_out.samples == scene.samples and state.first_out.facts == scene.facts
    assert scene.scan(20).level is HOLD and scene.state.blocked is Blocks.ALL


def test_a_latched_cause_takes_the_worse_reaction_the_higher_reset_and_the_newer_words() -> None:
    scene = Scene(check(level(HOLD, 170, 165, L2), level(PURGE, 180, 175, L1)))
    began_s = scene.scan(172).latched[0].since_s
    (worse,) = scene.scan(185).latched
    assert (worse.reaction, worse.reset, worse.since_s) == (PURGE, L2, began_s)
    assert worse.detail == "oven.c is at 185 °C, the limit is 180 °C"
    assert scene.scan(172).latched == (worse,)
    higher = Scene(check(level(HOLD, 170, 165, L1), level(PURGE, 180, 175, L2)))
    higher.scan(172)
    assert higher.scan(185).latched[0].reset is L2


def test_a_latched_cause_that_comes_again_keeps_the_words_of_its_first_time() -> None:
    scene = Scene(check(level(HOLD, 170, 165)))
    first = scene.scan(175).latched
    scene.scan(20)
    assert scene.scan(190).latched is first and first[0].detail == "oven.c is at 175 °C, the limit is 170 °C"


def test_what_several_causes_block_is_blocked() -> None:
    pulse = check(level(BLOCK, 10, 5, AUTO, blocks=Blocks.PULSE), source=FLOW)
    scene = Scene(check(level(BLOCK, 170, 165, AUTO, blocks=Blocks.START)), pulse)
    assert scene.scan(175, mfc_sccm=20.0).blocked is Blocks.START | Blocks.PULSE


def test_of_one_scan_the_most_severe_is_first_out_and_of_equals_what_was_seen_before_what_is_old() -> None:
    hot, flow = check(level(HOLD, 170, 165)), check(level(PURGE, 10, 5), source=FLOW)
    scene = Scene(hot, flow)
    state = scene.scan(175, mfc_sccm=20.0)
    assert state.first_out is not None and state.first_out.cause.name == "mfc.sccm"
    for lost, order in ((HOLD, ["mfc.sccm", "oven.c"]), (PURGE, ["oven.c", "mfc.sccm"])):
        old = Scene(check(level(lost, 170, 165), bad_as=170), check(level(HOLD, 10, 5), source=FLOW))
        del old.values["oven.c"]
        assert [c.name for c in old.scan(mfc_sccm=20.0, after_s=3.0).latched] == order


def test_of_one_scan_the_link_comes_before_what_it_made_old_and_a_late_scan_before_both() -> None:
    link = check(level(HOLD, 10, 5), source=FLOW, device="oven", link=True)
    oven = check(level(HOLD, 170, 165), bad_as=170)
    scene = Scene(oven, link)
    del scene.values["oven.c"]
    assert [c.name for c in scene.scan(mfc_sccm=20.0, after_s=3.0).latched] == ["mfc.sccm", "oven.c"]
    late = check(level(WARN, 0.2, 0.1, AUTO), level(HOLD, 1.0, 0.5), source=Input(SCAN_LATE, 0, 60), device=EVERYTHING)
    scene = Scene(replace(oven, levels=(level(PURGE, 170, 165),)), link, late)
    del scene.values["oven.c"]
    scene.values[SCAN_LATE] = 2.0
    assert [c.name for c in scene.scan(mfc_sccm=20.0, after_s=3.0).latched] == [SCAN_LATE, "oven.c", "mfc.sccm"]


def test_what_was_seen_in_a_late_scan_is_as_severe_as_it_is() -> None:
    late = check(level(HOLD, 1.0, 0.5), source=Input(SCAN_LATE, 0, 60), device=EVERYTHING)
    scene = Scene(late, check(level(PURGE, 170, 165)))
    scene.values[SCAN_LATE] = 2.0
    assert [c.name for c in scene.scan(175).latched] == ["oven.c", SCAN_LATE]


def test_news_are_told_once_the_most_severe_first() -> None:
    scene = Scene(check(level(HOLD, 170, 165), level(PURGE, 180, 175)), check(level(ISOLATE, 10, 5), source=FLOW))
    before = scene.state
    after = scene.scan(175, mfc_sccm=20.0)
    assert [c.reaction for c in news(before, after)] == [ISOLATE, HOLD]
    assert news(after, scene.scan(175)) == ()
    (grown,) = news(after, scene.scan(185))
    assert (grown.name, grown.reaction) == ("oven.c", PURGE)


# --- what is refused -------------------------------------------------------------------------------------------------


def test_time_that_runs_backwards_is_an_error() -> None:
    scene = Scene(check(level(HOLD, 170, 165)))
    with pytest.raises(ValueError, match=r"^the scan at 100\.5 s comes before the one at 101 s$"):
        step(scene.state, scene.samples, scene.facts, 100.5)
    assert step(scene.state, scene.samples, scene.facts, 101.0).at_s == 101.0


@pytest.mark.parametrize("reaction", [HOLD, PURGE, ISOLATE, ESTOP])
def test_what_holds_must_latch(reaction: Reaction) -> None:
    says = f"^T1: {reaction.name} must latch; give it a reset by L1, L2 or L3$"
    with pytest.raises(ValueError, match=says):
        level(reaction, 170, 165, AUTO)
    assert level(BLOCK, 170, 165, AUTO).reset is AUTO


@pytest.mark.parametrize("clear", [170, 171])
def test_a_level_without_a_dead_band_is_refused(clear: float) -> None:
    with pytest.raises(ValueError, match=f"^T1: the clear value {clear} must be below the limit 170$"):
        level(HOLD, 170, clear)


def test_a_calm_check_that_nothing_woke_for_long_remembers_what_it_saw() -> None:
    scene = Scene(check(level(HOLD, 170, 165)), check(level(HOLD, 1, 0.5), source=FLOW, measure=Changed(FLOW)))
    for _ in range(6):
        assert scene.scan().active == ()
    scene.scan(mfc_sccm=1.0)
    assert scene.reactions == [HOLD]


def test_a_limit_persists_from_its_beginning_however_long_its_check_was_calm() -> None:
    scene = Scene(check(level(HOLD, 170, 165, persist_s=3.0)))
    for _ in range(6):
        scene.scan()
    assert [bool(scene.scan(171.0).active) for _ in range(4)] == [False, False, False, True]


def test_a_calm_check_hides_none_behind_it_that_grows_old() -> None:
    scene = Scene(check(level(HOLD, 170, 165)), check(level(HOLD, 400, 300), source=FLOW, bad_as=500.0))
    scene.scan()
    del scene.values["mfc.sccm"]  # nobody reads it any more
    assert [bool(scene.scan().active) for _ in range(3)] == [False, False, True]
