"""The films of the review: what check predicts of the recipe of each, what the simulated reactor grows, what was said.

`recipes/chemistry/review.yaml` says which recipe makes which film; everything here is that table with two numbers.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from pydantic import Field

from ald_controller import units
from ald_controller.chemistry import Chemistry, load_chemistry
from ald_controller.cli.checking import Assumed, ahead_of, plan_for, simulated_registers
from ald_controller.cli.plandrive import Drive, sample_for
from ald_controller.config import Tool, load_tool
from ald_controller.plan import Plan, RepeatStep
from ald_controller.recipe import read_recipe
from ald_controller.recipe.steps import Word
from ald_controller.registers import Registers
from ald_controller.shipped import DEPLOY, RECIPES
from ald_controller.yamlfile import Document, Problem, Problems, Strict, parse, read, validate

AGREES = 0.05  # of the review's figure
REVIEW = RECIPES / "chemistry" / "review.yaml"


class Paper(Strict):
    """What the review says, in nm: of the film, of a cycle, or bounds only."""

    thickness: units.Nanometres | None = None
    gpc: units.Nanometres | None = None
    below: units.Nanometres | None = None
    above: units.Nanometres | None = None

    def nm(self, cycles: int) -> float | None:
        """The thickness that it states, or that its growth per cycle makes; None when it has bounds at most."""
        return self.thickness if self.gpc is None else round(self.gpc * cycles, 3)


class Named(Strict):
    """One film, host or stack that the review names, and the recipe that makes it."""

    film: Word
    recipe: Word
    set: dict[str, str | int] = Field(default={})
    paper: Paper = Paper()
    flag: str = ""
    why: str = ""
    note: str = ""

    @property
    def parameters(self) -> dict[str, str]:
        return {name: str(value) for name, value in self.set.items()}


class _Review(Strict):
    review: dict[str, Named]


@dataclass(frozen=True, slots=True)
class Row:
    """One film with its numbers in nm; None where nothing is known."""

    id: str
    film: str
    recipe: str
    parameters: dict[str, str]
    rack: str
    on: str
    cycles: int
    predicted_nm: float | None
    predicted_low_nm: float | None
    predicted_high_nm: float | None
    simulated_nm: float
    by_other_readings_nm: list[float]
    paper_nm: float | None
    verdict: str
    note: str
    provenance: str

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def named() -> dict[str, Named]:
    """Every film that the review names, by its id; raises Problems."""
    return validate(read(REVIEW), _Review).review


def recipe_path(name: str) -> Path:
    """The file of a recipe that comes with the program; raises Problems."""
    found = [path for folder in (RECIPES, RECIPES / "library") if (path := folder / f"{name}.yaml").is_file()]
    if not found:
        message = f"there is no recipe '{name}' in recipes/ or recipes/library/"
        raise Problems([Problem(read(REVIEW).mark(()), message)])
    return found[0]


class Bench:
    """A tool with the racks that come with the program: a plan and a film for any recipe of the library."""

    def __init__(self, tool: Path | None = None) -> None:
        self.chemistry: Chemistry = load_chemistry(RECIPES / "chemistry")
        self.tool: Tool = load_tool(tool or DEPLOY / "tool.yaml")

    @cached_property
    def racks(self) -> dict[str, Registers]:
        """Registers by the name of the rack; "" is what hangs at the simulated reactor."""
        bare = simulated_registers()
        files = sorted((RECIPES / "racks").glob("*.yaml"))
        return {"": bare} | {path.stem: bare.with_rack(read(path), self.chemistry) for path in files}

    def dosed(self, recipe: Path) -> set[str]:
        """The precursors that a recipe doses, by their names in the table; raises Problems."""
        return {self.chemistry.names[written] for written in _dosed(read(recipe).data)}

    def rack_for(self, recipe: Path) -> str:
        """The first rack on which every precursor hangs that the recipe doses; raises Problems."""
        return self._rack_of(read(recipe))

    def _rack_of(self, document: Document) -> str:
        needed = {self.chemistry.name(written) for written in _dosed(document.data)}
        for name, registers in self.racks.items():
            if needed <= set(registers.rack().values()):
                return name
        listed = ", ".join(sorted(str(one) for one in needed))
        raise Problems([Problem(document.mark(()), f"no rack of recipes/racks/ holds {listed}")])

    def assume(self, recipe: Path, material: str | None = None) -> Assumed:
        """The tool with the recipe's rack, and its substrate (or `material`) loaded; raises Problems."""
        document = read(recipe)
        rack = self._rack_of(document)
        loaded = material or _substrate(document)
        registers = self.racks[rack].with_load(parse(f"material: {loaded}", "load"), self.chemistry)
        return Assumed(self.tool, registers, self.chemistry, (f"rack {rack or 'of the simulated reactor'}",), document)

    def plan(self, recipe: Path, parameters: dict[str, str], material: str | None = None) -> Plan:
        """What check makes of the recipe on its rack; raises Problems."""
        return plan_for(recipe, self.assume(recipe, material), parameters)

    def grown_nm(self, one: Named) -> float:
        """What the simulated reactor grows of a film without devices and wires; raises Problems, NeverSettles."""
        path = recipe_path(one.recipe)
        return self._driven(path, one, self.plan(path, one.parameters), {})

    def _driven(self, path: Path, one: Named, plan: Plan, readings: dict[str, int]) -> float:
        return Drive(plan, self.tool.text, sample_for(path, one.parameters), readings).run()

    def _by_others(self, path: Path, one: Named, plan: Plan) -> list[float]:
        """What grows by the other readings of the films that have some."""
        known = self.chemistry.films
        films = [name for name in dict.fromkeys(layer.film for layer in plan.layers) if name in known]
        others = [{name: i + 1} for name in films for i in range(1, len(known[name].readings))]
        return [round(self._driven(path, one, plan, readings), 3) for readings in others]

    def row(self, film_id: str, one: Named, grown_nm: float) -> Row:
        """The numbers of a film that has grown, in whichever way; raises Problems, NeverSettles."""
        path = recipe_path(one.recipe)
        assumed = self.assume(path)
        plan = plan_for(path, assumed, one.parameters)
        ahead = ahead_of(path, assumed, one.parameters, plan).forecast
        cycles = turns(plan)
        return Row(
            film_id, one.film, str(path.relative_to(RECIPES.parent)), one.parameters, self.rack_for(path),
            plan.substrate, cycles, _rounded(ahead.nm), _rounded(ahead.low_nm), _rounded(ahead.high_nm),
            round(grown_nm, 3), self._by_others(path, one, plan), one.paper.nm(cycles),
            verdict(one, cycles, grown_nm), one.note, plan.provenance,
        )  # fmt: skip


