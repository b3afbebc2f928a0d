"""The tables of precursors, films and materials against the published figures that they carry."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from ald_controller.chemistry import load_chemistry
from ald_controller.units import TORR_PA
from ald_controller.yamlfile import Problems
from tests.recipe_bench import RECIPES, chemistry


@pytest.mark.parametrize(
    ("name", "celsius", "torr"),
    [
        ("TMA", 25, 11.6), ("water", 25, 23.8), ("ethylene glycol", 60, 1.4), ("glycerol", 120, 0.75),
        ("glycerol", 140, 2.45), ("LiOtBu", 140, 1.1), ("triethanolamine", 150, 0.57), ("DEZ", 25, 16.1),
        ("TDMAZ", 75, 0.86), ("TDMAT", 60, 1.1), ("trimethyl phosphate", 25, 0.83), ("hydroquinone", 140, 1.8),
        ("TiCl4", 25, 12.9), ("TTIP", 60, 0.81), ("ethylenediamine", 25, 12.9), ("1,6-hexanediamine", 60, 3.9),
    ],
)  # fmt: skip
def test_vapour_pressures_are_the_published_ones(name: str, celsius: float, torr: float) -> None:
    equation = chemistry().precursors[name].vapour_pressure
    assert equation is not None
    assert equation.pa(celsius) / TORR_PA == pytest.approx(torr, rel=0.03)


def test_a_precursor_has_one_name_and_its_aliases() -> None:
    names = chemistry()
    assert {names.name(n) for n in ("LTB", "LiOtBu", "lithium tert-butoxide")} == {"LiOtBu"}
    assert (names.name("H2O"), names.name("GL"), names.name("EG")) == ("water", "glycerol", "ethylene glycol")
    assert names.name("tma") is None  # 'CO' and 'Co' are two things
    assert names.material("Lithium Foil") == "lithium"


def test_longest_openings_are_those_of_published_doses() -> None:
    longest = {name: p.longest_opening for name, p in chemistry().precursors.items()}
    assert (longest["TMA"], longest["DEZ"], longest["LiOtBu"], longest["TDMAT"]) == (1.0, 1.0, 12.0, 30.0)
    assert longest["water"] == 5.0


def test_every_precursor_kind_that_reacts_is_unlike() -> None:
    assert chemistry().unlike("TMA", "water")
    assert chemistry().unlike("LiOtBu", "glycerol")
    assert chemistry().unlike("1,4-phenylene diisocyanate", "ethylenediamine")
    assert not chemistry().unlike("TMA", "LiOtBu")


@pytest.mark.parametrize(
    ("film", "reading", "celsius", "nm"),
    [
        ("Al2O3", 0, 80, 0.130), ("Al2O3", 0, 125, 0.134), ("Al2O3", 0, 90, 0.1315), ("Al2O3", 0, 300, 0.125),
        ("AlEG", 0, 85, 0.40), ("AlEG", 0, 120, 0.163), ("AlEG", 1, 120, 0.50), ("LiGL", 0, 150, 2.7),
    ],
)  # fmt: skip
def test_growth_per_cycle_goes_through_the_published_points(film: str, reading: int, celsius: float, nm: float) -> None:
    assert chemistry().films[film].readings[reading].gpc_nm(celsius) == pytest.approx(nm, rel=0.005)


def test_growth_between_points_never_leaves_their_range() -> None:
    reading = chemistry().films["Al2O3"].readings[0]
    values = [reading.gpc_nm(c) for c in range(0, 250)]
    assert min(values) >= 0.111 - 1e-12
    assert max(values) <= 0.134 + 1e-12
    assert reading.covers(120) and not reading.covers(200)


def test_a_film_is_known_by_its_two_precursors_in_any_order() -> None:
    assert chemistry().film_of("water", "TMA") == "Al2O3"
    assert chemistry().film_of("TMA", "TMA") is None
    assert chemistry().film_of("TMA", "DEZ") is None


@pytest.mark.parametrize(
    ("file", "old", "new", "says"),
    [
        ("precursors.yaml", "aliases: [H2O]", "aliases: [H2O, TMA]", "'TMA' already means"),
        ("precursors.yaml", "[8.224, 2134.83]", "[8.224]", "takes 2 coefficients"),
        ("precursors.yaml", "longest_opening: 12 s", "longest_opening: 12", "'12' has no unit"),
        ("precursors.yaml", "kind: halide", "kind: salt", "'acid chloride' or 'isocyanate' is expected; got 'salt'"),
        ("films.yaml", "precursors: [TMA, water]", "precursors: [TMA, watr]", "there is no precursor 'watr' in"),
        ("films.yaml", "at: 80 °C", "at: 30 °C", "'points' must rise in temperature"),
        ("materials.yaml", "  lithium:", "  lithiun:", "'lithium' is missing"),
        ("reactor.yaml", "value: 0.05 m2", "value: 0.05", "'0.05' has no unit"),
        ("reactor.yaml", "source: a tight chamber, ", "", "'source' is missing"),
        ("reactor.yaml", ", unknown: 0.5", "", "'shares' must have a band for each confidence; missing: unknown"),
    ],
)
def test_a_mistake_in_a_table_is_refused_at_its_place(tmp_path: Path, file: str, old: str, new: str, says: str) -> None:
    folder = tmp_path / "chemistry"
    shutil.copytree(RECIPES / "chemistry", folder)
    text = (folder / file).read_text("utf-8")
    assert old in text
    (folder / file).write_text(text.replace(old, new, 1), "utf-8")
    with pytest.raises(Problems) as refused:
        load_chemistry(folder)
    assert says in str(refused.value)
    assert file in str(refused.value)
