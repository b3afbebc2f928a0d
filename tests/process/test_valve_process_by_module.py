"""The valve process as it is, on modules other than the Beckhoff coupler: what shuts when it stands or is dead."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from pathlib import Path

import pytest

from ald_controller.valves.client import ValveClient
from ald_controller.valves.wire import Edge, Fault, Held, ValveError
from tests.process.stand import figure
from tests.valve_links import MARGIN_S
from tests.valve_rig import CONFIG, LTB, SOURCES, Coupler, S, coupler, dose, until, valves

CLOSES_S = {"wago_750_352": 0.5, "moxa_e1211": 1.0}


def closed_alone(module: Coupler, driver: str, since_s: float, what: str) -> None:
    after_s = module.wait_for_word(0) - since_s
    figure(f"{driver}, valve process {what}: closed after {after_s:.3f} s (its own watchdog {CLOSES_S[driver]} s)")
    assert 0 < after_s <= CLOSES_S[driver] + MARGIN_S
    assert module.lines()[-1]["cause"] == "watchdog"


@pytest.mark.parametrize("driver", CLOSES_S)
async def test_a_stopped_valve_process_finds_the_trip_when_it_goes_on(tmp_path: Path, driver: str) -> None:
    watchdog_ms = 500 if driver == "wago_750_352" else 0
    with coupler(tmp_path, driver=driver) as module:
        async with valves(module.port, tmp_path, driver=driver, watchdog_ms=watchdog_ms) as client:
            await client.load(dose(0, LTB, 5 * S, 6 * S))
            await until(client, Edge, 2)
            assert client.pid is not None
            stopped_s = time.monotonic()
            os.kill(client.pid, signal.SIGSTOP)
            closed_alone(module, driver, stopped_s, "stopped")
            os.kill(client.pid, signal.SIGCONT)
            told: list[str] = []
            while not any("the module's watchdog tripped" in what for what in told):
                told += [event.what for event in await until(client, Held) if isinstance(event, Fault)]
            await asyncio.sleep(0.3)
            assert module.words()[-1][1] & SOURCES == 0


async def test_a_killed_valve_process_leaves_a_wago_to_itself_and_only_a_fresh_one_takes_it_back(
    tmp_path: Path,
) -> None:
    driver = "wago_750_352"
    with coupler(tmp_path, driver=driver) as module:
        client = ValveClient("127.0.0.1", module.port, lock_dir=tmp_path, driver=driver)
        await client.start(CONFIG)
        client.beat(SOURCES)
        client.state("VACUUM")
        client.clear()
        await client.load(dose(0, LTB, 5 * S, 6 * S))
        await until(client, Edge, 2)
        assert client.pid is not None
        killed_s = time.monotonic()
        os.kill(client.pid, signal.SIGKILL)
        closed_alone(module, driver, killed_s, "killed")
        with pytest.raises(ValveError, match="the valve process is gone"):
            await until(client, Held)
        await client.close()  # the safe word by whoever is left: a tripped coupler is believed to be shut
        again = ValveClient("127.0.0.1", module.port, lock_dir=tmp_path, driver=driver)
        status = await again.start(CONFIG)
        assert status.armed and status.held == "boot" and status.trips == 3, "another trigger value than the first, 1"
        await again.close()
