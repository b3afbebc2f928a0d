"""What may stand on the valve word, and which segments are refused: pure questions about the configuration.

A refusal is one sentence that names the edge. A source stands in a position when every bit of that position is
energised; a bit that belongs to no whole position is refused, so that half a source is never open unseen. How a source
delivers (draw, pushed, bubbled, filled) is in its words alone: a filled one has a position in which it fills.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain, combinations

from ald_controller.valves.wire import EngineConfig, Segment, Source

MOST_EDGES = 256
REOPEN_NS = 10_000_000  # between two openings of one source: without it they would be one, longer than any allowed
CHANGEOVER_NS = 50_000_000  # a valve has moved by then: what fills a volume is shut before what empties it opens
# Reactants that a recipe may let follow each other: both are there to react with a metal precursor, not each other.
_REACTANTS = {"protic", "oxidising"}


def opposite(kind: str, other: str) -> bool:
    """Whether two kinds of source react with each other: different kinds do, but for protic with oxidising."""
    return kind != other and not {kind, other} <= _REACTANTS


@dataclass(frozen=True, slots=True)
class Stand:
    """One source in one of its positions; the dosing one has no name. A source that is shut has no stand."""

    source: Source
    position: str
    mask: int
    longest_ns: int

    def __str__(self) -> str:
        return f"{self.source.name} ({self.position})" if self.position else self.source.name


def stands_of(source: Source) -> tuple[Stand, ...]:
    """Every stand of a source, the dosing one first."""
    others = (Stand(source, each.name, each.mask, each.longest_ns) for each in source.positions)
    return (Stand(source, "", source.mask, source.longest_open_ns), *others)


def mask_of(stands: Iterable[Stand]) -> int:
    """Every bit of these stands."""
    mask = 0
    for stand in stands:
        mask |= stand.mask
    return mask


@dataclass(frozen=True, slots=True)
class Opening:
    """One stand of one source within a segment, by edge number and by ns from the segment's start."""

    stand: Stand
    edge: int
    open_ns: int
    close_ns: int


