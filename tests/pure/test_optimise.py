"""`ald optimise`: the shortest doses and purges that the model allows, as a diff that applies and checks."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from ald_controller.check.knobs import advised, rounded_up
from ald_controller.cli.commands import ald
from tests.foresee import SILICON, ahead, codes, cycles, text, warm
from tests.recipe_bench import RECIPES


@pytest.fixture(autouse=True)
def nobody_answers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALD_SOCKET", str(tmp_path / "nobody.sock"))


def optimise(recipe: Path, *more: str) -> Result:
    return CliRunner().invoke(ald, ["optimise", str(recipe), *more])


def advice(folder: Path, written: str, *more: str) -> dict[str, object]:
    recipe = folder / "r.yaml"
    recipe.write_text(written, "utf-8")
    result = optimise(recipe, "--json", *more)
    assert result.exit_code == 0, result.output
    found: dict[str, object] = json.loads(result.output)
    return found


@pytest.mark.parametrize("name", ["alumina-on-lithium", "ligl-on-lithium", "bilayer-50mld-50ald-on-lithium"])
def test_the_diff_applies_and_what_comes_of_it_checks_within_the_tolerance(name, tmp_path) -> None:
    recipe = tmp_path / f"{name}.yaml"
    recipe.write_text((RECIPES / f"{name}.yaml").read_text("utf-8"), "utf-8")
    result = optimise(recipe)
    assert result.output.startswith("# A model's advice, not a measurement")
    subprocess.run(["patch", "-s", "-p0", str(recipe)], input=result.output, text=True, check=True)
    checked = CliRunner().invoke(ald, ["check", str(recipe), "--json"])
    assert checked.exit_code == 0
    for cycle in json.loads(checked.output)["forecast"]["cycles"]:
        assert (1 - cycle["saturated"]) + cycle["excess"] <= 0.02
    assert json.loads(checked.output)["findings"] == []


def test_everything_but_the_times_stays_comments_included(tmp_path) -> None:
    before = (RECIPES / "ligl-on-lithium.yaml").read_text("utf-8")
    after = str(advice(tmp_path, before)["text"])
    pairs = list(zip(before.splitlines(), after.splitlines(), strict=True))
    changed = [(old, new) for old, new in pairs if old != new]
    assert {old.split(":")[0].strip(" -") for old, _ in changed} <= {"li_dose", "gl_dose", "purge"}
    assert all("# model's advice, was " in new for _, new in changed)
    assert "steps:  # lithium first: nothing protic may touch bare lithium" in after


def test_a_run_is_shorter_and_no_longer_as_long_as_it_was(tmp_path) -> None:
    found = advice(tmp_path, text(cycles(("TMA", "100 ms", "60 s"), ("water", "100 ms", "90 s"), times=100)))
    assert float(str(found["after_s"])) < 0.3 * float(str(found["before_s"]))
    assert 0.0 < float(str(found["cost"])) <= 0.02


def test_a_tighter_tolerance_asks_for_longer_times(tmp_path) -> None:
    written = text(cycles(("TMA", "100 ms", "60 s"), ("water", "100 ms", "90 s"), times=100))
    loose, tight = (advice(tmp_path, written, "--tolerance", t)["after_s"] for t in ("5 %", "0.5%"))
    assert float(str(loose)) < float(str(tight))


def test_a_dose_that_falls_short_becomes_longer(tmp_path) -> None:
    short = cycles(("LiOtBu", "200 ms", "20 s"), ("glycerol", "1 s", "30 s"))
    written = text(short, prepare=warm(150, LiOtBu=150, glycerol=130))
    assert "dose" in codes(ahead(written))
    after = str(advice(tmp_path, written)["text"])
    assert "dose" not in codes(ahead(after))


def test_what_no_time_in_reach_saturates_is_said(tmp_path) -> None:
    recipe = tmp_path / "r.yaml"
    head = SILICON.replace("silicon", "{material: silicon, area: 90 m2}")
    recipe.write_text(text(cycles(("TMA", "15 ms", "15 s"), ("water", "15 ms", "20 s")), head=head), "utf-8")
    result = optimise(recipe)
    assert result.exit_code == 0
    assert "beyond the tolerance" in result.output or "no times in reach" in result.output


def test_a_purge_never_goes_below_the_floor_of_the_tool(tmp_path) -> None:
    written = text(cycles(("TMA", "15 ms", "15 s"), ("water", "15 ms", "20 s")), prepare=warm(250))
    after = str(advice(tmp_path, written, "--tolerance", "20 %")["text"])
    purges = [line.split("purge: ")[1].split(" s")[0] for line in after.splitlines() if "- purge: " in line]
    assert all(float(purge) >= 1.0 for purge in purges)


def test_a_parameter_stays_within_the_range_that_the_owner_approved(tmp_path) -> None:
    head = SILICON + "parameters:\n  tma: {default: 100 ms, min: 60 ms, max: 200 ms}\n"
    after = str(advice(tmp_path, text(cycles(("TMA", "$tma", "15 s"), ("water", "15 ms", "20 s")), head=head))["text"])
    assert "tma: {default: 60 ms, min: 60 ms, max: 200 ms}  # model's advice, was 100 ms" in after


def test_a_whole_cycle_on_one_line_is_changed_where_its_times_stand(tmp_path) -> None:
    one = (
        "repeat: {times: 9, name: c, steps: [{pulse: {precursor: TMA, time: 100 ms}}, {purge: 60 s}, "
        '{pulse: {precursor: water, time: "100 ms"}}, {purge: {time: 90 s, provenance: "Groner 2004"}}]}'
    )
    after = str(advice(tmp_path, text(one))["text"])
    line = next(line for line in after.splitlines() if "repeat" in line)
    assert line.endswith("# model's advice, was 100 ms, 60 s, 100 ms, 90 s")
    assert "provenance: unverified default" in line and "Groner" not in line
    assert codes(ahead(after)) == set()


def test_advice_on_advice_says_only_what_stood_there_last() -> None:
    old = "- purge: 8 s  # model's advice, was 20 s\n"
    assert advised(old, "- purge: 6 s  # model's advice, was 20 s\n") == "- purge: 6 s  # model's advice, was 8 s\n"


def test_times_are_rounded_up_to_what_a_person_would_write() -> None:
    assert [rounded_up(s) for s in (0.0101, 0.15, 0.153, 1.01, 5.0, 17.2)] == [0.011, 0.15, 0.16, 1.1, 5.0, 18.0]


def test_nothing_to_gain_is_said(tmp_path) -> None:
    recipe = tmp_path / "r.yaml"
    recipe.write_text(SILICON + warm(100) + "deposit: [{purge: 5 s}]\nfinish: []\n", "utf-8")
    result = optimise(recipe)
    assert result.exit_code == 0
    assert result.output == "# the model knows no shorter times that keep growth within 2 %\n"


@pytest.mark.parametrize(("tolerance", "says"), [("2", "has no unit"), ("0.01 %", "is not between"), ("x", "is not a")])
def test_a_tolerance_that_makes_no_sense_is_refused(tolerance, says) -> None:
    result = optimise(RECIPES / "ligl-on-lithium.yaml", "--tolerance", tolerance)
    assert result.exit_code == 2 and says in result.output


def test_a_recipe_with_problems_gets_them_and_no_advice(tmp_path) -> None:
    recipe = tmp_path / "r.yaml"
    recipe.write_text("recipe: t\n", "utf-8")
    result = optimise(recipe)
    assert result.exit_code == 1 and "'prepare' is missing" in result.output


def test_thousands_of_steps_written_one_by_one_are_too_many_to_weigh(tmp_path) -> None:
    doses = [
        (f"pulse: {{precursor: {p}, time: {15 + i} ms}}", "purge: 9 s") for i in range(40) for p in ("TMA", "water")
    ]
    steps = [step for dose in doses for step in dose]
    recipe = tmp_path / "r.yaml"
    recipe.write_text(text("\n  - ".join(steps)), "utf-8")
    result = optimise(recipe)
    assert result.exit_code == 1 and "60 at most are weighed: use repeat" in result.output


def test_where_nothing_can_grow_no_time_is_made_shorter(tmp_path) -> None:
    """A cold bottle of glycol gives nothing: that nothing is lost by a purge of a second is no reason for one."""
    dead = cycles(("TMA", "15 ms", "10 s"), ("ethylene glycol", "100 ms", "10 s"))
    found = advice(tmp_path, text(dead, prepare=warm(120, carrier=60, ethylene_glycol=21)))
    assert float(str(found["cost"])) > 0.9
    assert float(str(found["after_s"])) >= float(str(found["before_s"]))
    assert not [line for line in str(found["diff"]).splitlines() if line.startswith("+") and "1.1 s" in line]
