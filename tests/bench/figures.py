"""Rows of measured values: their quantiles, their table, their JSON."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

QUANTILES = {"min": 0.0, "median": 0.5, "p99": 0.99, "p99.9": 0.999, "max": 1.0}


@dataclass(frozen=True, slots=True)
class Row:
    """One measured quantity in one situation; `note` says what a reader must know beside the figures."""

    part: str
    what: str
    unit: str
    values: Sequence[float]
    note: str = ""


def quantiles(values: Iterable[float]) -> dict[str, float | None]:
    """By nearest rank; a quantile with less than one value beyond it is None, because the maximum says as much."""
    ordered = sorted(values)
    n = len(ordered)
    return {name: _ranked(ordered, q) if n and _resolved(n, q) else None for name, q in QUANTILES.items()}


def _resolved(n: int, q: float) -> bool:
    return q in (0.0, 0.5, 1.0) or n * (1 - q) >= 1 - 1e-9


def _ranked(ordered: Sequence[float], q: float) -> float:
    if q == 0.5:
        middle = len(ordered) // 2
        return ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2
    return ordered[max(0, math.ceil(len(ordered) * q - 1e-9) - 1)]


def as_json(row: Row) -> dict[str, Any]:
    """One row with its quantiles and every value in the order in which they were measured."""
    figures = {name: None if v is None else round(v, 4) for name, v in quantiles(row.values).items()}
    values = [round(value, 4) for value in row.values]
    head = {"part": row.part, "what": row.what, "unit": row.unit, "note": row.note, "n": len(row.values)}
    return head | figures | {"values": values}


def table(rows: Sequence[Row]) -> str:
    """Aligned columns, one line a row, notes below by number; "-" where n does not resolve a quantile."""
    width = max([len(row.what) for row in rows] + [4])
    unit = max([len(row.unit) for row in rows] + [4])
    lines = [f"{'part':<8} {'what':<{width}} {'unit':<{unit}} {'n':>5}" + "".join(f"{q:>10}" for q in QUANTILES)]
    notes: list[str] = []
    for row in rows:
        figures = "".join(f"{_figure(value):>10}" for value in quantiles(row.values).values())
        if row.note and row.note not in notes:
            notes.append(row.note)
        mark = f"  [{notes.index(row.note) + 1}]" if row.note else ""
        lines.append(f"{row.part:<8} {row.what:<{width}} {row.unit:<{unit}} {len(row.values):>5}{figures}{mark}")
    return "\n".join([*lines, *(f"[{i}] {note}" for i, note in enumerate(notes, 1))])


def _figure(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:.3f}" if abs(value) < 10 else f"{value:.1f}" if abs(value) < 1000 else f"{value:.0f}"
