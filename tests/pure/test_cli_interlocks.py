"""`ald interlocks`, `ald alarms` and `ald bottle` as a person types them, and what they say without a controller."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from ald_controller.alarms import Alarm, Change, Stage
from ald_controller.cli import alarms as alarm_cli
from ald_controller.cli.commands import ald
from ald_controller.cli.matrixtext import matrix_text
from ald_controller.cli.pastrun import seconds_of
from ald_controller.explain import matrix_of
from ald_controller.interlocks import MATRIX, Reaction, Reset
from ald_controller.records.alarmlog import AlarmLog
from ald_controller.records.audit import Audit
from ald_controller.shipped import DEPLOY
from tests.interlock_bench import RULES

TOOL = ("--tool", str(DEPLOY / "tool.yaml"), "--registers", str(DEPLOY / "registers-simulated.yaml"))
AT = 1_900_000_000.0


def typed(*words: str | Path, answer: str = "") -> Result:
    return CliRunner().invoke(ald, [str(word) for word in words], input=answer)


# --- the matrix ------------------------------------------------------------------------------------------------------


def test_the_whole_matrix_of_a_tool_file_is_told_without_a_controller() -> None:
    result = typed("interlocks", "list", *TOOL)
    assert result.exit_code == 0, result.output
    heads = [line.split()[0] for line in result.output.splitlines() if line and line[0] in "TCGK" and line[1].isdigit()]
    assert heads == list(MATRIX)
    assert "substrate ≥ 170 °C" in result.output and "not guarded here: K20" in result.output


def test_the_same_as_json_and_for_some_rows_only() -> None:
    data = json.loads(typed("interlocks", "list", "T1", *TOOL, "--json").output)
    (row,) = data["rows"]
    assert row["id"] == "T1" and row["priority"] == "critical" and not row["override"]
    assert {"limit", "clear", "persist_s", "when", "reset", "reaction"} <= row["limits"][0].keys()
    assert len(data["limits"].split("-")) == 4 and data["not_guarded"]


@pytest.mark.parametrize("width", [80, 140])
def test_no_line_of_the_matrix_is_cut(width: int) -> None:
    rows = [asdict(row) for row in matrix_of(RULES)]
    data = {"tool": "x", "of": "here", "limits": "a", "confirmed": True, "rows": rows, "not_guarded": []}
    text = matrix_text(data, width)
    assert max(map(len, text.splitlines())) <= width and "…" not in text


# --- explain ---------------------------------------------------------------------------------------------------------


def test_typed_values_get_a_verdict_that_says_what_clears_it() -> None:
    result = typed("interlocks", "explain", "substrate.temperature_c=171", "gate=unlocked", "--for", "12s", *TOOL)
    assert result.exit_code == 0, result.output
    text = " ".join(result.output.split())
    assert "▶ T1 abort, at once substrate is at 172.4 °C, the limit is 170 °C" in text
    assert "clears: substrate ≤ 150 °C for 10 s; then an owner's reset, with a reason" in text
    assert "follows substrate.temperature_c: coupler-b.substrate_2_c = 171.4 °C" in text
    assert "the tool aborts and isolates" in text and "gate not proven shut" in text


def test_a_verdict_as_json_has_names_and_numbers() -> None:
    data = json.loads(typed("interlocks", "explain", "coupler-b.o2_ppm=7", "--for", "12", *TOOL, "--json").output)
    (one,) = data["verdict"]["standing"]
    assert (one["row"], one["reaction"], data["verdict"]["level"]) == ("G1", "BLOCK", "BLOCK")
    assert data["held"] == {"coupler-b.o2_ppm": 7.0}


def test_without_values_a_healthy_tool_is_told_and_all_names_what_was_taken() -> None:
    result = typed("interlocks", "explain", "--all", "--for", "1 s", *TOOL)
    assert result.exit_code == 0 and "no row acts" in result.output and "valves.armed = 1" in result.output


@pytest.mark.parametrize(
    ("code", "words", "told"),
    [
        (2, "list X9", "there is no row X9"),
        (2, "explain substrate=171", "did you mean substrate.temperature_c"),
        (2, "explain gate=open --for soon", "is not a time"),
        (2, "explain gate=open --for 48h", "at most a day"),
        (2, "explain --at 1:00", "say which, with --run FOLDER"),
        (2, "explain gate=open --run {folder}", "leave the others out"),
        (1, "explain --run {folder}", "registers.yaml"),
        (1, "explain gate=open --tool {folder}/none.yaml", "none.yaml:1:1: cannot be read"),
        (3, "list --socket {folder}/none", "no controller has a door there"),
        (2, "bypass G1 --reason why", "Missing option '--minutes'"),
        (2, "bypass G1 --minutes 61 --reason why", "61"),
        (3, "restore G1 --socket {folder}/none", "no controller has a door there"),
    ],
)
def test_a_wrong_word_gets_a_sentence_and_a_code(tmp_path: Path, code: int, words: str, told: str) -> None:
    given = words.format(folder=tmp_path).split()
    tool = [] if "--tool" in given or "--run" in given or "--socket" in given or given[0] == "bypass" else TOOL
    result = typed("interlocks", *given, *tool)
    assert result.exit_code == code, result.output
    assert told in " ".join(result.output.split()) and "Traceback" not in result.output


@pytest.mark.parametrize(("text", "seconds"), [("1:23:45", 5025), ("12:30", 750), ("75", 75), ("7.5 s", 7.5)])
def test_a_moment_of_a_run_is_typed_as_a_clock_or_in_seconds(text: str, seconds: float) -> None:
    assert seconds_of(text) == seconds


@pytest.mark.parametrize("text", ["", "soon", "1:2:3:4", "-5", "1h"])
def test_what_is_no_moment_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="1:23:45"):
        seconds_of(text)


# --- alarms ----------------------------------------------------------------------------------------------------------


def shown(row: str, **more: Any) -> dict[str, Any]:
    alarm = {
        "id": f"{row}:x", "row": row, "reaction": "HOLD", "priority": "high", "state": "unacknowledged",
        "text": "", "cause": f"{row} cause", "consequence": "its consequence", "action": "what to do", "since": AT,
        "live": True, "latched": True, "first_out": False, "suppressed_by": "", "acknowledged_by": "",
    }  # fmt: skip
    return alarm | more


def status(*alarms: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"time": AT + 75, "alarms": list(alarms), "alarms_per_10_min": 1, "bypasses": [], **more}


@pytest.mark.parametrize("width", [80, 120])
def test_alarms_are_told_with_what_to_do_and_consequences_are_counted(width: int) -> None:
    hidden = [shown("K14", state="suppressed", suppressed_by="K3") for _ in range(12)]
    seen = shown("G1", state="acknowledged", acknowledged_by="Bob [x]", priority="low", live=False, latched=False)
    text = alarm_cli.told(status(shown("K3", first_out=True), seen, *hidden), width=width)
    lines = text.splitlines()
    assert lines[0].startswith("▶ K3") and "K3 cause" in lines[0] and max(map(len, lines)) <= width
    assert "→ what to do" in text and "its consequence" in text and "1 min 15 s ago" in text
    assert "by Bob [x]" in text and "(no longer so)" in text, "what a person wrote is not taken for markup"
    assert "12 consequences are suppressed: 12 of K3; --all shows them" in text and "K14" not in text
    everything = alarm_cli.told(status(shown("K3"), *hidden), everything=True, width=width)
    assert everything.count("K14 cause") == 12


def test_no_alarm_is_said_and_a_flood_and_a_bypass_are_said_too() -> None:
    assert "no alarm stands" in alarm_cli.told(status())
    text = alarm_cli.told(
        status(shown("K3", first_out=True), alarms_per_10_min=14,
               bypasses=[{"row": "G1", "by": "Ann", "reason": "calibration", "ends": AT + 675}])
    )  # fmt: skip
    assert "14 alarms in ten minutes" in text and "row G1 is bypassed by Ann for 10 min more: calibration" in text


async def _history(folder: Path) -> None:
    audit = await Audit.open(folder / "tool.db", inline=True)
    log = await AlarmLog.open(audit.writer)
    one = Alarm("K3", "coupler-b", Reaction.HOLD, "high", "K3: silent [x]", "c", "a", Reset.L1, AT,
                Stage.UNACKNOWLEDGED, True, True, True)  # fmt: skip
    log.put(Change("raised", one), AT)
    log.put(Change("acknowledged", one, "Bob"), AT + 5)
    await audit.close()
    again = await Audit.open(folder / "tool.db", inline=True)
    assert [row["event"] for row in (await AlarmLog.open(again.writer)).newest(9)] == ["acknowledged", "raised"]
    await again.close()


async def test_the_history_outlives_the_controller_and_is_told_newest_first(tmp_path: Path) -> None:
    await _history(tmp_path)
    result = typed("alarms", "history", "--state", tmp_path)
    assert result.exit_code == 0, result.output
    lines = result.output.splitlines()
    assert "2030-03-17 17:46:45  acknowledged by Bob" in lines[1] and "raised" in lines[2] and "K3 ▶" in lines[2]
    assert "silent [x]" in lines[2]
    rows = json.loads(typed("alarms", "history", "--state", tmp_path, "--json").output)["data"]["changes"]
    assert [row["by"] for row in rows] == ["Bob", ""] and rows[0]["at"] == AT + 5


@pytest.mark.parametrize(
    ("code", "words", "told"),
    [
        (1, "alarms history --state {folder}", "no history of alarms can be read there"),
        (3, "alarms --socket {folder}/none", "no controller has a door there"),
        (2, "alarms ack", "Missing argument"),
        (3, "alarms ack K3 --socket {folder}/none", "no controller has a door there"),
        (3, "bottle list --socket {folder}/none", "no controller has a door there"),
        (2, "bottle confirm TMA", "Missing option '--by'"),
        (3, "reset --reason why --socket {folder}/none", "no controller has a door there"),
    ],
)
def test_a_wrong_word_about_alarms_gets_a_sentence_and_a_code(tmp_path: Path, code: int, words: str, told: str) -> None:
    result = typed(*words.format(folder=tmp_path).split())
    assert result.exit_code == code, result.output
    assert told in " ".join(result.output.split()) and "Traceback" not in result.output


def test_a_sites_broken_words_are_refused_at_their_line_before_anything_starts(tmp_path: Path) -> None:
    (tmp_path / "tool.yaml").write_text((DEPLOY / "tool.yaml").read_text("utf-8"), "utf-8")
    (tmp_path / "alarms.yaml").write_text("T1:\n  cause: hot\n  priority: urgent\n", "utf-8")
    result = typed("daemon", "--tool", tmp_path / "tool.yaml", "--state", tmp_path / "state")
    assert result.exit_code == 1 and not (tmp_path / "state").exists()
    assert "alarms.yaml:3:13: 'critical', 'high', 'medium' or 'low' is expected; got 'urgent'" in result.output


# --- commissioned constants ------------------------------------------------------------------------------------------


def test_constants_are_told_with_who_signed_which_rows_use_them_and_what_is_missing() -> None:
    result = typed("commission", "list", *TOOL, "--json")
    assert result.exit_code == 0, result.output
    rows = {row["name"]: row for row in json.loads(result.output)["constants"]}
    assert (rows["constant.volume"]["value"], rows["constant.volume"]["by"]) == ("0.5 L", "simulation")
    assert {"T1", "T2"} <= set(rows["constant.heater.substrate"]["rows"]) and "C9" in rows["constant.stop"]["rows"]
    assert rows["constant.heater.lines"]["value"] is None
    text = typed("commission", "list", *TOOL).output
    assert "MISSING" in next(line for line in text.splitlines() if line.startswith("heater.lines"))
