"""Rows G1 to G9 on the simulated reactor: bad air, a bad analyser, the pressure of the box, the gate, and no argon."""

from __future__ import annotations

import sqlite3
from dataclasses import replace
from pathlib import Path

from ald_controller import clearing, stamp
from ald_controller import commands as c
from ald_controller import interlocks as il
from ald_controller.interlocks.gate import Lock
from ald_controller.registers import RegisterFile
from simulators.beckhoff_io import CouplerB
from tests.recipe_bench import chemistry, loaded
from tests.run.rig import LIGL_C, OPERATOR, Rig, edited, ligl, virtually
from tests.run.rows import cannot_be_bypassed, elsewhere, in_record, shown, told

WARN, BLOCK, HOLD, ABORT, ISOLATE, ESTOP = (
    il.Reaction.WARN, il.Reaction.BLOCK, il.Reaction.HOLD, il.Reaction.ABORT_PURGE, il.Reaction.ABORT_ISOLATE,
    il.Reaction.ESTOP,
)  # fmt: skip
BOX_PA = 101_325.0 + 200.0
ITSELF = "the gate"
AUDITED = [
    ("gate", "Bob"), ("load", "Bob"), ("gate", ITSELF), ("gate", "Ann"), ("gate", ITSELF), ("gate", "Ann"),
    ("gate", ITSELF), ("load", "Ann (Ann at the inside door)"),
]  # fmt: skip


async def _dosing(rig: Rig, cycles: int = 3) -> None:
    """A run in the middle of its first dose."""
    await rig.start(ligl(cycles))
    await rig.until_open("LTB")


async def _unproven(rig: Rig) -> None:
    """A run whose gate has lost its locked contact: held, isolated, and nothing tripped."""
    await _dosing(rig, cycles=1)
    rig.contact("gate_locked", False)
    await rig.until(lambda: rig.state == "PAUSED" and rig.stop_shut, 2)
    await rig.rest(2)
    assert not rig.latched


def _again(folder: Path, warm: dict[str, float] | None = None) -> Rig:
    """The next start with the registers as they were left."""
    kept = RegisterFile(folder / "registers.yaml", chemistry()).registers
    rig = Rig(folder, warm=warm)
    RegisterFile(folder / "registers.yaml", chemistry()).save(kept)
    return rig


def _air(rig: Rig, o2_ppm: float) -> None:
    rig.world.plant.o2_ppm = o2_ppm


def _isolated(rig: Rig) -> bool:
    return rig.stop_shut and not rig.sources_open and rig.carrier_sccm() == 0.0 and not rig.contactor_closed


def _inputs(rig: Rig) -> CouplerB:
    coupler = rig.world.instruments["coupler-b"]
    assert isinstance(coupler, CouplerB)
    return coupler


def _energised(rig: Rig) -> bool:
    """The output of the gate's lock."""
    return bool(_inputs(rig).word >> 1 & 1)


def _gate(rig: Rig) -> Lock:
    return rig.console.guard.keeper.gate.lock


def _missing(rig: Rig) -> str:
    return "; ".join(rig.console.guard.keeper.gate.missing)


async def _vented(rig: Rig) -> None:
    """The chamber at the box's pressure, isolated, nothing latched.

    No procedure vents yet: the gas is put there. The mark is earned in test_pulse_watch.py.
    """
    await rig.proven()
    for _ in range(5):  # until the stop valve has shut it may pump
        rig.world.plant.advance(rig.now_s)
        rig.world.plant.gas.inert_pa = BOX_PA
        await rig.rest(0.5)
    assert rig.chamber == "UNKNOWN" and rig.stop_shut
    if rig.latched:
        await rig.rest(12)
        await rig.do(c.Reset(reason="vented on purpose"))
    keeper = rig.console.guard.keeper
    assert "120 s are needed" in _missing(rig)
    keeper.gate = replace(keeper.gate, sources_since_s=rig.now_s - 120)
    since_s = rig.now_s - 1000
    rig.console.clearing.state = clearing.Clearing(rig.now_s, since_s, frozenset(), cleared=True)
    await rig.rest(1)
    assert not keeper.gate.missing, keeper.gate.missing


# --- G1, G2, G7: the air, and who measures it ------------------------------------------------------------------------


