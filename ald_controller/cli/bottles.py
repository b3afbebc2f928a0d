"""`ald bottle`: what hangs at each port, and who has confirmed it at the bottle itself."""

from __future__ import annotations

import json
import sys
from typing import Any

import click

from ald_controller.cli.asking import JSON, SOCKET, ask, reply_to


@click.group()
def bottle() -> None:
    """What hangs at each port, and who has confirmed it."""


@bottle.command("list")
@SOCKET
@JSON
def list_bottles(socket: str | None, as_json: bool) -> None:
    """Every port with its bottle's card, and whether it is confirmed."""
    rows = _rows(socket)
    if as_json:
        click.echo(json.dumps({"ok": True, "code": "done", "text": f"{len(rows)} bottles", "data": {"bottles": rows}}))
        return
    for row in rows:
        click.echo(f"{row['port']:<12} {row['precursor']:<20} {row['label']:<16} {_said(row)}")
    if not rows:
        click.echo("no card is written: nobody has said what hangs where, and every port counts as pyrophoric")


def _said(row: dict[str, Any]) -> str:
    if not row["confirmed"]:
        return "NOT CONFIRMED, counts as pyrophoric" + (": its card was changed since" if row["by"] else "")
    second = f" and {row['second']}" if row["second"] else ""
    return f"confirmed by {row['by']}{second}, {row['at'][:10]}"


def _rows(socket: str | None) -> list[dict[str, Any]]:
    """One per card, from the registers of the controller."""
    from ald_controller.chemistry import load_chemistry
    from ald_controller.confirming import is_confirmed
    from ald_controller.registers import Registers
    from ald_controller.shipped import RECIPES
    from ald_controller.yamlfile import parse

    dump = reply_to(socket, {"verb": "registers"})["data"]["registers"]
    chemistry = load_chemistry(RECIPES / "chemistry")
    registers = Registers.of(parse(json.dumps(dump, ensure_ascii=False), "registers"), chemistry)
    out = []
    for port, card in registers.bottles().items():
        said = registers.entries.get(f"confirmed.{port}")
        out.append({
            "port": port, "precursor": card.precursor, "label": card.label, "lot": card.lot,
            "confirmed": is_confirmed(registers, port), "by": said.by if said else "", "at": said.at if said else "",
            "second": (said.written.get("second") or "") if said else "",
        })  # fmt: skip
    return out


@bottle.command()
@click.argument("port")
@click.option("--by", required=True, help="who stands before the bottle")
@click.option("--second", default="", help="who else has looked at it, where the site asks for two persons")
@click.option("--label", default=None, help="the label as it was read at the bottle (default: asks for it)")
@SOCKET
@JSON
def confirm(port: str, by: str, second: str, label: str | None, socket: str | None, as_json: bool) -> None:
    """Confirm what hangs at PORT: read the label at the bottle, not on a screen, and type it."""
    row = next((row for row in _rows(socket) if row["port"] == port), None)
    if row is None:
        click.echo(f"ald bottle: no card is written for {port}: `ald register set bottle.{port} …` first", err=True)
        sys.exit(1)
    if label is None:  # what the card says is not shown: whoever types it has to read it at the bottle
        click.echo(f"{port} should carry {row['precursor']}" + (f", lot {row['lot']}" if row["lot"] else ""))
        label = click.prompt("Read the label at the bottle, and type it")
        second = second or click.prompt("Who else has looked at it? (empty: nobody)", default="", show_default=False)
    value = {"label": label.strip(), **({"second": second.strip()} if second.strip() else {})}
    ask(socket, {"verb": "register-set", "name": f"confirmed.{port}", "value": value, "by": by}, as_json)
