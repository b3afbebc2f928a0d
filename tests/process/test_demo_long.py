"""The trial as ./demo runs it, on real wires, and the same recipe in a preview: the same words and offsets."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ald_controller.records.record import RunRecord, open_run
from tests.process.stand import SOURCES, changes, figure
from tests.same_words import segments

ROOT = Path(__file__).resolve().parents[2]
TRIAL = ROOT / "recipes" / "trial-ligl.yaml"
pytestmark = [pytest.mark.long, pytest.mark.timeout(530)]


@pytest.fixture
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="ald-trial-") as made:
        yield Path(made)


def run_in(state: Path) -> RunRecord:
    (only,) = (state / "runs").iterdir()
    return open_run(only)


def test_the_trial_demo_completes_and_a_preview_gives_its_words_and_offsets(folder: Path) -> None:
    state, began_s = folder / "state", time.monotonic()
    demo = subprocess.run(
        ["/bin/sh", str(ROOT / "demo"), "--state", str(state)], cwd="/", capture_output=True, text=True, timeout=480
    )
    lasted_s = time.monotonic() - began_s
    assert demo.returncode == 0, demo.stdout + demo.stderr
    assert "ending completed" in demo.stdout and "6 of 6 doses confirmed" in demo.stdout
    real = run_in(state)
    assert not changes(state / "valves.trace")[-1]["word"] & SOURCES

    load = folder / "load.yaml"
    load.write_text("material: lithium foil\n", "utf-8")
    command = [sys.executable, "-m", "ald_controller", "preview", str(TRIAL), "--warm", "--json", "--load", str(load)]
    done = subprocess.run(
        [*command, "--state", str(folder / "preview")], cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stdout + done.stderr
    previewed = run_in(folder / "preview")
    assert segments(previewed) == segments(real)
    _tell(real, lasted_s, json.loads(done.stdout))


def _tell(real: RunRecord, lasted_s: float, preview: dict[str, float]) -> None:
    edges, doses = real.edges(), real.doses()
    late_ms = max(edge.late_s for edge in edges) * 1e3
    wrong_us = max(abs(dose.width_error_s or 0.0) for dose in doses) * 1e6
    timing = "degraded timing" if real.header.degraded_timing else "real-time priority"
    figure(f"trial demo: {lasted_s:.0f} s from ./demo to its report, {timing}, load {os.getloadavg()[0]:.1f}")
    figure(f"{len(edges)} edges, the latest sent {late_ms:.3f} ms late; widths of {len(doses)} doses as sent: "
           f"wrong by {wrong_us:.0f} µs at most")  # fmt: skip
    figure(f"preview: the same words and offsets in {len(segments(real))} segments, "
           f"{preview['wall_s']:.1f} s, {preview['times_real_time']:.0f} times real time")  # fmt: skip
