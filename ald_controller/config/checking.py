"""What one part of a tool file says against another: names that point at nothing, the wrong kind, or each other.

Everything here is found in one reading and stands at its own line, beside what the parts' own models refuse.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any

from ald_controller import units
from ald_controller.config.bindings import (
    Wired,
    hold_on_uncut,
    parts_taken_twice,
    too_late_or_too_hot,
    wired_twice,
    wrong_kinds,
)
from ald_controller.config.model import ChamberState, Port, ToolConfig
from ald_controller.config.resolving import BOX_LIMITS, CARRIED, GLOVEBOX_LIMITS, unresolved
from ald_controller.config.spans import PRESSURE_UNITS
from ald_controller.config.watchdog import watchdog_faults
from ald_controller.yamlfile import Document, Location, Problem
from drivers.catalogue import CATALOGUE

MAYBE_OPEN: tuple[ChamberState, ...] = ("VENTING", "AT_BOX", "AT_AIR", "UNKNOWN")  # the chamber, to box or air
PRESSURE_ENDS = tuple(PRESSURE_UNITS)
_ENDS = {
    "pressure": PRESSURE_ENDS, "atmosphere": PRESSURE_ENDS, "box_pressure": PRESSURE_ENDS, "delta_p": PRESSURE_ENDS,
    "glovebox_o2": ("_ppm",), "glovebox_h2o": ("_ppm",),
}  # fmt: skip
_LITHIUM = ("lithium_clear", "lithium_warn", "lithium_trip")
_ORDERED = (  # each limit below the next
    (_LITHIUM, units.TEMPERATURE), (GLOVEBOX_LIMITS, units.FRACTION), (BOX_LIMITS, units.PRESSURE),
)  # fmt: skip


@dataclasses.dataclass(frozen=True, slots=True)
class DeviceConfig:
    """One device of the tool: its line, its poll period and its driver's own settings (a dataclass of the driver).

    `pace_s` = the pause that it needs between a reply and its next request, 0 = none.
    """

    name: str
    driver: str
    line: str
    poll_s: float
    settings: Any
    pace_s: float = 0.0

    @property
    def channels(self) -> frozenset[str]:
        """What a poll of this device reads."""
        names: frozenset[str] = CATALOGUE[self.driver].driver.channels(self.settings)
        return names

    @property
    def contacts(self) -> frozenset[str]:
        """Those of its channels that are digital inputs."""
        return frozenset(one.channel for one in getattr(self.settings, "digital", ()))

    def can(self, verb: str) -> bool:
        """Whether its driver has this verb: `set_flow` makes a flow controller, `follow` a temperature loop."""
        return hasattr(CATALOGUE[self.driver].driver, verb)

    @property
    def holds_on(self) -> bool:
        """Whether it goes on with its last set-point when nobody asks any more; one that does not say so does."""
        return bool(getattr(CATALOGUE[self.driver].driver, "holds_on", True))


Found = Iterator[tuple[Location, str]]


def cross_check(document: Document, config: ToolConfig, devices: dict[str, DeviceConfig]) -> list[Problem]:
    """Every contradiction between the parts. `devices` are those that could be read: the others' problems are known."""
    checker = _Checker(document, config, devices)
    checks: tuple[Callable[[], Found], ...] = (
        checker.module, checker.lines, checker.flows, checker.zones, checker.ports, checker.shared_outputs,
        checker.signals, checker.limits, checker.errors,
    )  # fmt: skip
    found = [one for check in checks for one in check()]
    for loc, message in checker.bindings():  # of what is wrong by itself nothing more is said
        if loc not in {known for known, _ in found}:
            found.append((loc, message))
    return [Problem(document.mark(loc), message) for loc, message in found]


