"""What lies in the chamber of a served simulated reactor."""

from __future__ import annotations

import asyncio

from ald_controller.cli.plandrive import sample_for
from simulators.serve import simulate
from tests.recipe_bench import RECIPES, ROOT


async def test_a_served_reactor_has_the_sample_that_it_is_given() -> None:
    sponge = sample_for(RECIPES / "library" / "alumina-on-cnt-sponge.yaml")
    stop = asyncio.Event()
    world = await simulate(ROOT / "deploy/tool.yaml", None, lambda served: stop.set(), None, stop, sample=sponge)
    assert world.plant.sample == sponge
    assert (sponge.area_m2, sponge.aspect) == (2.0, 200.0)
