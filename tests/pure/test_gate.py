"""The gate: what has to hold before its lock is released, the lock itself, the box's mode, and hand-held readings."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from ald_controller.config import ToolConfig
from ald_controller.interlocks import Bypass, Constants, Facts, Quality, RuleSet, Sample, Setting, why_no_bypass
from ald_controller.interlocks import boxmode as box
from ald_controller.interlocks import gate as gates
from ald_controller.interlocks.gate import Gate, GateRefused, Lock
from ald_controller.interlocks.glovebox import glovebox
from ald_controller.interlocks.handheld import readings_ppm
from tests.interlock_bench import (
    CHAMBER,
    CONFIG,
    CONSTANTS,
    GATE,
    H2O,
    O2,
    RULES,
    SECOND,
    SETTING,
    SUBSTRATE,
    WORDS,
    Bench,
)

SHUT, LOCKED = GATE
STOP, DELTA, MARK = "coupler-b.stop_valve_open", "coupler-b.delta_p_mbar", "register.cleared"
AT_BOX_PRESSURE = {
    STOP: 0, MARK: 1, SUBSTRATE: 59.0, SECOND: 58.0, CHAMBER: 60.0, DELTA: -4.9, "carrier.setpoint_sccm": 0,
    "carrier.flow_sccm": -0.1, "pusher.setpoint_sccm": 0, "pusher.flow_sccm": 0.05,
}  # fmt: skip
HEATERS = {name: replace(one, hottest_k=0.0) for name, one in CONSTANTS.heaters.items()}
EVEN = replace(CONSTANTS, heaters=HEATERS)  # no place is hotter than its sensor
IDLE = Facts("IDLE", "UNKNOWN", lithium=True, gate_proven_shut=True)


class Yard:
    """A cold, cleared chamber at the box's pressure, its sources long shut, and its gate; facts follow the lock."""

    def __init__(self, config: ToolConfig = CONFIG, constants: Constants = EVEN) -> None:
        table = RuleSet(tuple(glovebox(Setting(config, constants))), WORDS, RULES.gate)  # the rows of the box alone
        self.bench = Bench(table, IDLE, released=False)
        self.permissive = gates.permissive_of(Setting(config, constants))
        self.gate = Gate()
        self.values = self.bench.values
        self.values |= AT_BOX_PRESSURE
        self.look(0.1)
        self.bench.reset("operator")
        self.look(121, every_s=1.0)

    def look(self, seconds: float = 0.1, every_s: float = 0.1) -> Gate:
        """Scans for so long; the locked contact follows the lock, where no test holds it."""
        for _ in range(round(seconds / every_s)):
            self.values[LOCKED] = float(not self.gate.energised and self.values[SHUT] == 1)
            proven = self.values[SHUT] == 1 and self.values[LOCKED] == 1
            self.bench.facts = replace(self.bench.facts, gate_proven_shut=proven, gate_released=self.gate.released)
            state = self.bench.scan(every_s)
            self.gate = gates.step(self.gate, self.permissive, state, self.bench.samples, self.bench.facts)
        return self.gate

    def release(self) -> Gate:
        self.gate = gates.release(self.gate, "Ann", self.bench.now_s)
        return self.look(0.2)


def test_a_cold_cleared_chamber_at_the_box_s_pressure_may_be_opened() -> None:
    yard = Yard()
    assert yard.gate.missing == ()
    assert yard.gate.lock is Lock.LOCKED and not yard.gate.energised and not yard.gate.released


MISSING = [
    (SUBSTRATE, 60.1, "substrate.temperature_c is at 60 °C, a glove may touch 60 °C"),
    (SECOND, 80.0, "coupler-b.substrate_2_c is at 80 °C"),
    (CHAMBER, math.nan, "chamber.temperature_c is not known"),
    (DELTA, 5.1, "the chamber is 5.1 mbar above the box, 5 mbar are the limit (G5)"),
    (DELTA, -5.2, "the chamber is 5.2 mbar below the box"),
    (DELTA, -50.0, "the pressure between chamber and box is not known"),
    (DELTA, 49.99, "the pressure between chamber and box is not known"),
    (STOP, 1, "the stop valve is not known to be shut"),
    ("carrier.setpoint_sccm", 5, "carrier is not known to be shut"),
    ("carrier.flow_sccm", 0.6, "carrier is not known to be shut"),
    ("pusher.flow_sccm", math.nan, "pusher is not known to be shut"),
    (MARK, 0, "the chamber is not cleared of precursors"),
    ("valves.word", 1, "a source is open, or not known to be shut"),
    (O2, 40.0, "G1 coupler-b.o2_ppm is at 40 ppm"),
    (H2O, 99.98, "G7 coupler-b.h2o_ppm stands at the end of its range"),
    ("coupler-b.box_pressure_mbar", -12.0, "G6 coupler-b.box_pressure_mbar is 12 mbar from the room's"),
    ("register.analyser.O2", 0, "G7 the test of the O2 analyser is overdue"),
]  # fmt: skip


