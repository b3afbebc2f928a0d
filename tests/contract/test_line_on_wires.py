"""The line on the wall clock: TCP connections and pseudo-terminals of this computer."""

from __future__ import annotations

import asyncio
import os
import tty
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from drivers.base import DriverError, NoReply
from drivers.line import open_line
from tests.contract.line_bench import ask

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
    with pytest.raises(NoReply, match=r"coupler cannot be opened: 127.0.0.1:9 refuses connections: is this the device"):
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
    assert len(sent_s) == 3
    assert all(sent - heard >= 3.5 * 10 / 1200 - 1e-3 for heard, sent in zip(heard_s, sent_s[1:], strict=False))
    await line.close()
    pty.close()
