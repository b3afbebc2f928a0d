"""The valve process as it is, against the simulated coupler as a process: what closes the valves when what has died."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ald_controller.valves import client as client_module
from ald_controller.valves.alone import write_safe
from ald_controller.valves.client import ValveClient
from ald_controller.valves.lock import Lock, lock_path
from ald_controller.valves.wire import Edge, Ended, Held, Refused, SegmentRefused, Source, ValveError
from drivers.valve_beckhoff import BeckhoffOutputs
from tests.process.stand import figure
from tests.valve_links import LEASE_S, MARGIN_S, WATCHDOG_S
from tests.valve_rig import (
    ALIVE,
    CONFIG,
    CONTACTOR,
    H2O,
    LTB,
    MS,
    ROOT,
    SOURCES,
    STOP,
    TMA,
    Coupler,
    S,
    alive,
    coupler,
    dose,
    until,
    valves,
)

# --- a daemon to kill ------------------------------------------------------------------------------------------------


@contextmanager
def daemon_in_a_dose(
    port: int, folder: Path, *, before: tuple[str, ...] = (), fifo: tuple[str, ...] = ()
) -> Iterator[dict[str, Any]]:
    """A separate daemon whose valve process holds LTB open; yields its line and more of them, kills what is left."""
    process = subprocess.Popen(
        [*before, sys.executable, "-B", "-m", "tests.doomed_daemon", str(port), str(folder), *fifo],
        cwd=ROOT, stdout=subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout is not None
    try:
        said = process.stdout.readline()
        assert said, "the daemon ended before its dose"
        yield json.loads(said) | {"more": process.stdout}
    finally:
        process.kill()
        process.wait(5)
        process.stdout.close()


def closing_after(module: Coupler, since_s: float) -> float:
    """Seconds from `since_s` until the module's outputs had no source open."""
    return module.wait_for_word(0) - since_s


def test_a_killed_daemon_leaves_closed_valves_behind_at_once(tmp_path: Path) -> None:
    with coupler(tmp_path) as module, daemon_in_a_dose(module.port, tmp_path) as daemon:
        killed_s = time.monotonic()
        os.kill(daemon["pid"], signal.SIGKILL)
        after_s = closing_after(module, killed_s)
        figure(f"daemon killed: closed after {after_s * 1e3:.1f} ms (end of file)")
        assert 0 < after_s <= MARGIN_S
        assert module.lines()[-1]["cause"] == "write"
        deadline_s = time.monotonic() + 2
        while alive(daemon["child"]) and time.monotonic() < deadline_s:
            time.sleep(0.01)
        assert not alive(daemon["child"]), "the valve process outlived its farewell"


def test_a_stopped_daemon_loses_its_lease(tmp_path: Path) -> None:
    with coupler(tmp_path) as module, daemon_in_a_dose(module.port, tmp_path) as daemon:
        stopped_s = time.monotonic()
        os.kill(daemon["pid"], signal.SIGSTOP)
        after_s = closing_after(module, stopped_s)
        figure(f"daemon stopped: closed after {after_s:.3f} s (lease {LEASE_S} s)")
        assert 0 < after_s <= LEASE_S + MARGIN_S
        assert module.lines()[-1]["cause"] == "write"
        assert alive(daemon["child"])
        os.kill(daemon["pid"], signal.SIGCONT)
        time.sleep(0.25)  # it beats again, and its dose is not over: nothing opens by that
        assert module.words()[-1][1] & SOURCES == 0


