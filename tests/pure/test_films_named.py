"""Films where they cannot go, and films that are turns of others: what the tables say, and what check makes of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from ald_controller.chemistry import Chemistry, load_chemistry
from ald_controller.plan import Layer, LayerReading
from ald_controller.planner.layers import folded
from ald_controller.registers import PLANNED, Registers
from ald_controller.yamlfile import Problems
from tests.foresee import cycles, text, warm
from tests.recipe_bench import HEAD, RECIPES, chemistry, loaded, plan, problems

ALUMINA = (("TMA", "15 ms", "30 s"), ("water", "15 ms", "30 s"))
NYLON = (("adipoyl chloride", "1 s", "60 s"), ('"1,6-hexanediamine"', "1 s", "60 s"))


def hung(load: str, **bottles: str) -> Registers:
    registers = loaded(load)
    for port, precursor in bottles.items():
        registers = registers.set(f"bottle.{port}", {"label": "x", "precursor": precursor}, PLANNED, "x", chemistry())
    return registers


NYLON_RACK = {"LTB": "adipoyl chloride", "EG": "1,6-hexanediamine"}


def in_turn(*deposits: str) -> str:
    return "\n  - ".join(deposits)


def test_nylon_goes_on_lithium_over_another_film_and_not_bare() -> None:
    registers, prepare = hung("lithium", **NYLON_RACK), warm(62)
    bare = problems(text(cycles(*NYLON), head=HEAD, prepare=prepare), registers=registers)
    assert any("12:18: nylon 66 does not go on bare lithium, only over another film: the HCl" in p for p in bare)
    covered = text(in_turn(cycles(*ALUMINA), "purge: 2 min", cycles(*NYLON)), head=HEAD, prepare=prepare)
    assert any(
        "adipoyl chloride over lithium: it releases HCl" in w for w in plan(covered, registers=registers).warnings
    )


def test_a_dose_that_makes_no_film_is_no_barrier() -> None:
    begun = text(
        in_turn("pulse: {precursor: TMA, time: 15 ms}", "purge: 60 s", cycles(*NYLON)), head=HEAD, prepare=warm(62)
    )
    found = problems(begun, registers=hung("lithium", **NYLON_RACK))
    assert any("nylon 66 does not go on bare lithium" in p for p in found)


def test_a_film_that_does_not_go_on_lithium_goes_elsewhere() -> None:
    assert plan(text(cycles(*NYLON), prepare=warm(62)), registers=hung("silicon", **NYLON_RACK)).film == ""


@pytest.mark.parametrize("film", ["Li3PO4", "LiF from Li(thd)", "TiN", "TiN from TDMAT", "TiO2 from TiCl4"])
def test_what_cannot_go_on_lithium_says_so_in_the_table_with_its_source(film: str) -> None:
    verdict = chemistry().films[film].lithium
    assert verdict and verdict.verdict == "refuse" and verdict.why and verdict.source


# --- supercycles -----------------------------------------------------------------------------------------------------

SULFIDES = {"EG": "TDMAA", "spare": "H2S"}


def cycle(times: int, precursor: str) -> str:
    first, second = (f"{{pulse: {{precursor: {name}, time: 1 s}}}}" for name in (precursor, "H2S"))
    return f"        - repeat: {{times: {times}, steps: [{first}, {{purge: 10 s}}, {second}, {{purge: 15 s}}]}}"


def laminate(film: str, target: str, turns: int, of_al2s3: int) -> str:
    deposit = f"repeat:\n      times: {turns}\n      name: supercycle\n      steps:\n"
    deposit += f"{cycle(1, 'LiOtBu')}\n{cycle(of_al2s3, 'TDMAA')}"
    head = HEAD + f"film: '{film}'\ntarget: {target}\n"
    return text(deposit, head=head, prepare=warm(150, LiOtBu=145, TDMAA=85))


def warned(film: str, target: str, turns: int, of_al2s3: int) -> list[str]:
    made = plan(laminate(film, target, turns, of_al2s3), registers=hung("lithium", **SULFIDES))
    return [w for w in made.warnings if "LAS" in w or "not in the table" in w]


@pytest.mark.parametrize(("film", "of_al2s3", "turns"), [("LAS 1:1", 1, 345), ("LAS 1:4", 4, 179), ("LAS 1:1", 1, 700)])
def test_turns_of_a_supercycle_are_as_thick_as_all_of_their_cycles(film: str, of_al2s3: int, turns: int) -> None:
    nm = turns * (0.1 + 0.045 * of_al2s3)
    assert warned(film, f"{nm:.1f} nm", turns, of_al2s3) == []
    (low,) = warned(film, f"{nm * 2:.1f} nm", turns, of_al2s3)
    assert f"{turns} cycles of {film} at 150 °C give {nm:.3g} nm, not" in low


def test_turns_of_other_numbers_are_no_such_supercycle() -> None:
    found = problems(laminate("LAS 1:4", "50 nm", 100, 3), registers=hung("lithium", **SULFIDES))
    assert any("the steps deposit Li2S, Al2S3, not LAS 1:4" in p for p in found)


def layer(film: str, count: int, nm: float) -> Layer:
    return Layer(film, count, 150.0, (LayerReading(nm, "s", "low", False),))


def test_one_film_upon_the_other_is_no_supercycle_however_many_cycles_they_have() -> None:
    both = [layer("Li2S", 100, 10.0), layer("Al2S3", 100, 4.5)]
    assert folded(both, chemistry().supercycles) == both


def test_a_supercycle_is_folded_among_other_layers() -> None:
    turn = [layer("Li2S", 1, 0.1), layer("Al2S3", 1, 0.045)]
    made = folded([layer("Al2O3", 10, 1.3), *turn * 3, layer("Al2O3", 10, 1.3)], chemistry().supercycles)
    assert [(one.film, one.cycles) for one in made] == [("Al2O3", 10), ("LAS 1:1", 3), ("Al2O3", 10)]
    assert made[1].readings[0].nm == pytest.approx(0.435)


def test_a_supercycle_of_a_film_that_nobody_knows_is_refused_at_its_line(tmp_path: Path) -> None:
    for name in ("precursors", "materials", "films"):
        written = (RECIPES / "chemistry" / f"{name}.yaml").read_text("utf-8")
        (tmp_path / f"{name}.yaml").write_text(written.replace("{Li2S: 1, Al2S3: 1}", "{Li2S: 1, Al2S4: 1}"), "utf-8")
    with pytest.raises(Problems, match="there is no film 'Al2S4' here"):
        load_chemistry(tmp_path)


def test_every_supercycle_has_a_name_of_its_own() -> None:
    known: Chemistry = chemistry()
    assert known.supercycles and not known.supercycles.keys() & known.films.keys()
