"""What pytest's workers bring to the session that started them: lists that it shows and judges at its end."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import pytest

Plain = str | int | float | bool | None


@dataclass(frozen=True, slots=True)
class Carried:
    """A plugin that brings rows from every worker to the session; where there are no workers it does nothing.

    `rows` gives what this process has collected, `take` takes one row that a worker has collected. `name` is the
    list's, and no other one's.
    """

    name: str
    rows: Callable[[], Iterable[tuple[Plain, ...]]]
    take: Callable[..., object]

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        output: dict[str, Any] | None = getattr(session.config, "workeroutput", None)
        if output is not None:
            output[self.name] = [list(row) for row in self.rows()]

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        for row in getattr(node, "workeroutput", {}).get(self.name, ()):  # a worker that died has told nothing
            self.take(*row)


def is_worker(config: pytest.Config) -> bool:
    """Whether this process runs tests for another one, which judges the session."""
    return hasattr(config, "workerinput")
