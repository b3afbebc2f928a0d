"""The drivers there are: name in a tool file, settings, class. The only file that names concrete drivers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from drivers.alicat import Alicat, AlicatConfig
from drivers.analogue_io import AnalogueIo, AnalogueIoConfig
from drivers.beckhoff_io import BeckhoffIo, BeckhoffIoConfig
from drivers.bronkhorst import Bronkhorst, BronkhorstConfig
from drivers.edwards_nxds import EdwardsNxds, EdwardsNxdsConfig
from drivers.eurotherm import Eurotherm3216, EurothermConfig
from drivers.inficon_sqm160 import Sqm160, SqmConfig
from drivers.mks_gauge import Mks925, Mks937, Mks937Config, MksConfig
from drivers.pfeiffer_tpg import PfeifferTpg, TpgConfig
from drivers.wago_io import WagoIo, WagoIoConfig
from drivers.watlow import Watlow, WatlowConfig


@dataclass(frozen=True, slots=True)
class Entry:
    """The settings dataclass of a driver and the driver's class, called as `driver(name, line, settings)`.

    `driver.channels(settings)` are the names that its `poll` may return, known before the device is there.
    """

    config: type[Any]
    driver: type[Any]


CATALOGUE: dict[str, Entry] = {
    "alicat": Entry(AlicatConfig, Alicat),
    "bronkhorst": Entry(BronkhorstConfig, Bronkhorst),
    "mks_925": Entry(MksConfig, Mks925),
    "mks_937": Entry(Mks937Config, Mks937),
    "pfeiffer_tpg": Entry(TpgConfig, PfeifferTpg),
    "eurotherm_3216": Entry(EurothermConfig, Eurotherm3216),
    "watlow": Entry(WatlowConfig, Watlow),
    "beckhoff_io": Entry(BeckhoffIoConfig, BeckhoffIo),
    "wago_io": Entry(WagoIoConfig, WagoIo),
    "analogue_io": Entry(AnalogueIoConfig, AnalogueIo),
    "edwards_nxds": Entry(EdwardsNxdsConfig, EdwardsNxds),
    "inficon_sqm160": Entry(SqmConfig, Sqm160),
}
