"""`ald proof-test`: trip every row of the interlocks on the idle tool, and keep a certificate of it."""

from __future__ import annotations

import json
import sys
import threading
from pathlib import Path
from typing import Any

import click

from ald_controller.cli.asking import JSON, SOCKET, STATE, reply_to

LOOK_S = 0.5


@click.group("proof-test", invoke_without_command=True)
@click.option("--rows", default="", metavar="T1,K18", help="these rows only; the register of the tool is then not set")
@click.option("--with-hands", is_flag=True, help="ask for real contacts to be moved as well: E-stop, argon, mains …")
@SOCKET
@JSON
@click.pass_context
def proof_test(context: click.Context, rows: str, with_hands: bool, socket: str | None, as_json: bool) -> None:
    """Trip every row with simulated inputs, read the final elements back, and write a dated certificate.

    By the owner, on an idle tool under vacuum that is cold. It opens no source; it moves the stop valve, the carrier
    and the contactor, and takes about half an hour. `ald abort` ends it.
    """
    if context.invoked_subcommand is not None:
        if rows or with_hands or socket or as_json:
            raise click.UsageError(f"write options behind '{context.invoked_subcommand}', where they belong")
        return
    wanted = [row.strip() for row in rows.split(",") if row.strip()]
    reply = reply_to(socket, {"verb": "proof-test", "rows": wanted, "hands": with_hands}, as_json)
    if not as_json:
        click.echo(reply["text"])
    sys.exit(_followed(socket, as_json))


def _followed(socket: str | None, as_json: bool) -> int:
    """Show lines as they come; 0 when all have passed, 1 otherwise, 130 where nobody looks any more."""
    view = _View(quiet=as_json)
    try:
        while True:
            data = reply_to(socket, {"verb": "proof-test-progress"}, as_json)["data"]
            view.show(data)
            if not data["running"]:
                return _ended(data, as_json)
            threading.Event().wait(LOOK_S)
    except KeyboardInterrupt:
        click.echo("no longer followed: the proof test goes on. `ald abort` ends it")
        return 130
    finally:
        view.close()


class _View:
    """New lines as they come, what a person has to do, and a bar where there is a terminal."""

    def __init__(self, *, quiet: bool) -> None:
        from rich.console import Console

        self._console = Console(highlight=False, soft_wrap=True, quiet=quiet)
        self._bar = _bar(self._console) if self._console.is_terminal and not quiet else None
        self._shown, self._asked = 0, ""

    def show(self, data: dict[str, Any]) -> None:
        for line in data["lines"][self._shown :]:
            self._console.print(line_text(line), markup=False)
        self._shown = len(data["lines"])
        if data["ask"] and data["ask"] != self._asked:
            self._console.print(f">>> {data['ask']}", style="bold yellow", markup=False)
        self._asked = data["ask"]
        if self._bar is not None:
            task = self._bar.task_ids[0]
            self._bar.update(task, completed=data["done"], total=max(data["of"], 1), description=data["now"][:60])

    def close(self) -> None:
        if self._bar is not None:
            self._bar.stop()


def _bar(console: Any) -> Any:
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    bar = Progress(
        TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(),
        console=console, transient=True,
    )  # fmt: skip
    bar.add_task("", total=None)
    bar.start()
    return bar


def line_text(line: dict[str, Any]) -> str:
    """One line: ok or not, the level, how long it took of what is allowed, and what was wrong."""
    took = "-" if line["took_s"] is None else f"{line['took_s']:.2f} s"
    allowed = "" if line["target_s"] is None else f" of {line['target_s']:g} s"
    detail = "" if line["ok"] else f"  {line['detail']}"
    return f"{'ok' if line['ok'] else 'FAILED':<6} {line['what']:<56} {line['reaction']:<13} {took:>7}{allowed}{detail}"


def _ended(data: dict[str, Any], as_json: bool) -> int:
    certificate = data["certificate"]
    if as_json:
        click.echo(json.dumps(certificate or {"ended": data["ended"]}))
    elif certificate is None:
        click.echo(f"no certificate: {data['ended'] or 'it could not be written; see the alarms'}")
    else:
        from ald_controller.records.certificates import verdict

        click.echo(f"{certificate['name']}: {verdict(certificate)}")
        click.echo(f"{len(certificate['not_tested'])} lines were not tested; the certificate says which, and why")
    good = certificate is not None and certificate["passed"] and not certificate["ended"]
    return 0 if good else 1


@proof_test.command("list")
@STATE
@SOCKET
@JSON
def listed(state: Path | None, socket: str | None, as_json: bool) -> None:
    """Every certificate, oldest first; 1 when one of them, or their chain, is broken."""
    if state is not None:
        from ald_controller.records.certificates import Certificates

        found = Certificates(state).listed()
    else:
        found = reply_to(socket, {"verb": "proof-tests"}, as_json)["data"]["certificates"]
    click.echo(json.dumps(found) if as_json else list_text(found))
    sys.exit(1 if any(one["broken"] for one in found) else 0)


def list_text(found: list[dict[str, Any]]) -> str:
    """One certificate a line: when, by whom, what came of it, and what is broken."""
    from ald_controller.records.certificates import verdict

    lines = []
    for one in found:
        told = verdict(one) if "lines" in one else ""
        broken = f"  BROKEN: {one['broken']}" if one["broken"] else ""
        who = f"{one.get('began', '')[:16]}  {one.get('by', '')}"
        lines.append(f"{one['name']}  {who}  {told}{broken}")
    return "\n".join(lines) or "no proof test has been made"
