"""What `ald extend` sends, and what a check makes of turns that a run is to be extended by."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from ald_controller.cli import turns
from ald_controller.cli.children import checker
from ald_controller.cli.commands import ald
from ald_controller.consoleparts import CheckRequest
from tests.recipe_bench import RECIPES, ROOT, simulated

TRIAL = RECIPES / "trial-ligl.yaml"


def sent(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> list[dict[str, Any]]:
    """The requests of one command line that is understood."""
    asked: list[dict[str, Any]] = []
    monkeypatch.setattr(turns, "ask", lambda socket, request, as_json: asked.append(request))
    result = CliRunner().invoke(ald, arguments)
    assert result.exit_code == 0, result.output
    return asked


def test_a_number_of_turns_and_a_repeat_are_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    (request,) = sent(monkeypatch, "extend", "a-run-1", "+20", "--of", "LiGL")
    assert request == {"verb": "extend", "run": "a-run-1", "turns": 20, "of": "LiGL"}
    assert sent(monkeypatch, "pause", "--at", "inner") == [{"verb": "pause", "now": False, "at": "inner"}]
    assert sent(monkeypatch, "stop") == [{"verb": "stop", "at": ""}]


@pytest.mark.parametrize("more", ["20", "+0", "+-1", "-1", "+1.5", "+1000000", "many"])
def test_what_is_no_number_of_turns_more_is_told_how_to_write_it(more: str) -> None:
    result = CliRunner().invoke(ald, ["extend", "a-run-1", "--", more])
    assert result.exit_code == 2 and "for example +20" in result.output


@pytest.mark.parametrize("command", [["pause", "--at"], ["stop", "--at"], ["extend", "a-run-1", "+1", "--of"]])
def test_an_empty_name_is_no_name_and_not_the_outermost_repeat(command: list[str]) -> None:
    result = CliRunner().invoke(ald, [*command, ""])
    assert result.exit_code == 2 and "write the name of a repeat" in result.output


def place() -> tuple[int, int]:
    """The line and column of the repeat of the trial."""
    lines = TRIAL.read_text("utf-8").splitlines()
    line = next(n for n, text in enumerate(lines, 1) if "- repeat" in text)
    return line, lines[line - 1].index("-") + 3


def checked(*more: str, recipe: Path = TRIAL) -> dict[str, Any]:
    options = [option for one in more for option in ("--more", one)]
    result = CliRunner().invoke(
        ald,
        ["check", str(recipe), "--json", "--registers", str(ROOT / "deploy" / "registers-simulated.yaml"), *options],
    )
    return json.loads(result.output)  # type: ignore[no-any-return]


def test_a_check_adds_turns_to_the_repeat_that_stands_there() -> None:
    line, column = place()
    before, after = checked()["plan"], checked(f"{line}:{column}=2")["plan"]
    assert (before["cycles"], after["cycles"], after["doses"]) == (3, 5, 10)
    assert after["duration_s"] > before["duration_s"]
    assert checked("1:1=2")["plan"]["cycles"] == 3  # no repeat stands there


def test_turns_beyond_what_a_parameter_may_be_are_a_problem_at_its_line() -> None:
    line, column = place()
    (problem,) = checked(f"{line}:{column}=1000")["problems"]
    assert "outside of its approved range" in problem


def test_more_turns_than_a_repeat_may_have_are_a_problem(tmp_path: Path) -> None:
    (recipe := tmp_path / "fixed.yaml").write_text(TRIAL.read_text("utf-8").replace("$cycles", "3"), "utf-8")
    line, column = place()
    problems = checked(f"{line}:{column}=99998", recipe=recipe)["problems"]
    assert any("100001 turns are more than the 100000" in problem for problem in problems)


async def test_the_check_of_a_controller_is_given_the_turns() -> None:
    more = {place(): 1}
    request = CheckRequest("trial-ligl", TRIAL.read_text("utf-8"), {}, simulated().dump(), {}, more)
    result = await checker(ROOT / "deploy" / "tool.yaml")(request)
    assert result["plan"]["cycles"] == 4 and result["findings"] is not None
