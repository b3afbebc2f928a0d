"""`ald valves selftest`: the real valve process on a private simulated module, and a table, a JSON and a picture of it.

The module is a process with a port of its own and the lock lies in a folder of its own, so that no valve of any tool is
touched, whatever controller runs here. Everything that is started ends with the command, however that ends.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import logging
import math
import os
import signal
import sys
import tempfile
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from ald_controller import stamp
from ald_controller.cli import machine
from ald_controller.cli.pulses import ALIVE, CONFIG, Played, judged, mean_length_s, play, segment, started
from ald_controller.cli.selftest_result import BUSY, FOUND, Result, as_json
from ald_controller.cli.selftest_words import text, verdict
from ald_controller.cli.sockets import RUNTIME
from ald_controller.doorbell import LocalClient, NoDoor
from ald_controller.valves.client import ValveClient
from ald_controller.valves.timing import timing_of
from ald_controller.valves.wire import FromEngine, ValveError

WIDTHS_MS = (5, 15, 100)
WIDTHS_DEGRADED_MS = (200, 500)  # shorter ones are refused
TURN_S = 2.0  # loads take turns, so that what else the computer does falls on all alike
READY_S = 10.0
END_S = 5.0
ANSWER_S = 2.0
STALLED = (
    "this computer kept the valve process from running for half a second, and the module's watchdog shut its outputs: "
    "trust no dose to it"
)
QUIET = ("IDLE", "FAULT")
LOADS: dict[str, Callable[[], AbstractContextManager[None]]] = {FOUND: machine.as_found, BUSY: machine.busy}


@dataclass(frozen=True, slots=True)
class Options:
    """How long each load is measured, whether processors are loaded, too, and where the files go."""

    seconds: float
    busy: bool
    out: Path
    as_json: bool
    socket: str | None


def selftest_command(options: Options) -> int:
    """0 when it has been measured, whatever the figures; 1 when not, with a sentence; 130 after Ctrl-C."""
    going_on = run_going_on(options.socket)
    if refusal := _refusal(options, going_on):
        return _said(refusal, 1)
    if going_on:
        click.echo(f"{going_on}: both share the processors, and each may delay the other a little", err=True)
    elif options.busy:
        click.echo("every processor is loaded for a while: do not start a run meanwhile", err=True)
    try:
        result = asyncio.run(_interruptible(options))
    except ValveError as error:
        return _said(f"not measured: {error}", 1)
    except OSError as error:
        return _said(f"not measured: {_why(error)}", 1)
    if result is None:
        return _said("interrupted: nothing of it runs any more, and nothing was written", 130)
    try:
        files = write(result, options.out)
    except OSError as error:
        return _said(f"measured, and not written: {_why(error)}", 1)
    if options.as_json:
        told = as_json(result, verdict(result), values=False)
        click.echo(json.dumps(told | {"files": {name: str(path) for name, path in files.items()}}, ensure_ascii=False))
    else:
        click.echo("\n".join([text(result), *(f"{name:<8} {path}" for name, path in files.items())]))
    return 0


def _said(sentence: str, code: int) -> int:
    click.echo(f"ald valves selftest: {sentence}", err=True)
    return code


def _why(error: OSError) -> str:
    return f"{error.filename}: {error.strerror}" if error.filename else str(error)


def _refusal(options: Options, going_on: str) -> str:
    """Why it is not begun, or ""."""
    if options.busy and going_on:
        return f"{going_on}: --busy would disturb it; measure without, or when it has ended"
    try:
        options.out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        return f"--out {_why(error)}"
    return "" if os.access(options.out, os.W_OK) else f"--out {options.out}: this folder may not be written to"


def run_going_on(socket: str | None) -> str:
    """That a controller of this computer is in a run, as far as its door can be found and opened; else ""."""
    named = socket or os.environ.get("ALD_SOCKET")
    doors = [Path(named)] if named else sorted(RUNTIME.glob("*/ald.sock"))
    for door in doors:
        try:
            status = LocalClient(door).ask({"verb": "status"}, timeout_s=ANSWER_S)["data"]
        except NoDoor:
            continue
        if status.get("run") or status.get("state", "IDLE") not in QUIET:
            return f"the controller of '{status['tool']}' is in a run"
    return ""


def write(result: Result, folder: Path) -> dict[str, Path]:
    """Write the JSON and the picture; raises OSError."""
    logging.getLogger("matplotlib").setLevel(logging.ERROR)  # an account without a home is no news
    from ald_controller.cli.selftest_picture import draw  # a second of imports, which no measurement waits for

    files = {"values": folder / f"{result.name}.json", "picture": folder / f"{result.name}.png"}
    files["values"].write_text(json.dumps(as_json(result, verdict(result), values=True), ensure_ascii=False), "utf-8")
    draw(result, files["picture"])
    return files


# --- measuring -----------------------------------------------------------------------------------------------------


async def _interruptible(options: Options) -> Result | None:
    """The result, or None after the first SIGINT or SIGTERM; whoever is impatient while it ends changes nothing."""
    work = asyncio.ensure_future(_measure(options))

    def interrupt() -> None:
        if not work.cancelling():
            work.cancel()

    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, interrupt)
    await asyncio.wait({work})
    return None if work.cancelled() else work.result()


async def _measure(options: Options) -> Result:
    with tempfile.TemporaryDirectory(prefix="ald-selftest-") as name, _Bar() as bar:
        date_s, before = stamp.utc_now(), machine.load_average()
        loads = [FOUND, *([BUSY] if options.busy else [])]
        async with (
            module(Path(name)) as simulated,
            _explained(simulated),
            started(simulated.port, Path(name)) as client,
        ):
            degraded = client.status is not None and client.status.degraded
            widths_ms = WIDTHS_DEGRADED_MS if degraded else WIDTHS_MS
            played = await _turns(client, simulated, widths_ms, options.seconds, loads, bar)
            start = timing_of(client.lateness, CONFIG, degraded=degraded)
        return Result(
            date_s=date_s, seconds=options.seconds, widths_ms=widths_ms, degraded=degraded, machine=machine.facts(),
            load_average=(before, machine.load_average()), start=start, played=played,
        )  # fmt: skip


@asynccontextmanager
async def _explained(simulated: Module) -> AsyncIterator[None]:
    """What the valve process could not go on for, by what has become of the module; raises ValveError."""
    try:
        yield
    except ValveError as error:
        if simulated.process.returncode is not None:
            raise ValveError(f"the simulated module has ended ({simulated.process.returncode})") from error
        if simulated.watchdog_acted():
            raise ValveError(f"{STALLED} ({error})") from error
        raise


async def _turns(
    client: ValveClient, simulated: Module, widths_ms: tuple[int, ...], seconds: float, loads: list[str], bar: _Bar
) -> dict[str, Played]:
    """Segments under one load after the other, in short turns, as many under each."""
    each_s = mean_length_s(widths_ms)
    count = max(1, math.ceil(seconds / each_s))
    per_turn = max(1, round(TURN_S / each_s))
    numbers = itertools.count()
    seen: dict[str, list[FromEngine]] = {load: [] for load in loads}
    bar.total(count * len(loads))
    for first in range(0, count, per_turn):
        for load in loads:
            bar.say(load)
            segments = [segment(next(numbers), widths_ms) for _ in range(min(per_turn, count - first))]
            with LOADS[load]():
                seen[load] += await play(client, segments, bar.step)
    words = simulated.words()
    return {load: judged(heard, words, widths_ms) for load, heard in seen.items()}


@dataclass(slots=True)
class Module:
    """A simulated module as a process; its trace has every change of its outputs, with the kernel's stamp."""

    process: Process
    port: int
    trace: Path

    def words(self) -> list[tuple[float, int]]:
        """(seconds of CLOCK_MONOTONIC, word) of every change so far."""
        return [(line["t"], line["word"]) for line in self._lines() if "word" in line]

    def watchdog_acted(self) -> bool:
        """Whether it has shut its outputs by itself."""
        return any(line.get("cause") == "watchdog" for line in self._lines())

    def _lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.trace.read_bytes().split(b"\n")[:-1]]


