"""Whose turn it is on a line: what makes safe, what safety is judged by, the others; and nobody starves."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.base import NoReply
from drivers.line import Line
from drivers.turns import RISES, RISES_AGAIN, Priority, Turns, Turnstile, makes_safe
from simulators.virtualtime import run_virtual
from tests.contract.scripted import Peer, Say, to

SAFE, READ, ORDINARY = Priority.MAKES_SAFE, Priority.SAFETY_READ, Priority.ORDINARY


def test_what_makes_safe_goes_first_then_safety_reads_and_of_equals_who_came_first() -> None:
    turns: Turns[str] = Turns()
    for who, priority in (("a", ORDINARY), ("b", READ), ("c", SAFE), ("d", READ), ("e", ORDINARY), ("f", SAFE)):
        turns.join(who, priority)
    assert [turns.next() for _ in range(7)] == ["c", "f", "b", "d", "a", "e", None]


def test_who_leaves_is_not_called() -> None:
    turns: Turns[str] = Turns()
    turns.join("a", ORDINARY)
    turns.leave("a")
    turns.leave("nobody")
    assert turns.next() is None


@pytest.mark.parametrize(("always", "most"), [(READ, RISES), (SAFE, RISES_AGAIN)])
def test_a_flood_of_what_goes_first_delays_an_ordinary_request_by_so_many_turns_and_no_more(
    always: Priority, most: int
) -> None:
    turns: Turns[object] = Turns()
    turns.join("patient", ORDINARY)
    served = 0
    turns.join(object(), always)
    while turns.next() != "patient":
        served += 1
        turns.join(object(), always)
        assert served <= most
    assert served == most


@given(st.lists(st.sampled_from([SAFE, READ, ORDINARY, None]), max_size=200))
def test_nobody_waits_longer_than_those_before_it_and_so_many_who_overtake(events: list[Priority | None]) -> None:
    turns: Turns[int] = Turns()
    came: dict[int, tuple[int, int]] = {}  # who -> how many were served before, how many waited before
    served = 0
    for who, event in enumerate([*events, *[None] * 200]):
        if event is not None:
            came[who] = (served, len(turns))
            turns.join(who, event)
        elif (called := turns.next()) is not None:
            served += 1
            before, ahead = came.pop(called)
            assert served - 1 - before <= ahead + RISES_AGAIN
    assert not came


def asks(line: Line, order: list[str], name: str) -> asyncio.Task[None]:
    async def ask() -> None:
        await line.ask(name.encode(), lambda b: len(b) or None, timeout_s=0.2, device=name)
        order.append(name)

    return asyncio.create_task(ask())


def test_a_safe_write_goes_before_safety_reads_and_these_before_other_polls() -> None:
    async def main() -> None:
        line = to(Peer(always={name: Say(0.02, b"!") for name in (b"first", b"poll", b"gauge", b"stop")}))
        line.safety = frozenset({"gauge"})
        order: list[str] = []
        tasks = [asks(line, order, name) for name in ("first", "poll", "gauge")]
        with makes_safe():
            tasks.append(asks(line, order, "stop"))
        await asyncio.gather(*tasks)
        assert order == ["first", "stop", "gauge", "poll"]

    run_virtual(main())


def test_a_safety_read_without_a_pause_leaves_others_their_turn_on_the_line() -> None:
    async def main() -> None:
        line = to(Peer(always={b"gauge": Say(0.02, b"!"), b"poll": Say(0.02, b"!")}))
        line.safety = frozenset({"gauge"})
        order: list[str] = []
        gauges = [asyncio.create_task(_again_and_again(line, order)) for _ in range(2)]
        for _ in range(5):
            await asks(line, order, "poll")
        for gauge in gauges:
            gauge.cancel()
        await asyncio.gather(*gauges, return_exceptions=True)
        assert order.count("gauge") <= 5 * (RISES + 2)

    run_virtual(main())


async def _again_and_again(line: Line, order: list[str]) -> None:
    while True:
        await asks(line, order, "gauge")


def test_who_is_cancelled_while_it_waits_or_in_the_moment_of_its_turn_leaves_the_line_free() -> None:
    async def main() -> None:
        for cancel_first in (True, False):
            stile = Turnstile()
            await stile.enter(ORDINARY)
            waits = asyncio.create_task(stile.enter(ORDINARY))
            behind = asyncio.create_task(stile.enter(ORDINARY))
            await asyncio.sleep(0)
            if cancel_first:
                waits.cancel()
                stile.leave()
            else:
                stile.leave()
                waits.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waits
            async with asyncio.timeout(1):
                await behind
            stile.leave()
            async with asyncio.timeout(1):
                await stile.enter(ORDINARY)

    run_virtual(main())


def test_a_request_that_fails_gives_its_turn_on() -> None:
    async def main() -> None:
        line = to(Peer(always={b"dead": (), b"poll": b"!"}))
        order: list[str] = []
        dead, poll = asks(line, order, "dead"), asks(line, order, "poll")
        with pytest.raises(NoReply):
            await dead
        await poll
        assert order == ["poll"]

    run_virtual(main())
