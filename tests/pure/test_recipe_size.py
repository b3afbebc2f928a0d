"""Long recipes: ten thousand steps as written are planned soon, and ten thousand cycles take no more room than one."""

from __future__ import annotations

import gc
import subprocess
import sys
import time
import tracemalloc
from pathlib import Path

from ald_controller.plan import PLAN
from tests.recipe_bench import ROOT, plan, recipe

DOSES = "pulse: {precursor: %s, time: 15 ms}\npurge: 20 s\n"
TEN_THOUSAND = recipe(((DOSES % "TMA") + (DOSES % "water")) * 2500)
CYCLE = "{pulse: {precursor: TMA, time: 15 ms}}, {purge: 10 s}, {pulse: {precursor: water, time: 15 ms}}, {purge: 20 s}"


def cycles(times: int) -> str:
    return recipe(f"repeat: {{times: {times}, name: Al2O3, steps: [{CYCLE}]}}")


def checked(path: Path) -> tuple[str, float, int]:
    """What `ald check` says of a file, its CPU in s and its memory in KiB."""
    code = (
        "import re, resource, sys; from ald_controller.__main__ import main\n"
        "try: main()\n"
        "finally:\n"
        "    used = resource.getrusage(resource.RUSAGE_SELF)\n"
        # ru_maxrss would be that of whoever forked it, when that is more
        "    peak_kb = re.search(r'VmHWM:\\s+(\\d+)', open('/proc/self/status').read())[1]\n"
        "    print(used.ru_utime + used.ru_stime, peak_kb, file=sys.stderr)"
    )
    command = [sys.executable, "-c", code, "check", str(path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    cpu_s, rss_kb = done.stderr.split()[-2:]
    return done.stdout, float(cpu_s), int(rss_kb)


def test_ten_thousand_steps_are_read_and_planned_in_two_seconds_of_cpu() -> None:
    plan(cycles(1))
    began_s = time.process_time()
    made = plan(TEN_THOUSAND)
    assert made.doses == 5000 and time.process_time() - began_s < 2.0


def test_ten_thousand_steps_are_checked_from_the_shell_in_two_seconds_of_cpu_and_little_memory(tmp_path: Path) -> None:
    path = tmp_path / "long.yaml"
    path.write_text(TEN_THOUSAND, "utf-8")
    tries = [checked(path) for _ in range(3)]
    assert all("5000 doses" in said for said, _, _ in tries)
    assert min(cpu_s for _, cpu_s, _ in tries) < 2.0
    assert max(rss_kb for _, _, rss_kb in tries) < 160_000


def test_a_plan_of_ten_thousand_cycles_is_as_small_as_that_of_one() -> None:
    def grown(times: int) -> tuple[int, int]:
        gc.collect()
        tracemalloc.start()
        made = plan(cycles(times))
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return peak, len(PLAN.dump_json(made))

    plan(cycles(1))
    one, many = grown(1), grown(10_000)
    assert many[0] < one[0] + 65_536 and many[1] < one[1] + 200
