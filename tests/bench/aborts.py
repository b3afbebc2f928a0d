"""From the wish to abort to the moment at which the module got the word that shuts every source."""

from __future__ import annotations

from pathlib import Path

from tests.bench import aborts_daemon, aborts_engine
from tests.bench.figures import Row


def measure(folder: Path) -> list[Row]:
    """From four places, each with a source open, under every load, taking turns: the nearest to the valves first."""
    return [*aborts_engine.measure(folder), *aborts_daemon.measure(folder)]
