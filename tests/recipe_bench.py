"""The shipped library, tool and registers, and plans of recipe texts, for tests."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from ald_controller.chemistry import Chemistry, load_chemistry
from ald_controller.config import Tool, load_tool
from ald_controller.plan import Plan
from ald_controller.planner import make_plan
from ald_controller.recipe import load_blocks
from ald_controller.registers import Registers
from ald_controller.yamlfile import Document, Problems, parse

ROOT = Path(__file__).parent.parent
RECIPES = ROOT / "recipes"
SHIPPED = sorted(p.name for p in RECIPES.glob("*.yaml"))


@cache
def chemistry() -> Chemistry:
    return load_chemistry(RECIPES / "chemistry")


@cache
def blocks() -> dict[str, Document]:
    return load_blocks(RECIPES / "blocks")


@cache
def tool() -> Tool:
    return load_tool(ROOT / "deploy" / "tool.yaml")


@cache
def simulated() -> Registers:
    return Registers.load(ROOT / "deploy" / "registers-simulated.yaml", chemistry())


def loaded(material: str) -> Registers:
    return simulated().set("load", {"material": material}, "Ann", "2025-05-05T08:00:00Z", chemistry())


def shipped(name: str) -> str:
    return (RECIPES / name).read_text("utf-8")


def plan(
    text: str | bytes,
    *,
    registers: Registers | None = None,
    parameters: dict[str, str] | None = None,
    at: Tool | None = None,
    extra: dict[str, Document] | None = None,
) -> Plan:
    """The plan of a recipe's text at the reference tool, lithium loaded unless told; raises Problems."""
    known = registers or loaded("lithium")
    library = blocks() | (extra or {})
    return make_plan(parse(text, "r.yaml"), at or tool(), known, parameters or {}, chemistry(), library)


def problems(text: str | bytes, **options: object) -> list[str]:
    """What is wrong with a recipe's text, nothing when it is right."""
    try:
        plan(text, **options)  # type: ignore[arg-type]
    except Problems as error:
        return [str(p) for p in error.problems]
    return []


HEAD = """\
recipe: t
substrate: lithium foil
provenance: unverified default
"""
WARM = """\
prepare:
  - flow: {carrier: 20 sccm}
  - heat: {substrate: 120 °C, chamber: 120 °C}
"""


def recipe(deposit: str, *, head: str = HEAD, prepare: str = WARM, finish: str = "finish: [{purge: 5 s}]\n") -> str:
    """A small recipe around these steps of `deposit`, one a line."""
    steps = "".join(f"  - {line}\n" for line in deposit.strip().splitlines())
    return f"{head}{prepare}deposit:\n{steps}{finish}"
