"""The line: it opens when it is first asked, comes back after a loss, and ends for good when it is closed."""

from __future__ import annotations

import asyncio
import itertools

import pytest

from drivers.base import NoReply
from drivers.line import Line, open_line
from drivers.transport import Heard, Lost, Transport
from simulators.virtualtime import run_virtual
from tests.contract.line_bench import ask
from tests.contract.scripted import now_s


@pytest.mark.parametrize("address", ["tcp://host", "udp://host:1", "serial:tty", "/dev/ttyS0", "tcp://h:1/x", ""])
def test_an_address_of_another_form_is_refused(address: str) -> None:
    with pytest.raises(ValueError, match="must be serial:/dev/… or tcp://host:port"):
        open_line("flows", address)


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
