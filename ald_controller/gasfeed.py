"""What the rows of chemistry read besides devices: what flows and for how long nothing has moved, and two registers.

| name                    | value                                                                                 |
| asked.total_sccm        | the sum of what flow controllers were asked for                                       |
| asked.quiet_s           | s since one of these, or the stop valve, was changed; since the start before that     |
| valves.shut_s           | s since a source was open, 0 while one is, endless before any was                     |
| register.leak_pa_per_s  | the rise that was measured last; absent when none was                                 |
| register.cylinder_argon | 1 when the register says that argon hangs at the tool, else 0                         |

A pulse may be shorter than a scan, so openings are taken from the edges as they went out, and from the valve word too.
After the chamber was at air or was pumped down, what is in it came from no source: that counts as never opened.
"""

from __future__ import annotations

from collections.abc import Callable
from math import inf

from ald_controller.interlocks import Sample
from ald_controller.registers import Registers
from ald_controller.tool import Tool
from ald_controller.valves import wire

_REFILLED = ("VENTING", "AT_BOX", "AT_AIR", "PUMPING_DOWN")


class GasFeed:
    """Follows one tool; `registers` are asked for as they are now."""

    def __init__(self, tool: Tool, registers: Callable[[], Registers], now_s: float) -> None:
        self._tool, self._registers = tool, registers
        self._sources, self._stop = tool.config.source_mask, tool.config.valves.mask("stop")
        self._open = False  # by the newest edge
        self._open_s = -inf  # when a source was open last
        self._asked: object = None
        self._moved_s = now_s

    def hear(self, message: wire.FromEngine) -> None:
        """Take what the valve engine says went out."""
        if not isinstance(message, wire.Edge):
            return
        was, self._open = self._open, bool(message.word & self._sources)
        if was or self._open:
            self._open_s = max(self._open_s, (message.confirmed_ns or message.sent_ns) / 1e9)

    def look(self, now_s: float) -> None:
        """Once a scan: every sample, stamped now."""
        samples, registers = self._tool.samples, self._registers()
        flows = self._tool.asked_sccm
        samples["asked.total_sccm"] = Sample(sum(flows.values()), now_s)
        samples["asked.quiet_s"] = Sample(self._quiet_s(now_s), now_s)
        samples["valves.shut_s"] = Sample(self._shut_s(now_s), now_s)
        leak = registers.get("leak")
        if leak is None:
            samples.pop("register.leak_pa_per_s", None)
        else:
            samples["register.leak_pa_per_s"] = Sample(leak, now_s)
        samples["register.cylinder_argon"] = Sample(float(registers.argon), now_s)

    def _quiet_s(self, now_s: float) -> float:
        status = self._tool.valves.status
        asked = (status.word & self._stop if status else None, *self._tool.asked_sccm.items())
        if asked != self._asked:
            self._asked, self._moved_s = asked, now_s
        return now_s - self._moved_s

    def _shut_s(self, now_s: float) -> float:
        status = self._tool.valves.status
        if status is not None and (status.word & self._sources or (self._open and status.at_ns / 1e9 < self._open_s)):
            self._open_s = now_s  # an opening that went out after the newest report still stands
        elif self._tool.chamber.state in _REFILLED:
            self._open_s = -inf
        return max(now_s - self._open_s, 0.0)
