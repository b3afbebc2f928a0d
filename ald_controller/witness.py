"""What a run's record needs beside its readings so that the interlocks can be asked again: facts, and fed samples.

A sample that no device gives (`asked.*`, `register.*`, `machine.*`, `valves.*` and others) is written when it changes,
and the facts are an event of kind `facts` when they do. `valves.sequence` changes with every report of the valve
process, so its readings tell how fresh the other `valves.*` were.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict

from ald_controller.interlocks import Facts
from ald_controller.tool import OnReading, Tool


class Witness:
    """Looks after each scan; costs nothing while no run is recorded."""

    def __init__(self, tool: Tool, facts: Callable[[], Facts], tell: Callable[..., None]) -> None:
        self._tool, self._facts, self._tell = tool, facts, tell
        self._to: OnReading | None = None
        self._said: dict[str, float] = {}
        self._fed: list[str] = []  # signals that no device gives
        self._known = 0  # signals when those were sorted out
        self._told: Facts | None = None

    def look(self, now_s: float) -> None:
        """Write what has changed since the last look; everything, to a record that is new."""
        record = self._tool.on_reading
        if record is not self._to:
            self._to, self._said, self._told = record, {}, None
        if record is None:
            return
        said, samples = self._said, self._tool.samples
        for signal in self._sorted_out():
            sample = samples[signal]
            if said.get(signal) != sample.value:
                said[signal] = sample.value
                record(signal, now_s, sample.value, sample.quality.value)
        facts = self._facts()
        if facts != self._told:
            self._told = facts
            self._tell("facts", **asdict(facts))

    def _sorted_out(self) -> list[str]:
        """The signals that are fed; looked for anew only when one has come or gone."""
        samples = self._tool.samples
        if len(samples) != self._known or not all(map(samples.__contains__, self._fed)):
            self._known = len(samples)
            self._fed = [signal for signal in samples if signal.partition(".")[0] not in self._tool.devices]
        return self._fed
