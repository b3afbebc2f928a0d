"""What the chemist wrote: the head of a recipe, its parameters and its three lists of steps, each read on its own.

A broken part gives its problem and leaves the others readable, so that one check names everything that is wrong.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, TypeAdapter, WithJsonSchema

from ald_controller import units
from ald_controller.recipe.parameters import Parameter, Substitute, outside, values_of
from ald_controller.recipe.steps import STEP, Temperature, Verb, Word, quantity, verb_of
from ald_controller.yamlfile import Document, Location, Mark, Problem, Problems, Strict, attempt, validate_part

PARTS = ("prepare", "deposit", "finish")
_NAME = re.compile(r"[A-Za-z0-9_.-]{1,64}\Z")


def _recipe_name(value: object) -> object:
    if not isinstance(value, str) or not _NAME.match(value):
        raise ValueError("a recipe's name is 1 to 64 letters, digits, '_', '.' or '-', for example ligl-on-lithium")
    return value


def _below(dimension: units.Dimension) -> tuple[Any, Any]:
    def parse(value: object) -> float:
        if not isinstance(value, str) or not value.startswith("below "):
            raise ValueError(f"'below' and a {dimension.name} are expected, for example below {dimension.example}")
        return dimension.parse(value.removeprefix("below "))

    told = {"type": "string", "pattern": "^below .+$", "description": f"for example below {dimension.example}"}
    return BeforeValidator(parse), WithJsonSchema(told)


class ChamberNeeds(Strict):
    """What the chamber must have been measured to be: leak in Pa/s."""

    leak: Annotated[float, *_below(units.PRESSURE_RATE)] | None = None
    seasoned: bool | None = None


class Needs(Strict):
    """What must be so before a run starts: bottles hold at least this many grams, by precursor."""

    chamber: ChamberNeeds = ChamberNeeds()
    bottles: dict[str, Annotated[float, *quantity(units.MASS, 1e-6, 1e5, "g")]] = Field(default={})


class Substrate(Strict):
    """What the recipe is for; area in m², limit in °C."""

    material: Word
    area: Annotated[float, *quantity(units.AREA, 1e-6, 1e4, "m2")] | None = None
    aspect_ratio: float | None = Field(default=None, ge=1, le=100_000)
    limit: Temperature | None = None


Thickness = Annotated[float, *quantity(units.THICKNESS, 0.01, 1e5, "nm")]


def _short_substrate(value: object) -> object:
    return {"material": value} if isinstance(value, str) else value


class LayerTarget(Strict):
    """One film of a stack, from the substrate upwards; target in nm."""

    film: Word
    target: Thickness | None = None


HEAD: dict[str, tuple[bool, TypeAdapter[Any]]] = {  # key -> (required, type)
    "recipe": (True, TypeAdapter(Annotated[str, BeforeValidator(_recipe_name)])),
    "title": (False, TypeAdapter(Annotated[str, Field(max_length=200)])),
    "film": (False, TypeAdapter(Word)),
    "target": (False, TypeAdapter(Thickness)),
    "stack": (False, TypeAdapter(Annotated[list[LayerTarget], Field(min_length=1, max_length=100)])),
    "substrate": (True, TypeAdapter(Annotated[Substrate, BeforeValidator(_short_substrate)])),
    "provenance": (True, TypeAdapter(Word)),
    "needs": (False, TypeAdapter(Needs)),
    "define": (False, TypeAdapter(dict[str, list[Any]])),
    "prepare": (True, TypeAdapter(list[Any])),
    "deposit": (True, TypeAdapter(list[Any])),
    "finish": (True, TypeAdapter(list[Any])),
}


@dataclass(frozen=True)
class Written:
    """One step as written: its verb, its body, and where it stands."""

    verb: str
    body: Verb
    at: Location


@dataclass(frozen=True)
class Recipe:
    """A recipe as far as it could be read. `document` holds it with every `$parameter` replaced by its value."""

    document: Document
    name: str
    title: str
    film: str | None
    target_nm: float | None
    stack: tuple[LayerTarget, ...]
    substrate: Substrate | None  # None = could not be read, and a problem says so
    needs: Needs
    define: Mapping[str, list[Any]]
    provenance: str
    parameters: dict[str, str]  # every parameter with the value in effect
    unused: tuple[str, ...]
    blind: frozenset[Mark]  # places whose parameter has no value: the parameter's own problem says all
    ranges: Mapping[str, Parameter]
    placed: Mapping[Location, str]  # where the parameters stand

    def section(self, part: str) -> list[Any]:
        """The raw steps of one part; empty when it could not be read."""
        value = self.document.data.get(part)
        return value if isinstance(value, list) else []

    def outside(self, at: Location, value: int) -> str:
        """Why `value` is not in the approved range of the parameter that stands here, or ""."""
        name = self.placed.get(at, "")
        return outside(name, self.ranges[name], value) if name in self.ranges else ""


def read_step(document: Document, at: Location, raw: object) -> Written:
    """One raw step; raises Problems."""
    verb, body = verb_of(validate_part(document, at, raw, STEP))
    return Written(verb, body, at)


def read_recipe(document: Document, given: Mapping[str, str]) -> tuple[Recipe, list[Problem]]:
    """What can be read of a recipe with these parameter values, and everything that is wrong with its head.

    Raises Problems when the file is no recipe at all.
    """
    data = document.data
    if not isinstance(data, dict) or "recipe" not in data:
        what = "this is a procedure, not a recipe" if isinstance(data, dict) and "procedure" in data else "not a recipe"
        message = f"{what}: a recipe begins with 'recipe: NAME' and has prepare, deposit and finish"
        raise Problems([Problem(document.mark(()), message)])
    problems: list[Problem] = []
    values, failed, ranges = values_of(document, data.get("parameters", {}), given, problems)
    substitute = Substitute(document, values, failed, problems)
    data = {k: v if k == "parameters" else substitute(v, (k,)) for k, v in data.items()}
    document = dataclasses.replace(document, data=data)
    for mark in (document.mark(at) for at in _empty(data, ())):
        problems.append(Problem(mark, "nothing stands here: write a value, or leave the key out"))
        substitute.blind.add(mark)
    in_head: list[Problem] = []
    head = _head(document, in_head)
    problems += [p for p in in_head if p.mark not in substitute.blind]
    unused = tuple(n for n in values if n not in substitute.used)
    recipe = _recipe(document, head, values, problems)
    blind = frozenset(substitute.blind)
    return dataclasses.replace(recipe, unused=unused, blind=blind, ranges=ranges, placed=substitute.placed), problems


def _empty(value: Any, at: Location) -> Iterator[Location]:
    """Where nothing was written behind a key or a dash: it may have been forgotten, and is never taken for left out."""
    if value is None:
        yield at
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield from _empty(inner, (*at, key))


def _recipe(document: Document, head: dict[str, Any], values: dict[str, int | str], out: list[Problem]) -> Recipe:
    if "stack" in head and ("film" in head or "target" in head):
        out.append(
            Problem(document.mark(("stack",), True), "'stack' already names films: leave out 'film' and 'target'")
        )
    if "target" in head and "film" not in head and "stack" not in head:
        out.append(Problem(document.mark(("target",), True), "'target' needs 'film', the film that it is of"))
    return Recipe(
        document=document,
        name=head.get("recipe", ""),
        title=head.get("title") or head.get("recipe", ""),
        film=head.get("film"),
        target_nm=head.get("target"),
        stack=tuple(head.get("stack", ())),
        substrate=head.get("substrate"),
        needs=head.get("needs", Needs()),
        define=head.get("define", {}),
        provenance=head.get("provenance", ""),
        parameters={name: str(value) for name, value in values.items()},
        unused=(),
        blind=frozenset(),
        ranges={},
        placed={},
    )


def _head(document: Document, problems: list[Problem]) -> dict[str, Any]:
    """Every top-level key that is right; one problem for every one that is wrong, missing or unknown."""
    out: dict[str, Any] = {}
    for key, value in document.data.items():
        if key == "parameters":
            continue
        if key not in HEAD:
            known = ", ".join([*HEAD, "parameters"])
            problems.append(Problem(document.mark((key,), True), f"unknown key '{key[:40]}'; a recipe has: {known}"))
            continue
        read = attempt(problems, document, (key,), value, HEAD[key][1])
        if read is not None:
            out[key] = read
    for key, (required, _) in HEAD.items():
        if required and key not in document.data:
            problems.append(Problem(document.mark(()), f"'{key}' is missing"))
    return out
