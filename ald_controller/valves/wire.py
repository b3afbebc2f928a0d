"""The few messages between the daemon and the valve engine. Standard library only: the real-time child imports this.

Times are nanoseconds of CLOCK_MONOTONIC (on the virtual clock: of the loop's clock), words are bit masks over the
coils of coupler A (bit 0 = coil 0).
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, fields, is_dataclass
from operator import index
from typing import Any, NamedTuple

VERSION = 1


class ValveError(Exception):
    """The valve path failed: the text says what was found and what would be right."""


class SegmentRefused(ValveError):
    """The engine refused a segment whole; the text is its sentence."""


@dataclass(frozen=True, slots=True)
class Position:
    """A position of a source in which it is neither shut nor doses: a volume is filled, a bottle drawn on."""

    name: str  # e.g. "fill"
    mask: int  # every bit that is energised in it
    longest_ns: int


@dataclass(frozen=True, slots=True)
class Source:
    """One bottle on the valve word, with the facts that the engine holds it to; without any bit it is shut."""

    name: str  # the port, e.g. "LTB"
    mask: int  # every bit that is energised while it doses
    kind: str  # metal-organic | protic | oxidising | halide | ... : opposite kinds keep a minimum closed time
    longest_open_ns: int
    shortest_open_ns: int = 0  # below it the valve does not open, or not the same way twice
    positions: tuple[Position, ...] = ()


@dataclass(frozen=True, slots=True)
class EngineConfig:
    """Everything that the engine must know of the tool, sent before anything else.

    Sent again, while nothing runs, when other bottles hang at the ports: only kinds and longest openings may differ.
    """

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
    """A list of (offset_ns, word) that is entered from the rest word and ends in it, lasting `length_ns` in all.

    An empty list is a pure rest (a purge). The engine rests between segments, so the first word is the first change;
    the last word must be the rest word again; length ≥ last offset.
    """

    id: SegmentId
    edges: tuple[tuple[int, int], ...]
    length_ns: int


# --- to the engine -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Load:
    segment: Segment


class Beat(NamedTuple):  # made ten times a second, as is Status: a tuple costs half of a frozen dataclass
    """The guard's heartbeat after a completed evaluation: `permit` is the mask of bits that may be opened now."""

    sequence: int
    permit: int


@dataclass(frozen=True, slots=True)
class Trim:
    """End the running dose of this segment now, and with `last` open nothing more in it.

    The rest of the segment keeps its offsets.
    """

    id: SegmentId
    last: bool = False


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
    """A segment was accepted and has its absolute start.

    `added_rest_ns` is the rest that late loading added behind the segment before it (not a fault).
    """

    id: SegmentId
    at_ns: int
    added_rest_ns: int


@dataclass(frozen=True, slots=True)
class Edge:
    """One edge of a segment as it went out: when it was due, handed to the wire, and confirmed by the module.

    A dose cut short has its closing edge here, too, due when the cut was asked for. `confirmed_ns` is 0 when the
    module never confirmed. `word` is as written, auxiliary outputs included. An edge that a missed or trimmed dose
    left without any effect is not written and not told.
    """

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
    """The engine rests and has dropped what was queued.

    `why` begins with its kind: lease | permit: … | hold: … | abort: … | late: … | state: … | fault: … | end of file.
    """

    why: str
    id: SegmentId | None  # the segment that was cut, if one was running
    at_ns: int


@dataclass(frozen=True, slots=True)
class Fault:
    """The module or its link failed: unconfirmed edge, watchdog trip counted, read-back disagrees.

    `word` is what was read back where that is not what was written: more may have stood open than ever was asked for.
    """

    what: str
    at_ns: int
    word: int | None = None


class Status(NamedTuple):
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


