"""Where log lines go: to stderr, never between the lines that a command prints for people or scripts."""

from __future__ import annotations

import sys
from contextlib import suppress
from typing import Any, TextIO, cast

import structlog


class _Quietly:
    """The file that lines go to, as far as it takes them: a full disk ends neither a run nor the controller."""

    def __init__(self, file: TextIO) -> None:
        self._file = file

    def write(self, text: str) -> None:
        with suppress(OSError):
            self._file.write(text)

    def flush(self) -> None:
        with suppress(OSError):
            self._file.flush()


def configure_log(quiet: bool, warnings: bool = True) -> None:
    """Lines on stderr: JSON where nobody looks, coloured text on a terminal; `quiet` keeps warnings and errors."""
    plain = structlog.dev.plain_traceback  # the coloured one takes a second, and the guard waits for it
    people = sys.stderr.isatty()
    renderer: list[Any] = (
        [structlog.dev.ConsoleRenderer(exception_formatter=plain)] if people
        else [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
    )  # fmt: skip
    structlog.configure(
        processors=[
            structlog.processors.add_log_level, structlog.processors.TimeStamper(fmt="iso", utc=True), *renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger((30 if warnings else 40) if quiet else 20),
        logger_factory=structlog.PrintLoggerFactory(cast(TextIO, _Quietly(sys.stderr))),
    )  # fmt: skip
