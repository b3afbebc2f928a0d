"""What is wired to a bus coupler, whoever made it: its digital channels, and what settings must hold of all."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol


class Named(Protocol):
    @property
    def channel(self) -> str: ...


class Measured(Named, Protocol):
    @property
    def error(self) -> float: ...


@dataclass(frozen=True, slots=True)
class DigitalInput:
    channel: str
    input: int


@dataclass(frozen=True, slots=True)
class DigitalOutput:
    name: str
    coil: int


def check_channels(analogue: Iterable[Measured], digital: Iterable[Named]) -> None:
    """Each analogue channel has an error above 0, and each channel a name of its own; raises ValueError."""
    for one in analogue:
        if not one.error > 0:
            raise ValueError(f"the error of '{one.channel}' must be above 0, in its unit, not {one.error:g}")
    for name, count in Counter([*(one.channel for one in analogue), *(one.channel for one in digital)]).items():
        if count > 1:
            raise ValueError(f"channel '{name}' is wired twice: each needs a name of its own")
