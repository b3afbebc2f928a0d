"""A listener hears of transitions, trips and ends of runs without comparing states."""

from __future__ import annotations

from typing import Any

import pytest

from ald_controller.commands import Alarm, RunStatus
from ald_controller.doors.mqtt import MqttDoor
from ald_controller.link import Broker
from tests.fake_handler import Clock, FakeHandler, make_desk, state


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> tuple[MqttDoor, list[tuple[str, dict[str, Any]]]]:
    door = MqttDoor(make_desk(FakeHandler(), Clock()), Broker("127.0.0.1", 1, "u", "p"), "0")
    heard: list[tuple[str, dict[str, Any]]] = []
    monkeypatch.setattr(door, "event", lambda kind, **fields: heard.append((kind, fields)))
    return door, heard


def run(name: str) -> RunStatus:
    return RunStatus(
        run=name, recipe="r", part="finish", step="", cycle=3, cycles=3, elapsed_s=1, duration_s=1, doses_confirmed=6,
        doses_planned=6, doses_missed=0, folder="f", ending="completed",
    )  # fmt: skip


def test_the_first_state_is_no_event(told: Any) -> None:
    door, heard = told
    door._tell_changes(state(1))
    door._tell_changes(state(2))
    assert heard == []


def test_a_transition_a_trip_and_an_end_are_each_told_once(told: Any) -> None:
    door, heard = told
    trip = Alarm(
        id="T1:substrate", row="T1", reaction="ABORT_PURGE", priority="critical", text="too hot", cause="too hot",
        since=0, live=True, latched=True, first_out=True,
    )  # fmt: skip
    door._tell_changes(state(1))
    after = state(2).model_copy(update={"state": "FAULT", "latched": True, "alarms": [trip], "last_run": run("r-1")})
    for _ in range(3):
        door._tell_changes(after)
    assert [kind for kind, _ in heard] == ["state", "trip", "ended"]
    assert heard[1][1]["row"] == "T1" and heard[1][1]["first_out"]
    assert heard[2][1] == {
        "run": "r-1", "recipe": "r", "ending": "completed", "doses_confirmed": 6, "doses_missed": 0,
    }  # fmt: skip


def test_an_alarm_that_stands_is_said_once_and_again_when_it_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    door = MqttDoor(make_desk(FakeHandler(), Clock()), Broker("127.0.0.1", 1, "u", "p"), "0")
    topics: list[str] = []
    monkeypatch.setattr(door, "_put", lambda topic, payload, **options: topics.append(topic))
    alarm = Alarm(
        id="K3:coupler-b", row="K3", reaction="ABORT_PURGE", priority="high", text="silent", cause="silent", since=1e9,
        live=True, latched=True, first_out=True,
    )  # fmt: skip
    for n in range(45):  # nine seconds of a standing alarm
        changed = alarm.model_copy(update={"state": "acknowledged", "acknowledged_by": "Bob"}) if n >= 20 else alarm
        status = state(n).model_copy(update={"alarms": [changed], "time": 1e9 + n / 5})
        door._say(status, 100.0 + n / 5)
    assert topics.count("state/alarms") == 2 and topics.count("stream") == 45
