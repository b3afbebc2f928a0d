"""A reactor of one film driven without a wire: a bottle for each precursor, zones that stay warm."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from simulators.plant import Plant, Port, Wiring
from simulators.plant.gas import Vessel
from simulators.plant.sample import Sample
from simulators.plant.sources import TORR_PA

STOP, CONTACTOR = 1 << 14, 1 << 15
START_S = 20.0
ZONES = {"substrate": "substrate", "chamber": "chamber"}


class Reactor:
    """A plant at one temperature with 20 sccm of carrier, and bottles by their precursors.

    `source_c` is how hot each bottle is, `share` how far each dosing valve opens; 25 °C and wide by default.
    """

    def __init__(
        self,
        celsius: float,
        precursors: Sequence[str],
        *,
        source_c: Mapping[str, float] | None = None,
        share: Mapping[str, float] | None = None,
        sample: Sample | None = None,
        vessel: Vessel | None = None,
    ) -> None:
        hot = dict(source_c or {})
        ports = tuple(Port(name, 1 << i, name, name if name in hot else None) for i, name in enumerate(precursors))
        self.masks = {port.name: port.mask for port in ports}
        zones = {**ZONES, **dict.fromkeys(hot, "source")}
        warm = {"substrate": celsius, "chamber": celsius, **hot}
        wiring = Wiring(ports, STOP, CONTACTOR, {"carrier": 100.0}, zones)
        self.plant = Plant(wiring, at_s=0.0, warm_c=warm, sample=sample, vessel=vessel)
        for zone in self.plant.heat.zones.values():  # metal without end: it stays as warm as it is
            zone.build = replace(zone.build, capacity_j_k=1e12)
        self.plant.set_flow("carrier", 20.0, 0.0)
        for name, part in (share or {}).items():
            self.plant.throttle(name, part, 0.0)
        self.now_s = START_S
        self.plant.advance(self.now_s)

    def dose(self, precursor: str, width_s: float, purge_s: float, *, hold_s: float = 0.0) -> float:
        """One pulse, held in the shut chamber if it is to be, and its purge; the pressure (Torr) when it ends."""
        stop = STOP if hold_s else 0
        self.plant.valve_word(self.now_s, self.masks[precursor] | stop)
        self.now_s += width_s
        self.plant.valve_word(self.now_s, stop)
        peak = self.plant.pressure_pa(self.now_s + 0.01) / TORR_PA  # the valve shuts a little later
        if hold_s:
            self.now_s += hold_s
            self.plant.valve_word(self.now_s, 0)
        self.now_s += purge_s
        self.plant.advance(self.now_s)
        return peak

    def cycles(self, count: int, *doses: tuple[str, float, float], hold_s: float = 0.0) -> float:
        """So many cycles of (precursor, pulse, purge); the thickness (nm) that they added."""
        before = self.plant.thickness_nm(self.now_s)
        for _ in range(count):
            for precursor, width_s, purge_s in doses:
                self.dose(precursor, width_s, purge_s, hold_s=hold_s)
        return self.plant.thickness_nm(self.now_s) - before
