"""The JSON Schema of recipes, held against recipes by a validator that others wrote."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from ald_controller.recipe.schema import recipe_schema
from ald_controller.recipe.steps import VERBS
from ald_controller.yamlfile import parse
from tests.recipe_bench import ROOT, SHIPPED, shipped

PYTHON = ROOT / ".venv-bench" / "bin" / "python"
VALIDATE = Path(__file__).parent / "validate_in_another_environment.py"
needs_validator = pytest.mark.skipif(
    not PYTHON.exists() and "CI" not in os.environ, reason="deploy/bench-environment makes .venv-bench, with jsonschema"
)
SMALL = """\
recipe: small
substrate: {material: lithium foil, area: 20 cm2}
provenance: none
needs: {chamber: {leak: below 5 mTorr/min}, bottles: {TMA: 1 g}}
parameters: {cycles: {default: 3}, rest: {default: 20 s}}
define: {half: [{pulse: {precursor: TMA, time: 15 ms, times: 2, every: 1 s}}, {purge: $rest}]}
prepare:
  - pump: {to: 100 mTorr, no_faster_than: 10 Torr/s, timeout: 15 min, else: hold}
  - flow: {carrier: 20 sccm}
  - heat: {TMA: room, substrate: 120 °C, ramp: 3 K/min}
  - use: {block: standard heat-up, with: {substrate: 120 °C}}
  - wait: {for: temperatures, within: 1 K, stay: 30 min, timeout: 4 h, else: finish}
  - wait: {for: leak, below: 5 mTorr/min, timeout: 4 h, else: finish}
deposit:
  - repeat: {times: $cycles, name: halves, steps: half}
  - repeat: {times: 2, steps: [{expose: {precursor: TMA, pulse: 15 ms, hold: 1 s, flow: 5 sccm}}]}
  - purge: {time: 20 s, and: pressure below 1.05 base, timeout: 1 min, else: alarm}
finish: [{purge: 5 s}, {wait: {for: substrate, below: 60 °C, timeout: 6 h, else: alarm}}]
"""
MISTAKES = [
    ("purge: 5 s", "purge: 5"), ("purge: 5 s", "purge: 5 sccm"), ("purge: 5 s", "purg: 5 s"),
    ("else: alarm}}]", "else: panic}}]"), ("20 sccm", "20"), ("time: 15 ms", "time: 15 K"),
    ("times: 2, every", "times: 0, every"), ("carrier: 20", "carier: 20"), ("recipe: small\n", ""),
    ("provenance: none", "provenance: none\noperator: ada"), ("steps: half", "steps: 3"), ("room", "cold"),
    ("area: 20 cm2", "area: 20 cm"), ("below 5 mTorr/min}", "5 mTorr/min}"),
    ("within: 1 K, ", "withing: 1 K, "), ("timeout: 15 min, ", ""), ("{default: 3}", "{defalt: 3}"),
    ("below: 5 mTorr/min", "below: 5 Torr"), ("pressure below 1.05", "pressure under 1.05"),
]  # fmt: skip


def read(text: str) -> Any:
    """As `ald check` reads it: what YAML would guess at stays text."""
    return parse(text, "r.yaml").data


def complaints(*recipes: Any) -> list[str]:
    given = json.dumps({"schema": recipe_schema(), "recipes": recipes})
    done = subprocess.run([PYTHON, VALIDATE], input=given, capture_output=True, text=True, check=True)
    said: list[str] = json.loads(done.stdout)
    return said


def test_every_verb_is_in_the_schema() -> None:
    verbs = [part["$ref"].rpartition("/")[2] for part in recipe_schema()["$defs"]["step"]["oneOf"]]
    named = {next(iter(recipe_schema()["$defs"][verb]["properties"])) for verb in verbs}
    assert named == set(VERBS)


@needs_validator
def test_shipped_recipes_and_one_with_every_verb_pass() -> None:
    recipes = [read(shipped(name)) for name in SHIPPED] + [read(SMALL)]
    assert complaints(*recipes) == [""] * len(recipes)


@needs_validator
def test_a_mistake_in_the_text_is_seen() -> None:
    for old, _ in MISTAKES:
        assert old in SMALL, old
    said = complaints(*(read(SMALL.replace(old, new, 1)) for old, new in MISTAKES))
    assert [mistake for mistake, words in zip(MISTAKES, said, strict=True) if not words] == []


@needs_validator
def test_the_example_on_the_page_of_recipes_passes() -> None:
    page = (ROOT / "docs" / "recipes.md").read_text("utf-8")
    whole = page.partition("```yaml\n")[2].partition("```")[0]
    assert whole.startswith("recipe:") and complaints(read(whole)) == [""]
