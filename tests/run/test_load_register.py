"""The load register and what hangs at the ports, on the simulated reactor: what counts as lithium, and as pyrophoric.

A load never outlives an opening of the gate, and lithium limits come off over a cold chamber that was seen empty.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from ald_controller import clearing
from ald_controller import commands as c
from ald_controller.confirming import all_confirmed
from ald_controller.interlocks.gate import Lock
from ald_controller.registers import RegisterFile, Registers
from simulators.faults import Fault
from tests.recipe_bench import chemistry, loaded, tool
from tests.run.rig import OPERATOR, Rig, virtually

BOX_PA = 101_325.0 + 200.0
COPPER = {"material": "copper", "seen_empty": True}
BYPASS = c.Bypass(row="G1", minutes=30, reason="the analyser is being calibrated")


def _load(value: object) -> c.SetRegister:
    return c.SetRegister(name="load", value=value, by="Ann")


async def _at_the_box(rig: Rig) -> None:
    """At the box's pressure and cold, and the mark given: nothing keeps the gate shut."""
    await rig.proven()
    for _ in range(5):  # until the stop valve has shut it may pump
        rig.world.plant.advance(rig.now_s)
        rig.world.plant.gas.inert_pa = BOX_PA
        await rig.rest(0.5)
    if rig.latched:
        await rig.rest(12)
        await rig.do(c.Reset(reason="vented on purpose"))
    keeper = rig.console.guard.keeper
    keeper.gate = replace(keeper.gate, sources_since_s=rig.now_s - 120)
    rig.console.clearing.state = clearing.Clearing(rig.now_s, rig.now_s - 1000, frozenset(), cleared=True)
    await rig.rest(1)
    assert not keeper.gate.missing, keeper.gate.missing


def _kept(folder: Path) -> Registers:
    return RegisterFile(folder / "registers.yaml", chemistry()).registers


def _begun(folder: Path, registers: Registers) -> Rig:
    """A start that finds these registers."""
    rig = Rig(folder)
    RegisterFile(folder / "registers.yaml", chemistry()).save(registers)
    return rig


def _unwritable(folder: Path) -> Path:
    """Registers cannot be replaced from now on; what has to go so that they can."""
    (barrier := folder / "registers.yaml.new").mkdir()
    return barrier


def _lock(rig: Rig) -> Lock:
    return rig.console.guard.keeper.gate.lock


# --- a load never outlives an opening ---------------------------------------------------------------------------------


@virtually
async def test_the_load_is_unknown_in_the_file_before_the_lock_opens_and_after_a_restart_while_it_is_released(
    tmp_path: Path,
) -> None:
    async with Rig(tmp_path, load="copper") as rig:
        await _at_the_box(rig)
        assert not rig.console.about.lithium
        await rig.do(c.Gate(act="release"))
        assert "load" not in _kept(tmp_path).entries and rig.console.about.lithium
    async with _begun(tmp_path, _kept(tmp_path)) as again:  # meanwhile it was opened, and shut
        await again.proven()
        await again.rest(5)
        assert _lock(again) is Lock.LOCKED and again.console.about.lithium


@virtually
async def test_a_gate_whose_load_cannot_be_made_unknown_in_the_file_is_not_released(tmp_path: Path) -> None:
    async with Rig(tmp_path, load="copper") as rig:
        await _at_the_box(rig)
        barrier = _unwritable(tmp_path)
        assert "cannot be written down" in await rig.refused(c.Gate(act="release"), "gate-refused")
        assert _lock(rig) is Lock.LOCKED and not rig.console.about.lithium
        barrier.rmdir()
        await rig.do(c.Gate(act="release"))


@virtually
async def test_a_file_that_holds_a_released_gate_and_a_load_knows_of_no_load(tmp_path: Path) -> None:
    registers = loaded("copper").set("gate", "released", "Ann", "2025-05-05T08:00:00Z", chemistry())
    async with _begun(tmp_path, registers) as rig:
        assert rig.console.about.lithium
        await rig.proven()
        await rig.until(lambda: _lock(rig) is Lock.LOCKED, 10)
        assert rig.console.about.lithium
    assert "load" not in _kept(tmp_path).entries


@virtually
async def test_the_load_of_a_forced_gate_is_struck_out_of_a_file_that_cannot_be_replaced(tmp_path: Path) -> None:
    async with Rig(tmp_path, load="copper") as rig:
        await rig.proven()
        _unwritable(tmp_path)
        rig.contact("gate_shut", False)
        await rig.rest(2)
        assert rig.console.about.lithium
        assert any("the load is unknown there, too" in note.text for note in rig.console.guard.notes)
    assert "load" not in _kept(tmp_path).entries and "leak" in _kept(tmp_path).entries


