"""What the interlocks read besides devices: what was asked of them, as samples of this scan.

| name                | value                                                                        |
| asked.ZONE_c        | the set-point that its instrument is sent now; OFF_C = off                    |
| asked.DEVICE_sccm   | the set-point of a flow controller                                           |
| asked.contactor     | 1 while the lithium zones' contactor is closed by the valve word             |
| asked.stop_shut     | 1 while the valve word holds the stop valve shut                             |
"""

from __future__ import annotations

from ald_controller.feeds.put import put
from ald_controller.interlocks import Sample
from ald_controller.tool import Tool

OFF_C = -273.15  # the set-point of a zone that is off: no instrument has it
_VALVES = {"contactor": "contactor", "stop_shut": "stop"}  # name of the sample -> role of its outputs


class AskedFeed:
    """Follows one tool."""

    def __init__(self, tool: Tool) -> None:
        self._tool = tool
        self._zones = {zone: f"asked.{zone}_c" for zone in tool.config.zones}
        self._masks = {f"asked.{name}": tool.config.valves.mask(role) for name, role in _VALVES.items()}

    def look(self, now_s: float) -> None:
        """Write what was asked of zones, flows and valves into the tool's samples, stamped now."""
        tool, samples = self._tool, self._tool.samples
        for zone, asked_c in tool.heaters.asked_c().items():
            put(samples, self._zones[zone], OFF_C if asked_c is None else asked_c, now_s)
        for device, sccm in tool.asked_sccm.items():
            put(samples, f"asked.{device}_sccm", sccm, now_s)
        status = tool.valves.status
        if status is not None:
            for signal, mask in self._masks.items():
                samples[signal] = Sample(float(bool(status.word & mask)), status.at_ns / 1e9)
