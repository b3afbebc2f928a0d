"""Two parts: how fast a recipe is checked, and how much faster than real time one is previewed."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
from pathlib import Path

from tests.bench.figures import Row
from tests.bench.machine import BIN, ROOT

CHECKS = 7
PREVIEWS = {"trial-ligl": 3, "ligl-on-lithium": 1}  # recipe -> times


def measure_check(folder: Path) -> list[Row]:
    """`ald check` as typed, from the shell to its end."""
    rows = []
    for recipe in PREVIEWS:
        values_s = [_typed("check", str(_recipe(recipe)))[0] for _ in range(CHECKS)]
        rows.append(Row("check", f"`ald check {recipe}`", "s", values_s))
    return rows


def measure_preview(folder: Path) -> list[Row]:
    """`ald preview --warm` as typed: simulated seconds in a second, and requests on the wires in a second."""
    rows = []
    for recipe, times in PREVIEWS.items():
        results = [_preview(recipe, folder) for _ in range(times)]
        first = results[0][1]
        note = f"{recipe}: {first['cycles']} cycles, {first['duration_s'] / 60:.0f} min, {first['ending']}"
        columns = {
            "whole command": ("s", [took_s for took_s, _ in results]),
            "times real time": ("×", [result["times_real_time"] for _, result in results]),
            "requests on the wires": ("1/s", [result["transactions_per_s"] for _, result in results]),
        }
        rows += [Row("preview", f"{recipe}: {what}", unit, values, note) for what, (unit, values) in columns.items()]
    return rows


def _preview(recipe: str, folder: Path) -> tuple[float, dict[str, float]]:
    state = folder / f"preview-{recipe}"
    took_s, said = _typed("preview", str(_recipe(recipe)), "--warm", "--json", "--state", str(state))
    shutil.rmtree(state)
    return took_s, json.loads(said)


def _recipe(name: str) -> Path:
    return ROOT / "recipes" / f"{name}.yaml"


def _typed(*arguments: str) -> tuple[float, str]:
    """Seconds of the whole command, and what it said."""
    start_s = time.monotonic()
    done = subprocess.run([str(BIN / "ald"), *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
    took_s = time.monotonic() - start_s
    if done.returncode:
        raise RuntimeError(f"ald {' '.join(arguments)} ended with {done.returncode}: {done.stderr or done.stdout}")
    return took_s, done.stdout
