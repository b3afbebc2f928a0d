"""What `ald check` prints of a forecast: for people at 100 columns, for programs as JSON with the documented keys."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from ald_controller.check import check_json, check_text, outlook
from ald_controller.yamlfile import parse
from tests.foresee import SILICON, ahead, cycles, text, warm
from tests.recipe_bench import ROOT, SHIPPED, chemistry, loaded, plan, shipped, tool

NOW = 1_900_000_000.0


def words(written: str, material: str = "silicon") -> list[str]:
    known = loaded(material)
    made = plan(written, registers=known)
    found = outlook(parse(written, "r.yaml"), {}, made, known, chemistry(), tool().config, NOW)
    return check_text(made, {}, found).splitlines()


@pytest.mark.parametrize("name", [n for n in SHIPPED if "lithium" in n])
def test_no_line_is_wider_than_a_hundred_columns(name) -> None:
    assert max(len(line) for line in words(shipped(name), "lithium")) <= 100


def test_a_thickness_comes_with_its_factors_its_band_and_who_says_so() -> None:
    lines = words(shipped("alumina-on-lithium.yaml"), "lithium")
    at = lines.index("predicted  Al2O3 13.4 nm (12.1 to 14.7) = 100 × 0.134 nm × 1.000 (doses)")
    assert lines[at + 1].strip().startswith("read, high confidence: Groner 2004")


def test_every_reading_of_the_literature_is_shown() -> None:
    told = "\n".join(words(shipped("bilayer-50mld-50ald-on-lithium.yaml"), "lithium"))
    assert "AlEG 8.17 nm (4.08 to 12.3) = 50 × 0.163 nm" in told
    assert "or 25 nm (12.5 to 37.5)" in told


def test_a_film_between_a_read_point_and_a_remembered_one_is_no_better_than_the_remembered_one() -> None:
    reading = chemistry().films["AlEG"].readings[0]
    assert reading.provenance_at(85) == "seed"
    assert reading.provenance_at(120) == "unverified default"
    assert chemistry().films["Al2O3"].readings[0].provenance_at(90) == "seed"


def test_a_bottle_is_told_with_what_is_in_it_and_what_the_figure_rests_on() -> None:
    told = "\n".join(words(shipped("ligl-on-lithium.yaml"), "lithium"))
    assert re.search(
        r"LiOtBu at LTB: [0-9.]+ mg of 10 g \([0-9.]+%\); its vapour pressure is an unverified default", told
    )


def test_the_share_that_nobody_has_verified_is_told_by_name() -> None:
    told = " ".join(" ".join(words(shipped("ligl-on-lithium.yaml"), "lithium")).split())
    assert "figures are unverified defaults (80%)" in told
    assert "vapour pressure of LiOtBu" in told and "how glycerol sticks" in told


def test_the_last_line_counts_what_the_model_finds() -> None:
    short = text(cycles(("TMA", "60 ms", "20 s"), ("water", "60 ms", "2 s")), prepare=warm(80))
    assert words(short)[-1] == "no problems; the model finds 1 red"
    assert words(text(cycles(("TMA", "15 ms", "15 s"), ("water", "15 ms", "20 s"))))[-1] == "no problems"


def test_json_has_every_key_that_the_page_documents() -> None:
    written = text(cycles(("TMA", "60 ms", "20 s"), ("water", "60 ms", "2 s")), prepare=warm(80))
    known = loaded("silicon")
    made = plan(written, registers=known)
    found = outlook(parse(written, "r.yaml"), {}, made, known, chemistry(), tool().config, NOW)
    data = json.loads(check_json(made, {}, found))
    page = (ROOT / "docs" / "check.md").read_text("utf-8")
    for keys in (data["forecast"], data["forecast"]["layers"][0], data["forecast"]["cycles"][0],
                 data["forecast"]["cycles"][0]["halves"][0], data["forecast"]["bottles"][0],
                 data["forecast"]["chamber"], data["findings"][0]):  # fmt: skip
        assert not [key for key in keys if f"`{key}`" not in page]
    assert data["findings"][0]["line"] == 15 and data["findings"][0]["code"] == "purge"
    assert data["forecast"]["ends_utc"].startswith("2030-03-17T")


def test_every_finding_has_its_heading_in_the_page() -> None:
    source = Path(ROOT / "ald_controller" / "foresight" / "findings.py").read_text("utf-8")
    used = set(re.findall(r'(?:"red"|"amber"|"note"|level|RED_COVERAGE else "amber"), "([a-z -]+)"', source))
    page = (ROOT / "docs" / "check.md").read_text("utf-8")
    used -= {"red", "amber", "note"}
    assert len(used) >= 10
    assert not [code for code in used if f"\n### {code}\n" not in page]


def test_a_recipe_whose_cycle_grows_nothing_known_says_so_and_goes_on() -> None:
    found = ahead(
        text(cycles(("TMA", "15 ms", "15 s"), ("glycerol", "15 ms", "20 s")), prepare=warm(120, glycerol=130))
    )
    assert found.forecast.nm is None
    assert found.forecast.cycles[0].cycle.film is None
    assert "TMA" in {half.half.precursor for cycle in found.forecast.cycles for half in cycle.halves}


def test_a_recipe_without_doses_has_an_empty_forecast() -> None:
    found = ahead(SILICON + warm(100) + "deposit: []\nfinish: []\n")
    assert found.forecast.cycles == () and found.findings == ()
