"""Sites that move between states at given rates: an exact step, and how many went which way.

A move is (from, to, x): during the step a site in `from` goes to `to` with the constant rate x per step.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import ceil, exp, expm1

Move = tuple[str, str, float]
LONGEST_CHUNK = 30.0  # moves per site in one series, so that its first term does not underflow


def step(shares: Mapping[str, float], moves: Sequence[Move]) -> tuple[dict[str, float], list[float]]:
    """The shares of all states after the step, and what share of the sites each move moved."""
    after = dict(shares)
    if len(moves) == 2:  # nearly always, with a film in growth
        (one, to, out), (other, fro, back) = moves
        if one == fro and other == to and out + back > 0.0:
            mean, other_mean = _exchange(after, one, other, out, back)
            return after, [out * mean, back * other_mean]
    live = _live(shares, moves)
    if not any(live):
        return after, [0.0] * len(moves)
    sources = {move[0] for move, lives in zip(moves, live, strict=True) if lives}
    targets = {move[1] for move, lives in zip(moves, live, strict=True) if lives}
    if not sources & targets:
        return after, _one_way(after, moves)
    if len(sources) == 2 and sources == targets:
        one, other = sources
        return after, _to_and_fro(after, moves, one, other)
    return _any_way(after, moves)


def _live(shares: Mapping[str, float], moves: Sequence[Move]) -> list[bool]:
    """Which moves have sites to move, at once or once others have moved there."""
    occupied = {state for state, share in shares.items() if share > 0.0}
    for _ in range(3):  # a ring has three states
        occupied |= {to for start, to, x in moves if x > 0.0 and start in occupied}
    return [x > 0.0 and start in occupied for start, _, x in moves]


def _one_way(after: dict[str, float], moves: Sequence[Move]) -> list[float]:
    """Every state only loses or only gains."""
    rates: dict[str, float] = {}
    for start, _, x in moves:
        rates[start] = rates.get(start, 0.0) + x
    gone = {start: -expm1(-rate) * after.get(start, 0.0) for start, rate in rates.items()}
    moved = [gone[start] * x / rates[start] if rates[start] > 0.0 else 0.0 for start, _, x in moves]
    for (start, to, _), share in zip(moves, moved, strict=True):
        after[start] = after.get(start, 0.0) - share
        after[to] = after.get(to, 0.0) + share
    return moved


def _to_and_fro(after: dict[str, float], moves: Sequence[Move], one: str, other: str) -> list[float]:
    """Two states that exchange sites; others stand still, for nothing in them moves."""
    out = sum(x for start, _, x in moves if start == one)
    back = sum(x for start, _, x in moves if start == other)
    means = dict(zip((one, other), _exchange(after, one, other, out, back), strict=True))
    return [x * means.get(start, 0.0) for start, _, x in moves]


def _exchange(after: dict[str, float], one: str, other: str, out: float, back: float) -> tuple[float, float]:
    """Let two states exchange sites at these rates; returns the mean share of each meanwhile."""
    first, second = after.get(one, 0.0), after.get(other, 0.0)
    rate, both = out + back, first + second
    passed, left = -expm1(-rate) / rate, exp(-rate)
    rest, other_rest = both * back / rate, both * out / rate
    after[one], after[other] = rest + (first - rest) * left, other_rest + (second - other_rest) * left
    return rest + (first - rest) * passed, other_rest + (second - other_rest) * passed


def _any_way(after: dict[str, float], moves: Sequence[Move]) -> tuple[dict[str, float], list[float]]:
    """Any network, by uniformization: a Poisson number of steps of a chain; its terms are all positive."""
    rates: dict[str, float] = {}
    for start, _, x in moves:
        rates[start] = rates.get(start, 0.0) + x
    fastest = max(rates.values())
    chunks = ceil(fastest / LONGEST_CHUNK)
    moved = [0.0] * len(moves)
    for _ in range(chunks):
        after = _chunk(after, moves, fastest, 1.0 / chunks, moved)
    return after, moved


def _chunk(
    shares: Mapping[str, float], moves: Sequence[Move], fastest: float, part: float, moved: list[float]
) -> dict[str, float]:
    """One `part` of a step; adds to `moved`."""
    mean, chain = fastest * part, dict(shares)
    weight, later = exp(-mean), -expm1(-mean)  # of exactly n steps, and of more than n
    after = {state: weight * share for state, share in chain.items()}
    n = 0
    while n < mean or weight > 1e-17:
        following = dict(chain)
        for i, (start, to, x) in enumerate(moves):
            share = chain.get(start, 0.0) * x / fastest
            moved[i] += share * later
            following[start] = following.get(start, 0.0) - share
            following[to] = following.get(to, 0.0) + share
        chain, n = following, n + 1
        weight *= mean / n
        later = max(later - weight, 0.0)
        for state, share in chain.items():
            after[state] = after.get(state, 0.0) + weight * share
    return after
