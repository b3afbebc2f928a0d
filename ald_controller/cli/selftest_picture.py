"""The picture of a valve self-test: how late edges came, and how right doses were, for each load."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from textwrap import wrap

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from ald_controller.cli.machine import sentence
from ald_controller.cli.pulses import Played
from ald_controller.cli.selftest_result import (
    BUSY,
    FLOOR_MS,
    FOUND,
    NOT_MEASURED,
    Result,
    bins,
    figures,
    histogram,
    lateness_ms,
    width_errors_ms,
)
from ald_controller.cli.selftest_words import verdict
from ald_controller.valves.timing import in_ms

DOTS_PER_INCH = 120
WIDE, HEAD, PLOT, BELOW, LINE = 13.0, 1.75, 3.9, 0.8, 0.225  # inches, from top to bottom
LEFT, RIGHT = 0.06, 0.985  # of the width
LETTERS = 150  # in a line of the foot
COLOURS = {FOUND: "#1f6fb4", BUSY: "#d9730d"}
NAMES = {FOUND: "as found", BUSY: "every processor busy"}
LIMIT = "#b3261e"
GREY = "#555555"


def draw(result: Result, path: Path) -> None:
    """Write the picture as PNG; raises OSError."""
    lines = _foot(result)
    high = HEAD + PLOT + BELOW + LINE * (len(lines) + 1)
    figure = Figure(figsize=(WIDE, high), dpi=DOTS_PER_INCH, facecolor="white")
    FigureCanvasAgg(figure)
    left, right = figure.subplots(1, 2)
    figure.subplots_adjust(
        left=LEFT, right=RIGHT, top=1 - HEAD / high, bottom=1 - (HEAD + PLOT) / high, wspace=0.14
    )  # fmt: skip
    figure.text(LEFT, 1 - 0.42 / high, f"Valve timing of this computer, {result.date}", fontsize=19, weight="bold")
    told = f"{sentence(dict(result.machine))}, {result.timing}"
    figure.text(LEFT, 1 - 0.7 / high, told, fontsize=12, color=LIMIT if result.degraded else GREY)
    for number, (line, colour) in enumerate(lines, 1):
        at = 1 - (HEAD + PLOT + BELOW + number * LINE) / high
        figure.text(LEFT, at, line, fontsize=11, color=colour)
    _panel(left, result, lateness_ms, "edges")
    _title(left, "How late edges reached the module")
    left.set_xlabel("edge behind its planned time, ms", fontsize=13)
    left.set_ylabel("edges", fontsize=13)
    _limit(left, result)
    _missed(left, result)
    _panel(right, result, width_errors_ms, "doses")
    _title(right, "How far doses were from their width")
    *widths, last = (str(width_ms) for width_ms in result.widths_ms)
    right.set_xlabel(f"dose of {', '.join(widths)} or {last} ms too long or too short by, ms", fontsize=13)
    right.set_ylabel("doses", fontsize=13)
    _percents(right, result)
    for axes in (left, right):
        axes.legend(
            loc="lower left", bbox_to_anchor=(-0.01, 1.0), fontsize=12, frameon=False, borderaxespad=0, labelspacing=0.3
        )
    figure.savefig(path, format="png")


def _panel(axes: Axes, result: Result, values_of: Callable[[Played], list[float]], unit: str) -> None:
    """Histograms of all loads, both axes logarithmic, with a mark at each p99."""
    values = {load: values_of(played) for load, played in result.played.items()}
    missed = [dose.late_ms for played in result.played.values() for dose in played.missed]
    edges = bins([*missed, *(value for each in values.values() for value in each)], result.limit_ms)
    for load, each in values.items():
        counts = [count or float("nan") for count in histogram(each, edges)]
        axes.stairs(counts, edges, baseline=0.5, fill=True, color=COLOURS[load], alpha=0.28)
        axes.stairs(counts, edges, baseline=0.5, color=COLOURS[load], linewidth=1.8, label=_label(load, each, unit))
        if (p99 := figures(each).p99) is not None:
            axes.axvline(max(p99, FLOOR_MS), color=COLOURS[load], linewidth=2, linestyle=(0, (4, 2)))
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlim(edges[0], edges[-1])
    highest = max((count for each in values.values() for count in histogram(each, edges)), default=1)
    axes.set_ylim(0.5, max(highest, 10) * 2)
    _ticks(axes, edges[-1])


def _title(axes: Axes, words: str) -> None:
    axes.set_title(words, loc="left", fontsize=14, weight="bold", pad=46)


def _label(load: str, values: list[float], unit: str) -> str:
    told = figures(values)
    if told.max is None:
        return f"{NAMES[load]}: no {unit}"
    p99 = f"p99 {in_ms(told.p99)}, " if told.p99 is not None else ""
    return f"{NAMES[load]}: {told.n} {unit}, {p99}worst {in_ms(told.max)}"


def _ticks(axes: Axes, top_ms: float) -> None:
    at = [factor * 10.0**power for power in range(-2, 5) for factor in (1, 2, 5) if factor * 10.0**power <= top_ms]
    axes.xaxis.set_major_locator(FixedLocator(at))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda ms, _: f"≤{ms:g}" if ms == FLOOR_MS else f"{ms:g}"))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda count, _: f"{count:g}"))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.tick_params(labelsize=11.5)
    axes.grid(axis="both", color="#e4e4e4", linewidth=0.8)
    axes.set_axisbelow(True)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)


def _limit(axes: Axes, result: Result) -> None:
    axes.axvline(result.limit_ms, color=LIMIT, linewidth=2.4)
    axes.text(
        result.limit_ms * 0.94, 0.6, f"from {result.limit_ms:g} ms on an opening is not given", rotation=90,
        color=LIMIT, fontsize=11, ha="right", va="bottom",
    )  # fmt: skip


def _percents(axes: Axes, result: Result) -> None:
    """Where an error is a hundredth of a dose: the scale on which a process feels it."""
    top = axes.get_ylim()[1]
    for width_ms in result.widths_ms:
        axes.axvline(width_ms / 100, color=GREY, linewidth=1.1, linestyle=":")
        axes.text(
            width_ms / 100 * 0.95, top * 0.85, f"1 % of {width_ms} ms", rotation=90, color=GREY, fontsize=10.5,
            ha="right", va="top", bbox={"facecolor": "white", "edgecolor": "none", "pad": 1.2, "alpha": 0.85},
        )  # fmt: skip


def _missed(axes: Axes, result: Result) -> None:
    """Openings that came too late and were not given: edges that no histogram has."""
    late_ms = [dose.late_ms for played in result.played.values() for dose in played.missed]
    if late_ms:
        axes.plot(late_ms, [1.0] * len(late_ms), "x", color=LIMIT, markersize=11, markeredgewidth=2.6)


def _foot(result: Result) -> list[tuple[str, str]]:
    """What the figures mean and what is not in them, in lines with their colours."""
    how = (
        "Dashed: p99, which 99 of 100 do not exceed. Times are the kernel's stamps at a simulated module on this "
        f"computer, right to some {FLOOR_MS:g} ms."
    )
    crosses = " Crosses: openings that came too late and were not given." if result.missed else ""
    told = [how + crosses, *(f"{line}." for line in verdict(result)), f"Not in these figures: {NOT_MEASURED}."]
    colours = [LIMIT if sentence.isupper() else "black" for sentence in (line[:15] for line in told)]
    return [(part, c) for line, c in zip(told, colours, strict=True) for part in wrap(line, LETTERS)]
