"""The whole daemon on each further module of the valve word: a run, a lost link, and the bottle that may not hang."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from ald_controller import commands as c
from ald_controller.config import Tool
from ald_controller.registers import RegisterFile
from simulators.faults import Fault
from simulators.virtualtime import run_virtual
from tests.recipe_bench import chemistry, loaded
from tests.run.rig import LIGL_C, Rig, edited, ligl

TEST = {"date": "2024-05-06", "by": "ada", "closed_after": "1 s"}
MODULES: dict[str, dict[str, Any]] = {
    "wago_750_352": {"watchdog": "500 ms"},
    "moxa_e1211": {"watchdog": "external", "watchdog_test": TEST},
    "adam_6256": {"watchdog": "external", "watchdog_test": TEST},
}
UNARMED = ["moxa_e1211", "adam_6256"]


def tool_with(folder: Path, driver: str) -> Tool:
    return edited(folder / "tool", lambda raw: raw["valves"].update({"driver": driver, **MODULES[driver]}))


def rig_with(folder: Path, driver: str, *, pyrophorics: bool = False) -> Rig:
    """A warm tool with this module, and by default without the bottle that it may not carry."""
    rig = Rig(folder, warm=LIGL_C, file=tool_with(folder, driver))
    registers = loaded("lithium")
    RegisterFile(folder / "registers.yaml", chemistry()).save(
        registers if pyrophorics else registers.without("bottle.TMA")
    )
    return rig


Test = Callable[[Path, str], Coroutine[Any, Any, None]]


def on(*drivers: str) -> Callable[[Test], Callable[[Path, str], None]]:
    """A test on virtual time, once for each of these modules."""

    def wrap(test: Test) -> Callable[[Path, str], None]:
        def run(tmp_path: Path, driver: str) -> None:
            run_virtual(test(tmp_path, driver))

        run.__name__, run.__doc__ = test.__name__, test.__doc__
        return pytest.mark.parametrize("driver", drivers)(run)

    return wrap


@on(*MODULES)
async def test_a_run_completes_with_every_dose_confirmed(tmp_path: Path, driver: str) -> None:
    async with rig_with(tmp_path, driver) as rig:
        await rig.start(ligl(2))
        record = await rig.ended()
        last = rig.console.last
        assert record.ending == "completed" and last is not None
        assert (last.doses_confirmed, last.doses_planned, last.doses_missed) == (4, 4, 0)
        assert rig.world.plant.thickness_nm(rig.now_s) > 1.0
        assert not rig.sources_open


@on(*MODULES)
async def test_a_dead_link_leaves_the_open_valve_to_the_modules_own_watchdog(tmp_path: Path, driver: str) -> None:
    async with rig_with(tmp_path, driver) as rig:
        await rig.start(ligl(2).replace("LiOtBu, pulse: 1 s", "LiOtBu, pulse: 8 s"))
        await rig.until_open("LTB")
        rig.world.faults["valves"].put(Fault(deaf=True))
        shut_s = await rig.until(lambda: not rig.sources_open, 3, 0.01)
        assert shut_s <= (0.52 if driver == "wago_750_352" else 1.02)
        assert rig.first_out == "K3"
        rig.world.faults["valves"].clear()
        assert (await rig.ended(60)).ending == "tripped" and not rig.sources_open


@on("wago_750_352", "moxa_e1211")
async def test_a_reset_does_not_take_back_a_module_that_tripped(tmp_path: Path, driver: str) -> None:
    async with rig_with(tmp_path, driver) as rig:
        await rig.proven()
        rig.world.faults["valves"].put(Fault(deaf=True))
        await rig.rest(3)
        rig.world.faults["valves"].clear()
        await rig.rest(15)
        assert "restart the controller" in await rig.refused(c.Reset(), "reset-refused")


@on(*UNARMED)
async def test_the_bottle_that_burns_is_refused_where_it_is_hung_and_where_it_is_dosed(
    tmp_path: Path, driver: str
) -> None:
    async with rig_with(tmp_path, driver) as rig:
        bottle = {"label": "a", "precursor": "AlMe3"}
        text = await rig.refused(c.SetRegister(name="bottle.spare", value=bottle, by="Ann"), "register-refused")
        assert "TMA catches fire in air" in text and f"({driver})" in text
        assert "bottle.spare" not in rig.console.registers.dump()["registers"]
        await rig.do(c.SetRegister(name="bottle.spare", value={"label": "a", "precursor": "water"}, by="Ann"))
        await rig.do(c.SetRegister(name="leak", value="3 mTorr/min", by="Ann"))


@on(*UNARMED)
async def test_a_bottle_from_before_the_module_was_changed_is_told_and_starts_nothing(
    tmp_path: Path, driver: str
) -> None:
    async with rig_with(tmp_path, driver, pyrophorics=True) as rig:
        assert any("TMA catches fire in air" in note.text for note in rig.console.guard.notes)
        assert any(
            "which took 1 s when ada tried it on 2024-05-06" in line for line in rig.console.status().not_guarded
        )
        await rig.proven()
        await rig.do(c.Upload(name="test", text=ligl(1)))
        reply = await rig.ask(c.Start(name="test"))
        assert not reply.ok and reply.code == "recipe-refused" and "at port TMA: TMA catches fire" in reply.text


@on("wago_750_352")
async def test_an_armed_module_may_carry_it(tmp_path: Path, driver: str) -> None:
    async with rig_with(tmp_path, driver, pyrophorics=True) as rig:
        assert not any("catches fire" in note.text for note in rig.console.guard.notes)
        await rig.do(c.SetRegister(name="bottle.spare", value={"label": "a", "precursor": "DEZ"}, by="Ann"))
        await rig.do(c.SetRegister(name="confirmed.spare", value={"label": "a"}, by="Ann"))
        await rig.start(ligl(1))
        assert (await rig.ended()).ending == "completed"
