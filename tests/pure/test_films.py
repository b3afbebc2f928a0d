"""The films of the review, grown in the simulated reactor from the recipes that a user runs."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest
from click.testing import CliRunner

from ald_controller.chemistry import Chemistry
from ald_controller.cli import filmtable
from ald_controller.cli.commands import ald
from ald_controller.cli.filmrows import Bench, Named, Paper, Row, named, recipe_path, verdict
from ald_controller.cli.filmtable import all_rows, page, text
from ald_controller.cli.filmwire import Kept, Ran, Wire
from ald_controller.cli.plandrive import Drive, NeverSettles, sample_for
from ald_controller.plan import Leaf, Plan, SegmentStep, SettleStep, Where
from simulators.plant.sample import Sample
from tests.recipe_bench import ROOT

PAGE = ROOT / "docs" / "films.md"


@cache
def bench() -> Bench:
    return Bench()


@cache
def rows() -> tuple[Row, ...]:
    return tuple(all_rows(bench()))


def row(film_id: str) -> Row:
    return next(one for one in rows() if one.id == film_id)


def hot(celsius: float) -> dict[str, str]:
    """A wafer at this temperature, and walls as near to it as they may be."""
    return {"temperature": f"{celsius} °C", "walls": f"{min(celsius, 165)} °C"}


def head(recipe: Path) -> str:
    """The comments before a recipe, without the names of parameters."""
    return recipe.read_text("utf-8").replace("tma_purge ", "").replace("water_purge ", "").partition("recipe:")[0]


def grown_nm(recipe: str, **parameters: str) -> float:
    """What the simulated reactor grows from a shipped recipe."""
    path = recipe_path(recipe)
    return Drive(bench().plan(path, parameters), bench().tool.text, sample_for(path, parameters)).run()


# --- figures that others measured ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("celsius", "tma_purge", "water_purge", "nm"), [(33, 20, 180, 33.2), (125, 10, 10, 40.1), (177, 10, 8, 37.5)]
)
def test_300_cycles_of_alumina_are_as_thick_as_groner_measured(celsius, tma_purge, water_purge, nm) -> None:
    """Groner 2004, with the purges that the recipe's head gives for each temperature."""
    path = recipe_path("alumina")
    said = f"{celsius} °C: tma_purge {tma_purge} s, water_purge {water_purge} s"
    assert said.replace("tma_purge ", "").replace("water_purge ", "") in head(path)
    got_nm = grown_nm(
        "alumina", cycles="300", **hot(celsius), tma_purge=f"{tma_purge} s", water_purge=f"{water_purge} s"
    )  # fmt: skip
    assert got_nm == pytest.approx(nm, rel=0.03)


def test_at_177_c_groners_own_purge_is_too_short_for_this_chamber() -> None:
    """The recipe's head says so: 4 %."""
    much = grown_nm("alumina", cycles="300", **hot(177), water_purge="5 s")
    assert 1.03 < much / 37.5 < 1.05


def test_a_purge_of_5_s_at_80_c_grows_5_percent_too_much_and_one_of_20_s_next_to_nothing() -> None:
    short, chosen = (
        grown_nm("alumina", water_dose="200 ms", tma_purge="20 s", water_purge=f"{purge} s") for purge in (5, 20)
    )
    assert short / 13.0 >= 1.05
    assert 0.99 < chosen / 13.0 <= 1.015


class Weighed(Drive):
    """Notes what a crystal beside the sample has gained after each step with a dose."""

    def __init__(self, plan: Plan, tool: str, sample: Sample | None = None) -> None:
        super().__init__(plan, tool, sample)
        self.ng_cm2: list[float] = []

    def _do(self, leaf: Leaf) -> None:
        super()._do(leaf)
        if isinstance(leaf, SegmentStep) and leaf.doses:
            self.ng_cm2.append(self.plant.crystal_ng_cm2(self._at_s))


