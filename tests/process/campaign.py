"""The campaign of kills: a seeded series of shots at controllers in a run, each judged by three oracles.

Stands are kept up as long as possible: the simulated reactor stays, a controller is started again when a shot took it.
A shot's number and the seed say what is shot at, with what, and when; `tests/process/campaign_oracles.py` judges.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sqlite3
import statistics
import threading
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from queue import Empty, SimpleQueue

from ald_controller.records.folder import RecordError
from ald_controller.records.record import RunRecord, open_run
from ald_controller.recovery import place_of
from tests.process.campaign_oracles import (
    BUSY_S,
    FLUSH_S,
    After,
    Change,
    Kill,
    Rows,
    Shown,
    Story,
    open_at,
    openings,
    shut_after,
    violations,
)
from tests.process.stand import PREPARE, SOURCES, Stand, end, stand, wait_for
from tests.valve_rig import alive

LEASE_S, WATCHDOG_S = 1.0, 0.5
AT_ONCE_S = 0.25  # promised within 50 ms with real-time priority; this computer is shared
MARGIN_S = 0.3
ON_ITS_WAY_S = 0.05  # a word that was sent before its sender was stopped
AFTERMATH_S = 1.0  # what is watched after a process went on again, or after the last one was gone
TURN_S, OPENINGS, PERIOD_S = 7.4, 5, 1.1  # of DOSES: a turn, its doses, from one to the next at most
TRIES = 4
CLEARED_S = 100.0  # replies that came late on a starved computer stand for a minute (row K4)
# two sources of different kinds of delivery, open for half of the time, with segments queued ahead and doses in series
DOSES = f"""recipe: doses-to-be-killed-in
title: Doses to be killed in
{PREPARE.replace("{LiOtBu: 1 g}", "{TMA: 1 g, LiOtBu: 1 g}")}
deposit:
  - repeat:
      times: 80
      name: turn
      steps:
        - pulse: {{precursor: TMA, time: 700 ms}}
        - purge: 200 ms
        - pulse: {{precursor: TMA, time: 700 ms}}
        - purge: 200 ms
        - pulse: {{precursor: TMA, time: 700 ms}}
        - purge: 200 ms
        - pulse: {{precursor: LiOtBu, time: 900 ms, times: 2, every: 1100 ms}}
        - purge: 200 ms
finish:
  - purge: 1 s
