"""Dosing valves and the bottles behind them: what comes out of each within a step, and what streams in.

A valve moves 5 ms after its coil was switched, if the coil is still as it was then, and to first order in 5 ms; both
are engineering values. So a coil that is live for less than the delay opens nothing, and the area under any other
opening is the width of its pulse. Units: seconds, Pa, mol, K.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import inf
from typing import NamedTuple

from simulators.plant.bottle import Bottle
from simulators.plant.flows import Flow
from simulators.plant.gas import SCCM_MOL_S, Contents, Lag
from simulators.plant.wiring import Port

DELAY_S, TRAVEL_S, NEAR = 0.005, 0.005, 0.005
WIDE = 0.01  # of a healthy open valve's flow: above it a step takes a few ms


class Given(NamedTuple):
    """Moles that came out in a step: of each vapour, and of what had streamed into bottles before."""

    vapours: dict[str, float]
    foreign: float


class Dosing:
    """All dosing valves of a plant; `warm_c` says how warm a port's bottle is."""

    def __init__(self, bottles: dict[str, Bottle], warm_c: Callable[[Port], float], at_s: float) -> None:
        self.bottles, self._warm_c = bottles, warm_c
        self.open: dict[Port, Lag] = {}  # what lets vapour through: its share of a healthy open valve's flow
        self.opened_s = at_s
        self.next_s = inf  # when a valve begins to move
        self._coming: dict[Port, tuple[float, float]] = {}

    def ask(self, port: Port, share: float, at_s: float) -> None:
        """The coil of a valve asks for this opening."""
        lag = self.open.get(port)
        if share == (lag.target if lag else 0.0):
            self._coming.pop(port, None)
        elif port not in self._coming or self._coming[port][1] != share:
            self._coming[port] = (at_s + DELAY_S, share)
        self._plan()

    def move(self, at_s: float) -> list[tuple[Port, bool]]:
        """Let the valves move whose time has come; returns those that begin to open, or to shut, and which of both."""
        moved = [port for port, (due_s, _) in self._coming.items() if due_s <= at_s]
        turned = []
        for port in moved:
            _, share = self._coming.pop(port)
            if port not in self.open:
                self.open[port] = Lag(TRAVEL_S, 0.0, 0.0, NEAR)
                if bottle := self.bottles.get(port.name):
                    bottle.rest(at_s - bottle.shut_s, self._warm_c(port))
            lag = self.open[port]
            if (lag.target == 0.0) != (share == 0.0):
                turned.append((port, share > 0.0))
            if share > lag.target:
                self.opened_s = at_s
            lag.target = share
        self._plan()
        return turned

    def _plan(self) -> None:
        self.next_s = min((due_s for due_s, _ in self._coming.values()), default=inf)

    @property
    def widest(self) -> float:
        """How far the widest valve is open or opens."""
        return max((lag.target for lag in self.open.values()), default=0.0)

    def give(
        self, dt_s: float, at_s: float, gas: Contents, gas_k: float, volume_m3: float, rise: float,
        flows: Mapping[str, Flow],
    ) -> Given:  # fmt: skip
        """What open valves let out in a step that ends at `at_s`; `rise` is Pa per mol."""
        given: dict[str, float] = {}
        foreign = 0.0
        for port, lag in tuple(self.open.items()):
            share, bottle = lag.advance(dt_s), self.bottles.get(port.name)
            if lag.value == lag.target == 0.0:
                del self.open[port]
            if bottle is None:
                continue
            bottle.shut_s = at_s
            if port.pusher is None:
                moles, other = self._draw(bottle, dt_s, self._warm_c(port), gas, gas_k, volume_m3, rise, share)
                foreign += other
            else:
                carrier_mol_s = flows[port.pusher].mean_sccm * SCCM_MOL_S * share
                moles = bottle.push(dt_s, self._warm_c(port), gas.total_pa, carrier_mol_s)
            given[bottle.key] = given.get(bottle.key, 0.0) + moles
        return Given(given, foreign)

    @staticmethod
    def _draw(
        bottle: Bottle, dt_s: float, warm_c: float, gas: Contents, gas_k: float, volume_m3: float, rise: float,
        share: float,
    ) -> tuple[float, float]:  # fmt: skip
        """Out of a bottle, or into it where the chamber's pressure is the higher one."""
        chamber_pa = gas.total_pa
        chamber = volume_m3 / gas_k * (warm_c + 273.15) / bottle.headspace_m3
        if chamber_pa > bottle.total_pa:
            own = gas.vapours_pa.get(bottle.key, 0.0) / chamber_pa
            gas.lose(rise * bottle.take_in(dt_s, warm_c, chamber_pa, gas_k, share, chamber, own))
        return bottle.draw(dt_s, warm_c, chamber_pa, share, chamber)
