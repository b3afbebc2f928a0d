"""How much of its power a zone needs to hold its temperature: one that needs nearly all of it trips row T2."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from ald_controller.commissioned import Curve
from ald_controller.config import ToolConfig
from ald_controller.foresight.timeline import ROOM_C
from ald_controller.plan import FlowStep, HeatStep, Plan, RepeatStep, Step, Where

FULL = 0.80  # from this share of its power on a zone must rise, or T2 aborts: `interlocks/thermal_power.py` says so too
NEARLY = 0.75  # little is left to come to the set-point with


class Strained(NamedTuple):
    """A zone that needs `share` of its power to hold `at_c`; `beside` are zones that it heats, by their temperature."""

    zone: str
    at_c: float
    share: float
    beside: tuple[tuple[str, float], ...]
    basis: str  # what this rests on
    where: Where  # the step that set it


def strained(plan: Plan, config: ToolConfig, slopes: Mapping[str, Curve]) -> list[Strained]:
    """Every zone at each temperature that takes more than `NEARLY` of its power; `slopes` as commissioned, by zone.

    The power is that of the tool file (`heater`), or by the rise at full power: what is lost grows with the
    temperature, so the rise falls with it in a straight line. A zone of which neither is known is left out.
    """
    found: dict[tuple[str, float], Strained] = {}
    targets: dict[str, float | None] = {name: zone.standby for name, zone in config.zones.items()}
    wheres: dict[str, Where] = {}
    for pause in _pauses((*plan.prepare, *plan.deposit, *plan.finish)):
        for step in pause:
            targets |= step.targets_c
            wheres |= dict.fromkeys(step.targets_c, step.where)
        for name, where in wheres.items():
            at_c = targets[name]
            one = None if at_c is None else _strain(name, at_c, targets, config, slopes.get(name), where)
            if one is not None and one.share > NEARLY:
                found.setdefault((name, one.at_c), one)
    return list(found.values())


def _pauses(steps: Iterable[Step]) -> Iterator[list[HeatStep]]:
    """The heat steps between any two things that take time."""
    heats: list[HeatStep] = []
    for step in _flat(steps):
        if isinstance(step, HeatStep):
            heats.append(step)
        elif heats and not isinstance(step, FlowStep):
            yield heats
            heats = []
    yield heats


def _flat(steps: Iterable[Step]) -> Iterator[Step]:
    for step in steps:
        if isinstance(step, RepeatStep):
            yield from _flat(step.steps)
        else:
            yield step


def _strain(
    name: str, at_c: float, targets: Mapping[str, float | None], config: ToolConfig, slope: Curve | None, where: Where
) -> Strained | None:
    heater = config.zones[name].heater
    if heater is None:
        share = _by_slope(slope, at_c) if slope else None
        return None if share is None else Strained(name, at_c, share, (), "its rise at full power, commissioned", where)
    others = {other: _c(targets[other]) for other in _beside(name, config)}
    lost_w = heater.loss * (at_c - ROOM_C)
    lost_w += sum(_beside(name, config)[other] * (at_c - celsius) for other, celsius in others.items())
    colder = tuple((other, celsius) for other, celsius in others.items() if celsius < at_c)
    basis = f"its power and losses in the tool file, {heater.provenance}"
    return Strained(name, at_c, lost_w / heater.power, colder, basis, where)


def _c(target: float | None) -> float:
    return ROOM_C if target is None else target


def _beside(name: str, config: ToolConfig) -> dict[str, float]:
    """W/K to other zones, at whichever of the two it is written."""
    own = config.zones[name].heater
    out = dict(own.beside) if own else {}
    for other, zone in config.zones.items():
        if zone.heater is not None and name in zone.heater.beside:
            out[other] = out.get(other, 0.0) + zone.heater.beside[name]
    return out


def _by_slope(slope: Curve, at_c: float) -> float | None:
    """The share of full power that is lost, from a rise that falls straight with temperature; None of one point."""
    (c0, k0), (c1, k1) = slope[0], slope[-1]
    if c1 <= c0:
        return None
    fall = (k1 - k0) / (c1 - c0)
    return 1.0 - (k0 + fall * (at_c - c0)) / (k0 + fall * (ROOM_C - c0))
