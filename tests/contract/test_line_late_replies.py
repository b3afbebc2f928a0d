"""The line: a reply that comes late, or stays one behind, never becomes the answer to another request."""

from __future__ import annotations

import asyncio

import pytest

from drivers.base import BadReply, DriverError, NoReply
from drivers.line import Framer, Line, memory_line
from simulators.virtualtime import run_virtual
from tests.contract.line_bench import ask, to_semicolon
from tests.contract.scripted import Peer, Say, now_s, to


@pytest.mark.parametrize("late", [1.01, 1.2, 1.4])
def test_a_late_reply_never_becomes_the_next_answer(late: float) -> None:
    async def main() -> None:
        line = to(Peer((b"1", Say(0.2 * late, b"one;")), (b"2", b"two;"), (b"3", b"three;")))
        with pytest.raises(NoReply, match=r"no whole reply within 0\.2 s"):
            await ask(line, b"1")
        assert await ask(line, b"2") == b"two;"
        start_s = now_s()
        assert await ask(line, b"3") == b"three;"
        assert now_s() == start_s, "the missing reply was seen while draining: nothing is owed any more"
        assert line.counts.unasked_bytes == 4
        assert line.misplaced == {"a": 1}

    run_virtual(main())


@pytest.mark.parametrize("late_s", [0.31, 0.5, 1.0, 1.99])
def test_a_reply_ten_time_outs_late_is_not_taken_for_the_answer_to_the_same_question(late_s: float) -> None:
    async def main() -> None:
        normal_s = 0.03
        peer = Peer((b"p", Say(late_s, b"old;")), always={b"p": Say(normal_s, b"new;")})
        line = to(peer)
        with pytest.raises(NoReply):
            await ask(line, b"p")
        end_s = now_s() + 3
        got = []
        while now_s() < end_s:
            try:
                got.append(await ask(line, b"p"))
            except BadReply as error:
                got.append(b"refused")
                assert "which is" in str(error)
            await asyncio.sleep(0.01)
        assert b"old;" not in got
        assert got.count(b"refused") <= 1
        assert got[-1] == b"new;"

    run_virtual(main())


def to_version(buffer: bytes) -> int | None:
    length = to_semicolon(buffer)
    if length and buffer[:1] != b"v":
        raise BadReply("test", "no version", reply=buffer)
    return length


class Slow:
    """A device that answers in order and always `late_s` after the question: `p` with the number of the question."""

    def __init__(self, late_s: float) -> None:
        self.late_s, self.count = late_s, 0
        self.pending: list[tuple[float, bytes]] = []

    def hear(self, now_s: float, data: bytes) -> bytes:
        self.count += 1
        self.pending.append((now_s + self.late_s, b"v1;" if data == b"v" else b"%d;" % self.count))
        return b""

    def next_at(self) -> float | None:
        return self.pending[0][0] if self.pending else None

    def speak(self, now_s: float) -> bytes:
        said = b""
        while self.pending and self.pending[0][0] <= now_s + 1e-9:
            said += self.pending.pop(0)[1]
        return said


@pytest.mark.parametrize("late_s", [0.19, 0.21, 0.29, 0.31, 0.45, 0.6, 0.8, 1.1, 1.5, 1.9])
@pytest.mark.parametrize("every_s", [0.0, 0.05, 0.1, 0.5])
def test_a_device_that_became_slow_for_good_never_answers_the_question_before(late_s: float, every_s: float) -> None:
    async def main() -> None:
        slow = Slow(0.01)
        line = memory_line("flows", slow)
        start_s, right = now_s(), 0
        while (run_s := now_s() - start_s) < 20:
            slow.late_s = late_s if 1 <= run_s < 10 else 0.01
            try:
                reply = await line.ask(
                    b"p", to_semicolon, timeout_s=0.2, device="a", quiet_s=0.1, probe=(b"v", to_version)
                )
                assert reply == b"%d;" % slow.count, "an answer to an older question"
                right = right + 1
            except DriverError:
                right = 0
                await asyncio.sleep(0.01)
            await asyncio.sleep(every_s)
        assert right > 10, "it is itself again, and so is the line"

    run_virtual(main())


def to_number(buffer: bytes) -> int | None:
    if buffer[:1] == b"v":
        raise BadReply("test", "no number", reply=buffer)
    return to_semicolon(buffer)


class Keeping:
    """A device behind a gateway that, while `keeps`, gives each reply to the next question."""

    def __init__(self) -> None:
        self.keeps, self.count, self.kept = False, 0, b""

    def hear(self, now_s: float, data: bytes) -> bytes:
        self.count += 1
        reply = b"v1;" if data == b"v" else b"%d;" % self.count
        if not self.keeps:
            said, self.kept = self.kept + reply, b""
            return said
        said, self.kept = self.kept, reply
        return said

    def next_at(self) -> float | None:
        return None

    def speak(self, now_s: float) -> bytes:
        return b""


