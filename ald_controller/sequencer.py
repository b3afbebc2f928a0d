"""Runs one Plan: loads segments ahead, performs acts between them, and knows where pause, stop and hold take effect.

One run is one task. Abort is its cancellation; whoever aborts brings the tool to safety first, and nothing here can
skip that. The journal is a Protocol: an intent is durable before its segment is loaded, so a slow disk lengthens a
purge and never a dose.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from ald_controller.acts import leaf_label
from ald_controller.journal import Journal, JournalError
from ald_controller.performer import Finish, Held, Performer
from ald_controller.plan import Leaf, Part, Plan, SegmentStep
from ald_controller.segments import Loaded, Progress, again
from ald_controller.states import TRANSITIONS, Ending, Event, Misplaced, ProcessState, follow
from ald_controller.tool import Tool
from ald_controller.valves import wire
from ald_controller.walk import At, Running, Walk, extendable, going_on, walk
from drivers.base import DriverError

LOAD_AHEAD_S = 2.0  # a segment is loaded this long before the running one ends: later means added rest, never a fault
HOLD_LIMIT_S = 1800.0  # a hold with hot lithium ends in the recipe's finish
LOOK_S = 0.25  # how often a segment is looked at that has not begun

_EXTENDS: tuple[ProcessState, ...] = ("EXECUTING", "PAUSING", "PAUSED")  # it goes on after these
_ASKED = ("hold: ", "abort: ")  # told by whoever asked for it, when it was asked for


@dataclass(slots=True)
class Run:
    """One run of one plan on one tool."""

    name: str
    plan: Plan
    tool: Tool
    journal: Journal
    alarm: Callable[[str], None]  # something that a person should see
    unrecorded: Callable[[], None] = lambda: None  # it is held because its record could not be written
    state: ProcessState = "SETTING_UP"
    progress: Progress = field(default_factory=Progress)
    why_paused: str = ""
    _stop: bool = False
    _where: str = ""  # the repeat whose turn a pause or a stop waits for; "" = the outermost that has a name
    _walk: Walk | None = None  # of the part in hand
    _may_go: asyncio.Event = field(default_factory=asyncio.Event)
    _half: int = 0
    _loaded: list[Loaded] = field(default_factory=list)
    _held: str = ""
    _doing: str = ""
    _at: At = field(default=At("prepare", 0, turn_ends=False))  # of the act in hand
    _acts: Performer = field(init=False)

    def __post_init__(self) -> None:
        self._acts = Performer(self.tool, self.journal, self.alarm, self)
        self._may_go.set()
        self.progress.planned = self.plan.doses

    @property
    def doing(self) -> str:
        """The kind of the leaf in hand: segment, flow, heat, pump, wait; "" before the first and after the last."""
        return self._doing if self.state not in ("IDLE", "SETTING_UP", "READY") else ""

    # --- verbs -----------------------------------------------------------------------------------------------------

    def move(self, event: Event) -> None:
        """Take one transition of the table; raises Misplaced."""
        self.state = follow(self.state, event)
        self.journal.event("state", state=self.state, by=event)

    def pause(self, *, now: bool, at: str = "") -> None:
        """Pause after the current turn of the repeat `at`, of the outermost named one without it, or hold at once."""
        if now:
            if self.state == "PAUSED" or (self.state, "hold") not in TRANSITIONS:
                raise Misplaced(f"'pause' does not fit the state {self.state}")
            self.hold_for("paused by an operator")
            return
        where = self._named(at, "pause")
        self.move("pause")
        self._where = where
        self._may_go.clear()
        self.why_paused = "paused by an operator"

    def resume(self) -> None:
        """Go on; after a hold the half-cycle that was cut is done again."""
        self.move("resume")
        if self._stop:  # it was on its way to the finish when it was held
            self.move("stop")
        self._go_on()

    def stop(self, at: str = "") -> None:
        """Finish the current turn, as for a pause, then go to the recipe's finish; from a pause or a hold at once."""
        where = self._named(at, "stop")
        if where and self.state == "PAUSED":  # the turns in between would be lost to the film unasked
            raise Misplaced(f"'stop' from a pause acts at once: leave '{at}' out, or resume first and stop then")
        self.move("stop")
        self._where = where
        self._stop = True
        self._go_on()

    def _named(self, name: str, verb: str) -> str:
        """`name`, if a repeat of that name is going on or none was asked for; raises Misplaced."""
        return name and going_on(self._running, name, verb).repeat.name

    @property
    def _running(self) -> tuple[Running, ...]:
        return self._walk.running if self._walk else ()

    def extendable(self, name: str = "") -> Running:
        """The repeat that more turns would be added to now, the outermost named one unless told; raises Misplaced."""
        if self.state not in _EXTENDS or self.leaving:
            raise Misplaced(f"'extend' does not fit the state {self.state}" + "; the run is being stopped" * self._stop)
        if self.progress.part == "finish":
            raise Misplaced("'extend' does not fit a run that is in its finish: what it deposits is done")
        return extendable(self._running, name)

    def extend(self, plan: Plan) -> None:
        """Go on by `plan`, which differs in the turns of a repeat that is going on, and in nothing that is done."""
        self.progress.planned += plan.doses - self.plan.doses
        self.plan = plan
        if self._walk is not None:
            self._walk.plan = plan

    def _go_on(self) -> None:
        self.why_paused = self._held = ""
        self._may_go.set()

    def hold(self, why: str) -> None:
        """The engine rests at once; the run waits, paused, for an operator's resume."""
        if (self.state, "hold") in TRANSITIONS:
            self.move("hold")
        if why not in self._held:
            self._held = "; ".join(filter(None, (self._held, why)))
        self.why_paused = self._held
        self._may_go.clear()
        for loaded in self._loaded:
            if not loaded.ended.done():
                loaded.ended.set_exception(Held(why))
                loaded.ended.exception()  # whoever waits hears of it; nobody has to

    # --- what the valve engine says --------------------------------------------------------------------------------

    def hear(self, message: wire.FromEngine) -> None:
        """Take one message of the valve engine about this run."""
        if isinstance(message, wire.Edge):
            self._edge(message)
        elif isinstance(message, wire.Anchored):
            self._anchored(message)
        elif isinstance(message, wire.Ended):
            loaded = self._find(message.id)
            if loaded and not loaded.ended.done():
                loaded.ended.set_result(None)
                self._next_started(loaded)
        elif isinstance(message, wire.Missed):
            self.progress.missed += 1
            self.journal.event("missed", half=message.id.half, cycle=message.id.cycle, edge=message.index,
                               late_ns=message.late_ns)  # fmt: skip
        elif isinstance(message, wire.Held):
            half = message.id.half if message.id else None
            self.journal.event("held", why=message.why, at_ns=message.at_ns, half=half)
            if not message.why.startswith(_ASKED):
                self.hold(message.why)
        elif isinstance(message, wire.Refused):
            self.journal.event("refused", why=message.why)

    def _edge(self, edge: wire.Edge) -> None:
        self.journal.edge(edge)
        loaded = self._find(edge.id)
        if loaded is None or not loaded.planned(edge):
            return
        loaded.edges = edge.index + 1
        self.progress.confirmed += loaded.confirms(edge)

    def _anchored(self, message: wire.Anchored) -> None:
        self.journal.event("anchored", half=message.id.half, at_ns=message.at_ns, added_rest_ns=message.added_rest_ns)
        loaded = self._find(message.id)
        if loaded:
            loaded.at_ns = message.at_ns

    def _find(self, id: wire.SegmentId) -> Loaded | None:
        return next((x for x in self._loaded if id.run == self.name and x.half == id.half), None)

    # --- the run itself --------------------------------------------------------------------------------------------

    async def execute(self) -> Ending:
        """Prepare, deposit, finish; returns how it ended. Cancellation is the abort: it passes straight through."""
        self.move("ready")
        self.move("deposit")
        ending: Ending = "completed"
        try:
            await self._part("prepare")
            await self._part("deposit")
            ending = "stopped" if self._stop else "completed"
        except Finish as finish:
            self.journal.event("early finish", why=str(finish))
            ending = "stopped"
            self._loaded.clear()
            self.progress.part = "finish"
            with self._never_leaving_the_finish("finish"):
                await self._done(At("finish", 0, turn_ends=False), self._acts.purge_flow)
        await self._part("finish")
        self.move("end")
        return ending

    async def _part(self, part: Part) -> None:
        """The steps of one part; returns when the engine rests and nobody has paused."""
        self.progress.part = part
        if self._stop and part != "finish":
            return
        self.journal.event("part", part=part)
        self._walk = walk(self.plan, part)
        for at, leaf in self._walk:
            if await self._step(at, leaf) and self._stop and part != "finish":
                return
        while self._loaded or not self._may_go.is_set():
            with self._never_leaving_the_finish(part):
                await self._drained()
                await self._wait_for_go()

    async def _step(self, at: At, leaf: Leaf) -> bool:
        """Do one leaf, and at the end of a turn what was asked to happen there; whether a stop acts here."""
        if at.part == "deposit":
            self.progress.cycle = at.cycle or self.progress.cycle
        with self._never_leaving_the_finish(at.part):
            await self._done(at, leaf)
            if at.some_turn_ends:
                return await self._turn_ended(at.part)
        return False

    @contextmanager
    def _never_leaving_the_finish(self, part: str) -> Iterator[None]:
        """In the finish itself the way to the finish is its next step: heaters must still be told to cool."""
        try:
            yield
        except Finish as finish:
            if part != "finish":
                raise
            self._loaded.clear()
            self.journal.event("step left", why=str(finish))

    async def _done(self, at: At, leaf: Leaf) -> None:
        """An act that a hold cut is done again after the resume."""
        while True:
            try:
                return await self._do(at, leaf)
            except DriverError as error:
                self.hold_for(str(error))
            except Held:
                pass
            await self._repeat_or_finish()

    async def _turn_ended(self, part: Part) -> bool:
        """Where a pause or a stop may take effect: before the next turn begins, or is loaded ahead as segments are."""
        assert self._walk is not None  # noqa: S101  narrows the type; there is one for as long as there are steps
        ahead = isinstance(self._walk.following, SegmentStep)
        await (self._nearly_done() if ahead else self._drained())
        here = self._walk.at.stops(self._where)
        if here and (self._stop or not self._may_go.is_set()):
            await self._drained()
        if part == "deposit" and self._walk.at.turn_ends:  # asked now: the repeat may have got more turns meanwhile
            self.progress.cycles_done = self.progress.cycle
        if here:
            await self._wait_for_go()
        return here

    # --- holding ---------------------------------------------------------------------------------------------------

    async def _wait_for_go(self) -> None:
        """Wait for an operator; half an hour of it over hot lithium raises Finish."""
        if self._may_go.is_set():
            return
        if self.state == "PAUSING":
            self.move("paused")
        limit = HOLD_LIMIT_S if self.plan.lithium and self.tool.heaters.lithium_heated else None
        try:
            async with asyncio.timeout(limit):
                await self._purged_until_go()
        except TimeoutError:
            self._expired()

    async def _repeat_or_finish(self) -> None:
        """What a hold cut is done again after a resume, and left undone after a stop: then raises Finish."""
        await self._wait_for_go()
        if self.leaving:
            raise Finish("stopped while it was held")

    def _expired(self) -> None:
        why = f"held for {HOLD_LIMIT_S / 60:.0f} min with hot lithium"
        self.alarm(f"{why}: the run goes to its finish")
        self.move("resume")
        self._go_on()
        self.tool.valves.clear()  # it still opens nothing: the latch keeps the permit
        raise Finish(why)

    async def _purged_until_go(self) -> None:
        """A hold rests in purge, whatever flow an exposure had asked for; the recipe's flows come back with the go."""
        while not self._may_go.is_set():
            held = bool(self._held)
            if held:
                await self._purged()
            await self._may_go.wait()
            if held and not self.leaving:
                try:
                    await self._acts.flow_again()
                except DriverError as error:
                    self.hold_for(str(error))

    async def _purged(self) -> None:
        try:
            await self._acts.purge()
        except DriverError as error:
            self.alarm(f"held, and not at purge flow: {error}")

    @property
    def leaving(self) -> bool:
        """Whether it is on its way to the finish, and not there yet."""
        return self._stop and self.progress.part != "finish"

    def hold_for(self, why: str) -> None:
        """Hold for something that the run itself has found."""
        self.tool.valves.hold(why)
        self.hold(why)

    async def _do(self, at: At, leaf: Leaf) -> None:
        self._doing = leaf.kind
        if isinstance(leaf, SegmentStep) and leaf.until is None:
            await self._nearly_done()
            await self._load(at, leaf)
            return
        await self._drained()
        self.check_held()
        self._at = at
        if isinstance(leaf, SegmentStep):
            return await self._acts.fill(leaf)
        self._started(leaf_label(leaf), at)
        await self._acts.do(leaf)

    async def through(self, step: SegmentStep) -> None:
        """Load a segment on behalf of the act in hand, and wait until it has ended; raises Held."""
        await self._load(self._at, step)
        try:
            await self._loaded[0].ended
        finally:  # what a hold cut is part of the act, which is done again as a whole
            self._loaded.clear()

    def shots(self) -> int:
        """How many doses of the segment that goes through for an act have begun."""
        return len(self._loaded[0].begun(asyncio.get_running_loop().time())) if self._loaded else 0

    def enough(self, pressure_pa: float | None) -> None:
        """End the running dose of that segment, if one is open, and let it give no other."""
        loaded = self._loaded[0]
        self.tool.valves.trim(wire.SegmentId(self.name, loaded.at.cycle, loaded.half), last=True)
        unneeded = loaded.enough(asyncio.get_running_loop().time())
        self.progress.planned -= unneeded
        self.journal.event("filled", half=loaded.half, cycle=loaded.at.cycle, pressure_pa=pressure_pa,
                           shots=len(loaded.step.doses), unneeded=unneeded)  # fmt: skip

    def _started(self, label: str, at: At) -> None:
        self.progress.step = label
        self.journal.event("step", label=label, part=at.part, cycle=at.cycle)

    def _next_started(self, ended: Loaded) -> None:
        """The segment that was loaded ahead begins where the one before ends."""
        behind = self._loaded[self._loaded.index(ended) + 1 :]
        if behind:
            self._started(behind[0].step.label, behind[0].at)

    # --- segments --------------------------------------------------------------------------------------------------

    async def _load(self, at: At, step: SegmentStep) -> None:
        self.check_held()
        id = wire.SegmentId(self.name, at.cycle, self._half)
        await self._intend(id, at, step)
        self.check_held()
        loaded = Loaded(id.half, step, at, asyncio.get_running_loop().create_future())
        self._loaded.append(loaded)
        try:
            await self.tool.valves.load(wire.Segment(id, step.edges, step.length_ns))
        except wire.SegmentRefused as refused:
            self._loaded.remove(loaded)
            if not self._held:
                self.hold_for(str(refused))
            raise Held(str(refused)) from None
        self._half += 1  # the engine numbers what it accepted, without gaps
        if self._loaded[0] is loaded:
            self._started(step.label, at)

    async def _intend(self, id: wire.SegmentId, at: At, step: SegmentStep) -> None:
        """Write down what is about to happen; without a record what is loaded may end, and nothing more begins (K8)."""
        try:
            await self.journal.intent(id, step.label, step.doses, at.cycle, at.part)
        except JournalError as error:
            await self._drained()
            where = f"'{step.label}' of cycle {at.cycle}" if at.cycle else f"'{step.label}'"
            self.hold_for(f"{where} was not begun, because the journal failed: {error}")
            self.unrecorded()
            raise Held(str(error)) from None

    def check_held(self) -> None:
        """Raises Held while the engine rests."""
        if self._held:
            raise Held(self._held)

    async def _nearly_done(self) -> None:
        """Until at most the running segment is left, and that within the load-ahead time of its end."""
        while self._loaded:
            if len(self._loaded) == 1 and await self._within(self._loaded[0], LOAD_AHEAD_S):
                return
            await self._first_ended()

    async def _within(self, loaded: Loaded, ahead_s: float) -> bool:
        """Wait until `ahead_s` before the segment's end; False when it ended, well or not, before that."""
        loop = asyncio.get_running_loop()
        while not loaded.ended.done():
            remaining = LOOK_S if loaded.ends_at_s is None else loaded.ends_at_s - ahead_s - loop.time()
            if remaining <= 0:
                return True
            await asyncio.wait({loaded.ended}, timeout=remaining)
        return False

    async def _drained(self) -> None:
        while self._loaded:
            await self._first_ended()

    async def _first_ended(self) -> None:
        """Wait for the oldest loaded segment; what a hold cut is loaded again after the resume."""
        loaded = self._loaded[0]
        try:
            await loaded.ended
        except Held:
            await self._repeat_or_finish()
            await self._load_again()
        else:
            self._loaded.remove(loaded)

    async def _load_again(self) -> None:
        cut, self._loaded = self._loaded, []
        for i, loaded in enumerate(cut):
            try:
                await self._load(loaded.at, again(loaded.step, loaded.edges))
            except Held:  # held once more before it was in: it waits its turn with the rest
                self._loaded += cut[i:]
                return
