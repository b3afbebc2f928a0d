"""The figures of a report, drawn from a Digest: each returns its HTML, or a sentence that says what is missing."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from typing import NamedTuple

from ald_controller.records import charts
from ald_controller.records.charts import LEFT, RIGHT, Panel
from ald_controller.records.digest import Cycle, Digest, Trace
from ald_controller.records.folder import Lane
from ald_controller.records.scales import Scale, clock, number, quantile, scale_for, short_time, time_ticks, unit_of

CYCLES_DRAWN = 80
LANE = 17.0
HUES = ("c3", "c4", "c5", "c6", "c2", "c1")
ZONE_HUES = ("c2", "c4", "c3", "c5", "c6", "c1")
APART_K = 3.0  # a second sensor that ends so far from the first is named


def missing(words: str) -> str:
    """A plain statement in the place of a figure."""
    return f'<p class="missing">{escape(words)}</p>'


def figure(drawing: str, caption: str) -> str:
    """A drawing with its caption."""
    return f"<figure>{drawing}<figcaption>{escape(caption)}</figcaption></figure>"


def table(head: Sequence[str], rows: Iterable[Sequence[str]], numeric: frozenset[int], style: str = "") -> str:
    """An HTML table; cells are HTML already, columns in `numeric` stand flush right."""
    mark = [' class="n"' if i in numeric else "" for i in range(len(head))]
    top = "".join(f'<th scope="col"{mark[i]}>{name}</th>' for i, name in enumerate(head))
    body = "".join(f"<tr>{''.join(f'<td{mark[i]}>{cell}</td>' for i, cell in enumerate(row))}</tr>" for row in rows)
    return (
        f'<div class="scroll"><table class="{style}"><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table></div>'
    )


# --- one cycle -----------------------------------------------------------------------------------------------------


def cycle_figure(d: Digest) -> str:
    """Every cycle over every other, from its first edge on, and the valves of one of them on the same axis."""
    if not d.cycles:
        return missing("No cycle of the deposit is on record.")
    typical = [c for c in d.cycles if c.whole] or d.cycles
    length = quantile(sorted(c.end - c.begin for c in typical[:-1] or typical), 0.5)  # the last may have been cut
    x = Scale(0.0, length, LEFT, RIGHT)
    lanes = used_lanes(d)
    pressure = _overlay(d, x, 44.0, 264.0)
    top = 296.0 if pressure else 40.0
    bottom = top + LANE * max(len(lanes), 1)
    model = typical[0]
    ticks = [(t, f"{t:g}") for t in time_ticks(length, 10)]
    frame = Panel(x, Scale(0, 1, bottom, top))
    parts = [
        charts.x_axis(frame, ticks, "seconds", 44.0 if pressure else top),
        pressure,
        charts.heading(frame, f"Valves in cycle {model.number}"),
        _raster(d, x, top, lanes, (model.begin, min(model.end, model.begin + length) - 1e-3), widths=True),
    ]
    words = f"{_how_many(d)} Time runs from the start of each cycle."
    if not pressure:
        words = f"The record holds no pressure readings. {words}"
    return figure(charts.svg(bottom + 28, "Pressure in every cycle, and the valves", words, parts), words)


def _how_many(d: Digest) -> str:
    drawn = len(_drawn(d.cycles))
    which = f"All {drawn} cycles" if drawn == len(d.cycles) else f"{drawn} of {len(d.cycles)} cycles, evenly chosen,"
    odd = sum(not c.whole for c in d.cycles)
    return f"{which} are drawn over one another" + (
        f"; {odd} with a dose that is not confirmed in red." if odd else "."
    )


def _drawn(cycles: Sequence[Cycle]) -> list[Cycle]:
    """At most CYCLES_DRAWN of them: first, last, evenly between, and those that are not whole."""
    if len(cycles) <= CYCLES_DRAWN:
        return list(cycles)
    chosen = {round(i * (len(cycles) - 1) / (CYCLES_DRAWN - 1)) for i in range(CYCLES_DRAWN)}
    chosen |= set([i for i, c in enumerate(cycles) if not c.whole][:10])
    return [cycles[i] for i in sorted(chosen)]


def _overlay(d: Digest, x: Scale, top: float, bottom: float) -> str:
    trace = d.pressure
    spans = [(c, *trace.between(c.begin, min(c.end, c.begin + x.hi))) for c in _drawn(d.cycles)] if trace else []
    spans = [s for s in spans if s[1]]
    if not spans or trace is None:
        return ""
    panel = Panel(x, scale_for([v for _, _, values in spans for v in (min(values), max(values))], bottom, top))
    out = [charts.y_axis(panel, 5), charts.heading(panel, "Chamber pressure", _unit(trace, panel))]
    first, last = spans[0], spans[-1]
    for cycle, times, values in sorted(spans, key=lambda s: (not s[0].whole, s[0] is last[0], s[0] is first[0])):
        style = "cr" if not cycle.whole else "cx thin"
        out.append(charts.curve(panel, [t - cycle.begin for t in times], values, style, f"cycle {cycle.number}"))
    labels = []
    for (cycle, times, values), plain in ((first, "c1"), (last, "c2")) if last is not first else ((first, "c1"),):
        hue = plain if cycle.whole else "cr"
        out.append(charts.curve(panel, [t - cycle.begin for t in times], values, hue, f"cycle {cycle.number}"))
        labels.append((values[-1], f"cycle {cycle.number}", hue))
    return "".join(out) + charts.end_labels(panel, labels)


def _unit(trace: Trace, panel: Panel) -> str:
    return unit_of(trace.channel) + (", logarithmic" if panel.y.log else "")


# --- valves --------------------------------------------------------------------------------------------------------


def used_lanes(d: Digest) -> list[tuple[Lane, str]]:
    """The valves that moved in this run, sources first, each with its hue."""
    used = [lane for lane in d.header.valves if d.open_times.get(lane.name)]
    sources = [lane for lane in used if lane.role == "source"]
    coloured = [(lane, HUES[i % len(HUES)]) for i, lane in enumerate(sources)]
    return coloured + [(lane, "cx") for lane in used if lane.role != "source"]


def _raster(
    d: Digest, x: Scale, top: float, lanes: list[tuple[Lane, str]], window: tuple[float, float], *, widths: bool
) -> str:
    out = []
    begin, end = window
    for i, (lane, hue) in enumerate(lanes):
        y = top + i * LANE
        row = Panel(x, Scale(0, 1, y + LANE - 4, y + 3))
        out.append(f'<rect x="{LEFT}" y="{y + 3:.1f}" width="{RIGHT - LEFT}" height="{LANE - 7}" class="lane"/>')
        spans = [(a - begin, b - begin) for a, b in d.open_times[lane.name] if b >= begin and a <= end]
        out.append(charts.bars(row, spans, hue, 2.0 if widths else 1.0))
        out.append(charts.text(LEFT - 8, y + LANE - 4.5, charts.short(lane.name, 9), "tick", "end"))
        name = f"{lane.name} shut" if lane.shuts else d.header.rack.get(lane.name, "open")
        out.append(charts.text(RIGHT + 14, y + LANE - 4.5, charts.short(name), f"label {hue}"))
        for a, b in spans if widths else ():
            place = max(x(b), x(a) + 2) + 5
            if place < RIGHT - 50:
                out.append(charts.text(place, y + LANE - 4.5, short_time(b - a), "small"))
    return "".join(out)


# --- the whole run -------------------------------------------------------------------------------------------------


def run_figure(d: Digest) -> str:
    """Parts, happenings, valves, pressure, temperatures and glovebox on one time axis."""
    x = Scale(0.0, d.length_s, LEFT, RIGHT)
    parts = [_parts_band(d, x, 4.0)]
    y = 66.0
    lanes = used_lanes(d)
    if lanes:
        parts.append(charts.heading(Panel(x, Scale(0, 1, y, y)), "Valves"))
        parts.append(_raster(d, x, y, lanes, (0.0, d.length_s), widths=False))
        y += LANE * len(lanes) + 44
    for draw, height in ((_pressure_panel, 130.0), (_temperature_panel, 190.0), (_glovebox_panel, 110.0)):
        panel_svg = draw(d, x, y, y + height)
        if panel_svg:
            parts.append(panel_svg)
            y += height + 44
    if y == 66.0:
        return missing("Neither valves nor pressures nor temperatures are on record.")
    bottom = y - 34
    ticks = [(t, clock(t)[:-3] if d.length_s > 900 else clock(t)[2:]) for t in time_ticks(d.length_s, 10)]
    frame = Panel(x, Scale(0, 1, bottom, 62.0))
    axis = charts.x_axis(frame, ticks, "h:mm" if d.length_s > 900 else "min:s")
    words = (
        "The whole run on one time axis, counted from its start. Every extreme of every trace is kept. " + _left_out(d)
    )
    drawing = charts.svg(bottom + 28, "The whole run", words, [axis, *parts, _flags(d, x, 62.0, bottom)])
    return figure(drawing, words)


def _left_out(d: Digest) -> str:
    bad = [f"{t.bad} of {t.channel}" for t in d.traces.values() if t.bad]
    none = [] if d.pressure else ["There are no pressure readings in this record."]
    none += (
        [] if any(".temperature_c" in c for c in d.traces) else ["There are no temperature readings in this record."]
    )
    none += [f"Bad readings left out: {', '.join(bad)}."] if bad else []
    none += ["Openings closer than a pixel run together."] if len(d.doses) > 800 else []
    return " ".join(none)


def _parts_band(d: Digest, x: Scale, top: float) -> str:
    begins = [(d.since_start(e.at_s), str(e.fields.get("part", ""))) for e in d.events if e.kind == "part"]
    out = []
    for i, (begin, name) in enumerate(begins):
        left, right = x(begin), x(begins[i + 1][0] if i + 1 < len(begins) else d.length_s)
        out.append(
            f'<rect x="{left:.1f}" y="{top}" width="{max(right - left - 1, 0.5):.1f}" height="20" class="band"/>'
        )
        if right - left > 7.0 * len(name):
            out.append(charts.text(left + 6, top + 14, name, "small"))
        elif right >= RIGHT - 40:
            out.append(charts.text(RIGHT + 14, top + 14, name, "small"))
    return "".join(out)


def _flags(d: Digest, x: Scale, top: float, bottom: float) -> str:
    """Signs of what went wrong or was commanded, in a row above the plots; faults get a line through all of them."""
    out = []
    free = 0.0  # signs that would cover each other stand side by side; the line stays where it happened
    for event in [e for e in d.events if e.kind in ("trip", "alarm", "missed", "held", "abort", "command")][:200]:
        at = x(d.since_start(event.at_s))
        if event.kind in ("trip", "held", "missed", "abort"):
            out.append(charts.rule(at, 42, at, bottom, "flag"))
        told = ", ".join(f"{k}: {v}" for k, v in event.fields.items())
        place = max(at, free)
        free = place + 13
        out.append(charts.sign(place, 36.0, event.kind, f"{event.kind} at {clock(d.since_start(event.at_s))}: {told}"))
    return "".join(out)


def _pressure_panel(d: Digest, x: Scale, top: float, bottom: float) -> str:
    trace = d.pressure
    if trace is None:
        return ""
    panel = Panel(x, scale_for(trace.values, bottom, top))
    return (
        charts.y_axis(panel) + charts.heading(panel, "Chamber pressure", _unit(trace, panel))
        + charts.curve(panel, trace.times, trace.values, "c1", trace.channel)
    )  # fmt: skip


def _temperature_panel(d: Digest, x: Scale, top: float, bottom: float) -> str:
    zones = _zones(d)
    if not zones:
        return ""
    limits = [(d.header.limits[k], w, s) for k, w, s in _LITHIUM if d.header.lithium and k in d.header.limits]
    drawn = [trace for zone in zones for trace in (zone.actual, zone.second) if trace is not None]
    panel = Panel(
        x, scale_for([v for t in drawn for v in t.values] + [v for v, _, _ in limits], bottom, top, log=False)
    )
    seconds = "; a second sensor dotted" if any(zone.second for zone in zones) else ""
    out = [charts.y_axis(panel, 5), charts.heading(panel, "Temperatures", f"°C, set-points dashed{seconds}")]
    out += [charts.limit_line(panel, value, style) for value, _, style in limits]
    labels = [(value, f"{words} {number(value)}", f"{style}-name") for value, words, style in limits]
    for zone, hue in zip(zones, ZONE_HUES * 9, strict=False):
        out += _zone_curves(panel, zone, hue)
        labels.append((zone.actual.values[-1], f"{charts.short(zone.name)} {zone.actual.values[-1]:.0f}", hue))
        if zone.second is not None and abs(zone.second.values[-1] - zone.actual.values[-1]) >= APART_K:
            labels.append((zone.second.values[-1], f"{charts.short(zone.name)} 2nd {zone.second.values[-1]:.0f}", hue))
    return "".join(out) + charts.end_labels(panel, labels)


class _Zone(NamedTuple):
    """What is drawn of one zone."""

    name: str
    actual: Trace
    target: Trace | None
    second: Trace | None


def _zones(d: Digest) -> list[_Zone]:
    """Those with a temperature on record; of a record that names no zones, the devices that have one."""
    devices = [c.removesuffix(".temperature_c") for c in d.traces if c.endswith(".temperature_c")]
    named = {name: (zone.device, zone.second) for name, zone in d.header.zones.items()}
    zones = named or {device: (device, None) for device in devices}
    return [
        _Zone(name, d.traces[f"{device}.temperature_c"], d.traces.get(f"{device}.working_setpoint_c"),
              d.traces.get(second or ""))
        for name, (device, second) in zones.items() if device in devices
    ]  # fmt: skip


def _zone_curves(panel: Panel, zone: _Zone, hue: str) -> list[str]:
    curves = [(zone.target, f"{hue} dash", "set-point"), (zone.second, f"{hue} dot", "second sensor")]
    others = [charts.curve(panel, t.times, t.values, style, f"{zone.name}, {what}") for t, style, what in curves if t]
    return [*others, charts.curve(panel, zone.actual.times, zone.actual.values, hue, zone.name)]


_LITHIUM = (("lithium_warn", "Li warning", "warn"), ("lithium_trip", "Li trip", "limit"))


def _glovebox_panel(d: Digest, x: Scale, top: float, bottom: float) -> str:
    named = [(d.header.signals.get(f"glovebox_{gas}", ""), label, hue) for gas, label, hue in _GASES]
    drawn = [(d.traces[signal], label, hue) for signal, label, hue in named if signal in d.traces]
    if not drawn:
        return ""
    limits = [(d.header.limits[k], w, s) for k, w, s in _BOX if k in d.header.limits]
    lowest = [max(v, 0.01) for t, _, _ in drawn for v in (min(t.values), max(t.values))]
    panel = Panel(x, scale_for(lowest + [v for v, _, _ in limits], bottom, top, log=True))
    out = [charts.y_axis(panel), charts.heading(panel, "Glovebox", "ppm, logarithmic")]
    out += [charts.limit_line(panel, value, style) for value, _, style in limits]
    labels = [(value, f"{words} {number(value)}", f"{style}-name") for value, words, style in limits]
    for trace, label, hue in drawn:
        out.append(charts.curve(panel, trace.times, trace.values, hue, trace.channel))
        labels.append((max(trace.values[-1], 0.01), f"{label} {number(round(trace.values[-1], 2))}", hue))
    return "".join(out) + charts.end_labels(panel, labels)


_GASES = (("o2", "O₂", "c1"), ("h2o", "H₂O", "c5"))
_BOX = (("glovebox_warn", "warning", "warn"), ("glovebox_trip", "trip", "limit"))