@dataclass(frozen=True, slots=True)
class Wear:
    """How often each output was energised and for how long in all, by coil, since this valve process started.

    Told at most once a second, when something changed.
    """

    at_ns: int
    actuations: tuple[int, ...]
    on_ns: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Lateness:
    """How late this computer woke the valve process in the self-test that comes before its first Status."""

    n: int
    p50_ns: int
    p99_ns: int
    max_ns: int


FromEngine = Anchored | Edge | Ended | Missed | Refused | Held | Fault | Status | Wear | Lateness

# --- as bytes: one datagram per message ----------------------------------------------------------------------------


def encode(message: ToEngine | FromEngine) -> bytes:
    """One message as JSON: version, name, and the fields in their order."""
    return json.dumps([VERSION, type(message).__name__, _plain(message)], separators=(",", ":")).encode()


def _plain(value: Any) -> Any:
    if is_dataclass(value):
        return [_plain(getattr(value, each.name)) for each in fields(value)]
    return [_plain(each) for each in value] if isinstance(value, tuple) else value


def decode(data: bytes) -> ToEngine | FromEngine:
    """The message in one datagram. Raises ValveError for another version and for what is no message."""
    try:
        version, name, values = json.loads(data)
        if version != VERSION:
            raise ValveError(f"a valve message of version {version} came, version {VERSION} is spoken here")
        return _MADE_BY[name](*values)
    except (ValueError, TypeError, KeyError) as error:
        raise ValveError(f"no valve message: {data[:200]!r} ({error})") from error


def _id(values: list[Any] | None) -> SegmentId | None:
    return None if values is None else _segment_id(values)


def _segment_id(values: list[Any]) -> SegmentId:
    run, cycle, half = values
    return SegmentId(run, index(cycle), index(half))


def _segment(id: list[Any], edges: list[list[int]], length_ns: int) -> Segment:
    return Segment(_segment_id(id), tuple((index(at), index(word)) for at, word in edges), index(length_ns))


def _source(name: str, mask: int, kind: str, longest: int, shortest: int, positions: list[list[Any]]) -> Source:
    made = tuple(Position(str(name), index(mask), index(longest_ns)) for name, mask, longest_ns in positions)
    return Source(str(name), index(mask), str(kind), index(longest), index(shortest), made)


def _config(
    sources: list[list[Any]], segment: int, aux: int, alive: int, rest: dict[str, int], closed: int,
    compatible: list[list[str]], *times: int,
) -> EngineConfig:  # fmt: skip
    pairs = tuple((one, other) for one, other in compatible)
    return EngineConfig(tuple(_source(*each) for each in sources), segment, aux, alive, rest, closed, pairs, *times)


def _status(*values: Any) -> Status:
    *others, running = values
    return Status._make((*others, _id(running)))


_MADE_BY: dict[str, Callable[..., ToEngine | FromEngine]] = {
    "EngineConfig": _config,
    "Load": lambda segment: Load(_segment(*segment)),
    "Beat": lambda sequence, permit: Beat(index(sequence), index(permit)),
    "Trim": lambda id, last: Trim(_segment_id(id), bool(last)),
    "Hold": Hold,
    "Abort": Abort,
    "State": lambda chamber: State(str(chamber)),
    "Aux": lambda mask, bits: Aux(index(mask), index(bits)),
    "Clear": Clear,
    "Anchored": lambda id, *rest: Anchored(_segment_id(id), *rest),
    "Edge": lambda id, *rest: Edge(_segment_id(id), *rest),
    "Ended": lambda id, at_ns: Ended(_segment_id(id), at_ns),
    "Missed": lambda id, *rest: Missed(_segment_id(id), *rest),
    "Refused": lambda id, why: Refused(_id(id), why),
    "Held": lambda why, id, at_ns: Held(why, _id(id), at_ns),
    "Fault": Fault,
    "Status": _status,
    "Wear": lambda at_ns, actuations, on_ns: Wear(at_ns, tuple(actuations), tuple(on_ns)),
    "Lateness": Lateness,
}
