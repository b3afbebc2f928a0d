"""The surface of sample and walls: sites that are free or ended by a precursor, and the films that their steps grow.

One network for all films: a first precursor ends a free site, the second one frees it again and has grown the film of
the pair; a film of three steps goes round in a ring. Doses that saturate, doses that fall short, and growth without end
where both are there at once all follow from it. Sources: the steady cycle is that of aldenv's models (0.4.0); rates are
sticking times impingement per site. Above the temperature at which a precursor breaks it frees the sites it has ended.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from math import exp
from typing import NamedTuple

from simulators.plant import moves
from simulators.plant.curve import ZERO_K
from simulators.plant.films import NG_CM2, Film
from simulators.plant.network import FREE, HALF_WAY, Network, Reaction, shipped
from simulators.plant.sources import Vapour

LEAST, GONE = 1e-9, 1e-18  # reactions per site in a step below which nothing happens; a share that is none
EVERYWHERE = "everywhere"  # the state of every site, to what happens whatever ends it
BREAKING, BREAKING_K = 0.01, 12_000.0  # share of impinging layers that break, at the limit; 100 kJ/mol. Unverified


class Possible(NamedTuple):
    """A reaction at one temperature: per site, Pa and second, and how many molecules a layer takes and leaves per m².

    `factors`: how fast it goes on each class of sites beside that.
    """

    reaction: Reaction
    per_pa_s: float
    molecules_m2: float
    leave_m2: float
    factors: tuple[float, ...]


class Reacted(NamedTuple):
    """What an exposure does: shares of each class afterwards, layers by reaction, molecules per m² out of the gas.

    `given_m2` are those of gas that the reactions give off.
    """

    shares: tuple[dict[str, float], ...]
    layers: tuple[tuple[Reaction, float], ...]
    taken_m2: dict[str, float]
    given_m2: float


class Rates:
    """Reactions per site, Pa and second at one temperature."""

    def __init__(self, celsius: float, vapours: Mapping[str, Vapour]) -> None:
        self.celsius, self._vapours = celsius, vapours
        # by precursor and by the state before, as long as the films in growth are the same
        self.possible: dict[str, dict[str, tuple[Possible, ...]]] = {}
        self._sites: dict[str, float] = {}
        self._growth: dict[str, float] = {}

    def sites_m2(self, film: Film) -> float:
        if film.name not in self._sites:
            self._sites[film.name] = film.sites_m2(self.celsius)
        return self._sites[film.name]

    def gpc_nm(self, film: Film) -> float:
        if film.name not in self._growth:
            self._growth[film.name] = film.gpc_nm(self.celsius)
        return self._growth[film.name]

    def of(self, reaction: Reaction, film: Film, factors: tuple[float, ...]) -> Possible:
        """A reaction on the sites of `film`."""
        vapour, sites_m2 = self._vapours[reaction.precursor], self.sites_m2(film)
        per_pa_s, leave_m2 = vapour.reacting_per_m2(self.celsius) / sites_m2, sites_m2 * film.leave[reaction.step]
        return Possible(reaction, per_pa_s, sites_m2 / vapour.monomers, leave_m2, factors)

    def breaking(self, precursor: str) -> float:
        """How fast a precursor breaks on a site which it has ended, beside a free one: 0 below its limit."""
        vapour = self._vapours[precursor]
        if self.celsius < vapour.breaks_c:
            return 0.0
        limit_k, at_k = vapour.breaks_c + ZERO_K, self.celsius + ZERO_K
        return BREAKING * exp(BREAKING_K * (1.0 / limit_k - 1.0 / at_k))


class Surface:
    """Thickness from exposures; all sites are free at the start.

    `nucleates` says from the cycles so far how much of a layer grows on this substrate. `thickness_nm` is on the
    substrate, `mass_ng_cm2` of what a crystal of old film would have gained.
    """

    def __init__(
        self,
        nucleates: Callable[[float], float] = lambda cycles: 1.0,
        network: Network | None = None,
    ) -> None:
        self._network = network or shipped()
        self.thickness_nm = 0.0
        self.cycles = 0.0
        self.layers: dict[str, float] = {}  # by film, in the order in which they began
        self.extrapolated: set[str] = set()  # films that grew beyond the temperatures of their points
        self._nucleates = nucleates
        self._parts = self._network.parts
        self._evenly = (1.0,) * len(self._parts)
        self._shares: tuple[dict[str, float], ...] = tuple({FREE: 1.0} for _ in self._parts)
        # the film that a first step begins: of its last partner, or else the first one of the table
        self._film = {film.steps[0]: film for film in reversed([*self._network.films.values()])}
        self._grown_ng_cm2 = 0.0
        self._rates = Rates(25.0, self._network.vapours)

    def covered(self, precursor: str) -> float:
        """Share of sites that this precursor has ended."""
        return sum(part * shares.get(precursor, 0.0) for part, shares in zip(self._parts, self._shares, strict=True))

    def film_of(self, precursor: str) -> Film | None:
        """The film that this precursor takes part in now: the one that it begins, or else the last that it made."""
        last = [film for film in self._film.values() if precursor in film.steps]
        return self._film.get(precursor) or (last[-1] if last else None)

    def first_density_g_cm3(self) -> float:
        """That of the film that began first, be it by half a layer, at the temperature of now; 1 before any."""
        begun = (self._film[state] for shares in self._shares for state in shares if state in self._film)
        film = next((self._network.films[name] for name in self.layers), None) or next(begun, None)
        return film.density_g_cm3(self._rates.celsius) if film else 1.0

    def mass_ng_cm2(self, celsius: float) -> float:
        """What a crystal beside the sample has gained, half-grown layers included."""
        rates, pending = self._at(celsius), 0.0
        for part, shares in zip(self._parts, self._shares, strict=True):
            for state, share in shares.items():
                if state != FREE and share > 0.0:
                    film = self._network.rings.get(state) or self._film[state]
                    gains = film.gains[: 1 + state.count(HALF_WAY)]
                    pending += part * share * sum(gains) * rates.sites_m2(film) * NG_CM2
        return self._grown_ng_cm2 + pending

    def probe(self, exposures_pa_s: Mapping[str, float], celsius: float) -> Reacted | None:
        """What an exposure (Pa·s to each vapour that is there) would do; None when it is nothing."""
        rates = self._at(celsius)
        there = [(self._possible(name, rates), pa_s) for name, pa_s in exposures_pa_s.items()]
        states = [EVERYWHERE, *dict.fromkeys([state for shares in self._shares for state in shares])]
        found: list[tuple[Possible, float]] = []
        for state in states:
            for possible, pa_s in there:
                for one in possible.get(state, ()):
                    if (x := one.per_pa_s * pa_s) > LEAST:
                        found.append((one, x))
                        if one.reaction.after not in states:  # what one brings about another may meet
                            states.append(one.reaction.after)
        return self._reacted(found) if found else None

    def take(self, reacted: Reacted, celsius: float) -> None:
        """Let it happen."""
        self._shares = reacted.shares
        rates = self._at(celsius)
        for reaction, layers in reacted.layers:
            if reaction.film is not None and layers > 0.0:
                self._grow(reaction.film, layers, rates)

    def _grow(self, film: Film, layers: float, rates: Rates) -> None:
        if self._film[film.steps[0]] is not film:
            self._film[film.steps[0]] = film
            rates.possible.clear()
        self._grown_ng_cm2 += layers * sum(film.gains) * rates.sites_m2(film) * NG_CM2
        self.thickness_nm += rates.gpc_nm(film) * self._nucleates(self.cycles + 0.5 * layers) * layers
        self.cycles += layers
        self.layers[film.name] = self.layers.get(film.name, 0.0) + layers
        if not film.covers(rates.celsius):
            self.extrapolated.add(film.name)

    def grow_again(self, layers: Mapping[str, float]) -> None:
        """Grow these layers (by film) once more at the temperature of now, as if doses had: for cycles all alike."""
        for name, count in layers.items():
            self._grow(self._network.films[name], count, self._rates)

    def expose(self, exposures_pa_s: Mapping[str, float], celsius: float) -> None:
        """Take an exposure in Pa·s to each vapour that was there together."""
        if reacted := self.probe(exposures_pa_s, celsius):
            self.take(reacted, celsius)

    def _at(self, celsius: float) -> Rates:
        """The rates at a temperature, to 0.05 K."""
        if abs(self._rates.celsius - celsius) > 0.05:
            self._rates = Rates(celsius, self._network.vapours)
        return self._rates

    def _possible(self, name: str, rates: Rates) -> dict[str, tuple[Possible, ...]]:
        """What a precursor does now, by the state of the site that it meets."""
        known = rates.possible.get(name)
        if known is None:
            known = rates.possible[name] = {}
            for one in self._find(name, rates):
                known[one.reaction.before] = (*known.get(one.reaction.before, ()), one)
        return known

    def _find(self, name: str, rates: Rates) -> Iterator[Possible]:
        for reaction in self._network.reactions.get(name, ()):
            first = name if reaction.step == 0 else reaction.before
            film = reaction.film or self._network.rings.get(reaction.after) or self._film[first]
            factors = self._network.factors(film) if reaction.step == 0 else self._evenly
            yield rates.of(reaction, film, factors)
        if name in self._film:
            yield from self._breaking(name, self._film[name], rates)

    def _breaking(self, name: str, film: Film, rates: Rates) -> Iterator[Possible]:
        """A precursor above its limit: it frees what it has ended, and grows at one rate whatever ends a site."""
        if share := rates.breaking(name):
            frees = rates.of(Reaction(name, name, FREE, 1), film, self._evenly)
            yield frees._replace(per_pa_s=share * frees.per_pa_s, molecules_m2=0.0, leave_m2=0.0)
            grows = rates.of(Reaction(name, EVERYWHERE, EVERYWHERE, 1, film), film, self._evenly)
            all_leave = rates.sites_m2(film) * sum(film.leave)
            yield grows._replace(per_pa_s=share / (1.0 + share) * grows.per_pa_s, leave_m2=all_leave)

    def _reacted(self, found: list[tuple[Possible, float]]) -> Reacted:
        reactions = [possible.reaction for possible, _ in found]
        layers = [x if possible.reaction.before == EVERYWHERE else 0.0 for possible, x in found]
        after = []
        for i, (part, shares) in enumerate(zip(self._parts, self._shares, strict=True)):
            rows = [
                (possible.reaction.before, possible.reaction.after, x * possible.factors[i]) for possible, x in found
            ]
            left, moved = moves.step(shares, rows)
            after.append({state: share for state, share in left.items() if share > GONE})
            layers = [so_far + part * more for so_far, more in zip(layers, moved, strict=True)]
        taken: dict[str, float] = {}
        given = 0.0
        for (possible, _), count in zip(found, layers, strict=True):
            name = possible.reaction.precursor
            taken[name] = taken.get(name, 0.0) + count * possible.molecules_m2
            given += count * possible.leave_m2
        return Reacted(tuple(after), tuple(zip(reactions, layers, strict=True)), taken, given)
