"""What tests collect on two workers is whole where their session ends."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
CONFTEST = """
from tests.workers import Carried, is_worker

SEEN = []

def pytest_configure(config):
    config.pluginmanager.register(Carried("seen", lambda: SEEN, lambda *row: SEEN.append(row)))

def pytest_sessionfinish(session):
    if not is_worker(session.config):
        print("\\nseen", sorted(SEEN))
"""
TEST = """
import os
from conftest import SEEN

def test_it():
    SEEN.append((__name__, None, 0.5, os.environ.get("PYTEST_XDIST_WORKER", "alone")))
"""


def _seen(folder: Path, *options: str) -> str:
    (folder / "conftest.py").write_text(CONFTEST, "utf-8")
    for name in ("test_one.py", "test_two.py"):
        (folder / name).write_text(TEST, "utf-8")
    mine = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    done = subprocess.run(
        [sys.executable, "-B", "-m", "pytest", "-q", "-s", "-p", "no:cacheprovider", "--rootdir", folder, *options],
        cwd=folder, env=mine | {"PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return next(line for line in done.stdout.splitlines() if line.startswith("seen"))


def test_what_two_workers_collected_is_whole_in_their_session(tmp_path: Path) -> None:
    told = _seen(tmp_path, "-n", "2", "--dist", "loadfile")
    by_either = [
        str([("test_one", None, 0.5, a), ("test_two", None, 0.5, b)]) for a, b in (("gw0", "gw1"), ("gw1", "gw0"))
    ]
    assert told in [f"seen {each}" for each in by_either]


def test_without_workers_each_row_is_there_once(tmp_path: Path) -> None:
    assert _seen(tmp_path) == "seen [('test_one', None, 0.5, 'alone'), ('test_two', None, 0.5, 'alone')]"
