"""Row K15: the limits of a tool have one name, which changes with every limit and with nothing else."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from fnmatch import fnmatch
from functools import partial
from typing import Any, get_args

import pytest
from pydantic import BaseModel

from ald_controller.config import Limits, Mqtt, Signals, ToolConfig, ValveModule, Zone
from ald_controller.config.model import Fill, HeatBalance, Push
from ald_controller.config.watchdog import WatchdogTest
from ald_controller.interlocks import Blocks, Check, Facts, Hung, Level, Reaction, Reset, RuleSet, Setting
from ald_controller.interlocks.fingerprint import BEARS_NO_LIMIT, limits_hash, limits_of
from ald_controller.interlocks.measures import Input, Value
from ald_controller.interlocks.setting import always, lithium
from ald_controller.interlocksetting import limits_confirmed, setting_of
from ald_controller.registers import CONFIRMED_LIMITS
from ald_controller.yamlfile import Problems
from tests.interlock_bench import CONFIG, CONSTANTS, RULES, SETTING
from tests.recipe_bench import chemistry, simulated, tool


def test_the_shipped_registers_of_the_simulated_reactor_confirm_the_shipped_limits() -> None:
    now = limits_of(setting_of(tool().config, simulated(), chemistry()))
    assert limits_confirmed(simulated(), now), (
        f"the limits of deploy/tool.yaml, the constants of deploy/registers-simulated.yaml or the rows in the code "
        f"have changed. If that was meant, confirm them: sed -i '/confirmed.limits/s/value: [-0-9a-f]*/value: {now}/' "
        f"deploy/registers-simulated.yaml"
    )


def test_addresses_bottles_and_a_broker_change_no_limit() -> None:
    lines = {name: line.model_copy(update={"address": "tcp://10.0.0.1:502"}) for name, line in CONFIG.lines.items()}
    moved = CONFIG.model_copy(update={"lines": lines, "mqtt": Mqtt(host="broker", user="ald"), "title": "another"})
    bottles = {"TMA": Hung("TMA", pyrophoric=True, max_c=40.0, min_c=17.0)}
    assert limits_of(replace(SETTING, config=moved, bottles=bottles)) == limits_of(SETTING)


# --- every field of the file -----------------------------------------------------------------------------------------


ANEW: dict[type, Any] = {
    str: "coupler-b.another", int: 7, Push: Push(device="carrier", flow="1 sccm"),
    Mqtt: Mqtt(host="broker", user="ald"), Fill: Fill(outputs=["TMA"], time="1 s"),
    HeatBalance: HeatBalance(power="60 W", loss="0.15 W/K", source="-", provenance="read"),
    WatchdogTest: WatchdogTest.model_validate({"date": "2025-05-05", "by": "Ann", "closed_after": "1 s"}),
}  # fmt: skip


def _other(value: Any, kind: Any) -> Any:
    """Another value than this one, of the same shape; for None one of its field's kind."""
    match value:
        case None:
            return next(ANEW[one] for one in get_args(kind) if one in ANEW)
        case bool():
            return not value
        case int():
            return value + 1
        case float():
            return value + 0.5
        case str():
            return value + "x"
        case list():
            return [*value, "x"]
    raise AssertionError(f"no other value is known for {value!r}")


def _changes(model: BaseModel, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], BaseModel]]:
    """This model with one field changed, for every field of it and of the models in it."""
    for name, field in type(model).model_fields.items():
        for at, changed in _changed(getattr(model, name), (*path, name), field.annotation):
            yield at, model.model_copy(update={name: changed})


def _changed(value: Any, path: tuple[str, ...], kind: Any) -> Iterator[tuple[tuple[str, ...], Any]]:
    if isinstance(value, BaseModel):
        yield from _changes(value, path)
    elif isinstance(value, dict):
        for key, one in value.items():
            yield from ((at, value | {key: new}) for at, new in _changed(one, (*path, key), None))
    else:
        yield path, _other(value, kind)


EVERY_FIELD = {".".join(path): changed for path, changed in _changes(CONFIG)}
SOME_OF_THEM = {
    "limits.glove", "limits.gate_delta_p", "limits.vacuum", "limits.margin", "signals.confirm", "signals.exhaust",
    "zones.substrate.second", "zones.chamber.max_ramp", "valves.watchdog", "valves.outputs.TMA.closing", "purge_flow",
    "devices.substrate.safe_local", "devices.coupler-b.watchdog", "ports.LTB.push.flow", "valves.outputs.TMA.role",
}  # fmt: skip


def _bears_none(path: str) -> bool:
    return any(fnmatch(path, none) or fnmatch(path, f"{none}.*") for none in BEARS_NO_LIMIT)


def _named_or_refused(config: ToolConfig) -> str:
    """The name of a tool; one whose limits cannot be told, as of an unknown kind of zone, has another."""
    try:
        return limits_of(replace(SETTING, config=config))
    except (ValueError, KeyError, StopIteration):
        return "refused"


