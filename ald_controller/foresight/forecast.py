"""What a plan will probably do, in numbers: each with the reading or the assumption that it rests on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from math import exp, log

from ald_controller.chemistry import Chemistry, Film
from ald_controller.config import ToolConfig
from ald_controller.foresight.reactor import MOST_STEPS, Gas, Instant, Reactor, Seen, Steady
from ald_controller.foresight.sites import steady
from ald_controller.foresight.timeline import MOST_CYCLES, Cycle, Half, cycles
from ald_controller.foresight.vessel import AVOGADRO, LANGMUIR_PA_S, Vessel
from ald_controller.plan import Layer, LayerReading, Plan

SATURATED = 0.95  # the coverage that counts as saturated


@dataclass(frozen=True, slots=True)
class HalfForecast:
    """One half-cycle in its steady turn; exposures in L (1e-6 Torr·s), pressures in Pa."""

    half: Half
    exposure_l: float
    flat_l: float | None  # that saturates a flat surface to 95 %; None: its film is not known
    deep_l: float | None  # and the holes of the substrate
    coverage: float | None  # of the sites that it finds
    excess: float  # growth per cycle beyond that of its doses, by what its purge has left; a share
    left: float  # of its peak, when the next source opens
    peak_pa: float
    highest_pa: float
    end_pa: float
    base_pa: float
    grams: float  # per cycle
    given_mol: float
    supply_mol: float | None  # that the surface takes at least
    filled: float  # of saturation, in the headspace when the source opens
    bottle_c: float
    bottle_pa: float
    carried: bool


@dataclass(frozen=True, slots=True)
class CycleForecast:
    """A cycle with its growth in saturated layers: with what purges leave, and as it would be without."""

    cycle: Cycle
    times: int
    growth: float
    saturated: float
    halves: tuple[HalfForecast, ...]
    trace: tuple[Instant, ...]

    @property
    def excess(self) -> float:
        """Growth that only vapours which meet account for, as a share."""
        return self.growth / self.saturated - 1.0 if self.saturated > 0.0 else 0.0


@dataclass(frozen=True, slots=True)
class ReadingForecast:
    """What one reading of the literature makes of a layer; low and high are its error band."""

    nm: float
    low_nm: float
    high_nm: float
    gpc_nm: float
    source: str
    confidence: str
    provenance: str
    extrapolated: bool


@dataclass(frozen=True, slots=True)
class LayerForecast:
    """One film at one temperature: cycles, and the factors between a saturated layer per cycle and what will grow."""

    film: str
    cycles: int
    at_c: float | None
    saturated: float | None  # growth over that of saturated cycles, doses alone; None: not modelled
    excess: float
    nucleated: float
    readings: tuple[ReadingForecast, ...]


@dataclass(frozen=True, slots=True)
class BottleForecast:
    """What a run takes out of one bottle; `left_g` is what the register says is in it."""

    port: str
    precursor: str
    grams: float
    left_g: float | None
    doses: int
    provenance: str


@dataclass(frozen=True, slots=True)
class Fact:
    """One figure that the result rests on."""

    what: str
    provenance: str
    source: str


@dataclass(frozen=True, slots=True)
class Forecast:
    """All of it. `nm`, `low_nm`, `high_nm` are None where a layer's growth is not known."""

    layers: tuple[LayerForecast, ...]
    cycles: tuple[CycleForecast, ...]
    bottles: tuple[BottleForecast, ...]
    facts: tuple[Fact, ...]
    vessel: Vessel
    nm: float | None
    low_nm: float | None
    high_nm: float | None
    unverified_nm: float  # of `nm`, on readings that are unverified defaults
    not_modelled: int  # different cycles beyond the first ones

    @property
    def unverified(self) -> float:
        """Share of the figures that are unverified defaults."""
        weak = sum(fact.provenance == "unverified default" for fact in self.facts)
        return weak / len(self.facts) if self.facts else 0.0


def unforeseen(made: Forecast) -> list[str]:
    """What of a plan nobody can foresee: silence about it is no good news."""
    unknown = dict.fromkeys(half.half.precursor for one in made.cycles if one.cycle.film is None for half in one.halves)
    out = [f"nothing is known of what {', '.join(unknown)} would grow"] if unknown else []
    out += [] if made.cycles else ["there is no dose in it"]
    out += [f"{made.not_modelled} kinds of cycle are not modelled"] if made.not_modelled else []
    weighed = dict.fromkeys(bottle.precursor for bottle in made.bottles if bottle.left_g is None)
    return out + ([f"what is left of {', '.join(weighed)} is not recorded"] if weighed else [])


