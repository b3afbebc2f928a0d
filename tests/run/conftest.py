"""Prints what the rows of the hazard matrix have shown, and fails a whole session that leaves one out."""

from __future__ import annotations

import pytest
from pytest import TerminalReporter

from ald_controller.interlocks import MATRIX, Guard
from tests.run.rows import SHOWN, missing


def pytest_terminal_summary(terminalreporter: TerminalReporter) -> None:
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
    whole = session.config.args == ["tests/run"] and not session.config.option.keyword
    if whole and exitstatus == 0 and missing():
        print(f"\nno scenario shows {', '.join(missing())}")
        session.exitstatus = 1
