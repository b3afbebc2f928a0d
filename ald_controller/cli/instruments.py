"""The work of `ald devices`: one conversation with the devices of a tool whose controller is stopped."""

from __future__ import annotations

import asyncio
import io
import math
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from ald_controller.cli.addresses import host_and_port
from ald_controller.cli.setpoints import Order
from ald_controller.config import LineConfig, Tool
from ald_controller.presence import who
from ald_controller.valves.lock import Lock, lock_folder, lock_path, numeric
from ald_controller.valves.wire import ValveError
from drivers.base import DeviceFault, DriverError, Identity, Reading
from drivers.capture import Recorder
from drivers.catalogue import CATALOGUE
from drivers.line import Line

OpenLine = Callable[[str, LineConfig], Line]
T = TypeVar("T")
LOOK_S = 1.0  # how often it is looked whether a controller has started
REFRESH_S = 1.0  # a remote set-point that nobody refreshes is dropped by its instrument


@dataclass(frozen=True, slots=True)
class Answer:
    """What one device said: `text` for people, `data` for programs."""

    device: str
    ok: bool
    text: str
    data: dict[str, Any] = field(default_factory=dict)


def owned(file: Tool, folder: Path | None = None) -> str:
    """Why the lines of this tool are not ours to use: its controller runs, or nobody can tell. "" = they are."""
    valves = file.config.valves
    host, port = host_and_port(file.config.lines[valves.line].address)
    try:
        path = lock_path(folder or lock_folder(), numeric(host, port), port)
    except ValveError:
        return ""  # no controller can reach its valves either
    lock = Lock(path)
    try:
        if lock.take():
            lock.free(remove=lock.made)  # at once: nobody who has to make the valves safe may wait for this command
            return ""
    except ValveError as error:
        return f"whether the controller of '{file.config.tool}' runs cannot be told: {error}; ask as its account"
    told = "`ald status` and `ald alarms` say what it sees; stop it to talk to its devices from here"
    return f"the controller of '{file.config.tool}' runs and owns its lines: {told}"


class Owned(Exception):
    """A controller has started meanwhile: the lines are its own now."""


async def while_free(file: Tool, work: Coroutine[Any, Any, T]) -> T:
    """Its result; raises Owned, and ends it, within two seconds after a controller has started.

    Whoever goes on to ask a coupler feeds its watchdog, and keeps its outputs on when the controller has died.
    """
    task = asyncio.ensure_future(work)
    try:
        while not (await asyncio.wait({task}, timeout=LOOK_S))[0]:
            if why := owned(file):
                raise Owned(why)
        return await task
    finally:
        task.cancel()
        await asyncio.wait({task})


