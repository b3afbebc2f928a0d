"""The valve engine under everything that may be said to it in any order, at any time, by a host that is not on time."""

from __future__ import annotations

from dataclasses import replace

import hypothesis.strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from ald_controller.valves.engine import Engine
from ald_controller.valves.rules import CHANGEOVER_NS
from ald_controller.valves.wire import (
    Abort,
    Anchored,
    Aux,
    Beat,
    Clear,
    Edge,
    Ended,
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
from tests import valve_rig
from tests.machines import walks
from tests.valve_rig import CONTACTOR, H2O, LTB, MS, STOP, TMA, S

FILL, EG = 8, 16  # a filled source: first its volume, then, after a while, the chamber
SOURCES = valve_rig.SOURCES | FILL | EG
CONFIG = replace(
    valve_rig.CONFIG,
    sources=(
        replace(valve_rig.CONFIG.sources[0], shortest_open_ns=4 * MS),
        *valve_rig.CONFIG.sources[1:],
        Source("EG", EG, "protic", 2 * S, positions=(Position("fill", FILL, 4 * S),)),
    ),
    segment_mask=valve_rig.CONFIG.segment_mask | FILL | EG,
)
WATCHDOG_NS = 500 * MS
LONGEST_NS = {TMA: S, H2O: 5 * S, LTB: 12 * S, EG: 2 * S, FILL: 4 * S}
METAL_ORGANIC, PROTIC = TMA | LTB, H2O | EG

CHAMBERS = ("VACUUM", "AT_BOX", "UNKNOWN")
WORDS = st.sampled_from(
    (0, 0, 0, TMA, H2O, LTB, EG, FILL, STOP, TMA | STOP, TMA | H2O, TMA | LTB, EG | FILL, TMA | FILL, 1 << 9, CONTACTOR)
)
STEPS = st.sampled_from((0, MS, 15 * MS, 300 * MS, 999 * MS, S, 1500 * MS, 13 * S, -MS))
LATE_NS = 20 * MS  # by as much as this the host may come too late in one of its turns


def apart_ns(one: int, other: int) -> int:
    """How long these two outputs stay shut between each other's openings, said in the tool's own terms."""
    if {one, other} == {EG, FILL}:
        return CHANGEOVER_NS
    opposite = (one & METAL_ORGANIC and other & PROTIC) or (one & PROTIC and other & METAL_ORGANIC)
    return CONFIG.min_closed_ns if opposite else 0


class EngineMachine(RuleBasedStateMachine):
    """Judges nothing by the engine's own account: only by the words that come out, and when."""

    def __init__(self) -> None:
        super().__init__()
        self.engine = Engine(CONFIG)
        self.now = 0
        self.beats = self.half = 0
        self.beat_ns: int | None = None
        self.permit = 0
        self.word = 0
        self.opened: dict[int, int] = {}
        self.closed: dict[int, int] = {}
        self.accepted: dict[SegmentId, Segment] = {}
        self.finished: set[SegmentId] = set()
        self.told: list[object] = []
        self.seen = self.last_told = self.told_open = 0  # how much of `told` the invariant has read, and what it said
        self.down_ns = 0
        self.down = False  # the link to the module: nothing is written, and what the module does is its own

    # --- the host ----------------------------------------------------------------------------------------------

    def turn(self) -> None:
        if self.down:
            self.told += self.engine.reports()
            return
        was_leased = self.beat_ns is not None and self.now - self.beat_ns < CONFIG.lease_ns
        while (write := self.engine.step(self.now)) is not None:
            self.judge(write.word, was_leased)
            write.sent_ns = write.confirmed_ns = self.now
            write.settled = True
        self.told += self.engine.reports()

    def judge(self, word: int, leased: bool) -> None:
        """Every word on its own: what may be open, with whose leave, how long after what, and for how long."""
        opening, closing = word & ~self.word & SOURCES, self.word & ~word & SOURCES
        for bit, longest_ns in LONGEST_NS.items():
            if closing & bit:
                assert self.now - self.opened.pop(bit) <= longest_ns + LATE_NS + CONFIG.late_ns, "open for too long"
                self.closed[bit] = self.now
            if opening & bit:
                assert leased and self.permit & bit, "opened without permit or lease"
                for other, at_ns in self.closed.items():
                    assert self.now - at_ns >= apart_ns(bit, other) - CONFIG.late_ns, "too soon after another source"
                self.opened[bit] = self.now
        assert (word & SOURCES).bit_count() <= 1, "two sources open"
        assert not word & ~(SOURCES | STOP | CONTACTOR), "an unknown bit"
        self.word = word

    def module_is_shut(self) -> None:
        """The link is back with the safe word; a module left alone for longer than its watchdog shut itself before."""
        shut_ns = min(self.now, self.down_ns + WATCHDOG_NS)
        for bit, at_ns in self.opened.items():
            assert shut_ns - at_ns <= LONGEST_NS[bit] + WATCHDOG_NS, "open for too long"
            self.closed[bit] = shut_ns
        self.opened.clear()
        self.down, self.word = False, 0

    def let_pass(self, ns: int, late_ns: int) -> None:
        end = self.now + ns
        while not self.down and (at := self.engine.next_at()) is not None and at <= end:
            self.now = max(self.now, at + late_ns)
            self.turn()
            if self.now >= end:
                return
        self.now = max(self.now, end)
        self.turn()

    def say(self, message: object) -> list[object]:
        before = len(self.told)
        self.engine.hear(self.now, message)  # type: ignore[arg-type]
        self.turn()
        return self.told[before:]

    def actuated(self) -> int:
        """How often a source opened, by the engine's count of its outputs."""
        counts = self.engine.wear.told(self.now).actuations
        return sum(counts[bit.bit_length() - 1] for bit in LONGEST_NS)

    # --- what is said ------------------------------------------------------------------------------------------

    @initialize()
    def start(self) -> None:
        self.turn()
        self.ready()

    @rule(permit=st.sampled_from((SOURCES, SOURCES, TMA, 0)))
    def beat(self, permit: int) -> None:
        self.beats += 1
        self.beat_ns, self.permit = self.now, permit
        self.say(Beat(self.beats, permit))

    @rule()
    def ready(self) -> None:
        self.beat(SOURCES)
        self.say(State("VACUUM"))
        self.say(Clear())

    @rule(pairs=st.lists(st.tuples(STEPS, WORDS), max_size=6), rest=STEPS, skip=st.sampled_from((0, 0, 0, 1)))
    def load_anything(self, pairs: list[tuple[int, int]], rest: int, skip: int) -> None:
        edges, offset = [(0, 0)], 0
        for step, word in pairs:
            offset += step
            edges.append((offset, word))
        edges.append((offset + MS, 0))
        self.load(Segment(SegmentId("r", 1, self.half + skip), tuple(edges), offset + MS + rest))

    @rule(fill=st.sampled_from((300 * MS, 4 * S)), between=st.sampled_from((20 * MS, 50 * MS, S)))
    def load_filled_dose(self, fill: int, between: int) -> None:
        """Fill the volume, shut it, let it out."""
        out = fill + between
        edges = ((0, FILL), (fill, 0), (out, EG), (out + 300 * MS, 0))
        self.load(Segment(SegmentId("r", 1, self.half), edges, out + 400 * MS))

    @rule(
        word=st.sampled_from((TMA, H2O, LTB, FILL)),
        width=st.sampled_from((5 * MS, 15 * MS, S)),
        rest=st.sampled_from((0, S)),
    )
    def load_dose(self, word: int, width: int, rest: int) -> None:
        edges = ((0, 0), (100 * MS, word), (100 * MS + width, 0))
        self.load(Segment(SegmentId("r", 1, self.half), edges, 100 * MS + width + rest))

    def load(self, segment: Segment) -> None:
        before = (self.word, self.engine.word, self.engine.queued, self.engine.running, self.engine.held)
        answers = [each for each in self.say(Load(segment)) if isinstance(each, Anchored | Refused)]
        assert len(answers) == 1, "a load has one answer"
        if isinstance(answers[0], Refused):
            after = (self.word, self.engine.word, self.engine.queued, self.engine.running, self.engine.held)
            assert before == after and answers[0].why, "a refused segment changed something"
        else:
            assert segment.id not in self.accepted
            self.accepted[segment.id] = segment
            self.half = segment.id.half + 1

    @rule(
        words=st.lists(st.sampled_from((TMA, H2O, LTB, EG, FILL, LTB | STOP)), min_size=1, max_size=4),
        width=st.sampled_from((3 * MS, 15 * MS, 300 * MS)),
        rest=st.sampled_from((20 * MS, S)),
        permits=st.lists(st.sampled_from((SOURCES, SOURCES, TMA | LTB, 0)), min_size=1, max_size=30),
        lates_ns=st.lists(st.sampled_from((0, 0, 0, MS, 4 * MS, 6 * MS, LATE_NS)), min_size=1, max_size=8),
    )
    def a_run(self, words: list[int], width: int, rest: int, permits: list[int], lates_ns: list[int]) -> None:
        """Reset, load a segment of doses and let it run under a guard that gives and takes its permit."""
        self.ready()
        edges, offset = [(0, 0)], 50 * MS
        for word in words:
            edges += [(offset, word), (offset + width, 0)]
            offset += width + rest
        self.load(Segment(SegmentId("r", 1, self.half), tuple(edges), offset))
        for i, permit in enumerate(permits):
            self.beat(permit)
            self.let_pass(40 * MS, lates_ns[i % len(lates_ns)])

    @rule(ns=st.sampled_from((MS, 15 * MS, 120 * MS, 450 * MS)), late_ns=st.sampled_from((0, 0, MS, 6 * MS, LATE_NS)))
    def time_passes(self, ns: int, late_ns: int) -> None:
        self.let_pass(ns, late_ns)

    @rule(ns=st.sampled_from((S, 3 * S)))
    def the_guard_beats_on(self, ns: int) -> None:
        for _ in range(ns // (100 * MS)):
            self.beat(SOURCES)
            self.let_pass(100 * MS, 0)

    @rule()
    def the_guard_is_silent(self) -> None:
        self.let_pass(CONFIG.lease_ns + MS, 0)
        assert self.down or not self.word & (SOURCES | CONTACTOR), "open, or heated, without a lease"

    @rule(message=st.sampled_from((Hold("a test"), Abort("a test"))))
    def stop(self, message: Hold | Abort) -> None:
        told = self.say(message)
        assert any(isinstance(each, Held) for each in told)
        assert self.down or not self.word & SOURCES, "open after a hold"
        assert self.down or isinstance(message, Hold) or not self.word & CONTACTOR, "heated after an abort"
        self.finished |= self.accepted.keys()

    @rule(bits=st.sampled_from((0, CONTACTOR, CONTACTOR | TMA)), mask=st.sampled_from((CONTACTOR, TMA)))
    def switch(self, bits: int, mask: int) -> None:
        before = self.word & ~CONTACTOR
        self.say(Aux(mask, bits))
        assert self.word & ~CONTACTOR == before, "an auxiliary message moved a valve"

    @rule(chamber=st.sampled_from(CHAMBERS))
    def enter(self, chamber: str) -> None:
        self.say(State(chamber))
        if self.engine.running is None and not self.down:
            assert self.word & ~CONTACTOR == CONFIG.rest_words[chamber], "not the rest word of this chamber state"

    @rule()
    def trim(self) -> None:
        running = self.engine.running
        if running is not None:
            self.say(Trim(running))
            assert not self.word & SOURCES, "open after a trim"

    @rule(ns=st.sampled_from((0, S, 3 * S)))
    def trim_for_good(self, ns: int) -> None:
        running = self.engine.running
        if running is None:
            return
        self.say(Trim(running, last=True))
        assert not self.word & SOURCES, "open after a trim"
        begun_ns = self.now
        while self.engine.running == running and self.now - begun_ns < ns:
            self.beat(SOURCES)
            self.let_pass(50 * MS, 0)
            assert self.engine.running != running or not self.word & SOURCES, "opened after its last dose"

    @rule()
    def the_link_fails(self) -> None:
        """As the host tells it: the same failure again and again until the module is back."""
        self.engine.fault(self.now, "the link is cut", told=self.down)
        if not self.down:
            self.down, self.down_ns = True, self.now
        self.turn()

    @precondition(lambda self: self.down)
    @rule(first=st.booleans())
    def the_link_comes_back(self, first: bool) -> None:
        """With the safe word, and held until somebody resets."""
        if first:
            self.say(Clear())
            assert self.engine.held, "cleared while the link is down"
        self.module_is_shut()
        self.engine.assume(0, self.now, self.now)
        self.engine.repaired()
        self.turn()
        assert not self.word & SOURCES and self.engine.held

    @rule()
    def reset(self) -> None:
        before = self.word
        self.say(Clear())
        assert self.word == before, "a reset moved a valve"

    # --- always ------------------------------------------------------------------------------------------------

    @invariant()
    def a_held_engine_rests(self) -> None:
        if self.engine.held:
            assert self.engine.running is None and (self.down or not self.word & SOURCES)

    @invariant()
    def the_host_knows_when_to_come_back(self) -> None:
        assert self.down or not self.word & SOURCES or self.engine.next_at() is not None, (
            "open, and nothing will ever close it"
        )

    @invariant()
    def every_opening_is_told_with_its_close(self) -> None:
        if self.down:
            return
        for each in self.told[self.seen :]:
            if isinstance(each, Edge):
                self.last_told, self.told_open = each.word, self.told_open + bool(each.word & SOURCES)
        self.seen = len(self.told)
        assert bool(self.last_told & SOURCES) == bool(self.word & SOURCES)
        assert self.told_open >= self.actuated()

    def teardown(self) -> None:
        """Liveness: beaten and left alone, whatever runs comes to its end and rests."""
        if self.down:
            self.the_link_comes_back(first=False)
        end = self.now + sum(segment.length_ns for segment in self.accepted.values()) + S
        while self.engine.running is not None and self.now < end:
            self.beat(SOURCES)
            self.let_pass(500 * MS, 0)
        assert self.engine.running is None and not self.word & SOURCES
        ended = {each.id for each in self.told if isinstance(each, Ended)}
        cut = {each.id for each in self.told if isinstance(each, Held)}
        assert all(id in ended or cut for id in self.accepted)
        doses = sum(isinstance(each, Missed) for each in self.told) + self.actuated()
        assert doses <= sum(len(segment.edges) for segment in self.accepted.values())


EngineMachine.TestCase.settings = walks()
TestEngineMachine = EngineMachine.TestCase


def test_the_machine_would_see_two_open_sources() -> None:
    machine = EngineMachine()
    machine.beat(SOURCES)
    try:
        machine.judge(TMA | H2O, leased=True)
    except AssertionError as error:
        assert "two sources open" in str(error)
    else:
        raise AssertionError("the oracle is blind")
