"""Edges of pulses under every load: all contenders in the same rounds, in short turns."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

from tests.bench.contenders import CONTENDERS
from tests.bench.figures import Row
from tests.bench.machine import LOADS

PART = "edges"
ROUNDS = 1


def measure(folder: Path) -> list[Row]:
    """Rows by contender, quantity and load; a contender that cannot take part is a line on the screen."""
    here = [contender for contender in (kind() for kind in CONTENDERS) if not _said_missing(contender)]
    cells: dict[tuple[str, str, str], list[float]] = defaultdict(list)
    for number in range(ROUNDS):
        for load in sorted(LOADS, reverse=number % 2 == 1):  # neither is always first
            for contender in here:
                with LOADS[load]():
                    for what, value_ms in contender.turn(folder):
                        cells[contender.name, what, load].append(value_ms)
    notes = {contender.name: contender.note() for contender in here}
    # by contender and quantity, as they came first
    order = list(dict.fromkeys((name, what) for name, what, _ in cells))
    return [
        Row(PART, f"{what}, {load}", "ms", cells[name, what, load], notes[name])
        for name, what in order for load in LOADS
    ]  # fmt: skip


def _said_missing(contender: object) -> bool:
    why = contender.missing()  # type: ignore[attr-defined]
    if why:
        print(f"  left out: {why}", flush=True)
    return bool(why)