"""

# what is hit -> what is promised: (shut within, openings until, so much of the record before the kill may be missing)
PROMISED = {
    "KILL daemon": (AT_ONCE_S, AT_ONCE_S, FLUSH_S + BUSY_S),
    "KILL child": (WATCHDOG_S + MARGIN_S, ON_ITS_WAY_S, ON_ITS_WAY_S),
    "KILL both": (WATCHDOG_S + MARGIN_S, AT_ONCE_S, FLUSH_S + BUSY_S),
    "STOP daemon": (LEASE_S + MARGIN_S, LEASE_S + MARGIN_S, FLUSH_S + BUSY_S),
    "STOP child": (WATCHDOG_S + MARGIN_S, ON_ITS_WAY_S, ON_ITS_WAY_S),
    "STOP both": (WATCHDOG_S + MARGIN_S, LEASE_S + MARGIN_S, FLUSH_S + BUSY_S),
}
KINDS = tuple(
    (hit, then) for hit in PROMISED for then in (("",) if hit.startswith("KILL") else ("CONT", "KILL"))
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Shot:
    """What is done in one run: `hit`, and `then` to what was stopped, `later_s` later.

    It comes `at_s` after opening number `opening` of the run, and after its start where that is 0.
    """

    number: int
    hit: str
    then: str
    opening: int
    at_s: float
    later_s: float
    child_first: bool

    @property
    def kind(self) -> str:
        return f"{self.hit}, then {self.then}" if self.then else self.hit


def shot(seed: int, number: int) -> Shot:
    """Shot `number` of a campaign: each kind in turn, one in five at any time, the others around a dose."""
    rng = random.Random(f"{seed}/{number}")
    hit, then = KINDS[number % len(KINDS)]
    opening = rng.choice((0, *range(1, OPENINGS)))
    at_s = rng.uniform(0.0, PERIOD_S if opening else TURN_S)
    return Shot(number, hit, then, opening, at_s, rng.uniform(LEASE_S + 0.2, LEASE_S + 1.0), rng.random() < 0.5)


@dataclass(slots=True)
class Result:
    """One shot as it went. `rows` were acknowledged before it; `late_s` is when the last source was shut after it."""

    number: int
    kind: str
    open: bool
    late_s: float
    rows: int
    ending: str
    again: int  # how often the run was begun again, because it ended before the shot
    violations: list[str] = field(default_factory=list)


class Range:
    """One stand that is shot at, again and again."""

    def __init__(self, building: threading.Lock) -> None:
        self._building = building
        self.stand: Stand = stand(warm_for=DOSES)
        self._up = False
        self._read, self._told = 0, list[Change]()

    def build(self) -> None:
        with self._building:
            self.stand.build()

    def close(self) -> None:
        for pid in (self.stand.valve_pid, getattr(getattr(self.stand, "daemon", None), "pid", 0)):
            if pid and alive(pid):
                os.kill(pid, signal.SIGCONT)
        self.stand.close()

    def fire(self, shot: Shot) -> Result:
        """One shot, from a controller that is ready to the next one that is latched, and what the oracles say."""
        made = self.stand
        self._boot()
        began_s, again = self._begin(), 0
        shown = self._watch(shot, began_s)
        while made.status()["run"] is None:  # on a starved computer devices answer late, and interlocks end the run
            again += 1
            assert again < TRIES, f"no run lasts: {made.log('daemon')}"
            began_s = self._begin()
            shown = self._watch(shot, began_s)
        folder = made.state / "runs" / made.run
        before = rows_of(open_run(folder))
        kill = self._hit(shot)
        self._then(shot, kill)
        story = story_of(made, began_s, kill, before, shown, self._aftermath(folder))
        return Result(
            shot.number, shot.kind, open_at(story.changes, story.mask, kill.at_s), shut_after(story), len(before),
            story.after.ending, again, violations(story),
        )  # fmt: skip

    # --- a controller, and a run -----------------------------------------------------------------------------------

    def _boot(self) -> None:
        if not self._up:
            with self._building:
                self.stand.boot()
                if not self.stand.run:
                    self.stand.fill_in()
            self._up = True

    def _begin(self) -> float:
        """Reset and start the recipe, as a person does; the time before it was asked for."""
        for _ in range(TRIES):
            self.stand.reset(CLEARED_S)
            asked_s = time.monotonic()
            reply = self.stand.start(DOSES)
            if reply["ok"]:
                return asked_s
        raise AssertionError(reply["text"])

    def _watch(self, shot: Shot, began_s: float) -> list[Shown]:
        """Until the time of the shot: what a person at the screen is shown, four times a second and at the end.

        On a starved computer an interlock may hold the run, which then opens nothing more: it is aborted.
        """
        shown: list[Shown] = []
        look_s, due_s = 0.0, time.monotonic() + shot.at_s if shot.opening == 0 else None
        while True:
            now_s = time.monotonic()
            if now_s >= look_s or (due_s is not None and now_s >= due_s):
                look_s, status = now_s + 0.25, self.stand.status()
                if status["state"] == "PAUSED":
                    self.stand.must("abort")
                run = status["run"]
                if run is None:
                    return shown
                shown.append(Shown(time.monotonic(), run["doses_confirmed"]))
            if due_s is not None and now_s >= due_s:
                return shown
            if due_s is None and self._opened(began_s) >= shot.opening:
                due_s = time.monotonic() + shot.at_s
            time.sleep(0.02)

    def _opened(self, since_s: float) -> int:
        """How many sources have opened since then; reads on where it stopped reading the trace."""
        with (self.stand.folder / "trace").open("rb") as trace:
            trace.seek(self._read)
            told = trace.read().rpartition(b"\n")[0]
        self._read += len(told) + bool(told)
        lines = [json.loads(line) for line in told.split(b"\n") if line]
        self._told += [Change(line["t"], line["word"]) for line in lines if "word" in line]
        self._told = [change for change in self._told if change.at_s >= since_s]
        return len(openings(self._told, SOURCES))

    # --- the shot --------------------------------------------------------------------------------------------------

    def _pids(self, whom: str, *, child_first: bool = True) -> list[int]:
        both = [self.stand.valve_pid, self.stand.daemon.pid]
        if whom == "both":
            return both if child_first else both[::-1]
        return both[:1] if whom == "child" else both[1:]

    def _hit(self, shot: Shot) -> Kill:
        what, _, whom = shot.hit.partition(" ")
        number = signal.SIGKILL if what == "KILL" else signal.SIGSTOP
        at_s = time.monotonic()
        for pid in self._pids(whom, child_first=shot.child_first):
            os.kill(pid, number)
        shut_s, opens_s, lost_s = PROMISED[shot.hit]
        return Kill(shot.kind, at_s, shut_s, opens_s, at_s - lost_s)

    def _then(self, shot: Shot, kill: Kill) -> None:
        """What was stopped goes on, or is killed, when lease and watchdog have run out."""
        whom = shot.hit.partition(" ")[2]
        if shot.then:
            time.sleep(max(0.0, kill.at_s + shot.later_s - time.monotonic()))
            for pid in self._pids(whom, child_first=shot.child_first):
                os.kill(pid, signal.SIGCONT if shot.then == "CONT" else signal.SIGKILL)
        time.sleep(AFTERMATH_S)

    def _aftermath(self, folder: Path) -> After:
        """The next controller, or this one if it lives and can go on; the trace goes on being written."""
        made = self.stand
        survived = self._survives()
        if survived:
            wait_for(
                lambda: made.status()["state"] == "FAULT", 15.0, lambda: f"no end: {made.log('daemon')}", every_s=0.1
            )
            wait_for(lambda: made.status()["run"] is None, 5.0, lambda: f"no end: {made.log('daemon')}", every_s=0.1)
            after = as_it_stands(made, folder, survived=True)
            if self._armed():
                return after
            end(made.daemon)
        made.daemon.wait(15)
        wait_for(lambda: not alive(made.valve_pid), 5.0, lambda: "the valve process outlived its farewell")
        with self._building:
            made.boot()
        return after if survived else as_it_stands(made, folder, survived=False)

    def _survives(self) -> bool:
        """Whether the controller lives on without its help; one that lost its valve process is given time to end."""
        made = self.stand
        if not alive(made.valve_pid):
            with suppress(Exception):
                made.daemon.wait(15)
        return made.daemon.poll() is None

    def _armed(self) -> bool:
        """Whether a reset is enough: after its own watchdog has acted the module wants a controller that starts."""
        return not any("watchdog" in alarm["text"] for alarm in self.stand.status()["alarms"])


# --- what a reader finds ---------------------------------------------------------------------------------------------


def changes_since(made: Stand, since_s: float) -> list[Change]:
    """What the module's outputs did since then, beginning with how they were."""
    told = [Change(line["t"], line["word"], line["cause"]) for line in made.changes()]
    first = max(0, sum(change.at_s < since_s for change in told) - 1)
    return told[first:]


