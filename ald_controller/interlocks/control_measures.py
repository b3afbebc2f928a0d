"""What the rows of control look at: counts that grow, within a while or since the last look, and room that runs out."""

from __future__ import annotations

from dataclasses import dataclass
from math import nan
from typing import ClassVar, NamedTuple

from ald_controller.interlocks.measures import Input, Moves, OfSeveral, Samples, Taken


class _Counted(NamedTuple):
    """The counts at the last look, and when by how much their sum had grown, oldest first."""

    counts: tuple[float, ...]
    grown: tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True)
class Grown(OfSeveral):
    """By how much some counts have grown together within the last `window_s`; the first look is the base.

    A count that falls was begun anew and grows from there.
    """

    moves_with: ClassVar[Moves] = "values"
    window_s: float

    def look(
        self, memory: _Counted | None, values: list[float], samples: Samples, now_s: float
    ) -> tuple[float, _Counted]:
        counts = tuple(values)
        memory = self._looked(memory or _Counted(counts, ()), counts, now_s)
        return sum(by for _, by in memory.grown), memory

    def _looked(self, memory: _Counted, counts: tuple[float, ...], now_s: float) -> _Counted:
        """What is remembered now; the same object where nothing grew and nothing is over: the short way of a scan."""
        grown = memory.grown
        if counts != memory.counts:
            by = sum(max(now - before, 0.0) for now, before in zip(counts, memory.counts, strict=True))
            grown = (*grown, (now_s, by)) if by else grown
        elif not grown or grown[0][0] > now_s - self.window_s:
            return memory
        return _Counted(counts, tuple(g for g in grown if g[0] > now_s - self.window_s))


@dataclass(frozen=True, slots=True)
class MoreTrips:
    """1 at the look that finds a module's count of its own trips higher than before, else 0.

    It falls to 0 when an operator's reset arms the module anew, which is no trip. A module that does not count is
    never read here and gives 0; one that did and has fallen silent is BAD.
    """

    moves_with: ClassVar[Moves] = "values"
    input: Input

    @property
    def inputs(self) -> tuple[Input, ...]:
        return (self.input,)

    def take(self, memory: float | None, samples: Samples, now_s: float) -> Taken:
        sample = samples.get(self.input.signal)
        if sample is None:
            return Taken(0.0, None)
        if fault := self.input.fault(sample, now_s):
            return Taken(nan, memory, fault, self.input.signal)
        more = sample.value > (0.0 if memory is None else memory)
        return Taken(float(more), sample.value, "", self.input.signal, sample.quality)
