"""One cycle over and over in a well-mixed chamber, until a turn grows what the turn before it grew."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import zip_longest
from math import exp, isclose, pi, sqrt
from typing import NamedTuple

from ald_controller.chemistry import Chemistry, Film, Precursor
from ald_controller.config import ToolConfig
from ald_controller.curves import ZERO_K
from ald_controller.foresight.bottles import Bottle, bottle_of
from ald_controller.foresight.pools import pass_time
from ald_controller.foresight.sites import Sites
from ald_controller.foresight.timeline import Cycle, Half, Stage
from ald_controller.foresight.vessel import (
    AVOGADRO,
    BOLTZMANN,
    GAS_CONSTANT,
    MOL_S_PER_SCCM,
    Vessel,
)

MOST_TURNS, LEAST_TURNS, STEADY = 12, 2, 2e-4
MOST_STEPS = 20_000  # no turn begins after so many: a thousand shots or days of hold are not followed for long
ALIKE, SAME = 40, 1e-5  # stages that are followed in any case; how little a shot changes that leaves all as it was
DOSE_STEP_S, STEP_S, LONGEST_S = 0.004, 0.01, 10.0
GROWS = 0.15  # of the time since something was switched: the next step
ROUNDS, CLOSE = 12, 2e-3
TRACE_PA = 1e-6


class Instant(NamedTuple):
    """One moment of the last turn: s from its begin, Pa in all, and Pa of each vapour in the order of the halves."""

    at_s: float
    total_pa: float
    vapours_pa: tuple[float, ...]


@dataclass(slots=True)
class Seen:
    """What one half-cycle of the last turn saw."""

    exposure_pa_s: float = 0.0  # until the next source opens
    peak_pa: float = 0.0  # of its vapour
    highest_pa: float = 0.0  # of everything
    end_pa: float = 0.0  # of everything, at the end of what is shut in
    moles: float = 0.0
    moved: float = 0.0  # sites that its step moved in its own half-cycle, and later
    late: float = 0.0
    left_pa: float = 0.0  # of its vapour, when the next source opens
    filled: float = 0.0  # of saturation in its headspace, when it opens
    base_pa: float = 0.0  # of everything, when it opens


@dataclass(slots=True)
class Gas:
    """One precursor of a cycle in the gas, on walls and over its bottle."""

    name: str
    entry: Precursor
    bottle: Bottle
    step: int  # of the film; -1: it takes part in none
    per_m2: float  # molecules of vapour that react per m², Pa and s on free sites
    per_site: float  # reactions per site, Pa and s
    stay_s: float
    probability: float  # of sticking
    gas_pa: float = 0.0
    wall_pa: float = 0.0


@dataclass(slots=True)
class Steady:
    """What a steady turn of a cycle does; `grown` in layers, of all its steps the last one's."""

    grown: float
    turns: int
    seen: list[Seen]
    trace: list[Instant] = field(default_factory=list)
    steps: int = 0  # that it took


def reacting_per_m2(entry: Precursor, celsius: float) -> float:
    """Molecules of vapour that react per m², Pa and s: sticking times impingement (Hertz and Knudsen)."""
    molecule_kg = entry.molar_mass_g_per_mol * 1e-3 / AVOGADRO
    return entry.sticking.on(celsius) / sqrt(2.0 * pi * molecule_kg * BOLTZMANN * (celsius + ZERO_K))


