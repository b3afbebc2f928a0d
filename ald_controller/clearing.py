"""The `cleared` mark: the chamber holds no precursor that a glove, the box or its purifier should not meet. Pure.

Earned by sources shut for 120 s, a hot purge for as long as the worst precursor since the last clearing asks for and
for at least 20 volumes, and a rise test since the sources shut. Lost by any opening, by air, and by a restart: what
happened while nothing watched is unknown. Times are loop seconds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial

SHUT_S = 120.0
HOT_C = 100.0  # water and most precursors leave the walls in minutes above it, in hours below
VOLUMES = 20.0
LONGEST_CLEAR_S = 3600.0  # HF; nothing that is known asks for more, so what is not known counts as this
BLIND_S = 1.0  # a purge that was not looked at for longer than this was not seen


@dataclass(frozen=True, slots=True)
class Inputs:
    """What is known now; None, and False, where it is not.

    `open`: the precursors whose sources are open, were since the last step, or are not known to be shut. `purging`:
    purge flow through the open stop valve to a running pump. `coldest_c`: of the zones around the chamber.
    `decay_s`: V/S as commissioned. `rise_test_s`: when the newest rise test below the tool's leak rate was passed.
    """

    open: frozenset[str]
    air: bool  # the chamber is at air, or its gate is not proven shut
    purging: bool
    coldest_c: float | None
    decay_s: float | None
    rise_test_s: float | None
    clear_s: Mapping[str, float]  # by precursor


def _unseen() -> Iterator[str]:
    yield "it has not been looked at since the start"


@dataclass(frozen=True, slots=True)
class Clearing:
    """The mark between two steps. `dosed`: precursors since the last clearing; `since_s`: shut, without air, since."""

    at_s: float
    since_s: float
    dosed: frozenset[str]
    purged_s: float = 0.0  # hot, since then
    purging: bool = False  # and hot, at the last step
    cleared: bool = False
    why: Callable[[], Iterator[str]] = field(default=_unseen, compare=False)  # it is not cleared

    @property
    def missing(self) -> tuple[str, ...]:
        """Sentences for people, found when they are asked for; none when it is cleared."""
        return () if self.cleared else tuple(self.why())


def boot(now_s: float, dosed: frozenset[str]) -> Clearing:
    """After a start: not cleared, and `dosed` is everything that may have been."""
    return Clearing(now_s, now_s, dosed)


def step(state: Clearing, inputs: Inputs, now_s: float) -> Clearing:
    """One look at loop time `now_s`."""
    dosed = state.dosed | inputs.open
    if inputs.open or inputs.air:
        return Clearing(now_s, now_s, dosed, why=partial(_open_now, inputs))
    purging = inputs.purging and inputs.coldest_c is not None and inputs.coldest_c >= HOT_C
    if state.cleared:
        return Clearing(now_s, state.since_s, dosed, cleared=True)
    passed_s = now_s - state.at_s
    seen = state.purging and purging and 0.0 <= passed_s <= BLIND_S
    purged_s = state.purged_s + (passed_s if seen else 0.0)
    if _shut(state.since_s, now_s) and _purged(dosed, purged_s, inputs) and _tested(state.since_s, inputs, now_s):
        return Clearing(now_s, state.since_s, frozenset(), cleared=True)
    why = partial(_missing, dosed, state.since_s, purged_s, inputs, now_s)
    return Clearing(now_s, state.since_s, dosed, purged_s, purging, why=why)


# --- what earns it ---------------------------------------------------------------------------------------------------


def _shut(since_s: float, now_s: float) -> bool:
    return now_s - since_s >= SHUT_S


def _needed(dosed: frozenset[str], inputs: Inputs) -> tuple[float, str] | None:
    """Seconds of hot purge and the precursor that asks for them, "" where the volume does; None = nobody knows."""
    if inputs.decay_s is None:
        return None
    clear_s, worst = max(((inputs.clear_s.get(name, LONGEST_CLEAR_S), name) for name in dosed), default=(0.0, ""))
    volumes_s = VOLUMES * inputs.decay_s
    return (clear_s, worst) if clear_s >= volumes_s else (volumes_s, "")


def _purged(dosed: frozenset[str], purged_s: float, inputs: Inputs) -> bool:
    needed = _needed(dosed, inputs)
    return needed is not None and purged_s >= needed[0]


def _tested(since_s: float, inputs: Inputs, now_s: float) -> bool:
    return inputs.rise_test_s is not None and since_s <= inputs.rise_test_s <= now_s


# --- for people ------------------------------------------------------------------------------------------------------


def _open_now(inputs: Inputs) -> Iterator[str]:
    if inputs.open:
        yield f"open, or not known to be shut: {', '.join(sorted(inputs.open))}"
    else:
        yield "the chamber is open to air, or its gate is not proven shut"


def _missing(
    dosed: frozenset[str], since_s: float, purged_s: float, inputs: Inputs, now_s: float
) -> Iterator[str]:  # fmt: skip
    if not _shut(since_s, now_s):
        yield f"sources shut and no air: {(now_s - since_s) // 10 * 10:.0f} of {SHUT_S:.0f} s"
    if not _purged(dosed, purged_s, inputs):
        yield _unpurged(dosed, purged_s, inputs)
    if not _tested(since_s, inputs, now_s):
        yield "no rise test below the tool's leak rate was passed since sources shut and air was out"


def _unpurged(dosed: frozenset[str], purged_s: float, inputs: Inputs) -> str:
    needed = _needed(dosed, inputs)
    if needed is None:
        return "V/S has not been commissioned (constant.volume, constant.pumping): nobody knows what 20 volumes are"
    after = f" after {needed[1]}" if needed[1] else ""
    return f"hot purge{after}: {_spoken(purged_s, needed[0])}" + _not_counting(inputs)


def _not_counting(inputs: Inputs) -> str:
    if not inputs.purging:
        return "; there is no purge flow to a running pump now"
    if inputs.coldest_c is None:
        return "; a temperature of the chamber is not known now"
    if inputs.coldest_c < HOT_C:
        return f"; it does not count at {inputs.coldest_c:.0f} °C, {HOT_C:.0f} °C are needed"
    return ""


def _spoken(done_s: float, needed_s: float) -> str:
    if needed_s < 300.0:
        return f"{done_s // 10 * 10:.0f} of {needed_s:.0f} s"
    return f"{done_s // 60:.0f} of {needed_s / 60:g} min"
