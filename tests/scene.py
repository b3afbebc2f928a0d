"""A table of one or two plain checks, scanned second by second: what sentences about the interlock core need."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from ald_controller.interlocks import (
    Check,
    Facts,
    Level,
    Quality,
    Reaction,
    Reset,
    ResetRefused,
    RuleSet,
    Sample,
    State,
    boot,
    reset,
    step,
)
from ald_controller.interlocks.measures import Input, Value
from ald_controller.interlocks.setting import always
from tests.interlock_bench import WORDS

WARN, BLOCK, HOLD, PURGE, ISOLATE, ESTOP = list(Reaction)[1:]
AUTO, L1, L2, L3 = list(Reset)
FREE = Facts("IDLE", "VACUUM", lithium=False, pyrophoric=False)
OVEN, FLOW = Input("oven.c", -20, 400, 2.0), Input("mfc.sccm", 0, 500, 2.0)


def level(reaction: Reaction, limit: float, clear: float, reset: Reset = L1, **more: Any) -> Level:
    return Level(more.pop("row", "T1"), reaction, limit, clear, reset, more.pop("when", always), **more)


def check(*levels: Level, source: Input = OVEN, **more: Any) -> Check:
    """Of the oven, unless another input is named."""
    told = {"bad_as": None, "bad_row": "T7", "unit": "°C", "device": source.signal.partition(".")[0]} | more
    return Check(told.pop("name", source.signal), told.pop("measure", Value(source)), levels, **told)


class Scene:
    """A few checks and their inputs; the start is reset."""

    def __init__(self, *checks: Check, facts: Facts | None = None) -> None:
        self.now_s, self.facts = 100.0, facts or Facts("EXECUTING", "VACUUM")
        self.values = {"oven.c": 20.0, "mfc.sccm": 0.0}
        self.quality: dict[str, Quality] = {}
        self.samples: dict[str, Sample] = {}
        self.state = replace(boot(RuleSet(checks, WORDS), self.now_s), latched=(), first_out=None)
        self.scan()

    def scan(self, oven_c: float | None = None, *, after_s: float = 1.0, **more: float) -> State:
        """One second later, with these values."""
        self.now_s += after_s
        if oven_c is not None:
            self.values["oven.c"] = oven_c
        self.values |= {name.replace("_", "."): value for name, value in more.items()}
        for signal, value in self.values.items():
            self.samples[signal] = Sample(value, self.now_s, self.quality.get(signal, Quality.GOOD))
        self.state = step(self.state, self.samples, self.facts, self.now_s)
        return self.state

    @property
    def reactions(self) -> list[Reaction]:
        return [cause.reaction for cause in self.state.active]

    def reset(self, role: Any = "owner", *, key: bool = False, after_s: float = 0.0) -> State:
        self.now_s += after_s
        for signal, value in self.values.items():
            self.samples[signal] = Sample(value, self.now_s, self.quality.get(signal, Quality.GOOD))
        self.state = reset(self.state, self.samples, self.facts, self.now_s, role, key)
        return self.state

    def refused(self, role: Any = "owner", **how: Any) -> str:
        with pytest.raises(ResetRefused) as refused:
            self.reset(role, **how)
        return str(refused.value)
