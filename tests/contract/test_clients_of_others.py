"""Clients that others wrote drive the simulated Watlow, analogue module and WAGO coupler; a server is read."""

from __future__ import annotations

import asyncio
import struct
import time

import minimalmodbus
import pytest
from pyhoff.devices import WAGO_750_352, WAGO_750_530
from pymodbus.client import ModbusSerialClient, ModbusTcpClient
from pyModbusTCP.client import ModbusClient
from pyModbusTCP.server import ModbusServer as ServerOfOthers

from drivers.analogue_io import AnalogueIo, AnalogueIoConfig, ModbusAnalogueInput
from drivers.line import open_line
from simulators.analogue_io import AnalogueFace, AnalogueModule, Input
from simulators.serve import on_pty, on_tcp
from simulators.wago_io import Channel, WagoB, WagoBFace
from simulators.watlow import Watlow
from tests.contract.plants import Oven, Rack


async def test_minimalmodbus_reads_and_sets_a_watlow_in_both_word_orders() -> None:
    unit = Watlow(Oven(), "substrate", unit=3)

    def drive(path: str) -> list[float]:
        one = minimalmodbus.Instrument(path, 3)
        assert one.serial is not None
        one.serial.baudrate, one.serial.timeout = 9600, 1.0
        low_first, high_first = minimalmodbus.BYTEORDER_LITTLE_SWAP, minimalmodbus.BYTEORDER_BIG
        found = [one.read_float(360, byteorder=low_first)]
        one.write_float(2160, 302.0, byteorder=low_first)
        one.write_register(1880, 10, functioncode=6)
        one.write_register(2488, 1330, functioncode=6)
        one.write_register(2490, 15, functioncode=16)
        found += [one.read_float(360, byteorder=high_first), one.read_float(2160, byteorder=high_first)]
        with pytest.raises(minimalmodbus.IllegalRequestError):
            one.read_register(9999)
        with pytest.raises(minimalmodbus.IllegalRequestError):
            one.write_register(1880, 63, functioncode=6)
        one.serial.close()
        return found

    async with on_pty(unit.face()) as address:
        found = await asyncio.to_thread(drive, address.removeprefix("serial:"))
    assert found == pytest.approx([212.0, 100.0, 150.0], abs=1e-3)


async def test_pymodbus_reads_a_watlow_as_it_comes_from_the_factory() -> None:
    unit = Watlow(Oven(), "substrate", unit=1)

    def read(path: str) -> tuple[float, list[int]]:
        client = ModbusSerialClient(path, baudrate=9600, parity="N", timeout=1, retries=0)
        assert client.connect()
        words = client.read_holding_registers(360, count=2, device_id=1).registers
        value = client.convert_from_registers(words, client.DATATYPE.FLOAT32, word_order="little")
        codes = client.read_holding_registers(2488, count=7, device_id=1).registers
        client.close()
        assert isinstance(value, float)
        return value, codes

    async with on_pty(unit.face()) as address:
        value, codes = await asyncio.to_thread(read, address.removeprefix("serial:"))
    assert value == pytest.approx(212.0)
    assert codes[::2] == [1331, 30, 1057, 106]


async def test_py_modbus_tcp_and_pymodbus_read_the_same_of_an_analogue_module() -> None:
    inputs = {
        "o2": Input(0, "4-20 mA", 6553, 32767, 0, 100, lambda _: 50.0, status=7, reports=1),
        "second": Input(2, "4-20 mA", 4, 20, 0, 100, lambda _: 50.0, "float32 high first"),
    }
    module = AnalogueModule(inputs)

    def read(port: int) -> tuple[list[int] | None, list[int]]:
        one = ModbusClient(host="127.0.0.1", port=port, unit_id=1)
        other = ModbusTcpClient("127.0.0.1", port=port, timeout=2)
        assert one.open() and other.connect()
        assert one.read_input_registers(1, 1) is None and one.last_except == 2
        found = one.read_input_registers(2, 2), other.read_input_registers(2, count=2, device_id=1).registers
        assert one.read_input_registers(7, 1) == [0]
        inputs["o2"].broken = True
        assert one.read_input_registers(0, 1) == [0] and one.read_input_registers(7, 1) == [1]
        one.close(), other.close()
        return found

    async with on_tcp(lambda: AnalogueFace(module, unit=1, protocol="tcp")) as address:
        mine, theirs = await asyncio.to_thread(read, int(address.rpartition(":")[2]))
    assert mine == theirs
    assert struct.unpack(">f", struct.pack(">HH", *theirs)) == (12.0,)