@virtually
async def test_g1_bad_air_behind_a_gate_proven_shut_warns_blocks_and_never_touches_a_run(tmp_path: Path) -> None:
    async with Rig(tmp_path, warm=LIGL_C) as rig:
        await _dosing(rig, cycles=1)
        one = await told(rig, "G1", BLOCK, "6 ppm O2 behind a shut gate", lambda: _air(rig, 6.0), within_s=12)
        assert one.measured_s is not None and 10 <= one.measured_s <= 10 + 0.5
        cannot_be_bypassed(rig, "G1")
        _air(rig, 60.0)
        record = await rig.ended()
        assert record.ending == "completed" and record.summary["doses"] == 2
        assert "G1" in [e.fields["row"] for e in record.events("alarm")]
        assert "G1" in await rig.refused(c.Start(name="test"), "blocked")
        assert "G1" in await rig.refused(c.Gate(act="release"), "gate-refused")


@virtually
async def test_g2_bad_air_with_the_gate_unproven_holds_and_asks_for_sixty_degrees(tmp_path: Path) -> None:
    async with Rig(tmp_path, warm=LIGL_C) as rig:
        await _unproven(rig)
        _air(rig, 9.0)
        await rig.rest(2)  # in steps, so that it is the level and not the rise
        heaters = rig.console.tool.heaters
        await shown(
            rig, "G2", HOLD, "12 ppm O2, gate unproven, in a run", lambda: _air(rig, 12.0),
            lambda: heaters.asked_c()["substrate"] == 60.0 and heaters.asked_c()["chamber"] == 60.0, persist_s=10,
        )  # fmt: skip
        assert rig.state == "PAUSED" and not rig.sources_open
        await rig.rest(2)
        assert rig.power("substrate") == rig.power("chamber") == 0.0 and rig.power("source-3") > 0.0
        source_c = heaters.asked_c()["source-3"]
        assert source_c is not None and source_c > 140.0  # a source is no place where lithium lies
        _air(rig, 0.3)
        rig.contact("gate_locked", True)
        await rig.until(lambda: rig.chamber == "VACUUM", 20)
        await rig.do(c.Reset())
        await rig.rest(0.3)
        asked = heaters.asked_c()["substrate"]
        assert asked is not None and 100 < asked < 150.0  # up again from where it is, no faster than it may
        await rig.do(c.Resume())
        record = await rig.ended()
        assert record.ending == "completed"
        in_record(record, "G2")


@virtually
async def test_g2_fifty_ppm_or_a_fast_rise_with_the_gate_unproven_aborts_and_isolates(tmp_path: Path) -> None:
    for folder, start, bad in (("level", 45.0, 51.0), ("rise", 0.3, 14.0)):
        async with Rig(tmp_path / folder, warm=LIGL_C) as rig:
            await _dosing(rig)
            for value in (9.0, 18.0, 27.0, 36.0, 45.0):
                if value <= start:
                    _air(rig, value)
                    await rig.rest(1.2)
            assert not rig.latched

            def open_to_bad_air(rig: Rig = rig, bad: float = bad) -> None:
                rig.contact("gate_locked", False)
                _air(rig, bad)

            one = await shown(
                rig, "G2", ABORT, f"{bad:g} ppm O2 ({folder}), gate unproven, in a dose", open_to_bad_air,
                lambda rig=rig: _isolated(rig),
            )  # fmt: skip
            assert one.measured_s is not None and one.measured_s < 2.0
            first = rig.console.guard.state.first_out
            assert first is not None and "isolate the purifier" in first.cause.detail
            record = await rig.ended(60)
            assert record.ending == "tripped"
            in_record(record, "G2")


@virtually
async def test_g7_an_analyser_at_the_end_of_its_range_keeps_gate_and_start_blocked_behind_a_shut_gate(
    tmp_path: Path,
) -> None:
    async with Rig(tmp_path, warm=LIGL_C) as rig:
        await _dosing(rig, cycles=1)
        await told(rig, "G7", BLOCK, "O2 analyser at 20 mA", lambda: _air(rig, 400.0), within_s=1)
        cannot_be_bypassed(rig, "G7")
        assert rig.console.guard.state.blocked == il.Blocks.START | il.Blocks.GATE
        assert (await rig.ended()).ending == "completed"


@virtually
async def test_g7_an_analyser_that_is_broken_or_old_with_the_gate_unproven_holds(tmp_path: Path) -> None:
    async with Rig(tmp_path, warm=LIGL_C) as rig:
        await _unproven(rig)
        await shown(
            rig, "G7", HOLD, "broken wire to the H2O analyser, gate unproven",
            lambda: setattr(_inputs(rig).channels["h2o_ppm"], "broken", True), lambda: rig.latched,
        )  # fmt: skip
        assert rig.state == "PAUSED" and rig.console.tool.heaters.asked_c()["substrate"] == 60.0
        await rig.do(c.Abort())
        in_record(await rig.ended(60), "G7")


