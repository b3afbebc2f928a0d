"""Rows C1 to C15 on the simulated reactor: what leaks, sticks, fails or has the wrong label, and how soon it ends."""

from __future__ import annotations

from dataclasses import replace
from math import inf, log
from pathlib import Path
from typing import Any

from ald_controller import commands as c
from ald_controller import interlocks as il
from ald_controller.valves.inline import InlineValves
from simulators.beckhoff_io import CouplerB
from simulators.faults import Fault
from simulators.plant import Plant
from tests.run.rig import FINISH, HEAD, LIGL_C, OPERATOR, OWNER, READY_C, Rig, edited, ligl, virtually
from tests.run.rows import elsewhere, in_record, shown, told

WARN, BLOCK, HOLD = il.Reaction.WARN, il.Reaction.BLOCK, il.Reaction.HOLD
ABORT, ISOLATE = il.Reaction.ABORT_PURGE, il.Reaction.ABORT_ISOLATE

WARM = """\
prepare:
  - flow: {carrier: 20 sccm}
  - heat: {substrate: 120 °C, chamber: 120 °C}
"""
PULSES = """\
deposit:
  - purge: 10 s
  - repeat:
      times: 40
      name: pulses
      steps:
        - pulse: {precursor: TMA, time: 30 ms}
        - purge: 3 s
"""
PURGE = "deposit:\n  - purge: 100 s\n  - pulse: {precursor: TMA, time: 30 ms}\n"


def pulses() -> str:
    """A recipe that doses one source over and over on a warm reactor."""
    return HEAD + WARM + PULSES + FINISH.replace("LiOtBu: standby, glycerol: standby, ", "")


def plant(rig: Rig) -> Plant:
    return rig.world.plant


def vessel(rig: Rig, **change: float) -> None:
    """Another pump, or another leak, from now on."""
    plant(rig).advance(rig.now_s)
    plant(rig).vessel = replace(plant(rig).vessel, **change)


def isolated(rig: Rig) -> bool:
    """What isolation is made of, as the modules hold it: sources and stop valve shut, nothing asked of the carrier."""
    return not rig.sources_open and rig.stop_shut and rig.carrier_sccm() == 0.0


async def dosing(rig: Rig, cycles: int = 3) -> None:
    """A run in the middle of its first dose."""
    await rig.start(ligl(cycles))
    await rig.until_open("LTB")


async def purging(rig: Rig, text: str = "") -> None:
    """A run between two doses, with flows that have settled."""
    await rig.start(text or pulses())
    await rig.until_step("TMA", cycle=2)
    await rig.until_open("TMA")
    await rig.until(lambda: not rig.sources_open, 5)


async def stays_isolated(rig: Rig) -> None:
    """Nothing flows into the chamber while the row stands."""
    await rig.rest(3)  # the valve of a flow controller needs its time
    before_pa, inert_pa = plant(rig).pressure_pa(rig.now_s), plant(rig).gas.inert_pa
    await rig.rest(5)
    assert isolated(rig) and plant(rig).flow_sccm("carrier", rig.now_s) < 0.2
    assert plant(rig).pressure_pa(rig.now_s) < before_pa + 5.0  # what is left of vapour reacts, and gives off gas
    assert plant(rig).gas.inert_pa < inert_pa + 1.0


async def begins_anew(rig: Rig, who: c.Principal = OPERATOR) -> None:
    """The reset moves no valve; the next run opens the pump path, and doses."""
    await rig.until_state("FAULT", 5)
    await rig.rest(11)
    reply = await rig.ask(c.Reset(reason="a test"), who)
    assert reply.ok, reply.text
    await rig.rest(1)
    assert rig.state == "IDLE" and isolated(rig)
    await rig.do(c.Start(name="test"))
    await rig.until(lambda: rig.sources_open, 60)
    assert not rig.latched and rig.carrier_sccm() + plant(rig).flows["pusher"].target > 0.0


async def live(rig: Rig, row: str, reaction: il.Reaction, within_s: float) -> None:
    """A level of a row that comes before the one that its scenario measures."""
    await rig.until(
        lambda: any((x.row, x.reaction) == (row, reaction) for x in rig.console.guard.state.active), within_s
    )
    assert not rig.console.guard.state.latched


def decay_s(rig: Rig) -> float:
    """What row C3 gives the pressure of now to come down: three times what it takes to 1.3 p0 of 20 sccm at 120 °C."""
    base_pa = 37.4
    return 3 * 0.5 / 1.3 * log((plant(rig).pressure_pa(rig.now_s) - base_pa) / (0.3 * base_pa))


