"""Steps as written to steps of the plan: names resolved, blocks and defines unfolded, doses turned into segments."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ald_controller.plan import FlowStep, PumpStep, RepeatStep, SegmentStep, Stated, Step, Where
from ald_controller.planner.conditions import RISE_TORR_PER_SCCM_S, filling, rise, settle
from ald_controller.planner.dosing import FLOW_SETTLES_S, Source, expose, pulse, rest
from ald_controller.planner.gaps import Span, closed, dose, join
from ald_controller.planner.scene import Scene
from ald_controller.planner.thermal import Zones, heat, wait
from ald_controller.recipe import Written, block_at, read_step, takes_targets
from ald_controller.recipe.steps import (
    MOST_TURNS,
    Expose,
    Heat,
    Pulse,
    Pump,
    Purge,
    Repeat,
    SetFlow,
    Use,
    Wait,
    WaitForLeak,
)
from ald_controller.units import TORR_PA
from ald_controller.valves.rules import MOST_EDGES
from ald_controller.yamlfile import Document, Location, Mark, Problems

MOST_STEPS = 50_000  # as written, blocks and defines unfolded
MOST_SHOTS = 50_000  # in all of these steps, each as often as it is written
DEEPEST = 12
PUMPING_S = 30.0  # for estimates


class TooLong(Exception):
    """The recipe unfolds into more than can be checked; the problem is already noted."""


Inner = tuple[Document, Location, list[Any], str]  # where steps stand, and the name of their define or block


@dataclass(frozen=True)
class Stretch:
    """A stretch of the plan: its steps, how long it takes, and its doses as a neighbour sees them."""

    steps: tuple[Step, ...] = ()
    seconds: float = 0.0
    span: Span = field(default_factory=Span)


class Unfold:
    """Unfolds one recipe in order; what is set on the way (carrier, targets) is known to the steps that follow."""

    def __init__(self, scene: Scene, zones: Zones) -> None:
        self.scene, self.zones = scene, zones
        self.carrier_sccm: float | None = None
        self._count = self._shots = 0
        self._inside: list[str] = []  # the names of the defines and blocks that are being unfolded
        self._around: list[str | None] = []  # the names of the repeats that are being unfolded
        self._depth = 0
        self._may_dose = True

    def part(self, part: str) -> Stretch:
        """One of prepare, deposit and finish."""
        self._may_dose = part != "finish"
        return self._steps(self.scene.recipe.document, (part,), self.scene.recipe.section(part))

    def _steps(self, document: Document, at: Location, raw: Sequence[Any]) -> Stretch:
        written = [self._read(document, (*at, i), step) for i, step in enumerate(raw)]
        out: list[Step] = []
        seconds, span, i = 0.0, Span(), 0
        floor_s = self.scene.config.valves.min_closed
        while i < len(written):
            purge = self._purge_after(document, written, i)
            step = written[i]
            stretch = self._one(document, step, purge) if step else self._broken(document, (*at, i), raw[i])
            out += (*stretch.steps, *self._settle(document, written[i + 1 if purge else i]))
            seconds += stretch.seconds
            span = join(self.scene, span, stretch.span, floor_s)
            i += 2 if purge else 1
        return Stretch(tuple(out), seconds, span)

    def _read(self, document: Document, at: Location, raw: object) -> Written | None:
        self._count += 1
        if self._count > MOST_STEPS:
            self.scene.wrong(document, at, f"the recipe unfolds into more than {MOST_STEPS} steps: use repeat")
            raise TooLong
        try:
            written = read_step(document, at, raw)
            self._state(document, written)
            return written
        except Problems as error:
            self.scene.incomplete = True
            for problem in error.problems:
                if problem.mark not in self.scene.recipe.blind:
                    self.scene.problems.append(replace(problem, message=self.scene.prefix + problem.message))
            return None

    def _state(self, document: Document, step: Written) -> None:
        """Where the figures of this step come from, when it says so itself."""
        provenance = getattr(step.body, "provenance", None)
        if provenance is not None:
            stated = Stated(self.scene.where(document, step.at), step.verb, provenance)
            self.scene.stated.setdefault(stated)

    @staticmethod
    def _purge_after(document: Document, written: list[Written | None], i: int) -> tuple[float, Mark] | None:
        """The purge that follows a pulse belongs to its segment, so that nothing comes between."""
        step, after = written[i], written[i + 1] if i + 1 < len(written) else None
        if step and after and step.verb == "pulse" and isinstance(after.body, Purge):
            return after.body.time, document.mark((*after.at, "purge"))
        return None

    def _settle(self, document: Document, step: Written | None) -> tuple[Step, ...]:
        """What a purge waits for behind its time."""
        if step is None or not isinstance(step.body, Purge):
            return ()
        at = (*step.at, "purge")
        return settle(self.scene, document, at, step.body, self.carrier_sccm, self.zones.targets_c)

    def _broken(self, document: Document, at: Location, raw: object) -> Stretch:
        """What is wrong inside of a repeat that is itself wrong; no claim about what stands beside it."""
        repeat = raw.get("repeat") if isinstance(raw, dict) else None
        steps = repeat.get("steps") if isinstance(repeat, dict) else None
        if isinstance(steps, list):
            self._deeper(document, at, (document, (*at, "repeat", "steps"), steps, ""))
        return Stretch(span=closed(float("inf"), None))

    def _one(self, document: Document, step: Written, purge: tuple[float, Mark] | None) -> Stretch:
        body = step.body
        if isinstance(body, Pulse):
            return self._pulse(document, step, body, purge)
        if isinstance(body, Expose):
            return self._expose(document, step, body)
        if isinstance(body, Purge):
            segment = rest(self.scene.where(document, step.at), body.time)
            return Stretch((segment,), body.time, closed(body.time, document.mark((*step.at, "purge"))))
        if isinstance(body, Repeat):
            return self._repeat(document, step, body)
        if isinstance(body, Use):
            return self._use(document, step, body)
        return self._act(document, step, body)

    def _act(self, document: Document, step: Written, body: Pump | SetFlow | Heat | Wait | WaitForLeak) -> Stretch:
        where = self.scene.where(document, step.at)
        if isinstance(body, Pump):
            pump = PumpStep("pump", where, body.to, body.no_faster_than, body.timeout, body.otherwise)
            return Stretch((*self._no_old_flow(where), pump), PUMPING_S)
        if isinstance(body, SetFlow):
            self._check_flow(document, (*step.at, "flow", "carrier"), body.carrier)
            self.carrier_sccm = body.carrier
            return Stretch((FlowStep("flow", where, {self.scene.config.carrier: body.carrier}),))
        if isinstance(body, Heat):
            heating = heat(self.scene, document, step, body, self.zones)
            return Stretch((heating,) if heating else ())
        if isinstance(body, WaitForLeak):
            testing, seconds = rise(self.scene, document, (*step.at, "wait"), body)
            return Stretch((*self._no_old_flow(where), testing), seconds)
        waiting, seconds = wait(self.scene, document, step, body, self.zones)
        return Stretch((waiting,) if waiting else (), seconds)

    def _no_old_flow(self, where: Where) -> tuple[FlowStep, ...]:
        """Before the first flow of a recipe: what an earlier run left flowing would pass for a leak or a bad pump."""
        if self.carrier_sccm is not None:
            return ()
        return (FlowStep("flow", where, {self.scene.config.carrier: 0.0}),)

    def _check_flow(self, document: Document, at: Location, sccm: float) -> None:
        settings = self.scene.tool.devices[self.scene.config.carrier].settings
        most = getattr(settings, "full_scale_sccm", None)
        if most is not None and sccm > most:
            self.scene.wrong(document, at, f"{sccm:g} sccm is above the carrier controller's full scale, {most:g} sccm")

    # --- doses -----------------------------------------------------------------------------------------------------

    def _pulse(self, document: Document, step: Written, body: Pulse, purge: tuple[float, Mark] | None) -> Stretch:
        at = (*step.at, "pulse")
        source = self._source(document, at, body, body.time, "time")
        purge_s, mark = purge or (0.0, None)
        if source is None:
            return Stretch(seconds=body.time + purge_s, span=closed(float("inf"), None))
        steps = pulse(self.scene.where(document, step.at), source, body, purge[0] if purge else None)
        self._check_edges(document, at, steps, source)
        before_s = source.filling_s + (FLOW_SETTLES_S if source.port.push else 0.0)
        span = dose(source.precursor, document.mark(at), before_s, purge_s, mark)
        return Stretch(self._whole(steps), _seconds(steps), span)

    def _expose(self, document: Document, step: Written, body: Expose) -> Stretch:
        at = (*step.at, "expose")
        source = self._source(document, at, body, body.pulse, "pulse")
        self._check_flow(document, (*at, "flow"), body.flow)
        if source is None or self.carrier_sccm is None:
            return Stretch(span=closed(float("inf"), None))
        where = self.scene.where(document, step.at)
        steps = expose(where, source, body, self.scene.config, self.carrier_sccm)
        self._check_edges(document, at, steps, source)
        shut_s = sum(s.length_ns for s in steps if isinstance(s, SegmentStep)) / 1e9
        filling(self.scene, document, at, body, shut_s - body.hold, self.zones.targets_c)
        rise_torr = body.flow * RISE_TORR_PER_SCCM_S * shut_s
        limit_torr = self.scene.config.limits.vacuum / TORR_PA
        if rise_torr > limit_torr:
            message = (
                f"{body.flow:g} sccm into the shut chamber for {shut_s:.3g} s raises it by about {rise_torr:.2g} Torr "
                f"(0.5 L assumed), more than the {limit_torr:g} Torr that count as vacuum: less flow or a shorter hold"
            )
            self.scene.doubt(document, (*at, "flow"), message)
        before_s = self.scene.config.pump.closing_time + source.filling_s
        span = dose(source.precursor, document.mark(at), before_s, body.hold, None)
        return Stretch(self._whole(steps), _seconds(steps), span)

    def _check_edges(self, document: Document, at: Location, steps: list[Step], source: Source) -> None:
        """The valve engine judges a segment as a whole, so it takes only so many changes of one."""
        edges = max(len(s.edges) for s in steps if isinstance(s, SegmentStep))
        if edges > MOST_EDGES:
            most = (MOST_EDGES - 2) // (4 if source.port.fill else 2)
            message = f"one step gives at most {most} shots of {source.precursor}: put the rest into a repeat"
            self.scene.wrong(document, (*at, "times"), message)

    def _whole(self, steps: list[Step]) -> tuple[Step, ...]:
        """A dose with its flow changes outside of any repeat is a turn of its own: no pause or stop comes between."""
        if self._around or len(steps) == 1:
            return tuple(steps)
        return (RepeatStep("repeat", steps[0].where, "", 1, tuple(steps)),)

    def _source(
        self, document: Document, at: Location, body: Pulse | Expose, width_s: float, width: str
    ) -> Source | None:
        """The source of a dose, checked; None with a problem when there is none."""
        found = self.scene.port_of(document, (*at, "precursor"), body.precursor)
        self.scene.incomplete |= found is None or not self._may_dose
        if not self._may_dose:
            message = "finish runs after a stop and after an expired hold too, so it opens no source: dose in deposit"
            self.scene.wrong(document, at, message)
            return None
        self._check_carrier(document, at)
        if found is None:
            return None
        name, port = found
        entry = self.scene.chemistry.precursors[name]
        mark = document.mark(at)
        self.scene.dosed.setdefault(name, mark)
        if self.scene.first_dose is None and not self.scene.incomplete:
            self.scene.first_dose = (name, mark)
        if width_s > entry.longest_opening:
            message = f"{width_s:g} s is longer than {name} may be open at once, {entry.longest_opening:g} s"
            self.scene.wrong(document, (*at, width), message + ": use times and every")
        self._shots += body.times
        if self._shots > MOST_SHOTS:
            self.scene.wrong(document, at, f"up to here there are more than {MOST_SHOTS} shots as written: use repeat")
            raise TooLong
        source = Source.at(name, port, self.scene.config)
        if misfit := source.misfit(self.scene.config, width_s, body.every):
            self.scene.wrong(document, (*at, width if misfit[0] == "time" else misfit[0]), misfit[1])
        return source

    def _check_carrier(self, document: Document, at: Location) -> None:
        if not self.carrier_sccm:
            self.scene.wrong(document, at, "no carrier flows at this dose: put 'flow: {carrier: 20 sccm}' before it")

    # --- steps of steps --------------------------------------------------------------------------------------------

    def _repeat(self, document: Document, step: Written, body: Repeat) -> Stretch:
        at: Location = (*step.at, "repeat", "steps")
        inner = self._inner(document, at, body.steps)
        if inner is None:
            return Stretch(span=closed(float("inf"), None))
        times = self._times(document, step, body)
        carrier, targets = self.carrier_sccm, dict(self.zones.targets_c)
        self._check_name(document, step, body.name)
        self._around.append(body.name)
        stretch = self._deeper(document, at, inner)
        self._around.pop()
        if times > 1:
            span = join(self.scene, stretch.span, stretch.span, self.scene.config.valves.min_closed)
            if carrier != self.carrier_sccm or targets != self.zones.targets_c:
                message = "a repeat must end with the carrier flow and the temperatures that it began with"
                self.scene.wrong(document, at, message)
        else:
            span = stretch.span
        if not stretch.steps:
            return Stretch(span=span)
        repeat = RepeatStep("repeat", self.scene.where(document, step.at), body.name or "", times, stretch.steps)
        return Stretch((repeat,), stretch.seconds * times, span)

    def _check_name(self, document: Document, step: Written, name: str | None) -> None:
        if name is not None and name in self._around:
            message = (
                f"a repeat around this one is '{name}' too, and 'ald stop --at' could not tell them apart: rename one"
            )
            self.scene.wrong(document, (*step.at, "repeat", "name"), message)

    def _times(self, document: Document, step: Written, body: Repeat) -> int:
        """How often a repeat is done: as written, and the turns that a run is extended by, within what was approved."""
        more = self.scene.more.get(self.scene.where(document, step.at), 0)
        times, at = body.times + more, (*step.at, "repeat", "times")
        outside = self.scene.recipe.outside(at, times) if document is self.scene.recipe.document else ""
        if more and times > MOST_TURNS:
            outside = f"{times} turns are more than the {MOST_TURNS} that a repeat may have"
        if more and outside:
            self.scene.wrong(document, at, outside)
        return times

    def _inner(self, document: Document, at: Location, steps: object) -> Inner | None:
        """Where the steps of a repeat stand: here, or in a define of the recipe."""
        if isinstance(steps, list):
            if not steps:
                self.scene.wrong(document, at, "a repeat without steps does nothing")
                return None
            return document, at, steps, ""
        defines = self.scene.recipe.define
        if not isinstance(steps, str) or steps not in defines:
            known = ", ".join(defines) or "none"
            message = f"'steps' is a list, or the name of one of the recipe's defines (there are: {known})"
            self.scene.wrong(document, at, message)
            return None
        return self.scene.recipe.document, ("define", steps), defines[steps], steps

    def _deeper(self, document: Document, at: Location, inner: Inner) -> Stretch:
        where, place, steps, name = inner
        if name and name in self._inside:
            self.scene.wrong(document, at, f"'{name}' contains itself")
            return Stretch()
        if self._depth >= DEEPEST:
            self.scene.wrong(document, at, f"steps are nested more than {DEEPEST} deep")
            return Stretch()
        self._depth += 1
        self._inside.append(name)
        try:
            return self._steps(where, place, steps)
        finally:
            self._inside.pop()
            self._depth -= 1

    def _use(self, document: Document, step: Written, body: Use) -> Stretch:
        block = self.scene.blocks.get(body.block)
        if block is None:
            known = ", ".join(self.scene.blocks) or "none"
            message = f"this tool has no block '{body.block[:40]}'; there are: {known}"
            self.scene.wrong(document, (*step.at, "use", "block"), message)
            return Stretch(span=closed(float("inf"), None))
        raw = document.data
        for key in (*step.at, "use"):
            raw = raw[key]
        if body.heating is not None and not takes_targets(block):
            message = f"the block '{body.block}' heats to its own targets: leave 'with' out"
            self.scene.wrong(document, (*step.at, "use", "with"), message, key=True)
        placed = block_at(block, document, step.at, raw.get("with") or {})
        outer, self.scene.prefix = self.scene.prefix, f"in block '{body.block}': "
        try:
            stretch = self._deeper(document, step.at, (placed, ("steps",), placed.data["steps"], f"block {body.block}"))
        finally:
            self.scene.prefix = outer
        return stretch


def _seconds(steps: list[Step]) -> float:
    """How long segments and settling flows take."""
    segments = sum(s.length_ns for s in steps if isinstance(s, SegmentStep)) / 1e9
    return segments + sum(s.settle_s for s in steps if isinstance(s, FlowStep))
