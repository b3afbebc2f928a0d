"""The interlocks made plain: the matrix of one tool, typed values, and the verdict on them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ald_controller.explain import (
    Assumed,
    Moment,
    NotUnderstood,
    Typed,
    Verdict,
    healthy,
    held,
    matrix_of,
    released,
    replay,
    rows_named,
    scale_of,
    signals_of,
    understand,
    verdict,
    when_words,
)
from ald_controller.explain.typed import Lost
from ald_controller.interlocks import MATRIX, Facts, Guard, Reaction, Sample, rules_for, step
from ald_controller.interlocks.setting import always, lithium
from ald_controller.interlocksetting import setting_of
from tests.interlock_bench import CHAMBER, CONFIG, GATE, O2, SECOND, SUBSTRATE, WORDS
from tests.recipe_bench import chemistry, simulated

SETTING = setting_of(CONFIG, simulated(), chemistry())
RULES = rules_for(SETTING, WORDS)
SIGNALS = signals_of(RULES)
REST = Facts("IDLE", "VACUUM", pyrophoric=False)


def typed(*words: str, start: Facts = REST) -> Typed:
    return understand(words, CONFIG, chemistry(), SIGNALS, start)


def said(*words: str, for_s: float = 1.0, jump: bool = False, start: Facts = REST) -> Verdict:
    asked = typed(*words, start=start)
    assumed = healthy(SETTING, SIGNALS, asked.facts, asked.values)
    return verdict(*replay(RULES, held(RULES, asked, assumed, for_s, jump=jump)))


def rows(answer: Verdict) -> list[str]:
    return [s.row for s in answer.standing]


# --- the matrix ------------------------------------------------------------------------------------------------------


def test_every_row_of_the_matrix_is_told_with_who_guards_it_and_its_limits() -> None:
    shown = {row.id: row for row in matrix_of(RULES)}
    assert list(shown) == list(MATRIX)
    assert all(shown[id].guard == hazard.guard.value for id, hazard in MATRIX.items())
    assert shown["C5"].guard == Guard.VALVES.value and not shown["C5"].limits
    trip = next(x for x in shown["T1"].limits if x.name == "substrate" and x.reaction == "ABORT_PURGE")
    assert (trip.what, trip.limit, trip.clear, trip.persist_s) == ("substrate ≥ 170 °C", 170.0, 150.0, 0.0)
    assert trip.reset == "an owner's reset, with a reason" and trip.when == "lithium in the chamber, or an unknown load"
    assert set(trip.signals) == {SUBSTRATE, SECOND} and not trip.flag
    assert sum(len(row.limits) for row in shown.values()) == sum(len(check.levels) for check in RULES.checks)


def test_a_contact_is_told_as_a_condition_and_not_as_a_number() -> None:
    connected = next(x for row in matrix_of(RULES) for x in row.limits if x.name == "valves.connected")
    assert connected.flag and connected.what == "the valve module is not connected"
    assert connected.unbelievable == "counts as reaching it"


def test_what_is_not_guarded_stands_at_its_rows() -> None:
    assert rows_named("C3, C4: stuck valves") == ["C3", "C4"]
    assert rows_named("T7-T9: and a T1 behind the colon") == ["T7", "T8"]
    assert rows_named("nothing of a row") == []
    told = {sentence for row in matrix_of(RULES) for sentence in row.not_guarded}
    assert told == {s for s in RULES.not_guarded if rows_named(s)}


def test_when_a_level_is_in_force_is_said_in_words() -> None:
    assert when_words(always) == "always"
    assert when_words(lithium) == "lithium in the chamber, or an unknown load"
    for check in RULES.checks:
        for level in check.levels:
            assert level.when is always or level.when.__doc__ or "_" not in level.when.__name__, level.when


# --- what is typed ---------------------------------------------------------------------------------------------------


def test_facts_are_typed_by_name() -> None:
    asked = typed("chamber=at box", "process=Executing", "load=silicon", "step=flow", "regenerating=yes")
    assert asked.facts == replace(
        REST, chamber="AT_BOX", process="EXECUTING", lithium=False, step="flow", regenerating=True
    )
    assert typed("load=unknown", start=replace(REST, lithium=False)).facts.lithium
    assert typed("load=Li", start=replace(REST, lithium=False)).facts.lithium


def test_the_gate_is_typed_as_its_contacts() -> None:
    assert typed("gate=open").values == dict.fromkeys(GATE, 0.0)
    assert typed("gate=unproven").values == {GATE[0]: 1.0, GATE[1]: 0.0}
    assert not said("gate=unlocked").facts.gate_proven_shut
    assert said("gate=shut").facts.gate_proven_shut


@pytest.mark.parametrize(
    ("word", "value"),
    [
        (f"{SUBSTRATE}=171", 171.0),
        (f"{SUBSTRATE}=171 °C", 171.0),
        (f"{SUBSTRATE}=444.15 K", 171.0),
        ("coupler-b.pressure_torr=5", 5.0),
        ("coupler-b.pressure_torr=1 mbar", 0.750062),
        (f"{O2}=500 ppb", 0.5),
        ("coupler-b.estop_ok=0", 0.0),
    ],
)
def test_a_value_is_bare_in_the_channels_unit_or_a_quantity(word: str, value: float) -> None:
    assert list(typed(word).values.values()) == [pytest.approx(value, rel=1e-5)]


def test_a_signal_may_be_bad_old_missing_or_no_number() -> None:
    assert typed(f"{O2}=bad", f"{SUBSTRATE}=OLD").lost == {O2: Lost.BAD, SUBSTRATE: Lost.OLD}


@pytest.mark.parametrize(
    ("word", "told"),
    [
        ("gate", "write NAME=VALUE"),
        ("gate=", "write NAME=VALUE"),
        ("gate=opn", "did you mean 'open'"),
        ("chamber=vacum", "did you mean 'VACUUM'"),
        ("process=EXECUTE", "did you mean 'EXECUTING'"),
        ("load=lithum", "did you mean 'lithium'"),
        ("pyrophoric=perhaps", "write yes or no"),
        ("substrate=171", "did you mean substrate.temperature_c"),
        ("chambre=VACUUM", "did you mean 'chamber'"),
        ("coupler-b.o2pm=3", "did you mean 'coupler-b.o2_ppm'"),
        ("pirani.frequency=3", "no row reads"),
        ("nowhere.o2_ppm=3", "there is no signal"),
        (f"{SUBSTRATE}=3 Torr", "'Torr' is not a unit of temperature"),
        ("coupler-b.estop_ok=open", "no number"),
        (f"{SUBSTRATE}=inf", "no value of a channel"),
    ],
)
def test_what_is_not_understood_is_refused_with_what_would_be_right(word: str, told: str) -> None:
    with pytest.raises(NotUnderstood, match=told):
        typed(word)


def test_the_scale_of_a_signal_is_in_its_name() -> None:
    told = {
        s: scale_of(s).unit for s in (SUBSTRATE, O2, "coupler-b.pressure_torr", "coupler-b.gate_shut", "valves.word")
    }
    assert list(told.values()) == ["°C", "ppm", "Torr", "", ""]


# --- the healthy start -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("process", "chamber", "for_s"),
    [
        ("EXECUTING", "VACUUM", 65.0),
        ("IDLE", "VACUUM", 11.0),
        ("IDLE", "PUMPING_DOWN", 11.0),
        ("IDLE", "UNKNOWN", 11.0),
    ],
)
def test_at_a_healthy_tool_no_row_acts_and_none_nearly_does(process: str, chamber: str, for_s: float) -> None:
    answer = said(f"chamber={chamber}", f"process={process}", for_s=for_s)
    assert not answer.standing and not answer.nearly, (answer.standing, answer.nearly)
    assert (answer.level, answer.may_open, answer.may_start) == (Reaction.NONE, True, True)
    assert answer.checks == len(RULES.checks)


def test_every_signal_that_a_row_reads_has_a_healthy_value() -> None:
    read = {i.signal for check in RULES.checks for i in check.measure.inputs} | {i.signal for i in RULES.gate}
    assert read <= set(SIGNALS) and set(healthy(SETTING, SIGNALS, REST, {}).values) == set(SIGNALS)


def test_the_other_sensor_of_a_zone_follows_the_one_that_is_typed_as_commissioned() -> None:
    first = healthy(SETTING, SIGNALS, REST, {SUBSTRATE: 120.0})
    assert first.values[SECOND] == pytest.approx(120.4) and first.following == {SECOND: SUBSTRATE}
    other = healthy(SETTING, SIGNALS, REST, {SECOND: 120.0})
    assert other.values[SUBSTRATE] == pytest.approx(119.6) and other.following == {SUBSTRATE: SECOND}
    both = healthy(SETTING, SIGNALS, REST, {SUBSTRATE: 120.0, SECOND: 90.0})
    assert (both.values[SECOND], both.following) == (90.0, {})


# --- the verdict -----------------------------------------------------------------------------------------------------


def test_a_substrate_at_171_degrees_aborts_and_says_what_clears_it() -> None:
    answer = said(f"{SUBSTRATE}=171", "process=EXECUTING")
    (one,) = answer.standing
    assert (one.row, one.reaction, one.first_out, one.live, one.latched) == (
        "T1", Reaction.ABORT_PURGE, True, True, True,
    )  # fmt: skip
    assert "172.4 °C" in one.detail and one.clears == "substrate ≤ 150 °C for 10 s"
    assert one.reset == "an owner's reset, with a reason" and "openings" in one.blocks
    assert (answer.response, answer.may_open, answer.contactor_off) == (Reaction.ABORT_PURGE, False, True)
    assert answer.heaters_off == ("chamber", "substrate")


def test_limits_that_do_not_bind_here_are_told_with_when_they_would() -> None:
    answer = said(f"{SUBSTRATE}=171", "load=silicon")
    assert not answer.standing
    near = {(n.row, n.reaction): n.why for n in answer.nearly}
    assert near["T1", Reaction.ABORT_PURGE] == "only in force: lithium in the chamber, or an unknown load"


def test_a_limit_whose_time_has_not_come_says_how_long_it_has_lasted() -> None:
    before, after = said(f"{O2}=7", for_s=5.0), said(f"{O2}=7", for_s=11.0)
    why = next(n.why for n in before.nearly if n.row == "G1" and n.reaction is Reaction.BLOCK)
    assert not before.standing and why.startswith("acts when it has lasted for 10 s; it has for 5")
    assert rows(after) == ["G1"] and after.standing[0].clears == f"{O2} ≤ 4 ppm"
    assert after.standing[0].reset == "by itself" and after.standing[0].after_s == pytest.approx(10.0, abs=0.2)


def test_an_abort_is_answered_by_what_the_chamber_is_open_to() -> None:
    shut, open_ = said(f"{CHAMBER}=171"), said(f"{CHAMBER}=171", "gate=unlocked")
    assert (shut.level, shut.response) == (Reaction.ABORT_PURGE, Reaction.ABORT_PURGE)
    assert open_.response is Reaction.ABORT_ISOLATE


@pytest.mark.parametrize(("lost", "told"), [("bad", "reported bad"), ("nan", "believable"), ("missing", "never read")])
def test_what_is_lost_acts_as_at_the_tool(lost: str, told: str) -> None:
    answer = said(f"{CHAMBER}={lost}", for_s=3.0)
    assert answer.level >= Reaction.HOLD and any(told in s.detail for s in answer.standing)


def test_what_is_not_read_any_more_grows_old_first() -> None:
    assert not said(f"{CHAMBER}=old", for_s=1.0).standing
    assert "too old" in said(f"{CHAMBER}=old", for_s=4.0).standing[0].detail


def test_values_that_jump_are_told_as_a_jump_and_settled_ones_are_not() -> None:
    settled, jumped = said(f"{SUBSTRATE}=140"), said(f"{SUBSTRATE}=140", jump=True)
    assert "T2" not in rows(settled) and "T2" in rows(jumped)


def test_a_count_is_a_step_from_a_healthy_start() -> None:
    assert rows(said("valves.trips=1")) == ["K3"]


def test_a_pulse_that_is_typed_is_a_new_one_that_counts() -> None:
    assert rows(said("pulse.LTB.ratio=3"))[0] == "C3"
    assert not rows(said("pulse.LTB.ratio=1"))


def test_a_replay_begins_without_a_latch_and_a_persons_reset_takes_it_again() -> None:
    state = released(RULES, 0.0)
    assert not state.latched and state.first_out is None
    asked = typed("coupler-b.estop_ok=0")
    pressed = healthy(SETTING, SIGNALS, asked.facts, asked.values)
    well: Assumed = replace(pressed, values=pressed.before)
    first = list(held(RULES, asked, pressed, 1.0))
    then = [replace(m, now_s=m.now_s + 1.5, samples=_later(m, 1.5)) for m in held(RULES, Typed(REST), well, 1.0)]
    assert replay(RULES, first)[0].latched
    assert replay(RULES, [*first, *then])[0].latched
    assert not replay(RULES, [*first, replace(then[0], released=True), *then[1:]])[0].latched


def _later(moment: Moment, by_s: float) -> dict[str, Sample]:
    return {s: Sample(sample.value, sample.at_s + by_s, sample.quality) for s, sample in moment.samples.items()}


def test_nothing_to_look_at_is_refused() -> None:
    with pytest.raises(ValueError, match="no moment"):
        replay(RULES, [])


def test_the_same_core_decides_as_at_the_tool() -> None:
    """Every moment of a verdict is one plain step of the interlocks, and nothing else."""
    asked = typed(f"{SUBSTRATE}=165", f"{O2}=60")
    moments = list(held(RULES, asked, healthy(SETTING, SIGNALS, asked.facts, asked.values), 12.0))
    state = released(RULES, moments[0].now_s)
    for moment in moments:
        state = step(state, moment.samples, moment.facts, moment.now_s)
    assert replay(RULES, moments)[0] == state
