"""The check in place, for previews: the same code that the daemon runs as a child process."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ald_controller import stamp
from ald_controller.check import Outlook, actuations, elsewhere, outlook
from ald_controller.check.forecast_json import findings_data
from ald_controller.check.outlook import Elsewhere, vessel_for
from ald_controller.chemistry import Chemistry, load_chemistry
from ald_controller.cli.sockets import find_socket
from ald_controller.config import Tool, load_tool
from ald_controller.doorbell import LocalClient, NoDoor
from ald_controller.foresight.elsewhere import Place
from ald_controller.plan import PLAN, Plan, Where
from ald_controller.planner import make_plan
from ald_controller.recipe import load_blocks
from ald_controller.registers import PLANNED, RegisterFile, Registers
from ald_controller.shipped import DEPLOY, RECIPES
from ald_controller.yamlfile import Document, Mark, Problem, Problems, parse, read

if TYPE_CHECKING:
    from ald_controller.consoleparts import CheckRequest

SIMULATED = DEPLOY / "registers-simulated.yaml"


@dataclass(frozen=True)
class Assumed:
    """A tool with its registers as a preview takes them, and sentences that say which."""

    tool: Tool
    registers: Registers
    chemistry: Chemistry
    notes: tuple[str, ...]
    document: Document  # the recipe, read once

    def read(self, recipe: Path) -> Document:
        """A recipe's file, without another look at the one that this was assumed for."""
        return self.document if self.document.name == str(recipe) else read(recipe)

    def write_registers(self, path: Path) -> None:
        """As the daemon keeps them."""
        from ald_controller.confirming import all_confirmed
        from ald_controller.interlocksetting import with_limits_confirmed

        confirmed = all_confirmed(self.registers, self.chemistry)
        confirmed = with_limits_confirmed(confirmed, self.tool.config, self.chemistry)
        RegisterFile(path, self.chemistry).save(confirmed)


def assume(
    recipe: Path,
    tool: Path,
    load: Path | None,
    rack: Path | None,
    registers: Path | None = None,
    *,
    alone: bool = False,
) -> Assumed:
    """What a recipe is checked against, and where each part of it comes from; raises Problems.

    In this order: `registers` as they are; those of the controller that runs here; those of the simulated reactor with
    every precursor that the recipe names on a free port and its substrate loaded. `load` and `rack` replace theirs;
    `alone` asks no controller.
    """
    chemistry = load_chemistry(RECIPES / "chemistry")
    file = load_tool(tool)
    known, notes = (None, []) if alone else known_registers(registers, chemistry)
    supposed = known is None
    known = Registers.load(SIMULATED, chemistry) if known is None else known
    document = read(recipe)
    if rack:
        known = known.with_rack(_on_ports(read(rack), file), chemistry)
        notes.append(f"rack from {rack}")
    elif supposed:
        known, told = _hang(document, known, file, chemistry)
        notes += told
    if load:
        known = known.with_load(read(load), chemistry)
        notes.append(f"load from {load}")
    elif supposed:
        material = _substrate(document)
        if chemistry.material(material):
            known = known.with_load(_loaded(material), chemistry)
            notes.append(f"{material} is loaded, as the recipe says")
    return Assumed(file, known, chemistry, tuple(notes), document)


def simulated_rack(tool: Path, rack: Path | None = None) -> dict[str, str]:
    """port -> precursor, as the bottles hang on the simulated reactor, or as `rack` has them; raises Problems."""
    known = simulated_registers()
    if rack is not None:
        known = known.with_rack(_on_ports(read(rack), load_tool(tool)), load_chemistry(RECIPES / "chemistry"))
    return known.rack()


def simulated_registers() -> Registers:
    """What the simulated reactor knows of itself; raises Problems."""
    return Registers.load(SIMULATED, load_chemistry(RECIPES / "chemistry"))


def known_registers(registers: Path | None, chemistry: Chemistry) -> tuple[Registers | None, list[str]]:
    """The registers of a file or of the controller that runs here; None when there is neither."""
    if registers:
        return Registers.load(registers, chemistry), [f"registers from {registers.name}"]
    try:
        socket = find_socket(None)
        reply = LocalClient(socket).ask({"verb": "registers"}, timeout_s=2.0)
    except NoDoor:
        return None, [f"registers from {SIMULATED.name}, as no controller runs here"]
    return Registers.of(parse(json.dumps(reply["data"]["registers"], ensure_ascii=False), str(socket)), chemistry), [
        f"registers of {socket}"
    ]


def _hang(recipe: Document, known: Registers, tool: Tool, chemistry: Chemistry) -> tuple[Registers, list[str]]:
    """Every precursor that the recipe names and that hangs nowhere gets a free port."""
    rack = known.rack()
    free = [port for port in tool.config.ports if port not in rack]
    named = dict.fromkeys(n for n in map(chemistry.name, _precursors(recipe.data)) if n and n not in rack.values())
    hung = dict(zip(free, named, strict=False))
    for port, precursor in hung.items():
        known = known.set(f"bottle.{port}", {"label": "assumed", "precursor": precursor}, PLANNED, "assumed", chemistry)
    return known, [f"{precursor} hangs at {port}" for port, precursor in hung.items()]


