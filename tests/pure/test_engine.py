"""The valve engine, sentence by sentence."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from ald_controller.valves.engine import Engine, Write
from ald_controller.valves.wire import (
    Abort,
    Anchored,
    Aux,
    Beat,
    Clear,
    Edge,
    Ended,
    EngineConfig,
    Fault,
    Held,
    Hold,
    Load,
    Missed,
    Position,
    Refused,
    Segment,
    SegmentId,
    Source,
    State,
    Trim,
)
from tests.engine_rig import LEAD, LEASE, Rig, segment
from tests.valve_rig import CONFIG, CONTACTOR, H2O, LTB, MS, SOURCES, STOP, TMA, S, dose


@pytest.fixture
def rig() -> Iterator[Rig]:
    yield Rig()


# --- boot, reset, rest -----------------------------------------------------------------------------------------------


def test_an_engine_comes_up_held_in_the_rest_word_of_an_unknown_chamber() -> None:
    rig = Rig(ready=False)
    rig.turn()
    assert rig.words == [(0, STOP)] and rig.engine.held == "boot"
    assert rig.load(dose(0, TMA, 15 * MS, S)) == "the engine is held (boot): reset it first"


def test_a_tool_without_a_rest_word_for_unknown_rests_in_zeros() -> None:
    rig = Rig(replace(CONFIG, rest_words={"VACUUM": 0}), ready=False)
    rig.turn()
    assert rig.words == []


def test_a_reset_needs_a_live_heartbeat() -> None:
    rig = Rig(ready=False)
    assert rig.hear(Clear()) == [Refused(None, "not cleared: there is no live heartbeat")]
    rig.beat()
    assert rig.hear(Clear()) == [] and rig.engine.held == ""


BOTTLES = tuple(replace(source, kind="protic", longest_open_ns=2 * S) for source in CONFIG.sources)


def test_other_bottles_change_the_facts_of_sources_while_nothing_runs(rig: Rig) -> None:
    assert rig.hear(replace(CONFIG, sources=BOTTLES)) == []
    edges = ((0, 0), (S, TMA), (3 * S, H2O), (4 * S, 0))
    assert rig.load(segment(*edges)) == "", "protic after protic, for 2 s"


@pytest.mark.parametrize(
    ("config", "why"),
    [
        (replace(CONFIG, sources=BOTTLES[:2]), "other wiring needs a new valve process"),
        (replace(CONFIG, min_closed_ns=0), "other wiring needs a new valve process"),
        (replace(CONFIG, sources=(replace(BOTTLES[0], longest_open_ns=0), *BOTTLES[1:])), "needs a longest opening"),
    ],
)
def test_nothing_but_the_facts_of_sources_changes(rig: Rig, config: EngineConfig, why: str) -> None:
    (refused,) = rig.hear(config)
    assert isinstance(refused, Refused) and refused.id is None and why in refused.why
    assert "for 1.500 s: no longer than 1.000 s" in rig.load(dose(0, TMA, 1500 * MS, 2 * S))


def test_bottles_do_not_change_while_a_segment_runs(rig: Rig) -> None:
    rig.load(dose(0, TMA, 15 * MS, S))
    assert rig.hear(replace(CONFIG, sources=BOTTLES)) == [
        Refused(None, "what hangs at the ports does not change while a segment runs")
    ]


def test_a_chamber_state_selects_the_rest_word_at_once(rig: Rig) -> None:
    rig.hear(State("AT_BOX"))
    assert rig.words[-1] == (0, STOP)
    assert rig.hear(State("AT_BOX")) == []
    (refused,) = rig.hear(State("ON_FIRE"))
    assert refused == Refused(None, "there is no rest word for chamber state ON_FIRE")


def test_a_segment_planned_for_another_state_of_the_chamber_is_cut(rig: Rig) -> None:
    rig.load(dose(0, LTB, 5 * S, 6 * S))
    rig.run(S)
    told = rig.hear(State("AT_BOX"))
    assert told[0] == Held("state: the chamber became AT_BOX", dose(0, LTB, 1, 1).id, S)
    assert rig.words[-1] == (S, STOP)


# --- running ---------------------------------------------------------------------------------------------------------


def test_a_segment_starts_after_the_lead_and_every_edge_is_accounted_for(rig: Rig) -> None:
    rig.load(dose(0, TMA, 15 * MS, S))
    rig.run(2 * S)
    id = SegmentId("r", 1, 0)
    assert [message for message in rig.told if not isinstance(message, Held)] == [
        Anchored(id, LEAD, 0),
        Edge(id, 0, 0, LEAD, LEAD, LEAD),
        Edge(id, 1, TMA, LEAD, LEAD, LEAD),
        Edge(id, 2, 0, LEAD + 15 * MS, LEAD + 15 * MS, LEAD + 15 * MS),
        Ended(id, LEAD + S),
    ]
    assert rig.engine.wear.told(0).actuations[:3] == (1, 0, 0)
    assert rig.engine.late_edges == 0 and rig.engine.running is None


def test_a_segment_queued_in_time_starts_where_the_last_one_ends(rig: Rig) -> None:
    rig.load(dose(0, TMA, 15 * MS, 2 * S))
    rig.run(S)
    rig.load(dose(1, H2O, 15 * MS, 2 * S))
    assert rig.engine.queued == 1 and rig.engine.running == SegmentId("r", 1, 0)
    rig.run(5 * S)
    assert rig.of(Anchored)[1] == Anchored(SegmentId("r", 2, 1), LEAD + 2 * S, 0)
    assert (LEAD + 2 * S, H2O) in rig.words


def test_a_segment_that_comes_late_adds_rest_and_says_how_much(rig: Rig) -> None:
    rig.load(dose(0, TMA, 15 * MS, S))
    rig.run(3 * S)
    rig.load(dose(1, H2O, 15 * MS, S))
    assert rig.of(Anchored)[1] == Anchored(SegmentId("r", 2, 1), 3 * S + LEAD, 2 * S)
    rig.run(5 * S)
    rig.load(dose(0, TMA, 15 * MS, S, run="another"))
    assert rig.of(Anchored)[2] == Anchored(SegmentId("another", 1, 0), 5 * S + LEAD, 0)


def test_a_segment_without_edges_is_a_purge(rig: Rig) -> None:
    rig.load(Segment(SegmentId("r", 1, 0), (), 10 * S))
    rig.run(11 * S)
    assert rig.words == [] and rig.of(Ended) == [Ended(SegmentId("r", 1, 0), LEAD + 10 * S)]


def test_a_purge_that_is_cut_leaves_no_edge(rig: Rig) -> None:
    rig.load(Segment(SegmentId("r", 1, 0), (), 10 * S))
    rig.run(S)
    rig.hear(State("AT_BOX"))
    assert rig.words == [(S, STOP)] and rig.of(Edge) == []


def test_an_exposure_shuts_the_stop_valve_and_opens_it_again(rig: Rig) -> None:
    edges = ((0, 0), (S, TMA | STOP), (S + 15 * MS, STOP), (5 * S, 0))
    assert rig.load(Segment(SegmentId("r", 1, 0), edges, 6 * S)) == ""
    rig.run(7 * S)
    assert [word for _, word in rig.words] == [0, TMA | STOP, STOP, 0]


def test_nothing_is_due_when_nothing_runs_and_nobody_beats() -> None:
    rig = Rig(ready=False)
    rig.turn()
    assert rig.engine.next_at() is None and rig.engine.next_edge_at() is None
    assert not rig.engine.alive


def test_an_unconfirmed_edge_holds_back_what_was_told_after_it(rig: Rig) -> None:
    rig.load(dose(0, TMA, 15 * MS, S))
    rig.engine.hear(LEAD, Beat(99, SOURCES))
    first = rig.engine.step(LEAD)
    assert isinstance(first, Write) and first.word == 0
    rig.engine.hear(LEAD, Hold("a test"))
    assert list(rig.engine.reports()) == []
    first.settled = True
    assert [type(message) for message in rig.engine.reports()] == [Edge, Held]


# --- refusals --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("refused", "why"),
    [
        (segment((0, 0), (S, 1 << 9), (2 * S, 0)), "edge 1 at 1.000 s sets bits 0x0200, which belong to no source"),
        (segment((0, 0), (S, CONTACTOR), (2 * S, 0)), "edge 1 at 1.000 s sets bits 0x0080, which belong to no source"),
        (segment((0, 0), (S, TMA | H2O), (2 * S, 0)), "edge 1 at 1.000 s opens TMA and H2O together: one source"),
        (segment((0, 0), (S, TMA | LTB), (2 * S, 0)), "edge 1 at 1.000 s opens TMA and LTB together: one source"),
        (segment((0, 0), (S, TMA)), "edge 1 at 1.000 s is 0x0001: a segment ends in the rest word 0x0000"),
        (segment((0, STOP), (S, STOP)), "edge 1 at 1.000 s is 0x0040: a segment ends in the rest word 0x0000"),
        (segment((-1, 0), (S, 0)), "edge 0 at -0.000 s lies before 0.000 s: offsets start at 0 and never decrease"),
        (segment((0, 0), (2 * S, TMA), (S, 0)), "edge 2 at 1.000 s lies before 2.000 s: offsets start at 0 and never"),
        (segment((0, 0), (S, TMA), (3 * S, 0)), "edge 1 at 1.000 s opens TMA for 2.000 s: no longer than 1.000 s"),
        (segment((0, 0), (S, TMA), (S, 0)), "edge 1 at 1.000 s opens TMA for no time at all"),
        (segment((0, 0), (11 * S, 0)), "edge 1 at 11.000 s lies after the segment's end at 10.000 s"),
        (segment(length_ns=-1), "it lasts -1 ns: 0 at least"),
        (
            segment((0, 0), (S, TMA), (2 * S, 0), (2 * S + 999 * MS, H2O), (3 * S, 0)),
            "edge 3 at 2.999 s opens H2O 0.999 s after TMA closed: protic and metal-organic need 1.000 s between them",
        ),
        (segment(*((0, 0) for _ in range(257))), "it has 257 edges: 256 at most"),
        (segment(half=1), "it is number 1 of run r, where number 0 is next"),
    ],
)
def test_a_refusal_names_the_edge_and_changes_nothing(rig: Rig, refused: Segment, why: str) -> None:
    assert rig.load(dose(0, LTB, 15 * MS, S, run="before")) == ""
    before = (rig.engine.word, rig.engine.next_at(), rig.engine.queued, list(rig.words))
    assert rig.load(refused).startswith(why)
    assert (rig.engine.word, rig.engine.next_at(), rig.engine.queued, rig.words) == before
    assert rig.load(dose(0, LTB, 15 * MS, S)) == "", "the refused number may be used again"


def test_opposite_kinds_keep_their_distance_across_segments(rig: Rig) -> None:
    assert rig.load(dose(0, TMA, 15 * MS, 500 * MS)) == ""
    assert rig.load(dose(1, H2O, 15 * MS, 500 * MS)).startswith("edge 1 at 0.000 s opens H2O 0.485 s after TMA closed")
    assert rig.load(Segment(SegmentId("r", 1, 1), (), 515 * MS)) == "", "a purge between them"
    assert rig.load(dose(2, H2O, 15 * MS, 500 * MS)) == ""


def test_what_was_open_before_a_hold_counts_for_the_distance(rig: Rig) -> None:
    rig.load(dose(0, LTB, 5 * S, 10 * S))
    rig.run(S)
    rig.hear(Hold("a test"))
    rig.hear(Clear())
    assert "opens H2O 0.020 s after LTB closed" in rig.load(dose(1, H2O, 15 * MS, S))
    assert rig.load(dose(1, TMA, 15 * MS, S)) == "", "the same kind needs no distance"


def test_reactants_may_follow_each_other_and_strangers_may_not() -> None:
    config = replace(CONFIG, sources=(Source("H2O", 1, "protic", S), Source("O3", 2, "oxidising", S),
                                      Source("X", 4, "unknown", S)))  # fmt: skip
    rig = Rig(config)
    assert rig.load(dose(0, 1, 15 * MS, 30 * MS)) == ""
    assert rig.load(dose(1, 2, 15 * MS, 30 * MS)) == ""
    assert "unknown and oxidising need 1.000 s" in rig.load(dose(2, 4, 15 * MS, 30 * MS))


def test_numbers_of_a_run_are_neither_repeated_nor_left_out(rig: Rig) -> None:
    assert rig.load(dose(0, TMA, 15 * MS, S)) == ""
    assert rig.load(dose(0, TMA, 15 * MS, S)) == "it is number 0 of run r, where number 1 is next"
    assert rig.load(dose(2, TMA, 15 * MS, S)) == "it is number 2 of run r, where number 1 is next"
    assert rig.load(dose(1, TMA | H2O, 15 * MS, S)) != "", "refused, which uses its number up or not"
    assert rig.load(dose(2, TMA, 15 * MS, S)) == ""
    rig.hear(Hold("a test"))
    rig.hear(Clear())
    assert rig.load(dose(1, TMA, 15 * MS, S)) == "it is number 1 of run r, where number 3 is next"
    assert rig.load(dose(5, TMA, 15 * MS, S)) == "", "a cut may leave a gap"


def test_without_real_time_priority_short_doses_are_refused() -> None:
    rig = Rig(degraded=True)
    assert rig.load(dose(0, TMA, 199 * MS, S)) == (
        "edge 1 at 0.000 s opens TMA for 0.199 s: without real-time priority a dose lasts at least 0.200 s"
    )
    assert rig.load(dose(0, TMA, 200 * MS, S)) == ""


def test_a_compatible_pair_opens_together() -> None:
    rig = Rig(replace(CONFIG, compatible=(("LTB", "TMA"),)))
    edges = ((0, 0), (S, TMA), (S + 10 * MS, TMA | LTB), (S + 20 * MS, LTB), (S + 30 * MS, 0))
    assert rig.load(segment(*edges)) == ""
    rig.run(3 * S)
    assert [word for _, word in rig.words] == [0, TMA, TMA | LTB, LTB, 0]


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"compatible": (("TMA", "H2O"),)}, "TMA and H2O react with each other: no configuration may open them"),
        ({"compatible": (("TMA", "H2"),)}, "the compatible pair TMA and H2 names no such source"),
        ({"aux_mask": STOP}, "segment, aux and alive masks share a bit: every output has one owner"),
        ({"alive_mask": CONTACTOR}, "segment, aux and alive masks share a bit: every output has one owner"),
        ({"rest_words": {"VACUUM": TMA}}, "the rest word 0x0001 of VACUUM opens a source"),
        ({"rest_words": {"VACUUM": CONTACTOR}}, "the rest word 0x0080 of VACUUM opens a source or sets a bit"),
        ({"sources": (Source("A", 0, "protic", S),)}, "source A has mask 0x0000, which must lie in 0x0047"),
        ({"sources": (Source("A", 1 << 9, "protic", S),)}, "source A has mask 0x0200, which must lie in 0x0047"),
        ({"sources": (Source("A", 1, "protic", 0),)}, "source A needs a longest opening above 0"),
        (
            {"sources": (Source("A", 1, "protic", S, 2 * S),)},
            "A has a shortest opening that is not from",
        ),
        ({"sources": (Source("A", 1, "protic", S, -1),)}, "A has a shortest opening that is not from"),
        (
            {"sources": (Source("A", 1, "protic", S, 0, (Position("fill", 0, S),)),)},
            r"A \(fill\) has mask 0x0000",
        ),
        (
            {"sources": (Source("A", 1, "protic", S, 0, (Position("fill", 2, 0),)),)},
            r"A \(fill\) needs a longest",
        ),
        (
            {"sources": (Source("A", 1, "protic", S, 0, (Position("fill", 1, S),)),)},
            "positions of A need a name",
        ),
        ({"sources": (Source("A", 1, "protic", S, 0, (Position("", 2, S),)),)}, "positions of A need a name"),
        (
            {"sources": (Source("A", 1, "protic", S, 0, (Position("fill", 2, S),)), Source("B", 2, "protic", S))},
            "A and B cannot be told apart",
        ),
        ({"sources": (Source("A", 1, "protic", S), Source("A", 2, "protic", S))}, "two sources of the name A"),
        ({"sources": (Source("A", 1, "protic", S), Source("B", 3, "protic", S))}, "one mask contains the other"),
    ],
)
def test_a_contradictory_configuration_is_no_engine(change: dict[str, object], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        Engine(replace(CONFIG, **change))  # type: ignore[arg-type]


# --- sources with positions ------------------------------------------------------------------------------------------

FILL, OUT = 2, 4
FILLED = replace(
    CONFIG,
    sources=(
        Source("TMA", TMA, "metal-organic", S, 8 * MS),
        Source("EG", OUT, "protic", 2 * S, positions=(Position("fill", FILL, 4 * S),)),
    ),
)


def filled(*edges: tuple[int, int], half: int = 0) -> Segment:
    return segment((0, 0), *edges, half=half)


def test_a_filled_source_fills_shuts_and_doses() -> None:
    rig = Rig(FILLED)
    assert rig.load(filled((S, FILL), (4 * S, 0), (4 * S + 50 * MS, OUT), (5 * S, 0))) == ""
    rig.run(8 * S)
    assert [word for _, word in rig.words] == [0, FILL, 0, OUT, 0]


@pytest.mark.parametrize(
    ("refused", "why"),
    [
        (
            filled((S, FILL), (2 * S, OUT), (3 * S, 0)),
            "edge 2 at 2.000 s goes from EG (fill) to EG at once: shut it for 0.050 s between",
        ),
        (
            filled((S, FILL), (2 * S, 0), (2 * S + 49 * MS, OUT), (3 * S, 0)),
            "edge 3 at 2.049 s opens EG 0.049 s after EG (fill) closed: positions of one source need",
        ),
        (filled((S, FILL | OUT), (2 * S, 0)), "edge 1 at 1.000 s sets bits 0x0002, which open no source"),
        (
            filled((S, FILL | TMA), (2 * S, 0)),
            "edge 1 at 1.000 s opens TMA and EG (fill) together",
        ),
        (filled((S, FILL), (5 * S + MS, 0)), "edge 1 at 1.000 s opens EG (fill) for 4.001 s: no longer than 4.000 s"),
        (
            filled((S, TMA), (S + 7 * MS, 0)),
            "edge 1 at 1.000 s opens TMA for 0.007 s: its valve needs 0.008 s",
        ),
    ],
)
def test_a_position_that_the_wiring_forbids_is_refused(refused: Segment, why: str) -> None:
    rig = Rig(FILLED)
    assert rig.load(refused).startswith(why)
    assert rig.words == []


def test_filling_is_no_dose_in_the_chamber() -> None:
    rig = Rig(FILLED)
    assert rig.load(filled((S, TMA), (2 * S, 0), (2 * S + MS, FILL), (3 * S, 0), (3 * S + MS, OUT), (4 * S, 0))) != ""
    assert (
        rig.load(filled((S, TMA), (2 * S, 0), (2 * S + MS, FILL), (3 * S, 0), (3 * S + 50 * MS, OUT), (4 * S, 0))) == ""
    )


def test_a_dose_waits_for_a_filling_that_shut_late() -> None:
    rig = Rig(FILLED)
    assert rig.load(filled((S, FILL), (2 * S, 0), (2 * S + 50 * MS, OUT), (3 * S, 0))) == ""
    rig.run(LEAD + 1900 * MS)
    rig.jump(LEAD + 2 * S + 40 * MS)  # so late is the filling shut
    rig.run(LEAD + 4 * S)
    assert [word for _, word in rig.words] == [0, FILL, 0] and len(rig.of(Missed)) == 1


def test_a_permit_is_for_a_position() -> None:
    rig = Rig(FILLED)
    assert rig.load(filled((S, FILL), (2 * S, 0), (3 * S, OUT), (4 * S, 0))) == ""
    rig.beat(OUT | TMA)
    rig.run(S // 2, beating=False)
    rig.beat(OUT | TMA)
    rig.jump(LEAD + S)
    assert rig.engine.held == "permit: EG (fill) may not open now"


# --- sources of several bits -----------------------------------------------------------------------------------------

MANIFOLD = replace(
    CONFIG, sources=(Source("A", 0b011, "metal-organic", 5 * S), Source("B", 0b101, "metal-organic", 5 * S))
)


def test_half_a_source_is_refused() -> None:
    rig = Rig(MANIFOLD)
    assert "sets bits 0x0001, which open no source as a whole" in rig.load(dose(0, 0b001, 15 * MS, S))
    assert rig.load(dose(0, 0b011, 15 * MS, S)) == ""


def test_a_missed_handover_leaves_no_half_source_open() -> None:
    rig = Rig(MANIFOLD)
    rig.load(segment((0, 0), (S, 0b011), (2 * S, 0b101), (3 * S, 0)))
    rig.run(LEAD + 1500 * MS)
    rig.jump(LEAD + 2 * S + 6 * MS)
    assert [word for _, word in rig.words] == [0, 0b011, 0]
    rig.run(LEAD + 4 * S)
    assert len(rig.of(Missed)) == 1 and [edge.index for edge in rig.of(Edge)] == [0, 1, 2]  # type: ignore[union-attr]


def test_a_missed_dose_takes_no_shared_bit_from_the_source_that_stays_open() -> None:
    rig = Rig(replace(MANIFOLD, compatible=(("A", "B"),)))
    rig.load(segment((0, 0), (S, 0b011), (2 * S, 0b111), (3 * S, 0b101), (4 * S, 0b011), (5 * S, 0)))
    rig.run(LEAD + 1500 * MS)
    rig.jump(LEAD + 2 * S + 6 * MS)
    assert rig.of(Missed) == [Missed(SegmentId("r", 1, 0), 2, 6 * MS)]
    rig.run(LEAD + 6 * S)
    assert [word for _, word in rig.words] == [0, 0b011, 0, 0b011, 0], "B alone is half a source without its own bit"


def test_a_source_that_opens_after_a_missed_one_has_all_its_bits() -> None:
    rig = Rig(MANIFOLD)
    rig.load(segment((0, 0), (S, 0b101), (2 * S, 0b011), (3 * S, 0)))
    rig.run(LEAD + 500 * MS)
    rig.jump(LEAD + S + 6 * MS)
    rig.run(LEAD + 4 * S)
    assert [word for _, word in rig.words] == [0, 0b011, 0]


# --- permit and lease ------------------------------------------------------------------------------------------------


def test_an_opening_without_permit_is_not_written(rig: Rig) -> None:
    rig.load(dose(0, TMA, 15 * MS, S, start_ns=500 * MS))
    rig.beat(SOURCES & ~TMA)
    rig.engine.hear(rig.now, Beat(99, SOURCES & ~TMA))
    rig.jump(LEAD + 500 * MS)
    assert rig.told[-1] == Held("permit: TMA may not open now", SegmentId("r", 1, 0), LEAD + 500 * MS)
    assert all(not word & SOURCES for _, word in rig.words)


def test_a_withdrawn_permit_lets_the_running_dose_end(rig: Rig) -> None:
    rig.load(segment((0, 0), (100 * MS, LTB), (500 * MS, 0), (600 * MS, LTB), (700 * MS, 0)))
    rig.run(LEAD + 200 * MS)
    rig.beat(0)
    rig.now = LEAD + 500 * MS
    rig.turn()
    assert rig.words[-1] == (LEAD + 500 * MS, 0) and rig.engine.held == ""
    rig.jump(LEAD + 600 * MS)
    assert rig.engine.held == "permit: LTB may not open now"
    assert sum(word == LTB for _, word in rig.words) == 1


def test_a_handover_without_permit_closes_the_source_that_is_open() -> None:
    rig = Rig()
    rig.load(segment((0, 0), (100 * MS, LTB), (200 * MS, TMA), (300 * MS, 0)))
    rig.run(LEAD + 150 * MS)
    rig.beat(LTB)
    rig.jump(LEAD + 200 * MS)
    assert rig.words[-1] == (LEAD + 200 * MS, 0)
    assert rig.of(Edge)[-1] == Edge(SegmentId("r", 1, 0), 2, 0, *[LEAD + 200 * MS] * 3)


def test_a_silent_guard_loses_the_lease_and_the_heaters(rig: Rig) -> None:
    rig.hear(Aux(CONTACTOR, CONTACTOR))
    rig.load(dose(0, LTB, 10 * S, 11 * S))
    rig.run(2 * S)
    last_beat = 2 * S - LEASE // 10
    rig.run(10 * S, beating=False)
    assert rig.words[-1] == (last_beat + LEASE, 0)
    assert rig.told[-2:] == [
        Held("lease", SegmentId("r", 1, 0), last_beat + LEASE),
        Edge(SegmentId("r", 1, 0), 2, 0, *[last_beat + LEASE] * 3),
    ]
    assert rig.engine.held == "lease"
    assert rig.hear(Clear()) == [Refused(None, "not cleared: there is no live heartbeat")]


def test_a_heartbeat_that_waits_for_a_process_that_slept_does_not_hide_that_the_lease_ran_out(rig: Rig) -> None:
    rig.hear(Aux(CONTACTOR, CONTACTOR))
    rig.load(dose(0, LTB, 10 * S, 11 * S))
    rig.run(2 * S)
    last_beat = 2 * S - LEASE // 10
    rig.now = last_beat + LEASE - 1
    rig.hear(Beat(998, SOURCES))
    assert rig.engine.held == ""
    rig.now += LEASE  # nobody calls `step` meanwhile, and the first thing that is heard is another beat
    told = rig.hear(Beat(999, SOURCES))
    assert told[0] == Held("lease", SegmentId("r", 1, 0), rig.now)
    assert rig.words[-1] == (rig.now, 0) and rig.engine.held == "lease" and rig.engine.alive
    assert rig.hear(Clear()) == [] and rig.engine.held == ""


def test_the_same_heartbeat_again_proves_no_life(rig: Rig) -> None:
    for rig.now in range(0, 2 * S, LEASE // 10):
        rig.hear(Beat(rig.beats, SOURCES))
    assert rig.engine.held == "lease"


# --- hold, abort, fault, trim ----------------------------------------------------------------------------------------


def test_a_hold_closes_at_once_and_names_the_closing_edge(rig: Rig) -> None:
    rig.load(dose(0, LTB, 5 * S, 10 * S))
    rig.load(dose(1, LTB, 5 * S, 10 * S))
    rig.run(S)
    told = rig.hear(Hold("a test"))
    assert told == [Held("hold: a test", SegmentId("r", 1, 0), S), Edge(SegmentId("r", 1, 0), 2, 0, S, S, S)]
    assert rig.engine.queued == 0 and rig.engine.running is None
    assert rig.load(dose(2, TMA, 15 * MS, S)) == "the engine is held (hold: a test): reset it first"


def test_a_hold_between_doses_writes_nothing(rig: Rig) -> None:
    rig.load(dose(0, LTB, 15 * MS, 10 * S))
    rig.run(S)
    words = list(rig.words)
    assert rig.hear(Hold("a test")) == [Held("hold: a test", SegmentId("r", 1, 0), S)]
    assert rig.words == words


def test_the_contactor_survives_a_hold_and_not_an_abort(rig: Rig) -> None:
    rig.hear(Aux(CONTACTOR, CONTACTOR))
    rig.hear(Hold("a test"))
    assert rig.words[-1] == (0, CONTACTOR)
    rig.hear(Abort("worse"))
    assert rig.words[-1] == (0, 0) and rig.engine.held == "abort: worse"
    rig.hear(Abort("once more"))
    rig.hear(Hold("a lesser one"))
    assert rig.engine.held == "abort: worse", "the first grave reason stays"
    (refused,) = rig.hear(Aux(CONTACTOR, CONTACTOR))
    assert refused == Refused(None, "no auxiliary output is switched on: the engine is held (abort: worse)")
    assert rig.hear(Aux(CONTACTOR, 0)) == []
    rig.hear(Clear())
    rig.hear(Aux(CONTACTOR, CONTACTOR))
    assert rig.words[-1] == (0, CONTACTOR)


def test_an_aux_message_never_touches_a_source(rig: Rig) -> None:
    for message in (Aux(TMA, TMA), Aux(CONTACTOR, TMA)):
        (refused,) = rig.hear(message)
        assert isinstance(refused, Refused) and "are not all within 0x0080" in refused.why
    assert rig.words == []


def test_auxiliary_outputs_are_switched_one_by_one() -> None:
    rig = Rig(replace(CONFIG, aux_mask=CONTACTOR | 1 << 9))
    rig.hear(Aux(CONTACTOR, CONTACTOR))
    rig.hear(Aux(1 << 9, 1 << 9))
    rig.hear(Aux(CONTACTOR, 0))
    assert [word for _, word in rig.words] == [CONTACTOR, CONTACTOR | 1 << 9, 1 << 9]


def test_nothing_is_switched_on_without_a_heartbeat(rig: Rig) -> None:
    rig.hear(Hold("a test"))
    rig.run(rig.now + 2 * LEASE, beating=False)
    assert rig.hear(Aux(CONTACTOR, CONTACTOR)) == [
        Refused(None, "no auxiliary output is switched on: the engine is held (lease)")
    ]


def test_nothing_is_switched_on_before_the_first_reset() -> None:
    rig = Rig(ready=False)
    rig.beat()
    assert rig.hear(Aux(CONTACTOR, CONTACTOR)) == [
        Refused(None, "no auxiliary output is switched on: the engine is held (boot)")
    ]


def test_a_running_word_keeps_the_contactor(rig: Rig) -> None:
    rig.hear(Aux(CONTACTOR, CONTACTOR))
    rig.load(dose(0, TMA, 15 * MS, S))
    rig.run(2 * S)
    assert [word for _, word in rig.words] == [CONTACTOR, CONTACTOR, CONTACTOR | TMA, CONTACTOR]


def test_a_trim_ends_the_running_dose_and_nothing_else(rig: Rig) -> None:
    wanted = segment((0, 0), (S, LTB | STOP), (5 * S, STOP), (6 * S, 0))
    rig.load(wanted)
    rig.run(LEAD + 2 * S)
    assert rig.hear(Trim(wanted.id)) == [Edge(wanted.id, 2, STOP, *[LEAD + 2 * S] * 3)]
    rig.run(LEAD + 11 * S)
    assert [word for _, word in rig.words] == [0, LTB | STOP, STOP, 0]
    assert [edge.index for edge in rig.of(Edge)] == [0, 1, 2, 3]  # type: ignore[union-attr]
    assert rig.words[-1][0] == LEAD + 6 * S, "the rest keeps its offsets"


def test_a_trim_of_nothing_is_refused(rig: Rig) -> None:
    wanted = dose(0, LTB, S, 3 * S, start_ns=S)
    why = "there is no dose of it to end: none is open"
    assert rig.hear(Trim(wanted.id)) == [Refused(wanted.id, why)]
    rig.load(wanted)
    assert rig.hear(Trim(wanted.id)) == [Refused(wanted.id, why)]
    rig.run(LEAD + 1500 * MS)
    other = replace(wanted.id, half=7)
    assert rig.hear(Trim(other)) == [Refused(other, why)]


def shots(times: int) -> Segment:
    """One shot of a second every 2 s behind the stop valve, which opens at 9 s."""
    edges = [edge for i in range(times) for edge in ((2 * i * S + S, TMA | STOP), (2 * i * S + 1500 * MS, STOP))]
    return segment((0, STOP), *edges, (9 * S, 0))


def test_a_last_trim_within_a_shot_ends_it_and_opens_no_other_of_its_segment(rig: Rig) -> None:
    wanted = shots(4)
    rig.load(wanted)
    rig.run(LEAD + 3250 * MS)
    rig.hear(Trim(wanted.id, last=True))
    rig.run(LEAD + 25 * S)
    assert [(at - LEAD, word) for at, word in rig.words] == [
        (0, STOP), (S, TMA | STOP), (1500 * MS, STOP), (3 * S, TMA | STOP), (3250 * MS, STOP), (9 * S, 0),
    ]  # fmt: skip
    assert rig.of(Missed) == [] and rig.of(Refused) == [] and not rig.engine.held


def test_a_last_trim_between_two_shots_opens_no_other_and_asks_for_no_permit(rig: Rig) -> None:
    wanted = shots(4)
    rig.load(wanted)
    rig.run(LEAD + 2 * S)
    rig.hear(Trim(wanted.id, last=True))
    rig.hear(Trim(wanted.id))
    while rig.now < LEAD + 25 * S:
        rig.beat(0)
        rig.run(rig.now + 100 * MS, beating=False)
    assert [word for _, word in rig.words] == [STOP, TMA | STOP, STOP, 0]
    assert rig.words[-1][0] == LEAD + 9 * S and rig.of(Ended) and not rig.engine.held
    assert rig.of(Refused) == [Refused(wanted.id, "there is no dose of it to end: none is open")]


def test_a_trim_that_is_not_the_last_leaves_the_other_shots_of_its_segment(rig: Rig) -> None:
    wanted = shots(2)
    rig.load(wanted)
    rig.run(LEAD + 1250 * MS)
    rig.hear(Trim(wanted.id))
    rig.run(LEAD + 25 * S)
    assert [word for _, word in rig.words] == [STOP, TMA | STOP, STOP, TMA | STOP, STOP, 0]


def test_a_last_trim_between_two_shots_is_no_edge_of_what_is_switched_beside_it(rig: Rig) -> None:
    wanted = shots(2)
    rig.load(wanted)
    rig.run(LEAD + 2 * S)
    edges = len(rig.of(Edge))
    rig.engine.hear(rig.now, Aux(CONTACTOR, CONTACTOR))
    rig.hear(Trim(wanted.id, last=True))
    assert rig.words[-1] == (LEAD + 2 * S, STOP | CONTACTOR) and len(rig.of(Edge)) == edges


def test_a_last_trim_is_that_of_its_segment_alone(rig: Rig) -> None:
    wanted = shots(2)
    rig.load(wanted)
    rig.load(dose(1, TMA, S, 3 * S, start_ns=S))
    rig.run(LEAD + 2 * S)
    rig.hear(Trim(wanted.id, last=True))
    assert rig.hear(Trim(replace(wanted.id, half=7), last=True)) == [
        Refused(replace(wanted.id, half=7), "there is no dose of it to end: none is open")
    ]
    rig.run(LEAD + 30 * S)
    assert [word for _, word in rig.words] == [STOP, TMA | STOP, STOP, 0, 0, TMA, 0]


def test_a_dose_trimmed_as_its_close_falls_due_is_closed_once(rig: Rig) -> None:
    wanted = dose(0, LTB, S, 3 * S)
    rig.load(wanted)
    rig.run(LEAD + 900 * MS)
    rig.now = LEAD + S
    rig.hear(Trim(wanted.id))
    rig.run(4 * S)
    assert [edge.index for edge in rig.of(Edge)] == [0, 1, 2]  # type: ignore[union-attr]


def test_a_fault_reports_what_nobody_will_confirm_and_bars_the_reset(rig: Rig) -> None:
    rig.load(dose(0, LTB, 5 * S, 10 * S))
    rig.engine.hear(LEAD, Beat(99, SOURCES))
    for _ in range(2):
        write = rig.engine.step(LEAD)
        assert write is not None
        write.sent_ns = LEAD
    rig.engine.fault(LEAD + MS, "the module is on fire")
    assert list(rig.engine.reports()) == [
        Edge(SegmentId("r", 1, 0), 0, 0, LEAD, LEAD, 0),
        Edge(SegmentId("r", 1, 0), 1, LTB, LEAD, LEAD, 0),
        Fault("the module is on fire", LEAD + MS),
        Held("fault: the module is on fire", SegmentId("r", 1, 0), LEAD + MS),
    ]
    rig.now = LEAD + 2 * MS
    rig.engine.hear(rig.now, Clear())
    assert list(rig.engine.reports()) == [Refused(None, "not cleared: the module is on fire")]
    rig.engine.assume(0, LEAD + 30 * MS, LEAD + 31 * MS)
    rig.engine.repaired()
    assert list(rig.engine.reports()) == [Edge(SegmentId("r", 1, 0), 2, 0, LEAD + MS, LEAD + 30 * MS, LEAD + 31 * MS)]
    rig.hear(Clear())
    assert "0.009 s after" in rig.load(dose(1, H2O, 15 * MS, S)), "closed is when the module confirmed it"


def test_a_fault_leaves_what_was_told_before_it_as_it_was(rig: Rig) -> None:
    wanted = dose(0, LTB, 5 * S, 10 * S)
    rig.engine.hear(0, Load(wanted))
    rig.engine.fault(MS, "the link is cut")
    assert list(rig.engine.reports()) == [
        Anchored(wanted.id, LEAD, 0),
        Fault("the link is cut", MS),
        Held("fault: the link is cut", wanted.id, MS),
    ]


def test_a_fault_tells_what_the_module_was_found_to_hold(rig: Rig) -> None:
    """More may have stood open than ever was asked for: whoever reckons what came in needs to know."""
    rig.engine.fault(MS, "another word was read back", word=LTB | H2O)
    assert Fault("another word was read back", MS, LTB | H2O) in list(rig.engine.reports())


def test_the_same_failure_again_is_told_once_and_still_bars_the_reset(rig: Rig) -> None:
    rig.engine.fault(MS, "the link is cut")
    rig.engine.fault(2 * MS, "the link is still cut", told=True)
    rig.engine.fault(3 * MS, "the link is cut anew")
    assert [each for each in rig.engine.reports() if isinstance(each, Fault)] == [
        Fault("the link is cut", MS),
        Fault("the link is cut anew", 3 * MS),
    ]
    assert rig.hear(Clear()) == [Refused(None, "not cleared: the link is cut anew")]


def test_a_failure_that_comes_again_while_the_engine_does_not_rest_is_told(rig: Rig) -> None:
    rig.engine.fault(MS, "the link is cut", told=True)
    assert [type(each) for each in rig.engine.reports()] == [Fault, Held]


def test_what_is_no_order_moves_nothing_and_is_not_answered(rig: Rig) -> None:
    rig.load(dose(0, LTB, 5 * S, 10 * S))
    rig.run(S)
    words = list(rig.words)
    assert rig.hear(Ended(SegmentId("r", 1, 0), S)) == []  # type: ignore[arg-type]
    assert rig.words == words and rig.engine.running == SegmentId("r", 1, 0)


def test_a_safe_word_that_changes_nothing_is_no_edge(rig: Rig) -> None:
    rig.load(dose(0, LTB, 5 * S, 10 * S, start_ns=S))
    rig.engine.fault(MS, "x")
    rig.engine.assume(0, MS, MS)
    assert [type(message) for message in rig.engine.reports()] == [Fault, Held]


# --- late ------------------------------------------------------------------------------------------------------------


def test_an_opening_that_is_too_late_is_missed_and_only_that_dose(rig: Rig) -> None:
    rig.load(segment((0, 0), (100 * MS, LTB), (200 * MS, 0), (300 * MS, LTB), (400 * MS, 0)))
    rig.run(LEAD + 50 * MS)
    rig.jump(LEAD + 105 * MS + 1)
    assert rig.of(Missed) == [Missed(SegmentId("r", 1, 0), 1, 5 * MS + 1)]
    rig.run(LEAD + 500 * MS)
    assert [edge.index for edge in rig.of(Edge)] == [0, 3, 4]  # type: ignore[union-attr]
    assert rig.engine.late_edges == 1 and rig.engine.held == ""


def test_an_opening_within_its_tolerance_is_written_and_the_close_keeps_its_time(rig: Rig) -> None:
    rig.load(segment((0, 0), (100 * MS, LTB), (200 * MS, 0)))
    rig.run(LEAD + 50 * MS)
    rig.jump(LEAD + 105 * MS)
    rig.run(S)
    assert rig.words[-2:] == [(LEAD + 105 * MS, LTB), (LEAD + 200 * MS, 0)]


def test_a_dose_that_would_be_over_already_is_missed(rig: Rig) -> None:
    rig.load(segment((0, 0), (100 * MS, LTB), (103 * MS, 0)))
    rig.run(LEAD + 50 * MS)
    rig.jump(LEAD + 104 * MS)
    assert rig.of(Missed) == [Missed(SegmentId("r", 1, 0), 1, 4 * MS)]
    assert all(not word & SOURCES for _, word in rig.words)


def test_a_closing_is_written_however_late_it_is(rig: Rig) -> None:
    rig.load(dose(0, LTB, 100 * MS, S))
    rig.run(LEAD + 50 * MS)
    rig.jump(LEAD + 900 * MS)
    assert rig.words[-1] == (LEAD + 900 * MS, 0) and rig.engine.late_edges == 1


def test_degraded_timing_has_its_own_tolerance() -> None:
    rig = Rig(degraded=True)
    rig.load(dose(0, LTB, 500 * MS, S, start_ns=100 * MS))
    rig.run(LEAD + 50 * MS)
    rig.jump(LEAD + 150 * MS)
    assert rig.words[-1] == (LEAD + 150 * MS, LTB)


def test_three_missed_in_a_row_hold(rig: Rig) -> None:
    edges = [(0, 0)]
    for k in range(5):
        edges += [(100 * MS * (2 * k + 1), LTB), (100 * MS * (2 * k + 2), 0)]
    rig.load(segment(*edges))
    for k in (0, 2, 3, 4):  # the second one is in time and begins the count anew
        rig.run(LEAD + 100 * MS * (2 * k + 1) - MS)
        rig.jump(LEAD + 100 * MS * (2 * k + 1) + 6 * MS)
        assert bool(rig.engine.held) == (k == 4)
    assert rig.engine.held == "late: 3 doses in a row were missed"
    assert sum(word == LTB for _, word in rig.words) == 1


def test_an_opposite_source_that_closed_late_makes_the_next_opening_wait_for_the_next_turn(rig: Rig) -> None:
    rig.load(segment((0, 0), (100 * MS, LTB), (200 * MS, 0), (1200 * MS, H2O), (1300 * MS, 0)))
    rig.run(LEAD + 150 * MS)
    rig.jump(LEAD + 300 * MS)
    rig.run(LEAD + 2 * S)
    assert rig.of(Missed) == [Missed(SegmentId("r", 1, 0), 3, 100 * MS)]
    assert all(word != H2O for _, word in rig.words)


def test_a_missed_dose_of_an_exposure_still_moves_the_stop_valve(rig: Rig) -> None:
    rig.load(segment((0, 0), (100 * MS, LTB | STOP), (200 * MS, STOP), (300 * MS, 0)))
    rig.run(LEAD + 50 * MS)
    rig.jump(LEAD + 110 * MS)
    assert rig.words[-1] == (LEAD + 110 * MS, STOP)
    rig.run(S)
    assert [edge.index for edge in rig.of(Edge)] == [0, 1, 3]  # type: ignore[union-attr]
