"""Doses as valve words over time: a pulse with its purge, an exposure behind the shut stop valve. Pure arithmetic."""

from __future__ import annotations

from dataclasses import dataclass, replace

from ald_controller import units
from ald_controller.config import Port, ToolConfig
from ald_controller.plan import Dose, Filling, FlowStep, SegmentStep, Step, Where
from ald_controller.recipe.steps import SHORTEST_OPENING_S, Expose, Pulse

FILL_SHUTS_S = 0.1  # before filling and before letting out everything is shut for twice as long as the engine asks for
SHORTEST_S = 0.001  # an output that is energised for less does nothing
FLOW_SETTLES_S = 2.0  # a flow controller is within 2 % of a new set-point by then


@dataclass(frozen=True)
class Source:
    """A precursor at its port, with the words that open it and, for a filled source, fill it before each dose."""

    precursor: str
    name: str
    port: Port
    word: int
    fill_word: int
    compensation_ns: int

    @classmethod
    def at(cls, precursor: str, name: str, config: ToolConfig) -> Source:
        """The source at a port of this tool."""
        port, valves = config.ports[name], config.valves
        fill_word = valves.word(port.fill.outputs) if port.fill else 0
        return cls(precursor, name, port, valves.word(port.outputs), fill_word, ns(valves.compensation_s(port.outputs)))

    def misfit(self, config: ToolConfig, width_s: float, every_s: float | None) -> tuple[str, str] | None:
        """Why its valves cannot give doses of this width in this rhythm: "time" or "every", and a sentence; or None."""
        energised_s = width_s + self.compensation_ns / 1e9
        shortest_s = config.valves.shortest_s(self.port.outputs)
        if energised_s < max(shortest_s, SHORTEST_S):
            least = spoken(max(shortest_s, SHORTEST_S) - self.compensation_ns / 1e9)
            return "time", f"{spoken(width_s)} is too short for the valve of {self.name}: {least} at least"
        needed_s = energised_s + (self.filling_s or SHORTEST_OPENING_S)
        if every_s is None or every_s >= needed_s:
            return None
        why = f"its valve is energised for {spoken(energised_s)} and shut between shots"
        if self.port.fill:
            why = f"each shot from {self.name} fills its volume for {spoken(self.port.fill.time)} first"
        return "every", f"{why}: {spoken(needed_s)} at least from one to the next"

    @property
    def filling_s(self) -> float:
        """How long a dose begins before its opening: the volume is filled, and shut."""
        return self.port.fill.time + 2 * FILL_SHUTS_S if self.port.fill else 0.0


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
    if edges[-1][0] == end:
        edges.pop()  # the last close and the opening of the stop valve are one edge
    edges = [(0, stop), *edges, (end, 0)]
    doses = [replace(dose, edge=dose.edge + 1) for dose in doses]
    filling = None if body.to is None or body.otherwise is None else Filling(body.to, body.otherwise)
    label = f"{source.precursor} exposure" + (f" to {units.PRESSURE.show(filling.to_pa, 'mTorr')}" if filling else "")
    segment = SegmentStep("segment", where, label, tuple(edges), end, tuple(doses), filling)
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
    width, period, energised = ns(width_s), ns(every_s or 0.0), ns(width_s) + source.compensation_ns
    for shot in range(times):
        begins = start + shot * period
        if source.port.fill:
            fills = begins + ns(FILL_SHUTS_S)
            edges += [(fills, rest_word | source.fill_word), (fills + ns(source.port.fill.time), rest_word)]
        at = begins + ns(source.filling_s)
        named = () if source.port.outputs == [source.name] else tuple(source.port.outputs)
        doses.append(Dose(source.precursor, source.name, len(edges), at, width, source.compensation_ns, named))
        edges += [(at, rest_word | source.word), (at + energised, rest_word)]
    # what follows begins when the last dose is over and its output off, whichever is later
    return edges, doses, max(edges[-1][0], at + width)
