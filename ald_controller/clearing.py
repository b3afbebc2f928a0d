"""The `cleared` mark: the chamber holds no precursor that a glove, the box or its purifier should not meet. Pure.

Earned by sources shut for 120 s, a hot purge for as long as the worst precursor since the last clearing asks for and
for at least 20 volumes, and a rise test since the sources shut. Lost by any opening, by air, and by a restart: what
happened while nothing watched is unknown. Times are loop seconds.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import msgspec

SHUT_S = 120.0
HOT_C = 100.0  # water and most precursors leave the walls in minutes above it, in hours below
VOLUMES = 20.0
LONGEST_CLEAR_S = 3600.0  # HF; nothing that is known asks for more, so what is not known counts as this
BLIND_S = 1.0  # a purge that was not looked at for longer than this was not seen


class Inputs(msgspec.Struct, frozen=True, gc=False):
    """What is known now; None, and False, where it is not.

    `open`: the precursors whose sources are open, were since the last step, or are not known to be shut. `purging`:
    purge flow through the open stop valve to a running pump. `coldest_c`: of the zones around the chamber, while it is
    purged. `decay_s`: V/S as commissioned. `rise_test_s`: when the newest rise test below the tool's leak rate passed.
    """

    open: frozenset[str]
    air: bool  # the chamber is at air, or its gate is not proven shut
    purging: bool
    coldest_c: float | None
    decay_s: float | None
    rise_test_s: float | None
    clear_s: Mapping[str, float]  # by precursor


class Clearing(msgspec.Struct, frozen=True, gc=False):
    """The mark between two steps. `dosed`: precursors since the last clearing; `since_s`: shut, without air, since."""

    at_s: float
    since_s: float
    dosed: frozenset[str]
    purged_s: float = 0.0  # hot, since then
    purging: bool = False  # and hot, at the last step
    cleared: bool = False
    inputs: Inputs | None = None  # of the last step

    @property
    def missing(self) -> tuple[str, ...]:
        """Sentences for people, found when they are asked for; none when it is cleared."""
        return () if self.cleared else tuple(_missing(self))


def boot(now_s: float, dosed: frozenset[str]) -> Clearing:
    """After a start: not cleared, and `dosed` is everything that may have been."""
    return Clearing(now_s, now_s, dosed)


def step(state: Clearing, inputs: Inputs, now_s: float) -> Clearing:
    """One look at loop time `now_s`."""
    if inputs.open or inputs.air:
        return Clearing(now_s, now_s, state.dosed | inputs.open, inputs=inputs)
    purging = inputs.purging and inputs.coldest_c is not None and inputs.coldest_c >= HOT_C
    if state.cleared:
        return Clearing(now_s, state.since_s, state.dosed, cleared=True, inputs=inputs)
    passed_s = now_s - state.at_s
    seen = state.purging and purging and 0.0 <= passed_s <= BLIND_S
    purged_s = state.purged_s + (passed_s if seen else 0.0)
    after = Clearing(now_s, state.since_s, state.dosed, purged_s, purging, inputs=inputs)
    if _shut(after) and _tested(after, inputs) and _purged(after, inputs):
        return Clearing(now_s, state.since_s, frozenset(), cleared=True, inputs=inputs)
    return after


# --- what earns it ---------------------------------------------------------------------------------------------------


def _shut(state: Clearing) -> bool:
    return state.at_s - state.since_s >= SHUT_S


def _needed(dosed: frozenset[str], inputs: Inputs) -> tuple[float, str] | None:
    """Seconds of hot purge and the precursor that asks for them, "" where the volume does; None = nobody knows."""
    if inputs.decay_s is None:
        return None
    clear_s, worst = max(((inputs.clear_s.get(name, LONGEST_CLEAR_S), name) for name in dosed), default=(0.0, ""))
    volumes_s = VOLUMES * inputs.decay_s
    return (clear_s, worst) if clear_s >= volumes_s else (volumes_s, "")


def _purged(state: Clearing, inputs: Inputs) -> bool:
    needed = _needed(state.dosed, inputs)
    return needed is not None and state.purged_s >= needed[0]


def _tested(state: Clearing, inputs: Inputs) -> bool:
    return inputs.rise_test_s is not None and state.since_s <= inputs.rise_test_s <= state.at_s


# --- for people ------------------------------------------------------------------------------------------------------


def _missing(state: Clearing) -> Iterator[str]:
    inputs = state.inputs
    if inputs is None:
        yield "it has not been looked at since the start"
    elif inputs.open:
        yield f"open, or not known to be shut: {', '.join(sorted(inputs.open))}"
    elif inputs.air:
        yield "the chamber is open to air, or its gate is not proven shut"
    else:
        yield from _unearned(state, inputs)


def _unearned(state: Clearing, inputs: Inputs) -> Iterator[str]:
    if not _shut(state):
        yield f"sources shut and no air: {(state.at_s - state.since_s) // 10 * 10:.0f} of {SHUT_S:.0f} s"
    if not _purged(state, inputs):
        yield _unpurged(state, inputs)
    if not _tested(state, inputs):
        yield "no rise test below the tool's leak rate was passed since sources shut and air was out"


def _unpurged(state: Clearing, inputs: Inputs) -> str:
    needed = _needed(state.dosed, inputs)
    if needed is None:
        return "V/S has not been commissioned (constant.volume, constant.pumping): nobody knows what 20 volumes are"
    after = f" after {needed[1]}" if needed[1] else ""
    return f"hot purge{after}: {_spoken(state.purged_s, needed[0])}" + _not_counting(inputs)


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