# --- sources -------------------------------------------------------------------------------------------------------


@virtually
async def test_c1_two_sources_that_a_foreign_writer_opened_are_shut(tmp_path: Path) -> None:
    async with Rig(tmp_path, warm=LIGL_C) as rig:
        await dosing(rig)
        coupler = rig.world.coupler_a

        def write() -> None:
            coupler.at(rig.now_s)
            coupler.write_coils(0, 2, 0b11)

        how = "a second writer opens two sources at the module"
        await shown(rig, "C1", ABORT, how, write, lambda: not rig.sources_open)
        in_record(await rig.ended(60), "C1")
        assert rig.carrier_sccm() == 20.0 and not rig.stop_shut
        await rig.rest(11)
        reply = await rig.ask(c.Reset(), OPERATOR)
        assert not reply.ok and "owner" in reply.text


@virtually
async def test_c2_a_pump_that_wears_out_is_told_and_then_holds(tmp_path: Path) -> None:
    async with Rig(tmp_path, warm=READY_C) as rig:
        await rig.start(HEAD + WARM + PURGE + FINISH.replace("LiOtBu: standby, glycerol: standby, ", ""))
        await rig.until_step("purge", 60)
        for share in (0.6, 0.45, 0.36):
            await rig.rest(4)
            vessel(rig, pumping_m3_s=1.3e-3 * share)
        await rig.rest(2)
        assert not rig.console.guard.state.active
        vessel(rig, pumping_m3_s=1.3e-3 * 0.29)
        await rig.until(lambda: plant(rig).pressure_pa(rig.now_s) >= 3.05 * 37.4, 5, 0.02)
        begun_s = rig.now_s
        await live(rig, "C2", WARN, 1.5)
        how = "the pump wears out, and the chamber stays above three times its base"
        await shown(
            rig, "C2", HOLD, how, lambda: None, lambda: rig.state == "PAUSED", persist_s=30 - (rig.now_s - begun_s),
        )  # fmt: skip
        assert not rig.stop_shut and rig.carrier_sccm() == 20.0
        vessel(rig, pumping_m3_s=1.3e-3)
        await rig.rest(12)
        await rig.do(c.Reset())
        await rig.do(c.Resume())
        record = await rig.ended()
        assert record.ending == "completed"
        in_record(record, "C2")
        assert "C2" in [event.fields["row"] for event in record.events("alarm")]  # marked before it was held


@virtually
async def test_c3_a_valve_that_leaks_by_is_seen_in_the_pressure_that_stays(tmp_path: Path) -> None:
    async with Rig(tmp_path, warm=READY_C) as rig:
        await rig.start(pulses().replace("30 ms", "500 ms").replace("purge: 3 s", "purge: 8 s"))
        await rig.until_open("TMA")
        plant(rig).leak_by("TMA", 0.02, rig.now_s)
        await rig.until(lambda: not rig.sources_open, 1, 0.005)
        how = "a dosing valve lets a fiftieth by after its dose"
        await shown(
            rig, "C3", ABORT, how, lambda: None, lambda: rig.state in ("ABORTING", "FAULT"), persist_s=decay_s(rig),
        )  # fmt: skip
        in_record(await rig.ended(60), "C3")
        await rig.rest(30)
        reply = await rig.ask(c.Reset())
        assert not reply.ok and "C3" in reply.text  # it still flows: the cause lives
        plant(rig).mend_valve("TMA", rig.now_s)
        await rig.rest(12)
        assert "owner" in (await rig.ask(c.Reset(), OPERATOR)).text
        await rig.do(c.Reset(reason="another valve"))


async def learned(rig: Rig, pulses_known: int) -> None:
    """So many pulses of TMA are over."""
    number = "pulse.TMA.number"
    samples = rig.console.tool.samples
    await rig.until(lambda: number in samples and samples[number].value >= pulses_known, 120)


