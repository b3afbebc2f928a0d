"""`ald films`: every film of the review, what is predicted, what the simulated reactor grows, what was reported."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

import click

from ald_controller.cli.asking import JSON, TOOL

KEPT = Path("films-over-the-wire.json")


@dataclass(frozen=True, slots=True)
class FilmsOptions:
    """How the table is made and shown: over wire bytes with what is kept in `cache`, for so long; as JSON or a page."""

    wire: bool = False
    cache: Path = KEPT
    within_s: float | None = None
    as_json: bool = False
    as_page: bool = False


@click.command()
@TOOL
@click.option("--wire", is_flag=True, help="as whole runs over wire bytes, which takes hours; they are kept")
@click.option(
    "--cache", type=click.Path(dir_okay=False, path_type=Path), default=KEPT,
    help="where what has run over wire bytes is kept",
)  # fmt: skip
@click.option(
    "--within", "within_s", type=float, default=None, metavar="SECONDS", help="begin nothing that lasts longer"
)
@click.option("--markdown", "as_page", is_flag=True, help="as the page docs/films.md")
@JSON
def films(
    tool: Path | None, wire: bool, cache: Path, within_s: float | None, as_page: bool, as_json: bool
) -> None:  # fmt: skip
    """Every film of the review: its recipe, predicted and simulated thickness, what was reported."""
    from ald_controller.cli.filmtable import films_command

    sys.exit(films_command(tool, FilmsOptions(wire, cache, within_s, as_json, as_page)))
