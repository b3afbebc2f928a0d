"""Doses as valve words over time: a pulse with its purge, an exposure behind the shut stop valve. Pure arithmetic."""

from __future__ import annotations

from dataclasses import dataclass

from ald_controller.config import Port, ToolConfig
from ald_controller.plan import Dose, FlowStep, SegmentStep, Step, Where
from ald_controller.recipe.steps import Expose, Pulse

FLOW_SETTLES_S = 2.0  # a flow controller is within 2 % of a new set-point by then


@dataclass(frozen=True)
class Source:
    """A precursor at its port, with the word that opens it."""

    precursor: str
    name: str
    port: Port
    word: int


def ns(seconds: float) -> int:
    return round(seconds * 1e9)


def spoken(seconds: float) -> str:
    """A time for a label: 15 ms, 20 s, 10 min, 4 h."""
    for factor, unit in ((3600.0, "h"), (60.0, "min"), (1.0, "s")):
        if seconds >= (2 * factor if factor > 1 else factor):
            return f"{seconds / factor:.4g} {unit}"
    return f"{seconds * 1e3:.4g} ms"


def pulse(where: Where, source: Source, body: Pulse, purge_s: float | None) -> list[Step]:
    """One segment of shots and, when a purge follows, its rest; around it the push flow of a pushed source."""
    edges, doses, end = _shots(source, 0, 0, body.time, body.times, body.every)
    label = f"{source.precursor} {spoken(body.time)}" + (f" × {body.times}" if body.times > 1 else "")
    if purge_s is not None:
        label += f", purge {spoken(purge_s)}"
    length = end + ns(purge_s or 0.0)
    segment = SegmentStep("segment", where, label, tuple(edges), length, tuple(doses))
    push = source.port.push
    if push is None:
        return [segment]
    on = FlowStep("flow", where, {push.device: push.flow}, FLOW_SETTLES_S)
    return [on, segment, FlowStep("flow", where, {push.device: 0.0})]


def expose(where: Where, source: Source, body: Expose, config: ToolConfig, carrier_sccm: float) -> list[Step]:
    """Flow down, stop valve shut, its closing time, shots, hold, stop valve open, flow back."""
    stop = config.valves.word([config.pump.stop])
    edges, doses, end = _shots(source, ns(config.pump.closing_time), stop, body.pulse, body.times, body.every)
    end += ns(body.hold)
    if body.hold == 0:
        edges.pop()  # the last close and the opening of the stop valve are one edge
    edges = [(0, stop), *edges, (end, 0)]
    doses = [Dose(d.precursor, d.source, d.edge + 1, d.open_ns, d.width_ns) for d in doses]
    segment = SegmentStep("segment", where, f"{source.precursor} exposure", tuple(edges), end, tuple(doses))
    down, back = {config.carrier: body.flow}, {config.carrier: carrier_sccm}
    push = source.port.push
    if push is not None:  # what is written is the whole flow: the push takes its share of it
        pushed = min(push.flow, body.flow)
        down = {config.carrier: body.flow - pushed, push.device: pushed}
        back[push.device] = 0.0
    return [FlowStep("flow", where, down, FLOW_SETTLES_S), segment, FlowStep("flow", where, back)]


def rest(where: Where, seconds: float) -> SegmentStep:
    """A purge: nothing opens."""
    return SegmentStep("segment", where, f"purge {spoken(seconds)}", (), ns(seconds))


def _shots(
    source: Source, start: int, rest_word: int, width_s: float, times: int, every_s: float | None
) -> tuple[list[tuple[int, int]], list[Dose], int]:
    """Edges, doses and the end (ns) of equal openings that begin at `start` over `rest_word`."""
    edges: list[tuple[int, int]] = []
    doses: list[Dose] = []
    width, period = ns(width_s), ns(every_s or 0.0)
    for shot in range(times):
        at = start + shot * period
        doses.append(Dose(source.precursor, source.name, len(edges), at, width))
        edges += [(at, rest_word | source.word), (at + width, rest_word)]
    return edges, doses, edges[-1][0]
