"""The catalogue of wire faults against every driver, in memory on virtual time: what came of each, and for how long.

A reading is right if it was true at some moment between the question and its answer. Everything rises with time, so an
old value shows. Bytes do not overtake each other here, as on real wires, but where the fault is just that.
"""

from __future__ import annotations

import asyncio
import errno
import importlib
import math
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

from drivers.base import DriverError
from drivers.line import Line
from drivers.transport import Heard, Lost, MemoryTransport, Transport
from simulators.face import Face
from simulators.faults import Fault, Faults, Faulty
from simulators.faults_catalogue import ALL, KINDS, LINE, fault
from simulators.faults_content import MODBUS, Framing
from simulators.virtualtime import run_virtual
from tests.contract.cases import Case
from tests.contract.scripted import now_s

POLL_S, EACH_S, SOME_S, STEADY_S = 0.1, 1.5, 3.0, 1.0
GIVE_UP = 14.0  # time-outs after which a device whose fault is over must be right again, and two seconds for the line
SLACK_S = 2.0


def all_cases() -> tuple[Case, ...]:
    """Every case of every case_*.py."""
    names = sorted(path.stem for path in Path(__file__).parent.glob("case_*.py"))
    return tuple(case for name in names for case in importlib.import_module(f"tests.contract.{name}").CASES)


@dataclass(frozen=True)
class Row:
    """One fault of the catalogue as it is tried: its place there, the kind, its numbers, which may be in time-outs."""

    name: str
    of: str
    kind: str
    numbers: dict[str, float] = field(default_factory=dict)
    time_outs: dict[str, float] = field(default_factory=dict)
    writes: bool = False  # what counts is a write, which must not pass for done
    noticed: bool = False  # it must not pass without a word
    lasting: bool = False  # it is in the values, not in single replies
    framings: tuple[Framing, ...] = ALL
    floats: bool = False  # it concerns numbers of several registers

    def fault(self, case: Case) -> Fault | None:
        """As a `Fault` of this device; None for a fault of the line."""
        if self.kind in LINE:
            return None
        numbers = self.numbers | {name: times * case.slowest_s for name, times in self.time_outs.items()}
        made = fault(self.kind, case.framing, numbers)
        return replace(made, wrong_unit=case.wrong_unit) if self.kind == "unit" else made

    def must_be_noticed(self, case: Case) -> bool:
        """Whether it must not pass without a word; who was told nothing has lost nothing by a restart."""
        return self.noticed and (self.kind != "restart" or case.set is not None)

    def applies(self, case: Case) -> bool:
        """Whether this device, on its wire, can have it."""
        if self.kind in LINE:
            return ("tcp" if case.framing == "tcp" else "serial") in LINE[self.kind][1]
        if self.kind == "watchdog":
            return case.watchdog
        if self.floats and case.framing in MODBUS and not case.floats:
            return False
        wires = {*KINDS[self.kind].framings} & {*self.framings}
        return case.framing in wires and (case.set is not None or not self.writes)


def _late(times: float) -> Row:
    return Row(f"late by {times:g} time-outs", "late", "late", time_outs={"s": times})


def _special(value: int) -> Row:
    return Row(f"every number {value:#06x}", "0xFFFF/0x7FFF/0x8000", "special", {"value": float(value)})