def turns(plan: Plan) -> int:
    """How many turns the repeats of the deposit take together: cycles, or supercycles."""
    return sum(step.times for step in plan.deposit if isinstance(step, RepeatStep) and step.times > 1)


def _rounded(nm: float | None) -> float | None:
    return None if nm is None else round(nm, 3)


def verdict(one: Named, cycles: int, grown_nm: float) -> str:
    """How what grew stands to what the review says."""
    if one.flag:
        return f"flagged: {one.flag}"
    wrong = list(_beyond(one.paper, cycles, grown_nm))
    if wrong:
        return f"differs ({'; '.join(wrong)}): {one.why or 'no reason is known'}"
    said = [f"{word} {nm:g} nm" for word, nm in (("below", one.paper.below), ("above", one.paper.above)) if nm]
    if one.paper.nm(cycles) is not None:
        return " and ".join(["agrees", *said])
    return f"agrees: {' and '.join(said)}" if said else "the review gives no figure"


def _beyond(paper: Paper, cycles: int, grown_nm: float) -> Iterator[str]:
    stated = paper.nm(cycles)
    if stated is not None and abs(grown_nm - stated) > AGREES * stated:
        yield f"{100.0 * (grown_nm / stated - 1.0):+.0f} %"
    if paper.below is not None and grown_nm >= paper.below:
        yield f"not below {paper.below:g} nm"
    if paper.above is not None and grown_nm <= paper.above:
        yield f"not above {paper.above:g} nm"


def _dosed(data: Any) -> Iterator[str]:
    """Every precursor that a step doses, however deep."""
    if isinstance(data, dict):
        for key, value in data.items():
            if key == "precursor" and isinstance(value, str):
                yield value
            else:
                yield from _dosed(value)
    elif isinstance(data, list):
        for value in data:
            yield from _dosed(value)


def _substrate(document: Document) -> str:
    substrate = read_recipe(document, {})[0].substrate
    if substrate is None:
        raise Problems([Problem(document.mark(()), "the substrate cannot be read")])
    return substrate.material
