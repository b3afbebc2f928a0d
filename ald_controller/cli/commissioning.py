"""`ald commission`: what was measured on this one reactor and signed for, which rows use it, and what is missing."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ald_controller.cli.asking import tool_path

if TYPE_CHECKING:
    from ald_controller.cli.explaining import Place
    from ald_controller.config import ToolConfig

WIDTH = 110  # where there is no terminal


@click.group()
def commission() -> None:
    """The commissioned constants of this reactor."""


@commission.command("list")
@click.option("--tool", type=click.Path(path_type=Path), default=None, help="the tool file (default: deploy/tool.yaml)")
@click.option("--registers", type=click.Path(path_type=Path), default=None, help="a file with all registers")
@click.option("--json", "as_json", is_flag=True, help="one JSON object instead of text")
def list_constants(tool: Path | None, registers: Path | None, as_json: bool) -> None:
    """Every constant with who signed for it and when, the rows that compute with it, and those that are missing."""
    from ald_controller.cli.explaining import at_tool
    from ald_controller.yamlfile import Problems

    try:
        place = at_tool(tool_path(tool), registers)
    except (Problems, ValueError) as error:
        click.echo(str(error), err=True)
        sys.exit(1)
    rows = constant_rows(place)
    if as_json:
        click.echo(json.dumps({"tool": place.config.tool, "of": place.of, "constants": rows}))
        return
    click.echo(f"{place.config.tool}, {place.of}")
    click.echo(constants_text(rows))


def constant_rows(place: Place) -> list[dict[str, Any]]:
    """One per constant that this tool has, or could have, JSON-able; a missing one has no value."""
    from ald_controller.commissioning import PREFIX

    known = {n: e for n, e in place.registers.entries.items() if n.startswith(PREFIX)}
    names = dict.fromkeys([*_expected(place.config), *known])
    return [
        {
            "name": name, "value": entry.written if (entry := known.get(name)) else None,
            "by": entry.by if entry else "", "at": entry.at if entry else "", "rows": _used_by(place, name),
        }
        for name in names
    ]  # fmt: skip


def _expected(config: ToolConfig) -> list[str]:
    pushers = [port.push.device for port in config.ports.values() if port.push is not None]
    return [
        "constant.volume", "constant.pumping", "constant.base", "constant.stop", "constant.leak",
        *(f"constant.heater.{zone}" for zone in config.zones),
        *(f"constant.settling.{device}" for device in dict.fromkeys([config.carrier, *pushers])),
    ]  # fmt: skip


def _used_by(place: Place, name: str) -> list[str]:
    """The rows whose checks are others without this constant."""
    from ald_controller.interlocks import MATRIX, rules_for

    without = replace(place.setting, constants=place.registers.without(name).constants)
    mine, others = ({repr(c): c for c in r.checks} for r in (place.rules, rules_for(without, place.rules.rows)))
    changed = [c for told, c in (mine | others).items() if told not in mine or told not in others]
    rows = {level.row for check in changed for level in check.levels}
    return [row for row in MATRIX if row in rows]


def constants_text(rows: list[dict[str, Any]], width: int | None = None) -> str:
    """One line a constant; those that are missing stand out."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(width=width or (None if sys.stdout.isatty() else WIDTH), highlight=False)
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for name in ("constant", "value", "signed", "rows"):
        table.add_column(name, no_wrap=name == "constant", overflow="fold")
    for row in rows:
        value = json.dumps(row["value"], ensure_ascii=False).strip('"') if row["value"] is not None else "MISSING"
        signed = f"{row['by']}, {row['at'][:10]}" if row["by"] else ""
        table.add_row(
            row["name"].removeprefix("constant."), Text(value), Text(signed), " ".join(row["rows"]) or "–",
            style="" if row["value"] is not None else "yellow",
        )  # fmt: skip
    with console.capture() as captured:
        console.print(table)
    return "\n".join(line.rstrip() for line in captured.get().rstrip().splitlines())
