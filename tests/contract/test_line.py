"""The line: whatever arrives too late, twice or unasked, no request gets an answer that is not its own."""

from __future__ import annotations

import asyncio
import itertools
import os
import tty
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from drivers.base import BadReply, DriverError, NoReply
from drivers.line import Framer, Line, memory_line, open_line
from drivers.transport import Heard, Lost, Transport
from simulators.virtualtime import run_virtual
from tests.contract.scripted import Peer, Say, now_s, to


def to_semicolon(buffer: bytes) -> int | None:
    if buffer[:1] == b"!":
        raise BadReply("test", "nonsense", reply=buffer)
    return buffer.find(b";") + 1 or None


async def ask(
    line: Line,
    request: bytes,
    device: str = "a",
    *,
    framer: Framer | None = to_semicolon,
    tagged: bool = False,
    timeout_s: float = 0.2,
) -> bytes:
    return await line.ask(request, framer, timeout_s=timeout_s, device=device, quiet_s=0.1, tagged=tagged)


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


def test_requests_are_served_in_the_order_in_which_they_were_made() -> None:
    async def main() -> None:
        peer = Peer(always={bytes([n]): Say(0.01, b";") for n in range(20)})
        line = to(peer)
        await asyncio.gather(*(ask(line, bytes([n]), f"device {n}") for n in range(20)))
        assert peer.requests == [bytes([n]) for n in range(20)]

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


def test_a_tap_sees_all_traffic_with_time_and_device() -> None:
    async def main() -> None:
        seen: list[tuple[str, str, bytes]] = []
        line = to(Peer((b"1", (Say(0.01, b"one;"), Say(0.3, b"?")))))
        line.tap = lambda at_s, device, way, data: seen.append((device, way, data))
        await ask(line, b"1", "gauge")
        await asyncio.sleep(1)
        assert seen == [("gauge", "sent", b"1"), ("gauge", "heard", b"one;"), ("", "heard", b"?")]

    run_virtual(main())


class Flaky:
    """Opens as often as it is told and can lose what it opened."""

    def __init__(self, fails: int) -> None:
        self.fails, self.tries = fails, 0
        self.lost: Lost | None = None
        self.heard: Heard | None = None

    async def __call__(self, heard: Heard, lost: Lost) -> Transport:
        self.tries += 1
        if self.tries <= self.fails:
            raise OSError("no such port")
        self.heard, self.lost = heard, lost
        return self

    def send(self, data: bytes) -> None:
        assert self.heard
        if data != b"silence":
            self.heard(b"yes;")

    def close(self) -> None:
        self.heard = None


def test_a_line_that_cannot_be_opened_is_tried_again_ever_more_rarely_and_delays_nobody() -> None:
    async def main() -> None:
        flaky = Flaky(fails=7)
        line = Line("flows", flaky)
        opened_s: list[float] = []
        while True:
            before_s, tries = now_s(), flaky.tries
            try:
                await ask(line, b"1")
                break
            except NoReply as error:
                assert "no such port" in str(error)
                assert now_s() == before_s
            if flaky.tries > tries:
                opened_s.append(now_s())
            await asyncio.sleep(0.01)
        waits = [after - before for before, after in itertools.pairwise(opened_s)]
        assert waits == pytest.approx([0.2, 0.4, 0.8, 1.6, 3.2, 5.0], abs=0.03)

    run_virtual(main())


def test_a_line_lost_in_the_middle_of_a_request_says_so_at_once_and_comes_back() -> None:
    async def main() -> None:
        flaky = Flaky(fails=0)
        line = Line("flows", flaky)
        asyncio.get_running_loop().call_later(0.15, lambda: flaky.lost and flaky.lost("unplugged"))
        with pytest.raises(NoReply, match="flows was lost: unplugged"):
            await ask(line, b"silence", timeout_s=10)
        with pytest.raises(NoReply, match="is down: unplugged; next attempt"):
            await ask(line, b"1")
        await asyncio.sleep(0.3)
        assert await ask(line, b"1") == b"yes;"

    run_virtual(main())


