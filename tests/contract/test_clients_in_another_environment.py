"""Clients of makers and laboratories drive the simulated controller and pump, from the environment of the bench."""

from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path
from typing import Any

import pytest

from simulators.serve import serve_world
from simulators.world import build

ROOT = Path(__file__).parents[2]
PYTHON = ROOT / ".venv-bench" / "bin" / "python"
CLIENTS = Path(__file__).parent / "clients_in_another_environment.py"
TOOL = ROOT / "deploy" / "tools" / "every-device.yaml"

pytestmark = pytest.mark.skipif(
    not PYTHON.exists() and "CI" not in os.environ, reason="deploy/bench-environment makes .venv-bench, with clients"
)


async def test_the_makers_library_sets_a_flow_and_a_laboratorys_one_starts_a_pump() -> None:
    world = build(TOOL, at_s=asyncio.get_running_loop().time(), lag_s=0.05)
    async with serve_world(world) as devices:
        ports = [devices[name]["address"].removeprefix("serial:") for name in ("carrier", "backing")]
        process = await asyncio.create_subprocess_exec(PYTHON, CLIENTS, *ports, stdout=asyncio.subprocess.PIPE)
        said, _ = await asyncio.wait_for(process.communicate(), 30.0)
    assert process.returncode == 0
    told: dict[str, dict[str, Any]] = json.loads(said)
    flow, pump = told["flow"], told["pump"]
    assert (flow["gas"], flow["capacity"], flow["unit"]) == ("Ar", 100.0, "mln/min")
    assert (flow["before"], flow["setpoint"]) == (0, 16000)
    assert flow["measure"] == pytest.approx(16000, rel=0.2)
    assert pump["before"][1] == "0400" and pump["running"][1] == "0442"  # serial enable; started by serial, and runs
    assert int(pump["running"][0]) > 0 == int(pump["before"][0])
    assert all(15 <= int(celsius) <= 60 for celsius in pump["temperatures"])
