"""Reference figures of others, in `tests/data`."""

from __future__ import annotations

import csv
from pathlib import Path

DATA = Path(__file__).parent / "data"


def rows(name: str) -> list[dict[str, float]]:
    """The rows of one table, its head of comments left out; an empty field is left out of its row."""
    lines = [line for line in (DATA / f"{name}.csv").read_text("utf-8").splitlines() if not line.startswith("#")]
    return [{key: float(value) for key, value in row.items() if value} for row in csv.DictReader(lines)]
