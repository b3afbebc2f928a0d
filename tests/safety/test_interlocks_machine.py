"""The interlock core under arbitrary samples, facts, resets, bypasses and pauses: what must hold whatever happens.

The invariants are numbered as in the hazard analysis. What counts as unbelievable is decided here a second time. The
tool has fewer zones than the reference tool, of every role, so that a walk meets each of its rules more often. Times
are multiples of 1/8 s, so that a shift of the clock is exact in binary and may change nothing at all. The shifted twin
gets a new sample of everything at each scan and looks at every rule, the other one only at what has moved: looking less
often changes nothing.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from ald_controller.config import CHAMBER_STATES
from ald_controller.interlocks import (
    MATRIX,
    AlarmView,
    Blocks,
    Bypass,
    BypassRefused,
    Check,
    Facts,
    Input,
    Quality,
    Reaction,
    ResetRefused,
    Sample,
    State,
    alarms,
    boot,
    bypass,
    contactor_off,
    heaters_off,
    may_start,
    news,
    permit,
    reset,
    response,
    restore,
    step,
)
from ald_controller.interlocks.measures import Measure, Moves, Samples, Taken
from tests.interlock_bench import CHAMBER, CONFIG, H2O, HEALTHY, O2, SECOND, SUBSTRATE, rules
from tests.machines import walks

SHIFT_S = 2.0**20
KEPT = ("substrate", "chamber", "source-3", "lines")
RULES = rules(
    CONFIG.model_copy(
        update={
            "zones": {name: zone for name, zone in CONFIG.zones.items() if name in KEPT},
            "ports": {name: port for name, port in CONFIG.ports.items() if port.zone in (None, *KEPT)},
        }
    )
)


@dataclass(frozen=True)
class Restless:
    """The same measure, looked at in every scan."""

    moves_with: ClassVar[Moves] = "time"
    measure: Measure

    @property
    def inputs(self) -> tuple[Input, ...]:
        return self.measure.inputs

    def take(self, memory: Any, samples: Samples, now_s: float) -> Taken:
        return self.measure.take(memory, samples, now_s)


RESTLESS = replace(RULES, checks=tuple(replace(check, measure=Restless(check.measure)) for check in RULES.checks))
LITHIUM = (SUBSTRATE, SECOND, CHAMBER)
ANALYSERS = (O2, H2O)
SLOW = ("substrate.", "chamber.", "source-3.", "lines.")  # read twice a second, everything else at each scan
INPUTS = sorted(
    {i.signal for check in RULES.checks for i in check.measure.inputs} & HEALTHY.keys() | {"valves.sequence"}
)
FEEDS = {s: [c for c in RULES.checks if s in {i.signal for i in c.measure.inputs}] for s in INPUTS}
# signal -> what it must come to at least, as soon as it cannot be believed; typed a second time
DUE: dict[str, Reaction] = {
    "coupler-b.estop_ok": Reaction.ESTOP, "coupler-b.argon_ok": Reaction.ABORT_ISOLATE,
    "coupler-b.limit_controller_ok": Reaction.ABORT_PURGE, "coupler-b.mains_ok": Reaction.BLOCK,
    CHAMBER: Reaction.ABORT_PURGE, SUBSTRATE: Reaction.HOLD, SECOND: Reaction.HOLD,
    "source-3.temperature_c": Reaction.HOLD, "lines.temperature_c": Reaction.HOLD,
    "machine.scan_late_s": Reaction.HOLD, "machine.journal_errors": Reaction.HOLD, "machine.free_mib": Reaction.BLOCK,
    "register.limits_confirmed": Reaction.WARN,
    **{f"valves.{n}": Reaction.ABORT_PURGE for n in ("word", "sequence", "connected", "armed", "trips", "faults",
                                                     "lease_lost")},
    **{s: Reaction.HOLD for s in INPUTS if s.startswith("link.")},
}  # fmt: skip


def _near(check: Check) -> set[float]:
    """Numbers around the limits of a check, as far as they are values of its signal."""
    return {x for lv in check.levels for x in (lv.clear, (lv.clear + lv.limit) / 2, lv.limit) if math.isfinite(x)}


def _values(signal: str) -> list[float]:
    near = set().union(*(_near(check) for check in FEEDS[signal])) | {HEALTHY.get(signal, 1.0), 0.0, 1.0, 20.0}
    return sorted(round(x * 8) / 8 for x in near if math.isfinite(x))


believable = {signal: st.sampled_from(_values(signal)) for signal in INPUTS}
believable["valves.word"] = st.integers(0, 0b1_1111_1111).map(float)
strange = st.sampled_from([math.nan, math.inf, -math.inf, 1e9, -1e9, -21.0])
pauses = st.sampled_from([0.0, 0.125, 0.125, 0.125, 0.5, 0.75, 2.0, 2.125, 10.0, 11.0, 61.0])
facts = st.builds(
    Facts,
    process=st.sampled_from(["IDLE", "EXECUTING", "PAUSED"]),
    chamber=st.sampled_from(CHAMBER_STATES),
    lithium=st.booleans(),
    gate_proven_shut=st.booleans(),
    pyrophoric=st.booleans(),
    part=st.sampled_from(["", "prepare", "deposit"]),
    step=st.sampled_from(["", "segment", "pump"]),
    regenerating=st.booleans(),
    gate_released=st.booleans(),
)


def unbelievable(source: Input, sample: Sample | None, now_s: float) -> bool:
    if sample is None or math.isnan(sample.value) or math.isnan(sample.at_s) or sample.quality is Quality.BAD:
        return True
    beyond = sample.value < source.low or sample.value > source.high
    return beyond or not -0.1 <= now_s - sample.at_s <= source.max_age_s


def shifted(samples: dict[str, Sample]) -> dict[str, Sample]:
    return {name: Sample(s.value, s.at_s + SHIFT_S, s.quality) for name, s in samples.items()}


class Interlocks(RuleBasedStateMachine):
    """Reads, breaks, repairs, waits and resets in any order; scans after each act."""

    @initialize()
    def start(self) -> None:
        self.now_s, self.count = 64.0, 10
        self.facts = Facts("EXECUTING", "VACUUM", True, True)
        self.ends_s = -math.inf  # of the bypass that stands
        self.out: dict[str, tuple[float, float]] = {}  # by row: when it was first taken out, and out until
        self.values = dict(HEALTHY)
        self.quality: dict[str, Quality] = {}
        self.stamp_s: dict[str, float] = {}  # how far in the past or future a signal is stamped
        self.stopped: set[str] = set()
        self.samples: dict[str, Sample] = {}
        self.before = self.state = boot(RULES, self.now_s)
        self.twin = boot(RESTLESS, self.now_s + SHIFT_S)
        self.was_reset = False
        self.shown: tuple[State, tuple[AlarmView, ...]] | None = None
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
            if signal not in self.stopped and not self._lies_there(signal, value):
                at_s = self.now_s + self.stamp_s.get(signal, 0.0)
                self.samples[signal] = Sample(value, at_s, self.quality.get(signal, Quality.GOOD))

    def _lies_there(self, signal: str, value: float) -> bool:
        """A slow signal is not read again yet, unless somebody did something to it."""
        before = self.samples.get(signal)
        if before is None or not signal.startswith(SLOW) or signal in self.stamp_s:
            return False
        same = before.value == value and before.quality is self.quality.get(signal, Quality.GOOD)
        return same and 0 <= self.now_s - before.at_s < 0.5

    def alarms(self) -> tuple[AlarmView, ...]:
        """Of this state; the invariants after one act share them."""
        if self.shown is None or self.shown[0] is not self.state:
            self.shown = self.state, alarms(self.state)
        return self.shown[1]

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

    @rule(role=st.sampled_from(["viewer", "operator", "owner"]), key=st.booleans(), after_s=pauses)
    def somebody_resets(self, role: Any, key: bool, after_s: float) -> None:
        self.scan(after_s)
        before = self.state
        snapshot = (before.level, before.latched, before.first_out, before.active)
        live = [c for c in before.active if c.reaction >= Reaction.HOLD]
        try:
            after = reset(before, self.samples, self.facts, self.now_s, role, key)
        except ResetRefused as refused:
            assert refused.live or refused.waiting or refused.needs
            assert snapshot == (before.level, before.latched, before.first_out, before.active)  # I5: nothing changed
            return
        assert role != "viewer"  # I5
        assert not live  # I5
        hardest = max((c.reset for c in before.latched), default=0)
        assert role == "owner" or hardest < 2
        assert key or hardest < 3
        for cause in before.latched:  # I5: whatever was latched for, a lost reading too
            if cause.reaction is Reaction.ESTOP:
                assert role == "owner"
                assert key or cause.name != "coupler-b.estop_ok"
        assert (after.latched, after.first_out) == ((), None)
        assert after.level < Reaction.HOLD
        self.twin = reset(self.twin, shifted(self.samples), self.facts, self.now_s + SHIFT_S, role, key)
        self.before, self.state, self.was_reset = before, after, True

    @rule(
        row=st.sampled_from(["G1", "G7", "C4", "T8", "T1", "K3", "X1"]),
        minutes=st.sampled_from([0.25, 1.0, 60.0, 61.0]),
        role=st.sampled_from(["operator", "owner"]),
    )
    def somebody_bypasses(self, row: str, minutes: float, role: Any) -> None:
        asked = Bypass(row, "Ann", "a test", self.now_s, self.now_s + 60 * minutes)
        try:
            after = bypass(self.state, asked, self.facts, role)
        except BypassRefused:
            return
        assert role == "owner" and MATRIX[row].override and minutes <= 60  # I14
        assert not self.facts.lithium and not self.facts.pyrophoric
        first_s, until_s = self.out.get(row, (-math.inf, -math.inf))
        first_s = self.now_s if self.now_s - until_s >= 3600 else first_s
        assert asked.until_s - first_s <= 3600 + 1e-3  # I14: renewals do not add up
        self.out[row] = first_s, asked.until_s
        self.state, self.ends_s = after, asked.until_s
        late = replace(asked, since_s=asked.since_s + SHIFT_S, until_s=asked.until_s + SHIFT_S)
        self.twin = bypass(self.twin, late, self.facts, role)
        self.scan(0.125)

    @precondition(lambda self: self.state.bypasses)
    @rule()
    def somebody_restores(self) -> None:
        (one,) = self.state.bypasses
        self.out[one.row] = self.out[one.row][0], self.now_s
        self.state, self.twin = restore(self.state, one.row), restore(self.twin, one.row)
        self.scan(0.125)

    # --- what holds always -----------------------------------------------------------------------------------------

    @invariant()
    def a_bypass_ends_in_time_and_hides_only_its_own_row(self) -> None:  # I14
        for one in self.state.bypasses:
            assert self.now_s < self.ends_s and not self.facts.lithium and not self.facts.pyrophoric
            assert MATRIX[one.row].override
        out = {one.row for one in self.state.bypasses}
        assert {c.row for c in self.state.bypassed} <= out
        assert not any(c.fixed for c in self.state.bypassed)

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
            (shown,) = [a for a in self.alarms() if a.first_out]
            assert shown.row == first.cause.row
            assert shown.consequence_of == ""

    @invariant()
    def an_input_that_cannot_be_believed_trips_what_it_feeds(self) -> None:  # I6
        live: dict[str, Reaction] = {}
        for cause in self.state.active:
            live[cause.name] = max(live.get(cause.name, Reaction.NONE), cause.reaction)
        for signal in INPUTS:
            sample, checks = self.samples.get(signal), FEEDS[signal]
            sources = [i for c in checks if not c.link for i in c.measure.inputs if i.signal == signal]
            if sources and all(unbelievable(source, sample, self.now_s) for source in sources):
                assert max(live.get(c.name, Reaction.NONE) for c in checks) >= self.due_to(signal), signal

    def due_to(self, signal: str) -> Reaction:
        if signal in ANALYSERS:
            out = {one.row for one in self.state.bypasses}
            if "G7" in out:
                return Reaction.NONE
            return Reaction.BLOCK if self.facts.gate_proven_shut else Reaction.HOLD
        return DUE.get(signal, Reaction.NONE)

    @invariant()
    def lithium_at_the_trip_aborts_and_takes_the_heat_away(self) -> None:  # I10
        for signal in LITHIUM:
            sample = self.samples.get(signal)
            source = Input(signal, -20.0, 400.0, 2.0)
            seen = sample is not None and not unbelievable(source, sample, self.now_s)
            if seen and sample is not None and sample.value >= 170.0 and self.facts.lithium:
                assert self.state.level >= Reaction.ABORT_PURGE
                assert contactor_off(self.state)
                assert heaters_off(self.state) >= {"substrate", "chamber"}
        for cause in self.state.active:
            if cause.row == "T7" and cause.reaction >= Reaction.HOLD:
                assert cause.name in heaters_off(self.state)

    @rule(signal=st.sampled_from(INPUTS))
    def one_more_fault_never_lowers_the_level(self, signal: str) -> None:  # I8
        now_s = self.now_s + 0.125
        fresh = {n: Sample(s.value, s.at_s + 0.125, s.quality) for n, s in self.samples.items()}
        base = step(self.state, fresh, self.facts, now_s)
        sample = fresh.get(signal)
        if sample is not None and sample.value == HEALTHY.get(signal):
            doubted = Sample(sample.value, sample.at_s, Quality.BAD)
            worse = step(self.state, fresh | {signal: doubted}, self.facts, now_s)
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
        for alarm in self.alarms():
            assert alarm.text.strip()
            assert alarm.live or alarm.latched

    @precondition(lambda self: self.state.latched)
    @rule()
    def after_repair_and_quiet_an_owner_gets_the_tool_back(self) -> None:  # I19
        self.repair()
        for _ in range(10):
            self.scan(10.0)
        self.somebody_resets("owner", key=True, after_s=0.0)
        assert self.state.level <= Reaction.WARN  # some warnings stand for ten minutes
        assert permit(self.state)
        assert may_start(self.state)


Interlocks.TestCase.settings = walks()
TestInterlocks = Interlocks.TestCase
