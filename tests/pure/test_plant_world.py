"""The simulated tool as its file describes it, in memory: one plant behind every line."""

import asyncio
import struct
from pathlib import Path

import pytest

from simulators.faults import Fault
from simulators.plant.sources import TORR_PA
from simulators.quantity import quantity
from simulators.virtualtime import run_virtual
from simulators.world import build

TOOL = Path(__file__).parents[2] / "deploy" / "tool.yaml"
HOT = {"substrate": 150, "chamber": 150}


def coils(word: int) -> bytes:
    return struct.pack(">HHHBBHHBH", 1, 0, 9, 1, 15, 0, 16, 2, ((word & 0xFF) << 8) | word >> 8)


def test_a_word_on_coupler_a_doses_into_the_chamber_that_the_gauges_see():
    world = build(TOOL, at_s=0.0, warm=HOT)
    world.face("flows").hear(0.0, b"AS 20\r")
    valves, gauge = world.face("coupler-a"), world.face("gauge")
    before = float(gauge.hear(20.0, b"@253PR4?;FF")[7:-3])
    assert valves.hear(20.0, coils(1))[-4:] == bytes((0, 0, 0, 16))
    valves.hear(20.015, coils(0))
    assert float(gauge.hear(20.115, b"@253PR4?;FF")[7:-3]) - before == pytest.approx(0.2, rel=0.3)  # it lags 0.1 s


def test_a_dead_client_of_coupler_a_leaves_its_valves_shut_at_the_watchdogs_moment():
    world = build(TOOL, at_s=0.0, warm=HOT)
    valves = world.face("coupler-a")
    valves.hear(0.0, coils(0b10))
    assert valves.next_at() == 1.0
    valves.speak(1.0)
    world.plant.advance(1.05)  # the valve has shut
    grams = world.plant.bottles["H2O"].grams
    world.plant.advance(10.0)
    assert world.plant.bottles["H2O"].grams == grams
    assert world.coupler_a.trips == 1


def test_another_bottle_may_hang_at_a_port():
    world = build(TOOL, at_s=0.0, bottles={"H2O": "TEA", "spare": "TTIP"})
    assert world.plant.bottles["H2O"].key == "triethanolamine"
    assert world.plant.bottles["spare"].key == "TTIP"
    assert "spare" not in build(TOOL, at_s=0.0).plant.bottles


def test_every_zone_has_its_instrument_and_pushed_ports_their_flow():
    world = build(TOOL, at_s=0.0)
    assert all(zone.law is not None for zone in world.plant.heat.zones.values())
    ports = {port.name: port for port in world.plant.wiring.ports}
    assert (ports["LTB"].pusher, ports["LTB"].zone) == ("pusher", "source-3")
    assert world.plant.wiring.stop_mask == 1 << 6
    assert world.plant.wiring.contactor_mask == 1 << 7


def test_faults_are_by_device_even_on_a_shared_line():
    world = build(TOOL, at_s=0.0)
    world.faults["pusher"].put(Fault(deaf=True))
    flows = world.face("flows")
    assert flows.hear(0.0, b"A\r") and not flows.hear(0.1, b"B\r")


def test_an_hour_on_virtual_time_is_an_hour_of_the_plant():
    async def main() -> tuple[float, float]:
        loop = asyncio.get_running_loop()
        world = build(TOOL, at_s=loop.time(), warm=HOT)
        world.face("flows").hear(loop.time(), b"AS 20\r")
        for _ in range(3600):
            await asyncio.sleep(1)
            world.face("gauge").hear(loop.time(), b"@253PR4?;FF")
        return world.plant.pressure_pa(loop.time()) / TORR_PA, world.plant.temperature_c("chamber", loop.time())

    torr, celsius = run_virtual(main())
    assert 0.2 < torr < 0.3  # the walls have cooled, and so has the gas
    assert celsius < 60


@pytest.mark.parametrize("text", ["100", "100 slm", "100sccm"])
def test_a_quantity_in_another_unit_is_refused(text):
    with pytest.raises(ValueError, match="sccm"):
        quantity(text, "sccm")