@pytest.mark.parametrize(("signal", "value", "says"), MISSING)
def test_whatever_is_missing_is_said_in_a_sentence_of_its_own_and_the_lock_stays(
    signal: str, value: float, says: str
) -> None:
    yard = Yard()
    yard.values[signal] = value
    yard.look(12)
    assert [m for m in yard.gate.missing if says in m], yard.gate.missing
    with pytest.raises(GateRefused, match=r"."):
        gates.release(yard.gate, "Ann", yard.bench.now_s)
    assert not yard.gate.energised


@pytest.mark.parametrize("signal", [SHUT, *AT_BOX_PRESSURE])
@pytest.mark.parametrize("quality", [Quality.BAD, Quality.UNCERTAIN, Quality.TEST])
def test_nothing_that_is_bad_in_doubt_or_simulated_passes(signal: str, quality: Quality) -> None:
    yard = Yard()
    yard.bench.quality[signal] = quality
    assert yard.look().missing


@pytest.mark.parametrize("signal", [SHUT, *AT_BOX_PRESSURE])
def test_nothing_that_is_old_or_absent_passes(signal: str) -> None:
    yard = Yard()
    yard.bench.stopped.add(signal)
    assert yard.look(2.5).missing
    del yard.bench.samples[signal]
    assert yard.look().missing


ABSENT = [
    ("glovebox_o2", "there is no O2 analyser"), ("glovebox_h2o", "there is no H2O analyser"),
    ("box_pressure", "the pressure of the box is not measured"), ("delta_p", "chamber and box is not known"),
    ("gate_shut", "the gate is not known to be shut"), ("stop_valve_open", "the stop valve is not known to be shut"),
]  # fmt: skip


@pytest.mark.parametrize(("field", "says"), ABSENT)
def test_a_tool_that_lacks_an_input_never_opens_its_gate(field: str, says: str) -> None:
    signals = CONFIG.signals.model_copy(update={field: None})
    yard = Yard(CONFIG.model_copy(update={"signals": signals}))
    assert [m for m in yard.gate.missing if says in m]


def test_without_any_sensor_no_glove_goes_in() -> None:
    bare = CONFIG.model_copy(update={"zones": CONFIG.zones_of("source", "line")})
    assert "no temperature of the chamber is measured" in Yard(bare).gate.missing[0]


def test_sources_have_to_be_seen_shut_for_two_minutes_and_an_opening_starts_them_anew() -> None:
    yard = Yard()
    yard.values["valves.word"] = 4
    assert yard.look().sources_since_s is None
    yard.values["valves.word"] = 0
    assert "sources have been seen shut for 119 s, 120 s are needed" in yard.look(119.5).missing
    assert yard.look(1.0).missing == ()
    yard.values["valves.word"] = 0b1_1100_0000  # stop valve, contactor and alive bit are no sources
    assert yard.look().missing == ()


def test_nothing_is_opened_while_a_recipe_is_in_hand_or_something_is_latched() -> None:
    yard = Yard()
    yard.bench.facts = replace(IDLE, process="PAUSED")
    assert yard.look().missing == ("the tool is PAUSED: the gate is opened when nothing runs",)
    yard.bench.facts = IDLE
    yard.values["coupler-b.argon_ok"] = 0
    yard.look(2.2)
    yard.values["coupler-b.argon_ok"] = 1
    assert yard.look(5).missing == ("G8 the contact coupler-b.argon_ok says that the argon line has lost its pressure",)


