"""An event loop whose clock jumps to the next timer when nothing is ready: hours of a run in seconds, the same words.

Only memory may move bytes here. Threads, processes and sockets live on the wall clock and would race against a clock
that jumps, so the loop refuses them.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine
from contextvars import Context, copy_context
from heapq import heapify, heappop, heappush
from typing import Any, Never, TypeVar

import msgspec

T = TypeVar("T")
START_S = 1000.0  # not zero, so that a time is never mistaken for "none"
FARTHEST_S = 86_400.0  # of one jump
MANY, MOSTLY = 100, 0.5  # so many timers, this share of them cancelled: they are swept out


class VirtualTimeError(RuntimeError):
    """Something asked for the wall clock, or every task waits for something that no timer will ever bring."""


class _Call(msgspec.Struct, eq=False):
    """What `call_soon` promised: asyncio's Handle without what only a debugger asks of it."""

    callback: Callable[..., object]
    args: tuple[Any, ...]
    context: Context
    cancelled_: bool = False

    def cancel(self) -> None:
        self.cancelled_ = True

    def cancelled(self) -> bool:
        return self.cancelled_


class _Timer(float):
    """What `call_at` promised; the number is its time, so that the heap of timers compares numbers."""

    __slots__ = ("args", "callback", "cancelled_", "context", "loop", "waits")

    loop: VirtualLoop
    callback: Callable[..., object]
    args: tuple[Any, ...]
    context: Context
    cancelled_: bool
    waits: bool  # it stands on the heap

    def cancel(self) -> None:
        if not self.cancelled_:
            self.cancelled_ = True
            self.args = ()  # whoever is kept waiting for nothing is let go
            if self.waits:
                self.loop.count_cancelled()

    def cancelled(self) -> bool:
        return self.cancelled_

    def when(self) -> float:
        return float(self)


class VirtualLoop(asyncio.BaseEventLoop):
    """A loop on virtual time: `time()` moves only when nothing is ready, and then to the next timer.

    The turn is that of BaseEventLoop, step by step, without descriptors, threads and the debugger's notes.
    """

    def __init__(self) -> None:
        super().__init__()
        self._now = START_S
        self._clock_resolution = 1e-9  # floats round: a timer within a nanosecond is due
        self._ready: deque[_Call | _Timer] = deque()
        self._scheduled: list[_Timer] = []
        self._cancelled = 0  # of the timers that stand on the heap

    def time(self) -> float:
        """Virtual seconds since an arbitrary start."""
        return self._now

    # --- promises ---

    def call_soon(  # type: ignore[override]
        self, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> _Call:
        if self._closed:  # type: ignore[attr-defined]
            raise RuntimeError("Event loop is closed")
        call = _Call(callback, args, copy_context() if context is None else context)
        self._ready.append(call)
        return call

    call_soon_threadsafe = call_soon  # type: ignore[assignment]  # nothing ever sleeps, so there is nobody to wake

    def call_later(  # type: ignore[override]
        self, delay: float, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> _Timer:
        return self.call_at(self._now + delay, callback, *args, context=context)

    def call_at(  # type: ignore[override]
        self, when: float, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> _Timer:
        timer = _Timer(when)
        timer.loop, timer.callback, timer.args = self, callback, args
        timer.cancelled_, timer.waits = False, True
        timer.context = copy_context() if context is None else context
        heappush(self._scheduled, timer)
        return timer

    def count_cancelled(self) -> None:
        """A timer that stands on the heap was cancelled."""
        self._cancelled += 1

    # --- the turn ---

    def _run_once(self) -> None:
        if self._cancelled:
            self._sweep()
        ready, timers = self._ready, self._scheduled
        if not ready and not self._stopping:  # type: ignore[attr-defined]
            self._jump()
        end_s = self._now + self._clock_resolution
        while timers and timers[0] < end_s:
            timer = heappop(timers)
            timer.waits = False
            ready.append(timer)
        for _ in range(len(ready)):  # what these promise is for the next turn
            call = ready.popleft()
            if not call.cancelled_:
                try:
                    call.context.run(call.callback, *call.args)
                except (SystemExit, KeyboardInterrupt):
                    raise
                except BaseException as error:
                    what = f"Exception in callback {call.callback!r}"
                    self.call_exception_handler({"message": what, "exception": error, "handle": call})

    def _sweep(self) -> None:
        """Forget cancelled timers: those that would be next, or all of them once they are many."""
        timers = self._scheduled
        if len(timers) > MANY and self._cancelled / len(timers) > MOSTLY:
            timers[:] = [timer for timer in timers if not timer.cancelled_]
            heapify(timers)
            self._cancelled = 0
        while timers and timers[0].cancelled_:
            heappop(timers).waits = False
            self._cancelled -= 1

    def _jump(self) -> None:
        """Go to the next timer instead of waiting for it; raises VirtualTimeError when there is none."""
        if not self._scheduled:
            waiting = ", ".join(sorted(task.get_name() for task in asyncio.all_tasks(self)))
            raise VirtualTimeError(f"nothing is ready and no timer is set, so nothing will ever happen: {waiting} wait")
        ahead_s = self._scheduled[0] - self._now
        if ahead_s > 0.0:
            self._now += ahead_s if ahead_s < FARTHEST_S else FARTHEST_S


def _refusing(name: str) -> Any:
    def refuse(self: VirtualLoop, *args: object, **kwargs: object) -> Never:
        raise VirtualTimeError(f"{name}() needs the wall clock; on virtual time use its twin in memory")

    return refuse


# run_in_executor is also what to_thread and name look-ups use.
for _name in (
    "run_in_executor", "subprocess_exec", "subprocess_shell", "connect_read_pipe", "connect_write_pipe",
    "add_reader", "add_writer", "create_connection", "create_server", "create_unix_connection", "create_unix_server",
    "create_datagram_endpoint", "connect_accepted_socket", "sock_recv", "sock_recv_into", "sock_sendall",
    "sock_connect", "sock_accept", "add_signal_handler",
):  # fmt: skip
    setattr(VirtualLoop, _name, _refusing(_name))


def run_virtual(main: Coroutine[Any, Any, T]) -> T:
    """The result of `main` run on virtual time; tasks left over at its end are cancelled and awaited.

    Raises whatever `main` raises, and VirtualTimeError for executors, subprocesses, sockets and deadlock.
    """
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(main)
