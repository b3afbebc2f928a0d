"""What each dose brought, on the whole tool: healthy runs, faults, restarts; and the cleared mark from dose to dose."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from math import isnan
from pathlib import Path

import pytest

from ald_controller import commands as c
from ald_controller import stamp
from ald_controller.interlocks import Quality, Sample
from ald_controller.records.digest import digest, pulse_heights
from ald_controller.records.record import Event, RunRecord
from ald_controller.registers import RegisterFile, Registers
from simulators.beckhoff_io import CouplerB
from simulators.plant import Plant
from simulators.virtualtime import run_virtual
from tests.recipe_bench import HEAD, chemistry, loaded, shipped
from tests.run.rig import LIGL_C, Rig, virtually

BILAYER_C = {"substrate": 120.0, "chamber": 120.0, "source-5": 70.0, "lines": 85.0}
WARM = """\
prepare:
  - pump: {to: 1 Torr, timeout: 15 min, else: hold}
  - flow: {carrier: 20 sccm}
  - heat: {substrate: 120 °C, chamber: 120 °C, TMA: room, water: room, ethylene glycol: 70 °C}
  - purge: 6 s
"""
FINISH = "finish:\n  - purge: 5 s\n"
ENOUGH = 7  # cycles: five to learn, two to be judged


def trial(cycles: int) -> str:
    """The doses of trial-ligl with shorter holds and purges."""
    text = shipped("trial-ligl.yaml").replace("purge: 20 s", "purge: 3 s").replace("purge: 30 s", "purge: 3 s")
    return text.replace("hold: 5 s", "hold: 3200 ms").replace("default: 3", f"default: {cycles}")


def bilayer(cycles: int) -> str:
    """The doses of the bilayer on a warm reactor, with shorter purges."""
    text = shipped("bilayer-50mld-50ald-on-lithium.yaml")
    head, deposit = text[: text.index("prepare:")], text[text.index("deposit:") : text.index("finish:")]
    for purge in ("15 s", "30 s", "60 s", "2 min", '{time: 20 s, provenance: "Groner 2004, 102 °C"}'):
        deposit = deposit.replace(f"purge: {purge}", "purge: 3 s")
    return head + WARM + deposit.replace("times: 50", f"times: {cycles}") + FINISH


async def whole(folder: Path, text: str, warm: dict[str, float]) -> RunRecord:
    """A healthy run on a new tool, to its end."""
    async with Rig(folder, warm=warm) as rig:
        await rig.start(text)
        return await rig.ended()


@dataclass(frozen=True)
class Taught:
    """A tool that has learned what its pulses usually are, and the record of the run that taught it."""

    folder: Path
    record: RunRecord

    def copy(self, to: Path) -> Path:
        """The same tool once more, after a restart."""
        return Path(shutil.copytree(self.folder, to))


@pytest.fixture(scope="module")
def exposed(tmp_path_factory: pytest.TempPathFactory) -> Taught:
    folder = tmp_path_factory.mktemp("exposed")
    return Taught(folder, run_virtual(whole(folder, trial(ENOUGH), LIGL_C)))


@pytest.fixture(scope="module")
def flowing(tmp_path_factory: pytest.TempPathFactory) -> Taught:
    folder = tmp_path_factory.mktemp("flowing")
    return Taught(folder, run_virtual(whole(folder, bilayer(ENOUGH), BILAYER_C)))


def fields(event: Event) -> tuple[str, float]:
    return event.fields["source"], event.fields["energised_s"]


def sample(rig: Rig, source: str, name: str) -> Sample | None:
    return rig.console.tool.samples.get(f"pulse.{source}.{name}")


async def first_pulse(
    folder: Path, text: str, warm: dict[str, float], source: str, breaks: Callable[[Plant, float], None]
) -> tuple[Sample | None, Sample | None]:
    """Break something, start a run, and wait for the first pulse of a source: its ratio and whether it is judged."""
    async with Rig(folder, warm=warm) as rig:
        await rig.proven()
        breaks(rig.world.plant, rig.now_s)
        await rig.do(c.Upload(name="test", text=text))
        await rig.do(c.Start(name="test"))
        await rig.until(lambda: sample(rig, source, "number"), 120)
        return sample(rig, source, "ratio"), sample(rig, source, "judged")


def hours_later(monkeypatch: pytest.MonkeyPatch, hours: float) -> None:
    """Move the computer's clock on; virtual time has run ahead of it."""
    wall = stamp.utc_now
    monkeypatch.setattr(stamp, "utc_now", lambda: wall() + hours * 3600)


