"""What will happen: the recipe with every name resolved to this tool, every number in fixed units, every limit checked.

A Plan is a tree of repeats: ten thousand cycles cost no more memory than one (`walk` numbers them). It crosses
process borders as JSON (`PLAN.dump_json`, `PLAN.validate_json`). `planner` makes it.
"""

from __future__ import annotations

import dataclasses
from typing import Annotated, Literal

from pydantic import Field, TypeAdapter
from pydantic.dataclasses import dataclass

Otherwise = Literal["hold", "finish", "alarm"]
Part = Literal["prepare", "deposit", "finish"]


@dataclass(frozen=True)
class Where:
    """The step's place in the recipe, for messages and the record."""

    line: int
    column: int


@dataclass(frozen=True)
class Dose:
    """One opening of one source within a segment: edge number of the opening, times in ns from the segment's start.

    Its output is energised for `width_ns` + `compensation_ns`: by so much the valve opens later than it shuts.
    """

    precursor: str
    source: str
    edge: int
    open_ns: int
    width_ns: int
    compensation_ns: int = 0
    outputs: tuple[str, ...] = ()  # what is energised for it, where that is not one output of the source's name


@dataclass(frozen=True)
class Filling:
    """When a segment's doses are enough: once the gauge shows `to_pa`; all of them given and not there: `otherwise`."""

    to_pa: float
    otherwise: Otherwise


@dataclass(frozen=True)
class SegmentStep:
    """Valve words over time, exact inside; begins and ends in rest. A purge is a segment without edges.

    With `until` its doses are the most that it gives: what is not needed stays shut, and the other edges keep their
    times.
    """

    kind: Literal["segment"]
    where: Where
    label: str  # "LiOtBu exposure", "purge 20 s"
    edges: tuple[tuple[int, int], ...]  # (offset_ns, word over source and stop bits)
    length_ns: int
    doses: tuple[Dose, ...] = ()
    until: Filling | None = None


@dataclass(frozen=True)
class FlowStep:
    """Set flow controllers to set-points in sccm; returns at once, waits `settle_s` where an exposure needs it."""

    kind: Literal["flow"]
    where: Where
    flows_sccm: dict[str, float]  # device -> sccm
    settle_s: float = 0.0


@dataclass(frozen=True)
class HeatStep:
    """Set zones to targets in °C (None = off); returns at once. Lines start first and sources stop first."""

    kind: Literal["heat"]
    where: Where
    targets_c: dict[str, float | None]  # zone -> °C
    ramp_k_per_s: float | None = None


@dataclass(frozen=True)
class PumpStep:
    """Wait until the chamber is at or below `to_pa` and proven; watch how fast the pressure falls."""

    kind: Literal["pump"]
    where: Where
    to_pa: float
    no_faster_than_pa_per_s: float | None
    timeout_s: float
    otherwise: Otherwise


@dataclass(frozen=True)
class WaitStep:
    """Wait until every zone of `zones` is within `within_k` of its target for `stay_s`, or below `below_c`."""

    kind: Literal["wait"]
    where: Where
    zones: tuple[str, ...]
    within_k: float | None
    below_c: float | None
    stay_s: float
    timeout_s: float
    otherwise: Otherwise


@dataclass(frozen=True)
class SettleStep:
    """Purge on until the chamber is at or below `below_pa`."""

    kind: Literal["settle"]
    where: Where
    below_pa: float
    timeout_s: float
    otherwise: Otherwise


@dataclass(frozen=True)
class RiseStep:
    """Shut the chamber off without flow, and measure how fast it rises, until that is slower than `below_pa_per_s`.

    `edges` and `length_ns` are the words of one such test; between two tests the chamber is purged.
    """

    kind: Literal["rise"]
    where: Where
    below_pa_per_s: float
    edges: tuple[tuple[int, int], ...]
    length_ns: int
    timeout_s: float
    otherwise: Otherwise


@dataclass(frozen=True)
class RepeatStep:
    """`steps` `times` over; a named repeat is where stop, pause, resume and extend act, the outermost unless told."""

    kind: Literal["repeat"]
    where: Where
    name: str
    times: int
    steps: tuple[Step, ...]


Act = FlowStep | HeatStep | PumpStep | WaitStep | SettleStep | RiseStep
Leaf = SegmentStep | Act
Step = Annotated[
    SegmentStep | FlowStep | HeatStep | PumpStep | WaitStep | SettleStep | RiseStep | RepeatStep,
    Field(discriminator="kind"),
]


@dataclass(frozen=True)
class LayerReading:
    """What one reading of the literature expects of a layer; `extrapolated` beyond its temperatures."""

    nm: float
    source: str
    confidence: str
    extrapolated: bool


@dataclass(frozen=True)
class Layer:
    """One film that the steps deposit, from the substrate upwards; without readings it is not known."""

    film: str
    cycles: int
    at_c: float | None
    readings: tuple[LayerReading, ...]


@dataclass(frozen=True)
class Stated:
    """A step that says itself where its figures come from."""

    where: Where
    verb: str
    provenance: str


@dataclass(frozen=True)
class Plan:
    """Everything that a run needs, and what pre-flight promises of it."""

    recipe: str
    title: str
    recipe_hash: str  # SHA-256 of the recipe's text
    tool_hash: str  # SHA-256 of the tool file's text
    substrate: str
    lithium: bool
    prepare: tuple[Step, ...]
    deposit: tuple[Step, ...]
    finish: tuple[Step, ...]
    duration_s: float
    cycles: int
    doses: int
    shortest_dose_ns: int  # refused in degraded timing when under 200 ms
    thickness_nm: float | None
    film: str
    rack: dict[str, str]  # port -> precursor, as assumed by this plan
    lithium_zones_max_c: float | None
    warnings: tuple[str, ...] = ()
    assumptions: tuple[str, ...] = ()
    parameters: dict[str, str] = dataclasses.field(default_factory=dict)
    layers: tuple[Layer, ...] = ()
    provenance: str = ""
    stated: tuple[Stated, ...] = ()  # by steps, in place of the recipe's own
    substrate_area_m2: float | None = None  # of all of its surface, holes included; None: not stated
    substrate_aspect_ratio: float | None = None  # depth over width of its holes; None: not stated


PLAN: TypeAdapter[Plan] = TypeAdapter(Plan)