def test_zirconia_gains_3_28_times_what_it_loses_again() -> None:
    """Hausmann 2002 measured 3.3."""
    plan = bench().plan(recipe_path("zirconia-on-lithium"), {"cycles": "4"})
    drive = Weighed(plan, bench().tool.text)
    drive.run()
    before, metal, water = drive.ng_cm2[-3:]
    assert (metal - before) / (metal - water) == pytest.approx(3.28, rel=0.02)


@pytest.mark.parametrize(
    ("film_id", "nm"),
    [("polyurea_p10", 4.0), ("litea200", 70.0), ("li2s20_nmc811", 2.0), ("ligl90", 243.0)],
)
def test_films_of_the_review_are_as_thick_as_it_says(film_id: str, nm: float) -> None:
    assert row(film_id).simulated_nm == pytest.approx(nm, rel=0.05)


def test_90_cycles_of_ligl_are_thicker_than_200_nm() -> None:
    assert row("ligl90").simulated_nm > 200.0


def test_one_pulse_of_the_recipe_covers_a_third_of_two_square_metres() -> None:
    plan = bench().plan(recipe_path("alumina"), hot(150))
    drive = Weighed(plan, bench().tool.text, Sample(2.0))
    seen: list[float] = []
    drive._do = lambda leaf: (Weighed._do(drive, leaf), seen.append(drive.plant.surface.covered("TMA")))
    drive.run()
    assert next(share for share in seen if share) == pytest.approx(0.30, abs=0.02)


# --- the table -----------------------------------------------------------------------------------------------------


def test_every_film_host_and_stack_of_the_review_has_a_row() -> None:
    assert len(rows()) == len(named()) == 47
    assert [one.id for one in rows()] == list(named())


def test_no_film_differs_from_the_review_without_a_reason() -> None:
    differing = {one.id: one.verdict for one in rows() if not one.verdict.startswith(("agrees", "the review gives no"))}
    assert set(differing) == {"zro2_on_li", "nylon_achd", "li3po4_on_li", "ligl_gns"}
    assert not any("no reason is known" in verdict for verdict in differing.values())


def test_what_grows_is_what_check_predicts() -> None:
    """Two models: that of check and that of the simulated reactor. Of AlEG the bilayers take another reading there."""
    for one in rows():
        if not one.id.startswith("hyb_"):
            assert one.simulated_nm == pytest.approx(one.predicted_nm, rel=0.01), one.id
        assert one.predicted_low_nm < one.simulated_nm < one.predicted_high_nm, one.id


def test_suspicious_figures_are_flagged_and_not_encoded() -> None:
    for film_id in ("zro2_on_li", "nylon_achd", "li3po4_on_li"):
        assert row(film_id).verdict.startswith("flagged: ")
    for film_id in ("zro2_on_li", "nylon_achd"):
        one = row(film_id)
        assert one.paper_nm is not None and one.simulated_nm < 0.25 * one.paper_nm
    assert row("tio2_cu_tan10").cycles > 125, "not the 12.5 that 0.8 nm per cycle would take"


def test_the_page_of_films_is_what_the_command_prints() -> None:
    assert PAGE.read_text("utf-8") == page(rows()), "ald films --markdown > docs/films.md"


