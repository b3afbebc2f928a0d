"""Mistakes that somebody could make, kept as patches: the suite has to notice each of them.

A patch names the sentences that have to notice it. Code and tests are copied, the patch is applied, and those sentences
are run: they fail, or this does. A patch that no longer applies is out of date and fails, too.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PATCHES = sorted((ROOT / "tests" / "seeded").glob("*.patch"))
NEEDED = ("ald_controller", "drivers", "recipes", "deploy", "tests", "simulators")
FAILED = 1  # what pytest says when a test failed; a broken import or an empty selection says something else


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("seeded")
    for name in NEEDED:
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__", "seeded"))
    shutil.copyfile(ROOT / "pyproject.toml", folder / "pyproject.toml")
    return folder


def test_there_are_at_least_thirteen() -> None:
    assert len(PATCHES) >= 13


def test_without_a_mistake_these_sentences_hold(copy: Path) -> None:
    done = _run(copy, *sorted({_sentences(patch) for patch in PATCHES}))
    assert done.returncode == 0, done.stdout[-3000:]


@pytest.mark.parametrize("patch", PATCHES, ids=[path.stem for path in PATCHES])
def test_the_suite_notices_this_mistake(patch: Path, copy: Path) -> None:
    sentences = _sentences(patch)
    _patch(copy, patch)
    try:
        done = _run(copy, sentences)
    finally:
        _patch(copy, patch, "--reverse")
    assert done.returncode == FAILED, f"{patch.name} went unnoticed by {sentences}:\n{done.stdout[-2000:]}"
    assert " error" not in done.stdout.splitlines()[-1], done.stdout[-2000:]


def _sentences(patch: Path) -> str:
    (sentences,) = re.findall(r"^Caught by: (\S+)$", patch.read_text("utf-8"), re.MULTILINE)
    return str(sentences)


def _patch(copy: Path, patch: Path, *options: str) -> None:
    command = ["git", "apply", "--unidiff-zero", "--whitespace=nowarn", *options, str(patch)]
    environment = os.environ | {"GIT_CEILING_DIRECTORIES": str(copy.parent)}
    done = subprocess.run(command, cwd=copy, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{patch.name} does not fit the code any more: {done.stderr}"


def _run(copy: Path, *sentences: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-B", "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", "-p", "no:hypothesispytest"]
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"} | {"PYTHONPATH": str(copy)}
    return subprocess.run(
        [*command, *sentences], cwd=copy, env=environment, capture_output=True, text=True, check=False
    )  # fmt: skip
