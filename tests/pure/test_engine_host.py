"""The host of the engine without I/O: what it makes of a module that is silent, wrong, tripped or somebody else's.

`InlineValves` runs on virtual time against the simulated coupler; the same host is in the real-time process.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest

from ald_controller.valves.host import IN_HAND_NS, Host
from ald_controller.valves.inline import InlineValves
from ald_controller.valves.wire import (
    Abort,
    Anchored,
    Aux,
    Beat,
    Clear,
    Edge,
    Ended,
    Fault,
    FromEngine,
    Held,
    Hold,
    Lateness,
    Load,
    Missed,
    Refused,
    Segment,
    SegmentId,
    SegmentRefused,
    State,
    Status,
    ToEngine,
    Trim,
    ValveError,
    Wear,
    decode,
    encode,
)
from drivers.valve_beckhoff import BeckhoffOutputs
from simulators.valve_beckhoff import CouplerA
from simulators.virtualtime import run_virtual
from tests.valve_rig import ALIVE, CONFIG, CONTACTOR, H2O, LTB, MS, SOURCES, STOP, TMA, S, dose

ID = SegmentId("run 7", 3, 9)


@pytest.mark.parametrize(
    "message",
    [
        replace(CONFIG, compatible=(("LTB", "TMA"),)),
        Load(Segment(ID, ((0, 0), (S, TMA), (2 * S, 0)), 3 * S)),
        Load(Segment(ID, (), 3 * S)),
        Beat(1, SOURCES),
        Trim(ID),
        Trim(ID, last=True),
        Hold("schöner Grund"),
        Abort("why"),
        State("AT_BOX"),
        Aux(CONTACTOR, 0),
        Clear(),
        Anchored(ID, 1, 2),
        Edge(ID, 1, 2, 3, 4, 5),
        Ended(ID, 6),
        Missed(ID, 1, 7),
        Refused(None, "why"),
        Refused(ID, "why"),
        Held("lease", None, 8),
        Held("lease", ID, 8),
        Fault("what", 9),
        Fault("what", 9, 3),
        Status(1, 2, 3, "boot", True, True, False, 0, 0, 0, None),
        Status(1, 2, 3, "", True, True, False, 0, 0, 0, ID),
        Wear(1, (2, 0), (3, 0)),
        Lateness(100, 1, 2, 3),
    ],
)
def test_a_message_survives_the_wire(message: ToEngine | FromEngine) -> None:
    assert decode(encode(message)) == message


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b'[2,"Clear",[]]', "a valve message of version 2 came, version 1 is spoken here"),
        (b'[1,"Open",[]]', "no valve message"),
        (b'[1,"Clear",[1]]', "no valve message"),
        (b'[1,"Load",[[["r",1,0],[[0.5,1]],3]]]', "no valve message"),
        (b'[1,"Status",[1]]', "no valve message"),
        (b"\xff", "no valve message"),
        (b"7", "no valve message"),
    ],
)
def test_what_is_no_message_is_refused(data: bytes, why: str) -> None:
    with pytest.raises(ValveError, match=why):
        decode(data)


# --- on virtual time -------------------------------------------------------------------------------------------------


class Module:
    """A coupler whose answers can be kept back, bent, or replaced."""

    def __init__(self) -> None:
        self.coupler = CouplerA(quiet=ALIVE)
        self.silent = False
        self.bend: Callable[[bytes], bytes] = lambda answer: answer
        self.asked: list[tuple[float, bytes]] = []

    def hear(self, now_s: float, data: bytes) -> bytes:
        self.asked.append((now_s, data))
        answer = self.coupler.hear(now_s, data)
        return b"" if self.silent else self.bend(answer)

    def next_at(self) -> float | None:
        return self.coupler.next_at()

    def speak(self, now_s: float) -> bytes:
        return self.coupler.speak(now_s)

    def words(self) -> list[tuple[float, int]]:
        return [(change.at_s, change.word & ~ALIVE) for change in self.coupler.changes]


@asynccontextmanager
async def ready(module: Module) -> AsyncIterator[tuple[InlineValves, list[FromEngine]]]:
    valves, told = InlineValves(module), list[FromEngine]()
    await valves.start(CONFIG)

    async def beat() -> None:
        while True:
            await asyncio.sleep(0.1)
            valves.beat(SOURCES)

    async def listen() -> None:
        async for message in valves.events():
            told.append(message)

    tasks = [asyncio.create_task(beat()), asyncio.create_task(listen())]
    valves.beat(SOURCES)
    valves.state("VACUUM")
    valves.clear()
    try:
        yield valves, told
    finally:
        tasks[0].cancel()
        await valves.close()
        await asyncio.gather(*tasks, return_exceptions=True)


def on_virtual_time(test: Callable[[], Coroutine[Any, Any, None]]) -> Callable[[], None]:
    def run() -> None:
        run_virtual(test())

    run.__name__, run.__doc__ = test.__name__, test.__doc__
    return run


@on_virtual_time
async def test_the_module_sees_the_words_of_a_segment_when_they_are_due() -> None:
    module = Module()
    async with ready(module) as (valves, told):
        await valves.load(dose(0, TMA, 15 * MS, 2 * S))
        await valves.load(dose(1, H2O, 15 * MS, S))
        await asyncio.sleep(4)
    start_s = next(each.at_ns for each in told if isinstance(each, Anchored)) / 1e9
    assert [word for _, word in module.words()] == [STOP, 0, TMA, 0, H2O, 0]
    offsets = [at_s - start_s for at_s, _ in module.words()[2:]]
    assert offsets == pytest.approx([0, 0.015, 2, 2.015], abs=1e-8)
    edges = [each for each in told if isinstance(each, Edge)]
    assert all(edge.due_ns <= edge.sent_ns == edge.confirmed_ns < edge.due_ns + 10 for edge in edges)


@on_virtual_time
async def test_the_word_is_written_again_in_time_and_never_shortly_before_an_edge() -> None:
    module = Module()
    async with ready(module) as (valves, told):
        start_s = asyncio.get_running_loop().time()
        edges = ((0, 0), *((k * 97 * MS, (LTB, 0)[k % 2]) for k in range(2, 40)))
        await valves.load(Segment(SegmentId("r", 1, 0), edges, 5 * S))
        await asyncio.sleep(6)
        end_s = asyncio.get_running_loop().time()
    writes = [at_s for at_s, data in module.asked if data[7] == 15 and start_s <= at_s <= end_s]
    assert max(b - a for a, b in pairwise(writes)) <= 0.125 + 1e-6
    due = [each.due_ns / 1e9 for each in told if isinstance(each, Edge)]
    others = [at_s for at_s, data in module.asked if start_s < at_s < end_s and at_s not in due]
    assert [at_s for at_s in others for edge_s in due if -0.005 + 1e-7 < at_s - edge_s < -1e-7] == []


@on_virtual_time
async def test_the_alive_bit_toggles_only_while_the_guard_beats() -> None:
    module = Module()
    valves = InlineValves(module)
    await valves.start(CONFIG)
    await asyncio.sleep(1)
    assert not any(data[13:15] != b"\x40\x00" for _, data in module.asked[-4:] if data[7] == 15)
    for _ in range(20):
        valves.beat(0)
        await asyncio.sleep(0.1)
    alive = [data[14] for _, data in module.asked if data[7] == 15][-10:]
    assert alive == [1, 0] * 5 or alive == [0, 1] * 5
    await asyncio.sleep(2)
    assert [data[14] for _, data in module.asked if data[7] == 15][-5:] == [0] * 5
    await valves.close()


def faults(told: list[FromEngine]) -> list[str]:
    return [each.what for each in told if isinstance(each, Fault)]


async def opened(valves: InlineValves) -> None:
    await valves.load(dose(0, LTB, 5 * S, 6 * S))
    await asyncio.sleep(0.5)


@on_virtual_time
async def test_a_silent_module_ends_the_connection_and_comes_back_with_the_safe_word_first() -> None:
    module = Module()
    async with ready(module) as (valves, told):
        valves.aux(CONTACTOR, CONTACTOR)
        await opened(valves)
        module.silent = True
        await asyncio.sleep(0.15)
        assert faults(told) == ["the module did not confirm within 20 ms"], "told once, not at every attempt"
        status = valves.status
        assert status is not None and not status.connected and not status.armed
        assert module.coupler.word & SOURCES == 0, "the safe word was taken, only its answer was lost"
        module.silent = False
        await asyncio.sleep(0.1)
        status = valves.status
        assert status is not None and status.connected and status.held.startswith("fault: ")
        closing = [each for each in told if isinstance(each, Edge)][-1]
        assert closing.index == 2 and closing.word == 0 and closing.confirmed_ns > 0
        valves.clear()
        await valves.load(dose(1, LTB, 15 * MS, S))
        await asyncio.sleep(1.5)
        assert [each for each in told if not isinstance(each, Wear)][-1] == Ended(SegmentId("r", 2, 1), told[-1].at_ns)  # type: ignore[union-attr]


@on_virtual_time
async def test_a_module_that_tripped_is_not_taken_back_by_the_same_host() -> None:
    module = Module()
    async with ready(module) as (valves, told):
        await opened(valves)
        module.coupler.trips += 1
        await asyncio.sleep(0.5)
        assert faults(told) == ["the module's watchdog tripped (count 0 before, 1 now)"]
        await asyncio.sleep(2)
        valves.clear()
        await asyncio.sleep(0)
        assert told[-1] == Refused(None, "not cleared: the module's watchdog tripped (count 0 before, 1 now)")
        assert module.coupler.word & SOURCES == 0


@on_virtual_time
async def test_a_module_that_restarted_is_not_taken_back_either() -> None:
    module = Module()
    async with ready(module) as (_, told):
        module.coupler = CouplerA(quiet=ALIVE)
        module.coupler.trips = 3
        await asyncio.sleep(1)
        assert "tripped (count 0 before, 3 now)" in faults(told)[0]


@on_virtual_time
async def test_coils_that_read_otherwise_are_a_fault_that_says_what_they_read() -> None:
    module = Module()
    async with ready(module) as (valves, told):
        await opened(valves)
        module.coupler.word |= H2O
        read = module.coupler.word
        await asyncio.sleep(0.25)
        (what,) = faults(told)
        assert what.startswith("the coils read 0x") and "where 0x" in what
        assert module.coupler.word & SOURCES == 0
        (word,) = [m.word for m in told if isinstance(m, Fault)]
        assert word is not None and word & SOURCES == read & SOURCES


@on_virtual_time
async def test_a_fault_that_is_no_other_word_carries_none() -> None:
    module = Module()
    async with ready(module) as (_, told):
        module.coupler.trips += 1
        await asyncio.sleep(1)
        assert [m.word for m in told if isinstance(m, Fault)] == [None]


@pytest.mark.parametrize(
    ("bend", "what"),
    [
        (lambda answer: answer[:4] + b"\x00\x03\x01" + bytes((answer[7] | 0x80, 4)), "refused function"),
        (lambda answer: b"\x7f\xff" + answer[2:], "the module answered request 32767, which is not open"),
        (lambda answer: answer[:7] + b"\x05" + answer[8:], "is no reply to"),
        (lambda answer: answer[:6] + b"\x09" + answer[7:], "which is no reply of unit 1"),
    ],
)
def test_a_wrong_answer_is_a_fault_and_closes(bend: Callable[[bytes], bytes], what: str) -> None:
    async def test() -> None:
        module = Module()
        async with ready(module) as (valves, told):
            await opened(valves)
            module.bend = bend
            await asyncio.sleep(0.2)
            module.bend = lambda answer: answer
            assert what in faults(told)[0]
            await asyncio.sleep(0.6)
            assert module.coupler.word & SOURCES == 0

    run_virtual(test())


@on_virtual_time
async def test_a_late_answer_is_taken_when_it_comes_and_waited_for_by_nobody() -> None:
    class Late(Module):
        kept: bytes = b""
        due_s: float | None = None

        def hear(self, now_s: float, data: bytes) -> bytes:
            self.kept += super().hear(now_s, data)
            self.due_s = now_s + 0.004
            return b""

        def next_at(self) -> float | None:
            return self.due_s

        def speak(self, now_s: float) -> bytes:
            said, self.kept = (self.kept, b"") if self.due_s is not None and now_s >= self.due_s else (b"", self.kept)
            self.due_s = self.due_s if self.kept else None
            return said

    module = Late()
    async with ready(module) as (valves, told):
        await valves.load(dose(0, TMA, 15 * MS, S))
        await asyncio.sleep(2)
    edges = [each for each in told if isinstance(each, Edge)]
    assert [round((edge.confirmed_ns - edge.sent_ns) / MS) for edge in edges] == [4, 4, 4]
    assert faults(told) == [] and isinstance(told[-1], Held)


@on_virtual_time
async def test_a_refused_segment_raises_its_sentence() -> None:
    async with ready(Module()) as (valves, _):
        with pytest.raises(SegmentRefused, match="one source at a time"):
            await valves.load(dose(0, TMA | LTB, 15 * MS, S))
        segment = dose(0, LTB, 5 * S, 6 * S)
        await valves.load(segment)
        await asyncio.sleep(1)
        valves.trim(segment.id)
        valves.hold("a test")
        valves.abort("a test")
        with pytest.raises(SegmentRefused, match=r"the engine is held \(hold: a test\)|abort"):
            await valves.load(dose(1, LTB, 15 * MS, S))


@on_virtual_time
async def test_the_bottles_may_change_between_runs() -> None:
    async with ready(Module()) as (valves, told):
        valves.configure(replace(CONFIG, min_closed_ns=5))
        await asyncio.sleep(0)
        assert isinstance(told[-1], Refused) and "other wiring" in told[-1].why


@on_virtual_time
async def test_a_start_says_what_is_wrong_with_the_module_or_the_configuration() -> None:
    module = Module()
    module.silent = True
    valves = InlineValves(module)
    with pytest.raises(ValveError, match="the module did not confirm within 20 ms"):
        await valves.start(CONFIG)
    with pytest.raises(ValveError, match="the valve host does not run"):
        valves.beat(0)
    assert valves.status is None
    await valves.close()
    with pytest.raises(ValveError, match="share a bit"):
        await InlineValves(Module()).start(replace(CONFIG, aux_mask=STOP))


@on_virtual_time
async def test_nobody_answering_a_load_is_an_error() -> None:
    module = Module()
    valves = InlineValves(module)
    await valves.start(CONFIG)
    valves._host.engine.hear = lambda now_ns, message: None  # type: ignore[method-assign, union-attr]
    with pytest.raises(ValveError, match="did not answer a segment within"):
        await valves.load(dose(0, TMA, 15 * MS, S))
    await valves.close()


@on_virtual_time
async def test_closing_rests_the_valves() -> None:
    module = Module()
    async with ready(module) as (valves, _):
        valves.aux(CONTACTOR, CONTACTOR)
        await opened(valves)
        assert module.coupler.word & ~ALIVE == LTB | CONTACTOR
    assert module.coupler.word & ~ALIVE == 0


def test_a_status_is_due_at_once_when_the_engine_or_the_link_changes() -> None:
    module, outputs = CouplerA(), BeckhoffOutputs(1, 16, 500)
    host = Host(CONFIG, outputs, degraded=True, now_ns=0)
    assert host.status_due(0) and not host.rests
    first = host.status(0)
    assert first.degraded and not first.connected and not host.status_due(1) and host.status_at == 100 * MS
    host.link(1)
    while out := host.step(1):
        host.sent(1)
        host.heard(1, module.hear(0.0, out))
    assert host.status_due(2) and host.status(2).connected and host.rests
    host.hear(3, Beat(1, 0))
    host.hear(3, Clear())
    assert host.status_due(3) and host.status(3).held == "" and host.status_due(3 + 100 * MS)


def linked(module: CouplerA) -> Host:
    """A host on a proven module, cleared, with a live heartbeat."""
    host = Host(CONFIG, BeckhoffOutputs(1, 16, 500), degraded=False, now_ns=0)
    host.link(0)
    exchange(host, module, 0)
    for message in (State("VACUUM"), Beat(1, SOURCES), Clear()):
        host.hear(0, message)
    exchange(host, module, 0)
    return host


def exchange(host: Host, module: CouplerA, now_ns: int) -> None:
    while out := host.step(now_ns):
        host.sent(now_ns)
        host.heard(now_ns, module.hear(now_ns / S, out))


def test_a_host_that_was_held_up_knows_that_its_opening_is_stale() -> None:
    host = linked(CouplerA())
    host.hear(0, Load(dose(0, LTB, 50 * MS, 100 * MS)))
    open_ns = CONFIG.lead_ns
    assert host.step(open_ns)
    most_ns = CONFIG.late_ns + IN_HAND_NS
    assert host.held_up_ns(open_ns + most_ns) == 0, "an edge may be so late"
    assert host.held_up_ns(open_ns + most_ns + 1) == most_ns + 1
    host.sent(open_ns)
    assert host.step(open_ns + 50 * MS)
    assert host.held_up_ns(open_ns + S) == 0, "a closing is never too late"


def test_wear_is_told_when_the_engine_rests_and_once_a_second_while_something_is_on() -> None:
    module = CouplerA()
    host = linked(module)
    assert host.wear(0) is not None, "the stop valve moved when the chamber became VACUUM"
    host.hear(0, Load(dose(0, LTB, 50 * MS, 100 * MS)))
    for now_ns in (CONFIG.lead_ns, CONFIG.lead_ns + 50 * MS):
        exchange(host, module, now_ns)
        assert host.wear(now_ns) is None, "not while a segment runs, and not within the first second"
    end_ns = CONFIG.lead_ns + 100 * MS
    exchange(host, module, end_ns)
    assert host.wear(end_ns) == Wear(end_ns, (0, 0, 1, 0, 0, 0, 1, 0), (0, 0, 50 * MS, 0, 0, 0, 0, 0))
    assert host.wear(end_ns + 2 * S) is None, "nothing moved since"
    host.hear(end_ns, Beat(2, SOURCES))
    host.hear(end_ns, Aux(CONTACTOR, CONTACTOR))
    exchange(host, module, end_ns)
    told = host.wear(end_ns)
    assert told is not None and told.actuations[7] == 1 and told.on_ns[7] == 0
    assert host.wear(end_ns + S - 1) is None
    told = host.wear(end_ns + S)
    assert told is not None and told.on_ns[7] == S, "the contactor is on, and grows older"


@pytest.mark.parametrize("watchdog_ms", [100, 110, 500])
def test_rounds_leave_the_module_in_peace_whatever_its_watchdog(watchdog_ms: int) -> None:
    module, host = CouplerA(), Host(CONFIG, BeckhoffOutputs(1, 16, watchdog_ms), degraded=False, now_ns=0)
    host.link(0)
    exchange(host, module, 0)
    telegrams, now_ns = 0, 0
    while now_ns < S:
        now_ns = max(host.next_at(now_ns) or S, now_ns + 1)
        if out := host.step(now_ns):
            telegrams += 1
            host.sent(now_ns)
            host.heard(now_ns, module.hear(now_ns / S, out))
    assert module.trips == 0 and telegrams < 3 * 1000 / (watchdog_ms / 5 - watchdog_ms / 20)


def test_a_closing_that_was_held_up_has_all_its_time_to_be_confirmed() -> None:
    module = CouplerA()
    host = linked(module)
    host.hear(0, Load(dose(0, LTB, 50 * MS, 100 * MS)))
    exchange(host, module, CONFIG.lead_ns)
    closing_ns = CONFIG.lead_ns + 50 * MS
    out = host.step(closing_ns)
    host.sent(closing_ns + 60 * MS)
    host.check(closing_ns + 60 * MS)
    host.heard(closing_ns + 61 * MS, module.hear((closing_ns + 60 * MS) / S, out))
    assert host.linked and module.word & SOURCES == 0


def test_a_second_loss_of_the_link_rests_as_gravely_as_the_first() -> None:
    module = CouplerA()
    host = linked(module)
    host.fail(MS, "the link is cut")
    host.link(2 * MS)
    exchange(host, module, 2 * MS)
    for message in (Beat(2, SOURCES), Clear(), Aux(CONTACTOR, CONTACTOR), Hold("a person")):
        host.hear(3 * MS, message)
    exchange(host, module, 3 * MS)
    assert module.word & CONTACTOR
    host.fail(4 * MS, "the link is cut")
    host.link(5 * MS)
    exchange(host, module, 5 * MS)
    assert not module.word & CONTACTOR and len([each for each in host.reports() if isinstance(each, Fault)]) == 2
