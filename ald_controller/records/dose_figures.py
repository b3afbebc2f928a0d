"""The figures about doses: how far the pressure rose in each, and how exactly each was timed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ald_controller.records import charts
from ald_controller.records.charts import LEFT, RIGHT, Panel
from ald_controller.records.digest import Digest, PulseHeight, pulse_heights, spread
from ald_controller.records.figures import figure, missing, used_lanes
from ald_controller.records.scales import Scale, number, quantile, scale_for, short_time, unit_of
from ald_controller.stamp import VIRTUAL

BINS = 44


def heights_figure(d: Digest) -> str:
    """The pressure rise of every dose over the cycles, one plot per precursor; missed doses as crosses."""
    heights = pulse_heights(d)
    if not heights:
        return missing("Pulse heights need pressure readings around doses; this record holds none.")
    hues = {d.header.rack.get(lane.name, lane.name): hue for lane, hue in used_lanes(d)}
    names = list(dict.fromkeys(h.precursor for h in heights))
    x = Scale(0.5, max(d.header.cycles, *(h.cycle for h in heights)) + 0.5, LEFT, RIGHT)
    unit = unit_of(d.pressure.channel) if d.pressure else ""
    parts: list[str] = []
    top = 34.0
    for name in names:
        rises = [h for h in heights if h.precursor == name]
        absent = [dose.cycle for dose in d.doses if dose.precursor == name and dose.state == "missed"]
        parts.append(_heights(rises, absent, x, top, unit, name, hues.get(name, "c1")))
        top += 92 + 42
    bottom = top - 42
    ticks = [(t, f"{t:g}") for t in Scale(1, x.hi, LEFT, RIGHT).ticks(10) if t == int(t)]
    axis = charts.x_axis(Panel(x, Scale(0, 1, bottom, 34.0)), ticks, "cycle")
    words = (
        "How far each dose raised the pressure: an empty bottle, a valve that sticks and a leak show here first. "
        "The label is the median; a cross is a dose that was not given."
    )
    return figure(charts.svg(bottom + 28, "Pulse heights", words, [axis, *parts]), words)


def _heights(rises: list[PulseHeight], absent: list[int], x: Scale, top: float, unit: str, name: str, hue: str) -> str:
    values = [h.rise for h in rises]
    panel = Panel(x, scale_for([0.0, *values], top + 92, top, log=False))
    median = quantile(sorted(values), 0.5)
    return "".join([
        charts.y_axis(panel, 3),
        charts.heading(panel, f"{name}: pressure rise", unit),
        charts.dots(_thinned(panel, rises), hue),
        *(charts.sign(x(c), panel.bottom - 6, "missed", f"cycle {c}: missed") for c in absent[:200]),
        charts.end_labels(panel, [(median, f"{median:.3g} {unit}", hue)]),
    ])  # fmt: skip


def _thinned(panel: Panel, rises: Iterable[PulseHeight]) -> list[tuple[float, float]]:
    """Dots that would cover each other on paper are drawn once."""
    return sorted({(round(panel.x(h.cycle), 1), round(panel.y(h.rise), 0)) for h in rises})


# --- timing --------------------------------------------------------------------------------------------------------


def timing_figure(d: Digest) -> str:
    """Two histograms side by side: lateness of edges on the wire, and error of dose widths."""
    late = [e.late_s for e in d.edges]
    widths = [dose.width_error_s for dose in d.doses if dose.width_error_s is not None]
    if not late:
        return missing("No edge is on record, so there is no timing to show.")
    if d.header.anchor.boot_id == VIRTUAL:
        return missing("This run took place on virtual time, where nothing is late: there was nothing to measure.")
    parts = [_histogram(late, "Edge: sent − due", LEFT, 470.0)]
    if widths:
        parts.append(_histogram(widths, "Dose width: error on the wire", 560.0, 972.0))
    words = (
        "Times of the valve process’s own clock as the words left for the valve module; the module answers about "
        f"{_answer_time(d)} later. The valves’ own delay is not in these figures."
    )
    return figure(charts.svg(232.0, "Timing of the valve word", words, parts), words)


def _answer_time(d: Digest) -> str:
    answers = sorted((e.confirmed_ns - e.sent_ns) * 1e-9 for e in d.edges if e.confirmed_ns > 0)
    return short_time(quantile(answers, 0.5)) if answers else "an unknown time"


def _histogram(values: Sequence[float], name: str, left: float, right: float) -> str:
    facts = spread(values)
    if facts is None:
        return ""
    ordered = sorted(values)
    lo, hi = min(0.0, 1.25 * quantile(ordered, 0.005)), max(1.25 * quantile(ordered, 0.99), 1e-6)
    signed = lo < -0.05 * hi
    factor, unit = (1e6, "µs") if hi < 2e-3 else (1e3, "ms")
    counts = [0] * BINS
    for value in ordered:
        if lo <= value < hi:
            counts[int((value - lo) / (hi - lo) * BINS)] += 1
    panel = Panel(Scale(lo * factor, hi * factor, left, right), Scale(0, max(counts) * 1.12 or 1, 178.0, 62.0))
    half, most = ("half within", "99 % within") if signed else ("median", "p99")
    told = f"{half} {short_time(facts.p50)}  ·  {most} {short_time(facts.p99)}  ·  largest {short_time(facts.worst)}"
    marks = {"−p99": -facts.p99, "p99": facts.p99} if signed else {"p50": facts.p50, "p99": facts.p99}
    outside = len(ordered) - sum(counts)
    rest = f"{outside} of {len(ordered)} beyond the axis" if outside else ""
    return "".join([
        charts.heading(Panel(Scale(0, 1, left - LEFT, right), Scale(0, 1, 178.0, 32.0)), name, unit, left - LEFT),
        charts.text(left - LEFT, 39, told, "small"),
        charts.y_axis(panel, 3),
        *_columns(panel, counts),
        charts.x_axis(panel, [(t, number(t)) for t in panel.x.ticks(6)], "", 178.0),
        *(_mark(panel, label, value * factor) for label, value in marks.items()),
        charts.text(right, 216, rest, "small", "end"),
    ])  # fmt: skip


def _columns(panel: Panel, counts: Sequence[int]) -> Iterable[str]:
    width = (panel.x.end - panel.x.start) / len(counts)
    for i, count in enumerate(counts):
        if count:
            x, y = panel.x.start + i * width + 0.5, panel.y(count)
            size = f'width="{width - 1:.1f}" height="{panel.bottom - y:.1f}"'
            yield f'<rect x="{x:.1f}" y="{y:.1f}" {size} class="fill c1"><title>{count}</title></rect>'


def _mark(panel: Panel, label: str, value: float) -> str:
    x = panel.x(value)
    return charts.rule(x, 52, x, panel.bottom, "mark") + charts.text(x + 4, 60, label, "small")
