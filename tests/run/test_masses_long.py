"""Healthy runs from cold on stages of three masses, with the ramps of the shipped recipes: nothing warns or trips."""

from __future__ import annotations

from pathlib import Path

import pytest

from ald_controller import commands as c
from simulators.plant.heat import STAGES
from simulators.virtualtime import run_virtual
from tests.recipe_bench import shipped, tool
from tests.run.heater_cases import stage_rig

PARAMETERS = {"trial-ligl": {}, "ligl-on-lithium": {"cycles": "2"}}


@pytest.mark.long
@pytest.mark.timeout(900)
@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("recipe", PARAMETERS)
def test_a_recipe_from_cold_completes_on_any_mass_without_a_trip_or_a_heater_that_warns(
    tmp_path: Path, recipe: str, stage: str
) -> None:
    async def lived() -> None:
        async with stage_rig(tmp_path, stage, tool(), 25.0) as rig:
            await rig.proven()
            await rig.do(c.Upload(name=recipe, text=shipped(f"{recipe}.yaml")))
            await rig.do(c.Start(name=recipe, parameters=PARAMETERS[recipe]))
            record = await rig.ended()
            assert record.ending == "completed" and record.summary["trips"] == []
            assert not record.events("trip") and not record.events("held")
            assert [e.fields for e in record.events("alarm") if str(e.fields.get("row", "")).startswith("T")] == []

    run_virtual(lived())
