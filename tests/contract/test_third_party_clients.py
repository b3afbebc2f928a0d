"""Clients that others wrote, against the simulated tool on real wires: they share no code and no mistake with it."""

import asyncio
import json
import time
from pathlib import Path

import minimalmodbus
import pytest
import serial
from pymodbus.client import AsyncModbusTcpClient, ModbusSerialClient, ModbusTcpClient
from pyModbusTCP.client import ModbusClient

from simulators.faults import Fault
from simulators.modbus_server import ModbusServer
from simulators.serve import on_pty, serve_world, simulate
from simulators.world import World, build

TOOL = Path(__file__).parents[2] / "deploy" / "tool.yaml"
WARM = {"substrate": 150, "chamber": 150}


@pytest.fixture
async def served():
    world = build(TOOL, at_s=asyncio.get_running_loop().time(), warm=WARM, lag_s=0.05)
    async with serve_world(world) as devices:
        yield world, devices


def tcp(devices, name: str) -> tuple[str, int]:
    host, _, port = devices[name]["address"].removeprefix("tcp://").partition(":")
    return host, int(port)


def pty(devices, name: str) -> str:
    return devices[name]["address"].removeprefix("serial:")


async def test_every_device_of_the_tool_file_has_an_address_and_lines_are_shared(served):
    _, devices = served
    assert set(devices) == {
        *("carrier", "pusher", "pirani", "coupler-b", "valves"),
        *("substrate", "chamber", "source-3", "source-4", "source-5", "lines"),
    }
    assert devices["substrate"]["address"] == devices["lines"]["address"]
    assert devices["carrier"] == {"driver": "alicat", "address": devices["pusher"]["address"], "unit": "A"}
    assert devices["valves"]["address"] != devices["coupler-b"]["address"]


async def test_pymodbus_reads_and_writes_coupler_b(served):
    world, devices = served
    host, port = tcp(devices, "coupler-b")
    client = AsyncModbusTcpClient(host, port=port, timeout=2, retries=0)
    assert await client.connect()
    image = await client.read_input_registers(0, count=12, device_id=1)
    assert not image.isError() and image.registers[11] == pytest.approx(1504, abs=5)
    assert (await client.read_discrete_inputs(0, count=10, device_id=1)).bits[:3] == [True] * 3
    assert not (await client.write_coil(4, True, device_id=1)).isError()
    assert world.plant.outputs["source contactor"]
    assert (await client.read_coils(0, count=8, device_id=1)).bits == [False] * 4 + [True] + [False] * 3
    assert (await client.read_holding_registers(0x1120, count=1, device_id=1)).registers == [1000]
    assert (await client.read_holding_registers(0x3000, count=1, device_id=1)).exception_code == 2
    client.close()


async def test_pymodbus_without_asyncio_and_pymodbustcp_agree(served):
    _, devices = served
    host, port = tcp(devices, "coupler-b")

    def both() -> tuple[list[bool], list[bool]]:
        one, other = ModbusTcpClient(host, port=port, timeout=2), ModbusClient(host=host, port=port, unit_id=1)
        assert one.connect() and other.open()
        assert other.write_multiple_registers(0x1120, [5000])
        assert other.read_holding_registers(0x1120, 1) == [5000]
        assert other.write_multiple_coils(0, [False, False, True])
        pair = one.read_coils(0, count=8, device_id=1).bits, other.read_coils(0, 8)
        one.close(), other.close()
        return pair

    mine, theirs = await asyncio.to_thread(both)
    assert mine == theirs == [False, False, True] + [False] * 5


async def test_a_client_that_leaves_loses_its_outputs_to_the_watchdog(served):
    world, devices = served
    reader, writer = await asyncio.open_connection(*tcp(devices, "coupler-b"))
    for request in ("000100000006 01 06 1120 0064", "000200000006 01 05 0004 FF00"):
        writer.write(bytes.fromhex(request.replace(" ", "")))
        await reader.readexactly(12)
    assert world.plant.outputs["source contactor"]
    writer.close()
    await asyncio.sleep(0.5)
    assert not world.plant.outputs["source contactor"]
    assert world.instruments["coupler-b"].trips == 1


async def test_minimalmodbus_drives_two_eurotherms_of_one_line(served):
    world, devices = served

    def drive() -> tuple[float, float, float]:
        one = minimalmodbus.Instrument(pty(devices, "substrate"), 1)
        one.serial.baudrate, one.serial.timeout = 9600, 1.0
        other = minimalmodbus.Instrument(one.serial, 4)
        one.write_register(26, 150.0, number_of_decimals=1, functioncode=6, signed=True)
        one.write_register(276, 1, functioncode=6)
        other.write_register(24, 60.0, number_of_decimals=1, functioncode=16, signed=True)
        found = one.read_register(1, 1, signed=True), one.read_register(5, 1), other.read_register(24, 1)
        with pytest.raises(minimalmodbus.IllegalRequestError):
            one.read_register(9999)
        one.serial.close()
        return found

    temperature, working, local = await asyncio.to_thread(drive)
    assert temperature == pytest.approx(150, abs=2)
    assert (working, local) == (150.0, 60.0)
    assert world.instruments["source-4"].eeprom_writes == {24: 1}