@virtually
async def test_c3_c4_and_c6_compare_each_pulse_with_those_before(tmp_path: Path) -> None:
    async with Rig(tmp_path / "strong", warm=READY_C) as rig:
        plant(rig).throttle("TMA", 0.4, rig.now_s)
        await rig.start(pulses())
        await learned(rig, 6)
        plant(rig).mend_valve("TMA", rig.now_s)
        await rig.until_open("TMA")
        await rig.until(lambda: not rig.sources_open, 1, 0.005)
        how = "a valve that was half plugged opens wide: told as soon as the rise is more than twice the usual"
        await shown(rig, "C3", ABORT, how, lambda: None, lambda: rig.state in ("ABORTING", "FAULT"))
    async with Rig(tmp_path / "weak", warm=READY_C) as rig:
        await rig.start(pulses())
        await learned(rig, 6)
        how = "three pulses running of a valve that opens to a third"
        await shown(
            rig, "C4", HOLD, how, lambda: plant(rig).throttle("TMA", 0.3, rig.now_s),
            lambda: rig.state == "PAUSED", within_s=20,
        )  # fmt: skip
        assert not rig.sources_open
    async with Rig(tmp_path / "unlike", warm=READY_C) as rig:
        await rig.start(pulses())
        await learned(rig, 5)
        how = "the first pulse that counts comes from another bottle"
        await shown(
            rig, "C6", HOLD, how, lambda: plant(rig).hang_bottle("TMA", "EG", rig.now_s),
            lambda: rig.state == "PAUSED", within_s=12,
        )  # fmt: skip
        await rig.rest(11)
        assert "owner" in (await rig.ask(c.Reset(), OPERATOR)).text


@virtually
async def test_c5_a_valve_process_that_hangs_in_a_dose_is_ended_by_the_modules_own_watchdog(tmp_path: Path) -> None:
    async with Rig(tmp_path, warm=LIGL_C) as rig:
        await rig.start(ligl(2).replace("LiOtBu, pulse: 1 s", "LiOtBu, pulse: 8 s"))
        await rig.until_open("LTB")
        valves = rig.console.tool.valves
        assert isinstance(valves, InlineValves)
        last = valves.status
        frozen: Any = valves
        frozen.__class__ = type("Hung", (InlineValves,), {"status": last, "_turn": lambda self: None})
        module = rig.world.coupler_a  # another computer: its clock runs on

        def shut() -> bool:
            module.at(rig.now_s)
            return not rig.sources_open

        waited_s = await rig.until(shut, 2, 0.005)
        target_s = il.MATRIX["C5"].target_s
        assert target_s is not None and waited_s <= min(target_s, 0.5 + 0.01)
        assert rig.world.coupler_a.trips == 1  # nobody but the module itself has done it
        frozen.__class__ = InlineValves
        await rig.until(lambda: rig.latched, 2)
        record = await rig.ended(60)
        assert record.ending == "tripped" and not rig.sources_open
        elsewhere("C5", f"the valve process hangs in a dose; the module shuts it after {waited_s:.2f} s", ABORT)


# --- flow, pump, stop valve ----------------------------------------------------------------------------------------


@virtually
async def test_c7_a_carrier_that_fails_isolates_and_flows_again_only_when_asked(tmp_path: Path) -> None:
    async with Rig(tmp_path, warm=READY_C) as rig:
        await purging(rig)

        def give(share: float) -> None:
            plant(rig).advance(rig.now_s)
            flow = plant(rig).flows["carrier"]
            flow.value = flow.target = 20.0 * share

        give(0.75)
        await live(rig, "C7", WARN, 2.3)
        how = "the carrier's own valve shuts"
        await shown(rig, "C7", ISOLATE, how, lambda: give(0.0), lambda: isolated(rig), persist_s=0.3)
        in_record(await rig.ended(60), "C7")
        await stays_isolated(rig)
        await begins_anew(rig)


@virtually
async def test_c7_a_controller_that_falls_silent_is_a_carrier_lost(tmp_path: Path) -> None:
    async with Rig(tmp_path, warm=READY_C) as rig:
        await purging(rig)
        rig.world.faults["carrier"].put(Fault(silent=True))
        assert await rig.until(lambda: rig.first_out, 3, 0.01) <= 1.3
        assert rig.first_out == "K14"
        await rig.until(lambda: rig.stop_shut and not rig.sources_open, 0.2)


@virtually
async def test_c8_a_pump_that_stands_still_isolates(tmp_path: Path) -> None:
    async with Rig(tmp_path, warm=LIGL_C) as rig:
        await dosing(rig)
        how = "the pump's contact opens in a dose"
        await shown(
            rig, "C8", ISOLATE, how, lambda: rig.contact("pump_running", False), lambda: isolated(rig), persist_s=0.1,
        )  # fmt: skip
        in_record(await rig.ended(60), "C8")
        await stays_isolated(rig)
        assert "C8" in await rig.refused(c.Reset(), "reset-refused")
        rig.contact("pump_running", True)
        await begins_anew(rig, OWNER)


