"""The ledger of valves in tool.db: what survives, what is told, and what a new valve leaves behind."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import pytest

from ald_controller.config import Output
from ald_controller.journal import JournalError
from ald_controller.records.audit import Audit
from ald_controller.records.ledger import SAVE_NS, Ledger, read_ledger
from ald_controller.valves.wire import Wear
from tests.recipe_bench import tool

S = 1_000_000_000


class Wall:
    """Unix seconds that a person sets."""

    now = 1_900_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture(params=[True, False], ids=["inline", "thread"])
def inline(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


def outputs(**changed: dict[str, Any]) -> dict[str, Output]:
    """The reference tool's outputs with changes by name."""
    own = dict(tool().config.valves.outputs)
    return own | {name: own[name].model_copy(update=change) for name, change in changed.items()}


class Bench:
    """A ledger that may be opened again and again on one file."""

    def __init__(self, folder: Path, inline: bool = True) -> None:
        self.path, self.inline, self.wall = folder / "tool.db", inline, Wall()
        self.audit: Audit
        self.ledger: Ledger

    async def open(self, wired: dict[str, Output] | None = None, now_s: float = 0.0) -> Ledger:
        self.audit = await Audit.open(self.path, inline=self.inline, now=self.wall)
        self.ledger = await Ledger.open(self.audit.writer, wired or outputs(), now_s, self.wall)
        return self.ledger

    async def close(self) -> None:
        self.ledger.save()
        await self.audit.close()

    def refuse(self, refuses: bool) -> None:
        """From here on the disk takes nothing, or all again; inline only."""
        con = self.audit.writer._con
        assert con is not None
        con.execute(f"PRAGMA query_only={'ON' if refuses else 'OFF'}")


def wear(at_s: float, on_s: float = 0.0, **actuations: int) -> Wear:
    """Counts by output of the reference tool, each energised for `on_s` in all."""
    coils = {name: output.coil for name, output in tool().config.valves.outputs.items()}
    counts, on_ns = [0] * 9, [0] * 9
    for name, n in actuations.items():
        counts[coils[name]], on_ns[coils[name]] = n, round(on_s * S)
    return Wear(round(at_s * S), tuple(counts), tuple(on_ns))


async def test_totals_add_up_over_restarts_of_the_controller(tmp_path: Path, inline: bool) -> None:
    bench = Bench(tmp_path, inline)
    for start in range(3):
        ledger = await bench.open()
        assert ledger.actuations["LTB"] == 5 * start
        ledger.hear(wear(1, 2.5, LTB=4))
        ledger.hear(wear(2, 3.0, LTB=5))
        await bench.close()
    (line,) = [line for line in read_ledger(bench.path).lines if line.name == "LTB"]
    assert (line.total.actuations, line.total.on_ns, line.total.since) == (15, 9 * S, 1_900_000_000.0)


async def test_what_was_heard_is_on_the_disk_though_nobody_closes_the_file(tmp_path: Path, inline: bool) -> None:
    bench = Bench(tmp_path, inline)
    ledger = await bench.open()
    ledger.hear(wear(1, LTB=3))
    await bench.audit.settle()
    assert {line.name: line.total.actuations for line in read_ledger(bench.path).lines}["LTB"] == 3
    await bench.audit.close()


