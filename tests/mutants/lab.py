"""Where what must not be wrong is broken on purpose, one small change at a time, to see whether a sentence notices.

`mutmut` makes the changes and runs the sentences on each, in a copy below long-results/. What is known of each mutant
is kept after every few dozen of them, so that a run that was stopped, in whatever way, goes on from there; it begins
anew when the code or a sentence has changed, and tries the survivors alone where files of sentences were added.
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
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from tests.engine_coverage import ENGINE, ROOT, SENTENCES

MUTMUT = str(Path(sys.executable).parent / "mutmut")
DIRECT = "tests.mutants.direct"
NOT_YET = "not checked"
ON_THE_WAY = ("drivers", "recipes")  # a tool file and registers are read by them, and no sentence is about them
KILLED = ("killed", "timeout")  # one that never ends is noticed, too


@dataclass(frozen=True)
class Subject:
    """What is broken: its files, the sentences about it, and what these need beside the program.

    `first` is a small module: mutating it makes all mutants. `at_a_time` are tried before what is known is kept.
    """

    name: str
    sources: tuple[str, ...]
    sentences: tuple[str, ...]
    needs: tuple[str, ...]
    first: str
    at_a_time: int = 90
    reasons: str = ""  # the table of its survivors; "" = of its own name
    without: str = ""  # one of the sentences, which mutmut's own names for functions make fail

    @property
    def survivors(self) -> Path:
        return ROOT / "tests" / "mutants" / f"survivors-{self.reasons or self.name}.toml"

    @property
    def folder(self) -> Path:
        return ROOT / "long-results" / f"mutants-{self.name}"

    @property
    def kept(self) -> Path:
        return ROOT / "long-results" / f"mutants-{self.name}.json"

    @property
    def configuration(self) -> str:
        return f"""
[tool.mutmut]
source_paths = ["ald_controller"]
only_mutate = {list(self.sources)}
pytest_add_cli_args = ["-p", "{DIRECT}"{self.without and f', "--deselect", "{self.without}"'}]
process_isolation = "forkserver"
pytest_add_cli_args_test_selection = {list(self.sentences)}
also_copy = {[n for n in self.needs if "/" not in n and not n.startswith("tests")]}
track_dependencies = false
use_git_change_detection = false
timeout_multiplier = 5.0
timeout_constant = 2.0
"""


ENGINE_LAB = Subject(
    "engine", tuple(ENGINE), tuple(SENTENCES),
    ("tests/__init__.py", "tests/conftest.py", "tests/engine_rig.py", "tests/valve_rig.py"),
    "ald_controller.valves.wear",
)  # fmt: skip
_INTERLOCKS = "ald_controller/interlocks"
_BENCH = (
    "tests/__init__.py", "tests/conftest.py", "tests/interlock_bench.py", "tests/heater_bench.py", "tests/standing.py",
    "tests/scene.py", "tests/taken.py", "deploy", "recipes", "drivers",
)  # fmt: skip
# family -> its modules, the first one small; its sentences. words.py reads a file, and __init__.py only names
_FAMILIES = {
    "measures": ("measures", "interlocks_measures"),
    "core": ("waking table core", "interlocks_waking interlocks_scan interlocks_reset"),
    "bypasses": ("bypasses", "interlocks_bypasses"),
    "alarms": ("suppression views", "interlocks_suppression interlocks_views alarms"),
    "thermal": (
        "thermal_trip thermal thermal_measures thermal_power",
        "interlocks_thermal interlocks_thermal_measures interlocks_heaters interlocks_table interlocks_golden "
        "interlocks_edges",
    ),
    "chemistry": (
        "chemistry chemistry_doses chemistry_gas chemistry_gauge chemistry_measures",
        "interlocks_chemistry interlocks_table interlocks_golden interlocks_chemistry_measures interlocks_gas_edges",
    ),
    "glovebox": (
        "boxmode gate glovebox glovebox_measures handheld",
        "interlocks_glovebox gate interlocks_golden interlocks_glovebox_measures interlocks_edges "
        "interlocks_gate_edges",
    ),
    "control": (
        "control_measures control control_machine proof",
        "interlocks_control interlocks_control_machine interlocks_table interlocks_golden interlocks_control_measures "
        "interlocks_edges",
    ),
    "table": (
        "rules setting matrix bounds fingerprint",
        "limits_confirmed interlocks interlocks_table interlocks_thermal interlocks_heaters interlocks_golden "
        "interlocks_setting interlocks_edges",
    ),
}


_GOLDEN = ("tests/rules_text.py", "tests/golden/rules.txt")
_OF_THE_TABLE = ("tests/recipe_bench.py",)
_ELSEWHERE = {"table": ("ald_controller/commissioned.py",)}  # what the rows compute with, and light to import
_WITHOUT = {  # a hash over names of functions among others, and mutmut gives them new ones
    "table": "tests/pure/test_limits_confirmed.py::"
    "test_the_shipped_registers_of_the_simulated_reactor_confirm_the_shipped_limits"
}  # fmt: skip


def _beside(name: str, sentences: list[str]) -> tuple[str, ...]:
    """What a family's sentences need beside what all of them need."""
    return (_OF_THE_TABLE if name == "table" else ()) + (_GOLDEN if "interlocks_golden" in sentences else ())


