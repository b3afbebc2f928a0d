"""What the valve engine makes of edges that meet: on the tick, in a missed dose, after a cut, after a late close."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from ald_controller.valves.engine import Engine
from ald_controller.valves.wire import (
    Abort,
    Anchored,
    Aux,
    Beat,
    Clear,
    Edge,
    Held,
    Hold,
    Load,
    Missed,
    Position,
    Refused,
    SegmentId,
    Source,
    State,
    Trim,
)
from tests.engine_rig import LEAD, Rig, segment
from tests.valve_rig import CONFIG, CONTACTOR, H2O, LTB, MS, SOURCES, STOP, TMA, S, dose

ID = SegmentId("r", 1, 0)
PAIR = replace(CONFIG, compatible=(("LTB", "TMA"),))


def edges(rig: Rig) -> list[int]:
    """The numbers of the edges told, in order."""
    return [each.index for each in rig.told if isinstance(each, Edge)]


# --- on the tick -----------------------------------------------------------------------------------------------------


def test_an_edge_as_late_as_it_may_be_is_not_counted_as_late() -> None:
    rig = Rig()
    rig.load(segment((0, 0), (100 * MS, LTB), (200 * MS, 0)))
    rig.run(LEAD + 50 * MS)
    rig.jump(LEAD + 100 * MS + CONFIG.late_ns)
    rig.jump(LEAD + 200 * MS + CONFIG.late_ns)
    assert rig.engine.late_edges == 0 and edges(rig) == [0, 1, 2]


def test_an_opening_whose_close_falls_due_at_this_moment_is_missed() -> None:
    rig = Rig()
    rig.load(segment((0, 0), (100 * MS, LTB), (103 * MS, 0)))
    rig.run(LEAD + 50 * MS)
    rig.jump(LEAD + 103 * MS)
    assert rig.of(Missed) == [Missed(ID, 1, 3 * MS)]
    assert all(not word & SOURCES for _, word in rig.words)


def test_an_opening_on_time_is_written_even_where_no_lateness_is_allowed() -> None:
    rig = Rig(replace(CONFIG, late_ns=0))
    rig.load(dose(0, LTB, 15 * MS, S))
    rig.run(S)
    assert rig.of(Missed) == [] and edges(rig) == [0, 1, 2]


def test_a_segment_that_comes_as_the_last_one_ends_has_a_lead_of_its_own() -> None:
    rig = Rig()
    rig.load(dose(0, TMA, 15 * MS, S))
    rig.run(LEAD + S)
    rig.load(dose(1, TMA, 15 * MS, S))
    assert rig.of(Anchored)[1] == Anchored(SegmentId("r", 2, 1), LEAD + S + LEAD, LEAD)


def test_a_word_that_is_no_edge_is_due_when_it_is_asked_for() -> None:
    rig = Rig()
    rig.engine.hear(5 * MS, Aux(CONTACTOR, CONTACTOR))
    write = rig.engine.step(5 * MS)
    assert write is not None and (write.of, write.due_ns, write.word) == (None, 5 * MS, CONTACTOR)


def test_the_next_edge_is_that_of_the_running_segment_whatever_waits_behind_it() -> None:
    rig = Rig()
    rig.load(dose(0, TMA, 15 * MS, S, start_ns=100 * MS))
    rig.load(dose(1, TMA, 15 * MS, S))
    assert rig.engine.next_edge_at() == rig.engine.next_at() == LEAD
    rig.run(LEAD + 50 * MS)
    assert rig.engine.next_edge_at() == LEAD + 100 * MS


def test_the_first_safe_word_and_one_that_comes_again_are_no_edges() -> None:
    engine = Engine(CONFIG)
    engine.assume(STOP, 1, 2)
    engine.assume(0, 3, 4)
    engine.assume(STOP, 5, 6)
    assert list(engine.reports()) == [] and engine.word == STOP


# --- a source once shut stays shut -----------------------------------------------------------------------------------


def test_trimming_one_dose_opens_nothing_of_a_pair_whose_other_dose_was_missed() -> None:
    rig = Rig(PAIR)
    wanted = segment((0, 0), (S, LTB), (2 * S, LTB | TMA), (2500 * MS, LTB), (3 * S, 0))
    rig.load(wanted)
    rig.run(LEAD + 500 * MS)
    rig.jump(LEAD + S + 6 * MS)
    rig.run(LEAD + 2 * S + 100 * MS)
    rig.hear(Trim(wanted.id))
    rig.run(LEAD + 4 * S)
    assert rig.of(Missed) == [Missed(ID, 1, 6 * MS)]
    assert [word for _, word in rig.words] == [0, TMA, 0]


def test_missing_one_dose_opens_nothing_of_a_pair_whose_other_dose_was_missed() -> None:
    rig = Rig(PAIR)
    rig.load(segment((0, 0), (S, LTB), (2 * S, LTB | TMA), (2500 * MS, LTB), (3 * S, 0)))
    for due_ns in (S, 2 * S):
        rig.run(LEAD + due_ns - MS)
        rig.jump(LEAD + due_ns + 6 * MS)
    rig.run(LEAD + 4 * S)
    assert rig.of(Missed) == [Missed(ID, 1, 6 * MS), Missed(ID, 2, 6 * MS)]
    assert [word for _, word in rig.words if word] == []


def test_an_edge_that_repeats_its_word_is_told_within_a_missed_dose_as_in_any_other() -> None:
    wanted = segment((0, 0), (100 * MS, LTB), (200 * MS, LTB), (300 * MS, 0))
    rig = Rig()
    rig.load(wanted)
    rig.run(S)
    assert edges(rig) == [0, 1, 2, 3]
    rig = Rig()
    rig.load(wanted)
    rig.run(LEAD + 50 * MS)
    rig.jump(LEAD + 110 * MS)
    rig.run(S)
    assert edges(rig) == [0, 2] and all(not word for _, word in rig.words)


def test_a_source_that_was_shut_late_counts_from_when_it_was_shut() -> None:
    rig = Rig()
    rig.load(dose(0, LTB, 100 * MS, 1100 * MS))
    rig.run(LEAD + 50 * MS)
    rig.jump(LEAD + 900 * MS)
    assert "opens H2O 0.200 s after LTB closed" in rig.load(dose(1, H2O, 15 * MS, S))
    assert rig.load(dose(1, H2O, 15 * MS, S, start_ns=800 * MS)) == ""


def test_the_count_of_missed_doses_begins_anew_with_a_reset() -> None:
    rig = Rig()
    for half in range(2):
        rig.load(segment((0, 0), *((k * 100 * MS, LTB * (k % 2)) for k in range(1, 9)), half=half))
        start = rig.of(Anchored)[-1].at_ns  # type: ignore[union-attr]
        for k in (1, 3, 5):
            assert rig.engine.held == ""
            rig.run(start + k * 100 * MS - MS)
            rig.jump(start + k * 100 * MS + 6 * MS)
        assert rig.engine.held == "late: 3 doses in a row were missed"
        assert rig.of(Held)[-1] == Held(rig.engine.held, SegmentId("r", 1, half), start + 506 * MS)
        rig.hear(Clear())


# --- cuts ------------------------------------------------------------------------------------------------------------


def test_a_cut_after_the_last_edge_is_told_under_the_number_of_the_last_edge() -> None:
    rig = Rig()
    rig.load(dose(0, LTB, 15 * MS, 10 * S))
    rig.run(S)
    assert rig.hear(State("AT_BOX"))[1] == Edge(ID, 2, STOP, S, S, S)


def test_a_cut_says_when_it_was_and_what_it_cut() -> None:
    for message, why in ((Abort("a test"), "abort: a test"), (Hold("a test"), "hold: a test")):
        rig = Rig()
        rig.load(dose(0, LTB, 5 * S, 10 * S))
        rig.run(S)
        assert rig.hear(message)[0] == Held(why, ID, S)


def test_all_that_may_not_open_now_is_named() -> None:
    rig = Rig(PAIR)
    rig.load(segment((0, 0), (100 * MS, LTB | TMA), (200 * MS, 0)))
    rig.run(LEAD + 50 * MS)
    rig.beat(H2O)
    rig.jump(LEAD + 100 * MS)
    assert rig.engine.held == "permit: TMA, LTB may not open now"


def in_a_dose(rig: Rig) -> None:
    rig.hear(Aux(CONTACTOR, CONTACTOR))
    rig.load(segment((0, 0), *((k * 100 * MS, LTB * (k % 2)) for k in range(1, 9))))
    rig.run(LEAD + 50 * MS)


def by_the_chamber(rig: Rig) -> None:
    rig.hear(State("AT_BOX"))


def by_the_guard(rig: Rig) -> None:
    rig.beat(0)
    rig.jump(LEAD + 100 * MS)


def by_lateness(rig: Rig) -> None:
    for k in (1, 3, 5):
        rig.run(LEAD + k * 100 * MS - MS)
        rig.jump(LEAD + k * 100 * MS + 6 * MS)


def by_a_hold(rig: Rig) -> None:
    rig.hear(Hold("a test"))


@pytest.mark.parametrize("cut", [by_the_chamber, by_the_guard, by_lateness, by_a_hold])
def test_what_ends_a_segment_without_danger_leaves_the_heaters_on_and_may_switch_them(
    cut: Callable[[Rig], None],
) -> None:
    rig = Rig()
    in_a_dose(rig)
    cut(rig)
    assert rig.engine.held and rig.engine.word & CONTACTOR
    assert rig.hear(Aux(CONTACTOR, 0)) == [] and not rig.engine.word & CONTACTOR
    assert rig.hear(Aux(CONTACTOR, CONTACTOR)) == [] and rig.engine.word & CONTACTOR


# --- other bottles, and what the engine says -------------------------------------------------------------------------


def test_a_computer_without_real_time_priority_stays_one_with_other_bottles() -> None:
    rig = Rig(degraded=True)
    assert rig.hear(replace(CONFIG, sources=tuple(replace(each, kind="protic") for each in CONFIG.sources))) == []
    assert "without real-time priority" in rig.load(dose(0, TMA, 199 * MS, S))


def test_an_engine_counts_on_real_time_priority_unless_told_otherwise() -> None:
    engine = Engine(CONFIG)
    for message in (Beat(0, SOURCES), Clear(), Load(segment((0, TMA), (15 * MS, STOP)))):
        engine.hear(0, message)
    assert list(engine.reports()) == [Anchored(ID, LEAD, 0)]


def test_other_wiring_is_refused_in_a_sentence() -> None:
    (refused,) = Rig().hear(replace(CONFIG, min_closed_ns=0))
    assert refused.why == (  # type: ignore[union-attr]
        "only kinds and longest openings change; other wiring needs a new valve process"
    )


def test_heartbeats_count_from_any_number() -> None:
    rig = Rig(ready=False)
    rig.hear(Beat(0, SOURCES))
    assert rig.engine.alive and rig.hear(Clear()) == []


# --- when it really closed -------------------------------------------------------------------------------------------


def test_a_closing_that_left_late_counts_from_when_it_left() -> None:
    rig = Rig()
    rig.load(dose(0, LTB, 100 * MS, 1100 * MS))
    rig.run(LEAD + 150 * MS)
    rig.engine.left(LEAD + 180 * MS)
    rig.engine.left(LEAD + 900 * MS)  # nothing is in hand any more
    rig.run(LEAD + 200 * MS)
    assert "opens H2O 0.920 s after LTB closed" in rig.load(dose(1, H2O, 15 * MS, S))


@pytest.mark.parametrize(("lost_ns", "gap_s"), [(LEAD + 1100 * MS - 1, "0.020"), (LEAD + 1100 * MS, "")])
def test_what_closed_shortly_before_the_module_was_lost_may_have_closed_when_it_was_found(
    lost_ns: int, gap_s: str
) -> None:
    rig = Rig()
    rig.load(dose(0, LTB, 100 * MS, 1100 * MS))
    rig.run(LEAD + 100 * MS)
    rig.now = lost_ns
    rig.engine.fault(lost_ns, "the link is cut")
    found_ns = lost_ns + 500 * MS
    rig.now = found_ns
    rig.engine.assume(0, found_ns, found_ns)
    rig.engine.repaired()
    rig.beat()
    rig.hear(Clear())
    said = rig.load(dose(1, H2O, 15 * MS, S))
    assert said == "" if not gap_s else f"opens H2O {gap_s} s after LTB closed" in said


# --- one source after itself -----------------------------------------------------------------------------------------


def test_a_source_that_opens_again_at_once_is_refused_within_a_segment_and_across() -> None:
    rig = Rig()
    seamless = segment((0, TMA), (S, 0), (S, TMA), (2 * S, 0))
    assert rig.load(seamless) == (
        "edge 2 at 1.000 s opens TMA 0.000 s after TMA closed: openings of one source need 0.010 s between them"
    )
    assert rig.load(segment((0, TMA), (S, 0), (S + 10 * MS, TMA), (2 * S, 0), length_ns=2 * S)) == ""
    assert "openings of one source need 0.010 s" in rig.load(segment((0, TMA), (S, 0), half=1))
    assert rig.load(segment((10 * MS, TMA), (S, 0), half=2)) == ""


# --- a filling that is missed ----------------------------------------------------------------------------------------

FILL, OUT = 2, 4
FILLED = replace(
    CONFIG,
    sources=(
        Source("TMA", TMA, "metal-organic", S),
        Source("EG", OUT, "protic", 2 * S, positions=(Position("fill", FILL, 4 * S),)),
    ),
)


def test_the_dose_of_a_volume_that_was_not_filled_is_the_one_that_is_missed() -> None:
    rig = Rig(FILLED)
    rig.load(
        segment((S, FILL), (2 * S, 0), (3 * S, OUT), (4 * S, 0), (5 * S, FILL), (6 * S, 0), (7 * S, OUT), (8 * S, 0))
    )
    rig.run(LEAD + 900 * MS)
    rig.jump(LEAD + S + 6 * MS)
    assert rig.of(Missed) == [], "a filling is no dose"
    rig.run(LEAD + 9 * S)
    assert rig.of(Missed) == [Missed(ID, 2, 6 * MS)]
    assert [word for _, word in rig.words] == [FILL, 0, OUT, 0], "the second time all is well"


def test_three_volumes_in_a_row_that_were_not_filled_hold() -> None:
    rig = Rig(FILLED)
    for half in range(3):
        assert rig.load(segment((S, FILL), (2 * S, 0), (3 * S, OUT), (4 * S, 0), length_ns=5 * S, half=half)) == ""
        start_ns = rig.now + LEAD if half == 0 else LEAD + half * 5 * S
        rig.run(start_ns + 900 * MS)
        rig.jump(start_ns + S + 6 * MS)
        rig.run(start_ns + 4500 * MS)
    assert len(rig.of(Missed)) == 3 and rig.engine.held.startswith("late: ")


def test_a_filling_as_late_as_an_edge_may_be_is_given_and_makes_good_one_that_was_missed() -> None:
    rig = Rig(FILLED)
    rig.load(segment((S, FILL), (2 * S, 0), (3 * S, FILL), (4 * S, 0), (5 * S, OUT), (6 * S, 0)))
    rig.run(LEAD + 900 * MS)
    rig.jump(LEAD + S + 6 * MS)
    rig.run(LEAD + 2900 * MS)
    rig.jump(LEAD + 3 * S + CONFIG.late_ns)
    rig.run(LEAD + 7 * S)
    assert [word for _, word in rig.words] == [FILL, 0, OUT, 0] and rig.of(Missed) == []


def test_a_filling_on_time_is_given_even_where_no_lateness_is_allowed() -> None:
    rig = Rig(replace(FILLED, late_ns=0))
    rig.load(segment((S, FILL), (2 * S, 0), (3 * S, OUT), (4 * S, 0)))
    rig.run(LEAD + 5 * S)
    assert [word for _, word in rig.words] == [FILL, 0, OUT, 0]


def test_a_filling_in_time_is_no_dose_in_time() -> None:
    rig = Rig(FILLED)
    rig.load(segment((S, TMA), (S + 10 * MS, 0), (2 * S, TMA), (2 * S + 10 * MS, 0), (3 * S, FILL), (4 * S, 0),
                     (5 * S, OUT), (6 * S, 0)))  # fmt: skip
    for late_ns in (S, 2 * S, 5 * S):
        rig.run(LEAD + late_ns - 50 * MS)
        rig.jump(LEAD + late_ns + 6 * MS)
    assert len(rig.of(Missed)) == 3 and rig.engine.held.startswith("late: ")


def test_two_volumes_that_were_not_filled_are_two_missed_doses() -> None:
    other = Source("X", 8, "protic", S, positions=(Position("fill", 16, S),))
    config = replace(FILLED, sources=(*FILLED.sources, other), segment_mask=FILLED.segment_mask | 24)
    rig = Rig(config)
    rig.load(segment((S, FILL), (S + 10 * MS, 0), (2 * S, 16), (2 * S + 10 * MS, 0), (3 * S, OUT), (3 * S + 10 * MS, 0),
                     (4 * S, 8), (4 * S + 10 * MS, 0)))  # fmt: skip
    late = {10: 6 * MS, 20: 6 * MS}  # at these tenths of a second the host comes too late
    for tenth in range(45):
        rig.now = LEAD + tenth * 100 * MS + late.get(tenth, 0)
        rig.beat(0xFF)
    assert [each.index for each in rig.of(Missed)] == [4, 6] and rig.words == []  # type: ignore[union-attr]


def test_positions_do_not_change_with_the_bottles() -> None:
    rig = Rig(FILLED)
    moved = replace(FILLED.sources[1], positions=(Position("fill", STOP, 4 * S),))
    (refused,) = rig.hear(replace(FILLED, sources=(FILLED.sources[0], moved)))
    assert isinstance(refused, Refused) and "other wiring" in refused.why
