"""`ald films`: every film of the review with what is predicted, what the simulated reactor grows and what was said."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

import click

from ald_controller.cli.filmrows import AGREES, Bench, Row, named
from ald_controller.cli.plandrive import NeverSettles
from ald_controller.yamlfile import Problems

HEAD = ["film", "recipe", "predicted", "simulated", "review", "verdict"]
TITLE = f"""# Films

Every film, host and stack that the review by X. Meng (Inorg. Chem. Front. 2024, 11, 659) names, the recipe that makes
it, and how thick it gets.

* **predicted**: what `ald check` says of the recipe.
* **simulated**: what the simulated reactor grows from the recipe's own plan, dose by dose, on the host that the recipe
  names, without devices and wires. Once growth per cycle stands still the rest is reckoned.
* **review**: the figure printed there, or its growth per cycle times the recipe's cycles. A film agrees within
  {100 * AGREES:g} %.

Agreement is no proof. Most growth per cycle in `recipes/chemistry/films.yaml` comes from this review or from memory,
and cycles were chosen by it. What the simulated reactor adds is whether these doses saturate this area, whether the
purges are long enough, and how late growth begins on a host. Times that no paper gives are an `unverified default`, and
the recipe says so.

`ald films` prints this table, `ald films --json` its numbers, `ald films --markdown` this page. Where a rack is named,
`ald check RECIPE --rack recipes/racks/RACK.yaml` plans with its bottles.
"""


def films_command(tool: Path | None, as_json: bool, as_page: bool) -> int:
    """Print the table; 1 when a recipe is refused."""
    try:
        rows = all_rows(Bench(tool))
    except (Problems, NeverSettles) as error:
        click.echo(str(error), err=True)
        return 1
    if as_json:
        click.echo(json.dumps([row.as_json() for row in rows], ensure_ascii=False))
    else:
        click.echo(page(rows) if as_page else text(rows), nl=not as_page)
    return 0


def all_rows(bench: Bench) -> list[Row]:
    """A row per film, in the order of the table; raises Problems, NeverSettles."""
    return [bench.row(film_id, one) for film_id, one in named().items()]


def text(rows: Iterable[Row]) -> str:
    """For a terminal: a line per film."""
    lines = [f"{'id':<17} {'recipe':<32} {'predicted':>9} {'simulated':>9} {'review':>9}  verdict"]
    for row in rows:
        numbers = " ".join(f"{shown(nm):>9}" for nm in (row.predicted_nm, row.simulated_nm, row.paper_nm))
        lines.append(f"{row.id:<17} {Path(row.recipe).stem:<32} {numbers}  {row.verdict}")
    return "\n".join(lines)


def page(rows: Iterable[Row]) -> str:
    """The page docs/films.md."""
    lines = ["| id | " + " | ".join(HEAD) + " |", "|---" * (len(HEAD) + 1) + "|"]
    return "\n".join([TITLE, *lines, *(_line(row) for row in rows), ""])


def _line(row: Row) -> str:
    chosen = "".join(f", {name} {value}" for name, value in row.parameters.items())
    recipe = f"[{Path(row.recipe).stem}](../{row.recipe}){chosen}" + (f", rack {row.rack}" if row.rack else "")
    said = row.verdict + (f"; {row.note}" if row.note else "")
    numbers = [shown(nm) for nm in (row.predicted_nm, row.simulated_nm, row.paper_nm)]
    return "| " + " | ".join([row.id, f"{row.film} on {row.on}", recipe, *numbers, said]) + " |"


def shown(nm: float | None) -> str:
    """A thickness to three figures."""
    return "-" if nm is None else f"{nm:.3g} nm"