class Shots:
    """Shots and gaps that are alike for long: once one leaves all as it found it, the next need not be followed.

    The last one is, as what comes after it depends on it.
    """

    def __init__(self, stages: Sequence[Stage]) -> None:
        self._stages = stages
        self._state: list[float] = []
        self._sums: list[float] = []
        self.gained: list[float] = []

    def seconds(self, k: int) -> float:
        """How long the shot and the gap before stage `k` last."""
        return self._stages[k - 2].seconds + self._stages[k - 1].seconds

    def skipped(self, k: int, state: list[float], sums: list[float]) -> int:
        """How many shots after stage `k` are like the last one, which gave `gained`; `sums` run from the beginning."""
        found, self._state = self._state, state
        self.gained, self._sums = [now - then for now, then in zip(sums, self._sums or sums, strict=True)], sums
        if not all(isclose(a, b, rel_tol=SAME, abs_tol=1e-9) for a, b in zip_longest(state, found, fillvalue=-1.0)):
            return 0
        ahead = k
        while ahead < len(self._stages) and self._stages[ahead] == self._stages[ahead - 2]:
            ahead += 1
        return max(0, (ahead - k) // 2 - 1)


class Reactor:
    """The chamber in one cycle; the steps that are taken are short after a switch and long in a quiet."""

    def __init__(self, cycle: Cycle, vessel: Vessel, chemistry: Chemistry, config: ToolConfig) -> None:
        self.cycle, self.vessel = cycle, vessel
        film = chemistry.films[cycle.film] if cycle.film else None
        surface_c = cycle.wall_c if cycle.surface_c is None else cycle.surface_c
        self.gases = _gases(cycle, vessel, chemistry, config, film, surface_c)
        self.by_port = {half.port: self.gases[half.precursor] for half in cycle.halves}
        soft = film.soft if film else None
        classes = ((1.0 - soft.share, 1.0), (soft.share, soft.factor)) if soft else ((1.0, 1.0),)
        self.sites = Sites(len(film.precursors) if film else 2, classes)
        self.rise = GAS_CONSTANT * (cycle.wall_c + ZERO_K) / vessel.volume_m3  # Pa per mol
        self.eats = (vessel.wall_m2 + vessel.sample_m2) / AVOGADRO * self.rise  # Pa per molecule on a m²
        first = cycle.halves[0].stages[0]
        self.carrier_sccm, self.push_sccm, self.open = first.carrier_sccm, 0.0, 1.0
        self.inert_pa = vessel.ultimate_pa + self.carrier_sccm * MOL_S_PER_SCCM * self.rise * vessel.decay_s
        self.grown = 0.0
        self.seen: list[Seen] = []
        self.trace: list[Instant] | None = None
        self.at_s, self.steps = 0.0, 0

    def steady(self) -> Steady:
        """Turns until one grows as much as the one before."""
        before = -1.0
        for turn in range(1, MOST_TURNS + 1):
            self.grown, self.at_s, self.trace = 0.0, 0.0, []
            self.seen = [Seen() for _ in self.cycle.halves]
            for i, half in enumerate(self.cycle.halves):
                self._half(i, half)
            if self.steps > MOST_STEPS or (
                turn >= LEAST_TURNS and abs(self.grown - before) < STEADY * max(self.grown, 0.01)
            ):
                break
            before = self.grown
        return Steady(self.grown, turn, self.seen, self.trace or [], self.steps)

    def _half(self, i: int, half: Half) -> None:
        seen, gas = self.seen[i], self.gases[half.precursor]
        opened = False
        shots = Shots(half.stages)
        k = 0
        while k < len(half.stages):
            stage = half.stages[k]
            if stage.port and not opened:
                opened = True
                seen.filled, seen.base_pa = gas.bottle.share, self.total_pa
            self._stage(stage, i, half)
            k += 1
            if stage.shut and not (k < len(half.stages) and half.stages[k].shut):
                seen.end_pa = max(seen.end_pa, self.total_pa) if gas.gas_pa > 1e-3 * seen.peak_pa else seen.end_pa
            if k >= ALIKE and k % 2 == 0:
                sums = [seen.moles, seen.exposure_pa_s, seen.moved, self.grown]
                skipped = shots.skipped(k, self._state(), sums)
                moles, exposure, moved, grown = (skipped * gained for gained in shots.gained)
                seen.moles += moles
                seen.exposure_pa_s += exposure
                seen.moved += moved
                self.grown += grown
                self.at_s += skipped * shots.seconds(k)
                k += 2 * skipped
        seen.left_pa = gas.gas_pa

    def _state(self) -> list[float]:
        """All that the next stage depends on."""
        gases = self.gases.values()
        vapours = [amount for gas in gases for amount in (gas.gas_pa, gas.wall_pa, gas.bottle.headspace_pa)]
        flows = [self.inert_pa, self.open, self.carrier_sccm, self.push_sccm]
        return [*vapours, *flows, *(share for shares in self.sites.shares for share in shares)]

    @property
    def total_pa(self) -> float:
        return self.inert_pa + sum(gas.gas_pa for gas in self.gases.values())

    def _stage(self, stage: Stage, i: int, half: Half) -> None:
        since = 0.0
        while stage.seconds - since > 1e-9:
            if stage.port and stage.until_pa is not None and self.total_pa >= stage.until_pa:
                stage = stage._replace(port=None)
            dt_s = min(self._longest(stage, since), stage.seconds - since)
            self._step(stage, dt_s, i, half)
            since += dt_s
            self.steps += 1
            self.at_s += dt_s
            if self.trace is not None:
                self.trace.append(Instant(self.at_s, self.total_pa, tuple(gas.gas_pa for gas in self.gases.values())))

    def _longest(self, stage: Stage, since_s: float) -> float:
        if stage.port:
            return min(DOSE_STEP_S + GROWS * since_s, 0.1)
        moving = abs(self.open - (not stage.shut)) > 1e-3 or abs(self.carrier_sccm - stage.carrier_sccm) > 1e-2
        return min(STEP_S + GROWS * since_s, 0.1 if moving else LONGEST_S)

    def _step(self, stage: Stage, dt_s: float, i: int, half: Half) -> None:
        away = self._pump(stage, dt_s)
        fed: dict[str, float] = {}
        if stage.port:
            gas = self.by_port[stage.port]
            moles = gas.bottle.give(dt_s, self.total_pa, self.push_sccm + self._bubbled(stage))
            self.seen[i].moles += moles
            fed[gas.name] = moles * self.rise / dt_s
        for other in self.gases.values():
            if other.name not in fed:
                other.bottle.rest(dt_s)
        self._react(fed, away, dt_s, i, half)
        seen, total = self.seen[i], self.total_pa
        seen.peak_pa = max(seen.peak_pa, self.gases[half.precursor].gas_pa)
        seen.highest_pa = max(seen.highest_pa, total)

    def _bubbled(self, stage: Stage) -> float:
        gas = self.by_port[stage.port] if stage.port else None
        return stage.carrier_sccm if gas and gas.bottle.bubbled else 0.0

    def _pump(self, stage: Stage, dt_s: float) -> float:
        """Move flows and stop valve on, and with them the inert gas; returns the share that is pumped per s."""
        vessel, kept = self.vessel, exp(-dt_s / self.vessel.stop_lag_s)
        goal = 0.0 if stage.shut else 1.0
        mean = goal + (self.open - goal) * (1.0 - kept) * vessel.stop_lag_s / dt_s
        self.open = goal + (self.open - goal) * kept
        follow = exp(-dt_s / vessel.flow_lag_s)
        self.carrier_sccm = stage.carrier_sccm + (self.carrier_sccm - stage.carrier_sccm) * follow
        self.push_sccm = stage.push_sccm + (self.push_sccm - stage.push_sccm) * follow
        pumped = mean * vessel.pumping_m3_s + vessel.past_stop_m3_s
        away = pumped / vessel.volume_m3
        fed = (self.carrier_sccm + self.push_sccm) * MOL_S_PER_SCCM * self.rise
        fed += (vessel.leak_pa_m3_s + pumped * vessel.ultimate_pa) / vessel.volume_m3
        level, kept = fed / away, exp(-away * dt_s)
        self.inert_pa = level + (self.inert_pa - level) * kept
        return away

    def _react(self, fed: dict[str, float], away: float, dt_s: float, i: int, half: Half) -> None:
        """Gas, walls and sites of one step: what the sites take is what the gas loses."""
        live = [g for g in self.gases.values() if g.name in fed or g.gas_pa > TRACE_PA or g.wall_pa > TRACE_PA]
        ready = {gas.name: self.sites.ready(gas.step) if gas.step >= 0 else 0.0 for gas in live}
        for _ in range(ROUNDS):
            pools = {
                gas.name: pass_time(
                    gas.gas_pa, gas.wall_pa, fed.get(gas.name, 0.0),
                    away + gas.per_m2 * self.eats * ready[gas.name], gas.stay_s, self.vessel.wall_share, dt_s,
                )
                for gas in live
            }  # fmt: skip
            doses = [0.0] * self.sites.steps
            for gas in live:
                if gas.step >= 0:
                    doses[gas.step] = gas.per_site * pools[gas.name][2]
            shares, moved = self.sites.after(doses)
            found = {gas.name: _found(moved, doses, gas.step) for gas in live}
            far = max((abs(found[g.name] - ready[g.name]) * g.per_m2 * self.eats * dt_s for g in live), default=0.0)
            ready = found
            if far < CLOSE:
                break
        self._keep(live, pools if live else {}, shares if live else self.sites.shares, moved if live else [], i, half)

    def _keep(
        self, live: list[Gas], pools: dict[str, tuple[float, float, float]], shares: list[list[float]],
        moved: list[float], i: int, half: Half,
    ) -> None:  # fmt: skip
        self.sites.shares = shares
        for gas in live:
            gas.gas_pa, gas.wall_pa, exposure = pools[gas.name]
            own = gas.name == half.precursor
            if own:
                self.seen[i].exposure_pa_s += exposure
            if gas.step >= 0:
                at = i if own else self._of(gas.name)
                self.seen[at].moved += moved[gas.step]
                self.seen[at].late += 0.0 if own else moved[gas.step]
                self.grown += moved[gas.step] if gas.step == self.sites.steps - 1 else 0.0

    def _of(self, precursor: str) -> int:
        return next(i for i, half in enumerate(self.cycle.halves) if half.precursor == precursor)


def _found(moved: list[float], doses: list[float], step: int) -> float:
    """The mean share of sites that a step found, from what it moved."""
    return moved[step] / doses[step] if step >= 0 and doses[step] > 1e-15 else 0.0


def _gases(
    cycle: Cycle, vessel: Vessel, chemistry: Chemistry, config: ToolConfig, film: Film | None, surface_c: float
) -> dict[str, Gas]:
    steps = [chemistry.names[name] for name in film.precursors] if film else []
    sites_m2 = film.sites_m2(surface_c) if film else 1.0
    out: dict[str, Gas] = {}
    for half in cycle.halves:
        entry = chemistry.precursors[half.precursor]
        bottle = bottle_of(entry, config.ports[half.port], dict(cycle.bottles_c)[half.port], vessel)
        step = steps.index(half.precursor) if half.precursor in steps else -1
        per_m2 = reacting_per_m2(entry, surface_c) if step >= 0 else 0.0
        per_site = per_m2 * entry.vapour.monomers / sites_m2
        stay_s, sticks = entry.walls.stay_s(cycle.wall_c), entry.sticking.on(surface_c)
        out[half.precursor] = Gas(half.precursor, entry, bottle, step, per_m2, per_site, stay_s, sticks)
    return out
