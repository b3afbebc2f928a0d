"""What a report says of a run, worked out of its record: cycles, open valves, pulse heights, timing, the ending."""

from __future__ import annotations

import math
from array import array
from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from ald_controller.records.blocks import QUALITY, Series
from ald_controller.records.doses import NS, DoseRow, EdgeRow, Intent
from ald_controller.records.folder import RecordError, RunHeader
from ald_controller.records.record import Event, RunRecord
from ald_controller.records.scales import quantile, unit_of
from ald_controller.units import PRESSURE

T = TypeVar("T")

ROUTINE = frozenset({"anchored", "step", "pulse", "facts", "ended"})  # the record's own rhythm: counted, not listed

THICKNESS = ".thickness_nm"  # the end of a thin-film monitor's channel


@dataclass(frozen=True, slots=True)
class Trace:
    """The usable readings of one channel; `bad` counts what was left out. Times in seconds since the run's start."""

    channel: str
    times: array[float]
    values: array[float]
    bad: int = 0

    def between(self, begin: float, end: float) -> tuple[array[float], array[float]]:
        """The readings from `begin` to `end`, both included."""
        a, b = bisect_left(self.times, begin), bisect_right(self.times, end)
        return self.times[a:b], self.values[a:b]


@dataclass(frozen=True, slots=True)
class Cycle:
    """One turn of the deposit, seconds since the run's start; `whole`: every dose of it is confirmed."""

    number: int
    begin: float
    end: float
    whole: bool


@dataclass(frozen=True, slots=True)
class PulseHeight:
    """How far the pressure rose in one dose, in the gauge's unit."""

    cycle: int
    precursor: str
    rise: float


@dataclass(frozen=True, slots=True)
class Digest:
    """One run, ready to be drawn. Times are seconds since the start; `gaps` says what could not be read."""

    record: RunRecord
    length_s: float
    events: list[Event]
    doses: list[DoseRow]
    edges: list[EdgeRow]
    intents: list[Intent]
    cycles: list[Cycle]
    open_times: dict[str, list[tuple[float, float]]]
    traces: dict[str, Trace]
    lost: int
    gaps: list[str] = field(default_factory=list)

    @property
    def header(self) -> RunHeader:
        return self.record.header

    @property
    def pressure(self) -> Trace | None:
        """The chamber's gauge as the tool's signals name it, else the first pressure there is."""
        named = self.header.signals.get("pressure", "")
        others = [t for name, t in self.traces.items() if "pressure" in name]
        return self.traces.get(named) or (others[0] if others else None)

    @property
    def crystal(self) -> Trace | None:
        """What a thin-film monitor read, in nm; None where there is none."""
        return next((t for name, t in self.traces.items() if name.endswith(THICKNESS)), None)

    def since_start(self, at_s: float) -> float:
        return at_s - self.header.start_s

    def count(self, state: str) -> int:
        return sum(dose.state == state for dose in self.doses)


def digest(record: RunRecord) -> Digest:
    """Everything that the report needs, in one pass; what cannot be read is named in `gaps`, never raised."""
    gaps: list[str] = []

    def attempt(read: Callable[[], T], otherwise: T) -> T:
        try:
            return read()
        except RecordError as error:
            if str(error) not in gaps:
                gaps.append(str(error))
            return otherwise

    start_s = record.header.start_s
    end_s = attempt(lambda: record.end_s, start_s)
    events, edges = attempt(record.events, list[Event]()), attempt(record.edges, list[EdgeRow]())
    intents, doses = attempt(record.intents, list[Intent]()), attempt(record.doses, list[DoseRow]())
    traces = {}
    for channel in attempt(record.channels, list[str]()):
        if wanted(record.header, channel):
            series = attempt(lambda channel=channel: record.series(channel), Series(array("d"), array("d"), b""))  # type: ignore[misc]
            trace = usable(channel, series, start_s)
            if trace.times:
                traces[channel] = trace
    return Digest(
        record, max(end_s - start_s, 1e-3), events, doses, edges, intents,
        cycles_of(intents, edges, events, doses, start_s, end_s),
        open_times(record.header, edges, events, end_s), traces, attempt(record.lost_records, 0), gaps,
    )  # fmt: skip


def wanted(header: RunHeader, channel: str) -> bool:
    """Whether the report draws this channel: pressures, temperatures and set-points, the glovebox, flows, a crystal."""
    drawn = {s for part, s in header.signals.items() if part in ("pressure", "glovebox_o2", "glovebox_h2o")}
    drawn |= {zone.second for zone in header.zones.values() if zone.second}
    return channel in drawn or channel.endswith((".temperature_c", ".working_setpoint_c", ".flow_sccm", THICKNESS))


def usable(channel: str, series: Series, start_s: float) -> Trace:
    """The readings that are not bad and are numbers, on the run's own time."""
    bad = QUALITY["bad"]
    times, values = array("d", [t - start_s for t in series.times]), series.values
    if bad in series.quality or not math.isfinite(sum(values)):
        kept = [i for i, v in enumerate(values) if series.quality[i] != bad and math.isfinite(v)]
        times, values = array("d", [times[i] for i in kept]), array("d", [values[i] for i in kept])
    return Trace(channel, times, values, len(series.times) - len(times))


