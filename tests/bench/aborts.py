"""From the wish to abort to the moment at which the module got the word that shuts every source."""

from __future__ import annotations

import asyncio
import random
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from ald_controller.valves.client import ValveClient
from ald_controller.valves.wire import Edge, Held, Missed
from tests.bench.figures import Row
from tests.bench.machine import BIN, LOADS, ROOT
from tests.bench.stage import Served, served_tool
from tests.valve_rig import LTB, MS, Coupler, S, coupler, dose, until, valves

PART = "abort"
MESSAGES = 100
COMMANDS = {"as found": 12, "busy": 10}
RECIPE = Path(__file__).parent / "long-dose.yaml"
WATER = 2


def measure(folder: Path) -> list[Row]:
    """The engine's message and the command, each with a source open, under every load."""
    return [*_messages(folder), *_commands(folder)]


# --- the engine's message --------------------------------------------------------------------------------------------


def _messages(folder: Path) -> Iterator[Row]:
    for load in LOADS:
        with tempfile.TemporaryDirectory(dir=folder) as own, coupler(Path(own)) as module, LOADS[load]():
            values_ms = asyncio.run(_abort_often(module, Path(own)))
        yield Row(PART, f"message to the valve process -> shut, {load}", "ms", values_ms)


async def _abort_often(module: Coupler, folder: Path) -> list[float]:
    values_ms = []
    async with valves(module.port, folder) as client:
        for half in range(MESSAGES):
            client.clear()
            await client.load(dose(half, LTB, 10 * S, 12 * S, start_ns=MS))
            opened = await _opened(client)
            await asyncio.sleep(random.uniform(0.01, 0.11))  # anywhere between two beats
            asked_s = time.monotonic()
            client.abort("bench")
            await until(client, Held)
            if opened:
                values_ms.append((module.wait_for_word(0) - asked_s) * 1e3)
    return values_ms


async def _opened(client: ValveClient) -> bool:
    """Whether the dose began; one that came too late is left out by the engine, and there is nothing to shut."""
    async with asyncio.timeout(5):
        async for message in client.events():
            if isinstance(message, Missed) or (isinstance(message, Edge) and message.word & LTB):
                return isinstance(message, Edge)
    return False


# --- the command -----------------------------------------------------------------------------------------------------


def _commands(folder: Path) -> Iterator[Row]:
    with served_tool(folder, RECIPE) as served:
        served.prepare("silicon wafer")
        for load, times in COMMANDS.items():
            pairs = [_abort_once(served, load) for _ in range(times)]
            yield Row(PART, f"`ald abort` typed -> shut, {load}", "ms", [shut_ms for shut_ms, _ in pairs])
            yield Row(PART, f"`ald abort` typed -> its answer, {load}", "ms", [answer_ms for _, answer_ms in pairs])


def _abort_once(served: Served, load: str) -> tuple[float, float]:
    """ms until the module is shut, and until the command has ended."""
    served.reset()
    run = served.start(RECIPE)
    served.module.wait_for_word(WATER, WATER, 30.0)
    with LOADS[load]():
        time.sleep(random.uniform(0.3, 0.5))
        asked_s = time.monotonic()
        command = [str(BIN / "ald"), "abort", "bench", "--socket", str(served.door)]
        subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
        answered_s = time.monotonic()
    shut_s = served.module.wait_for_word(0)
    served.until_reported(run)
    return (shut_s - asked_s) * 1e3, (answered_s - asked_s) * 1e3
