"""The Bronkhorst driver and its simulated instrument together: what happens at the instrument, and wrong bits."""

from __future__ import annotations

import pytest

from drivers.base import BadReply, DeviceFault, NoReply, Reading, Refused
from drivers.bronkhorst import Bronkhorst, BronkhorstConfig
from drivers.line import memory_line
from simulators.bronkhorst import BronkhorstFace
from simulators.face import Bus
from simulators.faults import Fault, Faults
from simulators.virtualtime import run_virtual
from tests.contract.case_bronkhorst import CASES
from tests.contract.plants import Flows
from tests.contract.scripted import now_s


def test_a_set_point_changed_elsewhere_is_named_by_the_next_poll_until_it_is_set_again() -> None:
    async def main() -> None:
        face = BronkhorstFace(Flows(), "carrier", full_scale_sccm=100)
        device = Bronkhorst("carrier", memory_line("test", face), BronkhorstConfig(100, "Ar"))
        await device.set_flow(12.5)
        assert (await device.poll())["setpoint_sccm"] == Reading(12.5, now_s())
        face.hear(now_s(), bytes.fromhex("10 02 01 80 05 01 01 21 3E 80 10 03"))  # another master
        readings = await device.poll()
        assert readings["setpoint_sccm"] == Reading(50.0, now_s(), ("set-point changed elsewhere",))
        assert readings["flow_sccm"].flags == (), "what flows is still measured"
        await device.set_flow(12.5)
        assert (await device.poll())["setpoint_sccm"].flags == ()

    run_virtual(main())


def test_a_set_point_that_was_never_ours_is_watched_from_the_first_poll_on() -> None:
    async def main() -> None:
        face = BronkhorstFace(Flows(), "carrier", full_scale_sccm=100)
        device = Bronkhorst("carrier", memory_line("test", face), BronkhorstConfig(100, "Ar"))
        await device.poll()
        face.setpoint = 16000
        assert (await device.poll())["setpoint_sccm"].flags == ("set-point changed elsewhere",)

    run_virtual(main())


def test_a_source_switched_at_the_instrument_is_a_fault_of_the_next_poll_and_refuses_set_points() -> None:
    async def main() -> None:
        plant = Flows()
        face = BronkhorstFace(plant, "carrier", full_scale_sccm=100)
        device = Bronkhorst("carrier", memory_line("test", face), BronkhorstConfig(100, "Ar"))
        await device.set_flow(12.5)
        face.switch(8)
        with pytest.raises(DeviceFault, match="purge"):
            await device.poll()
        with pytest.raises(Refused, match="purge"):
            await device.set_flow(12.5)
        with pytest.raises(Refused, match="purge"):
            await device.safe()
        face.switch(0)
        await device.safe()
        assert plant.flows["carrier"] == 0.0

    run_virtual(main())


def test_two_controllers_share_a_bus() -> None:
    async def main() -> None:
        plant = Flows()
        nodes = {"carrier": 3, "pusher": 16}
        bus = Bus([BronkhorstFace(plant, name, full_scale_sccm=100, node=node) for name, node in nodes.items()])
        line = memory_line("test", bus)
        one, two = (Bronkhorst(name, line, BronkhorstConfig(100, "Ar", node=node)) for name, node in nodes.items())
        await one.set_flow(10.0)
        await two.set_flow(20.0)
        for _ in range(3):
            assert (await one.poll())["flow_sccm"].value == 10.0
            assert (await two.poll())["flow_sccm"].value == 20.0

    run_virtual(main())


@pytest.mark.parametrize("byte", range(2, 5))
@pytest.mark.parametrize("bit", range(8))
def test_a_wrong_bit_in_sequence_number_node_or_length_is_never_data(byte: int, bit: int) -> None:
    async def main() -> None:
        faults = Faults("ascii")
        (case,) = CASES
        device = case.driver(memory_line("test", faults.wrap(case.face(case.plant()))))
        await device.identify()
        faults.put(Fault(flip_bit=8 * byte + bit, times=1))
        with pytest.raises((BadReply, NoReply)):
            await device.poll()
        await device.poll()

    run_virtual(main())
