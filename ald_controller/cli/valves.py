"""`ald valves`: how often every valve has moved, what is due for service, and who has replaced one."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import click

from ald_controller.cli.asking import JSON, SOCKET, STATE, ask, reply_to

WIDTH = 110  # where there is no terminal
REPLACED_TOLD = 5


@click.group(invoke_without_command=True)
@STATE
@SOCKET
@JSON
@click.pass_context
def valves(context: click.Context, state: Path | None, socket: str | None, as_json: bool) -> None:
    """How often every valve has moved, for how long it was open, and what is due for service."""
    if context.invoked_subcommand is not None:
        if state or socket or as_json:
            raise click.UsageError(f"write options behind '{context.invoked_subcommand}', where they belong")
        return
    reply = _stored(state) if state is not None else reply_to(socket, {"verb": "valves"}, as_json)
    click.echo(json.dumps(reply) if as_json else told(reply["data"]))


@valves.command()
@click.argument("name")
@click.option("--by", required=True, help="who has replaced it")
@click.option("--reason", default="", help="why, for example 'leaks through'")
@SOCKET
@JSON
def replaced(name: str, by: str, reason: str, socket: str | None, as_json: bool) -> None:
    """Say that the valve of output NAME is a new one: it counts from zero, and what the old one did is kept."""
    ask(socket, {"verb": "valve-replaced", "name": name, "by": by, "reason": reason}, as_json)


@valves.command()
@click.option(
    "--seconds", type=click.FloatRange(1, 3600), default=20.0, show_default=True, help="how long under each load"
)
@click.option("--busy", is_flag=True, help="then again with every processor loaded; disturbs a run that goes on here")
@click.option(
    "--out", type=click.Path(file_okay=False, path_type=Path), default=Path(), help="where the JSON and the picture go"
)
@SOCKET
@JSON
def selftest(seconds: float, busy: bool, out: Path, socket: str | None, as_json: bool) -> None:
    """How late and how right this computer gives doses: the real valve process on a simulated module.

    No valve of a tool moves. Leaves a JSON with every dose, and a picture.
    """
    from ald_controller.cli.selftest import Options, selftest_command

    sys.exit(selftest_command(Options(seconds, busy, out, as_json, socket)))


def _stored(state: Path) -> dict[str, Any]:
    """What a controller would answer, from its state directory; exits with 1 where nothing has been counted."""
    import sqlite3

    from ald_controller.records.ledger import read_ledger

    try:
        book = read_ledger(state / "tool.db")
    except sqlite3.Error as error:
        click.echo(f"ald valves: {state / 'tool.db'}: no ledger of valves can be read there: {error}", err=True)
        sys.exit(1)
    return {"ok": True, "code": "done", "text": "as it was last written", "data": book.shown()}


def told(data: dict[str, Any], width: int | None = None) -> str:
    """The ledger for people: a table, what is near its service, and what came before; `width` in columns."""
    from rich.console import Console

    console = Console(width=width or (None if sys.stdout.isatty() else WIDTH), highlight=False)
    with console.capture() as captured:
        console.print(_table(data["valves"]))
        for valve in data["valves"]:
            if valve["warning"]:
                console.print(valve["warning"], style="yellow", markup=False)
        for old in data["replaced"][:REPLACED_TOLD]:
            console.print(_replaced(old), style="dim", markup=False)
        for valve in data["gone"]:
            kept = f"{valve['name']}: {valve['actuations']:,} actuations, no output of the tool file any more"
            console.print(kept, style="dim", markup=False)
    return "\n".join(line.rstrip() for line in captured.get().rstrip().splitlines())


def _table(rows: list[dict[str, Any]]) -> Any:
    """One line per output; only names and people may take a second one."""
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    table.add_column("output", overflow="fold")
    table.add_column("role", no_wrap=True)
    table.add_column("actuations", justify="right", no_wrap=True)
    table.add_column("energised", no_wrap=True)
    table.add_column("service\nafter", justify="right", no_wrap=True)
    table.add_column("share", justify="right", no_wrap=True)
    table.add_column("counted\nsince", min_width=10, overflow="fold")
    for row in rows:
        limit, style = row["service_after"], "yellow" if row["warning"] else ""
        since = row["since"][:10] + (f" replaced by {row['replaced_by']}" if row["replaced_by"] else "")
        table.add_row(
            Text(row["name"]), row["role"], f"{row['actuations']:,}",
            f"{row['energised_is']} {duration(row['energised_s'])}",
            f"{limit:,}" if limit else "–", share(row["actuations"], limit), Text(since), style=style,
        )  # fmt: skip
    return table


def share(actuations: int, service_after: int | None) -> str:
    """Whole per cent, cut and not rounded: 100 % is reached when it is reached."""
    return f"{100 * actuations // service_after} %" if service_after else "–"


def duration(seconds: float) -> str:
    """A length of time in one or two units, to a tenth of a second where it is short."""
    from ald_controller.records import scales

    return f"{seconds:.1f} s" if seconds < 60 else scales.duration(seconds)


def _replaced(old: dict[str, Any]) -> str:
    why = f": {old['reason']}" if old["reason"] else ""
    did = f"{old['actuations']:,} actuations since {old['since'][:10]}"
    return f"{old['name']}: replaced on {old['at'][:10]} by {old['who']} after {did}{why}"