def test_the_owner_may_ask_for_colder_surfaces_and_no_file_lets_a_glove_meet_more_than_the_code_allows() -> None:
    def glove(celsius: float) -> float:
        limits = CONFIG.limits.model_copy(update={"glove": celsius})
        return gates.permissive_of(Setting(CONFIG.model_copy(update={"limits": limits}))).glove_c

    assert (glove(45.0), glove(100.0), glove(500.0)) == (45.0, 100.0, 120.0)


def test_a_glove_meets_the_hottest_place_that_was_commissioned_and_not_what_a_sensor_reads() -> None:
    yard = Yard()
    hotter = replace(EVEN, heaters=HEATERS | {"substrate": replace(HEATERS["substrate"], hottest_k=2.0)})
    yard.permissive = gates.permissive_of(Setting(CONFIG, hotter))
    assert yard.look().missing == (
        "substrate.temperature_c is at 59 °C and its hottest place 2 K above, a glove may touch 60 °C",
    )
    yard.values[SUBSTRATE] = 57.9
    assert yard.look().missing == ()


def test_a_pressure_in_another_unit_is_judged_in_its_own() -> None:
    signals = CONFIG.signals.model_copy(update={"delta_p": "box.delta_pa"})
    yard = Yard(CONFIG.model_copy(update={"signals": signals}))
    yard.values["box.delta_pa"] = 490.0
    assert yard.look().missing == ()
    yard.values["box.delta_pa"] = 520.0
    assert yard.look().missing == ("the chamber is 5.2 mbar above the box, 5 mbar are the limit (G5)",)


# --- the lock --------------------------------------------------------------------------------------------------------


def test_a_released_gate_is_opened_and_shut_and_locks_by_itself() -> None:
    yard = Yard()
    gate = yard.release()
    assert (gate.lock, gate.energised, gate.released, gate.by) == (Lock.RELEASED, True, True, "Ann")
    yard.values[SHUT] = 0
    assert yard.look(0.1).lock is Lock.OPEN
    gate = yard.look(30)
    assert gate.energised  # so that it can be shut
    with pytest.raises(GateRefused, match="is open"):
        gates.lock(gate, yard.bench.now_s)
    with pytest.raises(GateRefused, match="is open"):
        gates.release(gate, "Bob", yard.bench.now_s)
    yard.values[SHUT] = 1
    assert yard.look(0.5).lock is Lock.OPEN  # it may swing back
    gate = yard.look(0.9)
    assert (gate.lock, gate.released, gate.by) == (Lock.LOCKED, False, "")


def test_a_gate_that_swings_back_is_not_shut() -> None:
    yard = Yard()
    yard.release()
    for value in (0, 1, 0, 1):
        yard.values[SHUT] = value
        assert yard.look(0.9).lock is Lock.OPEN


@pytest.mark.parametrize(("signal", "value"), [(O2, math.nan), (STOP, 1), (DELTA, 6.0), (MARK, 0), (SHUT, math.nan)])
def test_a_released_gate_that_is_still_shut_locks_when_anything_is_missing(signal: str, value: float) -> None:
    yard = Yard()
    yard.release()
    yard.values[signal] = value
    assert yard.look().lock is Lock.LOCKING
    assert not yard.gate.energised
    if signal != SHUT:
        assert yard.look(0.3).lock is Lock.LOCKED


def test_what_goes_missing_while_the_gate_is_open_never_locks_it_on_hands() -> None:
    yard = Yard()
    yard.release()
    yard.values[SHUT] = 0
    yard.look()
    yard.values |= {MARK: 0, STOP: 1, DELTA: 20.0}
    gate = yard.look(20)
    assert gate.missing and gate.lock is Lock.OPEN and gate.energised


def test_a_person_may_lock_a_released_gate_and_a_locked_one_stays_locked() -> None:
    yard = Yard()
    assert gates.lock(yard.gate, yard.bench.now_s) is yard.gate
    yard.release()
    yard.gate = gates.lock(yard.gate, yard.bench.now_s)
    assert not yard.gate.energised and yard.gate.released  # until the contacts prove it
    assert yard.look(0.2).lock is Lock.LOCKED


def test_a_lock_that_does_not_hold_excuses_an_open_gate_for_five_seconds_and_no_longer() -> None:
    yard = Yard()
    yard.release()
    locking = gates.lock(yard.gate, yard.bench.now_s)
    facts = replace(IDLE, gate_proven_shut=False)

    def after(seconds: float) -> Gate:
        state = replace(yard.bench.state, at_s=yard.bench.now_s + seconds)
        samples = {n: Sample(s.value, state.at_s, s.quality) for n, s in yard.bench.samples.items()}
        return gates.step(locking, yard.permissive, state, samples, facts)

    assert after(4.9).released
    assert not after(5.0).released


