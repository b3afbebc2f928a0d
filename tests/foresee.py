"""Small recipes and what pre-flight foresees of them, for tests."""

from __future__ import annotations

from ald_controller.check import Outlook, outlook
from ald_controller.config import Tool
from ald_controller.foresight.vessel import Vessel, vessel_of
from ald_controller.registers import Registers
from ald_controller.yamlfile import parse
from tests.recipe_bench import chemistry, loaded, plan, tool

SILICON = "recipe: t\nsubstrate: silicon\nprovenance: read\n"


def warm(substrate: float, *, chamber: float | None = None, carrier: float = 20, **bottles: float) -> str:
    """A `prepare` that sets flow and zones, bottles by precursor."""
    walls = substrate if chamber is None else chamber
    rest = "".join(f", {name.replace('_', ' ')}: {c} °C" for name, c in bottles.items())
    heat = f"{{substrate: {substrate} °C, chamber: {walls} °C{rest}}}"
    return f"prepare:\n  - flow: {{carrier: {carrier} sccm}}\n  - heat: {heat}\n"


def cycles(*doses: tuple[str, str, str], times: int = 10) -> str:
    """One repeat of (precursor, pulse, purge), a step a line: the first pulse stands on line 5 of its own deposit."""
    lines = [f"repeat:\n      times: {times}\n      name: c\n      steps:"]
    for precursor, width, purge in doses:
        lines += [f"        - pulse: {{precursor: {precursor}, time: {width}}}", f"        - purge: {purge}"]
    return "\n".join(lines)


def text(deposit: str, *, head: str = SILICON, prepare: str | None = None) -> str:
    return f"{head}{prepare or warm(150)}deposit:\n  - {deposit}\nfinish: [{{purge: 5 s}}]\n"


def ahead(
    written: str,
    *,
    registers: Registers | None = None,
    at: Tool | None = None,
    parameters: dict[str, str] | None = None,
) -> Outlook:
    """What pre-flight foresees of a recipe's text, silicon loaded unless told; raises Problems."""
    known, given, where = registers or loaded("silicon"), parameters or {}, at or tool()
    made = plan(written, registers=known, at=where, parameters=given)
    return outlook(parse(written, "r.yaml"), given, made, known, chemistry(), where.config, 0.0)


def chamber(registers: Registers | None = None, **figures: float) -> Vessel:
    """The assumed chamber, or the one that registers say, with some figures of its own."""
    return vessel_of(registers or Registers(), chemistry().reactor.reactor)._replace(**figures)


def codes(found: Outlook) -> set[str]:
    return {placed.finding.code for placed in found.findings}


def said(found: Outlook, code: str) -> str:
    """The one finding of this code, with its place; an empty text when there is none."""
    told = [str(placed) for placed in found.findings if placed.finding.code == code]
    assert len(told) <= 1, told
    return told[0] if told else ""
