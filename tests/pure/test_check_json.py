"""`--json` of check, optimise and films: whatever goes wrong, a program reads one document."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from ald_controller.cli.commands import ald
from tests.foresee import cycles, text
from tests.recipe_bench import RECIPES

ALUMINA = text(cycles(("TMA", "15 ms", "15 s"), ("water", "15 ms", "20 s")))


@pytest.fixture(autouse=True)
def nobody_answers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALD_SOCKET", str(tmp_path / "nobody.sock"))


def document(*words: str, code: int) -> dict[str, Any]:
    """What stdout holds, with nothing beside it; NaN and Infinity are no JSON."""
    result = CliRunner().invoke(ald, [*words, "--json"])
    assert result.exit_code == code, result.output
    found: dict[str, Any] = json.loads(result.stdout, parse_constant=lambda word: pytest.fail(word))
    return found


@pytest.fixture
def recipe(tmp_path: Path) -> str:
    path = tmp_path / "r.yaml"
    path.write_text(ALUMINA, "utf-8")
    return str(path)


def test_a_page_that_cannot_be_written_is_a_problem_of_the_check_with_the_reason(recipe, tmp_path) -> None:
    nowhere = tmp_path / "nowhere" / "page.html"
    found = document("check", recipe, "--html", str(nowhere), code=1)
    assert found["problems"] == [f"{nowhere}:1:1: cannot be written: No such file or directory"]
    assert not found["ok"] and found["plan"] is None and found["forecast"] is None


def test_where_the_other_tool_cannot_be_read_there_is_no_forecast_and_no_actuation(recipe, tmp_path) -> None:
    found = document("check", recipe, "--times-of", str(tmp_path / "b.yaml"), str(tmp_path / "b2.yaml"), code=1)
    assert found["problems"] and found["forecast"] is None and found["findings"] == [] and found["actuations"] == {}


@pytest.mark.parametrize("verb", ["check", "optimise", "preview"])
def test_a_recipe_that_is_not_there_is_a_problem_to_every_verb_that_takes_one(verb, tmp_path) -> None:
    found = document(verb, str(tmp_path / "gone.yaml"), code=1)
    assert found["problems"] == [f"{tmp_path / 'gone.yaml'}:1:1: cannot be read: No such file or directory"]


@pytest.mark.parametrize("verb", ["check", "optimise", "preview"])
def test_a_folder_in_place_of_a_recipe_is_a_problem_too(verb, tmp_path) -> None:
    assert document(verb, str(tmp_path), code=1)["problems"] == [f"{tmp_path}:1:1: cannot be read: Is a directory"]


def test_a_preview_that_has_nowhere_to_write_says_where(recipe, tmp_path) -> None:
    (tmp_path / "file").write_text("", "utf-8")
    found = document("preview", recipe, "--state", str(tmp_path / "file" / "state"), code=1)
    assert found["problems"] == [f"{tmp_path / 'file' / 'state'}: Not a directory"]


def test_optimise_tells_problems_as_check_does(recipe) -> None:
    Path(recipe).write_text(ALUMINA.replace("purge: 20 s", "purge: 0.1 s"), "utf-8")
    advised, checked = document("optimise", recipe, code=1), document("check", recipe, code=1)
    assert advised == {key: checked[key] for key in ("ok", "problems", "places")}


def test_films_tells_a_tool_that_it_cannot_read_as_json_too(tmp_path) -> None:
    found = document("films", "--tool", str(tmp_path / "gone.yaml"), code=1)
    assert not found["ok"] and "cannot be read" in found["problems"][0]


def test_every_figure_of_a_forecast_is_a_number_or_null(recipe) -> None:
    def walk(data: Any) -> None:
        if isinstance(data, dict | list):
            for value in data.values() if isinstance(data, dict) else data:
                walk(value)
        assert not isinstance(data, float) or math.isfinite(data)

    walk(document("check", recipe, code=0))
    walk(document("check", str(RECIPES / "ligl-on-lithium.yaml"), code=0))
