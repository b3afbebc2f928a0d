"""Recipe + tool + registers -> Plan, or everything that is wrong with it at once. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from ald_controller.chemistry import Chemistry
from ald_controller.config import Tool
from ald_controller.plan import FlowStep, Layer, Plan, RepeatStep, SegmentStep, Step, Where
from ald_controller.planner.layers import layers
from ald_controller.planner.prechecks import (
    check_chemistry,
    check_end,
    check_films,
    check_load,
    check_needs,
    check_rack,
)
from ald_controller.planner.scene import Scene
from ald_controller.planner.thermal import Zones
from ald_controller.planner.unfold import Stretch, TooLong, Unfold
from ald_controller.recipe import read_recipe
from ald_controller.registers import Registers
from ald_controller.yamlfile import Document, Problems

LONGEST_S = 60 * 86_400.0


def make_plan(
    recipe: Document,
    tool: Tool,
    registers: Registers,
    parameters: Mapping[str, str],
    chemistry: Chemistry,
    blocks: Mapping[str, Document],
    *,
    assumptions: tuple[str, ...] = (),
    temperatures_c: Mapping[str, float] | None = None,
    more: Mapping[Where, int] | None = None,
) -> Plan:
    """The plan of a recipe at this tool with these parameter values; raises Problems, all at once.

    `assumptions` are sentences that the plan carries along; `temperatures_c` are the zones' temperatures now, for the
    estimate of time (without them: standby). `more` are turns that a run is extended by, by its repeats' places.
    """
    read, problems = read_recipe(recipe, parameters)
    scene = Scene(read, tool, registers, chemistry, blocks, more or {}, problems)
    standby_c = {name: zone.standby for name, zone in tool.config.zones.items()}
    zones = Zones(standby_c | dict(temperatures_c or {}))
    check_load(scene)
    check_needs(scene)
    parts = _unfolded(scene, zones)
    check_chemistry(scene)
    check_rack(scene)
    check_end(scene, zones)
    grown = _grown(scene, parts)
    thickness_nm = check_films(scene, grown)
    _check_length(scene, parts)
    _look_at_parameters(scene)
    if scene.problems or read.substrate is None:
        raise Problems(scene.problems)
    start = f"zones start {'as measured' if temperatures_c else 'at standby'}"
    return Plan(
        recipe=read.name,
        title=read.title,
        recipe_hash=recipe.sha256,
        tool_hash=hashlib.sha256(tool.text.encode()).hexdigest(),
        substrate=read.substrate.material,
        lithium=scene.lithium,
        prepare=parts.prepare.steps,
        deposit=parts.deposit.steps,
        finish=_known_flows(scene, parts),
        duration_s=round(parts.seconds, 1),
        cycles=sum(s.times for s in parts.deposit.steps if isinstance(s, RepeatStep)),
        doses=sum(_doses(s) for s in parts.before_the_finish),
        shortest_dose_ns=min(_widths(parts.before_the_finish), default=0),
        thickness_nm=thickness_nm,
        film=read.film or " + ".join(entry.film for entry in read.stack),
        rack=scene.rack,
        lithium_zones_max_c=zones.hottest_c,
        warnings=tuple(str(w) for w in sorted(set(scene.warnings))),
        assumptions=(_load_words(registers), _rack_words(scene), start, *assumptions),
        parameters=read.parameters,
        layers=grown,
        provenance=read.provenance,
        stated=tuple(scene.stated),
        substrate_area_m2=read.substrate.area,
        substrate_aspect_ratio=read.substrate.aspect_ratio,
    )


@dataclass(frozen=True, slots=True)
class _Parts:
    """A recipe unfolded, and what holds where its deposit begins and ends."""

    prepare: Stretch
    deposit: Stretch
    finish: Stretch
    begins_c: Mapping[str, float | None]  # goals by zone
    ends_sccm: float | None  # through the carrier; None where no step has said so

    @property
    def before_the_finish(self) -> tuple[Step, ...]:
        return (*self.prepare.steps, *self.deposit.steps)

    @property
    def seconds(self) -> float:
        return self.prepare.seconds + self.deposit.seconds + self.finish.seconds


def _unfolded(scene: Scene, zones: Zones) -> _Parts:
    """The three parts, one after the other; raises Problems for what is too long to unfold."""
    unfold = Unfold(scene, zones)
    try:
        prepare = unfold.part("prepare")
        begins_c = dict(zones.targets_c)
        deposit = unfold.part("deposit")
        ends_sccm = unfold.carrier_sccm
        return _Parts(prepare, deposit, unfold.part("finish"), begins_c, ends_sccm)
    except TooLong:
        raise Problems(scene.problems) from None


def _grown(scene: Scene, parts: _Parts) -> tuple[Layer, ...]:
    """What the deposit grows, at the goal that the substrate has where it begins."""
    substrate = scene.config.zones_of("substrate")
    at_c = next((parts.begins_c[zone] for zone in substrate if zone in parts.begins_c), None)
    return layers(parts.deposit.steps, scene.chemistry, frozenset(substrate), at_c)


def _check_length(scene: Scene, parts: _Parts) -> None:
    if parts.seconds > LONGEST_S:
        days = parts.seconds / 86_400
        scene.wrong(scene.recipe.document, ("deposit",), f"takes {days:.3g} days; at most 60 are accepted")


def _look_at_parameters(scene: Scene) -> None:
    for name in scene.recipe.unused:
        scene.doubt(scene.recipe.document, ("parameters", name), f"no step uses the parameter '{name}'")


def _known_flows(scene: Scene, parts: _Parts) -> tuple[Step, ...]:
    """Finish also runs from the middle of an exposure (an expired hold): it begins with flows that are known."""
    config = scene.config
    pushers = {port.push.device: 0.0 for port in config.ports.values() if port.push}
    flows = {config.carrier: parts.ends_sccm if parts.ends_sccm is not None else config.purge_flow}
    where = scene.where(scene.recipe.document, ("finish",))
    return (FlowStep("flow", where, flows | pushers), *parts.finish.steps)


def _doses(step: Step) -> int:
    if isinstance(step, RepeatStep):
        return step.times * sum(_doses(s) for s in step.steps)
    return len(step.doses) if isinstance(step, SegmentStep) else 0


def _widths(steps: tuple[Step, ...]) -> Iterator[int]:
    for step in steps:
        if isinstance(step, RepeatStep):
            yield from _widths(step.steps)
        elif isinstance(step, SegmentStep):
            yield from (dose.width_ns + dose.compensation_ns for dose in step.doses)


def _load_words(registers: Registers) -> str:
    if registers.load_material is None:
        return "load: not recorded, so lithium limits apply"
    entry = registers.entries["load"]
    return f"load: {registers.load_material} (by {entry.by}, {entry.at})"


def _rack_words(scene: Scene) -> str:
    simulated = "; these registers are simulated, nothing in them was measured" if scene.registers.simulated else ""
    return "rack: " + (", ".join(f"{name} at {port}" for port, name in scene.rack.items()) or "no bottle") + simulated
