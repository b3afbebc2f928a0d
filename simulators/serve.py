"""Faces on real wires: TCP on loopback, pseudo-terminals, and coupler A as a process of its own.

A pseudo-terminal keeps its slave open here, else the master sees an end each time a client closes. Both ends are raw.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import tty
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any, cast

from simulators.face import Face
from simulators.valve_module import Change
from simulators.world import VALVES, World, build

LAG_S = 0.05  # how late a valve word may come to be known: coupler, pipe and this loop together
END_S = 2.0


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
    def __init__(self, new_face: Callable[[], Face], hosts: set[Host]) -> None:
        self._new_face, self._hosts = new_face, hosts
        self._host: Host | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._host = Host(self._new_face(), cast(asyncio.Transport, transport).write)
        self._hosts.add(self._host)

    def data_received(self, data: bytes) -> None:
        if self._host is not None:
            self._host.heard(data)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._host is not None:
            self._host.unplug()


@asynccontextmanager
async def on_tcp(new_face: Callable[[], Face]) -> AsyncIterator[str]:
    """Serve a face per connection on loopback; yields `tcp://host:port`."""
    hosts: set[Host] = set()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: _Connection(new_face, hosts), "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()
    try:
        yield f"tcp://{host}:{port}"
    finally:
        server.close()
        for one in hosts:
            one.close()


@asynccontextmanager
async def on_pty(face: Face) -> AsyncIterator[str]:
    """Serve a face on a pseudo-terminal; yields `serial:/dev/pts/N`."""
    loop = asyncio.get_running_loop()
    master, slave = os.openpty()
    tty.setraw(master)
    tty.setraw(slave)
    os.set_blocking(master, False)

    def write(data: bytes) -> None:
        with suppress(BlockingIOError):  # nobody reads: the line loses characters, as a serial line does
            os.write(master, data)

    def read() -> None:
        with suppress(BlockingIOError):
            host.heard(os.read(master, 4096))

    host = Host(face, write)
    loop.add_reader(master, read)
    try:
        yield f"serial:{os.ttyname(slave)}"
    finally:
        loop.remove_reader(master)
        host.close()
        os.close(master)
        os.close(slave)


@asynccontextmanager
async def coupler_process(world: World, trace: Path | None) -> AsyncIterator[str]:
    """Run coupler A as an independent computer whose stamps move the plant's valves; yields `tcp://host:port`."""
    command = [sys.executable, "-m", "simulators.coupler", "--driver", world.devices[VALVES].driver]
    command += ["--coils", str(world.coupler_a.coils)]
    command += ["--quiet", str(world.quiet_mask), *(["--trace", str(trace)] if trace else [])]
    # A session of its own: an interrupt typed at a terminal ends it through its standard input, in order.
    process = await asyncio.create_subprocess_exec(*command, stdin=PIPE, stdout=PIPE, start_new_session=True)
    lines = cast(asyncio.StreamReader, process.stdout)
    feeder: asyncio.Task[None] | None = None
    try:
        first = await lines.readline()
        if not first:
            raise RuntimeError(f"the simulated coupler ended at once: try {' '.join(command[1:])}")
        feeder = asyncio.create_task(_feed(world, lines), name="coupler A to plant")
        yield f"tcp://127.0.0.1:{json.loads(first)['port']}"
    finally:
        if feeder is not None:
            feeder.cancel()
        await _end(process)


async def _feed(world: World, lines: asyncio.StreamReader) -> None:
    """Tell the plant what the coupler's outputs became; a coupler that is gone drives nothing."""
    while line := await lines.readline():
        told = json.loads(line)
        if "word" in told:
            world.valves_changed(Change(told["t"], told["word"], told["cause"]))
    world.valves_changed(Change(asyncio.get_running_loop().time(), 0, "gone"))


async def _end(process: Process) -> None:
    cast(asyncio.StreamWriter, process.stdin).close()  # the coupler serves until its standard input ends
    try:
        async with asyncio.timeout(END_S):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()


@asynccontextmanager
async def serve_world(world: World, trace: Path | None = None) -> AsyncIterator[dict[str, dict[str, str]]]:
    """Put every line of the world on a wire; yields device -> {"driver", "address", "unit"}, coupler A as "valves".

    `trace` is appended every change of the valve word as one JSON line. Raises OSError or RuntimeError when a wire
    cannot be laid.
    """
    async with AsyncExitStack() as stack:
        addresses: dict[str, str] = {}
        for line in sorted({device.line for device in world.devices.values()}):
            if world.devices[VALVES].line == line:
                addresses[line] = await stack.enter_async_context(coupler_process(world, trace))
            elif world.is_tcp(line):
                addresses[line] = await stack.enter_async_context(on_tcp(partial(world.face, line)))
            else:
                addresses[line] = await stack.enter_async_context(on_pty(world.face(line)))
        yield {
            name: {"driver": device.driver, "address": addresses[device.line], "unit": device.unit}
            for name, device in world.devices.items()
        }


async def simulate(
    tool_yaml: Path,
    warm: Mapping[str, float] | None,
    on_ready: Callable[[dict[str, Any]], None],
    trace: Path | None,
    stop: asyncio.Event,
    *,
    bottles: Mapping[str, str] | None = None,
    seed: int = 1,
) -> World:
    """Serve the simulated tool of a tool file until `stop` is set; `on_ready` gets {"devices": …} once all is up.

    Returns the world as it ended, so that a caller can print what has grown. Raises what `build` and the wires raise.
    """
    now_s = asyncio.get_running_loop().time()
    world = build(tool_yaml, at_s=now_s, warm=warm, bottles=bottles, seed=seed, lag_s=LAG_S, realistic_delay=True)
    async with serve_world(world, trace) as devices:
        on_ready({"devices": devices})
        await stop.wait()
    return world
