"""The table of modules, and each of them behind the valve host on virtual time: stalls, trips, restarts, strangers."""

from __future__ import annotations

import asyncio
import typing
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest

from ald_controller.config.model import ValveModule as Section
from ald_controller.valves.inline import InlineValves
from ald_controller.valves.wire import Anchored, Edge, Fault, FromEngine, Refused, ValveError
from drivers.valve_modules import MODULES, outputs_of
from simulators import valve_modules as simulated
from simulators.valve_module import ValveModule
from simulators.virtualtime import run_virtual
from tests.valve_rig import ALIVE, CONFIG, H2O, LTB, MS, SOURCES, TMA, S, dose

DRIVERS = sorted(MODULES)
CLOSES_S = {"beckhoff_bk9050": 0.5, "wago_750_352": 0.5, "moxa_e1211": 1.0, "adam_6256": 1.0}
TELLS = [driver for driver in DRIVERS if driver != "adam_6256"]


def watchdog_ms(driver: str) -> int:
    return 500 if MODULES[driver].armed else 0


# --- the table -------------------------------------------------------------------------------------------------------


def test_the_tool_file_the_drivers_and_the_simulators_know_the_same_modules() -> None:
    named = typing.get_args(Section.model_fields["driver"].annotation)
    assert set(named) == set(MODULES) == set(simulated.MODULES) == set(CLOSES_S)


@pytest.mark.parametrize("driver", DRIVERS)
def test_a_module_is_made_with_the_time_that_it_can_keep(driver: str) -> None:
    assert outputs_of(driver, 1, 16, watchdog_ms(driver)).round_ms == 100
    with pytest.raises(ValueError, match=f"the watchdog time of {driver} is .*, not {500 - watchdog_ms(driver)} ms"):
        outputs_of(driver, 1, 16, 500 - watchdog_ms(driver))


def test_a_time_or_a_width_that_a_module_does_not_have_is_refused() -> None:
    with pytest.raises(ValueError, match="the watchdog time of wago_750_352 is a multiple of 100 ms above 0, not 250"):
        outputs_of("wago_750_352", 1, 16, 250)
    with pytest.raises(ValueError, match="moxa_e1211 carries at most 16 coils of the valve word, not 24"):
        outputs_of("moxa_e1211", 1, 24, 0)
    with pytest.raises(KeyError):
        outputs_of("abacus", 1, 16, 500)


# --- behind the host -------------------------------------------------------------------------------------------------


class Cable:
    """The wire to a module, which may be another one tomorrow, and whose answers may be bent."""

    def __init__(self, module: ValveModule) -> None:
        self.module = module
        self.bend: Callable[[bytes], bytes] = lambda answer: answer

    def hear(self, now_s: float, data: bytes) -> bytes:
        return self.bend(self.module.hear(now_s, data))

    def next_at(self) -> float | None:
        return self.module.next_at()

    def speak(self, now_s: float) -> bytes:
        return self.module.speak(now_s)


@dataclass
class Stand:
    """One module of this driver with a started host, and what the host has told."""

    driver: str
    cable: Cable
    valves: InlineValves
    told: list[FromEngine] = field(default_factory=list)
    beats: asyncio.Task[None] | None = None

    @property
    def module(self) -> ValveModule:
        return self.cable.module

    @property
    def faults(self) -> list[str]:
        return [each.what for each in self.told if isinstance(each, Fault)]

    @property
    def refusals(self) -> list[str]:
        return [each.why for each in self.told if isinstance(each, Refused)]

    def words(self) -> list[tuple[float, int, str]]:
        return [(change.at_s, change.word & ~ALIVE, change.cause) for change in self.module.changes]

    async def opened(self) -> None:
        await self.valves.load(dose(0, LTB, 5 * S, 6 * S))
        await asyncio.sleep(0.5)
        assert self.module.word & LTB

    async def stall(self, seconds: float) -> None:
        """Nothing of the valve process runs for so long; then it goes on as if nothing had been."""
        assert self.beats is not None and self.valves._timer is not None
        self.beats.cancel()
        self.valves._timer.cancel()
        self.valves._timer = None
        await asyncio.sleep(seconds)
        self.beats = asyncio.create_task(beat(self.valves))
        self.valves._turn()


async def beat(valves: InlineValves) -> None:
    while True:
        await asyncio.sleep(0.1)
        valves.beat(SOURCES)


@asynccontextmanager
async def ready(driver: str, module: ValveModule | None = None) -> AsyncIterator[Stand]:
    cable = Cable(module or simulated.MODULES[driver](quiet=ALIVE))
    stand = Stand(driver, cable, InlineValves(cable, driver=driver, watchdog_ms=watchdog_ms(driver)))
    valves = stand.valves
    await valves.start(CONFIG)

    async def listen() -> None:
        async for message in valves.events():
            stand.told.append(message)

    listening = asyncio.create_task(listen())
    stand.beats = asyncio.create_task(beat(valves))
    valves.beat(SOURCES)
    valves.state("VACUUM")
    valves.clear()
    try:
        yield stand
    finally:
        stand.beats.cancel()
        await valves.close()
        await asyncio.gather(listening, return_exceptions=True)


def on_each(drivers: list[str]) -> Callable[[Callable[[str], Awaitable[None]]], Callable[[str], None]]:
    """A test on virtual time, once for each of these modules."""

    def wrap(test: Callable[[str], Awaitable[None]]) -> Callable[[str], None]:
        def run(driver: str) -> None:
            async def turn() -> None:
                await test(driver)

            run_virtual(turn())

        run.__name__, run.__doc__ = test.__name__, test.__doc__
        return pytest.mark.parametrize("driver", drivers)(run)

    return wrap


