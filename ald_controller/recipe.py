"""What the chemist wrote: the head of a recipe, its parameters and its three lists of steps, each read on its own.

A broken part gives its problem and leaves the others readable, so that one check names everything that is wrong.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import BeforeValidator, Field, TypeAdapter, model_validator

from ald_controller import units
from ald_controller.recipe_steps import STEP, Temperature, Verb, Word, verb_of
from ald_controller.yamlfile import (
    Document,
    Location,
    Mark,
    Problem,
    Problems,
    Strict,
    read,
    validate,
    validate_part,
)

PARTS = ("prepare", "deposit", "finish")
_NAME = re.compile(r"[A-Za-z0-9_.-]{1,64}\Z")
_PARAMETER = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,31}\Z")
_REFERENCE = re.compile(r"\$([A-Za-z_][A-Za-z0-9_]*)\Z")
_INT = re.compile(r"-?(0|[1-9][0-9]{0,17})\Z")
_DIMENSIONS = (
    units.TIME, units.DIFFERENCE, units.TEMPERATURE, units.RAMP, units.PRESSURE, units.PRESSURE_RATE, units.FLOW,
    units.THICKNESS, units.MASS,
)  # fmt: skip
T = TypeVar("T")


def _recipe_name(value: object) -> object:
    if not isinstance(value, str) or not _NAME.match(value):
        raise ValueError("a recipe's name is 1 to 64 letters, digits, '_', '.' or '-', for example ligl-on-lithium")
    return value


def _below(dimension: units.Dimension) -> Any:
    def parse(value: object) -> float:
        if not isinstance(value, str) or not value.startswith("below "):
            raise ValueError(f"'below' and a {dimension.name} are expected, for example below {dimension.example}")
        return dimension.parse(value.removeprefix("below "))

    return BeforeValidator(parse)


class ChamberNeeds(Strict):
    """What the chamber must have been measured to be: leak in Pa/s."""

    leak: Annotated[float, _below(units.PRESSURE_RATE)] | None = None
    seasoned: bool | None = None


class Needs(Strict):
    """What must be so before a run starts: bottles hold at least this many grams, by precursor."""

    chamber: ChamberNeeds = ChamberNeeds()
    bottles: dict[str, units.Grams] = Field(default={})


class Substrate(Strict):
    """What the recipe is for; area in m², limit in °C."""

    material: Word
    area: units.SquareMetres | None = None
    aspect_ratio: int | None = Field(default=None, ge=1, le=100_000)
    limit: Temperature | None = None


def _short_substrate(value: object) -> object:
    return {"material": value} if isinstance(value, str) else value


class LayerTarget(Strict):
    """One film of a stack, from the substrate upwards; target in nm."""

    film: Word
    target: units.Nanometres | None = None


class Parameter(Strict):
    """A value that may be chosen at the start, within the range that the owner approved."""

    default: int | str
    min: int | str | None = None
    max: int | str | None = None

    @model_validator(mode="after")
    def _sound(self) -> Parameter:
        low, value, high = (None if v is None else self.number(v) for v in (self.min, self.default, self.max))
        if value is None or (low is not None and low > value) or (high is not None and value > high):
            raise ValueError(f"the default {self.default} is not between min {self.min} and max {self.max}")
        return self

    def number(self, value: int | str) -> float:
        """`value` in the kind of quantity that the default, min and max are; raises ValueError."""
        given = [v for v in (self.default, self.min, self.max) if v is not None]
        if all(isinstance(v, int) for v in given):
            if not isinstance(value, int):
                raise ValueError(f"'{value}' is not a whole number like the default {self.default}")
            return value
        for dimension in _DIMENSIONS:
            if all(_is(dimension, v) for v in given):
                return dimension.parse(value)
        raise ValueError(
            "default, min and max are whole numbers, or quantities of one kind with their units, for example "
            "{default: 1 s, min: 0.2 s, max: 8 s}"
        )


def _is(dimension: units.Dimension, value: object) -> bool:
    try:
        dimension.parse(value)
    except units.UnitError:
        return False
    return True


_HEAD: dict[str, tuple[bool, TypeAdapter[Any]]] = {  # key -> (required, type)
    "recipe": (True, TypeAdapter(Annotated[str, BeforeValidator(_recipe_name)])),
    "title": (False, TypeAdapter(Annotated[str, Field(max_length=200)])),
    "film": (False, TypeAdapter(Word)),
    "target": (False, TypeAdapter(units.Nanometres)),
    "stack": (False, TypeAdapter(Annotated[list[LayerTarget], Field(min_length=1, max_length=100)])),
    "substrate": (True, TypeAdapter(Annotated[Substrate, BeforeValidator(_short_substrate)])),
    "provenance": (True, TypeAdapter(Word)),
    "needs": (False, TypeAdapter(Needs)),
    "define": (False, TypeAdapter(dict[str, list[Any]])),
    "prepare": (True, TypeAdapter(list[Any])),
    "deposit": (True, TypeAdapter(list[Any])),
    "finish": (True, TypeAdapter(list[Any])),
}
_PARAMETERS: TypeAdapter[dict[str, Any]] = TypeAdapter(dict[str, Any])
_ONE_PARAMETER = TypeAdapter(Parameter)


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

    def section(self, part: str) -> list[Any]:
        """The raw steps of one part; empty when it could not be read."""
        value = self.document.data.get(part)
        return value if isinstance(value, list) else []


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
    values, failed = _parameters(document, data.get("parameters", {}), given, problems)
    substitute = _Substitute(document, values, failed, problems)
    data = {k: v if k == "parameters" else substitute(v, (k,)) for k, v in data.items()}
    document = dataclasses.replace(document, data=data)
    in_head: list[Problem] = []
    head = _head(document, in_head)
    problems += [p for p in in_head if p.mark not in substitute.blind]
    unused = tuple(n for n in values if n not in substitute.used)
    recipe = _recipe(document, head, values, problems)
    return dataclasses.replace(recipe, unused=unused, blind=frozenset(substitute.blind)), problems


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
    )


def _head(document: Document, problems: list[Problem]) -> dict[str, Any]:
    """Every top-level key that is right; one problem for every one that is wrong, missing or unknown."""
    out: dict[str, Any] = {}
    for key, value in document.data.items():
        if key == "parameters":
            continue
        if key not in _HEAD:
            known = ", ".join([*_HEAD, "parameters"])
            problems.append(Problem(document.mark((key,), True), f"unknown key '{key[:40]}'; a recipe has: {known}"))
            continue
        read = attempt(problems, document, (key,), value, _HEAD[key][1])
        if read is not None:
            out[key] = read
    for key, (required, _) in _HEAD.items():
        if required and key not in document.data:
            problems.append(Problem(document.mark(()), f"'{key}' is missing"))
    return out


def attempt(problems: list[Problem], document: Document, at: Location, value: Any, kind: TypeAdapter[T]) -> T | None:
    """`value` as `kind`, or None with what is wrong added to `problems`."""
    try:
        return validate_part(document, at, value, kind)
    except Problems as error:
        problems += error.problems
        return None


def _parameters(
    document: Document, raw: Any, given: Mapping[str, str], problems: list[Problem]
) -> tuple[dict[str, int | str], set[str]]:
    """The values in effect, and the names of the parameters that have none because something is wrong with them."""
    values: dict[str, int | str] = {}
    failed: set[str] = set()
    table = attempt(problems, document, ("parameters",), raw, _PARAMETERS) or {}
    for name, body in table.items():
        at = ("parameters", name)
        if not _PARAMETER.match(name):
            message = f"'{name[:40]}' is no name of a parameter: letters, digits and '_', for example li_dose"
            problems.append(Problem(document.mark(at, True), message))
        parameter = attempt(problems, document, at, body, _ONE_PARAMETER)
        value = None if parameter is None else _value(document, at, name, parameter, given, problems)
        if value is None:
            failed.add(name)
        else:
            values[name] = value
    for name in given:
        if name not in table:
            known = ", ".join(table) or "none"
            message = f"there is no parameter '{name[:40]}'; this recipe has: {known}"
            problems.append(Problem(document.mark(("parameters",), True), message))
    return values, failed


def _value(
    document: Document,
    at: Location,
    name: str,
    parameter: Parameter,
    given: Mapping[str, str],
    problems: list[Problem],
) -> int | str | None:
    """The given value or the default, within the range; None with a problem when it is not."""
    if name not in given:
        return parameter.default
    value: int | str = int(given[name]) if _INT.match(given[name]) else given[name]
    try:
        number = parameter.number(value)
        low, high = (None if v is None else parameter.number(v) for v in (parameter.min, parameter.max))
    except ValueError as error:
        problems.append(Problem(document.mark(at, True), f"{name}: {error}"))
        return None
    if (low is not None and number < low) or (high is not None and number > high):
        span = f"from {parameter.min} to {parameter.max}" if None not in (low, high) else _one_end(parameter)
        problems.append(Problem(document.mark(at, True), f"{name}: {value} is outside of its approved range, {span}"))
        return None
    return value


def _one_end(parameter: Parameter) -> str:
    return f"at least {parameter.min}" if parameter.min is not None else f"at most {parameter.max}"


class _Substitute:
    """Replaces every text that is `$name` by the value of the parameter; remembers which were used."""

    def __init__(
        self, document: Document, values: dict[str, int | str], failed: set[str], problems: list[Problem]
    ) -> None:
        self.document, self.values, self.failed, self.problems = document, values, failed, problems
        self.used: set[str] = set()
        self.blind: set[Mark] = set()

    def __call__(self, value: Any, at: Location) -> Any:
        if isinstance(value, dict):
            return {k: self(v, (*at, k)) for k, v in value.items()}
        if isinstance(value, list):
            return [self(v, (*at, i)) for i, v in enumerate(value)]
        if isinstance(value, str) and (reference := _REFERENCE.match(value)):
            return self._one(value, reference[1], at)
        return value

    def _one(self, text: str, name: str, at: Location) -> int | str:
        self.used.add(name)
        if name in self.values:
            return self.values[name]
        mark = self.document.mark(at)
        self.blind.add(mark)
        if name not in self.failed:
            known = ", ".join(self.values) or "none"
            message = f"there is no parameter '{name[:40]}'; this recipe has: {known}"
            self.problems.append(Problem(mark, message))
        return text


class Block(Strict):
    """Steps that the tool owns; recipes `use` them."""

    block: Word
    steps: list[Any] = Field(min_length=1)


def load_blocks(folder: Path) -> dict[str, Document]:
    """The blocks of `recipes/blocks/` by name; raises Problems, of all files at once."""
    out: dict[str, Document] = {}
    problems: list[Problem] = []
    for path in sorted(folder.glob("*.yaml")):
        try:
            document = read(path)
            name = validate(document, Block).block
        except Problems as error:
            problems += error.problems
            continue
        if name in out:
            message = f"there are two blocks '{name}': the other is {out[name].name}"
            problems.append(Problem(document.mark(("block",)), message))
        out[name] = document
    if problems:
        raise Problems(problems)
    return out


def block_at(block: Document, recipe: Document, at: Location, targets: Any) -> Document:
    """A block as if it stood at `at` (a `use`) in a recipe: `heat: $with` is the use's own mapping, marks included."""
    here = recipe.mark(at)
    marks: dict[Location, Mark] = dict.fromkeys(block.marks, here)
    keys: dict[Location, Mark] = dict.fromkeys(block.keys, here)
    source = (*at, "use", "with")

    def splice(value: Any, loc: Location) -> Any:
        if value == "$with":
            for table, out in ((recipe.marks, marks), (recipe.keys, keys)):
                out.update({(*loc, k): table[(*source, k)] for k in targets if (*source, k) in table})
            return targets
        if isinstance(value, dict):
            return {k: splice(v, (*loc, k)) for k, v in value.items()}
        if isinstance(value, list):
            return [splice(v, (*loc, i)) for i, v in enumerate(value)]
        return value

    data = splice(block.data, ())
    return Document(recipe.name, data, marks, keys, block.sha256)