@virtually
async def test_c8_a_pump_that_turns_and_does_not_pump_isolates(tmp_path: Path) -> None:
    async with Rig(tmp_path, warm=READY_C) as rig:
        await purging(rig, pulses().replace("purge: 3 s", "purge: 8 s"))
        await rig.rest(3)
        how = "the belt of the pump is torn: its contact is closed and nothing is pumped"
        await shown(
            rig, "C8", ISOLATE, how, lambda: vessel(rig, pumping_m3_s=0.0, past_stop_m3_s=0.0),
            lambda: isolated(rig), persist_s=0.2,
        )  # fmt: skip
        await stays_isolated(rig)


@virtually
async def test_c8_an_exposure_that_rises_by_more_than_was_let_in_isolates(tmp_path: Path) -> None:
    async with Rig(tmp_path, warm=LIGL_C) as rig:
        await rig.start(ligl(2).replace("hold: 2 s", "hold: 15 s"))
        await rig.until_open("LTB")
        await rig.until(lambda: not rig.sources_open, 5)
        await rig.rest(1)
        plant(rig).leak_by("H2O", 0.05, rig.now_s)
        await rig.until(lambda: rig.first_out, 14)
        assert rig.first_out == "C8" and "behind the shut stop valve" in rig.console.guard.why_latched
        await rig.until(lambda: isolated(rig), 0.5)


@virtually
async def test_c9_a_stop_valve_that_shuts_by_itself_isolates_and_one_that_does_not_shut_purges(tmp_path: Path) -> None:
    async with Rig(tmp_path / "shut", warm=READY_C) as rig:
        await purging(rig)
        how = "the stop valve leaves its open position by itself"
        contacts = plant(rig).contacts
        await shown(
            rig, "C9", ISOLATE, how, lambda: contacts.update(stop_valve_open=False), lambda: isolated(rig),
            persist_s=0.5,
        )  # fmt: skip
        contacts.update(stop_valve_open=True)
        await rig.ended(60)
        await begins_anew(rig)
    async with Rig(tmp_path / "open", warm=LIGL_C) as rig:
        await rig.start(ligl(2))
        await rig.until_step("exposure")
        plant(rig).path.tau_s = 1e9
        await rig.until(lambda: rig.stop_shut, 5, 0.005)
        how = "the stop valve does not follow into an exposure"
        await shown(
            rig, "C9", ABORT, how, lambda: None, lambda: rig.state in ("ABORTING", "FAULT"), persist_s=1.5,
        )  # fmt: skip
        in_record(await rig.ended(60), "C9")
        assert not rig.stop_shut and rig.carrier_sccm() == 20.0


# --- the chamber ---------------------------------------------------------------------------------------------------


@virtually
async def test_c10_a_chamber_that_is_pressed_above_the_box_is_isolated(tmp_path: Path) -> None:
    async with Rig(tmp_path) as rig:
        await rig.proven()
        coupler = rig.world.instruments["coupler-b"]
        assert isinstance(coupler, CouplerB)
        coupler.channels["pressure_torr"].broken = True  # the gauge for decisions sees none of it
        await rig.until(lambda: rig.chamber == "UNKNOWN", 5)
        plant(rig).outputs["vent"] = True
        await rig.until(lambda: plant(rig).chamber_over_box_pa(rig.now_s) >= 3000.0, 90, 0.02)
        how = "the vent valve stays open while nobody knows the pressure"
        await shown(rig, "C10", ISOLATE, how, lambda: None, lambda: rig.latched and isolated(rig), persist_s=0.2)
        assert "C10" in await rig.refused(c.Reset(), "reset-refused")


@virtually
async def test_c11_a_leak_blocks_the_start_and_a_base_pressure_that_rises_aborts(tmp_path: Path) -> None:
    async with Rig(tmp_path) as rig:
        await rig.proven()
        await rig.do(c.Upload(name="test", text=pulses()))
        await rig.do(c.SetRegister(name="leak", value="0.001 mbar/s", by="Ann"))
        await told(rig, "C11", BLOCK, "the leak measured last is above the commissioned one", lambda: None, within_s=1)
        assert "C11" in await rig.refused(c.Start(name="test"), "blocked")
        await rig.do(c.SetRegister(name="leak", value="2 mTorr/min", by="Ann"))
        await rig.rest(70)
        assert not rig.console.guard.state.active
        how = "air leaks in: twice the base pressure at rest"
        await shown(
            rig, "C11", ABORT, how, lambda: vessel(rig, leak_pa_m3_s=0.02),
            lambda: rig.state in ("ABORTING", "FAULT"), persist_s=10, within_s=15,
        )  # fmt: skip