@virtually
async def test_g7_is_bypassed_on_a_hand_held_reading_alone(tmp_path: Path) -> None:
    async with Rig(tmp_path, load="polyimide") as rig:
        await rig.proven()
        ask = c.Bypass(row="G7", minutes=30, reason="the display is dark")
        assert "hand-held reading" in await rig.refused(ask, "bypass-refused")
        with_reading = c.Bypass(row="G7", minutes=30, reason="0.4 ppm O2 by hand")
        assert "burns in air" in await rig.refused(with_reading, "bypass-refused")  # TMA hangs at this tool
        for port in ("TMA", "spare"):
            bottle = {"label": "W-1", "precursor": "water"}
            await rig.do(c.SetRegister(name=f"bottle.{port}", value=bottle, by="Ann"))
            await rig.do(c.SetRegister(name=f"confirmed.{port}", value={"label": "W-1"}, by="Ann"))
        await rig.rest(0.3)
        _inputs(rig).channels["o2_ppm"].broken = True
        await rig.until(lambda: rig.console.guard.state.blocked & il.Blocks.GATE, 1)
        await rig.do(with_reading)
        await rig.rest(0.3)
        assert not rig.console.guard.state.blocked & il.Blocks.GATE
        assert [c.row for c in rig.console.guard.state.bypassed] == ["G7"]
        await rig.do(c.Restore(row="G7"))
        await rig.rest(0.3)
        assert rig.console.guard.state.blocked & il.Blocks.GATE


# --- the purifier regenerates ----------------------------------------------------------------------------------------


@virtually
async def test_while_the_purifier_regenerates_a_run_may_start_and_the_gate_stays_shut_also_after_a_restart(
    tmp_path: Path,
) -> None:
    async with Rig(tmp_path, warm=LIGL_C) as rig:
        await rig.proven()
        assert "how long" in await rig.refused(c.Box(mode="regenerating", by="Bob"), "misplaced")
        await rig.refused(c.Box(mode="ready", by="Bob"), "misplaced")
        await rig.do(c.Box(mode="regenerating", for_s=2400, by="Bob"))
        _air(rig, 40.0)
        await rig.rest(35)
        assert [a.row for a in rig.console.status().alarms if a.row.startswith("G")] == ["G1"]
        assert rig.console.guard.state.blocked is il.Blocks.GATE
        assert "says Bob" in rig.console.status().box
        refused = "is set by `ald box`"
        box = c.SetRegister(name="box", value={"until": "2031-01-01T00:00:00Z"}, by="Eve")
        assert refused in await rig.refused(box, "register-refused")
        await rig.start(ligl(1))
        await rig.until_open("LTB")
        await rig.do(c.Stop())
        await rig.ended()
    async with _again(tmp_path, LIGL_C) as again:
        assert "says Bob" in again.console.status().box
        assert again.console.guard.keeper.regeneration is not None
        await again.do(c.Box(mode="ready", by="Bob"))
        assert again.console.status().box == ""
    assert "box" not in RegisterFile(tmp_path / "registers.yaml", chemistry()).registers.entries


@virtually
async def test_a_regeneration_whose_time_ran_out_while_nobody_watched_is_over_at_the_start(tmp_path: Path) -> None:
    file = RegisterFile(tmp_path / "registers.yaml", chemistry())
    file.save(loaded("lithium"))
    file.set("box", {"until": "2020-01-01T00:00:00Z"}, "Bob", stamp.iso(stamp.utc_now()))
    async with _again(tmp_path) as rig:
        await rig.rest(0.5)
        assert rig.console.guard.keeper.regeneration is None and rig.console.status().box == ""
        assert "box" not in rig.console.registers.entries


# --- G3, G4, G5: the gate --------------------------------------------------------------------------------------------


@virtually
async def test_g3_a_gate_that_is_forced_in_a_dose_is_an_estop(tmp_path: Path) -> None:
    async with Rig(tmp_path, warm=LIGL_C) as rig:
        await _dosing(rig)
        await shown(
            rig, "G3", ESTOP, "the gate is forced open in a dose", lambda: rig.contact("gate_shut", False),
            lambda: _isolated(rig),
        )  # fmt: skip
        record = await rig.ended(60)
        assert record.ending == "tripped" and rig.state == "FAULT"
        in_record(record, "G3")
        assert [e.fields["what"] for e in record.events("gate")] == ["forced"]
        rig.contact("gate_shut", True)
        await rig.rest(12)
        assert "owner" in (await rig.ask(c.Reset(), OPERATOR)).text
        assert rig.console.registers.load_material is None  # it was opened: nobody knows what lies in there now


