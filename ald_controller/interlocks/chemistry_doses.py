"""What the rows of chemistry look at in doses: each new pulse of a source beside the median of those before.

`pulse.SOURCE.number`, `.judged` and `.ratio` stay until the next pulse; `feeds.pulses` says what they are.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from math import inf, nan
from typing import Any, ClassVar, NamedTuple

from ald_controller.interlocks.measures import MISSING, Input, Moves, Quality, Samples, Taken

FRESH_S = 1.0  # a pulse that was told longer ago was judged before this table was made


class _Told(NamedTuple):
    number: float
    known: Any


@dataclass(frozen=True, slots=True)
class OfPulses(ABC):
    """A number at the look that finds a new pulse of one source, else 0: a pulse is an event, and the latch keeps it.

    A pulse that counts without a figure contradicts itself and is BAD.
    """

    moves_with: ClassVar[Moves] = "values"
    source: str
    number: str = field(init=False)  # the signal that changes once per pulse

    def __post_init__(self) -> None:
        object.__setattr__(self, "number", f"pulse.{self.source}.number")

    @property
    def inputs(self) -> tuple[Input, ...]:
        return tuple(self._input(name) for name in ("number", "judged", "ratio"))

    def _input(self, name: str) -> Input:
        return Input(f"pulse.{self.source}.{name}", 0, inf, inf)

    def take(self, memory: _Told | None, samples: Samples, now_s: float) -> Taken:
        number = samples.get(self.number)
        if number is None or (memory is not None and memory.number == number.value):
            return Taken(0.0, memory)
        known = memory.known if memory else None
        if memory is None and now_s - number.at_s > FRESH_S:
            return Taken(0.0, _Told(number.value, known))
        ratio = samples.get(f"pulse.{self.source}.ratio")
        judged = samples.get(f"pulse.{self.source}.judged")
        if judged is None or judged.value != 1.0:
            figure = ratio is None or ratio.quality is not Quality.BAD
            return Taken(0.0, _Told(number.value, self.recorded(known) if figure else known))
        source = self._input("ratio")
        fault = source.fault(ratio, now_s)
        if fault or ratio is None:
            return Taken(nan, _Told(number.value, known), fault or MISSING, source.signal)
        value, known = self.judge(known, ratio.value)
        return Taken(value, _Told(number.value, known), "", source.signal, ratio.quality)

    def recorded(self, known: Any) -> Any:
        """What is remembered after a pulse that is recorded only."""
        return known

    @abstractmethod
    def judge(self, known: Any, ratio: float) -> tuple[float, Any]:
        """The number of a pulse that counts, and what is remembered after it."""


class Strong(OfPulses):
    """C3: the pulse over the median of those before."""

    __slots__ = ()

    def judge(self, known: Any, ratio: float) -> tuple[float, Any]:
        return ratio, None


@dataclass(frozen=True, slots=True)
class Weak(OfPulses):
    """C4: how many pulses running were below `share` of the median."""

    share: float

    def judge(self, known: float | None, ratio: float) -> tuple[float, float]:
        running = (known or 0.0) + 1.0 if ratio < self.share else 0.0
        return running, running


class Unlike(OfPulses):
    """C6: how far the first pulse that counts after some that did not is from the median, as a share of it.

    Pulses are recorded only after a bottle was hung or a source was idle; the first after a start counts, too.
    """

    __slots__ = ()

    def recorded(self, known: Any) -> Any:
        return None

    def judge(self, known: bool | None, ratio: float) -> tuple[float, bool]:
        return (0.0 if known else abs(ratio - 1.0)), True
