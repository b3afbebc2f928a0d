"""The interlock core under arbitrary samples, facts, resets and pauses: what must hold whatever happens.

The invariants are numbered as in the hazard analysis. What counts as unbelievable is decided here a second time.
Times are multiples of 1/8 s, so that a shift of the clock is exact in binary and may change nothing at all.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from ald_controller.config import CHAMBER_STATES
from ald_controller.interlocks import (
    Blocks,
    Facts,
    Quality,
    Reaction,
    ResetRefused,
    Sample,
    State,
    alarms,
    boot,
    contactor_off,
    heaters_off,
    may_start,
    news,
    permit,
    reset,
    response,
    step,
)
from tests.interlock_bench import CHAMBER, H2O, HEALTHY, O2, RULES, SECOND, SUBSTRATE

SHIFT_S = 2.0**20
LITHIUM = (SUBSTRATE, SECOND, CHAMBER)
ANALYSERS = (O2, H2O)
FLAGS = ("valves.connected", "valves.armed")
COUNTS = ("valves.trips", "valves.faults", "valves.lease_lost")
RANGES = (
    dict.fromkeys(LITHIUM, (-20.0, 400.0))
    | dict.fromkeys(ANALYSERS, (-20.0, 1100.0))
    | dict.fromkeys(FLAGS, (0.0, 1.0))
    | dict.fromkeys((*COUNTS, "valves.sequence"), (0.0, math.inf))
    | {"valves.word": (0.0, 2.0**53)}
)
AGES = dict.fromkeys(RANGES, 1.0) | dict.fromkeys(LITHIUM, 2.0) | dict.fromkeys(ANALYSERS, 10.0)
AGES["valves.sequence"] = 0.6
INPUTS = sorted(RANGES)

believable = {
    "valves.word": st.integers(0, 0b1_1111_1111).map(float),
    "valves.sequence": st.integers(0, 3).map(float),
    **dict.fromkeys(FLAGS, st.sampled_from([0.0, 1.0])),
    **dict.fromkeys(COUNTS, st.sampled_from([0.0, 1.0, 7.0])),
    **dict.fromkeys(LITHIUM, st.sampled_from([20.0, 149.0, 150.0, 151.0, 155.0, 160.0, 169.0, 170.0, 300.0])),
    **dict.fromkeys(ANALYSERS, st.sampled_from([0.1, 0.8, 1.0, 4.0, 4.5, 5.0, 9.0, 10.0, 30.0, 50.0, 900.0])),
}
strange = st.sampled_from([math.nan, math.inf, -math.inf, 1e9, -1e9, -21.0])
pauses = st.sampled_from([0.0, 0.125, 0.125, 0.125, 0.5, 0.75, 2.0, 2.125, 10.0, 11.0, 61.0])
facts = st.builds(
    Facts,
    process=st.sampled_from(["IDLE", "EXECUTING", "PAUSED"]),
    chamber=st.sampled_from(CHAMBER_STATES),
    lithium=st.booleans(),
    gate_proven_shut=st.booleans(),
)


def unbelievable(signal: str, sample: Sample | None, now_s: float) -> bool:
    if sample is None or math.isnan(sample.value) or math.isnan(sample.at_s) or sample.quality is Quality.BAD:
        return True
    low, high = RANGES[signal]
    return sample.value < low or sample.value > high or not -0.1 <= now_s - sample.at_s <= AGES[signal]


def shifted(samples: dict[str, Sample]) -> dict[str, Sample]:
    return {name: replace(s, at_s=s.at_s + SHIFT_S) for name, s in samples.items()}


class Interlocks(RuleBasedStateMachine):
    """Reads, breaks, repairs, waits and resets in any order; scans after each act."""

    @initialize()
    def start(self) -> None:
        self.now_s, self.count = 64.0, 10
        self.facts = Facts("EXECUTING", "VACUUM", True, True)
        self.values = dict(HEALTHY)
        self.quality: dict[str, Quality] = {}
        self.stamp_s: dict[str, float] = {}  # how far in the past or future a signal is stamped
        self.stopped: set[str] = set()
        self.samples: dict[str, Sample] = {}
        self.before = self.state = boot(RULES, self.now_s)
        self.twin = boot(RULES, self.now_s + SHIFT_S)
        self.was_reset = False
        assert self.state.level >= Reaction.ABORT_PURGE  # I7
        assert self.state.blocked is Blocks.ALL
        self.scan(0.125)

    def scan(self, after_s: float) -> None:
        self.now_s += after_s
        self.read()
        self.before, self.was_reset = self.state, False
        self.state = step(self.state, self.samples, self.facts, self.now_s)
        self.twin = step(self.twin, shifted(self.samples), self.facts, self.now_s + SHIFT_S)

    def read(self) -> None:
        self.count += 1
        for signal, value in ({"valves.sequence": float(self.count)} | self.values).items():
            if signal not in self.stopped:
                at_s = self.now_s + self.stamp_s.get(signal, 0.0)
                self.samples[signal] = Sample(value, at_s, self.quality.get(signal, Quality.GOOD))

    @rule(after_s=pauses)
    def wait(self, after_s: float) -> None:
        self.scan(after_s)

    @rule(data=st.data(), signal=st.sampled_from(INPUTS))
    def another_value(self, data: Any, signal: str) -> None:
        self.values[signal] = data.draw(believable[signal])
        self.scan(0.125)

    @rule(signal=st.sampled_from(INPUTS), value=strange)
    def a_strange_value(self, signal: str, value: float) -> None:
        self.values[signal] = value
        self.scan(0.125)

    @rule(signal=st.sampled_from(INPUTS), quality=st.sampled_from(list(Quality)))
    def another_quality(self, signal: str, quality: Quality) -> None:
        self.quality[signal] = quality
        self.scan(0.125)

    @rule(signal=st.sampled_from(INPUTS), off_s=st.sampled_from([-11.0, -1.125, -0.125, 0.0, 0.125, 5.0, math.nan]))
    def another_stamp(self, signal: str, off_s: float) -> None:
        self.stamp_s[signal] = off_s
        self.scan(0.125)

    @rule(signal=st.sampled_from(INPUTS), after_s=pauses)
    def a_signal_stops(self, signal: str, after_s: float) -> None:
        self.stopped.add(signal)
        self.scan(after_s)

    @rule(signal=st.sampled_from(INPUTS))
    def a_signal_vanishes(self, signal: str) -> None:
        self.stopped.add(signal)
        self.samples.pop(signal, None)
        self.scan(0.125)

    @rule(facts=facts)
    def other_facts(self, facts: Facts) -> None:
        self.facts = facts
        self.scan(0.125)

    @rule()
    def everything_is_repaired(self) -> None:
        self.repair()
        self.scan(0.125)

    def repair(self) -> None:
        self.values, self.quality, self.stamp_s = dict(HEALTHY), {}, {}
        self.stopped.clear()

    @rule(role=st.sampled_from(["viewer", "operator", "owner"]), after_s=pauses)
    def somebody_resets(self, role: Any, after_s: float) -> None:
        self.scan(after_s)
        before = self.state
        snapshot = (before.level, before.latched, before.first_out, before.active)
        live = [c for c in before.active if c.reaction >= Reaction.HOLD]
        try:
            after = reset(before, self.samples, self.facts, self.now_s, role)
        except ResetRefused as refused:
            assert refused.live or refused.waiting or refused.needs
            assert snapshot == (before.level, before.latched, before.first_out, before.active)  # I5: nothing changed
            return
        assert role != "viewer"  # I5
        assert not live  # I5
        owners = any(c.reset >= 2 for c in before.latched)
        assert role == "owner" or not owners
        assert (after.latched, after.first_out) == ((), None)
        assert after.level < Reaction.HOLD
        self.twin = reset(self.twin, shifted(self.samples), self.facts, self.now_s + SHIFT_S, role)
        self.before, self.state, self.was_reset = before, after, True

    # --- what holds always -----------------------------------------------------------------------------------------

    @invariant()
    def the_most_severe_cause_wins(self) -> None:  # I8
        reactions = [c.reaction for c in self.state.active + self.state.latched]
        assert self.state.level is max(reactions, default=Reaction.NONE)

    @invariant()
    def nothing_opens_at_hold_or_above_nor_where_pulses_are_blocked(self) -> None:  # I2, I3
        if self.state.level >= Reaction.HOLD:
            assert not permit(self.state)
            assert not may_start(self.state)
            assert self.state.blocked is Blocks.ALL
        if self.state.level < Reaction.BLOCK:
            assert permit(self.state)
            assert may_start(self.state)

    @invariant()
    def hold_and_above_latch_and_stay_without_an_accepted_reset(self) -> None:  # I4
        latched = {(c.row, c.name): c.reaction for c in self.state.latched}
        starting = ("K5", "daemon") in latched
        for cause in self.state.active:
            if cause.reaction >= Reaction.HOLD and not (starting and cause.unread):
                assert latched[cause.row, cause.name] >= cause.reaction
        if not self.was_reset:
            assert all(latched[c.row, c.name] >= c.reaction for c in self.before.latched)

    @invariant()
    def the_first_out_is_the_earliest_and_never_changes(self) -> None:  # I9
        first = self.state.first_out
        assert (first is None) == (not self.state.latched)
        if first is not None:
            assert first.cause.since_s == min(c.since_s for c in self.state.latched)
            assert self.was_reset or self.before.first_out is None or self.before.first_out is first
            (shown,) = [a for a in alarms(self.state) if a.first_out]
            assert shown.row == first.cause.row
            assert shown.consequence_of == ""

    @invariant()
    def an_input_that_cannot_be_believed_trips_what_it_feeds(self) -> None:  # I6
        for signal in INPUTS:
            if unbelievable(signal, self.samples.get(signal), self.now_s):
                assert self.live_level(signal) >= self.due_to(signal), signal

    def due_to(self, signal: str) -> Reaction:
        if signal in LITHIUM:
            return Reaction.HOLD if self.facts.lithium else Reaction.NONE
        if signal in ANALYSERS:
            return Reaction.BLOCK if self.facts.gate_proven_shut else Reaction.HOLD
        return Reaction.ABORT_PURGE

    def live_level(self, signal: str) -> Reaction:
        feeds = {c.name for c in RULES.checks if signal in {i.signal for i in c.measure.inputs}}
        return max((c.reaction for c in self.state.active if c.name in feeds), default=Reaction.NONE)

    @invariant()
    def lithium_at_the_trip_aborts_and_takes_the_heat_away(self) -> None:  # I10
        for signal in LITHIUM:
            sample = self.samples.get(signal)
            seen = not unbelievable(signal, sample, self.now_s) and sample is not None
            if seen and sample is not None and sample.value >= 170.0 and self.facts.lithium:
                assert self.state.level >= Reaction.ABORT_PURGE
                assert contactor_off(self.state)
                assert heaters_off(self.state) == {"substrate", "chamber"}
        for cause in self.state.active:
            if cause.row == "T7" and cause.reaction >= Reaction.HOLD:
                assert cause.name in heaters_off(self.state)

    @invariant()
    def one_more_fault_never_lowers_the_level(self) -> None:  # I8
        now_s = self.now_s + 0.125
        fresh = {n: replace(s, at_s=s.at_s + 0.125) for n, s in self.samples.items()}
        base = step(self.state, fresh, self.facts, now_s)
        for signal in (SECOND, H2O, "valves.armed"):
            sample = fresh.get(signal)
            if sample is not None and sample.value == HEALTHY[signal]:
                worse = step(self.state, fresh | {signal: replace(sample, quality=Quality.BAD)}, self.facts, now_s)
                assert worse.level >= base.level

    @invariant()
    def an_abort_is_never_softened_by_where_the_chamber_is_open_to(self) -> None:
        assert response(self.state, self.facts) >= self.state.level

    @invariant()
    def news_are_the_latched_causes_that_were_not_there_before(self) -> None:
        fresh = {(c.row, c.name) for c in news(self.before, self.state)}
        old = {(c.row, c.name) for c in self.before.latched}
        assert {(c.row, c.name) for c in self.state.latched} - old <= fresh
        assert not (self.was_reset and fresh)

    @invariant()
    def the_clock_s_origin_changes_no_decision(self) -> None:  # I18
        def decided(state: State) -> list[Any]:
            return [state.level, state.blocked, *[(c.row, c.name, c.reaction) for c in state.active + state.latched]]

        assert decided(self.twin) == decided(self.state)

    @invariant()
    def every_cause_can_be_shown(self) -> None:
        for alarm in alarms(self.state):
            assert alarm.text.strip()
            assert alarm.live or alarm.latched

    @precondition(lambda self: self.state.latched)
    @rule()
    def after_repair_and_quiet_an_owner_gets_the_tool_back(self) -> None:  # I19
        self.repair()
        for _ in range(100):
            self.scan(0.125)
        self.somebody_resets("owner", 0.0)
        assert self.state.level is Reaction.NONE
        assert permit(self.state)
        assert may_start(self.state)


Interlocks.TestCase.settings = settings(max_examples=100, stateful_step_count=30, deadline=None)
TestInterlocks = Interlocks.TestCase
