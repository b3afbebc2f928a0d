"""The line: a request gets its own whole reply or a named error, and what nobody asked for is no answer."""

from __future__ import annotations

import asyncio

import pytest

from drivers.base import BadReply, NoReply
from simulators.virtualtime import run_virtual
from tests.contract.line_bench import ask
from tests.contract.scripted import Peer, Say, now_s, to


def test_a_reply_in_pieces_is_one_reply() -> None:
    async def main() -> None:
        line = to(Peer((b"1", (Say(0.01, b"on"), Say(0.05, b"e"), Say(0.19, b";")))))
        assert await ask(line, b"1") == b"one;"

    run_virtual(main())


def test_a_reply_that_is_there_at_once_costs_no_time() -> None:
    async def main() -> None:
        line = to(Peer((b"1", b"one;"), (b"2", b"two;")))
        assert (
            await ask(line, b"1") == b"one;"
        )  # the first request waits for a quiet line: somebody may have asked before
        start_s = now_s()
        assert await ask(line, b"2") == b"two;"
        assert now_s() == start_s

    run_virtual(main())


def test_a_reply_that_comes_twice_is_no_data_and_the_next_one_is_right() -> None:
    async def main() -> None:
        line = to(Peer((b"1", b"one;one;"), (b"2", b"two;")))
        with pytest.raises(BadReply, match="more than one reply"):
            await ask(line, b"1")
        assert await ask(line, b"2") == b"two;"
        assert line.misplaced == {"a": 1}

    run_virtual(main())


def test_a_reply_that_is_no_answer_counts_once_however_many_pieces_it_comes_in() -> None:
    async def main() -> None:
        line = to(Peer((b"1", (Say(0.01, b"!"), Say(0.02, b"o"), Say(0.03, b"h"))), (b"2", b"two;")))
        with pytest.raises(BadReply, match="nonsense"):
            await ask(line, b"1")
        assert await ask(line, b"2") == b"two;"
        assert (line.misplaced, line.counts.unasked_bytes) == ({"a": 1}, 2)

    run_virtual(main())


def test_silence_alone_is_no_misplaced_reply() -> None:
    async def main() -> None:
        line = to(Peer((b"1", ()), (b"2", b"two;")))
        with pytest.raises(NoReply):
            await ask(line, b"1")
        await ask(line, b"2")
        assert not line.misplaced

    run_virtual(main())


def test_a_second_copy_that_comes_while_nobody_asks_is_discarded_and_counted() -> None:
    async def main() -> None:
        line = to(Peer((b"1", (Say(0.01, b"one;"), Say(0.05, b"one;"))), (b"2", Say(0.01, b"two;"))))
        assert await ask(line, b"1") == b"one;"
        await asyncio.sleep(0.06)
        assert await ask(line, b"2") == b"two;"
        assert line.counts.unasked_bytes == 4
        assert line.misplaced == {"a": 1}

    run_virtual(main())


def test_bytes_that_nobody_asked_for_make_the_next_request_wait_for_silence() -> None:
    async def main() -> None:
        peer = Peer((b"1", (Say(0.01, b"one;"), Say(0.02, b"x"), Say(0.08, b"y;"))), (b"2", Say(0.01, b"two;")))
        line = to(peer)
        await ask(line, b"1")
        await asyncio.sleep(0.02)
        assert await ask(line, b"2") == b"two;"
        assert peer.heard[1][0] - peer.heard[0][0] == pytest.approx(0.08 + 0.1)

    run_virtual(main())


def test_a_cancelled_request_leaves_no_reply_behind() -> None:
    async def main() -> None:
        peer = Peer((b"0", b";"), (b"1", Say(0.15, b"one;")), (b"2", Say(0.01, b"two;")), (b"3", b"three;"))
        line = to(peer)
        await ask(line, b"0")
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await ask(line, b"1")
        assert await ask(line, b"2") == b"two;"
        start_s = now_s()
        assert await ask(line, b"3") == b"three;"
        assert now_s() == start_s, "the reply to the cancelled request was seen: nothing is owed"

    run_virtual(main())


def test_nonsense_drains_the_line_before_the_next_request() -> None:
    async def main() -> None:
        peer = Peer((b"1", (Say(0.01, b"!"), Say(0.05, b"one;"))), (b"2", Say(0.01, b"two;")))
        line = to(peer)
        with pytest.raises(BadReply, match="nonsense"):
            await ask(line, b"1")
        assert await ask(line, b"2") == b"two;"

    run_virtual(main())


def test_a_line_that_never_falls_quiet_is_an_error_and_not_a_hang() -> None:
    async def main() -> None:
        peer = Peer((b"1", tuple(Say(0.05 * n, b"x") for n in range(100))))
        line = to(peer)
        with pytest.raises(NoReply):
            await ask(line, b"1")
        with pytest.raises(NoReply, match="never falls quiet"):
            await ask(line, b"2")
        await asyncio.sleep(5)

    run_virtual(main())


def test_a_device_that_babbles_without_end_is_a_bad_reply() -> None:
    async def main() -> None:
        line = to(Peer((b"1", b"x" * 5000)))
        with pytest.raises(BadReply, match="more than 4096 bytes"):
            await ask(line, b"1")

    run_virtual(main())


def test_nothing_is_ever_sent_twice() -> None:
    async def main() -> None:
        peer = Peer(always={b"open": ()})
        line = to(peer)
        with pytest.raises(NoReply):
            await ask(line, b"open")
        await asyncio.sleep(10)
        assert peer.requests == [b"open"]

    run_virtual(main())


def test_text_of_unknown_length_ends_when_the_line_falls_quiet() -> None:
    async def main() -> None:
        line = to(Peer((b"table", (Say(0.1, b"row 1\r"), Say(0.19, b"row 2\r"), Say(0.25, b"row 3\r"))), (b"x", ())))
        assert await ask(line, b"table", framer=None) == b"row 1\rrow 2\rrow 3\r"
        with pytest.raises(NoReply):
            await ask(line, b"x", framer=None)

    run_virtual(main())


def test_a_device_that_doubts_its_reply_makes_the_line_drain() -> None:
    async def main() -> None:
        peer = Peer(always={b"1": b"one;"})
        line = to(peer)
        await ask(line, b"1")
        line.distrust("a")
        assert line.misplaced == {"a": 1}
        start_s = now_s()
        await ask(line, b"1")
        assert now_s() - start_s == pytest.approx(0.1)

    run_virtual(main())


def test_a_tap_sees_all_traffic_with_time_and_device() -> None:
    async def main() -> None:
        seen: list[tuple[str, str, bytes]] = []
        line = to(Peer((b"1", (Say(0.01, b"one;"), Say(0.3, b"?")))))
        line.tap = lambda at_s, device, way, data: seen.append((device, way, data))
        await ask(line, b"1", "gauge")
        await asyncio.sleep(1)
        assert seen == [("gauge", "sent", b"1"), ("gauge", "heard", b"one;"), ("", "heard", b"?")]

    run_virtual(main())
