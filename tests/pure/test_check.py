"""What `ald check` says, to people and to the daemon."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

from ald_controller.check import actuations, check_json, check_text, clock
from ald_controller.plan import PLAN, Plan, SegmentStep, Where
from ald_controller.planner import make_plan
from ald_controller.yamlfile import Problems, read
from tests.recipe_bench import HEAD, RECIPES, WARM, blocks, chemistry, simulated, tool


def check(recipe: Path, load: Path | None = None, rack: Path | None = None) -> Plan | Problems:
    try:
        known = simulated()
        known = known.with_load(read(load), chemistry()) if load else known
        known = known.with_rack(read(rack), chemistry()) if rack else known
        notes = tuple(f"{what} from {path}" for what, path in (("load", load), ("rack", rack)) if path)
        return make_plan(read(recipe), tool(), known, {}, chemistry(), blocks(), assumptions=notes)
    except Problems as problems:
        return problems


def test_the_first_line_says_what_was_assumed_and_the_last_that_nothing_is_wrong() -> None:
    lines = check_text(check(RECIPES / "ligl-on-lithium.yaml")).splitlines()
    assert lines[0].startswith("assumed: load: not recorded, so lithium limits apply; rack: TMA at TMA, water at H2O")
    assert "cycles     60, 120 doses, the shortest 1 s" in lines
    assert "film       LiGL, 60 cycles at 150 °C: 162 nm (medium confidence)" in lines
    assert any(line.startswith("takes      about 2 h ") for line in lines)
    assert lines[-1] == "no problems"


def test_a_check_says_how_often_each_valve_will_move() -> None:
    plan = check(RECIPES / "ligl-on-lithium.yaml")
    assert isinstance(plan, Plan)
    added = actuations(plan, tool().config.valves.outputs)
    assert added == {"LTB": 60, "GL": 60, "stop": 120}
    assert "valves     LTB 60, GL 60, stop 120 actuations" in check_text(plan, added).splitlines()
    assert json.loads(check_json(plan, added))["actuations"] == added


def test_openings_that_follow_without_a_rest_between_them_count_once_each() -> None:
    plan = check(RECIPES / "ligl-on-lithium.yaml")
    assert isinstance(plan, Plan)
    ltb, stop = 4, 64
    words = [(0, stop), (1, stop | ltb), (2, stop), (3, stop | ltb), (4, ltb), (5, 0)]
    made = SegmentStep("segment", Where(1, 1), "x", tuple(words), 6)
    alone = replace(plan, prepare=(), deposit=(made,), finish=())
    assert actuations(alone, tool().config.valves.outputs) == {"LTB": 2, "stop": 1}


def test_the_plan_in_the_json_is_the_plan() -> None:
    result = check(RECIPES / "trial-ligl.yaml")
    data = json.loads(check_json(result))
    assert data["ok"] and data["problems"] == []
    assert PLAN.validate_python(data["plan"]) == result


def test_problems_are_sentences_and_places(tmp_path: Path) -> None:
    bad = tmp_path / "bad.yaml"
    bad.write_text(HEAD + WARM + "deposit: [{purge: 20}, {vent: {}}]\nfinish: []\n", "utf-8")
    result = check(bad)
    data = json.loads(check_json(result))
    assert not data["ok"] and data["plan"] is None
    assert [(p["line"], p["column"]) for p in data["places"]] == [(7, 19), (7, 24)]
    assert data["problems"][0] == f"{bad}:7:19: '20' has no unit: write one of s, ms, min, h, for example '20 s'"
    assert check_text(result).splitlines()[-1] == "2 problems"


def test_a_planned_load_and_rack_are_named_as_assumed(tmp_path: Path) -> None:
    load, rack = tmp_path / "load.yaml", tmp_path / "rack.yaml"
    load.write_text("material: silicon\n", "utf-8")
    rack.write_text("{TMA: TMA, H2O: water}\n", "utf-8")
    recipe = tmp_path / "r.yaml"
    text = (RECIPES / "alumina-on-lithium.yaml").read_text("utf-8").replace("lithium foil", "silicon")
    recipe.write_text(text.replace("substrate: 120 °C, chamber: 120 °C", "substrate: 200 °C, chamber: 200 °C"), "utf-8")
    made = check(recipe, load=load, rack=rack)
    assert isinstance(made, Plan)
    assert not made.lithium
    assert "assumed: load: silicon (by plan, planned); rack: TMA at TMA, water at H2O" in check_text(made)
    assert f"load from {load}" in check_text(made)
    assert any("how much TMA is left at TMA is not recorded" in w for w in made.warnings)


def test_a_missing_or_broken_file_is_a_problem_and_no_crash(tmp_path: Path) -> None:
    missing = check(tmp_path / "none.yaml")
    assert isinstance(missing, Problems)
    assert "none.yaml:1:1: cannot be read: No such file or directory" in check_text(missing)
    broken = tmp_path / "load.yaml"
    broken.write_text("material: lithum\n", "utf-8")
    result = check(RECIPES / "trial-ligl.yaml", load=broken)
    assert "load.yaml:1:11: 'lithum' is not in the table of materials" in check_text(result)


def test_ten_thousand_steps_are_checked_one_by_one(tmp_path: Path) -> None:
    steps = "- pulse: {precursor: TMA, time: 1 s}\n- purge: 5 s\n- pulse: {precursor: H2O, time: 1 s}\n- purge: 5 s\n"
    long = tmp_path / "long.yaml"
    long.write_text(HEAD + WARM + "deposit:\n" + steps * 2500 + "finish:\n- purge: 5 s\n", "utf-8")
    made = check(long)
    assert isinstance(made, Plan)
    assert made.doses == 5000
    assert made.layers[0].cycles == 2500


def test_a_duration_is_said_in_the_two_units_that_matter() -> None:
    assert [clock(s) for s in (8.2, 61, 3599.6, 3600, 15_120)] == [
        "8 s",
        "1 min 01 s",
        "1 h 00 min",
        "1 h 00 min",
        "4 h 12 min",
    ]
