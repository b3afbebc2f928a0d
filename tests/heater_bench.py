"""The rows of heaters on the bench: the table cut down to a few rows, and temperatures that glide instead of jump."""

from __future__ import annotations

from dataclasses import replace

from ald_controller.interlocks import RuleSet, State
from tests.interlock_bench import CONFIG, HEALTHY, SECOND, Bench, rules

SIGNALS = frozenset(
    {SECOND, "asked.contactor", "coupler-b.limit_controller_ok"}
    | {f"{zone}.{channel}" for zone in CONFIG.zones for channel in ("temperature_c", "output_percent")}
    | {f"asked.{zone}_c" for zone in CONFIG.zones}
)
assert set(HEALTHY) >= SIGNALS


class HeaterBench(Bench):
    """A bench that reads heaters alone: a minute of scans takes no time."""

    def read(self) -> None:
        for signal in set(self.values) - SIGNALS:
            del self.values[signal]
        super().read()


def only(*wanted: str, of: RuleSet | None = None) -> RuleSet:
    """A new table with the checks of these rows, or by these measures, alone; of the reference tool unless told."""
    table = of or rules()
    return replace(
        table, checks=tuple(c for c in table.checks if c.levels[0].row in wanted or type(c.measure).__name__ in wanted)
    )


def glide(bench: Bench, seconds: float, **k_per_s: float) -> State:
    """Scan at 10 Hz while the controllers' readings of these zones move."""
    for _ in range(round(seconds * 10)):
        for zone, rate in k_per_s.items():
            bench.values[f"{zone.replace('_', '-')}.temperature_c"] += rate * 0.1
        bench.scan()
    return bench.state