@virtually
async def test_nobody_says_what_is_loaded_while_the_gate_is_released(tmp_path: Path) -> None:
    async with Rig(tmp_path, load="copper") as rig:
        await _at_the_box(rig)
        await rig.do(c.Gate(act="release"))
        assert "not locked (released, shut)" in await rig.refused(_load(COPPER), "register-refused")
        await rig.do(c.Gate(act="lock"))
        await rig.until(lambda: _lock(rig) is Lock.LOCKED, 10)
        await rig.do(_load(COPPER))


# --- lithium limits come off ------------------------------------------------------------------------------------------


@virtually
async def test_lithium_limits_stay_on_over_hot_lithium_whatever_an_owner_says(tmp_path: Path) -> None:
    async with Rig(tmp_path, warm={"substrate": 178.0, "chamber": 150.0}) as rig:
        await rig.until(lambda: not rig.console.tool.absent and rig.chamber == "VACUUM", 60)
        told = await rig.refused(_load(COPPER), "register-refused")
        for why in ("T1 is latched", "the gate was not opened since", "substrate.temperature_c is at", "substrate_2_c"):
            assert why in told
        assert rig.console.about.lithium
        assert "T1" in await rig.refused(c.Reset(reason="it is copper"), "reset-refused")


@virtually
async def test_an_unknown_load_stays_lithium_while_a_zone_that_touches_it_is_hot_or_latched(tmp_path: Path) -> None:
    for zone, at_c, latched in (("substrate", 178.0, True), ("chamber", 70.0, False)):
        async with Rig(tmp_path / zone, load=None, warm={zone: at_c}) as rig:
            await rig.until(lambda rig=rig: not rig.console.tool.absent and rig.chamber == "VACUUM", 60)
            told = await rig.refused(_load(COPPER), "register-refused")
            assert "lithium limits come off below 60 °C" in told and ("is latched" in told) is latched
            assert "not opened" not in told and rig.console.about.lithium


@virtually
async def test_a_sensor_that_says_nothing_is_not_cold(tmp_path: Path) -> None:
    async with Rig(tmp_path, load=None) as rig:
        await rig.proven()
        rig.world.instruments["coupler-b"].channels["substrate_2_c"].broken = True  # type: ignore[attr-defined]
        await rig.rest(1)
        assert "substrate_2_c is not known" in await rig.refused(_load(COPPER), "register-refused")


@virtually
async def test_lithium_limits_come_off_once_the_chamber_was_seen_empty_and_that_is_kept_with_the_load(
    tmp_path: Path,
) -> None:
    async with Rig(tmp_path, load=None) as rig:
        await rig.proven()
        for silent in ({"material": "copper"}, {"material": "copper", "seen_empty": False}):
            assert "seen_empty: true" in await rig.refused(_load(silent), "register-refused")
        assert (await rig.ask(_load(COPPER), OPERATOR)).code == "forbidden"
        await rig.do(_load("{material: copper, seen_empty: true}"))  # as a person types it
        assert not rig.console.about.lithium
        await rig.do(_load({"material": "lithium"}))
        assert "the gate was not opened since" in await rig.refused(_load({"material": "nothing"}), "register-refused")
    assert _kept(tmp_path).is_lithium


@virtually
async def test_an_empty_chamber_needs_no_second_declaration(tmp_path: Path) -> None:
    async with Rig(tmp_path, load=None) as rig:
        await rig.proven()
        await rig.do(_load({"material": "nothing"}))
        assert not rig.console.about.lithium
        assert (await rig.ask(_load({"material": "copper"}), OPERATOR)).ok  # from one that is not lithium to another


# --- alkali metals that lithium's limits do not guard -----------------------------------------------------------------


@virtually
async def test_a_metal_that_melts_below_lithiums_limits_is_not_loaded(tmp_path: Path) -> None:
    async with Rig(tmp_path) as rig:
        await rig.proven()
        for metal in ("sodium", "K"):
            told = await rig.refused(_load({"material": metal, "seen_empty": True}), "register-refused")
            assert "melts below" in told and rig.console.registers.load_material == "lithium"


@virtually
async def test_sodium_in_a_file_from_before_is_unknown_and_a_hot_chamber_trips(tmp_path: Path) -> None:
    async with Rig(tmp_path, load="sodium", warm={"substrate": 178.0}) as rig:
        await rig.until(lambda: not rig.console.tool.absent and rig.chamber == "VACUUM", 60)
        assert rig.console.about.lithium and rig.console.registers.load_material is None
        assert "T1" in await rig.refused(c.Reset(reason="only sodium"), "reset-refused")


