"""Runs the kinds of checks one after another, each with its budget of seconds on two cores."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parent.parent
BIN = Path(sys.executable).parent

# kind -> (budget in seconds, commands)
LINT = [
    [str(BIN / "ruff"), "check", "."],
    [str(BIN / "ruff"), "format", "--check", "."],
    [str(BIN / "lint-imports"), "--no-cache"],
    [str(BIN / "mypy")],
]
BUDGETS = {"lint": 45, "pure": 90, "contract": 120, "run": 90, "process": 150, "timing": 15}


def commands(kind: str) -> list[list[str]]:
    if kind == "lint":
        return LINT
    return [[sys.executable, "-m", "pytest", f"tests/{kind}", "-m", "not long", "-rs", "--durations=5"]]


def main(arguments: list[str]) -> int:
    if "--long" in arguments:
        from tests.long import main as long_main

        return long_main([a for a in arguments if a != "--long"])
    unknown = [a for a in arguments if a not in BUDGETS]
    if unknown:
        print(f"there is no kind '{unknown[0]}'; there are: {', '.join(BUDGETS)}", file=sys.stderr)
        return 2
    rows = [(kind, *_run(kind)) for kind in arguments or BUDGETS]
    print("\nkind       seconds  budget  result")
    for kind, seconds, ok in rows:
        print(f"{kind:<10} {seconds:7.1f}  {BUDGETS[kind]:6d}  {_verdict(kind, seconds, ok)}")
    print(f"total      {sum(r[1] for r in rows):7.1f}   load {os.getloadavg()[0]:.1f}")
    return 0 if all(ok and seconds <= 2 * BUDGETS[kind] for kind, seconds, ok in rows) else 1


def _verdict(kind: str, seconds: float, ok: bool) -> str:
    if not ok:
        return "FAILED"
    return "ok" if seconds <= 2 * BUDGETS[kind] else "TOO SLOW: beyond twice its budget"


def _run(kind: str) -> tuple[float, bool]:
    print(f"--- {kind}", flush=True)
    start = time.monotonic()
    codes = [subprocess.run(command, cwd=ROOT, check=False).returncode for command in commands(kind)]
    return time.monotonic() - start, not any(codes)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
