"""Where exactly the rules of the valve word draw their lines, sentence by sentence."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ald_controller.valves.rules import MOST_EDGES, Rules
from ald_controller.valves.wire import EngineConfig, Position, Segment, SegmentId, Source
from tests.engine_rig import Rig, segment
from tests.valve_rig import CONFIG, H2O, LTB, MS, STOP, TMA, S

EG, FILL, X = 8, 16, 32
SEVERAL = replace(
    CONFIG,
    sources=(
        Source("TMA", TMA, "metal-organic", S, 8 * MS),
        Source("H2O", H2O, "protic", 5 * S),
        Source("LTB", LTB, "metal-organic", 12 * S),
        Source("EG", EG, "protic", 20 * S, 8 * MS, (Position("fill", FILL, 30 * S),)),
        Source("X", X, "protic", 20 * S),
    ),
    segment_mask=CONFIG.segment_mask | EG | FILL | X,
    compatible=(("EG", "X"), ("LTB", "TMA")),
)


def said(*edges: tuple[int, int], config: EngineConfig = SEVERAL) -> str:
    """Why this segment is refused, or ''."""
    return Rig(config).load(segment(*edges))


# --- shape -----------------------------------------------------------------------------------------------------------


def test_a_segment_of_as_many_edges_as_may_be_is_taken() -> None:
    assert said(*((k * MS, 0) for k in range(MOST_EDGES))) == ""


def test_a_segment_may_last_no_time_at_all() -> None:
    assert Rig().load(Segment(SegmentId("r", 1, 0), (), 0)) == ""


def test_a_segment_may_end_with_its_last_edge() -> None:
    assert Rig().load(segment((0, TMA), (S, 0), length_ns=S)) == ""
    assert Rig().load(segment((0, TMA), (S, 0), length_ns=S - 1)) == (
        "edge 1 at 1.000 s lies after the segment's end at 1.000 s"
    )


def test_a_refusal_tells_a_week_to_the_millisecond() -> None:
    week = 7 * 24 * 3600 * S
    assert said((week, 1 << 9)).startswith("edge 0 at 604800.000 s sets bits 0x0200")


# --- how long --------------------------------------------------------------------------------------------------------


def test_an_opening_lasts_from_its_shortest_to_its_longest_both_included() -> None:
    assert said((0, TMA), (8 * MS, 0)) == "" and said((0, TMA), (S, 0)) == ""
    assert "its valve needs 0.008 s at least" in said((0, TMA), (8 * MS - 1, 0))
    assert "no longer than 1.000 s" in said((0, TMA), (S + 1, 0))


def test_a_source_without_a_shortest_opening_may_open_for_a_nanosecond_and_not_for_none() -> None:
    assert said((0, LTB), (1, 0)) == ""
    assert said((0, LTB), (0, 0)) == "edge 0 at 0.000 s opens LTB for no time at all"


def test_the_shortest_opening_is_that_of_the_dose_and_not_of_the_filling() -> None:
    assert said((0, FILL), (MS, 0)) == ""
    assert "its valve needs" in said((0, EG), (MS, 0))


def test_without_real_time_priority_a_filling_is_as_long_as_a_dose() -> None:
    rig = Rig(SEVERAL, degraded=True)
    assert "without real-time priority a dose lasts at least 0.200 s" in rig.load(segment((0, FILL), (199 * MS, 0)))


# --- how far apart ---------------------------------------------------------------------------------------------------


def test_the_closed_time_between_reactants_is_exact() -> None:
    assert said((0, TMA), (S, 0), (2 * S, H2O), (3 * S, 0)) == ""
    assert said((0, TMA), (S, 0), (2 * S - 1, H2O), (3 * S, 0)).endswith(
        "opens H2O 1.000 s after TMA closed: protic and metal-organic need 1.000 s between them"
    )


def test_of_two_that_closed_together_the_first_one_is_named() -> None:
    why = said((0, LTB), (MS, LTB | TMA), (S, 0), (1500 * MS, H2O), (2 * S, 0))
    assert (
        why
        == "edge 3 at 1.500 s opens H2O 0.500 s after LTB closed: protic and metal-organic need 1.000 s between them"
    )


def test_the_distance_counts_from_the_last_closing_of_a_source() -> None:
    twice = ((0, TMA), (S, 0), (2 * S, TMA), (2500 * MS, 0))
    assert "0.999 s after TMA closed" in said(*twice, (3499 * MS, H2O), (4 * S, 0))
    assert said(*twice, (3500 * MS, H2O), (4 * S, 0)) == ""


def test_a_partner_that_stays_open_hides_no_position_that_closed_too_short_ago() -> None:
    def refilled(between_ns: int) -> str:
        opens = 2 * S + between_ns
        return said((0, X), (S, X | FILL), (2 * S, X), (opens, X | EG), (opens + S, X), (5 * S, 0))

    assert refilled(50 * MS) == ""
    assert refilled(49 * MS).startswith("edge 3 at 2.049 s opens EG 0.049 s after EG (fill) closed")


# --- what stands in a word -------------------------------------------------------------------------------------------


def test_how_a_word_lets_the_sources_stand_is_worked_out_once() -> None:
    rules = Rules(SEVERAL, degraded=False)
    assert rules.open(TMA | LTB) is rules.open(TMA | LTB | STOP), "an edge has a tenth of a millisecond"
    assert [str(stand) for stand in rules.open(FILL | TMA)] == ["TMA", "EG (fill)"]


def test_the_dosing_stand_of_a_source_has_no_name_and_the_others_have_theirs() -> None:
    rules = Rules(SEVERAL, degraded=False)
    assert [stand.position for stand in (*rules.open(EG), *rules.open(FILL))] == ["", "fill"]


# --- what may be configured ------------------------------------------------------------------------------------------


def test_an_output_of_two_owners_is_refused_in_a_sentence() -> None:
    with pytest.raises(ValueError) as refused:
        Rules(replace(CONFIG, aux_mask=STOP), degraded=False)
    assert str(refused.value) == "segment, aux and alive masks share a bit: every output has one owner"


def test_a_source_may_have_one_width_only_and_that_may_be_a_nanosecond() -> None:
    only = replace(CONFIG, sources=(Source("A", 1, "protic", 1, 1),))
    assert said((0, 1), (1, 0), config=only) == ""
