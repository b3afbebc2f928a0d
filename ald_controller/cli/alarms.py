"""`ald alarms`: what a person has to know and do now, who has seen it, and what has been."""

from __future__ import annotations

import json
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ald_controller.cli.asking import JSON, SOCKET, STATE, ask, reply_to

if TYPE_CHECKING:
    from rich.table import Table
    from rich.text import Text

WIDTH = 110  # where there is no terminal
FLOOD = 10  # more alarms than this in ten minutes hide their own cause (row K19)
STYLES = {"critical": "bold white on red", "high": "bold red", "medium": "yellow", "low": ""}
FIRST_OUT = "▶"


@click.group(invoke_without_command=True)
@click.option("--all", "everything", is_flag=True, help="the suppressed ones in full, too")
@SOCKET
@JSON
@click.pass_context
def alarms(context: click.Context, everything: bool, socket: str | None, as_json: bool) -> None:
    """What stands now: cause, consequence and what to do, the first-out first."""
    if context.invoked_subcommand is not None:
        if socket or as_json or everything:
            raise click.UsageError(f"write options behind '{context.invoked_subcommand}', where they belong")
        return
    reply = reply_to(socket, {"verb": "status"}, as_json)
    status = reply["data"]
    if as_json:
        kept = {name: status[name] for name in ("time", "alarms", "alarms_per_10_min", "bypasses", "not_guarded")}
        click.echo(json.dumps({**reply, "data": kept}))
        return
    click.echo(told(status, everything))


@alarms.command()
@click.argument("names", nargs=-1, required=True, metavar="ROW|ID|all…")
@click.option("--by", default="", help="who has seen it, where that is not the user who types")
@SOCKET
@JSON
def ack(names: tuple[str, ...], by: str, socket: str | None, as_json: bool) -> None:
    """Say that somebody has seen these alarms: rows (K3), ids as `ald alarms` shows them, or all."""
    for name in names:
        ask(socket, {"verb": "acknowledge", "alarm": name, "by": by}, as_json)


@alarms.command()
@click.option("--newest", type=click.IntRange(1, 2000), default=50, show_default=True, help="how many changes")
@click.option("--all", "everything", is_flag=True, help="consequences, too")
@STATE
@SOCKET
@JSON
def history(newest: int, everything: bool, state: Path | None, socket: str | None, as_json: bool) -> None:
    """What was raised, acknowledged and over, and when: newest first."""
    request = {"verb": "alarm-history", "newest": newest}
    reply = _stored(state, newest) if state is not None else reply_to(socket, request, as_json)
    click.echo(json.dumps(reply) if as_json else history_text(reply["data"]["changes"], everything))


def _stored(state: Path, newest: int) -> dict[str, Any]:
    """What a controller would answer, from its state directory; exits with 1 where nothing is kept."""
    import sqlite3

    from ald_controller.records.alarmlog import read_alarm_log

    try:
        changes = read_alarm_log(state / "tool.db", newest)
    except sqlite3.Error as error:
        click.echo(f"ald alarms: {state / 'tool.db'}: no history of alarms can be read there: {error}", err=True)
        sys.exit(1)
    return {"ok": True, "code": "done", "text": "as it was last written", "data": {"changes": changes}}


def told(status: dict[str, Any], everything: bool = False, width: int | None = None) -> str:
    """The alarms of a status for people; `width` in columns."""
    from rich.console import Console

    console = Console(width=width or (None if sys.stdout.isatty() else WIDTH), highlight=False)
    announced = [a for a in status["alarms"] if everything or a["state"] != "suppressed"]
    with console.capture() as captured:
        if announced:
            console.print(_table(announced, status["time"]))
        for line in _summary(status, everything):
            console.print(line)
    return "\n".join(line.rstrip() for line in captured.get().rstrip().splitlines())


def _table(rows: list[dict[str, Any]], now: float) -> Table:
    """One block a row: what it is called, how urgent, and its three sentences."""
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), show_header=False)
    table.add_column(no_wrap=True)
    table.add_column(min_width=14, no_wrap=True)
    table.add_column(overflow="fold")
    for a in rows:
        style = STYLES[a["priority"]] if a["state"] != "suppressed" else "dim"
        mark = FIRST_OUT if a["first_out"] else " "
        name = Text.assemble(f"{mark} ", (a["row"], style), "\n  ", (a["priority"], "dim"))
        table.add_row(name, _state(a, now), _words(a, style))
    return table


