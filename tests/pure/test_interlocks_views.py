"""What follows from a state: permits, heaters and contactors, and the words of an alarm."""

from __future__ import annotations

from dataclasses import replace
from math import inf

import pytest

from ald_controller.interlocks import (
    ABORT,
    Blocks,
    Cause,
    Facts,
    Input,
    Quality,
    Reaction,
    Reset,
    RuleSet,
    Sample,
    State,
    alarms,
    boot,
    contactor_off,
    gate_proven_shut,
    heat_ceiling_c,
    heaters_off,
    may_start,
    permit,
    response,
    source_contactor_off,
)
from ald_controller.interlocks.measures import Value
from ald_controller.interlocks.views import ABORTED, COMMISSION, UNGUARDED
from tests.interlock_bench import WORDS
from tests.standing import cause_of, plain_rules, standing

WARN, BLOCK, HOLD, PURGE, ISOLATE, ESTOP = list(Reaction)[1:]


@pytest.mark.parametrize(
    ("blocked", "latched", "open_", "start"),
    [
        (Blocks.NOTHING, False, True, True),
        (Blocks.NOTHING, True, True, False),
        (Blocks.PULSE, False, False, True),
        (Blocks.START, False, True, False),
        (Blocks.GATE, False, True, True),
        (Blocks.PULSE | Blocks.GATE, False, False, True),
        (Blocks.START | Blocks.GATE, True, True, False),
        (Blocks.ALL, False, False, False),
    ],
)
def test_what_may_be_opened_and_begun(blocked: Blocks, latched: bool, open_: bool, start: bool) -> None:
    causes = (cause_of(0, "C7", 1.0),) if latched else ()
    state = replace(boot(plain_rules("C7"), 0.0), blocked=blocked, latched=causes)
    assert (permit(state), may_start(state)) == (open_, start)


@pytest.mark.parametrize(
    ("chamber", "shut", "means"),
    [
        ("VACUUM", True, PURGE),
        ("PUMPING_DOWN", True, PURGE),
        ("VENTING", True, ISOLATE),
        ("VACUUM", False, ISOLATE),
        ("UNKNOWN", False, ISOLATE),
    ],
)
def test_an_abort_fits_what_the_chamber_is_open_to(chamber: str, shut: bool, means: Reaction) -> None:
    facts = Facts(chamber=chamber, gate_proven_shut=shut)  # type: ignore[arg-type]
    state = boot(plain_rules("C7"), 0.0)
    assert response(state, facts) is means
    for level in (Reaction.NONE, HOLD, ISOLATE, ESTOP):
        assert response(replace(state, level=level), facts) is level


# --- the gate --------------------------------------------------------------------------------------------------------

SHUT, LOCKED = Input("b.shut", 0, 1), Input("b.locked", 0, 1)
BOTH = {"b.shut": Sample(1, 50.0), "b.locked": Sample(1, 50.0)}


@pytest.mark.parametrize(
    ("change", "proven"),
    [
        ({}, True),
        ({"b.locked": Sample(0, 50.0)}, False),
        ({"b.shut": Sample(0, 50.0)}, False),
        ({"b.shut": Sample(0.5, 50.0)}, False),
        ({"b.shut": Sample(2, 50.0)}, False),
        ({"b.shut": Sample(1, 48.0)}, False),
        ({"b.shut": Sample(1, 50.0, Quality.UNCERTAIN)}, False),
        ({"b.locked": Sample(1, 50.0, Quality.TEST)}, False),
        ({"b.locked": Sample(1, 50.0, Quality.BAD)}, False),
    ],
)
def test_a_gate_is_proven_shut_by_two_contacts_that_are_good_fresh_and_closed(
    change: dict[str, Sample], proven: bool
) -> None:
    rules = replace(plain_rules("C7"), gate=(SHUT, LOCKED))
    assert gate_proven_shut(rules, BOTH | change, 50.5) is proven


def test_a_gate_is_not_proven_by_a_contact_that_is_missing_nor_where_there_is_none() -> None:
    rules = replace(plain_rules("C7"), gate=(SHUT, LOCKED))
    assert not gate_proven_shut(rules, {"b.shut": Sample(1, 50.0)}, 50.0)
    assert not gate_proven_shut(rules, {}, 50.0)
    assert not gate_proven_shut(replace(rules, gate=()), BOTH, 50.0)


# --- heaters ---------------------------------------------------------------------------------------------------------


def _zones() -> RuleSet:
    """T1 of the substrate, which touches lithium and may then be asked for 100 °C; T2 of a line; K3 of no zone."""
    rules = plain_rules("T1", "T2", "K3")
    zones = zip(rules.checks, ("substrate", "lines", ""), (100.0, 140.0, None), strict=True)
    checks = tuple(replace(check, zone=zone, cool_c=cool_c) for check, zone, cool_c in zones)
    return replace(rules, checks=checks, lithium_zones=("substrate", "chamber"))


def _live(*causes: Cause, level: Reaction | None = None) -> State:
    worst = max((cause.reaction for cause in causes), default=Reaction.NONE)
    return replace(boot(_zones(), 0.0), level=worst if level is None else level, active=causes, latched=())


