"""Who is measured against whom at the edges of pulses: one module each, all in the same rounds.

A contender says in `missing` why it cannot take part ("" when it can), and in `turn` measures a share of every
quantity of its own: (what, value in ms) pairs under the load that reigns. Turns are short, so that whatever else the
computer does falls on all alike.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Protocol

from tests.bench.contenders.cyclictest import CyclicTest
from tests.bench.contenders.valve_process import ValveProcess


class Contender(Protocol):
    """One sender of pulses, or one yardstick for them."""

    name: str

    def missing(self) -> str: ...
    def turn(self, folder: Path) -> Iterable[tuple[str, float]]: ...
    def note(self) -> str: ...


CONTENDERS: tuple[type[Contender], ...] = (ValveProcess, CyclicTest)