def story_of(made: Stand, began_s: float, kill: Kill, before: Rows, shown: Iterable[Shown], after: After) -> Story:
    """Everything that there is to judge of the stand's run, which began after `began_s`."""
    folder = made.state / "runs" / made.run
    record = open_run(folder)
    return Story(
        made.run, kill, sources_of(record), tuple(changes_since(made, began_s)), before, tuple(shown), rows_of(record),
        tuple(record.doses()), record.lost_records(), integrity(folder), place_of(record), after,
    )  # fmt: skip


def as_it_stands(made: Stand, folder: Path, *, survived: bool) -> After:
    """What the controller says now, of itself and of the run in this folder."""
    wait_for(lambda: bool(made.status()["alarms"]), 5.0, lambda: "no alarm says why nothing may start", every_s=0.1)
    status = made.status()
    first = next((alarm["text"] for alarm in status["alarms"] if alarm["first_out"]), "")
    run = status["run"]["run"] if status["run"] else None
    return After(status["state"], status["latched"], run, open_run(folder).ending or "none", first, survived)


def rows_of(record: RunRecord) -> Rows:
    """Everything that is on the disk now, read by another process than the one that writes."""
    with suppress(RecordError):
        return Rows(tuple(record.events()), tuple(record.intents()), tuple(record.edges()))
    return Rows()


