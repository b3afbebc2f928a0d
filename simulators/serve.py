"""Faces on real wires: TCP on loopback, pseudo-terminals, and coupler A as a process of its own."""

from __future__ import annotations

import asyncio
import json
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any, cast

from simulators.control import Control, listening, make_free
from simulators.face import Face
from simulators.plant.sample import Sample
from simulators.valve_module import Change
from simulators.wires import Plugged, PtyWire, TcpWire
from simulators.world import VALVES, World, build

LAG_S = 0.05  # how late a valve word may come to be known: coupler, pipe and this loop together
END_S = 2.0


@asynccontextmanager
async def tcp_wire(new_face: Callable[[], Face]) -> AsyncIterator[TcpWire]:
    """Serve a face per connection on loopback."""
    wire = TcpWire(new_face)
    await wire.open()
    try:
        yield wire
    finally:
        wire.close()


@asynccontextmanager
async def pty_wire(face: Face, link: Path | None = None) -> AsyncIterator[PtyWire]:
    """Serve a face on a pseudo-terminal, under the stable name `link` if there is one."""
    wire = PtyWire(face, link)
    wire.open()
    try:
        yield wire
    finally:
        wire.close()


@asynccontextmanager
async def on_tcp(new_face: Callable[[], Face]) -> AsyncIterator[str]:
    """Serve a face per connection on loopback; yields `tcp://host:port`."""
    async with tcp_wire(new_face) as wire:
        yield wire.address


@asynccontextmanager
async def on_pty(face: Face) -> AsyncIterator[str]:
    """Serve a face on a pseudo-terminal; yields `serial:/dev/pts/N`."""
    async with pty_wire(face) as wire:
        yield wire.address


@asynccontextmanager
async def coupler_process(world: World, trace: Path | None) -> AsyncIterator[tuple[str, asyncio.StreamWriter]]:
    """Run coupler A as an independent computer whose stamps move the plant's valves.

    Yields `tcp://host:port`, and where its faults are commanded.
    """
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
        yield f"tcp://127.0.0.1:{json.loads(first)['port']}", cast(asyncio.StreamWriter, process.stdin)
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
async def serve_world(
    world: World, trace: Path | None = None, control: Path | None = None
) -> AsyncIterator[dict[str, dict[str, str]]]:
    """Put every line of the world on a wire; yields device -> {"driver", "address", "unit"}, coupler A as "valves".

    `trace` is appended every change of the valve word as one JSON line. At the socket `control` faults are commanded;
    serial ports then have stable names in the folder `control`.ports. Raises OSError or RuntimeError when a wire
    cannot be laid.
    """
    async with AsyncExitStack() as stack:
        addresses: dict[str, str] = {}
        plugs: dict[str, Plugged] = {}
        ports = None if control is None else stack.enter_context(_folder(control))
        for line in sorted({device.line for device in world.devices.values()}):
            if world.devices[VALVES].line == line:
                addresses[line], commands = await stack.enter_async_context(coupler_process(world, trace))
                continue
            if world.is_tcp(line):
                plugs[line] = await stack.enter_async_context(tcp_wire(partial(world.face, line)))
            else:
                link = None if ports is None else ports / line
                plugs[line] = await stack.enter_async_context(pty_wire(world.face(line), link))
            addresses[line] = plugs[line].address
        if control is not None:

            async def tell_valves(command: bytes) -> None:
                commands.write(command)
                await commands.drain()

            by_device = {name: plugs[device.line] for name, device in world.devices.items() if device.line in plugs}
            switch = Control(world.faults, by_device, VALVES, tell_valves)
            await stack.enter_async_context(listening(switch, control))
        yield {
            name: {"driver": device.driver, "address": addresses[device.line], "unit": device.unit}
            for name, device in world.devices.items()
        }


@contextmanager
def _folder(control: Path) -> Iterator[Path]:
    """Where the serial ports have their stable names while this runs."""
    make_free(control)  # another simulation that listens there has its ports in this folder
    folder = control.absolute().with_name(f"{control.name}.ports")
    try:
        folder.mkdir(exist_ok=True)
    except OSError as error:
        raise OSError(f"--control {control}: the folder {folder} cannot be made: {error.strerror}") from error
    try:
        yield folder
    finally:
        with suppress(OSError):  # somebody else put something there: it stays
            folder.rmdir()


async def simulate(
    tool_yaml: Path,
    warm: Mapping[str, float] | None,
    on_ready: Callable[[dict[str, Any]], None],
    trace: Path | None,
    stop: asyncio.Event,
    *,
    bottles: Mapping[str, str] | None = None,
    seed: int = 1,
    control: Path | None = None,
    sample: Sample | None = None,
) -> World:
    """Serve the simulated tool of a tool file until `stop` is set; `on_ready` gets {"devices": …} once all is up.

    With a socket `control`, at which faults are commanded, it also gets "control". Returns the world as it ended, so
    that a caller can print what has grown. Raises what `build` and the wires raise.
    """
    now_s = asyncio.get_running_loop().time()
    world = build(
        tool_yaml, at_s=now_s, warm=warm, bottles=bottles, seed=seed, lag_s=LAG_S, realistic_delay=True, sample=sample
    )
    async with serve_world(world, trace, control) as devices:
        on_ready({"devices": devices} if control is None else {"devices": devices, "control": str(control)})
        await stop.wait()
    return world
