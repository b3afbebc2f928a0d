"""Who is measured against whom at the edges of pulses: one module each, all in the same rounds.

A contender says in `missing` why it cannot take part ("" when it can), measures in `turn` a share of every quantity of
its own, and in `drift` what a thousand cycles add up to, each under the load that reigns. Turns are short, so that
whatever else the computer does falls on all alike. The first contender is the one that all others are measured for.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Protocol

from tests.bench.contenders.c_sender import CSender
from tests.bench.contenders.cyclictest import CyclicTest
from tests.bench.contenders.peer_programs import AsyncioPeer, BlueskyPeer, SleepPeer
from tests.bench.contenders.pulses import Figure
from tests.bench.contenders.valve_process import ValveProcess


class Contender(Protocol):
    """One sender of pulses, or one yardstick for them."""

    name: str
    shows: tuple[tuple[int, str], ...]  # (width in ms, quantity) of the rows that say so when it is left out

    def missing(self) -> str: ...
    def turn(self, folder: Path) -> Iterable[Figure]: ...
    def drift(self, folder: Path) -> Iterable[Figure]: ...
    def note(self) -> str: ...


OURS = ValveProcess
CONTENDERS: tuple[type[Contender], ...] = (OURS, CSender, SleepPeer, AsyncioPeer, BlueskyPeer, CyclicTest)
