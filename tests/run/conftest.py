"""Prints what the rows of the hazard matrix have shown, and fails a whole session that leaves one out."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from pytest import TerminalReporter

from ald_controller.interlocks import MATRIX, Guard
from tests.run import heater_cases, rows
from tests.run.heater_cases import HEAD, OUTCOMES
from tests.run.rows import SHOWN, missing
from tests.workers import Carried, is_worker

ROWS = Path(__file__).parents[2] / "long-results" / "rows.json"  # what python -m tests.safety_page reads


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(Carried("rows", lambda: [one.plain for one in SHOWN.values()], rows.heard))
    config.pluginmanager.register(Carried("outcomes", lambda: [one.plain for one in OUTCOMES], heater_cases.heard))


def pytest_terminal_summary(terminalreporter: TerminalReporter) -> None:
    if OUTCOMES:
        terminalreporter.section("heater faults on stages of three masses, software alone")
        for line in (HEAD, *sorted(map(str, OUTCOMES))):
            terminalreporter.line(line)
    if not SHOWN:
        return
    terminalreporter.section("rows of the hazard matrix, as shown on the simulated reactor")
    terminalreporter.line("row  reaction       measured   target  scenario")
    for id in MATRIX:
        if id in SHOWN:
            terminalreporter.line(str(SHOWN[id]))
    hardware = [h.id for h in MATRIX.values() if h.guard is Guard.HARDWARE]
    software = len(MATRIX) - len(hardware)
    terminalreporter.line(
        f"rows covered / rows: {software - len(missing())} / {software}; {len(hardware)} are hardware's"
    )


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Keep what was shown for docs/safety.md; a whole session shows every row, by all of its workers together."""
    if is_worker(session.config) or "ALD_EVERY_ROW" not in os.environ or exitstatus:
        return
    if missing():
        print(f"\nno scenario shows {', '.join(missing())}")
        session.exitstatus = 1
    ROWS.parent.mkdir(exist_ok=True)
    told = {row: {"time": one.time, "how": one.how} for row, one in sorted(SHOWN.items())}
    ROWS.write_text(json.dumps(told, indent=1, ensure_ascii=False), "utf-8")
