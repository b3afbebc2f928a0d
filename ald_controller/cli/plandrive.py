"""A Plan straight into the simulated reactor: the same words and flows as a run gives it, without a wire or a daemon.

Zones are as warm as the plan asks the moment it asks, and a wait takes only its `stay`: what is left out is heating,
and every reply of a device. The film is that of a run to within what heating and waiting change.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from pathlib import Path

import yaml

from ald_controller.plan import (
    FlowStep,
    HeatStep,
    Leaf,
    Plan,
    PumpStep,
    RepeatStep,
    RiseStep,
    SegmentStep,
    SettleStep,
    Step,
    WaitStep,
)
from ald_controller.recipe import read_recipe
from ald_controller.yamlfile import read
from simulators.plant import Plant
from simulators.plant.heat import ROOM_C
from simulators.plant.sample import Sample, sample_of
from simulators.world import wiring

PUMPED_S = 60.0
ALIKE, STEADY = 8, 1e-6  # so many turns that differ by no more than this share: so will those that follow
LOOK_S = 1.0  # how often a purge that waits for a pressure looks
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # the same language, read in C: ten times as fast


class NeverSettles(Exception):
    """A purge that waits for a pressure ran into its time limit, where a run would stop and wait for a person."""


def sample_for(recipe: Path, parameters: Mapping[str, str] | None = None) -> Sample | None:
    """What the recipe says lies in the chamber, as the simulated reactor takes it; None where it does not say."""
    substrate = read_recipe(read(recipe), parameters or {})[0].substrate
    if substrate is None:
        return None
    small = Sample()
    try:
        return sample_of(substrate.material, substrate.area or small.area_m2, float(substrate.aspect_ratio or 0))
    except ValueError:  # no table knows it, which check says of it
        return None


class Drive:
    """One plan over one plant, from the first step of `prepare` to the last of `deposit`.

    `readings`: film -> by which reading of the literature it grows, from 1, where that is not the first.
    """

    def __init__(
        self, plan: Plan, tool: str, sample: Sample | None = None, readings: Mapping[str, int] | None = None
    ) -> None:
        self._plan, self._at_s = plan, 0.0
        wired = wiring(yaml.load(tool, Loader=_LOADER), plan.rack)
        self.plant = Plant(wired, at_s=0.0, sample=sample, readings=readings)
        self.plant.heat.hold({})

    def run(self) -> float:
        """Let the plan happen and return the thickness in nm; raises NeverSettles."""
        self._take(self._plan.prepare)
        self._take(self._plan.deposit)
        return self.plant.thickness_nm(self._at_s)

    def _take(self, steps: Iterable[Step]) -> None:
        for step in steps:
            if isinstance(step, RepeatStep):
                self._turns(step)
            else:
                self._do(step)

    def _turns(self, repeat: RepeatStep) -> None:
        """Every turn until they are all alike; the rest grow the layers of the last one, as the host takes them."""
        surface = self.plant.surface
        seen: deque[dict[str, float]] = deque(maxlen=ALIKE)
        for turn in range(repeat.times):
            before = dict(surface.layers)
            self._take(repeat.steps)
            self.plant.advance(self._at_s)
            seen.append({film: count - before.get(film, 0.0) for film, count in surface.layers.items()})
            if len(seen) == ALIKE and _alike(seen):
                for _ in range(repeat.times - 1 - turn):
                    surface.grow_again(seen[-1])
                return

    def _do(self, leaf: Leaf) -> None:
        if isinstance(leaf, SegmentStep):
            for offset_ns, word in leaf.edges:
                self.plant.valve_word(self._at_s + offset_ns / 1e9, word)
            self._at_s += leaf.length_ns / 1e9
        elif isinstance(leaf, FlowStep):
            for device, sccm in leaf.flows_sccm.items():
                self.plant.set_flow(device, sccm, self._at_s)
            self._at_s += leaf.settle_s
        elif isinstance(leaf, HeatStep):
            self.plant.advance(self._at_s)
            self.plant.heat.hold({zone: ROOM_C if goal is None else goal for zone, goal in leaf.targets_c.items()})
        elif isinstance(leaf, SettleStep):
            self._settle(leaf)
        else:
            self._at_s += _takes_s(leaf)

    def _settle(self, leaf: SettleStep) -> None:
        give_up_s = self._at_s + leaf.timeout_s
        while self.plant.pressure_pa(self._at_s) > leaf.below_pa:
            if self._at_s > give_up_s:
                raise NeverSettles(f"line {leaf.where.line}: never below {leaf.below_pa:.3g} Pa")
            self._at_s += LOOK_S
        self._at_s += LOOK_S


def _alike(turns: Iterable[Mapping[str, float]]) -> bool:
    """Whether turns grew the same layers of each film."""
    by_film: dict[str, list[float]] = {}
    for layers in turns:
        for film, count in layers.items():
            by_film.setdefault(film, []).append(count)
    return all(max(counts) - min(counts) <= STEADY * max(counts) for counts in by_film.values())


def _takes_s(leaf: PumpStep | WaitStep | RiseStep) -> float:
    if isinstance(leaf, WaitStep):
        return leaf.stay_s
    return leaf.length_ns / 1e9 if isinstance(leaf, RiseStep) else PUMPED_S
