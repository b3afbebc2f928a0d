"""What an interlock table is made of: reactions, resets, facts, rows, levels and checks. `interlocks` evaluates it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Flag, IntEnum
from math import inf
from typing import Literal

from ald_controller.config import ChamberState
from ald_controller.interlocks.measures import Input, Measure
from ald_controller.interlocks.waking import Wakes, wakers, wakes_of

SCAN_LATE = "machine.scan_late_s"  # the sample that says by how much this scan came late
EVERYTHING = "*"  # the `device` of a check that explains whatever looks dead in the same scan


class Reaction(IntEnum):
    """What a cause asks for; the most severe of all causes wins."""

    NONE = 0
    WARN = 1
    BLOCK = 2
    HOLD = 3
    ABORT_PURGE = 4
    ABORT_ISOLATE = 5
    ESTOP = 6


class Reset(IntEnum):
    """Who ends a cause: AUTO by itself past its dead-band; L1 an operator; L2 an owner; L3 an owner after the key."""

    AUTO = 0
    L1 = 1
    L2 = 2
    L3 = 3


class Blocks(Flag):
    """What may not begin: an opening of a source, a run, an opening of the gate."""

    NOTHING = 0
    PULSE = 1
    START = 2
    GATE = 4
    ALL = 7


@dataclass(frozen=True, slots=True)
class Facts:
    """What the tool knows of itself in this scan; what is not known has its dangerous value."""

    process: str = "IDLE"
    chamber: ChamberState = "UNKNOWN"
    lithium: bool = True  # the load register says lithium, or does not know
    gate_proven_shut: bool = False  # shut and locked contacts both GOOD and closed
    pyrophoric: bool = True  # a bottle that burns in air hangs at a port, or nobody knows what hangs there
    step: str = ""  # kind of the running leaf of the plan (segment, flow, heat, pump, wait, settle, rise); "" = none
    part: str = ""  # prepare, deposit, finish; "" = no run
    regenerating: bool = False  # somebody has said that the purifier of the glovebox regenerates
    gate_released: bool = False  # the gate's lock was released here, after its permissive held


When = Callable[[Facts], bool]


Priority = Literal["critical", "high", "medium", "low"]


@dataclass(frozen=True, slots=True)
class Row:
    """The words of one row of the hazard matrix: cause, consequence, and what a person has to do.

    `on_delay_s` = a warning lasts this long before it is announced; `off_delay_s` = quiet this long before it is over.
    """

    id: str
    cause: str
    consequence: str
    action: str
    priority: Priority = "high"
    on_delay_s: float = 0.0
    off_delay_s: float = 10.0


@dataclass(frozen=True, slots=True)
class Level:
    """One limit of a check: at or above `limit` for `persist_s`, while `when`, it asks for `reaction`.

    It stays until the number is at or below `clear`. `blocks` narrows a BLOCK; HOLD and above block everything. A
    `fixed` level cannot be bypassed, though its row may be.
    """

    row: str
    reaction: Reaction
    limit: float
    clear: float
    reset: Reset
    when: When
    persist_s: float = 0.0
    blocks: Blocks = Blocks.ALL
    fixed: bool = False

    def __post_init__(self) -> None:
        if self.reaction >= Reaction.HOLD and self.reset is Reset.AUTO:
            raise ValueError(f"{self.row}: {self.reaction.name} must latch; give it a reset by L1, L2 or L3")
        if not self.clear < self.limit:
            raise ValueError(f"{self.row}: the clear value {self.clear:g} must be below the limit {self.limit:g}")


@dataclass(frozen=True, slots=True)
class Check:
    """One line of the table: what is measured, its levels, and what a BAD input counts as.

    `bad_as` is the number that an unbelievable input counts as, at once and without persistence; None = the measure
    sees the fault itself. `says` completes a sentence from name, number, limit and unit.
    """

    name: str  # the signal, or the zone of several
    measure: Measure
    levels: tuple[Level, ...]
    bad_as: float | None
    bad_row: str
    late_row: str = "K14"
    unit: str = ""
    says: str = "{name} is at {number:.4g} {unit}, the limit is {limit:g} {unit}"
    zone: str = ""  # the heated zone that goes off with this check at HOLD and above
    device: str = ""  # causes of untimely samples of one device are consequences of its link; see EVERYTHING
    link: bool = False  # this check is the link of `device`
    cool_c: float | None = None  # zones that touch lithium are asked for no more, with this check at HOLD and above
    quiet: float = field(init=False)  # below every limit: nothing to weigh
    clear: float = field(init=False)  # at or below it a reset may be accepted
    calm: tuple[float | None, ...] = field(init=False)
    wakers: tuple[Input, ...] = field(init=False)  # the inputs that ask for another look

    def __post_init__(self) -> None:
        latching = [level.clear for level in self.levels if level.reset]
        object.__setattr__(self, "quiet", min(level.limit for level in self.levels))
        object.__setattr__(self, "clear", min(latching, default=inf))
        object.__setattr__(self, "calm", (None,) * len(self.levels))
        object.__setattr__(self, "wakers", wakers(self.measure))

    @property
    def rows(self) -> tuple[str, ...]:
        """The ids of all rows that this check can cause."""
        return tuple(dict.fromkeys((*(level.row for level in self.levels), self.bad_row, self.late_row)))


@dataclass(frozen=True, slots=True)
class RuleSet:
    """Every check of one tool, the words for its rows, its gate contacts, and what it does not guard."""

    checks: tuple[Check, ...]
    rows: dict[str, Row]
    gate: tuple[Input, ...] = ()  # the contacts that prove the gate shut; empty = it cannot be proven
    lithium_zones: tuple[str, ...] = ()
    not_guarded: tuple[str, ...] = ()
    wakes: Wakes = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "wakes", wakes_of(check.measure for check in self.checks))
