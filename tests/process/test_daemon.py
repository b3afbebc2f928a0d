"""The controller as it is installed, over the simulated reactor: what the valves do when it dies in a dose."""

from __future__ import annotations

import json
import os
import re
import signal
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from pathlib import Path

import pytest

from ald_controller.cli.selftest import Options, selftest_command
from ald_controller.records.folder import list_runs
from ald_controller.records.record import open_run
from tests.process.stand import (
    AS_WE_ARE,
    FINE_DOSES,
    LONG_DOSES,
    SOURCES,
    Account,
    Pool,
    Stand,
    figure,
    wait_for,
    without_rights,
)
from tests.valve_rig import CONTACTOR, alive

pytestmark = pytest.mark.timeout(120)
LEASE_S, WATCHDOG_S = 1.0, 0.5
AT_ONCE_S = 0.25  # promised within 50 ms with real-time priority; this computer is shared
ACCOUNTS: dict[str, Callable[[], Account]] = {"as we are": lambda: AS_WE_ARE, "without rights": without_rights}
Take = Callable[[str, bool], Stand]


@pytest.fixture(scope="module")
def take(request: pytest.FixtureRequest) -> Iterator[Take]:
    """Stands by account and by whether a run goes on, as many as tests were selected.

    They come up side by side, as each mostly waits.
    """
    items = [item for item in request.session.items if isinstance(item, pytest.Function)]
    items = [item for item in items if item.module is request.module]
    wanted = [(item.callspec.params["account"], "dosing" in item.fixturenames) for item in items]
    pool = Pool(at_once=7)
    orders: list[tuple[tuple[str, bool], Future[Stand]]] = []
    lived: list[Stand] = []
    for name, begun in wanted:
        try:
            orders.append(((name, begun), pool.order(ACCOUNTS[name](), begun=begun)))
        except (pytest.skip.Exception, pytest.fail.Exception):
            continue  # said where a test asks for it

    def take(name: str, begun: bool) -> Stand:
        if lived:
            pool.done_with(lived.pop())
        ACCOUNTS[name]()
        first = next(i for i, (kind, _) in enumerate(orders) if kind == (name, begun))
        lived.append(orders.pop(first)[1].result())
        return lived[-1]

    yield take
    for made in lived:
        pool.done_with(made)
    pool.close(order for _, order in orders)


