"""The alarm book: what is announced, who has seen it, what is only a consequence, and what is over."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ald_controller.alarms import (
    RATE_S,
    Alarm,
    Book,
    Change,
    Stage,
    acknowledge,
    acknowledge_latched,
    look,
    priority_of,
)
from ald_controller.annunciator import Annunciator
from ald_controller.interlocks import (
    AlarmView,
    Facts,
    Priority,
    Reaction,
    Reset,
    Row,
    RuleSet,
    alarms,
    boot,
    step,
)
from ald_controller.interlocks.setting import never_commissioned
from tests.interlock_bench import RULES, WORDS
from tests.standing import cause_of, plain_rules

WARN, BLOCK, HOLD, PURGE, ISOLATE = (
    Reaction.WARN, Reaction.BLOCK, Reaction.HOLD, Reaction.ABORT_PURGE, Reaction.ABORT_ISOLATE,
)  # fmt: skip
UTC = 1_900_000_000.0  # unix seconds of loop second 0
ROW = Row("G1", "Oxygen is high", "Lithium spoils.", "Look at the purifier.", "medium", 0.0, 10.0)


def view(row: str = "G1", name: str = "o2", reaction: Reaction = WARN, **more: object) -> AlarmView:
    base = AlarmView(row, name, reaction, "2 ppm", "all words", 0.0, True, False, False, Reset.AUTO, "", ROW)
    return replace(base, **more)


class Shelf:
    """A book that is looked at scan by scan."""

    def __init__(self, row: Row = ROW) -> None:
        self.book, self.row, self.now_s = Book(), row, 100.0
        self.told: list[tuple[str, str]] = []

    def look(self, *views: AlarmView, for_s: float = 0.1) -> list[str]:
        """The kinds of change that so long a time of the same views brings."""
        before = len(self.told)
        for _ in range(round(for_s * 10)):
            self.now_s += 0.1
            seen = [replace(each, words=self.row) for each in views]
            self.book, changes = look(self.book, seen, self.now_s, UTC + self.now_s)
            self._hear(changes)
        return [kind for kind, _ in self.told[before:]]

    def acknowledge(self, asked: str = "all", by: str = "Ann") -> list[str]:
        before = len(self.told)
        self.book, changes = acknowledge(self.book, asked, by, UTC + self.now_s)
        self._hear(changes)
        return [kind for kind, _ in self.told[before:]]

    def _hear(self, changes: tuple[Change, ...]) -> None:
        self.told += [(change.kind, change.alarm.id) for change in changes]

    @property
    def only(self) -> Alarm:
        (alarm,) = self.book.alarms.values()
        return alarm


# --- the four stages -------------------------------------------------------------------------------------------------


def test_an_alarm_says_its_words_its_value_and_since_when() -> None:
    shelf = Shelf()
    assert shelf.look(view(since_s=97.0)) == ["raised"]
    alarm = shelf.only
    assert (alarm.id, alarm.priority, alarm.stage, alarm.raised) == ("G1:o2", "low", Stage.UNACKNOWLEDGED, 1)
    assert alarm.text == "Oxygen is high: 2 ppm. Lithium spoils. Look at the purifier."
    assert alarm.since == pytest.approx(UTC + 97.0)  # not when it was looked at
    assert alarm.live and not alarm.latched and alarm.reset is Reset.AUTO


@pytest.mark.parametrize("priority", ["low", "medium", "high", "critical"])
def test_a_warning_is_less_urgent_than_its_rows_trip_and_a_block_is_in_no_hurry(priority: Priority) -> None:
    row = replace(ROW, priority=priority)
    found = {r: priority_of(row, r, Reset.AUTO) for r in (WARN, BLOCK, HOLD, PURGE, ISOLATE, Reaction.ESTOP)}
    assert {priority_of(row, r, Reset.L1) for r in found} == {priority}, "what latches is as urgent as its row"
    assert found[WARN] == {"low": "low", "medium": "low", "high": "medium", "critical": "high"}[priority]
    assert found[BLOCK] == {"low": "low"}.get(priority, "medium")
    assert {found[r] for r in found if r >= HOLD} == {priority}


def test_a_row_that_nobody_has_commissioned_does_not_say_that_its_hazard_is_there() -> None:
    check = never_commissioned("T1", "constant.heater.x", "the heater")
    state = boot(RuleSet((check,), WORDS), 0.0)
    state = step(state, {}, Facts(), 0.1)
    told = next(v for v in alarms(state) if v.row == "T1")
    assert told.words.cause == "Row T1 cannot guard" and "too hot" not in told.text and "constant.heater.x" in told.text
    assert told.words.priority == "medium"


def test_an_alarm_that_stands_changes_nothing_from_look_to_look() -> None:
    shelf = Shelf()
    shelf.look(view(since_s=100.0))
    before = shelf.only
    assert shelf.look(view(since_s=100.0), for_s=60) == []
    assert shelf.only is before


def test_seen_and_then_over_leaves_the_book_after_its_off_delay() -> None:
    shelf = Shelf()
    shelf.look(view())
    assert shelf.acknowledge("G1") == ["acknowledged"]
    alarm = shelf.only
    assert (alarm.stage, alarm.acknowledged_by) == (Stage.ACKNOWLEDGED, "Ann")
    assert alarm.acknowledged == pytest.approx(UTC + shelf.now_s)
    assert shelf.look(for_s=9.9) == [] and shelf.only.stands and not shelf.only.live
    assert shelf.look(for_s=0.3) == ["over"] and not shelf.book.alarms


def test_over_and_not_seen_waits_for_a_person() -> None:
    shelf = Shelf()
    shelf.look(view())
    assert shelf.look(for_s=11) == ["returned"]
    assert shelf.only.stage is Stage.RETURNED and not shelf.only.stands
    assert shelf.look(for_s=3600) == [] and not shelf.book.unsettled
    assert shelf.acknowledge("G1:o2") == ["acknowledged", "over"]
    assert not shelf.book.alarms


def test_what_only_a_signature_ends_needs_nobody_to_acknowledge_it() -> None:
    shelf = Shelf()
    shelf.look(view(signed=True))
    assert shelf.look(for_s=11) == ["over"] and not shelf.book.alarms


@pytest.mark.parametrize(("signal", "signed"), [("register.cylinder_argon", True), ("coupler-b.o2_ppm", False)])
def test_what_reads_registers_alone_is_ended_by_who_signs_them(signal: str, signed: bool) -> None:
    check = next(check for check in RULES.checks if [i.signal for i in check.measure.inputs] == [signal])
    state = step(boot(RuleSet((check,), WORDS), 0.0), {}, Facts(), 0.1)
    assert {v.signed for v in alarms(state) if v.row != "K5"} == {signed}


def test_one_that_returned_and_comes_again_is_announced_again() -> None:
    shelf = Shelf()
    shelf.look(view())
    shelf.look(for_s=11)
    assert shelf.look(view(since_s=111.0)) == ["raised"]
    assert (shelf.only.stage, shelf.only.raised) == (Stage.UNACKNOWLEDGED, 2)
    assert shelf.book.rate(shelf.now_s) == 2


def test_what_comes_and_goes_within_the_off_delay_is_one_alarm() -> None:
    shelf = Shelf()
    for _ in range(20):
        shelf.look(view(), for_s=1)
        shelf.look(for_s=9)
    assert shelf.told == [("raised", "G1:o2")]
    assert shelf.book.rate(shelf.now_s) == 1


def test_acknowledged_chatter_stays_acknowledged() -> None:
    shelf = Shelf()
    shelf.look(view())
    shelf.acknowledge()
    shelf.look(for_s=5)
    shelf.look(view(detail="3 ppm"))
    assert shelf.only.stage is Stage.ACKNOWLEDGED and "3 ppm" in shelf.only.cause and shelf.only.quiet_s is None


def test_a_warning_waits_for_its_on_delay_and_may_never_come() -> None:
    shelf = Shelf(replace(ROW, on_delay_s=5.0))
    assert shelf.look(view(), for_s=4.9) == [] and not shelf.book.alarms and shelf.book.unsettled
    assert shelf.look(for_s=1) == [] and not shelf.book.unsettled
    assert shelf.look(view(), for_s=4.9) == []  # it begins anew
    assert shelf.look(view(), for_s=0.3) == ["raised"]


@pytest.mark.parametrize("trip", [view(reaction=HOLD), view(reaction=HOLD, latched=True), view(latched=True)])
def test_nothing_that_latches_waits(trip: AlarmView) -> None:
    assert Shelf(replace(ROW, on_delay_s=60.0)).look(trip) == ["raised"]


def test_what_grows_worse_is_announced_anew_whoever_has_seen_it() -> None:
    shelf = Shelf()
    shelf.look(view())
    shelf.acknowledge()
    assert shelf.look(view(reaction=BLOCK)) == ["worse"]
    assert (shelf.only.stage, shelf.only.acknowledged_by, shelf.only.raised) == (Stage.UNACKNOWLEDGED, "", 2)
    assert shelf.look(view(reaction=WARN)) == []


def test_a_latched_alarm_stands_until_the_reset_and_is_then_over_at_once() -> None:
    shelf = Shelf()
    shelf.look(view(reaction=PURGE, latched=True, first_out=True))
    shelf.look(view(reaction=PURGE, latched=True, first_out=True, live=False), for_s=60)
    assert shelf.only.stands and not shelf.only.live
    shelf.book, changes = acknowledge_latched(shelf.book, "Ann", UTC)
    assert [change.by for change in changes] == ["Ann"]
    assert shelf.look() == ["over"]


def test_a_reset_acknowledges_nothing_that_was_not_latched() -> None:
    shelf = Shelf()
    shelf.look(view(), view("T1", "substrate", PURGE, latched=True))
    shelf.book, _ = acknowledge_latched(shelf.book, "Ann", UTC)
    assert {a.id: a.stage for a in shelf.book.alarms.values()} == {
        "G1:o2": Stage.UNACKNOWLEDGED, "T1:substrate": Stage.ACKNOWLEDGED,
    }  # fmt: skip


# --- acknowledging ---------------------------------------------------------------------------------------------------


def test_a_row_an_id_or_all_can_be_acknowledged() -> None:
    views = view(), view(name="h2o"), view("G6", "box")
    for asked, left in (("G1", 1), ("G1:h2o", 2), ("all", 0)):
        shelf = Shelf()
        shelf.look(*views)
        shelf.acknowledge(asked)
        assert sum(a.stage is Stage.UNACKNOWLEDGED for a in shelf.book.alarms.values()) == left


def test_what_does_not_wait_is_refused_with_what_does() -> None:
    shelf = Shelf()
    with pytest.raises(KeyError, match="none does"):
        shelf.acknowledge("G1")
    shelf.look(view())
    with pytest.raises(KeyError, match="those that do: G1:o2"):
        shelf.acknowledge("G2")
    shelf.acknowledge()
    with pytest.raises(KeyError, match="none does"):
        shelf.acknowledge()


def test_nobody_has_to_acknowledge_a_consequence() -> None:
    shelf = Shelf()
    shelf.look(view(), view("K14", "x", consequence_of="G1"))
    shelf.acknowledge()
    assert [kind for kind, _ in shelf.told] == ["raised", "suppressed", "acknowledged"]


# --- consequences ----------------------------------------------------------------------------------------------------


def test_a_consequence_is_shown_and_counted_and_not_announced() -> None:
    shelf = Shelf()
    assert shelf.look(view(), view("K14", "x", consequence_of="G1")) == ["raised", "suppressed"]
    assert shelf.book.suppressed == 1 and shelf.book.rate(shelf.now_s) == 1
    told = shelf.book.shown()[-1]
    assert (told.stage, told.suppressed_by) == (Stage.SUPPRESSED, "G1")


def test_a_consequence_that_goes_with_its_cause_never_says_a_word() -> None:
    shelf = Shelf()
    shelf.look(view(), view("K14", "x", consequence_of="G1"))
    shelf.look(view("K14", "x"), for_s=5)  # the cause is gone first
    shelf.look(for_s=20)
    assert [kind for kind, id in shelf.told if id == "K14:x"] == ["suppressed", "over"]


def test_a_consequence_that_outlives_its_cause_is_announced() -> None:
    shelf = Shelf()
    shelf.look(view(), view("K14", "x", consequence_of="G1", since_s=90.0))
    assert shelf.look(view("K14", "x", since_s=90.0), for_s=9) == []
    assert shelf.look(view("K14", "x", since_s=90.0), for_s=2) == ["raised", "returned"]
    (alarm,) = [a for a in shelf.book.alarms.values() if a.row == "K14"]
    assert (alarm.stage, alarm.suppressed_by) == (Stage.UNACKNOWLEDGED, "")
    assert alarm.since == pytest.approx(UTC + 90.0)


def test_a_trip_that_nothing_explains_any_more_is_announced_at_once() -> None:
    shelf = Shelf()
    shelf.look(view("K14", "x", HOLD, latched=True, consequence_of="K3"))
    assert shelf.look(view("K14", "x", HOLD, latched=True)) == ["raised"]


def test_what_was_announced_stays_announced_when_something_explains_it_later() -> None:
    shelf = Shelf()
    shelf.look(view())
    assert shelf.look(view(consequence_of="K3")) == []
    assert shelf.only.stage is Stage.UNACKNOWLEDGED and shelf.only.suppressed_by == ""


def test_people_see_the_first_out_then_the_worst_then_what_has_returned_then_consequences() -> None:
    shelf = Shelf()
    shelf.look(view("G6", "box"))
    shelf.look(for_s=11)
    shelf.look(
        view("G1", "o2"), view("K14", "x", PURGE, latched=True, consequence_of="K3"),
        view("T1", "substrate", PURGE, latched=True), view("K3", "b", HOLD, latched=True, first_out=True),
    )  # fmt: skip
    assert [a.row for a in shelf.book.shown()] == ["K3", "T1", "G1", "G6", "K14"]


# --- the rate --------------------------------------------------------------------------------------------------------


def test_alarms_are_counted_for_ten_minutes_and_the_row_that_counts_them_is_not() -> None:
    shelf = Shelf()
    shelf.look(*(view(name=str(n)) for n in range(7)), view("K19", "alarms"), view("C6", "label", signed=True))
    assert shelf.book.rate(shelf.now_s) == 7
    shelf.look(for_s=RATE_S - 1)
    assert shelf.book.rate(shelf.now_s) == 7
    shelf.look(for_s=2)
    assert shelf.book.rate(shelf.now_s) == 0 and not shelf.book.announced_s


@settings(deadline=None)
@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from([WARN, HOLD]), st.booleans()), max_size=60))
def test_no_alarm_is_ever_lost_and_every_one_has_a_legal_past(steps: list[tuple[str, Reaction, bool]]) -> None:
    shelf, standing = Shelf(), {}
    for name, reaction, on in steps:
        standing[name] = view(name=name, reaction=reaction, consequence_of="K3" if name == "c" else "")
        if not on:
            del standing[name]
        shelf.look(*standing.values(), for_s=3)
        assert {f"G1:{n}" for n in standing} <= set(shelf.book.alarms)
    after = {
        "raised": {"worse", "returned", "over", "raised", "acknowledged"}, "worse": {"worse", "returned", "over"},
        "returned": {"raised"}, "suppressed": {"over", "raised"}, "over": {"raised", "suppressed"},
    }  # fmt: skip
    for id in {id for _, id in shelf.told}:
        past = [kind for kind, of in shelf.told if of == id]
        assert past[0] in ("raised", "suppressed")
        assert all(second in after[first] for first, second in pairwise(past)), past


# --- its host --------------------------------------------------------------------------------------------------------


def test_the_annunciator_keeps_every_change_with_its_time_and_looks_only_when_something_changed() -> None:
    times = iter(range(1000))
    keeper = Annunciator(lambda: UTC + next(times))
    rules = plain_rules("G6", "K14")
    state = replace(boot(rules, 0.0), latched=(), first_out=None, active=(cause_of(0, "G6", 0.0, WARN),))
    assert [change.kind for change in keeper.look(state, None, 0.1)] == ["raised"]
    used = next(times)
    assert keeper.look(replace(state, at_s=0.2), None, 0.2) == ()
    assert next(times) == used + 1, "an unchanged state is not even given a time"
    assert [change.by for change in keeper.acknowledge("G6", "Ann")] == ["Ann"]
    newest = keeper.log.newest(1)[0]
    assert (newest["event"], newest["row"], newest["by"], newest["priority"]) == ("acknowledged", "G6", "Ann", "high")
    assert newest["at"] > UTC and keeper.rate(0.2) == 1