@pytest.mark.parametrize(
    ("causes", "off"),
    [
        ((), set()),
        ((cause_of(0, "T1", 1, BLOCK),), set()),
        ((cause_of(0, "T1", 1, HOLD),), {"substrate"}),
        ((cause_of(1, "T2", 1, HOLD),), {"lines"}),
        ((cause_of(2, "K3", 1, HOLD),), set()),
        ((cause_of(2, "K3", 1, PURGE),), {"substrate", "chamber"}),
        ((cause_of(1, "T2", 1, PURGE),), {"substrate", "chamber", "lines"}),
        ((cause_of(-1, "K5", 1, PURGE),), {"substrate", "chamber"}),
        ((cause_of(-1, "K5", 1, HOLD),), set()),
    ],
)
def test_a_zone_goes_off_with_its_own_cause_and_all_that_touch_lithium_with_any_abort(
    causes: tuple[Cause, ...], off: set[str]
) -> None:
    assert heaters_off(_live(*causes)) == off


def test_what_is_latched_keeps_a_zone_off_as_what_lives_does() -> None:
    state = standing(_zones(), cause_of(0, "T1", 1, HOLD))
    assert heaters_off(replace(state, level=HOLD)) == {"substrate"}
    assert heat_ceiling_c(state) == 100.0


@pytest.mark.parametrize(
    ("causes", "ceiling_c"),
    [
        ((), inf),
        ((cause_of(0, "T1", 1, BLOCK),), inf),
        ((cause_of(0, "T1", 1, HOLD),), 100.0),
        ((cause_of(1, "T2", 1, PURGE),), 140.0),
        ((cause_of(1, "T2", 1, HOLD), cause_of(0, "T1", 1, PURGE)), 100.0),
        ((cause_of(2, "K3", 1, PURGE),), inf),
        ((cause_of(-1, "K5", 1, PURGE),), inf),
    ],
)
def test_the_coolest_of_what_stands_is_the_ceiling(causes: tuple[Cause, ...], ceiling_c: float) -> None:
    assert heat_ceiling_c(_live(*causes)) == ceiling_c


def test_a_cause_without_a_check_has_no_zone_though_the_last_check_has_one() -> None:
    state = _live(cause_of(-1, "K5", 1, PURGE))
    last_hot = replace(state, rules=replace(_zones(), checks=_zones().checks[::-1]))
    assert heaters_off(replace(last_hot, level=HOLD)) == set()
    assert heat_ceiling_c(last_hot) == inf and not contactor_off(last_hot)


@pytest.mark.parametrize(
    ("causes", "lithium", "sources"),
    [
        ((), False, False),
        ((cause_of(0, "T1", 1, HOLD),), False, False),
        ((cause_of(0, "T1", 1, PURGE),), True, False),
        ((cause_of(1, "T2", 1, HOLD),), False, False),
        ((cause_of(1, "T2", 1, PURGE),), False, True),
        ((cause_of(2, "K3", 1, ISOLATE),), False, False),
        ((cause_of(2, "K3", 1, ESTOP),), True, False),
        ((cause_of(0, "T1", 1, PURGE), cause_of(1, "T2", 1, PURGE)), True, True),
    ],
)
def test_a_contactor_opens_with_a_thermal_abort_of_its_zones_and_lithiums_with_the_estop(
    causes: tuple[Cause, ...], lithium: bool, sources: bool
) -> None:
    state = _live(*causes)
    assert (contactor_off(state), source_contactor_off(state)) == (lithium, sources)


# --- alarms ----------------------------------------------------------------------------------------------------------


def test_alarms_come_with_the_first_out_then_the_most_severe_then_the_oldest() -> None:
    rules = plain_rules("C7", "G1", "G6", "G7")
    first = cause_of(0, "C7", 5.0, HOLD)
    others = cause_of(1, "G1", 4.0, WARN), cause_of(2, "G6", 3.0, WARN), cause_of(3, "G7", 9.0, PURGE)
    state = replace(standing(rules, first), active=others)
    assert [(a.row, a.first_out) for a in alarms(state)] == [
        ("C7", True), ("G7", False), ("G6", False), ("G1", False),
    ]  # fmt: skip


def test_an_alarm_has_its_detail_its_words_and_what_becomes_of_it() -> None:
    state = replace(standing(plain_rules("C7", "G1"), cause_of(0, "C7", 5.0, HOLD)), active=(cause_of(1, "G1", 6.0),))
    latched, live = alarms(state)
    assert (latched.detail, latched.live, latched.latched, latched.signed) == ("as it was", False, True, False)
    assert (live.detail, live.live, live.latched, live.name) == ("as it was", True, False, "G1")
    assert latched.reset is Reset.L1
    row = WORDS["C7"]
    assert latched.words == row and latched.text == f"{row.cause}: as it was. {row.consequence} {row.action}"


def test_a_row_that_cannot_guard_says_so_and_what_has_to_be_done() -> None:
    rules = plain_rules("C7")
    check = replace(rules.checks[0], says="{name} was never commissioned")
    (alarm,) = alarms(standing(replace(rules, checks=(check,)), cause_of(0, "C7", 5.0, BLOCK)))
    words = replace(
        WORDS["C7"], cause="Row C7 cannot guard", consequence=UNGUARDED, action=COMMISSION, priority="medium"
    )
    assert alarm.words == words and alarm.signed


def test_the_start_and_an_abort_are_nothing_that_a_signature_ends() -> None:
    rules = plain_rules("C7")
    signed = replace(rules, checks=(replace(rules.checks[0], measure=Value(Input("register.load", 0, 9))),))
    assert alarms(standing(signed, cause_of(0, "C7", 5.0)))[0].signed
    start = boot(signed, 0.0)
    assert [a.signed for a in alarms(start)] == [False]
    (told,) = alarms(replace(start, latched=(), first_out=None), cause_of(-1, ABORT, 1.0))
    assert told.words is ABORTED and told.first_out and not told.signed
