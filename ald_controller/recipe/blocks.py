"""Blocks: steps that the tool owns and recipes use, read from `recipes/blocks/`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import Field

from ald_controller.recipe.steps import Word
from ald_controller.yamlfile import Document, Location, Mark, Problem, Problems, Strict, read, validate


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


def takes_targets(block: Document) -> bool:
    """Whether a step of the block is `$with`: what the recipe that uses it writes there."""

    def inside(value: Any) -> bool:
        inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
        return value == "$with" or any(map(inside, inner))

    return inside(block.data)


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
