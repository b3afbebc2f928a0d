"""What the valve process's self-test at its start says to a person, and where it is shown."""

from __future__ import annotations

from pathlib import Path

import pytest

from ald_controller.cli.follow import status_text
from ald_controller.records.digest import digest
from ald_controller.records.folder import read_header
from ald_controller.records.record import open_run
from ald_controller.records.report import page
from ald_controller.valves.timing import Timing, in_ms, timing_of
from ald_controller.valves.wire import Lateness
from tests.fake_handler import state
from tests.synthetic_run import begin
from tests.valve_rig import CONFIG

GOOD = Lateness(100, 1_200, 94_000, 304_012)
LATE = Timing(100, 0.1, 1.8, 7.26, "this computer wakes late (…): doses may be missed; see `ald valves selftest`")


def test_a_computer_that_wakes_in_time_has_figures_and_no_warning() -> None:
    timing = timing_of(GOOD, CONFIG, degraded=False)
    assert timing == Timing(100, 0.0012, 0.094, 0.304, "")
    assert timing.sentence == "p99 0.09 ms, worst 0.30 ms"
    assert timing_of(None, CONFIG, degraded=False) is None


@pytest.mark.parametrize(
    ("p99_us", "max_us", "degraded", "warns"),
    [
        (1_000, 5_000, False, False),
        (1_001, 1_001, False, True),
        (100, 5_001, False, True),
        (1_001, 5_001, True, False),  # an opening of degraded timing may be 50 ms late
        (10_000, 50_000, True, False),
        (10_001, 10_001, True, True),
        (100, 50_001, True, True),
    ],
)
def test_a_p99_beyond_a_fifth_of_the_limit_or_one_wake_up_beyond_it_warns(
    p99_us: int, max_us: int, degraded: bool, warns: bool
) -> None:
    timing = timing_of(Lateness(100, 10, p99_us * 1_000, max_us * 1_000), CONFIG, degraded=degraded)
    assert timing is not None and bool(timing.warning) is warns


def test_the_warning_says_what_was_seen_what_it_means_and_what_to_do() -> None:
    timing = timing_of(Lateness(100, 10, 1_800_000, 7_260_000), CONFIG, degraded=False)
    assert timing is not None
    assert timing.warning == (
        "this computer wakes late (p99 1.8 ms, worst 7.3 ms): doses may be missed; see `ald valves selftest`"
    )


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (0.0, "under 0.01 ms"),
        (0.00499, "under 0.01 ms"),
        (0.005, "0.01 ms"),
        (0.094, "0.09 ms"),
        (0.999, "1.00 ms"),
        (1.04, "1.0 ms"),
        (7.31, "7.3 ms"),
        (99.94, "99.9 ms"),
        (100.4, "100 ms"),
        (-0.05, "-0.05 ms"),
    ],
)
def test_milliseconds_are_written_with_the_figures_that_matter(value: float, said: str) -> None:
    assert in_ms(value) == said


def test_the_status_has_a_line_only_for_a_computer_that_wakes_late() -> None:
    status = state(1).model_dump(mode="json")
    figures = {"n": 100, "p50_ms": 0.0, "p99_ms": 0.1, "max_ms": 0.3}
    assert "timing" not in status_text(status | {"valve_timing": None})
    assert "timing" not in status_text(status | {"valve_timing": figures | {"warning": ""}})
    assert "timing" in (told := status_text(status | {"valve_timing": figures | {"warning": LATE.warning}}))
    assert "this computer wakes late" in told


async def test_a_run_keeps_the_timing_of_its_start_and_its_report_says_it(tmp_path: Path) -> None:
    timing = timing_of(GOOD, CONFIG, degraded=False)
    run = await begin(tmp_path, 2, 0.5, valve_timing=timing)
    await run.cycle(1)
    await run.journal.close("completed", {})
    assert read_header(run.journal.folder).valve_timing == timing
    html = page(digest(open_run(run.journal.folder)))
    assert "Valve timing at start: p99 0.09 ms, worst 0.30 ms." in html and "Late computer" not in html


async def test_the_report_of_a_run_on_a_late_computer_says_so_at_its_top(tmp_path: Path) -> None:
    run = await begin(tmp_path, 2, 0.5, valve_timing=LATE)
    await run.journal.close("completed", {})
    html = page(digest(open_run(run.journal.folder)))
    assert "woken late at its start (p99 1.8 ms, worst 7.3 ms); doses may have been missed." in html


async def test_a_run_without_a_measured_start_claims_none(tmp_path: Path) -> None:
    run = await begin(tmp_path, 2, 0.5)
    await run.journal.close("completed", {})
    assert "Valve timing at start" not in page(digest(open_run(run.journal.folder)))
