"""The valve engine and a host that is never late, without a module or a process: what its tests speak through."""

from __future__ import annotations

from ald_controller.valves.engine import Engine
from ald_controller.valves.wire import (
    Anchored,
    Beat,
    Clear,
    EngineConfig,
    FromEngine,
    Load,
    Refused,
    Segment,
    SegmentId,
    State,
    ToEngine,
)
from tests.valve_rig import CONFIG, SOURCES, S

LEAD = CONFIG.lead_ns
LEASE = CONFIG.lease_ns


class Rig:
    """An engine, and a host that writes at once and remembers (time, word) and every report."""

    def __init__(self, config: EngineConfig = CONFIG, *, degraded: bool = False, ready: bool = True) -> None:
        self.engine = Engine(config, degraded=degraded)
        self.now = 0
        self.words: list[tuple[int, int]] = []
        self.told: list[FromEngine] = []
        self.beats = 0
        if ready:
            self.hear(State("VACUUM"))
            self.beat()
            self.hear(Clear())

    def turn(self) -> None:
        while (write := self.engine.step(self.now)) is not None:
            self.words.append((self.now, write.word))
            write.sent_ns = write.confirmed_ns = self.now
            write.settled = True
        self.told += self.engine.reports()

    def hear(self, message: ToEngine) -> list[FromEngine]:
        """Say one thing to the engine; returns what it tells of it."""
        before = len(self.told)
        self.engine.hear(self.now, message)
        self.turn()
        return self.told[before:]

    def beat(self, permit: int = SOURCES) -> None:
        self.beats += 1
        self.hear(Beat(self.beats, permit))

    def run(self, until_ns: int, *, beating: bool = True) -> None:
        """Let time pass, as a host on time does."""
        while self.now < until_ns:
            if beating:
                self.beat()
            end = min(until_ns, self.now + LEASE // 10)
            while (at := self.engine.next_at()) is not None and at <= end:
                self.now = max(self.now, at)
                self.turn()
            self.now = end
            self.turn()

    def jump(self, until_ns: int) -> None:
        """Let time pass without the host being able to act, then let it act."""
        self.now = until_ns
        self.turn()

    def of(self, kind: type[FromEngine]) -> list[FromEngine]:
        return [message for message in self.told if isinstance(message, kind)]

    def load(self, segment: Segment) -> str:
        """Load a segment; returns why it was refused, or ''."""
        answers = [each for each in self.hear(Load(segment)) if isinstance(each, Anchored | Refused)]
        assert len(answers) == 1 and answers[0].id == segment.id
        return answers[0].why if isinstance(answers[0], Refused) else ""


def segment(*edges: tuple[int, int], length_ns: int = 10 * S, half: int = 0) -> Segment:
    return Segment(SegmentId("r", 1, half), edges, length_ns)
