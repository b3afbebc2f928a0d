"""The whole real thing for tests: `ald simulate` and `ald daemon` as processes, on loopback and pseudo-terminals.

A stand is made warm, so that a run begins a quarter of a minute after its start, and keeps the simulated coupler's own
trace of the valve word. `without_rights` runs both processes under an account that may not have real-time priority.
"""

from __future__ import annotations

import json
import os
import pwd
import shutil
import signal
import subprocess
import sys
import sysconfig
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, nullcontext, suppress
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from ald_controller.doorbell import LocalClient, NoDoor
from tests.valve_rig import alive

ROOT = Path(__file__).resolve().parents[2]
NOBODY = 65534
SOURCES = 0x3F
UP_S, PROVEN_S, END_S = 30.0, 45.0, 15.0
LOAD = {"material": "lithium foil", "pieces": 1, "samples": ["stand"]}
PREPARE = """
substrate: lithium foil
provenance: "a test"
needs:
  bottles: {LiOtBu: 1 g}
prepare:
  - pump: {to: 100 mTorr, no_faster_than: 10 Torr/s, timeout: 1 min, else: hold}
  - flow: {carrier: 20 sccm}
  - heat: {LiOtBu: 130 °C, substrate: 120 °C, chamber: 120 °C, ramp: 3 K/min}
"""
FINISH = """
finish:
  - purge: 1 s
  - heat: {LiOtBu: standby, substrate: standby, chamber: standby}
"""
# a dose long enough to die in, again and again
LONG_DOSES = f"""recipe: long-doses
title: Doses long enough to be cut
{PREPARE}
deposit:
  - repeat: {{times: 60, name: dose, steps: [{{pulse: {{precursor: LiOtBu, time: 10 s}}}}, {{purge: 2 s}}]}}
{FINISH}"""
FINE_DOSES = LONG_DOSES.replace("long-doses", "fine-doses").replace("time: 10 s", "time: 15 ms")
# every kind of leaf of the trial, and an end after some ten seconds
ONE_CYCLE = """recipe: one-cycle
title: One short turn of the LiGL cycle
substrate: lithium foil
provenance: "a test"
needs:
  bottles: {LiOtBu: 1 g, glycerol: 1 g}
prepare:
  - pump: {to: 100 mTorr, no_faster_than: 10 Torr/s, timeout: 1 min, else: hold}
  - flow: {carrier: 20 sccm}
  - heat: {LiOtBu: 150 °C, glycerol: 130 °C}
  - heat: {substrate: 150 °C, chamber: 150 °C, ramp: 3 K/min}
  - wait: {for: temperatures, within: 5 K, stay: 1 s, timeout: 5 min, else: finish}
deposit:
  - repeat:
      times: 1
      name: LiGL
      steps:
        - pulse: {precursor: LiOtBu, time: 500 ms}
        - purge: 3 s
        - expose: {precursor: glycerol, pulse: 1 s, hold: 2 s, flow: 5 sccm}
        - purge: 3 s
finish:
  - purge: 1 s
  - heat: {LiOtBu: standby, glycerol: standby, substrate: standby, chamber: standby}
"""


@dataclass(frozen=True, slots=True)
class Account:
    """Under whom and with what a stand's processes run: words before the command, interpreter, environment."""

    name: str
    uid: int
    before: tuple[str, ...] = ()
    python: str = sys.executable
    path: str = ""

    def command(self, *arguments: str | Path) -> list[str]:
        """`ald …` under this account."""
        return [*self.before, self.python, "-B", "-m", "ald_controller", *map(str, arguments)]

    @property
    def environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "ALD_SOCKET")}
        return kept | ({"PYTHONPATH": self.path} if self.path else {})


AS_WE_ARE = Account("the tests' own account", os.geteuid())
_CAN = (
    "import subprocess, sys; subprocess.run([sys.executable, '-B', '-c', 'import ald_controller.daemon'], check=True)"
)


@cache
def without_rights() -> Account:
    """An account that may not have real-time priority: another user, or root without a single capability.

    Skips, and says so, where there is none; fails where CI says that there must be one.
    """
    why = "nothing was tried"
    for account in _accounts_without_rights():
        try:
            command = [*account.before, account.python, "-B", "-c", _CAN]
            subprocess.run(command, cwd=ROOT, env=account.environment, capture_output=True, text=True, check=True)
        except (OSError, subprocess.CalledProcessError) as error:
            why = str(getattr(error, "stderr", "") or error).strip()[-200:]
        else:
            return account
    message = f"NOT TESTED: a computer without real-time rights: {why}"
    if os.environ.get("CI"):
        pytest.fail(message)
    pytest.skip(message)


