"""What may stand on the valve word, and which segments are refused: pure questions about the configuration.

A refusal is one sentence that names the edge. A source counts as open when every bit of its mask is energised; a bit
that belongs to no wholly open source is refused, so that half a source is never open unseen.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import chain, combinations

from ald_controller.valves.wire import EngineConfig, Segment, Source

MOST_EDGES = 256
# Reactants that a recipe may let follow each other: both are there to react with a metal precursor, not each other.
_REACTANTS = {"protic", "oxidising"}


def opposite(kind: str, other: str) -> bool:
    """Whether two kinds of source react with each other: different kinds do, but for protic with oxidising."""
    return kind != other and not {kind, other} <= _REACTANTS


def mask_of(sources: tuple[Source, ...]) -> int:
    """Every bit of these sources."""
    mask = 0
    for source in sources:
        mask |= source.mask
    return mask


@dataclass(frozen=True, slots=True)
class Opening:
    """One opening of one source within a segment, by edge number and by ns from the segment's start."""

    source: Source
    edge: int
    open_ns: int
    close_ns: int


class Rules:
    """The rules of one tool. Raises ValueError, in a sentence, for a configuration that contradicts itself."""

    def __init__(self, config: EngineConfig, degraded: bool) -> None:
        self._config, self._degraded = config, degraded
        self.source_mask = mask_of(config.sources)
        self._open: dict[int, tuple[Source, ...]] = {}
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
        for source in self._config.sources:
            if not source.mask or source.mask & ~allowed:
                yield f"source {source.name} has mask {source.mask:#06x}, which must lie in {allowed:#06x}"
            if source.longest_open_ns <= 0:
                yield f"source {source.name} needs a longest opening above 0"
        for one, other in combinations(self._config.sources, 2):
            if one.name == other.name:
                yield f"there are two sources of the name {one.name}"
            if one.mask & other.mask in (one.mask, other.mask):
                yield f"{one.name} and {other.name} cannot be told apart: one mask contains the other"

    def open(self, word: int) -> tuple[Source, ...]:
        """The sources that this word opens."""
        bits = word & self.source_mask
        found = self._open.get(bits)
        if found is None:
            found = tuple(source for source in self._config.sources if bits & source.mask == source.mask)
            self._open[bits] = found
        return found

    def opened(self, before: int, word: int) -> tuple[Source, ...]:
        """The sources that are open in `word` and not `before`."""
        return tuple(source for source in self.open(word) if before & source.mask != source.mask)

    def whole(self, word: int) -> int:
        """This word without the bits of sources that it would open in part."""
        return word & ~self.source_mask | mask_of(self.open(word))

    def word_fault(self, word: int) -> str | None:
        """Why this word may never be written by a segment, or None."""
        if unknown := word & ~self._config.segment_mask:
            return f"sets bits {unknown:#06x}, which belong to no source or stop valve"
        if stray := word & ~self.whole(word):
            return f"sets bits {stray:#06x}, which open no source as a whole"
        for one, other in combinations(self.open(word), 2):
            if frozenset((one.name, other.name)) not in self._together:
                return f"opens {one.name} and {other.name} together: one source at a time"
        return None

    def openings(self, segment: Segment) -> list[Opening]:
        """Every opening of a segment that is in order, by the time it opens."""
        found: list[Opening] = []
        since: dict[str, tuple[int, int]] = {}
        before = 0
        for i, (offset, word) in enumerate(segment.edges):
            for source in self.opened(before, word):
                since[source.name] = (i, offset)
            for source in self.opened(word, before):
                found.append(Opening(source, *since.pop(source.name), offset))
            before = word
        return sorted(found, key=lambda opening: opening.edge)

    def closes(self, segment: Segment, at_ns: int) -> dict[str, int]:
        """When a source of each kind closes last, for a segment that starts at `at_ns`."""
        openings = sorted(self.openings(segment), key=lambda opening: opening.close_ns)
        return {opening.source.kind: at_ns + opening.close_ns for opening in openings}

    def segment_fault(self, segment: Segment, rest: int, at_ns: int, closed: Mapping[str, int]) -> str | None:
        """Why a segment that would start at `at_ns` in the rest word is refused, or None.

        `closed` says when a source of each kind closes, or closed, last before this segment.
        """
        if (fault := next(self._shape_faults(segment, rest), None)) is not None:
            return fault
        openings = self.openings(segment)  # which only a segment in shape has
        faults = chain(self._width_faults(openings), self._gap_faults(openings, at_ns, closed))
        return next(faults, None)

    def _shape_faults(self, segment: Segment, rest: int) -> Iterator[str]:
        if len(segment.edges) > MOST_EDGES:
            yield f"it has {len(segment.edges)} edges: {MOST_EDGES} at most, so that judging one never delays another"
        before = 0
        for i, (offset, word) in enumerate(segment.edges):
            if offset < before:
                yield f"{_edge(i, offset)} lies before {_s(before)}: offsets start at 0 and never decrease"
            if (fault := self.word_fault(word)) is not None:
                yield f"{_edge(i, offset)} {fault}"
            before = offset
        if segment.edges and segment.edges[-1][1] != rest:
            offset, word = segment.edges[-1]
            yield (
                f"{_edge(len(segment.edges) - 1, offset)} is {word:#06x}: a segment ends in the rest word {rest:#06x}"
            )
        if segment.length_ns < before:
            yield f"{_edge(len(segment.edges) - 1, before)} lies after the segment's end at {_s(segment.length_ns)}"

    def _width_faults(self, openings: list[Opening]) -> Iterator[str]:
        for each in openings:
            width, what = each.close_ns - each.open_ns, f"{_edge(each.edge, each.open_ns)} opens {each.source.name}"
            if width <= 0:
                yield f"{what} for no time at all"
            if width > each.source.longest_open_ns:
                yield f"{what} for {_s(width)}: no longer than {_s(each.source.longest_open_ns)} is allowed"
            if self._degraded and width < self._config.shortest_degraded_ns:
                shortest = _s(self._config.shortest_degraded_ns)
                yield f"{what} for {_s(width)}: without real-time priority a dose lasts at least {shortest}"

    def _gap_faults(self, openings: list[Opening], at_ns: int, closed: Mapping[str, int]) -> Iterator[str]:
        floor, closes = self._config.min_closed_ns, dict(closed)
        for each in openings:
            kind = each.source.kind
            past = [(when, other) for other, when in closes.items() if opposite(kind, other)]
            when, other = max(past, default=(None, ""))
            if when is not None and (gap := at_ns + each.open_ns - when) < floor:
                yield (
                    f"{_edge(each.edge, each.open_ns)} opens {each.source.name} {_s(gap)} after another kind of "
                    f"source closed: {kind} and {other} need {_s(floor)} between them"
                )
            closes[kind] = max(at_ns + each.close_ns, closes.get(kind, 0))


def _s(ns: int) -> str:
    return f"{ns / 1e9:.3f} s"


def _edge(number: int, offset_ns: int) -> str:
    return f"edge {number} at {_s(offset_ns)}"
