"""`ald optimise`: shorter doses and purges by the model, as a diff of the recipe."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from ald_controller import stamp, units
from ald_controller.check import clock, outlook, problems_data
from ald_controller.check.shorter import Advice, Tried, shorten
from ald_controller.cli.checking import Assumed, assume
from ald_controller.cli.offline import CheckOptions
from ald_controller.foresight.reactor import Steady
from ald_controller.foresight.timeline import Cycle
from ald_controller.planner import make_plan
from ald_controller.recipe import load_blocks
from ald_controller.shipped import RECIPES
from ald_controller.yamlfile import Document, Problems

MOST_TOLERANCE = 20.0  # %


def optimise_command(recipe: Path, tool: Path, tolerance: str, options: CheckOptions) -> int:
    """Print the advice, exit 0; or all problems, exit 1; or what is wrong with the tolerance, exit 2."""
    try:
        percent = units.PERCENT.parse(tolerance)
        if not 0.1 <= percent <= MOST_TOLERANCE:
            raise units.UnitError(f"'{tolerance}' is not between 0.1 % and {MOST_TOLERANCE:g} %")
    except units.UnitError as error:
        click.echo(f"--tolerance: {error}", err=True)
        return 2
    try:
        assumed = assume(recipe, tool, options.load, options.rack, options.registers)
        advice = shorten(
            recipe.read_text("utf-8"), str(recipe), percent / 100.0, _attempts(assumed, options.parameters)
        )
    except Problems as problems:
        said = json.dumps(problems_data(problems), ensure_ascii=False) if options.as_json else str(problems)
        click.echo(said, err=not options.as_json)
        return 1
    click.echo(json.dumps(advice_data(advice), ensure_ascii=False) if options.as_json else advice_text(advice, percent))
    return 0


def _attempts(assumed: Assumed, parameters: dict[str, str]) -> Any:
    """Plans and foresees texts of one recipe at one tool; what a cycle does is reckoned once."""
    blocks, known, now = load_blocks(RECIPES / "blocks"), dict[Cycle, Steady](), stamp.utc_now()

    def attempt(document: Document) -> Tried:
        registers, chemistry = assumed.registers, assumed.chemistry
        plan = make_plan(document, assumed.tool, registers, parameters, chemistry, blocks, assumptions=assumed.notes)
        ahead = outlook(document, parameters, plan, registers, chemistry, assumed.tool.config, now, known)
        return Tried(document, plan, ahead)

    return attempt


def advice_text(advice: Advice, percent: float) -> str:
    """A diff that `patch` takes, below lines that it passes over."""
    beyond = advice.cost > percent / 100.0
    if not advice.diff:
        what = "no times in reach that bring growth" if beyond else "no shorter times that keep growth"
        return f"# the model knows {what} within {percent:g} %"
    before, after = advice.before.plan, advice.after.plan
    weak = advice.after.ahead.forecast.unverified
    head = [
        "# A model's advice, not a measurement: saturate each dose at the tool before you trust it.",
        f"# Run: {clock(before.duration_s)} before, {clock(after.duration_s)} after.",
        f"# Growth: {advice.cost:.2%} lost by doses and gained by purges in the worst cycle, {percent:g} % allowed.",
        f"# {weak:.0%} of the figures behind this are unverified defaults (ald check names them).",
    ]
    if beyond:
        head.append("# That is beyond the tolerance: no time in reach is enough; ald check says what is short of what.")
    return "\n".join([*head, advice.diff.rstrip("\n")])


def advice_data(advice: Advice) -> dict[str, Any]:
    """`diff`, `text` of the recipe as advised, `cost` as a share, `before_s` and `after_s` of the run."""
    return {
        "ok": True, "advice": "by a model, not measured", "diff": advice.diff, "text": advice.text, "cost": advice.cost,
        "before_s": advice.before.plan.duration_s, "after_s": advice.after.plan.duration_s,
        "unverified_share": advice.after.ahead.forecast.unverified,
    }  # fmt: skip
