"""Which films the planned doses grow, from the substrate upwards, and how thick by each reading of the literature."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from ald_controller.chemistry import Chemistry, Supercycle
from ald_controller.plan import HeatStep, Layer, LayerReading, RepeatStep, SegmentStep, Step

MOST_LAYERS = 1000  # a laminate with more is summed up by film
TOLERANCE = 0.10


@dataclass(frozen=True)
class _Grown:
    """`cycles` of one film at one temperature; film None = doses that make no known cycle."""

    film: str | None
    cycles: int
    at_c: float | None
    doses: str = ""


def layers(
    steps: Iterable[Step], chemistry: Chemistry, substrate_zones: frozenset[str], at_c: float | None
) -> tuple[Layer, ...]:
    """The layers of a deposit that begins with the substrate set to `at_c`."""
    grown, _ = _grow(steps, chemistry, substrate_zones, at_c)
    return tuple(_layer(g, chemistry) for g in grown)


def _grow(
    steps: Iterable[Step], chemistry: Chemistry, zones: frozenset[str], at_c: float | None
) -> tuple[list[_Grown], float | None]:
    out: list[_Grown] = []
    halves: list[str] = []
    for step in _inline(steps):
        if isinstance(step, SegmentStep):
            for dose in step.doses:
                if not halves or halves[-1] != dose.precursor:
                    halves.append(dose.precursor)
            continue
        if isinstance(step, HeatStep) and zones & step.targets_c.keys():
            _pair(halves, chemistry, at_c, out)
            at_c = next(step.targets_c[z] for z in step.targets_c if z in zones)
        elif isinstance(step, RepeatStep):
            _pair(halves, chemistry, at_c, out)
            inner, at_c = _grow(step.steps, chemistry, zones, at_c)
            _append(out, _times(inner, step.times))
    _pair(halves, chemistry, at_c, out)
    return out, at_c


def _inline(steps: Iterable[Step]) -> Iterable[Step]:
    """The steps with single turns opened up: they are no cycles."""
    for step in steps:
        if isinstance(step, RepeatStep) and step.times == 1:
            yield from _inline(step.steps)
        else:
            yield step


def _pair(halves: list[str], chemistry: Chemistry, at_c: float | None, out: list[_Grown]) -> None:
    """Turn half-reactions in order into cycles; empties `halves`."""
    i = 0
    while i < len(halves):
        steps, film = next(
            ((n, film) for n in (2, 3) if i + n <= len(halves) and (film := chemistry.film_of(*halves[i : i + n]))),
            (1, None),
        )
        if film:
            _append(out, [_Grown(film, 1, at_c)])
            i += steps
        else:
            _append(out, [_Grown(None, 1, at_c, halves[i])])
            i += 1
    halves.clear()


def _append(out: list[_Grown], more: list[_Grown]) -> None:
    for grown in more:
        same = out and (out[-1].film, out[-1].at_c, out[-1].doses) == (grown.film, grown.at_c, grown.doses)
        if same:
            out[-1] = replace(out[-1], cycles=out[-1].cycles + grown.cycles)
        else:
            out.append(grown)


def _times(inner: list[_Grown], times: int) -> list[_Grown]:
    if len(inner) <= 1:
        return [replace(g, cycles=g.cycles * times) for g in inner]
    if len(inner) * times <= MOST_LAYERS:
        return inner * times
    sums: dict[tuple[str | None, float | None, str], int] = {}
    for g in inner:
        key = (g.film, g.at_c, g.doses)
        sums[key] = sums.get(key, 0) + g.cycles * times
    return [_Grown(film, cycles, at_c, doses) for (film, at_c, doses), cycles in sums.items()]


def _layer(grown: _Grown, chemistry: Chemistry) -> Layer:
    if grown.film is None:
        return Layer(f"unknown film of {grown.doses}", grown.cycles, grown.at_c, ())
    if grown.at_c is None:
        return Layer(grown.film, grown.cycles, None, ())
    at_c = grown.at_c
    readings = tuple(
        LayerReading(round(r.gpc_nm(at_c) * grown.cycles, 4), r.source, r.confidence, not r.covers(at_c))
        for r in chemistry.films[grown.film].readings
    )
    return Layer(grown.film, grown.cycles, at_c, readings)


def folded(all_layers: Iterable[Layer], supercycles: Mapping[str, Supercycle]) -> list[Layer]:
    """The layers with the turns of a supercycle as one layer of it, as thick as all of their first readings."""
    given, out, i = list(all_layers), list[Layer](), 0
    while i < len(given):
        name, turn, turns = next(_turns(given, i, supercycles), ("", given[i : i + 1], 0))
        layer = _of_turn(name, turn, turns, supercycles[name].source) if name else turn[0]
        last = out[-1] if out else None
        if name and last and (last.film, last.at_c) == (name, layer.at_c):
            out[-1] = summed([last, layer])[name]
        else:
            out.append(layer)
        i += len(turn)
    return out


def _turns(
    layers: list[Layer], i: int, supercycles: Mapping[str, Supercycle]
) -> Iterator[tuple[str, list[Layer], int]]:
    """The supercycle that begins at layer `i`, its layers and their number of turns; many may have been summed up."""
    for name, supercycle in supercycles.items():
        wanted = supercycle.films
        turn = layers[i : i + len(wanted)]
        turns = turn[0].cycles // wanted.get(turn[0].film, turn[0].cycles + 1)
        whole = {layer.film: layer.cycles for layer in turn} == {film: n * turns for film, n in wanted.items()}
        if whole and len({layer.at_c for layer in turn}) == 1 and (turns == 1 or turns * len(wanted) > MOST_LAYERS):
            yield name, turn, turns


def _of_turn(name: str, turn: list[Layer], turns: int, source: str) -> Layer:
    first = [layer.readings[0] for layer in turn if layer.readings]
    if len(first) < len(turn):
        return Layer(name, turns, turn[0].at_c, ())
    nm, extrapolated = sum(r.nm for r in first), any(r.extrapolated for r in first)
    return Layer(name, turns, turn[0].at_c, (LayerReading(nm, source, "low", extrapolated),))


def nearest(layer: Layer, target_nm: float | None) -> float | None:
    """The thickness (nm) of the reading nearest to the target, or of the first; None when nothing is known."""
    if not layer.readings:
        return None
    if target_nm is None:
        return layer.readings[0].nm
    return min((r.nm for r in layer.readings), key=lambda nm: abs(nm - target_nm))


def summed(all_layers: Iterable[Layer]) -> dict[str, Layer]:
    """Layers by film, cycles and thicknesses added up: what a target of one film is checked against."""
    out: dict[str, Layer] = {}
    for layer in all_layers:
        first = out.get(layer.film)
        if first is None:
            out[layer.film] = layer
            continue
        both = zip(first.readings, layer.readings, strict=False)
        readings = tuple(replace(a, nm=a.nm + b.nm, extrapolated=a.extrapolated or b.extrapolated) for a, b in both)
        out[layer.film] = replace(first, cycles=first.cycles + layer.cycles, readings=readings)
    return out
