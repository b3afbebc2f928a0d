"""What the glovebox's measures and small parts return, to the letter: ranges, readings, the box's mode, the gate."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest

from ald_controller.interlocks import Bypass, Facts, Quality, Sample, boot
from ald_controller.interlocks import boxmode as box
from ald_controller.interlocks.gate import (
    Gate,
    GateRefused,
    Lock,
    Permissive,
    lock,
    permissive_of,
    release,
    reopened,
    why_shut,
)
from ald_controller.interlocks.gate import step as gate_step
from ald_controller.interlocks.glovebox_measures import (
    AT_END,
    BothOpen,
    Magnitude,
    OrBeyond,
    StillHours,
    Within,
    one_sided,
    two_sided,
)
from ald_controller.interlocks.handheld import readings_ppm, why_no_bypass
from ald_controller.interlocks.measures import BAD, RANGE, STALE, Input, Taken
from tests.interlock_bench import CONFIG, GATE, RULES, SETTING
from tests.taken import found

A = Input("a", -2.0, 90.0, 10.0)
O2, BOX = "coupler-b.o2_ppm", "coupler-b.box_pressure_mbar"


def read(value: float, at_s: float = 100.0, quality: Quality = Quality.GOOD) -> dict[str, Sample]:
    return {"a": Sample(value, at_s, quality)}


# --- ranges ----------------------------------------------------------------------------------------------------------


def test_an_analyser_is_believed_from_3_6_ma_to_just_below_its_end() -> None:
    source = one_sided(CONFIG, O2, 10.0)
    assert (source.signal, source.low, source.max_age_s) == (O2, -2.5, 10.0)  # of 0 to 100 ppm
    assert 99 < source.high < 100
    assert one_sided(CONFIG, "pirani.pressure_pa", 3.0) == Input("pirani.pressure_pa", -math.inf, math.inf, 3.0)


def test_a_pressure_to_either_side_is_believed_just_inside_both_ends() -> None:
    source = two_sided(CONFIG, BOX, 1.0)
    low, high = source.low, source.high
    assert (source.signal, source.max_age_s) == (BOX, 1.0) and low == pytest.approx(-high) and 0 < high
    assert two_sided(CONFIG, "pirani.pressure_pa", 3.0) == Input("pirani.pressure_pa", -math.inf, math.inf, 3.0)


# --- measures --------------------------------------------------------------------------------------------------------


def test_a_value_at_the_end_of_its_range_has_a_word_of_its_own() -> None:
    within = Within(A)
    assert within.take("kept", read(5), 100) == Taken(5.0, "kept", "", "a", Quality.GOOD)
    high, low = within.take("kept", read(90.1), 100), within.take("kept", read(-2.1), 100)
    assert (high.fault, low.fault) == (AT_END, RANGE) and high.memory == low.memory == "kept" and high.signal == "a"
    assert within.take(None, read(90.1, 89.0), 100).fault == STALE


def test_a_pressure_counts_to_either_side_of_zero() -> None:
    assert Magnitude(A, 2.5).take("kept", read(-2), 100) == Taken(5.0, "kept", "", "a", Quality.GOOD)
    assert Magnitude(A).take(None, read(2), 100).number == 2.0


def test_a_fresh_value_beyond_its_range_is_endless_whatever_its_terminal_says() -> None:
    beyond = OrBeyond(A)
    endless = Taken(math.inf, "kept", "", "a", Quality.GOOD)
    assert beyond.take("kept", read(90.1), 100) == beyond.take("kept", read(90.1, quality=Quality.BAD), 100) == endless
    assert beyond.take("kept", read(90), 100) == Taken(90.0, "kept", "", "a", Quality.GOOD)
    assert beyond.take(None, read(50, quality=Quality.BAD), 100).fault == BAD
    assert beyond.take(None, read(90.1, 89.0), 100).fault == STALE
    assert beyond.take(None, {}, 100).signal == "a"


def test_hours_without_another_digit() -> None:
    still = StillHours(A)
    memory = still.take(None, read(5, 0.0), 0.0).memory
    assert still.take(memory, read(5, 7200.0), 7200.0) == Taken(2.0, (5, 0.0), "", "a", Quality.GOOD)
    assert found(still.take(memory, read(6, 7200.0), 7200.0)) == (0.0, (6, 7200.0))


@pytest.mark.parametrize(("shut", "stop", "both"), [(1, 1, 0), (1, 0, 0), (0, 1, 1), (0, 0, 0), (0.5, 0.5, 1)])
def test_gate_and_stop_valve_are_open_when_neither_is_surely_shut(shut: float, stop: float, both: float) -> None:
    measure = BothOpen((Input("g", 0, 1), Input("s", 0, 1)))
    samples = {"g": Sample(shut, 100.0), "s": Sample(stop, 100.0)}
    assert measure.take("kept", samples, 100.0) == Taken(both, "kept", "", "g", Quality.GOOD)


# --- the reading by hand ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("said", "ppm"), [
    ("0.4 ppm O2 by hand", [0.4]), ("400 ppb and 1.25ppm", [0.4, 1.25]), ("12345 ppm", [12345.0]), ("ppm", []),
    ("0.4 ppmv", []), ("123456 ppm", []), ("x0.4 ppm", []), ("1,4 ppm", []), ("1.2345 ppm", []), ("-3 ppm", [3.0]),
])  # fmt: skip
def test_a_reading_is_a_number_with_its_unit(said: str, ppm: list[float]) -> None:
    assert readings_ppm(said) == pytest.approx(ppm)


def bypass(reason: str, row: str = "G7", minutes: float = 30.0) -> Bypass:
    return Bypass(row, "Ann", reason, 100.0, 100.0 + 60 * minutes)


def test_g7_is_bypassed_on_a_good_reading_for_half_an_hour_and_no_other_row_is_asked() -> None:
    assert why_no_bypass(bypass("0.4 ppm"), 5.0) == ""
    assert why_no_bypass(bypass("none", "G1", 60), 5.0) == ""
    asks = "enter the hand-held reading in the reason, with its unit: for example '0.4 ppm O2 by hand'"
    assert why_no_bypass(bypass("looks fine"), 5.0) == asks
    longer = "row G7 is bypassed on a hand-held reading, and for 30 min at most"
    assert why_no_bypass(bypass("0.4 ppm", minutes=30.1), 5.0) == longer
    high = "the hand-held reading is 5 ppm, and 5 ppm keep the gate shut"
    assert why_no_bypass(bypass("0.4 ppm O2 and 5 ppm H2O"), 5.0) == high
    assert why_no_bypass(bypass("0.4 ppm O2 and 4.999 ppm H2O"), 5.0) == ""


# --- the box's mode --------------------------------------------------------------------------------------------------


def air(**values: Sample) -> dict[str, Sample]:
    return {f"coupler-b.{name}": sample for name, sample in values.items()}


def test_air_is_good_when_every_analyser_says_so() -> None:
    seen = box.Air.of(SETTING)
    good = air(o2_ppm=Sample(0.9, 100.0), h2o_ppm=Sample(0.2, 100.0))
    assert [source.signal for source in seen.analysers] == [O2, "coupler-b.h2o_ppm"] and seen.limit_ppm == 1.0
    assert {source.max_age_s for source in seen.analysers} == {10.0}
    assert seen.good(good, 100.0) is True
    assert not seen.good(good, 110.1)
    assert not seen.good(good | air(o2_ppm=Sample(1.0, 100.0)), 100.0)
    assert not seen.good(air(o2_ppm=Sample(0.9, 100.0)), 100.0)
    assert not seen.good(good | air(h2o_ppm=Sample(0.2, 100.0, Quality.UNCERTAIN)), 100.0)
    assert not box.Air((), 1.0).good({}, 100.0)


def test_a_regeneration_is_over_after_ten_good_minutes_running_or_at_its_end() -> None:
    mode = box.Regeneration("Ann", 5000.0)
    assert box.step(None, True, 0.0) is None
    assert box.step(mode, True, 5000.0) is None and box.step(mode, False, 4999.9) == mode
    begun = box.step(mode, True, 100.0)
    assert begun == box.Regeneration("Ann", 5000.0, 100.0)
    assert box.step(begun, True, 699.9) == begun and box.step(begun, True, 700.0) is None
    assert box.step(begun, False, 300.0) == mode


# --- the gate --------------------------------------------------------------------------------------------------------

FACTS = Facts("IDLE", "AT_BOX", lithium=True, gate_proven_shut=True)
SEEN = permissive_of(SETTING)
GOOD: dict[str, float] = {
    "valves.word": 0, "register.cleared": 1, GATE[0]: 1, "coupler-b.stop_valve_open": 0, "carrier.setpoint_sccm": 0,
    "carrier.flow_sccm": 0.5, "pusher.setpoint_sccm": 0, "pusher.flow_sccm": -0.5, "coupler-b.delta_p_mbar": 5.0,
    O2: 0.3, "coupler-b.h2o_ppm": 0.2, BOX: 2.0, "substrate.temperature_c": 59.0, "coupler-b.substrate_2_c": 59.0,
    "chamber.temperature_c": 59.0,
}  # fmt: skip


def samples(at_s: float = 500.0, /, **changed: float | None) -> dict[str, Sample]:
    values: dict[str, Any] = GOOD | {name.replace("__", ".").replace("_b.", "-b."): v for name, v in changed.items()}
    return {name: Sample(value, at_s) for name, value in values.items() if value is not None}


def why(permissive: Permissive = SEEN, /, since_s: float | None = 380.0, **changed: float | None) -> tuple[str, ...]:
    state = replace(boot(RULES, 500.0), latched=(), active=())
    return why_shut(permissive, state, samples(**changed), FACTS, since_s)


def test_a_gate_may_be_opened_when_nothing_is_missing() -> None:
    assert why() == ()


@pytest.mark.parametrize(("changed", "sentence"), [
    ({"register__cleared": 0}, "the chamber is not cleared of precursors"),
    ({"register__cleared": None}, "the chamber is not cleared of precursors"),
    ({"coupler_b.gate_shut": 0}, "the gate is not known to be shut"),
    ({"coupler_b.stop_valve_open": 1}, "the stop valve is not known to be shut"),
    ({"carrier__setpoint_sccm": 5}, "carrier is not known to be shut"),
    ({"carrier__flow_sccm": 0.6}, "carrier is not known to be shut"),
    ({"pusher__flow_sccm": -0.6}, "pusher is not known to be shut"),
    ({"pusher__flow_sccm": None}, "pusher is not known to be shut"),
    ({"coupler_b.delta_p_mbar": None},
     "the pressure between chamber and box is not known: no reading, or one at the end of its range"),
    ({"coupler_b.delta_p_mbar": 5.1}, "the chamber is 5.1 mbar above the box, 5 mbar are the limit (G5)"),
    ({"coupler_b.delta_p_mbar": -5.1}, "the chamber is 5.1 mbar below the box, 5 mbar are the limit (G5)"),
    ({"chamber__temperature_c": None}, "chamber.temperature_c is not known: a glove may not touch what may be hot"),
    ({"chamber__temperature_c": 59.1},
     "chamber.temperature_c is at 59 °C and its hottest place 1 K above, a glove may touch 60 °C"),
])  # fmt: skip
def test_whatever_is_missing_is_one_sentence(changed: dict[str, float | None], sentence: str) -> None:
    assert why(**changed) == (sentence,)


def test_sources_have_been_seen_shut_for_two_minutes() -> None:
    assert why(since_s=380.1) == ("sources have been seen shut for 119 s, 120 s are needed",)
    assert why(since_s=None) == ("a source is open, or not known to be shut",)


def test_a_tool_that_lacks_an_input_says_so() -> None:
    bare = replace(SEEN, analysers=(("O2", None), ("H2O", "coupler-b.h2o_ppm")), box_pressure=None, surfaces=())
    assert why(bare) == (
        "there is no O2 analyser: nothing says that the box is good",
        "the pressure of the box is not measured: nothing says that the box is good",
        "no temperature of the chamber is measured: nothing says that a glove may touch it",
    )
    blind = replace(SEEN, shut=None, stop_open=None, delta_p=None)
    assert len(why(blind)) == 3
    cold = replace(SEEN, surfaces=((SEEN.surfaces[0][0], 0.0),))
    assert why(cold, substrate__temperature_c=61.0) == ("substrate.temperature_c is at 61 °C, a glove may touch 60 °C",)


def test_what_a_gate_reads_is_what_the_tool_has() -> None:
    assert SEEN.shut == Input(GATE[0], 0, 1) and SEEN.stop_open == Input("coupler-b.stop_valve_open", 0, 1)
    assert SEEN.delta_p == two_sided(CONFIG, "coupler-b.delta_p_mbar", 1.0)
    assert SEEN.analysers == (("O2", O2), ("H2O", "coupler-b.h2o_ppm")) and SEEN.box_pressure == BOX
    assert SEEN.flows == ("carrier", "pusher") and SEEN.sources == CONFIG.source_mask
    assert (SEEN.delta_mbar, SEEN.glove_c, SEEN.mbar_per_unit) == (5.0, 60.0, 1.0)
    sensors = ("substrate.temperature_c", "coupler-b.substrate_2_c", "chamber.temperature_c")
    assert SEEN.surfaces == tuple((Input(name, -20, 400, 2), 1.0) for name in sensors)
    bare = CONFIG.model_copy(update={"signals": CONFIG.signals.model_copy(update={
        "gate_shut": None, "stop_valve_open": None, "delta_p": None})})  # fmt: skip
    other = permissive_of(replace(SETTING, config=bare))
    assert (other.shut, other.stop_open, other.delta_p, other.mbar_per_unit) == (None, None, None, 1.0)
    never = permissive_of(replace(SETTING, constants=replace(SETTING.constants, heaters={})))
    assert {hotter for _, hotter in never.surfaces} == {0.0}
    hot = CONFIG.model_copy(update={"limits": CONFIG.limits.model_copy(update={"glove": 500.0})})
    assert permissive_of(replace(SETTING, config=hot)).glove_c == 120.0


def test_what_is_in_doubt_says_nothing_good_of_the_box() -> None:
    state = replace(boot(RULES, 500.0), latched=(), active=())
    doubted = samples() | {O2: Sample(0.3, 500.0, Quality.UNCERTAIN), BOX: Sample(2.0, 500.0, Quality.TEST)}
    assert why_shut(SEEN, state, doubted, FACTS, 0.0) == (
        "coupler-b.o2_ppm is in doubt: nothing says that the box is good",
        "coupler-b.box_pressure_mbar is in doubt: nothing says that the box is good",
    )
    by_hand = replace(state, bypasses=(bypass("0.4 ppm"),))
    assert why_shut(SEEN, by_hand, doubted, FACTS, 0.0) == (
        "coupler-b.box_pressure_mbar is in doubt: nothing says that the box is good",
    )


def test_a_recipe_in_hand_keeps_the_gate_shut() -> None:
    state = replace(boot(RULES, 500.0), latched=(), active=())
    for process in ("IDLE", "MAINTENANCE"):
        assert why_shut(SEEN, state, samples(), replace(FACTS, process=process), 0.0) == ()
    busy = "the tool is PAUSED: the gate is opened when nothing runs"
    assert why_shut(SEEN, state, samples(), replace(FACTS, process="PAUSED"), 0.0) == (busy,)


# --- the lock --------------------------------------------------------------------------------------------------------


def turned(gate: Gate, at_s: float, facts: Facts = FACTS, /, **changed: float | None) -> Gate:
    state = replace(boot(RULES, at_s), latched=(), active=(), at_s=at_s)
    return gate_step(gate, SEEN, state, samples(at_s, **changed), facts)


READY = Gate(sources_since_s=0.0, open=False, why=tuple)
OPENED: dict[str, float | None] = {"coupler_b.gate_shut": 0}


def test_the_lock_is_released_by_a_person_when_nothing_is_missing() -> None:
    released = release(READY, "Ann", 500.0)
    assert released == replace(READY, lock=Lock.RELEASED, by="Ann", since_s=500.0)
    assert released.energised and released.released
    with pytest.raises(GateRefused, match=r"^the gate is open$"):
        release(replace(READY, open=True), "Ann", 500.0)
    with pytest.raises(GateRefused, match=r"^one; two$"):
        release(replace(READY, why=lambda: ("one", "two")), "Ann", 500.0)
    with pytest.raises(GateRefused, match=r"^nothing has been looked at since the start$"):
        release(Gate(), "Ann", 500.0)


def test_the_lock_is_told_to_lock_unless_the_gate_stands_open_on_purpose() -> None:
    assert lock(READY, 500.0) is READY
    assert lock(replace(READY, lock=Lock.RELEASED), 500.0) == replace(READY, lock=Lock.LOCKING, since_s=500.0)
    assert lock(replace(READY, open=True), 500.0).lock is Lock.LOCKED  # forced: the lock is where it was
    with pytest.raises(GateRefused, match=r"^the gate is open: shut it, and it locks by itself$"):
        lock(replace(READY, lock=Lock.OPEN, open=True), 500.0)
    assert reopened("Ann", 500.0) == Gate(Lock.LOCKING, "Ann", 500.0)


def test_a_released_gate_opens_and_locks_again_when_something_is_missing() -> None:
    released = release(READY, "Ann", 500.0)
    assert turned(released, 501.0) == released and turned(released, 501.0).missing == ()
    opened = turned(released, 501.0, **OPENED)
    assert (opened.lock, opened.since_s, opened.open, opened.by) == (Lock.OPEN, 501.0, True, "Ann")
    missing = turned(released, 501.0, register__cleared=0)
    assert (missing.lock, missing.since_s) == (Lock.LOCKING, 501.0) and not missing.energised and missing.released


def test_an_open_gate_locks_when_it_has_been_shut_for_a_second() -> None:
    opened = replace(READY, lock=Lock.OPEN, open=True, since_s=500.0)
    assert opened.energised
    still = turned(opened, 600.0, **OPENED)
    assert (still.lock, still.since_s) == (Lock.OPEN, 600.0)
    unknown = turned(opened, 600.0, **{"coupler_b.gate_shut": None})
    assert (unknown.lock, unknown.since_s, unknown.open) == (Lock.OPEN, 600.0, None)
    assert turned(still, 600.9).lock is Lock.OPEN
    shut = turned(still, 601.0)
    assert (shut.lock, shut.since_s, shut.open) == (Lock.LOCKING, 601.0, False)


def test_a_lock_has_locked_when_the_contacts_prove_it_or_after_five_seconds() -> None:
    locking = replace(READY, lock=Lock.LOCKING, by="Ann", since_s=500.0)
    proven = turned(locking, 500.5)
    assert (proven.lock, proven.by, proven.since_s) == (Lock.LOCKED, "", 500.5) and not proven.released
    unproven = replace(FACTS, gate_proven_shut=False)
    assert (
        turned(locking, 504.9, unproven).lock is Lock.LOCKING and turned(locking, 505.0, unproven).lock is Lock.LOCKED
    )
    opened = turned(locking, 501.0, **OPENED)
    assert (opened.lock, opened.since_s) == (Lock.OPEN, 501.0)
    unknown = turned(locking, 505.0, unproven, **{"coupler_b.gate_shut": None})
    assert (unknown.lock, unknown.since_s) == (Lock.LOCKING, 505.0)


def test_a_gate_that_nobody_released_stays_locked_whatever_it_reads() -> None:
    forced = turned(READY, 501.0, **OPENED)
    assert (forced.lock, forced.open) == (Lock.LOCKED, True)


def test_sources_are_seen_shut_from_the_first_scan_that_finds_them_so() -> None:
    assert turned(Gate(), 500.0).sources_since_s == 500.0
    assert turned(READY, 500.0).sources_since_s == 0.0
    for word in (CONFIG.source_mask, None, 1):
        assert turned(READY, 500.0, valves__word=word).sources_since_s is None
