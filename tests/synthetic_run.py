"""A run as a real one would look, written through RunJournal without hardware: for tests of records and the report."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ald_controller.interlocks import Sample
from ald_controller.plan import Dose, Plan
from ald_controller.records.folder import Lane, Papers, RunHeader, ZoneFacts
from ald_controller.records.journal import RunJournal
from ald_controller.stamp import Anchor
from ald_controller.valves.wire import Edge, SegmentId

START_S = 5_000.0
NS = 1_000_000_000
MS = 1_000_000
STOP = 64
BASE_TORR = 0.31
RECIPE = """\
recipe: lialo-on-lithium
title: Lithium aluminium oxide on lithium foil
substrate: lithium foil
parameters:
  cycles: {default: 60, range: [1, 500]}
prepare:
  - use: {block: standard heat-up, with: {substrate: 150 °C}}
deposit:
  - repeat: $cycles
    name: supercycle
    steps:
      - expose: {precursor: LiOtBu, pulse: 1 s, hold: 8 s}   # <fill & soak>
      - purge: 20 s
      - pulse: {precursor: H2O, time: 15 ms}
      - purge: 20 s
"""
GROWS_NM = {1: 0.05, 2: 0.01, 4: 0.2}  # on a crystal, by what opens: 0.27 nm in a whole cycle
LANES = (
    Lane("TMA", 1, "source"), Lane("H2O", 2, "source"), Lane("LTB", 4, "source"), Lane("GL", 8, "source"),
    Lane("stop", STOP, "stop", shuts=True),
)  # fmt: skip


@dataclass
class Clock:
    """Loop time that the test moves."""

    now: float = START_S

    def __call__(self) -> float:
        return self.now


@dataclass(frozen=True)
class Segment:
    label: str
    edges: tuple[tuple[int, int], ...]
    length_ns: int
    doses: tuple[Dose, ...] = ()


def pulse(precursor: str, source: str, mask: int, width_ms: int, purge_s: float) -> Segment:
    """One short dose and its purge."""
    dose = Dose(precursor, source, 0, 0, width_ms * MS)
    return Segment(f"{precursor} {width_ms} ms", ((0, mask), (width_ms * MS, 0)), int(purge_s * NS), (dose,))


def exposure() -> Segment:
    """LiOtBu into the shut chamber, soak, open, purge."""
    edges = ((0, STOP), (1 * NS, STOP | 4), (2 * NS, STOP), (10 * NS, 0))
    return Segment("LiOtBu exposure", edges, 30 * NS, (Dose("LiOtBu", "LTB", 1, 1 * NS, 1 * NS),))


CYCLE = (exposure(), pulse("H2O", "H2O", 2, 15, 20), pulse("TMA", "TMA", 1, 15, 20), pulse("H2O", "H2O", 2, 15, 20))


def plan(cycles: int = 60) -> Plan:
    return Plan(
        recipe="lialo-on-lithium", title="Lithium aluminium oxide on lithium foil", recipe_hash="5b" * 32,
        tool_hash="c0" * 32, substrate="lithium foil", lithium=True, prepare=(), deposit=(), finish=(),
        duration_s=cycles * 90.0 + 900, cycles=cycles, doses=4 * cycles, shortest_dose_ns=15 * MS,
        thickness_nm=0.27 * cycles, film="LiAlO", rack={"TMA": "TMA", "H2O": "H2O", "LTB": "LiOtBu", "GL": "glycerol"},
        lithium_zones_max_c=150.0, warnings=("the water bottle was last weighed 41 days ago",),
        assumptions=("growth per cycle 0.27 nm at 150 °C from the film table",), parameters={"cycles": str(cycles)},
    )  # fmt: skip


def header(cycles: int = 60, **changes: Any) -> RunHeader:
    p = plan(cycles)
    fields = RunHeader(
        recipe=p.recipe, title=p.title, recipe_hash=p.recipe_hash, tool="reference",
        tool_title="Reference ALD/MLD reactor on an argon glovebox", tool_hash=p.tool_hash, substrate=p.substrate,
        lithium=True, film=p.film, thickness_nm=p.thickness_nm, cycles=cycles, doses=p.doses, duration_s=p.duration_s,
        parameters=p.parameters, rack=p.rack, who="mara", door="local",
        anchor=Anchor(1_934_973_000.0, START_S, "11111111-2222-3333-4444-555555555555"), valves=LANES,
        signals={"pressure": "coupler-b.pressure_torr", "glovebox_o2": "coupler-b.o2_ppm",
                 "glovebox_h2o": "coupler-b.h2o_ppm", "gate_shut": "coupler-b.gate_shut"},
        zones={"substrate": ZoneFacts("substrate", "substrate", 300.0),
               "chamber": ZoneFacts("chamber", "chamber", 250.0),
               "source-3": ZoneFacts("source-3", "source", 180.0),
               "lines": ZoneFacts("lines", "line", 200.0)},
        limits={"lithium_warn": 160.0, "lithium_trip": 170.0, "glovebox_warn": 1.0, "glovebox_block": 5.0,
                "glovebox_trip": 10.0},
        lithium_max_c=150.0, warnings=p.warnings, assumptions=p.assumptions, simulated=True, start_s=START_S,
    )  # fmt: skip
    return replace(fields, **changes)


def papers(cycles: int = 60) -> Papers:
    registers = {
        "chamber": "VACUUM",
        "load": {"substrate": "lithium foil", "sample": "LF-0412"},
        "bottle.LTB": "LiOtBu",
    }
    return Papers(plan(cycles), RECIPE, "tool: reference\ntitle: Reference reactor\n", registers)


@dataclass
class Synthetic:
    """Writes one run, cycle by cycle; `rate` scales how often channels are read (1.0 = as the real tool polls)."""

    journal: RunJournal
    clock: Clock
    rate: float = 1.0
    seed: int = 7
    half: int = 0
    pressure: float = BASE_TORR
    shut: bool = False
    openings: list[tuple[float, float]] = field(default_factory=list)
    grown_nm: float | None = None  # on a crystal; None: there is none

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)
        self.read_s = self.clock.now

    async def prepare(self, seconds: float = 600.0) -> None:
        """Heat up, with readings."""
        self.journal.event("command", who="mara", door="local", verb="start", code="started")
        self.journal.event("part", part="prepare")
        self.journal.event("step", label="heat substrate 150 °C", part="prepare", cycle=0)
        self.read_until(self.clock.now + seconds)
        self.journal.event("part", part="deposit")

    async def cycle(self, number: int, *, missed: bool = False) -> None:
        """One turn of four segments; a missed one gives no water in its second half-cycle."""
        for i, segment in enumerate(CYCLE):
            await self.segment(segment, number, missed=missed and i == 1)

    async def segment(self, segment: Segment, cycle: int, *, missed: bool = False, cut_s: float | None = None) -> None:
        """One segment with its edges and the readings of its time; `cut_s`: held so long after its start."""
        id = SegmentId(self.journal.run, cycle, self.half)
        self.half += 1
        await self.journal.intent(id, segment.label, segment.doses, cycle, "deposit")
        start_ns = round(self.clock.now * NS)
        self.journal.event("anchored", half=id.half, at_ns=start_ns, added_rest_ns=0)
        self.journal.event("step", label=segment.label, part="deposit", cycle=cycle)
        end_ns = segment.length_ns if cut_s is None else round(cut_s * NS)
        edges = [] if missed else [e for e in segment.edges if e[0] <= end_ns]
        for index, (offset, word) in enumerate(edges):
            self.read_until((start_ns + offset) / NS)
            due = start_ns + offset
            sent = due + round(abs(self.random.gauss(28_000, 14_000))) + (180_000 if self.random.random() < 0.01 else 0)
            self.journal.edge(Edge(id, index, word, due, sent, sent + round(self.random.gauss(1.1e6, 1.5e5))))
            self.shut = bool(word & STOP)
            self.openings += [(due / NS, 1.2)] if word & 7 else []
            if self.grown_nm is not None:
                self.grown_nm += sum(nm for mask, nm in GROWS_NM.items() if word & mask)
        if missed:
            self.journal.event("missed", half=id.half, cycle=cycle, edge=0, late_ns=7_300_000)
        self.read_until((start_ns + end_ns) / NS)
        if cut_s is not None:
            at_ns = start_ns + end_ns
            self.journal.event("held", why="T1: substrate above 170 °C", at_ns=at_ns, half=id.half)

    def read_until(self, until_s: float) -> None:
        """Readings of every channel up to this moment; moves the clock."""
        step = 0.1 / self.rate
        n = 0
        while self.read_s + step <= until_s:
            self.read_s += step
            n += 1
            self.clock.now = self.read_s
            self._read(self.read_s, step, slow=round(self.read_s / step) % 5 == 0)
        self.clock.now = until_s

    def _read(self, t: float, step: float, *, slow: bool) -> None:
        noise = self.random.gauss
        inflow = sum(0.28 * math.exp(-((t - at) / width)) for at, width in self.openings if 0 <= t - at < 8)
        self.openings = [o for o in self.openings if t - o[0] < 8]
        target = BASE_TORR + inflow + (2.2 if self.shut else 0.0)
        self.pressure += (target - self.pressure) * (1 - math.exp(-step / (4.0 if self.shut else 0.35)))
        values = {
            "coupler-b.pressure_torr": max(0.001, self.pressure + noise(0, 0.002)),
            "pirani.pressure_pa": self.pressure * 133.3 * (1 + noise(0, 0.01)),
            "carrier.flow_sccm": 5.0 if self.shut else 20.0 + noise(0, 0.02),
            "coupler-b.o2_ppm": 0.31 + 0.1 * math.sin(t / 700) + noise(0, 0.01),
            "coupler-b.h2o_ppm": 0.12 + 0.03 * math.sin(t / 900 + 1) + noise(0, 0.004),
            "coupler-b.gate_shut": 1.0,
        }
        if slow:
            if self.grown_nm is not None:
                values["film.thickness_nm"] = self.grown_nm
            warm = 1 - math.exp(-(t - START_S) / 150)
            for zone, goal in (("substrate", 150.0), ("chamber", 145.0), ("source-3", 140.0), ("lines", 160.0)):
                values[f"{zone}.temperature_c"] = 24 + (goal - 24) * warm + noise(0, 0.08)
                values[f"{zone}.working_setpoint_c"] = min(goal, 24 + (t - START_S) * 0.9)
        self.journal.readings({channel: Sample(value, t) for channel, value in values.items()})


async def begin(root: Path, cycles: int = 60, rate: float = 1.0, *, inline: bool = True, **changes: Any) -> Synthetic:
    """A new run folder below `root` with its journal open."""
    clock = Clock()
    journal = await RunJournal.create(
        root, header=header(cycles, **changes), papers=papers(cycles), inline=inline, clock=clock
    )
    return Synthetic(journal, clock, rate)


async def write_run(root: Path, cycles: int = 60, rate: float = 1.0, **changes: Any) -> Path:
    """A completed run with one missed dose in the middle; returns its folder."""
    run = await begin(root, cycles, rate, **changes)
    await run.prepare()
    for number in range(1, cycles + 1):
        if number == cycles // 2:
            run.journal.event("alarm", row="G1", reaction="warn", text="glovebox O2 above 1 ppm", latched=False)
        await run.cycle(number, missed=number == cycles // 2)
    run.journal.event("part", part="finish")
    run.read_until(run.clock.now + 60)
    await run.journal.close("completed", {"doses_confirmed": 4 * cycles - 1, "doses_planned": 4 * cycles})
    return run.journal.folder