@asynccontextmanager
async def module(folder: Path) -> AsyncIterator[Module]:
    """A private module on a free port of loopback until the block ends; raises ValveError when there is none."""
    trace = folder / "trace"
    command = (sys.executable, "-m", "simulators.coupler", "--quiet", hex(ALIVE), "--trace", str(trace))
    # A session of its own: an interrupt typed at a terminal ends it through its standard input, in order.
    process = await asyncio.create_subprocess_exec(
        *command, cwd=folder, stdin=PIPE, stdout=PIPE, stderr=PIPE, start_new_session=True
    )
    try:
        yield Module(process, await _port(process), trace)
    finally:
        if process.stdin is not None:
            process.stdin.close()
        try:
            async with asyncio.timeout(END_S):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()


async def _port(process: Process) -> int:
    """What the module says first."""
    try:
        async with asyncio.timeout(READY_S):
            line = await process.stdout.readline() if process.stdout else b""
            errors = await process.stderr.read() if process.stderr and not line else b""
    except TimeoutError:
        raise ValveError(f"the simulated module did not start within {READY_S:g} s") from None
    if not line:
        raise ValveError(f"the simulated module did not start: {errors.decode(errors='replace').strip()[-400:]}")
    return int(json.loads(line)["port"])


class _Bar:
    """How far it is, on a terminal; drawn between segments and by nobody else, so that it disturbs no edge."""

    def __init__(self) -> None:
        columns = (TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn())
        self._bar = Progress(*columns, console=Console(stderr=True), transient=True, auto_refresh=False)
        self._task = self._bar.add_task("a valve process and a simulated module start", total=None)

    def __enter__(self) -> _Bar:
        if self._bar.console.is_terminal:
            self._bar.start()
            self._bar.refresh()
        return self

    def __exit__(self, *error: object) -> None:
        if self._bar.live.is_started:
            self._bar.stop()

    def total(self, segments: int) -> None:
        self._bar.update(self._task, total=segments)

    def say(self, load: str) -> None:
        self._bar.update(self._task, description=f"doses, computer {load}")

    def step(self) -> None:
        self._bar.advance(self._task)
        if self._bar.console.is_terminal:
            self._bar.refresh()
