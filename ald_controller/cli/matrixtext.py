"""The hazard matrix of a tool as a terminal shows it."""

from __future__ import annotations

import sys
from typing import Any

from rich.console import Console, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from ald_controller.explain import elsewhere, rows_named

WIDTH = 120  # where there is no terminal
_REACTIONS = {
    "WARN": "warn", "BLOCK": "block", "HOLD": "hold", "ABORT_PURGE": "abort", "ABORT_ISOLATE": "abort, isolate",
    "ESTOP": "E-stop",
}  # fmt: skip
_STYLES = {"WARN": "yellow", "BLOCK": "yellow", "HOLD": "magenta"}


def reaction_words(reaction: str) -> str:
    """A reaction as people say it; an abort purges or isolates by what the chamber is open to."""
    return _REACTIONS.get(reaction, reaction.lower())


def reaction_style(reaction: str) -> str:
    return _STYLES.get(reaction, "bold red")


def matrix_text(data: dict[str, Any], width: int | None = None) -> str:
    """Every row with its limits, then what is not guarded."""
    console = Console(width=width or (None if sys.stdout.isatty() else WIDTH), highlight=False)
    signed = "confirmed by the owner" if data["confirmed"] else "not confirmed by the owner: `ald interlocks confirm`"
    with console.capture() as captured:
        console.print(Text(f"{data['tool']}, {data['of']}", style="bold"))
        console.print(Text(f"limits {data['limits']}, {signed}", style="" if data["confirmed"] else "yellow"))
        for row in data["rows"]:
            console.print()
            console.print(_head(row))
            for line in _body(row):
                console.print(line)
        for sentence in [s for s in data["not_guarded"] if not rows_named(s)]:
            console.print(_absent(sentence))
    return "\n".join(line.rstrip() for line in captured.get().rstrip().splitlines())


def _head(row: dict[str, Any]) -> Text:
    facts = [row["priority"]]
    facts += [f"within {row['target_s']:g} s"] if row["target_s"] is not None else []
    facts += ["an owner may bypass it for an hour"] if row["override"] else []
    return Text.assemble((f"{row['id']:<4}", "bold"), (row["cause"], "bold"), (f"   {', '.join(facts)}", "dim"))


def _body(row: dict[str, Any]) -> list[RenderableType]:
    out: list[RenderableType] = []
    if row["limits"]:
        out.append(_limits(row["limits"]))
    elif said := elsewhere(row["guard"]):
        out.append(Text(f"    {said}", style="dim"))
    elif not row["not_guarded"]:
        out.append(Text("    nothing of this tool is judged by it", style="dim"))
    return out + [_absent(sentence) for sentence in row["not_guarded"]]


def _absent(sentence: str) -> Padding:
    return Padding(Text(f"not guarded here: {sentence}", style="yellow"), (0, 0, 0, 4))


def _limits(limits: list[dict[str, Any]]) -> Table:
    """One line per level; what several zones or signals share is said once."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), show_header=False)
    table.add_column(width=3)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold", ratio=3)
    table.add_column(overflow="fold", ratio=2)
    for x in limits:
        lasts = f" for {x['persist_s']:g} s" if x["persist_s"] else ""
        clear = "no longer so" if x["flag"] else f"≤ {x['clear']:g} {x['unit']}".rstrip()
        how = Text(f"{x['what']}{lasts}")
        if x["when"] != "always":
            how.append(f"\nwhen {x['when']}", style="dim")
        blocks = f" {x['blocks']}" if x["blocks"] else ""
        name = Text(reaction_words(x["reaction"]) + ("!" if x["fixed"] else ""), style=reaction_style(x["reaction"]))
        table.add_row(
            "", name, how, Text(f"clears {clear}; {x['reset']}{f' (blocks{blocks})' if blocks else ''}", "dim")
        )
    return table
