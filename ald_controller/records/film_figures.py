"""What a quartz crystal said of the growth: its thickness over the run, a staircase of cycles, steps by precursor."""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from ald_controller.records import charts
from ald_controller.records.charts import LEFT, RIGHT, Panel
from ald_controller.records.digest import Cycle, Digest, Trace
from ald_controller.records.figures import HUES, figure, missing, table
from ald_controller.records.scales import Scale, clock, quantile, scale_for, time_ticks

STAIRS = 3  # cycles of the staircase: enough to see that they are alike, few enough to see their steps
FRESH_S = 5.0  # a reading older than this says nothing of the moment that it is asked for


@dataclass(frozen=True, slots=True)
class Steps:
    """Growth in nm on the crystal: of each whole cycle, and of each dose with its purge by precursor."""

    cycles: list[float]
    doses: dict[str, list[float]]


def film_figure(d: Digest) -> str:
    """The crystal's thickness and its steps, or a sentence that there is none to go by."""
    trace = d.crystal
    if trace is None:
        return missing("No crystal is on record: the thickness above is a prediction alone.")
    if not d.cycles:
        return missing("A crystal is on record, and no cycle of the deposit.")
    parts = [_whole(d, trace, 40.0, 170.0), _stairs(d, trace, 234.0, 394.0)]
    words = (
        f"Above, what {trace.channel} showed over the deposit. Below, {_named(_chosen(d.cycles))} at full height: each "
        "step is a dose with its purge, bars mark the doses. A crystal has its own temperature and its own density "
        "setting; it is no measurement of the sample."
    )
    return figure(charts.svg(444.0, "Thickness on the crystal", words, parts), words) + _table(d, trace)


def steps(d: Digest, trace: Trace) -> Steps:
    """Growth between moments, each taken from the newest reading before it; what lacks one is left out."""
    cycles = [grown for c in d.cycles if c.whole and (grown := _between(trace, c.begin, c.end)) is not None]
    doses: dict[str, list[float]] = defaultdict(list)
    for cycle in (c for c in d.cycles if c.whole):
        given = _doses(d, cycle)
        ends = [*(begin for _, begin in given[1:]), cycle.end]
        for (precursor, begin), end in zip(given, ends, strict=True):
            if (grown := _between(trace, begin, end)) is not None:
                doses[precursor].append(grown)
    return Steps(cycles, dict(doses))


def _doses(d: Digest, cycle: Cycle) -> list[tuple[str, float]]:
    """Precursor and begin of each dose of a cycle; shots of one precursor that follow one another count as one."""
    begins = sorted(
        (d.since_start(dose.at_s), dose.precursor)
        for dose in d.doses
        if dose.cycle == cycle.number and dose.part == "deposit" and dose.at_s is not None
    )
    out: list[tuple[str, float]] = []
    for begin, precursor in begins:
        if not out or out[-1][0] != precursor:
            out.append((precursor, begin))
    return out


def _between(trace: Trace, begin: float, end: float) -> float | None:
    a, b = _at(trace, begin), _at(trace, end)
    return None if a is None or b is None else b - a


def _at(trace: Trace, at: float) -> float | None:
    i = bisect_right(trace.times, at) - 1
    return trace.values[i] if i >= 0 and at - trace.times[i] <= FRESH_S else None


# --- the drawing ---------------------------------------------------------------------------------------------------


def _whole(d: Digest, trace: Trace, top: float, bottom: float) -> str:
    begin, end = d.cycles[0].begin, d.cycles[-1].end
    x = Scale(begin, end, LEFT, RIGHT)
    times, values = trace.between(begin, end)
    if not times:
        return charts.text(LEFT, top + 12, "no readings in the deposit", "small")
    panel = Panel(x, scale_for(values, bottom, top, log=False))
    ticks = [(begin + t, clock(t)[:-3]) for t in time_ticks(end - begin, 8)]
    return (
        charts.x_axis(panel, ticks, "h:mm of the deposit") + charts.y_axis(panel)
        + charts.heading(panel, "On the crystal", "nm")
        + charts.curve(panel, times, values, "c1", trace.channel)
        + charts.end_labels(panel, [(values[-1], f"{values[-1]:.1f} nm", "c1")])
    )  # fmt: skip


def _stairs(d: Digest, trace: Trace, top: float, bottom: float) -> str:
    chosen = _chosen(d.cycles)
    begin, end = chosen[0].begin, chosen[-1].end
    times, values = trace.between(begin, end)
    if not times:
        return charts.text(LEFT, top + 12, "no readings in these cycles", "small")
    x = Scale(0.0, end - begin, LEFT, RIGHT)
    panel = Panel(x, scale_for([v - values[0] for v in values], bottom, top, log=False))
    shown = [t - begin for t in times]
    return (
        charts.x_axis(panel, [(t, f"{t:g}") for t in time_ticks(end - begin, 8)], "seconds")
        + charts.y_axis(panel) + charts.heading(panel, _named(chosen).capitalize(), "nm grown")
        + charts.curve(panel, shown, [v - values[0] for v in values], "c1", trace.channel)
        + _marks(d, chosen, panel, begin)
    )  # fmt: skip


def _marks(d: Digest, chosen: Sequence[Cycle], panel: Panel, begin: float) -> str:
    """The doses as bars at the foot of the panel, in the hue that their precursor has in this drawing."""
    row = Panel(panel.x, Scale(0, 1, panel.bottom, panel.bottom - 8))
    by: dict[str, list[float]] = defaultdict(list)
    for cycle in chosen:
        for precursor, at in _doses(d, cycle):
            by[precursor].append(at - begin)
    out = []
    for i, (precursor, moments) in enumerate(by.items()):
        hue = HUES[i % len(HUES)]
        out.append(charts.bars(row, [(at, at) for at in moments], hue, 3.0))
        out.append(charts.text(RIGHT + 14, panel.top + 12 + 15 * i, charts.short(precursor), f"label {hue}"))
    return "".join(out)


def _chosen(cycles: Sequence[Cycle]) -> list[Cycle]:
    """Neighbours from the middle of the deposit."""
    first = max(0, (len(cycles) - STAIRS) // 2)
    return list(cycles[first : first + STAIRS])


def _named(chosen: Sequence[Cycle]) -> str:
    first, last = chosen[0].number, chosen[-1].number
    return f"cycle {first}" if first == last else f"cycles {first} to {last}"


def _table(d: Digest, trace: Trace) -> str:
    found = steps(d, trace)
    if not found.cycles:
        return missing("No whole cycle has readings of the crystal at its begin and its end.")
    planned = d.header.thickness_nm
    rows = [_row("a whole cycle", found.cycles)]
    rows += [_row(f"{precursor} and its purge", values) for precursor, values in found.doses.items()]
    predicted = (
        f'<p class="lead">Predicted per cycle: {planned / d.header.cycles:.3f} nm on average.</p>'
        if planned is not None and d.header.cycles else ""
    )  # fmt: skip
    head = ("Growth on the crystal", "Median", "Least – most", "Times")
    return table(head, rows, frozenset({1, 2, 3})) + predicted


def _row(name: str, values: Sequence[float]) -> tuple[str, ...]:
    low, middle, high = (quantile(sorted(values), share) for share in (0.0, 0.5, 1.0))
    return escape(name), f"{middle:+.3f} nm", f"{low:+.3f} – {high:+.3f} nm", str(len(values))
