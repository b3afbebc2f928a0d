"""A wall clock that is set by a day, forth and back, within a run: not one decision of the controller differs."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from ald_controller import commands as c
from ald_controller import stamp
from ald_controller.doors.desk import Freshness, Refusal
from ald_controller.records.record import open_run
from simulators.virtualtime import run_virtual
from tests.run.rig import LIGL_C, Rig, ligl

DAY_S = 86_400.0
STARTED_S = 1_934_973_000.0


@dataclass
class Wall:
    """The wall clock: it goes with the loop's, but for what it was set by."""

    set_by_s: float = 0.0

    def time(self) -> float:
        return STARTED_S + asyncio.get_running_loop().time() + self.set_by_s


@dataclass
class Told:
    """Everything that was decided, in order, each at its loop time: by the module's word, the record, the screen."""

    words: list[tuple[float, int]] = field(default_factory=list)
    events: list[tuple[float, str, dict[str, Any]]] = field(default_factory=list)
    edges: list[Any] = field(default_factory=list)
    intents: list[Any] = field(default_factory=list)
    screen: list[tuple[float, str, bool, list[str]]] = field(default_factory=list)
    ending: str = ""
    wall_s: list[float] = field(default_factory=list)


async def lived(folder: Path, wall: Wall, steps_s: tuple[float, float]) -> Told:
    """A run with a hold, a resume, a gate that opens and an abort; the wall clock is set twice on the way."""
    told = Told()
    async with Rig(folder, warm=LIGL_C) as rig:
        await rig.start(ligl(4))
        job = rig.console._job
        assert job is not None

        async def look() -> None:
            while True:
                status = rig.console.status()
                alarms = [f"{a.row} {a.reaction} {a.text}" for a in status.alarms if a.row != "K7"]
                told.screen.append((rig.now_s, status.state, status.latched, alarms))
                told.wall_s.append(status.time)
                await asyncio.sleep(0.5)

        looking = asyncio.create_task(look())
        await rig.until_open("LTB")
        wall.set_by_s += steps_s[0]
        await rig.rest(30.0)
        await rig.do(c.Pause(now=True))
        await rig.rest(5.0)
        await rig.do(c.Resume())
        await rig.until_open("GL")
        wall.set_by_s += steps_s[1]
        await rig.rest(8.0)
        rig.contact("gate_shut", False)
        await rig.rest(8.0)
        await rig.do(c.Abort(why="enough"))
        await rig.until_state("FAULT", 30)
        await rig.rest(5.0)
        looking.cancel()
        told.words = [(change.at_s, change.word) for change in rig.changes]
    record = open_run(job.journal.folder)
    told.events = [(e.at_s, e.kind, e.fields) for e in record.events() if e.fields.get("row") != "K7"]
    told.edges, told.intents, told.ending = record.edges(), record.intents(), str(record.ending)
    return told


def test_a_wall_clock_set_by_a_day_within_a_run_changes_no_decision(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def live(name: str, *steps_s: float) -> Told:
        wall = Wall()
        monkeypatch.setattr(stamp, "time", wall)
        assert len(steps_s) == 2
        return run_virtual(lived(tmp_path / name, wall, (steps_s[0], steps_s[1])))

    plain = live("plain", 0.0, 0.0)
    assert plain.ending in ("tripped", "aborted") and len(plain.edges) >= 8, (
        "it says something only where something was decided"
    )
    stepped = live("stepped", DAY_S, -2 * DAY_S)
    jumps = [round((b - a) / DAY_S) for a, b in pairwise(stepped.wall_s) if abs(b - a) > 2.0]
    assert jumps == [1, -2], "the clock was set twice, and the status shows its time"
    assert plain.words and stepped.words == plain.words
    assert (stepped.events, stepped.edges, stepped.intents) == (plain.events, plain.edges, plain.intents)
    assert stepped.screen == plain.screen
    assert stepped.ending == plain.ending


def test_a_clock_set_back_makes_no_command_fresh_again() -> None:
    fresh, command = Freshness(), c.Command(id="command-0001", seen=7)
    fresh.published(7, STARTED_S)
    fresh.check(command, "start", "bob", STARTED_S + 1)
    with pytest.raises(Refusal, match="look at the tool and send again"):
        fresh.check(command, "start", "bob", STARTED_S - DAY_S)
    fresh.published(8, STARTED_S - DAY_S + 1)
    fresh.check(c.Command(id="command-0002", seen=8), "start", "bob", STARTED_S - DAY_S + 2)
    with pytest.raises(Refusal, match="look at the tool and send again"):  # what came before the step is forgotten
        fresh.check(command, "start", "bob", STARTED_S + 2)