def _family(name: str) -> Subject:
    """The lab of one family of rows, or of what all of them share, with the sentences about it alone."""
    modules, sentences = (words.split() for words in _FAMILIES[name])
    return Subject(
        f"interlocks-{name}",
        (*(f"{_INTERLOCKS}/{module}.py" for module in modules), *_ELSEWHERE.get(name, ())),
        tuple(f"tests/pure/test_{sentence}.py" for sentence in sentences), _BENCH + _beside(name, sentences),
        f"ald_controller.interlocks.{modules[0]}", at_a_time=120, reasons="interlocks",
        without=_WITHOUT.get(name, ""),
    )  # fmt: skip


CORE_LABS = tuple(_family(name) for name in ("measures", "core", "bypasses", "alarms"))  # what decides
ROW_LABS = tuple(_family(name) for name in _FAMILIES if name not in ("measures", "core", "bypasses", "alarms"))


@dataclass(frozen=True, order=True)
class Change:
    """What a mutant changes: the lines of a function as they were and as they became, without their indentation."""

    where: str
    was: str
    became: str


@dataclass
class Lab:
    """What is known of every mutant of this code under these sentences."""

    of: str
    sentences: list[str] = field(default_factory=list)  # that were tried on those whose fate is known
    needs: list[str] = field(default_factory=list)  # of these sentences
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


def explained(subject: Subject) -> dict[Change, str]:
    """Why each of these mutants survives, by what it changes."""
    table = tomllib.loads(subject.survivors.read_text("utf-8")).get("survivor", [])
    mine = [Path(source).name for source in subject.sources]
    return {
        Change(each["where"], each["was"], each["became"]): each["why"]
        for each in table if each["where"].partition(":")[0] in mine
    }  # fmt: skip


def go_on(subject: Subject, within_s: float) -> Lab:
    """Try mutants for about so long, from where the last call stopped; `left` says how many are still to be tried."""
    lab, began_s = _kept(subject), time.monotonic()
    before_s, longest_s = lab.seconds, 60.0
    while time.monotonic() - began_s + longest_s < within_s and (not lab.fate or lab.left):
        turn_s = time.monotonic()
        some = lab.left[: subject.at_a_time] or [f"{subject.first}.*"]  # a small file first: it makes them all
        _mutmut(subject, "run", "--max-children", "1", *some)
        lab.learn(_fates(subject))
        longest_s = max(longest_s, time.monotonic() - turn_s)
        lab.seconds = before_s + time.monotonic() - began_s
        _save(subject, lab)
    if not lab.left:
        new = [name for name, fate in lab.fate.items() if fate != "killed" and name not in lab.change]
        lab.change |= {name: _changed(subject, name) for name in new}
        _save(subject, lab)
    return lab


