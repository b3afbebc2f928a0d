"""The library of recipes: each passes check on its rack, and says where its film cannot go."""

from __future__ import annotations

import re
import tomllib
from functools import cache
from pathlib import Path

import pytest

from ald_controller.cli.filmrows import Bench, named, recipe_path
from ald_controller.shipped import RECIPES
from ald_controller.yamlfile import Problems, parse
from tests.recipe_bench import ROOT

LIBRARY = sorted((RECIPES / "library").glob("*.yaml"))
ALL = [*sorted(RECIPES.glob("*.yaml")), *LIBRARY]


@cache
def bench() -> Bench:
    return Bench()


@pytest.mark.parametrize("path", ALL, ids=lambda path: path.stem)
def test_every_recipe_passes_check_on_a_rack_that_comes_with_it(path: Path) -> None:
    plan = bench().plan(path, {})
    assert plan.recipe == path.stem
    assert plan.thickness_nm, "check can say how thick it gets"


@pytest.mark.parametrize("path", LIBRARY, ids=lambda path: path.stem)
def test_a_recipe_names_the_rack_that_it_needs_and_no_other(path: Path) -> None:
    rack = bench().rack_for(path)
    assert re.findall(r"recipes/racks/([\w-]+)\.yaml", path.read_text("utf-8")) == ([rack] if rack else [])


@pytest.mark.parametrize("path", LIBRARY, ids=lambda path: path.stem)
def test_a_recipe_begins_with_what_a_reader_must_know_of_it(path: Path) -> None:
    text = path.read_text("utf-8")
    assert text.startswith("# ") and text.index("recipe:") > 100
    assert f"\nrecipe: {path.stem}\n" in text


def test_every_recipe_of_the_library_makes_a_film_of_the_review() -> None:
    assert {recipe_path(one.recipe) for one in named().values()} >= set(LIBRARY)


def test_a_recipe_that_is_not_there_is_a_problem_and_no_crash() -> None:
    with pytest.raises(Problems, match="there is no recipe 'unobtainium'"):
        recipe_path("unobtainium")


def test_a_recipe_whose_bottles_hang_on_no_rack_is_a_problem(tmp_path: Path) -> None:
    odd = tmp_path / "odd.yaml"
    odd.write_text("recipe: odd\ndeposit: [{pulse: {precursor: DEZ}}, {pulse: {precursor: H2S}}]\n", "utf-8")
    with pytest.raises(Problems, match="no rack of recipes/racks/ holds DEZ, H2S"):
        bench().rack_for(odd)


# --- where a film cannot go ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("recipe", "step", "why"),
    [
        ("tin-on-lto", "expose: {precursor: ammonia", "ammonia may not be dosed over lithium: ammonia attacks lithium"),
        ("lithium-phosphate", "heat: {substrate: $temperature", "200 °C on 'substrate' is above the 150 °C that any"),
        ("lithium-phosphate", "heat: {substrate: 172 °C", "172 °C on 'chamber' is above the 150 °C that any"),
        ("nylon-66", "expose: {precursor: adipoyl chloride", "bare lithium is adipoyl chloride (acid chloride), which"),
    ],
)
def test_with_lithium_loaded_what_cannot_go_there_is_refused_at_its_line(recipe: str, step: str, why: str) -> None:
    path = recipe_path(recipe)
    (line,) = [n for n, text in enumerate(path.read_text("utf-8").splitlines(), 1) if step in text]
    with pytest.raises(Problems) as refused:
        bench().plan(path, {}, "lithium")
    assert any(why in problem.message for problem in refused.value.problems if problem.mark.line == line)


@pytest.mark.parametrize("path", LIBRARY, ids=lambda path: path.stem)
def test_a_recipe_for_another_host_is_refused_with_lithium_loaded_and_one_for_lithium_is_not(path: Path) -> None:
    if "\nsubstrate: lithium foil\n" in path.read_text("utf-8"):
        assert bench().plan(path, {}, "lithium").lithium
        return
    with pytest.raises(Problems) as refused:
        bench().plan(path, {}, "lithium")
    assert "but the load register says lithium" in refused.value.problems[0].message


def test_alumina_at_177_c_is_refused_with_lithium_loaded(tmp_path: Path) -> None:
    copied = tmp_path / "hot.yaml"
    text = recipe_path("alumina").read_text("utf-8").replace("substrate: silicon wafer", "substrate: lithium")
    copied.write_text(text, "utf-8")
    bench().plan(copied, {"temperature": "120 °C", "walls": "120 °C"})
    with pytest.raises(Problems, match="177 °C on 'substrate' is above the 150 °C"):
        bench().plan(copied, {"temperature": "177 °C"})


def test_titania_with_as_few_cycles_as_the_review_prints_is_flagged(tmp_path: Path) -> None:
    """10 nm at 0.8 nm per cycle."""
    copied = tmp_path / "printed.yaml"
    text = recipe_path("titania-on-copper").read_text("utf-8")
    copied.write_text(text.replace("film: TiO2\n", "film: TiO2\ntarget: 10 nm\n"), "utf-8")
    warned = bench().plan(copied, {"cycles": "13"}).warnings
    assert any("13 cycles of TiO2 at 150 °C give 0.534 nm, not 10 nm" in text for text in warned)


def test_the_racks_hold_what_the_tables_know() -> None:
    for path in (RECIPES / "racks").glob("*.yaml"):
        rack = parse(path.read_text("utf-8"), path.name).data
        assert set(rack) <= set(bench().tool.config.ports)
        assert {bench().chemistry.name(precursor) for precursor in rack.values()} == set(rack.values())


def test_an_installation_carries_every_folder_of_recipes() -> None:
    carried = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["setuptools"]["data-files"]
    folders = {path.parent.relative_to(ROOT) for path in RECIPES.glob("**/*.yaml")}
    assert {f"share/ald-controller/{folder}": [f"{folder}/*.yaml"] for folder in folders} == {
        name: files for name, files in carried.items() if "recipes" in name
    }
