"""The line: several devices share it, each in its turn, and none costs another more than it must."""

from __future__ import annotations

import asyncio
import itertools

import pytest

from drivers.base import NoReply
from simulators.virtualtime import run_virtual
from tests.contract.line_bench import ask, to_semicolon
from tests.contract.scripted import Peer, Say, now_s, to


def test_after_a_missing_reply_another_device_of_the_line_is_not_slowed_down() -> None:
    async def main() -> None:
        line = to(Peer(always={b"a": (), b"b": b"b;"}))
        with pytest.raises(NoReply):
            await ask(line, b"a")
        await ask(line, b"b", "b")
        start_s = now_s()
        assert await ask(line, b"b", "b") == b"b;"
        assert now_s() == start_s

    run_virtual(main())


def test_a_dead_device_costs_its_line_one_time_out_and_one_quiet_time() -> None:
    async def main() -> None:
        line = to(Peer(always={b"a": (), b"b": b"b;"}))
        await ask(line, b"b", "b")
        start_s = now_s()
        dead = asyncio.create_task(ask(line, b"a"))
        await asyncio.sleep(0)
        assert await ask(line, b"b", "b") == b"b;"
        assert now_s() - start_s == pytest.approx(0.2 + 0.1)
        with pytest.raises(NoReply):
            await dead

    run_virtual(main())


def test_requests_are_served_in_the_order_in_which_they_were_made() -> None:
    async def main() -> None:
        peer = Peer(always={bytes([n]): Say(0.01, b";") for n in range(20)})
        line = to(peer)
        await asyncio.gather(*(ask(line, bytes([n]), f"device {n}") for n in range(20)))
        assert peer.requests == [bytes([n]) for n in range(20)]

    run_virtual(main())


def test_a_device_that_needs_a_pause_gets_it_and_others_have_the_line_meanwhile() -> None:
    async def main() -> None:
        peer = Peer(always={b"slow": Say(0.01, b";"), b"quick": Say(0.01, b";")})
        line = to(peer)
        line.paces_s = {"slow": 0.1}

        async def slow() -> None:
            for _ in range(3):
                await line.ask(b"slow", to_semicolon, timeout_s=0.2, device="slow")

        async def quick() -> None:
            for _ in range(10):
                await ask(line, b"quick", "quick")

        await ask(line, b"quick", "quick")
        begin_s = now_s()
        await asyncio.gather(slow(), quick())
        assert len(peer.requests) == 1 + 3 + 10
        slow_s = [at_s for at_s, data in peer.heard if data == b"slow"]
        waits_s = [after - before for before, after in itertools.pairwise(slow_s)]
        assert all(wait_s >= 0.11 - 1e-9 for wait_s in waits_s)
        quick_s = [at_s for at_s, data in peer.heard if data == b"quick"]
        assert quick_s[-1] - begin_s < 0.14

    run_virtual(main())


def test_a_pause_is_kept_also_between_two_who_ask_the_same_device() -> None:
    async def main() -> None:
        peer = Peer(always={b"slow": Say(0.01, b";")})
        line = to(peer)
        line.paces_s = {"slow": 0.1}
        asks = (line.ask(b"slow", to_semicolon, timeout_s=0.2, device="slow") for _ in range(4))
        await asyncio.gather(*asks)
        at_s = [at for at, _ in peer.heard]
        assert len(at_s) == 4
        assert all(after - before >= 0.11 - 1e-6 for before, after in itertools.pairwise(at_s))

    run_virtual(main())
