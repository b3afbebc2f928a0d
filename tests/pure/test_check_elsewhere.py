"""A recipe at another tool: what opens there for the same exposure, and purges to the same share of the peak."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from ald_controller.cli.commands import ald
from ald_controller.foresight.elsewhere import Place, equal_exposure
from ald_controller.foresight.timeline import Cycle, cycles
from ald_controller.foresight.vessel import Vessel
from tests.foresee import chamber, text, warm
from tests.foresee import cycles as repeat
from tests.recipe_bench import RECIPES, ROOT, chemistry, loaded, plan, tool

SMALL, LARGE = chamber(), chamber(volume_m3=1e-3, pumping_m3_s=2.6e-3)  # of one V/S


def made(*doses: tuple[str, str, str], celsius: float = 150) -> list[Cycle]:
    written = text(repeat(*doses), prepare=warm(celsius))
    return list(cycles(plan(written, registers=loaded("silicon")), chemistry(), tool().config))


def place(vessel: Vessel) -> Place:
    return Place("x", vessel, tool().config)


DOSES = (("TMA", "100 ms", "5 s"), ("water", "100 ms", "9 s"))


def test_at_the_same_tool_the_same_times_do_the_same() -> None:
    here = made(*DOSES)
    for one in equal_exposure(here, place(SMALL), here, place(SMALL), chemistry()):
        assert one.opening_there_s == pytest.approx(one.opening_s, rel=0.01)
        assert one.purge_there_s == pytest.approx(one.purge_s, rel=0.01)
        assert one.decays == one.purge_s / SMALL.decay_s


def test_twice_the_pumping_takes_about_twice_the_opening_of_a_pushed_source() -> None:
    """Exposure = what came in over pumping speed; a bottle that is drawn from would empty its headspace meanwhile."""
    prepare = warm(150, LiOtBu=150, glycerol=130)
    written = text(repeat(("LiOtBu", "2 s", "20 s"), ("glycerol", "1 s", "30 s")), prepare=prepare)
    here = list(cycles(plan(written, registers=loaded("silicon")), chemistry(), tool().config))
    pushed = equal_exposure(here, place(SMALL), here, place(LARGE), chemistry())[0]
    assert pushed.opening_there_s == pytest.approx(2 * pushed.opening_s, rel=0.2)


def test_a_slower_pump_purges_longer_to_the_same_share() -> None:
    here = made(*DOSES, celsius=177)
    slow = chamber(pumping_m3_s=0.65e-3)
    for one in equal_exposure(here, place(SMALL), here, place(slow), chemistry()):
        assert one.purge_there_s is not None and one.decays_there is not None
        assert one.purge_there_s > one.purge_s
        assert one.decays_there < one.decays  # walls do not wait for the pump


def test_what_a_pulse_cannot_give_there_is_said_and_not_made_up() -> None:
    here = made(("TMA", "900 ms", "5 s"), ("water", "100 ms", "9 s"))
    huge = chamber(volume_m3=0.1, pumping_m3_s=2.0)
    assert equal_exposure(here, place(SMALL), here, place(huge), chemistry())[0].opening_there_s is None


def test_a_recipe_that_makes_other_cycles_there_is_not_compared() -> None:
    with pytest.raises(ValueError, match="other cycles"):
        equal_exposure(made(*DOSES), place(SMALL), [], place(LARGE), chemistry())


@pytest.fixture
def other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[str, str]:
    """A tool of four times the volume and a little more pump."""
    monkeypatch.setenv("ALD_SOCKET", str(tmp_path / "nobody.sock"))
    deploy = ROOT / "deploy"
    file, registers = tmp_path / "b.yaml", tmp_path / "registers.yaml"
    file.write_text((deploy / "tool.yaml").read_text("utf-8").replace("tool: reference", "tool: b"), "utf-8")
    known = (deploy / "registers-simulated.yaml").read_text("utf-8")
    known = known.replace("constant.volume: {value: 0.5 L", "constant.volume: {value: 2 L")
    registers.write_text(known.replace("constant.pumping: {value: 1.3 L", "constant.pumping: {value: 3 L"), "utf-8")
    return str(file), str(registers)


def check(*more: str) -> str:
    result = CliRunner().invoke(ald, ["check", str(RECIPES / "ligl-on-lithium.yaml"), *more])
    assert result.exit_code == 0, result.output
    return result.output


def test_another_tool_is_told_the_times_of_the_reference_tool_in_torr_seconds_and_decays(other) -> None:
    told = check("--tool", other[0], "--registers", other[1])
    assert "equal      what gives the exposures of reference here" in told
    line = next(line for line in told.splitlines() if line.startswith("  LiOtBu") and "→" in line)
    assert "0.683 Torr·s: 1 s → 2.74 s; purge 22 s (57 V/S) → " in line


def test_programs_get_the_comparison_when_they_ask(other) -> None:
    file, registers = other
    assert json.loads(check("--tool", file, "--registers", registers, "--json"))["forecast"]["equal_exposure"] is None
    asked = ("--times-of", str(ROOT / "deploy" / "tool.yaml"), str(ROOT / "deploy" / "registers-simulated.yaml"))
    found = json.loads(check("--tool", file, "--registers", registers, "--json", *asked))["forecast"]["equal_exposure"]
    assert found["tool"] == "reference" and found["why"] == ""
    assert [half["precursor"] for half in found["halves"]] == ["LiOtBu", "glycerol"]
    page = (ROOT / "docs" / "check.md").read_text("utf-8")
    assert not [key for key in found["halves"][0] if f"`{key}`" not in page]


def test_the_reference_tool_is_not_compared_with_itself() -> None:
    assert "equal  " not in check("--tool", str(ROOT / "deploy" / "tool.yaml"))


def test_a_bottle_that_gives_nothing_has_no_equal_opening_and_breaks_no_check() -> None:
    """Glycol at 21 °C under 0.8 Torr: gas flows back into the bottle, at either tool."""
    dead = repeat(("TMA", "15 ms", "10 s"), ("ethylene glycol", "100 ms", "10 s"))
    made = plan(text(dead, prepare=warm(120, carrier=60, ethylene_glycol=21)), registers=loaded("silicon"))
    kinds = list(cycles(made, chemistry(), tool().config))
    _, glycol = equal_exposure(kinds, place(SMALL), kinds, place(LARGE), chemistry())
    assert (glycol.exposure_pa_s, glycol.opening_there_s) == (0.0, None)