def _accounts_without_rights() -> Iterator[Account]:
    bare = ("prlimit", "--rtprio=0", "setpriv", "--bounding-set=-all", "--inh-caps=-all")
    if os.geteuid() != 0:
        yield Account("the tests' own account without real-time priority", os.geteuid(), bare[:2])
        return
    other = (*bare, f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups")
    yield Account("nobody", NOBODY, other)
    # the interpreter may lie where only root can go: the system's own, of the same version, does as well
    system = f"/usr/bin/python3.{sys.version_info.minor}"
    yield Account("nobody", NOBODY, other, system, f"{ROOT}:{sysconfig.get_path('purelib')}")
    yield Account("root without capabilities", 0, bare)


BUTTON = "the button at the tool"


@dataclass
class Stand:
    """A simulated reactor, and the controller over it."""

    folder: Path
    account: Account
    warm_for: str
    reactor: subprocess.Popen[bytes] = field(init=False)
    daemon: subprocess.Popen[bytes] = field(init=False)
    valve_pid: int = field(init=False, default=0)
    run: str = ""
    timing: str = ""
    burden: str = ""

    @property
    def state(self) -> Path:
        return self.folder / "state"

    @property
    def socket(self) -> Path:
        return self.folder / "ald.sock"

    @property
    def tool(self) -> Path:
        return self.folder / "tool.yaml"

    def _popen(self, name: str, *arguments: str | Path, stdout: int = subprocess.DEVNULL) -> subprocess.Popen[bytes]:
        """`ald …` under the stand's account, its errors in a log of that name."""
        with (self.folder / f"{name}.log").open("ab") as log:
            return subprocess.Popen(
                self.account.command(*arguments), cwd=ROOT, env=self.account.environment,
                stdin=subprocess.DEVNULL, stdout=stdout, stderr=log,
            )  # fmt: skip

    # --- processes -------------------------------------------------------------------------------------------------

    def build(self) -> None:
        """The reactor, warm as the recipe wants it; returns when every device has its wire."""
        recipe = self.folder / "warm.yaml"
        recipe.write_text(self.warm_for, "utf-8")
        # whoever runs these tests is an owner, too, whatever account the controller has
        people = f'unix: ["@daemon", {pwd.getpwuid(os.geteuid()).pw_name}]'
        self.tool.write_text((ROOT / "deploy" / "tool.yaml").read_text("utf-8").replace('unix: ["@daemon"]', people))
        os.chown(self.folder, self.account.uid, -1)
        arguments = ("--json", "--warm-for", recipe, "--trace", self.folder / "trace")
        self.reactor = self._popen("reactor", "simulate", self.tool, *arguments, stdout=subprocess.PIPE)
        assert self.reactor.stdout is not None
        line = self.reactor.stdout.readline()
        assert line, f"the simulated reactor did not come up: {self.log('reactor')}"
        (self.folder / "addresses.json").write_bytes(line)

    def boot(self) -> None:
        """The controller; returns when its door answers."""
        self.daemon = self._popen(
            "daemon", "daemon", "--tool", self.tool, "--state", self.state, "--door", self.socket,
            "--addresses", self.folder / "addresses.json",
        )  # fmt: skip
        wait_for(self._answers, UP_S, lambda: f"the controller has no door: {self.log('daemon')}")
        self.valve_pid = next(pid for pid, line in children(self.daemon.pid) if "valves.process" in line)

    def _answers(self) -> bool:
        assert self.daemon.poll() is None, f"the controller ended at once: {self.log('daemon')}"
        try:
            return bool(self.status())
        except NoDoor:
            return False

    def close(self) -> None:
        """End what still runs, each by its own id, and remove the folder."""
        for name in ("daemon", "reactor"):
            process = getattr(self, name, None)
            if process is not None:
                end(process)
        if self.valve_pid and alive(self.valve_pid):
            wait_for(lambda: not alive(self.valve_pid), 3.0, lambda: "the valve process outlived its daemon")
        if getattr(self, "reactor", None) is not None and self.reactor.stdout is not None:
            self.reactor.stdout.close()
        self._remove_lock()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _remove_lock(self) -> None:
        """The next stand may get this port under another account, which may not open a lock file of this one."""
        for left in self.folder.rglob("valve-module.json"):
            Path(json.loads(left.read_text("utf-8"))["lock"]).unlink(missing_ok=True)

    def log(self, name: str) -> str:
        return (self.folder / f"{name}.log").read_text("utf-8", errors="replace")[-2000:]

    # --- what a person does ----------------------------------------------------------------------------------------

    def ask(self, verb: str, **arguments: Any) -> dict[str, Any]:
        """The reply to one request at the local door."""
        return LocalClient(self.socket).ask({"verb": verb, **arguments})

    def must(self, verb: str, **arguments: Any) -> dict[str, Any]:
        """As `ask`, and the answer is yes."""
        reply = self.ask(verb, **arguments)
        assert reply["ok"], reply["text"]
        return reply

    def status(self) -> dict[str, Any]:
        data: dict[str, Any] = self.ask("status")["data"]
        return data

    def fill_in(self, load: Mapping[str, object] | None = LOAD) -> None:
        """Bottles, leak rate and load, as whoever hung and loaded them says."""
        from ald_controller.yamlfile import read

        for name, register in read(ROOT / "deploy" / "registers-simulated.yaml").data["registers"].items():
            self.must("register-set", name=name, value=register["value"], by="stand")
        if load is not None:
            self.must("register-set", name="load", value=load, by="stand")
        limits = self.must("interlocks")["data"]["limits"]  # a stand may have a tool file of its own
        self.must("register-set", name="confirmed.limits", value=limits, by="stand")

    def reset(self, within_s: float = PROVEN_S) -> None:
        """Clear the latch as soon as the chamber has proven its vacuum.

        On a starved computer coupler B may fall silent. The E-stop contact is then lost, and only who presses the
        button at the tool can reset that. A stand has no hand: its controller is started anew, and the figures say so.
        """
        told: list[dict[str, Any]] = []

        def answered() -> bool:
            if self.status()["chamber"] == "VACUUM":
                told.append(self.ask("reset"))
            return bool(told) and (bool(told[-1]["ok"]) or BUTTON in told[-1]["text"])

        # it takes ten seconds: who asks fifty times a second keeps the controllers of all stands busy answering
        wait_for(answered, within_s, lambda: f"the latch stays: {self.ask('reset')['text']}", every_s=0.2)
        if not told[-1]["ok"]:
            figure(f"started anew, as {told[-1]['text']}: {self.log('daemon').splitlines()[-1]}")
            end(self.daemon)
            self.boot()
            self.reset(within_s)

    def start(self, recipe: str) -> dict[str, Any]:
        """Upload a recipe's text and start it; the reply to the start."""
        name = recipe.split()[1]
        self.must("upload", name=name, text=recipe)
        reply = self.ask("start", name=name, parameters={})
        self.run = reply["data"].get("run", "")
        return reply

    # --- what the module did ---------------------------------------------------------------------------------------

    def changes(self) -> list[dict[str, Any]]:
        """Every change of the valve word as the simulated coupler stamped it, on CLOCK_MONOTONIC."""
        return changes(self.folder / "trace")

    def open_now(self) -> bool:
        told = self.changes()
        return bool(told) and bool(told[-1]["word"] & SOURCES)

    def wait_open(self) -> None:
        """Until well inside a dose of LONG_DOSES: begun half a second ago or more, with some seconds to go.

        On a starved computer the simulated devices answer late and the interlocks stop the run: then it is begun
        again, and the figures say so.
        """
        for _ in range(3):
            if self.status()["run"] is None:
                self.reset()
                assert (reply := self.start(LONG_DOSES))["ok"], reply["text"]
            # ten times a second, as each look has the controller tell its whole state
            wait_for(lambda: self._well_open() or self.status()["run"] is None, 30.0, self._not_open, every_s=0.1)
            if self._well_open():
                return
            figure(f"begun again, as the run ended before its time: {self.log('daemon').splitlines()[-1]}")
        raise AssertionError(self._not_open())

    def _well_open(self) -> bool:
        return self.open_now() and 0.5 < time.monotonic() - self._changed_s() < 7.0

    def _changed_s(self) -> float:
        return float(self.changes()[-1]["t"])

    def _not_open(self) -> str:
        return f"no dose began: {self.changes()[-3:]} {self.status()['run']} {self.log('daemon')}"

    def closed_after(self, since_s: float, within_s: float = 5.0) -> tuple[float, str]:
        """Seconds from `since_s` until no source was open any more, and whether a write or the watchdog did it."""
        wait_for(lambda: not self.open_now(), within_s, lambda: f"a source stays open: {self.changes()[-3:]}")
        told = self.changes()
        first = next(i for i, c in enumerate(told) if c["t"] >= since_s and not c["word"] & SOURCES)
        assert told[first - 1]["word"] & SOURCES, "nothing was open before: nothing has been proven"
        return float(told[first]["t"]) - since_s, str(told[first]["cause"])

    def trace_lines(self) -> list[dict[str, Any]]:
        """Everything that the simulated coupler told."""
        return trace_lines(self.folder / "trace")

    def note_burden(self) -> None:
        """Keep, while it lives, what a figure of lateness is worth: the daemon's memory and the computer's load."""
        self.timing = "degraded timing" if self.status()["degraded_timing"] else "real-time priority"
        self.burden = f"controller {rss_mb(self.daemon.pid):.0f} MB, load {os.getloadavg()[0]:.1f}"


def changes(trace: Path) -> list[dict[str, Any]]:
    """The changes of the valve word in a coupler's trace."""
    return [line for line in trace_lines(trace) if "word" in line]


def trace_lines(trace: Path) -> list[dict[str, Any]]:
    """Every line that a coupler wrote whole."""
    if not trace.exists():
        return []
    return [json.loads(line) for line in trace.read_bytes().split(b"\n")[:-1]]


def wait_for(true: Callable[[], bool], within_s: float, why: Callable[[], str], every_s: float = 0.02) -> None:
    """Poll until it is true, or fail with a reason."""
    give_up_s = time.monotonic() + within_s
    while not true():
        assert time.monotonic() < give_up_s, f"not within {within_s:g} s: {why()}"
        time.sleep(every_s)


def end(process: subprocess.Popen[bytes]) -> int:
    """End a process politely, and by force when that takes too long; its exit code."""
    if process.poll() is None:
        process.send_signal(signal.SIGCONT)
        process.terminate()
        try:
            process.wait(END_S)
        except subprocess.TimeoutExpired:
            process.kill()
    return process.wait()


def children(pid: int) -> Iterator[tuple[int, str]]:
    """Process ids and command lines of the children of a process."""
    for entry in Path("/proc").iterdir():
        with suppress(OSError, IndexError):
            if entry.name.isdigit() and int((entry / "stat").read_text().rsplit(")", 1)[1].split()[1]) == pid:
                yield int(entry.name), (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()


def rss_mb(pid: int) -> float:
    """Resident memory of a process in MB."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) / 1024
    return 0.0


FIGURES: list[str] = []


def figure(text: str) -> None:
    """A measured figure; all of them are printed at the end of the tests."""
    FIGURES.append(text)


# --- many at a time: most of a stand's life is waiting ---------------------------------------------------------------


def stand(account: Account = AS_WE_ARE, warm_for: str = LONG_DOSES) -> Stand:
    """A fresh stand, not yet built: a short path (a socket's name has room for 107 characters), readable by all."""
    folder = Path(tempfile.mkdtemp(prefix="ald-stand-"))
    folder.chmod(0o755)
    return Stand(folder, account, warm_for)


def ready(made: Stand, building: AbstractContextManager[Any] | None = None) -> Stand:
    """Build and boot a stand, and bring it to where a run may start."""
    try:
        with building or nullcontext():
            made.build()
            made.boot()
            made.fill_in()
        made.reset()
    except BaseException:
        made.close()
        raise
    return made


class Pool:
    """Stands that make themselves ready while earlier ones are in use; `at_once` live at the same time."""

    def __init__(self, at_once: int) -> None:
        self._room = threading.Semaphore(at_once)
        self._building = threading.Lock()  # importing takes the whole computer: one after the other
        self._workers = ThreadPoolExecutor(at_once)

    def order(self, account: Account, *, begun: bool) -> Future[Stand]:
        """A stand on its way, with LONG_DOSES begun if asked; `done_with` makes room for the next."""
        return self._workers.submit(self._make, account, begun)

    def _make(self, account: Account, begun: bool) -> Stand:
        with ExitStack() as stack:
            self._room.acquire()
            stack.callback(self._room.release)
            made = ready(stand(account), self._building)
            if begun:
                with self._building:
                    made.start(LONG_DOSES)  # whoever waits for its dose sees whether it began
            stack.pop_all()
        return made

    def done_with(self, made: Stand) -> None:
        """End it."""
        made.close()
        self._room.release()

    def close(self, orders: Iterable[Future[Stand]]) -> None:
        """End what was ordered and never taken."""
        for order in orders:
            if not order.cancel() and order.exception() is None:
                self.done_with(order.result())
        self._workers.shutdown()
