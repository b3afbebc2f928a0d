"""Where the `cleared` mark gets its facts, and who hears of it: the sample `register.cleared` (1 or 0), every scan.

After a start everything that hangs at a port counts as dosed, beside what the file remembers: nobody watched.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import reduce
from operator import or_

from ald_controller import clearing as cl
from ald_controller import stamp
from ald_controller.chemistry import Chemistry
from ald_controller.feeds.put import put
from ald_controller.interlocks import Constants
from ald_controller.records.clearing_row import ClearingRow, Kept
from ald_controller.registers import Entry, Registers
from ald_controller.tool import Tool
from ald_controller.valves import wire

CLEARED = "register.cleared"
UNNAMED = "an unnamed precursor"  # at a port without a bottle's card
PURGED = 0.8  # of the purge flow, at least (row C7 warns below the same share)
NOTHING: frozenset[str] = frozenset()
FRESH_S = 1.0  # a report of the valve process that is older says nothing of its valves


@dataclass(frozen=True, slots=True)
class _Known:
    """What the registers say, looked up once for each change of them."""

    registers: Registers
    precursors: dict[str, str]  # port -> what hangs there
    hanging: frozenset[str]  # what may have been dosed when nobody watched
    constants: Constants

    @classmethod
    def of(cls, registers: Registers, ports: Iterable[str]) -> _Known:
        rack = registers.rack()
        named = {port: rack.get(port, UNNAMED) for port in ports}
        return cls(registers, named, frozenset(rack.values()) or frozenset({UNNAMED}), registers.constants)


class ClearingWatch:
    """Follows one tool. `registers` are asked for bottles, constants, the leak; `utc_s` turns loop into unix time."""

    def __init__(
        self, tool: Tool, row: ClearingRow, registers: Callable[[], Registers], chemistry: Chemistry, now_s: float,
        utc_s: float,
    ) -> None:  # fmt: skip
        self._tool, self._row, self._registers, self._utc_s = tool, row, registers, utc_s
        self._clear_s = {name: each.clear for name, each in chemistry.precursors.items()}
        config = tool.config
        ports, valves = config.ports, config.valves
        self._stop = valves.mask("stop")
        self._around = tuple(config.zones_of("substrate", "chamber"))
        self._carrier, self._purge_sccm = f"{config.carrier}.flow_sccm", PURGED * config.purge_flow
        self._masks = {name: valves.word(port.every_output) for name, port in ports.items()}
        self._sources = reduce(or_, self._masks.values(), 0)
        self._known = _Known.of(registers(), ports)
        self._opened = NOTHING  # ports, since the last look
        self._leak = self._known.registers.entries.get("leak")  # of before the start
        self._rise_test_s: float | None = None
        remembered = row.before.dosed if row.before else frozenset()
        self.state = cl.boot(now_s, remembered | self._known.hanging)
        self._kept: tuple[frozenset[str] | None, float] = None, now_s  # what was dosed, and since when it is shut
        self.told = _told(row.before)

    def hear(self, message: wire.FromEngine) -> None:
        """Take what the valve engine says was open: a pulse may be shorter than a scan."""
        if isinstance(message, wire.Edge):
            self._opened |= self._in(message.word)

    def look(self, now_s: float) -> None:
        """Once a scan: one step of the mark, its sample, and what changed into the file."""
        if (registers := self._registers()) is not self._known.registers:
            self._known = _Known.of(registers, self._masks)
            self._look_for_rise_test(registers.entries.get("leak"), now_s)
        self.state = cl.step(self.state, self._inputs(now_s), now_s)
        self._opened = NOTHING
        put(self._tool.samples, CLEARED, float(self.state.cleared), now_s)
        self._keep(self.state.dosed, self.state.since_s, now_s)

    # --- inside ----------------------------------------------------------------------------------------------------

    def _keep(self, dosed: frozenset[str], since_s: float, now_s: float) -> None:
        """Into the file where it is another; while a source is open only the time moves on, which can wait."""
        if dosed != self._kept[0] or (since_s != self._kept[1] and since_s < now_s):
            self._kept = dosed, since_s
            self._row.keep(Kept(dosed, since_s + self._utc_s))

    def _in(self, word: int) -> frozenset[str]:
        return frozenset(name for name, mask in self._masks.items() if word & mask)

    def _inputs(self, now_s: float) -> cl.Inputs:
        tool, status = self._tool, self._tool.valves.status
        known = status is not None and status.connected and now_s - status.at_ns / 1e9 <= FRESH_S
        word = status.word if status is not None and known else 0
        ports = self._opened | self._in(word) if word & self._sources else self._opened
        dosing = frozenset(self._known.precursors[port] for port in ports) if ports else NOTHING
        purging = known and self._purging(word)
        return cl.Inputs(
            open=dosing if known else dosing | self._known.hanging,
            air=tool.good(tool.config.signals.gate_shut) != 1 or tool.chamber.state == "AT_AIR",
            purging=purging,
            coldest_c=self._coldest_c() if purging else None,
            decay_s=self._known.constants.decay_s,
            rise_test_s=self._rise_test_s,
            clear_s=self._clear_s,
        )

    def _purging(self, word: int) -> bool:
        tool, pump = self._tool, self._tool.config.signals.pump_running
        if tool.chamber.state != "VACUUM" or word & self._stop:
            return False
        flow_sccm = tool.good(self._carrier)
        flows = flow_sccm is not None and flow_sccm >= self._purge_sccm
        return flows and (pump is None or tool.good(pump) == 1)

    def _coldest_c(self) -> float | None:
        found = [self._tool.temperature_c(zone) for zone in self._around]
        known = [celsius for celsius in found if celsius is not None]
        return min(known) if known and len(known) == len(found) else None

    def _look_for_rise_test(self, leak: Entry | None, now_s: float) -> None:
        """A leak that was newly signed for, and is below the commissioned one, is a rise test passed now."""
        if leak is self._leak or leak is None:
            return
        self._leak = leak
        volume_m3, most = self._known.constants.volume_m3, self._known.constants.leak_pa_m3_s
        passed = volume_m3 is not None and most is not None and leak.value * volume_m3 <= most
        self._rise_test_s = now_s if passed else None


def _told(before: Kept | None) -> str:
    """What is remembered of before the start, for people."""
    if before is None:
        return "nothing is known of what was dosed before this start: everything at a port may be in the chamber"
    dosed = ", ".join(sorted(before.dosed)) or "nothing"
    return f"before this start {dosed} was dosed and not cleared; sources last shut at {stamp.iso(before.shut_at)}"
