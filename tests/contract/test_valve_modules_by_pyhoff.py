"""pyhoff, an independent client of Beckhoff and WAGO couplers, drives the simulated modules of the valve word."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import pytest
from pyhoff import BusCoupler
from pyhoff.devices import BK9050, KL2408, WAGO_750_352, WAGO_750_530

from simulators.serve import on_tcp
from simulators.valve_module import ValveModule
from simulators.valve_wago import WagoA
from tests.valve_rig import Coupler, coupler

WATCHDOG_S = 0.5


class Tapped:
    """A module that writes down what it is sent, from the function code on."""

    def __init__(self, module: ValveModule) -> None:
        self.module, self.heard = module, list[str]()

    def hear(self, now_s: float, data: bytes) -> bytes:
        self.heard.append(data[7:].hex(" "))
        return self.module.hear(now_s, data)

    def next_at(self) -> float | None:
        return self.module.next_at()

    def speak(self, now_s: float) -> bytes:
        return self.module.speak(now_s)


@asynccontextmanager
async def served(module: ValveModule) -> AsyncIterator[tuple[int, Tapped]]:
    tapped = Tapped(module)
    async with on_tcp(lambda: tapped) as address:
        yield int(address.rpartition(":")[2]), tapped


@contextmanager
def client(make: Callable[[], BusCoupler]) -> Iterator[BusCoupler]:
    one = make()
    try:
        yield one
    finally:
        one.modbus.close()


def wago(port: int) -> BusCoupler:
    made = WAGO_750_352("127.0.0.1", port, timeout=2, watchdog=WATCHDOG_S)
    # terminals that are named to its constructor get addresses below the alias, where it would read inputs
    made.add_bus_terminals(WAGO_750_530, WAGO_750_530)
    return made


def beckhoff(port: int) -> BusCoupler:
    return BK9050("127.0.0.1", port, [KL2408, KL2408], timeout=2, watchdog=WATCHDOG_S)


async def test_what_it_sends_to_a_wago_is_what_was_recorded_and_every_word_is_taken() -> None:
    async with served(WagoA()) as (port, tapped):

        def drive() -> None:
            with client(lambda: wago(port)) as one:
                terminal = one.select(WAGO_750_530, 1)
                assert terminal.write_coil(3, True) and terminal.read_coil(3) is True
                assert terminal.write_coil(3, False) and terminal.read_coil(3) is False
                assert one.get_error() == ""

        await asyncio.to_thread(drive)
    assert tapped.heard == [
        "06 10 05 aa aa",
        "06 10 05 55 55",
        "06 10 00 00 05",
        "06 10 01 ff ff",
        "05 02 0a ff 00",  # output 10 by its alias
        "01 02 0a 00 01",
        "05 02 0a 00 00",
        "01 02 0a 00 01",
    ]


@pytest.mark.parametrize(("starters", "guards"), [({"mask"}, True), ({"mask", "trigger"}, True), ({"trigger"}, False)])
async def test_it_never_writes_the_trigger_so_that_its_watchdog_runs_by_one_reading_and_not_by_the_other(
    starters: set[str], guards: bool
) -> None:
    module = WagoA(starters=frozenset(starters))  # type: ignore[arg-type]
    async with served(module) as (port, _):

        def drive() -> tuple[list[int] | None, bool | None, str]:
            with client(lambda: wago(port)) as one:
                one.select(WAGO_750_530).write_coil(1, True)
                state = one.modbus.read_holding_registers(0x1006, 1)
                time.sleep(WATCHDOG_S + 0.2)
                return state, one.select(WAGO_750_530).read_coil(1), one.get_error()

        state, coil, error = await asyncio.to_thread(drive)
    assert state == [int(guards)], "0x1006 tells"
    if guards:
        assert coil is None and error == "return error: slave device failure (4)"
        assert (module.word, module.state) == (0, 2)
    else:
        assert coil is True and module.word == 1, "this coupler is left open by that client"


def closed_by_watchdog(module: Coupler, opened_s: float) -> None:
    after_s = module.wait_for_word(0, 0xFFFF) - opened_s
    assert module.lines()[-1]["cause"] == "watchdog"
    assert WATCHDOG_S - 0.05 <= after_s <= WATCHDOG_S + 0.3


@pytest.mark.parametrize(("driver", "make"), [("wago_750_352", wago), ("beckhoff_bk9050", beckhoff)])
def test_the_coupler_as_a_computer_takes_its_words_and_shuts_when_it_falls_silent(
    driver: str, make: Callable[[int], BusCoupler], tmp_path: Path
) -> None:
    with coupler(tmp_path, driver=driver) as module:
        with client(lambda: make(module.port)) as one:
            terminal = one.bus_terminals[1]
            opened_s = time.monotonic()
            assert terminal.write_coil(2, True)  # type: ignore[attr-defined]
            assert terminal.read_coil(2) is True  # type: ignore[attr-defined]
            assert module.words()[-1][1] == 1 << 9
            closed_by_watchdog(module, opened_s)
            assert terminal.write_coil(2, True) is False  # type: ignore[attr-defined]
            assert one.get_error() == "return error: slave device failure (4)"
        with client(lambda: make(module.port)) as again:  # it resets the watchdog whenever it comes
            assert again.bus_terminals[0].write_coil(1, True)  # type: ignore[attr-defined]
            assert module.words()[-1][1] == 1