# --- healthy -------------------------------------------------------------------------------------------------------


def test_in_healthy_runs_of_both_recipes_every_judged_pulse_is_near_the_median(
    exposed: Taught, flowing: Taught
) -> None:
    kinds = {("LTB", 1.0), ("GL", 1.0), ("TMA", 0.015), ("H2O", 0.015), ("TMA", 0.03), ("EG", 0.5)}
    judged: dict[tuple[str, float], list[float]] = {kind: [] for kind in kinds}
    for record in (exposed.record, flowing.record):
        assert record.ending == "completed" and record.summary["trips"] == []
        for event in record.events("pulse"):
            assert event.fields["delta_p_pa"] > 10.0
            if event.fields["judged"]:
                judged[fields(event)].append(event.fields["ratio"])
    assert all(len(ratios) == ENOUGH - 5 for ratios in judged.values()), judged
    assert all(0.8 < ratio < 1.25 for ratios in judged.values() for ratio in ratios), judged


def test_every_dose_row_has_what_it_brought_and_the_report_draws_it(exposed: Taught) -> None:
    doses = exposed.record.doses()
    assert len(doses) == 2 * ENOUGH and all(dose.state == "confirmed" for dose in doses)
    assert all(10.0 < (dose.delta_p_pa or 0.0) < 40.0 for dose in doses)
    heights = pulse_heights(digest(exposed.record))
    assert [h.rise for h in heights] == pytest.approx([(dose.delta_p_pa or 0.0) / 133.322 for dose in doses], rel=1e-3)


# --- faults, on a tool that was restarted --------------------------------------------------------------------------