# --- what hangs at the ports ------------------------------------------------------------------------------------------


def _watered(registers: Registers) -> Registers:
    """Water at every port, confirmed."""
    for port in tool().config.ports:
        card = {"label": f"W-{port}", "precursor": "water"}
        registers = registers.set(f"bottle.{port}", card, "Ann", "2025-05-05T08:00:00Z", chemistry())
    return all_confirmed(registers, chemistry())


@virtually
async def test_a_port_without_a_card_or_without_a_confirmation_counts_as_pyrophoric(tmp_path: Path) -> None:
    async with _begun(tmp_path / "whole", _watered(loaded("copper"))) as rig:
        await rig.proven()
        assert not rig.console.about.pyrophoric
        await rig.do(BYPASS)
    for lost in ("bottle.TMA", "confirmed.TMA"):
        async with _begun(tmp_path / lost, _watered(loaded("copper")).without(lost)) as rig:
            await rig.proven()
            assert rig.console.about.pyrophoric
            assert "burns in air" in await rig.refused(BYPASS, "bypass-refused")


@virtually
async def test_another_card_is_believed_once_it_was_confirmed_at_the_bottle(tmp_path: Path) -> None:
    registers = _watered(loaded("copper"))
    registers = registers.set("bottle.TMA", {"label": "T-1", "precursor": "TMA"}, "Ann", "now", chemistry())
    async with _begun(tmp_path, all_confirmed(registers, chemistry())) as rig:
        await rig.proven()
        card = c.SetRegister(name="bottle.TMA", value={"label": "W-2", "precursor": "water"}, by="Bob")
        assert (await rig.ask(card, OPERATOR)).ok
        await rig.rest(0.3)
        assert rig.console.guard.facts.pyrophoric
        await rig.refused(BYPASS, "bypass-refused")
        await rig.do(c.SetRegister(name="confirmed.TMA", value={"label": "W-2"}, by="Bob"))
        await rig.rest(0.3)
        assert not rig.console.guard.facts.pyrophoric
        await rig.do(BYPASS)


# --- the button at the tool -------------------------------------------------------------------------------------------


async def _stopped(rig: Rig) -> None:
    """The E-stop was pressed and pulled out again."""
    rig.contact("estop_ok", False)
    await rig.rest(3)
    rig.contact("estop_ok", True)
    await rig.rest(12)


async def _pressed(rig: Rig) -> None:
    rig.contact("confirm_button", True)
    await rig.rest(0.5)
    rig.contact("confirm_button", False)
    await rig.rest(0.5)


@virtually
async def test_a_button_that_is_held_or_shorted_resets_nothing_until_it_is_released_and_pressed(
    tmp_path: Path,
) -> None:
    async with Rig(tmp_path) as rig:
        rig.contact("confirm_button", True)  # taped, since before the start
        await rig.proven()
        await rig.rest(60)
        await _stopped(rig)
        assert "button" in await rig.refused(c.Reset(reason="nobody is hurt"), "reset-refused")
        rig.contact("confirm_button", False)
        await rig.rest(0.5)
        assert "button" in await rig.refused(c.Reset(reason="nobody is hurt"), "reset-refused")
        await _pressed(rig)
        await rig.do(c.Reset(reason="nobody is hurt"))


@virtually
async def test_a_press_before_the_latch_or_for_the_reset_before_does_not_count(tmp_path: Path) -> None:
    async with Rig(tmp_path) as rig:
        await rig.proven()
        await _pressed(rig)
        await _stopped(rig)
        assert "button" in await rig.refused(c.Reset(reason="nobody is hurt"), "reset-refused")
        await _pressed(rig)
        await rig.do(c.Reset(reason="nobody is hurt"))
        await _stopped(rig)
        assert "button" in await rig.refused(c.Reset(reason="nobody is hurt"), "reset-refused")


@virtually
async def test_a_button_whose_input_was_lost_has_to_be_seen_released_again(tmp_path: Path) -> None:
    async with Rig(tmp_path) as rig:
        await rig.proven()
        await _stopped(rig)
        rig.world.faults["coupler-b"].put(Fault(silent=True))
        await rig.rest(3)
        rig.contact("confirm_button", True)
        rig.world.faults["coupler-b"].clear()
        await rig.until(lambda: rig.console.tool.good("coupler-b.confirm_button") == 1, 15)
        await rig.rest(12)
        assert "button" in await rig.refused(c.Reset(reason="nobody is hurt"), "reset-refused")
        rig.contact("confirm_button", False)
        await rig.rest(0.5)
        await _pressed(rig)
        await rig.do(c.Reset(reason="nobody is hurt"))
