"""What a dead device costs: its line one time-out, a probe every 10 s, and the other devices nothing else."""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

import pytest

from ald_controller.interlocks import Sample
from simulators.faults import Fault
from tests.run.rig import LIGL_C, Rig, virtually

DEAD_S = 60.0
SCAN_S = 0.02  # loop and wire beside what is stated


@virtually
async def test_a_dead_device_is_probed_every_ten_seconds_and_costs_the_others_of_its_line_one_time_out(
    tmp_path: Path,
) -> None:
    async with Rig(tmp_path, warm=LIGL_C) as rig:
        await rig.proven()
        tool = rig.console.tool
        line = tool._lines[tool.file.devices["source-5"].line]
        asked: dict[str, list[float]] = defaultdict(list)
        read: dict[str, list[float]] = defaultdict(list)
        line.tap = lambda at_s, device, way, data: asked[device].append(at_s) if way == "sent" else None

        def note(taken: Mapping[str, Sample]) -> None:
            for signal, sample in taken.items():
                read[signal].append(sample.at_s)

        tool.on_readings = note
        rig.world.faults["source-5"].put(Fault(silent=True))
        await rig.rest(DEAD_S)
        dead = asked["source-5"]
        assert [one.device for one in tool.absent] == ["source-5"]
        assert len(dead) <= 3 + DEAD_S / 10 + 1
        assert [after - before for before, after in itertools.pairwise(dead[3:])] == pytest.approx(
            [10.0] * (len(dead) - 4), abs=1.0
        )
        timeout_s, quiet_s = 0.3, 0.4
        for signal in ("substrate.temperature_c", "chamber.temperature_c", "source-3.temperature_c"):
            at_s = read[signal]
            longest_s = max(after - before for before, after in itertools.pairwise(at_s))
            assert longest_s <= 0.5 + timeout_s + quiet_s + 5 * 0.05 + SCAN_S, signal
            assert len(at_s) >= DEAD_S / 0.5 * 0.95, "all but the polls that a probe came before were in time"
        other_s = read[tool.file.config.signals.pressure]
        assert max(after - before for before, after in itertools.pairwise(other_s)) <= 0.15