def test_a_daemon_whose_loop_hangs_loses_its_lease_and_is_told_when_it_goes_on(tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    with coupler(tmp_path) as module, daemon_in_a_dose(module.port, tmp_path, fifo=(str(fifo),)) as daemon:
        hung_s = time.monotonic()
        after_s = closing_after(module, hung_s)
        figure(f"daemon hung in a read: closed after {after_s:.3f} s (lease {LEASE_S} s)")
        assert 0 < after_s <= LEASE_S + MARGIN_S
        assert module.lines()[-1]["cause"] == "write"
        fifo.write_bytes(b"go on")
        assert json.loads(daemon["more"].readline()) == {"held": ["lease"]}
        time.sleep(0.25)
        assert module.words()[-1][1] & SOURCES == 0


def test_when_daemon_and_valve_process_are_killed_the_module_closes_alone(tmp_path: Path) -> None:
    with coupler(tmp_path) as module, daemon_in_a_dose(module.port, tmp_path) as daemon:
        killed_s = time.monotonic()
        os.kill(daemon["child"], signal.SIGKILL)
        os.kill(daemon["pid"], signal.SIGKILL)
        after_s = closing_after(module, killed_s)
        figure(f"both killed: closed after {after_s * 1e3:.0f} ms (watchdog {WATCHDOG_S} s)")
        assert 0 < after_s <= WATCHDOG_S + MARGIN_S
        assert module.lines()[-1]["cause"] == "watchdog"


def test_the_valve_process_outlives_signals_that_are_meant_for_the_daemon(tmp_path: Path) -> None:
    with coupler(tmp_path) as module, daemon_in_a_dose(module.port, tmp_path) as daemon:
        assert os.getsid(daemon["child"]) == daemon["child"]
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            os.kill(daemon["child"], number)
        time.sleep(0.2)
        assert alive(daemon["child"])
        assert module.words()[-1][1] & SOURCES == LTB


def test_without_rights_timing_is_degraded_and_closing_is_not(tmp_path: Path) -> None:
    # Taking the two capabilities away works under any account, and needs no interpreter that others may run.
    caps = "-sys_nice,-ipc_lock"
    without_rights = ("setpriv", f"--bounding-set={caps}", f"--inh-caps={caps}") if os.geteuid() == 0 else ()
    if without_rights and shutil.which("setpriv") is None:
        pytest.skip("setpriv is missing: as root, nothing else takes real-time rights away")
    with coupler(tmp_path) as module, daemon_in_a_dose(module.port, tmp_path, before=without_rights) as daemon:
        assert daemon["degraded"] is True
        assert "without real-time priority a dose lasts at least 0.200 s" in daemon["refused"]
        killed_s = time.monotonic()
        os.kill(daemon["pid"], signal.SIGKILL)
        after_s = closing_after(module, killed_s)
        figure(f"daemon killed, no real-time rights: closed after {after_s * 1e3:.1f} ms")
        assert 0 < after_s <= MARGIN_S


# --- the happy path --------------------------------------------------------------------------------------------------


async def test_every_edge_is_accounted_for_and_is_what_the_module_saw(tmp_path: Path) -> None:
    with coupler(tmp_path) as module:
        async with valves(module.port, tmp_path) as client:
            await client.load(dose(0, TMA, 250 * MS, 1500 * MS))
            await client.load(dose(1, H2O, 250 * MS, 300 * MS))
            events = await until(client, Ended, 2)
            status = client.status
        edges = [event for event in events if isinstance(event, Edge)]
        assert [(edge.id.half, edge.index, edge.word) for edge in edges] == [
            (0, 0, 0), (0, 1, TMA), (0, 2, 0), (1, 0, 0), (1, 1, H2O), (1, 2, 0),
        ]  # fmt: skip
        assert all(edge.due_ns <= edge.sent_ns <= edge.confirmed_ns for edge in edges)
        assert [word & SOURCES for _, word in module.words() if word & SOURCES] == [TMA, H2O]
        assert status is not None and status.armed
        seen = next(at for at, word in module.words() if word & SOURCES == TMA)
        assert edges[1].due_ns / 1e9 <= seen <= edges[1].confirmed_ns / 1e9


async def test_a_refused_segment_comes_back_as_one_sentence(tmp_path: Path) -> None:
    with coupler(tmp_path) as module:
        async with valves(module.port, tmp_path) as client:
            with pytest.raises(SegmentRefused, match=r"edge 1 at 0\.000 s opens TMA and H2O together"):
                await client.load(dose(0, TMA | H2O, 15 * MS, 20 * MS))
            await client.load(dose(0, TMA, 250 * MS, 300 * MS))
            await until(client, Ended)


async def test_a_closed_client_leaves_the_rest_word_and_no_process(tmp_path: Path) -> None:
    with coupler(tmp_path) as module:
        async with valves(module.port, tmp_path) as client:
            client.aux(CONTACTOR, CONTACTOR)
            await client.load(dose(0, LTB, 5 * S, 6 * S))
            await until(client, Edge, 2)
            assert module.wait_for_word(LTB | CONTACTOR, SOURCES | CONTACTOR)
            pid = client.pid
        assert pid is not None and not alive(pid)
        assert module.words()[-1][1] & (SOURCES | CONTACTOR) == 0
        await client.close()  # once more does no harm


async def test_a_dose_is_trimmed_held_and_aborted_on_the_wire(tmp_path: Path) -> None:
    with coupler(tmp_path) as module:
        async with valves(module.port, tmp_path) as client:
            client.aux(CONTACTOR, CONTACTOR)
            segment = dose(0, LTB, 5 * S, 5 * S + 1)
            await client.load(segment)
            await until(client, Edge, 2)
            client.trim(segment.id)
            await until(client, Edge)
            assert module.words()[-1][1] & (SOURCES | CONTACTOR) == CONTACTOR
            client.hold("a test")
            await until(client, Held)
            assert module.words()[-1][1] & CONTACTOR
            client.abort("a test")
            await until(client, Held)
            module.wait_for_word(0, CONTACTOR)


# --- what goes wrong -------------------------------------------------------------------------------------------------


async def test_a_second_writer_is_kept_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client_module, "LOCK_S", 0.1)
    with coupler(tmp_path) as module:
        async with valves(module.port, tmp_path):
            second = ValveClient("127.0.0.1", module.port, lock_dir=tmp_path)
            with pytest.raises(ValveError, match=r"another process writes to this module: it holds .*\.lock"):
                await second.start(CONFIG)
            lock = Lock(lock_path(tmp_path, "127.0.0.1", module.port))
            assert not lock.take()
        assert lock.take()
        lock.free()
        write_safe("127.0.0.1", module.port, BeckhoffOutputs(1, 16, 500))
        assert not any("foreign" in line for line in module.lines())


