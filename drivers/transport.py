"""Ways to carry bytes for a `Line`: a serial port, a TCP connection, a face in memory. None of them understands a byte.

A transport calls `heard(data)` for what arrives and `lost(why)` once if it breaks by itself; `send` raises OSError.
"""

from __future__ import annotations

import asyncio
import errno
import os
import socket
import struct
from collections.abc import Awaitable, Callable
from typing import Protocol, cast

import serial

from drivers.serialport import Port, Warn, open_port

Heard = Callable[[bytes], None]
Lost = Callable[[str], None]

UNACKNOWLEDGED_MS = 1000  # TCP: how long the kernel may hold sent bytes without an acknowledgement before it gives up


class Transport(Protocol):
    def send(self, data: bytes) -> None:
        """Hands all of `data` over at once or raises OSError."""
        ...

    def close(self) -> None:
        """Ends it, unsent bytes included; `heard` and `lost` are not called again."""
        ...


Opener = Callable[[Heard, Lost], Awaitable[Transport]]


class Face(Protocol):
    """The far end of a line in memory: times are seconds of the loop's clock."""

    def hear(self, now_s: float, data: bytes) -> bytes:
        """What is answered at once."""
        ...

    def next_at(self) -> float | None:
        """When there is something more to say, or None."""
        ...

    def speak(self, now_s: float) -> bytes:
        """What is due by now."""
        ...


class MemoryTransport:
    """A face called directly: what it answers at once is heard before `send` returns, without a timer or a task."""

    def __init__(self, face: Face, heard: Heard) -> None:
        self._face, self._heard = face, heard
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._arm()

    def send(self, data: bytes) -> None:
        reply = self._face.hear(self._loop.time(), data)
        if reply:
            self._heard(reply)
        self._arm()

    def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _arm(self) -> None:
        at_s = self._face.next_at()
        if self._timer is not None:
            if self._timer.when() == at_s:
                return
            self.close()
        if at_s is not None:
            self._timer = self._loop.call_at(at_s, self._speak)

    def _speak(self) -> None:
        self._timer = None
        said = self._face.speak(self._loop.time())
        if said:
            self._heard(said)
        if self._timer is None:
            self._arm()


class TcpTransport(asyncio.Protocol):
    """One connection; closing it throws unsent bytes away, so that no old request can arrive later."""

    def __init__(self, heard: Heard, lost: Lost) -> None:
        self._heard, self._lost = heard, lost
        self._closed = False
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        link: socket.socket = transport.get_extra_info("socket")
        link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        link.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, UNACKNOWLEDGED_MS)
        link.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    def data_received(self, data: bytes) -> None:
        if not self._closed:
            self._heard(data)

    def connection_lost(self, exc: Exception | None) -> None:
        if not self._closed:
            self._closed = True
            self._lost(str(exc) if exc else "the other side closed the connection")

    def send(self, data: bytes) -> None:
        if self._transport is None or self._transport.is_closing():
            raise ConnectionError(errno.ENOTCONN, "the connection is closed")
        self._transport.write(data)

    def close(self) -> None:
        self._closed = True
        if self._transport is not None:
            self._transport.abort()


class SerialTransport:
    """An open port: pyserial has configured it, the event loop reads and writes its descriptor."""

    def __init__(self, port: serial.Serial, heard: Heard, lost: Lost) -> None:
        self._port, self._heard, self._lost = port, heard, lost
        self._fd: int = port.fileno()
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._fd, self._readable)

    def send(self, data: bytes) -> None:
        taken = os.write(self._fd, data)
        if taken != len(data):
            raise OSError(errno.EIO, f"the port took {taken} of {len(data)} bytes")

    def close(self) -> None:
        if self._port.is_open:
            self._loop.remove_reader(self._fd)
            self._port.close()

    def _readable(self) -> None:
        try:
            data = os.read(self._fd, 4096)
        except BlockingIOError:
            return  # readiness was withdrawn between select and read: nothing has happened
        except OSError as error:
            self._lost(error.strerror or str(error))
            return
        if data:
            self._heard(data)
        else:
            self._lost("the port hung up")


def memory_opener(face: Face) -> Opener:
    async def opener(heard: Heard, lost: Lost) -> Transport:
        return MemoryTransport(face, heard)

    return opener


def tcp_opener(host: str, port: int) -> Opener:
    async def opener(heard: Heard, lost: Lost) -> Transport:
        loop = asyncio.get_running_loop()
        try:
            _, protocol = await loop.create_connection(lambda: TcpTransport(heard, lost), host, port)
        except TimeoutError:
            raise
        except OSError as error:
            raise OSError(error.errno, _why_not(host, port, error)) from error
        return protocol

    return opener


def _why_not(host: str, port: int, error: OSError) -> str:
    """What is wrong with an address, and what to look at."""
    if isinstance(error, socket.gaierror):
        return f"there is no address of '{host}': is it spelled as in the network?"
    match error.errno:
        case errno.ECONNREFUSED:
            return f"{host}:{port} refuses connections: is this the device's address, and does it run?"
        case errno.EHOSTUNREACH | errno.ENETUNREACH:
            return f"{host} cannot be reached: is it switched on, and in this network?"
    return f"{host}:{port}: {error.strerror or error}"


def serial_opener(port: Port, warn: Warn) -> Opener:
    told: set[str] = set()

    def once(what: str) -> None:
        if what not in told:
            told.add(what)
            warn(what)

    async def opener(heard: Heard, lost: Lost) -> Transport:
        return SerialTransport(open_port(port, once), heard, lost)

    return opener
