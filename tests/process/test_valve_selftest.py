"""`ald valves selftest` as a person types it: what it leaves behind, without rights and in a hurry."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from tests.valve_rig import alive

COMMAND = (sys.executable, "-m", "ald_controller", "valves", "selftest")
PNG = b"\x89PNG\r\n\x1a\n"


def without_rights() -> tuple[str, ...]:
    """What takes real-time rights away; skips where nothing does."""
    if os.geteuid() != 0:
        return ()
    if shutil.which("setpriv") is None:
        pytest.skip("setpriv is missing: as root, nothing else takes real-time rights away")
    caps = "-sys_nice,-ipc_lock"
    return ("setpriv", f"--bounding-set={caps}", f"--inh-caps={caps}")


def test_without_rights_it_measures_long_doses_and_leaves_a_table_its_values_and_a_picture(tmp_path: Path) -> None:
    command = [*without_rights(), *COMMAND, "--seconds", "2", "--out", str(tmp_path / "new")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=50)
    assert (done.returncode, done.stderr) == (0, "")
    assert "DEGRADED TIMING: no real-time priority" in done.stdout
    values, picture = (Path(found) for found in re.findall(r"^(?:values|picture) +(\S+)$", done.stdout, re.MULTILINE))
    told = json.loads(values.read_text("utf-8"))
    assert told["real_time"] is False and told["widths_ms"] == [200, 500] and told["start"]["n"] == 100
    doses, missed, *late = re.search(r"^as found +all +(\d+) +(\d+)(.*)$", done.stdout, re.MULTILINE)[0].split()[3:]
    all_doses = told["loads"]["as found"]["quantiles"]["all"]
    assert (all_doses["doses"], all_doses["missed"]) == (int(doses), int(missed)) and int(doses) + int(missed) >= 4
    assert float(late[2]) == pytest.approx(all_doses["edge_late_ms"]["max"], rel=0.01, abs=0.001)
    assert len(told["loads"]["as found"]["doses"]) == int(doses)
    data = picture.read_bytes()
    wide, high = struct.unpack(">II", data[16:24])
    assert data[:8] == PNG and wide == 1560 and 800 < high < 1200 and len(data) > 30_000


def test_whatever_ends_it_ends_everything_that_it_started(tmp_path: Path) -> None:
    numbers = (signal.SIGINT, signal.SIGKILL)
    with ExitStack() as ends:
        processes = [ends.enter_context(loaded_computer(tmp_path / number.name)) for number in numbers]
        started = [all_children(process) for process in processes]
        for process, number in zip(processes, numbers, strict=True):
            process.send_signal(number)
        (_, told), _ = [process.communicate(timeout=10) for process in processes]
    assert [process.returncode for process in processes] == [130, -signal.SIGKILL]
    sentence = "ald valves selftest: interrupted: nothing of it runs any more, and nothing was written"
    assert told.splitlines()[-1] == sentence
    give_up_s = time.monotonic() + 5
    while running := [pid for pids in started for pid in pids if alive(pid)]:
        assert time.monotonic() < give_up_s, f"of {started} live on: {running}"
        time.sleep(0.05)
    assert not [file for number in numbers for file in (tmp_path / number.name).iterdir()]


@contextmanager
def loaded_computer(out: Path) -> Iterator[subprocess.Popen[str]]:
    """A self-test under way; killed with the block where nothing else has ended it."""
    command = [*COMMAND, "--seconds", "60", "--busy", "--out", str(out)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def all_children(process: subprocess.Popen[str]) -> list[int]:
    """The module, the valve process, and a load for each processor, as soon as they all run."""
    wanted, give_up_s = 2 + len(os.sched_getaffinity(0)), time.monotonic() + 20
    while len(found := children(process.pid)) < wanted:
        assert process.poll() is None and time.monotonic() < give_up_s, f"it started {found}"
        time.sleep(0.02)
    return found


def children(pid: int) -> list[int]:
    """The living children of a process."""
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text("ascii").split()]
