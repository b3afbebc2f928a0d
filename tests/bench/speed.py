"""Three parts: how fast a recipe is checked, how much faster than real time and in how much memory one is previewed."""

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
STEPS = 10_000
CYCLES = 100, 1_000, 10_000  # of a second each
RECIPE = """\
recipe: {name}
title: Water in short doses
substrate: silicon wafer
provenance: unverified default
prepare:
  - flow: {{carrier: 20 sccm}}
deposit:
{deposit}
finish:
  - purge: 1 s
"""
REPEAT = """\
  - repeat:
      times: {cycles}
      name: doses
      steps:
        - pulse: {{precursor: water, time: 30 ms}}
        - purge: 970 ms"""
STEP = "  - pulse: {precursor: water, time: 30 ms}\n  - purge: 1 s"


def measure_check(folder: Path) -> list[Row]:
    """`ald check` as typed, from the shell to its end."""
    rows = []
    for recipe in PREVIEWS:
        values_s = [_typed("check", str(_recipe(recipe)))[0] for _ in range(CHECKS)]
        rows.append(Row("check", f"`ald check {recipe}`", "s", values_s))
    long = _written(folder, "steps", "\n".join([STEP] * (STEPS // 2)))
    values_s = [_typed("check", str(long))[0] for _ in range(CHECKS)]
    return [*rows, Row("check", f"`ald check` of {STEPS:,} steps written out", "s", values_s)]


def measure_preview(folder: Path) -> list[Row]:
    """`ald preview --warm` as typed: simulated seconds in a second, and requests on the wires in a second."""
    rows = []
    for recipe, times in PREVIEWS.items():
        results = [_preview(_recipe(recipe), folder) for _ in range(times)]
        first = results[0][1]
        note = f"{recipe}: {first['cycles']} cycles, {first['duration_s'] / 60:.0f} min, {first['ending']}"
        columns = {
            "whole command": ("s", [took_s for took_s, _ in results]),
            "times real time": ("×", [result["times_real_time"] for _, result in results]),
            "requests on the wires": ("1/s", [result["transactions_per_s"] for _, result in results]),
        }
        rows += [Row("preview", f"{recipe}: {what}", unit, values, note) for what, (unit, values) in columns.items()]
    return rows


def measure_memory(folder: Path) -> list[Row]:
    """What the process of a preview holds at most until its run is over, for ever longer runs of the same cycle."""
    rows = []
    for cycles in CYCLES:
        recipe = _written(folder, f"cycles-{cycles}", REPEAT.format(cycles=cycles))
        result = _preview(recipe, folder)[1]
        note = f"{result['cycles']} cycles, {result['duration_s'] / 60:.0f} min, {result['ending']}"
        rows.append(Row("memory", f"most that a preview of {cycles:,} cycles held", "MiB", [result["peak_mib"]], note))
    return rows


def _written(folder: Path, name: str, deposit: str) -> Path:
    path = folder / f"{name}.yaml"
    path.write_text(RECIPE.format(name=name, deposit=deposit), encoding="utf-8")
    return path


def _preview(recipe: Path, folder: Path) -> tuple[float, dict[str, float]]:
    state = folder / f"preview-{recipe.stem}"
    took_s, said = _typed("preview", str(recipe), "--warm", "--json", "--state", str(state))
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
