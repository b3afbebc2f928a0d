"""The `cleared` mark: the chamber holds no precursor that a glove, the box or its purifier should not meet. Pure.

Earned by sources shut for 120 s, a hot purge for as long as the worst precursor since the last clearing asks for and
for at least 20 volumes, and a rise test since the sources shut. Lost by any opening, by air, and by a restart: what
happened while nothing watched is unknown. Times are loop seconds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

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


@dataclass(frozen=True, slots=True)
class Clearing:
    """The mark between two steps. `dosed`: precursors since the last clearing; `since_s`: shut and without air since.

    `missing` are sentences for people, none when it is cleared.
    """

    at_s: float
    since_s: float
    dosed: frozenset[str]
    purged_s: float = 0.0  # hot, since then
    purging: bool = False  # and hot, at the last step
    cleared: bool = False
    missing: tuple[str, ...] = field(default=("it has not been looked at since the start",))


def boot(now_s: float, dosed: frozenset[str]) -> Clearing:
    """After a start: not cleared, and `dosed` is everything that may have been."""
    return Clearing(now_s, now_s, dosed)


def step(state: Clearing, inputs: Inputs, now_s: float) -> Clearing:
    """One look at loop time `now_s`."""
    dosed = state.dosed | inputs.open
    if inputs.open or inputs.air:
        return Clearing(now_s, now_s, dosed, missing=(_open_now(inputs),))
    purging = inputs.purging and inputs.coldest_c is not None and inputs.coldest_c >= HOT_C
    if state.cleared:
        return Clearing(now_s, state.since_s, dosed, cleared=True, missing=())
    passed_s = now_s - state.at_s
    seen = state.purging and purging and 0.0 <= passed_s <= BLIND_S
    purged_s = state.purged_s + (passed_s if seen else 0.0)
    missing = tuple(_missing(dosed, state.since_s, purged_s, inputs, now_s))
    if not missing:
        return Clearing(now_s, state.since_s, frozenset(), cleared=True, missing=())
    return Clearing(now_s, state.since_s, dosed, purged_s, purging, missing=missing)


def _open_now(inputs: Inputs) -> str:
    if inputs.open:
        return f"open, or not known to be shut: {', '.join(sorted(inputs.open))}"
    return "the chamber is open to air, or its gate is not proven shut"


def _missing(dosed: frozenset[str], since_s: float, purged_s: float, inputs: Inputs, now_s: float) -> list[str]:
    shut_s = now_s - since_s
    found = [] if shut_s >= SHUT_S else [f"sources shut and no air: {shut_s // 10 * 10:.0f} of {SHUT_S:.0f} s"]
    found += _purge_missing(dosed, purged_s, inputs)
    if inputs.rise_test_s is None or not since_s <= inputs.rise_test_s <= now_s:
        found.append("no rise test below the tool's leak rate was passed since sources shut and air was out")
    return found


def _purge_missing(dosed: frozenset[str], purged_s: float, inputs: Inputs) -> list[str]:
    if inputs.decay_s is None:
        return ["V/S has not been commissioned (constant.volume, constant.pumping): nobody knows what 20 volumes are"]
    clear_s, worst = max(((inputs.clear_s.get(name, LONGEST_CLEAR_S), name) for name in dosed), default=(0.0, ""))
    needed_s = max(clear_s, VOLUMES * inputs.decay_s)
    if purged_s >= needed_s:
        return []
    after = f" after {worst}" if clear_s == needed_s else ""
    done = f"hot purge{after}: {_spoken(purged_s, needed_s)}"
    return [done + _not_counting(inputs)]


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
