"""A machine is one test of three hundred walks: it may take longer than a sentence."""

from __future__ import annotations

from pathlib import Path

import pytest

HERE = Path(__file__).parent
WALKS_S = 420


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.parent == HERE and item.path.stem.endswith("_machine"):
            item.add_marker(pytest.mark.timeout(WALKS_S))
