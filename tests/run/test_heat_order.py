"""A line stays warmer than its source by the margin, on the way up, in the run and on the way down."""

from __future__ import annotations

from bisect import bisect_left
from pathlib import Path

from tests.run.rig import Rig, ligl, virtually

HEAT = """\
prepare:
  - flow: {carrier: 20 sccm}
  - heat: {LiOtBu: 150 °C, glycerol: 130 °C, substrate: 60 °C, chamber: 60 °C}
  - wait: {for: temperatures, within: 1 K, stay: 10 s, timeout: 4 h, else: finish}
"""
COOL = """\
finish:
  - heat: {LiOtBu: standby, glycerol: standby, substrate: off, chamber: off}
  - wait: {for: LiOtBu, below: 142 °C, timeout: 6 h, else: alarm}
"""
WARM_C = {"source-3": 135.0, "source-4": 115.0, "lines": 151.0, "substrate": 58.0, "chamber": 59.0}


@virtually
async def test_a_line_is_never_colder_than_its_source_and_the_margin(tmp_path: Path) -> None:
    async with Rig(tmp_path, warm=WARM_C) as rig:
        await rig.start(ligl(1, prepare=HEAT, finish=COOL))
        record = await rig.ended()
        at_s, line_c = record.readings("lines.temperature_c")
        for source in ("source-3", "source-4"):
            least = min(
                line_c[min(bisect_left(at_s, t), len(at_s) - 1)] - source_c
                for t, source_c in zip(*record.readings(f"{source}.temperature_c"), strict=True)
            )
            assert least >= rig.file.config.limits.margin, source
        assert max(line_c) > 164.0 and line_c[-1] < 160.0