@dataclasses.dataclass(frozen=True, slots=True)
class _Checker:
    document: Document
    config: ToolConfig
    devices: dict[str, DeviceConfig]

    def lines(self) -> Found:
        lines, valves = self.config.lines, self.config.valves
        for name, wired in self.devices.items():
            if wired.line not in lines:
                yield ("devices", name, "line"), f"there is no line '{wired.line}'"
        if valves.line not in lines:
            yield ("valves", "line"), f"there is no line '{valves.line}'"
        elif not lines[valves.line].address.startswith("tcp://"):
            yield ("valves", "line"), f"line '{valves.line}' is serial: the valve module is reached by tcp://HOST:PORT"
        shared = [n for n, d in self.devices.items() if d.line == valves.line]
        if shared:
            yield ("valves", "line"), f"{shared} may not share the valve module's line: it has one client"
        yield from self._one_line_each()

    def _one_line_each(self) -> Found:
        """Two lines to one address are two masters, and neither waits for the other."""
        at: dict[str, str] = {}
        for name, line in self.config.lines.items():
            if line.address in at:
                yield ("lines", name, "address"), f"line '{at[line.address]}' leads to {line.address} already"
            at.setdefault(line.address, name)

    def module(self) -> Found:
        valves = self.config.valves
        for key, message in watchdog_faults(valves.driver, valves.coils, valves.watchdog, valves.watchdog_test):
            yield ("valves", key), message

    def flows(self) -> Found:
        config = self.config
        yield from self._device(("carrier",), config.carrier, "set_flow", "flow controller")
        if config.pump.stop not in config.valves.outputs:
            yield ("pump", "stop"), f"there is no output '{config.pump.stop}'"
            return
        for state in MAYBE_OPEN:
            if config.pump.stop not in config.valves.rest[state]:
                why = f"the pump would empty the glovebox through an open gate: name '{config.pump.stop}'"
                yield ("valves", "rest", state), f"{state} rests with the stop valve open, and {why}"

    def zones(self) -> Found:
        heated: dict[str, str] = {}
        for name, zone in self.config.zones.items():
            loc = ("zones", name, "device")
            yield from self._device(loc, zone.device, "follow", "temperature loop")
            if zone.device in heated:
                yield loc, f"'{zone.device}' heats zone '{heated[zone.device]}' already: a loop has one zone"
            heated.setdefault(zone.device, name)
            if zone.second is not None:
                yield from self._signal(("zones", name, "second"), zone.second, ("_c",))
            for other in zone.heater.beside if zone.heater else ():
                if other not in self.config.zones or other == name:
                    yield ("zones", name, "heater", "beside", other), f"there is no other zone '{other}'"

    def ports(self) -> Found:
        outputs = self.config.valves.outputs
        for name, port in self.config.ports.items():
            for at, output in _outputs_of(name, port):
                if output not in outputs or outputs[output].role not in ("source", "by-pass"):
                    yield at, f"'{output}' is not a source output of the valve module"
            if port.zone is not None and port.zone not in self.config.zones:
                yield ("ports", name, "zone"), f"there is no zone '{port.zone}'"
            if (port.delivery == "pushed") != (port.push is not None):
                yield ("ports", name), "'delivery: pushed' goes with 'push: {device, flow}', and only with it"
            if (port.delivery == "filled") != (port.fill is not None):
                yield ("ports", name), "'delivery: filled' goes with 'fill: {outputs, time}', and only with it"
            if port.delivery == "bubbled" and len(port.outputs) < 2:
                yield ("ports", name, "outputs"), "'delivery: bubbled' opens an inlet and an outlet: name both"
            if port.push:
                loc = ("ports", name, "push", "device")
                yield from self._device(loc, port.push.device, "set_flow", "flow controller")

    def shared_outputs(self) -> Found:
        """A port whose outputs are, or contain, those of another: a word that opens the one opens the other."""
        owner: dict[str, str] = {}
        for name, port in self.config.ports.items():
            for at, output in _outputs_of(name, port):
                if output in owner:
                    what = f"'{output}' belongs to port '{owner[output]}' already"
                    yield at, f"{what}: each output opens one bottle"
                owner.setdefault(output, name)

    def signals(self) -> Found:
        for field, signal in self.config.signals.model_dump().items():
            if signal is not None:
                yield from self._signal(("signals", field), signal, _ENDS.get(field, ()))

    def limits(self) -> Found:
        """Each limit below the next; said at the higher one, or at the lower where the file leaves the higher out."""
        for names, dimension in _ORDERED:
            for low, high in pairwise(names):
                below, above = getattr(self.config.limits, low), getattr(self.config.limits, high)
                if not below < above:
                    loc = ("limits", high if ("limits", high) in self.document.marks else low)
                    yield loc, f"{high} is {dimension.show(above)}: above {low}, {dimension.show(below)}, is expected"

    def errors(self) -> Found:
        """A channel must reach the limits of its signal, and tell them from zero and from each other."""
        for field, carried in CARRIED.items():
            device, _, channel = (getattr(self.config.signals, field) or "").partition(".")
            wired = self.devices.get(device)
            for i, one in enumerate(getattr(wired.settings, "analogue", ()) if wired else ()):
                if one.channel == channel:
                    for key, why in unresolved(carried, self.config.limits, one):
                        yield ("devices", device, "analogue", i, key), why

    def bindings(self) -> Found:
        """What names a channel or an address that is there, and still guards nothing."""
        wired = dict[str, Wired](self.devices)
        yield from wrong_kinds(self.config, wired)
        yield from parts_taken_twice(self.config, self.document.mark)
        yield from wired_twice(wired)
        yield from too_late_or_too_hot(self.config, wired)
        yield from hold_on_uncut(self.config, wired)

    def _device(self, loc: Location, name: str, verb: str, kind: str) -> Found:
        if name not in self.document.data["devices"]:
            yield loc, f"there is no device '{name}'"
        elif name in self.devices and not self.devices[name].can(verb):
            known = ", ".join(sorted(n for n, d in self.devices.items() if d.can(verb))) or "none here"
            yield loc, f"'{name}' ({self.devices[name].driver}) is no {kind}; there are: {known}"

    def _signal(self, loc: Location, signal: str, ends: tuple[str, ...]) -> Found:
        device, dot, channel = signal.partition(".")
        if not dot:
            yield loc, f"'{signal}' is no signal: write device.channel, for example coupler-b.o2_ppm"
        elif device not in self.document.data["devices"]:
            yield loc, f"there is no device '{device}'"
        elif device in self.devices and channel not in self.devices[device].channels:
            known = ", ".join(sorted(self.devices[device].channels)) or "none"
            yield loc, f"'{device}' has no channel '{channel}'; it has: {known}"
        elif ends and not signal.endswith(ends):
            yield loc, f"'{signal}' is in another unit: a channel whose name ends in {' or '.join(ends)} is expected"


def _outputs_of(name: str, port: Port) -> Iterator[tuple[Location, str]]:
    """Every output that a port names, with its place in the file."""
    for i, output in enumerate(port.outputs):
        yield ("ports", name, "outputs", i), output
    for i, output in enumerate(port.fill.outputs if port.fill else ()):
        yield ("ports", name, "fill", "outputs", i), output
