"""The few messages between the daemon and the valve engine. Standard library only: the real-time child imports this.

Times are nanoseconds of CLOCK_MONOTONIC (on the virtual clock: of the loop's clock), words are bit masks over the
coils of coupler A (bit 0 = coil 0).
"""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Source:
    """One precursor or source valve of the valve word, with the facts that the engine holds it to."""

    name: str  # the port, e.g. "LTB"
    mask: int  # every bit that is energised while it doses
    kind: str  # metal-organic | protic | oxidising | halide | ... : opposite kinds keep a minimum closed time
    longest_open_ns: int


@dataclass(frozen=True, slots=True)
class EngineConfig:
    """Everything that the engine must know of the tool, sent once before anything else."""

    sources: tuple[Source, ...]
    segment_mask: int  # bits that a segment may set: sources and the stop valve
    aux_mask: int  # bits set by Aux only: contactor; the alive bit is the host's own
    alive_mask: int
    rest_words: dict[str, int]  # chamber state -> word to rest in; words over segment_mask
    min_closed_ns: int  # between closing one kind and opening an opposite kind
    compatible: tuple[tuple[str, str], ...] = ()  # pairs of source names that may be open together
    lease_ns: int = 1_000_000_000
    lead_ns: int = 20_000_000
    late_ns: int = 5_000_000
    late_degraded_ns: int = 50_000_000
    confirm_ns: int = 20_000_000
    confirm_degraded_ns: int = 100_000_000
    shortest_degraded_ns: int = 200_000_000


@dataclass(frozen=True, slots=True)
class SegmentId:
    run: str
    cycle: int  # 0 outside of any cycle
    half: int  # number of the segment within the run, from 0, contiguous


@dataclass(frozen=True, slots=True)
class Segment:
    """A list of (offset_ns, word) that begins in a rest word and ends in one, lasting `length_ns` in all.

    An empty list is a pure rest (a purge). The last word must be the first edge's rest word; length ≥ last offset.
    """

    id: SegmentId
    edges: tuple[tuple[int, int], ...]
    length_ns: int


# --- to the engine -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Load:
    segment: Segment


@dataclass(frozen=True, slots=True)
class Beat:
    """The guard's heartbeat after a completed evaluation: `permit` is the mask of bits that may be opened now."""

    sequence: int
    permit: int


@dataclass(frozen=True, slots=True)
class Trim:
    """End the running dose of this segment now; the rest of the segment keeps its offsets."""

    id: SegmentId


@dataclass(frozen=True, slots=True)
class Hold:
    why: str


@dataclass(frozen=True, slots=True)
class Abort:
    why: str


@dataclass(frozen=True, slots=True)
class State:
    """The chamber state: selects the rest word, at once when the engine rests."""

    chamber: str


@dataclass(frozen=True, slots=True)
class Aux:
    """Write the non-precursor outputs in `mask` to `bits`; never opens a source, never in place of a close."""

    mask: int
    bits: int


@dataclass(frozen=True, slots=True)
class Clear:
    """Leave the held state after Hold, Abort, lease loss or a fault: an act of reset, moves no valve."""


ToEngine = EngineConfig | Load | Beat | Trim | Hold | Abort | State | Aux | Clear

# --- from the engine -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Anchored:
    """A segment got its absolute start; `added_rest_ns` is the rest that late loading added (not a fault)."""

    id: SegmentId
    at_ns: int
    added_rest_ns: int


@dataclass(frozen=True, slots=True)
class Edge:
    """One edge of a segment as it went out: when it was due, handed to the wire, and confirmed by the module."""

    id: SegmentId
    index: int
    word: int
    due_ns: int
    sent_ns: int
    confirmed_ns: int


@dataclass(frozen=True, slots=True)
class Ended:
    """A segment ran to its end."""

    id: SegmentId
    at_ns: int


@dataclass(frozen=True, slots=True)
class Missed:
    """An opening edge came too late, was not executed, and its dose is missing."""

    id: SegmentId
    index: int
    late_ns: int


@dataclass(frozen=True, slots=True)
class Refused:
    """A segment or message was refused whole; nothing moved."""

    id: SegmentId | None
    why: str


@dataclass(frozen=True, slots=True)
class Held:
    """The engine rests and has dropped what was queued: `why` is lease | permit | hold | abort | late | fault: …."""

    why: str
    id: SegmentId | None  # the segment that was cut, if one was running
    at_ns: int


@dataclass(frozen=True, slots=True)
class Fault:
    """The module or its link failed: unconfirmed edge, watchdog trip counted, read-back disagrees."""

    what: str
    at_ns: int


@dataclass(frozen=True, slots=True)
class Status:
    """What the host says of itself about ten times a second: proof of life for row K2."""

    sequence: int
    at_ns: int
    word: int  # as last confirmed by the module
    held: str  # "" or why
    connected: bool
    armed: bool
    degraded: bool  # no real-time priority
    trips: int  # the module's own count of watchdog fallbacks
    late_edges: int
    queued: int
    running: SegmentId | None
    actuations: dict[str, int] = field(default_factory=dict)


FromEngine = Anchored | Edge | Ended | Missed | Refused | Held | Fault | Status
