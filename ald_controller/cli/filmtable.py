"""The table of `ald films`, and the page docs/films.md that is its print."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from textwrap import wrap

import click

from ald_controller.cli.filmrows import AGREES, Bench, Row, named
from ald_controller.cli.films import FilmsOptions
from ald_controller.cli.plandrive import NeverSettles
from ald_controller.yamlfile import Problems

MORE_LEFT = 4  # exit code
WIDTH = 100
HEAD = ["film", "recipe", "predicted", "simulated", "review", "verdict"]
TITLE = f"""# Films

Every film, host and stack that the review by X. Meng (Inorg. Chem. Front. 2024, 11, 659) names, the recipe that makes
it, and how thick it gets.

* **predicted**: what `ald check` says of the recipe, from a model of its own, and the band of its error.
* **simulated**: what the simulated reactor grows from the recipe's own plan, dose by dose, on the host that the recipe
  names, without devices and wires. Once cycles are all alike the rest is reckoned. Where the literature has
  another reading of a film's growth, what that grows stands behind it.
* **review**: the figure printed there, or its growth per cycle times the recipe's cycles. A film agrees within
  {100 * AGREES:g} %.

Agreement is no proof. Most growth per cycle in `recipes/chemistry/films.yaml` comes from this review or from memory,
and cycles were chosen by it. What the simulated reactor adds is whether these doses saturate this area, whether the
purges are long enough, and how late growth begins on a host. Times that no paper gives are an `unverified default`, and
the recipe says so.

LiHMDS stands in the table of precursors and in no row: the review does not name it, and with water its growth begins
slowly, then runs fast, and does not limit itself (Pieters 2024). There is no growth per cycle to predict a film by, so
check says that nothing is known of what it grows, and warns of it on lithium.

`ald films` prints this table, `ald films --json` its numbers, `ald films --markdown` this page. Where a rack is named,
`ald check RECIPE --rack recipes/racks/RACK.yaml` plans with its bottles.
"""


def films_command(tool: Path | None, options: FilmsOptions) -> int:
    """Print the table; 1 when a recipe is refused or a run ends badly, 4 when films are left for another call."""
    try:
        bench = Bench(tool)
        rows, code = over_the_wire(bench, options) if options.wire else (all_rows(bench), 0)
    except (Problems, NeverSettles) as error:
        told = [str(p) for p in error.problems] if isinstance(error, Problems) else [str(error)]
        click.echo(
            json.dumps({"ok": False, "problems": told}, ensure_ascii=False) if options.as_json else str(error),
            err=not options.as_json,
        )
        return 1
    if options.as_json:
        click.echo(json.dumps([row.as_json() for row in rows], ensure_ascii=False))
    else:
        click.echo(page(rows) if options.as_page else text(rows), nl=not options.as_page)
    return code


def all_rows(bench: Bench) -> list[Row]:
    """A row per film, in the order of the table; raises Problems, NeverSettles."""
    return [bench.row(film_id, one, bench.grown_nm(one)) for film_id, one in named().items()]


def over_the_wire(bench: Bench, options: FilmsOptions) -> tuple[list[Row], int]:
    """The rows of the films that have run over wire bytes, and the exit code; raises Problems, NeverSettles."""
    from ald_controller.cli.filmwire import Kept, Wire
    from ald_controller.cli.preview import Refused

    wire = Wire(bench, Kept(options.cache), lambda line: click.echo(line, err=True))
    try:
        left = wire.run(options.within_s)
    except Refused as refused:
        click.echo("\n".join(refused.problems), err=True)
        return [], 1
    if left:
        click.echo(f"{left} films are left: the same command goes on", err=True)
    bad = {film_id: ran for film_id, ran in wire.ran.items() if ran.ending != "completed" or ran.trips}
    for film_id, ran in bad.items():
        click.echo(f"{film_id}: {ran.ending}, trips: {', '.join(ran.trips) or 'none'}", err=True)
    rows = [bench.row(film_id, named()[film_id], ran.nm) for film_id, ran in wire.ran.items()]
    return rows, 1 if bad else MORE_LEFT if left else 0


def text(rows: Iterable[Row]) -> str:
    """For a terminal: a line per film, and under it what there is to say of its verdict."""
    lines = [f"{'id':<17} {'recipe':<32} {'predicted':>9} {'simulated':>9} {'review':>9}  verdict"]
    for row in rows:
        numbers = " ".join(f"{shown(nm):>9}" for nm in (row.predicted_nm, row.simulated_nm, row.paper_nm))
        verdict, _, why = row.verdict.partition(": ")
        lines.append(f"{row.id:<17} {Path(row.recipe).stem:<32} {numbers}  {verdict}")
        lines += wrap(why, WIDTH, initial_indent=" " * 18, subsequent_indent=" " * 18)
    return "\n".join(lines)


def page(rows: Iterable[Row]) -> str:
    """The page docs/films.md."""
    lines = ["| id | " + " | ".join(HEAD) + " |", "|---" * (len(HEAD) + 1) + "|"]
    return "\n".join([TITLE, *lines, *(_line(row) for row in rows), ""])


def _line(row: Row) -> str:
    chosen = "".join(f", {name} {value}" for name, value in row.parameters.items())
    recipe = f"[{Path(row.recipe).stem}](../{row.recipe}){chosen}" + (f", rack {row.rack}" if row.rack else "")
    said = row.verdict + (f"; {row.note}" if row.note else "")
    band = f" ({row.predicted_low_nm:.3g} to {row.predicted_high_nm:.3g})" if row.predicted_low_nm is not None else ""
    others = "".join(f", or {shown(nm)}" for nm in row.by_other_readings_nm)
    numbers = [shown(row.predicted_nm) + band, shown(row.simulated_nm) + others, shown(row.paper_nm)]
    return "| " + " | ".join([row.id, f"{row.film} on {row.on}", recipe, *numbers, said]) + " |"


def shown(nm: float | None) -> str:
    """A thickness to three figures."""
    return "-" if nm is None else f"{nm:.3g} nm"
