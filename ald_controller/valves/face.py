"""The verbs of the valve path, the same for the real-time process and for its twin on the loop's clock."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator

from ald_controller.valves.wire import (
    Abort,
    Anchored,
    Aux,
    Beat,
    Clear,
    EngineConfig,
    FromEngine,
    Hold,
    Lateness,
    Load,
    Refused,
    Segment,
    SegmentId,
    SegmentRefused,
    State,
    ToEngine,
    Trim,
    ValveError,
)

ANSWER_S = 1.0  # longer than any confirmation takes


class ValveFace(ABC):
    """Verbs as messages, answers to `load`, and the queue of events for one consumer."""

    def __init__(self) -> None:
        self._events: asyncio.Queue[FromEngine | ValveError | None] = asyncio.Queue()
        self._loading: dict[SegmentId, asyncio.Future[None]] = {}
        self._sequence = 0
        self.lateness: Lateness | None = None  # of this computer, where the engine runs on a real clock

    @abstractmethod
    def _tell(self, message: ToEngine) -> None:
        """Hand one message to the engine; raises ValveError when there is none."""

    async def load(self, segment: Segment) -> None:
        """Queue a segment; returns when it is accepted.

        Raises SegmentRefused with the engine's sentence, and ValveError when no answer comes.
        """
        answer = self._loading[segment.id] = asyncio.get_running_loop().create_future()
        try:
            self._tell(Load(segment))
            async with asyncio.timeout(ANSWER_S):
                await answer
        except TimeoutError:
            raise ValveError(f"the valve engine did not answer a segment within {ANSWER_S} s") from None
        finally:
            self._loading.pop(segment.id, None)

    def beat(self, permit: int) -> None:
        """The guard's heartbeat after a completed evaluation, with the bits that may be opened now."""
        self._sequence += 1
        self._tell(Beat(self._sequence, permit))

    def configure(self, config: EngineConfig) -> None:
        """Other bottles hang at the ports; refused, as an event, while a segment runs."""
        self._tell(config)

    def hold(self, why: str) -> None:
        """Rest at once and drop what is loaded; auxiliary outputs stay."""
        self._tell(Hold(why))

    def abort(self, why: str) -> None:
        """Rest at once and drop what is loaded; auxiliary outputs go off."""
        self._tell(Abort(why))

    def clear(self) -> None:
        """Leave the held state; moves no valve, and is refused, as an event, while the cause lives."""
        self._tell(Clear())

    def state(self, chamber: str) -> None:
        """The chamber state, which selects the rest word."""
        self._tell(State(chamber))

    def aux(self, mask: int, bits: int) -> None:
        """Switch the outputs in `mask`, which belong to no segment; on only while the engine is not held gravely."""
        self._tell(Aux(mask, bits))

    def trim(self, id: SegmentId, *, last: bool = False) -> None:
        """End the running dose of this segment now, and with `last` let it open nothing more."""
        self._tell(Trim(id, last))

    async def events(self) -> AsyncIterator[FromEngine]:
        """Everything but Status, in order, for one consumer; ends after `close`, raises ValveError on a failure."""
        while (message := await self._events.get()) is not None:
            if isinstance(message, ValveError):
                raise message
            yield message

    def _heard(self, message: FromEngine) -> None:
        """Pass one message on, and answer whoever waits for it."""
        if isinstance(message, Anchored | Refused) and message.id is not None:
            answer = self._loading.pop(message.id, None)
            if answer is not None and not answer.done():
                if isinstance(message, Refused):
                    answer.set_exception(SegmentRefused(message.why))
                else:
                    answer.set_result(None)
        self._events.put_nowait(message)