def test_closing_a_line_frees_whoever_waits_for_it_and_keeps_it_closed() -> None:
    async def main() -> None:
        line = Line("flows", Flaky(fails=0))
        waiting = asyncio.create_task(ask(line, b"silence"))
        await asyncio.sleep(0.15)
        await line.close()
        with pytest.raises(NoReply, match="closed"):
            await waiting
        with pytest.raises(NoReply, match="is down: the line was closed"):
            await ask(line, b"1")

    run_virtual(main())


@pytest.mark.parametrize("address", ["tcp://host", "udp://host:1", "serial:tty", "/dev/ttyS0", "tcp://h:1/x", ""])
def test_an_address_of_another_form_is_refused(address: str) -> None:
    with pytest.raises(ValueError, match="must be serial:/dev/… or tcp://host:port"):
        open_line("flows", address)


# --- on the wall clock: TCP and pseudo-terminals ---

Serve = Callable[[bytes], bytes]


@asynccontextmanager
async def tcp_server(*answers: Serve) -> AsyncIterator[tuple[str, list[bytes]]]:
    """One connection after the other is served by the next of `answers`; ends a connection on an empty reply."""
    heard: list[bytes] = []
    turns = iter(answers)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        answer = next(turns)
        try:
            while data := await reader.read(100):
                heard.append(data)
                if not (reply := answer(data)):
                    break
                writer.write(reply)
        except ConnectionError:
            heard.append(b"(reset)")
        finally:
            writer.transport.abort()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        yield f"tcp://127.0.0.1:{port}", heard
        await asyncio.sleep(0.02)


async def test_tcp_comes_back_after_the_other_side_closed() -> None:
    async with tcp_server(lambda _: b"", lambda _: b"two;") as (address, _):
        line = open_line("coupler", address)
        with pytest.raises(NoReply, match="closed the connection"):
            await ask(line, b"1", tagged=True, timeout_s=5)
        await asyncio.sleep(0.25)
        assert await ask(line, b"2", tagged=True, timeout_s=5) == b"two;"
        await line.close()


async def test_tcp_that_accepts_and_stays_silent_gets_a_new_connection_by_reset() -> None:
    async with tcp_server(lambda _: b"part of it", lambda _: b"two;") as (address, heard):
        line = open_line("coupler", address)
        with pytest.raises(NoReply, match="no whole reply"):
            await ask(line, b"1", tagged=True)
        assert await ask(line, b"2", tagged=True, timeout_s=5) == b"two;"
        await line.close()
    assert b"(reset)" in heard, "an orderly end would still deliver what waits unsent"


async def test_tcp_to_nobody_is_no_reply() -> None:
    line = open_line("coupler", "tcp://127.0.0.1:9")
    with pytest.raises(NoReply, match="coupler cannot be opened"):
        await ask(line, b"1")


class Pty:
    """A pseudo-terminal whose far end answers every request with `;` appended."""

    def __init__(self) -> None:
        self.master, self.slave = os.openpty()
        tty.setraw(self.slave)
        self.path = os.ttyname(self.slave)
        asyncio.get_running_loop().add_reader(self.master, self._answer)

    def _answer(self) -> None:
        os.write(self.master, os.read(self.master, 100) + b";")

    def close(self) -> None:
        asyncio.get_running_loop().remove_reader(self.master)
        os.close(self.master)
        os.close(self.slave)


@pytest.mark.parametrize("parity", ["none", "even", "odd"])
async def test_a_pseudo_terminal_opens_again_and_again_with_any_parity(parity: str) -> None:
    pty = Pty()
    for _ in range(3):
        line = open_line("flows", f"serial:{pty.path}", 9600, parity)  # type: ignore[arg-type]
        assert await ask(line, bytes([1, 0xFF, 0, 13, 10]), timeout_s=5) == bytes([1, 0xFF, 0, 13, 10]) + b";"
        await line.close()
    pty.close()


