"""The times in a recipe's text that make doses and purges: where each stands, and the text with other ones."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil
from typing import Any, Literal

from ald_controller import units
from ald_controller.check.outlook import Places
from ald_controller.foresight.timeline import Half
from ald_controller.yamlfile import Document, Location

ADVICE = "model's advice"
_SCALAR = re.compile(r"'[^'\n]*'|\"[^\"\n]*\"|[^,}\]#\n]*")
_OLD_ADVICE = re.compile(rf"\s*# {ADVICE}, was [^#]*$")
_PROVENANCE = re.compile(r"(\bprovenance: *)(?:'[^']*'|\"[^\"]*\"|[^,}\]#\n]+)")
_GRID = ((0.1, 0.001), (1.0, 0.01), (10.0, 0.1), (1e9, 1.0))  # below so many seconds: in steps of


@dataclass(frozen=True, slots=True)
class Knob:
    """One time: what it is, where its text stands, what it is now (s), and the range that the owner approved."""

    kind: Literal["dose", "purge"]
    at: Location
    now_s: float
    low_s: float = 0.0
    high_s: float = float("inf")


def knobs_of(document: Document, places: Places, half: Half) -> list[tuple[Knob, str]]:
    """The knobs of one half-cycle with what each is for; none for what a block of the tool makes."""
    step = places.step(half.where)
    if step is None:
        return []
    body = _look(document.data, step)
    verb, key = ("pulse", "time") if isinstance(body, dict) and "pulse" in body else ("expose", "pulse")
    found = [_knob(document, "dose", (*step, verb, key))]
    behind = (*step[:-1], int(step[-1]) + 1)
    purge = _look(document.data, (*behind, "purge"))
    if purge is not None:
        found.append(
            _knob(document, "purge", (*behind, "purge", "time") if isinstance(purge, dict) else (*behind, "purge"))
        )
    return [(knob, half.precursor) for knob in found if knob is not None]


def _knob(document: Document, kind: Literal["dose", "purge"], at: Location) -> Knob | None:
    """The time that is written here, or the default of the parameter that is."""
    value = _look(document.data, at)
    low, high = 0.0, float("inf")
    if isinstance(value, str) and value.startswith("$"):
        at = ("parameters", value.removeprefix("$"), "default")
        entry = _look(document.data, at[:-1]) or {}
        value = entry.get("default")
        low, high = (_seconds(entry.get("min"), low), _seconds(entry.get("max"), high))
    now = _seconds(value, -1.0)
    return Knob(kind, at, now, low, high) if now >= 0.0 and at in document.marks else None


def _seconds(value: object, otherwise: float) -> float:
    try:
        return units.TIME.parse(value)
    except units.UnitError:
        return otherwise


def _look(data: Any, at: Location) -> Any:
    """What stands at a location; None where nothing does."""
    for key in at:
        if isinstance(data, dict):
            data = data.get(key)
        elif isinstance(data, list) and isinstance(key, int) and key < len(data):
            data = data[key]
        else:
            return None
    return data


def written(text: str, document: Document, times_s: Mapping[Location, float]) -> str:
    """The text with these times in place of those that stand there; comments and everything else stay."""
    lines = text.splitlines(keepends=True)
    marks = sorted(((document.marks[at], seconds) for at, seconds in times_s.items()), reverse=True)
    for mark, seconds in marks:  # from the end, so that columns before stay
        line = lines[mark.line - 1]
        match = _SCALAR.match(line, mark.column - 1)
        was = match[0].rstrip() if match else ""
        lines[mark.line - 1] = line[: mark.column - 1] + spoken(seconds) + line[mark.column - 1 + len(was) :]
    return "".join(lines)


def advised(before: str, after: str) -> str:
    """The text with every changed line marked as a model's advice; a source that it names is not one of this time."""
    out = []
    for old, new in zip(before.splitlines(keepends=True), after.splitlines(keepends=True), strict=True):
        if old == new:
            out.append(new)
            continue
        body, end = new.rstrip("\r\n"), new[len(new.rstrip("\r\n")) :]
        body = _PROVENANCE.sub(r"\1unverified default", _OLD_ADVICE.sub("", body))
        out.append(f"{body}  # {ADVICE}, was {', '.join(_differences(old, new))}{end}")
    return "".join(out)


def _differences(old: str, new: str) -> list[str]:
    """The quantities of a line that the new one does not have at the same place."""
    times = re.compile(r"[0-9.]+ (?:ms|s|min|h)\b")
    pairs = zip(times.findall(_OLD_ADVICE.sub("", old)), times.findall(new), strict=False)
    return [was for was, now in pairs if was != now] or ["another"]


def rounded_up(seconds: float) -> float:
    """The next time that a person would write."""
    step = next(step for below, step in _GRID if seconds < below)
    return round(ceil(seconds / step - 1e-6) * step, 6)


def spoken(seconds: float) -> str:
    return f"{round(seconds * 1e3, 3):g} ms" if seconds < 1.0 else f"{round(seconds, 3):g} s"