def test_the_walk_over_the_file_meets_every_limit_signal_zone_valve_and_device() -> None:
    assert set(EVERY_FIELD) >= SOME_OF_THEM
    for model, at in ((Limits, "limits"), (Signals, "signals"), (Zone, "zones.substrate"), (ValveModule, "valves")):
        for name in model.model_fields:
            assert any(f"{path}.".startswith(f"{at}.{name}.") for path in EVERY_FIELD), f"{at}.{name}"
    assert all(any(fnmatch(path, f"{none}*") for path in EVERY_FIELD) for none in BEARS_NO_LIMIT)


@pytest.mark.parametrize("path", EVERY_FIELD)
def test_every_field_of_a_tool_file_is_part_of_the_name_or_stands_in_the_list_of_those_that_bear_no_limit(
    path: str,
) -> None:
    same = _named_or_refused(EVERY_FIELD[path]) == limits_of(SETTING)
    assert same == _bears_none(path)


def _limit(**values: float) -> Setting:
    return replace(SETTING, config=CONFIG.model_copy(update={"limits": CONFIG.limits.model_copy(update=values)}))


@pytest.mark.parametrize("setting", [
    _limit(lithium_warn=159.9), _limit(lithium_trip=169.9), _limit(lithium_clear=149.9), _limit(glovebox_warn=1.1),
    _limit(glovebox_block=5.1), _limit(glovebox_trip=10.1), _limit(box_pressure_trip=1201),
    replace(SETTING, constants=replace(CONSTANTS, leak_pa_m3_s=0.02)),
    replace(SETTING, config=CONFIG.model_copy(update={"signals": CONFIG.signals.model_copy(update={"mains": None})})),
    Setting(CONFIG),
])  # fmt: skip
def test_the_owners_file_and_the_constants_change_the_name(setting: Setting) -> None:
    assert limits_of(setting) != limits_of(SETTING)


LEVEL = Level("K9", Reaction.WARN, 10.0, 5.0, Reset.AUTO, always)
CHECK = Check("a", Value(Input("a.x", 0, 1, 2.0)), (LEVEL,), 10.0, "K9")


def _named(*checks: Check, **more: Any) -> str:
    return limits_hash(RuleSet(checks, {}, **more))


@pytest.mark.parametrize("change", [
    {"row": "K8"}, {"reaction": Reaction.BLOCK}, {"limit": 10.5}, {"clear": 4.0}, {"reset": Reset.L1},
    {"when": lithium}, {"persist_s": 1.0}, {"blocks": Blocks.START}, {"fixed": True},
])  # fmt: skip
def test_every_field_of_a_level_is_part_of_the_name(change: dict[str, Any]) -> None:
    assert _named(replace(CHECK, levels=(replace(LEVEL, **change),))) != _named(CHECK)


@pytest.mark.parametrize("change", [
    {"name": "b"}, {"bad_as": None}, {"bad_row": "K8"}, {"late_row": "K9"}, {"zone": "substrate"}, {"device": "a"},
    {"link": True}, {"measure": Value(Input("a.x", 0, 1, 3.0))}, {"measure": Value(Input("a.x", 0, 2, 2.0))},
    {"measure": Value(Input("a.y", 0, 1, 2.0))}, {"levels": (LEVEL, LEVEL)},
])  # fmt: skip
def test_every_field_of_a_check_but_its_words_is_part_of_the_name(change: dict[str, Any]) -> None:
    assert _named(replace(CHECK, **change)) != _named(CHECK)


def test_words_and_the_order_of_the_table_are_not_part_of_the_name() -> None:
    other = replace(CHECK, name="b")
    assert _named(replace(CHECK, says="another sentence", unit="s")) == _named(CHECK)
    assert _named(CHECK, other) == _named(other, CHECK)
    assert _named(CHECK, not_guarded=("K6: nothing.",)) == _named(CHECK)


def _above(number: float) -> Callable[[Facts], bool]:
    return lambda facts: number > 0


def test_what_a_condition_was_made_from_is_part_of_the_name() -> None:
    def named(when: Any) -> str:
        return _named(replace(CHECK, levels=(replace(LEVEL, when=when),)))

    assert named(_above(1.0)) == named(_above(1.0)) != named(_above(2.0))
    assert named(partial(_above, 1.0)) == named(partial(_above, 1.0)) != named(partial(_above, 2.0))


def test_what_has_no_text_of_its_own_cannot_be_confirmed() -> None:
    with pytest.raises(TypeError, match="no text of its own"):
        _named(replace(CHECK, zone=object()))  # type: ignore[arg-type]


def test_the_name_is_short_enough_to_compare_and_to_type_and_the_register_takes_nothing_else() -> None:
    name = limits_hash(RULES)
    assert len(name) == 19 and name.count("-") == 3
    registers = simulated().set(CONFIRMED_LIMITS, name, "Ann", "2025-05-05T08:00:00Z", chemistry())
    assert limits_confirmed(registers, name)
    assert not limits_confirmed(registers, "0000-0000-0000-0000")
    assert not limits_confirmed(registers.without(CONFIRMED_LIMITS), name)
    for wrong in ("yes", name[:-1], name + "0", name.upper().replace("0", "G")):
        with pytest.raises(Problems):
            simulated().set(CONFIRMED_LIMITS, wrong, "Ann", "2025-05-05T08:00:00Z", chemistry())