async def test_a_port_belongs_to_one_line_only() -> None:
    pty = Pty()
    first, second = (open_line(name, f"serial:{pty.path}") for name in ("first", "second"))
    await ask(first, b"1", timeout_s=5)
    with pytest.raises(NoReply, match="second cannot be opened"):
        await ask(second, b"1")
    await first.close()
    pty.close()


async def test_a_port_that_vanishes_and_returns_elsewhere_behind_the_same_name_is_found_again(tmp_path: Path) -> None:
    by_id = tmp_path / "usb-flows"
    pty = Pty()
    by_id.symlink_to(pty.path)
    line = open_line("flows", f"serial:{by_id}")
    assert await ask(line, b"1", timeout_s=5) == b"1;"
    pty.close()
    with pytest.raises(NoReply):
        await ask(line, b"2")
    by_id.unlink()
    with pytest.raises(NoReply):
        await ask(line, b"3")
    pty = Pty()
    by_id.symlink_to(pty.path)
    for _ in range(50):
        try:
            reply = await ask(line, b"4", timeout_s=1)
            break
        except DriverError:
            await asyncio.sleep(0.1)
    assert reply == b"4;"
    await line.close()
    pty.close()


async def test_requests_keep_the_silence_that_ends_a_frame() -> None:
    pty = Pty()
    line = open_line("heaters", f"serial:{pty.path}", 1200)
    at: list[tuple[str, float]] = []
    line.tap = lambda at_s, device, way, data: at.append((way, at_s))
    for _ in range(3):
        await ask(line, b"1", timeout_s=5)
    heard_s = [at_s for way, at_s in at if way == "heard"]
    sent_s = [at_s for way, at_s in at if way == "sent"]
    assert all(sent - heard >= 3.5 * 10 / 1200 - 1e-3 for heard, sent in zip(heard_s, sent_s[1:], strict=False))
    await line.close()
    pty.close()


# --- numbered replies, pacing, losses ---


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
        assert len(line._debts._of["a"].owed) == 64

    run_virtual(main())


def test_a_device_that_needs_a_pause_gets_it_and_others_have_the_line_meanwhile() -> None:
    async def main() -> None:
        peer = Peer(always={b"slow": Say(0.01, b";"), b"quick": Say(0.01, b";")})
        line = to(peer)

        async def slow() -> None:
            for _ in range(3):
                await line.ask(b"slow", to_semicolon, timeout_s=0.2, device="slow", pace_s=0.1)

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


def test_a_line_counts_what_it_lost_and_could_not_open_but_not_what_it_ended_itself() -> None:
    async def main() -> None:
        flaky = Flaky(fails=1)
        line = Line("flows", flaky)
        with pytest.raises(NoReply):
            await ask(line, b"1")
        assert line.counts.lost == 1
        await asyncio.sleep(0.3)
        await ask(line, b"1")
        with pytest.raises(NoReply):
            await ask(line, b"silence", tagged=True)
        assert await ask(line, b"1", tagged=True) == b"yes;"
        assert (line.counts.lost, line.counts.opened) == (1, 2)
        assert flaky.lost
        flaky.lost("unplugged")
        assert line.counts.lost == 2

    run_virtual(main())


def test_a_pause_is_kept_also_between_two_who_ask_the_same_device() -> None:
    async def main() -> None:
        peer = Peer(always={b"slow": Say(0.01, b";")})
        line = to(peer)
        asks = (line.ask(b"slow", to_semicolon, timeout_s=0.2, device="slow", pace_s=0.1) for _ in range(4))
        await asyncio.gather(*asks)
        at_s = [at for at, _ in peer.heard]
        assert all(after - before >= 0.11 - 1e-6 for before, after in itertools.pairwise(at_s))

    run_virtual(main())
