"""The rows of heaters on the bench: the table cut down to a few rows, and temperatures that glide instead of jump."""

from __future__ import annotations

from dataclasses import replace

from ald_controller.interlocks import RuleSet, State
from tests.interlock_bench import RULES, Bench


def only(*wanted: str, of: RuleSet = RULES) -> RuleSet:
    """The table with the checks of these rows, or by these measures, alone."""
    return replace(
        of, checks=tuple(c for c in of.checks if c.levels[0].row in wanted or type(c.measure).__name__ in wanted)
    )


def glide(bench: Bench, seconds: float, **k_per_s: float) -> State:
    """Scan at 10 Hz while the controllers' readings of these zones move."""
    for _ in range(round(seconds * 10)):
        for zone, rate in k_per_s.items():
            bench.values[f"{zone.replace('_', '-')}.temperature_c"] += rate * 0.1
        bench.scan()
    return bench.state
