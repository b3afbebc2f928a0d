"""The safe sequences on the simulated reactor: purge to its end, isolation, leases of valves and heaters, and holds."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from ald_controller import commands as c
from ald_controller import safing
from ald_controller.records.safings import read_safings
from ald_controller.tool import Confirmed
from simulators.faults import Fault
from simulators.virtualtime import run_virtual
from tests.run.rig import LIGL_C, READY_C, Rig, ligl, virtually

COLD = {"substrate": 25.0, "chamber": 25.0}


async def _dosing(rig: Rig, cycles: int = 3) -> None:
    await rig.start(ligl(cycles))
    await rig.until_open("LTB")


def _safing(rig: Rig) -> c.SafingStatus:
    safing = rig.console.status().safing
    assert safing is not None
    return safing


def _slow(rig: Rig) -> None:
    """Three silent devices on one line: making it safe takes more than a second."""
    for name in ("substrate", "chamber", "source-3"):
        rig.world.faults[name].put(Fault(silent=True))


def _heats(rig: Rig, *zones: str) -> bool:
    """Whether any of these zones has power: its instrument gives some and its contactor is closed."""
    rig.world.plant.advance(rig.now_s)
    heat = rig.world.plant.heat
    return any(heat._power(heat.zones[name]) > 0 for name in zones)


def _after(rig: Rig, what: str) -> float | None:
    return next(line.after_s for line in _safing(rig).lines if what in line.what)


# --- abort to purge ---------------------------------------------------------------------------------------------------


@virtually
async def test_an_abort_in_a_dose_purges_to_the_end_and_a_reset_does_not_end_it(tmp_path: Path) -> None:
    with pytest.MonkeyPatch.context() as shorter:
        shorter.setattr(safing, "PURGE_S", 60.0)  # its own ten minutes pass in tests/pure/test_safing.py
        await _purged_to_the_end(tmp_path)


async def _purged_to_the_end(tmp_path: Path) -> None:
    async with Rig(tmp_path, warm=LIGL_C) as rig:
        await _dosing(rig)
        await rig.do(c.Abort(why="a test"))
        took_s = await rig.until(lambda: _safing(rig).phase == "PURGING", 6)
        assert took_s < 5 and (_after(rig, "source") or 9) <= 0.2
        record = await rig.ended()
        assert record.ending == "aborted"
        assert not rig.stop_shut and rig.carrier_sccm() == 20.0 and not rig.contactor_closed
        await rig.rest(15)
        await rig.do(c.Reset())
        assert rig.state == "IDLE" and _safing(rig).phase == "PURGING"
        assert rig.carrier_sccm() == 20.0
        await rig.until(lambda: _safing(rig).phase == "SAFE", 65, 1)
        assert "still pumping and purging. Close the hand valves" in _safing(rig).text
        assert rig.carrier_sccm() == 20.0 and not rig.stop_shut  # it goes on
        assert any("hand valves" in a.text for a in rig.console.status().alarms)
    (kept,) = read_safings(tmp_path / "tool.db")
    assert kept["run"] and kept["kind"] == "purge" and "a test" in kept["why"] and "still pumping" in kept["outcome"]
    assert all(line["after_s"] is not None for line in kept["lines"]) and len(kept["lines"]) == 9


@virtually
async def test_a_second_abort_and_a_cancelled_one_change_nothing_of_the_sequence(tmp_path: Path) -> None:
    async with Rig(tmp_path, warm=LIGL_C) as rig:
        await _dosing(rig)
        _slow(rig)
        await rig.do(c.Abort(why="first"))
        began = rig.console.guard.safing
        assert began is not None
        await rig.rest(0.3)
        aborting = rig.console._aborting
        assert aborting is not None and not aborting.done()
        await rig.do(c.Abort(why="second"))
        assert rig.console._aborting is aborting
        await rig.until_state("FAULT", 5)
        await rig.do(c.Abort(why="third"))
        await rig.until_state("FAULT", 5)
        await rig.rest(1)
        safing = rig.console.guard.safing
        assert safing is not None and safing.began_s == began.began_s and "first" in safing.why
        assert rig.carrier_sccm() == 20.0 and not rig.sources_open and not rig.contactor_closed


@virtually
async def test_a_daemon_told_to_end_twice_in_the_middle_of_an_abort_ends_safe_and_says_so(tmp_path: Path) -> None:
    rig = Rig(tmp_path, warm=LIGL_C)
    await rig.__aenter__()
    await _dosing(rig)
    _slow(rig)
    await rig.do(c.Abort())
    await rig.rest(0.3)
    assert rig.task is not None
    rig.task.cancel()
    await asyncio.sleep(0.2)
    assert not rig.task.done()
    rig.task.cancel()
    await asyncio.wait({rig.task})
    assert not rig.sources_open and not rig.contactor_closed and not rig.stop_shut
    assert rig.carrier_sccm() == 20.0 and rig.world.plant.flows["pusher"].target <= 5.0
    assert rig.console.last is not None and rig.console.last.ending == "aborted"
    (kept,) = read_safings(tmp_path / "tool.db")
    assert kept["outcome"].startswith("ended by the end of the daemon") and "600 s of purge" in kept["outcome"]


@virtually
async def test_a_run_that_begins_ends_the_purge_and_what_was_not_reached_is_kept(tmp_path: Path) -> None:
    async with Rig(tmp_path, warm=LIGL_C) as rig:
        await _dosing(rig)
        await rig.do(c.Abort())
        await rig.ended()
        await rig.rest(12)
        await rig.do(c.Reset())
        await rig.do(c.Start(name="test"))
        await rig.until_open("LTB")
        assert rig.console.status().safing is None
    (kept,) = read_safings(tmp_path / "tool.db")
    assert kept["outcome"].startswith("ended by a run") and "never reached: 600 s of purge" in kept["outcome"]


@virtually
async def test_a_purge_that_cannot_be_proven_isolates_and_stays_isolated_until_a_run_begins(tmp_path: Path) -> None:
    async with Rig(tmp_path, warm=LIGL_C) as rig:
        await _dosing(rig)
        rig.world.faults["carrier"].put(Fault(silent=True))
        await rig.do(c.Abort())
        await rig.until(lambda: _safing(rig).kind == "isolate", 6)
        await rig.until(lambda: rig.stop_shut, 0.3)
        await rig.until(lambda: _safing(rig).phase == "SAFE", 6)
        assert "not reached: no gas flowing in" in _safing(rig).text  # nobody can tell
        rig.world.faults["carrier"].clear()
        await rig.until(lambda: rig.carrier_sccm() == 0.0, 15)  # the poll that finds it cuts it
        await rig.until(lambda: _after(rig, "no gas") is not None, 10)
        await rig.until(lambda: not rig.console.tool.absent, 15)
        await rig.rest(12)
        await rig.do(c.Reset())
        await rig.rest(15)
        assert rig.chamber == "VACUUM" and rig.stop_shut and rig.carrier_sccm() == 0.0  # no reset moves a valve
        await rig.do(c.Start(name="test"))
        await rig.until(lambda: not rig.stop_shut, 1)
        await rig.until_open("LTB")


@virtually
async def test_the_gate_opened_after_the_reset_isolates_and_is_no_new_abort(tmp_path: Path) -> None:
    async with Rig(tmp_path, warm=READY_C) as rig:
        await rig.proven()
        await rig.do(c.Abort())
        await rig.until_state("FAULT", 5)
        await rig.do(c.Reset())
        rig.contact("gate_locked", False)
        await rig.until(lambda: rig.stop_shut and rig.carrier_sccm() == 0.0, 2)
        await rig.until(lambda: _safing(rig).kind == "isolate", 1)
        await rig.rest(3)
        assert rig.state == "IDLE" and rig.console.guard.told_abort is None


# --- what the valves rest in ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("gate_shut", [True, False])
@pytest.mark.parametrize("how", ["abort", "lease", "child"])
def test_the_chamber_purges_behind_a_shut_gate_and_is_isolated_without_it(
    tmp_path: Path, how: str, gate_shut: bool
) -> None:
    run_virtual(_rests(tmp_path, how, gate_shut))


async def _rests(folder: Path, how: str, gate_shut: bool) -> None:
    async with Rig(folder, warm=READY_C) as rig:
        await rig.proven()
        await rig.do(c.Upload(name="test", text=ligl(1)))
        await rig.do(c.Start(name="test"))
        await rig.until(lambda: rig.contactor_closed, 5)
        if not gate_shut:
            rig.contact("gate_locked", False)
            await rig.rest(0.3)
        if how == "abort":
            await rig.do(c.Abort())
        elif how == "lease":
            rig.console.guard.scan = lambda reacts, now_s: None  # type: ignore[method-assign]
        else:  # nobody writes any more: the module is alone
            rig.world.faults["valves"].put(Fault(deaf=True))
        await rig.until(lambda: not rig.contactor_closed, 2)
        assert not rig.sources_open
        if how == "child":  # its safe word is zeros; against an open gate stands the valve that is wired to its switch
            assert rig.world.coupler_a.word & ~rig.world.quiet_mask == 0
        else:
            assert rig.stop_shut is not gate_shut
        if how == "abort":
            await rig.until_state("FAULT", 5)
            assert rig.carrier_sccm() == (20.0 if gate_shut else 0.0)


# --- the first two seconds --------------------------------------------------------------------------------------------

# a gauge has no safe state, and the lines stay as they are until their sources are cold
DEAD = ["carrier", "pusher", "substrate", "chamber", "source-3", "coupler-b", "valves"]


@pytest.mark.parametrize("dead", DEAD)
def test_one_dead_device_on_any_line_keeps_no_other_from_its_safe_state_in_two_seconds(
    tmp_path: Path, dead: str
) -> None:
    run_virtual(_one_dead(tmp_path, dead))


async def _one_dead(folder: Path, dead: str) -> None:
    async with Rig(folder, warm=LIGL_C) as rig:
        await _dosing(rig)
        rig.world.faults[dead].put(Fault(silent=True) if dead != "valves" else Fault(deaf=True))
        start_s = rig.now_s
        report: list[Confirmed] = await rig.console.tool.safe("a test", purge=True)
        assert rig.now_s - start_s <= 2.0
        assert [line.what for line in report if not line.ok] == [dead]
        assert {line.what for line in report} == {*rig.file.devices, "valves"}
        assert dead == "carrier" or rig.carrier_sccm() == 20.0
        await rig.until(lambda: not rig.sources_open and not rig.contactor_closed, 1)


# --- heaters have a lease, too ----------------------------------------------------------------------------------------


HEATED = ("substrate", "chamber", "source-3", "source-4", "lines")


@virtually
async def test_a_computer_that_is_dead_heats_nothing(tmp_path: Path) -> None:
    async with Rig(tmp_path, warm=LIGL_C) as rig:
        await _dosing(rig)
        await rig.until(lambda: all(_heats(rig, zone) for zone in HEATED), 10)
        for fault in rig.world.faults.values():
            fault.put(Fault(deaf=True))
        assert await rig.until(lambda: not _heats(rig, "substrate", "chamber"), 2) <= 0.7  # the module's own watchdog
        assert await rig.until(lambda: not _heats(rig, *HEATED), 3) <= 1.5  # that of the second coupler
        rig.contact("estop_ok", True)
        rig.world.plant.output("source contactor", True, rig.now_s)  # welded: the instruments are left
        fell_s = await rig.until(lambda: not _heats(rig, *HEATED), 10)
        assert 0 < fell_s <= 6.0


@virtually
async def test_the_contactor_of_the_lithium_zones_falls_with_the_lease(tmp_path: Path) -> None:
    async with Rig(tmp_path, warm=LIGL_C) as rig:
        await _dosing(rig)
        await rig.until(lambda: _heats(rig, "substrate"), 10)
        rig.console.guard.scan = lambda reacts, now_s: None  # type: ignore[method-assign]
        waited_s = await rig.until(lambda: not rig.contactor_closed, 2, 0.01)
        assert 0.8 <= waited_s <= 1.05
        assert not _heats(rig, "substrate", "chamber")


@virtually
async def test_a_set_point_that_nobody_refreshes_falls_back_to_the_instruments_own(tmp_path: Path) -> None:
    async with Rig(tmp_path, warm=LIGL_C) as rig:
        await _dosing(rig)
        await rig.until(lambda: _heats(rig, "source-3"), 10)
        for name in rig.world.devices:
            if rig.world.devices[name].line == "heaters":
                rig.world.faults[name].put(Fault(deaf=True))
        rig.console.guard.scan = lambda reacts, now_s: None  # type: ignore[method-assign]  # and nobody notices
        assert 0 < await rig.until(lambda: not _heats(rig, "source-3", "source-4", "lines"), 10) <= 6.0
        assert rig.world.plant.outputs["source contactor"]


@virtually
async def test_lines_follow_their_sources_down_after_an_abort(tmp_path: Path) -> None:
    async with Rig(tmp_path, warm=LIGL_C) as rig:
        await _dosing(rig)
        await rig.do(c.Abort())
        await rig.rest(60)
        assert rig.power("source-3") == 0.0 and rig.power("source-4") == 0.0
        heat = rig.world.plant.heat.zones
        assert heat["lines"].sensor.celsius >= heat["source-3"].sensor.celsius + rig.file.config.limits.margin - 1


# --- holds ------------------------------------------------------------------------------------------------------------


@virtually
async def test_a_sensor_lost_and_back_within_a_minute_holds_and_the_half_cycle_is_done_again(tmp_path: Path) -> None:
    async with Rig(tmp_path, warm=LIGL_C) as rig:
        await _dosing(rig, cycles=2)
        sensor = rig.world.plant.heat.zones["substrate"].sensor
        sensor.open = True
        await rig.until_state("PAUSED", 3)
        assert rig.first_out == "T7" and not rig.sources_open and rig.carrier_sccm() == 20.0
        await rig.refused(c.Resume(), "latched")
        await rig.rest(30)
        sensor.open = False
        await rig.rest(12)
        assert rig.state == "PAUSED" and rig.contactor_closed  # good again and agreeing: nobody has aborted
        await rig.do(c.Reset())
        await rig.rest(2)
        assert rig.state == "PAUSED" and not rig.sources_open  # a reset does not go on
        await rig.do(c.Resume())
        record = await rig.ended()
        assert record.ending == "completed" and record.summary["doses"] == 4
        opened = [e.energised for e in record.edges() if e.energised in ("LTB", "GL")]
        assert opened == ["LTB", "LTB", "GL", "LTB", "GL"]
