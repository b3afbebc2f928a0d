"""`ald check`, `ald runs`, `ald report`: what needs no controller."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import click


@dataclass(frozen=True, slots=True)
class CheckOptions:
    """What a recipe is checked against, where a person says so; temperatures by zone in °C."""

    load: Path | None
    rack: Path | None
    registers: Path | None
    temperatures_c: dict[str, float]
    parameters: dict[str, str]
    as_json: bool
    html: Path | None = None
    found_at: Path | None = None  # the tool where the recipe's times were found
    found_registers: Path | None = None
    more: dict[tuple[int, int], int] = field(default_factory=dict)  # turns of repeats, by their lines and columns


def found_where(tool: Path | None, told: tuple[Path, Path] | None, as_json: bool) -> tuple[Path | None, Path | None]:
    """Tool file and registers where a recipe's times were found: as told, else the reference's for another tool.

    Programs are told what they ask for: the daemon checks every recipe at its own tool, and has no time for two.
    """
    from ald_controller.shipped import DEPLOY

    reference = DEPLOY / "tool.yaml"
    if told is not None:
        return told
    another = not as_json and tool is not None and tool.exists() and tool.resolve() != reference.resolve()
    return (reference, DEPLOY / "registers-simulated.yaml") if another else (None, None)


def check_command(recipe: Path, tool: Path, options: CheckOptions) -> int:
    """Print all problems, exit 1; or the plan, exit 0."""
    from ald_controller.check import actuations, check_json, check_text
    from ald_controller.cli.checking import ahead_of, assume, plan_for
    from ald_controller.plan import Plan
    from ald_controller.yamlfile import Problems

    result: Plan | Problems
    added: dict[str, int] = {}
    ahead = None
    try:
        assumed = assume(recipe, tool, options.load, options.rack, options.registers)
        if unknown := options.temperatures_c.keys() - assumed.tool.config.zones.keys():
            zones = ", ".join(assumed.tool.config.zones)
            click.echo(f"--zone: there is no zone '{min(unknown)}'; there are: {zones}", err=True)
            return 2
        result = plan_for(recipe, assumed, options.parameters, options.temperatures_c, options.more)
        added = actuations(result, assumed.tool.config.valves.outputs)
        if options.registers is None:
            result = replace(result, warnings=(*result.warnings, *_near_service(assumed.tool.config.tool, added)))
        ahead = ahead_of(recipe, assumed, options.parameters, result)
        if options.found_at is not None:
            from ald_controller.cli.checking import compared

            other = compared(recipe, assumed, options.parameters, result, options.found_at, options.found_registers)
            ahead = replace(ahead, elsewhere=other)
        if options.html is not None:
            from ald_controller.cli.checkpage import page, write_page

            write_page(options.html, page(result, ahead))
    except Problems as problems:
        result, added, ahead = problems, {}, None
    good = isinstance(result, Plan)
    text = check_json(result, added, ahead) if options.as_json else check_text(result, added, ahead)
    click.echo(text, err=not (good or options.as_json))
    return 0 if good else 1


def _near_service(tool: str, added: dict[str, int]) -> list[str]:
    """What the controller of this tool, where it runs here, has counted so far; without it the totals are not known."""
    from ald_controller.cli.sockets import find_socket
    from ald_controller.doorbell import LocalClient, NoDoor
    from ald_controller.valves.totals import adds

    try:
        reply = LocalClient(find_socket(None)).ask({"verb": "valves"}, timeout_s=2.0)
    except NoDoor:
        return []
    rows = reply["data"]["valves"] if reply["ok"] and reply["data"]["tool"] == tool else []
    told = (adds(row["name"], added.get(row["name"], 0), row["actuations"], row["service_after"]) for row in rows)
    return [text for text in told if text]


def runs_text(rows: list[dict[str, Any]]) -> str:
    """One line per run as the controller lists them."""
    lines = [
        f"{row['run']:<44} {row['ending'] or 'running':<12} {row['problem'] or row['where']}".rstrip() for row in rows
    ]
    return "\n".join(lines) or "no runs yet"


def run_rows(state: Path) -> list[dict[str, Any]]:
    """The runs of a state directory, newest first; `problem` says why a folder cannot be read.

    `where` is the place of an interruption, for a run that the next start had to close.
    """
    from ald_controller.records.folder import list_runs

    return [
        {
            "run": r.run, "folder": str(r.folder), "ending": r.ending, "problem": r.problem,
            "recipe": r.header.recipe if r.header else "",
            "where": r.header.summary.get("where", "") if r.header else "",
        }
        for r in list_runs(state / "runs")
    ]  # fmt: skip


def runs_command(state: Path, as_json: bool) -> int:
    """One line per run, newest first."""
    rows = run_rows(state)
    if as_json:
        click.echo(json.dumps(rows))
        return 0
    for row in rows:
        what = f"{row['recipe'] or row['problem']} {row['where']}"
        click.echo(f"{row['run']:<44} {row['ending'] or 'running':<12} {what}".rstrip())
    if not rows:
        click.echo(f"no runs in {state / 'runs'}")
    return 0


def report_command(folder: Path, as_json: bool) -> int:
    """Write the report and print where it lies."""
    from ald_controller.records.folder import RecordError
    from ald_controller.records.report import write_report

    try:
        path = write_report(folder)
    except (RecordError, OSError) as error:
        click.echo(f"no report: {error}", err=True)
        return 1
    click.echo(json.dumps({"report": str(path)}) if as_json else str(path))
    return 0


def schema_command() -> int:
    """Print what an editor needs to know of recipes."""
    from ald_controller.recipe.schema import recipe_schema

    click.echo(json.dumps(recipe_schema(), indent=2, ensure_ascii=False))
    return 0