@on_each(DRIVERS)
async def test_the_module_sees_the_words_of_a_segment_when_they_are_due(driver: str) -> None:
    async with ready(driver) as stand:
        await stand.valves.load(dose(0, TMA, 15 * MS, 2 * S))
        await stand.valves.load(dose(1, H2O, 15 * MS, S))
        await asyncio.sleep(60)  # rounds enough for every watchdog
        start_s = next(each.at_ns for each in stand.told if isinstance(each, Anchored)) / 1e9
        offsets = [(round(at_s - start_s, 7), word) for at_s, word, _ in stand.words() if at_s >= start_s]
        assert offsets == [(0, TMA), (0.015, 0), (2, H2O), (2.015, 0)]
        assert all(edge.confirmed_ns for edge in stand.told if isinstance(edge, Edge))
        assert stand.faults == [] and {cause for _, _, cause in stand.words()} == {"write"}


@on_each(DRIVERS)
async def test_a_process_that_stands_still_leaves_its_valve_to_the_modules_watchdog(driver: str) -> None:
    async with ready(driver) as stand:
        await stand.opened()
        stalled_s = asyncio.get_running_loop().time()
        await stand.stall(CLOSES_S[driver] + 0.1)
        at_s, word, cause = next(each for each in stand.words() if each[0] > stalled_s)
        assert (word & SOURCES, cause) == (0, "watchdog")
        assert at_s - stalled_s <= CLOSES_S[driver]


@on_each(TELLS)
async def test_a_trip_is_found_told_and_never_taken_back_by_the_same_process(driver: str) -> None:
    async with ready(driver) as stand:
        await stand.opened()
        await stand.stall(CLOSES_S[driver] + 0.1)
        await asyncio.sleep(2)
        assert any("the module's watchdog tripped" in what for what in stand.faults), stand.faults
        stand.valves.clear()
        await asyncio.sleep(0.1)
        assert any("the module's watchdog tripped" in why for why in stand.refusals), stand.refusals
        status = stand.valves.status
        assert status is not None and not status.connected
        assert stand.module.word & SOURCES == 0


@on_each(DRIVERS)
async def test_a_fresh_process_takes_a_tripped_module_back(driver: str) -> None:
    async with ready(driver) as stand:
        await stand.opened()
        module = stand.module
        await stand.stall(CLOSES_S[driver] + 0.1)
    module.speak(asyncio.get_running_loop().time() + 5)
    async with ready(driver, module) as stand:
        await stand.opened()
        assert stand.faults == []


@on_each(["adam_6256"])
async def test_a_trip_that_nothing_tells_shows_in_the_coils(driver: str) -> None:
    async with ready(driver, simulated.MODULES[driver](quiet=ALIVE, idle_s=0.3)) as stand:  # type: ignore[call-arg]
        await stand.opened()
        await stand.stall(0.4)
        await asyncio.sleep(0.2)
        assert any(what.startswith("the coils read 0x0000 where 0x") for what in stand.faults), stand.faults
        assert stand.module.word & SOURCES == 0


@on_each(["wago_750_352", "beckhoff_bk9050"])
async def test_a_module_that_restarted_is_found_out_and_not_taken_back(driver: str) -> None:
    async with ready(driver) as stand:
        stand.cable.module = simulated.MODULES[driver](quiet=ALIVE)
        if driver == "beckhoff_bk9050":
            stand.cable.module.trips = 3  # type: ignore[attr-defined]
        await asyncio.sleep(1.5)
        assert "tripped" in stand.faults[0] or "has restarted" in stand.faults[0], stand.faults
        status = stand.valves.status
        assert status is not None and not status.connected


@on_each(DRIVERS)
async def test_somebody_elses_write_is_found_by_the_read_back_and_closed(driver: str) -> None:
    async with ready(driver) as stand:
        await stand.opened()
        stand.module.word |= H2O
        await asyncio.sleep(0.25)
        (what,) = stand.faults
        assert what.startswith("the coils read 0x") and "where 0x" in what
        assert stand.module.word & SOURCES == 0


@on_each(DRIVERS)
async def test_an_exception_is_a_fault_and_closes(driver: str) -> None:
    async with ready(driver) as stand:
        await stand.opened()
        stand.cable.bend = lambda answer: answer[:4] + b"\x00\x03\x01" + bytes((answer[7] | 0x80, 4)) if answer else b""
        await asyncio.sleep(0.15)
        stand.cable.bend = lambda answer: answer
        assert "refused function" in stand.faults[0]
        await asyncio.sleep(0.6)
        assert stand.module.word & SOURCES == 0


@on_each(["wago_750_352"])
async def test_a_watchdog_that_somebody_stops_is_noticed_in_a_second(driver: str) -> None:
    async with ready(driver) as stand:
        stand.module.write_registers(0x1008, [0x55AA])
        await asyncio.sleep(1.0)
        assert "is not active: the module has restarted, or somebody stopped it" in stand.faults[0]


@on_each(DRIVERS)
async def test_a_module_that_cannot_be_proven_does_not_start(driver: str) -> None:
    module = simulated.MODULES[driver]()
    module.functions = frozenset({5, 6, 15})  # it takes words and reads nothing back
    valves = InlineValves(Cable(module), driver=driver, watchdog_ms=watchdog_ms(driver))
    with pytest.raises(ValveError, match=r"the module refused a read of .* with exception 0x01"):
        await valves.start(CONFIG)
