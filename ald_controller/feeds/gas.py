"""What the rows of chemistry read besides devices: what flows, and for how long nothing has moved.

| name             | value                                                                              |
| asked.total_sccm | the sum of what flow controllers were asked for                                    |
| asked.quiet_s    | s since one of these, or the stop valve, was changed; since the start before that  |
| valves.shut_s    | s since a source was open, 0 while one is, endless before any was                  |

A pulse may be shorter than a scan, so openings are taken from the edges as they went out, and from the valve word too.
After the chamber was at air or was pumped down, what is in it came from no source: that counts as never opened.
"""

from __future__ import annotations

from math import inf

from ald_controller.feeds.put import put
from ald_controller.interlocks import Sample
from ald_controller.tool import Tool
from ald_controller.valves import wire

_REFILLED = ("VENTING", "AT_BOX", "AT_AIR", "PUMPING_DOWN")


class GasFeed:
    """Follows one tool."""

    def __init__(self, tool: Tool, now_s: float) -> None:
        self._tool = tool
        self._sources, self._stop = tool.config.source_mask, tool.config.valves.mask("stop")
        self._edge_s, self._open = -inf, False  # of the newest edge, and whether a source is open after it
        self._open_s = -inf  # when a source was open last
        self._asked: object = None
        self._moved_s = now_s

    def hear(self, message: wire.FromEngine) -> None:
        """Take what the valve engine says went out."""
        if not isinstance(message, wire.Edge):
            return
        was, self._open = self._open, bool(message.word & self._sources)
        self._edge_s = (message.confirmed_ns or message.sent_ns) / 1e9
        if was or self._open:
            self._open_s = max(self._open_s, self._edge_s)

    def look(self, now_s: float) -> None:
        """Once a scan: every sample, stamped now."""
        samples, status = self._tool.samples, self._tool.valves.status
        put(samples, "asked.total_sccm", sum(self._tool.asked_sccm.values()), now_s)
        samples["asked.quiet_s"] = Sample(self._quiet_s(status, now_s), now_s)
        samples["valves.shut_s"] = Sample(self._shut_s(status, now_s), now_s)

    def _quiet_s(self, status: wire.Status | None, now_s: float) -> float:
        asked = (status.word & self._stop if status else None, *self._tool.asked_sccm.items())
        if asked != self._asked:
            self._asked, self._moved_s = asked, now_s
        return now_s - self._moved_s

    def _shut_s(self, status: wire.Status | None, now_s: float) -> float:
        # an opening that went out after the newest report still stands
        unseen = self._open and (status is None or status.at_ns / 1e9 < self._edge_s)
        if unseen or (status is not None and status.word & self._sources):
            self._open_s = now_s
        elif self._tool.chamber.state in _REFILLED:
            self._open_s = -inf
        return max(now_s - self._open_s, 0.0)
