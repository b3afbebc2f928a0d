"""A sender of pulses that is a program of its own, run on a fresh simulated coupler."""

from __future__ import annotations

import json
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from tests.bench.machine import end_with_parent
from tests.valve_rig import coupler

LONGEST_S = 120.0


def run(folder: Path, command: list[str], series: dict[int, int], pause_ms: int) -> tuple[Any, list[tuple[float, int]]]:
    """The one JSON that it prints, and the words that the module saw. Raises RuntimeError when it fails."""
    pairs = [f"{width_ms}:{count}" for width_ms, count in series.items()]
    with tempfile.TemporaryDirectory(dir=folder) as own, coupler(Path(own)) as module:
        done = subprocess.run(
            [*command, str(module.port), str(pause_ms), *pairs], capture_output=True, text=True, check=False,
            timeout=LONGEST_S, cwd=own, preexec_fn=end_with_parent,
        )  # fmt: skip
        words = module.words()
    if done.returncode:
        last = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
        raise RuntimeError(f"{Path(command[-1]).name}: {last}")
    return json.loads(done.stdout), words
