"""Abort from outside a running controller: `ald abort` from the shell, and an operator far away, over MQTT."""

from __future__ import annotations

import asyncio
import random
import shutil
import subprocess
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from ald_controller.cli.logs import configure_log
from ald_controller.client import MqttClient
from tests.bench.figures import Row
from tests.bench.machine import BIN, LOADS, ROOT
from tests.bench.stage import TRIES, Served, served_tool
from tests.process.mosquitto import PATH, Mosquitto

PART = "abort"
TIMES = 12
RECIPE = Path(__file__).parent / "long-dose.yaml"
WATER = 2
MQTT = "operator's abort over MQTT"
COMMAND = "`ald abort` typed"

Abort = Callable[[], Awaitable[None]]


def measure(folder: Path) -> list[Row]:
    """Two rows for each way and load: until the module was shut, and until the answer was there."""
    configure_log(quiet=True)
    if any(shutil.which(program, path=PATH) is None for program in ("mosquitto", "mosquitto_passwd")):
        print(f"  left out: {MQTT}: mosquitto is not here: apt install mosquitto", flush=True)
        with served_tool(folder, RECIPE) as served:
            return asyncio.run(_measure(served, None))
    broker = Mosquitto(folder)
    broker.start()
    try:
        password = folder / "password"
        password.touch(0o600)
        password.write_text("ald-reference-password")
        options = ("--broker", f"127.0.0.1:{broker.port}", "--password-file", str(password))
        with served_tool(folder, RECIPE, *options) as served:
            return asyncio.run(_measure(served, broker))
    finally:
        broker.kill()


async def _measure(served: Served, broker: Mosquitto | None) -> list[Row]:
    """The ways take turns, so that what else the computer does falls on all alike."""
    served.prepare("silicon wafer")
    values_ms: dict[tuple[str, str, str], list[float]] = defaultdict(list)
    async with _operator(broker) as operator:
        ways: dict[str, Abort] = {COMMAND: lambda: _typed(served.door)} | ({MQTT: operator} if operator else {})
        for _ in range(TIMES):
            for load in LOADS:
                for way, abort in ways.items():
                    shut_ms, answer_ms = await _once(served, load, abort)
                    values_ms[way, "shut", load].append(shut_ms)
                    values_ms[way, "its answer", load].append(answer_ms)
    rows = [(way, what, load) for way in ways for what in ("shut", "its answer") for load in LOADS]
    return [Row(PART, f"{way} -> {what}, {load}", "ms", values_ms[way, what, load]) for way, what, load in rows]


async def _once(served: Served, load: str, abort: Abort) -> tuple[float, float]:
    """As `_one`, again when an interlock was faster than the abort."""
    for _ in range(TRIES):
        shut_ms, answer_ms = await _one(served, load, abort)
        if shut_ms > 0:
            return shut_ms, answer_ms
        print("  measured again: the source was shut before the abort", flush=True)
    raise RuntimeError(f"the source was shut before the abort {TRIES} times")


async def _one(served: Served, load: str, abort: Abort) -> tuple[float, float]:
    """ms until the module was shut, and until the answer was there; in the midst of a long dose."""
    run = await asyncio.to_thread(served.in_a_dose, RECIPE, WATER)
    with LOADS[load]():
        await asyncio.sleep(random.uniform(0.3, 0.5))
        asked_s = time.monotonic()
        await abort()
        answered_s = time.monotonic()
    shut_s = served.module.wait_for_word(0)
    await asyncio.to_thread(served.until_reported, run)
    return (shut_s - asked_s) * 1e3, (answered_s - asked_s) * 1e3


async def _typed(door: Path) -> None:
    """The whole command, waited for as a shell waits: by nothing but the end of the process."""
    command = [str(BIN / "ald"), "abort", "bench", "--socket", str(door)]
    subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)  # noqa: ASYNC221


@asynccontextmanager
async def _operator(broker: Mosquitto | None) -> AsyncIterator[Abort | None]:
    """A person with a password and this project's client, connected and listening as a dashboard is."""
    if broker is None:
        yield None
        return
    async with MqttClient(broker.broker("operator"), "reference") as tool:
        await asyncio.wait_for(anext(tool.states()), 30.0)

        async def abort() -> None:
            answer = await tool.ask("abort", {"why": "bench"})
            if not answer.ok:
                raise RuntimeError(f"the abort over MQTT was refused: {answer.text}")

        yield abort