def test_a_forced_gate_is_not_released_by_being_open() -> None:
    yard = Yard()
    yard.values[SHUT] = 0
    gate = yard.look(3)
    assert gate.open and not gate.released and gate.lock is Lock.LOCKED
    assert gates.lock(gate, yard.bench.now_s) is gate  # there is nothing to lock, and nothing moves


def test_after_a_start_a_gate_that_had_been_released_may_stand_open_and_nothing_is_energised_unseen() -> None:
    yard = Yard()
    yard.gate = gates.reopened("Ann", yard.bench.now_s)
    del yard.bench.samples[SHUT]
    yard.bench.stopped.add(SHUT)
    gate = yard.look(30)  # its contact is not read yet
    assert gate.released and not gate.energised
    yard.bench.stopped.clear()
    yard.values[SHUT] = 0
    assert yard.look().lock is Lock.OPEN
    yard.values[SHUT] = 1
    assert yard.look(2).lock is Lock.LOCKED


# --- the box's mode --------------------------------------------------------------------------------------------------


def test_a_regeneration_ends_with_ten_good_minutes_in_one_piece() -> None:
    mode: box.Regeneration | None = box.Regeneration("Ann", 20_000.0)
    for good, now_s in ((True, 0.0), (True, 599.0), (False, 599.5), (True, 600.0), (True, 1199.9)):
        mode = box.step(mode, good, now_s)
        assert mode is not None and mode.by == "Ann"
    assert box.step(mode, True, 1200.0) is None


def test_a_regeneration_ends_at_its_time_however_bad_the_air_is() -> None:
    mode = box.Regeneration("Ann", 100.0)
    assert box.step(mode, False, 99.9) is not None
    assert box.step(mode, False, 100.0) is None
    assert box.step(None, True, 0.0) is None


@pytest.mark.parametrize(("value", "good"), [(0.99, True), (1.0, False), (math.nan, False), (99.98, False)])
def test_good_air_is_every_analyser_believable_and_below_the_warning(value: float, good: bool) -> None:
    bench = Bench()
    air = box.Air.of(SETTING)
    assert air.good(bench.samples, bench.now_s)
    bench.values[H2O] = value
    bench.scan()
    assert air.good(bench.samples, bench.now_s) is good
    bench.values[H2O] = 0.2
    bench.quality[O2] = Quality.UNCERTAIN
    bench.scan()
    assert not air.good(bench.samples, bench.now_s)


def test_without_an_analyser_no_air_is_good() -> None:
    signals = CONFIG.signals.model_copy(update={"glovebox_o2": None, "glovebox_h2o": None})
    air = box.Air.of(Setting(CONFIG.model_copy(update={"signals": signals})))
    assert not air.good(Bench().samples, 1000.0)


# --- hand-held readings ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("reason", "ppm"), [
    ("0.4 ppm O2 by hand", [0.4]), ("O2 0.4ppm, H2O 800 ppb", [0.4, 0.8]), ("calibration", []), ("5", []),
    ("see sheet 5 of ppm log", []), ("v1.5 ppm", []),
])  # fmt: skip
def test_a_reading_is_a_number_with_its_unit(reason: str, ppm: list[float]) -> None:
    assert readings_ppm(reason) == ppm


@pytest.mark.parametrize(("row", "minutes", "reason", "says"), [
    ("G7", 30, "0.4 ppm by hand", ""), ("G7", 31, "0.4 ppm by hand", "30 min at most"),
    ("G7", 10, "calibration", "enter the hand-held reading"), ("G7", 10, "5 ppm by hand", "is 5 ppm, and 5 ppm keep"),
    ("G7", 10, "0.3 ppm O2, 7 ppm H2O", "is 7 ppm"), ("G1", 60, "calibration", ""),
])  # fmt: skip
def test_row_g7_is_bypassed_on_a_good_reading_for_half_an_hour(
    row: str, minutes: float, reason: str, says: str
) -> None:
    why = why_no_bypass(Bypass(row, "Ann", reason, 0.0, minutes * 60), CONFIG.limits.glovebox_block)
    assert (says in why) if says else not why
