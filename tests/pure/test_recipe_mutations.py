"""Whatever is done to a recipe, it gives a plan or Problems, each at a place in the file, and never anything else."""

from __future__ import annotations

import copy
from typing import Any

import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ald_controller.plan import PLAN, Plan
from ald_controller.walk import walk
from ald_controller.yamlfile import Problems, parse
from tests.recipe_bench import HEAD, SHIPPED, WARM, plan, shipped

QUICK = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow], database=None)

ODD: list[Any] = [
    None, True, 0, -1, 10**17, 1.5, "", "010", "1:30", "NO", "off", ".nan", ".inf", "1e9 s", "0 s", "999999999999999 h",
    "-5 °C", "500 °C", "0 K", "1 s", "15 ms", "20 sccm", "$cycles", "$with", "$", "$nope", "TMA", "water", "DEZ",
    "sources", "room", "standby", "below 5 mTorr/min", "temperatures", "substrate", [], {}, [[]], {"a": 1}, "x" * 300,
    "é\u2028😀",
    {"purge": "1 s"}, [{"purge": "1 s"}], {"repeat": {"times": 2, "steps": [{"purge": "1 s"}]}}, {"steps": "a"},
]  # fmt: skip
KEYS = [
    "pulse",
    "purge",
    "time",
    "times",
    "steps",
    "name",
    "else",
    "for",
    "with",
    "block",
    "define",
    "vent",
    "and",
    "$x",
    "",
    "0",
]


def outcome(text: str | bytes) -> Plan | Problems:
    try:
        return plan(text)
    except Problems as problems:
        assert problems.problems
        for problem in problems.problems:
            assert problem.mark.line >= 1 and problem.mark.column >= 1
            assert problem.message and "\n" not in str(problem)[:1]
        return problems


def paths(value: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place in the data."""
    out = [at]
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        out += paths(inner, (*at, key))
    return out


def parent_of(data: Any, path: tuple[Any, ...]) -> Any:
    for key in path[:-1]:
        data = data[key]
    return data


@st.composite
def mutated(draw: st.DrawFn) -> str:
    """A shipped recipe with up to three values replaced, removed, added or doubled."""
    data = copy.deepcopy(parse(shipped(draw(st.sampled_from(SHIPPED))), "valid").data)  # numbers stay numbers
    for _ in range(draw(st.integers(1, 3))):
        path = draw(st.sampled_from([p for p in paths(data) if p] or [("x",)]))
        if not isinstance(data, dict) or path == ("x",):
            break
        parent, key = parent_of(data, path), path[-1]
        match draw(st.sampled_from(["replace", "remove", "add", "swap"])):
            case "replace":
                parent[key] = copy.deepcopy(draw(st.sampled_from(ODD)))
            case "remove":
                del parent[key]
            case "add" if isinstance(parent, dict):
                parent[draw(st.sampled_from(KEYS))] = copy.deepcopy(draw(st.sampled_from(ODD)))
            case "add":
                parent.insert(key, copy.deepcopy(draw(st.sampled_from(ODD))))
            case "swap":
                other = draw(st.sampled_from([p for p in paths(data) if p]))
                parent[key] = copy.deepcopy(parent_of(data, other)[other[-1]])
    return yaml.safe_dump(data, allow_unicode=True, sort_keys=False)


@QUICK
@given(mutated())
def test_a_mutated_recipe_gives_a_plan_or_problems(text: str) -> None:
    outcome(text)


@QUICK
@given(st.text(max_size=300))
def test_any_text_gives_a_plan_or_problems(text: str) -> None:
    outcome(text)


@QUICK
@given(st.binary(max_size=300))
def test_any_bytes_give_a_plan_or_problems(raw: bytes) -> None:
    outcome(raw)


@QUICK
@given(st.sampled_from(SHIPPED), st.data())
def test_a_recipe_with_any_characters_changed_gives_a_plan_or_problems(name: str, data: st.DataObject) -> None:
    text = shipped(name)
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(text) - 1))
        new = data.draw(st.text("{}[]:,-#&*!|>'\"%@`$0123456789 \n\tsK°é", max_size=3))
        text = text[:at] + new + text[at + data.draw(st.integers(0, 3)) :]
    outcome(text)


DOSE = st.builds(
    lambda precursor, width, purge: [
        {"pulse": {"precursor": precursor, "time": f"{width} ms"}},
        {"purge": f"{purge} ms"},
    ],
    st.sampled_from(["TMA", "water", "LTB", "GL", "EG"]),
    st.integers(10, 900),
    st.integers(1000, 5000),
)
EXPOSURE = st.builds(
    lambda precursor, width, hold: [
        {"expose": {"precursor": precursor, "pulse": f"{width} ms", "hold": f"{hold} ms", "flow": "5 sccm"}},
        {"purge": "3 s"},
    ],
    st.sampled_from(["TMA", "LTB", "EG"]),
    st.integers(10, 900),
    st.integers(0, 9000),
)
STEPS = st.lists(DOSE | EXPOSURE, min_size=1, max_size=3).map(lambda parts: [s for part in parts for s in part])
TREES = st.recursive(
    STEPS,
    lambda inner: st.builds(lambda n, s: [{"repeat": {"times": n, "steps": s}}], st.integers(1, 3), inner),
    max_leaves=4,
)


@QUICK
@given(TREES)
def test_every_right_recipe_plans_doses_that_add_up_over_words_with_one_open_source(steps: list[Any]) -> None:
    begin = [{"pulse": {"precursor": "TMA", "time": "15 ms"}}, {"purge": "5 s"}]
    text = HEAD + WARM + yaml.safe_dump({"deposit": begin + steps}) + "finish: [{purge: 5 s}]\n"
    made = outcome(text)
    assert isinstance(made, Plan), made
    leaves = [leaf for _, leaf in walk(made, "deposit") if leaf.kind == "segment"]
    assert sum(len(leaf.doses) for leaf in leaves) == made.doses
    for leaf in leaves:
        words = [word & 0b111111 for _, word in leaf.edges]
        assert all(word.bit_count() <= 1 for word in words)
        assert not leaf.edges or (leaf.edges[-1][1] == 0 and leaf.length_ns >= leaf.edges[-1][0])
        for dose in leaf.doses:
            assert leaf.edges[dose.edge][0] == dose.open_ns
            assert leaf.edges[dose.edge + 1][0] == dose.open_ns + dose.width_ns
    assert PLAN.validate_json(PLAN.dump_json(made)) == made
