"""The simulated tool as a whole: one plant, one face per device, wired as the tool's own YAML file says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from simulators.eurotherm import Eurotherm
from simulators.face import Face, Paced
from simulators.faults import Faults
from simulators.instruments import FLOWS, KINDS, Site, face_of, framing_of
from simulators.plant import Plant, Port, Wiring
from simulators.plant.heat import Build
from simulators.plant.sample import Sample
from simulators.quantity import quantity
from simulators.shared_line import shared_line
from simulators.valve_module import Change
from simulators.valve_modules import MODULES

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # the same language, read in C: ten times as fast
VALVES = "valves"  # the name of coupler A among the devices


@dataclass(frozen=True, slots=True)
class Device:
    """One device of the tool file: its driver, the line that it hangs on, its unit there as text."""

    driver: str
    line: str
    unit: str


class World:
    """Plant, instruments and lines. Times are seconds of whatever clock the host gives; it must not run backwards.

    `instruments` and `faults` are by device name, for tests that turn a knob or break a wire; `faults["valves"]` is
    coupler A's wire. `face` of a serial line is always the same bus; of a TCP device it is a new connection.
    """

    def __init__(
        self,
        tool: Mapping[str, Any],
        *,
        at_s: float,
        warm_c: Mapping[str, float] | None,
        bottles: Mapping[str, str] | None,
        seed: int,
        lag_s: float,
        realistic_delay: bool,
        builds: Mapping[str, Build] | None,
        sample: Sample | None,
    ) -> None:
        self._tool, self._realistic_delay = tool, realistic_delay
        self.plant = Plant(
            wiring(tool, bottles), at_s=at_s, warm_c=warm_c, seed=seed, lag_s=lag_s, builds=builds, sample=sample
        )
        entries = {**tool["devices"], VALVES: tool["valves"]}
        self.devices = {name: _device(name, entry) for name, entry in entries.items()}
        self.faults = {
            VALVES: Faults("tcp"), **{name: Faults(framing_of(entry)) for name, entry in tool["devices"].items()}
        }  # fmt: skip
        self.instruments = {name: self._instrument(name, entry) for name, entry in tool["devices"].items()}
        self.quiet_mask = _bits(tool, "alive")  # toggled all the time: nothing in the plant follows it
        module = MODULES[self.devices[VALVES].driver]
        self.coupler_a = module(tool["valves"]["coils"], tell=self.valves_changed, quiet=self.quiet_mask)
        self._serial: dict[str, Face] = {}

    def valves_changed(self, change: Change) -> None:
        """Coupler A's outputs changed: what the plant is told in whichever process the coupler runs."""
        self.plant.valve_word(change.at_s, change.word)

    def exchange_units(self, one: str, other: str, *, writes: bool = False) -> None:
        """From now on the wire gives each of two temperature controllers' registers for the other's; twice = undone.

        With `writes` it also writes the other's: their unit numbers are exchanged.
        """
        a, b = self.instruments[one], self.instruments[other]
        if not (isinstance(a, Eurotherm) and isinstance(b, Eurotherm)):
            raise ValueError(f"'{one}' and '{other}' are not both temperature controllers")
        a.read_as, b.read_as = b.read_as, a.read_as
        if writes:
            a.written_as, b.written_as = b.written_as, a.written_as

    def units(self, line: str) -> list[str]:
        """The devices of one line, in the order of the file; raises ValueError when there are none."""
        names = [name for name, device in self.devices.items() if device.line == line]
        if not names:
            lines = sorted({device.line for device in self.devices.values()})
            raise ValueError(f"no device hangs on line '{line}': there are {', '.join(lines)}")
        return names

    def face(self, line: str) -> Face:
        """What a client finds at the end of `line`."""
        if self.is_tcp(line):
            (name,) = self.units(line)
            return self._connection(name)
        if line not in self._serial:
            self._serial[line] = self._bus(line)
        return self._serial[line]

    def is_tcp(self, line: str) -> bool:
        return all(self.faults[name].framing == "tcp" for name in self.units(line))

    def _instrument(self, name: str, entry: Mapping[str, Any]) -> Any:
        """One device, which sees the plant through its own faults."""
        seen = self.faults[name].seen
        return KINDS[entry["driver"]].make(Site(seen(self.plant), self._tool, seen), name, entry)

    def _connection(self, name: str) -> Face:
        return self.faults[name].wrap(self.coupler_a if name == VALVES else self._face(name))

    def _bus(self, line: str) -> Face:
        bus = shared_line([(self._serial_face(name), self.faults[name]) for name in self.units(line)])
        if not self._realistic_delay:
            return bus
        kind = KINDS[self.devices[self.units(line)[0]].driver]
        return Paced(bus, baud=int(self._tool["lines"][line]["baud"]), turn_round_s=kind.turn_round_s)

    def _serial_face(self, name: str) -> Face:
        if self.faults[name].framing == "tcp":
            raise ValueError(f"'{name}' speaks Modbus TCP and cannot share a serial line")
        return self._face(name)

    def _face(self, name: str) -> Face:
        return face_of(self.instruments[name], self._tool["devices"][name])


