"""What a terminal shows of a run that waits."""

from __future__ import annotations

from typing import Any

from ald_controller.cli.follow import run_line, status_text
from ald_controller.commands import Alarm, BypassStatus, RunStatus
from tests.fake_handler import state

WHY = "coupler-b: the output watchdog has tripped"


def run(why: str) -> RunStatus:
    return RunStatus(
        run="r-1", recipe="trial", part="deposit", step="purge 20 s", cycle=1, cycles=3, elapsed_s=1, duration_s=9,
        doses_confirmed=1, doses_planned=6, doses_missed=0, folder="f", why=why,
    )  # fmt: skip


def shown(why: str) -> dict[str, Any]:
    return state(1).model_copy(update={"run": run(why)}).model_dump(mode="json")


def test_a_hold_says_why_it_waits_and_what_goes_on() -> None:
    text = status_text(shown(WHY))
    assert WHY in text and "ald resume" in text
    assert run_line(shown(WHY)["run"]).endswith(f"waits: {WHY}")


def test_valves_near_their_service_hide_no_alarm_and_are_hidden_by_none() -> None:
    def alarm(row: str, text: str) -> Alarm:
        return Alarm(
            id=row, row=row, reaction="WARN", priority="low", text=text, cause=text, since=1, live=True, latched=False
        )

    due = [alarm("service", f"TMA-{i}: 9 actuations; service is due after 10") for i in range(4)]
    alarms = [*due, *(alarm("note", f"note {i}") for i in range(4))]
    text = status_text(state(1).model_copy(update={"alarms": alarms}).model_dump(mode="json"))
    assert [line.split()[0] for line in text.splitlines() if "note" in line] == ["alarm"] * 3
    told = [line for line in text.splitlines() if line.startswith("service")]
    assert len(told) == 4 and told[-1].split()[1:] == "1 more: `ald valves`".split()


def test_a_run_that_goes_on_waits_for_nothing() -> None:
    assert "waits" not in status_text(shown("")) and "waits" not in run_line(shown("")["run"])


def test_between_runs_it_says_whether_the_chamber_is_cleared_and_what_is_missing() -> None:
    missing = {"not_cleared_because": ["hot purge after water: 4 of 10 min"]}
    text = status_text(state(1).model_copy(update=missing).model_dump(mode="json"))
    assert "cleared" in text and "no: hot purge after water: 4 of 10 min" in text
    assert "yes" in status_text(state(1).model_copy(update={"cleared": True}).model_dump(mode="json"))


def test_the_first_out_leads_with_what_to_do_and_consequences_and_bypasses_are_said() -> None:
    def alarm(row: str, **more: Any) -> Alarm:
        told = {"id": row, "row": row, "reaction": "HOLD", "priority": "high", "text": row, "cause": f"{row} cause"}
        return Alarm(**{**told, "since": 1, "live": True, "latched": True, **more})

    alarms = [
        alarm("K3", first_out=True, action="Look at its cable."),
        alarm("G1", state="acknowledged", acknowledged_by="Bob"),
        *(alarm("K14", state="suppressed", suppressed_by="K3") for _ in range(9)),
    ]  # fmt: skip
    bypass = BypassStatus(row="G7", by="Ann", reason="calibration", ends=1e9 + 600)
    told = state(1).model_copy(update={"alarms": alarms, "bypasses": [bypass]}).model_dump(mode="json")
    lines = status_text(told).splitlines()
    assert lines[2].split() == "alarm ▶ K3 K3 cause".split() and lines[3].strip() == "→ Look at its cable."
    assert "[acknowledged by Bob]" in lines[4]
    assert lines[5].strip() == "9 suppressed as consequences: `ald alarms`"
    assert lines[6].startswith("BYPASS") and "row G7 is bypassed by Ann for 10 min more: calibration" in lines[6]
