"""The forecast for people: a dozen short tables, at most 100 columns wide."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from ald_controller.check.outlook import Outlook
from ald_controller.foresight.findings import litres, mass, spoken, torr
from ald_controller.foresight.forecast import CycleForecast, Forecast, HalfForecast, LayerForecast
from ald_controller.units import TORR_PA

WIDTH = 100
INDENT = 11
MOST_LAYERS, MOST_CYCLES, MOST_FINDINGS = 8, 6, 40


def forecast_rows(made: Outlook) -> Iterator[str]:
    """Lines for the middle of a check: what grows, what it takes, what it rests on."""
    found = made.forecast
    ends = datetime.fromtimestamp(made.ends_utc_s, UTC).astimezone()
    yield from row("ends", f"{ends:%a %d %b %H:%M}, started now")
    for layer in found.layers[:MOST_LAYERS]:
        yield from _layer(layer)
    if len(found.layers) > MOST_LAYERS:
        yield from row("", f"… {len(found.layers) - MOST_LAYERS} more films or temperatures")
    if len(found.layers) > 1 and found.nm is not None and found.low_nm is not None and found.high_nm is not None:
        yield from row("in all", f"{found.nm:.3g} nm ({found.low_nm:.3g} to {found.high_nm:.3g} nm)")
    for cycle in found.cycles[:MOST_CYCLES]:
        yield from _cycle(cycle, found)
    if (more := len(found.cycles) - MOST_CYCLES) > 0:
        yield from row("", f"… {more} more kinds of cycle (--json has them)")
    if found.not_modelled:
        yield from row("", f"… {found.not_modelled} more kinds of cycle are not modelled: those above stand for them")
    yield from _bottles(found)
    yield from _elsewhere(made)
    yield from _rests_on(found)


def finding_rows(made: Outlook) -> Iterator[str]:
    """Every finding at its place, the gravest first."""
    for placed in made.findings[:MOST_FINDINGS]:
        yield from wrapped(str(placed))
    if len(made.findings) > MOST_FINDINGS:
        yield f"… {len(made.findings) - MOST_FINDINGS} more findings (--json has them all)"


def counted(made: Outlook) -> str:
    """'2 red, 1 amber' for the last line; nothing when there is nothing."""
    levels = [placed.finding.level for placed in made.findings]
    return ", ".join(f"{levels.count(level)} {level}" for level in ("red", "amber") if level in levels)


def wrapped(text: str) -> list[str]:
    """One sentence over as many lines as it takes."""
    return textwrap.wrap(text, WIDTH, subsequent_indent="  ", break_on_hyphens=False)


def row(name: str, text: str) -> list[str]:
    """A name and what it is, over as many lines as it takes."""
    if not text:
        return []
    lines = textwrap.wrap(text, WIDTH - INDENT, break_on_hyphens=False)
    return [f"{name if i == 0 else '':<{INDENT}}{line}" for i, line in enumerate(lines)]


def _layer(layer: LayerForecast) -> Iterator[str]:
    """Predicted thickness by every reading, the factors, and who says so."""
    if not layer.readings:
        why = "the substrate has no goal when it begins" if layer.at_c is None else "nothing is known of its growth"
        yield from row("predicted", f"{layer.film}: {why}")
        return
    for i, one in enumerate(layer.readings):
        said = f"{layer.film} {one.nm:.3g} nm ({one.low_nm:.3g} to {one.high_nm:.3g})" if i == 0 else (
            f"or {one.nm:.3g} nm ({one.low_nm:.3g} to {one.high_nm:.3g})"
        )  # fmt: skip
        factors = f" = {layer.cycles} × {one.gpc_nm:.3g} nm{_factors(layer)}" if i == 0 else ""
        beyond = ", extrapolated" if one.extrapolated else ""
        yield from row("predicted" if i == 0 else "", f"{said}{factors}")
        yield from row("", f"{one.provenance}, {one.confidence} confidence{beyond}: {one.source}")


def _factors(layer: LayerForecast) -> str:
    if layer.saturated is None:
        return " (not modelled: no such cycle was recognised)"
    told = f" × {layer.saturated:.3f} (doses)"
    told += f" × {1.0 + layer.excess:.3f} (purges)" if layer.excess > 5e-4 else ""
    return told + (f" × {layer.nucleated:.3f} (beginning)" if layer.nucleated < 0.9995 else "")


def _cycle(cycle: CycleForecast, made: Forecast) -> Iterator[str]:
    name = cycle.cycle.film or "no known film"
    head = f"{name}, {cycle.times} × {cycle.cycle.seconds:.4g} s"
    grows = f"{cycle.growth:.3f} of a saturated layer, {cycle.excess:+.1%} by purges"
    yield from row("cycle", f"{head}: {grows if cycle.cycle.film else 'what it grows is not known'}")
    cells: list[tuple[str, ...]] = [
        ("", "dose", "exposure", "needs", "covers", "purge", "V/S", "left", "peak", "per cycle")
    ]
    cells += [_half(half, made) for half in cycle.halves]
    widths = [max(len(line[i]) for line in cells) for i in range(len(cells[0]))]
    for line in cells:
        first, *rest = zip(line, widths, strict=True)
        yield "  ".join(["", first[0].ljust(first[1]), *(cell.rjust(width) for cell, width in rest)])


def _half(half: HalfForecast, made: Forecast) -> tuple[str, ...]:
    one = half.half
    dose = (
        spoken(one.width_s)
        + (f" ×{one.shots}" if one.shots > 1 else "")
        + (f"+{one.hold_s:.3g} s" if one.hold_s else "")
    )
    return (
        one.precursor[:20], dose, litres(half.exposure_l),
        "?" if half.deep_l is None else litres(half.deep_l),
        "?" if half.coverage is None else f"{half.coverage:.1%}",
        f"{one.after_s:.4g} s", f"{one.after_s / made.vessel.decay_s:.0f}", f"{half.left:.0e}", torr(half.peak_pa),
        mass(half.grams),
    )  # fmt: skip


def _bottles(made: Forecast) -> Iterator[str]:
    for i, bottle in enumerate(made.bottles):
        left = "what is left is not recorded" if bottle.left_g is None else f"of {mass(bottle.left_g)}"
        share = f" ({bottle.grams / bottle.left_g:.1%})" if bottle.left_g else ""
        weak = "" if bottle.provenance in ("read", "calculated") else f"; its vapour pressure is an {bottle.provenance}"
        weak = weak.replace("an seed", "from the seed paper")
        yield from row(
            "" if i else "takes out", f"{bottle.precursor} at {bottle.port}: {mass(bottle.grams)} {left}{share}{weak}"
        )


def _elsewhere(made: Outlook) -> Iterator[str]:
    """What opens and purges here for the exposures and purges of the tool where the times were found."""
    other = made.elsewhere
    if other is None:
        return
    if other.why:
        yield from row("equal", f"not compared with {other.tool}: {other.why}")
        return
    yield from row("equal", f"what gives the exposures of {other.tool} here, and purges to the same share of the peak")
    for one in other.equal:
        opens = "not within reach" if one.opening_there_s is None else spoken(one.opening_there_s)
        purge = "not within reach" if one.purge_there_s is None else f"{one.purge_there_s:.3g} s"
        decays = "" if one.decays_there is None else f" ({one.decays_there:.0f} V/S)"
        yield (
            f"  {one.precursor[:20]:<20}  {one.exposure_pa_s / TORR_PA:.3g} Torr·s: {spoken(one.opening_s)} → {opens}; "
            f"purge {one.purge_s:.4g} s ({one.decays:.0f} V/S) → {purge}{decays}"
        )


def _rests_on(made: Forecast) -> Iterator[str]:
    weak = [fact.what for fact in made.facts if fact.provenance == "unverified default"]
    head = f"{len(weak)} of {len(made.facts)} figures are unverified defaults ({made.unverified:.0%})"
    if made.nm:
        head += f", and with them the growth of {made.unverified_nm / made.nm:.0%} of the thickness"
    yield from row("rests on", f"{head}{_listed(weak)}")


def _listed(names: Sequence[str]) -> str:
    return f": {', '.join(names)}" if names else ""
