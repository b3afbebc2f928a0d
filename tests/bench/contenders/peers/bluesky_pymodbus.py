"""Pulses as a plan of bluesky's RunEngine makes them, on a device over pymodbus' own client.

    python bluesky_pymodbus.py PORT PAUSE_MS WIDTH_MS:COUNT...

The device is of bluesky's asynchronous kind: it lives in the RunEngine's event loop, so that no thread stands between
the plan and the module. What an opening takes is taken off the sleep behind it, so that it does not lengthen the dose.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Callable, Iterator
from importlib.metadata import version
from typing import Any

import bluesky.plan_stubs as bps
from bluesky import RunEngine
from bluesky.protocols import Movable, Status
from bluesky.run_engine import call_in_bluesky_event_loop
from pymodbus.client import AsyncModbusTcpClient


class TaskStatus(Status):
    """A task of the event loop, as bluesky's protocol wants to see it."""

    def __init__(self, task: asyncio.Task[None]) -> None:
        self._task = task

    def add_callback(self, callback: Callable[[Status], None]) -> None:
        if self.done:
            callback(self)
        else:
            self._task.add_done_callback(lambda _: callback(self))

    def exception(self, timeout: float | None = 0.0) -> BaseException | None:
        return self._task.exception()

    @property
    def done(self) -> bool:
        return self._task.done()

    @property
    def success(self) -> bool:
        return self.done and not self._task.cancelled() and self._task.exception() is None


class Valve(Movable[int]):
    """One coil; set it to 1 (open) or 0 (closed)."""

    name, parent = "valve", None

    async def connect(self, port: int) -> None:
        self._client = AsyncModbusTcpClient("127.0.0.1", port=port)
        if not await self._client.connect():
            raise RuntimeError("no connection to the module")

    def set(self, value: int) -> Status:
        return TaskStatus(asyncio.get_running_loop().create_task(self._write(bool(value))))

    async def _write(self, on: bool) -> None:
        reply = await self._client.write_coil(0, on, device_id=1)
        if reply.isError():
            raise RuntimeError(str(reply))


def pulses(valve: Valve, pause_s: float, series: list[tuple[float, int]], due_s: list[float]) -> Iterator[Any]:
    """The plan; `due_s` takes when every edge was due, in s of CLOCK_MONOTONIC."""

    def switch(to: int, at_s: float) -> Iterator[Any]:
        due_s.append(at_s)
        yield from bps.sleep(max(0.0, at_s - time.monotonic()))
        began_s = time.monotonic()
        yield from bps.mv(valve, to)
        return began_s

    yield from bps.mv(valve, 0)
    closed_s = time.monotonic()
    for width_s, count in series:
        for _ in range(count):
            opened_s = yield from switch(1, closed_s + pause_s)
            closed_s = yield from switch(0, opened_s + width_s)


if __name__ == "__main__":
    port, pause_ms, *texts = sys.argv[1:]
    pairs = [text.split(":") for text in texts]
    due_s: list[float] = []
    run_engine, valve = RunEngine(), Valve()
    call_in_bluesky_event_loop(valve.connect(int(port)))
    run_engine(pulses(valve, float(pause_ms) / 1e3, [(float(ms) / 1e3, int(n)) for ms, n in pairs], due_s))
    versions = ", ".join(f"{name} {version(name)}" for name in ("bluesky", "pymodbus"))
    print(json.dumps({"versions": versions, "due_s": due_s}))
