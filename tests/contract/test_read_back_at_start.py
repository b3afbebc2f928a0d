"""What each driver reads back at a start, and that a device which is set otherwise is refused by name.

Two make no row. A pressure gauge may be set to any unit of pressure: it is read and converted. The units of a film
monitor cannot be asked: its page says so.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import pytest

from drivers.alicat import Alicat, AlicatConfig
from drivers.analogue_io import AnalogueIo
from drivers.base import Refused
from drivers.beckhoff_io import BeckhoffIo, BeckhoffIoConfig
from drivers.bronkhorst import Bronkhorst, BronkhorstConfig
from drivers.catalogue import CATALOGUE
from drivers.edwards_nxds import EdwardsNxds, EdwardsNxdsConfig
from drivers.eurotherm import Eurotherm3216, EurothermConfig
from drivers.inficon_sqm160 import Sqm160, SqmConfig
from drivers.line import memory_line
from drivers.mks_gauge import Mks925, Mks937, Mks937Config, MksConfig, MksGauge
from drivers.pfeiffer_tpg import PfeifferTpg, TpgConfig, TpgGauge
from drivers.wago_io import WagoIo, WagoIoConfig
from drivers.watlow import Watlow, WatlowConfig
from simulators.virtualtime import run_virtual
from tests.contract import (
    case_alicat,
    case_analogue_io,
    case_beckhoff,
    case_bronkhorst,
    case_edwards_nxds,
    case_eurotherm,
    case_inficon_sqm160,
    case_mks,
    case_pfeiffer_tpg,
    case_wago,
    case_watlow,
)
from tests.contract.cases import Case


@dataclass(frozen=True)
class Row:
    """One thing that device and settings must agree in; `change` sets the simulated device, before it is asked."""

    driver: str
    what: str
    case: Case
    config: Any
    said: str
    change: Callable[[Any], None] = lambda face: None


def _set(**values: Any) -> Callable[[Any], None]:
    def change(face: Any) -> None:
        for name, value in values.items():
            assert hasattr(face, name)
            setattr(face, name, value)

    return change


def _register(address: int, value: int) -> Callable[[Any], None]:
    return lambda face: face.unit.values.update({address: value})


def _code(address: int, value: int) -> Callable[[Any], None]:
    return lambda face: face.unit.codes.update({address: value})


def _fallback(face: Any) -> None:
    face.coupler.fallback = 1


ALICAT, BRONKHORST, EUROTHERM, WATLOW = (
    one.CASES[0] for one in (case_alicat, case_bronkhorst, case_eurotherm, case_watlow)
)
MKS, MKS937 = case_mks.CASES[0], case_mks.CASES[1]
TPG, BECKHOFF, WAGO = case_pfeiffer_tpg.CASES[0], case_beckhoff.CASES[0], case_wago.CASES[0]
NXDS, SQM, ANALOGUE = case_edwards_nxds.CASES[0], case_inficon_sqm160.CASES[0], case_analogue_io.CASES[0]
HEAT, WAGO_IO, BECKHOFF_IO = EurothermConfig(1, 20.0), case_wago.SETTINGS, case_beckhoff.SETTINGS
FIRST_TYPE_K = tuple(replace(one, kind="type K") for one in WAGO_IO.analogue[:1])
FAR = tuple(replace(one, register=40) for one in BECKHOFF_IO.analogue[:1])

ROWS = [
    Row("alicat", "gas", ALICAT, AlicatConfig("A", 500.0, "N2"), "the gas selected is Ar, the settings say N2"),
    Row("alicat", "full scale", ALICAT, AlicatConfig("A", 100.0, "Ar"), "full scale is 500 sccm, the settings say 100"),
    Row("alicat", "set-point source", ALICAT, AlicatConfig("A", 500.0, "Ar"), "from the analogue", _set(source="A")),
    Row("bronkhorst", "gas", BRONKHORST, BronkhorstConfig(500, "N2"), "the fluid selected is Ar, the settings say N2"),
    Row("bronkhorst", "full scale", BRONKHORST, BronkhorstConfig(100, "Ar"), "the settings say 100 sccm"),
    Row("bronkhorst", "reference", BRONKHORST, BronkhorstConfig(500, "Ar", reference_c=25.0), "sccm at 25 °C"),
    Row("mks_925", "model", MKS, MksConfig(253, "910"), "the model is '925', the settings say 910"),
    Row("mks_925", "gas", MKS, MksConfig(253, "925", "HELIUM"), "the gas is ARGON, the settings say HELIUM"),
    Row("mks_937", "model", MKS937, Mks937Config(3, (MksGauge(1, "CM"),), "946"), "the settings say 946"),
    Row("mks_937", "sensor type", MKS937, Mks937Config(3, (MksGauge(1, "PR"),)), "channel 1 has 'CM', the settings"),
    Row("pfeiffer_tpg", "model", TPG, TpgConfig("TPG361", (TpgGauge(1, "CMR"),)), "it is a TPG.*362, the settings say"),
    Row("pfeiffer_tpg", "sensor type", TPG, TpgConfig("TPG362", (TpgGauge(1, "PKR"),)), "channel 1 has a gauge 'CMR"),
    Row("pfeiffer_tpg", "full scale", TPG, TpgConfig("TPG362", (TpgGauge(1, "CMR", 2),)), "has range code 5"),
    Row("pfeiffer_tpg", "unit", TPG, TpgConfig("TPG362", (TpgGauge(1, "CMR"),)), "the unit is volts", _set(unit="V")),
    Row("eurotherm_3216", "decimals", EUROTHERM, EurothermConfig(1, 20.0, 2), "display has 1 decimals, the settings"),
    Row("eurotherm_3216", "unit", EUROTHERM, HEAT, "unit of the display is °F: set it to °C", _register(516, 1)),
    Row("eurotherm_3216", "sensor type", EUROTHERM, EurothermConfig(1, 20.0, 1, "type J"), "the sensor is type K"),
    Row("eurotherm_3216", "set-point", EUROTHERM, HEAT, "set-point 2 is selected", _register(15, 1)),
    Row("watlow", "sensor type", WATLOW, WatlowConfig(1, 20.0, "type J"), "kind 48, the settings say type J"),
    Row("watlow", "ramp", WATLOW, WatlowConfig(1, 20.0), "set its ramp action to off", _code(2186, 88)),
    Row("beckhoff_io", "terminals", BECKHOFF, replace(BECKHOFF_IO, analogue=FAR), "are all terminals there"),
    Row("beckhoff_io", "fallback", BECKHOFF, BECKHOFF_IO, "register 0x1123 reads 1", _fallback),
    Row("wago_io", "terminals", WAGO, replace(WAGO_IO, analogue=FIRST_TYPE_K), "is 'type K', its terminal 750-4"),
    Row("analogue_io", "model", ANALOGUE, replace(case_analogue_io.ON_TCP, model_register=0, model=1), "says model"),
    Row("edwards_nxds", "model", NXDS, EdwardsNxdsConfig(unit=1, model="nEXT"), "the settings say nEXT: look at its"),
    Row(
        "inficon_sqm160",
        "sensors",
        SQM,
        SqmConfig(6, "Å/s", "Å"),
        "it has 2 sensors, the settings say sensor 6",
        _set(sensors=2),
    ),
]
DRIVERS = {
    AlicatConfig: Alicat, BronkhorstConfig: Bronkhorst, MksConfig: Mks925, Mks937Config: Mks937, TpgConfig: PfeifferTpg,
    EurothermConfig: Eurotherm3216, WatlowConfig: Watlow, BeckhoffIoConfig: BeckhoffIo, WagoIoConfig: WagoIo,
    EdwardsNxdsConfig: EdwardsNxds, SqmConfig: Sqm160,
}  # fmt: skip


def test_every_driver_reads_something_back() -> None:
    assert {row.driver for row in ROWS} == set(CATALOGUE)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.driver}, {row.what}")
def test_a_device_that_is_set_otherwise_is_refused_and_the_text_names_it(row: Row) -> None:
    async def main() -> None:
        face = row.case.face(row.case.plant())
        row.change(face)
        driver = DRIVERS.get(type(row.config), AnalogueIo)
        device = driver("name of it", memory_line("test", face), row.config)
        with pytest.raises(Refused, match=row.said) as refusal:
            await device.identify()
        assert str(refusal.value).startswith("name of it: ")

    run_virtual(main())


@pytest.mark.parametrize("case", {row.case.name: row.case for row in ROWS}.values(), ids=lambda case: case.name)
def test_a_device_that_is_set_as_its_settings_say_is_taken(case: Case) -> None:
    async def main() -> None:
        device = case.driver(memory_line("test", case.face(case.plant())))
        identity = await asyncio.wait_for(device.identify(), 30.0)
        assert identity.model

    run_virtual(main())