ROWS: tuple[Row, ...] = (
    Row("no reply", "drop", "drop"),
    Row("nothing heard", "drop", "deaf"),
    *(_late(times) for times in (0.5, 1.01, 1.5, 2.5, 10.0)),
    Row("twice", "duplicate", "duplicate"),
    Row("two change places", "swapped", "swapped"),
    Row("always one behind", "swapped", "shifted", lasting=True),
    Row("an eighth bit", "bit flip", "bit", {"n": 7.0}),
    Row("a bit of the value", "bit flip", "bit", {"n": -24.0}, framings=("rtu", "tcp", "sqm")),
    Row("another digit", "bit flip", "digit"),
    Row("checksum", "bad CRC", "crc"),
    Row("truncated", "truncated", "truncated"),
    Row("truncated, the rest soon", "truncated+rest later", "truncated", {"rest_s": 0.05}),
    Row("truncated, the rest after 1.2 time-outs", "truncated+rest later", "truncated", {}, {"rest_s": 1.2}),
    Row("truncated, the rest after 5 time-outs", "truncated+rest later", "truncated", {}, {"rest_s": 5.0}),
    Row("byte by byte", "split bytes with gaps", "split", {"s": 0.0005}),
    Row("byte by byte, slowly", "split bytes with gaps", "split", {"s": 0.06}),
    Row("noise before", "garbage before/after", "garbage-before"),
    Row("noise after", "garbage before/after", "garbage-after"),
    Row("a digit before", "garbage before/after", "digit-before"),
    Row("a digit after", "garbage before/after", "digit-after"),
    Row("echo", "RS-485 echo", "echo"),
    Row("echo alone", "RS-485 echo", "echo-alone"),
    Row("another unit", "wrong unit id", "unit"),
    *(Row(f"function {n}", "wrong fc", "function", {"n": float(n)}) for n in (1, 3, 4, 6, 16, 0x83)),
    *(Row(f"{n:+d} bytes", "wrong length", "length", {"n": float(n)}) for n in (-2, -1, 1, 2, 8)),
    *(Row(f"exception {n:02X}", "exceptions", "exception", {"n": float(n)}) for n in (1, 2, 3, 4, 5, 6, 11)),
    Row("exception 06 in bursts", "busy storms", "busy"),
    Row("silence in bursts", "busy storms", "pauses"),
    Row("stuck", "stuck value", "stuck", lasting=True),
    Row("stuck with noise", "stuck-with-noise", "stuck-noise", lasting=True),
    *(_special(value) for value in (0xFFFF, 0x7FFF, 0x8000)),
    Row("every number NaN", "NaN", "nan", floats=True),
    Row("words in the other order", "word-swapped float", "word-swap", floats=True),
    Row("slow drift", "slow drift", "drift", {"by": 0.05}, lasting=True),
    Row("ten times too high", "factor 10/offset", "factor", lasting=True),
    Row("too high by 5", "factor 10/offset", "offset", lasting=True),
    Row("port gone, back elsewhere", "port vanishes", "vanish", noticed=True, lasting=True),
    Row("half-open", "TCP half-open", "half-open", noticed=True, lasting=True),
    Row("reset", "RST", "reset", lasting=True),
    Row("accepts, is silent", "accept-but-silent", "accept-but-silent", noticed=True, lasting=True),
    Row("reboots in 2 s", "module reboots", "reboot", {"s": 2.0}, noticed=True, lasting=True),
    Row("restarts between two polls", "module reboots", "restart", noticed=True, lasting=True),
    Row("watchdog fired", "WDT fired", "watchdog", noticed=True, lasting=True),
    Row("write not executed", "write acknowledged but not executed", "not-executed", writes=True, lasting=True),
    Row("read back as before", "read-back disagrees", "read-back", writes=True, lasting=True),
    Row("another master before", "two masters on the bus", "other-master-before"),
    Row("another master after", "two masters on the bus", "other-master-after"),
    Row("another master between", "two masters on the bus", "other-master"),
)
OUT_OF_ORDER = ("late",)  # of these one more try is made, in which replies overtake each other, as behind a gateway

