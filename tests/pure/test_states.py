"""The table of states as a whole: what it must never allow and always allow."""

from __future__ import annotations

from typing import get_args

import pytest

from ald_controller.states import TRANSITIONS, Event, Misplaced, ProcessState, follow

STATES: tuple[ProcessState, ...] = get_args(ProcessState)
RUNNING: tuple[ProcessState, ...] = ("SETTING_UP", "READY", "EXECUTING", "PAUSING", "PAUSED", "STOPPING")


@pytest.mark.parametrize("state", (*RUNNING, "IDLE", "FAULT"))
def test_an_abort_fits_every_state_but_its_own_and_leads_to_fault_and_then_idle(state: ProcessState) -> None:
    assert follow(state, "abort") == "ABORTING"
    assert follow("ABORTING", "safe") == "FAULT" and follow("FAULT", "reset") == "IDLE"


def test_a_hold_always_leads_to_a_pause_and_nothing_but_resume_or_stop_leads_out_of_it() -> None:
    assert {to for (_, event), to in TRANSITIONS.items() if event == "hold"} == {"PAUSED"}
    assert {e: to for (state, e), to in TRANSITIONS.items() if state == "PAUSED" and to != "PAUSED"} == {
        "resume": "EXECUTING", "stop": "STOPPING", "abort": "ABORTING",
    }  # fmt: skip


def test_a_reset_never_sets_anything_going() -> None:
    for state in STATES:
        if (state, "reset") in TRANSITIONS:
            assert TRANSITIONS[state, "reset"] in ("IDLE", "PAUSED")


def test_only_idle_can_start_and_only_a_run_can_end() -> None:
    assert [s for s in STATES if (s, "start") in TRANSITIONS] == ["IDLE"]
    assert "PAUSED" not in [s for s in STATES if (s, "end") in TRANSITIONS]


def test_every_state_and_event_is_either_in_the_table_or_refused_with_both_their_names() -> None:
    for state in STATES:
        for event in get_args(Event):
            if (state, event) in TRANSITIONS:
                assert follow(state, event) == TRANSITIONS[state, event]
            else:
                with pytest.raises(Misplaced, match=f"'{event}' .* {state}"):
                    follow(state, event)