def forecast(
    plan: Plan, vessel: Vessel, chemistry: Chemistry, config: ToolConfig, left_g: Mapping[str, float | None],
    target_nm: Mapping[str, float | None],
    known: dict[Cycle, Steady] | None = None,
) -> Forecast:  # fmt: skip
    """The forecast of a plan; `left_g` by port, `target_nm` by film. Pure; some 10 ms for each different cycle.

    `known` keeps what cycles do from one forecast to the next, in the same vessel.
    """
    steadies = {} if known is None else known
    found = cycles(plan, chemistry, config)
    done = tuple(_modelled(found, vessel, chemistry, config, steadies))
    layers = tuple(_layers(plan, done, chemistry))
    chosen = [_chosen(layer, target_nm.get(layer.film)) for layer in layers]
    sure = [one for one in chosen if one is not None]
    whole = bool(sure) and len(sure) == len(chosen)
    return Forecast(
        layers, done, tuple(_bottles(done, chemistry, left_g)), tuple(_facts(plan, done, vessel, chemistry)), vessel,
        sum(one.nm for one in sure) if whole else None,
        sum(min(r.low_nm for r in layer.readings) for layer in layers) if whole else None,
        sum(max(r.high_nm for r in layer.readings) for layer in layers) if whole else None,
        sum(one.nm for one in sure if one.provenance == "unverified default"),
        len(found) - len(done),
    )  # fmt: skip


def _modelled(
    found: Mapping[Cycle, int], vessel: Vessel, chemistry: Chemistry, config: ToolConfig, known: dict[Cycle, Steady]
) -> Iterator[CycleForecast]:
    """The first cycles, until they are many or have taken long."""
    steps = 0
    for cycle, times in islice(found.items(), MOST_CYCLES):
        if steps > MOST_STEPS:
            return
        yield _cycle(cycle, times, Reactor(cycle, vessel, chemistry, config), chemistry, known)
        steps += known[cycle].steps


def _cycle(
    cycle: Cycle, times: int, reactor: Reactor, chemistry: Chemistry, known: dict[Cycle, Steady]
) -> CycleForecast:
    found = known.get(cycle)
    if found is None:
        found = known[cycle] = reactor.steady()
    film = chemistry.films[cycle.film] if cycle.film else None
    own = {gas.step: gas.per_site * _exposure(cycle, found, gas.name) for gas in reactor.gases.values()}
    alone = steady([own.get(i, 0.0) for i in range(reactor.sites.steps)], reactor.sites.classes) if film else 0.0
    excess = max(found.grown / alone - 1.0, 0.0) if alone > 0.0 else 0.0
    late = sum(seen.late for seen in found.seen)
    halves = tuple(
        _half(half, seen, reactor, film, excess * seen.late / late if late > 0.0 else 0.0)
        for half, seen in zip(cycle.halves, found.seen, strict=True)
    )
    return CycleForecast(cycle, times, found.grown if film else 0.0, alone, halves, tuple(found.trace))


def _exposure(cycle: Cycle, found: Steady, precursor: str) -> float:
    return sum(s.exposure_pa_s for h, s in zip(cycle.halves, found.seen, strict=True) if h.precursor == precursor)


def _half(half: Half, seen: Seen, reactor: Reactor, film: Film | None, excess: float) -> HalfForecast:
    gas, vessel = reactor.gases[half.precursor], reactor.vessel
    known = film is not None and gas.step >= 0
    flat, deep = _needed_pa_s(gas, vessel.aspect) if known else (None, None)
    surface_c = reactor.cycle.wall_c if reactor.cycle.surface_c is None else reactor.cycle.surface_c
    area = vessel.wall_m2 + vessel.sample_m2
    supply = area * film.sites_m2(surface_c) / gas.entry.vapour.monomers / AVOGADRO if film and known else None
    return HalfForecast(
        half,
        seen.exposure_pa_s / LANGMUIR_PA_S,
        None if flat is None else flat / LANGMUIR_PA_S,
        None if deep is None else deep / LANGMUIR_PA_S,
        1.0 - exp(-gas.per_site * seen.exposure_pa_s) if known else None,
        excess,
        seen.left_pa / seen.peak_pa if seen.peak_pa > 0.0 else 0.0,
        seen.peak_pa, seen.highest_pa, seen.end_pa, seen.base_pa,
        seen.moles * gas.bottle.g_per_mol,
        seen.moles, supply, seen.filled, dict(reactor.cycle.bottles_c)[half.port], gas.bottle.saturated_pa,
        gas.bottle.carried,
    )  # fmt: skip


def _needed_pa_s(gas: Gas, aspect: float) -> tuple[float, float]:
    """The exposures that coat a flat surface to 95 %, and holes of this aspect ratio to their bottom (Gordon 2003)."""
    flat = -log(1.0 - SATURATED) / gas.per_site
    each = gas.probability / gas.per_site  # one molecule per site
    return flat, flat + each * gordon(aspect) if aspect > 0.0 else flat


def gordon(aspect: float) -> float:
    """What transport into a hole asks, in exposures of one molecule per site; a = depth x perimeter / (4 x section)."""
    return 1.0 + 4.75 * aspect + 1.5 * aspect * aspect


# --- layers ---------------------------------------------------------------------------------------------------------


