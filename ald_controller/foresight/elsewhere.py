"""A recipe's doses and purges at another tool: what opens for the same exposure there, and purges to the same share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from math import sqrt

from ald_controller.chemistry import Chemistry
from ald_controller.config import ToolConfig
from ald_controller.foresight.reactor import Reactor, Seen
from ald_controller.foresight.timeline import Cycle, Half, Stage
from ald_controller.foresight.vessel import Vessel

ROUNDS, CLOSE = 24, 5e-3
REACH = 64.0  # times what is written, up and down


@dataclass(frozen=True, slots=True)
class Place:
    """A tool as the model sees it."""

    name: str
    vessel: Vessel
    config: ToolConfig


@dataclass(frozen=True, slots=True)
class Equal:
    """One half-cycle at two tools; None: no time within reach gives the same there."""

    film: str | None
    precursor: str
    exposure_pa_s: float
    opening_s: float
    opening_there_s: float | None
    purge_s: float
    purge_there_s: float | None
    decays: float  # multiples of V/S that the purge is, here
    decays_there: float | None


def equal_exposure(here: list[Cycle], at: Place, there: list[Cycle], other: Place, chemistry: Chemistry) -> list[Equal]:
    """Each half-cycle of `here` with the times that do the same at the other tool; `there` are its cycles there.

    Raises ValueError where the recipe makes other cycles at that tool.
    """
    if [_names(cycle) for cycle in here] != [_names(cycle) for cycle in there]:
        raise ValueError("the recipe makes other cycles at that tool")
    found = []
    for one, same in zip(here, there, strict=True):
        seen = Reactor(one, at.vessel, chemistry, at.config).steady().seen
        found += [_equal(one, i, seen[i], at, same, other, chemistry) for i in range(len(one.halves))]
    return found


def _names(cycle: Cycle) -> tuple[str, ...]:
    return tuple(half.precursor for half in cycle.halves)


def _equal(one: Cycle, i: int, seen: Seen, at: Place, same: Cycle, other: Place, chemistry: Chemistry) -> Equal:
    half = one.halves[i]

    def there(changed: Half) -> Seen:
        halves = tuple(changed if k == i else each for k, each in enumerate(same.halves))
        return Reactor(replace(same, halves=halves), other.vessel, chemistry, other.config).steady().seen[i]

    reached = seen.exposure_pa_s  # nothing, where no vapour comes: no opening gives the same of that
    opened = _solve(lambda f: there(_opened(same.halves[i], f)).exposure_pa_s / reached) if reached > 0.0 else None
    base = same.halves[i] if opened is None else _opened(same.halves[i], opened)
    left = seen.left_pa / seen.peak_pa if seen.peak_pa > 0.0 else 0.0
    purged = _solve(lambda factor: left / max(_left(there(_purged(base, factor))), 1e-30)) if left > 0.0 else None
    purge_s = None if purged is None else half.after_s * purged
    return Equal(
        one.film, half.precursor, seen.exposure_pa_s, half.width_s, None if opened is None else half.width_s * opened,
        half.after_s, purge_s, half.after_s / at.vessel.decay_s,
        None if purge_s is None else purge_s / other.vessel.decay_s,
    )  # fmt: skip


def _left(seen: Seen) -> float:
    return seen.left_pa / seen.peak_pa if seen.peak_pa > 0.0 else 0.0


def _solve(ratio: Callable[[float], float]) -> float | None:
    """The factor at which a ratio that rises with it is 1; None out of reach."""
    low, high = 1.0, 1.0
    while ratio(high) < 1.0:
        low, high = high, 2.0 * high
        if high > REACH:
            return None
    while low == high or ratio(low) > 1.0:
        high, low = (high if low == high else low), low / 2.0
        if low < 1.0 / REACH:
            return None
    for _ in range(ROUNDS):
        middle = sqrt(low * high)
        low, high = (middle, high) if ratio(middle) < 1.0 else (low, middle)
        if high / low < 1.0 + CLOSE:
            break
    return sqrt(low * high)


def _opened(half: Half, factor: float) -> Half:
    stages = tuple(s._replace(seconds=s.seconds * factor) if s.port else s for s in half.stages)
    return replace(half, stages=stages)


def _purged(half: Half, factor: float) -> Half:
    """The purge after its last opening longer; what is shut in before stays."""
    last = max((k for k, stage in enumerate(half.stages) if stage.port), default=-1)

    def scaled(k: int, stage: Stage) -> Stage:
        return stage._replace(seconds=stage.seconds * factor) if k > last and not stage.shut else stage

    return replace(half, stages=tuple(scaled(k, stage) for k, stage in enumerate(half.stages)))