class Rules:
    """The rules of one tool. Raises ValueError, in a sentence, for a configuration that contradicts itself."""

    def __init__(self, config: EngineConfig, degraded: bool) -> None:
        self._config, self._degraded = config, degraded
        self._stands = [stands_of(source) for source in config.sources]
        self.source_mask = mask_of(chain(*self._stands))
        self._open: dict[int, tuple[Stand, ...]] = {}
        if (fault := next(self._config_faults(), None)) is not None:
            raise ValueError(fault)
        self._together = {frozenset(pair) for pair in config.compatible}

    def _config_faults(self) -> Iterator[str]:
        config = self._config
        if config.segment_mask & config.aux_mask or (config.segment_mask | config.aux_mask) & config.alive_mask:
            yield "segment, aux and alive masks share a bit: every output has one owner"
        for chamber, word in config.rest_words.items():
            if word & ~config.segment_mask or word & self.source_mask:
                yield f"the rest word {word:#06x} of {chamber} opens a source or sets a bit that is not a segment's"
        yield from self._source_faults()
        kinds = {source.name: source.kind for source in config.sources}
        for pair in config.compatible:
            if set(pair) - kinds.keys():
                yield f"the compatible pair {' and '.join(pair)} names no such source"
            elif opposite(*(kinds[name] for name in pair)):
                yield f"{' and '.join(pair)} react with each other: no configuration may open them together"

    def _source_faults(self) -> Iterator[str]:
        allowed = self._config.segment_mask
        for stand in chain(*self._stands):
            if not stand.mask or stand.mask & ~allowed:
                yield f"source {stand} has mask {stand.mask:#06x}, which must lie in {allowed:#06x}"
            if stand.longest_ns <= 0:
                yield f"source {stand} needs a longest opening above 0"
        for source in self._config.sources:
            if not 0 <= source.shortest_open_ns <= source.longest_open_ns:
                yield f"source {source.name} has a shortest opening that is not from 0 to its longest"
            named = [source.mask, *(position.mask for position in source.positions)]
            if len(set(named)) < len(named) or any(not position.name for position in source.positions):
                yield f"the positions of {source.name} need a name and a word of their own each"
        for one, other in combinations(self._config.sources, 2):
            if one.name == other.name:
                yield f"there are two sources of the name {one.name}"
            if any(a.mask & b.mask in (a.mask, b.mask) for a in stands_of(one) for b in stands_of(other)):
                yield f"{one.name} and {other.name} cannot be told apart: one mask contains the other"

    def open(self, word: int) -> tuple[Stand, ...]:
        """How this word lets the sources stand that it does not shut."""
        bits = word & self.source_mask
        found = self._open.get(bits)
        if found is None:
            within = ([stand for stand in stands if bits & stand.mask == stand.mask] for stands in self._stands)
            found = tuple(max(stands, key=lambda stand: stand.mask.bit_count()) for stands in within if stands)
            self._open[bits] = found
        return found

    def opened(self, before: int, word: int) -> tuple[Stand, ...]:
        """What stands open in `word` and did not `before`."""
        standing = self.open(before)
        return tuple(stand for stand in self.open(word) if stand not in standing)

    def whole(self, word: int) -> int:
        """This word without the bits of sources that it would open in part."""
        return word & ~self.source_mask | mask_of(self.open(word))

    def gap_ns(self, before: Stand, after: Stand) -> int:
        """How long everything stays shut between the closing of one stand and the opening of another."""
        if before.source.name == after.source.name:
            return REOPEN_NS if before.position == after.position else CHANGEOVER_NS
        reacts = not before.position and not after.position and opposite(before.source.kind, after.source.kind)
        return self._config.min_closed_ns if reacts else 0

    def word_fault(self, word: int, before: int) -> str | None:
        """Why a segment may not go from the word `before` to this one, or None."""
        if unknown := word & ~self._config.segment_mask:
            return f"sets bits {unknown:#06x}, which belong to no source or stop valve"
        if stray := word & ~self.whole(word):
            return f"sets bits {stray:#06x}, which open no source as a whole"
        for one, other in combinations(self.open(word), 2):
            if frozenset((one.source.name, other.source.name)) not in self._together:
                return f"opens {one} and {other} together: one source at a time"
        standing = {stand.source.name: stand for stand in self.open(before)}
        for stand in self.opened(before, word):
            if (old := standing.get(stand.source.name)) is not None:
                return f"goes from {old} to {stand} at once: shut it for {_s(CHANGEOVER_NS)} between"
        return None

    def openings(self, segment: Segment) -> list[Opening]:
        """Every opening of a segment that is in order, by the time it opens."""
        found: list[Opening] = []
        since: dict[Stand, tuple[int, int]] = {}
        before = 0
        for i, (offset, word) in enumerate(segment.edges):
            for stand in self.opened(before, word):
                since[stand] = (i, offset)
            for stand in self.opened(word, before):
                found.append(Opening(stand, *since.pop(stand), offset))
            before = word
        return sorted(found, key=lambda opening: opening.edge)

    def closes(self, segment: Segment, at_ns: int) -> dict[Stand, int]:
        """When each stand closes last, for a segment that starts at `at_ns`."""
        openings = sorted(self.openings(segment), key=lambda opening: opening.close_ns)
        return {opening.stand: at_ns + opening.close_ns for opening in openings}

    def segment_fault(self, segment: Segment, rest: int, at_ns: int, closed: Mapping[Stand, int]) -> str | None:
        """Why a segment that would start at `at_ns` in the rest word is refused, or None.

        `closed` says when each stand closes, or closed, last before this segment.
        """
        if (fault := next(self._shape_faults(segment, rest), None)) is not None:
            return fault
        openings = self.openings(segment)  # which only a segment in shape has
        faults = chain(self._width_faults(openings), self._gap_faults(openings, at_ns, closed))
        return next(faults, None)

    def _shape_faults(self, segment: Segment, rest: int) -> Iterator[str]:
        if len(segment.edges) > MOST_EDGES:
            yield f"it has {len(segment.edges)} edges: {MOST_EDGES} at most, so that judging one never delays another"
        last_ns, before = 0, rest
        for i, (offset, word) in enumerate(segment.edges):
            if offset < last_ns:
                yield f"{_edge(i, offset)} lies before {_s(last_ns)}: offsets start at 0 and never decrease"
            if (fault := self.word_fault(word, before)) is not None:
                yield f"{_edge(i, offset)} {fault}"
            last_ns, before = offset, word
        if segment.edges and before != rest:
            what = f"{_edge(len(segment.edges) - 1, last_ns)} is {before:#06x}"
            yield f"{what}: a segment ends in the rest word {rest:#06x}"
        if segment.edges and segment.length_ns < last_ns:
            yield f"{_edge(len(segment.edges) - 1, last_ns)} lies after the segment's end at {_s(segment.length_ns)}"
        if segment.length_ns < 0:
            yield f"it lasts {segment.length_ns} ns: 0 at least"

    def _width_faults(self, openings: list[Opening]) -> Iterator[str]:
        for each in openings:
            width, stand = each.close_ns - each.open_ns, each.stand
            what = f"{_edge(each.edge, each.open_ns)} opens {stand}"
            if width <= 0:
                yield f"{what} for no time at all"
            if width > stand.longest_ns:
                yield f"{what} for {_s(width)}: no longer than {_s(stand.longest_ns)} is allowed"
            if not stand.position and width < stand.source.shortest_open_ns:
                yield f"{what} for {_s(width)}: its valve needs {_s(stand.source.shortest_open_ns)} at least"
            if self._degraded and width < self._config.shortest_degraded_ns:
                shortest = _s(self._config.shortest_degraded_ns)
                yield f"{what} for {_s(width)}: without real-time priority a dose lasts at least {shortest}"

    def _gap_faults(self, openings: list[Opening], at_ns: int, closed: Mapping[Stand, int]) -> Iterator[str]:
        closes = dict(closed)
        for each in openings:
            opens_ns = at_ns + each.open_ns
            floors = ((stand, when_ns, self.gap_ns(stand, each.stand)) for stand, when_ns in closes.items())
            lacking = [  # one that needs no distance may close at any time, and hides none that does
                (lack_ns, floor_ns, stand)
                for stand, when_ns, floor_ns in floors
                if floor_ns and (lack_ns := when_ns + floor_ns - opens_ns) > 0
            ]
            if lacking:
                lack_ns, floor_ns, before = max(lacking, key=lambda one: one[0])
                what = f"{_edge(each.edge, each.open_ns)} opens {each.stand} {_s(floor_ns - lack_ns)} after {before}"
                yield f"{what} closed: {_why_apart(before, each.stand)} {_s(floor_ns)} between them"
            closes[each.stand] = at_ns + each.close_ns


def _why_apart(before: Stand, after: Stand) -> str:
    if before.source.name == after.source.name:
        return "openings of one source need" if before.position == after.position else "positions of one source need"
    return f"{after.source.kind} and {before.source.kind} need"


def _s(ns: int) -> str:
    return f"{ns / 1e9:.3f} s"


def _edge(number: int, offset_ns: int) -> str:
    return f"edge {number} at {_s(offset_ns)}"