LOW = (-0.2, 0.5)
HIGH = (2.0, 1e6)
FAULTS: dict[str, tuple[str, Callable[[Plant, float], None], tuple[float, float]]] = {
    "LTB stuck closed": ("LTB", lambda plant, at_s: plant.stick_closed("LTB", at_s), LOW),
    "LTB empty": ("LTB", lambda plant, at_s: plant.empty_bottle("LTB", at_s), LOW),
    "LTB stuck open": ("LTB", lambda plant, at_s: plant.stick_open("LTB", at_s), HIGH),
    "TMA stuck closed": ("TMA", lambda plant, at_s: plant.stick_closed("TMA", at_s), LOW),
    "TMA empty": ("TMA", lambda plant, at_s: plant.empty_bottle("TMA", at_s), LOW),
    "TMA stuck open": ("TMA", lambda plant, at_s: plant.stick_open("TMA", at_s), HIGH),
    "water at TMA": ("TMA", lambda plant, at_s: plant.hang_bottle("TMA", "water", at_s), HIGH),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_shows_in_the_first_pulse_after_a_restart(
    fault: str, exposed: Taught, flowing: Taught, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hours_later(monkeypatch, 1)
    source, breaks, (low, high) = FAULTS[fault]
    taught, text, warm = (exposed, trial(1), LIGL_C) if source == "LTB" else (flowing, bilayer(1), BILAYER_C)
    ratio, judged = run_virtual(first_pulse(taught.copy(tmp_path / "tool"), text, warm, source, breaks))
    assert judged is not None and judged.value == 1.0
    assert ratio is not None and ratio.quality is Quality.GOOD and low < ratio.value < high


def test_after_a_night_and_after_a_new_bottle_pulses_are_compared_and_not_judged(
    exposed: Taught, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hours_later(monkeypatch, 9)
    found = run_virtual(first_pulse(exposed.copy(tmp_path / "night"), trial(1), LIGL_C, "LTB", lambda *_: None))
    monkeypatch.undo()
    hours_later(monkeypatch, 1)
    bottle = run_virtual(_new_bottle(exposed.copy(tmp_path / "bottle")))
    for ratio, judged in (found, bottle):
        assert judged is not None and judged.value == 0.0
        assert ratio is not None and 0.8 < ratio.value < 1.25


async def _new_bottle(folder: Path) -> tuple[Sample | None, Sample | None]:
    async with Rig(folder, warm=LIGL_C) as rig:
        card = {"label": "LTB-2", "precursor": "LiOtBu", "grams": "10 g"}
        await rig.do(c.SetRegister(name="bottle.LTB", value=card, by="Ann"))
        await rig.do(c.SetRegister(name="confirmed.LTB", value={"label": "LTB-2"}, by="Ann"))
        await rig.start(trial(1))
        await rig.until(lambda: sample(rig, "LTB", "number"), 120)
        return sample(rig, "LTB", "ratio"), sample(rig, "LTB", "judged")


def test_an_owner_lets_a_source_learn_anew_and_names_one_that_is_there(
    exposed: Taught, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hours_later(monkeypatch, 1)

    async def scene() -> None:
        async with Rig(exposed.copy(tmp_path / "tool"), warm=LIGL_C) as rig:
            text = await rig.refused(c.PulsesAnew(source="O3", reason="a test"), "no-such-source")
            assert "LTB" in text
            await rig.do(c.PulsesAnew(source="LTB", reason="another pick-up"))
            await rig.start(trial(1))
            await rig.until(lambda: sample(rig, "LTB", "number"), 120)
            judged = sample(rig, "LTB", "judged")
            assert judged is not None and judged.value == 0.0 and sample(rig, "LTB", "ratio") is None

    run_virtual(scene())


def test_a_gauge_that_breaks_during_a_dose_makes_a_pulse_without_a_figure(exposed: Taught, tmp_path: Path) -> None:
    async def scene() -> None:
        async with Rig(exposed.copy(tmp_path / "tool"), warm=LIGL_C) as rig:
            await rig.start(trial(1))
            await rig.until_open("LTB")
            coupler = rig.world.instruments["coupler-b"]
            assert isinstance(coupler, CouplerB)
            coupler.channels["pressure_torr"].broken = True
            await rig.until(lambda: sample(rig, "LTB", "number"), 30)
            ratio, judged = sample(rig, "LTB", "ratio"), sample(rig, "LTB", "judged")
            assert judged is not None and judged.value == 0.0
            assert ratio is not None and ratio.quality is Quality.BAD and isnan(ratio.value)

    run_virtual(scene())


# --- the cleared mark ----------------------------------------------------------------------------------------------

ONE_OF_EACH = """\
deposit:
  - pulse: {precursor: TMA, time: 15 ms}
  - purge: 5 s
  - pulse: {precursor: water, time: 15 ms}
  - purge: 5 s
"""


def two_bottles() -> Registers:
    """Nothing hangs that asks for more than ten minutes."""
    registers = loaded("lithium")
    for port in ("LTB", "GL", "EG"):
        registers = registers.without(f"bottle.{port}")
    return registers


def two_bottle_rig(folder: Path) -> Rig:
    rig = Rig(folder, warm=BILAYER_C)
    RegisterFile(folder / "registers.yaml", chemistry()).save(two_bottles())
    return rig


@virtually
async def test_the_mark_is_earned_by_a_hot_purge_and_a_rise_test_and_lost_by_a_dose_and_by_a_restart(
    tmp_path: Path,
) -> None:
    text = HEAD + WARM.replace(", ethylene glycol: 70 °C", "") + ONE_OF_EACH + FINISH
    async with two_bottle_rig(tmp_path) as rig:
        rig.console.clearing._clear_s = {"TMA": 130.0, "water": 60.0}
        await rig.start(text)
        assert (await rig.ended()).ending == "completed"
        status = rig.console.status()
        assert not status.cleared and any("hot purge" in line for line in status.not_cleared_because)
        await rig.do(c.SetRegister(name="leak", value="2 mTorr/min", by="Ann"))
        assert not rig.console.status().cleared
        waited_s = await rig.until(lambda: rig.console.status().cleared, 140, 1.0)
        assert waited_s > 120
        assert rig.console.status().not_cleared_because == []
        assert rig.console.tool.samples["register.cleared"].value == 1.0
        await rig.do(c.Start(name="test"))
        await rig.until_open("TMA")
        await rig.until(lambda: not rig.console.status().cleared, 0.2, 0.02)
        await rig.ended()
    async with two_bottle_rig(tmp_path) as again:
        await again.rest(0.3)
        assert not again.console.status().cleared and again.console.tool.samples["register.cleared"].value == 0.0
        assert again.console.clearing.state.dosed == {"TMA", "water"}
        assert "TMA, water was dosed" in again.console.clearing.told


@virtually
async def test_a_chamber_that_was_never_dosed_by_this_controller_is_not_cleared_either(tmp_path: Path) -> None:
    async with Rig(tmp_path) as rig:
        await rig.proven()
        assert not rig.console.status().cleared
        assert rig.console.clearing.state.dosed >= {"TMA", "glycerol"}
        assert "nothing is known" in rig.console.clearing.told
        rig.contact("gate_shut", False)
        await rig.rest(0.5)
        assert "its gate is not proven shut" in rig.console.status().not_cleared_because[0]