def cycles_of(
    intents: list[Intent], edges: list[EdgeRow], events: list[Event], doses: list[DoseRow], start_s: float, end_s: float
) -> list[Cycle]:
    """The turns of the deposit: each from its first segment to the next turn's first."""
    cycle_of = {i.half: i.cycle for i in intents if i.part == "deposit" and i.cycle > 0}
    moments: dict[int, float] = {}
    starts = [(e.fields.get("half", -1), e.fields.get("at_ns", 0)) for e in events if e.kind == "anchored"]
    for half, at_ns in [*starts, *((e.half, e.due_ns) for e in edges)]:
        if half in cycle_of:
            number = cycle_of[half]
            moments[number] = min(moments.get(number, at_ns * NS), at_ns * NS)
    states: dict[int, set[str]] = defaultdict(set)
    for dose in (dose for dose in doses if dose.state != "not needed"):
        states[dose.cycle].add(dose.state if dose.part == "deposit" else "confirmed")
    begins = sorted(moments.items(), key=lambda item: item[1])
    if not begins:
        return []
    finish = [e.at_s for e in events if e.kind == "part" and e.fields.get("part") == "finish"]
    last = min([end_s, *(f for f in finish if f > begins[-1][1])])
    ends = [*(at for _, at in begins[1:]), last]
    return [
        Cycle(number, begin - start_s, end - start_s, states[number] == {"confirmed"})
        for (number, begin), end in zip(begins, ends, strict=True)
        if end > begin
    ]


def open_times(
    header: RunHeader, edges: list[EdgeRow], events: list[Event], end_s: float
) -> dict[str, list[tuple[float, float]]]:
    """Per valve the spans in which it was energised, seconds since the start; a hold closes the sources."""
    out: dict[str, list[tuple[float, float]]] = {lane.name: [] for lane in header.valves}
    since: dict[str, float] = {}
    held = [(e.fields.get("at_ns") or round(e.at_s / NS), None) for e in events if e.kind == "held"]
    for at_ns, edge in sorted([*held, *((e.sent_ns, e) for e in edges)], key=lambda item: item[0]):
        at = at_ns * NS - header.start_s
        released = [lane.name for lane in header.valves] if edge is None else edge.released.split(", ")
        for name in released:
            if name in since:
                out[name].append((since.pop(name), at))
        for name in edge.energised.split(", ") if edge else ():
            if name in out:
                since[name] = at
    for name, begin in since.items():
        out[name].append((begin, end_s - header.start_s))
    return out


def pulse_heights(digest: Digest) -> list[PulseHeight]:
    """What every given dose brought, as it was measured while the run went on.

    Of a run from before that: the highest reading until 5 s after the dose, less the second before it.
    """
    gauge = digest.pressure
    if gauge is None:
        return []
    given = [d for d in digest.doses if d.at_s is not None and d.part == "deposit"]
    factor_pa, _ = PRESSURE.units.get(unit_of(gauge.channel), (1.0, 0.0))
    measured = [PulseHeight(d.cycle, d.precursor, d.delta_p_pa / factor_pa) for d in given if d.delta_p_pa is not None]
    return measured or _risen(digest, gauge, given)


def _risen(digest: Digest, gauge: Trace, given: list[DoseRow]) -> list[PulseHeight]:
    heights: list[PulseHeight] = []
    begins = [digest.since_start(d.at_s) for d in given if d.at_s is not None]
    for i, (dose, begin) in enumerate(zip(given, begins, strict=True)):
        following = begins[i + 1] if i + 1 < len(begins) else digest.length_s
        _, before = gauge.between(begin - 1.0, begin)
        _, during = gauge.between(begin, min(begin + (dose.sent_width_s or 0.0) + 5.0, following))
        if before and during:
            heights.append(PulseHeight(dose.cycle, dose.precursor, max(during) - sum(before) / len(before)))
    return heights


@dataclass(frozen=True, slots=True)
class Spread:
    """A distribution in seconds: how many, median, 99th percentile, the extreme."""

    n: int
    p50: float
    p99: float
    worst: float


def spread(values: Sequence[float]) -> Spread | None:
    """The quantiles of `values` by size (a width error of either sign counts by its amount); None when empty."""
    if not values:
        return None
    sizes = sorted(abs(v) for v in values)
    return Spread(len(sizes), quantile(sizes, 0.5), quantile(sizes, 0.99), sizes[-1])


def ending_sentence(digest: Digest) -> str:
    """Why and where the run ended, in one sentence or two."""
    ending = digest.record.ending
    whole, planned = sum(c.whole for c in digest.cycles), digest.header.cycles
    if ending is None:
        return "This run is still being written; the report shows what is on record so far."
    if ending == "completed" and whole == planned:
        return f"All {planned} cycles were given whole."
    if ending == "completed":
        return f"The recipe ran to its end; {whole} of {planned} cycles were given whole."
    if ending == "interrupted":
        return f"The record stops without an ending: the daemon or the computer went down. {_place(digest)}"
    why = _reason(digest)
    return f"{why[:1].upper()}{why[1:].rstrip('.')}. {_place(digest)}" if why else _place(digest)


def _reason(digest: Digest) -> str:
    """What ended the run: the first trip, else what the run says of itself, else the abort or the last hold."""
    found = {kind: [e for e in digest.events if e.kind == kind] for kind in ("trip", "abort", "held")}
    if found["trip"]:
        fields = found["trip"][0].fields
        return f"{fields.get('row', 'interlock')}: {fields.get('text', 'tripped')}"
    said = digest.record.summary.get("why")
    last = [*found["held"][-1:], *found["abort"][:1]] if digest.record.ending in ("tripped", "aborted") else []
    return str(said or next((e.fields["why"] for e in reversed(last) if e.fields.get("why")), ""))


def _place(digest: Digest) -> str:
    """Where the run was: the half-cycle that was open."""
    if not digest.intents:
        return "No segment had been loaded."
    last = digest.intents[-1]
    where = f"cycle {last.cycle} of {digest.header.cycles}" if last.cycle else f"the {last.part}"
    return f"The last segment on record is ‘{last.label}’ in {where}."
