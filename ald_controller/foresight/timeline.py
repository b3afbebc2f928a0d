"""A plan as cycles of half-cycles in time: what is open, shut and flowing, stretch by stretch."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from ald_controller.chemistry import Chemistry
from ald_controller.config import ToolConfig
from ald_controller.plan import FlowStep, HeatStep, Plan, RepeatStep, SegmentStep, Step, Where

ROOM_C = 25.0  # a bottle without a heater: where vapour pressures are usually quoted
MOST_CYCLES = 24  # different cycles that are modelled


class Stage(NamedTuple):
    """A stretch of time in which nothing is switched; `port` is the one that lets vapour in."""

    seconds: float
    port: str | None
    shut: bool  # the exposure stop valve
    carrier_sccm: float
    push_sccm: float
    until_pa: float | None = None  # the port shuts once the chamber is at this pressure


@dataclass(frozen=True, slots=True)
class Half:
    """One half-cycle: from the first opening of a source to the first opening of another one.

    Two are the same when the same happens in them, wherever they are written.
    """

    precursor: str
    port: str
    stages: tuple[Stage, ...]
    shots: int
    width_s: float  # of the longest opening
    where: Where = field(compare=False)
    purge: Where | None = field(default=None, compare=False)  # the last purge of its own, where it has one

    @property
    def open_s(self) -> float:
        return sum(stage.seconds for stage in self.stages if stage.port)

    @property
    def hold_s(self) -> float:
        """Shut in with its vapour after an opening."""
        return self._after(shut=True)

    @property
    def after_s(self) -> float:
        """Pumped after the last opening: its purge."""
        return self._after(shut=False)

    def _after(self, *, shut: bool) -> float:
        total, dosed, pumped = 0.0, False, False
        for stage in self.stages:
            dosed, pumped = dosed or stage.port is not None, (pumped or not stage.shut) and stage.port is None
            if stage.port:
                total = 0.0
            elif dosed and stage.shut is shut and not (shut and pumped):
                total += stage.seconds
        return total


@dataclass(frozen=True, slots=True)
class Cycle:
    """Half-cycles that grow one layer of `film` (None: of nothing that is known), and temperatures in °C."""

    film: str | None
    halves: tuple[Half, ...]
    surface_c: float | None
    wall_c: float
    bottles_c: tuple[tuple[str, float], ...]  # by port

    @property
    def seconds(self) -> float:
        return sum(stage.seconds for half in self.halves for stage in half.stages)


@dataclass(slots=True)
class _Now:
    """What holds at one point of the plan."""

    config: ToolConfig
    rack: Mapping[str, str]
    flows_sccm: dict[str, float] = field(default_factory=dict)
    targets_c: dict[str, float | None] = field(default_factory=dict)

    def zone_c(self, zone: str) -> float:
        """The target of a zone, its standby before it has one; what is off is at room temperature in the end."""
        celsius = self.targets_c.get(zone, self.config.zones[zone].standby)
        return ROOM_C if celsius is None else celsius

    def role_c(self, role: str) -> float | None:
        zone = next(iter(self.config.zones_of(role)), None)
        return None if zone is None else self.zone_c(zone)

    def bottle_c(self, port: str) -> float:
        zone = self.config.ports[port].zone
        return ROOM_C if zone is None else self.zone_c(zone)


@dataclass(slots=True)
class _Open:
    """Half-cycles that are still being read."""

    halves: list[Half] = field(default_factory=list)
    stages: list[Stage] = field(default_factory=list)

    def add(self, half: Half) -> None:
        self.close()
        self.halves.append(half)

    def close(self) -> None:
        if self.halves and self.stages:
            last = self.halves[-1]
            self.halves[-1] = replace(last, stages=(*last.stages, *self.stages))
        self.stages.clear()


def cycles(plan: Plan, chemistry: Chemistry, config: ToolConfig) -> dict[Cycle, int]:
    """Every different cycle of a plan's deposit, and how often it is done; in the order of the plan."""
    walker = _Walker(chemistry, _Now(config, plan.rack))
    walker.settle(plan.prepare)
    out: dict[Cycle, int] = {}
    for cycle, times in walker.body(plan.deposit):
        out[cycle] = out.get(cycle, 0) + times
    return out


