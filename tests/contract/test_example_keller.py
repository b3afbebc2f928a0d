"""The worked example of docs/devices/adding.md, as it stands there: a driver, a face, their contract, a whole tool."""

from __future__ import annotations

import asyncio
import math
import re
from pathlib import Path
from typing import Any

import pytest

from ald_controller.config import load_tool
from drivers.base import DeviceFault, DriverError, Reading, Refused
from drivers.catalogue import CATALOGUE, Entry
from drivers.line import Line, memory_line
from drivers.modbus import RTU_TIMEOUT_S
from simulators.faults import Fault, Faults
from simulators.instruments import KINDS, Kind, Site
from simulators.virtualtime import run_virtual
from simulators.world import build
from tests.contract.cases import Case, Rising, Truth
from tests.contract.example_keller_driver import Keller30, KellerConfig
from tests.contract.example_keller_face import KellerFace
from tests.contract.rtu import crc
from tests.contract.scripted import Peer, to

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "devices" / "adding.md").read_text("utf-8")


# --- the bytes -------------------------------------------------------------------------------------------------------


POLL = crc(bytes.fromhex("010301000004"))
ONE_BAR_25_C = crc(bytes.fromhex("010308 3F800000 41C80000"))


def test_a_poll_is_one_read_of_two_floats() -> None:
    async def main() -> None:
        peer = Peer((POLL, ONE_BAR_25_C))
        readings = await Keller30("box", to(peer), KellerConfig(1, 4711)).poll()
        assert {name: one.value for name, one in readings.items()} == {"pressure_pa": 1e5, "temperature_c": 25.0}

    run_virtual(main())


def test_the_face_answers_with_the_same_bytes() -> None:
    assert keller(lambda at_s: 1e5, lambda at_s: 25.0).hear(0.0, POLL) == ONE_BAR_25_C


# --- what must be refused --------------------------------------------------------------------------------------------


def keller(pressure_pa: Any, celsius: Any) -> KellerFace:
    return KellerFace(pressure_pa, celsius, unit=1, serial=4711)


@pytest.mark.parametrize(
    ("serial", "active", "said"), [(4712, [2, 16], "serial number is 4711"), (4711, [2, 8], "switch both on")]
)
def test_another_transmitter_is_refused_and_named(serial: int, active: list[int], said: str) -> None:
    async def main() -> None:
        face = keller(lambda at_s: 1e5, lambda at_s: 25.0)
        face.active = active
        with pytest.raises(Refused, match=said):
            await Keller30("box", memory_line("box", face), KellerConfig(1, serial)).identify()

    run_virtual(main())


def test_a_sensor_that_failed_is_a_fault_and_no_number() -> None:
    async def main() -> None:
        face = keller(lambda at_s: 1e5, lambda at_s: 25.0)
        face.broken = True
        with pytest.raises(DeviceFault, match="a sensor has failed"):
            await Keller30("box", memory_line("box", face), KellerConfig(1, 4711)).poll()

    run_virtual(main())


@pytest.mark.parametrize("unit", [0, 250])
def test_an_address_that_no_transmitter_has_is_refused(unit: int) -> None:
    with pytest.raises(ValueError, match="1…249"):
        KellerConfig(unit, 4711)


# --- faults of the wire ----------------------------------------------------------------------------------------------


def pressure_pa(plant: Any, at_s: float) -> float:
    return 1e5 + 100.0 * float(plant.since_s(at_s))


def face(plant: Any) -> KellerFace:
    return keller(lambda at_s: pressure_pa(plant, at_s), lambda at_s: 25.0)


def driver(line: Line) -> Keller30:
    return Keller30("box", line, KellerConfig(1, 4711))


CASES = (
    Case(
        name="keller_30",
        framing="rtu",
        plant=Rising,
        face=face,
        driver=driver,
        channels={"pressure_pa": Truth(pressure_pa, 0.01)},
        slowest_s=RTU_TIMEOUT_S,
    ),
)


@pytest.mark.parametrize(
    "fault",
    [
        Fault(deaf=True),
        Fault(duplicate=True),
        Fault(late_s=0.35),
        Fault(late_s=0.7, every=3),
        Fault(flip_bit=40),
        Fault(keep=5),
        Fault(wrong_unit=2),
        Fault(wrong_length=2),
        Fault(echo=True),
        Fault(exception=6),
    ],
)
def test_a_faulty_wire_gives_a_named_error_or_the_truth(fault: Fault) -> None:
    async def main() -> None:
        (case,) = CASES
        plant, faults = case.plant(), Faults("rtu")
        device = case.driver(memory_line("box", faults.wrap(case.face(plant))))
        faults.put(fault)
        truth = case.channels["pressure_pa"]
        for _ in range(20):
            try:
                reading = (await device.poll())["pressure_pa"]
            except DriverError as error:
                assert error.device == "box"
            else:
                asked_s = reading.at_s - case.slowest_s  # it was measured between the question and the answer
                low, high = truth.at(plant, asked_s), truth.at(plant, reading.at_s)
                assert low - truth.resolution <= reading.value <= high + truth.resolution
            await asyncio.sleep(0.5)
        faults.clear()
        await asyncio.sleep(2.0)
        reading = (await device.poll())["pressure_pa"]
        assert reading.value == pytest.approx(truth.at(plant, reading.at_s), abs=truth.resolution)

    run_virtual(main())


# --- in a tool -------------------------------------------------------------------------------------------------------


def _keller(site: Site, name: str, entry: Any) -> KellerFace:
    plant = site.plant
    return KellerFace(plant.pirani_pa, plant.substrate_2_c, unit=int(entry["unit"]), serial=int(entry["serial"]))


def tool_with(lines: str, device: str) -> str:
    text = (ROOT / "deploy" / "tool.yaml").read_text("utf-8")
    return text.replace("lines:\n", f"lines:\n{lines}", 1).replace("devices:\n", f"devices:\n{device}", 1)


def test_a_tool_file_with_the_entry_of_the_page_runs_on_the_simulated_reactor(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(CATALOGUE, "keller_30", Entry(KellerConfig, Keller30))
    monkeypatch.setitem(KINDS, "keller_30", Kind(_keller, "rtu", 0.010))
    (block,) = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    lines, device = re.fullmatch(r"lines:\n(.*)devices:\n(.*)", block, re.DOTALL).groups()  # type: ignore[union-attr]
    path = tmp_path / "tool.yaml"
    path.write_text(tool_with(lines, device), "utf-8")

    async def polled() -> dict[str, Reading]:
        config = load_tool(path).devices["box"]
        line = memory_line("box", build(path, at_s=asyncio.get_running_loop().time()).face(config.line))
        device: Any = CATALOGUE[config.driver].driver("box", line, config.settings)
        await device.identify()
        readings: dict[str, Reading] = await device.poll()
        return readings

    readings = run_virtual(polled())
    assert set(readings) == {"pressure_pa", "temperature_c"}
    assert all(math.isfinite(one.value) for one in readings.values())


# --- the page --------------------------------------------------------------------------------------------------------


def test_the_page_quotes_this_code_and_no_other() -> None:
    blocks = re.findall(r"```python\n# (\S+)\n(.*?)```", PAGE, re.DOTALL)
    assert len(blocks) == len(re.findall("```python", PAGE)) >= 5
    for path, code in blocks:
        assert code.strip("\n") in (ROOT / path).read_text("utf-8"), f"the page differs from {path}"
