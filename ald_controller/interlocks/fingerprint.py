"""A short name for all limits of a tool: what the owner confirms, so that none changes unseen (row K15). Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import fields, is_dataclass, replace
from enum import Enum
from functools import partial
from types import FunctionType
from typing import Any

from ald_controller.config import ToolConfig
from ald_controller.interlocks.rules import rules_for
from ald_controller.interlocks.setting import Setting
from ald_controller.interlocks.table import RuleSet

_WORDS = frozenset({"says", "unit"})  # what is told of a check changes nothing of it
# What of a tool file bears no limit; all else is confirmed, and so is whatever a file will say one day.
BEARS_NO_LIMIT: dict[str, str] = {
    "tool": "a name",
    "title": "a name",
    "people": "who they are, and not what they may do",
    "lines": "addresses: a device that answers there is identified",
    "mqtt": "the remote door raises no limit and opens nothing",
    "valves.outputs.*.service_after": "a worn valve warns and stops nothing",
    "zones.*.heater": "figures of forecasts, which no rule reads",
}
_LENGTH = 16  # of 64 hexadecimal digits: to compare by eye and to type


def limits_of(setting: Setting) -> str:
    """The name of the limits of a tool as its file, its constants and this software make them.

    The rows enter, and the file beside them: the gate, the valve process and the devices keep limits that no row
    says. Bottles do not enter: whoever hangs one confirms it by itself (row C6); nor does `BEARS_NO_LIMIT`. What a
    device is set to enters as it is written, so that 1 s and 1000 ms are two names. Raises ValueError as `rules_for`.
    """
    config = setting.config.model_copy(update={"mqtt": None})
    rules = rules_for(replace(setting, config=config, bottles={}, compatible=frozenset()), {})
    return limits_hash(rules, _bearing(config))


def _bearing(config: ToolConfig) -> dict[str, Any]:
    """The file's values but for `BEARS_NO_LIMIT`."""
    told = config.model_dump(mode="json")
    for path in BEARS_NO_LIMIT:
        _leave_out(told, path.split("."))
    return told


def _leave_out(told: dict[str, Any], path: list[str]) -> None:
    for key in list(told) if path[0] == "*" else path[:1]:
        if len(path) == 1:
            del told[key]
        else:
            _leave_out(told[key], path[1:])


def limits_hash(rules: RuleSet, beside: Mapping[str, Any] | None = None) -> str:
    """Four times four hexadecimal digits over every row, limit, persistence, dead-band, reaction, reset and measure.

    `beside` is what else is confirmed with them. The order of the table and its words do not enter.
    """
    told = "\n".join([*sorted(_plain(check) for check in rules.checks), _plain(beside or {})])
    digits = hashlib.sha256(told.encode()).hexdigest()[:_LENGTH]
    return "-".join(digits[at : at + 4] for at in range(0, _LENGTH, 4))


def _plain(value: Any) -> str:
    """Text that is the same for equal values in every process; raises TypeError for what has no such text."""
    if value is None or (isinstance(value, bool | int | float | str) and not isinstance(value, Enum)):
        return repr(float(value)) if isinstance(value, int) and not isinstance(value, bool) else repr(value)
    if isinstance(value, Enum):
        return f"{type(value).__name__}.{value.name}"
    if is_dataclass(value):
        told = (f"{f.name}={_plain(getattr(value, f.name))}" for f in fields(value) if f.init and f.name not in _WORDS)
        return f"{type(value).__name__}({', '.join(told)})"
    if isinstance(value, Mapping):
        return "{" + ", ".join(sorted(f"{_plain(k)}: {_plain(v)}" for k, v in value.items())) + "}"
    return _of_several(value)


def _of_several(value: Any) -> str:
    if isinstance(value, tuple | list):
        return "[" + ", ".join(_plain(each) for each in value) + "]"
    if isinstance(value, frozenset | set):
        return "{" + ", ".join(sorted(_plain(each) for each in value)) + "}"
    if isinstance(value, partial):
        return f"{_plain(value.func)}{_plain(value.args)}{_plain(value.keywords)}"
    if isinstance(value, FunctionType):  # a `when`, perhaps with what it was made from
        kept = [cell.cell_contents for cell in value.__closure__ or ()]
        return f"{value.__qualname__}{_plain(kept) if kept else ''}"
    raise TypeError(f"a {type(value).__name__} in a rule has no text of its own that could be confirmed: {value!r}")
