"""Every heater fault on every mass of stage: the software alone keeps the true metal below 173 °C.

There is no hardware limit controller in the simulated plant: nothing but these rows and the contactor acts.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from simulators.plant.heat import STAGES, Zone
from simulators.virtualtime import run_virtual
from tests.run.heater_cases import Break, outcome, ramping, settled, stage_rig, tool_file
from tests.run.rig import Rig

PEAK_C = 173.0  # lithium melts at 180.5 °C


async def frozen_in_the_ramp(rig: Rig, zone: Zone) -> None:
    await ramping(rig)
    await rig.until(lambda: zone.sensor.reading_c >= 100.0, 300)
    zone.sensor.freeze()


async def detached(rig: Rig, zone: Zone) -> None:
    await settled(rig)
    zone.sensor.loose_s = 5.0


async def drifting(rig: Rig, zone: Zone) -> None:
    await settled(rig)
    zone.sensor.drift_k_s = DRIFT_K_S


async def units_exchanged_on_the_wire(rig: Rig, zone: Zone) -> None:
    await settled(rig)
    rig.world.exchange_units("substrate", "source-5", writes=True)


async def relay_welded(rig: Rig, zone: Zone) -> None:
    await settled(rig)
    zone.stuck_on = True


async def sensors_exchanged_at_the_terminals(rig: Rig, zone: Zone) -> None:
    await ramping(rig)


# A drift has gone on for a while when it is looked at: until then loop and metal follow it, and only T4 warns.
DRIFTED_S, DRIFT_K_S = 400.0, -0.02
FAULTS: dict[str, tuple[Break, float, float]] = {  # how, where the zones begin in °C, how long it may take in s
    "frozen at 100 °C in the ramp": (frozen_in_the_ramp, 98.0, 1500.0),
    "sensor detached": (detached, 150.0, 600.0),
    "drift of -0.02 K/s": (drifting, 150.0, 1500.0),
    "units exchanged on the wire": (units_exchanged_on_the_wire, 150.0, 600.0),
    "relay welded": (relay_welded, 150.0, 900.0),
    "sensors exchanged": (sensors_exchanged_at_the_terminals, 25.0, 600.0),
}


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("fault", FAULTS)
def test_no_heater_fault_makes_the_substrate_hotter_than_173_degrees(tmp_path: Path, fault: str, stage: str) -> None:
    break_it, at_c, within_s = FAULTS[fault]

    async def lived() -> None:
        already_s = DRIFTED_S if break_it is drifting else 0.0
        rig = stage_rig(tmp_path, stage, tool_file(tmp_path), at_c, -DRIFT_K_S * already_s)
        rig.world.plant.heat.zones["substrate"].sensor.offset_k = DRIFT_K_S * already_s
        if fault == "sensors exchanged":  # since somebody wired them so
            rig.world.plant.heat.exchange("substrate", "chamber")
        async with rig:
            one = await outcome(rig, fault, stage, break_it, within_s=within_s, already_s=already_s)
            assert one.row.startswith("T"), one
            assert one.off_s is not None and one.peak_c <= PEAK_C, one

    run_virtual(lived())
