"""Where the valve engine is broken on purpose, one small change at a time, to see whether a sentence notices.

`mutmut` makes the changes and runs the sentences on each, in a copy below long-results/. What is known of each mutant
is kept after every few dozen of them, so that a run that was stopped, in whatever way, goes on from there; it begins
anew when the engine or a sentence has changed.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
import time
import tomllib
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path

from tests.engine_coverage import ENGINE, ROOT, SENTENCES

FOLDER = ROOT / "long-results" / "mutants"
KEPT = ROOT / "long-results" / "mutants.json"
EXPLAINED = ROOT / "tests" / "mutants" / "survivors.toml"
MUTMUT = str(Path(sys.executable).parent / "mutmut")
AT_A_TIME = 90
NOT_YET = "not checked"
KILLED = ("killed", "timeout")  # one that never ends is noticed, too
RIG = ["__init__.py", "conftest.py", "engine_rig.py", "valve_rig.py"]
CONFIGURATION = f"""
[tool.mutmut]
source_paths = ["ald_controller"]
only_mutate = {ENGINE}
pytest_add_cli_args_test_selection = {SENTENCES}
track_dependencies = false
use_git_change_detection = false
timeout_multiplier = 5.0
timeout_constant = 2.0
"""


@dataclass(frozen=True, order=True)
class Change:
    """What a mutant changes: the lines of a function as they were and as they became, without their indentation."""

    where: str
    was: str
    became: str


@dataclass
class Lab:
    """What is known of every mutant of this engine under these sentences."""

    of: str
    fate: dict[str, str] = field(default_factory=dict)  # name of the mutant -> mutmut's word for it
    change: dict[str, list[str]] = field(default_factory=dict)  # of those that no sentence spoke against
    seconds: float = 0.0

    @property
    def left(self) -> list[str]:
        return [name for name, fate in self.fate.items() if fate == NOT_YET]

    @property
    def survivors(self) -> list[Change]:
        return self.those(lambda fate: fate not in KILLED)

    def those(self, are: Callable[[str], bool]) -> list[Change]:
        """What the mutants of such a fate change; known when none is left, and not of those that were killed."""
        return sorted(Change(*self.change[name]) for name, fate in self.fate.items() if are(fate))

    def counted(self, fate: str) -> int:
        return sum(each == fate for each in self.fate.values())

    @property
    def score(self) -> float:
        """The share of all mutants that a sentence killed, those included that no test can see."""
        return sum(self.counted(fate) for fate in KILLED) / len(self.fate)

    def learn(self, fates: dict[str, str]) -> None:
        """Take what mutmut knows of mutants whose fate is not known yet."""
        for name, fate in fates.items():
            if self.fate.get(name, NOT_YET) == NOT_YET:
                self.fate[name] = fate

    def save(self) -> None:
        part = KEPT.with_suffix(".part")
        part.write_text(json.dumps(asdict(self), indent=1, ensure_ascii=False), "utf-8")
        part.replace(KEPT)


def explained() -> dict[Change, str]:
    """Why each of these mutants survives, by what it changes."""
    table = tomllib.loads(EXPLAINED.read_text("utf-8"))["survivor"]
    return {Change(each["where"], each["was"], each["became"]): each["why"] for each in table}


def go_on(within_s: float) -> Lab:
    """Try mutants for about so long, from where the last call stopped; `left` says how many are still to be tried."""
    lab, began_s = _kept(), time.monotonic()
    before_s, longest_s = lab.seconds, 60.0
    while time.monotonic() - began_s + longest_s < within_s and (not lab.fate or lab.left):
        turn_s = time.monotonic()
        some = lab.left[:AT_A_TIME] or ["ald_controller.valves.wear.*"]  # the smallest file first: it makes them all
        _mutmut("run", "--max-children", "1", *some)
        lab.learn(_fates())
        longest_s = max(longest_s, time.monotonic() - turn_s)
        lab.seconds = before_s + time.monotonic() - began_s
        lab.save()
    if not lab.left:
        lab.change |= {n: _changed(n) for n, fate in lab.fate.items() if fate != "killed" and n not in lab.change}
        lab.save()
    return lab


def _kept() -> Lab:
    """What is known, with the copy that it was found in; nothing, where the engine or a sentence is another one."""
    tests = [*(f"tests/{name}" for name in RIG), *SENTENCES]
    wire = "ald_controller/valves/wire.py"
    told = [(ROOT / name).read_bytes() for name in (*ENGINE, wire, *tests, "requirements.lock")]
    of = hashlib.sha256(b"\0".join([*told, CONFIGURATION.encode()])).hexdigest()[:16]
    lab = Lab(**json.loads(KEPT.read_text("utf-8"))) if KEPT.exists() else Lab(of)
    if lab.of != of:
        lab = Lab(of)
    if not lab.fate or not (FOLDER / "pyproject.toml").exists():
        _copy(tests)
        lab.save()
    else:
        try:
            _fates()
        except subprocess.CalledProcessError:  # stopped while it wrote its own notes: they are made again
            shutil.rmtree(FOLDER / "mutants")
    return lab


def _copy(tests: list[str]) -> None:
    shutil.rmtree(FOLDER, ignore_errors=True)
    shutil.copytree(ROOT / "ald_controller", FOLDER / "ald_controller", ignore=shutil.ignore_patterns("__pycache__"))
    for name in tests:
        (FOLDER / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / name, FOLDER / name)
    project = (ROOT / "pyproject.toml").read_text("utf-8")
    (FOLDER / "pyproject.toml").write_text(project + CONFIGURATION, "utf-8")


def _mutmut(*arguments: str) -> str:
    done = subprocess.run([MUTMUT, *arguments], cwd=FOLDER, capture_output=True, text=True, check=False)
    if done.returncode:
        print(done.stdout[-3000:], done.stderr[-3000:])
        done.check_returncode()
    return done.stdout


def _fates() -> dict[str, str]:
    """Every mutant by its name, which begins with its module."""
    lines = (line.strip().rpartition(": ") for line in _mutmut("results", "--all", "true").splitlines())
    return {name: fate for name, _, fate in lines if name}


def _changed(name: str) -> list[str]:
    """Where the mutant is, what was there, and what it put in its place."""
    _, _, module_and_function = name.rpartition("valves.")
    module, _, function = module_and_function.partition(".")
    where = function.rpartition("__mutmut_")[0].removeprefix("xǁ").removeprefix("x_").replace("ǁ", ".")
    diff = [line for line in _mutmut("show", name).splitlines() if not line.startswith(("---", "+++"))]
    was, became = (" ".join(line[1:].strip() for line in diff if line.startswith(sign)) for sign in "-+")
    return [f"{module}.py: {where}", was, became]
