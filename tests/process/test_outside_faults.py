"""What fails around a controller in a run: its broker, its wall clock, its disk. The valves keep their times."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from ald_controller.records.record import RunRecord, open_run
from tests.process.campaign import AT_ONCE_S, DOSES, FLUSH_S, as_it_stands, changes_since, rows_of, story_of
from tests.process.campaign_oracles import BUSY_S, Kill, Rows, openings, shut_after, violations
from tests.process.mosquitto import Mosquitto
from tests.process.stand import AS_WE_ARE, SOURCES, Stand, figure, ready, wait_for
from tests.same_words import Segments, segments
from tests.valve_rig import alive

pytestmark = pytest.mark.timeout(150)
DAY_S = 86_400
WIDTHS_S = (0.7, 0.9)  # of the doses of DOSES
WIDE_S = 0.05  # how wrong a width may be on a computer that others use, too
NEVER_S = float("inf")
ROOM = 4 << 30  # bytes; a tmpfs takes none before they are used, and a run is not started with little room
DECIDED = frozenset({"state", "part", "step", "ended", "held", "missed", "refused", "trip", "abort", "timeout"})
# a run of three seconds
QUICK = DOSES[: DOSES.index("        - pulse: {precursor: LiOtBu")] + DOSES[DOSES.index("finish:") :]
QUICK = QUICK.replace("doses-to-be-killed-in", "quick").replace("times: 80", "times: 2").replace("700 ms", "250 ms")


@dataclass
class Outside(Stand):
    """A stand whose controller starts with words of its own before its command; the reactor is as always."""

    before: tuple[str, ...] = ()
    lines: str = ""  # added to the tool file
    mount: bool = False  # the state on a small disk of its own

    def build(self) -> None:
        super().build()
        self.tool.write_text(self.tool.read_text("utf-8") + self.lines, "utf-8")
        self.state.mkdir()
        if self.mount:
            subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={ROOM}", "ald-test", str(self.state)], check=True)

    def boot(self) -> None:
        plain = self.account
        self.account = replace(plain, before=(*self.before, *plain.before))
        try:
            super().boot()
        finally:
            self.account = plain

    def close(self) -> None:
        if self.mount and os.path.ismount(self.state):
            subprocess.run(["umount", "--lazy", str(self.state)], check=False)
        super().close()


def faketime() -> Path:
    """The library that gives a process a wall clock of its own; without it a skip that cannot be overlooked."""
    # the one for many threads takes a lock at each look at any clock, and the controller's polls come late
    found = sorted(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"))
    if found:
        return found[0]
    why = "NOT TESTED: a real controller under a clock that is set: apt install libfaketime"
    if os.environ.get("CI"):
        pytest.fail(why)
    pytest.skip(why)


def may_mount() -> bool:
    """Whether this account may make a small disk; else a limit of the sizes of files has to do for a full one."""
    return os.geteuid() == 0


@pytest.fixture(scope="module")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Future[None]]]:
    """All three at the same time: each mostly waits for a latch, or for a dose."""

    def made(**how: Any) -> Outside:
        folder = tmp_path_factory.mktemp("o")
        folder.chmod(0o755)
        return Outside(folder, AS_WE_ARE, DOSES, **how)

    def played(stand: Outside, scene: Callable[[Outside], None]) -> None:
        try:
            scene(ready(stand))
        finally:
            stand.close()

    with ExitStack() as stack:
        broker = Mosquitto(tmp_path_factory.mktemp("broker"))
        stack.callback(broker.kill)
        broker.start()
        clock = Clock(tmp_path_factory.mktemp("clock") / "clock")
        password = clock.file.with_name("password")
        password.write_text("ald-reference-password\n")
        password.chmod(0o600)
        mqtt = f"\nmqtt: {{host: 127.0.0.1, port: {broker.port}, user: ald-reference, password_file: {password}}}\n"
        around = made(before=clock.before, lines=mqtt)
        workers = stack.enter_context(ThreadPoolExecutor(3))
        yield {
            "broker and clock": workers.submit(played, around, lambda stand: around_a_run(stand, broker, clock)),
            "full": workers.submit(played, made(mount=may_mount()), on_a_full_disk),
            "broken": workers.submit(played, made(), killed_without_a_disk),
        }


def test_without_its_broker_and_under_a_clock_set_by_a_day_a_run_decides_the_same(
    scenes: dict[str, Future[None]],
) -> None:
    scenes["broker and clock"].result()


def test_a_full_disk_lets_the_loaded_end_and_holds_and_nothing_is_lost_when_there_is_room_again(
    scenes: dict[str, Future[None]],
) -> None:
    scenes["full"].result()


def test_a_kill_while_the_journal_cannot_be_written_loses_no_acknowledged_row(scenes: dict[str, Future[None]]) -> None:
    scenes["broken"].result()


# --- broker and clock ------------------------------------------------------------------------------------------------


@dataclass
class Clock:
    """The wall clock of one process, to be set while it runs; its monotonic clock stays the system's."""

    file: Path

    def __post_init__(self) -> None:
        self.set_by(0)

    def set_by(self, days: int) -> None:
        self.file.write_text(f"{days * DAY_S:+}\n")

    @property
    def before(self) -> tuple[str, ...]:
        return (
            "env", f"LD_PRELOAD={faketime()}", f"FAKETIME_TIMESTAMP_FILE={self.file}",
            "FAKETIME_DONT_FAKE_MONOTONIC=1", "FAKETIME_CACHE_DURATION=1", "FAKETIME_FORCE_MONOTONIC_FIX=0",
        )  # fmt: skip


