"""The daemon's socket as the valve process has it, as a model."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ald_controller.valves.wire import FromEngine, ToEngine

if TYPE_CHECKING:
    from tests.explore.world import World

LOOK_NS = 50_000  # that a look takes while the process spins


class Control:
    """The daemon's socket, with the methods that the process calls on one."""

    __slots__ = ("coming", "ended", "open", "queue", "world")

    def __init__(self, world: World) -> None:
        self.world = world
        self.queue: list[ToEngine] = []
        self.coming: list[ToEngine] = []  # said just before the next tick
        self.ended = False  # the daemon has closed its end
        self.open = True

    @property
    def readable(self) -> bool:
        return bool(self.queue) or self.ended

    @property
    def kept(self) -> int:
        return 0

    def receive(self) -> ToEngine | None:
        """The next message; `open` ends with the daemon."""
        if self.queue:
            return self.queue.pop(0)
        self.open = not self.ended
        return None

    def poll(self, timeout: int) -> bool:
        """Looked at while the process spins, which takes time."""
        self.arrive()
        if not self.readable:
            self.world.now_ns += LOOK_NS
        return self.readable

    def arrive(self) -> None:
        """What was on its way is there."""
        self.queue += self.coming
        self.coming = []

    def report(self, message: FromEngine) -> None:
        self.world.told(message)

    def flush(self) -> bool:
        return True
