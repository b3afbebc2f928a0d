"""What `ald …` answers when it is used wrongly, and when the controller says no: a sentence, a code, no trace."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from ald_controller.cli.commands import ald
from tests.process.stand import LONG_DOSES, Stand, figure, ready, stand, wait_for

pytestmark = pytest.mark.timeout(120)
ROOT = Path(__file__).resolve().parents[2]
RECIPE = str(ROOT / "recipes" / "trial-ligl.yaml")
TOOL = str(ROOT / "deploy" / "tool.yaml")


def typed(*words: str | Path) -> Result:
    """The outcome of `ald …`; whatever happens it is a sentence."""
    result = CliRunner().invoke(ald, [str(word) for word in words])
    assert result.exception is None or isinstance(result.exception, SystemExit), repr(result.exception)
    assert "Traceback" not in result.output
    if result.exit_code:
        assert result.output.strip(), "an exit code without a word"
    return result


# --- used wrongly, no controller -------------------------------------------------------------------------------------

WRONG: list[tuple[int, str, str]] = [
    (2, "frobnicate", "No such command 'frobnicate'"),
    (2, "upload /nonexistent", "'/nonexistent' does not exist"),
    (2, "run /nonexistent", "'/nonexistent' does not exist"),
    (2, "report /nonexistent", "'/nonexistent' does not exist"),
    (2, "runs --state /nonexistent", "'/nonexistent' does not exist"),
    (2, "simulate /nonexistent", "'/nonexistent' does not exist"),
    (2, "proof-test list --state /nonexistent", "'/nonexistent' does not exist"),
    (2, "proof-test --rows T1 list", "write options behind 'list', where they belong"),
    (2, "daemon --state {folder}", "Missing option '--tool'"),
    (2, f"daemon --tool {TOOL} --state {{folder}} --broker here", "--broker here: write HOST:PORT"),
    (2, f"check {RECIPE} --set cycles", "'cycles': write NAME=VALUE"),
    (2, f"check {RECIPE} --zone substrate=warm", "--zone: write NAME=CELSIUS"),
    (2, "remote maybe", "'maybe' is not one of 'on', 'off'"),
    (2, "register set load", "Missing argument 'VALUE'"),
    (1, "check /nonexistent", "/nonexistent:1:1: cannot be read: No such file or directory"),
    (1, "preview /nonexistent", "/nonexistent:1:1: cannot be read: No such file or directory"),
    (1, "check {binary}", "is not UTF-8 text"),
    (1, "check {broken}", "broken.yaml:1:1"),
    (1, f"check {RECIPE} --tool /nonexistent", "/nonexistent:1:1: cannot be read"),
    (1, f"check {RECIPE} --load /nonexistent", "/nonexistent:1:1: cannot be read"),
    (1, f"check {RECIPE} --set color=red", "there is no parameter 'color'; this recipe has: cycles"),
    (1, "preview {binary}", "is not UTF-8 text"),
    (1, "preview {broken}", "broken"),
    (1, "upload {binary} --socket {folder}/none", "is not UTF-8 text"),
    (1, "run {binary} --socket {folder}/none", "is not UTF-8 text"),
    (1, "report {folder}", "not a run folder"),
    (1, "simulate {binary}", "is not UTF-8 text"),
    (1, f"simulate {TOOL} --warm-for {{broken}}", "broken.yaml:1:1"),
    (1, f"daemon --tool {TOOL} --state {{folder}}/s --addresses {{broken}}", "not what `ald simulate --json` prints"),
    (1, "daemon --tool {broken} --state {folder}/s", "broken.yaml:1:1"),
    (1, "register set load {{a --by me --socket {folder}/none", "is not YAML"),
]  # fmt: skip


@pytest.mark.parametrize(("code", "line", "sentence"), WRONG, ids=[line for _, line, _ in WRONG])
def test_what_is_typed_wrongly_is_answered_with_a_sentence(tmp_path: Path, code: int, line: str, sentence: str) -> None:
    binary, broken = tmp_path / "binary.yaml", tmp_path / "broken.yaml"
    binary.write_bytes(b"\x7fELF\xd0\xff")
    broken.write_text("just words\n")
    words = [word.format(binary=binary, broken=broken, folder=tmp_path) for word in line.split()]
    result = typed(*words)
    assert sentence in result.output
    assert result.exit_code == code


@pytest.mark.parametrize(
    "line",
    ["status", "status --json", "abort", "stop", "pause --now", "resume", "reset", "remote on", "start x", "runs",
     "register list", "proof-test", "proof-test list", f"run {RECIPE}", f"upload {RECIPE}"],
)  # fmt: skip
def test_where_no_controller_answers_the_code_is_3(tmp_path: Path, line: str) -> None:
    result = typed(*line.split(), "--socket", tmp_path / "none")
    assert result.exit_code == 3
    assert "no controller has a door there; is it running?" in result.output


def test_every_command_explains_itself() -> None:
    top = typed("--help").output
    assert "Exit codes: 0 done; 1 refused or found wrong; 2 used wrongly; 3 no controller answers" in " ".join(
        top.split()
    )
    commands = sorted(ald.commands)
    assert {"abort", "check", "daemon", "demo", "preview", "report", "run", "runs", "simulate", "status"} <= {*commands}
    for name in commands:
        help = typed(name, "--help").output
        assert len(help.splitlines()) > 3 and "usage: " in help.lower()
        assert name in top


# --- a controller that says no ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def made() -> Iterator[Stand]:
    made = ready(stand())
    yield made
    made.close()


@pytest.fixture
def door(made: Stand) -> list[str]:
    return ["--socket", str(made.socket)]


def test_refusals_are_sentences_and_code_1(made: Stand, door: list[str], tmp_path: Path) -> None:
    spaced = tmp_path / "two words.yaml"
    spaced.write_text("x")
    broken = tmp_path / "broken.yaml"
    broken.write_text("recipe: broken\ndeposit: 5\n")
    huge = tmp_path / "huge.yaml"
    huge.write_text("#" * 560_000)
    for words, sentence in (
        (["start", "unheard-of"], "no recipe 'unheard-of' has been uploaded"),
        (["stop"], "'stop' does not fit the state IDLE"),
        (["pause"], "'pause' does not fit the state IDLE"),
        (["resume"], "'resume' does not fit the state IDLE"),
        (["upload", str(spaced)], "name"),
        (["upload", str(huge)], ""),
        (["run", str(broken)], "\nbroken.yaml:2:10: a list is expected here"),
        (["register", "set", "load", "{material: unobtainium}", "--by", "me"], "unobtainium"),
        (["register", "set", "Nonsense", "1", "--by", "me"], "name"),
        (["register", "set", "leak", "fast", "--by", "me"], "leak"),
        (["register", "set", "proof", "{passed: true, certificate: mine}", "--by", "me"], "ald proof-test"),
        (["proof-test", "--rows", "T1"], "nothing that may touch lithium is above 60 °C in a test"),
        (["proof-test", "--rows", "T99"], "there is no row 'T99'"),
    ):
        result = typed(*words, *door)
        assert result.exit_code == 1, (words, result.output)
        assert sentence in result.output, (words, result.output)
        assert "pydantic" not in result.output
    assert made.status()["run"] is None


def test_the_state_the_registers_and_the_runs_are_readable(door: list[str]) -> None:
    lines = typed("status", *door).output.splitlines()
    assert lines[0].strip() == "reference"
    told = {line.split()[0] for line in lines[1:] if line.strip()}
    assert {"state", "valves", "pressure", "zones", "flows", "glovebox"} <= told
    assert all(len(line) <= 140 for line in lines)
    assert all(line == line.rstrip() for line in lines)
    assert "bottle.LTB" in typed("register", "list", *door).output
    assert typed("runs", *door).output.strip() == "no runs yet"
    assert typed("proof-test", "list", *door).output.strip() == "no proof test has been made"


def test_a_second_controller_is_kept_off_the_module_whatever_its_state_directory(made: Stand, tmp_path: Path) -> None:
    before = made.trace_lines()
    done = subprocess.run(
        made.account.command(
            "daemon", "--tool", made.tool, "--state", tmp_path / "other", "--door", tmp_path / "other.sock",
            "--addresses", made.folder / "addresses.json",
        ),
        cwd=ROOT, env=made.account.environment, capture_output=True, text=True, timeout=30,
    )  # fmt: skip
    assert done.returncode == 1 and "lock" in done.stderr, done.stderr
    assert not [line for line in made.trace_lines()[len(before) :] if "foreign" in line]
    assert made.status()["state"] == "IDLE" and not made.status()["run"]


def test_an_abort_is_on_its_way_in_a_tenth_of_a_second(made: Stand, door: list[str]) -> None:
    assert made.start(LONG_DOSES)["ok"]
    made.wait_open()
    shown = typed("status", *door).output
    assert " LTB on " in shown and "long-doses  cycle 1/60" in shown
    pressed_s = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-B", "-m", "ald_controller", "abort", *door, "a", "test"],
        cwd=ROOT, capture_output=True, text=True, timeout=10,
    )  # fmt: skip
    answered_s = time.monotonic() - pressed_s
    after_s, _ = made.closed_after(pressed_s)
    figure(f"ald abort: valves closed {after_s * 1e3:.0f} ms after Enter, answered after {answered_s * 1e3:.0f} ms")
    assert done.returncode == 0, done.stderr
    assert "valves are shut" in done.stdout
    assert after_s < 1.0
    wait_for(lambda: made.status()["run"] is None, 10.0, lambda: "the run goes on")
    assert "aborted" in typed("runs", *door).output
    assert f"{made.run}  aborted" in typed("status", *door).output
    assert typed("runs", "--state", made.state).output.split()[:2] == [made.run, "aborted"]


def test_a_run_is_followed_to_its_end_and_its_ending_is_the_code(made: Stand, door: list[str], tmp_path: Path) -> None:
    made.reset()
    assert made.status()["state"] == "IDLE"
    recipe = tmp_path / "long-doses.yaml"
    recipe.write_text(LONG_DOSES, "utf-8")
    command = [sys.executable, "-B", "-m", "ald_controller", "run", str(recipe), *door]
    follower = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        wait_for(made.open_now, 20.0, lambda: "no dose began")
        assert typed("abort", *door).exit_code == 0
        said, _ = follower.communicate(timeout=20)
    finally:
        follower.kill()
        follower.communicate()
    assert follower.returncode == 1, said
    assert "ending aborted" in said
    assert "run folder" in said and "report" in said
