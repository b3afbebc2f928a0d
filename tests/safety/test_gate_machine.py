"""The gate's lock under arbitrary readings and requests: released only while all holds that the box needs (I13)."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from ald_controller.interlocks import Facts, Quality, Sample, boot, reset
from ald_controller.interlocks import step as judge
from ald_controller.interlocks.gate import Gate, GateRefused, Lock, lock, permissive_of, release, step
from tests.interlock_bench import CHAMBER, GATE, H2O, HEALTHY, O2, RULES, SECOND, SETTING, SUBSTRATE
from tests.machines import walks

PERMISSIVE = permissive_of(SETTING)
BOX = replace(RULES, checks=tuple(check for check in RULES.checks if check.levels[0].row.startswith("G")))
AT_BOX_LEVEL: dict[str, float] = HEALTHY | {
    SUBSTRATE: 40.0, SECOND: 40.4, CHAMBER: 40.0, "coupler-b.delta_p_mbar": 1.0, "coupler-b.stop_valve_open": 0.0,
    "carrier.flow_sccm": 0.0, "pusher.flow_sccm": 0.0, "asked.carrier_sccm": 0.0, "asked.pusher_sccm": 0.0,
    "carrier.setpoint_sccm": 0.0,
    "pusher.setpoint_sccm": 0.0, "asked.total_sccm": 0.0, "register.cleared": 1.0,
    "asked.stop_shut": 1.0, "valves.word": 64.0,
    "asked.substrate_c": -273.15, "asked.chamber_c": -273.15,
}  # fmt: skip
LOOSE: dict[str, tuple[float, ...]] = {
    SUBSTRATE: (40.0, 59.9, 60.5, 150.0), SECOND: (40.4, 60.5), CHAMBER: (40.0, 60.5),
    "coupler-b.delta_p_mbar": (0.0, 4.9, 5.5, -5.5, -50.0), "coupler-b.stop_valve_open": (0.0, 1.0),
    "carrier.flow_sccm": (0.0, 20.0), "pusher.flow_sccm": (0.0, 5.0), "register.cleared": (1.0, 0.0),
    "valves.word": (64.0, 65.0, 68.0), O2: (0.3, 8.0), H2O: (0.2, 8.0), GATE[0]: (1.0, 0.0), GATE[1]: (1.0, 0.0),
    "coupler-b.box_pressure_mbar": (2.0, 11.0, -13.0),
}  # fmt: skip


READ = frozenset(LOOSE).union(
    (source.signal for check in BOX.checks for source in check.measure.inputs),
    (f"{device}.setpoint_sccm" for device in PERMISSIVE.flows),
)


class TheGate(RuleBasedStateMachine):
    """Everything that the lock depends on changes at will; who works at the box relies on what is said here."""

    @initialize()
    def start(self) -> None:
        self.now_s, self.n = 1000.0, 0
        self.facts = Facts("IDLE", "UNKNOWN", lithium=False, pyrophoric=False, gate_proven_shut=True)
        self.values, self.quality = dict(AT_BOX_LEVEL), dict[str, Quality]()
        self.samples: dict[str, Sample] = {}
        self.state, self.gate = boot(BOX, self.now_s), Gate()
        self.sources_shut_s = 0.0
        self.minutes(1)
        self.state = reset(self.state, self.samples, self.facts, self.now_s, "owner", key=True)
        self.minutes(3)

    def scan(self, after_s: float = 0.5) -> None:
        self.now_s += after_s
        self.n += 1
        for signal, value in (self.values | {"valves.sequence": float(self.n)}).items():
            if signal not in READ:
                continue
            self.samples[signal] = Sample(value, self.now_s, self.quality.get(signal, Quality.GOOD))
        self.sources_shut_s = self.sources_shut_s + after_s if self.sources_shut() else 0.0
        contacts = [self.good(one) == 1 for one in GATE]
        self.facts = replace(self.facts, gate_proven_shut=all(contacts), gate_released=self.gate.released)
        self.state = judge(self.state, self.samples, self.facts, self.now_s)
        self.gate = step(self.gate, PERMISSIVE, self.state, self.samples, self.facts)

    def good(self, signal: str) -> float | None:
        sample = self.samples[signal]
        return sample.value if sample.quality is Quality.GOOD else None

    def sources_shut(self) -> bool:
        word = self.good("valves.word")
        return word is not None and not int(word) & 0x3F

    @rule(minutes=st.sampled_from([1, 3]))
    def minutes(self, minutes: int) -> None:
        for _ in range(minutes * 4):
            self.scan(15.0)

    @rule()
    def a_moment(self) -> None:
        self.scan()

    @rule(data=st.data(), signal=st.sampled_from(sorted(LOOSE)))
    def another_value(self, data: st.DataObject, signal: str) -> None:
        self.values[signal] = data.draw(st.sampled_from(LOOSE[signal]))
        self.scan()

    @rule(signal=st.sampled_from(sorted(LOOSE)), quality=st.sampled_from([*Quality, Quality.GOOD, Quality.GOOD]))
    def another_quality(self, signal: str, quality: Quality) -> None:
        self.quality[signal] = quality
        self.scan()

    @rule()
    def everything_is_as_it_should_be(self) -> None:
        self.values, self.quality = dict(AT_BOX_LEVEL), {}
        self.minutes(3)

    @rule()
    def somebody_asks_for_it(self) -> None:
        before = self.gate
        try:
            self.gate = release(self.gate, "Ann", self.now_s)
        except GateRefused as refused:
            assert str(refused).strip() and self.gate is before
        self.scan()

    @rule()
    def somebody_locks_it(self) -> None:
        try:
            self.gate = lock(self.gate, self.now_s)
        except GateRefused:
            assert self.good(GATE[0]) != 1
        self.scan()

    # --- what holds always -----------------------------------------------------------------------------------------

    def holds(self) -> bool:
        """What the box needs, said once more and by nobody's code but this."""
        surfaces = [self.good(s) for s in (SUBSTRATE, SECOND, CHAMBER)]
        delta = self.good("coupler-b.delta_p_mbar")
        return (
            self.good("register.cleared") == 1
            and all(t is not None and t <= 60.0 for t in surfaces)
            and delta is not None and abs(delta) <= 5.0
            and self.good("coupler-b.stop_valve_open") == 0
            and all((f := self.good(f"{d}.flow_sccm")) is not None and f < 1.0 for d in ("carrier", "pusher"))
            and self.sources_shut_s >= 119.0
            and all(self.good(gas) is not None for gas in (O2, H2O))
        )  # fmt: skip

    @invariant()
    def it_is_released_only_while_everything_holds(self) -> None:  # I13
        if hasattr(self, "gate") and self.gate.lock is Lock.RELEASED:
            assert self.holds(), self.gate

    @invariant()
    def a_lock_that_is_not_released_says_what_is_missing_or_may_be(self) -> None:
        if hasattr(self, "gate"):
            assert all(line.strip() for line in self.gate.missing)
            assert self.gate.energised == (self.gate.lock in (Lock.RELEASED, Lock.OPEN))

    @rule()
    def with_everything_in_order_it_opens_and_locks_again(self) -> None:
        """Liveness: no order of events leaves a gate that nobody can use."""
        self.values, self.quality = dict(AT_BOX_LEVEL), {}
        self.minutes(3)
        self.state = reset(self.state, self.samples, self.facts, self.now_s, "owner", key=True)
        self.minutes(1)
        assert self.gate.missing == () and self.gate.lock in (Lock.LOCKED, Lock.RELEASED), self.gate
        self.gate = release(self.gate, "Ann", self.now_s)
        self.scan()
        assert self.gate.lock is Lock.RELEASED
        self.values |= {GATE[0]: 0.0, GATE[1]: 0.0}
        self.minutes(1)
        assert self.gate.lock is Lock.OPEN
        self.values |= {GATE[0]: 1.0, GATE[1]: 1.0}
        self.minutes(1)
        assert self.gate.lock is Lock.LOCKED


TheGate.TestCase.settings = walks()
TestTheGate = TheGate.TestCase