@pytest.fixture(params=list(ACCOUNTS))
def account(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture
def made(take: Take, account: str) -> Stand:
    """A stand where a run may start."""
    return take(account, False)


@pytest.fixture
def dosing(take: Take, account: str) -> Stand:
    """A stand in the middle of a dose of ten seconds."""
    made = take(account, True)
    made.wait_open()
    return made


def told(made: Stand, what: str, after_s: float, promised: str) -> None:
    figure(
        f"{what}: closed after {after_s * 1e3:6.1f} ms  ({promised}; {made.timing}, {made.account.name}; {made.burden})"
    )


# --- it dies ---------------------------------------------------------------------------------------------------------


def test_a_controller_killed_in_a_dose_leaves_closed_valves_and_comes_back_latched(dosing: Stand) -> None:
    dosing.note_burden()
    killed_s = time.monotonic()
    os.kill(dosing.daemon.pid, signal.SIGKILL)
    after_s, cause = dosing.closed_after(killed_s)
    told(dosing, "controller killed", after_s, "50 ms")
    assert 0 < after_s <= AT_ONCE_S
    assert cause == "write"
    dosing.daemon.wait(5)
    wait_for(lambda: not alive(dosing.valve_pid), 3.0, lambda: "the valve process outlived its farewell")

    before = len(dosing.changes())
    dosing.boot()
    status = dosing.status()
    assert (status["state"], status["latched"], status["run"]) == ("IDLE", True, None)
    row = list_runs(dosing.state / "runs")[0]  # an earlier one may have been begun again on a busy computer
    assert (row.run, row.ending) == (dosing.run, "interrupted")
    listed = dosing.ask("runs")["data"]["runs"][0]
    assert re.fullmatch(r"in cycle [1-9][0-9]* after '.+'", listed.pop("where"))
    assert listed == {
        "run": dosing.run, "folder": str(row.folder), "ending": "interrupted", "problem": "", "recipe": "long-doses",
    }  # fmt: skip
    refused = dosing.ask("start", name="long-doses", parameters={})
    assert not refused["ok"] and refused["code"] in ("latched", "device-absent"), refused["text"]
    time.sleep(2.0)
    moved = [change for change in dosing.changes()[before:] if change["word"] & (SOURCES | CONTACTOR)]
    assert not moved, "something moved by itself after a restart"


def test_a_controller_that_hangs_in_a_dose_loses_its_lease(dosing: Stand) -> None:
    dosing.note_burden()
    stopped_s = time.monotonic()
    os.kill(dosing.daemon.pid, signal.SIGSTOP)
    after_s, cause = dosing.closed_after(stopped_s)
    told(dosing, "controller stopped", after_s, "lease 1000 ms + 50 ms")
    assert 0 < after_s <= LEASE_S + 0.4
    assert cause == "write"
    os.kill(dosing.daemon.pid, signal.SIGCONT)
    wait_for(lambda: bool(dosing.status()["latched"]), 5.0, lambda: "nobody noticed the lost lease")
    assert not dosing.open_now()


def test_when_controller_and_valve_process_die_in_a_dose_the_module_closes_alone(dosing: Stand) -> None:
    dosing.note_burden()
    killed_s = time.monotonic()
    os.kill(dosing.valve_pid, signal.SIGKILL)
    os.kill(dosing.daemon.pid, signal.SIGKILL)
    after_s, cause = dosing.closed_after(killed_s)
    told(dosing, "both killed", after_s, "watchdog 500 ms")
    assert 0 < after_s <= WATCHDOG_S + 0.3
    assert cause == "watchdog"


# --- it ends ---------------------------------------------------------------------------------------------------------


def test_a_controller_told_to_end_in_a_dose_ends_safe_and_says_interrupted(dosing: Stand) -> None:
    dosing.note_burden()
    told_s = time.monotonic()
    os.kill(dosing.daemon.pid, signal.SIGTERM)
    after_s, cause = dosing.closed_after(told_s)
    told(dosing, "controller told to end", after_s, "at once")
    assert 0 < after_s <= 2 * AT_ONCE_S
    assert cause == "write"
    assert dosing.daemon.wait(10) == 0, dosing.log("daemon")
    assert not dosing.changes()[-1]["word"] & (SOURCES | CONTACTOR)
    assert not alive(dosing.valve_pid)
    header = open_run(dosing.state / "runs" / dosing.run).header
    assert header.ending == "interrupted", "the controller had time to write it"
    assert header.end_s is not None
    assert "did not confirm its safe state" not in dosing.log("daemon")


def test_without_its_valve_process_the_controller_makes_safe_and_fails(dosing: Stand) -> None:
    dosing.note_burden()
    killed_s = time.monotonic()
    os.kill(dosing.valve_pid, signal.SIGKILL)
    after_s, cause = dosing.closed_after(killed_s)
    told(dosing, "valve process killed", after_s, "watchdog 500 ms")
    assert 0 < after_s <= WATCHDOG_S + 0.3
    assert dosing.daemon.wait(10) == 1, dosing.log("daemon")
    log = dosing.log("daemon")
    assert "the valve process is gone" in log
    assert "the safe word is not confirmed" not in log, "the controller's own safe word, once the process is reaped"
    assert cause in ("watchdog", "write")
    assert not any("foreign" in line for line in dosing.trace_lines()), "two wrote to the module at once"
    assert dosing.changes()[-1]["word"] & (SOURCES | CONTACTOR) == 0
    assert list_runs(dosing.state / "runs")[0].ending == "interrupted"


# --- without rights --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("account", ["without rights"])
def test_without_real_time_rights_it_says_so_everywhere_and_refuses_fine_doses(
    made: Stand, capsys: pytest.CaptureFixture[str]
) -> None:
    assert made.status()["degraded_timing"] is True
    reply = made.start(FINE_DOSES)
    assert (reply["ok"], reply["code"]) == (False, "degraded-timing")
    assert "15 ms" in reply["text"] and "200 ms" in reply["text"]
    assert made.status()["state"] == "IDLE"
    assert list_runs(made.state / "runs") == []
    assert made.start(LONG_DOSES)["ok"]
    folder = Path(made.status()["run"]["folder"])
    header = json.loads((folder / "run.json").read_text())
    assert header["degraded_timing"] is True
    assert header["valve_timing"] == made.status()["valve_timing"] and header["valve_timing"]["n"] == 100
    assert '"valve_timing": "p99 ' in (made.folder / "daemon.log").read_text("utf-8")
    options = Options(1.0, True, made.folder / "new", False, str(made.socket))
    assert selftest_command(options) == 1 and not options.out.exists()
    assert "is in a run: --busy would disturb it" in capsys.readouterr().err
