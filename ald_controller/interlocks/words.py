"""The words of the rows, from a file that a technician can edit: cause, consequence, what to do."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import Field, TypeAdapter

from ald_controller.interlocks.matrix import MATRIX
from ald_controller.interlocks.table import Row
from ald_controller.yamlfile import Problem, Problems, Strict, read, validate_part

Sentence = Annotated[str, Field(min_length=3, max_length=400)]


class _Words(Strict):
    cause: Sentence
    consequence: Sentence
    action: Sentence


_FILE = TypeAdapter(dict[str, _Words])


def load_words(path: Path) -> dict[str, Row]:
    """The words of every row of the matrix; raises Problems, also for a row that has none or does not exist."""
    document = read(path)
    words = validate_part(document, (), document.data, _FILE)
    problems = [
        Problem(document.mark((id,), of_key=True), f"there is no row {id} in the hazard matrix")
        for id in words if id not in MATRIX
    ]  # fmt: skip
    missing = [id for id in MATRIX if id not in words]
    if missing:
        problems.append(Problem(document.mark(()), f"words are missing for {', '.join(missing)}"))
    if problems:
        raise Problems(problems)
    return {id: Row(id, w.cause, w.consequence, w.action) for id, w in words.items()}