def around_a_run(made: Outside, broker: Mosquitto, clock: Clock) -> None:
    """Three runs of one recipe: as it should be, with a broker that dies, with a clock that is set twice."""
    plain = whole(made, lambda: None)
    assert plain.ending == "completed", made.log("daemon")
    assert {dose.state for dose in plain.doses()} == {"confirmed"} and len(plain.doses()) == 6
    assert "ald-reference" in broker.log(), "the controller had its broker until now"

    alone = whole(made, broker.kill)
    assert (alone.ending, decisions(alone)) == (plain.ending, decisions(plain))

    def step() -> None:
        clock.set_by(1)
        wait_for(lambda: _days_ahead(made) == 1, 5.0, lambda: "the clock was not set", 0.05)
        clock.set_by(-1)

    stepped = whole(made, step)
    wait_for(lambda: _days_ahead(made) == -1, 5.0, lambda: "the clock was not set back", 0.05)
    assert (stepped.ending, decisions(stepped)) == (plain.ending, decisions(plain))
    lived_s = [(record.header.end_s or 0.0) - record.header.start_s for record in (plain, alone, stepped)]
    assert max(lived_s) - min(lived_s) < 5.0, "the record's times are those of the monotonic clock"
    figure(f"runs of {len(plain.doses())} doses: {lived_s[0]:.1f} s; broker killed {lived_s[1]:.1f} s; clock set by +1 "
           f"and -2 days {lived_s[2]:.1f} s; the same {len(segments(plain))} segments, word for word")  # fmt: skip


def _days_ahead(made: Outside) -> int:
    return round((made.status()["time"] - time.time()) / DAY_S)


def whole(made: Stand, meanwhile: Callable[[], None]) -> RunRecord:
    """A run of QUICK to its end; `meanwhile` is done when its first dose is confirmed."""
    reply = made.start(QUICK)
    assert reply["ok"], reply["text"]
    run: dict[str, Any] | None = None

    def dosed() -> bool:
        nonlocal run
        run = made.status()["run"]
        return run is None or run["doses_confirmed"] > 0

    wait_for(dosed, 20.0, lambda: f"nothing is dosed: {made.log('daemon')}")
    assert run is not None, "the run ended before anything happened"
    meanwhile()
    wait_for(lambda: made.status()["run"] is None, 30.0, lambda: f"no end: {made.log('daemon')}", every_s=0.05)
    return open_run(Path(reply["data"]["folder"]))


def decisions(record: RunRecord) -> tuple[Segments, list[tuple[str, str]], list[str]]:
    """What was decided, without the times at which it was: every word of every segment, every step, every dose."""
    told = [
        (e.kind, str(e.fields.get("label") or e.fields.get("state") or e.fields.get("part") or e.fields.get("why")))
        for e in record.events() if e.kind in DECIDED and e.fields.get("row") not in ("K7", "K9")
    ]  # fmt: skip
    return segments(record), told, [dose.state for dose in record.doses()]


# --- the disk --------------------------------------------------------------------------------------------------------


