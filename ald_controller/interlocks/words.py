"""The words of the rows, from a file that a technician can edit: cause, consequence, what to do, how urgent it is."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import Field, TypeAdapter

from ald_controller import units
from ald_controller.interlocks.matrix import MATRIX
from ald_controller.interlocks.table import Priority, Row
from ald_controller.shipped import DEPLOY
from ald_controller.yamlfile import Problem, Problems, Strict, read, validate_part

WORDS_FILE = "alarms.yaml"
Sentence = Annotated[str, Field(min_length=3, max_length=400)]


class _Words(Strict):
    """One row of the file. Only announcing waits for the delays: no reaction does."""

    cause: Sentence
    consequence: Sentence
    action: Sentence
    priority: Priority
    on_delay: Annotated[units.Seconds, Field(ge=0, le=60)] = 0.0
    off_delay: Annotated[units.Seconds, Field(ge=0, le=600)] = 10.0

    def row(self, id: str) -> Row:
        return Row(id, self.cause, self.consequence, self.action, self.priority, self.on_delay, self.off_delay)


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
    return {id: each.row(id) for id, each in words.items()}


def site_words(tool_file: Path) -> dict[str, Row]:
    """The words beside a tool file, where the site has its own, else the shipped ones; raises Problems."""
    own = tool_file.parent / WORDS_FILE
    return load_words(own if own.exists() else DEPLOY / WORDS_FILE)
