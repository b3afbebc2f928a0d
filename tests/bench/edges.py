"""Edges of pulses under every load: all contenders in the same rounds, in short turns."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

from tests.bench.contenders import CONTENDERS, Contender
from tests.bench.figures import Row
from tests.bench.machine import LOADS, Loads, disk

ROUNDS = 5
DISK_ROUNDS = 2


def measure(folder: Path) -> list[Row]:
    """As the computer is found, and with a busy loop on every processor."""
    return _rounds("edges", folder, LOADS, ROUNDS)


def measure_disk(folder: Path) -> list[Row]:
    """While the disk is written to without a pause: not in the default run, because it slows everybody."""
    return _rounds("disk", folder, {"disk busy": disk}, DISK_ROUNDS)


def _rounds(part: str, folder: Path, loads: Loads, rounds: int) -> list[Row]:
    """Rows by contender, quantity and load; a contender that cannot take part is a line on the screen."""
    here = [contender for contender in (kind() for kind in CONTENDERS) if not _said_missing(contender)]
    cells: dict[tuple[str, str, str], list[float]] = defaultdict(list)
    for number in range(rounds):
        for load in sorted(loads, reverse=number % 2 == 1):  # neither is always first
            for contender in here:
                with loads[load]():
                    for what, value_ms in contender.turn(folder):
                        cells[contender.name, what, load].append(value_ms)
    notes = {contender.name: contender.note() for contender in here}
    order = list(dict.fromkeys((name, what) for name, what, _ in cells))  # as they came first
    return [
        Row(part, f"{what}, {load}", "ms", cells[name, what, load], notes[name])
        for name, what in order for load in loads
    ]  # fmt: skip


def _said_missing(contender: Contender) -> bool:
    why = contender.missing()
    if why:
        print(f"  left out: {why}", flush=True)
    return bool(why)
