"""The journal with its writer thread, and what a kill leaves of it."""

from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
import sys
import threading
import time
from pathlib import Path

import pytest

from ald_controller.interlocks import Sample
from ald_controller.records import journal
from ald_controller.records.folder import list_runs
from ald_controller.records.journal import JournalError, RunJournal
from ald_controller.records.record import open_run
from ald_controller.valves.wire import Edge, SegmentId
from tests.synthetic_run import START_S, Clock, begin, header, papers

ROOT = Path(__file__).parents[2]
VICTIM = """
import asyncio, sys
from pathlib import Path
from ald_controller.interlocks import Sample
from ald_controller.valves.wire import Edge, SegmentId
from tests.synthetic_run import START_S, begin

async def main():
    run = await begin(Path(sys.argv[1]), inline=False)
    for i in range(1000):
        run.journal.readings({"pirani.pressure_pa": Sample(float(i), START_S + i * 0.1)})
    id = SegmentId(run.journal.run, 1, 0)
    run.journal.edge(Edge(id, 0, 2, 1, 2, 3))
    await run.journal.intent(id, "H2O 15 ms", (), 1, "deposit")
    print("durable", flush=True)
    await asyncio.sleep(60)

asyncio.run(main())
"""


async def test_a_threaded_journal_reads_back_like_an_inline_one(tmp_path: Path) -> None:
    run = await begin(tmp_path, inline=False)
    await run.prepare(30.0)
    await run.cycle(1)
    await run.journal.close("completed", {"n": 1})
    record = open_run(run.journal.folder)
    assert record.ending == "completed"
    assert [d.state for d in record.doses()] == ["confirmed"] * 4
    assert len(record.readings("coupler-b.pressure_torr")[0]) == pytest.approx(1200, abs=3)
    assert record.lost_records() == 0
    assert not [t for t in threading.enumerate() if t.name.startswith("writer")]


async def test_a_killed_process_leaves_every_answered_intent_and_all_but_the_last_seconds(tmp_path: Path) -> None:
    victim = await asyncio.create_subprocess_exec(
        sys.executable, "-c", VICTIM, str(tmp_path), cwd=ROOT, stdout=asyncio.subprocess.PIPE
    )
    assert victim.stdout is not None
    assert await victim.stdout.readline() == b"durable\n"
    folder = list_runs(tmp_path)[0].folder
    assert open_run(folder).ending is None
    os.kill(victim.pid, signal.SIGKILL)
    await victim.wait()
    record = open_run(folder)
    assert record.ending == "interrupted"
    assert [i.label for i in record.intents()] == ["H2O 15 ms"]
    assert len(record.edges()) == 1
    times, _ = record.readings("pirani.pressure_pa")
    assert times[-1] >= START_S + 100 - 5.2


async def test_a_folder_that_cannot_be_made_is_an_error_of_create(tmp_path: Path) -> None:
    (tmp_path / "runs").write_text("a file, not a folder")
    with pytest.raises(OSError, match="runs"):
        await RunJournal.create(tmp_path / "runs", header=header(), papers=papers(), inline=False, clock=Clock())


@pytest.mark.parametrize("inline", [True, False])
async def test_a_database_that_cannot_be_made_is_a_journal_error(
    tmp_path: Path, inline: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path, schema: str, *, simulated: bool) -> None:
        raise sqlite3.OperationalError("unable to open database file")

    monkeypatch.setattr(journal, "connect", refuse)
    with pytest.raises(JournalError, match="unable to open"):
        await begin(tmp_path, inline=inline)


async def test_the_loop_does_not_wait_for_a_disk_that_hangs(tmp_path: Path) -> None:
    run = await begin(tmp_path, inline=False)
    free = threading.Event()
    run.journal._writer.put(lambda _: free.wait(10))
    intent = asyncio.create_task(run.journal.intent(SegmentId("r", 1, 0), "H2O", (), 1, "deposit"))
    await asyncio.sleep(0.3)
    run.journal.event("note")
    run.journal.edge(Edge(SegmentId("r", 1, 0), 0, 0, 1, 2, 3))
    assert not intent.done()
    free.set()
    await intent
    await run.journal.close("stopped", {})


async def test_a_queue_that_overflows_says_how_much_it_lost(tmp_path: Path) -> None:
    made = await RunJournal.create(tmp_path, header=header(), papers=papers(), inline=False, clock=Clock(), limit=5)
    free = threading.Event()
    made._writer.put(lambda _: free.wait(10))
    made._writer.hurry()
    await asyncio.sleep(0.05)
    for i in range(9):
        made.event("note", i=i)
    assert made.lost == 4
    assert made.failed and "wait for the disk" in made.failed
    free.set()
    await made._writer.settle()
    made.event("note", i=9)
    await made.close("stopped", {})
    record = open_run(made.folder)
    assert record.events("records lost")[0].fields == {"number": 4}
    assert record.lost_records() == 4
    assert record.summary["records_lost"] == 4


async def test_a_full_disk_fails_the_waiting_intent_and_is_tried_again(tmp_path: Path) -> None:
    run = await begin(tmp_path, inline=False)
    run.journal._writer.put(lambda con: con.execute("PRAGMA max_page_count=1"))
    run.journal.event("note", text="x" * 50_000)
    with pytest.raises(JournalError, match="full"):
        await run.journal.intent(SegmentId("r", 1, 0), "H2O", (), 1, "deposit")
    assert run.journal.failed
    run.journal._writer._taken[0] = (lambda con: con.execute("PRAGMA max_page_count=100000"), None)
    await run.journal.intent(SegmentId("r", 1, 0), "H2O", (), 1, "deposit")
    assert run.journal.failed is None
    await run.journal.close("stopped", {})
    assert len(open_run(run.journal.folder).events("note")) == 1


async def test_a_call_costs_the_loop_far_less_than_a_tenth_of_a_millisecond(tmp_path: Path) -> None:
    run = await begin(tmp_path, inline=False)
    n = 20_000
    began = time.perf_counter()
    for i in range(n):
        run.journal.readings({"pirani.pressure_pa": Sample(1.0, START_S + i * 0.05)})
    each = (time.perf_counter() - began) / n
    await run.journal.close("completed", {})
    assert each < 100e-6  # a handful of microseconds in fact; a shared machine may take more
