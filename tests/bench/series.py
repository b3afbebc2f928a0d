"""A series of rounds that is measured in several calls: what is done, what is left, and all rounds as one. Pure.

A round that is finished is one text under a name of its own, so that a call that is killed leaves whole rounds alone
and none is counted twice. Rounds belong together when the same code was measured on the same computer.
"""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from tests.bench.figures import Row, as_json, row_of

SLICE_S = 525.0  # what one call takes at most, if rounds take as long as they are expected to


@dataclass(frozen=True, slots=True)
class Unit:
    """One round of one part."""

    part: str
    number: int  # from 1

    @property
    def name(self) -> str:
        return f"{self.part}-{self.number}.json"

    def __str__(self) -> str:
        return f"{self.part} {self.number}"


@dataclass(frozen=True, slots=True)
class Round:
    """One finished unit: when it began, what it took, the load around it, and what it measured."""

    unit: Unit
    date: str
    seconds: float
    load_before: str
    load_after: str
    rows: tuple[Row, ...]

    def head(self) -> dict[str, Any]:
        """All but the rows."""
        told = {"part": self.unit.part, "round": self.unit.number, "date": self.date, "seconds": self.seconds}
        return told | {"load_before": self.load_before, "load_after": self.load_after}


def key_of(commit: str, *facts: object) -> str:
    """The name under which rounds of one commit on one computer are kept."""
    digest = hashlib.sha256(json.dumps(facts, sort_keys=True, default=str).encode()).hexdigest()
    return f"{commit.replace('+', '-changed')}-{digest[:8]}"


def text_of(done: Round) -> str:
    """What is kept of a round."""
    return json.dumps(done.head() | {"rows": [as_json(row) for row in done.rows]}, ensure_ascii=False)


def round_of(unit: Unit, text: str) -> Round | None:
    """The round that was kept under the name of this unit; None for what is not one, which is then measured again."""
    try:
        kept = json.loads(text)
        if (kept["part"], kept["round"]) != (unit.part, unit.number):
            return None
        rows = tuple(row_of(row) for row in kept["rows"])
        return Round(unit, kept["date"], kept["seconds"], kept["load_before"], kept["load_after"], rows)
    except (ValueError, KeyError, TypeError):
        return None


def next_unit(left: Sequence[Unit], expected_s: Mapping[str, float], spent_s: float) -> Unit | None:
    """The first that still fits into this call; the first of all when nothing was measured yet (`spent_s` 0)."""
    if spent_s == 0:
        return left[0] if left else None
    return next((unit for unit in left if spent_s + expected_s[unit.part] <= SLICE_S), None)


def expected_s(default_s: Mapping[str, float], done: Iterable[Round]) -> dict[str, float]:
    """How long a round of each part takes: as long as the longest so far, or as a guess says."""
    longest: dict[str, float] = {}
    for one in done:
        longest[one.unit.part] = max(one.seconds, longest.get(one.unit.part, 0.0))
    return dict(default_s) | longest


def combined(rounds: Iterable[Round]) -> list[Row]:
    """One row for all rounds that measured the same, in the order in which rows came first; notes are told once."""
    same: dict[tuple[str, str], dict[int, Row]] = defaultdict(dict)
    for one in rounds:
        for row in one.rows:
            same[row.part, row.what][one.unit.number] = row
    return [_joined(by_round) for by_round in same.values()]


def _joined(by_round: Mapping[int, Row]) -> Row:
    rows = list(by_round.values())
    values = [value for row in rows for value in row.values]
    notes = dict.fromkeys(row.note for row in rows if row.note)
    counts = {number: len(row.values) for number, row in by_round.items()}
    return replace(rows[0], values=values, counts=counts, note="; ".join(notes))