class Bench:
    """The lines and devices that are talked to; every line opens when it is first asked."""

    def __init__(self, file: Tool, names: Iterable[str], open_line: OpenLine) -> None:
        self.file, self.names = file, tuple(names)
        used = dict.fromkeys(file.devices[name].line for name in self.names)
        self.lines: dict[str, Line] = {name: open_line(name, file.config.lines[name]) for name in used}
        self.devices = {name: self._made(name) for name in self.names}
        self._met: dict[str, tuple[Identity, int]] = {}  # who it was first, and how often its line was lost by then
        self._known: set[str] = set()

    def _made(self, name: str) -> Any:
        config = self.file.devices[name]
        if config.pace_s:
            self.lines[config.line].paces_s[name] = config.pace_s
        return CATALOGUE[config.driver].driver(name, self.lines[config.line], config.settings)

    async def identify(self, name: str) -> Answer:
        """Who it is; as at the controller's start this arms a coupler's watchdog and switches its outputs off."""

        async def act() -> tuple[str, dict[str, Any]]:
            found = await self._meet(name)
            return identity_text(found), asdict(found)

        return await self._answer(name, act)

    async def read(self, name: str) -> Answer:
        """Its channels, once it has said who it is."""

        async def act() -> tuple[str, dict[str, Any]]:
            await self._know(name)
            got: dict[str, Reading] = await self.devices[name].poll()
            return readings_text(got), {
                channel: {"value": one.value if math.isfinite(one.value) else None, "flags": list(one.flags)}
                for channel, one in got.items()
            }

        return await self._answer(name, act)

    async def put(self, order: Order) -> Answer:
        """Set and read back, once it has said who it is; a driver's refusal is an answer."""

        async def act() -> tuple[str, dict[str, Any]]:
            await self._know(order.device)
            device = self.devices[order.device]
            await (device.follow(order.value) if order.heater else device.set_flow(order.value))
            return f"{order.shown}, read back", {"set": order.value}

        return await self._answer(order.device, act)

    async def hold(self, order: Order, for_s: float, tell: Callable[[Answer], None]) -> Answer:
        """Keep a heater's set-point alive for some seconds, telling what it reads; then its own safe one: the answer.

        It goes on through failures: who is silent now may hear the next.
        """
        end_s = asyncio.get_running_loop().time() + for_s
        try:
            while asyncio.get_running_loop().time() < end_s:
                await asyncio.sleep(REFRESH_S)
                kept, read = await self.put(order), await self.read(order.device)
                tell(read if kept.ok else kept)
        finally:
            left = await self.put(Order(order.device, None, True, "its own safe set-point"))
            tell(left)
        return left

    async def all(self, act: Callable[[str], Awaitable[Answer]]) -> list[Answer]:
        """Every device at once, as far as their lines allow; in the order of the names."""
        return list(await asyncio.gather(*(act(name) for name in self.names)))

    async def close(self) -> None:
        for line in self.lines.values():
            await line.close()

    async def _know(self, name: str) -> None:
        if name not in self._known or self._met[name][1] != self._losses(name):
            await self._meet(name)

    async def _meet(self, name: str) -> Identity:
        """Who it is; raises DeviceFault when it is another one than at first."""
        losses = self._losses(name)
        found: Identity = await self.devices[name].identify()
        first = self._met[name][0] if name in self._met else found
        if who(found) != who(first):
            changed = f"it was {who(first)} and is {who(found)}"
            raise DeviceFault(name, f"another device answers: {changed}. Begin anew if that is meant")
        self._met[name] = first, losses
        self._known.add(name)
        return found

    def _losses(self, name: str) -> int:
        return self.lines[self.file.devices[name].line].counts.lost

    async def _answer(self, name: str, act: Callable[[], Awaitable[tuple[str, dict[str, Any]]]]) -> Answer:
        try:
            text, data = await act()
        except DriverError as error:
            self._known.discard(name)  # who answers next says anew who it is
            return Answer(
                name, False, str(error).removeprefix(f"{name}: "), {"error": type(error).__name__, "what": error.what}
            )
        return Answer(name, True, text, data)


class Recording:
    """The traffic of a bench's lines as one text, line by line."""

    def __init__(self, bench: Bench, header: Iterable[str]) -> None:
        self._header, self._from_s = tuple(header), asyncio.get_running_loop().time()
        self._texts: dict[str, io.StringIO] = {}
        for name, line in bench.lines.items():
            self._texts[name] = io.StringIO()
            line.tap = Recorder(self._texts[name], name, self._from_s).tap

    def text(self) -> str:
        """As `drivers/capture.py` reads it."""
        return "".join(f"# {one}\n" for one in self._header) + "".join(one.getvalue() for one in self._texts.values())


def rows(file: Tool) -> list[dict[str, Any]]:
    """What the tool file has: one row per device, and the valve module, with which nobody else talks."""
    config = file.config
    found = [
        {
            "device": name, "driver": one.driver, "line": one.line, "address": config.lines[one.line].address,
            "unit": getattr(one.settings, "unit", getattr(one.settings, "node", None)), "poll_s": one.poll_s,
            "channels": sorted(one.channels),
        }
        for name, one in file.devices.items()
    ]  # fmt: skip
    valves = config.valves
    address = config.lines[valves.line].address
    return [*found, {"device": "valves", "driver": valves.driver, "line": valves.line, "address": address,
                     "unit": valves.unit, "poll_s": None, "channels": []}]  # fmt: skip


def rows_text(found: list[dict[str, Any]]) -> str:
    """One line per device."""
    return "\n".join(
        f"{one['device']:<14} {one['driver']:<16} {one['line']:<12} {one['address']}"
        + (f"  unit {one['unit']}" if one["unit"] is not None else "")
        for one in found
    )


def identity_text(one: Identity) -> str:
    """Model, serial number, firmware and facts in one line."""
    told = [one.model, *([f"serial number {one.serial}"] if one.serial else ["tells no serial number"])]
    told += [f"firmware {one.firmware}"] if one.firmware else []
    return ", ".join([*told, *(f"{name}: {fact}" for name, fact in one.facts.items())])


def readings_text(got: dict[str, Reading]) -> str:
    """Every channel, its unit as it is in its name, with the device's own words behind it."""
    words = {channel: f" ({', '.join(one.flags)})" if one.flags else "" for channel, one in got.items()}
    shown = [f"{channel} {one.value:.6g}{words[channel]}" for channel, one in got.items()]
    return "  ".join(shown)