def _layers(plan: Plan, done: tuple[CycleForecast, ...], chemistry: Chemistry) -> Iterator[LayerForecast]:
    material = chemistry.materials.get(chemistry.material(plan.substrate) or "")
    begins = material.nucleation if material else None
    merged: dict[tuple[str, float | None], list[Layer]] = {}
    nucleated: dict[tuple[str, float | None], float] = {}
    before = 0
    for layer in plan.layers:
        key = (layer.film, layer.at_c)
        merged.setdefault(key, []).append(layer)
        shares = begins.layers(before, layer.cycles) if begins else float(layer.cycles)
        nucleated[key] = nucleated.get(key, 0.0) + shares
        before += layer.cycles
    for key, parts in merged.items():
        count = sum(part.cycles for part in parts)
        growth, excess = _factors(done, *key)
        begun = nucleated[key] / count
        factor = (1.0 if growth is None else growth * (1.0 + excess)) * begun
        readings = tuple(
            _reading(chemistry, layer_reading, i, key, count, factor)
            for i, layer_reading in enumerate(parts[0].readings)
        )
        yield LayerForecast(key[0], count, key[1], growth, excess, begun, readings)


def _factors(done: tuple[CycleForecast, ...], film: str, at_c: float | None) -> tuple[float | None, float]:
    """Mean saturation and excess of the cycles of one film at one temperature."""
    same = [c for c in done if c.cycle.film == film and c.cycle.surface_c == at_c]
    count = sum(c.times for c in same)
    if not count:
        return None, 0.0
    saturated = sum(c.saturated * c.times for c in same) / count
    growth = sum(c.growth * c.times for c in same) / count
    return saturated, growth / saturated - 1.0 if saturated > 0.0 else 0.0


def _reading(
    chemistry: Chemistry, reading: LayerReading, i: int, key: tuple[str, float | None], count: int, factor: float
) -> ReadingForecast:
    entry, at_c = chemistry.films[key[0]].readings[i], key[1]
    gpc = entry.gpc_nm(at_c) if at_c is not None else 0.0
    nm = gpc * count * factor
    bands = chemistry.reactor.bands
    band = bands.shares[entry.confidence] + (bands.extrapolated if reading.extrapolated else 0.0)
    provenance = entry.provenance if at_c is None else entry.provenance_at(at_c)
    return ReadingForecast(
        nm, nm * (1.0 - band), nm * (1.0 + band), gpc, entry.source, entry.confidence, provenance, reading.extrapolated
    )


def _chosen(layer: LayerForecast, target_nm: float | None) -> ReadingForecast | None:
    """The reading nearest to the target, or the first one."""
    if not layer.readings or target_nm is None:
        return layer.readings[0] if layer.readings else None
    return min(layer.readings, key=lambda reading: abs(reading.nm - target_nm))


# --- bottles and facts ----------------------------------------------------------------------------------------------


def _bottles(
    done: tuple[CycleForecast, ...], chemistry: Chemistry, left_g: Mapping[str, float | None]
) -> Iterator[BottleForecast]:
    sums: dict[tuple[str, str], tuple[float, int]] = {}
    for one in done:
        for half in one.halves:
            key = (half.half.port, half.half.precursor)
            grams, doses = sums.get(key, (0.0, 0))
            sums[key] = grams + half.grams * one.times, doses + half.half.shots * one.times
    for (port, precursor), (grams, doses) in sums.items():
        entry = chemistry.precursors[precursor]
        yield BottleForecast(port, precursor, grams, left_g.get(port), doses, entry.provenance)


def _facts(plan: Plan, done: tuple[CycleForecast, ...], vessel: Vessel, chemistry: Chemistry) -> Iterator[Fact]:
    """Every figure from the tables that this result rests on, the recipe's own and the tool's assumed ones."""
    yield Fact("doses and purges of the recipe", plan.provenance, "the recipe")
    for words in dict.fromkeys(one.provenance for one in plan.stated):
        yield Fact("steps of the recipe with a source of their own", words, "the recipe")
    for what in vessel.assumed:
        yield Fact(what, "unverified default", "never measured at this tool")
    films = dict.fromkeys((one.cycle.film, one.cycle.surface_c) for one in done if one.cycle.film)
    for name, at_c in films:
        film = chemistry.films[str(name)]
        reading = film.readings[0]
        provenance = reading.provenance if at_c is None else reading.provenance_at(at_c)
        yield Fact(f"growth of {name} per cycle", provenance, reading.source)
        yield Fact(f"sites of {name}", film.sites.provenance, film.sites.source)
    for name in dict.fromkeys(half.half.precursor for one in done for half in one.halves):
        entry = chemistry.precursors[name]
        yield Fact(f"vapour pressure of {name}", entry.provenance, entry.source)
        yield Fact(f"how {name} sticks", entry.sticking.provenance, entry.sticking.source)
        yield Fact(f"how long {name} stays on walls", entry.walls.provenance, entry.walls.source)
        yield Fact(f"recovery of the headspace of {name}", entry.vapour.provenance, entry.vapour.source)
    material = chemistry.materials.get(chemistry.material(plan.substrate) or "")
    if material and material.nucleation:
        begins = material.nucleation
        yield Fact(f"how growth begins on {plan.substrate}", begins.provenance, begins.source)
