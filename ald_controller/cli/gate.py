"""`ald gate` and `ald box`: the gate to the glovebox, and what a person says of the glovebox."""

from __future__ import annotations

import click

from ald_controller import units
from ald_controller.cli.asking import JSON, SOCKET, ask


@click.group()
def gate() -> None:
    """The gate between chamber and glovebox: its lock, and what is missing before it may be opened."""


@gate.command()
@SOCKET
@JSON
def status(socket: str | None, as_json: bool) -> None:
    """Where the gate and its lock are, and what is missing, one sentence each."""
    ask(socket, {"verb": "gate-status"}, as_json)


@gate.command()
@SOCKET
@JSON
def release(socket: str | None, as_json: bool) -> None:
    """Release the lock, while nothing is missing; it locks again by itself."""
    ask(socket, {"verb": "gate", "act": "release"}, as_json)


@gate.command()
@SOCKET
@JSON
def lock(socket: str | None, as_json: bool) -> None:
    """Lock the gate; refused while it is open."""
    ask(socket, {"verb": "gate", "act": "lock"}, as_json)


@click.group()
def box() -> None:
    """What a person says of the glovebox."""


@box.command()
@click.option("--until", "lasts", required=True, metavar="TIME", help="how long from now, for example '40 min'")
@click.option("--by", required=True, help="who says so")
@SOCKET
@JSON
def regenerating(lasts: str, by: str, socket: str | None, as_json: bool) -> None:
    """Its purifier regenerates: bad air is expected, and keeps only the gate shut while the gate is proven shut.

    Ends by itself at that time, or after ten minutes of good air.
    """
    try:
        for_s = units.TIME.parse(lasts)
    except units.UnitError as error:
        raise click.UsageError(f"--until: {error}") from None
    ask(socket, {"verb": "box", "mode": "regenerating", "for_s": for_s, "by": by}, as_json)


@box.command()
@click.option("--by", required=True, help="who says so")
@SOCKET
@JSON
def ready(by: str, socket: str | None, as_json: bool) -> None:
    """The purifier works again: bad air counts in full."""
    ask(socket, {"verb": "box", "mode": "ready", "by": by}, as_json)
