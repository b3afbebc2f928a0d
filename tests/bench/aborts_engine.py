"""Abort as a message to the valve process: bare on its socket, and by the client in an event loop that works.

Where the shutting word arrives is read from the module's trace when all is over, so that no waiting for it takes a
processor from what is measured.
"""

from __future__ import annotations

import asyncio
import json
import random
import socket
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

from ald_controller.valves.client import ValveClient
from ald_controller.valves.wire import Abort, Beat, Clear, Edge, FromEngine, Held, Load, Missed, State, decode, encode
from tests.bench.figures import Row
from tests.bench.machine import LOADS
from tests.valve_rig import CONFIG, LTB, MS, SOURCES, Coupler, S, coupler, dose, until, valves

PART = "abort"
TURNS, PER_TURN = 6, 50
ANSWER_S = 5.0
_ABORT = encode(Abort("bench"))

# what the loop does besides: the controller's guard takes some 3 ms of every 100
_STATE = {f"channel-{n}": {"v": n / 7, "u": "Pa", "q": "good", "age_s": 0.05} for n in range(600)}
_WORK_EVERY_S = 0.1
# the wish comes from another process, as it does in life: it writes down the time, then asks
_FINGER = """import sys, time
for line in sys.stdin:
    time.sleep(float(line))
    sys.stdout.write(f"{time.monotonic()}\\n")
    sys.stdout.flush()"""

Asked = list[float]  # the times of the wishes, on CLOCK_MONOTONIC in s
WAYS: dict[str, Callable[[Coupler, Path], Asked]] = {}


def measure(folder: Path) -> list[Row]:
    """A row for each way and load; p99 is what counts, so there are some hundred of each."""
    values_ms: dict[tuple[str, str], list[float | None]] = defaultdict(list)
    for turn in range(TURNS):
        for load in sorted(LOADS, reverse=turn % 2 == 1):  # neither is always first
            for way, abort_often in WAYS.items():
                with tempfile.TemporaryDirectory(dir=folder) as own, coupler(Path(own)) as module, LOADS[load]():
                    values_ms[way, load] += shut_after_ms(module, abort_often(module, Path(own)))
    return [_row(f"{way} -> shut, {load}", values_ms[way, load]) for way in WAYS for load in LOADS]


def _row(what: str, values_ms: list[float | None]) -> Row:
    known = [value for value in values_ms if value is not None]
    left = len(values_ms) - len(known)
    note = f"{left} left out: the valve process had shut by itself before the abort, for a fault or its lease"
    return Row(PART, what, "ms", known, note if left else "")


def shut_after_ms(module: Coupler, asked: Asked) -> list[float | None]:
    """ms from each wish to the module's next word without a source; None where no source was open at the time."""
    words = module.words()
    found: list[float | None] = []
    for asked_s in asked:
        open_then = next((word & SOURCES for at_s, word in reversed(words) if at_s < asked_s), 0)
        shut_s = next(at_s for at_s, word in words if at_s >= asked_s and not word & SOURCES) if open_then else None
        found.append(None if shut_s is None else (shut_s - asked_s) * 1e3)
    return found


def _anywhere_s() -> float:
    """A while that puts the abort anywhere between two beats, and between two rounds of the valve process."""
    return random.uniform(0.005, 0.105)


# --- bare: no event loop between the wish and the socket -------------------------------------------------------------


class _Bare:
    """The daemon's end of the valve process's socket, spoken on by hand."""

    def __init__(self, own: socket.socket) -> None:
        own.settimeout(ANSWER_S)
        self._socket = own
        self._beats = 0
        self._socket.send(encode(State("VACUUM")))

    def ready(self) -> None:
        """Alive, permitted and cleared: also after a pause that was longer than the lease."""
        self._beats += 1
        self._socket.send(encode(Beat(self._beats, SOURCES)))
        self._socket.send(encode(Clear()))

    def load(self, number: int) -> None:
        self._socket.send(encode(Load(dose(number, LTB, 10 * S, 12 * S, start_ns=MS))))

    def abort(self) -> float:
        """The time just before the message went out."""
        asked_s = time.monotonic()
        self._socket.send(_ABORT)
        return asked_s

    def until(self, wanted: Callable[[FromEngine], bool]) -> FromEngine:
        while True:
            message = decode(self._socket.recv(1 << 18))
            if wanted(message):  # type: ignore[arg-type]
                return message  # type: ignore[return-value]


@contextmanager
def _bare(port: int, folder: Path) -> Iterator[_Bare]:
    """A valve process, started as the daemon starts it; the loop that starts it stands still in the block."""
    client = ValveClient("127.0.0.1", port, lock_dir=folder)
    loop = asyncio.new_event_loop()
    try:
        loop.run_until_complete(client.start(CONFIG))
        assert client._socket is not None
        yield _Bare(client._socket)
    finally:
        loop.run_until_complete(client.close())
        loop.close()


def _abort_bare(module: Coupler, folder: Path) -> Asked:
    asked = []
    with _bare(module.port, folder) as talk:
        for number in range(PER_TURN):
            talk.ready()
            talk.load(number)
            if isinstance(talk.until(_begun), Edge):
                time.sleep(_anywhere_s())
                asked.append(talk.abort())
            else:
                talk.abort()
            talk.until(lambda message: isinstance(message, Held))
    return asked


def _begun(message: FromEngine) -> bool:
    """Whether this is the word on the dose: open, or left out by the engine because it would have been late."""
    return isinstance(message, Missed) or (isinstance(message, Edge) and bool(message.word & LTB))


# --- in a loop that works --------------------------------------------------------------------------------------------


def _abort_in_loop(module: Coupler, folder: Path) -> Asked:
    return asyncio.run(_abort_often(module, folder))


async def _abort_often(module: Coupler, folder: Path) -> Asked:
    asked = []
    async with valves(module.port, folder) as client, _working(), _finger() as finger:
        for number in range(PER_TURN):
            client.clear()
            await client.load(dose(number, LTB, 10 * S, 12 * S, start_ns=MS))
            if await _opened(client):
                asked_s = await finger(_anywhere_s())
                client.abort("bench")
                asked.append(asked_s)
            else:
                client.abort("bench")
            await until(client, Held)
    return asked


async def _opened(client: ValveClient) -> bool:
    """Whether the dose began; one that came too late is left out by the engine, and there is nothing to shut."""
    async with asyncio.timeout(ANSWER_S):
        async for message in client.events():
            if _begun(message):
                return isinstance(message, Edge)
    return False


@asynccontextmanager
async def _working() -> AsyncIterator[None]:
    """Ordinary work of the loop, until the block ends."""

    async def work() -> None:
        while True:
            json.loads(json.dumps(_STATE))
            await asyncio.sleep(_WORK_EVERY_S)

    task = asyncio.create_task(work())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@asynccontextmanager
async def _finger() -> AsyncIterator[Callable[[float], Awaitable[float]]]:
    """A call that comes back when another process, after so many seconds, has asked; it says when that was."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-S", "-c", _FINGER, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdin is not None and process.stdout is not None
    asks, answers = process.stdin, process.stdout

    async def after(wait_s: float) -> float:
        asks.write(f"{wait_s}\n".encode())
        return float(await answers.readline())

    try:
        yield after
    finally:
        asks.close()
        await process.wait()


WAYS["message on the valve process's socket"] = _abort_bare
WAYS["request to a working loop that holds the valves"] = _abort_in_loop
