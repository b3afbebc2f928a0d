"""A short name for all limits of a tool: what the owner confirms, so that none changes unseen (row K15). Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import fields, is_dataclass, replace
from enum import Enum
from functools import partial
from types import FunctionType
from typing import Any

from ald_controller.interlocks.rules import rules_for
from ald_controller.interlocks.setting import Setting
from ald_controller.interlocks.table import RuleSet

_WORDS = frozenset({"says", "unit"})  # what is told of a check changes nothing of it
_LENGTH = 16  # of 64 hexadecimal digits: to compare by eye and to type


def limits_of(setting: Setting) -> str:
    """The name of the limits of a tool as its file, its constants and this software make them.

    Bottles do not enter: whoever hangs one confirms it by itself (row C6); nor does whether there is a broker.
    Raises ValueError as `rules_for` does.
    """
    config = setting.config.model_copy(update={"mqtt": None})
    return limits_hash(rules_for(replace(setting, config=config, bottles={}, compatible=frozenset()), {}))


def limits_hash(rules: RuleSet) -> str:
    """Four times four hexadecimal digits over every row, limit, persistence, dead-band, reaction, reset and measure.

    The order of the table, its words and addresses on the wire do not enter.
    """
    told = "\n".join(sorted(_plain(check) for check in rules.checks))
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
