"""Measured figures are printed whether a test passes or not: what is promised is wide, what is measured is of use."""

from __future__ import annotations

import os
from pathlib import Path

from pytest import TerminalReporter

from tests.process.stand import FIGURES


def pytest_terminal_summary(terminalreporter: TerminalReporter) -> None:
    if FIGURES:
        terminalreporter.section("figures")
        for line in FIGURES:
            terminalreporter.line(line)
    if FIGURES and "ALD_FIGURES" in os.environ:
        Path(os.environ["ALD_FIGURES"]).write_text("\n".join(FIGURES) + "\n", "utf-8")
