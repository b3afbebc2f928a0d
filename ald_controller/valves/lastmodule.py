"""What a daemon leaves on the disk before its valve process writes: the module, for whoever must shut it without her.

`ald safe` prefers it to the tool file, which somebody may have edited since, or lost. Standard library only.
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, get_type_hints

from ald_controller.valves.lock import Lock, seen
from ald_controller.valves.wire import ValveError
from drivers.valve_modules import MODULES

FILE = "valve-module.json"  # in the daemon's state directory
_BOOT = Path("/proc/sys/kernel/random/boot_id")
_WATCHDOG_MS = 500  # whoever only writes zeros arms none


@dataclass(frozen=True, slots=True)
class LastModule:
    """How the module of the valve word is reached, `host` being numeric, and the lock that its writer holds."""

    driver: str
    host: str
    port: int
    unit: int
    coils: int
    lock: str

    def __post_init__(self) -> None:
        for name, kind in get_type_hints(LastModule).items():
            if type(getattr(self, name)) is not kind:
                raise ValueError(f"'{name}' is {getattr(self, name)!r}")
        if self.driver not in MODULES:
            raise ValueError(f"there is no module '{self.driver}'; there are: {', '.join(sorted(MODULES))}")
        for name, least, most in (("port", 1, 65535), ("unit", 0, 255), ("coils", 1, MODULES[self.driver].most_coils)):
            if not least <= getattr(self, name) <= most:
                raise ValueError(f"{name} is {getattr(self, name)}: {least} to {most} is expected")
