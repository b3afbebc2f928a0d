"""The daemon as the valve process sees it: it beats, resets, loads dose after dose, and starts afresh what has died.

An eager one, so that every scene of a path plays by itself: after a fault it resets and goes on, after a trip it ends
the process and starts a new one. What it says out of turn is the explorer's choice.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ald_controller.valves.wire import (
    Anchored,
    Aux,
    Beat,
    Clear,
    Ended,
    FromEngine,
    Held,
    Load,
    Refused,
    SegmentId,
    State,
    Status,
)
from tests.explore.setting import CONTACTOR, DOSES, SOURCES, segment

if TYPE_CHECKING:
    from tests.explore.world import World

BEAT_TICKS = 4
PATIENCE_TICKS = 3  # between one act and the next attempt
GIVE_UP_TICKS = 56  # without the module: longer than its watchdog needs, so that a trip is met


class Operator:
    """What one daemon knows and does, one tick after the other."""

    __slots__ = (
        "asked", "away", "beat", "beat_in", "chamber", "connected", "eager", "heated", "held", "last", "loaded",
        "permit", "permit_in", "silent", "stuck", "turn", "wait",
    )  # fmt: skip

    def __init__(self, eager: bool) -> None:
        self.eager = eager
        self.beat = self.beat_in = 0
        self.permit, self.permit_in = SOURCES, 0
        self.silent = self.stuck = 0  # ticks for which it hangs, for which its guard does, and says the same again
        self.chamber = ""
        self.held, self.connected, self.asked, self.heated = True, False, False, False
        self.loaded: list[SegmentId] = []
        self.last: SegmentId | None = None
        self.turn = 0
        self.wait = self.away = 0

    @property
    def next_id(self) -> SegmentId:
        """Two segments a run, two names of runs in turn: as numbers go on in life, but finitely many."""
        if self.last is None:
            return SegmentId("a", 0, 0)
        if self.last.half == 0:
            return SegmentId(self.last.run, 0, 1)
        return SegmentId("b" if self.last.run == "a" else "a", 0, 0)

    def told(self, message: FromEngine) -> None:
        """A report has come."""
        match message:
            case Status():
                self.held, self.connected = bool(message.held), message.connected
            case Refused(None, why):
                self.held |= why.startswith("not cleared")
            case Held(why):
                self.held, self.loaded = True, []
                self.heated &= why.startswith(("hold", "permit", "late", "state"))
            case Anchored(id):
                self.loaded.append(id)
                self.last, self.asked, self.turn = id, False, 1 - self.turn
            case Refused(id) if id is not None:
                self.asked, self.wait = False, PATIENCE_TICKS
            case Ended(id) if id in self.loaded:
                self.loaded.remove(id)

    def act(self, world: World) -> None:
        """What it does of itself at this tick."""
        if self.silent:
            self.silent -= 1
            return
        self.permit_in, self.stuck = max(0, self.permit_in - 1), max(0, self.stuck - 1)
        if self.permit_in == 0:
            self.permit = SOURCES
        self.beat_in -= 1
        if self.beat_in <= 0:
            self.give_beat(world)
        if self.wait:
            self.wait -= 1
        else:
            self._do_next(world)

    def give_beat(self, world: World) -> None:
        self.beat_in = BEAT_TICKS
        if not self.stuck:
            self.beat = 1 - self.beat
        world.say(Beat(self.beat, self.permit))

    def _do_next(self, world: World) -> None:
        self.away = 0 if self.connected else self.away + 1
        if self.away >= GIVE_UP_TICKS:
            world.hang_up()
        elif not self.connected:
            return
        elif self.chamber != "VACUUM":
            self.chamber = "VACUUM"
            world.say(State("VACUUM"))
        elif self.held:
            self.wait, self.held = PATIENCE_TICKS if self.heated else 1, False
            world.say(Clear())
        elif not self.heated:
            self.heated = True
            world.say(Aux(CONTACTOR, CONTACTOR))
        elif self.eager and not self.asked and len(self.loaded) < 2:
            self.asked = True
            world.say(Load(segment(self.next_id, DOSES[self.turn])))