@pytest.mark.parametrize("every_s", [0.0, 0.005, 0.05, 0.1, 0.5, 1.9, 2.1])
def test_a_gateway_that_stays_one_reply_behind_is_never_believed(every_s: float) -> None:
    async def main() -> None:
        gateway = Keeping()
        line = memory_line("flows", gateway)
        start_s, right, wrong = now_s(), 0, 0
        while (run_s := now_s() - start_s) < 60:
            gateway.keeps = 1 <= run_s < 40
            try:
                reply = await line.ask(
                    b"p", to_number, timeout_s=0.2, device="a", quiet_s=0.1, probe=(b"v", to_version)
                )
                assert reply == b"%d;" % gateway.count, "an answer to an older question"
                right += 1
            except DriverError:
                right, wrong = 0, wrong + 1
            await asyncio.sleep(max(every_s, 0.001))
        assert wrong and right > 5, "it is noticed, and is over when it is over"

    run_virtual(main())


def test_after_a_missing_reply_a_probe_goes_before_the_next_request_and_only_once() -> None:
    async def main() -> None:
        peer = Peer((b"1", ()), always={b"v": Say(0.01, b"v1;"), b"2": Say(0.01, b"two;")})
        line = to(peer)
        with pytest.raises(NoReply):
            await ask(line, b"1")
        for _ in range(2):
            await line.ask(b"2", to_semicolon, timeout_s=0.2, device="a", probe=(b"v", to_version))
        assert peer.requests == [b"1", b"v", b"2", b"2"]

    run_virtual(main())


def test_what_is_urgent_is_sent_without_a_probe() -> None:
    async def main() -> None:
        peer = Peer((b"1", ()), (b"stop", b"done;"))
        line = to(peer)
        with pytest.raises(NoReply):
            await ask(line, b"1")
        assert await ask(line, b"stop") == b"done;"

    run_virtual(main())


# --- replies that carry the number of their request ---


def test_replies_that_carry_a_number_need_no_silence_but_a_new_connection() -> None:
    async def main() -> None:
        line = to(Peer((b"1", ()), (b"2", b"two;")))
        with pytest.raises(NoReply):
            await ask(line, b"1", tagged=True)
        start_s = now_s()
        assert await ask(line, b"2", tagged=True) == b"two;"
        assert now_s() == start_s
        assert line.counts.opened == 2

    run_virtual(main())


def numbered(number: int) -> Framer:
    """Replies `N;` to request number N."""

    def framer(buffer: bytes) -> int | None:
        if b";" not in buffer:
            return None
        if buffer.split(b";")[0] != b"%d" % number:
            raise BadReply("a", "another number", reply=buffer)
        return buffer.index(b";") + 1

    return framer


async def ask_numbered(line: Line, number: int, device: str = "a") -> bytes:
    return await line.ask(
        b"%d" % number, numbered(number), timeout_s=0.2, device=device, quiet_s=0.1, numbered=True
    )  # fmt: skip


@pytest.mark.parametrize("late_s", [0.25, 0.31, 0.35, 0.5, 1.9])
def test_a_numbered_reply_that_is_late_is_thrown_away_and_the_next_ones_cost_no_waiting(late_s: float) -> None:
    async def main() -> None:
        peer = Peer((b"1", Say(late_s, b"1;")), always={b"%d" % n: Say(0.05, b"%d;" % n) for n in range(2, 60)})
        line = to(peer)
        with pytest.raises(NoReply):
            await ask_numbered(line, 1)
        start_s, asked = now_s(), 40
        for number in range(2, 2 + asked):
            assert await ask_numbered(line, number) == b"%d;" % number
        assert now_s() - start_s <= asked * 0.05 + 2 * 0.1 + 1e-6, "no reply lingers, however long one may be owed"
        assert line.misplaced == {"a": 1}

    run_virtual(main())


def test_a_numbered_reply_that_nobody_is_owed_is_an_error() -> None:
    async def main() -> None:
        line = to(Peer((b"1", b"7;"), (b"2", b"2;")))
        with pytest.raises(BadReply, match="another number"):
            await ask_numbered(line, 1)
        assert await ask_numbered(line, 2) == b"2;"

    run_virtual(main())


def test_a_device_that_is_silent_for_long_owes_a_bounded_number_of_replies() -> None:
    async def main() -> None:
        line = to(Peer(always={b"%d" % n: () for n in range(1, 200)}))
        for number in range(1, 200):
            with pytest.raises(NoReply):
                await ask_numbered(line, number)
        assert len(line._debts.of["a"].owed) == 64

    run_virtual(main())
