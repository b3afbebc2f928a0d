"""`ald interlocks`: the whole matrix of a tool, what it would do, who has confirmed its limits, and bypasses."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ald_controller.cli.asking import JSON, SOCKET, ask, reply_to, tool_path

if TYPE_CHECKING:
    from ald_controller.cli.explaining import Question

OFFLINE = click.option(
    "--tool", type=click.Path(path_type=Path), default=None, help="a tool file to look at without a controller"
)
REGISTERS = click.option(
    "--registers", type=click.Path(path_type=Path), default=None, help="a file with all registers, for --tool"
)
ROW = click.argument("row", metavar="ROW")


@click.group()
def interlocks() -> None:
    """What this tool guards, with which limits; and what the interlocks would do."""


@interlocks.command("list")
@click.argument("rows", nargs=-1, metavar="[ROW]…")
@OFFLINE
@REGISTERS
@SOCKET
@JSON
def list_rows(
    rows: tuple[str, ...], tool: Path | None, registers: Path | None, socket: str | None, as_json: bool
) -> None:
    """Every row of the hazard matrix as a tool guards it: the one that runs here, or --tool FILE."""
    from ald_controller.cli.matrixtext import matrix_text

    data = _offline(tool, registers) if tool else _live(socket, as_json)
    unknown = [row for row in rows if row not in {r["id"] for r in data["rows"]}]
    if unknown:
        raise click.UsageError(f"there is no row {unknown[0]} in the hazard matrix: T1-T8, C1-C15, G1-G9, K1-K20")
    data["rows"] = [row for row in data["rows"] if not rows or row["id"] in rows]
    click.echo(json.dumps(data) if as_json else matrix_text(data))


def _live(socket: str | None, as_json: bool) -> dict[str, Any]:
    data: dict[str, Any] = reply_to(socket, {"verb": "interlocks"}, as_json)["data"]
    return {**data, "of": "as its controller guards it now"}


def _offline(tool: Path, registers: Path | None) -> dict[str, Any]:
    """The same of a tool file; exits with 1 when a file is wrong."""
    from dataclasses import asdict

    from ald_controller.cli.explaining import at_tool
    from ald_controller.explain import matrix_of
    from ald_controller.yamlfile import Problems

    try:
        place = at_tool(tool, registers)
    except (Problems, ValueError) as error:
        click.echo(str(error), err=True)
        sys.exit(1)
    return {
        "tool": place.config.tool, "limits": place.limits, "confirmed": place.confirmed, "of": place.of,
        "rows": [asdict(row) for row in matrix_of(place.rules)], "not_guarded": list(place.rules.not_guarded),
    }  # fmt: skip


@interlocks.command()
@click.argument("words", nargs=-1, metavar="[NAME=VALUE]…")
@click.option("--for", "for_s", default="60 s", show_default=True, help="how long the values are held")
@click.option("--jump", is_flag=True, help="the values appear at once after a minute in which all was well")
@click.option("--all", "everything", is_flag=True, help="name every signal that was taken as healthy")
@click.option("--run", type=click.Path(exists=True, file_okay=False, path_type=Path), default=None,
              help="a run folder: what the interlocks said there, instead of typed values")  # fmt: skip
@click.option(
    "--at", default=None, metavar="H:MM:SS", help="the moment of that run (default: its first trip, or its end)"
)
@OFFLINE
@REGISTERS
@JSON
def explain(
    words: tuple[str, ...], for_s: str, jump: bool, everything: bool, run: Path | None, at: str | None,
    tool: Path | None, registers: Path | None, as_json: bool,
) -> None:  # fmt: skip
    """Which rows act on these values, why, and what would clear them. Nothing moves: it is only evaluated.

    \b
    ald interlocks explain substrate.temperature_c=171 chamber=VACUUM process=EXECUTING gate=open --for 12s
    ald interlocks explain coupler-b.o2_ppm=old --for 15s
    ald interlocks explain --run state/runs/2031-05-04-123000-ligl-17 --at 1:23:45
    """
    from ald_controller.cli.explaining import CannotExplain, explain_run, explain_typed

    if run is not None and (words or tool or registers or jump):
        raise click.UsageError(
            "--run takes its values, its tool and its registers from the record: leave the others out"
        )
    if run is None and at is not None:
        raise click.UsageError("--at is a moment of a run: say which, with --run FOLDER")
    try:
        question = explain_run(run, at) if run else explain_typed(words, for_s, jump, tool_path(tool), registers)
    except CannotExplain as error:
        click.echo(f"ald interlocks: {error}", err=True)
        sys.exit(error.code)
    click.echo(_told(question, as_json, everything))


def _told(question: Question, as_json: bool, everything: bool) -> str:
    from ald_controller.cli.explaining import as_data
    from ald_controller.cli.verdicttext import verdict_text

    return json.dumps(as_data(question)) if as_json else verdict_text(question, everything)


@interlocks.command()
@click.option("--by", required=True, help="the owner who confirms them")
@click.option("--yes", is_flag=True, help="do not ask: the table has been read elsewhere")
@SOCKET
def confirm(by: str, yes: bool, socket: str | None) -> None:
    """Sign for the limits as they are now: prints them, and asks for the name of the tool."""
    from ald_controller.cli.matrixtext import matrix_text

    data = _live(socket, as_json=False)
    click.echo(matrix_text(data))
    if data["confirmed"]:
        click.echo(f"these limits ({data['limits']}) are confirmed already")
        return
    if not yes:
        typed = click.prompt(f"These are the limits {data['limits']}. To sign for them, type the name of the tool")
        if typed.strip() != data["tool"]:
            click.echo("ald interlocks: that is not its name; nothing was confirmed", err=True)
            sys.exit(1)
    ask(socket, {"verb": "register-set", "name": "confirmed.limits", "value": data["limits"], "by": by})


@interlocks.command()
@ROW
@click.option("--minutes", type=click.FloatRange(0, 60, min_open=True), required=True, help="for how long, at most 60")
@click.option("--reason", required=True, help="why: it goes into the record")
@SOCKET
@JSON
def bypass(row: str, minutes: float, reason: str, socket: str | None, as_json: bool) -> None:
    """Take one row out of action for a while: only rows that allow it, never with lithium or pyrophorics."""
    ask(socket, {"verb": "bypass", "row": row, "minutes": minutes, "reason": reason}, as_json)


@interlocks.command()
@ROW
@SOCKET
@JSON
def restore(row: str, socket: str | None, as_json: bool) -> None:
    """Make a bypassed row live again before its time."""
    ask(socket, {"verb": "restore", "row": row}, as_json)
