"""Rows K1 to K6, K14, K17, K18 on the simulated reactor: processes, modules, wires, power, and a loop that stalls."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from ald_controller import commands as c
from ald_controller import interlocks as il
from ald_controller.valves import wire
from ald_controller.valves.inline import InlineValves
from ald_controller.valves.wire import ValveError
from simulators.beckhoff_io import CouplerB
from simulators.faults import Fault
from tests.run.rig import LIGL_C, OPERATOR, OWNER, Rig, ligl, virtually
from tests.run.rows import elsewhere, in_record, shown, told

WARN, BLOCK, HOLD, ABORT, ESTOP = (
    il.Reaction.WARN, il.Reaction.BLOCK, il.Reaction.HOLD, il.Reaction.ABORT_PURGE, il.Reaction.ESTOP,
)  # fmt: skip


async def _dosing(rig: Rig, cycles: int = 3, pulse: str = "1 s") -> None:
    """A run in the middle of its first dose."""
    await rig.start(ligl(cycles).replace("LiOtBu, pulse: 1 s", f"LiOtBu, pulse: {pulse}"))
    await rig.until_open("LTB")


def _live(rig: Rig, row: str) -> bool:
    return any(cause.row == row for cause in rig.console.guard.state.active)


def _stall(rig: Rig, seconds: float) -> None:
    """The loop of the daemon does nothing for so long; the valve process, on another core, goes on."""
    loop, valves = asyncio.get_running_loop(), rig.console.tool.valves
    for _ in range(round(seconds / 0.005)):
        loop._now += 0.005  # type: ignore[attr-defined]
        valves._turn()  # type: ignore[attr-defined]


class _Hung(InlineValves):
    """A valve process that exists and does nothing: it says nothing new and hears nothing."""

    last: wire.Status | None

    @property
    def status(self) -> wire.Status | None:
        return self.last

    def _turn(self) -> None:
        return None


@virtually
async def test_k1_a_guard_that_hangs_loses_its_lease_and_the_valves_shut_without_it(tmp_path: Path) -> None:
    async with Rig(tmp_path, warm=LIGL_C) as rig:
        await _dosing(rig, pulse="4 s")
        guard = rig.console.guard

        def hang() -> None:
            guard.scan = lambda reacts, now_s: None  # type: ignore[method-assign]
            asyncio.get_running_loop().call_later(1.5, lambda: delattr(guard, "scan"))

        one = await shown(rig, "K1", ABORT, "the guard hangs in a dose", hang, lambda: not rig.sources_open)
        assert one.measured_s is not None and one.measured_s >= 0.85
        in_record(await rig.ended(60), "K1")


@virtually
async def test_k2_a_valve_process_that_hangs_is_noticed_and_its_module_shuts_alone(tmp_path: Path) -> None:
    async with Rig(tmp_path, warm=LIGL_C) as rig:
        await _dosing(rig, pulse="4 s")
        valves = rig.console.tool.valves
        assert isinstance(valves, InlineValves)

        def hang() -> None:
            last = valves.status
            valves.__class__ = _Hung
            valves.last = last  # type: ignore[attr-defined]

        def shut_and_noticed() -> bool:
            rig.world.coupler_a.at(rig.now_s)  # nobody talks to it any more: its own watchdog has to act
            return not rig.sources_open and rig.first_out == "K2"

        await shown(rig, "K2", ABORT, "the valve process hangs in a dose", hang, shut_and_noticed)
        in_record(await rig.ended(60), "K2")


@virtually
async def test_k3_a_lost_link_to_the_valve_module_trips_and_comes_back_shut(tmp_path: Path) -> None:
    async with Rig(tmp_path, warm=LIGL_C) as rig:
        await _dosing(rig, pulse="4 s")
        fault = rig.world.faults["valves"]
        await shown(
            rig, "K3", ABORT, "the valve module hears nothing in a dose", lambda: fault.put(Fault(deaf=True)),
            lambda: not rig.sources_open,
        )  # fmt: skip
        fault.clear()
        in_record(await rig.ended(60), "K3")
        assert not rig.sources_open and not rig.contactor_closed


@virtually
async def test_k3_a_silent_input_coupler_ends_the_run(tmp_path: Path) -> None:
    async with Rig(tmp_path, warm=LIGL_C) as rig:
        await _dosing(rig, pulse="4 s")
        await shown(
            rig, "K3", ABORT, "the input coupler answers nothing in a dose",
            lambda: rig.world.faults["coupler-b"].put(Fault(silent=True)), lambda: not rig.sources_open,
        )  # fmt: skip
        in_record(await rig.ended(60), "K3")


@virtually
async def test_k4_one_misplaced_reply_leaves_the_values_as_they_were_and_the_third_in_a_minute_holds(
    tmp_path: Path,
) -> None:
    async with Rig(tmp_path, warm=LIGL_C) as rig:
        await _dosing(rig, cycles=2)
        fault, samples = rig.world.faults["coupler-b"], rig.console.tool.samples
        for _ in range(2):
            before = samples["coupler-b.o2_ppm"]
            rig.world.plant.o2_ppm += 0.1
            fault.put(Fault(wrong_length=2, times=1))
            await rig.until(lambda: fault.spoiled, 1, 0.005)
            assert samples["coupler-b.o2_ppm"] is before  # a reply of another length is not a value
            await rig.rest(1)
            assert not rig.latched and samples["coupler-b.o2_ppm"].value > before.value
        await shown(
            rig, "K4", HOLD, "the third reply within a minute that is no answer",
            lambda: fault.put(Fault(wrong_length=2, times=1)), lambda: rig.state == "PAUSED",
        )  # fmt: skip
        assert not rig.sources_open and rig.carrier_sccm() == 20.0 and rig.contactor_closed
        await rig.rest(12)
        assert "K4" in await rig.refused(c.Reset(), "reset-refused")  # as long as three lie within a minute
        await rig.do(c.Abort())
        in_record(await rig.ended(60), "K4")


@virtually
async def test_k5_after_a_start_everything_is_latched_and_no_device_is_spoken_to_before_the_valves(
    tmp_path: Path,
) -> None:
    silent = Rig(tmp_path / "silent", warm=LIGL_C)
    for fault in silent.world.faults.values():
        fault.put(Fault())  # spoils nothing, and counts what is heard
    silent.world.faults["valves"].put(Fault(silent=True))
    with pytest.raises(ValveError):
        await silent.daemon.run()
    silent.daemon.parts.notifier.close()
    assert {name: fault.spoiled for name, fault in silent.world.faults.items() if name != "valves"} == dict.fromkeys(
        silent.world.instruments, 0
    )
    async with Rig(tmp_path / "well", warm=LIGL_C) as rig:
        first = rig.console.guard.state.first_out
        assert first is not None and (first.cause.row, first.cause.reaction) == ("K5", ABORT)
        await rig.until(lambda: rig.chamber == "VACUUM" and not rig.console.tool.absent, 60)
        await rig.rest(60)  # no reset, no permit: it stays as it is
        assert (
            rig.first_out == "K5"
            and not rig.console.guard.may_open
            and not rig.world.coupler_a.word & ~rig.world.quiet_mask
        )
        await rig.refused(c.Start(name="test"), "no-such-recipe")
        await rig.do(c.Upload(name="test", text=ligl(1)))
        assert "K5" in await rig.refused(c.Start(name="test"), "latched")
        await rig.do(c.Reset())
        assert not rig.latched and not rig.sources_open
    elsewhere("K5", "latched from the first moment; valves first; no run before a reset", ABORT)


@virtually
async def test_k6_mains_lost_lets_the_half_cycle_end_and_holds_in_purge_until_the_owner_resets(tmp_path: Path) -> None:
    async with Rig(tmp_path, warm=LIGL_C) as rig:
        await _dosing(rig, cycles=2)
        await shown(
            rig, "K6", BLOCK, "mains lost in a dose: the half-cycle ends, no other begins",
            lambda: rig.contact("mains_ok", False), lambda: not rig.console.guard.may_open, persist_s=0.1,
        )  # fmt: skip
        assert rig.sources_open and rig.state == "EXECUTING"  # the dose runs to its end
        await rig.until_state("PAUSED", 20)
        assert rig.carrier_sccm() == 20.0 and not rig.stop_shut and rig.contactor_closed
        assert rig.console.run is not None and rig.console.run.progress.confirmed == 1
        rig.contact("mains_ok", True)
        await rig.rest(12)
        assert "owner" in (await rig.ask(c.Reset(), OPERATOR)).text
        await rig.do(c.Reset(reason="mains is back, the pump ran on"))
        await rig.do(c.Resume())
        record = await rig.ended()
        in_record(record, "K6")
        assert record.ending == "completed" and record.summary["doses"] == 4


@virtually
async def test_k6_mains_lost_for_a_minute_holds_whatever_the_run_does(tmp_path: Path) -> None:
    async with Rig(tmp_path, warm=LIGL_C) as rig:
        await rig.start(ligl(1, finish="finish:\n  - purge: 10 min\n"))
        await rig.until_step("purge", 120)
        await rig.until(lambda: rig.console.run and rig.console.run.progress.part == "finish", 60)
        rig.contact("mains_ok", False)
        assert 55 < await rig.until_state("PAUSED", 70) < 65


@virtually
async def test_k6_outputs_of_the_input_coupler_that_fell_trip_once_and_a_reset_arms_them_anew(tmp_path: Path) -> None:
    async with Rig(tmp_path, warm=LIGL_C) as rig:
        await _dosing(rig, pulse="4 s")
        coupler = rig.world.instruments["coupler-b"]
        assert isinstance(coupler, CouplerB)

        def fall() -> None:
            coupler.deadline_s = rig.now_s  # its watchdog acts

        await shown(rig, "K6", ABORT, "the input coupler's watchdog has acted", fall, lambda: not rig.sources_open)
        in_record(await rig.ended(60), "K6")
        await rig.rest(15)
        await rig.do(c.Reset(reason="the cable is plugged in again"))
        await rig.rest(5)
        assert not rig.latched and coupler.deadline_s is not None, "armed again, and that is no second trip"


@virtually
async def test_k14_a_value_that_grows_old_counts_as_tripped(tmp_path: Path) -> None:
    async with Rig(tmp_path, warm=LIGL_C) as rig:
        await _dosing(rig, pulse="6 s")
        await shown(
            rig, "K14", ABORT, "the controller of the only sensor of a zone answers nothing",
            lambda: rig.world.faults["chamber"].put(Fault(silent=True)), lambda: not rig.sources_open, persist_s=2.0,
        )  # fmt: skip
        in_record(await rig.ended(60), "K14")


@virtually
async def test_k17_a_stalled_controller_is_the_cause_of_what_only_looks_dead(tmp_path: Path) -> None:
    async with Rig(tmp_path, warm=LIGL_C) as rig:
        await _dosing(rig, pulse="4 s")
        soon = asyncio.get_running_loop().call_soon
        one = await shown(
            rig, "K17", HOLD, "the loop stalls for 0.7 s in a dose", lambda: soon(_stall, rig, 0.7),
            lambda: not rig.sources_open,
        )  # fmt: skip
        assert one.measured_s is not None and one.measured_s >= 0.7  # nobody acts while the loop stands still
        await rig.until_state("PAUSED", 1)
        await rig.rest(12)
        await rig.do(c.Reset())
        await rig.do(c.Resume())
        in_record(await rig.ended(), "K17")


@virtually
async def test_k17_scans_that_come_late_three_times_warn_and_a_late_edge_of_a_pulse_holds(tmp_path: Path) -> None:
    async with Rig(tmp_path, warm=LIGL_C) as rig:
        await _dosing(rig)
        for _ in range(2):
            _stall(rig, 0.3)
            await rig.rest(1)
        assert not _live(rig, "K17")
        await told(rig, "K17", WARN, "three scans late by 0.3 s", lambda: _stall(rig, 0.3), within_s=0.2)
        await rig.until(lambda: not rig.sources_open, 5, 0.01)
        await rig.until_open("GL", 60)
        await rig.rest(0.97)
        loop: Any = asyncio.get_running_loop()

        def late() -> None:
            loop._now += 0.09  # nobody has a turn, the valve process neither: the dose closes 60 ms late

        await shown(rig, "K17", HOLD, "a pulse closes 60 ms late", lambda: loop.call_soon(late),
                    lambda: rig.state == "PAUSED")  # fmt: skip
        await rig.rest(12)
        await rig.do(c.Reset())
        await rig.do(c.Resume())
        record = await rig.ended()
        in_record(record, "K17")
        assert record.ending == "completed"


@virtually
async def test_k18_the_e_stop_shuts_everything_and_only_owner_and_button_reset_it(tmp_path: Path) -> None:
    async with Rig(tmp_path, warm=LIGL_C) as rig:
        await _dosing(rig, pulse="4 s")
        await shown(
            rig, "K18", ESTOP, "the E-stop is pressed in a dose", lambda: rig.contact("estop_ok", False),
            lambda: not rig.sources_open and not rig.contactor_closed,
        )  # fmt: skip
        in_record(await rig.ended(60), "K18")
        await rig.until(lambda: rig.stop_shut and rig.carrier_sccm() == 0.0, 2)
        await rig.rest(12)
        assert "K18" in await rig.refused(c.Reset(reason="released"), "reset-refused")  # it is still pressed
        rig.contact("estop_ok", True)
        await rig.rest(12)
        assert not (await rig.ask(c.Reset(), OPERATOR)).ok
        assert "button" in await rig.refused(c.Reset(reason="nobody is hurt"), "reset-refused")
        rig.contact("confirm_button", True)
        await rig.rest(0.5)
        rig.contact("confirm_button", False)
        await rig.rest(31)
        assert "button" in await rig.refused(c.Reset(reason="nobody is hurt"), "reset-refused")  # too long ago
        rig.contact("confirm_button", True)
        await rig.rest(0.5)
        assert (await rig.ask(c.Reset(reason="nobody is hurt"), OWNER)).ok
        assert rig.state == "IDLE" and not rig.latched and not rig.sources_open and not rig.contactor_closed
