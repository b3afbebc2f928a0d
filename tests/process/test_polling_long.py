"""Ten minutes of polling the reference tool on real wires, in two halves: a twentieth of one core, and no memory."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.long import GOES_ON
from tests.process.test_kills_long import software

pytestmark = [pytest.mark.long, pytest.mark.timeout(535)]
ROOT = Path(__file__).parents[2]
TOOL = ROOT / "deploy" / "tool.yaml"
KEPT = ROOT / "long-results" / "polling.json"
HALF_S, HALVES = 300.0, 2
MOST_OF_A_CORE, MOST_GROWTH_KIB = 0.05, 512
LATE = 0.001  # of all answers: a computer that does something else for a quarter of a second makes answers late
RATES = {"pirani": 20.0, "carrier": 10.0, "pusher": 10.0, "coupler-b": 10.0}  # the others, loops: twice a second


@pytest.fixture
def addresses(tmp_path: Path) -> Iterator[Path]:
    """Where the simulated devices of the reference tool are, in a process of their own."""
    command = [sys.executable, "-m", "ald_controller", "simulate", str(TOOL), "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as devices:
        assert devices.stdout is not None
        path = tmp_path / "addresses.json"
        path.write_text(devices.stdout.readline(), "utf-8")
        yield path
        devices.terminate()


def half(addresses: Path) -> dict[str, Any]:
    command = [sys.executable, "-m", "tests.polling", str(TOOL), str(addresses), str(HALF_S)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)
    told: dict[str, Any] = json.loads(done.stdout)
    return told


def kept(of: str) -> list[dict[str, Any]]:
    """The halves of earlier calls, of the same software."""
    told = json.loads(KEPT.read_text("utf-8")) if KEPT.exists() else {"of": ""}
    return list(told["halves"]) if told["of"] == of and len(told["halves"]) < HALVES else []


def lines(halves: list[dict[str, Any]]) -> list[str]:
    cpu_s, seconds = sum(one["cpu_s"] for one in halves), sum(one["seconds"] for one in halves)
    asked = sum(one["asked"] for one in halves)
    slowest = {name: min(one["per_s"][name] for one in halves) for name in halves[0]["per_s"]}
    return [
        f"{seconds:.0f} s of polling: {100 * cpu_s / seconds:.2f} % of one core, {asked / seconds:.0f} transactions/s, "
        f"{1e6 * cpu_s / asked:.0f} µs each; processor time of the client alone, devices in another process",
        "polls a second at least: " + ", ".join(f"{name} {rate:.2f}" for name, rate in slowest.items()),
        f"{sum(one['misplaced'] for one in halves)} of {asked} answers came too late and were thrown away",
        "memory: " + ", ".join(f"{one['began_kib']} + {one['grown_kib']} KiB" for one in halves),
    ]


def test_ten_minutes_of_polling_cost_a_twentieth_of_a_core_and_grow_nothing(addresses: Path) -> None:
    of = software()
    halves = [*kept(of), half(addresses)]
    KEPT.parent.mkdir(exist_ok=True)
    KEPT.write_text(json.dumps({"of": of, "halves": halves}), "utf-8")
    print("\n".join(lines(halves)))
    for one in halves:
        assert not one["absent"]
        assert one["misplaced"] <= LATE * one["asked"]
        for name, rate in one["per_s"].items():
            assert rate >= 0.98 * RATES.get(name, 2.0), f"{name} was polled {rate:.2f} times a second"
        assert one["cpu_s"] <= MOST_OF_A_CORE * one["seconds"]
        assert one["grown_kib"] <= MOST_GROWTH_KIB
    if len(halves) < HALVES:
        pytest.exit("half of the ten minutes is left for another call", returncode=GOES_ON)
    if page := os.environ.get("ALD_FIGURES"):
        Path(page).write_text("\n".join(lines(halves)) + "\n", "utf-8")
