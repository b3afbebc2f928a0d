"""The page that `ald check --html` writes: whole, self-contained, with the pressures of one cycle."""

from __future__ import annotations

from html.parser import HTMLParser
from pathlib import Path

import pytest
from click.testing import CliRunner

from ald_controller.cli.commands import ald
from tests.foresee import SILICON, cycles, text, warm
from tests.recipe_bench import RECIPES


class Reader(HTMLParser):
    """Tags that stand open, and every address that the page asks for."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.wants: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.wants += [str(v) for k, v in attrs if k in ("src", "href") and v]
        if tag not in ("meta", "path", "line", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in ("path", "line"):
            assert self.open.pop() == tag


def page_of(recipe: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("ALD_SOCKET", str(folder / "nobody.sock"))
    out = folder / "page.html"
    result = CliRunner().invoke(ald, ["check", str(recipe), "--html", str(out)])
    assert result.exit_code == 0, result.output
    return out.read_text("utf-8")


def test_the_page_is_whole_and_asks_for_nothing(tmp_path, monkeypatch) -> None:
    html = page_of(RECIPES / "ligl-on-lithium.yaml", tmp_path, monkeypatch)
    reader = Reader()
    reader.feed(html)
    assert reader.open == [] and reader.wants == []
    assert "url(" not in html and "@import" not in html
    assert len(html) < 100_000


def test_the_page_shows_a_cycle_its_bottles_and_what_it_rests_on(tmp_path, monkeypatch) -> None:
    html = page_of(RECIPES / "ligl-on-lithium.yaml", tmp_path, monkeypatch)
    assert html.count("<svg") == 1
    for words in ("✓ nothing found", "162 nm", "stop valve shut", "53.9 mg", "vapour pressure of LiOtBu"):
        assert words in html


def test_what_a_recipe_is_called_cannot_write_into_the_page(tmp_path, monkeypatch) -> None:
    recipe = tmp_path / "r.yaml"
    head = SILICON + "title: 'a <script>alert(1)</script>'\n"
    recipe.write_text(text(cycles(("TMA", "15 ms", "15 s"), ("water", "15 ms", "20 s")), head=head), "utf-8")
    html = page_of(recipe, tmp_path, monkeypatch)
    assert "<script>alert" not in html and "&lt;script&gt;alert" in html


def test_a_finding_stands_in_the_page_with_its_place(tmp_path, monkeypatch) -> None:
    recipe = tmp_path / "r.yaml"
    recipe.write_text(text(cycles(("TMA", "60 ms", "20 s"), ("water", "60 ms", "2 s")), prepare=warm(80)), "utf-8")
    html = page_of(recipe, tmp_path, monkeypatch)
    assert "▲ 1 to change" in html and "<code>15:18</code>" in html


def test_what_the_plan_warns_of_stands_in_the_page(tmp_path, monkeypatch) -> None:
    html = page_of(RECIPES / "bilayer-50mld-50ald-on-lithium.yaml", tmp_path, monkeypatch)
    assert "What the plan wants looked at" in html and "the literature has 2 readings" in html
    assert "What the plan wants looked at" not in page_of(RECIPES / "ligl-on-lithium.yaml", tmp_path, monkeypatch)


def test_a_recipe_with_problems_writes_no_page(tmp_path) -> None:
    recipe, out = tmp_path / "r.yaml", tmp_path / "page.html"
    recipe.write_text("recipe: t\n", "utf-8")
    assert CliRunner().invoke(ald, ["check", str(recipe), "--html", str(out)]).exit_code == 1
    assert not out.exists()


def test_what_nobody_can_foresee_is_not_called_found_good(tmp_path, monkeypatch) -> None:
    """TMA alone grows no known film: whether it saturates is not known, and silence is no good news."""
    recipe = tmp_path / "r.yaml"
    recipe.write_text(text(cycles(("TMA", "15 ms", "15 s"))), "utf-8")
    html = page_of(recipe, tmp_path, monkeypatch)
    assert "nothing found" not in html and "Doses saturate" not in html
    assert "◇ not all foreseen" in html and "nothing is known of what TMA would grow" in html
    assert "of a saturated layer" not in html and "no known film on silicon" in html
    said = CliRunner().invoke(ald, ["check", str(recipe)]).output
    assert "what it grows is not known" in said and "of a saturated layer" not in said


def test_bottles_that_nobody_weighed_do_not_hold_enough(tmp_path, monkeypatch) -> None:
    recipe, rack = tmp_path / "r.yaml", tmp_path / "rack.yaml"
    recipe.write_text(text(cycles(("TMA", "15 ms", "15 s"), ("water", "15 ms", "20 s"))), "utf-8")
    rack.write_text("{TMA: TMA, H2O: water}\n", "utf-8")
    monkeypatch.setenv("ALD_SOCKET", str(tmp_path / "nobody.sock"))
    CliRunner().invoke(ald, ["check", str(recipe), "--rack", str(rack), "--html", str(tmp_path / "p.html")])
    html = (tmp_path / "p.html").read_text("utf-8")
    assert "every bottle holds enough" not in html and "what is left of TMA, water is not recorded" in html