@dataclass
class Disk:
    """The disk below a controller's state: full, or refusing every byte, until it is mended."""

    made: Outside
    fills: bool

    def breaks(self) -> float:
        """From now on nothing can be written; when that was."""
        at_s = time.monotonic()
        if self.fills:
            wait_for(lambda: self._resized(self._used() + 4096), 5.0, lambda: "the disk does not become full")
        else:
            self._limit(0)
        return at_s

    def mended(self) -> None:
        if self.fills:
            assert self._resized(ROOM)
        else:
            self._limit(resource.RLIM_INFINITY)

    def _used(self) -> int:
        told = os.statvfs(self.made.state)
        return (told.f_blocks - told.f_bfree) * told.f_frsize

    def _resized(self, size: int) -> bool:
        """Whether the small disk has this size now: it gets no smaller than what lies on it."""
        command = ["mount", "-o", f"remount,size={size}", str(self.made.state)]
        return subprocess.run(command, check=False, capture_output=True).returncode == 0

    def _limit(self, size: int) -> None:
        """How long any file of the controller may become: its journals, and its log."""
        resource.prlimit(self.made.daemon.pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))


def begun(made: Stand) -> tuple[float, Path, Rows]:
    """A run in its third dose: when it was asked for, its folder, and what is on the disk by now."""
    asked_s = time.monotonic()
    reply = made.start(DOSES)
    assert reply["ok"], reply["text"]
    wait_for(
        lambda: made.open_now() and len(openings(changes_since(made, asked_s), SOURCES)) >= 3, 20.0, made._not_open
    )
    folder = Path(reply["data"]["folder"])
    return asked_s, folder, rows_of(open_run(folder))


def on_a_full_disk(made: Outside) -> None:
    """Row K8, and the way back: room, a resume, and a record in which nothing is missing."""
    disk = Disk(made, fills=made.mount)
    asked_s, folder, before = begun(made)
    full_s = disk.breaks()
    wait_for(lambda: made.status()["state"] == "PAUSED", 20.0, lambda: f"it is not held: {made.status()['run']}", 0.1)
    held_s, why = time.monotonic(), made.status()["run"]["why"]
    assert "was not begun, because the journal failed" in why and "of cycle 1" in why, why
    assert not made.open_now()
    given = [o.shut_s - o.at_s for o in openings(changes_since(made, asked_s), SOURCES)]
    wrong = [width_s for width_s in given if min(abs(width_s - plan_s) for plan_s in WIDTHS_S) > WIDE_S]
    assert not wrong, f"doses that did not end as planned: {wrong}"
    time.sleep(1.0)
    assert len(openings(changes_since(made, asked_s), SOURCES)) == len(given), "nothing more is loaded"

    disk.mended()
    time.sleep(1.5)  # the writer tries again every second
    if made.status()["latched"]:
        made.reset()
    made.must("resume")
    wait_for(made.open_now, 20.0, made._not_open)
    kill = Kill("abort", time.monotonic(), AT_ONCE_S, AT_ONCE_S, NEVER_S)
    made.must("abort")
    wait_for(lambda: made.status()["run"] is None, 15.0, lambda: "the record is not closed", 0.1)
    story = story_of(made, asked_s, kill, before, (), as_it_stands(made, folder, survived=True))
    assert violations(story) == []
    assert len(openings(story.changes, story.mask)) > len(given), "it went on"
    how = "disk full" if made.mount else "files limited in place of a full disk"
    figure(f"{how} in a dose: held {held_s - full_s:.1f} s later at a half-cycle's end, {len(given)} doses as planned, "
           f"{len(story.rows)} rows on record after there was room, 0 lost")  # fmt: skip


def killed_without_a_disk(made: Outside) -> None:
    """Neither journal nor log can be written, and then the controller is killed: what was acknowledged stays."""
    disk = Disk(made, fills=False)
    asked_s, folder, before = begun(made)
    broken_s = disk.breaks()
    time.sleep(0.3)
    kill = Kill("journal error", time.monotonic(), AT_ONCE_S, AT_ONCE_S, broken_s - FLUSH_S - BUSY_S)
    assert made.status()["run"] is not None, "an error of the disk ends no run"
    os.kill(made.daemon.pid, signal.SIGKILL)
    made.daemon.wait(5)
    wait_for(lambda: not alive(made.valve_pid), 3.0, lambda: "the valve process outlived its farewell")
    made.boot()
    time.sleep(1.0)
    story = story_of(made, asked_s, kill, before, (), as_it_stands(made, folder, survived=False))
    assert violations(story) == []
    assert story.after.ending == "interrupted"
    figure(f"journal error in a dose, controller killed 0.3 s later: shut after {shut_after(story) * 1e3:.0f} ms, "
           f"{len(before)} acknowledged rows, 0 lost")  # fmt: skip
