"""What a forecast finds wrong or doubtful with a plan, each at its place in the recipe, with what would be right.

They are a model's findings: `red` is what a person should change, `amber` what deserves a look. Neither stops a run;
what stops one (limits, lithium's rules, floors of the tool) is a problem of the plan itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from math import inf
from typing import Literal

from ald_controller import units
from ald_controller.chemistry import Chemistry
from ald_controller.config import ToolConfig, end_of, pa_per_unit
from ald_controller.foresight.forecast import SATURATED, CycleForecast, Forecast, HalfForecast, LayerForecast
from ald_controller.foresight.power import FULL, Strained
from ald_controller.plan import Where

Level = Literal["red", "amber", "note"]
AMBER_EXCESS, RED_EXCESS = 0.01, 0.05  # of a layer, that a purge leaves to grow
AMBER_COVERAGE, RED_COVERAGE = SATURATED, 0.80
RECOVERED = 0.95  # of saturation in a headspace
CONDENSES = 0.5  # of the saturation pressure on the coldest wall
ABOVE_CHAMBER = 2.0  # times the chamber's pressure, that a bottle without push should have
TARGET = 0.10
MOST = 40  # findings of one kind; the rest are counted


@dataclass(frozen=True, slots=True)
class Finding:
    """One finding: `code` is its heading in docs/check.md."""

    level: Level
    code: str
    where: Where
    purge: bool  # it is about the purge behind the step at `where`
    message: str


def findings(
    made: Forecast, chemistry: Chemistry, config: ToolConfig, target_nm: dict[str, float | None],
    heaters: Iterable[Strained] = (),
) -> list[Finding]:  # fmt: skip
    """All findings, the gravest first, each once however many cycles have it."""
    seen: dict[tuple[str, Where, bool], Finding] = {}
    for cycle in made.cycles:
        for finding in _of_cycle(cycle, made, chemistry, config):
            seen.setdefault((finding.code, finding.where, finding.purge), finding)
    begin = made.cycles[0].halves[0].half.where if made.cycles else Where(1, 1)
    for finding in (*_of_bottles(made), *_of_layers(made, chemistry, begin, target_nm), *map(_power, heaters)):
        seen.setdefault((finding.code + finding.message[:40], finding.where, finding.purge), finding)
    order = {"red": 0, "amber": 1, "note": 2}
    return sorted(seen.values(), key=lambda f: (order[f.level], f.where.line, f.where.column))


def _of_cycle(cycle: CycleForecast, made: Forecast, chemistry: Chemistry, config: ToolConfig) -> Iterator[Finding]:
    yield from _window(cycle, chemistry)
    for half in cycle.halves:
        for look in (_dose, _depth, _supply, _purge, _headspace, _backflow):
            if found := look(half, made):
                yield found
        yield from _decomposes(half, cycle, chemistry)
        yield from _condenses(half, cycle, chemistry)
        yield from _gauge(half, config)


def _at(half: HalfForecast, level: Level, code: str, message: str, *, purge: bool = False) -> Finding:
    if purge and half.half.purge is not None:
        return Finding(level, code, half.half.purge, False, message)
    return Finding(level, code, half.half.where, purge, message)


# --- doses ----------------------------------------------------------------------------------------------------------


def _dose(half: HalfForecast, made: Forecast) -> Finding | None:
    if half.coverage is None or half.flat_l is None or half.coverage >= AMBER_COVERAGE:
        return None
    level: Level = "red" if half.coverage < RED_COVERAGE else "amber"
    name = half.half.precursor
    if (half.bottle_pa <= half.base_pa and not half.carried) or _short(half) > 0.0:
        return None  # there is not enough of it at all: said by `_backflow` and `_supply`
    message = (
        f"{name} reaches {half.coverage:.0%} of the surface: {litres(half.exposure_l)} are delivered, 95 % takes "
        f"{litres(half.flat_l)}; {_more(half, half.flat_l)}"
    )
    return _at(half, level, "dose", message)


def _more(half: HalfForecast, needed_l: float) -> str:
    """What would give this exposure: longer, held, or several."""
    factor = needed_l / max(half.exposure_l, 1e-12)
    if half.half.hold_s:
        return f"hold it about {half.half.hold_s * factor:.2g} s, or dose {factor:.2g} times as much"
    return f"open for about {spoken(half.half.open_s * factor)} in all (times and every), or expose and hold"


def _depth(half: HalfForecast, made: Forecast) -> Finding | None:
    if half.deep_l is None or made.vessel.aspect <= 0.0 or half.exposure_l >= half.deep_l:
        return None
    enough = "first of all bring enough of it" if _short(half) > 0.0 else _more(half, half.deep_l)
    message = (
        f"{half.half.precursor} does not coat holes of aspect ratio {made.vessel.aspect:g} to their bottom: "
        f"{litres(half.exposure_l)} are delivered, {litres(half.deep_l)} are needed "
        f"({litres(half.flat_l or 0.0)} of it for a flat surface); {enough}"
    )
    return _at(half, "red", "aspect ratio", message)


def _supply(half: HalfForecast, made: Forecast) -> Finding | None:
    if half.supply_mol is None or _short(half) <= 0.0 or half.given_mol <= 0.0:
        return None  # where nothing comes at all, `_backflow` says so
    area = made.vessel.wall_m2 + made.vessel.sample_m2
    shots = half.half.shots * half.supply_mol / max(half.given_mol, 1e-15)
    message = (
        f"{plain(area)} m² of sample and walls take {plain(half.supply_mol * 1e6)} µmol of {half.half.precursor}, and "
        f"the dose brings {plain(half.given_mol * 1e6)} µmol: about {plain(round(shots))} such openings are needed"
    )
    return _at(half, "red" if _short(half) > 1.0 - RED_COVERAGE else "amber", "supply", message)


def _short(half: HalfForecast) -> float:
    """The share of what the surface takes that the dose does not bring."""
    return 0.0 if half.supply_mol is None else 1.0 - half.given_mol / half.supply_mol


def _headspace(half: HalfForecast, made: Forecast) -> Finding | None:
    if half.carried or half.filled >= RECOVERED or half.bottle_pa <= 0.0:
        return None
    message = (
        f"the headspace of {half.half.precursor} is at {half.filled:.0%} of saturation when it opens: it needs longer "
        "between doses, and the first ones are larger than the others"
    )
    return _at(half, "amber", "headspace", message)


def _backflow(half: HalfForecast, made: Forecast) -> Finding | None:
    if half.carried or half.bottle_pa >= ABOVE_CHAMBER * half.base_pa:
        return None
    name, flows_back = half.half.precursor, half.bottle_pa <= half.base_pa
    what = "gas flows back into the bottle" if flows_back else "little of it comes"
    message = (
        f"{name} has {torr(half.bottle_pa)} at {half.bottle_c:g} °C, and the chamber stands at {torr(half.base_pa)} "
        f"when it opens: {what}; a bottle without push wants twice the chamber's pressure: warm it, or use less gas"
    )
    return _at(half, "red" if flows_back else "amber", "back-flow", message)


# --- purges ---------------------------------------------------------------------------------------------------------


def _purge(half: HalfForecast, made: Forecast) -> Finding | None:
    if half.excess < AMBER_EXCESS:
        return None
    decay = half.half.after_s / made.vessel.decay_s
    message = (
        f"after {half.half.after_s:.3g} s ({decay:.0f} V/S) {half.left:.1g} of the peak of {half.half.precursor} is "
        f"left when the next source opens, which grows {half.excess:.1%} of a layer more per cycle: purge for longer "
        f"(ald optimise says how long), or warm the walls"
    )
    return _at(half, "red" if half.excess > RED_EXCESS else "amber", "purge", message, purge=True)


# --- temperatures and pressures -------------------------------------------------------------------------------------


def _window(cycle: CycleForecast, chemistry: Chemistry) -> Iterator[Finding]:
    at_c, name = cycle.cycle.surface_c, cycle.cycle.film
    window = chemistry.films[name].window if name else None
    if window is None or at_c is None:
        return
    low, high = window.min, window.max
    if (low is not None and at_c < low) or (high is not None and at_c > high):
        span = _span(low, high)
        message = f"{name} at {at_c:g} °C: its process is known to work {span} ({window.source})"
        yield _at(cycle.halves[0], "red", "window", message)


def _span(low: float | None, high: float | None) -> str:
    if low is not None and high is not None:
        return f"from {low:g} to {high:g} °C"
    return f"from {low:g} °C on" if low is not None else f"up to {high:g} °C"


def _decomposes(half: HalfForecast, cycle: CycleForecast, chemistry: Chemistry) -> Iterator[Finding]:
    limit = chemistry.precursors[half.half.precursor].stable_below
    hottest = max(cycle.cycle.wall_c, cycle.cycle.surface_c or cycle.cycle.wall_c)
    if limit is not None and hottest >= limit:
        message = (
            f"{half.half.precursor} breaks at {limit:g} °C and above, and it meets {hottest:g} °C: growth does not "
            "limit itself any more, and is thicker than said here"
        )
        yield _at(half, "red", "decomposition", message)


def _condenses(half: HalfForecast, cycle: CycleForecast, chemistry: Chemistry) -> Iterator[Finding]:
    entry = chemistry.precursors[half.half.precursor]
    coldest = min(cycle.cycle.wall_c, cycle.cycle.surface_c or cycle.cycle.wall_c)
    if entry.vapour_pressure is None:
        if half.bottle_c > coldest:
            message = (
                f"{half.half.precursor} at {half.bottle_c:g} °C may condense on walls of {coldest:g} °C: nobody knows "
                "its vapour pressure, so keep them at least as warm as its bottle"
            )
            yield _at(half, "amber", "condensation", message)
        return
    most = entry.vapour_pressure.pa(coldest)
    if half.peak_pa > CONDENSES * most:
        message = (
            f"{half.half.precursor} comes to {torr(half.peak_pa)} over walls of {coldest:g} °C, where it saturates at "
            f"{torr(most)}: it condenses above half of that; dose less, or warm the walls"
        )
        yield _at(half, "red" if half.peak_pa > most else "amber", "condensation", message)


def _gauge(half: HalfForecast, config: ToolConfig) -> Iterator[Finding]:
    signal = config.signals.pressure
    end_pa = end_of(config, signal) * pa_per_unit(signal)
    if end_pa < inf and half.highest_pa > end_pa:
        message = (
            f"{torr(half.highest_pa)} are beyond the end of {signal}, {torr(end_pa)}: no rule sees what happens there"
        )
        yield _at(half, "red", "gauge", message)
    if half.highest_pa > config.limits.vacuum:
        message = f"{torr(half.highest_pa)} are more than the {torr(config.limits.vacuum)} that count as vacuum"
        yield _at(half, "red", "pressure", message)


def _power(one: Strained) -> Finding:
    """A heater that holds with (nearly) all that it has is one that does not heat, to row T2."""
    beside = "".join(f" beside '{zone}' at {celsius:g} °C" for zone, celsius in one.beside)
    beyond = one.share > FULL
    message = (
        f"'{one.zone}' takes about {one.share:.0%} of its power to hold {one.at_c:g} °C{beside} ({one.basis}): above "
        f"{FULL:.0%} a zone that does not rise counts as one that does not heat, and row T2 aborts the run; "
    )
    hint = "a lower temperature" + (", or hotter neighbours first" if one.beside else "")
    message += hint if beyond else f"come to it slowly (ramp), or set {hint}"
    return Finding("red" if beyond else "amber", "heater", one.where, False, message)


# --- bottles and layers ---------------------------------------------------------------------------------------------


def _of_bottles(made: Forecast) -> Iterator[Finding]:
    for bottle in made.bottles:
        if bottle.left_g is None or bottle.grams <= bottle.left_g:
            continue
        halves = [half for cycle in made.cycles for half in cycle.halves if half.half.port == bottle.port]
        message = (
            f"the run takes about {mass(bottle.grams)} of {bottle.precursor}, and {mass(bottle.left_g)} are left at "
            f"{bottle.port}: it ends after about {bottle.left_g / bottle.grams:.0%} of its doses"
        )
        yield _at(halves[0], "red", "bottle", message)


def _of_layers(
    made: Forecast, chemistry: Chemistry, begin: Where, target_nm: dict[str, float | None]
) -> Iterator[Finding]:
    for layer in made.layers:
        yield from _target(layer, begin, target_nm.get(layer.film))
        if layer.nucleated < 0.95:
            message = (
                f"{layer.film} begins slowly on this substrate: {1 - layer.nucleated:.0%} of {layer.cycles} cycles "
                "are lost to the beginning"
            )
            yield Finding("amber", "nucleation", begin, False, message)
        unload = chemistry.films[layer.film].unload if layer.film in chemistry.films else None
        if unload:
            yield Finding("note", "unload", begin, False, f"{layer.film}: {unload}")


def _target(layer: LayerForecast, begin: Where, target: float | None) -> Iterator[Finding]:
    if target is None or not layer.readings or layer.saturated is None:
        return
    plain = [r.gpc_nm * layer.cycles for r in layer.readings]
    if not any(abs(nm - target) <= TARGET * target for nm in plain):
        return  # the plan has said so: its cycles do not give it even when every dose saturates
    best = min(layer.readings, key=lambda r: abs(r.nm - target))
    if abs(best.nm - target) > TARGET * target:
        cycles = layer.cycles * target / best.nm if best.nm > 0.0 else inf
        message = (
            f"{layer.cycles} cycles of {layer.film} come to about {best.nm:.3g} nm as they are dosed, not {target:g} nm"
        )
        hint = f": about {cycles:.0f} cycles would" if cycles < inf else ""
        yield Finding("amber", "target", begin, False, message + hint)


# --- words ----------------------------------------------------------------------------------------------------------


def plain(value: float) -> str:
    """Three figures, without an exponent up to a million: 0.052, 4.71, 76,200."""
    return f"{float(f'{value:.3g}'):,g}"


def litres(langmuir: float) -> str:
    """An exposure: 860 L, 86 kL, 1.8 ML."""
    for factor, unit in ((1e6, "ML"), (1e3, "kL")):
        if langmuir >= factor:
            return f"{langmuir / factor:.3g} {unit}"
    return f"{langmuir:.3g} L"


def torr(pascal: float) -> str:
    """A pressure: 0.3 Torr, 12 mTorr."""
    value = pascal / units.TORR_PA
    return f"{value:.3g} Torr" if value >= 0.1 else f"{value * 1e3:.2g} mTorr"


def mass(grams: float) -> str:
    """3.2 mg, 1.4 g."""
    for factor, unit in ((1.0, "g"), (1e-3, "mg")):
        if grams >= factor:
            return f"{grams / factor:.3g} {unit}"
    return f"{grams * 1e6:.0f} µg"


def spoken(seconds: float) -> str:
    """15 ms, 2.5 s."""
    return f"{seconds * 1e3:.3g} ms" if seconds < 1.0 else f"{seconds:.3g} s"
