"""Which precursor does what on a site in which state: one network out of all films.

A first precursor ends a free site; the second one frees it again and has grown the film of the pair. A film of three
steps goes round in a ring. A partner of no film with what ended a site spoils it: it is free, and nothing has grown.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import accumulate, pairwise

from simulators.plant.films import Film, Readings, films
from simulators.plant.sources import Vapour, vapours

FREE, HALF_WAY = "free", " + "  # a site half-way round a ring is named after both that ended it


@dataclass(frozen=True)
class Reaction:
    """One precursor on sites in one state. `film` is what it finishes; None for a first step or one that spoils."""

    precursor: str
    before: str
    after: str
    step: int
    film: Film | None = None


@dataclass(frozen=True)
class Network:
    """Reactions by precursor; `rings` are the films of three steps by their state half-way.

    `parts` are the classes of sites, as shares of all: those that are soft to the same films.

    Raises ValueError for films that could not be told from each other half-way.
    """

    vapours: Mapping[str, Vapour]
    films: Mapping[str, Film]
    rings: Mapping[str, Film] = field(init=False)
    reactions: Mapping[str, tuple[Reaction, ...]] = field(init=False)
    parts: tuple[float, ...] = field(init=False)

    def __post_init__(self) -> None:
        rings = {_half_way(film): film for film in self.films.values() if len(film.steps) > 2}
        for film in self.films.values():
            if _half_way(film) in rings and len(film.steps) == 2:
                raise ValueError(f"film '{film.name}' is the beginning of '{rings[_half_way(film)].name}'")
        object.__setattr__(self, "rings", rings)
        found = [*self._steps(), *self._spoilt()]
        by_name = {name: tuple(r for r in found if r.precursor == name) for name in self.vapours}
        object.__setattr__(self, "reactions", by_name)
        softs = sorted({film.soft.share for film in self.films.values() if film.soft})
        edges = [0.0, *softs, 1.0]
        object.__setattr__(self, "parts", tuple(end - begin for begin, end in pairwise(edges)))

    def factors(self, film: Film) -> tuple[float, ...]:
        """How fast the first step of a film goes on each of the parts."""
        if film.soft is None:
            return (1.0,) * len(self.parts)
        ends = accumulate(self.parts)
        return tuple(film.soft.factor if end < film.soft.share + 1e-9 else 1.0 for end in ends)

    def _firsts(self) -> dict[str, None]:
        return dict.fromkeys(film.steps[0] for film in self.films.values())

    def _steps(self) -> Iterator[Reaction]:
        """What makes films; a site half-way round a ring is free for the first steps of others."""
        for first in self._firsts():
            yield Reaction(first, FREE, first, 0)
        for film in self.films.values():
            first, second, *third = film.steps
            if not third:
                yield Reaction(second, first, FREE, 1, film)
                continue
            half = _half_way(film)
            yield Reaction(second, first, half, 1)
            yield Reaction(third[0], half, FREE, 2, film)
            for other in self._firsts():
                if other != first:
                    yield Reaction(other, half, other, 0)

    def _spoilt(self) -> Iterator[Reaction]:
        """What partners do to the first steps of films that are not theirs."""
        own = {(film.steps[0], step) for film in self.films.values() for step in film.steps[1:]}
        partners = dict.fromkeys(step for film in self.films.values() for step in film.steps[1:])
        for partner in partners:
            for first in self._firsts():
                if partner not in self._firsts() and (first, partner) not in own:
                    yield Reaction(partner, first, FREE, 1)


def _half_way(film: Film) -> str:
    return HALF_WAY.join(film.steps[:2])


@lru_cache(maxsize=8)
def shipped(readings: Readings = ()) -> Network:
    """The network of the tables that come with the program; `readings` as `films` takes them."""
    return Network(vapours(), films(readings))
