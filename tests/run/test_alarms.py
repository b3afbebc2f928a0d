"""One fault is one alarm: what a person is told when something breaks in a run, who has seen it, and what is kept."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from ald_controller import commands as c
from ald_controller.commands import Alarm
from ald_controller.records.alarmlog import read_alarm_log
from ald_controller.shipped import DEPLOY
from simulators.faults import Fault
from simulators.virtualtime import run_virtual
from tests.run.rig import LIGL_C, OPERATOR, Rig, edited, ligl, virtually

FLOOD = 10  # alarms in ten minutes


async def _dosing(rig: Rig) -> None:
    await rig.start(ligl(3))
    await rig.until_open("LTB")


def _silent(rig: Rig, device: str) -> None:
    rig.world.faults[device].put(Fault(silent=True))


def _alarms(rig: Rig, *states: str) -> list[Alarm]:
    """Those in these states; a note asks nobody to do anything."""
    return [a for a in rig.console.status().alarms if a.row != "note" and (not states or a.state in states)]


async def _told(rig: Rig) -> dict[str, list[str]]:
    """What has happened to alarms since the reset, by kind: the rows."""
    out: dict[str, list[str]] = {}
    for row in reversed((await rig.do(c.GetAlarmHistory(newest=2000))).data["changes"]):
        out.setdefault(row["event"], []).append(row["row"])
    return out


Break = Callable[[Rig], object]
FAULTS: dict[str, tuple[str, Break]] = {
    "the valve module is silent": ("K3", lambda rig: _silent(rig, "valves")),
    "the only sensor of a zone is silent": ("K14", lambda rig: _silent(rig, "chamber")),
    "compressed air is lost": ("C15", lambda rig: rig.contact("compressed_air_ok", False)),
    "the E-stop is pressed": ("K18", lambda rig: rig.contact("estop_ok", False)),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_one_fault_in_a_run_is_one_alarm_and_its_consequences_are_suppressed(fault: str, tmp_path: Path) -> None:
    row, break_it = FAULTS[fault]

    async def scenario() -> None:
        async with Rig(tmp_path, warm=LIGL_C) as rig:
            await _dosing(rig)
            before = await _told(rig)
            break_it(rig)
            await rig.rest(15)
            standing = _alarms(rig)
            assert [a.row for a in standing if a.first_out] == [row], standing
            announced = [a for a in standing if a.state != "suppressed"]
            assert [a.row for a in announced] == [row], announced
            assert {a.suppressed_by for a in standing if a.state == "suppressed"} == {row}
            assert rig.console.status().alarms_per_10_min <= FLOOD
            after = await _told(rig)
            assert len(after["raised"]) == len(before["raised"]) + 1
            assert set(after["suppressed"]) - set(before["suppressed"]) <= {a.row for a in standing}

    run_virtual(scenario())


@virtually
async def test_a_silent_input_module_makes_many_values_old_and_all_of_them_are_shown_as_its_consequence(
    tmp_path: Path,
) -> None:
    async with Rig(tmp_path, warm=LIGL_C) as rig:
        await _dosing(rig)
        before = await _told(rig)
        _silent(rig, "coupler-b")
        await rig.rest(20)
        assert len((await _told(rig))["raised"]) == len(before["raised"]) + 1
        assert rig.console.status().alarms_per_10_min <= FLOOD
        hidden = _alarms(rig, "suppressed")
        assert len(hidden) > FLOOD, "this is the flood that nobody has to read"
        assert {"K14", "abort"} <= {a.row for a in hidden} and {a.suppressed_by for a in hidden} == {"K3"}
        first = rig.console.status().alarms[0]
        assert (first.id, first.first_out, first.state, first.priority) == (
            "K3:coupler-b", True, "unacknowledged", "high",
        )  # fmt: skip
        assert first.cause and first.consequence and first.action and first.text.startswith(first.cause)
        since = {a.id: a.since for a in _alarms(rig)}
        await rig.rest(5)
        assert {a.id: a.since for a in _alarms(rig)} == since, "an alarm that stands is not published again"

        rig.world.faults["coupler-b"].clear()
        await rig.until(lambda: not rig.console.tool.absent and not rig.console.guard.state.active, 60)
        await rig.rest(11)
        assert _alarms(rig, "suppressed") and rig.console.guard.state.latched
        loose = c.Reset(reason="its plug was loose")
        reply = await rig.ask(loose, OPERATOR)  # nobody knows whether the E-stop was pressed meanwhile
        assert (reply.code, reply.text) == ("reset-refused", "this reset needs the role owner")
        assert "needs the button at the tool" in await rig.refused(loose, "reset-refused")
        rig.contact("confirm_button", True)
        await rig.rest(0.5)
        rig.contact("confirm_button", False)
        await rig.do(loose)
        await rig.rest(0.3)
        assert not [a for a in _alarms(rig) if a.row in ("K3", "K14", "abort")]


@virtually
async def test_an_operator_acknowledges_by_name_and_what_nobody_has_seen_waits_for_somebody(tmp_path: Path) -> None:
    async with Rig(tmp_path) as rig:
        await rig.proven()
        rig.world.plant.o2_ppm = rig.world.plant.h2o_ppm = 8.0
        await rig.until(lambda: len([a for a in _alarms(rig) if a.row == "G1"]) == 2, 60)
        assert (await rig.ask(c.Acknowledge(alarm="G1:coupler-b.o2_ppm", by="Charlie"), OPERATOR)).ok
        seen = {a.id: (a.state, a.acknowledged_by) for a in _alarms(rig) if a.row == "G1"}
        assert seen == {
            "G1:coupler-b.o2_ppm": ("acknowledged", "Charlie (Bob)"), "G1:coupler-b.h2o_ppm": ("unacknowledged", ""),
        }  # fmt: skip
        assert "G1:coupler-b.h2o_ppm" in await rig.refused(c.Acknowledge(alarm="G2"), "no-such-alarm")
        rig.world.plant.o2_ppm = rig.world.plant.h2o_ppm = 0.2
        await rig.until(lambda: [a for a in _alarms(rig, "returned") if a.row == "G1"], 120)
        assert [a.id for a in _alarms(rig) if a.row == "G1"] == ["G1:coupler-b.h2o_ppm"]
        await rig.do(c.Acknowledge(alarm="all"))
        assert not [a for a in _alarms(rig) if a.row == "G1"]
    rows = read_alarm_log(tmp_path / "tool.db")
    past = [(row["event"], row["by"]) for row in reversed(rows) if row["name"] == "coupler-b.o2_ppm"]
    assert past[-3:] == [("raised", ""), ("acknowledged", "Charlie (Bob)"), ("over", "")]
    assert all(row["at"] > 1e9 and row["text"] for row in rows)


@virtually
async def test_what_an_owner_resets_needs_a_reason_and_the_refusal_is_the_checklist(tmp_path: Path) -> None:
    async with Rig(tmp_path, warm=LIGL_C) as rig:
        await _dosing(rig)
        rig.contact("pump_running", False)
        await rig.ended(60)
        rig.contact("pump_running", True)
        await rig.until_state("FAULT", 10)
        await rig.rest(11)
        why = await rig.refused(c.Reset(), "reset-refused")
        assert "reason" in why and "C8: Look at the pump" in why
        assert rig.latched
        await rig.do(c.Reset(reason="the pump's breaker had dropped"))
        assert not rig.latched
        await rig.rest(0.3)
        assert not [a for a in _alarms(rig) if a.row in ("C8", "abort")], "who resets has seen what was latched"


@virtually
async def test_an_abort_by_a_person_is_the_first_out_and_has_words(tmp_path: Path) -> None:
    async with Rig(tmp_path, warm=LIGL_C) as rig:
        await _dosing(rig)
        await rig.do(c.Abort(why="smoke"))
        first = rig.console.status().alarms[0]
        assert (first.row, first.first_out, first.state) == ("abort", True, "unacknowledged")
        assert "smoke" in first.cause and first.action


@virtually
async def test_notes_are_acknowledged_together(tmp_path: Path) -> None:
    async with Rig(tmp_path) as rig:
        rig.console.guard.note("one")
        rig.console.guard.note("two")
        notes = [a for a in rig.console.status().alarms if a.row == "note"]
        assert [a.text for a in notes][-2:] == ["one", "two"]
        assert "acknowledged" in (await rig.do(c.Acknowledge(alarm="note"))).text
        assert not [a for a in rig.console.status().alarms if a.row == "note"]


@virtually
async def test_a_bypass_is_seen_with_its_owner_its_reason_and_its_end(tmp_path: Path) -> None:
    async with Rig(tmp_path, load="silicon") as rig:
        await rig.proven()
        guard = rig.console.guard
        guard.facts = replace(guard.facts, pyrophoric=False)  # as if nothing that burns hung there
        await rig.do(c.Bypass(row="G1", minutes=20, reason="calibrating the analyser"))
        (shown,) = rig.console.status().bypasses
        assert (shown.row, shown.by, shown.reason) == ("G1", "Ann", "calibrating the analyser")
        assert shown.ends - rig.console.status().time == pytest.approx(1200, abs=5)


@virtually
async def test_a_site_has_its_own_words_beside_its_tool_file(tmp_path: Path) -> None:
    words = yaml.safe_load((DEPLOY / "alarms.yaml").read_text("utf-8"))
    words["K5"] |= {"action": "Ring 4711 first.", "priority": "low"}
    (tmp_path / "alarms.yaml").write_text(yaml.safe_dump(words, allow_unicode=True), "utf-8")
    file = edited(tmp_path, lambda raw: None)
    async with Rig(tmp_path / "state", file=file) as rig:
        await rig.rest(0.2)
        first = rig.console.status().alarms[0]
        assert (first.row, first.action, first.priority) == ("K5", "Ring 4711 first.", "low")
