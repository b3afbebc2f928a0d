"""Performs the acts between segments on the live tool: flows, heat, the pump, and waiting for what they bring.

What people and interlocks want meanwhile comes from the run: an act that a hold cuts raises Held and is done again by
the run, and a wait that gives up does what the recipe says of it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Protocol

from ald_controller.acts import FillWatch, PumpSpeed
from ald_controller.journal import Journal
from ald_controller.plan import (
    Act,
    FlowStep,
    HeatStep,
    Otherwise,
    PumpStep,
    RiseStep,
    SegmentStep,
    SettleStep,
    WaitStep,
    Where,
)
from ald_controller.risetest import AFTER_SHUT_S, watched
from ald_controller.tool import Tool

LOOK_S = 0.25  # how often waits look at their condition
FILL_LOOK_S = 0.05  # as often as the gauge is read: a filling looks at every reading
EMPTY_S = 30.0  # from no flow to a chamber that is as empty as it gets: twenty volumes and a flow controller's settling
BETWEEN_S = 300.0  # purge between two rise tests
SETTLED_S = 1.0  # so long below, so that no single reading ends a purge

_NOWHERE = Where(0, 0)  # of acts that no line of the recipe asks for


class Finish(Exception):
    """Leave what is going on and go to the recipe's finish."""


class Held(Exception):
    """The engine rests and has dropped what was loaded: the step did not happen as planned."""


class Wanted(Protocol):
    """What people and interlocks want of the run in hand."""

    @property
    def leaving(self) -> bool: ...  # it is on its way to the finish: nothing is worth waiting for

    def check_held(self) -> None: ...  # raises Held
    def hold_for(self, why: str) -> None: ...
    async def through(self, step: SegmentStep) -> None: ...  # a segment from its load to its end
    def shots(self) -> int: ...  # how many of its doses have begun
    def enough(self, pressure_pa: float | None) -> None: ...  # it gives no other


