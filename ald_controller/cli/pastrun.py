"""A past run as the interlocks saw it: scans over the readings, the fed samples and the facts on its record."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Any

from ald_controller.config import ToolConfig
from ald_controller.explain import Moment
from ald_controller.interlocks import Facts, Quality, Sample
from ald_controller.records.blocks import QUALITIES, Series
from ald_controller.records.record import RunRecord

SCAN_S = 0.1
BEFORE_S = 1800.0  # as much of a run is played before the moment: no row looks further back
HEARTBEAT = "valves.sequence"
_CLOCK = re.compile(r"(?:(?:(\d+):)?(\d{1,2}):)?(\d{1,2}(?:\.\d+)?)\Z")
_QUALITY = [Quality(word) for word in QUALITIES]


class CannotReplay(Exception):
    """This record cannot be judged again: says why."""


def seconds_of(text: str) -> float:
    """1:23:45, 12:30, 75 or 75 s since the start of the run, in seconds; raises ValueError with a sentence."""
    match = _CLOCK.match(text.strip().removesuffix("s").strip())
    if match is None:
        raise ValueError(f"'{text}': write h:mm:ss, m:ss or seconds since the start of the run, for example 1:23:45")
    hours, minutes, seconds = match.groups()
    return int(hours or 0) * 3600 + int(minutes or 0) * 60 + float(seconds)


@dataclass(slots=True)
class _Channel:
    """One series, read on as time goes; a fed one is as new as the scan that it is in."""

    name: str
    series: Series
    at: int = 0

    def upto(self, now_s: float) -> bool:
        """Whether there is a newer reading than before."""
        times, before = self.series.times, self.at
        while self.at < len(times) and times[self.at] <= now_s:
            self.at += 1
        return self.at > before

    @property
    def newest(self) -> tuple[float, float, Quality]:
        n = max(self.at - 1, 0)
        return self.series.times[n], self.series.values[n], _QUALITY[self.series.quality[n]]


class PastRun:
    """What is on record of one run, scan by scan. Raises CannotReplay, and RecordError for a record that is broken."""

    def __init__(self, record: RunRecord, config: ToolConfig) -> None:
        self.record = record
        known = {f.name for f in fields(Facts)}
        self._facts = [
            (e.at_s, Facts(**{name: value for name, value in e.fields.items() if name in known}))
            for e in record.events("facts")
        ]
        channels = record.channels()
        if not self._facts or HEARTBEAT not in channels:
            raise CannotReplay(
                f"{record.folder}: this record does not say what the tool knew of itself: it was written by an older "
                "version, and its interlocks cannot be asked again"
            )
        series = [_Channel(name, record.series(name)) for name in channels]
        self._read = [c for c in series if c.name.partition(".")[0] in config.devices and c.series.times]
        self._fed = [c for c in series if c.name.partition(".")[0] not in config.devices and c.series.times]
        self.start_s, self.end_s = record.header.start_s, record.end_s

    def moments(self, until_s: float, from_s: float) -> Iterator[Moment]:
        """Scans from `from_s` to `until_s`, seconds since the start of the run."""
        samples: dict[str, Sample] = {}
        resets = [e.at_s for e in self.record.events("reset")]
        first_s = self.start_s + from_s
        self._begin(samples, first_s)
        for n in range(round((until_s - from_s) / SCAN_S) + 1):
            now_s = first_s + n * SCAN_S
            self._go_on(samples, now_s)
            released = any(now_s - SCAN_S < at_s <= now_s for at_s in resets)
            yield Moment(now_s, samples, self._facts_at(now_s), released)

    def _begin(self, samples: dict[str, Sample], now_s: float) -> None:
        """Before a channel's first reading on record it had that value, too: the run began with every device there."""
        for channel in (*self._read, *self._fed):
            channel.at = 0
            channel.upto(now_s)
            _, value, quality = channel.newest
            samples[channel.name] = Sample(value, now_s, quality)

    def _go_on(self, samples: dict[str, Sample], now_s: float) -> None:
        for channel in self._read:
            if channel.upto(now_s):
                at_s, value, quality = channel.newest
                samples[channel.name] = Sample(value, at_s, quality)
        beat_s = now_s
        for channel in self._fed:
            channel.upto(now_s)
            at_s, value, quality = channel.newest
            beat_s = at_s if channel.name == HEARTBEAT else beat_s
            samples[channel.name] = Sample(value, now_s, quality)
        for channel in self._fed:
            if channel.name.startswith("valves."):
                samples[channel.name] = Sample(samples[channel.name].value, max(beat_s, self.start_s))

    def _facts_at(self, now_s: float) -> Facts:
        at = bisect_right(self._facts, now_s, key=lambda told: told[0])
        return self._facts[max(at - 1, 0)][1]

    def trips(self, until_s: float) -> list[tuple[float, dict[str, Any]]]:
        """What the record itself says of trips until then: seconds since the start, and their fields."""
        return [
            (e.at_s - self.start_s, e.fields)
            for e in self.record.events("trip") if e.at_s <= self.start_s + until_s + SCAN_S
        ]  # fmt: skip

    @property
    def moment_s(self) -> float:
        """The moment that is asked for when nobody names one: just after the first trip, else the end."""
        first = next((at_s for at_s, _ in self.trips(self.end_s - self.start_s)), None)
        return min(self.end_s - self.start_s, first + 1.0) if first is not None else self.end_s - self.start_s
