"""The home-made part of asyncio: work that cannot be cancelled, absolute ticks, supervised service tasks."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from typing import Any, TypeVar

import msgspec

T = TypeVar("T")


class Tick(msgspec.Struct, frozen=True, gc=False):
    """One turn of `every`: its number from 0, when it was due (loop seconds), how late it is, how many were skipped."""

    number: int
    due_s: float
    late_s: float
    missed: int


def spare_the_collector() -> None:
    """What exists now stays: the garbage collector does not walk it again, which stops the loop for 50 ms each time."""
    gc.collect()
    gc.freeze()


async def uncancellable(work: Coroutine[Any, Any, T]) -> T:
    """The result of `work`, which runs to its end however often the caller is cancelled meanwhile.

    A cancelled caller gets its CancelledError when the work has ended; an error of the work is then its cause.
    """
    task = asyncio.ensure_future(work)
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            # wait() leaves the task alone when it is cancelled itself, however often that happens
            await asyncio.wait({task})
        except asyncio.CancelledError as error:
            cancelled = cancelled or error
    if cancelled is not None:
        raise cancelled from (None if task.cancelled() else task.exception())
    return task.result()


async def every(period_s: float) -> AsyncIterator[Tick]:
    """Ticks at start + n × `period_s` of the loop's clock, the first at once; a late reader skips ticks, never bursts.

    Each turn gives the loop a chance to do other work. Raises ValueError for a period that is not positive.
    """
    if not period_s > 0:
        raise ValueError(f"a period must be longer than 0 s, not {period_s} s")
    loop = asyncio.get_running_loop()
    start_s = loop.time()
    number = missed = 0
    while True:
        due_s = start_s + number * period_s
        await _until(loop, due_s)
        late_s = loop.time() - due_s
        yield Tick(number, due_s, late_s if late_s > 0.0 else 0.0, missed)
        passed = int((loop.time() - start_s) / period_s + 1e-9)
        missed = passed - number - 1 if passed > number else 0
        number += 1 + missed


async def _until(loop: asyncio.AbstractEventLoop, due_s: float) -> None:
    """Wait for a moment of the loop's clock; for one that is over, until the others had their turn."""
    if due_s <= loop.time():
        await asyncio.sleep(0)
        return
    over: asyncio.Future[None] = loop.create_future()
    timer = loop.call_at(due_s, _end, over)
    try:
        await over
    finally:
        timer.cancel()


def _end(wait: asyncio.Future[None]) -> None:
    if not wait.done():
        wait.set_result(None)


async def supervise(
    name: str,
    factory: Callable[[], Awaitable[None]],
    alarm: Callable[[str, Exception], None],
    *,
    first_s: float = 0.2,
    longest_s: float = 10.0,
) -> None:
    """Run the service that `factory` makes; on an error call `alarm(name, error)` and start it again, ever more slowly.

    The wait doubles from `first_s` to `longest_s` and is short again after a start that lasted `longest_s`. Returns
    when the service returns; cancellation passes through. Service tasks only: an essential task must end the daemon.
    """
    loop = asyncio.get_running_loop()
    wait_s = first_s
    while True:
        started_s = loop.time()
        try:
            return await factory()
        except Exception as error:  # whatever breaks a service may not end a run
            alarm(name, error)
        if loop.time() - started_s >= longest_s:
            wait_s = first_s
        await asyncio.sleep(wait_s)
        wait_s = min(2 * wait_s, longest_s)
