"""Rows of measured values: their quantiles, their outliers, their table, their JSON."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

QUANTILES = {"min": 0.0, "median": 0.5, "p99": 0.99, "p99.9": 0.999, "max": 1.0}
RARE = 0.02  # where more than this share of the values is beyond the limit, they are no outliers but the usual thing


@dataclass(frozen=True, slots=True)
class Row:
    """One measured quantity in one situation; `note` says what a reader must know beside the figures.

    `counts` says how many of the values came from which round, in order (nothing: all from round 1). Values beyond
    `limit`, whatever their sign, are counted and told one by one. `tags` say in words what `what` says in a sentence.
    """

    part: str
    what: str
    unit: str
    values: Sequence[float]
    note: str = ""
    counts: Mapping[int, int] = field(default_factory=dict)
    limit: float | None = None
    tags: Mapping[str, str | int] = field(default_factory=dict)

    def rounds(self) -> dict[int, Sequence[float]]:
        """The values by number of their round."""
        found, start = {}, 0
        for number, count in (self.counts or {1: len(self.values)}).items():
            found[number] = self.values[start : start + count]
            start += count
        return found

    def beyond(self) -> list[tuple[int, float]]:
        """Every value beyond the limit with the number of its round, the largest first."""
        if self.limit is None:
            return []
        found = [(n, v) for n, values in self.rounds().items() for v in values if abs(v) > self.limit]
        return sorted(found, key=lambda one: -abs(one[1]))


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
    head = {"part": row.part, "what": row.what, "unit": row.unit, "note": row.note, "tags": dict(row.tags)}
    counts = {"n": len(row.values), "n_by_round": dict(row.counts), "limit": row.limit, "beyond": len(row.beyond())}
    return head | counts | figures | {"values": [round(value, 4) for value in row.values]}


def row_of(kept: Mapping[str, Any]) -> Row:
    """The row that `as_json` made this of."""
    same = {name: kept[name] for name in ("part", "what", "unit", "values", "note", "limit", "tags")}
    return Row(**same, counts={int(number): count for number, count in kept["n_by_round"].items()})


def table(rows: Sequence[Row]) -> str:
    """Aligned columns, one line a row, notes below by number; "-" where n does not resolve a quantile."""
    width = max([len(row.what) for row in rows] + [4])
    unit = max([len(row.unit) for row in rows] + [4])
    head = f"{'part':<8} {'what':<{width}} {'unit':<{unit}} {'n':>6} {'> 1 ms':>7}"
    lines = [head + "".join(f"{q:>10}" for q in QUANTILES)]
    notes: list[str] = []
    for row in rows:
        figures = "".join(f"{figure(value):>10}" for value in quantiles(row.values).values())
        if row.note and row.note not in notes:
            notes.append(row.note)
        mark = f"  [{notes.index(row.note) + 1}]" if row.note else ""
        far = "" if row.limit is None else str(len(row.beyond()))
        what = f"{row.part:<8} {row.what:<{width}} {row.unit:<{unit}}"
        lines.append(f"{what} {len(row.values):>6} {far:>7}{figures}{mark}")
    return "\n".join([*lines, *(f"[{i}] {note}" for i, note in enumerate(notes, 1))])


def outliers(rows: Iterable[Row]) -> Iterator[str]:
    """A line for every row that has some: each with its round; where they are usual the row's quantiles say it all."""
    for row in rows:
        if 0 < len(row.beyond()) <= max(1.0, RARE * len(row.values)):
            found = ", ".join(f"{figure(value)} (round {number})" for number, value in row.beyond())
            yield f"{row.what}: {found}"


def figure(value: float | None) -> str:
    """As many digits as a reader can use; "-" for a figure that there is not."""
    if value is None:
        return "-"
    return f"{value:.3f}" if abs(value) < 10 else f"{value:.1f}" if abs(value) < 1000 else f"{value:.0f}"
