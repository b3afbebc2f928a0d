"""An event loop whose clock jumps to the next timer when nothing is ready: hours of a run in seconds, the same words.

Only memory may move bytes here. Threads, processes and sockets live on the wall clock and would race against a clock
that jumps, so the loop refuses them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, Never, TypeVar

T = TypeVar("T")
START_S = 1000.0  # not zero, so that a time is never mistaken for "none"


class VirtualTimeError(RuntimeError):
    """Something asked for the wall clock, or every task waits for something that no timer will ever bring."""


class VirtualLoop(asyncio.BaseEventLoop):
    """A loop on virtual time: `time()` moves only when nothing is ready, and then to the next timer."""

    def __init__(self) -> None:
        super().__init__()
        self._now = START_S
        self._selector = self  # what BaseEventLoop asks for ready descriptors; here there are none
        self._clock_resolution = 1e-9  # floats round: a timer within a nanosecond is due

    def time(self) -> float:
        """Virtual seconds since an arbitrary start."""
        return self._now

    def select(self, timeout: float | None) -> list[Never]:
        """Jump `timeout` seconds instead of waiting; raises VirtualTimeError when there is nothing to jump to."""
        if timeout is None:
            waiting = ", ".join(sorted(task.get_name() for task in asyncio.all_tasks(self)))
            raise VirtualTimeError(f"nothing is ready and no timer is set, so nothing will ever happen: {waiting} wait")
        self._now += timeout
        return []

    def _process_events(self, event_list: list[Never]) -> None:
        """There are no descriptors, hence no events."""

    def _write_to_self(self) -> None:
        """Nothing ever sleeps, so there is nobody to wake."""


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
