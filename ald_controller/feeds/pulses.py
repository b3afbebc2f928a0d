"""Where pulses come from and go to: valve events and the gauge in, samples, the table and the run's record out.

| sample               | value, stamped when the pulse was finished                                              |
| pulse.SOURCE.ratio   | its figure over the median of the ones before; BAD without a figure, absent without a median |
| pulse.SOURCE.judged  | 1 for a pulse that counts; 0 for one that is recorded only, or has no figure             |
| pulse.SOURCE.number  | openings of the source until now: changes once per pulse                                |

They stay until the next pulse of the source, so their age says nothing; several pulses at once are told one a scan.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from math import nan
from typing import Protocol

from ald_controller.config import pa_per_unit
from ald_controller.interlocks import Quality, Sample
from ald_controller.pulses import Conditions, Pulse, PulseMeter, Verdict
from ald_controller.pulses.figure import DECAY_S
from ald_controller.records.pulse_table import PulseTable
from ald_controller.registers import Registers
from ald_controller.tool import Tool
from ald_controller.valves import wire

UNNAMED = "an unnamed precursor"  # at a port without a bottle's card


class TellsRun(Protocol):
    """Writes into the record of the run with this name, when it is in hand."""

    def __call__(self, run: str, kind: str, **fields: object) -> None: ...


class PulseWatch:
    """Measures every dose of a tool and compares it with those before.

    `utc_s` is what turns loop seconds into unix seconds; `registers` are asked for the bottles as they are now.
    """

    def __init__(
        self, tool: Tool, table: PulseTable, registers: Callable[[], Registers], tell: TellsRun, utc_s: float
    ) -> None:
        self._tool, self._table, self._registers, self._tell, self._utc_s = tool, table, registers, tell, utc_s
        config = tool.config
        self._meter = PulseMeter(
            {name: config.valves.word(port.outputs) for name, port in config.ports.items()},
            config.valves.mask("stop"), self._conditions, table.history.usual,
        )  # fmt: skip
        self._pa_per_unit = pa_per_unit(config.signals.pressure)
        self._waiting: list[Verdict] = []
        self.sources = tuple(config.ports)
        self.first = table.history.judging.first
        tool.on_pressure = self._pressure

    def hear(self, message: wire.FromEngine) -> None:
        """Take what the valve engine says of its doses."""
        if isinstance(message, wire.Edge):
            self._meter.edge(message)
        elif isinstance(message, wire.Held):
            self._meter.held(message)

    def look(self, now_s: float) -> None:
        """Once a scan: write what is finished into the tool's samples, the table and the record."""
        self._meter.look(now_s)
        self._waiting += [self._added(pulse) for pulse in self._meter.take()]
        told: set[str] = set()
        for verdict in [*self._waiting]:
            if verdict.pulse.source not in told:
                told.add(verdict.pulse.source)
                self._waiting.remove(verdict)
                self._feed(verdict, now_s)

    def learn_anew(self, source: str) -> None:
        """Forget what the pulses of this source usually are; the next ones are recorded only."""
        self._table.forget(source)

    # --- inside ----------------------------------------------------------------------------------------------------

    def _pressure(self, sample: Sample) -> None:
        self._meter.pressure(Sample(sample.value * self._pa_per_unit, sample.at_s, sample.quality))

    def _conditions(self, source: str) -> Conditions:
        config, asked = self._tool.config, self._tool.asked_sccm
        port, registers = config.ports[source], self._registers()
        self._meter.decay_s = registers.constants.decay_s or DECAY_S  # it may have been signed for since
        wall = next(iter(config.zones_of("chamber")), None)
        return Conditions(
            registers.rack().get(source, UNNAMED),
            self._tool.heaters.goal_c(port.zone) if port.zone else None,
            self._tool.heaters.goal_c(wall) if wall else None,
            asked.get(config.carrier),
            asked.get(port.push.device) if port.push else None,
        )

    def _added(self, pulse: Pulse) -> Verdict:
        card = self._registers().entries.get(f"bottle.{pulse.source}")
        bottle = "" if card is None else f"{card.written} signed {card.at}"
        verdict = self._table.history.add(pulse, bottle, pulse.opened_s + self._utc_s)
        self._table.keep(pulse.source, pulse.likeness)
        self._record(verdict)
        return verdict

    def _record(self, verdict: Verdict) -> None:
        pulse, found = verdict.pulse, verdict.pulse.figure
        figures = {} if found is None else {
            "base_pa": round(found.base_pa, 3), "peak_pa": round(found.peak_pa, 3),
            "delta_p_pa": round(found.delta_p_pa, 3),
        }  # fmt: skip
        self._tell(
            pulse.id.run, "pulse", source=pulse.source, precursor=pulse.likeness.conditions.precursor,
            half=pulse.id.half, cycle=pulse.id.cycle, edge=pulse.edge, opened_s=pulse.opened_s,
            energised_s=pulse.likeness.width_ns / 1e9, number=verdict.counts.number, **figures,
            ratio=None if verdict.ratio is None else round(verdict.ratio, 4), judged=verdict.judged, why=verdict.why,
        )  # fmt: skip

    def _feed(self, verdict: Verdict, now_s: float) -> None:
        write = partial(self._write, f"pulse.{verdict.pulse.source}.", now_s)
        write("number", float(verdict.counts.number))
        write("judged", float(verdict.judged))
        if verdict.pulse.figure is None:
            write("ratio", nan, Quality.BAD)
        else:
            write("ratio", verdict.ratio)

    def _write(
        self, prefix: str, now_s: float, name: str, value: float | None, quality: Quality = Quality.GOOD
    ) -> None:
        if value is None:
            self._tool.samples.pop(prefix + name, None)
        else:
            self._tool.samples[prefix + name] = Sample(value, now_s, quality)
