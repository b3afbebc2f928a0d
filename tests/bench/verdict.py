"""The edges in a few lines: the valve process beside the C sender and every peer. Figures only, no judgement."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any

from tests.bench.figures import Row, figure, quantiles

PULSE_MS = 15


@dataclass(frozen=True, slots=True)
class Standing:
    """One contender under one load: n and p99 by number of the round, the median of the p99, and ours beside it.

    `difference_ms` is ours minus this one's, `ratio` this one's over ours; None where either is missing.
    """

    quantity: str
    load: str
    contender: str
    n_by_round: dict[int, int]
    p99_by_round_ms: dict[int, float | None]
    median_p99_ms: float | None
    difference_ms: float | None
    ratio: float | None
    note: str = ""


def standings(rows: Sequence[Row], quantities: Sequence[str], ours: str) -> list[Standing]:
    """In the order of the quantities, then of the rows; nothing for what no row measures."""
    found = []
    for quantity in quantities:
        same = [row for row in rows if row.tags.get("quantity") == quantity and row.tags.get("pulse_ms") == PULSE_MS]
        for load in dict.fromkeys(str(row.tags["load"]) for row in same):
            here = [row for row in same if row.tags["load"] == load]
            own = next((_median_p99(row) for row in here if row.tags["contender"] == ours), None)
            found += [_standing(row, own, ours) for row in here]
    return found


def _standing(row: Row, own_ms: float | None, ours: str) -> Standing:
    this_ms = _median_p99(row)
    tags = row.tags
    compared = own_ms is not None and this_ms is not None and tags["contender"] != ours
    return Standing(
        str(tags["quantity"]), str(tags["load"]), str(tags["contender"]),
        {number: len(values) for number, values in row.rounds().items()}, _p99s(row), this_ms,
        difference_ms=own_ms - this_ms if compared else None,
        ratio=this_ms / own_ms if compared and own_ms else None,
        note="" if row.values else row.note,
    )  # fmt: skip


def _p99s(row: Row) -> dict[int, float | None]:
    return {number: quantiles(values)["p99"] for number, values in row.rounds().items()}


def _median_p99(row: Row) -> float | None:
    known = [value for value in _p99s(row).values() if value is not None]
    return median(known) if known else None


def as_json(standing: Standing) -> dict[str, Any]:
    """All of its fields, rounded as the values are."""
    return {name: _rounded(value) for name, value in asdict(standing).items()}


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return round(value, 4)
    return {key: _rounded(one) for key, one in value.items()} if isinstance(value, dict) else value


def table(found: Sequence[Standing], ours: str) -> str:
    """A block for each quantity; "" when there is nothing to compare."""
    blocks = []
    for quantity in dict.fromkeys(one.quantity for one in found):
        head = f"{PULSE_MS} ms pulse: {quantity}: p99 of each round in ms, and their median"
        blocks.append("\n".join([head, *_lines([one for one in found if one.quantity == quantity], ours)]))
    return "\n\n".join(blocks)


def _lines(found: Sequence[Standing], ours: str) -> Iterator[str]:
    names = max(len(one.contender) for one in found)
    loads = max(len(one.load) for one in found)
    rounds = sorted({number for one in found for number in one.n_by_round})
    numbers = "".join(f"{f'round {number}':>9}" for number in rounds)
    beside = f"{ours} minus this", f"this / {ours}"
    yield f"{'load':<{loads}} {'contender':<{names}} {'n/round':>9}{numbers}   median  {beside[0]}  {beside[1]}"
    for one in found:
        p99s = "".join(f"{figure(one.p99_by_round_ms.get(number)):>9}" for number in rounds)
        head = f"{one.load:<{loads}} {one.contender:<{names}} {_n(one.n_by_round.values()):>9}"
        yield f"{head}{p99s}{figure(one.median_p99_ms):>9}  {_beside(one, *map(len, beside))}".rstrip()


def _n(counts: Collection[int]) -> str:
    low, high = min(counts), max(counts)
    return str(low) if low == high else f"{low}-{high}"


def _beside(one: Standing, difference: int, ratio: int) -> str:
    if one.difference_ms is None or one.ratio is None:
        return one.note
    return f"{one.difference_ms:>+{difference}.3f}  {figure(one.ratio):>{ratio}}"
