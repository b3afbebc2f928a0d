"""A valve self-test in words: the table, and what its figures mean for a dose. Pure."""

from __future__ import annotations

from textwrap import fill

from ald_controller.cli.machine import sentence
from ald_controller.cli.pulses import Played
from ald_controller.cli.selftest_result import (
    NOT_MEASURED,
    Result,
    figures,
    lateness_ms,
    overall,
    parts,
    width_errors_ms,
)
from ald_controller.valves.timing import in_ms, warning

WIDTH = 100  # of a line of text, in characters
HELP = (
    "What helps: nothing else on this computer; processors that neither save power nor sleep deeply; a kernel with "
    "PREEMPT_RT; no virtual machine"
)
DEGRADED = (
    "DEGRADED TIMING: this account may not take real-time priority, so doses under 200 ms are refused and were not "
    "measured. A controller under systemd has the right (deploy/ald-controller@.service); measure as root to see what "
    "it gets"
)


def text(result: Result) -> str:
    """All of it for a terminal: what was measured on, the table, what it means, what it does not say."""
    before, after = result.load_average
    return "\n".join([
        f"Valve timing of this computer, {result.date}",
        f"{sentence(dict(result.machine))}, {result.timing}",
        f"load average {before} before, {after} after",
        *([f"valve timing at start: {result.start.sentence}"] if result.start else []),
        "",
        table(result),
        "",
        *(fill(f"{line}.", WIDTH) for line in (*verdict(result), f"Not in these figures: {NOT_MEASURED}")),
    ])  # fmt: skip


def table(result: Result) -> str:
    """One line for each load and width, and one for all widths of a load."""
    figure = f"{'p50':>8}{'p99':>8}{'max':>8}"
    lines = [
        f"{'':<10}{'':<8}{'':>6}{'':>8}   {'edge late by, ms':<24}   width off by, ms",
        f"{'load':<10}{'dose':<8}{'doses':>6}{'missed':>8}   {figure}   {figure}",
    ]
    for load, played in result.played.items():
        lines += [_line(load, name, part) for name, part in parts(result, played).items()]
    return "\n".join(lines)


def _line(load: str, width: str, part: Played) -> str:
    groups = [figures(lateness_ms(part)), figures(width_errors_ms(part))]
    told = "   ".join("".join(f"{_cell(value):>8}" for value in (f.p50, f.p99, f.max)) for f in groups)
    return f"{load:<10}{width:<8}{len(part.doses):>6}{len(part.missed):>8}   {told}"


def _cell(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}" if abs(value) < 10 else f"{value:.1f}"


def verdict(result: Result) -> list[str]:
    """What the figures mean for doses on this computer, a sentence an entry."""
    lines = [*([DEGRADED] if result.degraded else []), _edges(result)]
    lines += [told for width_ms in result.widths_ms[:1] if (told := _width(result, width_ms))]
    if holds := [why for played in result.played.values() for why in played.holds]:
        often = "once" if len(holds) == 1 else f"{len(holds)} times"
        lines.append(f"The engine held {often}, and no dose was given meanwhile: {', '.join(sorted(set(holds)))}")
    if unmeasured := sum(played.unmeasured for played in result.played.values()):
        lines.append(f"{unmeasured} doses were cut short or never confirmed, and are in no figure")
    return [*lines, *_warnings(result)]


def _edges(result: Result) -> str:
    worst_ms = max((late for played in result.played.values() for late in lateness_ms(played)), default=None)
    limit = f"{result.limit_ms:g} ms"
    given = sum(len(played.doses) for played in result.played.values())
    if result.missed:
        late_ms = max(dose.late_ms for played in result.played.values() for dose in played.missed)
        whole = given + result.missed
        return (
            f"{result.missed} of {whole} doses came more than {limit} late, up to {in_ms(late_ms)}, and "
            f"{'was' if result.missed == 1 else 'were'} not given"
        )
    if worst_ms is None:
        return "No dose was measured"
    return f"No edge of {given} doses was later than {in_ms(worst_ms)}; an opening that is {limit} late is not given"


def _width(result: Result, width_ms: int) -> str:
    """How right the shortest doses are, under the load where they are worst."""
    errors = [figures(width_errors_ms(played.of(width_ms))) for played in result.played.values()]
    worst = [each for each in errors if each.n]
    if not worst:
        return ""
    if all(each.p99 is not None for each in worst):
        p99_ms = max(each.p99 or 0.0 for each in worst)
        return f"99 of 100 doses of {width_ms} ms are right to {_share(p99_ms, width_ms)}"
    most_ms = max(each.max or 0.0 for each in worst)
    return f"All doses of {width_ms} ms were right to {_share(most_ms, width_ms)}"


def _share(error_ms: float, width_ms: int) -> str:
    """An error, and its part of a dose."""
    return f"{in_ms(error_ms)} ({error_ms / width_ms * 100:.{1 if error_ms < width_ms else 0}f} %)"


def _warnings(result: Result) -> list[str]:
    timings = {load: timing for load, played in result.played.items() if (timing := overall(played))}
    late = [f"{load}: {timing.sentence}" for load, timing in timings.items() if warning(timing, result.limit_ms)]
    if not late:
        return []
    told = "; ".join(late)
    return [f"THIS COMPUTER WAKES LATE ({told}): doses may be missed in a run, or have the wrong width", HELP]
