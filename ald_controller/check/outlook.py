"""A plan's forecast with its findings at their places in the recipe: what pre-flight adds to the plan. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from ald_controller.chemistry import Chemistry
from ald_controller.config import ToolConfig
from ald_controller.foresight.elsewhere import Equal, Place, equal_exposure
from ald_controller.foresight.findings import Finding, findings
from ald_controller.foresight.forecast import Forecast, forecast
from ald_controller.foresight.power import strained
from ald_controller.foresight.reactor import Steady
from ald_controller.foresight.timeline import Cycle, cycles
from ald_controller.foresight.vessel import Vessel, vessel_of
from ald_controller.plan import Plan, Where
from ald_controller.recipe import Recipe, read_recipe
from ald_controller.recipe.reading import PARTS
from ald_controller.registers import Registers
from ald_controller.yamlfile import Document, Location, Mark

MOST_COMPARED = 10  # kinds of cycle, at two tools


@dataclass(frozen=True, slots=True)
class Placed:
    """One finding where it stands."""

    mark: Mark
    finding: Finding

    def __str__(self) -> str:
        return f"{self.mark}: {self.finding.level}, {self.finding.code}: {self.finding.message}"


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """The same recipe at the tool that its times were found at, beside this one; `why` there is nothing to compare."""

    tool: str  # where its times were found
    equal: tuple[Equal, ...]
    why: str = ""


@dataclass(frozen=True, slots=True)
class Outlook:
    """The forecast, what it finds, and when a run that starts now would end (unix seconds)."""

    forecast: Forecast
    findings: tuple[Placed, ...]
    ends_utc_s: float
    elsewhere: Elsewhere | None = None


def outlook(
    document: Document, parameters: Mapping[str, str], plan: Plan, registers: Registers, chemistry: Chemistry,
    config: ToolConfig, now_utc_s: float, known: dict[Cycle, Steady] | None = None,
) -> Outlook:  # fmt: skip
    """What this plan of a recipe will probably do at this tool; `known` is kept from one outlook to the next."""
    recipe = _head(document, parameters)
    left = {port: card.grams for port, card in registers.bottles().items()}
    targets = targets_of(recipe)
    made = forecast(plan, _vessel(recipe, registers, chemistry), chemistry, config, left, targets, known)
    places = Places(document)
    slopes = {zone: heater.slope_k_per_s for zone, heater in registers.constants.heaters.items()}
    found = findings(made, chemistry, config, targets, strained(plan, config, slopes))
    placed = [Placed(places.of(f.where, purge=f.purge), f) for f in found]
    return Outlook(made, tuple(placed), now_utc_s + plan.duration_s)


def vessel_for(document: Document, parameters: Mapping[str, str], registers: Registers, chemistry: Chemistry) -> Vessel:
    """The chamber of a tool around what a recipe is for."""
    return _vessel(_head(document, parameters), registers, chemistry)


def _vessel(recipe: Recipe, registers: Registers, chemistry: Chemistry) -> Vessel:
    sample = recipe.substrate
    area, aspect = (sample.area, sample.aspect_ratio) if sample else (None, None)
    return vessel_of(registers, chemistry.reactor.reactor, area, aspect)


def elsewhere(found_at: Plan, at: Place, here: Plan, this: Place, chemistry: Chemistry) -> Elsewhere:
    """What opens and purges here for what the plan does at the tool where its times were found."""
    there = list(cycles(found_at, chemistry, at.config))
    now = list(cycles(here, chemistry, this.config))
    if len(there) > MOST_COMPARED:
        return Elsewhere(at.name, (), f"{len(there)} kinds of cycle are too many to compare")
    try:
        return Elsewhere(at.name, tuple(equal_exposure(there, at, now, this, chemistry)))
    except ValueError as error:
        return Elsewhere(at.name, (), str(error))


def _head(document: Document, parameters: Mapping[str, str]) -> Recipe:
    """A recipe without its steps, which may be ten thousand."""
    head = {key: value for key, value in document.data.items() if key not in (*PARTS, "define")}
    return read_recipe(replace(document, data=head), parameters)[0]


def targets_of(recipe: Recipe) -> dict[str, float | None]:
    """What the recipe wants of each film, in nm; a film that a stack has twice is wanted twice over."""
    if not recipe.stack:
        return {recipe.film: recipe.target_nm} if recipe.film else {}
    out: dict[str, float | None] = {}
    for entry in recipe.stack:
        out[entry.film] = (out.get(entry.film) or 0.0) + entry.target if entry.target is not None else None
    return out


class Places:
    """Finds what stands in the file where the plan says that it came from."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self._steps: dict[tuple[int, int], Location] = {}
        for at, mark in document.marks.items():
            if at and isinstance(at[-1], int):
                self._steps.setdefault((mark.line, mark.column), at)

    def step(self, where: Where) -> Location | None:
        """Where a step stands; None for one of a block of the tool."""
        return self._steps.get((where.line, where.column))

    def of(self, where: Where, *, purge: bool = False) -> Mark:
        """The place of a step, or of the purge that follows it."""
        at = self.step(where)
        if purge and at is not None:
            behind = (*at[:-1], int(at[-1]) + 1, "purge")
            if behind in self.document.marks:
                return self.document.marks[behind]
        return Mark(self.document.name, where.line, where.column)
