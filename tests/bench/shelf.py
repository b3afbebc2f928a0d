"""Where finished rounds lie until their series is complete: a folder for one commit on one computer."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable
from pathlib import Path

from tests.bench.series import Round, Unit, round_of, text_of


class Shelf:
    """A folder in which a round is whole or not there, however a call ended."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def read(self, units: Iterable[Unit]) -> list[Round]:
        """The rounds of these units that are finished, each once."""
        found = []
        for unit in units:
            try:
                text = (self._folder / unit.part / unit.name).read_text("utf-8")
            except FileNotFoundError:
                continue
            if (one := round_of(unit, text)) is not None:
                found.append(one)
        return found

    def keep(self, one: Round) -> None:
        """On the disk when this returns."""
        folder = self._folder / one.unit.part
        folder.mkdir(parents=True, exist_ok=True)
        self.write(folder / one.unit.name, text_of(one))

    def drop(self, parts: Iterable[str]) -> None:
        """Rounds of a series that is complete go all at once: none of them may come into the next one."""
        for part in parts:
            gone = self._folder / f"{part}.done"
            shutil.rmtree(gone, ignore_errors=True)
            (self._folder / part).replace(gone)
            shutil.rmtree(gone)
        if not any(self._folder.iterdir()):
            self._folder.rmdir()

    @staticmethod
    def write(path: Path, text: str) -> None:
        """All of the text or none of it."""
        part = path.with_suffix(".part")
        with part.open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
