"""The state machines' long walk: 20,000 walks of 100 steps each, a few hundred at a time, from where it stopped."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from itertools import repeat
from pathlib import Path

import pytest

from tests.long import GOES_ON
from tests.machines import LONG_EXAMPLES, LONG_STEPS

pytestmark = [pytest.mark.long, pytest.mark.timeout(560)]
ROOT = Path(__file__).parents[2]
KEPT = ROOT / "long-results" / "machines.json"
WITHIN_S = 420.0
AT_A_TIME = 250  # each core
MACHINES = sorted(path.name for path in (ROOT / "tests" / "safety").glob("test_*_machine.py"))


LOADED = """
import sys, tests.safety.{}
print(*(module.__file__ for module in list(sys.modules.values()) if getattr(module, "__file__", None)), sep="\\n")
"""


def _fingerprint(machine: str) -> str:
    """Of every file of ours that a machine loads: what it walks through, and the machine."""
    asked = [sys.executable, "-c", LOADED.format(machine.removesuffix(".py"))]
    told = subprocess.run(asked, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
    ours = sorted(path for path in map(Path, told) if path.is_relative_to(ROOT) and ".venv" not in path.parts)
    return hashlib.sha256(b"\0".join(path.read_bytes() for path in ours)).hexdigest()[:16]


def _walk(machine: str, seed: int) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pytest", f"tests/safety/{machine}", "-q", f"--hypothesis-seed={seed}", "-x"]
    return subprocess.run(
        [*command, "--timeout", "500"], cwd=ROOT, env=os.environ | {"ALD_WALKS": str(AT_A_TIME)},
        capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_twenty_thousand_walks_of_each_machine_find_nothing() -> None:
    kept = json.loads(KEPT.read_text("utf-8")) if KEPT.exists() else {}
    began_s = time.monotonic()
    for machine in MACHINES:
        of = _fingerprint(machine)
        done = kept.get(machine, {})
        if done.get("of") != of:
            done = {"of": of, "walks": 0, "seconds": 0.0}
        while done["walks"] < LONG_EXAMPLES:
            if time.monotonic() - began_s > WITHIN_S:
                left = {m: LONG_EXAMPLES - kept.get(m, {"walks": 0})["walks"] for m in MACHINES}
                pytest.exit(f"walks left for another call: {left}", returncode=GOES_ON)
            turn_s = time.monotonic()
            seeds = range(done["walks"], LONG_EXAMPLES, AT_A_TIME)[: os.cpu_count() or 1]
            with ThreadPoolExecutor() as threads:
                results = list(threads.map(_walk, repeat(machine), seeds))
            for seed, result in zip(seeds, results, strict=True):
                assert result.returncode == 0, f"seed {seed}:\n{result.stdout[-6000:]}"
            done["walks"] += AT_A_TIME * len(seeds)
            done["seconds"] += time.monotonic() - turn_s
            kept[machine] = done
            KEPT.parent.mkdir(exist_ok=True)
            KEPT.write_text(json.dumps(kept, indent=1), "utf-8")
    lines = [f"{m}: {kept[m]['walks']} walks of {LONG_STEPS} steps in {kept[m]['seconds']:.0f} s, no violation"
             for m in MACHINES]  # fmt: skip
    print("\n".join(lines))
    if page := os.environ.get("ALD_FIGURES"):
        Path(page).write_text("\n".join(lines) + "\n", "utf-8")