def _state(a: dict[str, Any], now: float) -> Text:
    from rich.text import Text

    by = f"by {a['suppressed_by'] or a['acknowledged_by']}" if a["suppressed_by"] or a["acknowledged_by"] else ""
    lines = [a["state"], *([by] if by else []), f"{age(now - a['since'])} ago"]
    return Text("\n".join(lines), style="dim" if a["state"] in ("acknowledged", "suppressed") else "")


def _words(a: dict[str, Any], style: str) -> Text:
    from rich.text import Text

    stands = "" if a["live"] else "  (no longer so; reset it)" if a["latched"] else "  (no longer so)"
    text = Text(a["cause"], style=style or "bold")
    text.append(stands, style="dim")
    for sentence, style in ((a["consequence"], "dim"), (f"→ {a['action']}" if a["action"] else "", "")):
        if sentence:
            text.append(f"\n{sentence}", style=style)
    text.append(f"\n{a['reaction'].replace('_', ' ').lower()}{', latched' if a['latched'] else ''}   {a['id']}", "dim")
    return text


def _summary(status: dict[str, Any], everything: bool) -> list[Text]:
    """What else belongs beside the alarms, one line each."""
    from rich.text import Text

    hidden = Counter(a["suppressed_by"] for a in status["alarms"] if a["state"] == "suppressed")
    out: list[Text] = []
    if not status["alarms"]:
        out.append(Text("no alarm stands", style="green"))
    if hidden and not everything:
        of = ", ".join(f"{count} of {row}" for row, count in hidden.items())
        out.append(Text(f"{sum(hidden.values())} consequences are suppressed: {of}; --all shows them", style="dim"))
    if status["alarms_per_10_min"] > FLOOD:
        rate = status["alarms_per_10_min"]
        out.append(Text(f"{rate} alarms in ten minutes: begin with the one marked {FIRST_OUT}", style="bold red"))
    out += [Text(bypass_line(b, status["time"]), style="bold yellow") for b in status["bypasses"]]
    return out


def bypass_line(bypass: dict[str, Any], now: float) -> str:
    """Which row is out of action, by whom, why, and for how long still."""
    left_s = max(0.0, bypass["ends"] - now)
    return f"row {bypass['row']} is bypassed by {bypass['by']} for {age(left_s)} more: {bypass['reason']}"


def age(seconds: float) -> str:
    """A length of time in one unit, or two."""
    from ald_controller.records import scales

    return f"{max(seconds, 0):.0f} s" if seconds < 60 else scales.duration(seconds)


def history_text(changes: list[dict[str, Any]], everything: bool, width: int | None = None) -> str:
    """One line a change, newest first."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from ald_controller import stamp

    console = Console(width=width or (None if sys.stdout.isatty() else WIDTH), highlight=False)
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for name in ("time (UTC)", "what", "row", "alarm"):
        table.add_column(name, no_wrap=name != "alarm", overflow="fold")
    hidden = 0
    for c in changes:
        if c["suppressed_by"] and not everything:
            hidden += 1
            continue
        who = f" by {c['by']}" if c["by"] else f" of {c['suppressed_by']}" if c["suppressed_by"] else ""
        mark = f" {FIRST_OUT}" if c["first_out"] and c["event"] == "raised" else ""
        at = stamp.iso(c["at"])[:19].replace("T", " ")
        table.add_row(at, f"{c['event']}{who}", f"{c['row']}{mark}", Text(c["text"]), style=_past(c))
    with console.capture() as captured:
        console.print(table if table.row_count else "no alarm has been raised yet")
        if hidden:
            console.print(f"{hidden} changes of consequences are left out; --all shows them", style="dim")
    return "\n".join(line.rstrip() for line in captured.get().rstrip().splitlines())


def _past(change: dict[str, Any]) -> str:
    return STYLES[change["priority"]] if change["event"] in ("raised", "worse") else "dim"