async def test_minimalmodbus_reads_a_coupler_on_a_serial_line(served):
    world, _ = served
    coupler = world.instruments["coupler-b"]
    coupler.time_ms = 0  # no time passes for it here: what brings the time is its TCP face

    def use(path: str) -> tuple[list[int], list[int], list[int]]:
        one = minimalmodbus.Instrument(path, 1)
        one.serial.timeout = 1.0
        one.write_bits(0, [0, 0, 0, 1, 0, 0, 0, 0])
        found = one.read_registers(0, 12, functioncode=4), one.read_bits(0, 10, functioncode=2), one.read_bits(0, 8, 1)
        one.serial.close()
        return found

    async with on_pty(ModbusServer({1: coupler}).rtu()) as address:
        image, contacts, coils = await asyncio.to_thread(use, address.removeprefix("serial:"))
    assert image[0] == 0 and image[11] == pytest.approx(1504, abs=5)
    assert contacts == [1] * 9 + [0]
    assert coils == [0, 0, 0, 1, 0, 0, 0, 0]


async def test_pymodbus_reads_a_eurotherm_over_a_terminal_more_than_once(served):
    _, devices = served

    def read() -> list[int]:
        found = []
        for _ in range(2):  # a simulator that let go of its terminal would be gone the second time
            client = ModbusSerialClient(pty(devices, "chamber"), baudrate=9600, parity="N", timeout=1, retries=0)
            assert client.connect()
            found += client.read_holding_registers(1, count=1, device_id=2).registers
            client.close()
        return found

    assert await asyncio.to_thread(read) == [pytest.approx(1500, abs=20)] * 2


async def test_pyserial_polls_the_flow_controllers_and_the_gauge(served):
    _, devices = served

    def poll() -> tuple[bytes, bytes, bytes]:
        with serial.Serial(pty(devices, "carrier"), 19200, timeout=1) as line:
            line.write(b"AS 20\r")
            line.read_until(b"\r")
            line.write(b"B\r")
            pusher = line.read_until(b"\r")
            line.write(b"ALS\r")
            setpoint = line.read_until(b"\r")
        with serial.Serial(pty(devices, "pirani"), 9600, timeout=1) as line:
            line.write(b"@254PR4?;FF")
            return pusher, setpoint, line.read_until(b";FF")

    pusher, setpoint, pressure = await asyncio.to_thread(poll)
    assert pusher.startswith(b"B +029.01 ") and pusher.endswith(b" Ar\r")
    assert setpoint == b"A +020.00 +020.00 12 SCCM\r"
    assert pressure.startswith(b"@253ACK") and float(pressure[7:-3]) < 1


async def test_the_valve_word_reaches_the_plant_through_the_coupler_of_its_own_process(tmp_path):
    trace, ready, stop = tmp_path / "trace.jsonl", asyncio.Event(), asyncio.Event()
    seen: dict = {}

    def on_ready(told: dict) -> None:
        seen.update(told["devices"])
        ready.set()

    task = asyncio.create_task(simulate(TOOL, WARM, on_ready, trace, stop))
    await asyncio.wait_for(ready.wait(), 20)

    def dose() -> None:
        client = ModbusClient(*tcp(seen, "valves"), unit_id=1)
        assert client.write_multiple_coils(0, [True] + [False] * 15)
        time.sleep(0.1)
        assert client.write_multiple_coils(0, [False] * 16)
        client.close()

    await asyncio.to_thread(dose)
    await asyncio.sleep(0.2)
    stop.set()
    world = await task
    words = [told for line in trace.read_text().splitlines() if "word" in (told := json.loads(line))]
    assert [told["word"] for told in words] == [1, 0]
    width_s = words[1]["t"] - words[0]["t"]
    assert width_s >= 0.1
    assert world.plant.bottles["TMA"].grams < 50.0


async def test_a_line_may_be_spoiled_while_it_is_served(served):
    world, devices = served

    def read() -> float:
        one = minimalmodbus.Instrument(pty(devices, "substrate"), 1)
        one.serial.timeout = 0.3
        try:
            return one.read_register(1, 1)
        finally:
            one.serial.close()

    world.faults["substrate"].put(Fault(flip_bit=30))
    with pytest.raises(minimalmodbus.InvalidResponseError):
        await asyncio.to_thread(read)
    world.faults["substrate"].put(Fault(silent=True))
    with pytest.raises(minimalmodbus.NoResponseError):
        await asyncio.to_thread(read)
    world.faults["substrate"].clear()
    assert await asyncio.to_thread(read) == pytest.approx(150, abs=2)


def test_a_tool_file_with_a_device_that_nobody_simulates_is_refused(tmp_path):
    path = tmp_path / "tool.yaml"
    path.write_text(TOOL.read_text().replace("driver: mks_925", "driver: abacus"))
    with pytest.raises(ValueError, match=r"'pirani'.*'abacus'.*mks_925"):
        build(path, at_s=0.0)


def test_a_line_without_devices_is_named():
    world = build(TOOL, at_s=0.0)
    assert isinstance(world, World)
    with pytest.raises(ValueError, match=r"'nowhere'.*coupler-a"):
        world.face("nowhere")