def test_the_command_prints_a_line_or_an_object_per_film(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(filmtable, "all_rows", lambda made: list(rows()))
    told = json.loads(CliRunner().invoke(ald, ["films", "--json"]).output)
    assert [one["id"] for one in told] == list(named())
    assert {"id", "recipe", "predicted_nm", "simulated_nm", "paper_nm", "verdict"} <= set(told[0])
    assert all((ROOT / one["recipe"]).is_file() for one in told)
    lines = CliRunner().invoke(ald, ["films"]).output.splitlines()
    assert lines == text(rows()).splitlines()
    assert sum(not line.startswith(" ") for line in lines) == 48
    assert CliRunner().invoke(ald, ["films", "--markdown"]).output == page(rows())


# --- verdicts ------------------------------------------------------------------------------------------------------


def judged(grown: float, *, cycles: int = 100, why: str = "", flag: str = "", **paper: float) -> str:
    made = Paper.model_construct(**{"thickness": None, "gpc": None, "below": None, "above": None, **paper})
    return verdict(Named.model_construct(film="x", recipe="x", paper=made, why=why, flag=flag), cycles, grown)


@pytest.mark.parametrize(
    ("grown", "paper", "said"),
    [
        (10.49, {"thickness": 10.0}, "agrees"),
        (10.51, {"thickness": 10.0}, "differs (+5 %): no reason is known"),
        (9.0, {"gpc": 0.1}, "differs (-10 %): no reason is known"),
        (9.9, {"gpc": 0.1}, "agrees"),
        (14.9, {"below": 15.0}, "agrees: below 15 nm"),
        (15.0, {"below": 15.0}, "differs (not below 15 nm): no reason is known"),
        (200.0, {"above": 200.0}, "differs (not above 200 nm): no reason is known"),
        (243.0, {"gpc": 2.43, "above": 200.0}, "agrees and above 200 nm"),
        (5.0, {}, "the review gives no figure"),
    ],
)
def test_a_film_agrees_within_5_percent_and_its_bounds(grown: float, paper: dict[str, float], said: str) -> None:
    assert judged(grown, **paper) == said


def test_a_flag_goes_before_every_comparison_and_a_reason_stands_with_the_difference() -> None:
    assert judged(1.0, thickness=190.0, flag="a slip") == "flagged: a slip"
    assert judged(5.0, thickness=10.0, why="it begins late") == "differs (-50 %): it begins late"


# --- a plan without wires ------------------------------------------------------------------------------------------


def test_reckoning_the_rest_changes_no_film(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = [("alumina", {"cycles": "60"}), ("litea-on-lithium", {"cycles": "40"}), ("titania-on-copper", {})]
    quick = [grown_nm(recipe, **parameters) for recipe, parameters in asked]
    monkeypatch.setattr("ald_controller.cli.plandrive.ALIKE", 10_000)
    assert [grown_nm(recipe, **parameters) for recipe, parameters in asked] == pytest.approx(quick, rel=1e-4)


def test_a_film_may_grow_by_another_reading_of_the_literature() -> None:
    path = recipe_path("bilayer-50ald-50mld-on-lithium")
    plan = bench().plan(path, {})
    by_first, by_second = (Drive(plan, bench().tool.text, readings=r).run() for r in ({}, {"AlEG": 2}))
    assert by_first == pytest.approx(14.9, abs=0.1)
    assert by_second == pytest.approx(31.7, rel=0.02)


def test_the_sample_is_what_the_recipe_says_and_nothing_where_it_says_nothing(tmp_path: Path) -> None:
    sponge = sample_for(recipe_path("alumina-on-cnt-sponge"))
    assert sponge is not None and (sponge.area_m2, sponge.aspect, sponge.first) == (2.0, 200.0, 0.1)
    foil = sample_for(recipe_path("ligl-on-lithium"))
    assert foil == Sample()
    odd = tmp_path / "odd.yaml"
    odd.write_text("recipe: odd\nsubstrate: unobtainium\n", "utf-8")
    assert sample_for(odd) is None
    odd.write_text("recipe: odd\n", "utf-8")
    assert sample_for(odd) is None


def test_a_purge_that_waits_for_a_pressure_it_never_reaches_is_named_with_its_line() -> None:
    plan = bench().plan(recipe_path("alumina"), {"cycles": "1"})
    drive = Drive(plan, bench().tool.text)
    drive.run()
    with pytest.raises(NeverSettles, match=r"line 7: never below 0\.5 Pa"):
        drive._do(SettleStep("settle", Where(7, 1), 0.5, 60.0, "hold"))


# --- what has run over wire bytes ----------------------------------------------------------------------------------

RAN = Ran(13.0, "completed", [], 0, 120.0)


def test_a_target_is_held_against_what_grows_where_growth_begins_slowly() -> None:
    sponge = recipe_path("alumina-on-cnt-sponge")
    plan = bench().plan(sponge, {})
    assert plan.thickness_nm == pytest.approx(row("al2o3_cnts").predicted_nm, rel=0.01)
    assert not [warning for warning in plan.warnings if "give" in warning]
    few = bench().plan(sponge, {"cycles": "80"}).warnings
    assert [warning for warning in few if "80 cycles of Al2O3 at 120 °C give 8.35 nm, not 10 nm" in warning]


def wire_of(path: Path) -> Wire:
    return Wire(bench(), Kept(path), lambda line: None)


def test_what_has_run_over_wire_bytes_is_remembered_and_the_rest_is_left_shortest_first(tmp_path: Path) -> None:
    cache = tmp_path / "deep" / "films.json"
    wire = wire_of(cache)
    assert wire.ran == {}
    first = list(wire.left())
    assert [seconds for seconds, _, _ in first] == sorted(seconds for seconds, _, _ in first)
    assert len(first) == 46, "two films of the table are one run"
    _, film_id, one = first[0]
    Kept(cache).keep(wire._key(one), RAN)
    again = wire_of(cache)
    assert again.ran == {film_id: RAN}
    assert [left for _, left, _ in again.left()] == [left for _, left, _ in first[1:]]


def test_two_films_of_one_recipe_with_the_same_parameters_are_one_run(tmp_path: Path) -> None:
    wire = wire_of(tmp_path / "films.json")
    table = named()
    assert wire._key(table["tio2_cu_tan10"]) == wire._key(table["tio2_cu_oya10"])
    assert len({wire._key(table[name]) for name in ("ligl10", "ligl20", "ligl60", "ligl90")}) == 4


def test_a_run_rests_on_the_substances_that_it_doses_and_on_no_others(tmp_path: Path) -> None:
    def key(chemistry: Chemistry, film_id: str) -> str:
        other = Bench()
        other.chemistry = chemistry
        return Wire(other, Kept(tmp_path / "films.json"), lambda line: None)._key(named()[film_id])

    known = bench().chemistry
    water = known.precursors["water"].model_copy(update={"clear": 1.0})
    wetter = replace(known, precursors=known.precursors | {"water": water})
    assert key(wetter, "al2o3_80") != key(known, "al2o3_80") and key(wetter, "ligl10") == key(known, "ligl10")
    film = known.films["LiGL"].model_copy(update={"unload": "another sentence"})
    changed = replace(known, films=known.films | {"LiGL": film})
    assert key(changed, "al2o3_80") == key(known, "al2o3_80") and key(changed, "ligl10") != key(known, "ligl10")


def test_films_over_the_wire_are_shown_as_far_as_they_have_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = tmp_path / "films.json"
    wire = wire_of(cache)
    for film_id in ("al2o3_80", "ligl10"):
        Kept(cache).keep(wire._key(named()[film_id]), RAN)
    monkeypatch.setattr(Wire, "run", lambda self, within_s: 44)
    asked = ["films", "--wire", "--cache", str(cache), "--within", "1", "--json"]
    done = CliRunner().invoke(ald, asked)
    assert done.exit_code == 4 and "44 films are left" in done.stderr
    told = json.loads(done.stdout)
    assert [(one["id"], one["simulated_nm"]) for one in told] == [("al2o3_80", 13.0), ("ligl10", 13.0)]
    assert [one["verdict"].partition(" ")[0] for one in told] == ["agrees", "differs"]
    Kept(cache).keep(wire._key(named()["ligl10"]), replace(RAN, ending="tripped", trips=["T1"]))
    monkeypatch.setattr(Wire, "run", lambda self, within_s: 0)
    done = CliRunner().invoke(ald, asked)
    assert done.exit_code == 1 and "ligl10: tripped, trips: T1" in done.stderr
