"""The options of commands that hold a recipe against a tool, a load and a rack. Light to import."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from ald_controller.cli.asking import TOOL

_FILE = click.Path(
    readable=False, path_type=Path
)  # what cannot be read is a problem of the check, as what is wrong in it
_OPTIONS = (
    TOOL,
    click.option("--load", type=_FILE, default=None, help="a file with the load register"),
    click.option("--rack", type=_FILE, default=None, help="a file with the bottles per port"),
    click.option("--registers", type=_FILE, default=None, help="a file with all registers"),
)
HTML = click.option(
    "--html", type=click.Path(dir_okay=False, path_type=Path), default=None, help="write one page here, too"
)
TIMES_OF = click.option(
    "--times-of", nargs=2, type=_FILE, default=None, metavar="TOOL REGISTERS",
    help="where its times were found, to compare exposures with; the reference tool for another --tool, unless told",
)  # fmt: skip
MORE = click.option(  # what the controller asks for a run that is to be extended
    "--more", multiple=True, metavar="LINE:COLUMN=TURNS", hidden=True, help="so many more turns of the repeat there"
)


def against(command: Callable[..., Any]) -> Callable[..., Any]:
    """`--tool`, `--load`, `--rack` and `--registers`."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command
