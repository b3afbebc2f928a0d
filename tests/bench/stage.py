"""A simulated tool on its real wires and a daemon over it, for the parts that measure the daemon as it is."""

from __future__ import annotations

import ctypes
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ald_controller.doorbell import LocalClient, NoDoor
from ald_controller.yamlfile import read
from tests.bench.machine import ROOT
from tests.valve_rig import Coupler

TOOL = ROOT / "deploy" / "tool.yaml"
REGISTERS = ROOT / "deploy" / "registers-simulated.yaml"
READY_S, END_S, OPENS_S = 30.0, 15.0, 15.0
TRIES = 3


@dataclass
class Served:
    """A daemon with its door; `scans` is written by the daemon itself: one line a scan, see watched_daemon.py."""

    daemon: subprocess.Popen[bytes]
    door: Path
    scans: Path
    module: Coupler

    @property
    def client(self) -> LocalClient:
        return LocalClient(self.door)

    def ask(self, verb: str, **arguments: Any) -> dict[str, Any]:
        """The answer's data; raises RuntimeError for a refusal."""
        reply = self.client.ask({"verb": verb, **arguments})
        if not reply["ok"]:
            raise RuntimeError(f"'{verb}' was refused: {reply['text']}")
        return reply["data"]

    def prepare(self, material: str) -> None:
        """Bottles, a cleared latch, and a load, as a person would."""
        registers = {name: register["value"] for name, register in read(REGISTERS).data["registers"].items()}
        for name, value in registers.items():
            self.ask("register-set", name=name, value=value, by="bench")
        self.ask("register-set", name="confirmed.limits", value=self.ask("interlocks")["limits"], by="bench")
        self.reset()
        load = {"material": material, "pieces": 1, "samples": ["bench"], "seen_empty": True}  # once it is known cold
        self.ask("register-set", name="load", value=load, by="bench")

    def reset(self, within_s: float = 60.0) -> None:
        """Clear the latch as soon as the tool has proven itself."""
        self.until(lambda: self.ask("status")["chamber"] == "VACUUM", within_s)
        self.until(lambda: self.client.ask({"verb": "reset"})["ok"], within_s)

    def start(self, recipe: Path) -> str:
        """Upload and start a recipe; returns the run's name."""
        self.ask("upload", name=recipe.stem, text=recipe.read_text("utf-8"))
        return str(self.ask("start", name=recipe.stem)["run"])

    def in_a_dose(self, recipe: Path, mask: int) -> str:
        """Start a recipe and wait for its first source; returns the run's name.

        On a starved computer the simulated devices answer late and an interlock stops the run: then it is begun again.
        """
        for _ in range(TRIES - 1):
            try:
                return self._opened(recipe, mask)
            except (RuntimeError, AssertionError) as error:
                print(f"  begun again: {error}", flush=True)
        return self._opened(recipe, mask)

    def _opened(self, recipe: Path, mask: int) -> str:
        self.reset()
        run = self.start(recipe)
        self.module.wait_for_word(mask, mask, OPENS_S)
        return run

    def until_reported(self, run: str, within_s: float = 60.0) -> None:
        """Wait until the run has ended and its report is written, so that nothing of it is in the next figure."""

        def reported() -> bool:
            last = self.ask("status")["last_run"]
            return last is not None and last["run"] == run and last["report"] is not None

        self.until(reported, within_s)

    @staticmethod
    def until(true: Any, within_s: float) -> None:
        """Wait until `true()`; raises RuntimeError when that takes too long."""
        end_s = time.monotonic() + within_s
        while not true():
            if time.monotonic() > end_s:
                raise RuntimeError(f"the tool did not get there in {within_s} s")
            time.sleep(0.1)

    def lateness_ms(self, since_s: float, until_s: float) -> list[float]:
        """How late every scan between two times of CLOCK_MONOTONIC was."""
        return [late_s * 1e3 for at_s, late_s in self._scans() if since_s <= at_s < until_s]

    def scans_at(self) -> list[float]:
        """When every scan was done, and with it the beat of the lease, on CLOCK_MONOTONIC in s."""
        return [at_s for at_s, _ in self._scans()]

    def _scans(self) -> Iterator[tuple[float, float]]:
        for line in self.scans.read_text("ascii").splitlines():
            at_s, late_s = line.split()
            yield float(at_s), float(late_s)


@contextmanager
def served_tool(folder: Path, warm_for: Path, *options: str) -> Iterator[Served]:
    """The reference tool, as warm as a recipe wants it, and a daemon that answers at its door."""
    with simulated_tool(folder, warm_for) as module, daemon_over(folder, module, *options) as served:
        yield served


@contextmanager
def simulated_tool(folder: Path, warm_for: Path) -> Iterator[Coupler]:
    """The devices of the reference tool on their wires; gives the module of the valve word."""
    trace = folder / "trace"
    arguments = ("simulate", str(TOOL), "--json", "--warm-for", str(warm_for), "--trace", str(trace))
    with _process(folder, "simulator", "-m", "ald_controller", *arguments) as simulator:
        assert simulator.stdout is not None
        line = simulator.stdout.readline()
        (folder / "addresses.json").write_bytes(line)
        port = int(json.loads(line)["devices"]["valves"]["address"].rpartition(":")[2])
        yield Coupler(simulator, port, trace)


@contextmanager
def daemon_over(folder: Path, module: Coupler, *options: str) -> Iterator[Served]:
    """A daemon over the simulated tool of this folder, with the state that an earlier one has left there."""
    door, scans = folder / "ald.sock", folder / "scans"
    places = ("--tool", TOOL, "--state", folder, "--door", door, "--addresses", folder / "addresses.json")
    command = ("-m", "tests.bench.watched_daemon", scans, "daemon", *places, *options)
    with _process(folder, "daemon", *map(str, command)) as daemon:
        served = Served(daemon, door, scans, module)
        served.until(lambda: _answers(served), READY_S)
        yield served


@contextmanager
def _process(folder: Path, name: str, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    """A Python process with its errors in a log; asked to end, and ended, with the block."""
    with (folder / f"{name}.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, *arguments], cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log,
            preexec_fn=_end_with_parent,
        )  # fmt: skip
    try:
        yield process
    finally:
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(END_S)
        process.kill()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()


def _end_with_parent() -> None:
    """A session of its own, so that Ctrl-C reaches the bench alone; SIGTERM should it die without a word."""
    os.setsid()
    ctypes.CDLL(None).prctl(1, signal.SIGTERM)  # PR_SET_PDEATHSIG of prctl(2)


def _answers(served: Served) -> bool:
    if served.daemon.poll() is not None:
        raise RuntimeError(f"the daemon ended at once: {(served.door.parent / 'daemon.log').read_text('utf-8')}")
    try:
        return bool(served.client.ask({"verb": "status"})["ok"])
    except NoDoor:
        return False
