"""Edges of pulses under every load: all contenders in the same rounds, in short turns."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterable
from pathlib import Path

from tests.bench.contenders import CONTENDERS, OURS, Contender
from tests.bench.contenders.pulses import DRIFT, LATE, LEFT_OUT, WIDTH, WORST_DRIFT, Figure
from tests.bench.figures import Row, figure, quantiles
from tests.bench.machine import LOADS, Loads, disk

ROUNDS = 5
DISK_ROUNDS = 2
TURNS = 4  # of every contender in a round under a load that was put on
TURNS_AS_FOUND = 2  # where nothing was, half as many show it
OUTLIER_MS = 1.0
JUDGED = (WIDTH, LATE)
UNLIMITED = (DRIFT, WORST_DRIFT)  # one value a round: no outliers

Cells = dict[tuple[int, str, str, str], list[float]]  # (pulse_ms, quantity, load, contender) -> values in ms


def measure(folder: Path, number: int) -> list[Row]:
    """Round `number` from 1: as the computer is found, and with every processor busy."""
    return _Round("edges", folder, LOADS, number).measure()


def measure_disk(folder: Path, number: int) -> list[Row]:
    """While the disk is written to without a pause: not in the default run, because it slows everybody."""
    return _Round("disk", folder, {"disk busy": disk}, number).measure()


class _Round:
    """One round: who takes part, who failed, and what was measured."""

    def __init__(self, part: str, folder: Path, loads: Loads, number: int) -> None:
        self._part, self._folder, self._loads, self._number = part, folder, loads, number
        self._all: list[Contender] = [kind() for kind in CONTENDERS]
        self._out: dict[str, str] = {}  # name -> why it is left out
        self._cells: Cells = defaultdict(list)

    def measure(self) -> list[Row]:
        """A contender that is missing, or fails, has a row that says so; ours may not fail."""
        for contender in self._all:
            if why := contender.missing():
                self._leave_out(contender, why)
        for load in sorted(self._loads, reverse=self._number % 2 == 0):  # neither is always first
            start_s = time.monotonic()
            with self._loads[load]():
                self._under(load)
            print(f"    {load}: {time.monotonic() - start_s:.0f} s; {self._so_far(load)}", flush=True)
        return self._rows()

    def _under(self, load: str) -> None:
        turns = TURNS if load != "as found" else TURNS_AS_FOUND
        for turn in range(turns):
            for contender in self._turned(turn):
                self._take(contender, load, contender.turn)
        for contender in self._turned(turns):
            self._take(contender, load, contender.drift)

    def _turned(self, by: int) -> list[Contender]:
        """Nobody always comes first, nor always behind the same one."""
        by = (by + self._number) % len(self._all)
        order = self._all[by:] + self._all[:by]
        return order if self._number % 2 else order[::-1]

    def _take(self, contender: Contender, load: str, measured: Callable[[Path], Iterable[Figure]]) -> None:
        if contender.name in self._out:
            return
        try:
            found = list(measured(self._folder))
        except Exception as error:
            if isinstance(contender, OURS):
                raise
            self._leave_out(contender, f"failed, {load}: {type(error).__name__}: {error}")
            return
        for pulse_ms, quantity, value_ms in found:
            self._cells[pulse_ms, quantity, load, contender.name].append(value_ms)

    def _leave_out(self, contender: Contender, why: str) -> None:
        """What it measured in this round is no round and goes."""
        print(f"    {contender.name} left out: {why}", flush=True)
        self._out[contender.name] = why
        for key in [key for key in self._cells if key[3] == contender.name]:
            del self._cells[key]

    def _so_far(self, load: str) -> str:
        """The 15 ms pulses of our own, for who watches."""
        values = self._cells.get((15, WIDTH, load, OURS.name), [])
        return f"15 ms pulses of the {OURS.name}: {len(values)}, p99 {figure(quantiles(values)['p99'])} ms"

    # --- rows ------------------------------------------------------------------------------------------------------

    def _rows(self) -> list[Row]:
        names = [contender.name for contender in self._all]
        for name in names[:2]:  # a row for none, too
            for load in self._loads:
                if name not in self._out:
                    self._cells[0, LEFT_OUT, load, name] += []
        for contender in self._all:
            if contender.name in self._out:
                for load in self._loads:
                    self._cells |= {(*shown, load, contender.name): [] for shown in contender.shows}
        quantities = list(dict.fromkeys((pulse_ms, quantity) for pulse_ms, quantity, _, _ in self._cells))
        quantities.sort(key=lambda one: one[0] or 1000)  # what is of any width comes last
        order = [(*one, load, name) for one in quantities for load in self._loads for name in names]
        return [self._row(*key) for key in order if key in self._cells]

    def _row(self, pulse_ms: int, quantity: str, load: str, name: str) -> Row:
        note = next(contender.note() for contender in self._all if contender.name == name)
        if name in self._out:
            note = f"left out: {name}: {self._out[name]}"
        pulse = f"{pulse_ms} ms pulse: " if pulse_ms else ""
        tags: dict[str, str | int] = {"pulse_ms": pulse_ms, "quantity": quantity, "load": load, "contender": name}
        values = self._cells[pulse_ms, quantity, load, name]
        limit = None if quantity in UNLIMITED else OUTLIER_MS
        return Row(self._part, f"{pulse}{quantity}, {load}: {name}", "ms", values, note, limit=limit, tags=tags)
