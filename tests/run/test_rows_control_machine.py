"""Rows K7 to K13, K15, K16, K19 on the simulated reactor: the computer, its disk, its broker, and people."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from ald_controller import commands as c
from ald_controller import interlocks as il
from ald_controller.confirming import all_confirmed
from ald_controller.feeds.machine import MIB
from ald_controller.registers import RegisterFile, Registers
from simulators.faults import Fault
from tests.recipe_bench import chemistry, loaded, tool
from tests.run.rig import LIGL_C, OPERATOR, Rig, edited, ligl, virtually
from tests.run.rows import elsewhere, in_record, shown, told

WARN, BLOCK, HOLD, ESTOP = (
    il.Reaction.WARN, il.Reaction.BLOCK, il.Reaction.HOLD, il.Reaction.ESTOP,
)  # fmt: skip


async def _dosing(rig: Rig, cycles: int = 3, pulse: str = "1 s") -> None:
    """A run in the middle of its first dose."""
    await rig.start(ligl(cycles).replace("LiOtBu, pulse: 1 s", f"LiOtBu, pulse: {pulse}"))
    await rig.until_open("LTB")


def _live(rig: Rig, row: str) -> bool:
    return any(cause.row == row for cause in rig.console.guard.state.active)


@virtually
async def test_k7_k9_k11_what_touches_no_run_warns_and_the_run_goes_on(tmp_path: Path) -> None:
    file = edited(tmp_path, lambda raw: raw.update(mqtt={"host": "127.0.0.1", "user": "ald-reference"}))
    rig, up = Rig(tmp_path, warm=LIGL_C, file=file), [True]
    rig.daemon.parts = replace(rig.daemon.parts, file=file, broker=lambda: up[0])
    async with rig:
        text = ligl(3)
        await rig.start(text)
        await rig.until_open("LTB")
        machine = rig.daemon.machine
        honest = machine.wall

        def step() -> None:
            machine.wall = lambda: honest() + 86_400.0

        await told(rig, "K7", WARN, "the clock steps by a day in a run", step, within_s=1)
        await told(rig, "K9", WARN, "the broker is gone for ten seconds", lambda: up.__setitem__(0, False),
                   within_s=11)  # fmt: skip
        up[0] = True
        await rig.until(lambda: not _live(rig, "K9"), 1)
        await rig.do(c.Upload(name="test", text=text))
        await rig.rest(1)
        assert not _live(rig, "K11")  # the same text is no change
        await rig.do(c.Upload(name="test", text=ligl(2)))
        await told(rig, "K11", WARN, "another text under the running recipe's name", lambda: None, within_s=1)
        record = await rig.ended()
        assert record.ending == "completed" and record.summary["doses"] == 6  # of the text that it began with
        assert [e.fields["step_s"] for e in record.events("clock")] == [86_400.0]
        await rig.rest(0.2)
        assert not _live(rig, "K11") and _live(rig, "K7")


@virtually
async def test_k8_a_disk_that_fills_up_warns_and_then_bars_the_start(tmp_path: Path) -> None:
    async with Rig(tmp_path, warm=LIGL_C) as rig:
        await rig.proven()
        await rig.do(c.Upload(name="test", text=ligl(1)))
        space = rig.daemon.machine.space

        def free(mib: float) -> None:
            space.free_bytes = lambda folder: mib * MIB

        await told(rig, "K8", WARN, "a nearly full disk", lambda: free(1000), within_s=11)
        assert rig.console.guard.may_start
        await told(rig, "K8", BLOCK, "a full disk bars the start", lambda: free(499), within_s=11)
        assert "K8" in await rig.refused(c.Start(name="test"), "blocked")
        free(2000)
        await rig.until(lambda: rig.console.guard.may_start, 11)
        space._run = lambda work: None  # a disk that hangs: no figure comes back any more
        await rig.until(lambda: not rig.console.guard.may_start, 45)
        assert "too old" in await rig.refused(c.Start(name="test"), "blocked")


@virtually
async def test_k8_a_record_that_fails_in_a_run_lets_what_is_loaded_end_and_holds(tmp_path: Path) -> None:
    async with Rig(tmp_path, warm=LIGL_C) as rig:
        await _dosing(rig, cycles=2)
        job = rig.console._job
        assert job is not None
        con = job.journal._writer._con
        assert con is not None
        await shown(
            rig, "K8", HOLD, "the record refuses in a run: what is loaded ends, nothing more begins",
            lambda: con.execute("PRAGMA query_only = ON"), lambda: rig.state == "PAUSED", within_s=30,
        )  # fmt: skip
        assert not rig.sources_open and rig.carrier_sccm() == 20.0
        assert job.run.progress.confirmed >= 1 and job.run.progress.missed == 0
        assert "was not begun, because the journal failed" in job.run.why_paused
        con.execute("PRAGMA query_only = OFF")
        await rig.rest(12)
        await rig.do(c.Reset())
        await rig.do(c.Resume())
        record = await rig.ended()
        in_record(record, "K8")
        assert record.ending == "completed" and record.summary["doses"] == 4 and record.summary["records_lost"] == 0


def _payload(id: str, **fields: Any) -> bytes:
    return json.dumps({"id": id, **fields}).encode()


@virtually
async def test_k10_k12_old_commands_and_those_of_a_second_person_are_refused_and_counted(tmp_path: Path) -> None:
    def two(raw: dict[str, Any]) -> None:
        raw["people"]["operator"]["mqtt"] = ["Bob", "Cid"]

    async with Rig(tmp_path, warm=LIGL_C, file=edited(tmp_path, two)) as rig:
        await _dosing(rig)
        desk = rig.daemon._desk
        command = _payload("pause-0001", expires=desk.now() + 20)
        answer = await desk.remote("Bob", "pause", command, retained=False)
        assert answer.ok and rig.state == "PAUSING"
        await rig.until_state("PAUSED", 60)
        await rig.do(c.Resume())
        again = await desk.remote("Bob", "pause", command, retained=False)
        assert again == answer and rig.state == "EXECUTING" and desk.refused["replayed"] == 1
        kept = await desk.remote("Bob", "pause", _payload("pause-0002", expires=desk.now() + 20), retained=True)
        old = await desk.remote("Bob", "pause", _payload("pause-0003", expires=desk.now() - 1), retained=False)
        far = await desk.remote("Bob", "pause", _payload("pause-0004", expires=desk.now() + 3600), retained=False)
        assert [a.code for a in (kept, old, far)] == ["retained", "stale", "stale"] and rig.state == "EXECUTING"
        elsewhere("K10", "a command again, retained, expired: refused and counted; nothing moves")

        status = rig.console.status()
        desk.published(status)
        mine = await desk.remote(
            "Bob", "upload", _payload("upload-001", seen=status.sequence, args={"name": "a", "text": "x"}),
            retained=False,
        )  # fmt: skip
        other = await desk.remote(
            "Cid", "upload", _payload("upload-002", seen=status.sequence, args={"name": "a", "text": "y"}),
            retained=False,
        )  # fmt: skip
        assert mine.ok and other.code == "state-changed" and "Bob" in other.text
        assert rig.console.recipes.kept.get("a") == "x"
        elsewhere("K12", "a command on a state that another person has changed since names that person")


@virtually
async def test_k13_a_quantity_without_its_unit_is_refused_at_its_line(tmp_path: Path) -> None:
    async with Rig(tmp_path, warm=LIGL_C) as rig:
        await rig.proven()
        for wrong in ("purge: 5", "purge: 5 K", "purge: -5 s", "purge: .nan s"):
            text = ligl(1).replace("purge: 5 s", wrong, 1)
            line = text[: text.index(wrong)].count("\n") + 1
            await rig.do(c.Upload(name="test", text=text))
            refusal = await rig.refused(c.Start(name="test"), "recipe-refused")
            assert f":{line}:" in refusal, refusal
        assert rig.state == "IDLE" and not rig.sources_open
    elsewhere("K13", "a bare number, another unit, a negative time and no number: refused at their line")


@virtually
async def test_k16_a_bypass_ends_by_itself_and_its_row_is_live_in_the_same_scan(tmp_path: Path) -> None:
    rig = Rig(tmp_path, load="silicon")
    RegisterFile(tmp_path / "registers.yaml", chemistry()).save(_harmless(loaded("silicon")))
    async with rig:
        await rig.proven()
        await rig.do(c.Bypass(row="G1", minutes=1, reason="the analyser is being calibrated"))
        rig.world.plant.o2_ppm = 8.0
        await rig.rest(50)
        state = rig.console.guard.state
        assert not _live(rig, "G1") and [cause.row for cause in state.bypassed] == ["G1"]
        rested_s = await rig.until(lambda: _live(rig, "G1"), 15, 0.02)
        assert rested_s < 10.2 and not rig.console.guard.state.bypasses
        await told(rig, "K16", WARN, "a bypass reaches its end", lambda: None, within_s=0.3)


def _harmless(registers: Registers) -> Registers:
    """Water at every port, confirmed: nothing that could burn in air."""
    for port in tool().config.ports:
        card = {"label": f"W-{port}", "precursor": "water"}
        registers = registers.set(f"bottle.{port}", card, "Ann", "2025-05-05T08:00:00Z", chemistry())
    return all_confirmed(registers, chemistry())


@virtually
async def test_k19_many_alarms_at_once_say_so_and_keep_the_first_out(tmp_path: Path) -> None:
    async with Rig(tmp_path, warm=LIGL_C) as rig:
        await _dosing(rig)
        rig.world.faults["chamber"].put(Fault(silent=True))
        await rig.until(lambda: rig.first_out == "K14", 5)
        first = rig.console.guard.state.first_out
        for name in ("substrate", "source-3", "source-4", "source-5", "lines", "carrier", "pusher", "pirani"):
            rig.world.faults[name].put(Fault(silent=True))
        rig.world.plant.o2_ppm = rig.world.plant.h2o_ppm = 8.0
        for contact in ("mains_ok", "limit_controller_ok", "estop_ok"):
            rig.contact(contact, False)
        await rig.until(lambda: _live(rig, "K19"), 60)
        assert rig.console.guard.state.first_out is first
        status = rig.console.status().alarms
        assert status[0].first_out and status[0].row == "K14"
    elsewhere("K19", "more than ten alarms within ten minutes; the first-out stays in front", WARN)


@virtually
async def test_k15_limits_that_the_owner_has_not_signed_for_bar_the_start_and_only_the_owner_signs(
    tmp_path: Path,
) -> None:
    strict = edited(tmp_path, lambda raw: raw["limits"].update(lithium_trip="165 °C"))
    rig = Rig(tmp_path, warm=LIGL_C, file=strict)
    rig.limits_confirmed = False  # the registers have the name of the limits before the edit
    async with rig:
        await rig.proven()
        await rig.do(c.Upload(name="test", text=ligl(1)))
        await told(rig, "K15", BLOCK, "a limit in the tool file was edited", lambda: None, within_s=0.1)
        assert "K15" in await rig.refused(c.Start(name="test"), "blocked")
        matrix = (await rig.ask(c.GetInterlocks())).data
        limits = matrix["limits"]
        assert not matrix["confirmed"]
        sign = c.SetRegister(name="confirmed.limits", value=limits, by="Ann")
        assert (await rig.ask(sign, OPERATOR)).code == "forbidden"
        await rig.do(sign)
        await rig.rest(0.2)
        assert not _live(rig, "K15") and (await rig.ask(c.Start(name="test"))).ok
        assert "confirmed.limits" in (Path(rig.console.run_status().folder) / "registers.yaml").read_text("utf-8")  # type: ignore[union-attr]
        await rig.ended()
        await rig.do(c.SetRegister(name="constant.leak", value="0.0002 mbar L/s", by="Ann"))
        await rig.until(lambda: _live(rig, "K15"), 0.2)  # a constant is a limit, too


@virtually
async def test_a_limit_of_the_gate_or_of_a_device_bars_the_start_as_well_until_it_is_signed_for(tmp_path: Path) -> None:
    edits: list[Callable[[dict[str, Any]], Any]] = [
        lambda raw: raw["limits"].update(glove="100 °C"),
        lambda raw: raw["signals"].pop("confirm"),
        lambda raw: raw["devices"]["substrate"].update(safe_local="150 °C"),
    ]
    for number, edit in enumerate(edits):
        folder = tmp_path / str(number)
        rig = Rig(folder, warm=LIGL_C, file=edited(folder, edit))
        rig.limits_confirmed = False
        async with rig:
            await rig.proven()
            await rig.do(c.Upload(name="test", text=ligl(1)))
            assert "K15" in await rig.refused(c.Start(name="test"), "blocked")
