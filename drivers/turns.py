"""Who has a line next: what makes safe first, then what safety is judged by, then the others; and nobody starves.

`Turns` is pure. Of equal rank the longest waiting goes first. Whoever was overtaken by others that came later rises:
after `RISES` of them as high as a safety read, after `RISES_AGAIN` as high as what makes safe.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from enum import IntEnum
from typing import Generic, TypeVar

RISES, RISES_AGAIN = 4, 16

T = TypeVar("T")


class Priority(IntEnum):
    """The lower goes first."""

    MAKES_SAFE = 0
    SAFETY_READ = 1
    ORDINARY = 2


_PRIORITY: ContextVar[Priority] = ContextVar("priority on a line", default=Priority.ORDINARY)


@contextmanager
def makes_safe() -> Iterator[None]:
    """What is asked of any line within, and by tasks that are begun within, goes before what only reads."""
    token = _PRIORITY.set(Priority.MAKES_SAFE)
    try:
        yield
    finally:
        _PRIORITY.reset(token)


def asked_with() -> Priority:
    """The priority that the caller's context gives it."""
    return _PRIORITY.get()


class _Waiting(Generic[T]):
    __slots__ = ("overtaken", "priority", "who")

    def __init__(self, who: T, priority: Priority) -> None:
        self.who, self.priority, self.overtaken = who, priority, 0

    @property
    def rank(self) -> Priority:
        if self.overtaken >= RISES_AGAIN:
            return Priority.MAKES_SAFE
        return min(self.priority, Priority.SAFETY_READ) if self.overtaken >= RISES else self.priority


class Turns(Generic[T]):
    """Those who wait, in the order in which they came; knows no time and no loop."""

    def __init__(self) -> None:
        self.waiting: list[_Waiting[T]] = []

    def __len__(self) -> int:
        return len(self.waiting)

    def join(self, who: T, priority: Priority) -> None:
        self.waiting.append(_Waiting(who, priority))

    def leave(self, who: T) -> None:
        """Who does not wait any more; nothing happens if it is not among them."""
        self.waiting = [one for one in self.waiting if one.who is not who]

    def next(self) -> T | None:
        """Takes out whoever is to go now, None when nobody waits."""
        if not self.waiting:
            return None
        chosen = min(self.waiting, key=lambda one: one.rank)  # the first of equal ones
        at = self.waiting.index(chosen)
        for one in self.waiting[:at]:
            one.overtaken += 1
        del self.waiting[at]
        return chosen.who


class Turnstile:
    """A lock that is handed from one holder straight to the next by `Turns`."""

    def __init__(self) -> None:
        self._turns: Turns[asyncio.Future[None]] = Turns()
        self._taken = False

    def take(self) -> bool:
        """Whether it was free; it is held now."""
        if self._taken:
            return False
        self._taken = True
        return True

    async def enter(self, priority: Priority) -> None:
        """Returns when it is held; a caller that is cancelled meanwhile does not hold it."""
        if self.take():
            return
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._turns.join(future, priority)
        try:
            await future
        except asyncio.CancelledError:
            if future.done() and not future.cancelled():
                self.leave()  # it was handed over in the same moment
            else:
                self._turns.leave(future)
            raise

    def leave(self) -> None:
        """Hand it to the next, or leave it free."""
        while self._turns.waiting and (future := self._turns.next()) is not None:
            if not future.done():
                future.set_result(None)
                return
        self._taken = False