@virtually
async def test_g3_and_g5_a_gate_opens_only_with_everything_proven_locks_by_itself_and_makes_the_load_unknown(
    tmp_path: Path,
) -> None:
    async with Rig(tmp_path, load="polyimide") as rig:
        await rig.proven()
        await rig.rest(2)
        told_ = await rig.refused(c.Gate(act="release"), "gate-refused")
        for why in ("not cleared", "hot purge", "the stop valve is not known to be shut", "chamber and box"):
            assert why in told_
        assert not _energised(rig)
        await _vented(rig)
        rig.world.plant.gas.inert_pa += 700.0  # 7 mbar
        await rig.until(lambda: "mbar above the box" in _missing(rig), 1)
        assert "(G5)" in await rig.refused(c.Gate(act="release"), "gate-refused")
        elsewhere("G5", "7 mbar above the box: the lock stays", BLOCK)
        rig.world.plant.gas.inert_pa = BOX_PA
        await rig.until(lambda: not _missing(rig), 1)

        assert (await rig.ask(c.Gate(act="release"), OPERATOR)).ok
        await rig.until(lambda: _energised(rig), 0.5)
        assert "released by Bob" in rig.console.status().gate
        await rig.do(c.Gate(act="lock"))
        await rig.until(lambda: _gate(rig) is Lock.LOCKED and not _energised(rig), 1)
        await rig.do(c.Gate(act="release"))
        await rig.until(lambda: _energised(rig), 0.5)
        rig.world.plant.gas.inert_pa += 700.0
        await rig.until(lambda: not _energised(rig), 0.5)  # what is missing locks it while it is shut
        rig.world.plant.gas.inert_pa = BOX_PA
        await rig.until(lambda: _gate(rig) is Lock.LOCKED and not _missing(rig), 2)

        await rig.do(c.Gate(act="release"))
        await rig.until(lambda: _energised(rig), 0.5)
        assert rig.console.registers.is_lithium  # before the lock opens
        rig.contact("gate_shut", False)
        await rig.until(lambda: rig.chamber == "AT_BOX", 1)
        assert not rig.latched and _gate(rig) is Lock.OPEN and rig.stop_shut
        assert rig.console.registers.is_lithium
        loaded_ = c.SetRegister(name="load", value={"material": "polyimide", "seen_empty": True}, by="Ann")
        assert "is open" in await rig.refused(loaded_, "register-refused")
        assert "is open" in await rig.refused(c.Gate(act="lock"), "gate-refused")
        await rig.rest(5)
        assert _energised(rig)  # it can be shut
        rig.contact("gate_shut", True)
        await rig.until(lambda: _gate(rig) is Lock.LOCKED and not _energised(rig), 3)
        assert "not cleared" in _missing(rig)
        await rig.do(loaded_)
        assert not rig.console.registers.is_lithium
    with sqlite3.connect(tmp_path / "tool.db") as db:
        changed = [
            row for row in db.execute("SELECT name, who FROM registers ORDER BY rowid") if row[0] in ("gate", "load")
        ]
    assert changed == AUDITED
    kept = RegisterFile(tmp_path / "registers.yaml", chemistry()).registers
    assert kept.load_material is not None and "gate" not in kept.entries


@virtually
async def test_a_start_with_the_gate_open_is_refused(tmp_path: Path) -> None:
    async with Rig(tmp_path) as rig:
        await _vented(rig)
        await rig.do(c.Upload(name="test", text=ligl(1)))
        await rig.do(c.Gate(act="release"))
        await rig.until(lambda: _energised(rig), 0.5)
        rig.contact("gate_shut", False)
        await rig.rest(0.5)
        assert "G3" in await rig.refused(c.Start(name="test"), "blocked")