class _Walker:
    def __init__(self, chemistry: Chemistry, now: _Now) -> None:
        self.chemistry, self.now = chemistry, now
        config = now.config
        self.stop = config.valves.word([config.pump.stop])
        self.ports = {name: config.valves.word(port.outputs) for name, port in config.ports.items() if name in now.rack}
        self.pushers = {port.push.device for port in config.ports.values() if port.push}

    def settle(self, steps: Iterable[Step]) -> None:
        """Take along what steps without doses leave set."""
        for step in steps:
            if isinstance(step, RepeatStep):
                self.settle(step.steps)
            elif isinstance(step, FlowStep):
                self.now.flows_sccm |= step.flows_sccm
            elif isinstance(step, HeatStep):
                self.now.targets_c |= step.targets_c

    def body(self, steps: Iterable[Step]) -> list[tuple[Cycle, int]]:
        out: list[tuple[Cycle, int]] = []
        open_ = _Open()
        for step in _inline(steps):
            if isinstance(step, RepeatStep):
                self._pair(open_, out)
                out += [(cycle, times * step.times) for cycle, times in self.body(step.steps)]
            elif isinstance(step, HeatStep):
                self._pair(open_, out)
                self.now.targets_c |= step.targets_c
            elif isinstance(step, FlowStep):
                self.now.flows_sccm |= step.flows_sccm
                if step.settle_s:
                    open_.stages.append(self._stage(step.settle_s, 0))
            elif isinstance(step, SegmentStep):
                self._segment(step, open_)
        self._pair(open_, out)
        return out

    def _stage(self, seconds: float, word: int) -> Stage:
        port = next((n for n, mask in self.ports.items() if mask and word & mask == mask), None)
        flows, config = self.now.flows_sccm, self.now.config
        pushed = sum(flows.get(device, 0.0) for device in self.pushers)
        return Stage(seconds, port, bool(word & self.stop), flows.get(config.carrier, 0.0), pushed)

    def _segment(self, step: SegmentStep, open_: _Open) -> None:
        """Cut a segment at its edges; the first opening of another precursor begins a half-cycle."""
        doses = {dose.open_ns: dose for dose in step.doses}
        edges = [*step.edges, (step.length_ns, 0)]
        at_ns, word = 0, 0
        for edge_ns, next_word in edges:
            if edge_ns > at_ns:
                stage = self._stage((edge_ns - at_ns) / 1e9, word)
                open_.stages.append(stage._replace(until_pa=step.until.to_pa) if step.until else stage)
            dose = doses.get(edge_ns)
            if dose is not None:
                width_s = dose.width_ns / 1e9
                last = open_.halves[-1] if open_.halves else None
                if last is None or last.precursor != dose.precursor:
                    before, open_.stages = open_.stages if last is None else [], [] if last is None else open_.stages
                    open_.add(Half(dose.precursor, dose.source, tuple(before), 1, width_s, step.where))
                else:
                    open_.halves[-1] = replace(last, shots=last.shots + 1, width_s=max(last.width_s, width_s))
            at_ns, word = edge_ns, next_word
        if not step.edges and open_.halves:
            open_.halves[-1] = replace(open_.halves[-1], purge=step.where)

    def _pair(self, open_: _Open, out: list[tuple[Cycle, int]]) -> None:
        """Half-cycles in order to cycles of known films."""
        if not open_.halves:
            open_.stages.clear()
            return
        open_.close()
        halves, i = open_.halves, 0
        while i < len(halves):
            count = next((n for n in (2, 3) if self._film(halves[i : i + n], n)), 1)
            part = halves[i : i + count]
            cycle = self._cycle(self._film(part, count), tuple(part))
            if out and out[-1][0] == cycle:
                out[-1] = (out[-1][0], out[-1][1] + 1)
            else:
                out.append((cycle, 1))
            i += count
        open_.halves.clear()

    def _film(self, halves: list[Half], count: int) -> str | None:
        names = [half.precursor for half in halves]
        return self.chemistry.film_of(*names) if len(names) == count > 1 else None

    def _cycle(self, film: str | None, halves: tuple[Half, ...]) -> Cycle:
        now = self.now
        surface = now.role_c("substrate")
        wall = now.role_c("chamber")
        ports = {half.port: now.bottle_c(half.port) for half in halves}
        return Cycle(film, halves, surface, ROOM_C if wall is None else wall, tuple(ports.items()))


def _inline(steps: Iterable[Step]) -> Iterable[Step]:
    """The steps with single turns opened up: they are no cycles."""
    for step in steps:
        if isinstance(step, RepeatStep) and step.times == 1:
            yield from _inline(step.steps)
        else:
            yield step
