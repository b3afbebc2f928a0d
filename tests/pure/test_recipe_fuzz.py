"""Whatever is given as a recipe, at whichever entry: a plan, or problems worth reading, soon and in little memory."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ald_controller.cli import commands as cli
from ald_controller.cli.checking import check_inline
from ald_controller.consoleparts import CheckRequest
from ald_controller.doors.desk import Refusal, parse
from ald_controller.plan import Plan
from ald_controller.recipedesk import Recipes
from tests.recipe_bench import ROOT, loaded, tool
from tests.recipe_fuzz import EVERY_VERB, FINE, HOSTILE, INNARDS, PLACE, mutated, outcome, scribbled

QUICK = settings(
    max_examples=120,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


def figure(told: str) -> None:
    """For the page of measurements, where one is kept."""
    if page := os.environ.get("ALD_FIGURES"):
        with Path(page).open("a", encoding="utf-8") as file:
            file.write(f"{told}\n")


MOST_S = 8.0  # of CPU for the worst of them, which takes 2 s where nothing else runs


@QUICK
@given(mutated())
def test_a_recipe_with_parts_changed_gives_a_plan_or_problems_worth_reading(text: str) -> None:
    outcome(text)


@QUICK
@given(scribbled())
def test_a_recipe_with_letters_and_lines_changed_gives_a_plan_or_problems_worth_reading(text: str) -> None:
    outcome(text)


@QUICK
@given(st.text(max_size=200) | st.binary(max_size=200))
def test_any_text_and_any_bytes_give_problems_worth_reading(raw: str | bytes) -> None:
    outcome(raw)


@pytest.mark.parametrize("name", FINE)
def test_what_is_only_unusual_is_planned(name: str) -> None:
    assert isinstance(outcome(FINE[name]()), Plan)


def test_every_hostile_recipe_is_answered_in_bounded_time_and_memory() -> None:
    done = subprocess.run([sys.executable, "-m", "tests.recipe_fuzz"], capture_output=True, text=True, cwd=ROOT,
                          env=os.environ | {"PYTHONPATH": str(ROOT)}, timeout=120, check=False)  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    told: dict[str, tuple[float, str]] = json.loads(done.stdout)
    assert told.keys() == HOSTILE.keys()
    assert {name: seconds for name, (seconds, _) in told.items() if seconds > MOST_S} == {}
    fine = {"minus nothing", "ten thousand parameters", "some thousand blocks"}
    assert {name for name, (_, said) in told.items() if said == "fine"} == fine


@pytest.mark.long
@pytest.mark.timeout(530)
@pytest.mark.parametrize(
    ("made", "times", "at_least"),
    [
        (mutated(), 5_000, 100), (scribbled(), 10_000, 1_000), (st.text(max_size=2000), 10_000, 0),
        (st.binary(max_size=2000), 10_000, 0),
    ],
)  # fmt: skip
def test_thousands_of_recipes_of_each_kind_give_plans_or_problems_worth_reading(
    made: st.SearchStrategy[Any], times: int, at_least: int
) -> None:
    """Of what is changed a little, some stays right: else nothing but the first look at a recipe would be fuzzed."""
    planned = 0

    @settings(QUICK, max_examples=times)
    @given(made)
    def each(raw: str | bytes) -> None:
        nonlocal planned
        planned += isinstance(outcome(raw), Plan)

    each()
    assert planned >= at_least
    figure(f"{times:,} recipes from {str(made)[:40]}: {planned:,} planned, every other one refused in words")


# --- from the shell --------------------------------------------------------------------------------------------------


def checked(*arguments: str) -> tuple[int, str]:
    """Exit code and everything that `ald check` says; what it raises is raised."""
    result = CliRunner().invoke(cli.ald, ["check", *arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.output


@pytest.mark.parametrize("name", [
    "nothing", "bytes that are no text", "a terminal's commands", "twenty thousand keys of one name",
    "a hundred megabytes", "everything is nothing", "twenty thousand keys",
])  # fmt: skip
def test_the_shell_says_of_a_hostile_file_what_is_wrong_and_ends_with_1(name: str, tmp_path: Path) -> None:
    path = tmp_path / "r.yaml"
    path.write_bytes(HOSTILE[name]())
    for arguments in ([], ["--json"]):
        code, said = checked(str(path), *arguments)
        assert code == 1 and not INNARDS.search(said), said[:500]
        first = json.loads(said)["problems"][0] if arguments else said.splitlines()[0]
        assert PLACE.match(first) and first.isprintable()


def test_the_shell_reads_no_folder_no_device_no_pipe_and_nothing_that_is_not_there(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe.yaml"
    os.mkfifo(pipe)
    for path in (tmp_path, pipe, Path("/dev/zero"), tmp_path / "none.yaml"):
        code, said = checked(str(path))
        assert code in (1, 2) and str(path) in said.replace("\n", ""), said
        assert not INNARDS.search(said)


def test_a_file_of_any_name_is_named_on_one_line(tmp_path: Path) -> None:
    for name in ("a\nb.yaml", "\u202eb.yaml", "\x1b[2J.yaml", "ü" * 100 + ".yaml", os.fsdecode(b"\xff.yaml")):
        path = tmp_path / name
        path.write_text("recipe: a\n", "utf-8")
        code, said = checked(str(path))
        assert code == 1
        assert all(line.isprintable() and ".yaml:1:1: '" in line for line in said.splitlines()[:-1]), said


# --- at the doors ----------------------------------------------------------------------------------------------------


def held_against_the_tool(name: str, text: str) -> list[str]:
    registers = loaded("lithium").dump()
    problems: list[str] = check_inline(CheckRequest(name, text, {}, registers, {}), tool())["problems"]
    return problems


@pytest.mark.parametrize("name", [
    "nothing", "bytes that are no text", "a terminal's commands", "tabs", "a billion laughs", "a time of 4,000 digits",
    "a hundred megabytes", "a text that is all the file", "everything is a list", "twenty thousand keys of one name",
    "a name in another direction", "five thousand times a hundred shots",
])  # fmt: skip
def test_an_upload_is_refused_or_kept_as_it_is_and_then_checked(name: str, tmp_path: Path) -> None:
    line = json.dumps({"verb": "upload", "name": "r", "text": HOSTILE[name]().decode("utf-8", "replace")}).encode()
    try:
        request = parse(line)
    except Refusal as refusal:
        assert refusal.reply.text and not INNARDS.search(refusal.reply.text)
        return
    kept = Recipes(tmp_path)
    kept.put(request.name, request.text)  # type: ignore[union-attr]
    assert kept.get("r") == request.text  # type: ignore[union-attr]
    assert all(PLACE.match(problem) for problem in held_against_the_tool("r", request.text))  # type: ignore[union-attr]


def test_line_ends_of_another_system_are_kept_so_that_the_hash_stays_that_of_the_file(tmp_path: Path) -> None:
    kept, text = Recipes(tmp_path), EVERY_VERB.replace("\n", "\r\n")
    kept.put("r", text)
    assert kept.get("r") == text and held_against_the_tool("r", text) == []


@pytest.mark.parametrize("line", [
    b'{"verb": "upload", "name": "../../etc/passwd", "text": ""}', b'{"verb": "upload", "name": "r"}',
    b'{"verb": "upload", "name": "r", "text": "\\ud800"}', b'{"verb": "upload", "name": "r", "text": 1}',
    b'{"verb": "upload", "name": "' + b"x" * 300 + b'", "text": ""}', b'{"verb": "upload", "text": ' + b"[" * 10_000,
    b'{"verb": "upload", "name": "r", "text": ' + b"9" * 4500 + b"}", b"\xff\xfe", b"[]", b"null", b"",
])  # fmt: skip
def test_an_upload_that_is_none_is_refused_in_words(line: bytes) -> None:
    with pytest.raises(Refusal) as refused:
        parse(line)
    assert refused.value.reply.text.isprintable() and not INNARDS.search(refused.value.reply.text)
    assert len(refused.value.reply.text) < 2000