# --- what comes from outside ---------------------------------------------------------------------------------------


@virtually
async def test_c6_another_bottle_and_c14_another_gas_block_the_start_until_somebody_signs(tmp_path: Path) -> None:
    async with Rig(tmp_path) as rig:
        await rig.proven()
        await rig.do(c.Upload(name="test", text=pulses()))
        card = {"label": "TMA-8", "precursor": "TMA", "grams": "25 g"}
        await rig.do(c.SetRegister(name="bottle.TMA", value=card, by="Ann"))
        await told(rig, "C6", BLOCK, "another bottle was hung and not confirmed", lambda: None, within_s=1)
        assert "C6" in await rig.refused(c.Start(name="test"), "blocked")
        await rig.do(c.SetRegister(name="cylinder", value={"gas": "nitrogen", "id": "N-1"}, by="Ann"))
        await told(rig, "C14", BLOCK, "nitrogen hangs where argon should", lambda: None, within_s=1)
        assert "C14" in await rig.refused(c.Start(name="test"), "blocked")
        await rig.do(c.SetRegister(name="cylinder", value={"gas": "argon", "id": "AR-2"}, by="Ann"))
        await rig.rest(1)
        assert {cause.row for cause in rig.console.guard.state.active} == {"C6"}


@virtually
async def test_c15_lost_air_isolates(tmp_path: Path) -> None:
    async with Rig(tmp_path, warm=LIGL_C) as rig:
        await dosing(rig)
        how = "compressed air is lost in a dose"
        await shown(
            rig, "C15", ISOLATE, how, lambda: rig.contact("compressed_air_ok", False), lambda: isolated(rig),
            persist_s=0.5,
        )  # fmt: skip
        in_record(await rig.ended(60), "C15")
        rig.contact("compressed_air_ok", True)
        await begins_anew(rig)


@virtually
async def test_c12_a_gas_monitor_that_is_wired_aborts_and_wants_the_button(tmp_path: Path) -> None:
    def wire(raw: dict[str, Any]) -> None:
        del raw["signals"]["mains"]
        raw["signals"]["gas_monitor"] = "coupler-b.mains_ok"

    async with Rig(tmp_path, warm=LIGL_C, file=edited(tmp_path / "tool", wire)) as rig:
        await dosing(rig)
        how = "the gas monitor opens its contact"
        await shown(
            rig, "C12", ABORT, how, lambda: rig.contact("mains_ok", False), lambda: not rig.sources_open,
        )  # fmt: skip
        in_record(await rig.ended(60), "C12")
        rig.contact("mains_ok", True)
        await rig.rest(11)
        assert "button" in await rig.refused(c.Reset(), "reset-refused")
        rig.contact("confirm_button", True)
        await rig.rest(0.3)
        await rig.do(c.Reset(reason="a false alarm"))


# --- what the rows read --------------------------------------------------------------------------------------------


@virtually
async def test_a_pulse_that_is_shorter_than_a_scan_is_seen_and_so_is_whatever_moves(tmp_path: Path) -> None:
    async with Rig(tmp_path, warm=READY_C) as rig:
        await rig.proven()
        samples = rig.console.tool.samples
        assert samples["valves.shut_s"].value == inf and samples["asked.total_sccm"].value == 0.0
        await purging(rig, pulses().replace("30 ms", "20 ms"))
        closed_s = rig.now_s
        await rig.rest(1)
        assert abs(samples["valves.shut_s"].value - (samples["valves.shut_s"].at_s - closed_s)) < 0.06
        assert samples["asked.total_sccm"].value == 20.0 and 10 < samples["asked.quiet_s"].value < 60
        await rig.do(c.Abort())
        await rig.ended(60)
        assert samples["valves.shut_s"].value < 60
        rig.console.tool.pumping = True  # what was in the chamber is pumped down once more
        rig.contact("gate_locked", False)
        await rig.rest(1)
        rig.contact("gate_locked", True)
        await rig.until(lambda: rig.chamber == "PUMPING_DOWN", 5)
        await rig.rest(0.2)
        assert samples["valves.shut_s"].value == inf and samples["asked.quiet_s"].value < 5
