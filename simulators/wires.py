"""One face on a real wire: a TCP port on loopback or a pseudo-terminal, and its plug, that can be pulled.

A pseudo-terminal keeps its slave open here, else the master sees an end each time a client closes. Both ends are raw.
"""

from __future__ import annotations

import asyncio
import os
import socket
import struct
import tty
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Protocol, cast

from simulators.face import Face

TCP_FAULTS = ("vanish", "half-open", "reset", "accept-but-silent")
PTY_FAULTS = ("vanish",)


class Plugged(Protocol):
    """A wire whose line can fail: `put` begins one of `kinds`, `clear` ends it."""

    kinds: tuple[str, ...]
    address: str

    async def put(self, kind: str) -> None: ...
    async def clear(self) -> None: ...


class Host:
    """Runs one face on the loop: bytes in, bytes out, and the face's own timers."""

    def __init__(self, face: Face, write: Callable[[bytes], None]) -> None:
        self._face, self._write = face, write
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._arm()

    def heard(self, data: bytes) -> None:
        """Bytes have come for the face."""
        self._say(self._face.hear(self._loop.time(), data))
        self._arm()

    def plug(self, write: Callable[[bytes], None]) -> None:
        """What is said from now on is written there."""
        self._write = write

    def unplug(self) -> None:
        """Nobody listens any more; the device's timers go on until they have run out."""
        self._write = _nowhere

    def close(self) -> None:
        """Stop the device."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _arm(self) -> None:
        self.close()
        at_s = self._face.next_at()
        if at_s is not None:
            self._timer = self._loop.call_at(at_s, self._speak)

    def _speak(self) -> None:
        self._say(self._face.speak(self._loop.time()))
        self._arm()

    def _say(self, data: bytes) -> None:
        if data:
            self._write(data)


def _nowhere(data: bytes) -> None:
    """A line without a listener loses what is said."""


class _Connection(asyncio.Protocol):
    def __init__(self, wire: TcpWire) -> None:
        self._wire, self.mute = wire, wire.silent
        self.link: asyncio.Transport | None = None
        self.host: Host | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.link = cast(asyncio.Transport, transport)
        self.host = Host(self._wire.new_face(), self.link.write)
        self._wire.connections.add(self)

    def data_received(self, data: bytes) -> None:
        if self.host is not None and not self.mute:
            self.host.heard(data)

    def connection_lost(self, exc: Exception | None) -> None:
        if self.host is not None:
            self.host.unplug()

    def forget(self) -> None:
        """From now on the other end speaks to nobody."""
        self.mute = True
        if self.host is not None:
            self.host.unplug()

    def reset(self) -> None:
        """End it with a reset, as a device does that knows of no connection."""
        if self.link is not None and not self.link.is_closing():
            link: socket.socket = self.link.get_extra_info("socket")
            link.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.link.abort()


class TcpWire:
    """A face per connection on loopback; the port is the same again after it was gone."""

    kinds: tuple[str, ...] = TCP_FAULTS

    def __init__(self, new_face: Callable[[], Face]) -> None:
        self.new_face, self.silent, self.address = new_face, False, ""
        self.connections: set[_Connection] = set()
        self._server: asyncio.Server | None = None
        self._port = 0

    async def open(self) -> None:
        """Listen; raises OSError."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: _Connection(self), "127.0.0.1", self._port, reuse_address=True)
        host, self._port = self._server.sockets[0].getsockname()
        self.address = f"tcp://{host}:{self._port}"

    async def put(self, kind: str) -> None:
        self.silent = kind == "accept-but-silent"
        if kind == "vanish" and self._server is not None:
            self._server.close()
            self._server = None
        for one in tuple(self.connections):
            if kind in ("vanish", "reset"):
                one.reset()
            else:
                one.forget()

    async def clear(self) -> None:
        self.silent = False
        if self._server is None:
            await self.open()

    def close(self) -> None:
        if self._server is not None:
            self._server.close()
        for one in self.connections:
            if one.host is not None:
                one.host.close()


class PtyWire:
    """A face on a pseudo-terminal. With a `link` that is its stable name, which leads to wherever the port is now."""

    kinds: tuple[str, ...] = PTY_FAULTS

    def __init__(self, face: Face, link: Path | None = None) -> None:
        self._host, self._link = Host(face, _nowhere), link
        self._ends: tuple[int, int] | None = None
        self.port, self.address = "", ""

    def open(self) -> None:
        """Lay the wire, under another name than before; raises OSError."""
        ends = os.openpty()
        if os.ttyname(ends[1]) == self.port:
            same, ends = ends, os.openpty()
            for end in same:
                os.close(end)
        self._ends, self.port = ends, os.ttyname(ends[1])
        for end in ends:
            tty.setraw(end)
        os.set_blocking(ends[0], False)
        asyncio.get_running_loop().add_reader(ends[0], self._read, ends[0])
        self._host.plug(self._write)
        self._name()

    def _name(self) -> None:
        if self._link is not None:
            self._link.unlink(missing_ok=True)
            self._link.symlink_to(self.port)
        self.address = f"serial:{self._link or self.port}"

    async def put(self, kind: str) -> None:
        self._pull()

    async def clear(self) -> None:
        if self._ends is None:
            self.open()

    def close(self) -> None:
        self._host.close()
        self._pull()

    def _pull(self) -> None:
        if self._ends is None:
            return
        ends, self._ends = self._ends, None
        self._host.unplug()
        asyncio.get_running_loop().remove_reader(ends[0])
        for end in ends:
            os.close(end)
        if self._link is not None:
            self._link.unlink(missing_ok=True)

    def _write(self, data: bytes) -> None:
        if self._ends is not None:
            with suppress(BlockingIOError):  # nobody reads: the line loses characters, as a serial line does
                os.write(self._ends[0], data)

    def _read(self, end: int) -> None:
        with suppress(BlockingIOError):
            self._host.heard(os.read(end, 4096))
