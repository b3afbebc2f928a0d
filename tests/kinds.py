"""Runs the kinds of checks one after another, each with its budget of seconds on two cores."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent
BIN = Path(sys.executable).parent

# kind -> budget in seconds; beyond twice of it the kind has failed
BUDGETS = {
    "lint": 30, "pure": 80, "safety": 120, "contract": 30, "run": 70, "rows": 70, "process": 150, "kills": 90,
    "timing": 15,
}  # fmt: skip
# a kind is the folder of its name, but for these, which are parts of another one's: what of it, and what not
PARTS_OF = {
    "rows": (
        "tests/run",
        ("test_rows_*.py", "test_heater_*.py", "test_proof_*.py", "test_safe_*.py", "test_pulse_*.py"),
    ),
    "kills": ("tests/process", ("test_kills.py", "test_outside_*.py")),
}
# kinds whose files two workers share: those that only compute, mostly in virtual time, and the real processes, most of
# which wait. Not the kills and the timing, which hold a whole computer to its times
SHARED = ("pure", "safety", "contract", "run", "rows", "process")
# a file stays with one worker, as what its tests share is made once; the few files of safety share little and are long
DISTRIBUTION = dict.fromkeys(SHARED, "loadfile") | {"safety": "worksteal"}
LINT = [
    [str(BIN / "ruff"), "check", "."],
    [str(BIN / "ruff"), "format", "--check", "."],
    [str(BIN / "lint-imports"), "--no-cache"],
    [str(BIN / "mypy")],
]


@dataclass(frozen=True, slots=True)
class Outcome:
    """One kind as it went; `said` are the last lines of its programs."""

    kind: str
    ok: bool
    seconds: float
    cpu_s: float
    said: str

    @property
    def good(self) -> bool:
        return self.ok and self.seconds <= 2 * BUDGETS[self.kind]

    @property
    def verdict(self) -> str:
        if not self.ok:
            return "FAILED"
        return "ok" if self.good else "TOO SLOW: beyond twice its budget"


def commands(kind: str) -> list[list[str]]:
    if kind == "lint":
        return LINT
    how = ["-m", "not long", "-rs", "--durations=5", f"--color={'yes' if sys.stdout.isatty() else 'no'}"]
    workers = ["-n", "2", "--dist", DISTRIBUTION[kind]] if kind in SHARED else []
    suite = [[sys.executable, "-m", "pytest", *_where(kind), *how, *workers]]
    return [*suite, [sys.executable, "-m", "tests.engine_coverage"]] if kind == "pure" else suite


def _where(kind: str) -> list[str]:
    """What pytest is given: files of a part, or a folder without its parts."""
    if kind in PARTS_OF:
        folder, patterns = PARTS_OF[kind]
        return sorted(str(path.relative_to(ROOT)) for pattern in patterns for path in (ROOT / folder).glob(pattern))
    own = f"tests/{kind}"
    return [own, *(f"--ignore-glob={folder}/{p}" for folder, of in PARTS_OF.values() if folder == own for p in of)]


def main(arguments: list[str]) -> int:
    """0 when every kind passed in its time, 1 when one did not, 2 used wrongly."""
    if "--long" in arguments:
        from tests.long import main as long_main

        return long_main([a for a in arguments if a != "--long"])
    unknown = [a for a in arguments if a not in BUDGETS]
    if unknown:
        print(f"there is no kind '{unknown[0]}'; there are: {', '.join(BUDGETS)}, and --long", file=sys.stderr)
        return 2
    outcomes = [_run(kind) for kind in arguments or BUDGETS]
    print("\nkind       seconds  budget   cpu s  result")
    for o in outcomes:
        print(f"{o.kind:<10} {o.seconds:7.1f}  {BUDGETS[o.kind]:6d} {o.cpu_s:7.1f}  {o.verdict}   {o.said}")
    print(f"total      {sum(o.seconds for o in outcomes):7.1f}   load {os.getloadavg()[0]:.1f}, {os.cpu_count()} cores")
    return 0 if all(o.good for o in outcomes) else 1


def _run(kind: str) -> Outcome:
    print(f"--- {kind}", flush=True)
    start_s, before_s = time.monotonic(), _cpu_s()
    environment = os.environ | ({"ALD_EVERY_ROW": "1"} if kind == "rows" else {})  # it shows the whole hazard matrix
    ran = [_shown(command, environment) for command in commands(kind)]
    said = "; ".join(f"{Path(command[0]).name} failed" for command, (code, _) in zip(LINT, ran, strict=False) if code)
    if kind != "lint":
        said = "; ".join(line for _, line in ran)
    return Outcome(kind, not any(c for c, _ in ran), time.monotonic() - start_s, _cpu_s() - before_s, said)


def _shown(command: list[str], environment: dict[str, str]) -> tuple[int, str]:
    """Run a command with its output passed on line by line; its code and the last line that it said."""
    last = ""
    with subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True, errors="replace"
    ) as process:
        for line in process.stdout or ():
            sys.stdout.write(line)
            sys.stdout.flush()
            last = line.strip() or last
    return process.returncode, last


def _cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
