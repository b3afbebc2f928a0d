"""The module that a daemon used last, left on the disk for whoever must shut it when the daemon is gone.

`ald safe` prefers it to the tool file, which may have been edited since, or lost. Standard library only.
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

from ald_controller.valves.lock import seen
from ald_controller.valves.wire import ValveError
from drivers.valve_modules import MODULES, outputs_of
from drivers.valve_outputs import ModbusOutputs

FILE = "valve-module.json"  # in the daemon's state directory
_BOOT = Path("/proc/sys/kernel/random/boot_id")
_KINDS = {"driver": str, "host": str, "port": int, "unit": int, "coils": int, "lock": str, "boot": str}
_WATCHDOG_MS = 500  # any: whoever only writes zeros arms none


@dataclass(frozen=True, slots=True)
class LastModule:
    """How a module is reached, `host` being numeric, and the lock of its writer; raises ValueError for nonsense.

    `boot` and `lock_file` (device, inode) tell whether the lock that is seen is the one that was held.
    """

    driver: str
    host: str
    port: int
    unit: int
    coils: int
    lock: str
    boot: str = ""
    lock_file: tuple[int, int] | None = None

    def __post_init__(self) -> None:
        for name, kind in _KINDS.items():
            if type(getattr(self, name)) is not kind:
                raise ValueError(f"'{name}' is {getattr(self, name)!r}")
        if self.driver not in MODULES:
            raise ValueError(f"there is no module '{self.driver}'; there are: {', '.join(sorted(MODULES))}")
        if not (1 <= self.port <= 65535 and 0 <= self.unit <= 255):
            raise ValueError(f"port {self.port}, unit {self.unit}: 1 to 65535 and 0 to 255 are expected")
        self.outputs()

    def outputs(self) -> ModbusOutputs:
        """What makes its requests and takes its replies apart."""
        return outputs_of(self.driver, self.unit, self.coils, _WATCHDOG_MS if MODULES[self.driver].armed else 0)

    def lock_is_hidden(self) -> bool:
        """Whether the lock that the daemon took in this boot is not the file that is to be seen from here."""
        return self.lock_file is not None and self.boot == this_boot() and seen(Path(self.lock)) != self.lock_file

    def __str__(self) -> str:
        return f"{self.driver} at {self.host}:{self.port}"


def this_boot() -> str:
    """The kernel's name for this boot."""
    return _BOOT.read_text("ascii").strip()


def leave(folder: Path, module: LastModule) -> None:
    """Durable when it returns; raises ValveError, and then what stood there stands there still."""
    path = folder / FILE
    new = path.with_name(f"{FILE}.new")
    try:
        with new.open("w", encoding="utf-8") as file:
            json.dump(asdict(module), file)
            file.flush()
            os.fsync(file.fileno())
        new.replace(path)
        directory = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)
    except OSError as error:
        told = f"{path}: what `ald safe` needs cannot be left there: {error.strerror}"
        raise ValveError(told) from error


def last(folder: Path) -> LastModule | None:
    """What a daemon with this state directory left, or None; raises ValveError for what no daemon leaves."""
    path = folder / FILE
    try:
        data = json.loads(path.read_text("utf-8"))
        pair = data["lock_file"]
        return LastModule(**data | {"lock_file": None if pair is None else _pair(*pair)})
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ValveError(f"{path} cannot be read: {error.strerror}") from error
    except (ValueError, TypeError, KeyError) as error:
        raise ValveError(f"{path} is not what a controller leaves: {error}") from error


def _pair(device: int, inode: int) -> tuple[int, int]:
    return device, inode
