"""Half a day of virtual time: nothing grows, nothing gets stuck, and what is well is left alone."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from simulators.virtualtime import run_virtual
from tests.run.soak import Story, soak

pytestmark = [pytest.mark.long, pytest.mark.timeout(900)]
HOURS = float(os.environ.get("ALD_SOAK_HOURS", "12"))
SEED = int(os.environ.get("ALD_SOAK_SEED", "1"))


def _told(story: Story, what: str) -> Story:
    lines = [f"{what}: {line}" for line in story.lines()]
    print("\n".join(lines))
    if page := os.environ.get("ALD_FIGURES"):
        with Path(page).open("a", encoding="utf-8") as file:
            file.write("\n".join(lines) + "\n")
    return story


def test_half_a_day_of_healthy_runs_has_no_trip_and_grows_nothing(tmp_path: Path) -> None:
    story = _told(run_virtual(soak(tmp_path, HOURS, None)), "healthy")
    assert not story.trips and not story.alarms
    assert set(story.runs) == {"completed"} and story.runs["completed"] >= HOURS * 2
    assert story.growth_mib_per_h < 1.0


def test_half_a_day_of_random_faults_ends_in_no_dead_state_and_grows_nothing(tmp_path: Path) -> None:
    story = _told(run_virtual(soak(tmp_path, HOURS, SEED)), f"faults, seed {SEED}")
    assert sum(story.troubles.values()) >= HOURS * 8
    assert story.trips and story.runs["completed"] + story.runs["tripped"] > HOURS
    assert story.growth_mib_per_h < 1.0
