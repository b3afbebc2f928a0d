"""What hangs at a simulated reactor, and how warm it begins."""

from __future__ import annotations

from pathlib import Path

import pytest

from ald_controller.cli.checking import SIMULATED
from ald_controller.cli.serve import beginning
from ald_controller.registers import Registers
from ald_controller.yamlfile import Problems
from tests.recipe_bench import RECIPES, ROOT, chemistry

TOOL = ROOT / "deploy" / "tool.yaml"
RACK = RECIPES / "racks" / "sulfides.yaml"
LAS = RECIPES / "library" / "las-1-1-on-copper.yaml"


def test_without_a_recipe_and_a_rack_the_simulated_bottles_hang_and_nothing_is_warm() -> None:
    assert beginning(TOOL, None, None) == (Registers.load(SIMULATED, chemistry()).rack(), None)


def test_a_reactor_is_as_warm_as_a_recipe_wants_it_with_the_bottles_of_its_rack() -> None:
    bottles, warm = beginning(TOOL, LAS, RACK)
    assert {"TDMAA", "H2S"} <= set(bottles.values()) and warm and warm["substrate"] == 150.0


def test_a_rack_hangs_without_a_recipe_too() -> None:
    assert "TDMAA" in beginning(TOOL, None, RACK)[0].values()


def test_no_controller_that_runs_here_is_asked_what_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    def asked(*_: object) -> None:
        raise AssertionError("a controller was asked")

    monkeypatch.setattr("ald_controller.cli.checking.known_registers", asked)
    assert beginning(TOOL, RECIPES / "trial-ligl.yaml", None)[0]


def test_a_rack_with_a_port_that_the_tool_does_not_have_is_refused(tmp_path: Path) -> None:
    (rack := tmp_path / "rack.yaml").write_text("LTC: TMA\n", "utf-8")
    with pytest.raises(Problems, match=r"rack.yaml:1:1: there is no port 'LTC'"):
        beginning(TOOL, None, rack)
