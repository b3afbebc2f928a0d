"""Drivers against simulated devices over faulty wires, beyond the catalogue: single bits, writes, abandoned polls.

Every fault at every driver is tried in test_catalogue.py.

The simulated quantities rise with time, so that an old value shows: a reading is right if it was true at some moment
between the question and its answer. Bytes do not overtake each other, on these wires as on real ones, but for one
test. What no driver can notice is listed at the end, as tests, too.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from drivers.base import BadReply, DeviceFault, DriverError, NoReply, Refused
from drivers.eurotherm import Eurotherm3216, EurothermConfig
from drivers.line import Line, memory_line
from drivers.modbus import RTU_TIMEOUT_S
from drivers.transport import Heard, Lost, MemoryTransport, Transport
from simulators.eurotherm import Eurotherm
from simulators.face import Bus, Face
from simulators.faults import Fault, Faults, Faulty
from simulators.virtualtime import run_virtual
from tests.contract import case_alicat, case_beckhoff, case_eurotherm, case_mks
from tests.contract.cases import Case, Heated
from tests.contract.catalogue import InOrder
from tests.contract.scripted import now_s

CASES: dict[str, Case] = {
    "alicat": case_alicat.CASES[0],
    "mks": case_mks.CASES[0],
    "eurotherm": case_eurotherm.CASES[0],
    "beckhoff": case_beckhoff.CASES[0],
}


@dataclass
class Bench:
    """One driver and its device with a switch for faults between them; `channel` is the one that is judged."""

    case: Case
    plant: Any
    face: Any
    faults: Faults
    device: Any

    @property
    def channel(self) -> str:
        return next(iter(self.case.channels))

    @property
    def timeout_s(self) -> float:
        return self.case.slowest_s

    async def set(self) -> None:
        assert self.case.set
        await self.case.set(self.device)


def bench(name: str, wrap: Callable[[Face, Faults], Face] = InOrder) -> Bench:
    """In memory: on a serial line the same face, on TCP one for each connection."""
    case = CASES[name]
    plant, faults = case.plant(), Faults(case.framing)
    face = case.face(plant)
    same = wrap(face, faults)

    async def opener(heard: Heard, lost: Lost) -> Transport:
        return MemoryTransport(wrap(face, faults) if case.framing == "tcp" else same, heard)

    return Bench(case, plant, face, faults, case.driver(Line("test", opener)))


@dataclass
class Tally:
    right: int = 0
    wrong: int = 0
    errors: int = 0


async def polls(bench: Bench, for_s: float, tally: Tally, every_s: float = 0.1) -> None:
    """Polls for a while; every value is compared with the truth between question and answer."""
    end_s = now_s() + for_s
    while now_s() < end_s:
        asked_s = now_s()
        try:
            value = (await bench.device.poll())[bench.channel].value
        except DriverError:
            tally.errors += 1
        else:
            truth = bench.case.channels[bench.channel]
            low, high = (truth.at(bench.plant, at_s) for at_s in (asked_s, now_s()))
            right = low - truth.resolution <= value <= high + truth.resolution
            tally.right, tally.wrong = tally.right + right, tally.wrong + (not right)
        await asyncio.sleep(every_s)


async def survive(name: str, fault: Callable[[Bench], Fault], wrap: Callable[[Face, Faults], Face] = InOrder) -> Tally:
    """Healthy, faulty for ten seconds, healthy again: the tally of the faulty part; asserts recovery."""
    one = bench(name, wrap=wrap)
    await one.device.identify()
    before, during, leaving, after = Tally(), Tally(), Tally(), Tally()
    await polls(one, 1.0, before)
    assert (before.wrong, before.errors) == (0, 0)
    one.faults.put(fault(one))
    await polls(one, 10.0, during)
    one.faults.clear()
    await polls(one, 12 * one.timeout_s, leaving)
    await polls(one, 2.0, after)
    assert leaving.wrong == after.wrong == after.errors == 0
    assert after.right
    during.wrong += leaving.wrong
    return during


WIRE: dict[str, Callable[[Bench], Fault]] = {
    "deaf": lambda b: Fault(deaf=True),
    "silent": lambda b: Fault(silent=True),
    "late by 1.5 time-outs": lambda b: Fault(late_s=1.5 * b.timeout_s),
    "twice": lambda b: Fault(duplicate=True),
    "truncated": lambda b: Fault(keep=6),
    "another unit": lambda b: Fault(wrong_unit=b.case.wrong_unit),
}


@pytest.mark.parametrize("bit", range(15 * 8))
def test_no_single_wrong_bit_on_an_rtu_line_becomes_a_temperature(bit: int) -> None:
    tally = run_virtual(survive("eurotherm", lambda b: Fault(flip_bit=bit, every=2)))
    assert tally.wrong == 0
    assert tally.errors > 0


@pytest.mark.parametrize("name", ["alicat", "mks"])
def test_an_eighth_bit_on_an_ascii_line_is_noticed(name: str) -> None:
    for byte in range(13):
        tally = run_virtual(survive(name, lambda b, byte=byte: Fault(flip_bit=8 * byte + 7, every=2)))  # type: ignore[misc]
        assert tally.wrong == 0
        assert tally.errors > 0


@pytest.mark.parametrize("late", [1.01, 1.5, 2.5, 4, 9.5])
@pytest.mark.parametrize("name", CASES)
def test_one_late_reply_that_others_overtake_is_never_taken_for_theirs(name: str, late: float) -> None:
    """As behind a gateway that does not keep the order."""
    tally = run_virtual(survive(name, lambda b: Fault(late_s=late * b.timeout_s, times=1, every=5), wrap=Faulty))
    assert tally.wrong == 0
    assert tally.errors in (1, 2)


@pytest.mark.parametrize("name", ["eurotherm", "beckhoff"])
def test_a_write_that_is_acknowledged_and_not_done_is_refused(name: str) -> None:
    async def main() -> None:
        one = bench(name)
        await one.device.identify()
        one.faults.put(Fault(acknowledge_only=True))
        with pytest.raises(Refused, match="reads back"):
            await one.set()

    run_virtual(main())


def test_a_flow_controller_on_its_analogue_input_does_not_take_set_points_silently() -> None:
    async def main() -> None:
        one = bench("alicat")
        await one.device.identify()
        one.face.source = "A"
        with pytest.raises(Refused, match="look at its source"):
            await one.device.set_flow(20)
        with pytest.raises(Refused, match="analogue input"):
            await one.device.identify()

    run_virtual(main())


@pytest.mark.parametrize("case", ["deaf", "silent", "late by 1.5 time-outs", "truncated", "another unit", "twice"])
@pytest.mark.parametrize("name", ["alicat", "eurotherm", "beckhoff"])
def test_a_write_over_a_faulty_wire_never_counts_as_done(name: str, case: str) -> None:
    async def main() -> None:
        one = bench(name)
        await one.device.identify()
        one.faults.put(WIRE[case](one))
        with pytest.raises((NoReply, BadReply)):
            await one.set()
        one.faults.clear()
        await one.set()

    run_virtual(main())


@pytest.mark.parametrize("name", ["alicat", "eurotherm", "beckhoff"])
def test_the_safe_state_is_reached_right_after_an_abandoned_poll(name: str) -> None:
    async def main() -> None:
        one = bench(name)
        await one.device.identify()
        await one.set()
        one.faults.put(Fault(late_s=0.8 * one.timeout_s, times=1))
        poll = asyncio.create_task(one.device.poll())
        await asyncio.sleep(0.3 * one.timeout_s)
        poll.cancel()
        began_s = now_s()
        await one.device.safe()
        assert now_s() - began_s < 1.0
        assert not any(one.plant.switched.values())

    run_virtual(main())


def test_a_device_that_died_costs_its_neighbours_on_the_line_one_time_out_and_the_silence_after_it() -> None:
    async def main() -> None:
        plant, dead = Heated(), Faults("rtu")
        ovens = [Eurotherm(plant, f"zone {n}", unit=n, local_c=20).face() for n in range(1, 7)]  # type: ignore[arg-type]
        line = memory_line("heaters", Bus([dead.wrap(ovens[0]), *ovens[1:]]))
        first, *others = (Eurotherm3216(f"zone {n}", line, EurothermConfig(n, 20)) for n in range(1, 7))
        for one in (first, *others):
            await one.identify()
        dead.put(Fault(deaf=True))
        began_s = now_s()
        results = await asyncio.gather(*(one.poll() for one in (first, *others)), return_exceptions=True)
        assert [type(result) for result in results] == [NoReply, *[dict] * 5]
        assert now_s() - began_s == pytest.approx(RTU_TIMEOUT_S + 0.4, abs=0.01)

    run_virtual(main())


# --- what the device says about itself ---


def test_a_broken_thermocouple_at_a_coupler_is_no_value() -> None:
    async def main() -> None:
        one = bench("beckhoff")
        await one.device.identify()
        one.face.coupler.channels["o2_ppm"].broken = True
        readings = await one.device.poll()
        assert math.isnan(readings["o2_ppm"].value)
        assert "error" in readings["o2_ppm"].flags
        assert readings["gate_shut"].value == 1.0

    run_virtual(main())


def test_a_tripped_watchdog_shows_and_is_cleared_only_by_identifying_again() -> None:
    async def main() -> None:
        one = bench("beckhoff")
        await one.device.identify()
        await one.device.set_output("vent", True)
        await asyncio.sleep(61)
        assert one.plant.switched["vent"] is False
        assert (await one.device.poll())["watchdog_trips"].value == 1.0
        with pytest.raises(DeviceFault):
            await one.device.set_output("vent", True)
        await one.device.safe()
        await one.device.identify()
        await one.device.set_output("vent", True)
        assert one.plant.switched["vent"] is True

    run_virtual(main())


def test_polls_feed_the_watchdog() -> None:
    async def main() -> None:
        one = bench("beckhoff")
        await one.device.identify()
        await one.device.set_output("vent", True)
        for _ in range(100):
            await asyncio.sleep(1)
            await one.device.poll()
        assert one.plant.switched["vent"] is True

    run_virtual(main())


def test_the_local_set_point_costs_one_write_of_memory_in_a_life() -> None:
    async def main() -> None:
        oven = Eurotherm(Heated(), "substrate", unit=1, local_c=50)  # type: ignore[arg-type]
        device = Eurotherm3216("substrate", memory_line("heaters", oven.face()), EurothermConfig(1, 20))
        for _ in range(5):
            await device.identify()
            for setpoint_c in (100, 120, 150):
                await device.follow(setpoint_c)
                await device.poll()
            await device.follow(None)
        assert oven.eeprom_writes == {24: 1}

    run_virtual(main())


# --- what no driver can see, so that nobody believes otherwise ---


def test_a_digit_that_noise_makes_another_digit_is_not_seen_on_a_line_without_checksum() -> None:
    """Both ASCII protocols. Range and rate limits of the interlocks are what is left."""
    tally = run_virtual(survive("mks", lambda b: Fault(flip_bit=9 * 8, every=3)))
    assert tally.wrong > 0


def test_a_device_that_repeats_itself_in_valid_frames_is_not_seen() -> None:
    """Stuck values are the interlocks' to find."""
    tally = run_virtual(survive("eurotherm", lambda b: Fault(stuck=True)))
    assert tally.wrong > 0
