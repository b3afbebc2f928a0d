"""The catalogue on real wires: a pseudo-terminal and TCP on loopback, each with one cheap driver; every driver once.

In memory every fault is tried at every driver (test_catalogue.py); here it is shown that a transport does not change
what comes of it. The few that take long, and all others, are a part of `./test --long`.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from drivers.base import DriverError
from drivers.line import open_line
from simulators.faults import Faults
from simulators.serve import pty_wire, tcp_wire
from simulators.wires import PtyWire, TcpWire
from tests.contract.cases import Case
from tests.contract.catalogue import GIVE_UP, LIES, ROWS, SLACK_S, Bench, Cell, Plug, Row, all_cases

CASES = {case.name: case for case in all_cases()}
PTY, TCP = CASES["mks 925"], CASES["analogue_io on TCP"]
SHORT = {
    PTY.name: ("late by 1.5 time-outs", "twice", "byte by byte", "port gone, back elsewhere"),
    TCP.name: ("no reply", "late by 1.5 time-outs", "twice", "+2 bytes", "exception 06", "port gone, back elsewhere",
               "half-open", "reset", "accepts, is silent"),
}  # fmt: skip
SPOILED_S = 0.6  # how long each is spoiled
HOW = {"pty": PTY, "tcp": TCP}


@dataclass
class Wired(Bench):
    """A bench on a real wire."""

    wire: TcpWire | PtyWire | None = None


@asynccontextmanager
async def wired(case: Case, how: str, link: Path | None = None) -> AsyncIterator[Wired]:
    plant, faults = case.plant(), Faults(case.framing)
    face = case.face(faults.seen(plant))
    same = faults.wrap(face)
    laid = tcp_wire(lambda: faults.wrap(face) if case.framing == "tcp" else same) if how == "tcp" else None
    async with laid or pty_wire(same, link) as wire:
        line = open_line("wire", wire.address, 115200)
        yield Wired(case, plant, faults, Plug(lambda: same), case.driver(line), wire)
        await line.close()


async def spoiled_and_mended(one: Wired, row: Row) -> Cell:
    """What comes of this fault, from a healthy start to right values again."""
    made = Cell()
    assert one.wire is not None
    assert await one.poll(Cell()), f"not right before '{row.name}'"
    fault = row.fault(one.case)
    if fault is None:
        await one.wire.put(row.kind)
    else:
        one.faults.put(fault)
    until_s = time.monotonic() + SPOILED_S
    while time.monotonic() < until_s:
        await one.poll(made)
        await asyncio.sleep(0.02)
    one.faults.clear()
    await one.wire.clear()
    began_s = time.monotonic()
    while not await one.poll(made):
        assert time.monotonic() - began_s < GIVE_UP * one.case.slowest_s + SLACK_S, (row.name, made)
        await asyncio.sleep(0.05)
    return made


async def identified(one: Wired) -> None:
    """Present, as after a start: what is still under way of an earlier fault ends first."""
    for _ in range(20):
        try:
            await one.device.identify()
            await one.device.poll()
            return
        except DriverError:
            await asyncio.sleep(0.1)


def rows(case: Case, *, short: bool) -> list[Row]:
    some = SHORT[case.name]
    return [row for row in ROWS if row.applies(case) and not row.writes and (row.name in some) == short]


async def short_catalogue(how: str, folder: Path) -> dict[str, Cell]:
    """What came of the short list on this transport, by the names of the faults."""
    async with wired(HOW[how], how, folder / "port") as one:
        await one.device.identify()
        return {row.name: await spoiled_and_mended(one, row) for row in rows(HOW[how], short=True)}


async def smoke(case: Case, how: str) -> Cell:
    """One driver on one transport: who it is, what it reads, a write where it has one, its safe state."""
    async with wired(case, how) as one:
        healthy = Cell()
        await one.device.identify()
        await one.poll(healthy)
        if case.set is not None:
            await case.set(one.device)
        await one.device.safe()
        return healthy


@dataclass(frozen=True)
class Tried:
    """All that takes real time, at once: waiting costs nothing, and one driver takes six seconds to identify itself."""

    short: dict[str, dict[str, Cell] | BaseException]
    smokes: dict[str, Cell | BaseException]


@pytest.fixture(scope="module")
def tried(tmp_path_factory: pytest.TempPathFactory) -> Tried:
    folder = tmp_path_factory.mktemp("wires")
    wires = [(case, how) for case in CASES.values() for how in HOW if how == "tcp" or case.framing != "tcp"]

    async def main() -> Tried:
        short, smokes = await asyncio.gather(
            asyncio.gather(*(short_catalogue(how, folder) for how in HOW), return_exceptions=True),
            asyncio.gather(*(smoke(case, how) for case, how in wires), return_exceptions=True),
        )
        names = [f"{case.name} on {how}" for case, how in wires]
        return Tried(dict(zip(HOW, short, strict=True)), dict(zip(names, smokes, strict=True)))

    return asyncio.run(main())


@pytest.mark.parametrize("how", HOW)
def test_a_real_wire_comes_through_the_faults_as_one_in_memory_does(tried: Tried, how: str) -> None:
    came = tried.short[how]
    assert isinstance(came, dict), came
    assert {row: made.wrong for row, made in came.items() if made.came["WRONG"]} == {}
    assert set(came) == set(SHORT[HOW[how].name])


def test_every_driver_reads_right_and_is_made_safe_on_every_transport(tried: Tried) -> None:
    """Serial devices also behind a gateway that passes bytes on."""
    bad = {name: one for name, one in tried.smokes.items() if not isinstance(one, Cell) or set(one.came) != {"right"}}
    assert bad == {}


@pytest.mark.long
@pytest.mark.timeout(300)
@pytest.mark.parametrize("how", HOW)
async def test_a_real_wire_comes_through_the_whole_catalogue(how: str, tmp_path: Path) -> None:
    async with wired(HOW[how], how, tmp_path / "port") as one:
        await one.device.identify()
        for row in rows(HOW[how], short=False):
            made = await spoiled_and_mended(one, row)
            if row.name not in LIES | HOW[how].silent_about:
                assert made.came["WRONG"] == 0, (row.name, made.wrong)
            await identified(one)


async def test_a_port_comes_back_under_another_name_and_its_stable_name_leads_there(tmp_path: Path) -> None:
    async with wired(PTY, "pty", tmp_path / "port") as one:
        assert isinstance(one.wire, PtyWire)
        before = one.wire.port
        await one.wire.put("vanish")
        assert not (tmp_path / "port").exists()
        await one.wire.clear()
        assert one.wire.port != before and (tmp_path / "port").readlink() == Path(one.wire.port)
