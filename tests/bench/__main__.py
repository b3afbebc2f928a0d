"""`./bench [PART …]`: measures, prints one table, writes one JSON.

A call takes less than nine minutes. What does not fit is left for the next one, which goes on where this one stopped.
Exit code 0: all is measured; 1: something could not be measured; 2: used wrongly; 4: call again for what is left.
"""

from __future__ import annotations

import argparse
import fcntl
import json
import sys
import tempfile
import textwrap
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ald_controller.cli.machine import load_average
from tests.bench import aborts, edges, guard, kills, machine, rest, speed, verdict
from tests.bench.contenders import OURS
from tests.bench.figures import Row, as_json, outliers, table
from tests.bench.series import Round, Unit, combined, expected_s, key_of, next_unit
from tests.bench.shelf import Shelf

MORE_LEFT = 4


@dataclass(frozen=True, slots=True)
class Part:
    """What measures one round, given a scratch folder and the number of the round; about how many seconds it takes."""

    measure: Callable[[Path, int], list[Row]]
    seconds: float
    rounds: int = 1


def once(measure: Callable[[Path], list[Row]], seconds: float) -> Part:
    """A part that is measured in one go."""
    return Part(lambda folder, number: measure(folder), seconds)


# in the order of the default run: short ones first
PARTS = {
    "check": once(speed.measure_check, 15),
    "abort": once(aborts.measure, 280),
    "kill": once(kills.measure, 300),
    "rest": once(rest.measure, 60),
    "guard": once(guard.measure, 60),
    "preview": once(speed.measure_preview, 140),
    "memory": once(speed.measure_memory, 200),
    "edges": Part(edges.measure, 480, edges.ROUNDS),
}
ALL = {**PARTS, "disk": Part(edges.measure_disk, 240, edges.DISK_ROUNDS)}
RESULTS = machine.ROOT / "bench-results"


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="./bench", description="Measure this computer; see docs/bench.md.")
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"only these: {', '.join(ALL)}")
    parts = list(dict.fromkeys(parser.parse_args(arguments).parts)) or list(PARTS)
    if unknown := [part for part in parts if part not in ALL]:
        parser.error(f"there is no part '{unknown[0]}'; there are: {', '.join(ALL)}")
    RESULTS.mkdir(exist_ok=True)
    with _alone():
        return _Call(parts).run()


@contextmanager
def _alone() -> Iterator[None]:
    """Two benches at once would measure each other."""
    with (RESULTS / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            sys.exit("another ./bench is at work here: wait for its end")
        yield


class _Call:
    """One call of ./bench: goes on with a series, or begins one."""

    def __init__(self, parts: Sequence[str]) -> None:
        self._parts = parts
        self._head = {"commit": machine.commit(), "machine": machine.facts(), "busy": machine.busy_kind()}
        self._key = self._key_now()
        self._shelf = Shelf(RESULTS / self._key)
        self._units = [Unit(part, number) for part in parts for number in range(1, ALL[part].rounds + 1)]
        self._failures: dict[str, str] = {}

    def _key_now(self) -> str:
        return key_of(machine.commit(), self._head, machine.changes(), machine.identity())

    def run(self) -> int:
        """Measure what fits, then show all that there is of the series."""
        busy = f"busy means {self._head['busy']}"
        print(f"{_now()}  {self._head['commit']}\n{machine.sentence(machine.facts())}; {busy}", flush=True)
        done = self._shelf.read(self._units)
        if done:
            print(f"goes on with a series begun {min(one.date for one in done)}; done: {_names(done)}", flush=True)
        self._measure(done)
        done = self._shelf.read(self._units)
        left = [unit for unit in self._units if unit not in {one.unit for one in done}]
        self._show(done, left)
        if not left:
            self._shelf.drop(self._parts)  # the JSON has every value: the next call begins a new series
        return 1 if self._failures else MORE_LEFT if left else 0

    def _measure(self, done: list[Round]) -> None:
        start_s, spent_s = time.monotonic(), 0.0
        left = [unit for unit in self._units if unit not in {one.unit for one in done}]
        while unit := next_unit(left, expected_s({name: part.seconds for name, part in ALL.items()}, done), spent_s):
            left.remove(unit)
            if (one := self._measured(unit)) is not None:
                self._shelf.keep(one)
                done.append(one)
            spent_s = time.monotonic() - start_s

    def _measured(self, unit: Unit) -> Round | None:
        """None when it could not be measured; that ends no other."""
        print(f"--- {unit.part}, round {unit.number} of {ALL[unit.part].rounds}", flush=True)
        date, before, start_s = _now(), load_average(), time.monotonic()
        with tempfile.TemporaryDirectory(prefix="ald-bench-") as folder:
            try:
                rows = ALL[unit.part].measure(Path(folder), unit.number)
                if self._key_now() != self._key:
                    raise RuntimeError("the code changed while it was measured")
            except Exception as error:
                self._failures[str(unit)] = f"{type(error).__name__}: {error}"
                traceback.print_exc()
                print(f"  not measured: {self._failures[str(unit)]}", file=sys.stderr, flush=True)
                return None
        seconds = round(time.monotonic() - start_s, 1)
        print(f"    {seconds} s, load {load_average()}", flush=True)
        return Round(unit, date, seconds, before, load_average(), tuple(rows))

    def _show(self, done: list[Round], left: list[Unit]) -> None:
        rows = combined(done)
        standings = verdict.standings(rows, edges.JUDGED, OURS.name)
        if rows:
            print(f"\n{table(rows)}\n")
        if found := list(outliers(rows)):
            print("beyond 1 ms, in ms:")
            print(
                "\n".join(textwrap.fill(line, 118, initial_indent="  ", subsequent_indent="      ") for line in found)
            )
        if standings:
            print(f"\n{verdict.table(standings, OURS.name)}\n")
        for one in done:
            print(f"{one.unit}: {one.date}, {one.seconds:.0f} s, load before {one.load_before}, after {one.load_after}")
        result = {
            "date": min((one.date for one in done), default=_now()), **self._head, "failures": self._failures,
            "rounds": [one.head() for one in done], "left": [str(unit) for unit in left],
            "rows": [as_json(row) for row in rows], "verdict": [verdict.as_json(one) for one in standings],
        }  # fmt: skip
        print(f"written to {self._write(result)}")
        if left:
            again = " ".join(["./bench", *(self._parts if list(self._parts) != list(PARTS) else ())])
            print(f"left: {', '.join(map(str, left))}; call {again} again")

    def _write(self, result: dict[str, Any]) -> Path:
        """One file for the series, by the time at which it began: written again by every call that goes on with it."""
        stamp = result["date"][:19].replace(":", "").replace("T", "-")
        only = "" if list(self._parts) == list(PARTS) else "-" + "-".join(self._parts)
        path = RESULTS / f"{stamp}-{result['commit'].rstrip('+')}{only}.json"
        self._shelf.write(path, json.dumps(result, indent=1, ensure_ascii=False))
        return path.relative_to(machine.ROOT)


def _names(done: Sequence[Round]) -> str:
    return ", ".join(str(one.unit) for one in done)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
