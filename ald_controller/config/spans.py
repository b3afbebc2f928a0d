"""What a channel's name and the tool file say of its readings: its unit, and how far it reaches."""

from __future__ import annotations

from math import inf
from typing import NamedTuple

from ald_controller import units
from ald_controller.config.model import ToolConfig

PRESSURE_UNITS = {"_pa": "Pa", "_torr": "Torr", "_mbar": "mbar"}  # by the end of a channel's name
END = 0.9997  # of a range; the highest value of twelve bits lies just above


class Span(NamedTuple):
    """What the ends of a channel's range mean, in the channel's own unit."""

    low: float
    high: float


def span_of(config: ToolConfig, signal: str) -> Span | None:
    """The range of a signal `device.channel`; None for one whose device states no range in the file."""
    device, _, channel = signal.partition(".")
    body = config.devices.get(device)
    for one in (body if isinstance(body, dict) else {}).get("analogue", ()):
        if one["channel"] == channel:
            return Span(float(one["at_low"]), float(one["at_high"]))
    return None


def end_of(config: ToolConfig, signal: str) -> float:
    """From here on a channel stands at the end of its range and measures nothing, in its unit; endless without one."""
    span = span_of(config, signal)
    return inf if span is None else span.low + END * (span.high - span.low)


def pa_per_unit(signal: str) -> float:
    """What turns a pressure channel into Pa; raises ValueError for a name that does not end in its unit."""
    for end, unit in PRESSURE_UNITS.items():
        if signal.endswith(end):
            return units.PRESSURE.units[unit][0]
    raise ValueError(f"{signal}: a pressure channel's name ends in _pa, _torr or _mbar")
