"""A run's share of what valves wear, their service as people are told of it, and a valve that was replaced."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

from ald_controller import commands as c
from ald_controller.records.ledger import read_ledger
from ald_controller.records.report import write_report
from tests.run.rig import LIGL_C, Rig, edited, ligl, virtually


def serviced(folder: Path, after: int) -> Any:
    """The reference tool with this limit on LTB."""

    def change(raw: dict[str, Any]) -> None:
        raw["valves"]["outputs"]["LTB"]["service_after"] = after

    return edited(folder, change)


async def valve(rig: Rig, name: str) -> dict[str, Any]:
    rows = (await rig.do(c.GetValves())).data["valves"]
    return next(row for row in rows if row["name"] == name)


def services(rig: Rig) -> list[str]:
    return [a.text for a in rig.console.status().alarms if a.row == "service"]


@virtually
async def test_a_run_knows_how_often_it_moved_each_valve_and_the_check_said_so_before(tmp_path: Path) -> None:
    async with Rig(tmp_path, warm=LIGL_C) as rig:
        await rig.start(ligl(3))
        record = await rig.ended()
        checked = (await rig.do(c.Check(name="test"))).data["actuations"]
        assert checked == {"LTB": 3, "GL": 3, "stop": 6}
        assert record.summary["actuations"] == {**checked, "lithium heaters": 1}
        ltb, stop = await valve(rig, "LTB"), await valve(rig, "stop")
        assert (ltb["actuations"], ltb["energised_is"], ltb["energised_s"]) == (3, "open", 3.0)
        # once more than in the run: the chamber was isolated until its vacuum was proven
        assert (stop["actuations"], stop["energised_is"]) == (7, "shut")
        report = write_report(Path(rig.console.last.folder)).read_text("utf-8")  # type: ignore[union-attr]
        assert "Valve actuations in this run" in report and "LTB <b>3</b>" in report


@virtually
async def test_who_extends_a_run_is_told_of_a_valve_whose_service_comes_due_by_that_and_the_record_too(
    tmp_path: Path,
) -> None:
    async with Rig(tmp_path, warm=LIGL_C, file=serviced(tmp_path / "tool", 4)) as rig:
        run = await rig.start(ligl(2))
        await rig.until_open("GL")  # LTB has moved once
        assert "actuation" not in (await rig.do(c.Extend(run=run, turns=1))).text  # three of four
        told = (await rig.do(c.Extend(run=run, turns=1))).text.splitlines()[-1]
        assert told == "this run adds 3 actuations of LTB: 1 of 4; its service comes due in this run"
        record = await rig.ended()
    assert [extension.warnings for extension in record.header.extensions] == [(), (told,)]
    report = write_report(record.folder).read_text("utf-8")
    assert "Warned when extended" in report and told in report


@virtually
async def test_totals_go_on_after_a_restart_of_the_controller(tmp_path: Path) -> None:
    for runs in (1, 2):
        async with Rig(tmp_path, warm=LIGL_C) as rig:
            await rig.start(ligl(2))
            await rig.ended()
            assert (await valve(rig, "LTB"))["actuations"] == 2 * runs
    stored = {line.name: line.total for line in read_ledger(tmp_path / "tool.db").lines}
    assert stored["LTB"].actuations == 4 and stored["LTB"].on_ns == 4_000_000_000


@virtually
async def test_the_last_counts_of_a_controller_that_ends_in_a_dose_are_kept(tmp_path: Path) -> None:
    async with Rig(tmp_path, warm=LIGL_C) as rig:
        await rig.start(ligl(2))
        await rig.until_open("LTB")
        await rig.rest(0.3)
    total = next(line.total for line in read_ledger(tmp_path / "tool.db").lines if line.name == "LTB")
    assert total.actuations == 1 and 290_000_000 < total.on_ns < 400_000_000


@virtually
async def test_a_valve_near_its_service_is_told_everywhere_and_stops_nothing(tmp_path: Path) -> None:
    async with Rig(tmp_path, warm=LIGL_C, file=serviced(tmp_path / "tool", 4)) as rig:
        await rig.proven()
        await rig.do(c.Upload(name="test", text=ligl(3)))
        # three of four are not yet nine tenths
        assert "actuations of LTB" not in (await rig.do(c.Check(name="test"))).text
        await rig.start(ligl(3))
        assert (await rig.ended()).ending == "completed"
        assert services(rig) == []

        told = "this run adds 3 actuations of LTB: 3 of 4; its service comes due in this run"
        assert told in (await rig.do(c.Check(name="test"))).text
        await rig.start(ligl(3))
        record = await rig.ended()
        assert record.ending == "completed", "never a stop"
        assert told in record.header.warnings
        text = "LTB: 4 actuations; service was due after 4"
        assert [e.fields["text"] for e in record.events() if e.kind == "alarm"] == [text]
        assert services(rig) == ["LTB: 6 actuations; service was due after 4"]
        await rig.do(c.Reset())
        assert len(services(rig)) == 1, "no reset makes a valve younger"

        await rig.start(ligl(1))
        record = await rig.ended()
        assert record.ending == "completed", "never a refusal"
        assert "this run adds 1 actuation of LTB: 6 of 4; its service is overdue" in record.header.warnings


@virtually
async def test_a_replaced_valve_counts_from_zero_and_warns_no_more(tmp_path: Path) -> None:
    file = serviced(tmp_path / "tool", 2)
    async with Rig(tmp_path, warm=LIGL_C, file=file) as rig:
        await rig.start(ligl(2))
        await rig.ended()
        assert services(rig)
        reply = await rig.do(c.ValveReplaced(name="LTB", by="Ann", reason="leaks through"))
        assert reply.text == "LTB counts from zero, signed by Ann; 2 actuations are kept"
        assert services(rig) == []
        row = await valve(rig, "LTB")
        assert (row["actuations"], row["energised_s"], row["replaced_by"]) == (0, 0.0, "Ann")
    async with Rig(tmp_path, warm=LIGL_C, file=file) as rig:
        data = (await rig.do(c.GetValves())).data
        assert [(old["name"], old["actuations"], old["reason"]) for old in data["replaced"]] == [
            ("LTB", 2, "leaks through")
        ]
        assert services(rig) == []


@virtually
async def test_no_valve_is_replaced_in_a_run_nor_under_a_name_that_nobody_knows(tmp_path: Path) -> None:
    async with Rig(tmp_path, warm=LIGL_C) as rig:
        told = await rig.refused(c.ValveReplaced(name="LTBB", by="Ann"), "no-such-output")
        assert "LTBB" in told and "TMA, H2O, LTB" in told and "alive" not in told
        await rig.start(ligl(1))
        told = await rig.refused(c.ValveReplaced(name="LTB", by="Ann"), "misplaced")
        assert rig.state in told
        await rig.until_open("LTB")
        await rig.do(c.Abort())
        await rig.until_state("FAULT", 10)
        await rig.ended()
        await rig.do(c.ValveReplaced(name="LTB", by="Ann"))


@virtually
async def test_a_replacement_that_the_disk_refuses_is_done_and_says_so(tmp_path: Path) -> None:
    async with Rig(tmp_path, warm=LIGL_C) as rig:
        con = rig.console.ledger._writer._con
        assert isinstance(con, sqlite3.Connection)
        con.execute("PRAGMA query_only=ON")
        reply = await rig.do(c.ValveReplaced(name="LTB", by="Ann"))
        assert "not on the disk yet" in reply.text and "readonly" in reply.text
        con.execute("PRAGMA query_only=OFF")
    assert [old.name for old in read_ledger(tmp_path / "tool.db").replaced] == ["LTB"]
