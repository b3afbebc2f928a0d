"""The oracles of the campaign of kills: a healthy story passes, and each lie of a valve or of a record is found."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ald_controller.plan import Dose
from ald_controller.records.doses import EdgeRow, Intent, dose_table
from ald_controller.records.record import Event
from ald_controller.recovery import Place
from tests.process.campaign_oracles import (
    After,
    Change,
    Kill,
    Rows,
    Shown,
    Story,
    journal,
    open_at,
    openings,
    position,
    shut_after,
    valve_trace,
    violations,
)
from tests.valve_rig import CONTACTOR

TMA, LTB = 1, 4
SOURCES = {"TMA": TMA, "LTB": LTB}
NAMES = {bit: name for name, bit in SOURCES.items()}
KILLED_S, CUT = 13.2, 3  # killed in the fourth dose
NS = 1_000_000_000


def edge(half: int, index: int, word: int, at_s: float, energised: str = "", released: str = "") -> EdgeRow:
    at_ns = round(at_s * NS)
    return EdgeRow(half, index, half // 2 + 1, word, at_ns, at_ns, at_ns + 1_000_000, energised, released, "")


def intent(half: int, bit: int) -> Intent:
    dose = Dose(NAMES[bit], NAMES[bit], 0, 0, NS // 2)
    return Intent(2 * half + 1, 9.9 + half, half, half // 2 + 1, "deposit", f"{NAMES[bit]} 500 ms", (dose,))


def healthy() -> Story:
    """Half-cycles of one dose of 0.5 s each second from 10 s on, TMA and LTB in turn; the kill cuts the fourth."""
    bits = (TMA, LTB, TMA, LTB)
    changes = [Change(9.0, CONTACTOR)]
    edges: list[EdgeRow] = []
    for half, bit in enumerate(bits):
        at_s, name = 10.0 + half, NAMES[bit]
        changes.append(Change(at_s, CONTACTOR | bit))
        if half < CUT:
            changes.append(Change(at_s + 0.5, CONTACTOR))
            edges += [edge(half, 0, bit, at_s, energised=name), edge(half, 1, 0, at_s + 0.5, released=name)]
    changes.append(Change(KILLED_S + 0.02, 0))
    intents = tuple(intent(half, bit) for half, bit in enumerate((*bits, TMA)))
    events = tuple(
        Event(2 * half + 2, 10.0 + half, "anchored", {"half": half, "at_ns": round((10 + half) * NS)})
        for half in range(len(bits))
    )
    rows = Rows(events, intents, tuple(edges))
    return Story(
        run="run-7", kill=Kill("KILL daemon", KILLED_S, 0.25, 0.25, KILLED_S - 0.5), sources=SOURCES,
        changes=tuple(changes), before=Rows(events[:3], intents[:3], tuple(edges[:4])), shown=(Shown(12.6, 3),),
        rows=rows, doses=tuple(dose_table(intents, edges, set(), {})), lost=0, integrity="ok",
        place=Place(13.0, "deposit", 2, "TMA 500 ms", "LTB 500 ms", half=3, doses=3),
        after=After("IDLE", True, None, "interrupted", "K5: run run-7 was interrupted in cycle 2", survived=False),
    )  # fmt: skip


def also(story: Story, *more: Change) -> Story:
    return replace(story, changes=tuple(sorted((*story.changes, *more), key=lambda change: change.at_s)))


def with_rows(story: Story, **rows: object) -> Story:
    return replace(story, rows=replace(story.rows, **rows))


def said(told: list[str], words: str) -> None:
    assert any(words in sentence for sentence in told), told


def test_a_healthy_story_has_no_violation():
    assert violations(healthy()) == []


def test_it_is_known_what_was_open_and_when_it_was_shut():
    story = healthy()
    assert [opening.bit for opening in openings(story.changes, story.mask)] == [TMA, LTB, TMA, LTB]
    assert open_at(story.changes, story.mask, KILLED_S) and not open_at(story.changes, story.mask, 12.7)
    assert shut_after(story) == pytest.approx(0.02)


# --- the valve trace -------------------------------------------------------------------------------------------------


def test_a_source_that_stays_open_beyond_its_time_is_found():
    story = healthy()
    late = (*story.changes[:-1], Change(KILLED_S + 0.3, 0))
    said(valve_trace(replace(story, changes=late)), "open until 0.300 s")
    said(valve_trace(replace(story, changes=story.changes[:-1])), "open until inf s")


def test_a_source_that_opens_after_the_kill_is_found_however_short_it_is_open():
    story = also(healthy(), Change(KILLED_S + 3, TMA), Change(KILLED_S + 3.001, 0))
    said(valve_trace(story), "a source opened 3.000 s after")


def test_two_sources_open_for_a_moment_are_found():
    story = also(healthy(), Change(13.1, CONTACTOR | TMA | LTB), Change(13.101, CONTACTOR | LTB))
    said(valve_trace(story), "two sources open at once")


def test_an_opening_whose_intent_came_later_or_never_is_found():
    story = healthy()
    later = replace(story.rows.intents[3], at_s=13.001)
    said(
        valve_trace(with_rows(story, intents=(*story.rows.intents[:3], later))), "opening 2 of bit 0x4, with 1 intended"
    )
    said(valve_trace(with_rows(story, intents=story.rows.intents[:3])), "opening 2 of bit 0x4")


def test_a_contactor_that_comes_back_by_itself_is_found():
    said(valve_trace(also(healthy(), Change(KILLED_S + 2, CONTACTOR))), "the contactor closed 2.000 s after")


# --- the journal -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["events", "intents", "edges"])
def test_an_acknowledged_row_that_is_lost_is_found(kind: str):
    story = healthy()
    said(journal(with_rows(story, **{kind: getattr(story.rows, kind)[1:]})), "acknowledged rows")


def test_a_row_that_reads_differently_afterwards_is_lost():
    story = healthy()
    changed = (replace(story.rows.edges[0], sent_ns=1), *story.rows.edges[1:])
    said(journal(with_rows(story, edges=changed)), "1 acknowledged rows of kind edge")


def test_a_damaged_database_and_a_missing_number_are_found():
    said(journal(replace(healthy(), integrity="row 7 missing from index")), "damaged")
    said(journal(replace(healthy(), lost=2)), "2 numbers are missing")


def test_a_dose_that_was_shown_as_done_and_is_not_on_record_is_found():
    story = replace(healthy(), shown=(Shown(12.6, 4),))
    said(journal(story), "4 doses were shown as confirmed, 3 are on record")
    assert journal(replace(story, shown=(Shown(13.1, 4),))) == [], "what a kill may take was never promised"


def test_half_cycles_and_cycles_that_do_not_follow_each_other_are_found():
    story = healthy()
    gap = tuple(replace(i, half=i.half + (i.half > 1)) for i in story.rows.intents)
    said(journal(with_rows(story, intents=gap)), "not numbered on from 0")
    jump = tuple(replace(i, cycle=i.cycle + (i.half > 1)) for i in story.rows.intents)
    said(journal(with_rows(story, intents=jump)), "cycles do not follow")
    back = (*story.rows.intents[:4], replace(story.rows.intents[4], cycle=1))
    said(journal(with_rows(story, intents=back)), "cycles do not follow")


def test_an_intent_that_was_repeated_after_the_disk_refused_it_counts_once():
    story = healthy()
    again = with_rows(story, intents=(*story.rows.intents, replace(story.rows.intents[4], seq=99)))
    assert violations(again) == []
    other = (*story.rows.intents, replace(story.rows.intents[4], doses=()))
    said(journal(with_rows(story, intents=other)), "intended twice, and differently")
    fifth = also(again, *(Change(13.0 + at_s, CONTACTOR | bit) for at_s, bit in ((0.15, TMA), (0.16, 0), (0.17, TMA))))
    said(valve_trace(fifth), "opening 3 of bit 0x1")


def test_an_edge_that_is_on_record_twice_or_belongs_to_nothing_is_found():
    story = healthy()
    said(journal(with_rows(story, edges=(*story.rows.edges, story.rows.edges[0]))), "edge 0 of half-cycle 0")
    contactor = edge(2, 1, 0, 12.7)
    assert journal(with_rows(story, edges=(*story.rows.edges, contactor))) == [], "it moves no source"
    said(journal(with_rows(story, edges=(*story.rows.edges, edge(9, 0, TMA, 13.0, energised="TMA")))), "no intent")


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"latched": False}, "nothing is latched"),
        ({"run": "run-8"}, "goes on by itself"),
        ({"state": "EXECUTING"}, "EXECUTING"),
        ({"ending": "completed"}, "'completed'"),
        ({"told": "K5: the daemon has started"}, "nobody is told"),
        ({"survived": True, "ending": "interrupted"}, "'interrupted'"),
    ],
)
def test_a_start_that_is_not_as_it_must_be_is_found(wrong: dict[str, object], words: str):
    story = healthy()
    said(journal(replace(story, after=replace(story.after, **wrong))), words)


# --- where in the half-cycle -----------------------------------------------------------------------------------------


def test_a_dose_that_the_record_does_not_have_is_found():
    said(position(with_rows(healthy(), edges=healthy().rows.edges[:4])), "no record has it")


def test_a_dose_in_the_time_that_a_kill_may_take_may_be_missing():
    story = healthy()
    assert [o.at_s for o in openings(story.changes, story.mask)][-1] > story.kill.record_s
    assert position(story) == []
    said(position(replace(story, kill=replace(story.kill, record_s=13.1))), "no record has it")


def test_a_dose_on_record_that_no_valve_ever_gave_is_found():
    story = healthy()
    invented = edge(3, 0, LTB, 12.8, energised="LTB")
    said(position(with_rows(story, edges=(*story.rows.edges, invented))), "that the module never saw")


def test_a_dose_that_was_given_twice_or_left_out_or_exchanged_is_found():
    story = healthy()
    twice = also(story, Change(12.8, CONTACTOR | LTB), Change(12.85, CONTACTOR))
    said(position(twice), "intended were")
    out = tuple(c for c in story.changes if not 11.0 <= c.at_s <= 11.6)
    said(position(replace(story, changes=out)), "intended were")
    exchanged = tuple(replace(c, word=CONTACTOR | TMA) if c.at_s == 11.0 else c for c in story.changes)
    said(position(replace(story, changes=exchanged)), "intended were")


def test_a_missed_dose_is_not_looked_for():
    story = healthy()
    out = tuple(c for c in story.changes if not 11.0 <= c.at_s <= 11.6)
    edges = tuple(e for e in story.rows.edges if e.half != 1)
    missed = Event(20, 11.0, "missed", {"half": 1, "edge": 0, "late_ns": 7})
    rows = replace(story.rows, edges=edges, events=(*story.rows.events, missed))
    assert position(replace(story, changes=out, rows=rows, place=replace(story.place, doses=2, missed=1))) == []


def test_a_place_that_is_not_where_the_module_was_is_found():
    story = healthy()
    said(position(replace(story, place=replace(story.place, half=1))), "the record names half-cycle 1")
    said(position(replace(story, place=replace(story.place, cycle=5))), "the record names cycle 5")
    said(position(replace(story, place=replace(story.place, doses=2))), "3 whole doses of 4, the record has 2")
    said(position(replace(story, place=replace(story.place, doses=5))), "the record has 5")
