"""A loop that heats on when its line is lost may stand at a zone that touches lithium only behind a contactor."""

from __future__ import annotations

from pathlib import Path

import pytest

from ald_controller.config import load_tool
from ald_controller.yamlfile import Problems
from drivers.catalogue import CATALOGUE
from tests.recipe_bench import ROOT

TEXT = (ROOT / "deploy" / "tool.yaml").read_text("utf-8")
WATLOW = TEXT.replace(
    "substrate: {driver: eurotherm_3216, line: heaters,", "substrate: {driver: watlow, line: ovens, sensor: type K,"
).replace("  coupler-a: {address", '  ovens:     {address: "serial:/dev/ovens"}\n  coupler-a: {address', 1)


def uncut(text: str) -> str:
    """The same tool whose lithium contactor is wired to nothing that heats."""
    without = text.replace("role: contactor, energised", "role: unused, energised")
    assert without != text
    return without


def problems(text: str, tmp_path: Path) -> list[str]:
    path = tmp_path / "tool.yaml"
    path.write_text(text, "utf-8")
    try:
        load_tool(path)
    except Problems as error:
        return [str(one) for one in error.problems]
    return []


@pytest.mark.parametrize("role", ["substrate", "chamber"])
def test_a_watlow_at_lithium_without_a_contactor_is_refused_and_told_what_is_missing(role: str, tmp_path: Path) -> None:
    text = WATLOW if role == "substrate" else WATLOW.replace("role: substrate,", "role: chamber,")
    (problem,) = problems(uncut(text), tmp_path)
    line = next(number for number, one in enumerate(text.splitlines(), 1) if "substrate: {device: substrate" in one)
    assert f"tool.yaml:{line}:" in problem
    assert "'substrate' (watlow) goes on with its last set-point when its line is lost" in problem
    assert "an output of the valve module with 'role: contactor', which cuts its heater, is expected" in problem


def test_a_watlow_behind_the_contactor_is_taken(tmp_path: Path) -> None:
    assert problems(WATLOW, tmp_path) == []


def test_a_loop_that_falls_back_by_itself_needs_no_contactor_of_the_file(tmp_path: Path) -> None:
    assert problems(uncut(TEXT), tmp_path) == []


def test_each_driver_of_a_loop_says_whether_it_holds_on() -> None:
    loops = {name: entry.driver for name, entry in CATALOGUE.items() if hasattr(entry.driver, "follow")}
    assert {name: loop.holds_on for name, loop in loops.items()} == {"eurotherm_3216": False, "watlow": True}