def wago(rack: Rack) -> WagoB:
    channels = {"o2": Channel(0, "4-20 mA on 0-20 mA", 0, 100, lambda _: 50.0)}
    return WagoB(rack, channels, {0: "gate_shut"}, {0: "vent", 9: "lamp"})


async def test_pyhoff_switches_a_wago_coupler_whose_watchdog_then_acts() -> None:
    rack = Rack("gate_shut")
    coupler = wago(rack)

    def drive(port: int) -> tuple[bool, bool | None, list[int] | None]:
        one = WAGO_750_352("127.0.0.1", port, timeout=2, watchdog=0.5)
        one.add_bus_terminals(WAGO_750_530, WAGO_750_530)
        terminal = one.select(WAGO_750_530, 1)
        found = terminal.write_coil(2, True), terminal.read_coil(2)
        switched = rack.switched.get("lamp")
        time.sleep(0.8)
        state = one.modbus.read_holding_registers(0x1006, 1)
        one.modbus.close()
        assert switched
        return *found, state

    async with on_tcp(lambda: WagoBFace(coupler)) as address:
        written, read, state = await asyncio.to_thread(drive, int(address.rpartition(":")[2]))
    assert written and read and state == [2]
    assert rack.switched["lamp"] is False


async def test_py_modbus_tcp_reads_inputs_below_the_alias_and_outputs_from_it_on() -> None:
    coupler = wago(Rack("gate_shut"))

    def drive(port: int) -> None:
        one = ModbusClient(host="127.0.0.1", port=port, unit_id=1)
        assert one.read_input_registers(0, 1) == [0x4CC8]
        assert one.read_discrete_inputs(0, 8) == [True] + [False] * 7
        assert one.write_multiple_coils(8, [False, True])
        assert one.read_coils(0x0200, 16) == [False] * 9 + [True] + [False] * 6
        assert one.read_holding_registers(0x0200, 1) == [1 << 9]
        assert one.read_holding_registers(0x2011, 2) == [750, 352]
        one.close()

    async with on_tcp(lambda: WagoBFace(coupler)) as address:
        await asyncio.to_thread(drive, int(address.rpartition(":")[2]))


async def test_the_analogue_driver_reads_a_server_of_py_modbus_tcp() -> None:
    server = ServerOfOthers(host="127.0.0.1", port=0, no_block=True)
    server.start()
    try:
        port = server._service.server_address[1]  # type: ignore[union-attr]
        server.data_bank.set_input_registers(10, [19660, 0])
        server.data_bank.set_holding_registers(10, [0x4140, 0])
        line = open_line("box", f"tcp://127.0.0.1:{port}")
        o2 = ModbusAnalogueInput("o2_ppm", 10, "4-20 mA", 6553, 32767, 0, 100, 0.4, status=11, error_mask=1)
        second = ModbusAnalogueInput("second_c", 10, "4-20 mA", 4, 20, 0, 400, 1.5, "float32 high first")
        for one, table, value in ((o2, "input", 50.0), (second, "holding", 200.0)):
            device = AnalogueIo("box", line, AnalogueIoConfig(1, "tcp", (one,), table))  # type: ignore[arg-type]
            await device.identify()
            assert (await device.poll())[one.channel].value == pytest.approx(value, abs=0.01)
        await line.close()
    finally:
        await asyncio.to_thread(server.stop)
