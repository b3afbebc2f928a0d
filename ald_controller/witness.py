"""What a run's record needs beside its readings so that the interlocks can be asked again: facts, and fed samples.

A sample that no device gives (`asked.*`, `register.*`, `machine.*`, `valves.*` and others) is written when it changes,
and the facts are an event of kind `facts` when they do. `valves.sequence` changes with every report of the valve
process, so its readings tell how fresh the other `valves.*` were.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from itertools import compress
from operator import is_not

from ald_controller.interlocks import Facts, Sample
from ald_controller.tool import OnReadings, Tool


class Witness:
    """Looks after each scan; costs nothing while no run is recorded."""

    def __init__(self, tool: Tool, facts: Callable[[], Facts], tell: Callable[..., None]) -> None:
        self._tool, self._facts, self._tell = tool, facts, tell
        self._to: OnReadings | None = None
        self._fed: list[str] = []  # signals that no device gives
        self._last: list[Sample | None] = []  # theirs, at the last look; None = not yet in this record
        self._known = 0  # signals when those were sorted out
        self._told: Facts | None = None

    def look(self, now_s: float) -> None:
        """Write what has changed since the last look; everything, to a record that is new."""
        record = self._tool.on_readings
        if record is not self._to:
            self._to, self._told, self._last = record, None, [None] * len(self._fed)
        if record is None:
            return
        record(self._changed(now_s))
        facts = self._facts()
        if facts is not self._told and facts != self._told:
            self._told = facts
            self._tell("facts", **asdict(facts))

    def _changed(self, now_s: float) -> dict[str, Sample]:
        """The fed signals with another value than at the last look, as of now; sorted anew when one came or went."""
        samples = self._tool.samples
        now = list(map(samples.get, self._fed))
        if len(samples) != self._known or None in now:
            before, self._known = dict(zip(self._fed, self._last, strict=True)), len(samples)
            self._fed = [signal for signal in samples if signal.partition(".")[0] not in self._tool.devices]
            now, self._last = list(map(samples.get, self._fed)), list(map(before.get, self._fed))
        other = compress(zip(self._fed, now, self._last, strict=True), map(is_not, now, self._last))
        self._last = now
        return {
            signal: Sample(new.value, now_s, new.quality)
            for signal, new, old in other
            if new is not None and (old is None or old.value != new.value)
        }
