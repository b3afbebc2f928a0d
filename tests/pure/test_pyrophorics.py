"""What burns in air hangs only where the module's watchdog is armed: in the table, the check, the engine, the list."""

from __future__ import annotations

import asyncio
import dataclasses
import datetime
import shutil
from functools import cache
from pathlib import Path

import pytest

from ald_controller.bottles import refused_bottles
from ald_controller.chemistry import load_chemistry
from ald_controller.config import Tool
from ald_controller.config.model import Fill
from ald_controller.config.watchdog import EXTERNAL, WatchdogTest
from ald_controller.engineconfig import NEVER_NS, engine_config
from ald_controller.registers import Registers
from ald_controller.valves.inline import InlineValves
from ald_controller.valves.wire import EngineConfig, Segment, SegmentId, SegmentRefused
from ald_controller.yamlfile import Problems, parse
from simulators.valve_unarmed import MoxaA
from simulators.virtualtime import run_virtual
from tests.interlock_bench import rules
from tests.recipe_bench import RECIPES, chemistry, loaded, plan, problems, recipe, shipped, simulated, tool

TMA = "pulse: {precursor: TMA, time: 15 ms}\npurge: 20 s"
LIGL = "pulse: {precursor: glycerol, time: 1 s}\npurge: 20 s"
MS, S = 1_000_000, 1_000_000_000


@cache
def unarmed(driver: str = "moxa_e1211") -> Tool:
    """The reference tool with a module that nothing arms."""
    test = WatchdogTest(date="2024-05-06", by="ada", closed_after="2 s")  # type: ignore[arg-type]
    update = {"driver": driver, "watchdog": EXTERNAL, "watchdog_test": test}
    valves = tool().config.valves.model_copy(update=update)
    return dataclasses.replace(tool(), config=tool().config.model_copy(update={"valves": valves}))


def with_rack(text: str, material: str = "silicon") -> Registers:
    """Registers with a planned rack as somebody's file says it."""
    return loaded(material).with_rack(parse(text, "rack.yaml"), chemistry())


FILLED = {"delivery": "filled", "fill": Fill(outputs=["spare"], time="1 s")}  # type: ignore[arg-type]
HARMLESS_ONE = '{verdict: "no", source: "does not burn"}'
HARMLESS = "{H2O: water, LTB: LTB, GL: GL, EG: EG}"


# --- the table -------------------------------------------------------------------------------------------------------


def test_every_precursor_says_whether_it_burns_in_air_and_who_says_so() -> None:
    table = chemistry().precursors
    assert {name for name, one in table.items() if one.pyrophoric.verdict == "yes"} == {"TMA", "DEZ"}
    unknown = {name for name, one in table.items() if one.pyrophoric.verdict == "unknown"}
    assert unknown == {"LiHMDS", "TDMAA", "TDMAT", "TDMAZ"}
    assert all(table[name].may_ignite for name in {"TMA", "DEZ"} | unknown)
    assert not any(table[name].may_ignite for name in ("water", "LiOtBu", "glycerol", "TiCl4"))
    assert all(one.pyrophoric.source for one in table.values())


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('    pyrophoric: {verdict: "no", source: "does not burn"}\n', "", "'pyrophoric' is missing here"),
        (HARMLESS_ONE, "{verdict: maybe, source: x}", "'yes', 'no' or 'unknown' is expected"),
        (HARMLESS_ONE, '{verdict: "no"}', "'source' is missing here"),
        (HARMLESS_ONE, "false", "keys and values are expected here"),
    ],
)  # fmt: skip
def test_the_fact_is_never_defaulted(old: str, new: str, says: str, tmp_path: Path) -> None:
    folder = tmp_path / "chemistry"
    shutil.copytree(RECIPES / "chemistry", folder)
    table = folder / "precursors.yaml"
    text = table.read_text("utf-8")
    assert old in text
    table.write_text(text.replace(old, new, 1), "utf-8")
    with pytest.raises(Problems, match=r"precursors\.yaml") as refused:
        load_chemistry(folder)
    assert says in str(refused.value)


# --- the check -------------------------------------------------------------------------------------------------------


def test_a_dose_that_burns_in_air_is_refused_at_its_line_with_what_would_be_right() -> None:
    (found,) = problems(recipe(f"{TMA}\n{TMA}"), at=unarmed())
    assert found.startswith("r.yaml:8:")
    assert "at port TMA: TMA catches fire in air (H250 in ECHA" in found
    assert "no watchdog that is armed over the wire shuts the valves of this tool (moxa_e1211)" in found
    assert found.endswith("dose it at a tool with one of beckhoff_bk9050, wago_750_352")


def test_a_bottle_that_nobody_doses_hangs_there_all_the_same() -> None:
    silicon = recipe(LIGL).replace("lithium foil", "silicon")
    (found,) = problems(silicon, at=unarmed(), registers=loaded("silicon"))
    assert found.startswith("r.yaml:1:1: at port TMA: TMA catches fire in air")
    assert problems(silicon, at=unarmed(), registers=with_rack(HARMLESS)) == []


