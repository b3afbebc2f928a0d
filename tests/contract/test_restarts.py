"""A device that restarts between two polls answers every question: what it lost by that is noticed all the same."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from drivers.alicat import Alicat, AlicatConfig
from drivers.base import BadReply, DeviceFault, Reading
from drivers.beckhoff_io import BeckhoffIo, BeckhoffIoConfig
from drivers.eurotherm import Eurotherm3216, EurothermConfig
from drivers.line import memory_line
from drivers.wago_io import WagoIo, WagoIoConfig
from drivers.wired import DigitalInput, DigitalOutput
from simulators.alicat import AlicatFace
from simulators.beckhoff_io import TRIPS, CouplerB, CouplerBFace
from simulators.eurotherm import Eurotherm
from simulators.modbus_server import ILLEGAL_ADDRESS, ModbusException
from simulators.virtualtime import run_virtual
from simulators.wago_io import WagoB, WagoBFace
from tests.contract.cases import Heated, Rack

OUTPUTS = DigitalOutput("gate lock", 0), DigitalOutput("source contactor", 1)
COUPLER = BeckhoffIoConfig(1, 5.0, (), (DigitalInput("gate_shut", 0),), OUTPUTS)


class Uncounted(CouplerB):
    """An older coupler, which does not count what its watchdog did."""

    def read_holding(self, address: int, count: int) -> Sequence[int]:
        if address <= TRIPS < address + count:
            raise ModbusException(ILLEGAL_ADDRESS)
        return super().read_holding(address, count)


def coupler(kind: type[CouplerB] = CouplerB) -> tuple[CouplerB, BeckhoffIo]:
    simulated = kind(Rack(), {}, {0: "gate_shut"}, {0: "gate lock", 1: "source contactor"})
    return simulated, BeckhoffIo("coupler-b", memory_line("coupler-b", CouplerBFace(simulated, unit=1)), COUPLER)


async def polls(device: Any, for_s: float) -> dict[str, Any]:
    """As the daemon does; what was read last."""
    until_s = asyncio.get_running_loop().time() + for_s
    while True:
        read: dict[str, Any] = await device.poll()
        if asyncio.get_running_loop().time() >= until_s:
            return read
        await asyncio.sleep(0.1)


def restart(simulated: Any) -> None:
    simulated.power_cycle(asyncio.get_running_loop().time())


@pytest.mark.parametrize("switched", [True, False], ids=["an output was on", "all were off"])
def test_a_coupler_that_forgot_its_watchdog_has_a_trip_until_it_is_armed_anew(switched: bool) -> None:
    async def main() -> None:
        simulated, device = coupler()
        await device.identify()
        await device.set_output("gate lock", switched)
        assert (await polls(device, 2.0))["watchdog_trips"].value == 0
        restart(simulated)
        assert (await polls(device, 0.6))["watchdog_trips"].value == 1
        with pytest.raises(DeviceFault, match="without power: outputs stay off until it is armed again"):
            await device.set_output("gate lock", True)
        assert (await polls(device, 2.0))["watchdog_trips"].value == 1, "it does not pass by itself"
        await device.identify()
        await device.set_output("gate lock", True)
        assert (await polls(device, 2.0))["watchdog_trips"].value == 0
        assert (simulated.time_ms, simulated.type, simulated.word) == (5000, 1, 0b01)

    run_virtual(main())


def test_a_coupler_that_counts_nothing_says_by_a_fault_that_it_forgot_its_watchdog() -> None:
    async def main() -> None:
        simulated, device = coupler(Uncounted)
        await device.identify()
        assert set(await polls(device, 2.0)) == {"gate_shut"}
        restart(simulated)
        with pytest.raises(DeviceFault, match="watchdog register 0x1120 is 1000 instead of 5000: it was without power"):
            await polls(device, 0.6)

    run_virtual(main())


def test_an_output_that_fell_is_noticed_even_if_the_watchdog_is_as_it_was() -> None:
    async def main() -> None:
        simulated, device = coupler()
        await device.identify()
        await device.set_output("source contactor", True)
        await polls(device, 1.0)
        simulated.word &= ~0b10
        assert (await polls(device, 0.6))["watchdog_trips"].value == 1

    run_virtual(main())


def test_an_output_that_another_client_switched_on_is_a_fault_that_names_it() -> None:
    async def main() -> None:
        simulated, device = coupler()
        await device.identify()
        await polls(device, 1.0)
        simulated.word |= 0b10
        with pytest.raises(DeviceFault, match="output source contactor is on and was not switched on from here"):
            await polls(device, 0.6)

    run_virtual(main())


class AtTheFeed(WagoBFace):
    """A WAGO coupler whose power fails, once, between the look at its watchdog and the write that feeds it."""

    due = False

    def hear(self, now_s: float, data: bytes) -> bytes:
        if self.due and data[7] == 6 and data[8:10] == b"\x10\x03":
            self.due = False
            self.power_cycle(now_s)
        return super().hear(now_s, data)


def test_a_watchdog_that_the_next_feed_started_with_other_settings_has_a_trip() -> None:
    async def main() -> None:
        face = AtTheFeed(WagoB(Rack(), {}, {0: "gate_shut"}, {0: "lamp"}))
        settings = WagoIoConfig(1, 1.0, (), (DigitalInput("gate_shut", 0),), (DigitalOutput("lamp", 0),))
        device = WagoIo("coupler-c", memory_line("coupler-c", face), settings)
        await device.identify()
        assert (await polls(device, 2.0))["watchdog_trips"].value == 0
        face.due = True
        assert (await polls(device, 0.7))["watchdog_trips"].value == 1
        await device.identify()
        assert (await polls(device, 2.0))["watchdog_trips"].value == 0

    run_virtual(main())


# --- settings that are others after a restart, or after somebody changed them ---------------------------------------


class Steady:
    """Nothing changes but what a device makes of it."""

    sccm = 0.0

    def set_flow(self, name: str, sccm: float, at_s: float) -> None:
        self.sccm = sccm

    def flow_sccm(self, name: str, at_s: float) -> float:
        return self.sccm

    def supply_pa(self, at_s: float) -> float:
        return 2e5


def test_an_alicat_whose_flows_are_in_another_unit_says_nothing_wrong_and_is_then_read_in_that_unit() -> None:
    async def main() -> None:
        simulated = AlicatFace(Steady(), "carrier", unit="A", full_scale_sccm=20, gas="Ar")
        device = Alicat("carrier", memory_line("flows", simulated), AlicatConfig("A", 20.0, "Ar"))
        await device.identify()
        await device.set_flow(5.0)
        assert (await device.poll())["flow_sccm"].value == 5.0
        simulated.flow_unit = "SLPM"
        with pytest.raises(BadReply, match="other decimals than its table announced"):
            await device.poll()
        read = await device.poll()
        assert read["flow_sccm"].value == 5.0
        assert read["setpoint_sccm"].flags == ()
        await device.set_flow(8.0)
        assert simulated.setpoint == 8.0

    run_virtual(main())


def test_a_eurotherm_that_forgot_its_remote_set_point_is_named_and_follows_again() -> None:
    async def main() -> None:
        oven = Heated()
        simulated = Eurotherm(oven, "substrate", unit=1, local_c=20)
        face = simulated.face()
        device = Eurotherm3216("substrate", memory_line("heaters", face), EurothermConfig(1, 20.0))
        await device.identify()
        await device.follow(80.0)
        await device.poll()
        restart(face)
        read = await device.poll()
        assert read["working_setpoint_c"].value == 20.0
        assert read["working_setpoint_c"].flags == ("set-point changed at the device",)
        await device.follow(80.0)
        assert (await device.poll())["working_setpoint_c"] == Reading(80.0, asyncio.get_running_loop().time())
        assert simulated.eeprom_writes == {}

    run_virtual(main())