# What is said in good frames cannot be told from the truth by its line: which other guard of docs/safety.md sees it.
_ALONE = "no other guard for a value within its range; interlock limits where it is beyond them"
NOT_ON_THE_WIRE: dict[str, str] = {
    "stuck": "T3 (temperatures, 60 s), G7 (analysers, 24 h), T2 (no answer to heat); flows and pressures: none",
    "stuck with noise": "T4 where a zone has a second sensor, T2; T3 does not see it, as it is not still; others: none",
    "slow drift": "T4 where a zone has a second sensor; the signed test of the analyser (G7); others: none",
    "ten times too high": "T1, T6, T8 (limits and slopes of temperatures), C7 (carrier), C8 (pressure); others: none",
    "too high by 5": "T4 where a zone has a second sensor; others: only where a limit is reached",
    "another digit": "limits and slopes of the interlocks (T6, C7, C8), as far as the digit moves them",
    "a bit of the value": "the checksums of TCP and Ethernet, which this fault goes around",
    "every number 0xffff": _ALONE,
    "every number 0x7fff": _ALONE,
    "every number 0x8000": _ALONE,
}
LIES = frozenset({"stuck", "stuck with noise", "slow drift", "ten times too high", "too high by 5"})


def unseen(case: Case, row: Row) -> bool:
    """Whether the value was wrong and no driver could know: the device lies, or the case says so of its protocol."""
    return (row.name in LIES or row.name in case.silent_about) and cell(case.name, row.name).came["WRONG"] > 0


class InOrder(Faulty):
    """A faulty wire that stays a wire: what was said first arrives first."""

    def hear(self, now_s: float, data: bytes) -> bytes:
        before, self._pending = self._pending, []
        said = super().hear(now_s, data)
        if not before:
            return said
        last_s = before[-1][0]
        later = [(max(at_s, last_s), part) for at_s, part in [(now_s, said), *self._pending] if part]
        self._pending = before + later
        return self._due(now_s)


class Plug:
    """The end of a line in memory, that can be pulled: opens connections to a face, and spoils them as LINE says."""

    def __init__(self, new_face: Callable[[], Face]) -> None:
        self._new_face, self._mute, self._gone = new_face, False, False
        self._open: list[tuple[_Connection, Lost]] = []

    async def opener(self, heard: Heard, lost: Lost) -> Transport:
        if self._gone:
            raise OSError(errno.ENODEV, "No such device")
        link = _Connection(self._new_face(), heard)
        link.mute = self._mute
        self._open.append((link, lost))
        return link

    def put(self, kind: str) -> None:
        links, self._open = self._open, []
        self._gone, self._mute = kind == "vanish", kind == "accept-but-silent"
        for link, lost in links:
            if kind in ("vanish", "reset"):
                lost("the port is gone" if kind == "vanish" else "Connection reset by peer")
            else:
                link.mute = True

    def clear(self) -> None:
        self._gone = self._mute = False


class _Connection(MemoryTransport):
    mute = False

    def send(self, data: bytes) -> None:
        if not self.mute:
            super().send(data)


@dataclass
class Cell:
    """What came of one fault at one device: how often each, and how long after its end the device was right again."""

    came: Counter[str] = field(default_factory=Counter)
    recovered_s: float = math.inf
    wrong: list[str] = field(default_factory=list)  # the first few, in words
    identified_anew: bool = False
    all_channels: bool = False  # a flag counts at whatever stands beside what rises, a set-point or an output


@dataclass
class Bench:
    """One driver and its device, with a switch for faults between them."""

    case: Case
    plant: Any
    faults: Faults
    plug: Plug
    device: Any

    async def poll(self, cell: Cell) -> bool:
        """One poll, judged; whether all of it was right."""
        asked_s = now_s()
        try:
            readings = await self.device.poll()
        except DriverError as error:
            cell.came[type(error).__name__] += 1
            return False
        said = [self._judged(cell, channel, readings[channel], asked_s) for channel in self.case.channels]
        if cell.all_channels and any(reading.flags for reading in readings.values()):
            said.append("flagged")
        if "watchdog_trips" in readings and readings["watchdog_trips"].value:
            cell.came["trip counted"] += 1
        worst = next(word for word in ("WRONG", "flagged", "right") if word in said)
        cell.came[worst] += 1
        return worst == "right"

    def _judged(self, cell: Cell, channel: str, reading: Any, asked_s: float) -> str:
        truth = self.case.channels[channel]
        low, high = sorted(truth.at(self.plant, at_s) for at_s in (asked_s, now_s()))
        if low - truth.resolution <= reading.value <= high + truth.resolution:
            return "right"
        if math.isnan(reading.value) or reading.flags:
            return "flagged"
        if len(cell.wrong) < 3:
            cell.wrong.append(f"{channel} {reading.value:g} instead of {low:g}…{high:g} at {asked_s:.2f} s")
        return "WRONG"


