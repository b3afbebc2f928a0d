"""What `ald devices set` may set, and how far: a set-point of a flow controller or a heater, within the tool's limits.

Nobody watches a tool whose controller is stopped: no interlock, no lease, no alarm. So nothing is set from here that
could endanger by itself: no output, no valve, no pump, no flow that pushes a precursor. Pure.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ald_controller import units
from ald_controller.config import LITHIUM_CLAMP_C, Tool
from drivers.catalogue import CATALOGUE


class NotFromHere(Exception):
    """This is not set with the controller stopped; the sentence says why and what to do."""


@dataclass(frozen=True, slots=True)
class Order:
    """A flow in sccm or a temperature in °C; None = the heater's own safe set-point. `shown`: for people."""

    device: str
    value: float | None
    heater: bool
    shown: str


def order(file: Tool, device: str, text: str) -> Order:
    """What is to be set, judged; raises NotFromHere, or UnitError for a value that cannot be read."""
    config, driver = file.devices[device], CATALOGUE[file.devices[device].driver].driver
    if hasattr(config.settings, "outputs"):
        raise NotFromHere(
            f"outputs of {device} are not set from here: valves, gate, contactors and lamps belong to the controller "
            "and its interlocks; start it (`ald gate`, a recipe), or switch them by hand at the coupler"
        )
    if hasattr(driver, "set_flow"):
        return _flow(file, device, config.settings, text)
    if hasattr(driver, "follow"):
        return _heater(file, device, text)
    if hasattr(driver, "start"):
        raise NotFromHere(f"{device} is a pump: it is started and stopped at the pump, or by the controller")
    raise NotFromHere(f"{device} only measures: there is nothing to set")


def _flow(file: Tool, device: str, settings: Any, text: str) -> Order:
    sccm = units.FLOW.parse(text)
    pushed = [name for name, port in file.config.ports.items() if port.push and port.push.device == device]
    if sccm > 0 and pushed:
        raise NotFromHere(
            f"{device} pushes the precursor at port {', '.join(pushed)}: with the controller stopped only 0 sccm is set"
        )
    most = min(settings.full_scale_sccm, file.config.purge_flow)
    if not 0 <= sccm <= most:
        raise NotFromHere(
            f"{device}: {sccm:g} sccm is outside 0…{most:g} sccm, the smaller of its full scale "
            f"({settings.full_scale_sccm:g}) and the tool's purge flow ({file.config.purge_flow:g})"
        )
    return Order(device, sccm, False, f"{sccm:g} sccm")


def _heater(file: Tool, device: str, text: str) -> Order:
    if text == "off":
        return Order(device, None, True, "its own safe set-point")
    celsius = units.TEMPERATURE.parse(text)
    if file.devices[device].holds_on:
        raise NotFromHere(
            f"{device} goes on heating at its last set-point when whoever set it dies, and nobody would cut it: it is "
            "heated at its own panel, or by the controller"
        )
    zones = {name: zone for name, zone in file.config.zones.items() if zone.device == device}
    if not zones:
        raise NotFromHere(f"{device} heats no zone of this tool: without a zone's limit nothing is set")
    for name, zone in zones.items():
        touching = zone.role in ("substrate", "chamber")
        most = min(zone.limit, LITHIUM_CLAMP_C) if touching else zone.limit
        if not 0 <= celsius <= most:
            why = "lithium may lie there" if touching and most == LITHIUM_CLAMP_C else "the zone's limit"
            raise NotFromHere(f"{device}: {celsius:g} °C is outside 0…{most:g} °C for {name}: {why}")
    return Order(device, celsius, True, f"{celsius:g} °C")