@virtually
async def test_a_gate_that_was_released_before_a_restart_was_not_forced(tmp_path: Path) -> None:
    async with Rig(tmp_path) as rig:
        await _vented(rig)
        await rig.do(c.Gate(act="release"))
        await rig.until(lambda: _energised(rig), 0.5)
        rig.contact("gate_shut", False)
        await rig.rest(0.5)
    async with _again(tmp_path) as again:
        again.contact("gate_shut", False)
        assert not _energised(again)  # nothing is energised because it was before
        await again.rest(2)
        rows = {cause.row: cause.reaction for cause in again.console.guard.state.active}
        assert rows.get("G3") is BLOCK and _gate(again) is Lock.OPEN
        again.contact("gate_shut", True)
        await again.until(lambda: _gate(again) is Lock.LOCKED, 3)
    assert "gate" not in RegisterFile(tmp_path / "registers.yaml", chemistry()).registers.entries


@virtually
async def test_a_gate_found_open_at_a_start_that_nobody_released_is_an_estop(tmp_path: Path) -> None:
    async with Rig(tmp_path) as rig:
        rig.contact("gate_shut", False)
        await rig.until(lambda: any(x.row == "G3" for x in rig.console.guard.state.active), 3)
        assert rig.console.guard.state.level is ESTOP
        assert rig.console.registers.load_material is None


@virtually
async def test_g4_a_stop_valve_that_opens_against_an_open_gate_isolates_within_its_travel_time(tmp_path: Path) -> None:
    async with Rig(tmp_path) as rig:
        await _vented(rig)
        await rig.do(c.Gate(act="release"))
        await rig.until(lambda: _energised(rig), 0.5)
        rig.contact("gate_shut", False)
        await rig.until(lambda: rig.chamber == "AT_BOX", 1)
        plant = rig.world.plant
        plant.advance(rig.now_s)
        plant.path.target = 1.0  # its spring, against the word that shuts it
        waited_s = await rig.until(lambda: any(x.row == "G4" for x in rig.console.guard.state.latched), 4)
        assert waited_s <= 0.7 + 1.0 + 0.3  # it opens, its travel time passes, it is read and judged
        assert rig.console.guard.state.level is ISOLATE
        elsewhere("G4", "the stop valve opens against an open gate", ISOLATE)


# --- G6, G8, G9 ------------------------------------------------------------------------------------------------------


@virtually
async def test_g6_the_box_out_of_its_pressure_blocks_the_gate_and_holds_where_it_is_not_proven_shut(
    tmp_path: Path,
) -> None:
    async with Rig(tmp_path, warm=LIGL_C) as rig:
        await _dosing(rig)
        low = lambda: setattr(rig.world.plant, "box_over_pa", -1350.0)  # noqa: E731
        await told(rig, "G6", BLOCK, "box 13.5 mbar below the room, gate shut", low, within_s=4)
        assert rig.console.guard.state.blocked is il.Blocks.GATE and rig.state == "EXECUTING"
        rig.world.plant.box_over_pa = 200.0
        await rig.rest(1)
        rig.contact("gate_locked", False)
        await rig.until(lambda: rig.state == "PAUSED" and rig.stop_shut, 2)
        await shown(
            rig, "G6", HOLD, "box 13.5 mbar above the room, gate unproven",
            lambda: setattr(rig.world.plant, "box_over_pa", 1350.0),
            lambda: rig.latched and rig.stop_shut and rig.carrier_sccm() == 0.0, persist_s=2,
        )  # fmt: skip
        await rig.do(c.Abort())
        in_record(await rig.ended(60), "G6")


@virtually
async def test_g8_an_argon_line_that_is_empty_isolates_after_two_seconds(tmp_path: Path) -> None:
    async with Rig(tmp_path, warm=LIGL_C) as rig:
        await rig.proven()
        await shown(
            rig, "G8", ISOLATE, "no argon, nothing flowing", lambda: rig.contact("argon_ok", False),
            lambda: rig.stop_shut and rig.carrier_sccm() == 0.0, persist_s=2,
        )  # fmt: skip
        rig.contact("argon_ok", True)
        await rig.until_state("FAULT", 5)
        await rig.rest(12)
        assert (await rig.ask(c.Reset(), OPERATOR)).ok


@virtually
async def test_a_tool_without_analysers_says_so_at_its_start_and_its_gate_stays_locked(tmp_path: Path) -> None:
    def bare(raw: dict[str, dict[str, str]]) -> None:
        del raw["signals"]["glovebox_o2"]

    async with Rig(tmp_path / "rig", file=edited(tmp_path, bare)) as rig:
        await rig.proven()
        status = rig.console.status()
        assert any(line.startswith("G1, G2, G7: no O2 analyser") for line in status.not_guarded)
        assert "there is no O2 analyser" in await rig.refused(c.Gate(act="release"), "gate-refused")
