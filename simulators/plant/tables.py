"""The tables of chemistry as the simulated reactor reads them: `recipes/chemistry/*.yaml`, facts and nothing else.

The controller reads the same files with code of its own. A mistake in them is a ValueError or a KeyError here; the
controller says where it stands.
"""

from __future__ import annotations

import sys
from functools import cache
from pathlib import Path
from typing import Any

import yaml

TORR_PA = 101_325.0 / 760.0
UNITS = {"°C": 1.0, "s": 1.0, "min": 60.0, "nm": 1.0, "Å": 0.1, "Pa": 1.0, "mTorr": TORR_PA / 1000.0, "Torr": TORR_PA}
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # the same language, read in C: ten times as fast


def folder() -> Path:
    """Where the tables lie: beside this checkout, else under the environment's `share`."""
    checkout = Path(__file__).parents[2] / "recipes" / "chemistry"
    return checkout if checkout.is_dir() else Path(sys.prefix) / "share" / "ald-controller" / "recipes" / "chemistry"


@cache
def table(name: str) -> dict[str, dict[str, Any]]:
    """One file's entries by name; raises OSError, KeyError."""
    text = (folder() / f"{name}.yaml").read_text(encoding="utf-8")
    entries: dict[str, dict[str, Any]] = yaml.load(text, Loader=_LOADER)[name]
    return entries


def number(text: str) -> float:
    """A quantity such as '1.25 Å' in °C, s, nm or Pa; raises ValueError."""
    value, _, unit = text.partition(" ")
    if unit not in UNITS:
        raise ValueError(f"'{text}' is not in one of {', '.join(UNITS)}")
    return float(value) * UNITS[unit]


def points(entry: dict[str, Any], key: str) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Temperatures in °C and what the points of an entry say under `key` there."""
    rows = entry["points"]
    values = tuple(number(row[key]) if isinstance(row[key], str) else float(row[key]) for row in rows)
    return tuple(number(row["at"]) for row in rows), values
