"""One TCP connection to the module as a model: bytes in flight, in order, in each direction.

A dark direction keeps what is in flight and delivers it, in order, when it is light again, as long as the connection
lives: the trap of every valve on TCP. Ended with SO_LINGER 0 it takes what is in flight along.
"""

from __future__ import annotations

import errno
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.explore.world import World


@dataclass(slots=True)
class Flight:
    """What the host sends at once: when it left, when it was due, which sources it opens."""

    left_ns: int
    due_ns: int
    opens: int
    data: bytes


class Wire:
    """What the valve process holds as its `Connection`, with the methods that it calls on one."""

    __slots__ = ("gone", "lost", "refused", "replies", "requests", "reset", "up", "world")

    lingers = False  # whether what is in flight outlives `abort`: it does not, on a connection that lingers for 0 s

    def __init__(self, world: World) -> None:
        self.world = world
        self.requests: list[Flight] = []  # on their way
        self.replies: list[tuple[int, bytes]] = []  # on their way back, each with the instant from which it is there
        self.up = world.light()  # a connection that was begun in the dark never comes about
        self.reset = False  # the host has been told that it is over
        self.lost = False  # nothing comes through any more, and nobody is told
        self.refused = False  # the module has answered something on it with an exception
        self.gone = False  # the module does not know it any more, and says so when something comes

    # --- the process's side ----------------------------------------------------------------------------------------

    def stands(self) -> None:
        self._alive()

    def send(self, data: bytes) -> None:
        self._alive()
        self.requests.append(self.world.left(data))
        self.world.deliver()

    def receive(self) -> bytes:
        self._alive()
        if not self.readable:
            return b""
        now_ns = self.world.now_ns
        data = b"".join(reply for at_ns, reply in self.replies if at_ns <= now_ns)
        self.replies = [each for each in self.replies if each[0] > now_ns]
        return data

    def abort(self) -> None:
        self.world.dropped()

    def _alive(self) -> None:
        if self.reset:
            raise OSError(errno.ECONNRESET, "connection reset by peer")

    # --- the network's side ----------------------------------------------------------------------------------------

    @property
    def readable(self) -> bool:
        if self.reset:
            return True
        world = self.world
        return bool(self.replies) and self.replies[0][0] <= world.now_ns and not self.lost and not world.replies_dark

    @property
    def writable(self) -> bool:
        return self.up or self.reset


def telegrams(data: bytes) -> Iterator[bytes]:
    """The Modbus/TCP telegrams in these bytes."""
    while data:
        end = 6 + int.from_bytes(data[4:6], "big")
        yield data[:end]
        data = data[end:]
