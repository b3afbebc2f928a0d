"""What a check foresees as one page: a single HTML file that needs nothing but itself, drawn like a run's report."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from html import escape
from pathlib import Path

from ald_controller.check import Outlook, clock
from ald_controller.check.outlook import Placed
from ald_controller.foresight.findings import litres, mass, spoken, torr
from ald_controller.foresight.forecast import CycleForecast, Forecast, HalfForecast, LayerForecast, unforeseen
from ald_controller.plan import Plan
from ald_controller.records import charts
from ald_controller.records.figures import table
from ald_controller.records.folder import write_whole
from ald_controller.records.scales import Scale, number, time_ticks
from ald_controller.records.style import document, section
from ald_controller.units import TORR_PA
from ald_controller.yamlfile import Mark, Problem, Problems

MOST_FIGURES = 4
LOWEST_TORR = 1e-6
LANE, LANES_TOP, PLOT_TOP, PLOT = 18.0, 26.0, 22.0, 230.0
SIGNS = {"red": "▲", "amber": "◆", "note": "·"}
_MORE = ".state.good{color:var(--green)}.figures{grid-template-columns:repeat(5,1fr)}"


def page(plan: Plan, ahead: Outlook) -> str:
    """The whole page."""
    made = ahead.forecast
    body = "".join([
        _header(plan, ahead), _figures(plan, ahead), section("What the model finds", _findings(ahead)),
        _warnings(plan),
        section("One cycle", "".join(_cycle(cycle, made) for cycle in made.cycles[:MOST_FIGURES]) + _more(made)),
        section("What grows", _layers(made)), section("What leaves the bottles", _bottles(made)),
        section("What this rests on", _facts(made, plan)),
    ])  # fmt: skip
    foot = (
        "Foreseen by a model of one well-mixed chamber; nothing here was measured. docs/check.md has every formula "
        "with its source. The software is not a safety instrumented system."
    )
    return document(f"{plan.title} · check", body, foot, _MORE)


def write_page(path: Path, html: str) -> None:
    """The page as a whole file; raises Problems where it cannot be written."""
    try:
        write_whole(path, html)
    except OSError as error:
        why = f"cannot be written: {error.strerror or error}"
        raise Problems([Problem(Mark(str(path), 1, 1), why)]) from None


def _header(plan: Plan, ahead: Outlook) -> str:
    levels = [placed.finding.level for placed in ahead.findings]
    red, amber = levels.count("red"), levels.count("amber")
    word, style = (
        ("good", "completed") if not red + amber else ("look", "interrupted") if not red else ("change", "tripped")
    )
    if word == "good" and unforeseen(ahead.forecast):
        word, style = "blind", "interrupted"
    said = {
        "good": "✓ nothing found",
        "blind": "◇ not all foreseen",
        "look": f"◆ {amber} to look at",
        "change": f"▲ {red} to change",
    }[word]
    also = f"and {amber} to look at" if red and amber else "by the model; no rule is broken"
    assumed, what = "; ".join(plan.assumptions), f"{plan.film or 'no known film'} on {plan.substrate}"
    return (
        f'<div class="top"><div><p class="eyebrow">Check of <b>{escape(plan.recipe)}</b></p>'
        f'<h1>{escape(plan.title)}</h1><p class="film">{escape(what)}</p></div>'
        f'<div class="ending"><div class="word {style}">{escape(said)}</div><p>{escape(also)}</p></div></div>'
        f'<p class="lead">Assumed: {escape(assumed)}</p>'
    )


def _figures(plan: Plan, ahead: Outlook) -> str:
    made = ahead.forecast
    ends = datetime.fromtimestamp(ahead.ends_utc_s, UTC).astimezone()
    nm, band = "not known", "growth of a film is not known"
    if made.nm is not None and made.low_nm is not None and made.high_nm is not None:
        nm, band = f"{made.nm:.3g} nm", f"{made.low_nm:.3g} to {made.high_nm:.3g} nm"
    excess = max((cycle.excess for cycle in made.cycles), default=0.0)
    covered = [h.coverage for c in made.cycles for h in c.halves if h.coverage is not None]
    least = f"{min(covered):.1%}" if covered else "?"
    rows = [
        ("Thickness", nm, band),
        ("Takes", clock(plan.duration_s), f"ends {ends:%a %H:%M}, started now"),
        ("Least saturated dose", least, f"{plan.cycles} cycles, {plan.doses} doses"),
        ("Grown by short purges", f"{excess:+.1%}", "of a layer, per cycle, at most"),
        ("Unverified", f"{made.unverified:.0%}", f"of {len(made.facts)} figures"),
    ]
    cells = "".join(
        f'<div><dt>{escape(name)}</dt><dd>{escape(value)}<span class="sub">{escape(sub)}</span></dd></div>'
        for name, value, sub in rows
    )
    return f'<dl class="figures">{cells}</dl>'


def _findings(ahead: Outlook) -> str:
    if not ahead.findings:
        if blind := unforeseen(ahead.forecast):
            return f'<p class="lead">Nothing in what it could follow, but {escape("; ".join(blind))}.</p>'
        return '<p class="lead">Doses saturate, purges suffice, nothing condenses, every bottle holds enough.</p>'
    return _table(("", "", "where", ""), (_finding(placed) for placed in ahead.findings), "list")


def _warnings(plan: Plan) -> str:
    """What the plan itself wants looked at, each with its place."""
    if not plan.warnings:
        return ""
    rows = "".join(f"<li>{escape(warning)}</li>" for warning in plan.warnings)
    return section("What the plan wants looked at", f"<ul>{rows}</ul>")


def _finding(placed: Placed) -> tuple[str, ...]:
    found, mark = placed.finding, placed.mark
    style = {"red": "bad", "amber": "odd"}.get(found.level, "")
    head = f'<span class="state {style}">{SIGNS[found.level]} {escape(found.code)}</span>'
    return head, escape(found.level), f"<code>{mark.line}:{mark.column}</code>", escape(found.message)


# --- one cycle -------------------------------------------------------------------------------------------------------


def _cycle(cycle: CycleForecast, made: Forecast) -> str:
    name = cycle.cycle.film or "no known film"
    at = "" if cycle.cycle.surface_c is None else f" at {cycle.cycle.surface_c:g} °C"
    grows = f"{cycle.growth:.3f} of a saturated layer" if cycle.cycle.film else "what it grows is not known,"
    head = f"{name}{at}, {cycle.times} times: {grows} in {cycle.cycle.seconds:.4g} s"
    columns = ("", "opens", "exposure", "needs", "covers", "purge", "V/S", "left of peak", "peak", "takes", "grows")
    rows = (_half(half, made) for half in cycle.halves)
    return (
        f"<h3>{escape(head)}</h3><figure>{drawing(cycle)}<figcaption>Pressure in the chamber in a steady cycle: grey "
        "the whole, colours the vapours. Bars above: sources and the stop valve. Needs: the exposure that takes 95 % "
        "of the surface, holes included; grows: what its purge leaves to grow.</figcaption></figure>"
        + _table(columns, rows, "", frozenset(range(1, 11)))
    )


def _half(half: HalfForecast, made: Forecast) -> tuple[str, ...]:
    one = half.half
    opens = spoken(one.width_s) + (f" × {one.shots}" if one.shots > 1 else "")
    opens += f" + {one.hold_s:.3g} s" if one.hold_s else ""
    return (
        escape(one.precursor), opens, litres(half.exposure_l), "?" if half.deep_l is None else litres(half.deep_l),
        "?" if half.coverage is None else f"{half.coverage:.1%}", f"{one.after_s:.4g} s",
        f"{one.after_s / made.vessel.decay_s:.0f}", f"{half.left:.0e}", torr(half.peak_pa), mass(half.grams),
        f"{half.excess:+.1%}",
    )  # fmt: skip


def drawing(cycle: CycleForecast) -> str:
    """The pressures of one steady cycle over time, with what is open above them."""
    names = list(dict.fromkeys(half.half.precursor for half in cycle.halves))
    lanes = [*names, "stop valve shut"] if any(s.shut for h in cycle.cycle.halves for s in h.stages) else names
    top = LANES_TOP + LANE * len(lanes) + PLOT_TOP
    bottom = top + PLOT
    end_s = cycle.cycle.seconds
    x = Scale(0.0, end_s, charts.LEFT, charts.RIGHT)
    highest = max((i.total_pa for i in cycle.trace), default=1.0) / TORR_PA
    panel = charts.Panel(x, Scale(LOWEST_TORR, max(highest * 2.0, 1e-2), bottom, top, log=True))
    parts = [charts.text(0.0, 12.0, "Pressure, Torr", "heading"), charts.y_axis(panel)]
    parts.append(charts.x_axis(panel, [(t, f"{number(t)} s") for t in time_ticks(end_s)], ""))
    parts += _lanes(cycle, lanes, x)
    times = [i.at_s for i in cycle.trace]
    ends: list[tuple[float, str, str]] = []
    for k, name in enumerate(names):
        values = [max(i.vapours_pa[k] / TORR_PA, LOWEST_TORR) for i in cycle.trace]
        parts.append(_line(panel, times, values, f"c{k % 6 + 1}", name))
        ends.append((values[-1] if values else LOWEST_TORR, name, f"c{k % 6 + 1}"))
    totals = [i.total_pa / TORR_PA for i in cycle.trace]
    parts.append(_line(panel, times, totals, "cx heavy", "whole pressure"))
    ends.append((totals[-1] if totals else 1.0, "whole", ""))
    parts.append(charts.end_labels(panel, [(v, charts.short(n), s) for v, n, s in ends]))
    return charts.svg(bottom + 34.0, "Pressure of one cycle", f"{end_s:g} s, up to {highest:.3g} Torr", parts)


def _line(panel: charts.Panel, times: Sequence[float], values: Sequence[float], style: str, title: str) -> str:
    """A trace, broken where it is below the scale."""
    pieces: list[list[tuple[float, float]]] = [[]]
    for t, v in zip(times, values, strict=True):
        if v > panel.y.lo:
            pieces[-1].append((panel.x(t), panel.y(v)))
        elif pieces[-1]:
            pieces.append([])
    return "".join(charts.polyline(piece, style, title) for piece in pieces)


def _lanes(cycle: CycleForecast, lanes: Sequence[str], x: Scale) -> Iterator[str]:
    """When each source is open, and the stop valve shut."""
    spans: dict[str, list[tuple[float, float]]] = {name: [] for name in lanes}
    at_s = 0.0
    for half in cycle.cycle.halves:
        for stage in half.stages:
            until = at_s + stage.seconds
            if stage.port:
                spans[half.precursor].append((at_s, until))
            if stage.shut:
                spans["stop valve shut"].append((at_s, until))
            at_s = until
    for k, name in enumerate(lanes):
        y = LANES_TOP + LANE * k
        lane = charts.Panel(x, Scale(0.0, 1.0, y + LANE - 5.0, y))
        style = "cx" if name == "stop valve shut" else f"c{k % 6 + 1}"
        yield charts.bars(lane, spans[name], style, least=2.0)
        yield charts.text(charts.RIGHT + 14, y + LANE - 6, charts.short(name, 18), f"label {style}")


def _more(made: Forecast) -> str:
    more = len(made.cycles) - MOST_FIGURES + made.not_modelled
    return f'<p class="lead">{more} more kinds of cycle are not drawn.</p>' if more > 0 else ""


# --- tables ----------------------------------------------------------------------------------------------------------


def _layers(made: Forecast) -> str:
    columns = ("film", "cycles", "per cycle", "doses", "purges", "beginning", "nm", "band", "who says so")
    rows = (row for layer in made.layers for row in _layer(layer))
    return _table(columns, rows, "", frozenset(range(1, 8)))


def _layer(layer: LayerForecast) -> Iterator[tuple[str, ...]]:
    doses = "?" if layer.saturated is None else f"× {layer.saturated:.3f}"
    at = "" if layer.at_c is None else f" at {layer.at_c:g} °C"
    for i, one in enumerate(layer.readings):
        head = (escape(f"{layer.film}{at}"), f"{layer.cycles}") if i == 0 else ("or", "")
        beyond = ", extrapolated" if one.extrapolated else ""
        yield (
            *head, f"{one.gpc_nm:.3g} nm", doses, f"× {1.0 + layer.excess:.3f}", f"× {layer.nucleated:.3f}",
            f"{one.nm:.3g}", f"{one.low_nm:.3g} to {one.high_nm:.3g}",
            f"{escape(one.source)} ({escape(one.provenance)}, {escape(one.confidence)} confidence{beyond})",
        )  # fmt: skip


def _bottles(made: Forecast) -> str:
    rows = (
        (
            escape(one.precursor), escape(one.port), f"{one.doses}", mass(one.grams),
            "not recorded" if one.left_g is None else mass(one.left_g),
            f"{one.grams / one.left_g:.1%}" if one.left_g else "?", escape(one.provenance),
        )
        for one in made.bottles
    )  # fmt: skip
    columns = ("precursor", "port", "openings", "takes", "in the bottle", "share", "vapour pressure is")
    return _table(columns, rows, "", frozenset(range(2, 6)))


def _facts(made: Forecast, plan: Plan) -> str:
    weak = sum(fact.provenance == "unverified default" for fact in made.facts)
    of_nm = (
        f" The growth per cycle of {made.unverified_nm:.3g} of {made.nm:.3g} nm is one." if made.unverified_nm else ""
    )
    lead = f"{weak} of {len(made.facts)} figures are unverified defaults.{of_nm} The recipe: {plan.provenance}."
    rows = (
        (
            escape(fact.what),
            _provenance(fact.provenance),
            escape(fact.source),
        )
        for fact in made.facts
    )  # fmt: skip
    return f'<p class="lead">{escape(lead)}</p>' + _table(("figure", "is", "from"), rows, "list")


def _provenance(words: str) -> str:
    return f'<span class="state {"odd" if words == "unverified default" else ""}">{escape(words)}</span>'


def _table(
    columns: Sequence[str], rows: Iterable[Sequence[str]], style: str, numeric: frozenset[int] = frozenset()
) -> str:
    return table([escape(column) for column in columns], rows, numeric, style)