def _on_ports(rack: Document, tool: Tool) -> Document:
    """A planned rack, refused where it names a port that the tool does not have."""
    strange = [name for name in rack.data if name not in tool.config.ports] if isinstance(rack.data, dict) else []
    if strange:
        ports = ", ".join(tool.config.ports)
        raise Problems(
            [
                Problem(rack.mark((name,), of_key=True), f"there is no port '{name}'; there are: {ports}")
                for name in strange
            ]
        )
    return rack


def _precursors(data: Any) -> Iterator[str]:
    """Every text behind a key `precursor`, however deep."""
    if isinstance(data, dict):
        for key, value in data.items():
            if key == "precursor" and isinstance(value, str):
                yield value
            else:
                yield from _precursors(value)
    elif isinstance(data, list):
        for value in data:
            yield from _precursors(value)


def _substrate(recipe: Document) -> str:
    value = recipe.data.get("substrate") if isinstance(recipe.data, dict) else None
    return str(value.get("material") if isinstance(value, dict) else value)


def _loaded(material: str) -> Document:
    start = Mark("the recipe's substrate", 1, 1)
    return Document(start.file, {"material": material}, {(): start}, {})


def plan_for(
    recipe: Path, assumed: Assumed, parameters: dict[str, str], temperatures_c: dict[str, float] | None = None,
    more: dict[tuple[int, int], int] | None = None,
) -> Plan:  # fmt: skip
    """The plan of a recipe file under these assumptions; raises Problems.

    `more` are turns that a run is extended by, by the lines and columns of its repeats.
    """
    blocks = load_blocks(RECIPES / "blocks")
    return make_plan(
        assumed.read(recipe), assumed.tool, assumed.registers, parameters, assumed.chemistry, blocks,
        assumptions=assumed.notes, temperatures_c=temperatures_c, more=_places(more or {}),
    )  # fmt: skip


def _places(more: dict[tuple[int, int], int]) -> dict[Where, int]:
    return {Where(*at): turns for at, turns in more.items()}


def ahead_of(recipe: Path, assumed: Assumed, parameters: dict[str, str], plan: Plan) -> Outlook:
    """What the plan of a recipe file will probably do, were it started now."""
    return outlook(
        assumed.read(recipe),
        parameters,
        plan,
        assumed.registers,
        assumed.chemistry,
        assumed.tool.config,
        stamp.utc_now(),
    )


def compared(
    recipe: Path, assumed: Assumed, parameters: dict[str, str], plan: Plan, found_at: Path, registers: Path | None
) -> Elsewhere | None:
    """The recipe at the tool where its times were found, beside this plan, with the same load; None for this same tool.

    Raises Problems for files of that tool that cannot be read.
    """
    chemistry, file = assumed.chemistry, load_tool(found_at)
    known = Registers.load(registers or SIMULATED, chemistry)
    known, _ = _hang(assumed.document, known, file, chemistry)
    if material := assumed.registers.load_material:
        known = known.with_load(_loaded(material), chemistry)
    there = Assumed(file, known, chemistry, (), assumed.document)
    vessel = vessel_for(assumed.document, parameters, assumed.registers, chemistry)
    at = Place(
        there.tool.config.tool, vessel_for(there.document, parameters, there.registers, chemistry), there.tool.config
    )
    here = Place(assumed.tool.config.tool, vessel, assumed.tool.config)
    if (at.name, at.vessel) == (here.name, here.vessel):
        return None
    try:
        before = plan_for(recipe, there, parameters)
    except Problems as error:
        return Elsewhere(at.name, (), f"the recipe has problems there: {error.problems[0].message}")
    return elsewhere(before, at, plan, here, chemistry)


def check_inline(request: CheckRequest, tool: Tool) -> dict[str, Any]:
    """What `ald check --json` answers, without a process."""
    try:
        chemistry = load_chemistry(RECIPES / "chemistry")
        registers = Registers.of(parse(json.dumps(request.registers, ensure_ascii=False), "registers"), chemistry)
        blocks = load_blocks(RECIPES / "blocks")
        document = parse(request.text, f"{request.name}.yaml")
        plan = make_plan(
            document, tool, registers, request.parameters, chemistry, blocks, temperatures_c=request.temperatures_c,
            more=_places(request.more),
        )  # fmt: skip
    except Problems as error:
        return {"problems": [str(p) for p in error.problems], "plan": None, "actuations": {}, "findings": []}
    found = []
    if request.more:  # who starts a run is not told what lies ahead; who extends one is held to it
        now_utc_s = stamp.utc_now()
        ahead = outlook(document, request.parameters, plan, registers, chemistry, tool.config, now_utc_s)
        found = findings_data(ahead)
    added = actuations(plan, tool.config.valves.outputs)
    return {"problems": [], "plan": PLAN.dump_python(plan, mode="json"), "actuations": added, "findings": found}
