"""A line stays warmer than its source by the margin, on the way up, in the run and on the way down."""

from __future__ import annotations

from bisect import bisect_left
from pathlib import Path

from simulators.eurotherm import REMOTE, USE_REMOTE, Eurotherm
from tests.run.rig import LIGL_C, Rig, ligl, virtually

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


@virtually
async def test_what_was_asked_before_a_zone_was_forbidden_or_capped_is_not_sent_after_it(tmp_path: Path) -> None:
    async with Rig(tmp_path, warm=LIGL_C) as rig:
        await rig.proven()
        heaters, unit = rig.console.tool.heaters, rig.world.instruments["substrate"]
        assert isinstance(unit, Eurotherm)
        await heaters.heat({"substrate": 150.0, "chamber": 150.0}, 1.0)
        await rig.rest(60)
        assert unit.values[USE_REMOTE] and heaters.asked_c()["substrate"] == 150.0
        heaters.cap(60.0)
        await heaters.refresh("substrate")
        assert unit.values[USE_REMOTE] and unit.values[REMOTE] == 600
        assert heaters.asked_c()["substrate"] == 60.0
        heaters.forbid(frozenset({"substrate"}), contactor_open=False)
        await heaters.refresh("substrate")
        assert not unit.values[USE_REMOTE]