def build(
    tool_yaml: Path | str,
    *,
    at_s: float,
    warm: Mapping[str, float] | None = None,
    bottles: Mapping[str, str] | None = None,
    seed: int = 1,
    lag_s: float = 0.0,
    realistic_delay: bool = False,
    builds: Mapping[str, Build] | None = None,
    sample: Sample | None = None,
) -> World:
    """The simulated tool of a tool file, at `at_s` of the host's clock (on a loop: `loop.time()`).

    `warm`: zone -> °C to start from; `bottles`: port -> precursor, by default the port's own name where that is one;
    `lag_s`: how much later than its stamp a valve word may come to be known; `realistic_delay`: replies take the time
    that a serial line takes; `builds`: zone -> how it is made, where that is not as its role usually is; `sample`: what
    lies in the chamber, by default a small flat one that takes growth at once. Raises ValueError, KeyError for a file
    that no tool could be built from.
    """
    tool = yaml.load(Path(tool_yaml).read_text(encoding="utf-8"), Loader=_LOADER)
    return World(
        tool, at_s=at_s, warm_c=warm, bottles=bottles, seed=seed, lag_s=lag_s, realistic_delay=realistic_delay,
        builds=builds, sample=sample,
    )  # fmt: skip


def wiring(tool: Mapping[str, Any], bottles: Mapping[str, str] | None) -> Wiring:
    """The plant's wiring from the tool file's outputs, ports, zones and flow controllers."""
    outputs = tool["valves"]["outputs"]
    bits = {name: 1 << entry["coil"] for name, entry in outputs.items()}

    ports = tuple(
        Port(
            name,
            sum(bits[output] for output in entry["outputs"]),
            (bottles or {}).get(name, name),
            entry.get("zone"),
            entry.get("push", {}).get("device"),
        )
        for name, entry in tool["ports"].items()
    )
    flows = {
        name: quantity(entry["full_scale"], "sccm")
        for name, entry in tool["devices"].items()
        if entry["driver"] in FLOWS
    }
    zones = {name: str(entry["role"]) for name, entry in tool["zones"].items()}
    return Wiring(ports, _bits(tool, "stop"), _bits(tool, "contactor"), flows, zones)


def _bits(tool: Mapping[str, Any], role: str) -> int:
    """The bits of the valve word with this role."""
    return sum(1 << entry["coil"] for entry in tool["valves"]["outputs"].values() if entry["role"] == role)


def _device(name: str, entry: Mapping[str, Any]) -> Device:
    driver = str(entry["driver"])
    known = MODULES if name == VALVES else KINDS
    if driver not in known:
        raise ValueError(f"device '{name}': there is no simulator for '{driver}', only for {', '.join(known)}")
    return Device(driver, str(entry["line"]), str(entry.get("unit", "")))