@pytest.mark.parametrize("name", ["trimethylaluminium", "AlMe3", "TMA", "DEZ", "diethylzinc"])
def test_somebody_elses_rack_and_recipe_get_no_further_by_another_name(name: str) -> None:
    rack = with_rack(f"{{spare: {name}, H2O: water}}")
    text = recipe(f"pulse: {{precursor: {name}, time: 15 ms}}\npurge: 20 s").replace("lithium foil", "silicon")
    (found,) = problems(text, at=unarmed("adam_6256"), registers=rack)
    assert "at port spare: " in found and "catches fire in air" in found
    assert plan(text, registers=rack).doses == 1, "the same at the reference tool"


def test_what_nobody_calls_harmless_is_held_for_pyrophoric() -> None:
    (why,) = refused_bottles(unarmed().config, {"spare": "TDMAT"}, chemistry()).values()
    assert why.startswith("TDMAT may catch fire in air, as nobody says that it does not (")


def test_an_armed_module_carries_everything() -> None:
    assert refused_bottles(tool().config, simulated().rack(), chemistry()) == {}
    assert refused_bottles(unarmed().config, {"elsewhere": "TMA"}, chemistry()) == {}, "no port of this tool"


def test_the_shipped_recipes_without_pyrophorics_are_accepted_at_such_a_tool() -> None:
    text = shipped("ligl-on-lithium.yaml")
    assert problems(text, at=unarmed(), registers=with_rack(HARMLESS, "lithium")) == []


# --- the engine ------------------------------------------------------------------------------------------------------


def longest_ns(config: EngineConfig) -> dict[str, int]:
    return {source.name: source.longest_open_ns for source in config.sources}


def test_the_engine_opens_no_source_that_may_burn_and_none_that_nobody_has_named() -> None:
    longest = longest_ns(engine_config(unarmed(), simulated(), chemistry()))
    assert longest == {
        "TMA": NEVER_NS, "spare": NEVER_NS, "H2O": 5 * S, "LTB": 12 * S, "GL": 5 * S, "EG": 5 * S,
    }  # fmt: skip
    assert longest_ns(engine_config(tool(), simulated(), chemistry()))["TMA"] == S


def test_a_source_that_may_not_be_opened_is_not_filled_either() -> None:
    config = tool().config
    ports = config.ports | {"TMA": config.ports["TMA"].model_copy(update=FILLED)}
    filled = config.model_copy(update={"ports": ports})
    armed = engine_config(dataclasses.replace(tool(), config=filled), simulated(), chemistry())
    (fill,) = next(source for source in armed.sources if source.name == "TMA").positions
    assert fill.longest_ns == S
    valves = filled.valves.model_copy(update={"driver": "adam_6256"})
    shut = engine_config(
        dataclasses.replace(tool(), config=filled.model_copy(update={"valves": valves})), simulated(), chemistry()
    )
    (fill,) = next(source for source in shut.sources if source.name == "TMA").positions
    assert fill.longest_ns == NEVER_NS


def test_whatever_is_loaded_such_a_source_stays_shut_until_another_bottle_hangs_there() -> None:
    async def test() -> None:
        module = MoxaA()
        valves = InlineValves(module, driver="moxa_e1211", watchdog_ms=0)
        await valves.start(engine_config(unarmed(), simulated(), chemistry()))
        beats = asyncio.create_task(beat(valves))
        valves.beat(0xFF)
        valves.state("VACUUM")
        valves.clear()
        for width_ns in (2, 15 * MS, S):
            with pytest.raises(SegmentRefused, match=r"opens TMA for .* s: no longer than 0\.000 s is allowed"):
                await valves.load(Segment(SegmentId("r", 1, 0), ((0, 1), (width_ns, 0)), 2 * S))
        water = simulated().set("bottle.TMA", "{label: w, precursor: water}", "Ann", "now", chemistry())
        valves.configure(engine_config(unarmed(), water, chemistry()))
        await valves.load(Segment(SegmentId("r", 1, 0), ((0, 1), (15 * MS, 0)), 2 * S))
        await asyncio.sleep(3)
        assert [change.word for change in module.changes if change.word & 0xFF == 1] == [1]
        beats.cancel()
        await valves.close()

    run_virtual(test())


async def beat(valves: InlineValves) -> None:
    while True:
        await asyncio.sleep(0.1)
        valves.beat(0xFF)


# --- the list of what is not guarded ----------------------------------------------------------------------------------


def test_what_the_owner_measured_is_what_is_promised() -> None:
    (told,) = [line for line in rules(unarmed().config).not_guarded if "watchdog" in line]
    assert told == (
        "K3: nothing on the wire arms the watchdog of the valve module (moxa_e1211): when the valve process dies, "
        "or its link, valves stay open until the module shuts them by itself, which took 2 s when ada tried it on "
        "2024-05-06."
    )
    assert not [line for line in rules(tool().config).not_guarded if "watchdog" in line]
    assert unarmed().config.valves.watchdog_test is not None
    assert unarmed().config.valves.watchdog_test.date == datetime.date(2024, 5, 6)
