"""What a person types as NAME=VALUE, understood: facts of the tool by name, values of signals with or without unit."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from enum import Enum
from typing import Any, get_args

from ald_controller.chemistry import LITHIUM, Chemistry, close
from ald_controller.config import CHAMBER_STATES, ToolConfig
from ald_controller.explain.signals import scale_of
from ald_controller.interlocks import Facts
from ald_controller.states import ProcessState

_STATES: tuple[str, ...] = get_args(ProcessState)
_YES, _NO = ("yes", "true", "1"), ("no", "false", "0")
_UNKNOWN = ("unknown", "nobody knows")
_STEPS = ("segment", "flow", "heat", "pump", "wait", "settle", "rise")
_PARTS = ("prepare", "deposit", "finish")
_GATES = {"shut": (1.0, 1.0), "unlocked": (1.0, 0.0), "open": (0.0, 0.0)}  # contacts shut and locked


class NotUnderstood(Exception):
    """What was typed says nothing that the interlocks know: says what would be right."""


class Lost(Enum):
    """A signal that gives no value; the words that a person types."""

    BAD = "bad"  # its device says so
    OLD = "old"  # not read any more
    MISSING = "missing"  # never read
    NAN = "nan"


@dataclass(frozen=True, slots=True)
class Typed:
    """The facts, the values by signal, and the signals that give none."""

    facts: Facts
    values: dict[str, float] = field(default_factory=dict)
    lost: dict[str, Lost] = field(default_factory=dict)


def understand(
    words: Iterable[str], config: ToolConfig, chemistry: Chemistry, signals: Mapping[str, Any], start: Facts
) -> Typed:
    """Every NAME=VALUE over the facts `start`; raises NotUnderstood for the first that says nothing."""
    typed = Typed(start)
    for word in words:
        name, equals, value = (part.strip() for part in word.partition("="))
        if not equals or not value:
            raise NotUnderstood(f"'{word}': write NAME=VALUE, for example substrate.temperature_c=171 or gate=open")
        typed = _one(typed, name, value, config, chemistry, signals)
    return typed


def _one(
    typed: Typed, name: str, value: str, config: ToolConfig, chemistry: Chemistry, signals: Mapping[str, Any]
) -> Typed:
    if name == "gate":
        return replace(typed, values=typed.values | _gate(value, config))
    if name in _FACTS:
        return replace(typed, facts=_FACTS[name](typed.facts, value, chemistry))
    if name not in signals:
        raise NotUnderstood(_no_such(name, config, signals))
    if value.lower() in {lost.value for lost in Lost}:
        return replace(typed, lost={**typed.lost, name: Lost(value.lower())})
    try:
        number = scale_of(name).read(value)
    except ValueError as error:
        raise NotUnderstood(f"{name}: {error}") from None
    if not -1e12 < number < 1e12:  # `nan` is a word of its own
        raise NotUnderstood(f"{name}: '{value}' is no value of a channel")
    return replace(typed, values={**typed.values, name: number})


def _no_such(name: str, config: ToolConfig, signals: Mapping[str, Any]) -> str:
    device = name.partition(".")[0]
    if "." not in name:
        its = [s for s in signals if s.startswith(f"{name}.")]
        zone = config.zones.get(name)
        its = [f"{zone.device}.temperature_c"] if zone else its
        hint = f"; did you mean {its[0]}?" if its else close(name, [*_FACTS, "gate", *signals])
        return f"'{name}' is neither a fact ({', '.join(['gate', *_FACTS])}) nor a signal{hint}"
    if device in config.devices:
        its = [s for s in signals if s.startswith(f"{device}.")]
        there = f"of {device} they read {', '.join(its)}" if its else f"they read nothing of {device}"
        return f"no row reads '{name}'{close(name, signals)} ({there})"
    return f"there is no signal '{name}'{close(name, signals)}"


def _gate(value: str, config: ToolConfig) -> dict[str, float]:
    contacts = _GATES.get({"proven": "shut", "closed": "shut", "unproven": "unlocked"}.get(value, value))
    if contacts is None:
        raise NotUnderstood(f"gate={value}: write one of {', '.join(_GATES)}{close(value, _GATES)}")
    names = config.signals.gate_shut, config.signals.gate_locked
    return {name: contact for name, contact in zip(names, contacts, strict=True) if name is not None}


# --- facts -----------------------------------------------------------------------------------------------------------


def _of(name: str, allowed: tuple[str, ...]) -> Callable[[Facts, str, Chemistry], Facts]:
    """A fact that is one of several words, whatever their case."""

    def read(facts: Facts, value: str, chemistry: Chemistry) -> Facts:
        found = next((word for word in allowed if word.casefold() == value.replace(" ", "_").casefold()), None)
        if found is None:
            raise NotUnderstood(f"{name}={value}: write one of {', '.join(allowed)}{close(value.upper(), allowed)}")
        changed: dict[str, Any] = {name: found}
        return replace(facts, **changed)

    return read


def _whether(name: str) -> Callable[[Facts, str, Chemistry], Facts]:
    def read(facts: Facts, value: str, chemistry: Chemistry) -> Facts:
        if value.lower() not in _YES + _NO:
            raise NotUnderstood(f"{name}={value}: write yes or no")
        changed: dict[str, Any] = {name: value.lower() in _YES}
        return replace(facts, **changed)

    return read


def _load(facts: Facts, value: str, chemistry: Chemistry) -> Facts:
    """Limits follow the material alone; what is unknown counts as lithium."""
    if value.lower() in _UNKNOWN:
        return replace(facts, lithium=True)
    material = chemistry.material(value)
    if material is None:
        known = ", ".join([*chemistry.materials, "unknown"])
        raise NotUnderstood(f"load={value}: write one of {known}{close(value, chemistry.material_names)}")
    return replace(facts, lithium=material == LITHIUM)


_TYPED_ELSEWHERE = {"lithium", "gate_proven_shut"}  # by the load, and by the contacts of the gate
_FACTS: dict[str, Callable[[Facts, str, Chemistry], Facts]] = {
    "process": _of("process", _STATES),
    "chamber": _of("chamber", CHAMBER_STATES),
    "load": _load,
    "step": _of("step", _STEPS),
    "part": _of("part", _PARTS),
} | {f.name: _whether(f.name) for f in fields(Facts) if f.type == "bool" and f.name not in _TYPED_ELSEWHERE}
