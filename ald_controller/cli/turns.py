"""`ald pause`, `ald resume`, `ald stop` and `ald extend`: what acts in the turns of a repeat."""

from __future__ import annotations

import re

import click

from ald_controller.cli.asking import JSON, SOCKET, ask


def _name(context: click.Context, option: click.Parameter, value: str | None) -> str:
    """The name as given, "" where none was; a script whose variable was empty did not mean the outermost."""
    if value == "":
        raise click.BadParameter("write the name of a repeat, or leave the option out", context, option)
    return value or ""


AT = click.option(
    "--at", callback=_name, metavar="NAME", help="a turn of this repeat, not of the outermost one with a name"
)
_MORE = re.compile(r"\+[1-9][0-9]{0,5}\Z")
_PLACED = re.compile(r"([0-9]{1,9}):([0-9]{1,9})=([0-9]{1,9})\Z")


@click.command()
@click.option("--now", is_flag=True, help="at once, not after the current turn")
@AT
@SOCKET
@JSON
def pause(now: bool, at: str, socket: str | None, as_json: bool) -> None:
    """Pause the run after the current turn of its outermost named repeat."""
    ask(socket, {"verb": "pause", "now": now, "at": at}, as_json)


@click.command()
@SOCKET
@JSON
def resume(socket: str | None, as_json: bool) -> None:
    """Go on with a paused run; after a hold the half-cycle that was cut is done again."""
    ask(socket, {"verb": "resume"}, as_json)


@click.command()
@AT
@SOCKET
@JSON
def stop(at: str, socket: str | None, as_json: bool) -> None:
    """End the run after the current turn, then do the recipe's finish."""
    ask(socket, {"verb": "stop", "at": at}, as_json)


@click.command()
@click.argument("run")
@click.argument("more")
@click.option("--of", "of", callback=_name, metavar="NAME", help="this repeat, not the outermost one with a name")
@SOCKET
@JSON
def extend(run: str, more: str, of: str, socket: str | None, as_json: bool) -> None:
    """Add turns to a repeat of RUN that is going on; MORE is how many, for example +20."""
    if not _MORE.match(more):
        raise click.UsageError(f"'{more[:40]}': write how many turns more, from +1, for example +20")
    ask(socket, {"verb": "extend", "run": run, "turns": int(more), "of": of}, as_json)


def turns_by_place(more: tuple[str, ...]) -> dict[tuple[int, int], int]:
    """LINE:COLUMN=TURNS pairs, as the controller gives them; exits with 2 on anything else."""
    out = {}
    for one in more:
        if (match := _PLACED.match(one)) is None:
            raise click.UsageError(f"--more {one}: write LINE:COLUMN=TURNS, where a repeat stands")
        line, column, turns = map(int, match.groups())
        out[line, column] = turns
    return out
