"""The module's driver with conversations that can be copied: a generator cannot be, what it was told can."""

from __future__ import annotations

from drivers.valve_beckhoff import BeckhoffOutputs
from drivers.valve_outputs import Conversation, ModbusOutputs, Reply


class Talk:
    """The driver's own conversation, with a note of every reply that it was given."""

    __slots__ = ("_running", "outputs", "rearm", "replies", "trips")

    def __init__(self, outputs: ModbusOutputs, rearm: bool, trips: int | None) -> None:
        self.outputs, self.rearm, self.trips = outputs, rearm, trips
        self.replies: list[Reply] = []
        self._running: Conversation | None = None

    def __next__(self) -> bytes:
        self._running = BeckhoffOutputs.start(self.outputs, rearm=self.rearm, trips=self.trips)  # type: ignore[arg-type]
        return next(self._running)

    def send(self, reply: Reply) -> bytes:
        if self._running is None:
            self._again()
        self.replies.append(Reply(0, reply.function, reply.exception, reply.data))
        return self._running.send(reply)  # type: ignore[union-attr]

    def _again(self) -> None:
        """A copy comes to where its original was; that the driver counts requests meanwhile is undone."""
        transaction = self.outputs.transaction
        next(self)
        for reply in self.replies:
            self._running.send(reply)  # type: ignore[union-attr]
        self.outputs._transaction = transaction


class TalkingOutputs(BeckhoffOutputs):
    """`BeckhoffOutputs` as it is, but for the conversations."""

    def start(self, *, rearm: bool, trips: int | None = None) -> Talk:  # type: ignore[override]
        return Talk(self, rearm, trips)
