"""Recipe + tool + registers -> Plan, or everything that is wrong with it at once. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping

from ald_controller.chemistry import Chemistry
from ald_controller.config import Tool
from ald_controller.plan import FlowStep, Plan, RepeatStep, SegmentStep, Step
from ald_controller.planner.layers import layers
from ald_controller.planner.prechecks import (
    check_chemistry,
    check_cold_walls,
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
) -> Plan:
    """The plan of a recipe at this tool with these parameter values; raises Problems, all at once.

    `assumptions` are sentences that the plan carries along; `temperatures_c` are the zones' temperatures now, for the
    estimate of time (without them: standby).
    """
    read, problems = read_recipe(recipe, parameters)
    scene = Scene(read, tool, registers, chemistry, blocks, problems)
    start = {name: zone.standby for name, zone in tool.config.zones.items()} | dict(temperatures_c or {})
    zones = Zones(dict(start))
    check_load(scene)
    check_needs(scene)
    unfold = Unfold(scene, zones)
    try:
        prepare = unfold.part("prepare")
        before = dict(zones.targets_c)
        deposit = unfold.part("deposit")
        carrier = unfold.carrier_sccm
        check_cold_walls(scene, zones.targets_c)
        finish = unfold.part("finish")
    except TooLong:
        raise Problems(scene.problems) from None
    check_chemistry(scene)
    check_rack(scene)
    check_end(scene, zones)
    substrate_zones = frozenset(tool.config.zones_of("substrate"))
    at_c = next((before[z] for z in substrate_zones if z in before), None)
    grown = layers(deposit.steps, chemistry, substrate_zones, at_c)
    thickness = check_films(scene, grown)
    seconds = prepare.seconds + deposit.seconds + finish.seconds
    if seconds > LONGEST_S:
        scene.wrong(read.document, ("deposit",), f"takes {seconds / 86_400:.3g} days; at most 60 are accepted")
    for name in read.unused:
        scene.doubt(read.document, ("parameters", name), f"no step uses the parameter '{name}'")
    if scene.problems or read.substrate is None:
        raise Problems(scene.problems)
    widths = list(_widths((*prepare.steps, *deposit.steps)))
    start_words = "as measured" if temperatures_c else "at standby"
    return Plan(
        recipe=read.name,
        title=read.title,
        recipe_hash=recipe.sha256,
        tool_hash=hashlib.sha256(tool.text.encode()).hexdigest(),
        substrate=read.substrate.material,
        lithium=scene.lithium,
        prepare=prepare.steps,
        deposit=deposit.steps,
        finish=_known_flows(scene, finish, carrier),
        duration_s=round(seconds, 1),
        cycles=sum(s.times for s in deposit.steps if isinstance(s, RepeatStep)),
        doses=sum(_doses(s) for s in (*prepare.steps, *deposit.steps)),
        shortest_dose_ns=min(widths, default=0),
        thickness_nm=thickness,
        film=read.film or " + ".join(entry.film for entry in read.stack),
        rack=scene.rack,
        lithium_zones_max_c=zones.hottest_c,
        warnings=tuple(str(w) for w in sorted(set(scene.warnings))),
        assumptions=(_load_words(registers), _rack_words(scene), f"zones start {start_words}", *assumptions),
        parameters=read.parameters,
        layers=grown,
        provenance=read.provenance,
    )


def _known_flows(scene: Scene, finish: Stretch, carrier_sccm: float | None) -> tuple[Step, ...]:
    """Finish also runs from the middle of an exposure (an expired hold): it begins with flows that are known."""
    config = scene.config
    pushers = {port.push.device: 0.0 for port in config.ports.values() if port.push}
    flows = {config.carrier: carrier_sccm if carrier_sccm is not None else config.purge_flow}
    where = scene.where(scene.recipe.document, ("finish",))
    return (FlowStep("flow", where, flows | pushers), *finish.steps)


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