def sources_of(record: RunRecord) -> dict[str, int]:
    return {lane.name: lane.mask for lane in record.header.valves if lane.mask & SOURCES}


def integrity(folder: Path) -> str:
    """What SQLite's own check says of a journal."""
    with closing(sqlite3.connect(f"{(folder / 'journal.db').as_uri()}?mode=ro", uri=True, timeout=2.0)) as con:
        return str(con.execute("PRAGMA integrity_check").fetchone()[0])


# --- many at a time --------------------------------------------------------------------------------------------------


def campaign(seed: int, numbers: Iterable[int], at_once: int, within_s: float = float("inf")) -> Iterator[Result]:
    """Fire these shots on so many stands at a time, and tell each as it is judged; after `within_s` none is begun."""
    waiting, told = SimpleQueue[int](), SimpleQueue[Result | BaseException | None]()
    for number in numbers:
        waiting.put(number)
    stop_s, building = time.monotonic() + within_s, threading.Lock()

    def work() -> None:
        place = Range(building)
        try:
            place.build()
            while time.monotonic() < stop_s:
                told.put(place.fire(shot(seed, waiting.get_nowait())))
        except Empty:
            pass
        except BaseException as error:
            told.put(error)
        finally:
            place.close()
            told.put(None)

    with ThreadPoolExecutor(at_once) as workers:
        for _ in range(at_once):
            workers.submit(work)
        try:
            for _ in range(at_once):
                while (result := told.get()) is not None:
                    if isinstance(result, BaseException):
                        raise result
                    yield result
        finally:
            stop_s = 0.0  # whoever listens has gone


def figures(results: list[Result]) -> list[str]:
    """The campaign in lines: what was shot, what was open, how long until the valves were shut, what was wrong."""
    kinds = sorted({result.kind for result in results})
    opened = sum(result.open for result in results)
    wrong = sum(len(result.violations) for result in results)
    again = sum(result.again for result in results)
    head = (
        f"{len(results)} kills, {opened} of them while a valve was open ({100 * opened / len(results):.0f} %); "
        f"{sum(result.rows for result in results):,} acknowledged rows; {wrong} violations of valve trace, journal or "
        f"position; {again} runs begun again as an interlock had ended them before"
    )
    return [head, *(_kind_line(kind, [r for r in results if r.kind == kind]) for kind in kinds)]


def _kind_line(kind: str, results: list[Result]) -> str:
    late_ms = [result.late_s * 1e3 for result in results if result.open]
    closed = f"shut after {statistics.median(late_ms):6.1f} ms p50, {max(late_ms):6.1f} ms max" if late_ms else "–"
    limit_ms = PROMISED[kind.partition(",")[0]][0] * 1e3
    return f"{kind:<24} {len(results):4} kills, {len(late_ms):4} while open: {closed} (limit {limit_ms:.0f} ms)"
