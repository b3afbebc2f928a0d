"""What a recipe is checked against, and where what is wrong with it is gathered."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from ald_controller.chemistry import LITHIUM, Chemistry, close
from ald_controller.config import LITHIUM_CLAMP_C, Tool, ToolConfig
from ald_controller.plan import Stated, Where
from ald_controller.recipe import Recipe
from ald_controller.registers import Registers
from ald_controller.yamlfile import Document, Location, Mark, Problem

COLD_C = 25.0  # a bottle or zone without heat: as the foresight and the simulated reactor have it


@dataclass
class Scene:
    """The recipe, the tool, what the tool knows of itself, and the problems and warnings found so far."""

    recipe: Recipe
    tool: Tool
    registers: Registers
    chemistry: Chemistry
    blocks: Mapping[str, Document]
    more: Mapping[Where, int] = field(default_factory=dict)  # turns that a run is extended by, by its repeats' places
    problems: list[Problem] = field(default_factory=list)
    warnings: list[Problem] = field(default_factory=list)
    prefix: str = ""  # "in block '…': " while a block is unfolded
    incomplete: bool = False  # a step could not be read: nothing is claimed about the doses as a whole
    stated: dict[Stated, None] = field(default_factory=dict)  # provenance of single steps, each place once, in order
    first_dose: tuple[str, Mark] | None = None
    dosed: dict[str, Mark] = field(default_factory=dict)  # precursor -> where it is first dosed

    @property
    def config(self) -> ToolConfig:
        return self.tool.config

    @property
    def lithium(self) -> bool:
        return self.registers.is_lithium

    def wrong(self, document: Document, at: Location, message: str, *, key: bool = False) -> None:
        """One thing that is wrong; silent where a parameter without a value stands."""
        mark = document.mark(at, of_key=key)
        if mark not in self.recipe.blind:
            self.problems.append(Problem(mark, self.prefix + message))

    def doubt(self, document: Document, at: Location, message: str) -> None:
        """One thing to look at."""
        self.warnings.append(Problem(document.mark(at), self.prefix + message, "warning"))

    def where(self, document: Document, at: Location) -> Where:
        mark = document.mark(at)
        return Where(mark.line, mark.column)

    def port_of(self, document: Document, at: Location, written: str, *, key: bool = False) -> tuple[str, str] | None:
        """The precursor's one name and the port where it hangs; None with a problem."""
        name = self.chemistry.name(written)
        if name is None:
            hint = close(written, self.chemistry.names)
            self.wrong(document, at, f"there is no precursor '{written[:40]}'{hint}", key=key)
            return None
        rack = self.rack
        ports = [port for port, precursor in rack.items() if precursor == name]
        if not ports:
            hangs = ", ".join(f"{precursor} at {port}" for port, precursor in rack.items()) or "nothing"
            message = (
                f"no bottle of {name} hangs at this tool (there is: {hangs}); hang one and record it: "
                f"ald register set bottle.PORT '{{label: …, precursor: {name}}}' --by YOU"
            )
            self.wrong(document, at, message, key=key)
            return None
        if len(ports) > 1:
            self.wrong(document, at, f"{name} hangs at {' and '.join(ports)}: which one doses is not clear", key=key)
            return None
        return name, ports[0]

    @cached_property
    def rack(self) -> dict[str, str]:
        """Port -> precursor, for the ports that the tool has."""
        return {port: name for port, name in self.registers.rack().items() if port in self.config.ports}

    def contact_limit(self) -> tuple[float, str]:
        """The highest set-point of the zones that touch the load (°C), and why."""
        material = self.registers.load_material
        limit, why = LITHIUM_CLAMP_C, "that any zone which touches lithium may be set to (lithium melts at 180.5 °C)"
        if material is None:
            why += "; what is loaded is not recorded, and unknown counts as lithium"
        elif material != LITHIUM:
            entry = self.chemistry.materials[material]
            limit, why = entry.limit, f"that {material} stands" + (f" ({entry.why})" if entry.why else "")
        elif self.chemistry.materials[LITHIUM].limit < limit:
            limit = self.chemistry.materials[LITHIUM].limit
        own = self.recipe.substrate.limit if self.recipe.substrate else None
        if own is not None and own < limit:
            limit, why = own, "that the recipe itself states for its substrate"
        return limit, why
