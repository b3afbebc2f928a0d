"""The processing states of a tool (shaped like SEMI E30) and the one table of what may follow what."""

from __future__ import annotations

from typing import Literal

ProcessState = Literal[
    "IDLE", "MAINTENANCE", "SETTING_UP", "READY", "EXECUTING", "PAUSING", "PAUSED", "STOPPING", "ABORTING", "FAULT"
]
Ending = Literal["completed", "stopped", "aborted", "tripped", "interrupted"]
Event = Literal[
    "start", "ready", "deposit", "pause", "paused", "resume", "stop", "hold", "abort", "safe", "reset", "end"
]

# (state, event) -> state: the whole of what may follow what. An event that is not here is refused.
TRANSITIONS: dict[tuple[ProcessState, Event], ProcessState] = {
    ("IDLE", "start"): "SETTING_UP",
    ("SETTING_UP", "ready"): "READY",
    ("READY", "deposit"): "EXECUTING",
    ("EXECUTING", "pause"): "PAUSING",
    ("EXECUTING", "stop"): "STOPPING",
    ("PAUSING", "stop"): "STOPPING",
    ("PAUSED", "stop"): "STOPPING",
    ("PAUSING", "paused"): "PAUSED",
    ("PAUSING", "resume"): "EXECUTING",
    ("PAUSED", "resume"): "EXECUTING",
    ("EXECUTING", "hold"): "PAUSED",
    ("PAUSING", "hold"): "PAUSED",
    ("STOPPING", "hold"): "PAUSED",
    ("PAUSED", "hold"): "PAUSED",
    ("IDLE", "abort"): "ABORTING",
    ("SETTING_UP", "abort"): "ABORTING",
    ("READY", "abort"): "ABORTING",
    ("EXECUTING", "abort"): "ABORTING",
    ("PAUSING", "abort"): "ABORTING",
    ("PAUSED", "abort"): "ABORTING",
    ("STOPPING", "abort"): "ABORTING",
    ("FAULT", "abort"): "ABORTING",
    ("ABORTING", "safe"): "FAULT",
    ("FAULT", "reset"): "IDLE",
    ("IDLE", "reset"): "IDLE",
    ("PAUSED", "reset"): "PAUSED",
    ("SETTING_UP", "end"): "IDLE",
    ("READY", "end"): "IDLE",
    ("EXECUTING", "end"): "IDLE",
    ("PAUSING", "end"): "IDLE",
    ("STOPPING", "end"): "IDLE",
}


class Misplaced(Exception):
    """The verb does not fit the state; says which state it is."""


def follow(state: ProcessState, event: Event) -> ProcessState:
    """The state after `event`; raises Misplaced when the table has no such transition."""
    target = TRANSITIONS.get((state, event))
    if target is None:
        raise Misplaced(f"'{event}' does not fit the state {state}")
    return target