def _save(subject: Subject, lab: Lab) -> None:
    part = subject.kept.with_suffix(".part")
    part.write_text(json.dumps(asdict(lab), indent=1, ensure_ascii=False), "utf-8")
    part.replace(subject.kept)


def _kept(subject: Subject) -> Lab:
    """What is known, with the copy that it was found in; nothing, where the code or a sentence is another one."""
    new = Lab(fingerprint(subject), list(subject.sentences), list(subject.needs))
    lab = Lab(**json.loads(subject.kept.read_text("utf-8"))) if subject.kept.exists() else new
    other = lab.of != new.of
    if other:
        lab = replace(new, fate=still_killed(subject, lab), seconds=lab.seconds)
    if other or not lab.fate or not (subject.folder / "pyproject.toml").exists():
        _copy(subject)
        _save(subject, lab)
    else:
        try:
            _fates(subject)
        except subprocess.CalledProcessError:  # stopped while it wrote its own notes: they are made again
            shutil.rmtree(subject.folder / "mutants")
    return lab


def still_killed(subject: Subject, lab: Lab) -> dict[str, str]:
    """The fates that hold when nothing has changed but that sentences joined those of before: more kill no less."""
    before = replace(subject, sentences=tuple(lab.sentences), needs=tuple(lab.needs))
    if not set(lab.sentences) < set(subject.sentences) or lab.of != fingerprint(before):
        return {}
    return {name: fate if fate in KILLED else NOT_YET for name, fate in lab.fate.items()}


def fingerprint(subject: Subject) -> str:
    """Of the code that is broken, its sentences, and what either needs but for what is only read on the way."""
    told = [subject.configuration.encode()]
    needs = [name for name in subject.needs if name not in ON_THE_WAY]
    for name in (*subject.sources, *subject.sentences, *needs, "ald_controller/valves/wire.py"):
        path = ROOT / name
        files = sorted(path.rglob("*.*")) if path.is_dir() else [path]
        told += [file.read_bytes() for file in files if file.is_file() and file.suffix != ".pyc"]
    told.append((ROOT / "requirements.lock").read_bytes())
    return hashlib.sha256(b"\0".join(told)).hexdigest()[:16]


def _copy(subject: Subject) -> None:
    folder, no_bytecode = subject.folder, shutil.ignore_patterns("__pycache__")
    shutil.rmtree(folder, ignore_errors=True)
    for name in ("ald_controller", *subject.sentences, *subject.needs, DIRECT.replace(".", "/") + ".py"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, folder / name, ignore=no_bytecode)
        else:
            shutil.copyfile(ROOT / name, folder / name)
    project = (ROOT / "pyproject.toml").read_text("utf-8")
    (folder / "pyproject.toml").write_text(project + subject.configuration, "utf-8")


def _mutmut(subject: Subject, *arguments: str) -> str:
    done = subprocess.run([MUTMUT, *arguments], cwd=subject.folder, capture_output=True, text=True, check=False)
    if done.returncode:
        print(done.stdout[-3000:], done.stderr[-3000:])
        done.check_returncode()
    return done.stdout


def _fates(subject: Subject) -> dict[str, str]:
    """Every mutant by its name, which begins with its module."""
    lines = (line.strip().rpartition(": ") for line in _mutmut(subject, "results", "--all", "true").splitlines())
    return {name: fate for name, _, fate in lines if name}


def _changed(subject: Subject, name: str) -> list[str]:
    """Where the mutant is, what was there, and what it put in its place."""
    module, _, function = name.rpartition(".")
    where = function.rpartition("__mutmut_")[0].removeprefix("xǁ").removeprefix("x_").replace("ǁ", ".")
    diff = [line for line in _mutmut(subject, "show", name).splitlines() if not line.startswith(("---", "+++"))]
    was, became = (" ".join(line[1:].strip() for line in diff if line.startswith(sign)) for sign in "-+")
    return [f"{module.removeprefix('ald_controller.').rpartition('.')[2]}.py: {where}", was, became]