class Performer:
    """The acts of one run. Raises DriverError, Held and Finish."""

    def __init__(self, tool: Tool, journal: Journal, alarm: Callable[[str], None], wanted: Wanted) -> None:
        self._tool, self._journal, self._alarm, self._wanted = tool, journal, alarm, wanted
        self._filled: SegmentStep | None = None  # what was filled before a hold came
        self._flow_now = FlowStep("flow", _NOWHERE, {})  # the recipe's flows as they are, with the newest settling

    async def do(self, act: Act) -> None:
        """Perform one act; returns when the recipe may go on."""
        if isinstance(act, FlowStep):
            await self._flow(act)
        elif isinstance(act, HeatStep):
            await self._tool.heaters.heat(act.targets_c, act.ramp_k_per_s)
        elif isinstance(act, PumpStep):
            await self._pump(act)
        elif isinstance(act, SettleStep):
            await self._settle(act)
        elif isinstance(act, RiseStep):
            await self._rise(act)
        else:
            await self._wait(act)

    # --- flows -----------------------------------------------------------------------------------------------------

    @property
    def purge_flow(self) -> FlowStep:
        """Purge flow through the carrier and nothing else, of what the run has touched."""
        config = self._tool.config
        flows = {d: config.purge_flow if d == config.carrier else 0.0 for d in self._flow_now.flows_sccm}
        return FlowStep("flow", _NOWHERE, flows)

    async def purge(self) -> None:
        """Rest in purge flow; what the recipe asked for stays known."""
        await self._set_flows(self.purge_flow)

    async def flow_again(self) -> None:
        """Back to the recipe's flows after a purge, settled."""
        await self._flow(self._flow_now)

    async def _flow(self, step: FlowStep) -> None:
        await self._set_flows(step)
        self._flow_now = replace(step, flows_sccm=self._flow_now.flows_sccm | step.flows_sccm)
        if step.settle_s:
            await asyncio.sleep(step.settle_s)

    async def _set_flows(self, step: FlowStep) -> None:
        for device, sccm in step.flows_sccm.items():
            await self._tool.set_flow(device, sccm)

    # --- filling to a pressure ---------------------------------------------------------------------------------------

    async def fill(self, step: SegmentStep) -> None:
        """An exposure whose doses end when the gauge shows the wanted pressure: the segment holds the most of them.

        Whatever happens here, and if nothing happens any more, the engine shuts what the segment opens.
        """
        if self._filled is step:  # the hold came in its soak: it needs no dose once more
            self._filled = None
            return
        assert step.until is not None  # noqa: S101  narrows the type; the run gives no other here
        watch = FillWatch(step.until.to_pa)
        through = asyncio.ensure_future(self._wanted.through(step))
        try:
            while not through.done():
                await asyncio.wait({through}, timeout=FILL_LOOK_S)
                if not through.done() and watch.ends(self._wanted.shots(), self._tool.pressure_pa(), _now_s()):
                    self._wanted.enough(watch.pressure_pa)
                    self._filled = step if watch.reached else None
        finally:
            through.cancel()
        await through
        self._filled = None
        if not watch.reached:
            self._timed_out(step.until.otherwise, f"{step.label}: {watch.why}")

    # --- the pump, and waiting -------------------------------------------------------------------------------------

    async def _pump(self, step: PumpStep) -> None:
        too_fast = PumpSpeed(step.no_faster_than_pa_per_s)

        def reached() -> bool:
            pressure = self._tool.pressure_pa()
            if pressure is None:
                return False
            if told := too_fast.look(pressure, asyncio.get_running_loop().time()):
                self._journal.event("alarm", what=told)
                self._alarm(told)
            return pressure <= step.to_pa and self._tool.chamber.state == "VACUUM"

        self._tool.pumping = True
        try:
            await self._until(reached, 0.0, step.timeout_s, step.otherwise, "the chamber did not reach its pressure")
        finally:
            self._tool.pumping = False

    async def _settle(self, step: SettleStep) -> None:
        def reached() -> bool:
            pressure = self._tool.pressure_pa()
            return pressure is not None and pressure <= step.below_pa

        what = f"the purge did not come below {step.below_pa:.3g} Pa"
        await self._until(reached, SETTLED_S, step.timeout_s, step.otherwise, what)

    async def _rise(self, step: RiseStep) -> None:
        """Test after test, with a purge between, until one is slow enough."""
        give_up_s = asyncio.get_running_loop().time() + step.timeout_s
        while True:
            measured = await self._rise_once(step)
            if (measured is not None and measured <= step.below_pa_per_s) or self._wanted.leaving:
                return
            if asyncio.get_running_loop().time() + BETWEEN_S > give_up_s:
                return self._timed_out(
                    step.otherwise, f"the chamber did not rise slowly enough {_within(step.timeout_s)}"
                )
            await self._until(lambda: True, BETWEEN_S, 2 * BETWEEN_S, "alarm", "the purge between two rise tests")

    async def _rise_once(self, step: RiseStep) -> float | None:
        """One rise in Pa/s; None when it could not be measured."""
        await self._set_flows(replace(self._flow_now, flows_sccm=dict.fromkeys(self._flow_now.flows_sccm, 0.0)))
        await self._until(lambda: True, EMPTY_S, 2 * EMPTY_S, "alarm", "the chamber was not emptied")
        if self._wanted.leaving:
            return None
        shut = self._wanted.through(SegmentStep("segment", step.where, "rise test", step.edges, step.length_ns))
        begins_s = self._tool.config.pump.closing_time + AFTER_SHUT_S
        measured = (await watched(shut, self._deep_pa, begins_s)).pa_per_s()
        self._journal.event("rise", pa_per_s=measured, below_pa_per_s=step.below_pa_per_s)
        await self.flow_again()
        return measured

    def _deep_pa(self) -> float | None:
        """By the second gauge where there is one: a 10 Torr transducer near its zero reads too little of a rise."""
        second = self._tool.second_pa()
        return self._tool.pressure_pa() if second is None else second

    async def _wait(self, step: WaitStep) -> None:
        def reached() -> bool:
            return all(self._zone_there(zone, step) for zone in step.zones)

        await self._until(reached, step.stay_s, step.timeout_s, step.otherwise, "zones did not reach their temperature")

    def _zone_there(self, zone: str, step: WaitStep) -> bool:
        measured = self._tool.temperature_c(zone)
        if measured is None:
            return False
        if step.below_c is not None:
            return measured <= step.below_c
        goal = self._tool.heaters.goal_c(zone)
        return goal is None or step.within_k is None or abs(measured - goal) <= step.within_k

    async def _until(
        self, reached: Callable[[], bool], stay_s: float, timeout_s: float, otherwise: Otherwise, what: str
    ) -> None:
        """Wait until `reached` has held for `stay_s`; after `timeout_s` do what the recipe says of it."""
        loop = asyncio.get_running_loop()
        give_up_s = loop.time() + timeout_s
        since_s: float | None = None
        while True:
            self._wanted.check_held()
            now_s = loop.time()
            since_s = (now_s if since_s is None else since_s) if reached() else None
            if (since_s is not None and now_s - since_s >= stay_s) or self._wanted.leaving:
                return
            if now_s >= give_up_s:
                self._timed_out(otherwise, f"{what} {_within(timeout_s)}")
                return
            await asyncio.sleep(LOOK_S)

    def _timed_out(self, otherwise: Otherwise, what: str) -> None:
        self._journal.event("timeout", what=what, then=otherwise)
        self._alarm(what)
        if otherwise == "finish":
            raise Finish(what)
        if otherwise == "hold":
            self._wanted.hold_for(what)
            raise Held(what)


def _now_s() -> float:
    return asyncio.get_running_loop().time()


def _within(seconds: float) -> str:
    return f"within {seconds:.0f} s"