async def test_a_dead_valve_process_is_told_and_only_then_the_daemon_may_write(tmp_path: Path) -> None:
    with coupler(tmp_path) as module:
        client = ValveClient("127.0.0.1", module.port, lock_dir=tmp_path)
        await client.start(CONFIG)
        with pytest.raises(ValveError, match="lives and is the only writer"):
            await client.write_safe_alone()
        assert client.pid is not None
        os.kill(client.pid, signal.SIGKILL)
        with pytest.raises(ValveError, match="the valve process is gone"):
            await until(client, Ended)
        with pytest.raises(ValveError, match="does not run"):
            client.beat(0)
        await client.close()  # reaps it, and writes zeros itself
        assert module.words()[-1][1] == 0
        await client.write_safe_alone()


async def test_a_start_without_a_module_says_what_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client_module, "START_S", 0.7)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    client = ValveClient("127.0.0.1", port, lock_dir=tmp_path)
    with pytest.raises(ValveError, match=f"no connection to 127.0.0.1:{port}: Connection refused"):
        await client.start(CONFIG)


async def test_a_contradictory_configuration_does_not_start(tmp_path: Path) -> None:
    with coupler(tmp_path) as module:
        client = ValveClient("127.0.0.1", module.port, lock_dir=tmp_path)
        outside = replace(CONFIG, sources=(Source("TMA", 1 << 12, "metal-organic", S),))
        with pytest.raises(ValveError, match="source TMA has mask 0x1000, which must lie in 0x0047"):
            await client.start(outside)
        await client.close()


async def test_a_message_that_is_none_is_refused_and_harms_nothing(tmp_path: Path) -> None:
    with coupler(tmp_path) as module:
        async with valves(module.port, tmp_path) as client:
            assert client._socket is not None
            client._socket.send(b'[1,"Open",[1]]')
            events = await until(client, Refused)
            assert isinstance(events[-1], Refused) and "no valve message" in events[-1].why
            await client.load(dose(0, TMA, 250 * MS, 300 * MS))
            await until(client, Ended)


def test_the_rest_word_of_the_chamber_state_is_what_a_fresh_process_writes(tmp_path: Path) -> None:
    async def start() -> None:
        client = ValveClient("127.0.0.1", module.port, lock_dir=tmp_path)
        await client.start(CONFIG)
        module.wait_for_word(STOP, STOP)
        await client.close()

    with coupler(tmp_path) as module:
        asyncio.run(start())
        assert module.words()[0][1] & ~ALIVE == STOP
