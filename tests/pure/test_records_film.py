"""What a report says of a crystal: its steps, their medians, and nothing where it has nothing to go by."""

from __future__ import annotations

from pathlib import Path

import pytest

from ald_controller.records.digest import digest
from ald_controller.records.film_figures import film_figure, steps
from ald_controller.records.record import open_run
from ald_controller.records.report import page
from tests.synthetic_run import Synthetic, begin, exposure


async def grown(root: Path, cycles: int) -> Synthetic:
    run = await begin(root, cycles, 0.5)
    run.grown_nm = 0.0
    run.read_until(run.clock.now + 20)
    return run


async def test_a_crystal_shows_its_cycles_and_the_steps_of_each_precursor(tmp_path: Path) -> None:
    run = await grown(tmp_path, 5)
    for number in range(1, 6):
        await run.cycle(number, missed=number == 3)
    await run.journal.close("completed", {})
    found = digest(open_run(run.journal.folder))
    assert found.crystal is not None
    seen = steps(found, found.crystal)
    assert seen.cycles == pytest.approx([0.27] * 4), "four of five were given whole"
    assert seen.doses["LiOtBu"] == pytest.approx([0.2] * 4)
    assert seen.doses["TMA"] == pytest.approx([0.05] * 4)
    assert seen.doses["H2O"] == pytest.approx([0.01] * 8), "twice in each cycle"
    html = page(found)
    assert "Cycles 2 to 4" in html and "LiOtBu and its purge" in html
    assert '<td class="n">+0.270 nm</td>' in html
    assert "Predicted per cycle: 0.270 nm on average." in html


async def test_without_a_crystal_the_thickness_is_said_to_be_a_prediction_alone(tmp_path: Path) -> None:
    run = await begin(tmp_path, 2, 0.5)
    await run.cycle(1)
    await run.journal.close("completed", {})
    assert "the thickness above is a prediction alone" in film_figure(digest(open_run(run.journal.folder)))


async def test_a_crystal_that_fell_silent_gives_no_step(tmp_path: Path) -> None:
    run = await grown(tmp_path, 3)
    await run.cycle(1)
    run.grown_nm = None
    await run.cycle(2)
    await run.journal.close("completed", {})
    found = digest(open_run(run.journal.folder))
    assert found.crystal is not None
    assert len(steps(found, found.crystal).cycles) == 1
    assert "Growth on the crystal" in film_figure(found)


async def test_a_run_that_ended_in_its_first_cycle_has_no_growth_to_show(tmp_path: Path) -> None:
    run = await grown(tmp_path, 3)
    await run.segment(exposure(), 1, cut_s=1.6)
    await run.journal.close("tripped", {})
    assert "No whole cycle has readings of the crystal" in film_figure(digest(open_run(run.journal.folder)))
