"""`./demo` on a computer that lacks something: one line that says what to install, and nothing half-made."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TOOLS = ("sh", "dirname", "cksum", "cat", "rm", "echo", "printf")


@pytest.fixture
def bare(tmp_path: Path) -> Path:
    """A checkout without an environment, on a computer with a shell and little else."""
    (tmp_path / "checkout/deploy").mkdir(parents=True)
    for name in ("demo", "test", "requirements.lock", "pyproject.toml", "deploy/environment"):
        shutil.copy(ROOT / name, tmp_path / "checkout" / name)
    (tmp_path / "bin").mkdir()
    for tool in TOOLS:
        (tmp_path / "bin" / tool).symlink_to(shutil.which(tool) or f"/bin/{tool}")
    return tmp_path


def python_that(bare: Path, script: str) -> None:
    fake = bare / "bin" / "python3"
    fake.write_text(f"#!/bin/sh\n{script}\n")
    fake.chmod(0o755)


def started(bare: Path, command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(bare / "checkout" / command)], cwd="/", capture_output=True, text=True, timeout=20,
        env={"PATH": str(bare / "bin"), "HOME": str(bare)},
    )  # fmt: skip


@pytest.mark.parametrize("command", ["demo", "test"])
@pytest.mark.parametrize(
    ("python", "line"),
    [
        ("", "Python 3.11 or newer is needed and 'python3' is not here: apt install python3 python3-venv"),
        (
            'case "$*" in *version_info*) exit 1;; -V) echo Python 3.9.2;; esac',
            "Python 3.11 or newer is needed; 'python3' is Python 3.9.2. Set PYTHON=/path/to/python3.11",
        ),
        (
            'case "$*" in *ensurepip*) exit 1;; esac',
            "The module that makes environments is missing: apt install python3-venv",
        ),
    ],
    ids=["no Python", "an old Python", "no ensurepip"],
)
def test_what_is_missing_is_said_in_one_line(bare: Path, command: str, python: str, line: str) -> None:
    if python:
        python_that(bare, python)
    done = started(bare, command)
    assert done.returncode == 2
    assert done.stderr.strip() == line
    assert done.stdout == ""
    assert not (bare / "checkout" / ".venv").exists()


def test_the_scripts_are_plain_shell() -> None:
    for name in ("demo", "test", "deploy/environment", ".ci/run"):
        assert os.access(ROOT / name, os.X_OK), name
        assert (ROOT / name).read_text("utf-8").startswith("#!/bin/sh\n")
        subprocess.run(["/bin/sh", "-n", str(ROOT / name)], check=True)
