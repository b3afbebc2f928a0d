"""The films of the review once more, each as a whole run over wire bytes: the preview, remembered by what it was of.

A day of virtual time takes a while, so what has run is kept in a file, by a hash of the recipe, its parameters, its
bottles, the tool and what the tables of chemistry say of its substances; a film whose hash is there is not run again.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from ald_controller.cli.filmrows import Bench, Named, named, recipe_path
from ald_controller.cli.logs import configure_log
from ald_controller.cli.preview import PreviewOptions, preview
from ald_controller.shipped import RECIPES

FIRST_GUESS = 60.0  # times real time, before anything has been measured


@dataclass(frozen=True, slots=True)
class Ran:
    """One film as its run over wire bytes ended."""

    nm: float
    ending: str
    trips: list[str]
    doses_missed: int
    times_real_time: float


class Kept:
    """What has run so far, in a JSON file that is written anew after each film."""

    def __init__(self, path: Path) -> None:
        self._path = path
        told = json.loads(path.read_text("utf-8")) if path.exists() else {}
        self.ran = {key: Ran(**one) for key, one in told.items()}

    def keep(self, key: str, ran: Ran) -> None:
        self.ran[key] = ran
        self._path.parent.mkdir(parents=True, exist_ok=True)
        part = self._path.with_suffix(".part")
        part.write_text(json.dumps({key: asdict(one) for key, one in self.ran.items()}, indent=1), "utf-8")
        part.replace(self._path)


class Wire:
    """Films over wire bytes, as many as there is time for. `ran` has those of now, by their ids."""

    def __init__(self, bench: Bench, kept: Kept, tell: Callable[[str], None]) -> None:
        self._bench, self._kept, self._tell = bench, kept, tell
        self._blocks = [path.read_text("utf-8") for path in sorted((RECIPES / "blocks").glob("*.yaml"))]
        self._keys = {film_id: self._key(one) for film_id, one in named().items()}

    @property
    def ran(self) -> dict[str, Ran]:
        return {film_id: self._kept.ran[key] for film_id, key in self._keys.items() if key in self._kept.ran}

    def left(self) -> Iterator[tuple[float, str, Named]]:
        """How long each film that has not run takes in s of its own time, shortest first; raises Problems."""
        ran = self.ran
        waiting = {self._keys[film_id]: (film_id, one) for film_id, one in named().items() if film_id not in ran}
        planned = (
            (self._bench.plan(recipe_path(one.recipe), one.parameters).duration_s, film_id, one)
            for film_id, one in waiting.values()
        )
        return iter(sorted(planned, key=lambda row: row[:2]))

    def run(self, within_s: float | None) -> int:
        """Run what is left, but after the first begin nothing that would probably last longer; how many are left.

        Raises as preview.
        """
        clock = asyncio.new_event_loop()  # the wall clock: a preview has a loop of its own
        try:
            began_s, left = clock.time(), list(self.left())
            for number, (takes_s, film_id, one) in enumerate(left):
                if number and within_s is not None and clock.time() - began_s + takes_s / self._speed() > within_s:
                    return len(left) - number
                self._one(film_id, one)
            return 0
        finally:
            clock.close()

    def _speed(self) -> float:
        """Times real time, of the slower films so far."""
        known = sorted(one.times_real_time for one in self._kept.ran.values())
        return known[len(known) // 4] if known else FIRST_GUESS

    def _one(self, film_id: str, one: Named) -> None:
        configure_log(quiet=True, warnings=False)
        path = recipe_path(one.recipe)
        with tempfile.TemporaryDirectory(prefix="ald-films-") as folder:
            options = PreviewOptions(state=Path(folder), warm=True, parameters=one.parameters)
            got = preview(path, self._bench.assume(path), options)
        ran = Ran(got["thickness_nm"], got["ending"], got["trips"], got["doses_missed"], got["times_real_time"])
        self._kept.keep(self._keys[film_id], ran)
        self._tell(f"{film_id}: {ran.ending}, {ran.nm:.4g} nm, {ran.times_real_time:.0f} times real time")

    def _key(self, one: Named) -> str:
        """A name for all that the run of a film rests on, except the program itself."""
        path, told = recipe_path(one.recipe), self._bench.tool.text
        rack = json.dumps(self._bench.racks[self._bench.rack_for(path)].dump(), sort_keys=True)
        parameters = json.dumps(one.parameters, sort_keys=True)
        texts = [path.read_text("utf-8"), parameters, rack, told, *self._substances(path), *self._blocks]
        return hashlib.sha256("\0".join(texts).encode()).hexdigest()[:16]

    def _substances(self, recipe: Path) -> Iterator[str]:
        """What the tables say of what a recipe doses, and of the films that this can make."""
        chemistry, dosed = self._bench.chemistry, self._bench.dosed(recipe)
        yield from (repr(chemistry.precursors[name]) for name in sorted(dosed))
        yield from (repr(film) for film in chemistry.films.values() if dosed.issuperset(film.precursors))
        yield repr(chemistry.materials)
