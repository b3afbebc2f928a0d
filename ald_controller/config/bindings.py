"""Which channel plays which part: none plays two, a contact is a digital input, a second sensor is another sensor.

What is independent on paper only would be accepted without a word, and guard nothing. Pure.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Protocol

from ald_controller.config.model import LITHIUM_CLAMP_C, ToolConfig
from ald_controller.yamlfile import Location, Mark

MEASURED = ("pressure", "atmosphere", "glovebox_o2", "glovebox_h2o", "box_pressure", "delta_p")  # the others: contacts
WATCHDOG_S = 1.0  # rows K3 and K6 promise that outputs are off a second after the last word to their coupler
Found = Iterator[tuple[Location, str]]


class Wired(Protocol):
    """A device of the tool as far as its bindings are judged."""

    @property
    def line(self) -> str: ...
    @property
    def settings(self) -> Any: ...
    @property
    def contacts(self) -> frozenset[str]: ...
    @property
    def driver(self) -> str: ...
    @property
    def holds_on(self) -> bool: ...
    def can(self, verb: str) -> bool: ...


def parts_taken_twice(config: ToolConfig, line_of: Callable[[Location], Mark]) -> Found:
    """Two parts that are one channel, named with both their lines."""
    taken: dict[str, Location] = {}
    for loc, signal in _parts(config):
        if signal in taken:
            other = taken[signal]
            where = f"{'.'.join(map(str, other))} (line {line_of(other).line})"
            yield loc, f"'{signal}' is {where} already: one channel plays one part, and no part checks itself"
        taken.setdefault(signal, loc)


def _parts(config: ToolConfig) -> Iterator[tuple[Location, str]]:
    for name, zone in config.zones.items():
        yield ("zones", name, "device"), f"{zone.device}.temperature_c"
    for field, signal in config.signals.model_dump().items():
        if signal is not None:
            yield ("signals", field), signal
    for name, zone in config.zones.items():
        if zone.second is not None:
            yield ("zones", name, "second"), zone.second


def wrong_kinds(config: ToolConfig, devices: dict[str, Wired]) -> Found:
    """A contact that is no digital input, a measurement that is one, and a second sensor that is none."""
    for field, signal in config.signals.model_dump().items():
        device, _, channel = (signal or "").partition(".")
        if signal is None or device not in devices:
            continue
        contacts = devices[device].contacts
        known = ", ".join(f"{device}.{one}" for one in sorted(contacts)) or f"none of '{device}'"
        if field not in MEASURED and channel not in contacts:
            yield ("signals", field), f"'{signal}' is no contact: a digital input is expected; there are: {known}"
        if field in MEASURED and channel in contacts:
            yield ("signals", field), f"'{signal}' is a contact: a channel that measures is expected"
    loops = {zone.device for zone in config.zones.values()}
    for name, zone in config.zones.items():
        device, _, channel = (zone.second or "").partition(".")
        own = device in loops or (device in devices and devices[device].can("follow") and channel != "temperature_c")
        if own and channel != "temperature_c":  # of a zone's sensor it is said that it plays that part
            yield ("zones", name, "second"), f"'{zone.second}' is no sensor: an independent second one is expected"


def wired_twice(devices: dict[str, Wired]) -> Found:
    """Two devices at one address of a line or none, and two channels or outputs at one place of a device."""
    at: dict[tuple[str, Any], str] = {}
    for name, wired in devices.items():
        address = wired.line, getattr(wired.settings, "unit", getattr(wired.settings, "node", name))
        others = [one for one, other in devices.items() if other.line == wired.line and one != name]
        if others and getattr(wired.settings, "alone", False):
            what = f"'{name}' answers to everything on its line: it has no address of its own"
            yield ("devices", name, "line"), f"{what}, so {', '.join(others)} must hang on another line"
        if address in at:
            yield ("devices", name, "unit"), f"'{at[address]}' answers to {address[1]} on line '{wired.line}' already"
        at.setdefault(address, name)
        for kind, key in (("digital", "input"), ("outputs", "coil")):
            places = [getattr(one, key) for one in getattr(wired.settings, kind, ())]
            for i, place in enumerate(places):
                if place in places[:i]:
                    yield ("devices", name, kind, i, key), f"{key} {place} is wired already: each has one of its own"


def too_late_or_too_hot(config: ToolConfig, devices: dict[str, Wired]) -> Found:
    """What a device does alone: a watchdog within the rows' target, a local set-point that lithium may see."""
    for name, wired in devices.items():
        watchdog_s = getattr(wired.settings, "watchdog_s", 0.0)
        if not watchdog_s <= WATCHDOG_S:
            why = "rows K3 and K6 promise that its outputs are off by then"
            yield ("devices", name, "watchdog"), f"{watchdog_s:g} s is too long: at most {WATCHDOG_S:g} s, {why}"
    for zone in config.zones_of("substrate", "chamber").values():
        safe_c = getattr(devices[zone.device].settings, "safe_local_c", None) if zone.device in devices else None
        if safe_c is not None and not safe_c <= LITHIUM_CLAMP_C:
            why = "its zone touches lithium, and it goes there by itself"
            loc = ("devices", zone.device, "safe_local")
            yield loc, f"{safe_c:g} °C is too hot: at most {LITHIUM_CLAMP_C:g} °C, as {why}"


def hold_on_uncut(config: ToolConfig, devices: dict[str, Wired]) -> Found:
    """A loop that heats on with nobody behind it, at a zone that touches lithium, and no contactor to cut it."""
    if config.valves.mask("contactor"):
        return
    for name, zone in config.zones_of("substrate", "chamber").items():
        if zone.device in devices and devices[zone.device].can("follow") and devices[zone.device].holds_on:
            why = (
                f"'{zone.device}' ({devices[zone.device].driver}) goes on with its last set-point when its line is lost"
            )
            what = "an output of the valve module with 'role: contactor', which cuts its heater, is expected"
            yield ("zones", name, "device"), f"{why}, and its zone touches lithium: {what}"
