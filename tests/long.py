"""What needs wall time, in parts of less than nine minutes: `./test --long` does what is left at this commit.

The state lies in long-results/, so that a run that was stopped goes on with the next part; results with date and
commit are appended to docs/measurements.md.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path

ROOT = Path(__file__).parent.parent
STATE = ROOT / "long-results" / "state.json"
MEASUREMENTS = ROOT / "docs" / "measurements.md"
AT_A_TIME_S = 540.0
MORE_LEFT = 4  # exit code: all well so far, call again
GOES_ON = 75  # exit code of a part that did some of its work well, and goes on at the next call

# part -> (about how many seconds, what pytest is given)
PARTS: dict[str, tuple[float, list[str]]] = {
    "trial": (310.0, ["tests/process/test_demo_long.py"]),
    "soak": (430.0, ["tests/process/test_daemon_long.py"]),
    "speed": (420.0, ["tests/run/test_speed.py"]),
    "wires": (150.0, ["tests/contract/test_catalogue_on_wires.py"]),
    "links": (260.0, ["tests/process/test_valve_links_long.py"]),
    "mutants": (500.0, ["tests/mutants", "-k", "engine"]),
    "interlock-mutants": (500.0, ["tests/mutants", "-k", "interlocks"]),
    "row-mutants": (500.0, ["tests/mutants", "-k", "of_the_rows"]),
    "kills": (480.0, ["tests/process/test_kills_long.py"]),
    "polling": (330.0, ["tests/process/test_polling_long.py"]),
    "recipes": (330.0, ["tests/pure/test_recipe_fuzz.py"]),
    "explore": (420.0, ["tests/pure/test_exploration.py"]),
    "pairs": (450.0, ["tests/safety/test_rule_pairs.py"]),
    "machines": (480.0, ["tests/safety/test_machines_long.py"]),
    "healthy": (500.0, ["tests/run/test_soak_long.py", "-k", "healthy"]),
    "faults": (500.0, ["tests/run/test_soak_long.py", "-k", "faults"]),
    "films": (520.0, ["tests/run/test_films_long.py"]),
    "masses-trial": (240.0, ["tests/run/test_masses_long.py", "-k", "trial-ligl"]),
    "masses-ligl": (450.0, ["tests/run/test_masses_long.py", "-k", "ligl-on-lithium"]),
}


@dataclass
class Result:
    """One part as it went."""

    ok: bool
    seconds: float
    at: str
    load: float
    figures: list[str] = field(default_factory=list)
    goes_on: bool = False  # at the next call

    @property
    def said(self) -> str:
        return "ok" if self.ok else "goes on" if self.goes_on else "FAILED"


NOTHING = Result(False, 0.0, "", 0.0)


@dataclass
class State:
    """Which parts are done, at which commit."""

    commit: str
    results: dict[str, Result] = field(default_factory=dict)

    @classmethod
    def of(cls, commit: str) -> State:
        """What is on the disk for this commit; nothing is done where the disk speaks of another one."""
        try:
            kept = json.loads(STATE.read_text("utf-8"))
        except FileNotFoundError:
            return cls(commit)
        if kept["commit"] != commit:
            return cls(commit)
        return cls(commit, {name: Result(**result) for name, result in kept["results"].items()})

    def save(self) -> None:
        STATE.parent.mkdir(exist_ok=True)
        part = STATE.with_suffix(".part")
        part.write_text(json.dumps(asdict(self), indent=1), "utf-8")
        part.replace(STATE)

    def left(self) -> list[str]:
        """Parts that have not passed."""
        return [name for name in PARTS if not (name in self.results and self.results[name].ok)]


def main(arguments: list[str]) -> int:
    """0 when every part has passed, 1 when one failed, 2 used wrongly, 4 when parts are left for another call."""
    unknown = [name for name in arguments if name not in PARTS]
    if unknown:
        print(f"there is no part '{unknown[0]}'; there are: {', '.join(PARTS)}", file=sys.stderr)
        return 2
    state = State.of(_commit())
    if not arguments and not state.left():
        state = State(state.commit)  # all of it once more
    began_s = time.monotonic()
    for number, name in enumerate(arguments or state.left()):
        if number and not arguments and time.monotonic() - began_s + PARTS[name][0] > AT_A_TIME_S:
            break
        state.results[name] = _run(name)
        state.save()
        if state.results[name].goes_on:
            break
        _append(state.commit, name, state.results[name])
        if not state.results[name].ok:
            break
    return _verdict(state, arguments)


def _run(name: str) -> Result:
    seconds, arguments = PARTS[name]
    print(f"--- {name}: about {seconds / 60:.0f} min", flush=True)
    at, start_s = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"), time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        figures = Path(folder) / "figures"
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "-m", "long", "-rs", *arguments], cwd=ROOT, check=False,
            env=os.environ | {"ALD_FIGURES": str(figures)},
        )  # fmt: skip
        told = figures.read_text("utf-8").splitlines() if figures.exists() else []
    code = done.returncode
    return Result(code == 0, time.monotonic() - start_s, at, os.getloadavg()[0], told, code == GOES_ON)


def _append(commit: str, name: str, result: Result) -> None:
    """One part's result at the end of the page of measurements."""
    verdict = "passed" if result.ok else "FAILED"
    head = f"### {result.at}, {name}: {verdict} in {result.seconds:.0f} s"
    where = f"Commit {commit}, {os.cpu_count()} cores, load {result.load:.1f} at the end, `./test --long {name}`."
    with MEASUREMENTS.open("a", encoding="utf-8") as page:
        page.write("\n".join(["", head, "", where, "", *(f"* {line}" for line in result.figures)]).rstrip() + "\n")


def _verdict(state: State, arguments: list[str]) -> int:
    print("\npart       seconds  result    when")
    for name in PARTS:
        result = state.results.get(name)
        line = f"{result.seconds:7.0f}  {result.said:<8}  {result.at}" if result else "      -  to do"
        print(f"{name:<10} {line}")
    asked = [state.results[name] for name in arguments or state.results if name in state.results]
    if not all(result.ok or result.goes_on for result in asked):
        return 1
    left = [name for name in arguments or state.left() if not state.results.get(name, NOTHING).ok]
    if left:
        print(f"left: {', '.join(left)}; call ./test --long {' '.join(arguments)} again")
    return MORE_LEFT if left else 0


def _commit() -> str:
    """The commit of the work tree; with '+' where tracked files differ from it (the page of measurements aside)."""

    def git(*arguments: str) -> str:
        done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
        return done.stdout.strip()

    changed = git("status", "--porcelain", "--untracked-files=no", "--", ".", ":!docs/measurements.md")
    return (git("rev-parse", "--short", "HEAD") or "unknown") + ("+" if changed else "")
