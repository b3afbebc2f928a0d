"""The gate's lock and the box's mode between scans: steps them, moves the lock, and says what has happened.

What they are lies in `interlocks.gate` and `interlocks.boxmode`; whoever keeps registers listens to `heard`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Literal

from ald_controller import interlocks as il
from ald_controller.interlocks import boxmode, gate
from ald_controller.tool import Tool

Event = Literal["opened", "forced", "locking", "locked", "box-ready"]


_TOLD: dict[gate.Lock, Event] = {gate.Lock.LOCKING: "locking", gate.Lock.LOCKED: "locked"}


def _nobody(event: Event) -> None:
    """Until somebody listens."""


class GateKeeper:
    """Holds both for one tool; `scan` is called once in each scan of the guard, after the rules were judged."""

    def __init__(self, tool: Tool, setting: il.Setting) -> None:
        self._tool = tool
        self.gate = gate.Gate()
        self.regeneration: boxmode.Regeneration | None = None
        self.heard: Callable[[Event], None] = _nobody
        self.rebuild(setting)

    def rebuild(self, setting: il.Setting) -> None:
        """Another setting: what is read, and what counts as good air."""
        self._permissive, self._air = gate.permissive_of(setting), boxmode.Air.of(setting)

    def known(self, facts: il.Facts) -> il.Facts:
        """These facts, with what is known here."""
        known = (self.gate.released, self.regeneration is not None)
        same = (facts.gate_released, facts.regenerating) == known
        return facts if same else replace(facts, gate_released=known[0], regenerating=known[1])

    def scan(self, state: il.State, samples: il.Samples, facts: il.Facts) -> None:
        """One look at `state.at_s`, at the samples of that moment: the lock follows, and what is new is said."""
        before, mode = self.gate, self.regeneration
        self.gate = gate.step(before, self._permissive, state, samples, facts)
        self._tool.release_gate(self.gate.energised)
        if mode is not None:
            self.regeneration = boxmode.step(mode, self._air.good(samples, state.at_s), state.at_s)
        for event in self._news(before, mode):
            self.heard(event)

    def _news(self, before: gate.Gate, mode: boxmode.Regeneration | None) -> list[Event]:
        now = self.gate
        out: list[Event] = []
        if now.open and not before.open:
            out.append("opened" if before.released else "forced")
        if now.lock is not before.lock and (event := _TOLD.get(now.lock)) is not None:
            out.append(event)
        if mode is not None and self.regeneration is None:
            out.append("box-ready")
        return out
