"""Minutes of doses on real wires: the controller may not grow, and not one dose may go missing."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ald_controller.records.record import open_run
from tests.process.stand import LONG_DOSES, Stand, figure, ready, rss_mb, stand

pytestmark = [pytest.mark.long, pytest.mark.timeout(530)]
SOAK_S = 400.0
SHORT_DOSES = LONG_DOSES.replace("time: 10 s", "time: 250 ms").replace("times: 60", "times: 2000")
GROWTH_MB = 15.0


@pytest.fixture
def made() -> Iterator[Stand]:
    made = ready(stand())
    yield made
    made.close()


def descriptors(pid: int) -> int:
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


def test_minutes_of_doses_grow_neither_memory_nor_descriptors(made: Stand) -> None:
    reply = made.start(SHORT_DOSES)
    assert reply["ok"], reply["text"]
    time.sleep(60.0)  # caches fill, the first minute's block is packed
    began = (rss_mb(made.daemon.pid), rss_mb(made.valve_pid), descriptors(made.daemon.pid))
    time.sleep(SOAK_S - 60.0)
    ended = (rss_mb(made.daemon.pid), rss_mb(made.valve_pid), descriptors(made.daemon.pid))
    status = made.status()
    assert status["run"] is not None, f"the run ended before its time: {status['last_run']} {made.log('daemon')}"
    doses, missed = status["run"]["doses_confirmed"], status["run"]["doses_missed"]
    assert made.ask("abort")["ok"]
    edges = open_run(Path(status["run"]["folder"])).edges()
    late_ms = sorted((edge.sent_ns - edge.due_ns) / 1e6 for edge in edges)
    middle_ms, most_ms = late_ms[len(late_ms) // 2], late_ms[-1]
    figure(f"{doses} doses of 250 ms in {SOAK_S:.0f} s, {missed} missed; load {os.getloadavg()[0]:.1f}")
    figure(f"edges sent late by {middle_ms:.3f} ms in the middle, {most_ms:.3f} ms at most")
    figure(f"controller {began[0]:.1f} → {ended[0]:.1f} MB, valve process {began[1]:.1f} → {ended[1]:.1f} MB, "
           f"descriptors {began[2]} → {ended[2]}")  # fmt: skip
    assert missed == 0
    assert doses > SOAK_S / 8, "a turn takes four and a half seconds"
    assert ended[0] - began[0] < GROWTH_MB
    assert ended[1] - began[1] < GROWTH_MB
    assert ended[2] <= began[2] + 2
