"""What the valve process stands on while it is explored: a clock, a `select`, connections, and an ear at its host."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any, get_args
from unittest import mock

from ald_controller.valves import process
from ald_controller.valves.engine import Engine
from ald_controller.valves.host import Host
from ald_controller.valves.rules import CHANGEOVER_NS, Rules, Stand
from ald_controller.valves.wear import WearCount
from ald_controller.valves.wire import (
    Clear,
    EngineConfig,
    Load,
    Position,
    Segment,
    SegmentId,
    Source,
    ToEngine,
    Trim,
)
from drivers.valve_outputs import ModbusOutputs, Reply
from simulators.valve_module import ValveModule
from tests.explore.oracle import Broken
from tests.explore.setting import CONFIG, MS, SHORTENED, WATCHDOG_MS
from tests.explore.snapshot import MEMORY_NS, NOW_NS, Snapshots
from tests.explore.talk import Talk

if TYPE_CHECKING:
    from tests.explore.world import World

_NEVER_CHANGED = (EngineConfig, Source, Position, Segment, SegmentId, Stand, Reply, *get_args(ToEngine))
_RULES = Rules(CONFIG, False)
_WORN = (CONFIG.segment_mask | CONFIG.aux_mask).bit_length()
FAR_NS = 10**12


class Sleeps(Exception):
    """The process waits in `select`, and may be left."""


def snapshots() -> Snapshots:
    """Snapshots of worlds; what is hidden is made anew, or by `World.mend`."""
    nothing = dict.fromkeys(("_map", "_tell", "_server", "_line", "_now_s", "_expires_s", "changes"), lambda: None)
    hidden: dict[type, Any] = {
        ModbusOutputs: {"_frames": dict},
        ValveModule: nothing | {"writes": int},
        Talk: {"_running": lambda: None},
        Engine: {"_rules": lambda: _RULES, "late_edges": int},
        Host: {"_sequence": int, "_wear_at": lambda: NOW_NS, "_status_at": lambda: NOW_NS + FAR_NS},
        WearCount: {"_actuations": lambda: [0] * _WORN, "_on_ns": lambda: [0] * _WORN, "moved": bool},
    }
    return Snapshots(_NEVER_CHANGED, hidden)


def other_names(value: Any) -> Any:
    """The same with the two names of runs exchanged: one is as good as the other."""
    if type(value) not in (SegmentId, Segment, Load, Trim):
        return value
    found = _EXCHANGED.get(value)
    if found is None:
        match value:
            case SegmentId(run, cycle, half):
                found = SegmentId("b" if run == "a" else "a", cycle, half)
            case Segment(id):
                found = replace(value, id=other_names(id))
            case Load(segment):
                found = Load(other_names(segment))
            case Trim(id, last):
                found = Trim(other_names(id), last)
        _EXCHANGED[value] = found
    return found


_EXCHANGED: dict[Any, Any] = {}


class Stage:
    """The one world that is live, and what is told of it."""

    def __init__(self) -> None:
        self.world: World | None = None
        self.story: list[tuple[int, str]] | None = None
        self.turns = self.busy = 0
        self.seen: set[str] = set()  # kinds of reports and of causes, so that an exploration can show what it met

    def clock(self) -> int:
        return self.world.now_ns  # type: ignore[union-attr]

    def connect(self, host: str, port: int) -> object:
        return self.world.connect()  # type: ignore[union-attr]

    def select(
        self, readers: Any, writers: Any, others: Any, timeout_s: float
    ) -> tuple[list[Any], list[Any], list[Any]]:
        """A look at once is answered; a wait is left by `Sleeps`."""
        if readers == ():
            return [], [wire for wire in writers if wire.writable], []
        self.world.sleeps(readers, writers, timeout_s)  # type: ignore[union-attr]
        raise Sleeps


STAGE = Stage()


@contextmanager
def staged() -> Iterator[None]:
    """The valve process runs on the model's clock until the block ends."""
    known = (CONFIG.lease_ns, CONFIG.min_closed_ns, CHANGEOVER_NS, WATCHDOG_MS * MS, *SHORTENED.values())
    assert max(known) < MEMORY_NS, "an age that is compared would be long ago"
    with ExitStack() as stack:
        stack.enter_context(mock.patch.object(process, "monotonic_ns", STAGE.clock))
        stack.enter_context(mock.patch.object(process, "select", STAGE))
        stack.enter_context(mock.patch.object(process, "Connection", STAGE.connect))
        for (module, name), value in SHORTENED.items():
            stack.enter_context(mock.patch.object(module, name, value))
        yield


class WatchedHost(Host):
    """The host, with a witness: what it heard, that a refusal changes nothing, that a reset moves nothing."""

    def hear(self, now_ns: int, message: ToEngine) -> None:
        engine = self.engine
        ran, before = engine.running, (engine.running, engine.queued)
        watched = isinstance(message, Load | Clear)
        state = _copy(engine, now_ns) if watched else b""
        super().hear(now_ns, message)
        accepted = (engine.running, engine.queued) != before
        if isinstance(message, Load) and not accepted and _plain(_copy(engine, now_ns)) != _plain(state):
            raise Broken("a segment was refused, and something changed")
        if isinstance(message, Clear) and _words(state) != _words(_copy(engine, now_ns)):
            raise Broken("a reset moved a valve")
        STAGE.world.oracle.heard(now_ns, message, accepted=accepted, ran=ran)  # type: ignore[union-attr]

    def step(self, now_ns: int) -> bytes:
        out = super().step(now_ns)
        if self.engine.held and not STAGE.world.oracle.stopped:  # type: ignore[union-attr]
            STAGE.world.oracle.stop()  # type: ignore[union-attr] # for a reason of its own: no permit, too often late
        if now_ns > STAGE.clock():  # made before its time: the process spins until then
            STAGE.world.spun(now_ns)  # type: ignore[union-attr]
        return out


_COPIES = snapshots()


def _copy(engine: Engine, now_ns: int) -> bytes:
    return _COPIES.freeze(engine, now_ns)


def _plain(state: bytes) -> bytes:
    """But for what is told, and for the number that was offered: a refused one may be left out."""
    engine = _COPIES.thaw(state)
    engine._reports.clear()
    engine._offered = None
    return _COPIES.freeze(engine, 0)


def _words(state: bytes) -> list[int]:
    """What would be written now."""
    engine, words = _COPIES.thaw(state), []
    while (write := engine.step(NOW_NS)) is not None:
        words.append(write.word)
    return words