async def test_only_outputs_that_wear_are_counted(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    ledger = await bench.open(outputs(spare={"role": "unused"}))
    assert list(ledger.actuations) == ["TMA", "H2O", "LTB", "GL", "EG", "stop", "lithium heaters"]
    await bench.close()


async def test_an_output_that_only_stays_energised_is_written_every_ten_seconds(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    ledger = await bench.open()
    written: list[float] = []
    ledger._put = lambda lines: written.extend(line.total.on_ns / S for line in lines)  # type: ignore[method-assign]
    for second in range(1, 32):
        ledger.hear(wear(second, float(second), stop=1))
    assert written == [1, 11, 21, 31]
    assert SAVE_NS == 10 * S
    await bench.audit.close()


async def test_a_clock_that_is_set_moves_no_total(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    ledger = await bench.open()
    ledger.hear(wear(1, 1.0, LTB=1))
    bench.wall.now -= 86_400
    ledger.hear(wear(2, 2.0, LTB=2))
    await bench.close()
    ledger = await bench.open()
    bench.wall.now += 10 * 86_400
    ledger.hear(wear(3, 1.0, LTB=1))
    (row,) = [row for row in ledger.book().shown()["valves"] if row["name"] == "LTB"]
    assert (row["actuations"], row["energised_s"], row["since"]) == (3, 3.0, "2030-03-17T17:46:40.000Z")
    await bench.close()


async def test_an_output_on_another_coil_keeps_its_history(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    (await bench.open()).hear(wear(1, LTB=7))
    await bench.close()
    ledger = await bench.open(outputs(LTB={"coil": 9}))
    ledger.hear(Wear(S, (0,) * 9 + (2,), (0,) * 9 + (5,)))
    assert ledger.actuations["LTB"] == 9 and ledger.told == ()
    await bench.close()


async def test_a_renamed_output_begins_anew_and_both_names_are_told_once(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    assert (await bench.open()).told == (), "a first start has nothing to tell"
    bench.ledger.hear(wear(1, LTB=7))
    await bench.close()
    renamed = {"LiOtBu" if name == "LTB" else name: output for name, output in outputs().items()}
    ledger = await bench.open(renamed)
    assert ledger.told == (
        "valves: 'LiOtBu' counts from zero, as the ledger does not know this output",
        "valves: 'LTB' is no output of the tool file any more; its 7 actuations are kept",
    )
    assert ledger.actuations["LiOtBu"] == 0 and "LTB" not in ledger.actuations
    await bench.close()
    ledger = await bench.open(renamed)
    assert ledger.told == ()
    assert [(row["name"], row["actuations"]) for row in ledger.book().shown()["gone"]] == [("LTB", 7)]
    await bench.close()
    assert (await bench.open()).actuations["LTB"] == 7, "a name that comes back finds its totals"
    await bench.close()


async def test_a_new_valve_counts_from_zero_and_the_old_one_is_kept(tmp_path: Path, inline: bool) -> None:
    bench = Bench(tmp_path, inline)
    ledger = await bench.open(outputs(LTB={"service_after": 10}))
    ledger.hear(wear(1, 4.0, LTB=12))
    assert [each.near for each in ledger.due] == [2]
    bench.wall.now += 60
    await ledger.replaced("LTB", "Ann", "Ann (root at the local door)", "leaks through")
    assert ledger.actuations["LTB"] == 0 and ledger.due == []
    stored = read_ledger(bench.path)
    assert stored == ledger.book(), "durable when it is answered"
    (old,) = stored.shown()["replaced"]
    assert (old["name"], old["actuations"], old["energised_s"]) == ("LTB", 12, 4.0)
    assert (old["who"], old["reason"]) == ("Ann (root at the local door)", "leaks through")
    ledger.hear(wear(2, 5.0, LTB=13))
    await bench.close()
    (row,) = [row for row in (await bench.open()).book().shown()["valves"] if row["name"] == "LTB"]
    assert (row["actuations"], row["energised_s"], row["replaced_by"]) == (1, 1.0, "Ann")
    assert row["since"] == "2030-03-17T17:47:40.000Z"
    await bench.close()


async def test_a_valve_of_a_name_that_is_not_counted_cannot_be_replaced(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    ledger = await bench.open()
    with pytest.raises(KeyError):
        await ledger.replaced("alive", "Ann", "Ann", "")
    assert ledger.book().replaced == ()
    await bench.close()


async def test_a_disk_that_refuses_loses_no_count_and_no_replacement(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    ledger = await bench.open()
    ledger.hear(wear(1, LTB=3))
    await bench.audit.settle()
    bench.refuse(True)
    ledger.hear(wear(2, LTB=4))
    with pytest.raises(JournalError, match="readonly"):
        await bench.audit.settle()
    for second in range(3, 2000):
        ledger.hear(wear(second, LTB=second + 2))
    assert len(bench.audit.writer._taken) + len(bench.audit.writer._waiting) < 5, "what waits does not pile up"
    with pytest.raises(JournalError):
        await ledger.replaced("LTB", "Ann", "Ann", "")
    ledger.hear(wear(2001, LTB=2003))
    bench.refuse(False)
    await bench.audit.settle()
    await bench.close()
    stored = read_ledger(bench.path)
    assert [old.actuations for old in stored.replaced] == [2001]
    assert {line.name: line.total.actuations for line in stored.lines}["LTB"] == 2


async def test_each_step_towards_service_is_told_once_and_stays_to_be_seen(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    wired = outputs(LTB={"service_after": 10}, GL={"service_after": 100})
    ledger = await bench.open(wired)
    assert ledger.hear(wear(1, LTB=8)) == []
    assert ledger.hear(wear(2, LTB=9)) == ["LTB: 9 actuations; service is due after 10"]
    assert ledger.hear(wear(3, LTB=9)) == []
    assert ledger.hear(wear(4, LTB=11)) == ["LTB: 11 actuations; service was due after 10"]
    ledger.hear(wear(5, LTB=12, GL=95))
    assert [(each.text[:7], each.near) for each in ledger.due] == [("LTB: 12", 2), ("GL: 95 ", 1)]
    past, near = (each.since for each in ledger.due)
    assert 0 < past <= near
    await bench.close()
    ledger = await bench.open(wired, now_s=100.0)
    assert all(each.since >= near for each in ledger.due) and len(ledger.due) == 2, "and is known at the start"
    assert ledger.hear(wear(101, LTB=1)) == []
    assert ledger.adds({"LTB": 3, "TMA": 5}) == ["this run adds 3 actuations of LTB: 13 of 10; its service is overdue"]
    await bench.close()


async def test_a_ledger_that_is_none_is_refused_in_a_sentence(tmp_path: Path, inline: bool) -> None:
    with sqlite3.connect(tmp_path / "tool.db") as con:
        con.execute("CREATE TABLE wear(something TEXT)")
    con.close()
    bench = Bench(tmp_path, inline)
    with pytest.raises(JournalError, match=r"tool\.db: no such column: output"):
        await bench.open()
    with pytest.raises(JournalError, match="1 entries were not written"):
        await bench.audit.close()
