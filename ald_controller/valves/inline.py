"""The valve engine on the loop's own clock over a module in memory: the twin of the real-time process, word for word.

No sockets, no threads, no processes, so it runs on virtual time; the bytes between it and the module are those of
the real wire.
"""

from __future__ import annotations

import asyncio
import math
from typing import Protocol

from ald_controller.valves.face import ValveFace
from ald_controller.valves.host import Host
from ald_controller.valves.wire import Beat, EngineConfig, Fault, Status, ToEngine, ValveError
from drivers.valve_modules import outputs_of

START_S = 2.0  # a module that is not proven by then does not start


class Module(Protocol):
    """The module in memory: takes bytes, returns what it answers at once; times in seconds of the loop's clock."""

    def hear(self, now_s: float, data: bytes) -> bytes: ...
    def next_at(self) -> float | None: ...
    def speak(self, now_s: float) -> bytes: ...


class InlineValves(ValveFace):
    """The valve path without a process: the same engine and the same host, woken by the loop."""

    _loop: asyncio.AbstractEventLoop  # that of `start`

    def __init__(
        self, module: Module, *, driver: str = "beckhoff_bk9050", unit: int = 1, coils: int = 16, watchdog_ms: int = 500
    ) -> None:
        super().__init__()
        self._module = module
        self._outputs = outputs_of(driver, unit, coils, watchdog_ms)
        self._host: Host | None = None
        self._said: Status | None = None  # by the host, at `_said_s` of the loop's clock; nothing was done since
        self._said_s = -math.inf
        self._timer: asyncio.TimerHandle | None = None
        self._started: asyncio.Future[None] | None = None
        self._last_fault = "the module did not answer"

    async def start(self, config: EngineConfig) -> Status:
        """Arm and prove the module and rest it; raises ValveError with the module's fault."""
        self._loop = asyncio.get_running_loop()
        try:
            self._host = Host(config, self._outputs, degraded=False, now_ns=self._now_ns())
        except ValueError as error:
            raise ValveError(str(error)) from error
        self._started = self._loop.create_future()
        self._turn()
        try:
            async with asyncio.timeout(START_S):
                await self._started
        except TimeoutError:
            await self.close()
            raise ValveError(self._last_fault) from None
        return self._running.status(self._now_ns())

    @property
    def status(self) -> Status | None:
        """What the host says of itself now; None when it does not run."""
        if self._host is None:
            return None
        now_s = self._loop.time()
        if self._said is None or self._said_s != now_s:
            self._said, self._said_s = self._host.status(_ns(now_s)), now_s
        return self._said

    async def close(self) -> None:
        """Rest and end; the module's watchdog then zeroes its outputs alone."""
        if self._host is None:
            return
        self._host.engine.rest(self._now_ns(), "end of file")
        self._turn()
        if self._timer is not None:
            self._timer.cancel()
        self._host = self._timer = None
        self._events.put_nowait(None)

    def _now_ns(self) -> int:
        return _ns(self._loop.time())

    # --- turns -----------------------------------------------------------------------------------------------------

    @property
    def _running(self) -> Host:
        if self._host is None:
            raise ValveError("the valve host does not run: start it first")
        return self._host

    def _tell(self, message: ToEngine) -> None:
        self._said = None
        self._running.hear(self._now_ns(), message)
        if not isinstance(message, Beat):  # a heartbeat makes nothing due: what is planned wakes the loop by itself
            self._turn()

    def _turn(self) -> None:
        """Everything that is due now, as the process does it; then sleep until the next time."""
        now_s, host, self._said = self._loop.time(), self._running, None
        now_ns = _ns(now_s)
        if not host.linked and now_ns >= host.link_at:
            host.link(now_ns)
        if (said := self._module.speak(now_s)) and host.linked:
            host.heard(now_ns, said)
        host.check(now_ns)
        while host.linked and (out := host.step(now_ns)):
            host.sent(now_ns)
            if answer := self._module.hear(now_s, out):
                host.heard(now_ns, answer)
        self._forward(host, now_ns)
        self._sleep(host, now_ns)

    def _forward(self, host: Host, now_ns: int) -> None:
        for message in host.reports():
            self._heard(message)
            if isinstance(message, Fault):
                self._last_fault = message.what
        if (wear := host.wear(now_ns)) is not None:
            self._heard(wear)
        if host.connected and self._started is not None and not self._started.done():
            self._started.set_result(None)

    def _sleep(self, host: Host, now_ns: int) -> None:
        next_ns = host.next_at(now_ns) if host.linked else host.link_at
        times = [] if next_ns is None else [next_ns / 1e9]
        if (at_s := self._module.next_at()) is not None:
            times.append(at_s)
        at_s = min(times, default=None)
        if self._timer is not None and self._timer.when() != at_s:
            self._timer.cancel()
            self._timer = None
        if self._timer is None and at_s is not None:
            self._timer = self._loop.call_at(at_s, self._wake)

    def _wake(self) -> None:
        self._timer = None
        self._turn()


def _ns(seconds: float) -> int:
    return round(seconds * 1e9)