def bench(case: Case, wrap: Callable[[Face, Faults], Face] = InOrder) -> Bench:
    """The case with a fault switch, in memory: on a serial line the same face, on TCP one for each connection."""
    plant, faults = case.plant(), Faults(case.framing)
    face = case.face(faults.seen(plant))
    same = wrap(face, faults)
    plug = Plug(lambda: wrap(face, faults) if case.framing == "tcp" else same)
    return Bench(case, plant, faults, plug, case.driver(Line("test", plug.opener)))


@cache
def cell(case_name: str, row_name: str) -> Cell:
    """What comes of this fault at this device; the same each time."""
    case = next(case for case in all_cases() if case.name == case_name)
    row = next(row for row in ROWS if row.name == row_name)
    found = run_virtual(_tried(case, row, InOrder))
    if row.kind in OUT_OF_ORDER:
        again = run_virtual(_tried(case, row, Faulty))
        found.came += again.came
        found.wrong += again.wrong
        found.recovered_s = max(found.recovered_s, again.recovered_s)
    return found


async def _tried(case: Case, row: Row, wrap: Callable[[Face, Faults], Face]) -> Cell:
    one, made = bench(case, wrap), Cell()
    await one.device.identify()
    healthy = Cell()
    for _ in range(5):
        assert await one.poll(healthy), (case.name, healthy)
        await asyncio.sleep(POLL_S)
    if row.kind in ("watchdog", "restart") and case.set is not None:
        await case.set(one.device)
        await one.poll(healthy)  # as it is wanted, and seen
        made.all_channels = row.kind == "restart"
    await _spoiled(one, row, made)
    one.faults.clear()
    one.plug.clear()
    await _recovered(one, made)
    return made


async def _spoiled(one: Bench, row: Row, made: Cell) -> None:
    spoiled = row.fault(one.case)
    if spoiled is None:
        one.plug.put(row.kind)
    else:
        one.faults.put(spoiled)
    if row.writes and one.case.set is not None:
        try:
            await one.case.set(one.device)
            made.came["believed"] += 1
        except DriverError as error:
            made.came[type(error).__name__] += 1
        return  # what a device in this state reads is judged elsewhere
    await _polls(one, made, EACH_S if not row.lasting else EACH_S + SOME_S)
    if not row.lasting and spoiled is not None:
        if spoiled.every == 1:
            one.faults.put(replace(spoiled, every=3))
        await _polls(one, made, SOME_S)


async def _polls(one: Bench, made: Cell, for_s: float) -> None:
    until_s = now_s() + for_s
    while now_s() < until_s:
        await one.poll(made)
        await asyncio.sleep(POLL_S)


async def _recovered(one: Bench, made: Cell) -> None:
    """Polls until all has been right for a while; a device that stays wrong is identified anew, as the daemon does."""
    ended_s = now_s()
    limit_s = ended_s + GIVE_UP * one.case.slowest_s + SLACK_S
    right_from_s: float | None = None
    after = Cell()
    while now_s() < limit_s and (right_from_s is None or now_s() - right_from_s < STEADY_S):
        at_s = now_s()
        if not await one.poll(after):
            right_from_s = None
            await _again(one, made, at_s - ended_s)
        elif right_from_s is None:
            right_from_s = at_s
        await asyncio.sleep(POLL_S)
    made.recovered_s = math.inf if right_from_s is None else right_from_s - ended_s
    made.came["WRONG"] += after.came["WRONG"]
    made.wrong += after.wrong


async def _again(one: Bench, made: Cell, since_s: float) -> None:
    if since_s > one.case.slowest_s:
        try:
            await one.device.identify()
            made.identified_anew = True
        except DriverError:
            return
