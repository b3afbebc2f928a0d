"""The page of the recipe language: every example on it is planned, every verb has one, and it shows every key."""

from __future__ import annotations

import json
import re

import pytest
import yaml

from ald_controller.plan import Plan
from ald_controller.recipe.reading import HEAD as HEAD_KEYS
from ald_controller.recipe.schema import recipe_schema
from ald_controller.recipe.steps import VERBS
from ald_controller.yamlfile import parse
from tests.recipe_bench import HEAD, ROOT, WARM, plan, problems, recipe

PAGE = (ROOT / "docs" / "recipes.md").read_text("utf-8")
EXAMPLES = [(PAGE[: m.start()].count("\n") + 1, m[1]) for m in re.finditer(r"```yaml\n(.*?)```", PAGE, re.DOTALL)]
STEPS = [(line, text) for line, text in EXAMPLES if text.startswith("- ")]
KEYS = [(line, text) for line, text in EXAMPLES if not text.startswith(("- ", "recipe:"))]
CYCLE = "repeat: {times: 5, name: a, steps: [{pulse: {precursor: TMA, time: 15 ms}}, {purge: 15 s}, " \
        "{pulse: {precursor: water, time: 15 ms}}, {purge: 20 s}]}"  # fmt: skip
HOT = WARM + "  - heat: {LiOtBu: 150 °C, glycerol: 130 °C}\n"


def indented(text: str) -> str:
    return "".join(f"  {line}\n" for line in text.splitlines())


def frame(steps: str) -> str:
    """A recipe around an example: doses and purges in deposit, everything else in prepare."""
    doses = any(f"{verb}:" in steps for verb in ("pulse", "expose", "purge"))
    tail = "finish: [{purge: 5 s}]\n"
    if doses:
        return f"{HEAD}{HOT}deposit:\n{indented(steps)}{tail}"
    return f"{HEAD}{WARM}{indented(steps)}deposit: []\n{tail}"


@pytest.mark.parametrize(("line", "text"), STEPS, ids=[f"line {line}" for line, _ in STEPS])
def test_an_example_of_steps_is_planned(line: int, text: str) -> None:
    made = plan(frame(text))
    assert isinstance(made, Plan)
    assert not [warning for warning in made.warnings if "alone bring" in warning]


def test_every_verb_has_an_example_and_no_example_has_a_verb_that_there_is_not() -> None:
    shown = {verb for _, text in STEPS for step in yaml.safe_load(text) for verb in step}
    assert shown == set(VERBS)


@pytest.mark.parametrize("verb", VERBS)
def test_every_key_of_a_verb_is_on_the_page(verb: str) -> None:
    kinds = recipe_schema()["$defs"]
    bodies = {"flow": ["SetFlow"], "wait": ["Wait", "WaitForLeak"]}.get(verb, [verb.title()])
    section = PAGE.partition(f"\n### {verb}\n")[2].partition("\n### ")[0].partition("\n## ")[0]
    keys = {key for body in bodies for key in kinds[body]["properties"]} - {"provenance"}
    assert [key for key in sorted(keys) if not re.search(rf"(^|[{{ `]){key}\b", section, re.MULTILINE)] == []


@pytest.mark.parametrize(("line", "text"), KEYS, ids=[f"line {line}" for line, _ in KEYS])
def test_an_example_of_what_is_beside_the_steps_is_accepted(line: int, text: str) -> None:
    (key,) = yaml.load(text, Loader=yaml.BaseLoader)
    head = HEAD.replace("substrate: lithium foil\n", "") if key == "substrate" else HEAD
    whole = recipe(CYCLE, head=head + text)
    said = [problem for problem in problems(whole) if "the steps deposit" not in problem]  # a stack needs all its films
    assert key in {*HEAD_KEYS, "parameters"} and [p for p in said if "was never" not in p and "needs" not in p] == []


def test_every_key_of_the_head_is_on_the_page() -> None:
    shown = set(re.findall(r"^(\w+):", "".join(text for _, text in EXAMPLES), re.MULTILINE))
    assert {*HEAD_KEYS, "parameters"} - shown == set()


def test_the_settings_for_an_editor_are_json() -> None:
    (settings,) = re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)
    assert "./recipe.schema.json" in json.loads(settings)["yaml.schemas"]


SAID = {
    "purge: 15 sec": "'sec' is not a unit of time: write one of s, ms, min, h, as in '20 s'",
    "blow: 15 s": "'blow' is not a verb; recipes know: pump, flow, heat, wait, pulse, expose, purge, repeat, use",
    "expose: {precursor: TMA, pulse: 15 ms, hold: 1 s, flow: 2 sccm, to: 900 mTorr}":
        "'to' and 'else' go together, for example to: 500 mTorr, else: hold",
    "expose: {precursor: TMA, pulse: 15 ms, hold: 1 s, flow: 2 sccm, to: 20 mTorr, else: hold}":
        "2 sccm alone hold this chamber at 0.02945 Torr already: nothing would be dosed",
    "expose: {precursor: TMA, pulse: 15 ms, hold: 1 s, flow: 2 sccm, to: 12 Torr, else: hold}":
        "12 Torr are not below the 10 Torr that count as vacuum",
    "pulse: {precursor: TMA, time: 15 ms, times: 500, every: 1 s}":
        "one step gives at most 127 shots of TMA: put the rest into a repeat",
    "use: {block: standard cool-down, with: {substrate: 20 °C}}":
        "the block 'standard cool-down' heats to its own targets: leave 'with' out",
    "purge: {time: 5 s, and: pressure below 1 base, timeout: 5 s, else: hold}":
        "'1' times the base pressure is not between 1.01 and 10",
}  # fmt: skip


@pytest.mark.parametrize("step", SAID)
def test_what_the_page_says_of_a_mistake_is_what_is_said(step: str) -> None:
    assert f"`{SAID[step]}`" in PAGE
    assert any(problem.endswith(SAID[step]) for problem in problems(recipe(step))), problems(recipe(step))


def test_a_title_with_a_colon_and_a_tab_are_told_as_the_page_says() -> None:
    for text in ("title: Al2O3: thin\n", "a:\n\t- b\n"):
        (problem,) = problems(text)
        assert f"`{problem.partition(' ')[2]}`" in PAGE


def test_five_repeats_within_each_other_are_read_and_six_are_too_deep() -> None:
    def nested(times: int) -> str:
        steps = "[{purge: 5 s}, {purge: {time: 5 s}}]"
        for _ in range(times):
            steps = f"[{{repeat: {{times: 1, steps: {steps}}}}}]"
        return f"{HEAD}{WARM}deposit: {steps}\nfinish: [{{purge: 5 s}}]\n"

    assert parse(nested(5), "r.yaml") and problems(nested(5)) == []
    assert "is nested more than 20 deep" in problems(nested(6))[0]
