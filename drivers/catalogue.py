"""The drivers there are: name in a tool file, settings, class. The only file that names concrete drivers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from drivers.alicat import Alicat, AlicatConfig
from drivers.beckhoff_io import BeckhoffIo, BeckhoffIoConfig
from drivers.eurotherm import Eurotherm3216, EurothermConfig
from drivers.mks_gauge import Mks925, MksConfig


@dataclass(frozen=True, slots=True)
class Entry:
    """The settings dataclass of a driver and the driver's class, called as `driver(name, line, settings)`.

    `driver.channels(settings)` are the names that its `poll` may return, known before the device is there.
    """

    config: type[Any]
    driver: type[Any]


CATALOGUE: dict[str, Entry] = {
    "alicat": Entry(AlicatConfig, Alicat),
    "mks_925": Entry(MksConfig, Mks925),
    "eurotherm_3216": Entry(EurothermConfig, Eurotherm3216),
    "beckhoff_io": Entry(BeckhoffIoConfig, BeckhoffIo),
}
